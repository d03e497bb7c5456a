//! The kept list: what policies and compactions left of the log, as ranges of untouched messages and single exceptions.
//!
//! Positions count items from 0. Running sums stand beside the runs, so a position is found by tokens, by `seq` or by
//! number in O(log n).

use serde::{Deserialize, Serialize};

use crate::entry::{Appended, Placed};
use crate::error::{Error, Result};
use crate::index::{Flags, Index};
use crate::message::{Kinds, Role};

/// What an item of the kept list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemKind {
    /// A message of the log, untouched.
    Message,
    /// A message of the log, shown edited.
    Edit,
    /// A late result that stands with its call.
    Late,
    /// A result made up for a call that got none.
    Repair,
    /// An item that a compaction put in place of others.
    Summary,
}

/// An exception: an item that is not just a row of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is; never [`ItemKind::Message`].
    pub kind: ItemKind,
    /// First message that it stands for (the call's, for a repair).
    pub from: u64,
    /// Last message that it stands for; less than `from` when it stands for none.
    pub to: u64,
    /// `seq` of the message at or after which it stands.
    pub at: u64,
    /// Which call of its message a repair answers.
    pub call: u32,
    /// First version of the record that holds its body.
    pub version: u64,
    /// Which body of that record.
    pub slot: u32,
    /// Tokens of what is shown.
    pub tokens: u32,
    /// Role as it counts.
    pub role: Role,
    /// Classes of its parts.
    pub kinds: Kinds,
    /// As in a row.
    pub flags: Flags,
    /// As in a row.
    pub turn: u64,
    /// As in a row.
    pub group: u64,
    /// As in a row.
    pub time_ms: i64,
}

/// A stretch of the kept list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Run {
    /// Messages `from..=to` of the log.
    Messages {
        /// First `seq`.
        from: u64,
        /// Last `seq`.
        to: u64,
        /// Their tokens.
        tokens: u64,
        /// Tokens of the log before `from`.
        before: u64,
    },
    /// One exception.
    Item(Item),
}

impl Run {
    fn len(&self) -> u64 {
        match self {
            Self::Messages { from, to, .. } => to.saturating_add(1).saturating_sub(*from),
            Self::Item(_) => 1,
        }
    }

    fn tokens(&self) -> u64 {
        match self {
            Self::Messages { tokens, .. } => *tokens,
            Self::Item(item) => u64::from(item.tokens),
        }
    }

    /// The last `seq` that lies in this run or before it.
    fn end(&self) -> u64 {
        match self {
            Self::Messages { to, .. } => *to,
            Self::Item(item) if item.kind == ItemKind::Summary => item.to.max(item.at),
            Self::Item(item) => item.at,
        }
    }
}

/// One item of the kept list, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What it is.
    pub kind: ItemKind,
    /// First message that it stands for.
    pub from: u64,
    /// Last message that it stands for.
    pub to: u64,
    /// First version of the record that holds its body.
    pub version: u64,
    /// Which body of that record; none for the body of message `from`.
    pub slot: Option<u32>,
    /// Tokens of what is shown.
    pub tokens: u32,
    /// Role as it counts.
    pub role: Role,
    /// Classes of its parts.
    pub kinds: Kinds,
    /// As in a row.
    pub flags: Flags,
    /// As in a row.
    pub turn: u64,
    /// As in a row.
    pub group: u64,
    /// As in a row.
    pub time_ms: i64,
}

impl Cell {
    /// A user message that carries no results.
    #[must_use]
    pub fn is_user(&self) -> bool {
        self.role == Role::User
            && !self.flags.has(Flags::RESULTS)
            && matches!(self.kind, ItemKind::Message | ItemKind::Edit)
    }

    /// A system or developer message.
    #[must_use]
    pub fn is_system(&self) -> bool {
        matches!(self.role, Role::System | Role::Developer)
    }
}

impl From<&Item> for Cell {
    fn from(item: &Item) -> Self {
        Self {
            kind: item.kind,
            from: item.from,
            to: item.to,
            version: item.version,
            slot: Some(item.slot),
            tokens: item.tokens,
            role: item.role,
            kinds: item.kinds,
            flags: item.flags,
            turn: item.turn,
            group: item.group,
            time_ms: item.time_ms,
        }
    }
}

/// Sums of all that stands before a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Before {
    tokens: u64,
    items: u64,
}

/// The kept list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    runs: Vec<Run>,
    before: Vec<Before>,
    total: Before,
    /// Late results, which are not where their number says: message and run, ascending.
    late: Vec<(u64, usize)>,
}

impl Kept {
    /// The list of these runs.
    #[must_use]
    pub fn from_runs(runs: Vec<Run>) -> Self {
        let mut kept = Self::default();
        for run in runs {
            kept.push_run(run);
        }
        kept
    }

    /// Its runs.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.total.items
    }

    /// True when nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total.items == 0
    }

    /// Tokens of all items.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.total.tokens
    }

    fn push_run(&mut self, run: Run) {
        self.before.push(self.total);
        if let Some(seq) = late_seq(&run) {
            let at = (seq, self.runs.len());
            self.late.insert(self.late.partition_point(|late| *late < at), at);
        }
        self.total.tokens = self.total.tokens.saturating_add(run.tokens());
        self.total.items = self.total.items.saturating_add(run.len());
        self.runs.push(run);
    }

    /// Appends an exception.
    pub fn push_item(&mut self, item: Item) {
        self.push_run(Run::Item(item));
    }

    /// Appends messages `from..=to`; `before` are the log's tokens before `from`.
    pub fn push_messages(&mut self, from: u64, to: u64, tokens: u64, before: u64) {
        if to < from {
            return;
        }
        match self.runs.last_mut() {
            Some(Run::Messages { to: last, tokens: sum, .. }) if *last + 1 == from => {
                *last = to;
                *sum += tokens;
                self.total.tokens += tokens;
                self.total.items += to + 1 - from;
            }
            _ => self.push_run(Run::Messages { from, to, tokens, before }),
        }
    }

    /// Appends a message as its entry says, with the repairs that it brings; `before` are the log's tokens before it.
    pub fn push_appended(&mut self, entry: &Appended, before: u64) {
        for repair in &entry.repairs {
            self.push_item(repair.clone());
        }
        match &entry.placed {
            Placed::Whole => self.push_messages(entry.seq, entry.seq, u64::from(entry.tokens), before),
            Placed::Edited(item) => self.push_item(item.clone()),
            Placed::Out => {}
        }
    }

    /// The run of a position and the position's distance from the run's start.
    fn locate(&self, position: u64) -> Option<(&Run, Before, u64)> {
        if position >= self.total.items {
            return None;
        }
        let at = self.before.partition_point(|b| b.items <= position).checked_sub(1)?;
        let before = *self.before.get(at)?;
        Some((self.runs.get(at)?, before, position - before.items))
    }

    /// The item at a position.
    ///
    /// # Errors
    /// [`Error::Need`] for an index chunk.
    pub fn cell(&self, position: u64, index: &Index) -> Result<Cell> {
        let Some((run, _, offset)) = self.locate(position) else {
            return Err(Error::corrupt(format!("no item {position} in the kept list")));
        };
        match run {
            Run::Item(item) => Ok(Cell::from(item)),
            Run::Messages { from, .. } => message_cell(from + offset, index),
        }
    }

    /// The exception at a position; nothing for a message.
    #[must_use]
    pub fn item_at(&self, position: u64) -> Option<&Item> {
        match self.locate(position)? {
            (Run::Item(item), _, _) => Some(item),
            (Run::Messages { .. }, _, _) => None,
        }
    }

    /// Tokens of the items before a position (of all, for the length).
    ///
    /// # Errors
    /// [`Error::Need`] for an index chunk.
    pub fn tokens_before(&self, position: u64, index: &Index) -> Result<u64> {
        match self.locate(position) {
            None => Ok(self.total.tokens),
            Some((Run::Messages { from, before, .. }, start, offset)) if offset > 0 => {
                Ok(start.tokens + index.tokens_before(from + offset)?.saturating_sub(*before))
            }
            Some((_, start, _)) => Ok(start.tokens),
        }
    }

    /// Tokens of the items `from..to`.
    ///
    /// # Errors
    /// [`Error::Need`] for an index chunk.
    pub fn tokens_between(&self, from: u64, to: u64, index: &Index) -> Result<u64> {
        Ok(self.tokens_before(to, index)?.saturating_sub(self.tokens_before(from, index)?))
    }

    /// The first position that has at least `tokens` before it; the length if there is none.
    ///
    /// # Errors
    /// [`Error::Need`] for an index chunk.
    pub fn position_at(&self, tokens: u64, index: &Index) -> Result<u64> {
        if tokens == 0 {
            return Ok(0);
        }
        let Some(at) = self.before.partition_point(|b| b.tokens < tokens).checked_sub(1) else { return Ok(0) };
        let (Some(run), Some(start)) = (self.runs.get(at), self.before.get(at)) else { return Ok(self.len()) };
        match run {
            Run::Messages { from, to, before, .. } => {
                let wanted = before + (tokens - start.tokens);
                Ok(start.items + index.seek(wanted, *from, *to)? - from)
            }
            Run::Item(_) => Ok(start.items + 1),
        }
    }

    /// The first position whose message is `seq` or a later one.
    #[must_use]
    pub fn lower_bound(&self, seq: u64) -> u64 {
        let at = self.runs.partition_point(|run| run.end() < seq);
        match (self.runs.get(at), self.before.get(at)) {
            (Some(Run::Messages { from, .. }), Some(start)) => start.items + seq.saturating_sub(*from),
            (Some(Run::Item(_)), Some(start)) => start.items,
            _ => self.len(),
        }
    }

    /// Positions behind `from` up to `to`, newest first, whose item may follow another one than it did in the log.
    pub fn joints(&self, from: u64, to: u64) -> impl Iterator<Item = u64> + '_ {
        let (first, end) =
            (self.before.partition_point(|b| b.items <= from), self.before.partition_point(|b| b.items <= to));
        (first.max(1)..end).rev().filter_map(move |at| {
            let (previous, run) = (self.runs.get(at - 1)?, self.runs.get(at)?);
            let made = is_summary(previous) || is_summary(run);
            (made || previous.end() + 1 != run_start(run)).then_some(self.before.get(at)?.items)
        })
    }

    /// The position of message `seq`, untouched, edited or late.
    #[must_use]
    pub fn find(&self, seq: u64) -> Option<u64> {
        let first = self.runs.partition_point(|run| run.end() < seq);
        let near = self.runs.iter().zip(&self.before).skip(first).take_while(|(run, _)| run_start(run) <= seq);
        let found = near.filter_map(|(run, start)| holds(run, seq).map(|offset| start.items + offset)).next();
        // A late result stands with its call, far before its own place in the log.
        found.or_else(|| {
            let (_, run) =
                self.late.get(self.late.partition_point(|(late, _)| *late < seq)).filter(|late| late.0 == seq)?;
            self.before.get(*run).map(|start| start.items)
        })
    }

    /// The summary that stands for message `seq`.
    #[must_use]
    pub fn summary_of(&self, seq: u64) -> Option<&Item> {
        let first = self.runs.partition_point(|run| run.end() < seq);
        self.runs.iter().skip(first).take_while(|run| run_start(run) <= seq).find_map(|run| match run {
            Run::Item(i) if i.kind == ItemKind::Summary && (i.from..=i.to).contains(&seq) => Some(i),
            _ => None,
        })
    }

    /// The repair of a call: its position in the list.
    #[must_use]
    pub fn find_repair(&self, seq: u64, call: u32) -> Option<u64> {
        let first = self.runs.partition_point(|run| run.end() < seq);
        let mut behind = self.runs.iter().zip(&self.before).skip(first);
        behind.find_map(|(run, start)| match run {
            Run::Item(i) if i.kind == ItemKind::Repair && i.from == seq && i.call == call => Some(start.items),
            _ => None,
        })
    }

    /// Appends the items `from..to` of another list.
    ///
    /// # Errors
    /// [`Error::Need`] for an index chunk.
    pub fn extend_from(&mut self, other: &Kept, from: u64, to: u64, index: &Index) -> Result<()> {
        let first = other.before.partition_point(|b| b.items <= from).saturating_sub(1);
        for (run, start) in other.runs.iter().zip(&other.before).skip(first) {
            if start.items >= to {
                break;
            }
            match run {
                Run::Item(item) if start.items >= from => self.push_item(item.clone()),
                Run::Item(_) => {}
                Run::Messages { from: seq, tokens, before, .. }
                    if start.items >= from && start.items + run.len() <= to =>
                {
                    self.push_messages(*seq, run.end(), *tokens, *before);
                }
                Run::Messages { from: seq, .. } => {
                    let first = seq + from.saturating_sub(start.items);
                    let last = run.end().min(seq + (to - start.items) - 1);
                    if first <= last {
                        let before = index.tokens_before(first)?;
                        self.push_messages(first, last, index.tokens_before(last + 1)? - before, before);
                    }
                }
            }
        }
        Ok(())
    }

    /// The items that stand in these spans of positions, which ascend.
    ///
    /// # Errors
    /// [`Error::Need`] for an index chunk.
    pub fn slice(&self, spans: &[(u64, u64)], index: &Index) -> Result<Kept> {
        let mut kept = Kept::default();
        for (from, to) in spans {
            kept.extend_from(self, *from, *to, index)?;
        }
        Ok(kept)
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.runs.capacity() * (size_of::<Run>() + size_of::<Before>())
            + self.late.capacity() * size_of::<(u64, usize)>()
    }
}

fn late_seq(run: &Run) -> Option<u64> {
    match run {
        Run::Item(item) if item.kind == ItemKind::Late => Some(item.from),
        _ => None,
    }
}

fn is_summary(run: &Run) -> bool {
    matches!(run, Run::Item(item) if item.kind == ItemKind::Summary)
}

fn run_start(run: &Run) -> u64 {
    match run {
        Run::Messages { from, .. } => *from,
        Run::Item(item) => item.from.min(item.at),
    }
}

fn holds(run: &Run, seq: u64) -> Option<u64> {
    match run {
        Run::Messages { from, to, .. } if (*from..=*to).contains(&seq) => Some(seq - from),
        Run::Item(item) if matches!(item.kind, ItemKind::Edit | ItemKind::Late) && item.from == seq => Some(0),
        _ => None,
    }
}

fn message_cell(seq: u64, index: &Index) -> Result<Cell> {
    let row = index.row(seq)?;
    Ok(Cell {
        kind: ItemKind::Message,
        from: seq,
        to: seq,
        version: row.version,
        slot: None,
        tokens: row.tokens,
        role: row.role,
        kinds: row.kinds,
        flags: row.flags,
        turn: row.turn,
        group: row.group,
        time_ms: row.time_ms,
    })
}
