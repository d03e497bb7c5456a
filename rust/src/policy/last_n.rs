//! `last_n`: at most `limit` messages beside head and pins, dropped in steps of `chunk`.

use super::cut::{cut, Limit};
use super::fields::Fields;
use super::{Look, Strategy, Work};
use crate::error::Result;
use crate::view::List;

pub(super) const KEYS: &[&str] = &["limit", "chunk"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LastN {
    limit: Limit,
}

impl LastN {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self> {
        let limit = Limit::parse(fields)?.ok_or_else(|| Fields::missing("limit"))?;
        let chunk = fields.integer("chunk", 1, limit.messages)?.unwrap_or(limit.chunk);
        Ok(Self { limit: Limit { chunk, ..limit } })
    }
}

impl Strategy for LastN {
    fn is_due(&self, look: &Look<'_>) -> Result<bool> {
        let list = look.list;
        if list.kept.len() <= self.limit.messages {
            return Ok(false);
        }
        let head = look.head()?;
        if list.kept.len().saturating_sub(head) <= self.limit.messages {
            return Ok(false);
        }
        let pinned = List::merge(list.pinned(head)?.concat());
        let pinned: u64 = pinned.iter().map(|(from, to)| to - from).sum();
        Ok((list.kept.len() - head).saturating_sub(pinned) > self.limit.messages)
    }

    fn run(&self, work: &mut Work<'_>) -> Result<()> {
        cut(work, Some(self.limit), 0)
    }
}
