//! The kept list while a policy works on it.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Decision, Due, Idle};
use crate::error::{Error, Result};
use crate::estimate::CountRules;
use crate::fetched::Records;
use crate::index::{to_usize, Flags};
use crate::kept::{Cell, Item, ItemKind, Kept, Run};
use crate::message::Message;
use crate::state::State;
use crate::view::{List, Span};

/// Where the bodies of items are found: in records, and in the one that is being planned.
pub struct Bodies<'a> {
    /// Records before.
    pub records: Records<'a>,
    /// First version of the record that is being planned.
    pub first_version: u64,
    /// Its first message.
    pub first_seq: u64,
    /// Its bodies so far.
    pub own: &'a [Cow<'a, [u8]>],
}

impl<'a> Bodies<'a> {
    /// The bodies of items; all that lack are asked for together.
    fn read(&self, cells: &[Cell]) -> Result<Vec<&'a [u8]>> {
        let stored = cells.iter().map(|cell| cell.version).filter(|version| *version != self.first_version);
        let stored = self.records.parse_all(stored)?;
        let body = |cell: &Cell| {
            let lost = || Error::corrupt(format!("the body of message {} is lost", cell.from));
            let slot = |first_seq: u64| cell.slot.map_or(cell.from.saturating_sub(first_seq), u64::from);
            match stored.get(&cell.version) {
                Some(record) => record.body(u32::try_from(slot(record.first_seq)).unwrap_or(u32::MAX)),
                None => self.own.get(to_usize(slot(self.first_seq))).map(|body| &**body).ok_or_else(lost),
            }
        };
        cells.iter().map(body).collect()
    }
}

/// What becomes of an item.
pub(super) enum Change {
    /// It leaves.
    Drop,
    /// It is shown like this.
    Edit { item: Item, body: Vec<u8>, saved: u64 },
}

impl Change {
    /// Tokens that an edit frees.
    pub(super) fn saved(&self) -> u64 {
        match self {
            Self::Drop => 0,
            Self::Edit { saved, .. } => *saved,
        }
    }
}

/// What a run comes to.
pub enum Finished {
    /// Nothing.
    Unchanged(Idle),
    /// A rewrite.
    Changed {
        /// The list.
        kept: Kept,
        /// First and last message that left or are shown edited.
        range: (u64, u64),
        /// Bodies of its edits, to stand behind those of the record so far.
        bodies: Vec<Vec<u8>>,
    },
}

/// The kept list under a policy's hands.
pub struct Work<'a> {
    /// The shares of its budget.
    pub due: Due,
    /// What a custom policy has decided.
    pub(super) decision: Option<&'a Decision>,
    /// What an age waits for, where nothing was old enough.
    pub(super) until_ms: Option<i64>,
    pub(super) state: &'a State,
    pub(super) rules: &'a CountRules<'a>,
    bodies: Bodies<'a>,
    kept: Arc<Kept>,
    made: Vec<Vec<u8>>,
    range: Option<(u64, u64)>,
}

impl<'a> Work<'a> {
    /// Work on a planned state.
    #[must_use]
    pub fn new(
        state: &'a State,
        due: Due,
        bodies: Bodies<'a>,
        rules: &'a CountRules<'a>,
        decision: Option<&'a Decision>,
    ) -> Self {
        let kept = Arc::clone(&state.kept);
        Self { due, decision, until_ms: None, state, rules, bodies, kept, made: Vec::new(), range: None }
    }

    /// The list as it stands now.
    pub(super) fn list(&self) -> List<'_> {
        List::new(&self.kept, &self.state.index, &self.state.pins)
    }

    pub(super) fn len(&self) -> u64 {
        self.kept.len()
    }

    pub(super) fn cell(&self, position: u64) -> Result<Cell> {
        self.kept.cell(position, &self.state.index)
    }

    pub(super) fn is_over_target(&self) -> bool {
        self.kept.tokens() > self.due.target
    }

    /// The bodies of items. Those of edits that this run has made can't be read.
    pub(super) fn read(&self, cells: &[Cell]) -> Result<Vec<&'a [u8]>> {
        self.bodies.read(cells)
    }

    /// Head, pins with their groups, and the newest group: never dropped, never edited.
    pub(super) fn protected(&self) -> Result<Protected> {
        let list = self.list();
        let newest = list.unit_start(self.len().saturating_sub(1))?;
        let mut spans = vec![(0, self.due.head), (newest, self.len())];
        for position in self.state.pins.iter().filter_map(|seq| self.kept.find(*seq)) {
            spans.push((list.unit_start(position)?, list.unit_end(position)?));
        }
        Ok(Protected { spans: List::merge(spans), newest_seq: self.cell(newest)?.from })
    }

    /// The item with another body, unless that saves nothing.
    pub(super) fn edit(&self, position: u64, cell: &Cell, body: Vec<u8>) -> Result<Option<Change>> {
        let derived = self.derived(&body)?;
        Ok((derived.tokens < cell.tokens).then(|| self.change(position, cell, body, &derived)))
    }

    /// The item with fewer parts: no more tokens than before, whoever counted those.
    pub(super) fn shorten(&self, position: u64, cell: &Cell, body: Vec<u8>) -> Result<Change> {
        let derived = self.derived(&body)?;
        Ok(self.change(position, cell, body, &derived))
    }

    fn derived(&self, body: &[u8]) -> Result<Message> {
        Message::parse_one(body, self.rules)
            .map_err(|cause| Error::corrupt(format!("an edited message is invalid: {cause}")))
    }

    fn change(&self, position: u64, cell: &Cell, body: Vec<u8>, derived: &Message) -> Change {
        let tokens = derived.tokens.min(cell.tokens);
        let before = self.kept.item_at(position);
        let item = Item {
            kind: if cell.kind == ItemKind::Message { ItemKind::Edit } else { cell.kind },
            from: cell.from,
            to: cell.to,
            at: before.map_or(cell.from, |item| item.at),
            call: before.map_or(0, |item| item.call),
            version: self.bodies.first_version,
            slot: 0,
            tokens,
            role: cell.role,
            kinds: derived.kinds,
            flags: Flags::EDITED
                .with(Flags::PINNED, cell.flags.has(Flags::PINNED))
                .with(Flags::RESULTS, cell.flags.has(Flags::RESULTS) && !derived.results.is_empty())
                .with(Flags::CALLS, cell.flags.has(Flags::CALLS) && !derived.calls.is_empty()),
            turn: cell.turn,
            group: cell.group,
            time_ms: cell.time_ms,
        };
        Change::Edit { item, body, saved: u64::from(cell.tokens - tokens) }
    }

    /// Makes changes, whose positions ascend.
    pub(super) fn apply(&mut self, changes: Vec<(u64, Change)>) -> Result<()> {
        let mut next = Kept::default();
        let mut from = 0;
        for (position, change) in changes {
            let cell = self.cell(position)?;
            self.concerns(cell.from, cell.to);
            next.extend_from(&self.kept, from, position, &self.state.index)?;
            if let Change::Edit { item, body, .. } = change {
                let slot = u32::try_from(self.bodies.own.len() + self.made.len()).unwrap_or(u32::MAX);
                self.made.push(body);
                next.push_item(Item { slot, ..item });
            }
            from = position + 1;
        }
        next.extend_from(&self.kept, from, self.kept.len(), &self.state.index)?;
        self.kept = Arc::new(next);
        Ok(())
    }

    /// Drops all but these spans, which ascend.
    pub(super) fn keep(&mut self, spans: &[Span]) -> Result<()> {
        let ends = spans.iter().map(|(from, _)| *from).chain([self.len()]);
        let starts = [0].into_iter().chain(spans.iter().map(|(_, to)| *to));
        for (from, to) in starts.zip(ends).filter(|(from, to)| from < to) {
            let (first, last) = (self.cell(from)?, self.cell(to - 1)?);
            self.concerns(first.from, last.to.max(last.from));
        }
        self.kept = Arc::new(self.kept.slice(spans, &self.state.index)?);
        Ok(())
    }

    fn concerns(&mut self, from: u64, to: u64) {
        let to = to.max(from);
        self.range = Some(self.range.map_or((from, to), |range| (range.0.min(from), range.1.max(to))));
    }

    /// What the run comes to. Edits that left again leave no body.
    #[must_use]
    pub fn finish(self) -> Finished {
        let Some(range) = self.range else {
            return Finished::Unchanged(Idle {
                rewritten: self.state.rewritten,
                tokens: self.state.kept.tokens(),
                until_ms: self.until_ms,
            });
        };
        let first_slot = self.bodies.own.len();
        let mut made: Vec<Option<Vec<u8>>> = self.made.into_iter().map(Some).collect();
        let mut bodies = Vec::new();
        let runs = self.kept.runs().iter().cloned().map(|run| match run {
            Run::Item(mut item) if item.version == self.bodies.first_version => {
                let at = to_usize(u64::from(item.slot)).checked_sub(first_slot);
                if let Some(body) = at.and_then(|at| made.get_mut(at)).and_then(Option::take) {
                    item.slot = u32::try_from(first_slot + bodies.len()).unwrap_or(u32::MAX);
                    bodies.push(body);
                }
                Run::Item(item)
            }
            other => other,
        });
        Finished::Changed { kept: Kept::from_runs(runs.collect()), range, bodies }
    }
}

/// What no policy touches.
pub(super) struct Protected {
    spans: Vec<Span>,
    newest_seq: u64,
}

impl Protected {
    /// The position lies in head, newest group or the group of a pin.
    pub(super) fn holds(&self, position: u64) -> bool {
        let at = self.spans.partition_point(|(_, to)| *to <= position);
        self.spans.get(at).is_some_and(|(from, _)| *from <= position)
    }

    /// So does the item, or it is a late result that came in just now, wherever it stands.
    pub(super) fn holds_item(&self, position: u64, cell: &Cell) -> bool {
        self.holds(position) || cell.kind == ItemKind::Late && cell.from >= self.newest_seq
    }
}
