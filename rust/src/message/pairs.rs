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

/// A call of this message until a result is found. `call` is none for calls that the provider runs.
struct Open {
    call: Option<Call>,
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
        pairs.calls = open.list.into_iter().filter(|open| !open.is_answered).filter_map(|open| open.call).collect();
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
    by_id: HashMap<String, Vec<usize>>,
    without_id: VecDeque<usize>,
}

impl OpenCalls {
    fn push(&mut self, id: Option<String>, name: Option<String>, by_provider: bool) {
        let at = self.list.len();
        match &id {
            Some(id) => self.by_id.entry(id.clone()).or_default().push(at),
            None => self.without_id.push_back(at),
        }
        let call = (!by_provider).then_some(Call { id, name });
        self.list.push(Open { call, is_answered: false });
    }

    /// Answers the nearest earlier open call with this id; without an id, the oldest without one.
    fn answer(&mut self, id: Option<&str>) -> Option<Answered> {
        let at = match id {
            Some(id) => self.by_id.get_mut(id)?.pop()?,
            None => self.without_id.pop_front()?,
        };
        let open = self.list.get_mut(at)?;
        open.is_answered = true;
        Some(if open.call.is_some() { Answered::Client } else { Answered::Provider })
    }
}
