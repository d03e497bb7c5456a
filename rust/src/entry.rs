//! What a record says: its entries, with all that folding them needs.

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::index::Flags;
use crate::kept::{Item, Run};
use crate::message::{Call, Kinds, Role, ToolResult};
use crate::pairing::{Pairing, PairingStep};

/// Sixteen bytes: an incarnation, a chain, a digest.
pub type Bytes16 = [u8; 16];

/// Where a fork comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The context forked.
    pub id: String,
    /// Its incarnation.
    pub incarnation: Bytes16,
    /// Its version then.
    pub version: u64,
    /// The last message taken over.
    pub seq: u64,
}

/// [`Created`] as it is stored.
#[derive(Serialize, Deserialize)]
struct CreatedWire {
    incarnation: Bytes16,
    config: Config,
    metadata_slot: u32,
    origin: Option<Origin>,
}

/// The context begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    /// Random; seeds the chain, so a context made anew never continues an older one.
    pub incarnation: Bytes16,
    /// Its configuration.
    pub config: Config,
    /// Its metadata, a JSON object.
    pub metadata: String,
    /// Set for a fork.
    pub origin: Option<Origin>,
}

/// How a message stands in the kept list when it is appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placed {
    /// As stored.
    Whole,
    /// Not at all: its results are orphans, or stand elsewhere.
    Out,
    /// Edited.
    Edited(Item),
}

/// A message was appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// Its number.
    pub seq: u64,
    /// Its own id.
    pub id: Option<String>,
    /// Its tokens.
    pub tokens: u32,
    /// Role as it counts.
    pub role: Role,
    /// Classes of its parts.
    pub kinds: Kinds,
    /// See [`Flags`].
    pub flags: Flags,
    /// Running maximum of `created_at` where given, else of the record's time.
    pub time_ms: i64,
    /// The user message that opens its turn.
    pub turn: u64,
    /// First message of its group.
    pub group: u64,
    /// Calls that it leaves open.
    pub calls: Vec<Call>,
    /// Results of calls of earlier messages.
    pub results: Vec<ToolResult>,
    /// How it stands in the kept list.
    pub placed: Placed,
    /// Repairs of calls that it closes, before it.
    pub repairs: Vec<Item>,
    /// What it does to the calls that are open.
    pub step: PairingStep,
    /// Reported minus counted tokens from now on, where the append calibrates.
    pub overhead: Option<i64>,
}

/// Who decided on a rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// The caller.
    Caller,
    /// The context's policy.
    Policy,
    /// A late result that takes the place of its repair.
    Repair,
}

impl By {
    /// Its name in replies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Policy => "policy",
            Self::Repair => "repair",
        }
    }
}

/// The kept list as a rewrite leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// Version of the rules that selected it.
    pub rules: u16,
    /// The version of the rewrite before this one, 0 if it is the first.
    pub previous: u64,
    /// The whole list.
    pub kept: Vec<Run>,
    /// Calls that are open in it, and where it ends.
    pub pairing: Pairing,
}

/// The kept list was rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// Who decided.
    pub by: By,
    /// The policy's strategy; empty for others.
    pub strategy: String,
    /// Messages concerned: first and last.
    pub range: (u64, u64),
    /// Up to which version the caller had read.
    pub up_to_version: Option<u64>,
    /// Kept tokens before and after.
    pub tokens: (u64, u64),
    /// What is kept now.
    pub rewrite: Rewrite,
}

/// A caller's compaction was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reverted {
    /// The version of that compaction.
    pub version: u64,
    /// Kept tokens before and after.
    pub tokens: (u64, u64),
    /// What is kept now.
    pub rewrite: Rewrite,
}

/// Later messages left window and default replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewound {
    /// The last message that stays.
    pub to_seq: u64,
    /// The message whose replacement made room for itself, if that is why.
    pub replaced: bool,
    /// Kept tokens before and after.
    pub tokens: (u64, u64),
    /// What is kept now.
    pub rewrite: Rewrite,
}

/// What a rewrite did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// See [`Compacted`].
    Compacted {
        /// Who decided.
        by: By,
        /// The policy's strategy; empty for others.
        strategy: String,
        /// Messages concerned: first and last.
        range: (u64, u64),
        /// Up to which version the caller had read.
        up_to_version: Option<u64>,
    },
    /// See [`Reverted`]: the version that it undoes.
    Reverted(u64),
    /// See [`Rewound`]: the last message that stays.
    Rewound(u64),
}

/// A rewrite without its kept list: what a walk back through the rewrites reads of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewriteHead {
    /// What it did.
    pub did: Did,
    /// Kept tokens before and after.
    pub tokens: (u64, u64),
    /// The version of the rewrite before it, 0 if it is the first.
    pub previous: u64,
}

/// The fields of [`Compacted`] up to `previous`, in their order.
type CompactedHead = (By, String, (u64, u64), Option<u64>, (u64, u64), u16, u64);
/// The fields of [`Reverted`] up to `previous`, in their order.
type RevertedHead = (u64, (u64, u64), u16, u64);
/// The fields of [`Rewound`] up to `previous`, in their order.
type RewoundHead = (u64, bool, (u64, u64), u16, u64);

impl RewriteHead {
    /// Reads the beginning of an entry's payload; nothing for an entry that is no rewrite.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Option<Self>> {
        let (did, tokens, previous) = match kind {
            3 => {
                let (head, _) = postcard::take_from_bytes::<CompactedHead>(payload)?;
                let (by, strategy, range, up_to_version, tokens, _, previous) = head;
                (Did::Compacted { by, strategy, range, up_to_version }, tokens, previous)
            }
            4 => {
                let ((version, tokens, _, previous), _) = postcard::take_from_bytes::<RevertedHead>(payload)?;
                (Did::Reverted(version), tokens, previous)
            }
            5 => {
                let ((to_seq, _, tokens, _, previous), _) = postcard::take_from_bytes::<RewoundHead>(payload)?;
                (Did::Rewound(to_seq), tokens, previous)
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { did, tokens, previous }))
    }
}

/// The context was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstoned {
    /// The bodies of its records are erased.
    pub purge: bool,
}

/// One entry of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// The context begins.
    Created(Created),
    /// The whole configuration after a change.
    Configured(Config),
    /// A message was appended.
    Appended(Appended),
    /// The kept list was rewritten.
    Compacted(Compacted),
    /// A compaction was undone.
    Reverted(Reverted),
    /// Later messages left.
    Rewound(Rewound),
    /// The whole metadata after a merge, a JSON object.
    Metadata(String),
    /// The context was deleted.
    Tombstoned(Tombstoned),
}

impl Entry {
    /// The kind of the first entry.
    pub const CREATED: u8 = 0;
    /// The kind of a new configuration.
    pub const CONFIGURED: u8 = 1;
    /// The kind of an appended message.
    pub const APPENDED: u8 = 2;

    /// An entry of that kind carries the kept list.
    #[must_use]
    pub fn is_rewrite(kind: u8) -> bool {
        matches!(kind, 3..=5)
    }

    /// What it carries of the kept list; nothing where it is no rewrite.
    #[must_use]
    pub fn into_rewrite(self) -> Option<Rewrite> {
        match self {
            Self::Compacted(entry) => Some(entry.rewrite),
            Self::Reverted(entry) => Some(entry.rewrite),
            Self::Rewound(entry) => Some(entry.rewrite),
            _ => None,
        }
    }

    /// The number that stands for its kind in a record.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Created(_) => 0,
            Self::Configured(_) => 1,
            Self::Appended(_) => 2,
            Self::Compacted(_) => 3,
            Self::Reverted(_) => 4,
            Self::Rewound(_) => 5,
            Self::Metadata(_) => 6,
            Self::Tombstoned(_) => 7,
        }
    }

    /// The payload behind the kind. Metadata is the user's own words: it goes to the bodies, where it can be erased.
    #[must_use]
    pub fn encode(&self, bodies: &mut Vec<Vec<u8>>, first_slot: u32) -> Vec<u8> {
        let mut body = |text: &str| {
            bodies.push(text.as_bytes().to_vec());
            first_slot.saturating_add(u32::try_from(bodies.len() - 1).unwrap_or(u32::MAX))
        };
        let payload = match self {
            Self::Created(entry) => {
                let slot = body(&entry.metadata);
                postcard::to_allocvec(&CreatedWire {
                    incarnation: entry.incarnation,
                    config: entry.config.clone(),
                    metadata_slot: slot,
                    origin: entry.origin.clone(),
                })
            }
            Self::Configured(entry) => postcard::to_allocvec(entry),
            Self::Appended(entry) => postcard::to_allocvec(entry),
            Self::Compacted(entry) => postcard::to_allocvec(entry),
            Self::Reverted(entry) => postcard::to_allocvec(entry),
            Self::Rewound(entry) => postcard::to_allocvec(entry),
            Self::Metadata(metadata) => postcard::to_allocvec(&body(metadata)),
            Self::Tombstoned(entry) => postcard::to_allocvec(entry),
        };
        // Writing to memory can't fail, and no entry holds a sequence of unknown length.
        payload.unwrap_or_default()
    }

    /// Decodes the entry at `version`; `body` gives the text of a body, an empty object where it was erased.
    ///
    /// # Errors
    /// [`Error::UnknownEntry`] for a kind that this release does not know, [`Error::Corrupt`] for a payload that is not
    /// of its kind.
    pub fn decode(kind: u8, payload: &[u8], version: u64, body: impl Fn(u32) -> Result<String>) -> Result<Self> {
        Ok(match kind {
            0 => {
                let wire: CreatedWire = postcard::from_bytes(payload)?;
                let metadata = body(wire.metadata_slot)?;
                Self::Created(Created {
                    incarnation: wire.incarnation,
                    config: wire.config,
                    metadata,
                    origin: wire.origin,
                })
            }
            1 => Self::Configured(postcard::from_bytes(payload)?),
            2 => Self::Appended(postcard::from_bytes(payload)?),
            3 => Self::Compacted(postcard::from_bytes(payload)?),
            4 => Self::Reverted(postcard::from_bytes(payload)?),
            5 => Self::Rewound(postcard::from_bytes(payload)?),
            6 => Self::Metadata(body(postcard::from_bytes(payload)?)?),
            7 => Self::Tombstoned(postcard::from_bytes(payload)?),
            _ => return Err(Error::UnknownEntry { kind, version }),
        })
    }
}
