//! What core operations cost in things that every machine counts alike, however busy it is: allocations, bytes allocated,
//! and instructions where valgrind is installed. Each may exceed what was recorded by a tenth.
//!
//! After a change that is worth more, or with another compiler: `GUARD_RECORD=1 cargo test --test guard`, and say why in the
//! commit.
#![cfg(not(feature = "python"))] // The binding brings an allocator of its own, and so does the counter here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use fastpaca_core::format::Format;
use fastpaca_core::request::Route;
use fastpaca_core::window::WindowRequest;

#[path = "guard/context.rs"]
mod context;

use context::{filled, one, plan, request, write};

/// What is measured of an operation, and on how many runs.
const RUNS: usize = 32;
const SMALL: usize = 1_000;
/// Cuts move by 130 messages here, so both sizes show the same number of them.
const LARGE: usize = SMALL + 150 * 130;

struct Operation {
    name: &'static str,
    run: Box<dyn FnMut()>,
}

fn operation(name: &'static str, run: impl FnMut() + 'static) -> Operation {
    Operation { name, run: Box::new(run) }
}

fn parsing(name: &'static str, given: bool) -> Operation {
    let bodies: Vec<String> = (0..RUNS).map(|number| one(number, given)).collect();
    let mut next = 0;
    operation(name, move || {
        next = (next + 1) % bodies.len();
        black_box(request(Route::Append, &bodies[next]));
    })
}

/// Everything that depends on a context, on one of so many messages, whose window holds about 200.
fn on_context(messages: usize) -> Vec<Operation> {
    let append = request(Route::Append, &one(0, true));
    let (mut planned, _) = filled(messages, 20_000);
    let (mut hot, hot_stored) = filled(messages, 20_000);
    let (mut grown, grown_stored) = filled(messages, 20_000);
    let (mut other, other_stored) = filled(messages, 20_000);
    let (mut paged, paged_stored) = filled(messages, 20_000);
    let mut budget = 20_000;
    let middle = Some(i64::try_from(messages / 2).unwrap());
    vec![
        operation("plan and apply an append", move || {
            let commit = plan(&mut planned, &append);
            planned.apply(commit.first_version).unwrap();
        }),
        operation("window, hot", move || {
            black_box(hot.window(WindowRequest::default(), &hot_stored).unwrap());
        }),
        operation("append, then the window", move || {
            write(&mut grown, Route::Append, &one(0, true));
            black_box(grown.window(WindowRequest::default(), &grown_stored).unwrap());
        }),
        operation("window of another budget", move || {
            budget -= 130;
            let request = WindowRequest { budget: Some(budget), largest: true, ..WindowRequest::default() };
            black_box(other.window(request, &other_stored).unwrap());
        }),
        operation("page of 100 as openai", move || {
            let page = paged.replay_page((middle, None), None, 100, false, Format::OpenAi, &paged_stored);
            black_box(page.unwrap().reply().to_vec());
        }),
    ]
}

fn operations() -> Vec<Operation> {
    let mut all = vec![parsing("parse, token_count given", true), parsing("parse, counting", false)];
    all.extend(on_context(SMALL));
    all
}

/// One operation's figures: its name, and what one run cost.
type Cost = (String, Vec<u64>);

/// Allocations and bytes allocated of one run, on average. The first runs are what later ones don't pay: they fill caches.
fn allocated(operation: &mut Operation, times: usize) -> Cost {
    for _ in 0..4 {
        (operation.run)();
    }
    let found = allocation_counter::measure(|| (0..RUNS * times).for_each(|_| (operation.run)()));
    (operation.name.to_owned(), vec![found.count_total / RUNS as u64, found.bytes_total / RUNS as u64])
}

/// What of the figures exceeds the recorded ones by more than a tenth, and what isn't recorded.
fn exceeding(recorded: &[Cost], found: &[Cost]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, now) in found {
        match recorded.iter().find(|(known, _)| known == name) {
            Some((_, before)) if before.len() == now.len() => {
                if now.iter().zip(before).any(|(now, before)| now * 10 > before * 11) {
                    complaints.push(format!("{name}: {now:?}, recorded {before:?}"));
                }
            }
            _ => complaints.push(format!("{name}: {now:?}, nothing recorded")),
        }
    }
    complaints
}

fn baseline(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guard").join(name)
}

fn read(name: &str) -> Vec<Cost> {
    let text = fs::read_to_string(baseline(name)).unwrap_or_default();
    text.lines()
        .map(|line| {
            let mut cells = line.split('\t');
            let name = cells.next().unwrap().to_owned();
            (name, cells.map(|cell| cell.parse().unwrap()).collect())
        })
        .collect()
}

#[track_caller]
fn check(name: &str, found: &[Cost]) {
    if env::var_os("GUARD_RECORD").is_some() {
        let lines = found.iter().map(|(operation, costs)| {
            let cells: Vec<String> = costs.iter().map(u64::to_string).collect();
            format!("{operation}\t{}\n", cells.join("\t"))
        });
        fs::write(baseline(name), lines.collect::<String>()).unwrap();
        return;
    }
    let complaints = exceeding(&read(name), found);
    assert!(complaints.is_empty(), "more than a tenth above tests/guard/{name}:\n{}", complaints.join("\n"));
}

#[test]
fn allocations_stay() {
    let found: Vec<Cost> = operations().iter_mut().map(|operation| allocated(operation, 1)).collect();
    check("allocations.txt", &found);
}

#[test]
fn twice_the_work_is_noticed() {
    let recorded = read("allocations.txt");
    for mut operation in operations() {
        let found = allocated(&mut operation, 2);
        assert_eq!(exceeding(&recorded, &[found]).len(), 1, "{}", operation.name);
    }
}

#[test]
fn a_long_context_costs_no_more() {
    let mut small: Vec<Cost> = on_context(SMALL).iter_mut().map(|operation| allocated(operation, 1)).collect();
    let large: Vec<Cost> = on_context(LARGE).iter_mut().map(|operation| allocated(operation, 1)).collect();
    assert_eq!(exceeding(&small, &large), Vec::<String>::new());
    small[0].1[0] /= 2;
    assert_eq!(exceeding(&small, &large).len(), 1);
}

/// The frame that callgrind collects in and dumps after.
#[inline(never)]
fn measured(operation: &mut Operation) {
    for _ in 0..RUNS {
        (operation.run)();
    }
}

#[test]
#[ignore = "what `instructions_stay` runs under valgrind"]
fn every_operation_once() {
    for mut operation in operations() {
        for _ in 0..4 {
            (operation.run)();
        }
        measured(&mut operation);
    }
}

/// Instructions of one run, on average, of each operation.
fn instructions(folder: &Path) -> Vec<Cost> {
    let out = folder.join("callgrind");
    let done = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args(["--collect-atstart=no", "--toggle-collect=guard::measured", "--dump-after=guard::measured"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "every_operation_once", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let names = operations().into_iter().map(|operation| operation.name.to_owned());
    names
        .enumerate()
        .map(|(number, name)| {
            let dump = fs::read_to_string(format!("{}.{}", out.display(), number + 1)).unwrap();
            let totals = dump.lines().find_map(|line| line.strip_prefix("summary: ")).unwrap();
            (name, vec![totals.trim().parse::<u64>().unwrap() / RUNS as u64])
        })
        .collect()
}

/// The first line that a program says of its version; nothing where it isn't installed.
fn version(program: &str) -> Option<String> {
    let said = Command::new(program).arg("--version").output().ok()?.stdout;
    Some(String::from_utf8_lossy(&said).lines().next()?.to_owned())
}

/// Instructions differ by compiler and kind of processor, so they are recorded, and compared, for one of each.
#[test]
fn instructions_stay() {
    let compiler = version("rustc").unwrap_or_default();
    let recorded_with = fs::read_to_string(baseline("rustc.txt")).unwrap_or_default();
    let is_record = env::var_os("GUARD_RECORD").is_some();
    let is_comparable = cfg!(all(target_arch = "x86_64", target_os = "linux", debug_assertions));
    if !is_comparable || version("valgrind").is_none() || (!is_record && recorded_with.trim() != compiler) {
        eprintln!("skipped: needs valgrind, x86_64 Linux, the dev profile and {recorded_with}");
        return;
    }
    if is_record {
        fs::write(baseline("rustc.txt"), format!("{compiler}\n")).unwrap();
    }
    let folder = env::temp_dir().join(format!("fastpaca-guard-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let found = instructions(&folder);
    fs::remove_dir_all(&folder).unwrap();
    check("instructions.txt", &found);
}
