//! Cutting the list by number and by tokens at a valid place: what strategies share where their own means end.

use super::common::Overflow;
use super::fields::Fields;
use super::Work;
use crate::error::Result;
use crate::view::{List, Span};

/// At most so many messages beside head and pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub messages: u64,
    /// They leave in steps of so many.
    pub chunk: u64,
}

impl Limit {
    /// The key `limit`, if it is set.
    pub(super) fn parse(fields: &mut Fields) -> Result<Option<Self>> {
        let messages = fields.integer("limit", 1, u64::from(u32::MAX))?;
        Ok(messages.map(|messages| Self { messages, chunk: (messages / 4).max(1) }))
    }
}

/// Cuts the list: to the limit, and, where tokens were over the trigger, down to the target by the overflow rule. At least
/// `messages_min` stay beside head and pins.
pub(super) fn cut(work: &mut Work<'_>, limit: Option<Limit>, messages_min: u64) -> Result<()> {
    let due = work.due;
    let list = work.list();
    let pins = list.pinned(due.head)?;
    let area = Area { list, head: due.head, pinned: List::merge(pins.concat()) };
    let mut wanted = limit.map_or(due.head, |limit| area.by_number(limit));
    if due.over_trigger && due.overflow == Overflow::Drop && list.kept.tokens() > due.target {
        wanted = wanted.max(area.by_tokens(due.target)?);
    }
    if wanted <= due.head {
        return Ok(());
    }
    let messages = limit.map_or(u64::MAX, |limit| limit.messages);
    let mut found = area.valid_cut(wanted, messages, due.target)?;
    if messages_min > 0 {
        found = area.not_behind(found, area.leaving(messages_min))?;
    }
    if let Some((opener, cut)) = found {
        let spans = list.spans(due.head, &pins, opener, cut);
        work.keep(&spans)?;
    }
    Ok(())
}

/// The list, and what may not be dropped of it.
pub(super) struct Area<'a> {
    pub list: List<'a>,
    pub head: u64,
    /// Spans of pins, merged.
    pub pinned: Vec<Span>,
}

impl Area<'_> {
    /// Items beside head and pins.
    fn others(&self) -> u64 {
        let pinned: u64 = self.pinned.iter().map(|(from, to)| to - from).sum();
        (self.list.kept.len() - self.head).saturating_sub(pinned)
    }

    /// The position before which there are `count` items beside head and pins.
    fn behind(&self, count: u64) -> u64 {
        let mut position = self.head + count;
        // What is pinned before it stays, so it lies that much further.
        for (from, to) in self.pinned.iter().filter(|_| count > 0) {
            position += if *from < position { to - from } else { 0 };
        }
        position.min(self.list.kept.len())
    }

    /// The last position that leaves `count` items beside head and pins.
    pub(super) fn leaving(&self, count: u64) -> u64 {
        self.behind(self.others().saturating_sub(count))
    }

    /// Where the list is to be cut for its number of messages: whole chunks go, from the oldest on.
    fn by_number(&self, limit: Limit) -> u64 {
        let over = self.others().saturating_sub(limit.messages);
        self.behind(over.div_ceil(limit.chunk) * limit.chunk)
    }

    /// Where the list is to be cut so that head, pins and the rest come down to the target.
    fn by_tokens(&self, target: u64) -> Result<u64> {
        let (kept, index) = (self.list.kept, self.list.index);
        let mut behind = kept.tokens().saturating_sub(target) + kept.tokens_between(0, self.head, index)?;
        let mut cut = kept.position_at(behind, index)?;
        for (from, to) in &self.pinned {
            if *from < cut {
                behind += kept.tokens_between(*from, *to, index)?;
                cut = kept.position_at(behind, index)?;
            }
        }
        Ok(cut)
    }

    /// The cut at or after `wanted`: the next turn, or, in a turn that is too large alone, the next group behind its
    /// opening message. None where nothing can leave.
    fn valid_cut(&self, wanted: u64, limit: u64, target: u64) -> Result<Option<(Option<u64>, u64)>> {
        let (list, head) = (self.list, self.head);
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
        // The opening message stays as well, so one more has to go, which is no pin.
        let more = self.pinned.iter().fold(wanted, |at, (from, to)| if *from <= at && at < *to { *to } else { at });
        let unit = list.next_unit(more.min(last) + 1)?.min(newest);
        if next.is_some_and(|next| next <= unit) {
            // Nothing else of the turn would stay.
            return Ok(next.map(|at| (None, at)));
        }
        if unit <= opener + 1 {
            return Ok((opener > head).then_some((None, opener)));
        }
        Ok(Some((Some(opener), unit)))
    }

    /// The cut, or the last one that is not behind `most`.
    fn not_behind(&self, found: Option<(Option<u64>, u64)>, most: u64) -> Result<Option<(Option<u64>, u64)>> {
        // An opening message that stays counts as one of those that stay.
        if found.is_none_or(|(opener, cut)| cut <= most + u64::from(opener.is_some())) {
            return Ok(found);
        }
        let last = self.list.kept.len() - 1;
        let start = self.list.turn_of(most.min(last), self.head)?;
        Ok(start.filter(|start| *start > self.head).map(|start| (None, start)))
    }
}
