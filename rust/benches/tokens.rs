//! Counting tokens, the core against tiktoken-rs, without Python: `benches/counting.py` starts it with texts in a file,
//! `{kind: [text, ...]}`, and a number of rounds, and reads one line of JSON for each kind and number of threads.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark may stop")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;
use std::{env, fs, thread};

use fastpaca_core::encoder::Encoding;
use tiktoken_rs::o200k_base_singleton;

type Count = fn(&str) -> usize;

fn ours(text: &str) -> usize {
    Encoding::O200kBase.count(text)
}

fn theirs(text: &str) -> usize {
    o200k_base_singleton().encode_ordinary(text).len()
}

/// Seconds that so many threads take for all texts, from when all may begin to when the last is done. Before that each
/// counts `other` texts: the core remembers pieces, and a small corpus would only be looked up.
fn pass(count: Count, texts: &[String], other: &str, threads: usize) -> f64 {
    let begin = Barrier::new(threads);
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|own| {
                let begin = &begin;
                scope.spawn(move || {
                    count(other);
                    begin.wait();
                    let began = Instant::now();
                    for text in texts.iter().skip(own).step_by(threads) {
                        black_box(count(text));
                    }
                    (began, Instant::now())
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().expect("a counting thread")).collect()
    });
    let began = spans.iter().map(|span| span.0).min().expect("one thread at least");
    let ended = spans.iter().map(|span| span.1).max().expect("one thread at least");
    (ended - began).as_secs_f64()
}

fn main() {
    let given: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [file, rounds] = given.as_slice() else {
        // `cargo bench` without arguments runs this too.
        return;
    };
    let text = fs::read_to_string(file).expect("a file of texts");
    let mut kinds: BTreeMap<String, Vec<String>> = serde_json::from_str(&text).expect("texts by kind");
    let other = kinds.remove("other").expect("other text")[0].clone();
    let rounds: usize = rounds.parse().expect("a number of rounds");
    for (kind, texts) in &kinds {
        for text in texts.iter().take(50) {
            assert_eq!(ours(text), theirs(text), "{kind}: {text}");
        }
        for threads in [1, 2] {
            if texts.len() < threads {
                continue;
            }
            let mut took: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
            for round in 0..rounds {
                for which in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                    took[which].push(pass([ours, theirs][which], texts, &other, threads));
                }
            }
            let line = serde_json::json!({"kind": kind, "threads": threads, "ours": took[0], "theirs": took[1]});
            println!("{line}");
        }
    }
}
