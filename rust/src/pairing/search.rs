//! Which open call a result answers: the nearest earlier one with its id; where either has no id, calls pair by order.

use std::collections::{HashMap, VecDeque};

use super::OpenCall;
use crate::message::ToolResult;

/// So many results look through the open calls; where more come at once, calls are found by their ids and names.
const FEW: usize = 16;

/// Open calls that results without a call of their id may answer.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Waiting, without an id.
    Unnamed,
    /// Waiting.
    Waiting,
    /// Repaired, without an id.
    Repaired,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Unnamed, Kind::Waiting, Kind::Repaired];

    fn has(self, call: &OpenCall) -> bool {
        match self {
            Self::Unnamed => !call.repaired && call.id.is_none(),
            Self::Waiting => !call.repaired,
            Self::Repaired => call.repaired && call.id.is_none(),
        }
    }
}

/// Open calls while the results of one message find theirs.
pub(super) struct Search<'a, F> {
    open: &'a [OpenCall],
    /// The call's repair still stands in the list.
    has_repair: F,
    is_taken: Vec<bool>,
    index: Option<Index<'a>>,
}

impl<'a, F: Fn(&OpenCall) -> bool> Search<'a, F> {
    /// A search for so many results.
    pub(super) fn new(open: &'a [OpenCall], results: usize, has_repair: F) -> Self {
        let index = (results > FEW).then(|| Index::of(open));
        Self { open, has_repair, is_taken: vec![false; open.len()], index }
    }

    /// The call that a result answers; it stays until it is taken.
    pub(super) fn find(&mut self, result: &'a ToolResult) -> Option<(usize, &'a OpenCall)> {
        let name = result.name.as_deref();
        let at = match &result.id {
            Some(id) => self.newest(id).or_else(|| self.oldest(Kind::Unnamed, name)),
            // What waits comes first; then what was repaired.
            None => Kind::ALL.into_iter().find_map(|kind| self.oldest(kind, name)),
        }?;
        self.open.get(at).map(|call| (at, call))
    }

    /// No other result finds this call.
    pub(super) fn take(&mut self, at: usize) {
        if let Some(is_taken) = self.is_taken.get_mut(at) {
            *is_taken = true;
        }
    }

    /// Which of the calls were taken.
    pub(super) fn taken(self) -> Vec<bool> {
        self.is_taken
    }

    fn newest(&mut self, id: &str) -> Option<usize> {
        let Self { open, has_repair, is_taken, index } = self;
        let is_free = |at: usize| is_free(open, &*has_repair, is_taken, at);
        match index {
            Some(index) => index.newest(id, is_free),
            None => {
                let has_id = |at: usize| open.get(at).is_some_and(|call| call.id.as_deref() == Some(id));
                (0..open.len()).rev().find(|at| has_id(*at) && is_free(*at))
            }
        }
    }

    fn oldest(&mut self, kind: Kind, name: Option<&'a str>) -> Option<usize> {
        let Self { open, has_repair, is_taken, index } = self;
        let is_free = |at: usize| is_free(open, &*has_repair, is_taken, at);
        match index {
            Some(index) => index.oldest(kind, name, is_free),
            None => {
                let fits = |at: usize| open.get(at).is_some_and(|call| kind.has(call) && may_be(call, name));
                (0..open.len()).find(|at| fits(*at) && is_free(*at))
            }
        }
    }
}

fn may_be(call: &OpenCall, name: Option<&str>) -> bool {
    call.name.is_none() || name.is_none() || call.name.as_deref() == name
}

/// Not taken, and waiting or with a repair whose place a result may take.
fn is_free(open: &[OpenCall], has_repair: impl Fn(&OpenCall) -> bool, is_taken: &[bool], at: usize) -> bool {
    let is_usable = |call: &OpenCall| !call.repaired || has_repair(call);
    is_taken.get(at) == Some(&false) && open.get(at).is_some_and(is_usable)
}

/// Places of open calls by what results name them with. A place that is not free is never free again, so it is forgotten
/// when it is met.
struct Index<'a> {
    by_id: HashMap<&'a str, Vec<usize>>,
    /// One of each kind.
    in_order: [Queue<'a>; 3],
}

impl<'a> Index<'a> {
    fn of(open: &'a [OpenCall]) -> Self {
        let mut index = Self { by_id: HashMap::new(), in_order: Default::default() };
        for (at, call) in open.iter().enumerate() {
            if let Some(id) = &call.id {
                index.by_id.entry(id).or_default().push(at);
            }
            for (queue, kind) in index.in_order.iter_mut().zip(Kind::ALL) {
                if kind.has(call) {
                    queue.push(at, call.name.as_deref());
                }
            }
        }
        index
    }

    fn newest(&mut self, id: &str, is_free: impl Fn(usize) -> bool) -> Option<usize> {
        let places = self.by_id.get_mut(id)?;
        while places.last().is_some_and(|at| !is_free(*at)) {
            places.pop();
        }
        places.last().copied()
    }

    fn oldest(&mut self, kind: Kind, name: Option<&'a str>, is_free: impl Fn(usize) -> bool) -> Option<usize> {
        self.in_order.get_mut(kind as usize)?.first(name, is_free)
    }
}

/// Places in order, all and by name.
#[derive(Default)]
struct Queue<'a> {
    all: VecDeque<usize>,
    by_name: HashMap<Option<&'a str>, VecDeque<usize>>,
}

impl<'a> Queue<'a> {
    fn push(&mut self, at: usize, name: Option<&'a str>) {
        self.all.push_back(at);
        self.by_name.entry(name).or_default().push_back(at);
    }

    /// The first with this name or none; the first of all where no name is given.
    fn first(&mut self, name: Option<&'a str>, is_free: impl Fn(usize) -> bool) -> Option<usize> {
        if name.is_none() {
            return front(&mut self.all, &is_free);
        }
        let mut front_of = |name| self.by_name.get_mut(&name).and_then(|places| front(places, &is_free));
        front_of(name).into_iter().chain(front_of(None)).min()
    }
}

fn front(places: &mut VecDeque<usize>, is_free: &impl Fn(usize) -> bool) -> Option<usize> {
    while places.front().is_some_and(|at| !is_free(*at)) {
        places.pop_front();
    }
    places.front().copied()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::{Pairing, Shape};
    use super::*;
    use crate::message::{Call, Kinds, Role};

    fn label(number: u8) -> Option<String> {
        (number > 0).then(|| number.to_string())
    }

    fn call(at: usize, id: u8, name: u8, repaired: bool) -> OpenCall {
        OpenCall { seq: at as u64, call: 0, group: 0, turn: 0, id: label(id), name: label(name), repaired }
    }

    proptest! {
        #[test]
        fn an_index_finds_what_looking_through_finds(
            calls in vec((0u8..4, 0u8..3, any::<bool>()), 0..12),
            results in vec((0u8..5, 0u8..4, any::<bool>()), 0..16),
        ) {
            let open: Vec<OpenCall> =
                calls.iter().enumerate().map(|(at, (id, name, repaired))| call(at, *id, *name, *repaired)).collect();
            let results = results.into_iter().map(|(id, name, is_taken)| {
                (ToolResult { id: label(id), name: label(name), part: 0, tokens: 0 }, is_taken)
            });
            let results: Vec<(ToolResult, bool)> = results.collect();
            let has_repair = |call: &OpenCall| !call.seq.is_multiple_of(3);
            let mut few = Search::new(&open, FEW, has_repair);
            let mut many = Search::new(&open, FEW + 1, has_repair);
            for (result, is_taken) in &results {
                let found = few.find(result).map(|(at, _)| at);
                prop_assert_eq!(found, many.find(result).map(|(at, _)| at));
                if let Some(at) = found.filter(|_| *is_taken) {
                    few.take(at);
                    many.take(at);
                }
            }
            prop_assert_eq!(few.taken(), many.taken());
        }
    }

    #[test]
    fn a_message_may_hold_very_many_results() {
        // To look through all open calls for each would take minutes.
        const MANY: u32 = 100_000;
        for has_ids in [true, false] {
            let id = |n: u32| has_ids.then(|| n.to_string());
            let calls: Vec<Call> = (0..MANY).map(|n| Call { id: id(n), name: None }).collect();
            let results = (0..MANY).map(|part| ToolResult { id: id(part), name: None, part, tokens: 1 });
            let results: Vec<ToolResult> = results.collect();
            let mut shape = Shape {
                seq: 1,
                role: Role::Assistant,
                kinds: Kinds::TOOL_CALL,
                calls: &calls,
                results: &[],
                more_than_results: false,
            };
            let mut pairing = Pairing::default();
            pairing.push(&shape, |_| false);
            shape =
                Shape { seq: 2, role: Role::Tool, kinds: Kinds::TOOL_RESULT, calls: &[], results: &results, ..shape };
            let placement = pairing.push(&shape, |_| false);
            assert_eq!(placement.step.answered, (0..MANY).map(|call| (1, call)).collect::<Vec<_>>());
            assert!(pairing.open.is_empty());
        }
    }
}
