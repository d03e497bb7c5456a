//! `strip_tool_results`: older tool results are shown as a short placeholder; calls and ids stay.

use std::collections::{HashMap, HashSet};

use super::cut::{cut, Limit};
use super::fields::{Amount, Fields};
use super::strip::{has_results, known, least_tokens, results, strip, PLACEHOLDER};
use super::work::Change;
use super::{Strategy, Work};
use crate::config::share;
use crate::error::Result;
use crate::kept::Cell;
use crate::limits::TOKEN_BUDGET_MAX;
use crate::message::{Kinds, Message, ToolResult};

pub(super) const KEYS: &[&str] =
    &["keep_last", "keep_tokens", "clear_at_least", "exclude_tools", "limit", "placeholder"];

const KEEP_LAST: u64 = 3;
const KEEP_SHARE: f64 = 0.1;
const CLEAR_SHARE: f64 = 0.1;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct StripToolResults {
    keep_last: u64,
    keep_tokens: Option<u64>,
    clear_at_least: Amount,
    exclude_tools: HashSet<String>,
    limit: Option<Limit>,
    placeholder: String,
}

impl StripToolResults {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self> {
        Ok(Self {
            keep_last: fields.integer("keep_last", 0, u64::from(u32::MAX))?.unwrap_or(KEEP_LAST),
            keep_tokens: fields.integer("keep_tokens", 0, TOKEN_BUDGET_MAX)?,
            clear_at_least: fields.share_or_tokens("clear_at_least")?.unwrap_or(Amount::Share(CLEAR_SHARE)),
            exclude_tools: fields.names("exclude_tools")?.unwrap_or_default().into_iter().collect(),
            limit: Limit::parse(fields)?,
            placeholder: fields.text("placeholder")?.unwrap_or_else(|| PLACEHOLDER.to_owned()),
        })
    }

    /// The edits of all results that are neither among the newest nor excluded, in the order of the list.
    fn edits(&self, work: &Work<'_>) -> Result<Vec<(u64, Change)>> {
        let found = self.newest_first(work)?;
        let least = least_tokens(work, &self.placeholder);
        let is_read =
            |(at, (_, cell)): &(usize, &(u64, Cell))| u64::from(cell.tokens) > least || (*at as u64) < self.keep_last;
        let read: Vec<(u64, Cell)> = found.iter().enumerate().filter(is_read).map(|(_, found)| *found).collect();
        let cells: Vec<Cell> = read.iter().map(|(_, cell)| *cell).collect();
        let bodies: HashMap<u64, &[u8]> = read.iter().map(|(position, _)| *position).zip(work.read(&cells)?).collect();
        let protected = work.protected()?;
        let mut tools = Tools::default();
        let mut kept = KeptResults { last: self.keep_last, tokens: self.keep_tokens(work) };
        let mut edits = Vec::new();
        for (position, cell) in found {
            let Some(body) = bodies.get(&position) else {
                kept.keeps(cell.tokens);
                continue;
            };
            let message = known(body, &cell)?;
            let mut old: Vec<&ToolResult> = results(&message);
            // The newest of a message stand last in it.
            let newest = old.iter().rev().take_while(|result| kept.keeps(result.tokens)).count();
            old.truncate(old.len() - newest);
            if !self.exclude_tools.is_empty() && !old.is_empty() {
                tools.look_up(work, position)?;
                old.retain(|result| !tools.is_one_of(position, result, &self.exclude_tools));
            }
            if !old.is_empty() && !protected.holds_item(position, &cell) {
                let edit = strip(work, position, &cell, body, (&old, &self.placeholder))?;
                edits.extend(edit.map(|edit| (position, edit)));
            }
        }
        edits.sort_by_key(|(position, _)| *position);
        Ok(edits)
    }

    /// Messages with results, the newest first; a late result stands with its call, but counts by when it came.
    fn newest_first(&self, work: &Work<'_>) -> Result<Vec<(u64, Cell)>> {
        let mut found = Vec::new();
        for position in work.due.head..work.len() {
            let cell = work.cell(position)?;
            if has_results(&cell) {
                found.push((position, cell));
            }
        }
        found.sort_by_key(|(position, cell)| std::cmp::Reverse((cell.from, *position)));
        Ok(found)
    }

    fn keep_tokens(&self, work: &Work<'_>) -> u64 {
        self.keep_tokens.unwrap_or_else(|| share(work.due.budget, KEEP_SHARE))
    }
}

impl Strategy for StripToolResults {
    fn run(&self, work: &mut Work<'_>) -> Result<()> {
        let edits = self.edits(work)?;
        let freed: u64 = edits.iter().map(|(_, edit)| edit.saved()).sum();
        if freed > 0 && freed >= self.clear_at_least.tokens(work.due.budget) {
            work.apply(edits)?;
        }
        cut(work, self.limit, 0)
    }
}

/// What is left of the results that stay, counted from the newest.
struct KeptResults {
    last: u64,
    tokens: u64,
}

impl KeptResults {
    /// The next older result stays.
    fn keeps(&mut self, tokens: u32) -> bool {
        let fits = u64::from(tokens) <= self.tokens;
        // Once one doesn't fit, no older one does.
        self.tokens = if fits { self.tokens - u64::from(tokens) } else { 0 };
        let is_last = self.last > 0;
        self.last = self.last.saturating_sub(1);
        fits || is_last
    }
}

/// The tools that were called in a group, by id; those of calls without one beside them.
#[derive(Default)]
struct Called {
    by_id: HashMap<String, String>,
    without_id: HashSet<String>,
}

/// Which tool a result comes from, where it doesn't say so itself.
#[derive(Default)]
struct Tools {
    groups: HashMap<u64, Called>,
    start_of: HashMap<u64, u64>,
}

impl Tools {
    /// Reads the calls of the group that a position lies in.
    fn look_up(&mut self, work: &Work<'_>, position: u64) -> Result<()> {
        let start = work.list().unit_start(position)?;
        self.start_of.insert(position, start);
        if self.groups.contains_key(&start) {
            return Ok(());
        }
        let mut cells = Vec::new();
        for at in start..=position {
            cells.extend(Some(work.cell(at)?).filter(|cell| cell.kinds.has(Kinds::TOOL_CALL)));
        }
        let mut called = Called::default();
        for (cell, body) in cells.iter().zip(work.read(&cells)?) {
            let message: Message = known(body, cell)?;
            for call in message.calls {
                match (call.id, call.name) {
                    (Some(id), Some(name)) => drop(called.by_id.insert(id, name)),
                    (None, Some(name)) => drop(called.without_id.insert(name)),
                    (_, None) => {}
                }
            }
        }
        self.groups.insert(start, called);
        Ok(())
    }

    fn is_one_of(&self, position: u64, result: &ToolResult, tools: &HashSet<String>) -> bool {
        if let Some(name) = &result.name {
            return tools.contains(name);
        }
        let Some(called) = self.start_of.get(&position).and_then(|start| self.groups.get(start)) else { return false };
        match result.id.as_ref().and_then(|id| called.by_id.get(id)) {
            Some(name) => tools.contains(name),
            None => !called.without_id.is_disjoint(tools),
        }
    }
}
