//! The core without Python and without a log: what one append and one window cost. `cargo bench --bench core`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may stop")]

use std::hint::black_box;

use criterion::{criterion_group, criterion_main, BatchSize, Criterion};
use fastpaca_core::context::Context;
use fastpaca_core::fetched::Fetched;
use fastpaca_core::format::Format;
use fastpaca_core::request::Route;
use fastpaca_core::window::WindowRequest;

#[path = "../tests/guard/context.rs"]
mod context;

use context::{filled, filled_with, message, one, plan, request, store, write};

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
        bencher.iter(|| context.window(black_box(whole), &stored).unwrap().to_vec());
    });
    // A budget of 200 messages: the window stays as large while the context grows. Where its cut moves it is rendered
    // anew, from the log.
    let body = one(0, true);
    criterion.bench_function("200 times an append, then the window of about 200 messages", |bencher| {
        let appends_and_windows = |(mut context, mut stored): (Context, Fetched)| {
            for _ in 0..200 {
                store(write(&mut context, Route::Append, black_box(&body)), &mut stored);
                black_box(context.window(whole, &stored).unwrap().to_vec());
            }
            (context, stored)
        };
        bencher.iter_batched(|| filled(200, 20_000), appends_and_windows, BatchSize::PerIteration);
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
                bencher.iter(|| {
                    context
                        .replay_page((None, None), None, 201, false, black_box(format), &stored)
                        .unwrap()
                        .reply()
                        .to_vec()
                });
            });
            let request = WindowRequest { format, ..WindowRequest::default() };
            criterion.bench_function(&format!("200 {name} as {}, hot", format.name()), |bencher| {
                bencher.iter(|| context.window(black_box(request), &stored).unwrap().to_vec());
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
                context.window(black_box(request), &stored).unwrap().to_vec()
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
