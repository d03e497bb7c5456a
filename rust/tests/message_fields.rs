//! The interpreted fields, what is stored, what is counted, and errors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    missing_docs
)]

mod common;

use common::{assert_fixed_point, body, parse, refused};
use fastpaca_core::estimate::CountRules;
use fastpaca_core::limits::{IMAGE_LOW_TOKENS, IMAGE_TOKENS};
use fastpaca_core::message::{Message, Usage};
use proptest::prelude::*;

#[test]
fn stores_byte_for_byte() {
    for (raw, stored) in [
        (
            r#" { "role" : "user", "content" : "a\u0041\/ b" , "x" : [ 1.0 , 1e2 ] } "#,
            r#"{"role":"user","parts":[{"type":"text","text":"a\u0041\/ b"}],"x":[1.0,1e2]}"#,
        ),
        (
            r#"{"z":-0.0,"parts":[ {"text":"a","type":"text"} ],"role":"user","a":12345678901234567890123}"#,
            r#"{"z":-0.0,"parts":[{"text":"a","type":"text"}],"role":"user","a":12345678901234567890123}"#,
        ),
        (
            r#"{"role":"user","content":[{"type":"text","text":"a"}],"token_count":5}"#,
            r#"{"role":"user","content":[{"type":"text","text":"a"}]}"#,
        ),
        (
            r#"{"seq":4,"role":"user","parts":[],"token_count":7,"inserted_at":"x","from_seq":1,"to_seq":2,"edited":{},"repair":true,"metadata":{"seq":1}}"#,
            r#"{"role":"user","parts":[],"metadata":{"seq":1}}"#,
        ),
        (r#"{"\u0072ole":"user","c\u006fntent":"a"}"#, r#"{"\u0072ole":"user","parts":[{"type":"text","text":"a"}]}"#),
        (
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a"}]}"#,
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a"}]}"#,
        ),
        (
            r#"{"type":"reasoning","summary":[], "content":"kept"}"#,
            r#"{"type":"reasoning","summary":[],"content":"kept"}"#,
        ),
    ] {
        let message = parse(raw);
        assert_eq!(body(&message), stored);
        assert_eq!(body(&parse(stored)), stored);
    }
}

#[test]
fn spans_are_the_parts() {
    let message = parse(
        r#"{ "role":"assistant", "content":"hé", "tool_calls":[ {"id":"a"}, {"id":"b"} ], "reasoning_content":"r" }"#,
    );
    let spans = message.parts.iter().map(|part| &body(&message)[part.span.start as usize..part.span.end as usize]);
    let spans: Vec<_> = spans.collect();
    assert_eq!(spans, [r#"{"type":"text","text":"hé"}"#, r#"{"id":"a"}"#, r#"{"id":"b"}"#, r#""r""#]);
}

#[test]
fn interpreted_fields() {
    let raw = r#"{"role":"user","content":"a","id":"m1","metadata":{"pinned":true},"created_at":"2024-02-29T23:59:59.5+01:00","usage":{"window_version":3,"input_tokens":12,"more":1},"token_count":9}"#;
    let message = parse(raw);
    assert_eq!(message.id.as_deref(), Some("m1"));
    assert!(message.pinned);
    assert_eq!(message.created_at_ms, Some(1_709_247_599_500));
    assert_eq!(message.usage, Some(Usage { input_tokens: 12, window_version: 3 }));
    assert_eq!(message.tokens, 9);
    let none = parse(
        r#"{"role":"user","content":"a","id":null,"metadata":null,"created_at":null,"usage":null,"token_count":null}"#,
    );
    assert_eq!((none.id, none.pinned, none.created_at_ms, none.usage), (None, false, None, None));
    for usage in [r#"{"input_tokens":"x"}"#, r#"{"prompt_tokens":1}"#, "{}"] {
        assert_eq!(parse(&format!(r#"{{"role":"user","content":"a","usage":{usage}}}"#)).usage, None);
    }
    for metadata in [r#"{"pinned":"true"}"#, r#"{"pinned":1}"#, r#"{"x":{"pinned":true}}"#] {
        assert!(!parse(&format!(r#"{{"role":"user","content":"a","metadata":{metadata}}}"#)).pinned);
    }
}

#[test]
fn times() {
    let time = |text: &str| parse(&format!(r#"{{"role":"user","content":"","created_at":"{text}"}}"#)).created_at_ms;
    for (text, ms) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1970-01-01t00:00:00.0019z", 1),
        ("1970-01-01 01:00:00+01:00", 0),
        ("1970-01-01T00:00:01", 1000),
        ("1970-01-01T00:00:01.250000", 1250),
    ] {
        assert_eq!(time(text), Some(ms), "{text}");
    }
    for text in [
        "",
        "now",
        "1970-01-01",
        "1970-01-01T00:00",
        "1970-13-01T00:00:00Z",
        "1970-02-30T00:00:00Z",
        "1970-01-01T25:00:00Z",
        "19700101T000000Z",
        "1970-01-01T00:00:00+99:00",
        "1970-01-01T00:00:00Z[UTC]",
        "+1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00 Z",
    ] {
        let (code, field, _) = refused(&format!(r#"{{"role":"user","content":"","created_at":"{text}"}}"#));
        assert_eq!((&*code, &*field), ("invalid_field", "messages[3].created_at"), "{text}");
    }
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    let long = format!(r#"{{"role":"user","content":"","id":"{}"}}"#, "é".repeat(128));
    for (raw, code, field, message) in [
        ("[]", "invalid_field", "messages[3]", "expected a message object, got an array"),
        ("{}", "missing_field", "messages[3].role", "needs a role"),
        (r#"{"content":"a"}"#, "missing_field", "messages[3].role", "needs a role"),
        (r#"{"type":"message","content":"a"}"#, "missing_field", "messages[3].role", "needs a role"),
        (r#"{"role":null,"content":"a"}"#, "missing_field", "messages[3].role", "needs a role"),
        (r#"{"role":5,"content":"a"}"#, "invalid_field", "messages[3].role", "expected a string, got a number"),
        (r#"{"role":"user"}"#, "missing_field", "messages[3]", "`parts` or `content`"),
        (
            r#"{"role":"user","content":"a","parts":[]}"#,
            "invalid_field",
            "messages[3]",
            "`parts` or `content`, not both",
        ),
        (r#"{"role":"user","content":null}"#, "invalid_field", "messages[3].content", "got null"),
        (r#"{"role":"user","content":null,"tool_calls":null}"#, "invalid_field", "messages[3].content", "got null"),
        (r#"{"role":"user","content":{}}"#, "invalid_field", "messages[3].content", "got an object"),
        (
            r#"{"role":"user","parts":"a"}"#,
            "invalid_field",
            "messages[3].parts",
            "expected an array of parts, got a string",
        ),
        (r#"{"role":"user","parts":null}"#, "invalid_field", "messages[3].parts", "got null"),
        (
            r#"{"role":"user","parts":["a"]}"#,
            "invalid_field",
            "messages[3].parts[0]",
            "expected a part object, got a string",
        ),
        (r#"{"role":"user","content":[{"text":"a"}]}"#, "missing_field", "messages[3].content[0].type", "`type`"),
        (
            r#"{"role":"user","parts":[{"type":1}]}"#,
            "invalid_field",
            "messages[3].parts[0].type",
            "expected a string, got a number",
        ),
        (r#"{"role":"user","parts":[{"type":"text"}]}"#, "missing_field", "messages[3].parts[0].text", "string `text`"),
        (
            r#"{"role":"user","parts":[{"type":"x"},{"type":"input_text","text":null}]}"#,
            "invalid_field",
            "messages[3].parts[1].text",
            "expected a string, got null",
        ),
        (r#"{"role":"user","content":"","id":7}"#, "invalid_field", "messages[3].id", "expected a string or null"),
        (r#"{"role":"user","content":"","id":""}"#, "invalid_field", "messages[3].id", "1 to 255 bytes"),
        (r#"{"role":"user","content":"","id":"a\u0007"}"#, "invalid_field", "messages[3].id", "1 to 255 bytes"),
        (&long, "invalid_field", "messages[3].id", "1 to 255 bytes"),
        (
            r#"{"role":"user","content":"","metadata":[]}"#,
            "invalid_field",
            "messages[3].metadata",
            "expected an object or null",
        ),
        (r#"{"role":"user","content":"","created_at":5}"#, "invalid_field", "messages[3].created_at", "RFC 3339"),
        (
            r#"{"role":"user","content":"","usage":5}"#,
            "invalid_field",
            "messages[3].usage",
            "expected an object or null",
        ),
        (
            r#"{"role":"user","content":"","usage":{"window_version":1}}"#,
            "missing_field",
            "messages[3].usage.input_tokens",
            "window_version",
        ),
        (
            r#"{"role":"user","content":"","usage":{"window_version":-1,"input_tokens":1}}"#,
            "invalid_field",
            "messages[3].usage.window_version",
            "integer of 0 or more",
        ),
        (
            r#"{"role":"user","content":"","usage":{"window_version":1,"input_tokens":1.5}}"#,
            "invalid_field",
            "messages[3].usage.input_tokens",
            "integer of 0 or more",
        ),
        (
            r#"{"role":"user","content":"","token_count":"5"}"#,
            "invalid_field",
            "messages[3].token_count",
            "an integer from 0",
        ),
        (r#"{"role":"user","content":"","token_count":-1}"#, "invalid_field", "messages[3].token_count", "got -1"),
        (r#"{"role":"user","content":"","token_count":1.0}"#, "invalid_field", "messages[3].token_count", "got 1.0"),
        (
            r#"{"role":"user","content":"","token_count":10000001}"#,
            "invalid_field",
            "messages[3].token_count",
            "10000000",
        ),
        (
            r#"{"role":"assistant","tool_calls":{}}"#,
            "invalid_field",
            "messages[3].tool_calls",
            "expected an array or null",
        ),
        (
            r#"{"role":"assistant","tool_calls":["a"]}"#,
            "invalid_field",
            "messages[3].tool_calls[0]",
            "expected a tool call object",
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"id":5}]}"#,
            "invalid_field",
            "messages[3].tool_calls[0].id",
            "expected a string, got a number",
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"function":{"name":[]}}]}"#,
            "invalid_field",
            "messages[3].tool_calls[0].function.name",
            "expected a string, got an array",
        ),
        (
            r#"{"role":"assistant","function_call":"f"}"#,
            "invalid_field",
            "messages[3].function_call",
            "expected an object",
        ),
        (
            r#"{"role":"tool","content":"","tool_call_id":5}"#,
            "invalid_field",
            "messages[3].tool_call_id",
            "expected a string",
        ),
        (
            r#"{"role":"tool","parts":[{"type":"tool_result","call_id":5}]}"#,
            "invalid_field",
            "messages[3].parts[0].call_id",
            "expected a string",
        ),
        (
            r#"{"type":"function_call","call_id":{},"id":"x"}"#,
            "invalid_field",
            "messages[3].call_id",
            "expected a string",
        ),
    ] {
        let (got_code, got_field, got_message) = refused(raw);
        assert_eq!((&*got_code, &*got_field), (code, field), "{raw}: {got_message}");
        assert!(got_message.contains(message), "{raw}: {got_message}");
    }
    let cause = Message::parse_one(br#"{"role":"user"}"#, &common::rules()).unwrap_err();
    assert_eq!(cause.to_string(), "a message needs `parts` or `content` (or `tool_calls`)");
}

fn tokens(raw: &str) -> u32 {
    let message = parse(raw);
    assert_fixed_point(&message);
    message.tokens
}

#[test]
fn counts_text_by_text_and_parts_by_their_json() {
    let json = |raw: &str| u32::try_from(raw.len().div_ceil(4)).unwrap();
    assert_eq!(tokens(r#"{"role":"user","content":"12345678"}"#), 4 + 2);
    assert_eq!(tokens(r#"{"role":"user","content":"\u0031\u0032345678","unknown":"not counted at all"}"#), 4 + 2);
    assert_eq!(
        tokens(r#"{"role":"user","content":[{"type":"text","text":"1234"},{"type":"text","text":"12345"}]}"#),
        4 + 1 + 2
    );
    let part = r#"{"type":"tool_call","name":"é","payload":{"signature":"a","n":1.50}}"#;
    assert_eq!(tokens(&format!(r#"{{"role":"assistant","parts":[{part}]}}"#)), 4 + json(part));
    let escaped = part.replace('é', "\\u00e9").replace(',', " , ");
    assert_eq!(tokens(&format!(r#"{{"role":"assistant","parts":[{escaped}]}}"#)), 4 + json(part));
    let call = r#"{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"signature\":\"x\"}"}}"#;
    assert_eq!(tokens(&format!(r#"{{"role":"assistant","content":"12","tool_calls":[{call}]}}"#)), 4 + 1 + json(call));
    let item = r#"{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}"#;
    assert_eq!(tokens(item), 4 + json(item));
    let with_ours =
        item.replacen('{', r#"{"metadata":{"a":"long, but never sent"},"created_at":"2024-01-01T00:00:00Z","#, 1);
    assert_eq!(tokens(&with_ours), 4 + json(item));
    assert_eq!(tokens(r#"{"role":"assistant","content":"","reasoning_content":"12345678"}"#), 4 + 2);
}

#[test]
fn leaves_out_what_providers_do_not_read_as_text() {
    let blob = "QUJD".repeat(5000);
    let cases = [
        (r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"BLOB"}]}"#, 0),
        (r#"{"role":"assistant","content":[{"type":"redacted_thinking","data":"BLOB"}]}"#, 0),
        (r#"{"type":"reasoning","summary":[],"encrypted_content":"BLOB"}"#, 0),
        (
            r#"{"role":"assistant","parts":[{"type":"reasoning","text":"","providerMetadata":{"anthropic":{"signature":"BLOB"}}}]}"#,
            0,
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"id":"a","extra_content":{"google":{"thought_signature":"BLOB"}}}]}"#,
            0,
        ),
        (
            r#"{"role":"assistant","content":[{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","encrypted_content":"BLOB"}]}]}"#,
            0,
        ),
        (
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,BLOB"}}]}"#,
            IMAGE_TOKENS,
        ),
        (
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,BLOB","detail":"low"}}]}"#,
            IMAGE_LOW_TOKENS,
        ),
        (
            r#"{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,BLOB"}]}"#,
            IMAGE_TOKENS,
        ),
        (
            r#"{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"BLOB"}}]}"#,
            IMAGE_TOKENS,
        ),
        (r#"{"role":"user","content":[{"type":"image","image":"BLOB"}]}"#, IMAGE_TOKENS),
        (
            r#"{"role":"user","parts":[{"type":"file","mediaType":"image/png","url":"data:image/png;base64,BLOB"}]}"#,
            IMAGE_TOKENS,
        ),
        (
            r#"{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BLOB"}}]}"#,
            500,
        ),
        (
            r#"{"role":"user","content":[{"type":"file","file":{"filename":"a.txt","file_data":"data:text/plain;base64,BLOB"}}]}"#,
            3756,
        ),
        (r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"BLOB","format":"mp3"}}]}"#, 50),
        (
            r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"x"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"BLOB"}}]}]}"#,
            IMAGE_TOKENS,
        ),
        (
            r#"{"role":"tool","content":[{"type":"tool-result","toolCallId":"t","output":{"type":"content","value":[{"type":"media","mediaType":"image/png","data":"BLOB"}]}}]}"#,
            IMAGE_TOKENS,
        ),
        (
            r#"{"role":"assistant","parts":[{"type":"tool-f","toolCallId":"t","state":"output-available","output":{"content":[{"type":"image","data":"BLOB","mimeType":"image/png"}]}}]}"#,
            IMAGE_TOKENS,
        ),
        (
            r#"{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,BLOB"}}"#,
            IMAGE_TOKENS,
        ),
        (
            r#"{"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"data:image/png;base64,BLOB"}]}"#,
            IMAGE_TOKENS,
        ),
        (r#"{"type":"image_generation_call","id":"c","result":"BLOB"}"#, IMAGE_TOKENS),
    ];
    for (raw, media) in cases {
        let count = u64::from(tokens(&raw.replace("BLOB", &blob)));
        let rest = count.checked_sub(media).unwrap_or_else(|| panic!("{count}: {raw}"));
        assert!(rest <= raw.len() as u64 / 4 + 8, "{rest} beside {media}: {raw}");
    }
}

#[test]
fn counts_text_that_only_looks_like_something_left_out() {
    let text = "word and word ".repeat(1000);
    let blob = "QUJD".repeat(5000);
    for raw in [
        r#"{"role":"assistant","parts":[{"type":"tool_call","call_id":"a","payload":{"signature":"TEXT"}}]}"#,
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a","content":{"signature":"TEXT","encrypted_content":"x"}}]}"#,
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a","content":{"encrypted_content":"TEXT"}}]}"#,
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a","content":[{"type":"image","data":"TEXT"}]}]}"#,
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a","content":[{"type":"file","name":"TEXT"}]}]}"#,
        r#"{"role":"user","parts":[{"type":"image","alt":"TEXT"}]}"#,
        r#"{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"TEXT"}}]}"#,
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a","content":{"data":"BLOB"}}]}"#,
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a","content":"BLOB"}]}"#,
    ] {
        let count = tokens(&raw.replace("TEXT", &text).replace("BLOB", &blob));
        assert!(count >= 3500, "{count}: {raw}");
    }
    let listing = r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"a","content":[{"type":"file","path":"a"},{"type":"file","path":"b"}]}]}"#;
    assert!(tokens(listing) < 40);
}

#[test]
fn factor_and_given_counts() {
    let rules = CountRules { counter: &common::quarter, factor_permille: 1250 };
    let raw = br#"{"role":"user","content":[{"type":"text","text":"1234"},{"type":"text","text":"12345"}]}"#;
    let message = Message::parse_one(raw, &rules).unwrap();
    assert_eq!(message.tokens, 9, "7 tokens times 1.25, rounded up");
    assert_eq!(message.parts.iter().map(|part| part.tokens).collect::<Vec<_>>(), [2, 3]);
    let given = br#"{"role":"tool","token_count":1000,"parts":[{"type":"text","text":"1"},{"type":"tool_result","call_id":"a","content":"12"}]}"#;
    let never = |_: &str| -> usize { panic!("a given count is taken as it is") };
    let message = Message::parse_one(given, &CountRules { counter: &never, factor_permille: 1250 }).unwrap();
    assert_eq!(message.tokens, 1000);
    assert_eq!(message.parts.iter().map(|part| part.tokens).sum::<u32>(), 1000);
    assert_eq!(message.results[0].tokens, message.parts[1].tokens);
}

fn json_value() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just("1.0".to_owned()),
        Just("-0".to_owned()),
        Just("1E+2".to_owned()),
        any::<i64>().prop_map(|n| n.to_string())
    ];
    let string = prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#""\u0041\/\ud83d\ude00""#.to_owned()),
    ];
    let leaf = prop_oneof![Just("null".to_owned()), Just("true".to_owned()), number, string];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(",")));
        let object = prop::collection::vec(inner, 0..4).prop_map(|values| {
            let fields = values.iter().enumerate().map(|(n, value)| format!("\"k{n}\":{value}"));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        });
        prop_oneof![list, object]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn unknown_fields_survive_byte_for_byte(a in json_value(), b in json_value(), c in json_value(), text in any::<String>()) {
        let text = serde_json::to_string(&text).unwrap();
        let compact = format!(
            r#"{{"x_a":{a},"role":"user","parts":[{{"x_b":{b},"type":"x","y":{c}}},{{"type":"text","text":{text}}}],"x_c":{c}}}"#
        );
        let spaced = compact.replacen(r#""role":"user","#, "\n\t\"role\" : \"user\" ,\r\n", 1);
        let message = Message::parse_one(spaced.as_bytes(), &common::rules()).unwrap();
        prop_assert_eq!(body(&message), &compact);
        assert_fixed_point(&message);
    }

    #[test]
    fn any_json_is_taken_or_refused_and_what_is_taken_is_a_fixed_point(
        role in prop_oneof![Just("user"), Just("assistant"), Just("tool")],
        kind in prop_oneof![Just("text"), Just("tool_call"), Just("tool_result"), Just("tool-x"), Just("image"), Just("thinking"), Just("tool-result"), Just("x_tool_result"), Just("file")],
        key in prop_oneof![Just("text"), Just("content"), Just("output"), Just("source"), Just("call_id"), Just("state"), Just("data")],
        value in json_value(),
        field in prop_oneof![Just("tool_calls"), Just("content"), Just("function_call"), Just("reasoning_details"), Just("audio"), Just("usage"), Just("id")],
        other in json_value(),
    ) {
        let raw = format!(r#"{{"role":"{role}","parts":[{{"type":"{kind}","{key}":{value}}}],"{field}":{other}}}"#);
        if let Ok(message) = Message::parse_one(raw.as_bytes(), &common::rules()) {
            assert_fixed_point(&message);
        }
        let item = format!(r#"{{"type":"{kind}_call_output","{key}":{value},"{field}":{other}}}"#);
        if let Ok(message) = Message::parse_one(item.as_bytes(), &common::rules()) {
            assert_fixed_point(&message);
        }
    }
}
