//! Reverting a caller's compaction: what it covered comes back as it was shown, what came after stays.

use super::compact::close_calls;
use super::rebuild::source;
use super::Draft;
use crate::entry::{Entry, Reverted};
use crate::error::{Error, Result};
use crate::fetched::Records;
use crate::history::standing::{caller_compaction, shows_behind, Found, Stretch};
use crate::history::History;
use crate::index::{Flags, Index};
use crate::kept::{Item, ItemKind, Kept, Run};
use crate::message::Kinds;
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
    let conflict = || Error::RevertConflict { version };
    let standing = caller_compaction(&records.holding(version)?, version)?;
    let now = draft.kept();
    let found = standing.find(&now, &draft.state.index)?.ok_or_else(conflict)?;
    let history = History { state: &*draft.state, records };
    let last = history.last_seq(version - 1)?;
    let era = history.era(standing.previous)?;
    let before = history.kept(&era, last)?;
    let covered = standing.covered(&before, &draft.state.index)?.items;
    // Where nothing came behind it, the conversation goes on as if the compaction had never been.
    let at_end = found.is_newest(draft.state, last);
    // What came behind may belong to messages that would leave again.
    if !at_end && found.brought_back(&covered) {
        return Err(conflict());
    }
    let back = with_late(&covered, &found);
    if is_grown_over(&now, &found.there, &back, &draft.state.index)? {
        return Err(conflict());
    }
    // Only where messages are hidden at all is it looked for since when.
    if !draft.state.hidden.is_empty() && shows_behind(&back, history.rewound_since(version)?) {
        return Err(conflict());
    }
    let pairing = history.pairing(&era, last)?;
    let mut list = now.slice(&[(0, found.there.first)], &draft.state.index)?;
    list.extend_from(&back, 0, back.len(), &draft.state.index)?;
    let behind = behind(&list, &now, found.there.last, &draft.state.index)?;
    list.extend_from(&now, behind, now.len(), &draft.state.index)?;
    let stayed = &found.there.items;
    let untouched = at_end && draft.state.rewritten == version;
    let (list, pairing) = Reopening { draft, records, last, at_end, untouched, stayed }.reopen(list, &back, pairing)?;
    // A repair whose call is gone by now has no place to come back to.
    if repairs_nothing(&list, &draft.state.index)? {
        return Err(conflict());
    }
    let tokens = (now.tokens(), list.tokens());
    let rewrite = draft.rewrite(list.runs(), pairing);
    draft.add(Entry::Reverted(Reverted { version, tokens, rewrite }))
}

/// A repair stands there whose message does not, or is shown without its calls.
fn repairs_nothing(list: &Kept, index: &Index) -> Result<bool> {
    for run in list.runs() {
        let Run::Item(item) = run else { continue };
        if item.kind == ItemKind::Repair {
            let call = list.find(item.from).map(|at| list.cell(at, index)).transpose()?;
            if !call.is_some_and(|cell| cell.kinds.has(Kinds::TOOL_CALL)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A group of calls and results has grown over the place since: nothing may come between.
fn is_grown_over(now: &Kept, there: &Stretch, back: &Kept, index: &Index) -> Result<bool> {
    if back.is_empty() || there.first == 0 || there.last >= now.len() {
        return Ok(false);
    }
    let group = now.cell(there.first - 1, index)?.group;
    if now.cell(there.last, index)?.group != group {
        return Ok(false);
    }
    for at in 0..back.len() {
        if back.cell(at, index)?.group != group {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where what stays of `now` begins behind the list: results from `first` on leave with their call.
fn behind(list: &Kept, now: &Kept, first: u64, index: &Index) -> Result<u64> {
    let group = list.len().checked_sub(1).map(|last| list.cell(last, index)).transpose()?.map(|cell| cell.group);
    let has_left = |item: &Item| matches!(item.kind, ItemKind::Repair | ItemKind::Late) && group != Some(item.group);
    Ok((first..now.len()).find(|at| !now.item_at(*at).is_some_and(has_left)).unwrap_or(now.len()))
}

/// The items with the late results that came for their repairs since.
fn with_late(items: &Kept, found: &Found) -> Kept {
    let runs = items.runs().iter().map(|run| match run {
        Run::Item(item) if item.kind == ItemKind::Repair => {
            let late = found.late.iter().find(|(repair, _)| (repair.from, repair.call) == (item.from, item.call));
            Run::Item(late.map_or_else(|| item.clone(), |(_, result)| result.clone()))
        }
        other => other.clone(),
    });
    Kept::from_runs(runs.collect())
}

/// Calls that come back with the items, and their results.
struct Reopening<'b, 'd> {
    draft: &'b mut Draft<'d>,
    records: Records<'b>,
    /// The last message before the compaction.
    last: u64,
    /// What the compaction had put there: calls that are in it have not been away.
    stayed: &'b Kept,
    /// Nothing stands behind the items, and nothing came after the compaction.
    at_end: bool,
    /// Nothing at all has happened since: the list is as it was, and nothing in it has to be closed.
    untouched: bool,
}

impl Reopening<'_, '_> {
    /// The list with repairs where calls need them and results that came since, and pairing behind it. `then` is pairing
    /// before the compaction.
    fn reopen(mut self, list: Kept, back: &Kept, then: Pairing) -> Result<(Kept, Pairing)> {
        let now = self.draft.state.pairing.open.clone();
        let returns = |call: &&OpenCall| back.find(call.seq).is_some() && self.stayed.find(call.seq).is_none();
        let mut open: Vec<OpenCall> = now.clone();
        open.extend(then.waiting().filter(returns).cloned());
        open.extend(self.repaired_calls(back)?);
        open.retain(|call| list.find(call.seq).is_some());
        open.sort_by_key(|call| (call.seq, call.call));
        open.dedup_by_key(|call| (call.seq, call.call));
        for call in &mut open {
            call.repaired = list.find_repair(call.seq, call.call).is_some();
        }
        let list = self.close(list, &mut open, &now)?;
        if self.untouched {
            // Only the group that the list ends with can wait.
            let index = &self.draft.state.index;
            let group = |at: Option<u64>| at.map(|at| list.cell(at, index)).transpose();
            let end = group(list.len().checked_sub(1))?.map(|cell| cell.group);
            let groups = open.iter().map(|call| Ok(group(list.find(call.seq))?.map(|cell| cell.group)));
            let groups: Vec<Option<u64>> = groups.collect::<Result<_>>()?;
            let mut groups = groups.into_iter();
            open.retain(|call| groups.next().flatten() == end || call.repaired);
        }
        let mut pairing = if self.at_end { then } else { self.draft.state.pairing.clone() };
        let returned = |call: &OpenCall| !now.iter().any(|o| (o.seq, o.call) == (call.seq, call.call));
        let (back, mut stayed): (Vec<_>, Vec<_>) = open.into_iter().partition(returned);
        let (list, mut back) = self.answered(list, back)?;
        stayed.append(&mut back);
        stayed.sort_by_key(|call| (call.seq, call.call));
        pairing.open = stayed;
        pairing.retain(|seq| list.find(seq).is_some());
        Ok((list, pairing))
    }

    /// Repairs of calls that have none: of those that waited until now where something follows them, of the others always,
    /// unless the conversation goes on from there.
    fn close(&mut self, list: Kept, open: &mut [OpenCall], now: &[OpenCall]) -> Result<Kept> {
        if self.untouched {
            return Ok(list);
        }
        let waits = |call: &OpenCall| now.iter().any(|o| (o.seq, o.call) == (call.seq, call.call) && !o.repaired);
        let without: Vec<OpenCall> = open.iter().filter(|call| !call.repaired).cloned().collect();
        let (waiting, others): (Vec<_>, Vec<_>) = without.into_iter().partition(waits);
        let (list, mut repaired) = close_calls(self.draft, list, others, !self.at_end)?;
        let (list, more) = close_calls(self.draft, list, waiting, false)?;
        repaired.extend(more);
        for call in open.iter_mut() {
            call.repaired |= repaired.iter().any(|r| (r.seq, r.call) == (call.seq, call.call));
        }
        Ok(list)
    }

    /// The calls whose repairs come back.
    fn repaired_calls(&self, back: &Kept) -> Result<Vec<OpenCall>> {
        let repairs = back.runs().iter().filter_map(|run| match run {
            Run::Item(item) if item.kind == ItemKind::Repair => Some(item),
            _ => None,
        });
        let repairs: Vec<_> = repairs.collect();
        let mut seqs: Vec<u64> = repairs.iter().map(|item| item.from).collect();
        seqs.sort_unstable();
        seqs.dedup();
        let entries = History { state: &*self.draft.state, records: self.records }.appended(&seqs)?;
        let open = repairs.iter().map(|item| {
            let entry = entries.get(&item.from);
            let call = entry.and_then(|entry| entry.calls.get(item.call as usize));
            OpenCall {
                seq: item.from,
                call: item.call,
                group: item.group,
                turn: item.turn,
                id: call.and_then(|call| call.id.clone()),
                name: call.and_then(|call| call.name.clone()),
                repaired: true,
            }
        });
        Ok(open.collect())
    }

    /// Results that came since, and found no call, take the places of the repairs. Gives the calls that are left.
    fn answered(&mut self, list: Kept, calls: Vec<OpenCall>) -> Result<(Kept, Vec<OpenCall>)> {
        let mut pairing = Pairing::default();
        pairing.open = calls;
        let mut list = list;
        if pairing.open.is_empty() {
            return Ok((list, pairing.open));
        }
        let orphans = self.orphans()?;
        let versions = orphans.iter().map(|seq| self.draft.state.index.row(*seq).map(|row| row.version));
        let versions: Vec<u64> = versions.collect::<Result<_>>()?;
        let entries = History { state: &*self.draft.state, records: self.records }.appended(&orphans)?;
        let stored = self.records.parse_all(versions.iter().copied())?;
        for (seq, version) in orphans.iter().zip(&versions) {
            let (Some(entry), Some(record)) = (entries.get(seq), stored.get(version)) else { continue };
            // One of several results may have found its call; which one is not known any more.
            if entry.results.is_empty() || !entry.step.answered.is_empty() {
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
    fn orphans(&self) -> Result<Vec<u64>> {
        let state = &*self.draft.state;
        state.index.require(self.last + 1, state.last_seq())?;
        let late = |run: &Run, seq: u64| matches!(run, Run::Item(i) if i.kind == ItemKind::Late && i.from == seq);
        let mut found = Vec::new();
        for seq in self.last + 1..=state.last_seq() {
            let flags = state.index.row(seq)?.flags;
            let partly = flags.has(Flags::OUT) || flags.has(Flags::EDITED);
            if partly && !state.is_hidden(seq) && !state.kept.runs().iter().any(|run| late(run, seq)) {
                found.push(seq);
            }
        }
        Ok(found)
    }
}
