//! Tool calls: parts of their own in `ModelMessage`s, and together with their results in `UIMessage`s.

use super::output;
use super::parts::{is_string, is_type, options, pick, text_of, Names};
use crate::format::pieces::{Arguments, Call, Output, Piece};
use crate::format::write;
use crate::json::{check, decode, is_blank, quote, Object};
use crate::render::Json;

const CALL: Names = &[
    ("type", "type"),
    ("toolCallId", "toolCallId"),
    ("toolName", "toolName"),
    ("input", "input"),
    ("providerOptions", "providerOptions"),
    ("providerExecuted", "providerExecuted"),
];
const RESULT: Names = &[
    ("type", "type"),
    ("toolCallId", "toolCallId"),
    ("toolName", "toolName"),
    ("output", "output"),
    ("providerOptions", "providerOptions"),
];
const REQUEST: Names = &[
    ("type", "type"),
    ("approvalId", "approvalId"),
    ("toolCallId", "toolCallId"),
    ("signature", "signature"),
    ("inputSchemaInput", "inputSchemaInput"),
];
const RESPONSE: Names = &[
    ("type", "type"),
    ("approvalId", "approvalId"),
    ("approved", "approved"),
    ("reason", "reason"),
    ("providerExecuted", "providerExecuted"),
];

/// A `tool-call` part.
pub(super) fn model_call(piece: &Piece<'_>, call: &Call<'_>) -> String {
    let mut out = Json::default();
    let part = Object::of(piece.raw);
    let name = quote(&write::tool_name(&call.name));
    if let Some(part) = part.as_ref().filter(|part| is_model_call(part)) {
        pick(&mut out, part, CALL, &changed(part, &quote(&call.id), &name));
        return text_of(out);
    }
    out.raw("{\"type\":\"tool-call\",\"toolCallId\":").string(&call.id).raw(",\"toolName\":").raw(&name);
    out.raw(",\"input\":").raw(&input(&call.arguments, call.is_custom));
    end_call(out, call, part.as_ref(), "providerOptions")
}

/// Values of a stored part that the request gives otherwise.
fn changed<'a>(part: &Object<'_>, id: &'a str, name: &'a str) -> Vec<(&'static str, &'a str)> {
    let is_other = |key: &str, value: &str| part.text(key) != decode(value);
    let all = [("toolCallId", id), ("toolName", name)];
    all.into_iter().filter(|(key, value)| is_other(key, value)).collect()
}

fn is_model_call(part: &Object<'_>) -> bool {
    is_type(part, "tool-call") && part.field("input").is_some() && part.get("state").is_none()
}

fn end_call(mut out: Json, call: &Call<'_>, part: Option<&Object<'_>>, key: &str) -> String {
    let own = part.and_then(options).map(str::to_owned);
    if let Some(options) = own.or_else(|| thought_signature(call)) {
        out.raw(",\"").raw(key).raw("\":").raw(&options);
    }
    out.raw(if call.by_provider { ",\"providerExecuted\":true}" } else { "}" });
    text_of(out)
}

/// Google's signature beside a call of OpenAI's shape, where the library's provider reads it.
fn thought_signature(call: &Call<'_>) -> Option<String> {
    let google = Object::of(call.extra?)?.object("google")?;
    let signature = google.get("thought_signature").filter(|raw| raw.starts_with('"'))?;
    Some(format!("{{\"google\":{{\"thoughtSignature\":{signature}}}}}"))
}

/// The arguments as a value: the very JSON that the model wrote. Text that is no JSON is put into an object, since most
/// providers take nothing else.
fn input(arguments: &Arguments<'_>, is_custom: bool) -> String {
    match arguments {
        Arguments::Value(raw) => raw.to_string(),
        Arguments::Text(raw) if is_custom => raw.to_string(),
        Arguments::Text(raw) if is_blank(raw) => "{}".to_owned(),
        Arguments::Text(raw) => {
            let text = decode(raw).filter(|text| check(text.as_bytes()).is_ok());
            text.map_or_else(|| format!("{{\"_unparsed\":{raw}}}"), |text| text.trim().to_owned())
        }
    }
}

/// A `tool-result` part; `name` is the call's.
pub(super) fn model_result(piece: &Piece<'_>, found: &Output<'_>, name: &str) -> String {
    let mut out = Json::default();
    let part = Object::of(piece.raw);
    let name = quote(&write::tool_name(name));
    if let Some(part) = part.as_ref().filter(|part| is_model_result(part)) {
        pick(&mut out, part, RESULT, &changed(part, &quote(&found.id), &name));
        return text_of(out);
    }
    out.raw("{\"type\":\"tool-result\",\"toolCallId\":").string(&found.id).raw(",\"toolName\":").raw(&name);
    out.raw(",\"output\":");
    output::model(&mut out, found);
    let own = part.as_ref().and_then(|part| part.get("resultProviderMetadata").or_else(|| options(part)));
    if let Some(options) = own {
        out.raw(",\"providerOptions\":").raw(options);
    }
    out.raw("}");
    text_of(out)
}

fn is_model_result(part: &Object<'_>) -> bool {
    is_type(part, "tool-result") && part.get("output").is_some_and(output::is_typed)
}

/// The provider ran the tool, and the library wrote it down: nobody else's form of it is known to the library.
pub(super) fn is_own(piece: &Piece<'_>) -> bool {
    Object::of(piece.raw).is_some_and(|part| is_model_call(&part) || is_model_result(&part) || is_ui_tool(&part))
}

/// The request for an approval that a part of a `ModelMessage` is; `call` is the id that its call is shown with.
pub(super) fn approval_request(part: &Object<'_>, call: Option<&str>) -> Option<String> {
    let is_request = is_type(part, "tool-approval-request") && is_string(part, "approvalId");
    let call = quote(call.filter(|_| is_request)?);
    let mut out = Json::default();
    pick(&mut out, part, REQUEST, &changed(part, &call, ""));
    Some(text_of(out))
}

/// The answer to such a request.
pub(super) fn approval_response(part: &Object<'_>) -> Option<String> {
    let is_response = is_type(part, "tool-approval-response") && is_string(part, "approvalId");
    let mut out = Json::default();
    (is_response && part.get("approved").is_some()).then(|| pick(&mut out, part, RESPONSE, &[]))?;
    Some(text_of(out))
}

/// Request and answer that a part of a `UIMessage` holds while its call waits.
pub(super) fn approval(piece: &Piece<'_>, call: &Call<'_>) -> Option<(String, Option<String>)> {
    let part = Object::of(piece.raw).filter(is_ui_tool)?;
    let waits = part.text("state").is_some_and(|state| state.starts_with("approval-"));
    let approval = part.object("approval").filter(|approval| waits && is_string(approval, "id"))?;
    let id = approval.get("id").unwrap_or_default();
    let mut request = Json::default();
    request.raw("{\"type\":\"tool-approval-request\",\"approvalId\":").raw(id);
    request.raw(",\"toolCallId\":").string(&call.id);
    for name in ["signature", "inputSchemaInput"] {
        if let Some(value) = approval.get(name) {
            request.raw(",\"").raw(name).raw("\":").raw(value);
        }
    }
    request.raw("}");
    let response = approval.get("approved").map(|approved| {
        let mut out = Json::default();
        out.raw("{\"type\":\"tool-approval-response\",\"approvalId\":").raw(id).raw(",\"approved\":").raw(approved);
        if let Some(reason) = approval.get("reason") {
            out.raw(",\"reason\":").raw(reason);
        }
        out.raw(if call.by_provider { ",\"providerExecuted\":true}" } else { "}" });
        text_of(out)
    });
    Some((text_of(request), response))
}

/// States of the tool part of a `UIMessage`.
const STATES: &[&str] = &[
    "input-streaming",
    "input-available",
    "approval-requested",
    "approval-responded",
    "output-available",
    "output-error",
    "output-denied",
];

/// A tool part of a `UIMessage`.
pub(super) fn is_ui_tool(part: &Object<'_>) -> bool {
    let kind = part.text("type").unwrap_or_default();
    let is_named = kind.starts_with("tool-") || (kind == "dynamic-tool" && is_string(part, "toolName"));
    is_named && part.text("state").is_some_and(|state| STATES.contains(&&*state))
}

/// The call has its result in the same part.
pub(super) fn is_answered(part: &Object<'_>) -> bool {
    part.text("state").is_some_and(|state| state.starts_with("output-"))
}

/// A part of a `UIMessage` as it is stored, under the id that the request gives the call. What was undefined when it was
/// stored is lacking, and the library would refuse the part.
pub(super) fn stored_ui_tool(part: &Object<'_>, id: &str) -> String {
    let mut fields: Vec<String> = Vec::with_capacity(part.fields().len() + 2);
    for field in part.fields() {
        let is_other_id = field.is("toolCallId") && decode(field.value).as_deref() != Some(id);
        let value = if is_other_id { quote(id) } else { field.value.to_owned() };
        fields.push(format!("{}:{value}", field.key));
    }
    let state = part.text("state").unwrap_or_default();
    let lacks = |name: &str| part.field(name).is_none();
    if lacks("toolCallId") {
        fields.push(format!("\"toolCallId\":{}", quote(id)));
    }
    if lacks("input") && !matches!(state.as_ref(), "input-streaming" | "output-error") {
        fields.push("\"input\":{}".to_owned());
    }
    if lacks("output") && state == "output-available" {
        fields.push("\"output\":null".to_owned());
    }
    format!("{{{}}}", fields.join(","))
}

/// A tool part whose result has not come.
pub(super) fn ui_call(piece: &Piece<'_>, call: &Call<'_>) -> String {
    let mut out = Json::default();
    out.raw("{\"type\":\"tool-").raw(&write::tool_name(&call.name)).raw("\",\"toolCallId\":").string(&call.id);
    out.raw(",\"state\":\"input-available\",\"input\":").raw(&input(&call.arguments, call.is_custom));
    end_call(out, call, Object::of(piece.raw).as_ref(), "callProviderMetadata")
}

/// The same part with its result.
pub(super) fn answered(call: &str, found: &Output<'_>) -> String {
    let Some(part) = Object::of(call) else { return call.to_owned() };
    let (state, key, value) = match found.is_error {
        true => ("\"output-error\"", "errorText", write::output_text(&found.content).into_owned()),
        false => ("\"output-available\"", "output", output::ui(found)),
    };
    let is_approved = |raw| Object::of(raw).is_some_and(|approval| approval.get("approved") == Some("true"));
    let mut fields: Vec<String> = Vec::with_capacity(part.fields().len() + 1);
    for field in part.fields() {
        match field.name().as_ref() {
            "output" | "errorText" | "preliminary" => {}
            // The library takes no other approval beside a result.
            "approval" if !is_approved(field.value) => {}
            "state" => fields.push(format!("\"state\":{state}")),
            _ => fields.push(format!("{}:{}", field.key, field.value)),
        }
    }
    if part.field("input").is_none() {
        fields.push("\"input\":{}".to_owned());
    }
    format!("{{{},\"{key}\":{value}}}", fields.join(","))
}

/// A result whose call is not shown, as on a page of a replay that begins behind it.
pub(super) fn ui_result(found: &Output<'_>) -> String {
    let name = write::tool_name(found.name.as_deref().unwrap_or_default()).into_owned();
    let mut out = Json::default();
    out.raw("{\"type\":\"tool-").raw(&name).raw("\",\"toolCallId\":").string(&found.id);
    out.raw(",\"state\":\"input-available\",\"input\":{}}");
    answered(&text_of(out), found)
}
