//! Calls and results of one message: what it answers itself, and what reaches beyond it.

use std::collections::{HashMap, VecDeque};

use super::classify::{Pair, Sorted};
use super::{Call, ToolResult};

/// What pairing across messages has to know.
#[derive(Default)]
pub(super) struct Pairs {
    pub calls: Vec<Call>,
    pub results: Vec<ToolResult>,
    pub answered: Vec<ToolResult>,
}

/// A call of this message until a result is found.
struct Open {
    call: Call,
    by_provider: bool,
    is_answered: bool,
}

impl Pairs {
    pub(super) fn of(sorted: Vec<Sorted>, tokens: &[u32]) -> Self {
        let mut pairs = Self::default();
        let mut open = OpenCalls::default();
        for ((sorted, &tokens), part) in sorted.into_iter().zip(tokens).zip(0u32..) {
            match sorted.pair {
                Pair::None => {}
                Pair::Call { id, name, by_provider } => open.push(id, name, by_provider),
                Pair::Both { id, name, by_provider: false } => {
                    pairs.answered.push(ToolResult { id, name, part, tokens })
                }
                Pair::Both { .. } => {}
                Pair::Result { id, name, by_provider } => match (open.answer(id.as_deref()), by_provider) {
                    (Some(Answered::Client), _) => pairs.answered.push(ToolResult { id, name, part, tokens }),
                    (Some(Answered::Provider), _) | (None, true) => {}
                    (None, false) => pairs.results.push(ToolResult { id, name, part, tokens }),
                },
            }
        }
        let unanswered = open.list.into_iter().filter(|open| !open.is_answered && !open.by_provider);
        pairs.calls = unanswered.map(|open| open.call).collect();
        pairs
    }
}

enum Answered {
    Client,
    Provider,
}

/// Calls in order, found by id in constant time: a hostile message may hold very many.
#[derive(Default)]
struct OpenCalls {
    list: Vec<Open>,
    /// How many of the list the two below know; most messages have no results and need neither.
    indexed: usize,
    by_id: HashMap<String, Vec<usize>>,
    without_id: VecDeque<usize>,
}

impl OpenCalls {
    fn push(&mut self, id: Option<String>, name: Option<String>, by_provider: bool) {
        self.list.push(Open { call: Call { id, name }, by_provider, is_answered: false });
    }

    /// Answers the nearest earlier open call with this id; without an id, the oldest without one.
    fn answer(&mut self, id: Option<&str>) -> Option<Answered> {
        for (at, open) in self.list.iter().enumerate().skip(self.indexed) {
            match &open.call.id {
                Some(id) => self.by_id.entry(id.clone()).or_default().push(at),
                None => self.without_id.push_back(at),
            }
        }
        self.indexed = self.list.len();
        let at = match id {
            Some(id) => self.by_id.get_mut(id)?.pop()?,
            None => self.without_id.pop_front()?,
        };
        let open = self.list.get_mut(at)?;
        open.is_answered = true;
        Some(if open.by_provider { Answered::Provider } else { Answered::Client })
    }
}
