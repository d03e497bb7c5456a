//! The window: what a request with a budget gets of the kept list. A pure function of kept list, budget and overhead.
//!
//! The list is valid as it stands, so a view needs only to be cut where a cut is valid: between turns, or, where the newest
//! turn is too large alone, between its groups behind the user message that opens it.

use crate::error::{Error, Result};
use crate::index::{Flags, Index};
use crate::kept::{Cell, ItemKind, Kept};

/// Positions `from..to` of the kept list.
pub type Span = (u64, u64);

/// What a view has to fit into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The budget asked for.
    pub budget: u64,
    /// Subtracted from it.
    pub reserve: u64,
    /// What the provider counted beyond the log, added to every view.
    pub overhead: i64,
    /// Tokens of repairs behind the list (`close`).
    pub closing: u64,
    /// The cut moves in steps of so many tokens; none gives the largest suffix.
    pub step: Option<u64>,
}

impl Limits {
    /// Tokens that the reply reports for items of so many tokens.
    #[must_use]
    pub fn used(&self, tokens: u64) -> u64 {
        (tokens + self.closing).saturating_add_signed(self.overhead)
    }

    fn fits(&self, tokens: u64) -> bool {
        self.used(tokens) <= self.budget.saturating_sub(self.reserve)
    }

    fn too_small(&self, tokens: u64) -> Error {
        Error::BudgetTooSmall { budget: self.budget, needed: self.used(tokens) + self.reserve }
    }
}

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Spans of the kept list, in order; the last reaches its end.
    pub spans: Vec<Span>,
    /// Tokens of the items shown.
    pub tokens: u64,
    /// Something kept is not shown.
    pub truncated: bool,
}

impl Selection {
    /// What stays as it is while a view only grows: its spans but the last, and where that one starts.
    #[must_use]
    pub fn beginning(&self) -> (&[Span], u64) {
        self.spans.split_last().map_or((&[], 0), |((from, _), before)| (before, *from))
    }
}

/// The kept list with the columns that a cut looks at.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// The list.
    pub kept: &'a Kept,
    /// Its columns.
    pub index: &'a Index,
    /// Pinned messages of the log, ascending; those that are not kept do not count.
    pub pins: &'a [u64],
    /// Number of its items.
    pub len: u64,
}

impl<'a> List<'a> {
    /// The whole list.
    #[must_use]
    pub fn new(kept: &'a Kept, index: &'a Index, pins: &'a [u64]) -> Self {
        Self { kept, index, pins, len: kept.len() }
    }

    /// Its first items alone: the list as it was when it had no more, where none was rewritten since.
    #[must_use]
    pub fn until(self, len: u64) -> Self {
        Self { len: len.min(self.len), ..self }
    }

    fn cell(&self, position: u64) -> Result<Cell> {
        self.kept.cell(position, self.index)
    }

    fn tokens(&self, span: Span) -> Result<u64> {
        self.kept.tokens_between(span.0, span.1, self.index)
    }

    /// Number of leading system and developer items.
    ///
    /// # Errors
    /// [`Error::Need`] for an index chunk, as everywhere here.
    pub fn head(&self) -> Result<u64> {
        let mut position = 0;
        while position < self.len && self.cell(position)?.is_system() {
            position += 1;
        }
        Ok(position)
    }

    /// First position of the group that a position lies in; its own if it is in none.
    ///
    /// # Errors
    /// As [`List::head`].
    pub fn unit_start(&self, position: u64) -> Result<u64> {
        let group = self.cell(position)?.group;
        let mut start = position;
        while start > 0 && self.cell(start - 1)?.group == group {
            start -= 1;
        }
        Ok(start)
    }

    /// First position after the group that a position lies in.
    ///
    /// # Errors
    /// As [`List::head`].
    pub fn unit_end(&self, position: u64) -> Result<u64> {
        let group = self.cell(position)?.group;
        let mut end = position + 1;
        while end < self.len && self.cell(end)?.group == group {
            end += 1;
        }
        Ok(end)
    }

    /// The first position from `position` on where a group begins.
    ///
    /// # Errors
    /// As [`List::head`].
    pub fn next_unit(&self, position: u64) -> Result<u64> {
        if position == 0 || position >= self.len {
            return Ok(position.min(self.len));
        }
        if self.cell(position)?.group == self.cell(position - 1)?.group {
            self.unit_end(position)
        } else {
            Ok(position)
        }
    }

    /// A turn begins here: with its user message, or with a summary that stands for its beginning.
    ///
    /// # Errors
    /// As [`List::head`].
    pub fn is_turn_start(&self, position: u64) -> Result<bool> {
        let cell = self.cell(position)?;
        if cell.kind == ItemKind::Summary {
            return Ok(!cell.flags.has(Flags::RESULTS) && (cell.turn == 0 || cell.turn >= cell.from));
        }
        Ok(cell.is_user() && (position == 0 || !self.cell(position - 1)?.is_user()))
    }

    /// The first turn that starts at or after `position`.
    ///
    /// # Errors
    /// As [`List::head`].
    pub fn next_turn(&self, position: u64) -> Result<Option<u64>> {
        for at in position..self.len {
            if self.is_turn_start(at)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// The start of the turn that `position` lies in, none before the first; never before `floor`.
    ///
    /// # Errors
    /// As [`List::head`].
    pub fn turn_of(&self, position: u64, floor: u64) -> Result<Option<u64>> {
        let turn = self.cell(position)?.turn;
        let near = self.kept.lower_bound(turn).max(floor);
        if turn != 0 && near <= position && self.is_turn_start(near)? {
            // Where something between them left, or is summed up, another message may open what is left of the turn.
            for joint in self.kept.joints(near, position) {
                if self.is_turn_start(joint)? {
                    return Ok(Some(joint));
                }
            }
            return Ok(Some(near));
        }
        let mut at = position;
        while at >= floor {
            if self.is_turn_start(at)? {
                return Ok(Some(at));
            }
            if at == 0 {
                break;
            }
            at -= 1;
        }
        Ok(None)
    }

    /// The spans that a pinned message needs to stand in a cut view: its group and its turn's opening message.
    fn pin_spans(&self, seq: u64, head: u64) -> Result<Vec<Span>> {
        let found = self.kept.find(seq).filter(|position| (head..self.len).contains(position));
        let Some(position) = found else { return Ok(Vec::new()) };
        let unit = (self.unit_start(position)?.max(head), self.unit_end(position)?);
        let first = self.cell(unit.0)?;
        if first.is_user() || first.kind == ItemKind::Summary {
            return Ok(vec![unit]);
        }
        Ok(match self.turn_of(unit.0, head)? {
            Some(opener) => vec![(opener, opener + 1), unit],
            // Nothing that a view could start with stands before it: it can't be shown in a cut view.
            None => Vec::new(),
        })
    }

    /// Merges spans that touch or overlap.
    #[must_use]
    pub fn merge(mut spans: Vec<Span>) -> Vec<Span> {
        spans.retain(|(from, to)| from < to);
        spans.sort_unstable();
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for (from, to) in spans {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        merged
    }

    /// The spans that stay when the list is cut at `cut`: head, pins (each its spans), the opening message, the rest.
    #[must_use]
    pub fn spans(&self, head: u64, pins: &[Vec<Span>], opener: Option<u64>, cut: u64) -> Vec<Span> {
        let mut spans = vec![(0, head), (cut, self.len)];
        spans.extend(opener.map(|at| (at, at + 1)));
        spans.extend(pins.iter().flatten().filter(|(from, _)| *from < cut));
        Self::merge(spans)
    }

    /// The pins of the list, oldest first, each with its spans.
    ///
    /// # Errors
    /// As [`List::head`].
    pub fn pinned(&self, head: u64) -> Result<Vec<Vec<Span>>> {
        let spans = self.pins.iter().map(|seq| self.pin_spans(*seq, head));
        let spans: Vec<Vec<Span>> = spans.collect::<Result<_>>()?;
        Ok(spans.into_iter().filter(|s| !s.is_empty()).collect())
    }

    fn sum(&self, spans: &[Span]) -> Result<u64> {
        spans.iter().map(|span| self.tokens(*span)).sum()
    }
}

/// Selects the view.
///
/// # Errors
/// [`Error::BudgetTooSmall`] when no valid view fits, [`Error::Need`] for index chunks.
pub fn select(list: List<'_>, limits: &Limits) -> Result<Selection> {
    let tokens = list.tokens((0, list.len))?;
    if limits.fits(tokens) {
        return Ok(Selection { spans: vec![(0, list.len)], tokens, truncated: false });
    }
    let head = list.head()?;
    if head == list.len {
        return Err(limits.too_small(tokens));
    }
    Cutter { list, limits, tokens, head, head_tokens: list.tokens((0, head))?, pins: list.pinned(head)? }.cut()
}

struct Cutter<'a> {
    list: List<'a>,
    limits: &'a Limits,
    /// Of the whole list.
    tokens: u64,
    head: u64,
    head_tokens: u64,
    pins: Vec<Vec<Span>>,
}

impl Cutter<'_> {
    fn cut(&self) -> Result<Selection> {
        let last = self.list.len - 1;
        let Some(opener) = self.list.turn_of(last, self.head)? else {
            // Nothing that a cut view could start with: all of it is required.
            return Err(self.limits.too_small(self.tokens));
        };
        if let Some(view) = self.view(&self.pins, None, opener)? {
            return self.step_turns(opener, view);
        }
        let newest = self.list.unit_start(last)?;
        if newest > opener {
            if let Some(view) = self.view(&self.pins, Some(opener), newest)? {
                return self.step_groups(opener, newest, view);
            }
        }
        self.yield_pins(opener, newest.max(opener))
    }

    /// The view of a cut, if it fits.
    fn view(&self, pins: &[Vec<Span>], opener: Option<u64>, cut: u64) -> Result<Option<Selection>> {
        let spans = self.list.spans(self.head, pins, opener, cut);
        let tokens = self.list.sum(&spans)?;
        Ok(self.limits.fits(tokens).then_some(Selection { spans, tokens, truncated: true }))
    }

    /// The first position that can fit: all behind it fits the budget beside the head.
    fn lower_bound(&self) -> Result<u64> {
        let room = self
            .limits
            .budget
            .saturating_sub(self.limits.reserve)
            .saturating_add_signed(self.limits.overhead.saturating_neg());
        let spare = room.saturating_sub(self.head_tokens + self.limits.closing);
        let behind = self.tokens.saturating_sub(spare);
        Ok(self.list.kept.position_at(behind, self.list.index)?.max(self.head + 1))
    }

    /// Where the step that no cut at or before `previous` reaches begins: the smallest multiple behind it.
    fn step_position(&self, previous: u64, step: u64) -> Result<u64> {
        let coordinate = self.list.tokens((self.head, previous.max(self.head)))?;
        let wanted = (coordinate / step + 1) * step + self.head_tokens;
        self.list.kept.position_at(wanted, self.list.index)
    }

    /// Cuts between turns. `newest` is the view of the last turn alone.
    fn step_turns(&self, opener: u64, newest: Selection) -> Result<Selection> {
        let mut from = self.lower_bound()?.min(opener);
        let (first, largest) = loop {
            let Some(at) = self.list.next_turn(from)?.filter(|at| *at < opener) else { break (opener, newest) };
            if let Some(view) = self.view(&self.pins, None, at)? {
                break (at, view);
            }
            from = at + 1;
        };
        let Some(step) = self.limits.step.filter(|_| first < opener) else { return Ok(largest) };
        let previous = match first.checked_sub(1).filter(|before| *before >= self.head) {
            Some(before) => self.list.turn_of(before, self.head)?.unwrap_or(self.head),
            None => self.head,
        };
        let from = self.step_position(previous, step)?.max(first);
        let at = self.list.next_turn(from.min(opener))?.map_or(opener, |at| at.min(opener));
        Ok(self.view(&self.pins, None, at)?.unwrap_or(largest))
    }

    /// Cuts inside the newest turn, behind its opening message. `newest` is the view of the newest group alone.
    fn step_groups(&self, opener: u64, newest_at: u64, newest: Selection) -> Result<Selection> {
        let mut from = self.lower_bound()?.clamp(opener + 2, newest_at.max(opener + 2));
        let (first, largest) = loop {
            let at = self.list.next_unit(from)?;
            if at >= newest_at {
                break (newest_at, newest);
            }
            if let Some(view) = self.view(&self.pins, Some(opener), at)? {
                break (at, view);
            }
            from = at + 1;
        };
        let Some(step) = self.limits.step.filter(|_| first < newest_at) else { return Ok(largest) };
        let previous = self.list.unit_start(first - 1)?;
        let from = self.step_position(previous, step)?.max(first);
        let at = self.list.next_unit(from.min(newest_at))?.min(newest_at);
        Ok(self.view(&self.pins, Some(opener), at)?.unwrap_or(largest))
    }

    /// Only what is required is left beside the pins: they yield, oldest first.
    fn yield_pins(&self, opener: u64, cut: u64) -> Result<Selection> {
        for skip in 1..=self.pins.len() {
            if let Some(view) = self.view(self.pins.get(skip..).unwrap_or_default(), Some(opener), cut)? {
                return Ok(view);
            }
        }
        let spans = self.list.spans(self.head, &[], Some(opener), cut);
        Err(self.limits.too_small(self.list.sum(&spans)?))
    }
}
