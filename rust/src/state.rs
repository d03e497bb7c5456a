//! The state of a context: a pure fold over its records.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::config::{share, Config};
use crate::entry::{Appended, By, Bytes16, Compacted, Created, Entry, Placed, Rewound, Rewrite};
use crate::error::{Error, Result};
use crate::index::{Flags, Index, Row};
use crate::kept::{ItemKind, Kept, Run};
use crate::pairing::Pairing;
use crate::policy::Policy;
use crate::record::Record;
use crate::view::List;

/// Version of the rules by which views and rewrites are made. Equal records give equal bytes under equal rules.
pub const RULES: u16 = 1;

/// All that is known of a context without reading its messages.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The context's id.
    pub id: String,
    /// Seeds the chain.
    pub incarnation: Bytes16,
    /// Version of the last entry.
    pub version: u64,
    /// Its configuration.
    pub config: Config,
    /// The policy of that configuration.
    pub policy: Policy,
    /// Its metadata, a JSON object.
    pub metadata: String,
    /// It takes no more writes.
    pub tombstoned: bool,
    /// Its bodies are erased.
    pub purged: bool,
    /// Time of its first record, ms since 1970.
    pub created_ms: i64,
    /// Time of its last record.
    pub updated_ms: i64,
    /// Running maximum of the messages' own times.
    pub clock_ms: i64,
    /// Chain after its last record.
    pub chain: Bytes16,
    /// Columns of its messages.
    pub index: Index,
    /// What is kept.
    pub kept: Arc<Kept>,
    /// Calls that are open.
    pub pairing: Pairing,
    /// Reported minus counted tokens.
    pub overhead: i64,
    /// Version of the last entry that carries a kept list.
    pub rewritten: u64,
    /// Version of the last caller's compaction or revert.
    pub by_caller: u64,
    /// Kept tokens after the policy's last run.
    pub policy_floor: Option<u64>,
    /// Messages that left by a rewind, ascending and disjoint.
    pub hidden: Vec<(u64, u64)>,
    /// Id of the last message; unknown after a rewind.
    pub newest_id: Option<Option<String>>,
    /// Pinned messages of the log, ascending; some may have left the kept list, and may come back.
    pub pins: Vec<u64>,
    /// Idempotency keys seen.
    pub keys_total: u64,
}

impl State {
    /// The state after a context's first entry.
    #[must_use]
    pub fn new(id: &str, created: &Created, time_ms: i64) -> Self {
        Self {
            id: id.into(),
            incarnation: created.incarnation,
            version: 0,
            policy: Policy::stored(&created.config),
            config: created.config.clone(),
            metadata: created.metadata.clone(),
            tombstoned: false,
            purged: false,
            created_ms: time_ms,
            updated_ms: time_ms,
            clock_ms: i64::MIN,
            chain: created.incarnation,
            index: Index::default(),
            kept: Arc::default(),
            pairing: Pairing::default(),
            overhead: 0,
            rewritten: 0,
            by_caller: 0,
            policy_floor: None,
            hidden: Vec::new(),
            newest_id: Some(None),
            pins: Vec::new(),
            keys_total: 0,
        }
    }

    /// Number of the last message.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.index.len()
    }

    /// Whether something follows the user message that opened the newest turn.
    #[must_use]
    pub fn is_inside_turn(&self) -> bool {
        self.pairing.last() != self.pairing.turn()
    }

    /// Tokens that replies to writes report.
    #[must_use]
    pub fn used_tokens(&self) -> u64 {
        self.kept.tokens().saturating_add_signed(self.overhead)
    }

    /// Kept tokens are over the trigger.
    #[must_use]
    pub fn needs_compaction(&self) -> bool {
        self.used_tokens() > self.config.trigger_tokens()
    }

    /// By how many tokens the cut of a view with that budget moves.
    #[must_use]
    pub fn step_tokens(&self, budget: u64) -> u64 {
        let target = self.policy.common.target(&self.config);
        share(budget, (1.0 - target).max(0.0)).max(1)
    }

    /// The kept list with its columns.
    #[must_use]
    pub fn list(&self) -> List<'_> {
        List::new(&self.kept, &self.index, &self.pins)
    }

    /// Where the kept list ended when message `last` was the newest, since the last rewrite. The repairs that the next
    /// message brought stand behind `last`, but came later.
    ///
    /// # Errors
    /// [`Error::Need`] for an index chunk.
    pub fn end_at(&self, last: u64) -> Result<u64> {
        let mut end = self.kept.lower_bound(last + 1);
        if end < self.kept.len() {
            let next = self.index.row(self.kept.cell(end, &self.index)?.from)?;
            let came_along = |at: u64| {
                let item = self.kept.item_at(at).filter(|item| item.kind == ItemKind::Repair);
                item.is_some_and(|item| item.version == next.version)
            };
            while next.flags.has(Flags::AFTER_REPAIRS) && end > 0 && came_along(end - 1) {
                end -= 1;
            }
        }
        Ok(end)
    }

    /// The messages that left by a rewind together with `seq`.
    #[must_use]
    pub fn hidden_range(&self, seq: u64) -> Option<(u64, u64)> {
        let at = self.hidden.partition_point(|(_, to)| *to < seq);
        self.hidden.get(at).copied().filter(|(from, _)| *from <= seq)
    }

    /// True when message `seq` left by a rewind.
    #[must_use]
    pub fn is_hidden(&self, seq: u64) -> bool {
        self.hidden_range(seq).is_some()
    }

    /// The last message that left together with `seq`.
    #[must_use]
    pub fn hidden_until(&self, seq: u64) -> Option<u64> {
        self.hidden_range(seq).map(|(_, to)| to)
    }

    /// The last message that did not leave, 0 if there is none.
    #[must_use]
    pub fn newest_seq(&self) -> u64 {
        let last = self.last_seq();
        match self.hidden.last() {
            Some((from, to)) if *to == last => from - 1,
            _ => last,
        }
    }

    /// Folds one entry of the record that begins at `first_version`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it does not continue this state.
    pub fn fold(&mut self, entry: &Entry, first_version: u64) -> Result<()> {
        let version = self.version + 1;
        match entry {
            Entry::Created(_) => return Err(Error::corrupt(format!("version {version} creates the context again"))),
            Entry::Configured(config) => {
                if config.policy != self.config.policy {
                    // A new policy does not wait for growth since a run of the old one.
                    self.policy_floor = None;
                }
                self.config = config.clone();
                self.policy = Policy::stored(config);
            }
            Entry::Appended(entry) => self.fold_appended(entry, first_version)?,
            Entry::Compacted(entry) => self.fold_compacted(entry, version),
            Entry::Reverted(entry) => {
                self.by_caller = version;
                self.fold_rewrite(&entry.rewrite, version);
            }
            Entry::Rewound(entry) => self.fold_rewound(entry, version),
            Entry::Metadata(metadata) => self.metadata.clone_from(metadata),
            Entry::Tombstoned(entry) => {
                self.tombstoned = true;
                self.purged |= entry.purge;
            }
        }
        self.version = version;
        Ok(())
    }

    fn fold_appended(&mut self, entry: &Appended, first_version: u64) -> Result<()> {
        if entry.seq != self.last_seq() + 1 {
            return Err(Error::corrupt(format!("message {} follows message {}", entry.seq, self.last_seq())));
        }
        let before = self.index.total_tokens();
        let row = Row {
            tokens: entry.tokens,
            version: first_version,
            time_ms: entry.time_ms,
            turn: entry.turn,
            group: entry.group,
            role: entry.role,
            kinds: entry.kinds,
            flags: entry.flags,
        };
        self.index.push(&row, self.rewritten);
        Arc::make_mut(&mut self.kept).push_appended(entry, before);
        // A late result is not in its place, but stands with its call.
        let stands = entry.placed != Placed::Out || !entry.step.answered.is_empty();
        if entry.flags.has(Flags::PINNED) && stands {
            self.pins.push(entry.seq);
        }
        self.pairing.apply_appended(entry);
        self.clock_ms = self.clock_ms.max(entry.time_ms);
        self.overhead = entry.overhead.unwrap_or(self.overhead);
        self.newest_id = Some(entry.id.clone());
        Ok(())
    }

    fn fold_compacted(&mut self, entry: &Compacted, version: u64) {
        self.fold_rewrite(&entry.rewrite, version);
        match entry.by {
            By::Caller => self.by_caller = version,
            By::Policy => self.policy_floor = Some(self.kept.tokens()),
            By::Repair => {}
        }
    }

    fn fold_rewrite(&mut self, rewrite: &Rewrite, version: u64) {
        self.kept = Arc::new(Kept::from_runs(rewrite.kept.clone()));
        self.pairing = rewrite.pairing.clone();
        self.rewritten = version;
    }

    fn fold_rewound(&mut self, entry: &Rewound, version: u64) {
        // A rewind goes to a message that did not leave, so no range of those that left spans it.
        self.hidden.retain(|(from, _)| *from <= entry.to_seq);
        self.pins.retain(|seq| *seq <= entry.to_seq);
        if entry.to_seq < self.index.len() {
            self.hidden.push((entry.to_seq + 1, self.index.len()));
        }
        self.fold_rewrite(&entry.rewrite, version);
        self.newest_id = None;
    }

    /// Ends a record: its time, its chain, its key.
    pub fn end_record(&mut self, time_ms: i64, chain: Bytes16, keyed: bool) {
        self.updated_ms = time_ms;
        self.chain = chain;
        self.keys_total += u64::from(keyed);
    }

    /// Folds a whole record; `chain` is the one it was stored with.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it does not continue this state.
    pub fn fold_record(&mut self, record: &Record, chain: Bytes16) -> Result<()> {
        if record.first_version != self.version + 1 {
            return Err(Error::corrupt(format!("record {} follows version {}", record.first_version, self.version)));
        }
        for entry in &record.entries {
            self.fold(entry, record.first_version)?;
        }
        self.end_record(record.time_ms, chain, record.key.is_some());
        Ok(())
    }

    /// The state after a context's first record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is not a first record.
    pub fn begin(id: &str, record: &Record, chain: Bytes16) -> Result<Self> {
        let Some((Entry::Created(created), rest)) = record.entries.split_first() else {
            return Err(Error::corrupt("the first record does not create the context"));
        };
        let mut state = Self::new(id, created, record.time_ms);
        for entry in rest {
            state.fold(entry, record.first_version)?;
        }
        state.end_record(record.time_ms, chain, record.key.is_some());
        Ok(state)
    }
}

/// A state as it is stored. The index' full chunks are stored by themselves.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    incarnation: Bytes16,
    version: u64,
    config: Config,
    metadata: String,
    tombstoned: bool,
    purged: bool,
    created_ms: i64,
    updated_ms: i64,
    clock_ms: i64,
    chain: Bytes16,
    tail: Vec<u8>,
    kept: Vec<Run>,
    pairing: Pairing,
    overhead: i64,
    rewritten: u64,
    by_caller: u64,
    policy_floor: Option<u64>,
    hidden: Vec<(u64, u64)>,
    newest_id: Option<Option<String>>,
    pins: Vec<u64>,
    keys_total: u64,
}

/// The stored form of a state.
#[must_use]
pub fn encode(state: &State) -> Vec<u8> {
    codec::seal(&Snapshot {
        incarnation: state.incarnation,
        version: state.version,
        config: state.config.clone(),
        metadata: state.metadata.clone(),
        tombstoned: state.tombstoned,
        purged: state.purged,
        created_ms: state.created_ms,
        updated_ms: state.updated_ms,
        clock_ms: state.clock_ms,
        chain: state.chain,
        tail: state.index.encode_tail(),
        kept: state.kept.runs().to_vec(),
        pairing: state.pairing.clone(),
        overhead: state.overhead,
        rewritten: state.rewritten,
        by_caller: state.by_caller,
        policy_floor: state.policy_floor,
        hidden: state.hidden.clone(),
        newest_id: state.newest_id.clone(),
        pins: state.pins.clone(),
        keys_total: state.keys_total,
    })
}

/// Reads the stored form.
///
/// # Errors
/// [`Error::Corrupt`] or [`Error::UnknownFormat`].
pub fn decode(id: &str, bytes: &[u8]) -> Result<State> {
    let stored: Snapshot = codec::open("snapshot", bytes)?;
    Ok(State {
        id: id.into(),
        incarnation: stored.incarnation,
        version: stored.version,
        policy: Policy::stored(&stored.config),
        config: stored.config,
        metadata: stored.metadata,
        tombstoned: stored.tombstoned,
        purged: stored.purged,
        created_ms: stored.created_ms,
        updated_ms: stored.updated_ms,
        clock_ms: stored.clock_ms,
        chain: stored.chain,
        index: Index::from_tail(&stored.tail)?,
        kept: Arc::new(Kept::from_runs(stored.kept)),
        pairing: stored.pairing,
        overhead: stored.overhead,
        rewritten: stored.rewritten,
        by_caller: stored.by_caller,
        policy_floor: stored.policy_floor,
        hidden: stored.hidden,
        newest_id: stored.newest_id,
        pins: stored.pins,
        keys_total: stored.keys_total,
    })
}
