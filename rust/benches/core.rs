//! The core without Python and without a log: what one append and one window cost. `cargo bench --bench core`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a benchmark may stop")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{criterion_group, criterion_main, Criterion};
use fastpaca_core::context::{Commit, Context, Outcome};
use fastpaca_core::error::Error;
use fastpaca_core::fetched::Fetched;
use fastpaca_core::format::Format;
use fastpaca_core::request::{parse, Request, Route};
use fastpaca_core::tokens::Counting;
use fastpaca_core::window::WindowRequest;

const NOW_MS: i64 = 1_700_000_000_000;
const INCARNATION: [u8; 16] = [7; 16];
const PROSE: &str =
    "The window that a model sees is limited, and what happened earlier has to be chosen, shortened or \
    summarised before it fits. A durable log keeps all of it for the people who read the conversation later on; the \
    selection is made again for every call, and it should cost as little as possible. So the columns that it needs \
    (tokens, roles, turns) stand in memory, and the text itself is only copied once it is clear what is sent out.";

fn message(number: usize, given: bool) -> String {
    let role = ["user", "assistant"][number % 2];
    let count = if given { ",\"token_count\":100" } else { "" };
    // Other texts of the same words, which the counter knows by then: `tokens.rs` measures the counting.
    let text: String = PROSE.chars().cycle().skip(number * 37 % PROSE.len()).take(400).collect();
    format!("{{\"role\":\"{role}\",\"content\":\"{text}\"{count}}}")
}

fn one(number: usize, given: bool) -> String {
    format!("{{\"message\":{}}}", message(number, given))
}

fn request(route: Route, body: &str) -> Request {
    parse(route, body.as_bytes(), None, Counting::default(), &[]).unwrap()
}

fn plan(context: &mut Context, request: &Request) -> Commit {
    match context.plan(request, NOW_MS, INCARNATION, &Fetched::default(), None).unwrap() {
        Outcome::Commit(commit) => commit,
        Outcome::Done { .. } | Outcome::Consult(_) => unreachable!("every write here makes a record"),
    }
}

fn write(context: &mut Context, route: Route, body: &str) {
    let commit = plan(context, &request(route, body));
    context.apply(commit.first_version).unwrap();
}

/// A context with messages, as it is after appends: everything that is needed is in memory, records included.
fn filled(messages: usize, budget: u64) -> (Context, Fetched) {
    filled_with(messages, budget, |number| message(number, true))
}

fn filled_with(messages: usize, budget: u64, message: impl Fn(usize) -> String) -> (Context, Fetched) {
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
        let commit = plan(&mut context, &request(Route::Append, &format!("{{\"messages\":[{}]}}", batch.join(","))));
        context.apply(commit.first_version).unwrap();
        for (family, key, value) in commit.puts {
            stored.insert(family, key, value.map(Arc::from));
        }
    }
    (context, stored)
}

fn parsing(criterion: &mut Criterion) {
    for (name, given) in [("counting", false), ("token_count given", true)] {
        let bodies: Vec<String> = (0..512).map(|number| one(number, given)).collect();
        let mut next = 0;
        criterion.bench_function(&format!("parse 400 characters, {name}"), |bencher| {
            bencher.iter(|| {
                next = (next + 1) % bodies.len();
                request(Route::Append, black_box(&bodies[next]))
            });
        });
    }
}

fn appending(criterion: &mut Criterion) {
    let append = request(Route::Append, &one(0, true));
    let (mut context, _) = filled(1_000, 100_000);
    criterion.bench_function("plan and apply an append", |bencher| {
        bencher.iter(|| {
            let commit = plan(&mut context, black_box(&append));
            context.apply(commit.first_version).unwrap();
            commit
        });
    });
    let (mut context, _) = filled(1_000, 100_000);
    criterion.bench_function("plan 16 appends in flight, then apply them", |bencher| {
        bencher.iter(|| {
            let versions: Vec<u64> = (0..16).map(|_| plan(&mut context, black_box(&append)).first_version).collect();
            versions.into_iter().for_each(|version| context.apply(version).unwrap());
        });
    });
}

fn windows(criterion: &mut Criterion) {
    let whole = WindowRequest::default();
    let (mut context, stored) = filled(200, 1_000_000);
    criterion.bench_function("window of 200 messages, hot", |bencher| {
        bencher.iter(|| context.window(black_box(whole), &stored).unwrap());
    });
    // A budget of 200 messages: the window stays as large while the context grows.
    let body = one(0, true);
    let (mut context, stored) = filled(200, 20_000);
    criterion.bench_function("append, then the window of about 200 messages", |bencher| {
        bencher.iter(|| {
            write(&mut context, Route::Append, black_box(&body));
            context.window(black_box(whole), &stored).unwrap()
        });
    });
}

/// What a coding agent says: a few words and a call, then 1500 characters of output, as Anthropic's blocks.
fn agent_message(number: usize) -> String {
    let turn = number / 2;
    match number % 2 {
        _ if number == 0 => message(0, true),
        1 => format!(
            "{{\"role\":\"assistant\",\"token_count\":100,\"content\":[{{\"type\":\"text\",\"text\":\"Let me look at it.\"}},\
             {{\"type\":\"tool_use\",\"id\":\"toolu_{turn}\",\"name\":\"Bash\",\"input\":{{\"command\":\"rg -n 'fn main' src\",\
             \"description\":\"Finds the entry\"}}}}]}}"
        ),
        _ => format!(
            "{{\"role\":\"user\",\"token_count\":400,\"content\":[{{\"type\":\"tool_result\",\"tool_use_id\":\"toolu_{}\",\
             \"content\":\"{}\"}}]}}",
            turn - 1,
            "src/main.rs:12:    let found = open(\\\"a.txt\\\");\\n".repeat(30)
        ),
    }
}

/// Pages of the log are rendered anew each time: what a format costs where nothing was rendered before.
fn formats(criterion: &mut Criterion) {
    let texts = filled(200, 1_000_000);
    let agent = filled_with(201, 1_000_000, agent_message);
    for (name, (mut context, stored)) in [("texts", texts), ("an agent's messages", agent)] {
        for format in Format::ALL {
            criterion.bench_function(&format!("200 {name} as {}, cold", format.name()), |bencher| {
                bencher
                    .iter(|| context.replay_page((None, None), None, 201, false, black_box(format), &stored).unwrap());
            });
            let request = WindowRequest { format, ..WindowRequest::default() };
            criterion.bench_function(&format!("200 {name} as {}, hot", format.name()), |bencher| {
                bencher.iter(|| context.window(black_box(request), &stored).unwrap());
            });
        }
    }
}

fn selecting(criterion: &mut Criterion) {
    for messages in [1_000, 100_000] {
        let (mut context, stored) = filled(messages, 100_000);
        let mut budget = 20_000;
        criterion.bench_function(&format!("window of another budget, {messages} messages"), |bencher| {
            bencher.iter(|| {
                budget = if budget > 4_000 { budget - 100 } else { 20_000 };
                let request = WindowRequest { budget: Some(budget), largest: true, ..WindowRequest::default() };
                context.window(black_box(request), &stored).unwrap()
            });
        });
        let mut budget = 20_000;
        criterion.bench_function(&format!("selection alone, {messages} messages"), |bencher| {
            bencher.iter(|| {
                budget = if budget > 4_000 { budget - 100 } else { 20_000 };
                let request = WindowRequest { budget: Some(budget), largest: true, ..WindowRequest::default() };
                fastpaca_core::window::Window::select(context.state().unwrap(), black_box(request)).unwrap().token
            });
        });
    }
}

criterion_group!(benches, parsing, appending, windows, formats, selecting);
criterion_main!(benches);
