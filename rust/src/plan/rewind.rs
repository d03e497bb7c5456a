//! Rewinding: later messages leave window and default replay.

use super::rebuild::rebuild;
use super::Draft;
use crate::entry::{Entry, Rewound};
use crate::error::{Error, Result};
use crate::fetched::Records;
use crate::kept::{Cell, ItemKind, Kept, Run};
use crate::pairing::Pairing;

/// Where to rewind to.
#[derive(Clone, Copy, Debug)]
pub struct Rewind {
    /// The last message that stays; 0 for none.
    pub to_seq: u64,
}

/// Plans a rewind. Nothing is planned where nothing comes after `to_seq`.
///
/// # Errors
/// `unknown_seq` for a message that is not there or left before, [`Error::Need`] for bytes that lack.
pub fn rewind(draft: &mut Draft<'_>, request: Rewind, records: Records<'_>) -> Result<()> {
    let to = request.to_seq;
    let last = draft.state.last_seq();
    if to > last || (to > 0 && draft.state.is_hidden(to)) {
        return Err(Error::invalid("unknown_seq", "to_seq", format!("there is no message {to} to go back to")));
    }
    if to == draft.state.newest_seq() {
        return Ok(());
    }
    rewind_entry(draft, to, false, records)
}

/// Adds the entry that rewinds to message `to`.
///
/// # Errors
/// [`Error::Need`] for bytes that lack.
pub fn rewind_entry(draft: &mut Draft<'_>, to: u64, replaced: bool, records: Records<'_>) -> Result<()> {
    let (kept, pairing) = list_at(draft, to, records)?;
    let tokens = (draft.state.kept.tokens(), kept.tokens());
    let rewrite = draft.rewrite(kept.runs(), pairing);
    draft.add(Entry::Rewound(Rewound { to_seq: to, replaced, tokens, rewrite }))
}

/// The kept list that ends with message `to`: what is kept up to its group, and from there on the log's own messages.
fn list_at(draft: &mut Draft<'_>, to: u64, records: Records<'_>) -> Result<(Kept, Pairing)> {
    if to == 0 {
        return Ok((Kept::default(), Pairing::default()));
    }
    let kept = draft.kept();
    let from = rebuild_from(draft, &kept, to)?;
    let mut list = Kept::default();
    list.extend_from(&kept, 0, kept.lower_bound(from), &draft.state.index)?;
    let row = draft.state.index.row(to)?;
    let mut pairing = Pairing::at(row.turn, to, row.is_user());
    let older = draft.state.pairing.open.iter().filter(|call| call.repaired);
    let older = older.filter(|call| list.find_repair(call.seq, call.call).is_some());
    let mut open: Vec<_> = older.cloned().collect();
    if from <= to {
        let rebuilt = rebuild(draft, from, to, records)?;
        list.extend_from(&rebuilt.kept, 0, rebuilt.kept.len(), &draft.state.index)?;
        pairing = rebuilt.pairing;
    }
    open.append(&mut pairing.open);
    pairing.open = open;
    Ok((list, pairing))
}

/// The first message that has to be taken from the log again; one behind `to` where none has to.
fn rebuild_from(draft: &Draft<'_>, kept: &Kept, to: u64) -> Result<u64> {
    if kept.summary_of(to).is_some_and(|item| item.to <= to) {
        return Ok(to + 1);
    }
    let represented = kept.find(to).is_some() || kept.summary_of(to).is_some();
    let mut from = if represented {
        draft.state.index.row(to)?.group
    } else {
        // A policy dropped it: all that comes after what is left before it.
        kept.runs().iter().filter_map(|run| end_before(run, to)).max().unwrap_or(0) + 1
    };
    // The group before may have lost results that come after.
    if let Some(last) = kept.lower_bound(to + 1).checked_sub(1) {
        let cell = kept.cell(last, &draft.state.index)?;
        from = if cell.kind == ItemKind::Summary { from } else { from.min(group_seq(&cell)) };
    }
    // What stands for messages on both sides is taken apart; so is a late result that would come back by itself.
    loop {
        let parted = kept.runs().iter().filter_map(|run| parted_from(run, from, to)).min();
        match parted.filter(|parted| *parted < from) {
            Some(parted) => from = parted,
            None => break,
        }
    }
    Ok(from.max(1))
}

/// Where an item begins that stands before `from` for messages behind it, or for messages on both sides of `to`.
fn parted_from(run: &Run, from: u64, to: u64) -> Option<u64> {
    match run {
        Run::Item(item) if item.kind == ItemKind::Summary && item.from <= to && item.to > to => Some(item.from),
        Run::Item(item) if item.kind == ItemKind::Late && item.from >= from && item.at <= to => {
            Some(group_seq(&Cell::from(item)))
        }
        _ => None,
    }
}

fn group_seq(cell: &Cell) -> u64 {
    cell.group.min(cell.from)
}

fn end_before(run: &Run, to: u64) -> Option<u64> {
    match run {
        Run::Messages { from, to: last, .. } if *from <= to => Some((*last).min(to)),
        Run::Item(item) if item.to <= to => Some(item.to),
        _ => None,
    }
}
