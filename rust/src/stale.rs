//! Signed thinking whose past a rewrite has changed.
//!
//! A signature covers what stood before it when the model thought, so a provider may refuse a block from before the last
//! rewrite. What stays is decided at the rewrite and for good: the run of assistant messages that was the newest then, whose
//! thinking providers want back unchanged, or the whole tool loop that was open then, where the model demands it. Deciding it
//! again with each message would change the middle of a window that grows, and a block once sent can't be taken out from
//! between others. It is a pure function of the kept list, so every node finds the same after every restart.

use crate::error::Result;
use crate::index::Flags;
use crate::json::Object;
use crate::kept::{Cell, ItemKind};
use crate::message::Role;
use crate::render::Json;
use crate::state::State;
use crate::view::Span;

/// From which message on signed thinking stays. All of it goes that is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The first message that may keep it.
    pub from: u64,
    /// The same, where the model demands the thinking of an open tool loop.
    pub loop_from: u64,
}

impl Fresh {
    /// Appends it as a field of a reply, a comma before it.
    pub fn write(self, out: &mut Json) {
        out.raw(",\"signed_thinking\":{\"from_seq\":").number(self.from);
        out.raw(",\"loop_from_seq\":").number(self.loop_from).raw("}");
    }

    /// Reads what [`Fresh::write`] wrote.
    #[must_use]
    pub fn read(field: &Object<'_>) -> Option<Self> {
        let number = |name: &str| field.get(name).and_then(|raw| raw.parse().ok());
        Some(Self { from: number("from_seq")?, loop_from: number("loop_from_seq")? })
    }
}

/// From where on thinking stays in a window of these spans; nothing where no rewrite was made.
///
/// # Errors
/// [`crate::error::Error::Need`] for index chunks.
pub fn fresh(state: &State, spans: &[Span]) -> Result<Option<Fresh>> {
    if state.rewritten == 0 {
        return Ok(None);
    }
    let Some((last, floor)) = last_old(state, spans)? else { return Ok(Some(Fresh { from: 0, loop_from: 0 })) };
    let from = behind(state, last)?;
    // Where the window leaves out what was the end then, nothing of the newest messages is shown.
    if last + 1 < state.kept.len() && is_old(state, last + 1)? {
        return Ok(Some(Fresh { from, loop_from: from }));
    }
    let newest = newest_run(state, last, floor)?.map_or(from, |seq| seq.min(from));
    let loop_from = open_loop(state, last, floor)?.map_or(newest, |seq| seq.min(newest));
    Ok(Some(Fresh { from: newest, loop_from }))
}

fn cell(state: &State, position: u64) -> Result<Cell> {
    state.kept.cell(position, &state.index)
}

/// The item stood in the list that the last rewrite left.
fn is_old(state: &State, position: u64) -> Result<bool> {
    let cell = cell(state, position)?;
    Ok(match cell.kind {
        ItemKind::Late | ItemKind::Summary => true,
        ItemKind::Repair => cell.version <= state.rewritten,
        // An edit carries the version of its own record.
        ItemKind::Message | ItemKind::Edit => state.index.row(cell.from)?.version < state.rewritten,
    })
}

/// The last position shown that is old, and where its span begins.
fn last_old(state: &State, spans: &[Span]) -> Result<Option<(u64, u64)>> {
    for (from, to) in spans.iter().rev().filter(|(from, to)| from < to) {
        if !is_old(state, *from)? {
            continue;
        }
        let (mut old, mut end) = (*from, *to);
        while old + 1 < end {
            let middle = old + (end - old) / 2;
            if is_old(state, middle)? {
                old = middle;
            } else {
                end = middle;
            }
        }
        return Ok(Some((old, *from)));
    }
    Ok(None)
}

/// The first `seq` behind the messages up to a position.
fn behind(state: &State, mut position: u64) -> Result<u64> {
    loop {
        let cell = cell(state, position)?;
        // Repairs and late results are numbered otherwise than they stand.
        if position == 0 || !matches!(cell.kind, ItemKind::Repair | ItemKind::Late) {
            return Ok(cell.from.max(cell.to) + 1);
        }
        position -= 1;
    }
}

/// The first message of the newest run of assistant messages, which a request shows as one.
fn newest_run(state: &State, last: u64, floor: u64) -> Result<Option<u64>> {
    let mut first = None;
    for position in (floor..=last).rev() {
        let cell = cell(state, position)?;
        if cell.role == Role::Assistant {
            first = Some(cell.from);
        } else if first.is_some() {
            break;
        }
    }
    Ok(first)
}

/// The first assistant message of the tool loop that was open; nothing where none was.
fn open_loop(state: &State, last: u64, floor: u64) -> Result<Option<u64>> {
    let end = cell(state, last)?;
    let calls = end.role == Role::Assistant && (end.flags.has(Flags::CALLS) || end.kinds.is_reasoning_only());
    if !calls && !answers(&end) {
        return Ok(None);
    }
    let mut first = None;
    for position in (floor..=last).rev() {
        let cell = cell(state, position)?;
        match cell.role {
            Role::Assistant => first = Some(cell.from),
            _ if answers(&cell) => {}
            _ => break,
        }
    }
    Ok(first)
}

fn answers(cell: &Cell) -> bool {
    cell.role == Role::Tool || cell.flags.has(Flags::RESULTS)
}
