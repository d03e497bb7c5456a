//! What can go wrong in the core: one variant a cause, each with a stable code.

use std::fmt;

use crate::policy::Columns;

/// A family of keys in the log. The numbers are part of the interface to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    /// Records of all contexts.
    Records = 0,
    /// Positions of records over the whole store; written by the log itself.
    Feed = 1,
    /// Snapshots and markers.
    State = 2,
    /// Index chunks.
    Index = 3,
    /// Idempotency keys.
    Keys = 4,
}

/// Bytes that an operation lacks. The caller fetches them and calls again.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Need {
    /// Single values.
    pub keys: Vec<(Family, Vec<u8>)>,
    /// Records of the context with a last version in `(after, up_to]`.
    pub records: Option<(u64, u64)>,
    /// Versions of the context whose records are lacking: of each the newest one that begins at or before it.
    pub holding: Vec<u64>,
}

impl Need {
    /// Adds a value that is lacking, once.
    pub fn key(&mut self, family: Family, key: Vec<u8>) {
        if !self.keys.iter().any(|(f, k)| *f == family && *k == key) {
            self.keys.push((family, key));
        }
    }

    /// True when nothing is lacking.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.records.is_none() && self.holding.is_empty()
    }
}

/// Why an operation did not do what it was asked to.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// Bytes are lacking; not an error to the user.
    Need(Box<Need>),
    /// A custom policy has to decide; not an error to the user.
    Consult(Box<Columns>),
    /// The request is malformed; `field` is a path into it.
    Invalid {
        /// Stable code, for example `invalid_field`.
        code: &'static str,
        /// Path of the field at fault, empty for the whole body.
        field: String,
        /// What was expected.
        message: String,
    },
    /// No such context.
    UnknownContext,
    /// The messages were counted by other rules than the context's: they are to be parsed again.
    Stale,
    /// The context is tombstoned: it takes no more writes.
    Tombstoned,
    /// `if_version` names another version than the current one.
    VersionConflict {
        /// What the caller expected.
        expected: u64,
        /// The version there is.
        actual: u64,
    },
    /// The idempotency key was used for another request.
    KeyConflict,
    /// No valid window fits.
    BudgetTooSmall {
        /// The budget asked for.
        budget: u64,
        /// The smallest budget that would do.
        needed: u64,
    },
    /// `replace` names another message than the newest.
    NotNewest {
        /// Id of the newest message, where it has one.
        newest: Option<String>,
    },
    /// A replacement without content, and no `force`.
    EmptyReplacement,
    /// Another caller's compaction or revert came after `up_to_version`.
    CompactionConflict {
        /// The version of the other one.
        version: u64,
    },
    /// No caller's compaction has that version.
    UnknownCompaction {
        /// The version asked for.
        version: u64,
    },
    /// A later rewrite touched what the compaction left, or a message that it covered: it can't be reverted.
    RevertConflict {
        /// The version of the compaction.
        version: u64,
    },
    /// The caller is ahead of the context: the version is not here yet.
    NotYet {
        /// What the caller asked for.
        wanted: u64,
        /// The version there is.
        actual: u64,
    },
    /// Stored bytes are damaged, or do not continue what came before.
    Corrupt {
        /// What was found.
        what: String,
    },
    /// An entry of a kind that this version does not know.
    UnknownEntry {
        /// The kind found.
        kind: u8,
        /// Version of the entry.
        version: u64,
    },
    /// A stored value has a format that this version does not know.
    UnknownFormat {
        /// The value's name.
        what: &'static str,
        /// The format found.
        format: u8,
    },
    /// A record was erased: its bodies are gone.
    Erased {
        /// Version of the record.
        version: u64,
    },
}

/// Result of an operation of the core.
pub type Result<T> = std::result::Result<T, Error>;

/// Codes of [`Error::Invalid`]; the others have one code a variant.
pub const INVALID_CODES: &[&str] = &[
    "invalid_json",
    "invalid_utf8",
    "nesting_too_deep",
    "duplicate_key",
    "unknown_field",
    "missing_field",
    "invalid_field",
    "unknown_strategy",
    "unknown_policy_key",
    "unknown_tokenizer",
    "unknown_seq",
    "invalid_range",
    "unsupported_format",
];

/// Codes of all refusals and of damaged data, but for those of [`Error::Invalid`].
pub const CODES: &[&str] = &[
    "unknown_context",
    "tombstoned",
    "version_conflict",
    "idempotency_key_reused",
    "budget_too_small",
    "not_newest",
    "empty_replacement",
    "compaction_conflict",
    "unknown_compaction",
    "revert_conflict",
    "version_not_reached",
    "corrupt",
    "unknown_entry",
    "unknown_format",
    "erased",
];

impl Error {
    /// An ill-typed or ill-formed field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { code: "invalid_field", field: field.into(), message: message.into() }
    }

    /// An invalid request with a code of its own.
    pub fn invalid(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { code, field: field.into(), message: message.into() }
    }

    /// Damaged stored bytes.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }

    /// One value is lacking.
    #[must_use]
    pub fn need(family: Family, key: Vec<u8>) -> Self {
        let mut need = Need::default();
        need.key(family, key);
        Self::Need(Box::new(need))
    }

    /// The record that holds a version is lacking.
    #[must_use]
    pub fn need_holding(version: u64) -> Self {
        Self::Need(Box::new(Need { holding: vec![version], ..Need::default() }))
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Need(_) => "need",
            Self::Consult(_) => "consult",
            Self::Invalid { code, .. } => code,
            Self::UnknownContext => "unknown_context",
            Self::Stale => "stale",
            Self::Tombstoned => "tombstoned",
            Self::VersionConflict { .. } => "version_conflict",
            Self::KeyConflict => "idempotency_key_reused",
            Self::BudgetTooSmall { .. } => "budget_too_small",
            Self::NotNewest { .. } => "not_newest",
            Self::EmptyReplacement => "empty_replacement",
            Self::CompactionConflict { .. } => "compaction_conflict",
            Self::UnknownCompaction { .. } => "unknown_compaction",
            Self::RevertConflict { .. } => "revert_conflict",
            Self::NotYet { .. } => "version_not_reached",
            Self::Corrupt { .. } => "corrupt",
            Self::UnknownEntry { .. } => "unknown_entry",
            Self::UnknownFormat { .. } => "unknown_format",
            Self::Erased { .. } => "erased",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Need(need) => write!(f, "{} values are lacking", need.keys.len()),
            Self::Consult(columns) => write!(f, "the policy {:?} has to decide", columns.strategy),
            Self::Invalid { field, message, .. } if field.is_empty() => f.write_str(message),
            Self::Invalid { field, message, .. } => write!(f, "{field}: {message}"),
            Self::UnknownContext => f.write_str("there is no such context"),
            Self::Stale => f.write_str("the context counts by other rules now"),
            Self::Tombstoned => f.write_str("the context is deleted and takes no more writes"),
            Self::VersionConflict { expected, actual } => {
                write!(f, "if_version is {expected} but the context is at version {actual}")
            }
            Self::KeyConflict => f.write_str("the idempotency key was used for a request with other content"),
            Self::BudgetTooSmall { budget, needed } => {
                write!(f, "no valid window fits a budget of {budget} tokens: {needed} are needed")
            }
            Self::NotNewest { newest: Some(id) } => {
                write!(f, "replace needs the id of the newest message, which is {id:?}")
            }
            Self::NotNewest { newest: None } => {
                f.write_str("replace needs the id of the newest message, and that message has none")
            }
            Self::EmptyReplacement => f.write_str("the replacement has no content; force: true compacts all the same"),
            Self::CompactionConflict { version } => {
                write!(f, "another compaction or revert at version {version} came after up_to_version")
            }
            Self::UnknownCompaction { version } => write!(f, "no compaction of a caller's has version {version}"),
            Self::RevertConflict { version } => {
                write!(f, "what the compaction at version {version} left was changed since: it can't be reverted")
            }
            Self::NotYet { wanted, actual } => {
                write!(f, "version {wanted} is not reached, the context is at version {actual}")
            }
            Self::Corrupt { what } => write!(f, "stored data is damaged: {what}"),
            Self::UnknownEntry { kind, version } => {
                write!(f, "version {version} is an entry of unknown kind {kind}: written by a newer release")
            }
            Self::UnknownFormat { what, format } => {
                write!(f, "{what} has the unknown format {format}: written by a newer release")
            }
            Self::Erased { version } => write!(f, "the record at version {version} was erased"),
        }
    }
}

impl std::error::Error for Error {}

impl From<postcard::Error> for Error {
    fn from(cause: postcard::Error) -> Self {
        Self::corrupt(format!("a stored value can't be decoded ({cause})"))
    }
}
