//! The AI SDK's formats grow at their end, and are made of stored bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use fastpaca_core::format::{Format, Options, Request};
use fastpaca_core::spliced::Spliced;

const USER: &str = r#"{"role":"user","parts":[{"type":"text","text":"Go."}]}"#;
const THINKS: &str = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}"#;
const CALLS: &str = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{ \"n\": 1.0 }"}}]}"#;
const CALLS_MORE: &str = r#"{"type":"function_call","call_id":"b","name":"f","arguments":"{}"}"#;
const ANSWERS: &str = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},{"type":"text","text":"Also:"}]}"#;
const ANSWERS_MORE: &str = r#"{"type":"function_call_output","call_id":"b","output":"2"}"#;
const SAYS: &str = r#"{"role":"assistant","parts":[{"type":"text","text":"So."}]}"#;
const ALL: [&str; 8] = [USER, THINKS, CALLS, CALLS_MORE, ANSWERS, ANSWERS_MORE, SAYS, USER];

fn written(request: &Request) -> String {
    let mut out = Spliced::default();
    request.write(&mut out, false);
    String::from_utf8(out.to_vec()).unwrap()
}

fn requests(format: Format, bodies: &[&str]) -> Vec<String> {
    let mut request = Request::new(format, &Options::default()).unwrap();
    let push = |(body, seq): (&&str, u64)| {
        request.push(seq, None, body.as_bytes());
        written(&request)
    };
    bodies.iter().zip(1..).map(push).collect()
}

#[test]
fn model_messages_grow_at_their_end_byte_for_byte() {
    let found = requests(Format::AiSdk, &ALL);
    for pair in found.windows(2) {
        let before = pair[0].split(",\"omitted_reasoning\"").next().unwrap().trim_end_matches(['}', ']']);
        assert!(pair[1].starts_with(before), "{}\n{}", pair[0], pair[1]);
    }
    let last = found.last().unwrap();
    assert!(last.contains(r#""input":{ "n": 1.0 }"#), "{last}");
    assert!(last.contains(r#""providerOptions":{"openai":{"reasoningEncryptedContent":"gAAA"}}"#), "{last}");
    // What the user said beside a result of parallel calls follows them all.
    let order = [r#""value":"1""#, r#""value":"2""#, "Also:", "So."].map(|mark| last.find(mark).unwrap());
    assert!(order.is_sorted(), "{last}");
}

#[test]
fn messages_of_an_interface_are_settled_once_somebody_else_speaks() {
    let found = requests(Format::AiSdkUi, &ALL);
    let first_turn = found[6].find(r#",{"role":"user","id":"msg_5""#).unwrap();
    assert!(found[7].starts_with(&found[6][..first_turn]));
    assert!(found[3].contains(r#""toolCallId":"b","state":"input-available""#), "{}", found[3]);
    assert!(found[5].contains(r#""toolCallId":"b","state":"output-available""#), "{}", found[5]);
}

#[test]
fn summaries_and_messages_without_ids_are_named_by_their_place() {
    let mut request = Request::new(Format::AiSdkUi, &Options::default()).unwrap();
    request.push(1, Some(7), SAYS.as_bytes());
    request.push(8, None, SAYS.as_bytes());
    let found = written(&request);
    assert!(found.contains(r#""id":"summary_1_7""#) && found.contains(r#""id":"msg_8""#), "{found}");
}

#[test]
fn a_copy_goes_on_by_itself() {
    for format in [Format::AiSdk, Format::AiSdkUi] {
        let mut request = Request::new(format, &Options::default()).unwrap();
        request.push(1, None, USER.as_bytes());
        request.push(2, None, CALLS.as_bytes());
        let before = written(&request);
        let mut copy = request.clone();
        copy.push(0, None, ANSWERS_MORE.replace("\"b\"", "\"a\"").as_bytes());
        assert_eq!(written(&request), before);
        assert!(written(&copy).len() > before.len());
    }
}
