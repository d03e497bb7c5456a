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

/// A call whose result has not come.
#[derive(Clone, Debug)]
struct Open {
    given: String,
    name: String,
    shown: String,
    is_custom: bool,
}

/// The ids of a request.
#[derive(Clone, Debug)]
pub struct Ids {
    rule: IdRule,
    /// Hashes of the ids shown; two that collide cost one of them its name, no more.
    used: HashSet<u64>,
    open: OpenCalls,
}

/// Calls that wait for their results, oldest first, found by id at once: a message may hold very many.
#[derive(Clone, Debug, Default)]
struct OpenCalls {
    next: usize,
    calls: BTreeMap<usize, Open>,
    /// By the id that the provider gave, an empty one where it gave none.
    by_given: HashMap<String, BTreeSet<usize>>,
    by_shown: HashMap<String, usize>,
}

impl OpenCalls {
    fn push(&mut self, call: Open) {
        self.by_given.entry(call.given.clone()).or_default().insert(self.next);
        self.by_shown.insert(call.shown.clone(), self.next);
        self.calls.insert(self.next, call);
        self.next += 1;
    }

    /// Takes out the call that a result answers, as `pairing` finds it.
    fn answer(&mut self, id: &str, name: Option<&str>) -> Option<Open> {
        let at = self.find(id, name)?;
        let call = self.calls.remove(&at)?;
        self.by_shown.remove(&call.shown);
        let like_it = self.by_given.get_mut(&call.given)?;
        like_it.remove(&at);
        if like_it.is_empty() {
            self.by_given.remove(&call.given);
        }
        Some(call)
    }

    fn find(&self, id: &str, name: Option<&str>) -> Option<usize> {
        let same_name = |at: &usize| {
            let call = self.calls.get(at);
            call.is_some_and(|call| call.name.is_empty() || name.is_none_or(|name| name == call.name))
        };
        let nameless = || self.by_given.get("").and_then(|all| all.iter().copied().find(same_name));
        if id.is_empty() {
            return nameless().or_else(|| self.calls.keys().copied().find(same_name));
        }
        let named = self.by_given.get(id).and_then(|all| all.last().copied());
        // A repair names its call as the log does.
        named.or_else(|| self.by_shown.get(id).copied()).or_else(nameless)
    }

    fn resident_bytes(&self) -> usize {
        // Each call stands in three maps, with its two ids.
        self.calls.len() * (size_of::<Open>() + 256)
    }
}

impl Ids {
    /// No ids yet.
    #[must_use]
    pub fn new(rule: IdRule) -> Self {
        Self { rule, used: HashSet::new(), open: OpenCalls::default() }
    }

    /// Gives the calls and results of the next message their ids.
    pub fn resolve(&mut self, message: &mut Normal<'_>) {
        let is_tooled = |piece: &Piece<'_>| matches!(piece.what, What::Call(_) | What::Result(_));
        let numbers = match message.pieces.iter().filter(|piece| is_tooled(piece)).count() {
            0 => return,
            1 => vec![0; message.pieces.len()],
            _ => numbers(&message.pieces),
        };
        for (piece, number) in message.pieces.iter_mut().zip(numbers) {
            match &mut piece.what {
                // The provider's own pairs are passed on as they are or not at all.
                What::Call(call) if call.by_provider => drop(self.used.insert(xxh3_64(call.id.as_bytes()))),
                What::Result(result) if result.by_provider => {}
                What::Call(call) => {
                    let shown = self.unused(&call.id, message.seq, number);
                    let given = std::mem::replace(&mut call.id, shown.clone());
                    self.open.push(Open { given, name: call.name.clone(), shown, is_custom: call.is_custom });
                }
                What::Result(result) => match self.open.answer(&result.id, result.name.as_deref()) {
                    Some(call) => {
                        result.id = call.shown;
                        result.is_custom = call.is_custom;
                    }
                    None if result.id.is_empty() => result.id = format!("call_{}_{number}", message.seq),
                    None => {}
                },
                _ => {}
            }
        }
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.used.capacity() * 9 + self.open.resident_bytes()
    }

    /// The id that a call is shown with.
    fn unused(&mut self, given: &str, seq: u64, number: usize) -> String {
        if self.rule.takes(given) && self.used.insert(xxh3_64(given.as_bytes())) {
            return given.to_owned();
        }
        let own = format!("call_{seq}_{number}");
        if self.used.insert(xxh3_64(own.as_bytes())) {
            return own;
        }
        let mut again = (1u64..).map(|n| format!("{own}_{n}"));
        again.find(|id| self.used.insert(xxh3_64(id.as_bytes()))).unwrap_or(own)
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
                let found = waiting.get_mut(result.id.as_str()).and_then(|calls| match result.id.is_empty() {
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
