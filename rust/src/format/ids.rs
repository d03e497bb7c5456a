//! Ids of calls as a request shows them: each at most once, each in a form that the provider takes, each result with the
//! id of its call. What is decided for a call depends on the items before it alone, so a window keeps its ids while it
//! grows.

use std::collections::HashSet;

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
    open: Vec<Open>,
}

impl Ids {
    /// No ids yet.
    #[must_use]
    pub fn new(rule: IdRule) -> Self {
        Self { rule, used: HashSet::new(), open: Vec::new() }
    }

    /// Gives the calls and results of the next message their ids.
    pub fn resolve(&mut self, message: &mut Normal<'_>) {
        let is_tooled = |piece: &Piece<'_>| matches!(piece.what, What::Call(_) | What::Result(_));
        if !message.pieces.iter().any(is_tooled) {
            return;
        }
        let numbers = numbers(&message.pieces);
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
                What::Result(result) => match self.find(&result.id, result.name.as_deref()) {
                    Some(at) => {
                        let call = self.open.remove(at);
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
        self.used.capacity() * 9 + self.open.capacity() * size_of::<Open>()
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

    /// The call that a result answers, as `pairing` finds it.
    fn find(&self, id: &str, name: Option<&str>) -> Option<usize> {
        let same_name = |call: &Open| call.name.is_empty() || name.is_none_or(|name| name == call.name);
        let nameless = || self.open.iter().position(|call| call.given.is_empty() && same_name(call));
        if id.is_empty() {
            return nameless().or_else(|| self.open.iter().position(same_name));
        }
        let named = self.open.iter().rposition(|call| call.given == id);
        // A repair names its call as the log does.
        named.or_else(|| self.open.iter().rposition(|call| call.shown == id)).or_else(nameless)
    }
}

/// The number of each call in the log's names for calls without an id: those that the message leaves open come first.
fn numbers(pieces: &[Piece<'_>]) -> Vec<usize> {
    let mut numbers = vec![0; pieces.len()];
    let mut open: Vec<usize> = Vec::new();
    let mut answered: Vec<usize> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        match &piece.what {
            What::Call(call) if !call.by_provider => open.push(at),
            What::Result(result) if !result.by_provider => {
                let is_its = |at: &usize| match pieces.get(*at).map(|piece| &piece.what) {
                    Some(What::Call(call)) => call.id == result.id,
                    _ => false,
                };
                let found = match result.id.is_empty() {
                    true => open.iter().position(is_its),
                    false => open.iter().rposition(is_its),
                };
                match found {
                    Some(found) => answered.push(open.remove(found)),
                    None => answered.push(at),
                }
            }
            _ => {}
        }
    }
    for (number, at) in open.into_iter().chain(answered).enumerate() {
        if let Some(place) = numbers.get_mut(at) {
            *place = number;
        }
    }
    numbers
}
