//! Ids of calls as a request shows them: each at most once, each in a form that the provider takes, each result with the
//! id of its call. What is decided for a call depends on the items before it alone, so a window keeps its ids while it
//! grows.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use xxhash_rust::xxh3::xxh3_64;

use super::pieces::{Normal, Piece, What};

/// What a provider takes as the id of a call.
#[derive(Clone, Copy, Debug)]
pub struct IdRule {
    /// The longest, in bytes.
    pub bytes_max: usize,
    /// Only letters, digits, `_` and `-`.
    pub is_plain: bool,
}

impl IdRule {
    fn takes(self, id: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        !id.is_empty() && id.len() <= self.bytes_max && (!self.is_plain || id.bytes().all(plain))
    }
}

/// Open calls that are looked through; where more are open, they are found by their ids.
const FEW: usize = 16;

/// A call whose result has not come.
#[derive(Clone, Debug)]
struct Open {
    /// The id that the provider gave, empty where it gave none.
    given: String,
    name: String,
    /// The id that is shown, where it is another.
    shown: Option<String>,
    is_custom: bool,
}

/// The ids of a request.
#[derive(Clone, Debug)]
pub struct Ids {
    rule: IdRule,
    /// Hashes of the ids shown; two that collide cost one of them its name, no more.
    used: BTreeSet<u64>,
    open: OpenCalls,
}

/// Calls that wait for their results, oldest first.
#[derive(Clone, Debug, Default)]
struct OpenCalls {
    next: usize,
    calls: BTreeMap<usize, Open>,
    /// Where there are more than a few: a message may hold very many.
    index: Option<Index>,
}

/// Open calls by their ids.
#[derive(Clone, Debug, Default)]
struct Index {
    by_given: HashMap<String, BTreeSet<usize>>,
    by_shown: HashMap<String, usize>,
}

impl Index {
    fn insert(&mut self, at: usize, call: &Open) {
        self.by_given.entry(call.given.clone()).or_default().insert(at);
        if let Some(shown) = &call.shown {
            self.by_shown.insert(shown.clone(), at);
        }
    }

    fn remove(&mut self, at: usize, call: &Open) {
        if let Some(shown) = &call.shown {
            self.by_shown.remove(shown);
        }
        if let Some(like_it) = self.by_given.get_mut(&call.given) {
            like_it.remove(&at);
            if like_it.is_empty() {
                self.by_given.remove(&call.given);
            }
        }
    }
}

impl OpenCalls {
    fn push(&mut self, call: Open) {
        if self.index.is_none() && self.calls.len() == FEW {
            let index = self.index.get_or_insert_default();
            self.calls.iter().for_each(|(at, call)| index.insert(*at, call));
        }
        if let Some(index) = &mut self.index {
            index.insert(self.next, &call);
        }
        self.calls.insert(self.next, call);
        self.next += 1;
    }

    /// Takes out the call that a result answers, as `pairing` finds it.
    fn answer(&mut self, id: &str, name: Option<&str>) -> Option<Open> {
        let at = self.find(id, name)?;
        let call = self.calls.remove(&at)?;
        if let Some(index) = &mut self.index {
            index.remove(at, &call);
        }
        if self.calls.is_empty() {
            self.index = None;
        }
        Some(call)
    }

    fn find(&self, id: &str, name: Option<&str>) -> Option<usize> {
        let is_called = |call: &Open| call.name.is_empty() || name.is_none_or(|name| name == call.name);
        if id.is_empty() {
            return self.nameless(is_called).or_else(|| self.first(is_called));
        }
        // A repair names its call as the log does.
        self.given(id).or_else(|| self.shown(id)).or_else(|| self.nameless(is_called))
    }

    fn first(&self, wanted: impl Fn(&Open) -> bool) -> Option<usize> {
        self.calls.iter().find(|(_, call)| wanted(call)).map(|(at, _)| *at)
    }

    /// The newest with this id.
    fn given(&self, id: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.by_given.get(id)?.last().copied(),
            None => self.calls.iter().rfind(|(_, call)| call.given == id).map(|(at, _)| *at),
        }
    }

    fn shown(&self, id: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.by_shown.get(id).copied(),
            None => self.first(|call| call.shown.as_deref() == Some(id)),
        }
    }

    /// The oldest of those that the provider gave no id.
    fn nameless(&self, wanted: impl Fn(&Open) -> bool) -> Option<usize> {
        match &self.index {
            Some(index) => index.by_given.get("")?.iter().copied().find(|at| self.calls.get(at).is_some_and(&wanted)),
            None => self.first(|call| call.given.is_empty() && wanted(call)),
        }
    }

    fn resident_bytes(&self) -> usize {
        // Each call may stand in three maps, with its two ids.
        self.calls.len() * (size_of::<Open>() + 256)
    }
}

impl Ids {
    /// No ids yet.
    #[must_use]
    pub fn new(rule: IdRule) -> Self {
        Self { rule, used: BTreeSet::new(), open: OpenCalls::default() }
    }

    /// Gives the calls and results of the next message their ids.
    pub fn resolve(&mut self, message: &mut Normal<'_>) {
        let is_tooled = |piece: &&Piece<'_>| matches!(piece.what, What::Call(_) | What::Result(_));
        let numbers = match message.pieces.iter().filter(is_tooled).take(2).count() {
            0 => return,
            1 => Vec::new(),
            _ => numbers(&message.pieces),
        };
        for (at, piece) in message.pieces.iter_mut().enumerate() {
            let number = numbers.get(at).copied().unwrap_or(0);
            match &mut piece.what {
                // The provider's own pairs are passed on as they are or not at all.
                What::Call(call) if call.by_provider => drop(self.used.insert(xxh3_64(call.id.as_bytes()))),
                What::Result(result) if result.by_provider => {}
                What::Call(call) => {
                    let shown = self.other_id(&call.id, message.seq, number);
                    let (given, name, is_custom) = (call.id.to_string(), call.name.to_string(), call.is_custom);
                    if let Some(shown) = &shown {
                        call.id = shown.clone().into();
                    }
                    self.open.push(Open { given, name, shown, is_custom });
                }
                What::Result(result) => match self.open.answer(&result.id, result.name.as_deref()) {
                    Some(call) => {
                        result.id = call.shown.unwrap_or(call.given).into();
                        result.is_custom = call.is_custom;
                    }
                    None if result.id.is_empty() => result.id = format!("call_{}_{number}", message.seq).into(),
                    None => {}
                },
                _ => {}
            }
        }
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        // Nodes are at least half full.
        self.used.len() * 16 + self.open.resident_bytes()
    }

    /// The id that a call is shown with, where it can't be the one given.
    fn other_id(&mut self, given: &str, seq: u64, number: usize) -> Option<String> {
        if self.rule.takes(given) && self.used.insert(xxh3_64(given.as_bytes())) {
            return None;
        }
        let own = format!("call_{seq}_{number}");
        if self.used.insert(xxh3_64(own.as_bytes())) {
            return Some(own);
        }
        let mut again = (1u64..).map(|n| format!("{own}_{n}"));
        Some(again.find(|id| self.used.insert(xxh3_64(id.as_bytes()))).unwrap_or(own))
    }
}

/// The number of each call in the log's names for calls without an id: those that the message leaves open come first.
fn numbers(pieces: &[Piece<'_>]) -> Vec<usize> {
    let mut numbers = vec![0; pieces.len()];
    let mut calls: Vec<usize> = Vec::new();
    let mut waiting: HashMap<&str, VecDeque<usize>> = HashMap::new();
    let mut answered: Vec<usize> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        match &piece.what {
            What::Call(call) if !call.by_provider => {
                calls.push(at);
                waiting.entry(&call.id).or_default().push_back(at);
            }
            What::Result(result) if !result.by_provider => {
                let found = waiting.get_mut(&*result.id).and_then(|calls| match result.id.is_empty() {
                    true => calls.pop_front(),
                    false => calls.pop_back(),
                });
                answered.push(found.unwrap_or(at));
            }
            _ => {}
        }
    }
    let is_answered: HashSet<usize> = answered.iter().copied().collect();
    let open = calls.into_iter().filter(|at| !is_answered.contains(at));
    for (number, at) in open.chain(answered).enumerate() {
        if let Some(place) = numbers.get_mut(at) {
            *place = number;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn call(given: u8, name: u8, shown: u8) -> Open {
        let text = |n: u8| if n == 0 { String::new() } else { n.to_string() };
        // Ids that are shown occur once.
        let shown = (shown > 0).then(|| format!("shown{shown}"));
        Open { given: text(given), name: text(name), shown, is_custom: false }
    }

    proptest! {
        #[test]
        fn an_index_finds_what_looking_through_finds(steps in vec((any::<bool>(), 0u8..3, 0u8..3, 0u8..12), 0..15)) {
            let mut few = OpenCalls::default();
            let mut many = OpenCalls { index: Some(Index::default()), ..OpenCalls::default() };
            let mut shown: HashSet<u8> = HashSet::new();
            for (is_call, given, name, other) in steps {
                if is_call {
                    let other = if shown.insert(other) { other } else { 0 };
                    few.push(call(given, name, other));
                    many.push(call(given, name, other));
                    continue;
                }
                let id = if other > 6 { format!("shown{other}") } else { call(given, 0, 0).given };
                let name = call(0, name, 0).name;
                let name = Some(name.as_str()).filter(|name| !name.is_empty());
                let (a, b) = (few.answer(&id, name), many.answer(&id, name));
                prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
                many.index.get_or_insert_default();
            }
            prop_assert!(few.index.is_none());
        }
    }

    #[test]
    fn many_open_calls_get_an_index_and_lose_it() {
        let mut open = OpenCalls::default();
        (0..=FEW).for_each(|_| open.push(call(1, 0, 0)));
        assert!(open.index.is_some());
        let answered: Vec<_> = (0..=FEW).map(|_| open.answer("1", None).is_some()).collect();
        assert_eq!((answered, open.index.is_none()), (vec![true; FEW + 1], true));
    }
}
