//! Each provider's shapes: class, kinds, calls and results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{assert_fixed_point, parse};
use fastpaca_core::message::{Class, Kinds, Message, Role};

/// `calls` and `results` as `id/name`, `answered` with the part's number; `-` for none.
fn pairs(message: &Message) -> String {
    let show = |label: &Option<String>| label.clone().unwrap_or_else(|| "-".to_owned());
    let calls = message.calls.iter().map(|call| format!("call {}/{}", show(&call.id), show(&call.name)));
    let result = |what: &'static str| {
        move |r: &fastpaca_core::message::ToolResult| format!("{what} {}/{}@{}", show(&r.id), show(&r.name), r.part)
    };
    let results = message.results.iter().map(result("result"));
    let answered = message.answered.iter().map(result("inside"));
    calls.chain(results).chain(answered).collect::<Vec<_>>().join(", ")
}

fn classes(message: &Message) -> String {
    message.parts.iter().map(|part| part.class.name()).collect::<Vec<_>>().join(" ")
}

struct Case {
    raw: &'static str,
    role: Role,
    classes: &'static str,
    pairs: &'static str,
}

const fn case(raw: &'static str, role: Role, classes: &'static str, pairs: &'static str) -> Case {
    Case { raw, role, classes, pairs }
}

fn run(cases: &[Case]) {
    for case in cases {
        let message = parse(case.raw);
        assert_eq!(message.role, case.role, "{}", case.raw);
        assert_eq!(classes(&message), case.classes, "{}", case.raw);
        assert_eq!(pairs(&message), case.pairs, "{}", case.raw);
        assert_fixed_point(&message);
    }
}

use Role::{Assistant, Developer, System, Tool, User};

#[test]
fn roles() {
    for (name, role) in [
        ("system", System),
        ("developer", Developer),
        ("user", User),
        ("assistant", Assistant),
        ("tool", Tool),
        ("function", Tool),
        ("data", User),
        ("Assistant", User),
    ] {
        let message = parse(&format!(r#"{{"role":"{name}","content":"x"}}"#));
        assert_eq!(message.role, role);
        assert!(common::body(&message).contains(&format!(r#""role":"{name}""#)));
    }
}

#[test]
fn plain_parts() {
    run(&[
        case(r#"{"role":"user","parts":[{"type":"text","text":"hi"}]}"#, User, "text", ""),
        case(r#"{"role":"assistant","parts":[]}"#, Assistant, "", ""),
        case(
            r#"{"role":"assistant","parts":[{"type":"reasoning","text":""},{"type":"tool_call","name":"f","call_id":"c1","payload":{"type":"text"}},{"type":"other","raw":{}}]}"#,
            Assistant,
            "reasoning tool_call other",
            "call c1/f",
        ),
        case(
            r#"{"role":"tool","parts":[{"type":"tool_result","call_id":"c1","name":"f","content":"x"},{"type":"tool_result","call_id":"c2","name":null,"content":[]}]}"#,
            Tool,
            "tool_result tool_result",
            "result c1/f@0, result c2/-@1",
        ),
        // Answered inside: the nearest open call with the id, and calls without an id by order.
        case(
            r#"{"role":"assistant","parts":[{"type":"tool_call","name":"f","call_id":"a"},{"type":"tool_call","name":"g","call_id":"a"},{"type":"tool_result","call_id":"a","content":1},{"type":"tool_result","call_id":"b","content":2}]}"#,
            Assistant,
            "tool_call tool_call tool_result tool_result",
            "call a/f, result b/-@3, inside a/-@2",
        ),
        case(
            r#"{"role":"assistant","parts":[{"type":"tool_call","name":"f"},{"type":"tool_call","name":"g"},{"type":"tool_result","content":1}]}"#,
            Assistant,
            "tool_call tool_call tool_result",
            "call -/g, inside -/-@2",
        ),
        // A result before its call answers an earlier one.
        case(
            r#"{"role":"user","parts":[{"type":"tool_result","call_id":"a","content":1},{"type":"tool_call","name":"f","call_id":"a"}]}"#,
            User,
            "tool_result tool_call",
            "call a/f, result a/-@0",
        ),
    ]);
}

#[test]
fn openai_chat() {
    run(&[
        case(
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"custom","custom":{"name":"g","input":"x"}}]}"#,
            Assistant,
            "tool_call tool_call",
            "call c1/f, call c2/g",
        ),
        case(
            r#"{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f"}}]}"#,
            Assistant,
            "tool_call",
            "call c1/f",
        ),
        case(r#"{"role":"assistant","content":"a","tool_calls":null,"function_call":null}"#, Assistant, "text", ""),
        case(r#"{"role":"tool","tool_call_id":"c1","content":"42"}"#, Tool, "tool_result", "result c1/-@0"),
        case(
            r#"{"role":"tool","tool_call_id":"c1","name":"f","content":[{"type":"text","text":"4"},{"type":"text","text":"2"}]}"#,
            Tool,
            "tool_result tool_result",
            "result c1/f@0",
        ),
        case(r#"{"role":"tool","content":""}"#, Tool, "tool_result", "result -/-@0"),
        case(
            r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}}"#,
            Assistant,
            "tool_call",
            "call -/f",
        ),
        case(r#"{"role":"function","name":"f","content":"{}"}"#, Tool, "tool_result", "result -/f@0"),
        case(
            r#"{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://x/y.png"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"file","file":{"file_id":"f1"}}]}"#,
            User,
            "text media media media",
            "",
        ),
        case(r#"{"role":"assistant","content":null,"refusal":"no"}"#, Assistant, "text", ""),
        case(r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}"#, Assistant, "text", ""),
        case(r#"{"role":"assistant","content":"a","reasoning_content":"b"}"#, Assistant, "text reasoning", ""),
        case(
            r#"{"role":"assistant","content":"a","reasoning":"b","reasoning_details":[{"type":"reasoning.encrypted","data":"zz"}]}"#,
            Assistant,
            "text reasoning reasoning",
            "",
        ),
        case(r#"{"role":"assistant","content":null,"audio":{"id":"a1"}}"#, Assistant, "media", ""),
    ]);
}

#[test]
fn openai_responses_items() {
    run(&[
        case(
            r#"{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"}"#,
            Assistant,
            "tool_call",
            "call c1/f",
        ),
        case(r#"{"type":"function_call","id":"fc_1","name":"f"}"#, Assistant, "tool_call", "call fc_1/f"),
        case(
            r#"{"type":"function_call_output","id":"fo_1","call_id":"c1","output":"42"}"#,
            Tool,
            "tool_result",
            "result c1/-@0",
        ),
        case(
            r#"{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"42"}]}"#,
            Tool,
            "tool_result",
            "result c1/-@0",
        ),
        case(
            r#"{"type":"custom_tool_call","call_id":"c1","name":"f","input":"x"}"#,
            Assistant,
            "tool_call",
            "call c1/f",
        ),
        case(r#"{"type":"custom_tool_call_output","call_id":"c1","output":"x"}"#, Tool, "tool_result", "result c1/-@0"),
        case(
            r#"{"type":"computer_call","id":"cu_1","call_id":"c1","action":{"type":"click"}}"#,
            Assistant,
            "tool_call",
            "call c1/computer",
        ),
        case(
            r#"{"type":"computer_call_output","call_id":"c1","output":{"type":"computer_screenshot","image_url":"https://x"}}"#,
            Tool,
            "tool_result",
            "result c1/-@0",
        ),
        case(
            r#"{"type":"local_shell_call","call_id":"c1","action":{}}"#,
            Assistant,
            "tool_call",
            "call c1/local_shell",
        ),
        case(r#"{"type":"local_shell_call_output","id":"c1","output":"x"}"#, Tool, "tool_result", "result c1/-@0"),
        case(r#"{"type":"shell_call","call_id":"c1","action":{}}"#, Assistant, "tool_call", "call c1/shell"),
        case(r#"{"type":"brand_new_call","call_id":"c1"}"#, Assistant, "tool_call", "call c1/brand_new"),
        case(r#"{"type":"web_search_call","id":"ws_1","status":"completed"}"#, Assistant, "tool_call", ""),
        case(r#"{"type":"file_search_call","id":"fs_1","results":[]}"#, Assistant, "tool_call", ""),
        case(r#"{"type":"code_interpreter_call","id":"ci_1","code":"1","outputs":[]}"#, Assistant, "tool_call", ""),
        case(r#"{"type":"mcp_call","id":"m1","name":"f","arguments":"{}","output":"x"}"#, Assistant, "tool_call", ""),
        case(r#"{"type":"image_generation_call","id":"ig_1","result":"AAAA"}"#, Assistant, "tool_call", ""),
        case(r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"zz"}"#, Assistant, "reasoning", ""),
        case(r#"{"type":"mcp_approval_request","id":"m1","name":"f"}"#, Assistant, "other", ""),
        case(r#"{"type":"mcp_approval_response","approval_request_id":"m1","approve":true}"#, Tool, "other", ""),
        case(r#"{"type":"item_reference","id":"x"}"#, Assistant, "other", ""),
        case(
            r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"https://x"},{"type":"input_file","file_id":"f"}]}"#,
            User,
            "text media media",
            "",
        ),
        case(
            r#"{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi","annotations":[]},{"type":"refusal","refusal":"no"}]}"#,
            Assistant,
            "text text",
            "",
        ),
        case(r#"{"type":"message","role":"user","content":"hi"}"#, User, "text", ""),
        // With role and content it is a message, whatever its `type` looks like.
        case(r#"{"type":"phone_call","role":"user","content":"hi"}"#, User, "text", ""),
    ]);
}

#[test]
fn anthropic_blocks() {
    run(&[
        case(
            r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"zz"},{"type":"redacted_thinking","data":"zz"},{"type":"text","text":"a"},{"type":"tool_use","id":"t1","name":"f","input":{}}]}"#,
            Assistant,
            "reasoning reasoning text tool_call",
            "call t1/f",
        ),
        case(
            r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"x"},{"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"y"}],"is_error":true},{"type":"text","text":"go on"}]}"#,
            User,
            "tool_result tool_result text",
            "result t1/-@0, result t2/-@1",
        ),
        case(
            r#"{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"abc"}}]}"#,
            User,
            "media media",
            "",
        ),
        // The provider runs these: nobody else answers them.
        case(
            r#"{"role":"assistant","content":[{"type":"server_tool_use","id":"s1","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s1","content":[]},{"type":"mcp_tool_use","id":"m1","name":"f","server_name":"s","input":{}},{"type":"mcp_tool_result","tool_use_id":"m1","is_error":false,"content":[]}]}"#,
            Assistant,
            "tool_call tool_result tool_call tool_result",
            "",
        ),
        case(
            r#"{"role":"assistant","content":[{"type":"server_tool_use","id":"s1","name":"code_execution","input":{}},{"type":"tool_use","id":"t1","name":"f","input":{},"caller":{"type":"code_execution_20250825","tool_id":"s1"}}]}"#,
            Assistant,
            "tool_call tool_call",
            "call t1/f",
        ),
        case(
            r#"{"role":"assistant","content":[{"type":"code_execution_tool_result","tool_use_id":"s1","content":{}}]}"#,
            Assistant,
            "tool_result",
            "",
        ),
        case(r#"{"role":"assistant","content":[{"type":"compaction","content":"x"}]}"#, Assistant, "other", ""),
        case(
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":"odd"}}"#,
            Assistant,
            "text",
            "",
        ),
    ]);
}

#[test]
fn ai_sdk_ui_messages() {
    run(&[
        case(
            r#"{"id":"m1","role":"assistant","parts":[{"type":"step-start"},{"type":"reasoning","text":"hm","state":"done"},{"type":"text","text":"a","state":"done"},{"type":"source-url","sourceId":"1","url":"https://x"},{"type":"data-weather","data":{}},{"type":"file","mediaType":"image/png","url":"https://x"}]}"#,
            Assistant,
            "other reasoning text other data media",
            "",
        ),
        case(
            r#"{"role":"assistant","parts":[{"type":"tool-f","toolCallId":"c1","state":"input-streaming"},{"type":"tool-g","toolCallId":"c2","state":"input-available","input":{}},{"type":"tool-h","toolCallId":"c3","state":"approval-requested","input":{}},{"type":"tool-i","toolCallId":"c4","state":"approval-responded","input":{}}]}"#,
            Assistant,
            "tool_call tool_call tool_call tool_call",
            "call c1/f, call c2/g, call c3/h, call c4/i",
        ),
        case(
            r#"{"role":"assistant","parts":[{"type":"tool-f","toolCallId":"c1","state":"output-available","input":{},"output":1},{"type":"tool-g","toolCallId":"c2","state":"output-error","errorText":"no"},{"type":"tool-h","toolCallId":"c3","state":"output-denied"}]}"#,
            Assistant,
            "tool_call tool_call tool_call",
            "inside c1/f@0, inside c2/g@1, inside c3/h@2",
        ),
        case(
            r#"{"role":"assistant","parts":[{"type":"dynamic-tool","toolName":"f","toolCallId":"c1","state":"input-available"},{"type":"dynamic-tool","toolName":"g","toolCallId":"c2","state":"output-available","output":{}},{"type":"tool-call","toolCallId":"c3","state":"input-available"}]}"#,
            Assistant,
            "tool_call tool_call tool_call",
            "call c1/f, call c3/call, inside c2/g@1",
        ),
        case(
            r#"{"role":"assistant","parts":[{"type":"tool-search","toolCallId":"c1","state":"input-available","providerExecuted":true},{"type":"tool-search","toolCallId":"c2","state":"output-available","providerExecuted":true,"output":1}]}"#,
            Assistant,
            "tool_call tool_call",
            "",
        ),
        case(
            r#"{"role":"assistant","parts":[{"type":"tool-invocation","toolInvocation":{"state":"result","toolCallId":"c1","toolName":"f","args":{},"result":1}},{"type":"tool-invocation","toolInvocation":{"state":"call","toolCallId":"c2","toolName":"g","args":{}}}]}"#,
            Assistant,
            "tool_call tool_call",
            "call c2/g, inside c1/f@0",
        ),
    ]);
}

#[test]
fn ai_sdk_model_messages() {
    run(&[
        case(
            r#"{"role":"assistant","content":[{"type":"reasoning","text":"hm","providerOptions":{"anthropic":{"signature":"zz"}}},{"type":"tool-call","toolCallId":"c1","toolName":"f","input":{}},{"type":"tool-approval-request","approvalId":"a1","toolCallId":"c1"}]}"#,
            Assistant,
            "reasoning tool_call other",
            "call c1/f",
        ),
        case(
            r#"{"role":"tool","content":[{"type":"tool-result","toolCallId":"c1","toolName":"f","output":{"type":"text","value":"x"}}]}"#,
            Tool,
            "tool_result",
            "result c1/f@0",
        ),
        case(
            r#"{"role":"tool","content":[{"type":"tool-approval-response","approvalId":"a1","approved":true}]}"#,
            Tool,
            "other",
            "",
        ),
        case(
            r#"{"role":"assistant","content":[{"type":"tool-call","toolCallId":"c1","toolName":"f","input":{},"providerExecuted":true},{"type":"tool-result","toolCallId":"c1","toolName":"f","output":{"type":"json","value":{}}}]}"#,
            Assistant,
            "tool_call tool_result",
            "",
        ),
        case(
            r#"{"role":"user","content":[{"type":"image","image":"https://x"},{"type":"file","data":"https://x","mediaType":"application/pdf"}]}"#,
            User,
            "media media",
            "",
        ),
    ]);
}

#[test]
fn kinds() {
    let kinds = |raw: &str| parse(raw).kinds;
    let signed = Kinds::REASONING | Kinds::SIGNED;
    for raw in [
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"zz"}]}"#,
        r#"{"role":"assistant","content":[{"type":"redacted_thinking","data":"zz"}]}"#,
        r#"{"type":"reasoning","summary":[],"encrypted_content":"zz"}"#,
        r#"{"role":"assistant","content":[{"type":"reasoning","text":"x","providerOptions":{"openai":{"reasoningEncryptedContent":"zz"}}}]}"#,
        r#"{"role":"assistant","parts":[{"type":"reasoning","text":"","providerMetadata":{"google":{"thoughtSignature":"zz"}}}]}"#,
    ] {
        assert_eq!(kinds(raw), signed, "{raw}");
        assert!(kinds(raw).is_reasoning_only());
    }
    for raw in [
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""}]}"#,
        r#"{"type":"reasoning","summary":[],"encrypted_content":null}"#,
        r#"{"role":"assistant","parts":[{"type":"reasoning","text":"x"}]}"#,
    ] {
        assert_eq!(kinds(raw), Kinds::REASONING, "{raw}");
    }
    let answered =
        r#"{"role":"assistant","parts":[{"type":"tool-f","toolCallId":"c","state":"output-available","output":1}]}"#;
    assert_eq!(kinds(answered), Kinds::TOOL_CALL | Kinds::TOOL_RESULT);
    assert_eq!(kinds(r#"{"role":"tool","content":"x"}"#), Kinds::TOOL_RESULT);
    let approval = r#"{"role":"tool","content":[{"type":"tool-approval-response","approvalId":"a","approved":true}]}"#;
    assert!(kinds(approval).has(Kinds::APPROVAL));
    assert_eq!(Class::Other.kind(), Kinds::OTHER);
}

#[test]
fn content_is_anything_but_white_space() {
    for (raw, expected) in [
        (r#"{"role":"user","content":""}"#, false),
        (r#"{"role":"user","content":" \n\t"}"#, false),
        (r#"{"role":"user","content":"\u3000\u0020"}"#, false),
        (r#"{"role":"user","parts":[]}"#, false),
        (r#"{"role":"assistant","parts":[{"type":"step-start"},{"type":"text","text":" "}]}"#, false),
        (r#"{"role":"assistant","parts":[{"type":"reasoning","text":" "}]}"#, false),
        (r#"{"role":"user","content":" x"}"#, true),
        (r#"{"role":"tool","content":""}"#, true),
        (r#"{"role":"user","parts":[{"type":"text","text":""},{"type":"image","source":{}}]}"#, true),
        (r#"{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f"}}]}"#, true),
    ] {
        assert_eq!(parse(raw).has_content, expected, "{raw}");
    }
}

#[test]
fn many_calls_and_results_in_one_message_take_linear_time() {
    let calls: String = (0..40_000).map(|n| format!(r#"{{"type":"tool_call","call_id":"c{n}"}},"#)).collect();
    let results: String =
        (0..40_000).map(|n| format!(r#"{{"type":"tool_result","call_id":"c{n}","content":""}},"#)).collect();
    let raw = format!(r#"{{"role":"assistant","parts":[{calls}{}]}}"#, results.trim_end_matches(','));
    let message = parse(&raw);
    assert_eq!((message.calls.len(), message.results.len(), message.answered.len()), (0, 0, 40_000));
}
