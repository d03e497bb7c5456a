//! A strategy that the caller brings: it gets columns of the list, and answers with what leaves and what is stripped.
//!
//! What it answers is held to the rules: a group of calls and results leaves as a whole or not at all, the message that opens
//! a turn leaves with the last of its answers, and head, pins and newest group stay.

use std::collections::HashSet;

use super::strip::{has_results, known, results, strip, PLACEHOLDER};
use super::work::{Change, Protected};
use super::{Strategy, Work};
use crate::config::PolicyConfig;
use crate::error::{Error, Result};
use crate::index::Flags;
use crate::kept::{Cell, ItemKind};
use crate::view::{List, Span};

/// What a custom policy sees: a column each, one value an item of the kept list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// Its strategy.
    pub strategy: String,
    /// Its configuration, a JSON object.
    pub config: String,
    /// The budget that its shares are taken of.
    pub budget: u64,
    /// Tokens above which it runs.
    pub trigger: u64,
    /// Tokens that it is to bring the list down to.
    pub target: u64,
    /// Message, or first message that it stands for.
    pub seqs: Vec<u64>,
    /// Last message that it stands for.
    pub to_seqs: Vec<u64>,
    /// [`ItemKind`], by number.
    pub items: Vec<u8>,
    /// Role, by number.
    pub roles: Vec<u8>,
    /// Classes of its parts, as bits.
    pub kinds: Vec<u16>,
    /// Tokens of what is shown.
    pub tokens: Vec<u32>,
    /// Time, ms since 1970.
    pub times_ms: Vec<i64>,
    /// The user message that opens its turn.
    pub turns: Vec<u64>,
    /// First message of its group.
    pub groups: Vec<u64>,
    /// 1 for what is pinned.
    pub pinned: Vec<u8>,
    /// 1 for what the policy can't touch.
    pub protected: Vec<u8>,
}

/// What a custom policy decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Messages that leave.
    pub drop: HashSet<u64>,
    /// Messages whose tool results give way to a placeholder.
    pub strip: HashSet<u64>,
}

/// A custom strategy: its name and its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Custom(PolicyConfig);

impl Custom {
    pub(super) fn new(given: &PolicyConfig) -> Self {
        Self(given.clone())
    }

    fn columns(&self, work: &Work<'_>) -> Result<Columns> {
        let protected = work.protected()?;
        let mut columns = Columns {
            strategy: self.0.strategy.clone(),
            config: self.0.config.clone(),
            budget: work.due.budget,
            trigger: work.due.trigger,
            target: work.due.target,
            ..Columns::default()
        };
        for position in 0..work.len() {
            let cell = work.cell(position)?;
            columns.push(&cell, protected.holds_item(position, &cell));
        }
        Ok(columns)
    }
}

impl Columns {
    fn push(&mut self, cell: &Cell, protected: bool) {
        self.seqs.push(cell.from);
        self.to_seqs.push(cell.to);
        self.items.push(cell.kind as u8);
        self.roles.push(cell.role as u8);
        self.kinds.push(cell.kinds.0);
        self.tokens.push(cell.tokens);
        self.times_ms.push(cell.time_ms);
        self.turns.push(cell.turn);
        self.groups.push(cell.group);
        self.pinned.push(u8::from(cell.flags.has(Flags::PINNED)));
        self.protected.push(u8::from(protected));
    }
}

impl Strategy for Custom {
    fn run(&self, work: &mut Work<'_>) -> Result<()> {
        let Some(decision) = work.decision else {
            return Err(Error::Consult(Box::new(self.columns(work)?)));
        };
        let protected = work.protected()?;
        let edits = stripped(work, &decision.strip, &protected)?;
        let spans = staying(work, &decision.drop, &protected)?;
        if !edits.is_empty() {
            work.apply(edits)?;
        }
        if spans.iter().map(|(from, to)| to - from).sum::<u64>() < work.len() {
            work.keep(&spans)?;
        }
        Ok(())
    }
}

/// The edits of the messages whose results are stripped.
fn stripped(work: &Work<'_>, seqs: &HashSet<u64>, protected: &Protected) -> Result<Vec<(u64, Change)>> {
    let mut found: Vec<(u64, Cell)> = Vec::new();
    for position in 0..work.len() {
        let cell = work.cell(position)?;
        if seqs.contains(&cell.from) && has_results(&cell) && !protected.holds_item(position, &cell) {
            found.push((position, cell));
        }
    }
    let cells: Vec<Cell> = found.iter().map(|(_, cell)| *cell).collect();
    let mut edits = Vec::new();
    for ((position, cell), body) in found.iter().zip(work.read(&cells)?) {
        let message = known(body, cell)?;
        let edit = strip(work, *position, cell, body, (&results(&message), PLACEHOLDER))?;
        edits.extend(edit.map(|edit| (*position, edit)));
    }
    Ok(edits)
}

/// The spans that stay: whole groups, and with what stays of a turn the message that opens it.
fn staying(work: &Work<'_>, dropped: &HashSet<u64>, protected: &Protected) -> Result<Vec<Span>> {
    let list = work.list();
    let mut spans: Vec<Span> = Vec::new();
    // The opening message that was dropped, while nothing of its turn has stayed yet.
    let mut opener: Option<u64> = None;
    let mut position = 0;
    while position < work.len() {
        let end = list.unit_end(position)?;
        let mut stays = false;
        for at in position..end {
            let cell = work.cell(at)?;
            // A repair goes with its call, which stands before it.
            let is_named = dropped.contains(&cell.from) && cell.from <= cell.to || cell.kind == ItemKind::Repair;
            stays |= !is_named || protected.holds_item(at, &cell);
        }
        let cell = work.cell(position)?;
        if list.is_turn_start(position)? {
            opener = (!stays).then_some(position);
        } else if stays && !cell.is_system() {
            spans.extend(opener.take().filter(|_| !cell.is_user()).map(|at| (at, at + 1)));
        }
        if stays && cell.is_user() {
            opener = None;
        }
        if stays {
            spans.push((position, end));
        }
        position = end;
    }
    Ok(List::merge(spans))
}
