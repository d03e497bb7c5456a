//! What is read here is what the whole reading finds.

use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn debug(found: Option<Normal<'_>>) -> String {
    // The fields may have been read or not.
    let found = found.map(|found| {
        let all = format!("{:?}", found.fields().fields());
        (found.role, found.name, all, found.is_item, found.pieces)
    });
    format!("{found:?}")
}

#[test]
fn usual_bodies_are_read_here() {
    for body in [
        r#"{"role":"user","parts":[{"type":"text","text":"a \"b\""}],"created_at":"2026-01-31T09:30:00Z","metadata":{}}"#,
        r#"{"id":"m","role":"assistant","parts":[{"type":"text","text":""},{"type":"tool_call","name":"f","call_id":"c","payload":{"x":[1]},"arguments_raw":"{}"}]}"#,
        r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"c","name":null,"content":"r","is_error":true}]}"#,
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"c","name":"f","input":{}}]}"#,
        r#"{"role":"user","content":[{"tool_use_id":"c","type":"tool_result","content":[{"type":"text","text":"r"}]},{"type":"tool_result","tool_use_id":"d","content":{"a":1}}]}"#,
        r#"{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"role":"tool","tool_call_id":"c","name":"f","parts":[{"type":"text","text":"r"}]}"#,
    ] {
        let found = debug(normal(body, 3, None));
        assert_ne!(found, "None", "{body}");
        assert_eq!(found, debug(super::super::whole(body, 3, None)), "{body}");
    }
}

const ROLES: &[&str] = &["user", "assistant", "system", "developer", "tool", "function", "t\\u006fol", "x"];
const KINDS: &[&str] =
    &["text", "output_text", "thinking", "reasoning", "tool_call", "tool_use", "tool_result", "image"];
/// Keys that a reader looks at, of messages, parts and calls alike, one spelled with escapes and one unknown.
const KEYS: &[&str] = &[
    "name",
    "id",
    "call_id",
    "tool_call_id",
    "tool_use_id",
    "toolCallId",
    "toolName",
    "text",
    "content",
    "refusal",
    "reasoning",
    "is_error",
    "isError",
    "state",
    "arguments_raw",
    "arguments",
    "payload",
    "input",
    "args",
    "output",
    "result",
    "error",
    "extra_content",
    "providerExecuted",
    "signature",
    "data",
    "custom",
    "function",
    "n\\u0061me",
    "a\\\"b",
    "x",
];
const VALUES: &[&str] = &[
    "null",
    "true",
    "7",
    "\"\"",
    "\"v\"",
    "\"a \\\"q\\\" b\"",
    "[]",
    "{}",
    "{\"name\":\"g\",\"arguments\":\"{}\"}",
    r#"[{"type":"text","text":"t"}]"#,
    r#"[{"text":"t","type":"output_text","x":[1]},{"type":"text","text":"\"u\""}]"#,
    r#"[{"type":"text","text":"t"},{"type":"text","text":null}]"#,
    r#"[{"type":"text","text":"t"},{"type":"image","url":"u"}]"#,
    r#"[{"type":"text","t\u0065xt":"t"}]"#,
    r#"[{"type":"text","text":"t"},"u"]"#,
];

fn object(first: (&'static str, &'static [&'static str])) -> impl Strategy<Value = String> {
    let fields = btree_map(select(KEYS), select(VALUES), 0..4);
    (select(first.1), fields, any::<bool>()).prop_map(move |(value, fields, is_last)| {
        let mut fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        fields.insert(if is_last { fields.len() } else { 0 }, format!("\"{}\":\"{value}\"", first.0));
        fields.join(",")
    })
}

fn body() -> impl Strategy<Value = String> {
    let part = || object(("type", KINDS));
    let list = |of: BoxedStrategy<String>| proptest::collection::vec(of, 0..3).prop_map(|all| all.join("},{"));
    let call = r#""function":{"name":"f","arguments":"{}"}"#;
    let call = btree_map(select(&["id", "call_id", "index", "extra_content"][..]), select(VALUES), 0..3).prop_map(
        move |all| all.iter().fold(call.to_owned(), |text, (key, value)| format!("{text},\"{key}\":{value}")),
    );
    let parts = (select(&["parts", "content"][..]), list(part().boxed()));
    (object(("role", ROLES)), parts, list(call.boxed()), any::<bool>()).prop_map(
        |(head, (key, parts), calls, with_calls)| {
            let parts = if parts.is_empty() { String::new() } else { format!("{{{parts}}}") };
            let calls =
                if with_calls && !calls.is_empty() { format!(",\"tool_calls\":[{{{calls}}}]") } else { String::new() };
            format!("{{{head},\"{key}\":[{parts}]{calls}}}")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_is_read_here_is_what_the_whole_reading_finds(body in body()) {
        // No body has a key twice.
        prop_assume!(crate::json::check(body.as_bytes()).is_ok());
        if let Some(found) = normal(&body, 3, None) {
            prop_assert_eq!(debug(Some(found)), debug(super::super::whole(&body, 3, None)));
        }
    }
}
