//! A range worth summarising, for a context that needs compaction.
//!
//! Whole turns from the oldest on, until what is left is down to the target; where these are not worth it, the older groups
//! of the newest turn, behind the message that opens it. The head and pins are never covered: of the stretches between
//! them, it is the one with the most tokens. A range is worth summarising if it holds at least
//! [`SUGGESTED_SHARE_MIN`] of the budget and is not a lone summary.

use crate::config::share;
use crate::error::Result;
use crate::kept::{ItemKind, Kept};
use crate::limits::SUGGESTED_SHARE_MIN;
use crate::state::State;
use crate::view::{List, Span};

/// First and last message of a range that a compaction takes as it stands; nothing where none is worth it.
///
/// # Errors
/// [`crate::error::Error::Need`] for index chunks.
pub fn suggested_range(state: &State) -> Result<Option<(u64, u64)>> {
    if !state.needs_compaction() {
        return Ok(None);
    }
    let (list, kept) = (state.list(), &*state.kept);
    let head = list.head()?;
    let Some(last) = kept.len().checked_sub(1).filter(|last| *last > head) else { return Ok(None) };
    let target = share(state.config.token_budget, state.policy.common.target(&state.config));
    let behind = state.used_tokens().saturating_sub(target);
    let wanted = kept.position_at(behind, &state.index)?.clamp(head + 1, last);
    let opener = list.turn_of(last, head)?;
    let newest = opener.unwrap_or(head);
    let turns = (head, list.next_turn(wanted)?.map_or(newest, |turn| turn.min(newest)));
    if let Some(range) = best(state, turns)? {
        return Ok(Some(range));
    }
    let first = opener.map_or(Ok(head), |at| list.next_unit(at + 1))?;
    best(state, (first, list.next_unit(wanted.max(first))?.min(list.unit_start(last)?)))
}

/// The largest stretch without pins that is worth it.
fn best(state: &State, area: Span) -> Result<Option<(u64, u64)>> {
    let (list, kept) = (state.list(), &*state.kept);
    let mut most = share(state.config.token_budget, SUGGESTED_SHARE_MIN);
    let mut found = None;
    for stretch in stretches(list, area)? {
        let Some((first, last)) = nameable(list, stretch)? else { continue };
        let tokens = kept.tokens_between(first, last, &state.index)?;
        let is_lone_summary = last - first == 1 && is_summary(kept, first);
        if tokens > most && !is_lone_summary {
            most = tokens;
            found = Some((from_seq(list, first)?, to_seq(list, last)?));
        }
    }
    Ok(found)
}

fn is_summary(kept: &Kept, position: u64) -> bool {
    kept.item_at(position).is_some_and(|item| item.kind == ItemKind::Summary)
}

/// What lies between the groups of pinned messages.
fn stretches(list: List<'_>, (from, to): Span) -> Result<Vec<Span>> {
    let mut pinned = Vec::new();
    for position in list.pins.iter().filter_map(|seq| list.kept.find(*seq)) {
        if (from..to).contains(&position) {
            pinned.push((list.unit_start(position)?, list.unit_end(position)?));
        }
    }
    let mut stretches = Vec::with_capacity(pinned.len() + 1);
    let mut next = from;
    for (start, end) in List::merge(pinned) {
        stretches.push((next, start));
        next = next.max(end);
    }
    stretches.push((next, to));
    Ok(stretches)
}

/// The stretch, less groups at its ends that no `seq` tells from their neighbours: summaries of one range, what stands
/// after one message.
fn nameable(list: List<'_>, (mut first, mut last): Span) -> Result<Option<Span>> {
    while first < last && list.kept.lower_bound(from_seq(list, first)?) != first {
        first = list.unit_end(first)?;
    }
    while first < last && list.kept.lower_bound(to_seq(list, last)? + 1) != last {
        last = list.unit_start(last - 1)?;
    }
    Ok((first < last).then_some((first, last)))
}

/// The first message of a range that begins at a position.
fn from_seq(list: List<'_>, position: u64) -> Result<u64> {
    let at = match list.kept.item_at(position) {
        Some(item) if item.from > item.to || matches!(item.kind, ItemKind::Repair | ItemKind::Late) => item.at,
        Some(item) => return Ok(item.from),
        None => return Ok(list.kept.cell(position, list.index)?.from),
    };
    Ok(at.max(to_seq(list, position)? + 1))
}

/// The last message of a range that ends before a position.
fn to_seq(list: List<'_>, position: u64) -> Result<u64> {
    let Some(before) = position.checked_sub(1) else { return Ok(0) };
    match list.kept.item_at(before) {
        Some(item) if item.kind == ItemKind::Summary => Ok(item.to.max(item.at)),
        Some(item) => Ok(item.at),
        None => Ok(list.kept.cell(before, list.index)?.to),
    }
}
