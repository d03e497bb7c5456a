//! From where on signed thinking stays in a window that the budget cuts: what is found of a list at its end is what was
//! seen of its windows while it grew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use fastpaca_core::context::Context;
use fastpaca_core::request::Route;
use fastpaca_core::stale::Fresh;
use fastpaca_core::view::Span;
use fastpaca_core::window::{Window, WindowRequest};
use proptest::collection::vec;
use proptest::prelude::*;

#[path = "guard/context.rs"]
mod context;

use context::{filled, write};

const BUDGETS: std::ops::Range<u64> = 40..400;

/// What comes next in a conversation.
#[derive(Clone, Debug)]
enum Step {
    Says {
        role: &'static str,
        tokens: u32,
        pinned: bool,
    },
    /// Calls, and their results.
    Calls {
        tokens: Vec<u32>,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let role = prop_oneof![4 => Just("user"), 3 => Just("assistant"), 1 => Just("system")];
    let says = (role, 0..40u32, prop::bool::weighted(0.1)).prop_map(|(role, tokens, pinned)| Step::Says {
        role,
        tokens,
        pinned,
    });
    let calls = vec(0..40u32, 2..5).prop_map(|tokens| Step::Calls { tokens });
    vec(prop_oneof![3 => says, 2 => calls], 1..60)
}

/// The messages of a step, with the role as which each counts.
fn messages(number: usize, step: &Step) -> Vec<(&'static str, String)> {
    match step {
        Step::Says { role, tokens, pinned } => {
            let metadata = format!("{{\"pinned\":{pinned}}}");
            let fields = format!("\"content\":\"a\",\"token_count\":{tokens},\"metadata\":{metadata}");
            vec![(*role, format!("{{\"role\":\"{role}\",{fields}}}"))]
        }
        Step::Calls { tokens } => {
            let ids: Vec<String> = (1..tokens.len()).map(|n| format!("c{number}_{n}")).collect();
            let call = |id: &String| format!("{{\"type\":\"tool_call\",\"call_id\":\"{id}\",\"name\":\"f\"}}");
            let calls: Vec<String> = ids.iter().map(call).collect();
            let message = |role: &str, tokens: u32, parts: &str| {
                format!("{{\"role\":\"{role}\",\"token_count\":{tokens},\"parts\":[{parts}]}}")
            };
            let results = ids.iter().zip(&tokens[1..]).map(|(id, tokens)| {
                let part = format!("{{\"type\":\"tool_result\",\"call_id\":\"{id}\",\"content\":\"1\"}}");
                ("tool", message("tool", *tokens, &part))
            });
            let call = ("assistant", message("assistant", tokens[0], &calls.join(",")));
            std::iter::once(call).chain(results).collect()
        }
    }
}

/// How a window began: its spans but for the last one's end, and whether it is cut; nothing where none fits.
type Beginning = Option<(Vec<Span>, bool)>;

fn beginning(context: &Context, request: WindowRequest) -> Beginning {
    let window = Window::select(context.state().unwrap(), request).ok()?;
    let mut spans = window.spans().to_vec();
    let end = std::mem::take(&mut spans.last_mut().unwrap().1);
    let shown: u64 = window.spans().iter().map(|(from, to)| to - from).sum();
    Some((spans, shown < end))
}

/// The first message that may keep its thinking, by what was seen after each message.
fn expected(seen: &[Beginning], roles: &[&str]) -> Option<u64> {
    let now = seen.last()?.as_ref()?;
    if !now.1 {
        return None;
    }
    let first = seen.iter().position(|beginning| beginning.as_ref() == Some(now))?;
    assert!(seen[first..].iter().all(|each| each.as_ref() == Some(now)), "a cut came back");
    let floor = usize::try_from(now.0.last()?.0).unwrap();
    let newest = (floor..=first).rev().find(|at| roles[*at] == "assistant");
    let run = newest.map(|last| (floor..=last).rev().take_while(|at| roles[*at] == "assistant").last().unwrap());
    // Messages are numbered from 1, places here from 0.
    Some(run.unwrap_or(first + 1) as u64 + 1)
}

proptest! {
    #[test]
    fn a_cut_is_dated_to_the_message_that_moved_it(steps in steps(), budget in BUDGETS, largest: bool) {
        let (mut context, _) = filled(0, 1_000_000);
        let request = WindowRequest { budget: Some(budget), largest, ..WindowRequest::default() };
        let (mut seen, mut roles) = (Vec::new(), Vec::new());
        for (number, step) in steps.iter().enumerate() {
            for (role, message) in messages(number, step) {
                write(&mut context, Route::Append, &format!("{{\"message\":{message}}}"));
                roles.push(role);
                seen.push(beginning(&context, request));
                let Ok(window) = Window::select(context.state().unwrap(), request) else { continue };
                prop_assert_eq!(window.fresh().unwrap().map(|fresh| fresh.from), expected(&seen, &roles));
            }
        }
    }
}

/// Six calls of 50 tokens and their results of 50, in one turn that a user message of 100 opens.
#[test]
fn what_a_model_demands_of_a_tool_loop_in_which_the_cut_moved() {
    let (mut context, _) = filled(0, 1_000_000);
    let say = Step::Says { role: "user", tokens: 100, pinned: false };
    let steps = std::iter::once(say).chain(std::iter::repeat_n(Step::Calls { tokens: vec![50, 50] }, 6));
    let request = WindowRequest { budget: Some(560), ..WindowRequest::default() };
    let mut found = Vec::new();
    for (number, step) in steps.enumerate() {
        for (_, message) in messages(number, &step) {
            write(&mut context, Route::Append, &format!("{{\"message\":{message}}}"));
        }
        found.push(Window::select(context.state().unwrap(), request).unwrap().fresh().unwrap());
    }
    // The fifth result is the first for which there is no room; windows begin with the fourth call since then.
    let cut = Some(Fresh { from: 10, loop_from: 8 });
    assert_eq!(found, [None, None, None, None, None, cut, cut]);
}
