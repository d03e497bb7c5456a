//! Reverting a caller's compaction: what it covered comes back as it was shown, what came after stays.

use std::collections::HashSet;

use super::compact::close_calls;
use super::rebuild::source;
use super::Draft;
use crate::entry::{Entry, Reverted};
use crate::error::{Error, Result};
use crate::fetched::Records;
use crate::history::standing::caller_compaction;
use crate::history::undo::Undoing;
use crate::history::History;
use crate::index::Flags;
use crate::kept::{ItemKind, Kept, Run};
use crate::pairing::{OpenCall, Pairing};

/// The compaction to revert.
#[derive(Clone, Copy, Debug)]
pub struct Revert {
    /// Its version.
    pub version: u64,
}

/// Plans a revert.
///
/// # Errors
/// [`Error::UnknownCompaction`] where no caller's compaction has that version, [`Error::RevertConflict`] where a later
/// rewrite touched what it left, [`Error::Need`] for bytes that lack.
pub fn revert(draft: &mut Draft<'_>, request: Revert, records: Records<'_>) -> Result<()> {
    let version = request.version;
    if version > draft.state.rewritten || version == 0 {
        return Err(Error::UnknownCompaction { version });
    }
    let standing = caller_compaction(&records.holding(version)?, version)?;
    let history = History { state: &*draft.state, records };
    // Only where messages are hidden at all is it looked for since when.
    let rewound_to = if draft.state.hidden.is_empty() { u64::MAX } else { history.rewound_since(version)? };
    let undoing = history.undoing(&standing, rewound_to)?.ok_or(Error::RevertConflict { version })?;
    let then = history.pairing_with_repairs(&undoing.era, undoing.last_seq, &undoing.before)?;
    let nothing_came = draft.state.rewritten == version && draft.state.last_seq() == undoing.last_seq;
    let (list, pairing) = if nothing_came {
        (undoing.before, then)
    } else {
        Reopening { draft, records, undoing: &undoing }.reopen(then)?
    };
    let tokens = (draft.state.kept.tokens(), list.tokens());
    let rewrite = draft.rewrite(list.runs(), pairing);
    draft.add(Entry::Reverted(Reverted { version, tokens, rewrite }))
}

/// Calls that come back with the items, and their results.
struct Reopening<'b, 'd> {
    draft: &'b mut Draft<'d>,
    records: Records<'b>,
    undoing: &'b Undoing,
}

impl Reopening<'_, '_> {
    /// The list with repairs where calls need them and results that came since, and pairing behind it. `then` is pairing
    /// before the compaction.
    fn reopen(mut self, then: Pairing) -> Result<(Kept, Pairing)> {
        let now = self.draft.state.pairing.clone();
        let Undoing { back, at_end, .. } = self.undoing;
        let mut list = self.undoing.list.clone();
        let (open_then, open_now) = (then.calls(), now.calls());
        // Of messages that come back, it is what was open then that counts.
        let stays = |call: &&OpenCall| match back.find(call.seq) {
            Some(_) => open_then.has(call.seq, call.call),
            None => list.find(call.seq).is_some(),
        };
        let mut open: Vec<OpenCall> = now.open.iter().filter(stays).cloned().collect();
        let returns = |call: &&OpenCall| {
            back.find(call.seq).is_some() && !open_now.has(call.seq, call.call) && self.is_unanswered(call)
        };
        let mut again: Vec<OpenCall> = then.open.iter().filter(returns).cloned().collect();
        for call in open.iter_mut().chain(&mut again) {
            call.repaired = list.find_repair(call.seq, call.call).is_some();
        }
        list = self.close(list, &mut open, false)?;
        // Where nothing came behind it, the conversation goes on as if the compaction had never been.
        list = self.close(list, &mut again, !at_end)?;
        let mut pairing = if *at_end { then } else { now };
        (list, again) = self.answered(list, again)?;
        open.append(&mut again);
        open.sort_by_key(|call| (call.seq, call.call));
        pairing.open = open;
        pairing.retain(|seq| list.find(seq).is_some());
        Ok((list, pairing))
    }

    /// No result that stays has come since for a call of before: its repair comes back, or it waited, and was away or
    /// answered in the place of a repair that leaves.
    fn is_unanswered(&self, call: &OpenCall) -> bool {
        let Undoing { list, late, .. } = self.undoing;
        if call.repaired {
            return list.find_repair(call.seq, call.call).is_some();
        }
        let leaves = late.iter().any(|(repair, _)| (repair.from, repair.call) == (call.seq, call.call));
        leaves || self.draft.state.kept.find(call.seq).is_none()
    }

    /// The list with repairs of the calls that something follows, or of all.
    fn close(&mut self, list: Kept, calls: &mut [OpenCall], all: bool) -> Result<Kept> {
        let without = calls.iter().filter(|call| !call.repaired).cloned().collect();
        let (list, _) = close_calls(self.draft, list, without, all)?;
        for call in calls {
            call.repaired = list.find_repair(call.seq, call.call).is_some();
        }
        Ok(list)
    }

    /// Results that came since, and found no call, take the places of the repairs. Gives the calls that are left.
    fn answered(&mut self, mut list: Kept, calls: Vec<OpenCall>) -> Result<(Kept, Vec<OpenCall>)> {
        let mut pairing = Pairing::default();
        pairing.open = calls;
        if pairing.open.is_empty() {
            return Ok((list, pairing.open));
        }
        let orphans = self.orphans(&list)?;
        let versions = orphans.iter().map(|seq| self.draft.state.index.row(*seq).map(|row| row.version));
        let versions: Vec<u64> = versions.collect::<Result<_>>()?;
        let entries = History { state: &*self.draft.state, records: self.records }.appended(&orphans)?;
        let stored = self.records.parse_all(versions.iter().copied())?;
        for (seq, version) in orphans.iter().zip(&versions) {
            let (Some(entry), Some(record)) = (entries.get(seq), stored.get(version)) else { continue };
            if entry.results.is_empty() {
                continue;
            }
            // Where one of several results found a call that is not open again, it is not known any more which one.
            let open = pairing.calls();
            if !entry.step.answered.iter().all(|(seq, call)| open.has(*seq, *call)) {
                continue;
            }
            let late = pairing.take_late(&entry.results, |call| list.find_repair(call.seq, call.call).is_some());
            if late.is_empty() {
                continue;
            }
            let slot = u32::try_from(seq - record.first_seq).unwrap_or(u32::MAX);
            let source = source(self.draft, entry, record, slot)?;
            list = self.draft.with_late(&list, &source, &late)?;
        }
        Ok((list, pairing.open))
    }

    /// Messages that came since the compaction, and of which something stands nowhere.
    fn orphans(&self, list: &Kept) -> Result<Vec<u64>> {
        let state = &*self.draft.state;
        let first = self.undoing.last_seq + 1;
        state.index.require(first, state.last_seq())?;
        let late = |run: &Run| match run {
            Run::Item(item) if item.kind == ItemKind::Late => Some(item.from),
            _ => None,
        };
        let late: HashSet<u64> = list.runs().iter().filter_map(late).collect();
        let mut found = Vec::new();
        for seq in first..=state.last_seq() {
            let flags = state.index.row(seq)?.flags;
            let partly = flags.has(Flags::OUT) || flags.has(Flags::EDITED);
            if partly && !state.is_hidden(seq) && !late.contains(&seq) {
                found.push(seq);
            }
        }
        Ok(found)
    }
}
