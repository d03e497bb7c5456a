//! Declared edits: what is asked for changes, the rest stays byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{assert_fixed_point, parse, rules};
use fastpaca_core::edit::{clamp_results, only_part, repair, replace_result, replace_results, without_parts};
use fastpaca_core::message::{Class, Message};

/// The stored body of a message; edits work on those alone.
fn stored(raw: &str) -> Vec<u8> {
    let message = parse(raw);
    assert_eq!(common::body(&message), raw, "the test's message is stored as it is");
    message.body
}

fn text(body: Vec<u8>) -> String {
    let message = Message::parse_one(&body, &rules()).unwrap();
    assert_eq!(message.body, body, "an edit gives a stored body");
    assert_fixed_point(&message);
    String::from_utf8(body).unwrap()
}

#[test]
fn parts_go_and_the_rest_stays() {
    for (raw, parts, expected) in [
        (
            r#"{"x":1.0,"role":"user","parts":[{"type":"a"},{"type":"b","n":1e2},{"type":"c"}],"y":[]}"#,
            &[0, 2][..],
            r#"{"x":1.0,"role":"user","parts":[{"type":"b","n":1e2}],"y":[]}"#,
        ),
        (r#"{"role":"user","content":[{"type":"a"},{"type":"b"}]}"#, &[0, 1], r#"{"role":"user","content":[]}"#),
        (
            r#"{"role":"user","content":[{"type":"a"},{"type":"b"}]}"#,
            &[7],
            r#"{"role":"user","content":[{"type":"a"},{"type":"b"}]}"#,
        ),
        (
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a"},{"id":"b"}]}"#,
            &[0],
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"b"}]}"#,
        ),
        (
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a"}],"x":1}"#,
            &[0],
            r#"{"role":"assistant","x":1,"parts":[]}"#,
        ),
        (r#"{"role":"assistant","tool_calls":[{"id":"a"}]}"#, &[0], r#"{"role":"assistant","parts":[]}"#),
        (
            r#"{"role":"assistant","content":[{"type":"text","text":"hi"}],"tool_calls":[{"id":"a"}]}"#,
            &[1],
            r#"{"role":"assistant","content":[{"type":"text","text":"hi"}]}"#,
        ),
        (
            r#"{"role":"assistant","content":[{"type":"text","text":"hi"}],"reasoning_content":"x"}"#,
            &[1],
            r#"{"role":"assistant","content":[{"type":"text","text":"hi"}]}"#,
        ),
        (r#"{"type":"reasoning","summary":[]}"#, &[0], r#"{"role":"assistant","parts":[]}"#),
        (r#"{"type":"reasoning","summary":[]}"#, &[], r#"{"type":"reasoning","summary":[]}"#),
    ] {
        assert_eq!(text(without_parts(&stored(raw), parts)), expected);
    }
}

#[test]
fn one_part_alone() {
    for (raw, part, expected) in [
        (
            r#"{"role":"user","parts":[{"type":"tool_result","call_id":"a"},{"type":"tool_result","call_id":"b"}],"x":1}"#,
            1,
            r#"{"role":"user","parts":[{"type":"tool_result","call_id":"b"}],"x":1}"#,
        ),
        (
            r#"{"role":"assistant","content":[{"type":"text","text":"x"}],"tool_calls":[{"id":"a"},{"id":"b"}]}"#,
            2,
            r#"{"role":"assistant","content":[],"tool_calls":[{"id":"b"}]}"#,
        ),
        (
            r#"{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]}"#,
            0,
            r#"{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]}"#,
        ),
        (
            r#"{"type":"function_call_output","call_id":"a","output":"x"}"#,
            0,
            r#"{"type":"function_call_output","call_id":"a","output":"x"}"#,
        ),
    ] {
        assert_eq!(text(only_part(&stored(raw), part)), expected);
    }
}

/// A body with LONG for the output of a result in part 0.
const RESULTS: &[(&str, &str)] = &[
    (
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a","name":"f","content":LONG,"is_error":false}],"x":1.0}"#,
        "STRING",
    ),
    (
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":LONG}]},{"type":"text","text":"b"}]}"#,
        "BLOCKS",
    ),
    (r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a","content":{"rows":[1.50,LONG]}}]}"#, "DATA"),
    (r#"{"role":"tool","tool_call_id":"a","parts":[{"type":"text","text":LONG}]}"#, "MESSAGE"),
    (
        r#"{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":LONG},{"type":"text","text":"b"}]}"#,
        "MESSAGE",
    ),
    (r#"{"type":"function_call_output","call_id":"a","output":LONG}"#, "STRING"),
    (r#"{"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":LONG}]}"#, "BLOCKS"),
    (
        r#"{"type":"shell_call_output","call_id":"a","output":[{"stdout":LONG,"stderr":"e","outcome":{"type":"exit","exit_code":2}}]}"#,
        "SHELL",
    ),
    (
        r#"{"role":"tool","content":[{"type":"tool-result","toolCallId":"a","toolName":"f","output":{"type":"text","value":LONG}}]}"#,
        "OUTPUT",
    ),
    (
        r#"{"role":"tool","content":[{"type":"tool-result","toolCallId":"a","toolName":"f","output":{"type":"json","value":{"a":LONG}}}]}"#,
        "OUTPUT",
    ),
    (
        r#"{"role":"assistant","parts":[{"type":"tool-f","toolCallId":"a","state":"output-available","input":{},"output":{"x":LONG}}]}"#,
        "STRING",
    ),
    (
        r#"{"role":"assistant","parts":[{"type":"tool-f","toolCallId":"a","state":"output-error","errorText":LONG}]}"#,
        "STRING",
    ),
];

fn long() -> String {
    let lines: String = (0..500).map(|n| format!("line {n} é \"quoted\" \\ 你好\n")).collect();
    serde_json::to_string(&lines).unwrap()
}

#[test]
fn results_give_way_to_a_placeholder() {
    for (raw, _) in RESULTS {
        let body = stored(&raw.replace("LONG", &long()));
        let after = text(replace_result(&body, 0, "[\"cleared\"]"));
        assert!(after.contains(r#"[\"cleared\"]"#), "{after}");
        assert!(!after.contains("line 1"), "{after}");
        let pairs = |body: &[u8]| {
            let message = Message::parse_one(body, &rules()).unwrap();
            let all = message.results.into_iter().chain(message.answered);
            all.map(|result| (result.id, result.name)).collect::<Vec<_>>()
        };
        assert_eq!(pairs(after.as_bytes()), pairs(&body));
    }
    let exact = text(replace_result(&stored(&RESULTS[0].0.replace("LONG", "\"x\"")), 0, "-"));
    assert_eq!(exact, RESULTS[0].0.replace("LONG", "\"-\""));
    let exact = text(replace_result(&stored(&RESULTS[8].0.replace("LONG", "\"x\"")), 0, "-"));
    assert_eq!(exact, RESULTS[8].0.replace("LONG", "\"-\""));
}

#[test]
fn what_has_no_room_for_a_text_stays() {
    for raw in [
        r#"{"type":"computer_call_output","call_id":"a","output":{"type":"computer_screenshot","image_url":"https://x"}}"#,
        r#"{"role":"assistant","content":[{"type":"web_search_tool_result","tool_use_id":"a","content":[{"type":"web_search_result","title":"a"}]}]}"#,
        r#"{"role":"tool","content":[{"type":"tool-result","toolCallId":"a","output":{"type":"execution-denied","reason":"no"}}]}"#,
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a"}]}"#,
        r#"{"role":"user","parts":[{"type":"text","text":"a"}]}"#,
    ] {
        let body = stored(raw);
        assert_eq!(text(replace_result(&body, 0, "-")), raw);
        assert_eq!(clamp_results(&body, &[0], 1, &rules()), None, "{raw}");
    }
}

/// Tokens of the result as the clamp promises to bound them.
fn result_tokens(body: &[u8]) -> u32 {
    let message = Message::parse_one(body, &rules()).unwrap();
    message.results.iter().chain(&message.answered).map(|result| result.tokens).max().unwrap()
}

#[test]
fn large_results_keep_head_and_tail() {
    for (raw, shape) in RESULTS {
        let body = stored(&raw.replace("LONG", &long()));
        assert_eq!(clamp_results(&body, &[0], result_tokens(&body), &rules()), None, "it fits already");
        for max in [100, 333, 1000, 2000] {
            let clamped = clamp_results(&body, &[0], max, &rules()).unwrap();
            let tokens = result_tokens(&clamped);
            assert!(tokens <= max, "{tokens} > {max} {shape}");
            assert!(tokens >= max / 2, "{tokens} of {max} {shape}: more was cut than needed");
            let after = text(clamped);
            assert!(after.contains("line 0 é"), "{after}");
            assert!(max < 300 || *shape == "MESSAGE" || after.contains("line 499 é"), "{after}");
            assert!(after.contains(" tokens omitted ...]"), "{after}");
        }
        assert!(clamp_results(&body, &[0], 3, &rules()).is_none(), "not even the marker fits: {shape}");
    }
}

#[test]
fn the_marker_counts_what_is_left_out() {
    let body = stored(&RESULTS[0].0.replace("LONG", &serde_json::to_string(&"abcd".repeat(1000)).unwrap()));
    let after: serde_json::Value =
        serde_json::from_str(&text(clamp_results(&body, &[0], 200, &rules()).unwrap())).unwrap();
    let content = after["parts"][0]["content"].as_str().unwrap();
    let (head, rest) = content.split_once("\n[... ").unwrap();
    let (omitted, tail) = rest.split_once(" tokens omitted ...]\n").unwrap();
    assert_eq!(omitted.parse::<usize>().unwrap() + head.len().div_ceil(4) + tail.len().div_ceil(4), 1000);
    assert!(head.len().abs_diff(tail.len()) <= 1);
}

#[test]
fn images_beside_the_text_stay_if_there_is_room() {
    let image = r#"{"type":"image","source":{"type":"url","url":"https://x"}}"#;
    let raw = format!(
        r#"{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"a","content":[{{"type":"text","text":{}}},{image}]}}]}}"#,
        long()
    );
    let body = stored(&raw);
    assert!(text(clamp_results(&body, &[0], 2500, &rules()).unwrap()).contains(image));
    let without = text(clamp_results(&body, &[0], 1000, &rules()).unwrap());
    assert!(!without.contains(image) && without.contains("line 0"), "{without}");
}

#[test]
fn repairs_are_results() {
    let body = repair("c\"1", Some("f"));
    assert_eq!(
        String::from_utf8(body.clone()).unwrap(),
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"c\"1","name":"f","content":"No result was recorded for this call.","is_error":true}]}"#
    );
    let message = Message::parse_one(&body, &rules()).unwrap();
    assert_eq!(message.body, body);
    assert_eq!(message.results[0].id.as_deref(), Some("c\"1"));
    assert_eq!(message.parts[0].class, Class::ToolResult);
    assert!(text(repair("c", None)).contains(r#""call_id":"c","content""#));
}

#[test]
fn edits_of_anything_else_change_nothing() {
    for body in [&b"[]"[..], b"", b"\xff", b"{}"] {
        assert_eq!(without_parts(body, &[0]), body);
        assert_eq!(only_part(body, 0), body);
        assert_eq!(replace_result(body, 0, "x"), body);
        assert_eq!(clamp_results(body, &[0], 1, &rules()), None);
    }
}

#[test]
fn several_results_are_replaced_at_once() {
    let body = br#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"one"},{"type":"text","text":"x"},{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"two"}]},{"type":"tool_result","tool_use_id":"c"}]}"#;
    let one_by_one = [0, 2, 3].iter().fold(body.to_vec(), |body, part| replace_result(&body, *part, "-"));
    assert_eq!(replace_results(body, &[3, 2, 0], "-"), one_by_one);
    assert_eq!(replace_results(body, &[], "-"), body);
    assert_eq!(replace_results(b"no message", &[0], "-"), b"no message");
}
