//! Contexts to measure on: for the benchmarks of the core, and for the guard.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use fastpaca_core::context::{Commit, Context, Outcome};
use fastpaca_core::error::Error;
use fastpaca_core::fetched::Fetched;
use fastpaca_core::request::{parse, Request, Route};
use fastpaca_core::tokens::Counting;

const NOW_MS: i64 = 1_700_000_000_000;
const INCARNATION: [u8; 16] = [7; 16];
const PROSE: &str =
    "The window that a model sees is limited, and what happened earlier has to be chosen, shortened or \
    summarised before it fits. A durable log keeps all of it for the people who read the conversation later on; the \
    selection is made again for every call, and it should cost as little as possible. So the columns that it needs \
    (tokens, roles, turns) stand in memory, and the text itself is only copied once it is clear what is sent out.";

pub fn message(number: usize, given: bool) -> String {
    let role = ["user", "assistant"][number % 2];
    let count = if given { ",\"token_count\":100" } else { "" };
    // Other texts of the same words, which the counter knows by then: `tokens.rs` measures the counting.
    let text: String = PROSE.chars().cycle().skip(number * 37 % PROSE.len()).take(400).collect();
    format!("{{\"role\":\"{role}\",\"content\":\"{text}\"{count}}}")
}

pub fn one(number: usize, given: bool) -> String {
    format!("{{\"message\":{}}}", message(number, given))
}

pub fn request(route: Route, body: &str) -> Request {
    parse(route, body.as_bytes(), None, Counting::default(), &[]).unwrap()
}

pub fn plan(context: &mut Context, request: &Request) -> Commit {
    match context.plan(request, NOW_MS, INCARNATION, &Fetched::default(), None).unwrap() {
        Outcome::Commit(commit) => commit,
        Outcome::Done { .. } | Outcome::Consult(_) => unreachable!("every write here makes a record"),
    }
}

pub fn write(context: &mut Context, route: Route, body: &str) -> Commit {
    let commit = plan(context, &request(route, body));
    context.apply(commit.first_version).unwrap();
    commit
}

/// What a write leaves in the log, where reads look for it.
pub fn store(commit: Commit, stored: &mut Fetched) {
    for (family, key, value) in commit.puts {
        stored.insert(family, key, value.map(Arc::from));
    }
}

/// A context with messages, as it is after appends: everything that is needed is in memory, records included.
pub fn filled(messages: usize, budget: u64) -> (Context, Fetched) {
    filled_with(messages, budget, |number| message(number, true))
}

pub fn filled_with(messages: usize, budget: u64, message: impl Fn(usize) -> String) -> (Context, Fetched) {
    let mut fetched = Fetched::default();
    let mut context = loop {
        match Context::load("bench", &fetched) {
            Ok(context) => break context,
            Err(Error::Need(need)) => {
                for (family, key) in need.keys {
                    fetched.insert(family, key, None);
                }
                if let Some(range) = need.records {
                    fetched.insert_range(range, Vec::new());
                }
            }
            Err(other) => panic!("{other}"),
        }
    };
    write(&mut context, Route::Configure, &format!("{{\"token_budget\":{budget}}}"));
    let mut stored = Fetched::default();
    for start in (0..messages).step_by(200) {
        let batch: Vec<String> = (start..messages.min(start + 200)).map(&message).collect();
        let body = format!("{{\"messages\":[{}]}}", batch.join(","));
        store(write(&mut context, Route::Append, &body), &mut stored);
    }
    (context, stored)
}
