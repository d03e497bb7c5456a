//! Planning: from a request and the state with all records in flight to the entries of one record.

mod append;
mod compact;
mod configure;
mod place;
mod rebuild;
mod revert;
mod rewind;

use std::borrow::Cow;

use crate::entry::{By, Compacted, Entry, Rewrite};
use crate::error::{Error, Result};
use crate::estimate::CountRules;
use crate::fetched::Records;
use crate::kept::{Kept, Run};
use crate::message::Message;
use crate::pairing::Pairing;
use crate::policy::{Bodies, Decision, Finished, Idle, Work};
use crate::state::{State, RULES};

pub use append::{append, Append};
pub use compact::{compact, Compact, ReplacementItem};
pub use configure::{configure, create, merge_metadata, tombstone, Configure, MetadataPatch};
pub use revert::{revert, Revert};
pub use rewind::{rewind, Rewind};

/// The entries and bodies of a record while it is planned. Each entry is folded into the planned state at once, so the next
/// one is decided on what came before it.
pub struct Draft<'a> {
    /// The planned state.
    pub state: &'a mut State,
    /// How messages are counted.
    pub rules: &'a CountRules<'a>,
    /// Version of the first entry.
    pub first_version: u64,
    /// Its first message.
    pub first_seq: u64,
    /// Time of the record, ms since 1970.
    pub time_ms: i64,
    /// What a custom policy decided on it.
    pub decision: Option<&'a Decision>,
    /// The policy's last run, if that changed nothing.
    pub idle: Option<Idle>,
    /// The entries so far.
    pub entries: Vec<Entry>,
    /// Bodies: the messages' first, then those of exceptions.
    pub bodies: Vec<Cow<'a, [u8]>>,
}

impl<'a> Draft<'a> {
    /// A draft on the planned state, at a time that is never earlier than the record before.
    pub fn new(state: &'a mut State, rules: &'a CountRules<'a>, now_ms: i64) -> Self {
        let first_version = state.version + 1;
        let time_ms = now_ms.max(state.updated_ms);
        let first_seq = state.last_seq() + 1;
        let (entries, bodies) = (Vec::new(), Vec::new());
        Self { state, rules, first_version, first_seq, time_ms, decision: None, idle: None, entries, bodies }
    }

    /// Adds an entry and folds it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it does not continue the state.
    pub fn add(&mut self, entry: Entry) -> Result<()> {
        self.state.fold(&entry, self.first_version)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Adds a body and gives its number.
    pub fn body(&mut self, body: Vec<u8>) -> u32 {
        self.bodies.push(Cow::Owned(body));
        u32::try_from(self.bodies.len() - 1).unwrap_or(u32::MAX)
    }

    /// The columns of a body that the core made.
    ///
    /// # Errors
    /// [`Error::Corrupt`]: what the core makes is valid.
    pub fn derived(&self, body: &[u8]) -> Result<Message> {
        Message::parse_one(body, self.rules)
            .map_err(|cause| Error::corrupt(format!("a derived message is invalid: {cause}")))
    }

    /// What a rewrite carries.
    #[must_use]
    pub fn rewrite(&self, kept: &[Run], pairing: Pairing) -> Rewrite {
        Rewrite { rules: RULES, previous: self.state.rewritten, kept: kept.to_vec(), pairing }
    }

    /// Adds a `compacted` entry that leaves `kept`.
    ///
    /// # Errors
    /// As [`Draft::add`].
    pub fn add_compacted(&mut self, by: By, range: (u64, u64), up_to_version: Option<u64>, kept: &Kept) -> Result<()> {
        self.add_compacted_with(by, range, up_to_version, kept, self.state.pairing.clone())
    }

    /// As [`Draft::add_compacted`], with what pairing is now.
    ///
    /// # Errors
    /// As [`Draft::add`].
    pub fn add_compacted_with(
        &mut self,
        by: By,
        range: (u64, u64),
        up_to_version: Option<u64>,
        kept: &Kept,
        mut pairing: Pairing,
    ) -> Result<()> {
        let strategy = if by == By::Policy { self.state.policy.name().to_owned() } else { String::new() };
        let tokens = (self.state.kept.tokens(), kept.tokens());
        pairing.retain(|seq| kept.find(seq).is_some());
        let rewrite = self.rewrite(kept.runs(), pairing);
        self.add(Entry::Compacted(Compacted { by, strategy, range, up_to_version, tokens, rewrite }))
    }

    /// Whether a turn has just begun, and the policy was due by then: it has waited long enough.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks.
    pub fn is_overdue(&self) -> Result<bool> {
        let state = &*self.state;
        Ok(!state.is_inside_turn() && state.policy.due(state, self.idle, false)?.is_some())
    }

    /// Runs the policy on the planned state, where it is due. `overdue`: it has been since a turn of this record began.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks and records, [`Error::Consult`] where a custom policy has to decide.
    pub fn run_policy(&mut self, records: Records<'_>, overdue: bool) -> Result<()> {
        let state = &*self.state;
        let Some(due) = state.policy.due(state, self.idle, overdue)? else { return Ok(()) };
        let (first_version, first_seq) = (self.first_version, self.first_seq);
        let bodies = Bodies { records, first_version, first_seq, own: &self.bodies };
        let mut work = Work::new(state, due, bodies, self.rules, self.decision);
        state.policy.run(&mut work)?;
        match work.finish() {
            Finished::Unchanged(idle) => {
                self.idle = Some(idle);
                Ok(())
            }
            Finished::Changed { kept, range, bodies } => {
                self.bodies.extend(bodies.into_iter().map(Cow::Owned));
                self.add_compacted(By::Policy, range, None, &kept)
            }
        }
    }
}
