//! `skip_parts`: parts of some kinds are left out of closed turns, then messages that are left empty.
//!
//! A call and its result go together, and what leads to a call goes with it: thinking that no call follows is refused by
//! providers.

use std::collections::HashSet;

use super::cut::{cut, Limit};
use super::fields::{wrong, Fields};
use super::work::Change;
use super::{Strategy, Work};
use crate::edit;
use crate::error::{Error, Result};
use crate::kept::{Cell, ItemKind};
use crate::message::{Class, Kinds, Link, Outline};

pub(super) const KEYS: &[&str] = &["kinds", "limit"];

const KINDS: [&str; 2] = ["tool", "reasoning"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SkipParts {
    kinds: Vec<String>,
    limit: Option<Limit>,
}

impl SkipParts {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self> {
        let kinds = fields.names("kinds")?.unwrap_or_else(|| KINDS.map(str::to_owned).to_vec());
        if kinds.is_empty() {
            return Err(wrong("kinds", "at least one type prefix or class"));
        }
        Ok(Self { kinds, limit: Limit::parse(fields)? })
    }

    fn matches(&self, class: Class, kind: &str) -> bool {
        self.kinds.iter().any(|prefix| class.name().starts_with(prefix.as_str()) || kind.starts_with(prefix.as_str()))
    }

    /// The message may hold parts that match, as far as its columns tell.
    fn may_match(&self, kinds: Kinds) -> bool {
        self.kinds.iter().any(|prefix| match prefix.as_str() {
            "reasoning" => kinds.has(Kinds::REASONING),
            "tool" => [Kinds::TOOL_CALL, Kinds::TOOL_RESULT, Kinds::OTHER].into_iter().any(|kind| kinds.has(kind)),
            _ => true,
        })
    }

    /// What becomes of the items of closed turns.
    fn changes(&self, work: &Work<'_>) -> Result<Vec<(u64, Change)>> {
        let list = work.list();
        let head = work.due.head;
        let Some(open_turn) = list.turn_of(work.len() - 1, head)? else { return Ok(Vec::new()) };
        let protected = work.protected()?;
        let mut groups: Vec<Group> = Vec::new();
        let mut at = head;
        while at < open_turn {
            let end = list.unit_end(at)?.min(open_turn);
            let cells: Vec<Cell> = (at..end).map(|position| work.cell(position)).collect::<Result<_>>()?;
            let touched = (at..end)
                .zip(&cells)
                .any(|(position, cell)| protected.holds_item(position, cell) || cell.kind == ItemKind::Summary);
            if !touched && cells.iter().any(|cell| self.may_match(cell.kinds)) {
                groups.push(Group { first: at, opens: list.is_turn_start(at)?, cells });
            }
            at = end;
        }
        let cells: Vec<Cell> = groups.iter().flat_map(|group| group.cells.iter().copied()).collect();
        let mut bodies = work.read(&cells)?.into_iter();
        let mut changes = Vec::new();
        for group in groups {
            let outlines: Option<Vec<Outline<'_>>> = bodies.by_ref().take(group.cells.len()).map(Outline::of).collect();
            let outlines = outlines.ok_or_else(|| Error::corrupt("a stored message is invalid"))?;
            changes.extend(self.changes_of(work, &group, &outlines)?);
        }
        Ok(changes)
    }

    /// What becomes of one group.
    fn changes_of(&self, work: &Work<'_>, group: &Group, outlines: &[Outline<'_>]) -> Result<Vec<(u64, Change)>> {
        let skipped = self.skipped(outlines);
        let unpaired = outlines.iter().zip(&skipped).all(|(outline, skipped)| {
            let stays = |part: usize| !skipped.contains(&u32::try_from(part).unwrap_or(u32::MAX));
            outline.links().iter().enumerate().all(|(part, link)| link.is_none() || !stays(part))
        });
        let mut changes = Vec::new();
        let items = group.cells.iter().zip(outlines).zip(&skipped).zip(group.first..);
        for (((cell, outline), skipped), position) in items.filter(|(((_, _), skipped), _)| !skipped.is_empty()) {
            let is_whole = outline.whole.is_some() || skipped.len() == outline.slots.len();
            let body = edit::without_parts(outline.text.as_bytes(), skipped);
            if is_whole || !Outline::of(&body).is_some_and(|left| left.has_content) {
                // What opens a turn stays as it is: its answers follow it.
                let opens = group.opens && position == group.first;
                changes.extend((!opens).then_some((position, Change::Drop)));
                continue;
            }
            let change = match work.shorten(position, cell, body)? {
                // Without calls and results nothing holds these messages together.
                Change::Edit { mut item, body, saved } if unpaired => {
                    item.group = item.from;
                    Change::Edit { item, body, saved }
                }
                other => other,
            };
            changes.push((position, change));
        }
        // Calls and results leave together, so either all changes are made or, where they save nothing, none.
        let saves = changes.iter().any(|(_, change)| matches!(change, Change::Drop) || change.saved() > 0);
        Ok(if saves { changes } else { Vec::new() })
    }

    /// The parts of each message that leave.
    fn skipped(&self, outlines: &[Outline<'_>]) -> Vec<Vec<u32>> {
        let kind = |outline: &Outline<'_>, part: usize| {
            let slot = outline.slots.get(part).and_then(|slot| slot.object.as_ref());
            slot.and_then(|object| object.text("type")).unwrap_or_default().into_owned()
        };
        let matched = |outline: &Outline<'_>, part: usize, class: Class| self.matches(class, &kind(outline, part));
        let mut pairs = Pairs::default();
        for outline in outlines {
            for (part, (class, link)) in outline.classes.iter().zip(outline.links()).enumerate() {
                if let Some(link) = link {
                    pairs.add(&link, matched(outline, part, *class));
                }
            }
        }
        let leads_nowhere = pairs.all_leave();
        let leaves = |outline: &Outline<'_>, part: usize, class: Class, link: Option<&Link>| match link {
            Some(link) => pairs.leaves(link),
            None if class == Class::Reasoning && leads_nowhere => true,
            None if leads_nowhere && kind(outline, part).contains("approval") => true,
            None => matched(outline, part, class),
        };
        let parts = |outline: &Outline<'_>| -> Vec<u32> {
            let all = outline.classes.iter().zip(outline.links()).enumerate();
            let leaving = all.filter(|(part, (class, link))| leaves(outline, *part, **class, link.as_ref()));
            leaving.filter_map(|(part, _)| u32::try_from(part).ok()).collect()
        };
        outlines.iter().map(parts).collect()
    }
}

impl Strategy for SkipParts {
    fn run(&self, work: &mut Work<'_>) -> Result<()> {
        let changes = self.changes(work)?;
        if !changes.is_empty() {
            work.apply(changes)?;
        }
        cut(work, self.limit, 0)
    }
}

/// Items that stand and leave together.
struct Group {
    first: u64,
    /// Its first item opens a turn.
    opens: bool,
    cells: Vec<Cell>,
}

/// Calls and results of a group, and which of them leave.
#[derive(Default)]
struct Pairs {
    calls: HashSet<String>,
    results: HashSet<String>,
    leaving: HashSet<String>,
    any_leaves: bool,
    without_id: bool,
}

impl Pairs {
    fn add(&mut self, link: &Link, leaves: bool) {
        self.any_leaves |= leaves;
        let Some(id) = &link.id else {
            self.without_id = true;
            return;
        };
        if leaves {
            self.leaving.insert(id.clone());
        }
        let side = if link.is_call { &mut self.calls } else { &mut self.results };
        side.insert(id.clone());
    }

    /// Ids don't tell which result answers which call: all leave, or none.
    fn is_one(&self) -> bool {
        self.without_id || !self.results.is_subset(&self.calls)
    }

    fn leaves(&self, link: &Link) -> bool {
        if self.is_one() {
            return self.any_leaves;
        }
        link.id.as_ref().is_some_and(|id| self.leaving.contains(id))
    }

    /// There were calls, and none stays.
    fn all_leave(&self) -> bool {
        self.any_leaves && (self.is_one() || self.calls.is_subset(&self.leaving))
    }
}
