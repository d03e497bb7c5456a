//! Which results of a conversation have no call, and which calls no result, as the context of its messages finds them:
//! for a report beforehand.

use std::collections::{HashMap, HashSet};

use crate::message::{Message, ToolResult};
use crate::pairing::{OpenCall, Pairing, Shape};

/// Pairs the messages of one conversation, in their order.
#[derive(Debug, Default)]
pub struct Unpaired {
    pairing: Pairing,
    count: u64,
    /// Of messages with open calls: where they stand, and how many are open.
    places: HashMap<u64, (String, usize)>,
}

impl Unpaired {
    /// Takes the next message, which stands at `place`. Gives those of its results that no call asked for.
    pub fn push(&mut self, message: &Message, place: &str) -> Vec<ToolResult> {
        self.count += 1;
        let placement = self.pairing.push(&Shape::of(self.count, message), |_| true);
        for (seq, _) in &placement.step.answered {
            self.answer(*seq);
        }
        if placement.in_place && !message.calls.is_empty() {
            self.places.insert(self.count, (place.to_owned(), message.calls.len()));
        }
        let mut orphans: HashSet<u32> = placement.taken_out.into_iter().collect();
        for late in &placement.late {
            orphans.remove(&late.part);
        }
        message.results.iter().filter(|result| orphans.contains(&result.part)).cloned().collect()
    }

    fn answer(&mut self, seq: u64) {
        if let Some((_, open)) = self.places.get_mut(&seq) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.places.remove(&seq);
            }
        }
    }

    /// The calls without a result, oldest first, each with the place of its message.
    pub fn waiting(&self) -> impl Iterator<Item = (&str, &OpenCall)> {
        self.pairing.open.iter().filter_map(|call| self.places.get(&call.seq).map(|(place, _)| (place.as_str(), call)))
    }
}
