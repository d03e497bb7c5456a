//! `last_n`: at most `limit` messages beside head and pins, dropped in steps of `chunk`.

use super::common::Fields;
use super::{Due, Strategy};
use crate::error::Result;
use crate::state::State;
use crate::view::{List, Span};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LastN {
    limit: u64,
    chunk: u64,
}

impl LastN {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self> {
        let limit = fields.integer("limit", 1, u64::from(u32::MAX))?.ok_or_else(|| Fields::missing("limit"))?;
        let chunk = fields.integer("chunk", 1, limit)?.unwrap_or((limit / 4).max(1));
        Ok(Self { limit, chunk })
    }

    /// Where the list is to be cut for its number of messages: whole chunks go, from the oldest on.
    fn by_number(&self, due: &Due<'_>, pinned: &[Span]) -> u64 {
        let list = due.state.list();
        let pinned_items: u64 = pinned.iter().map(|(from, to)| to - from).sum();
        let others = (list.kept.len() - due.head).saturating_sub(pinned_items);
        let over = others.saturating_sub(self.limit);
        let mut cut = due.head + over.div_ceil(self.chunk) * self.chunk;
        // What is pinned before the cut stays, so the cut lies that much further.
        for (from, to) in pinned.iter().filter(|_| over > 0) {
            cut += if *from < cut { to - from } else { 0 };
        }
        cut.min(list.kept.len())
    }

    /// Where the list is to be cut so that head, pins and the rest come down to the target.
    fn by_tokens(due: &Due<'_>, pinned: &[Span]) -> Result<u64> {
        let list = due.state.list();
        let (kept, index) = (list.kept, list.index);
        let mut behind = kept.tokens().saturating_sub(due.target) + kept.tokens_between(0, due.head, index)?;
        let mut cut = kept.position_at(behind, index)?;
        for (from, to) in pinned {
            if *from < cut {
                behind += kept.tokens_between(*from, *to, index)?;
                cut = kept.position_at(behind, index)?;
            }
        }
        Ok(cut)
    }
}

impl Strategy for LastN {
    fn run(&self, due: &Due<'_>) -> Result<Option<Vec<Span>>> {
        let list = due.state.list();
        let pins = list.pinned(due.head)?;
        let pinned = List::merge(pins.concat());
        let mut wanted = self.by_number(due, &pinned);
        if due.over_trigger {
            wanted = wanted.max(Self::by_tokens(due, &pinned)?);
        }
        if wanted <= due.head {
            return Ok(None);
        }
        let cut = valid_cut(list, due.head, wanted, self.limit, due.target)?;
        Ok(cut.map(|(opener, cut)| list.spans(due.head, &pins, opener, cut)))
    }

    fn is_due(&self, state: &State) -> Result<bool> {
        let head = if state.policy.common.keep_system { state.list().head()? } else { 0 };
        if state.kept.len().saturating_sub(head) <= self.limit {
            return Ok(false);
        }
        let pinned = List::merge(state.list().pinned(head)?.concat());
        let pinned: u64 = pinned.iter().map(|(from, to)| to - from).sum();
        Ok((state.kept.len() - head).saturating_sub(pinned) > self.limit)
    }
}

/// The cut at or after `wanted`: the next turn, or, in a turn that is too large alone, the next group behind its opening
/// message. None where nothing can leave.
fn valid_cut(list: List<'_>, head: u64, wanted: u64, limit: u64, target: u64) -> Result<Option<(Option<u64>, u64)>> {
    let last = list.kept.len() - 1;
    let wanted = wanted.min(last);
    let Some(opener) = list.turn_of(wanted, head)? else {
        return Ok(list.next_turn(wanted)?.map(|at| (None, at)));
    };
    if opener == wanted {
        return Ok((opener > head).then_some((None, opener)));
    }
    let next = list.next_turn(wanted)?;
    let end = next.unwrap_or(list.kept.len());
    let too_large = end - opener > limit || list.kept.tokens_between(opener, end, list.index)? > target;
    if next.is_some() && !too_large {
        return Ok(next.map(|at| (None, at)));
    }
    let newest = list.unit_start(last)?;
    // The opening message stays as well, so one more has to go.
    let unit = list.next_unit(wanted + 1)?.min(newest);
    if unit <= opener + 1 {
        return Ok((opener > head).then_some((None, opener)));
    }
    Ok(Some((Some(opener), unit)))
}
