//! What a revert brings back, and where: the same for the revert itself and for the list that says what can be reverted.

use super::standing::{Found, Standing, Stretch};
use super::{Era, History};
use crate::error::Result;
use crate::index::Index;
use crate::kept::{Item, ItemKind, Kept, Run};

/// A compaction that can be reverted.
#[derive(Debug)]
pub struct Undoing {
    /// The last rewrite before it.
    pub era: Era,
    /// The last message before it.
    pub last_seq: u64,
    /// The list before it.
    pub before: Kept,
    /// What comes back: the items that it covered, with late results in the places of their repairs.
    pub back: Kept,
    /// The list of now, with them in the place of what it put there.
    pub list: Kept,
    /// Repairs in what it put there that late results have taken the places of since.
    pub late: Vec<(Item, Item)>,
    /// That place ends the list, and no message came after the compaction.
    pub at_end: bool,
}

impl History<'_> {
    /// What a revert of the compaction comes to; nothing where a later rewrite touched what it left, or messages since
    /// belong to calls that would leave. `rewound_to` is the earliest message to which a rewind went back since.
    ///
    /// # Errors
    /// [`crate::error::Error::Need`] for records and index chunks.
    pub fn undoing(self, standing: &Standing, rewound_to: u64) -> Result<Option<Undoing>> {
        let (now, index) = (&*self.state.kept, &self.state.index);
        let Some(found) = standing.find(now, index)? else { return Ok(None) };
        let last_seq = self.last_seq(standing.version - 1)?;
        let era = self.era(standing.previous)?;
        let before = self.kept(&era, last_seq)?;
        let back = with_late(&standing.covered(&before, index)?.items, &found);
        if shows_behind(&back, rewound_to) {
            return Ok(None);
        }
        let Stretch { first, last, .. } = found.there;
        let mut list = now.slice(&[(0, first)], index)?;
        list.extend_from(&back, 0, back.len(), index)?;
        list.extend_from(now, last, now.len(), index)?;
        let edges = [(first, first), (last, first + back.len())];
        for (was, is) in edges {
            if goes_over(now, was, index)? && !goes_over(&list, is, index)? {
                return Ok(None);
            }
        }
        let at_end = last == now.len() && last_seq == self.state.last_seq();
        Ok(Some(Undoing { era, last_seq, before, back, list, late: found.late, at_end }))
    }
}

/// The items with the late results that came for their repairs since.
fn with_late(items: &Kept, found: &Found) -> Kept {
    let runs = items.runs().iter().map(|run| match run {
        Run::Item(item) if item.kind == ItemKind::Repair => {
            let late = found.late.iter().find(|(repair, _)| (repair.from, repair.call) == (item.from, item.call));
            Run::Item(late.map_or_else(|| item.clone(), |(_, result)| result.clone()))
        }
        other => other.clone(),
    });
    Kept::from_runs(runs.collect())
}

/// The items show a message behind `seq`.
fn shows_behind(items: &Kept, seq: u64) -> bool {
    items.runs().iter().any(|run| match run {
        Run::Messages { to, .. } => *to > seq,
        Run::Item(item) if item.kind == ItemKind::Repair || item.from > item.to => false,
        Run::Item(item) => item.to > seq,
    })
}

/// A group of calls and results goes on over a position.
fn goes_over(list: &Kept, position: u64, index: &Index) -> Result<bool> {
    let Some(before) = position.checked_sub(1).filter(|_| position < list.len()) else { return Ok(false) };
    Ok(list.cell(before, index)?.group == list.cell(position, index)?.group)
}
