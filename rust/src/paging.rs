//! Pages of the log: replay from any message on, and the tail from the newest backwards.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::fetched::Fetched;
use crate::format::Format;
use crate::render::Rendering;
use crate::spliced::Spliced;
use crate::state::State;

/// A `seq`, or one counted from the end: -1 is the last message.
fn from_end(seq: i64, state: &State, name: &str) -> Result<u64> {
    match u64::try_from(seq) {
        Ok(0) => Err(Error::field(name, "messages are numbered from 1; negative numbers count from the end")),
        Ok(seq) => Ok(seq),
        Err(_) => Ok((state.last_seq() + 1).saturating_sub(seq.unsigned_abs())),
    }
}

impl Context {
    /// A page of the log: messages of the range from `cursor` on, without those that left by a rewind unless `all`.
    ///
    /// # Errors
    /// [`Error::UnknownContext`], [`Error::Invalid`], [`Error::Need`].
    pub fn replay_page(
        &mut self,
        range: (Option<i64>, Option<i64>),
        cursor: Option<u64>,
        limit: u64,
        all: bool,
        format: Format,
        fetched: &Fetched,
    ) -> Result<Page> {
        let state = self.state()?;
        let from = range.0.map_or(Ok(1), |seq| from_end(seq, state, "from_seq"))?.max(1);
        let to = range.1.map_or(Ok(state.last_seq()), |seq| from_end(seq, state, "to_seq"))?.min(state.last_seq());
        let mut seqs: Vec<u64> = Vec::new();
        let mut next = from.max(cursor.unwrap_or(1));
        while next <= to && (seqs.len() as u64) < limit {
            match state.hidden_until(next).filter(|_| !all) {
                Some(last) => next = last + 1,
                None => {
                    seqs.push(next);
                    next += 1;
                }
            }
        }
        while let Some(last) = state.hidden_until(next).filter(|_| !all) {
            next = last + 1;
        }
        let next = ("next_cursor", (next <= to).then_some(next));
        Ok(Page { items: self.page(&seqs, format, fetched)?, next })
    }

    /// A page from the newest message backwards: `offset` messages are passed over, `limit` follow in log order.
    ///
    /// # Errors
    /// [`Error::UnknownContext`], [`Error::Need`].
    pub fn tail_page(&mut self, offset: u64, limit: u64, format: Format, fetched: &Fetched) -> Result<Page> {
        let state = self.state()?;
        let mut seqs: Vec<u64> = Vec::new();
        let mut passed = 0;
        let mut seq = state.last_seq();
        while seq > 0 && (seqs.len() as u64) < limit {
            if let Some((from, _)) = state.hidden_range(seq) {
                seq = from - 1;
                continue;
            }
            if passed < offset {
                // Whole stretches without hidden messages are passed over at once.
                let floor = state.hidden.iter().rev().find(|(_, to)| *to < seq).map_or(0, |(_, to)| *to);
                let step = (offset - passed).min(seq - floor);
                passed += step;
                seq -= step;
                continue;
            }
            seqs.push(seq);
            seq -= 1;
        }
        while let Some((from, _)) = state.hidden_range(seq) {
            seq = from - 1;
        }
        seqs.reverse();
        let next = ("next_offset", (seq > 0 && !seqs.is_empty()).then_some(offset + seqs.len() as u64));
        Ok(Page { items: self.page(&seqs, format, fetched)?, next })
    }
}

/// Messages of the log, and where the next page begins.
#[derive(Debug)]
pub struct Page {
    items: Rendering,
    next: (&'static str, Option<u64>),
}

impl Page {
    /// The reply.
    #[must_use]
    pub fn reply(&self) -> Spliced<'_> {
        let mut reply = Spliced::default();
        reply.out().raw("{");
        self.items.write(&mut reply, false);
        let (name, next) = self.next;
        let out = reply.out().raw(",\"").raw(name).raw("\":");
        match next {
            Some(next) => out.number(next),
            None => out.raw("null"),
        };
        out.raw("}");
        reply
    }
}
