//! What a compaction put in place of what, and whether it still stands as it was put there.

use crate::entry::{Compacted, Entry};
use crate::error::{Error, Result};
use crate::index::Index;
use crate::kept::{Item, ItemKind, Kept, Run};
use crate::record::StoredRecord;

/// A caller's compaction, with what it left.
#[derive(Debug)]
pub struct Standing {
    /// Its version.
    pub version: u64,
    /// Version of the rewrite before it.
    pub previous: u64,
    /// First and last message that it covered.
    pub range: (u64, u64),
    /// The list that it left.
    pub after: Kept,
    /// First version of its record, which marks the items that it made.
    first_version: u64,
}

/// Positions of a list, and the items there.
#[derive(Debug)]
pub struct Stretch {
    /// First position.
    pub first: u64,
    /// One behind the last position.
    pub last: u64,
    /// The items.
    pub items: Kept,
}

impl Stretch {
    /// Leaves `len` items, where those behind are repairs and late results alone: of calls that waited when it was put
    /// there, so they came with messages since.
    fn drop_results_behind(&mut self, len: u64, index: &Index) -> Result<()> {
        let is_result =
            |at: u64| self.items.item_at(at).is_some_and(|item| matches!(item.kind, ItemKind::Repair | ItemKind::Late));
        if len > 0 && (len..self.items.len()).all(is_result) {
            self.last = self.last.min(self.first + len);
            self.items = self.items.slice(&[(0, len)], index)?;
        }
        Ok(())
    }
}

impl Standing {
    /// The caller's compaction at `version`; nothing where another entry stands there.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn of(record: &StoredRecord<'_>, version: u64) -> Result<Option<Self>> {
        let Entry::Compacted(Compacted { by: crate::entry::By::Caller, range, rewrite, .. }) = record.entry(version)?
        else {
            return Ok(None);
        };
        let after = Kept::from_runs(rewrite.kept);
        let first_version = record.first_version;
        Ok(Some(Self { version, previous: rewrite.previous, range, after, first_version }))
    }

    /// What it covered of the list before it.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks, as everywhere here.
    pub fn covered(&self, before: &Kept, index: &Index) -> Result<Stretch> {
        let gone = |item: &Item| !self.after.runs().contains(&Run::Item(item.clone()));
        self.stretch(before, gone, index)
    }

    /// What it put there, where that still stands in the list of now; nothing where a later rewrite touched it. A late
    /// result in the place of its repair is no change.
    ///
    /// # Errors
    /// As [`Standing::covered`].
    pub fn find(&self, now: &Kept, index: &Index) -> Result<Option<Found>> {
        let own = |item: &Item| item.version == self.first_version;
        let put = self.stretch(&self.after, own, index)?.items;
        let mut there = self.stretch(now, own, index)?;
        there.drop_results_behind(put.len(), index)?;
        let covers = |item: &Item| item.kind == ItemKind::Summary && item.from <= self.range.1;
        if there.items.is_empty() && now.item_at(there.first).is_some_and(covers) {
            return Ok(None);
        }
        let mut late = Vec::new();
        let same = put.runs().len() == there.items.runs().len()
            && put.runs().iter().zip(there.items.runs()).all(|(put, there)| match (put, there) {
                (Run::Item(repair), Run::Item(result)) if answers(repair, result) => {
                    late.push((repair.clone(), result.clone()));
                    true
                }
                _ => put == there,
            });
        Ok(same.then_some(Found { there, late }))
    }

    /// The positions that stand for the range. An item that stands for no message at all lies before them; those of which
    /// `belongs` is true count as well.
    fn stretch(&self, kept: &Kept, belongs: impl Fn(&Item) -> bool, index: &Index) -> Result<Stretch> {
        let (from, to) = self.range;
        let mut first = kept.lower_bound(from);
        let last = kept.lower_bound(to.saturating_add(1)).max(first);
        let empty = |item: &Item| item.kind == ItemKind::Summary && item.from == from && item.to < from;
        while first > 0 && kept.item_at(first - 1).is_some_and(|item| empty(item) && belongs(item)) {
            first -= 1;
        }
        Ok(Stretch { first, last, items: kept.slice(&[(first, last)], index)? })
    }
}

/// What a compaction put somewhere still stands there.
#[derive(Debug)]
pub struct Found {
    /// Where.
    pub there: Stretch,
    /// Repairs that late results have taken the places of since.
    pub late: Vec<(Item, Item)>,
}

fn answers(repair: &Item, result: &Item) -> bool {
    (repair.kind, result.kind) == (ItemKind::Repair, ItemKind::Late)
        && (repair.at, repair.call, repair.group) == (result.at, result.call, result.group)
}

/// The caller's compaction that a record holds at a version.
///
/// # Errors
/// [`Error::UnknownCompaction`].
pub fn caller_compaction(record: &StoredRecord<'_>, version: u64) -> Result<Standing> {
    Standing::of(record, version)?.ok_or(Error::UnknownCompaction { version })
}
