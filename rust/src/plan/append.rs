//! Appending: one record for all messages of a batch.

use std::borrow::Cow;

use super::place::Source;
use super::rewind::rewind_entry;
use super::Draft;
use crate::entry::{Appended, By, Entry};
use crate::error::{Error, Result};
use crate::fetched::Records;
use crate::limits::TOKEN_BUDGET_MAX;
use crate::message::{Message, Usage};
use crate::state::State;
use crate::view::{select, Limits};

/// Messages to append.
#[derive(Debug)]
pub struct Append {
    /// The messages, counted by the context's rules.
    pub messages: Vec<Message>,
    /// The one message supersedes the newest, whose id it has.
    pub replace: bool,
}

/// Plans the append of a batch.
///
/// # Errors
/// [`Error::NotNewest`] for a `replace` of another message, [`Error::Need`] for bytes that lack.
pub fn append<'a>(draft: &mut Draft<'a>, request: &'a Append, records: Records<'_>) -> Result<()> {
    draft.bodies.extend(request.messages.iter().map(|message| Cow::Borrowed(message.body.as_slice())));
    if request.replace {
        make_room(draft, request.messages.first(), records)?;
    }
    let (mut overdue, last) = (false, request.messages.len().saturating_sub(1));
    for (slot, message) in (0u32..).zip(&request.messages) {
        append_one(draft, message, slot)?;
        overdue = overdue || (slot as usize) < last && draft.is_overdue()?;
    }
    draft.run_policy(records, overdue)
}

/// Takes the newest message away, so that the one that supersedes it takes its place.
fn make_room(draft: &mut Draft<'_>, message: Option<&Message>, records: Records<'_>) -> Result<()> {
    let newest = draft.state.newest_seq();
    let id = newest_id(draft.state, newest, records)?;
    let given = message.and_then(|m| m.id.as_ref());
    if newest == 0 || given.is_none() || id.as_ref() != given {
        return Err(Error::NotNewest { newest: id });
    }
    let mut to = newest - 1;
    while to > 0 && draft.state.is_hidden(to) {
        to -= 1;
    }
    rewind_entry(draft, to, true, records)
}

fn newest_id(state: &State, newest: u64, records: Records<'_>) -> Result<Option<String>> {
    if let Some(id) = &state.newest_id {
        return Ok(id.clone());
    }
    if newest == 0 {
        return Ok(None);
    }
    let version = state.index.row(newest)?.version;
    let parsed = records.parse_all(std::iter::once(version))?;
    let Some(record) = parsed.get(&version) else { return Ok(None) };
    Ok(record.decode()?.entries.into_iter().find_map(|entry| match entry {
        Entry::Appended(entry) if entry.seq == newest => entry.id,
        _ => None,
    }))
}

fn append_one(draft: &mut Draft<'_>, message: &Message, slot: u32) -> Result<()> {
    let seq = draft.state.last_seq() + 1;
    let source = Source {
        seq,
        version: draft.first_version,
        slot,
        body: &message.body,
        role: message.role,
        kinds: message.kinds,
        tokens: message.tokens,
        pinned: message.pinned,
        time_ms: draft.state.clock_ms.max(message.created_at_ms.unwrap_or(draft.time_ms)),
        calls: &message.calls,
        results: &message.results,
        more_than_results: message.more_than_results(),
    };
    let mut pairing = draft.state.pairing.clone();
    let state = &*draft.state;
    let placement = pairing.push(&source.shape(), |call| state.kept.find_repair(call.seq, call.call).is_some());
    let repairs = draft.repairs(&placement)?;
    let placed = draft.place(&source, &placement)?;
    let entry = Appended {
        seq,
        id: message.id.clone(),
        tokens: message.tokens,
        role: message.role,
        kinds: message.kinds,
        flags: source.flags(&placement, &placed),
        time_ms: source.time_ms,
        turn: placement.turn,
        group: placement.group,
        calls: message.calls.clone(),
        results: message.results.clone(),
        placed,
        repairs,
        step: placement.step.clone(),
        overhead: message.usage.and_then(|usage| calibrate(draft.state, usage).transpose()).transpose()?,
    };
    draft.add(Entry::Appended(entry))?;
    if !placement.late.is_empty() {
        let kept = draft.kept();
        let list = draft.with_late(&kept, &source, &placement.late)?;
        let from = placement.late.iter().map(|late| late.call.seq).min().unwrap_or(seq);
        draft.add_compacted(By::Repair, (from, seq), None, &list)?;
    }
    Ok(())
}

/// Reported minus counted tokens of the window that the report is about. Nothing for a window from before the last rewrite,
/// which is no longer known, and for one of a version that is not there yet.
fn calibrate(state: &State, usage: Usage) -> Result<Option<i64>> {
    if usage.window_version < state.rewritten || usage.window_version > state.version {
        return Ok(None);
    }
    let seq = last_seq_at(state, usage.window_version)?;
    let counted = match select(state.list().until(state.end_at(seq)?), &view_limits(state)) {
        Ok(selection) => selection.tokens,
        Err(Error::BudgetTooSmall { .. }) => return Ok(None),
        Err(other) => return Err(other),
    };
    let most = TOKEN_BUDGET_MAX.cast_signed();
    let reported = usage.input_tokens.min(TOKEN_BUDGET_MAX).cast_signed();
    Ok(Some((reported - counted.cast_signed()).clamp(-most, most)))
}

/// Limits of the window that a request without overrides gets.
fn view_limits(state: &State) -> Limits {
    Limits {
        budget: state.config.token_budget,
        reserve: state.config.reserve_tokens,
        overhead: state.overhead,
        closing: 0,
        step: Some(state.step_tokens(state.config.token_budget)),
    }
}

/// The last message that was there at a version.
fn last_seq_at(state: &State, version: u64) -> Result<u64> {
    let mut seq = state.last_seq();
    while seq > 0 && state.index.row(seq)?.version > version {
        seq -= 1;
    }
    Ok(seq)
}
