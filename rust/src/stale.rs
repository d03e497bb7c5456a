//! Signed thinking whose past has changed.
//!
//! A signature covers what stood before it when the model thought, so a provider may refuse a block whose past is another one
//! now. That comes of a rewrite, and of a budget whose cut has moved: windows begin elsewhere since then. What stays is decided
//! where it changed, and until it changes again: the run of assistant messages that was the newest then, whose thinking
//! providers want back unchanged, or the whole tool loop that was open then, where the model demands it. Deciding it again with
//! each message would change the middle of a window that grows, and a block once sent can't be taken out from between others.
//!
//! It is a pure function of the kept list and the window's limits, so every node finds the same after every restart. Between
//! two rewrites the list grows at its end alone, so the windows that earlier messages answered can be selected again, as they
//! were if they had the limits of this one.

use crate::error::{Error, Result};
use crate::index::Flags;
use crate::json::Object;
use crate::kept::{Cell, ItemKind};
use crate::message::Role;
use crate::render::Json;
use crate::state::State;
use crate::view::{select, Limits, List, Selection};

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

/// From where on thinking stays in a window of these limits; nothing where no rewrite was made and nothing is cut.
///
/// # Errors
/// [`Error::Need`] for index chunks.
pub fn fresh(state: &State, limits: &Limits, shown: &Selection) -> Result<Option<Fresh>> {
    if state.rewritten == 0 && !shown.truncated {
        return Ok(None);
    }
    let floor = shown.beginning().1;
    let mut changed = rewritten_until(state, floor)?;
    if shown.truncated {
        changed = cut_since(state.list(), limits, shown, changed.max(floor + 1))?;
    }
    if changed == floor {
        return Ok(Some(Fresh { from: 0, loop_from: 0 }));
    }
    let last = changed - 1;
    let from = behind(state, last)?;
    let newest = newest_run(state, last, floor)?.map_or(from, |seq| seq.min(from));
    let loop_from = open_loop(state, last, floor)?.map_or(newest, |seq| seq.min(newest));
    Ok(Some(Fresh { from: newest, loop_from }))
}

/// With how many items the list began to be cut as it is now: at least `least`, and then always, since a cut never moves back.
fn cut_since(list: List<'_>, limits: &Limits, shown: &Selection, least: u64) -> Result<u64> {
    // What waited then was answered or repaired since.
    let limits = Limits { closing: 0, ..*limits };
    let (mut before, mut since, mut back) = (least - 1, list.len, 1);
    while before + 1 < since {
        let len = (before + (since - before) / 2).max(since.saturating_sub(back));
        if begins_alike(list.until(len), &limits, shown)? {
            since = len;
            back *= 2;
        } else {
            before = len;
        }
    }
    Ok(since)
}

fn begins_alike(list: List<'_>, limits: &Limits, shown: &Selection) -> Result<bool> {
    match select(list, limits) {
        Ok(then) => Ok(then.beginning() == shown.beginning()),
        Err(Error::BudgetTooSmall { .. }) => Ok(false),
        Err(other) => Err(other),
    }
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

/// The first position from `from` on whose item came after the last rewrite.
fn rewritten_until(state: &State, from: u64) -> Result<u64> {
    let (mut old, mut end) = (from, state.kept.len());
    while old < end {
        let middle = old + (end - old) / 2;
        if is_old(state, middle)? {
            old = middle + 1;
        } else {
            end = middle;
        }
    }
    Ok(old)
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
