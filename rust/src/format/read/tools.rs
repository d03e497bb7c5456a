//! Calls and results of every dialect.

use std::borrow::Cow;

use super::blocks;
use crate::edit::Payload;
use crate::format::pieces::{Arguments, Call, Content, Output, Piece, What};
use crate::json::{decode, quote, Object};
use crate::message::{Holder, Outline, Pair, Slot};

/// Keys under which the arguments stand, the exact text of the model first.
const ARGUMENTS: &[&str] =
    &["arguments_raw", "arguments", "payload", "input", "rawInput", "args", "action", "operation", "parameters"];
/// Keys whose value is the text that the model wrote, where it is a string.
const AS_TEXT: &[&str] = &["arguments_raw", "arguments"];

/// A call.
pub(super) fn call<'a>(slot: &Slot<'a>, pair: &Pair) -> Call<'a> {
    let (id, name, by_provider) = match pair {
        Pair::Call { id, name, by_provider } | Pair::Both { id, name, by_provider } => (id, name, *by_provider),
        Pair::Result { .. } | Pair::None => (&None, &None, false),
    };
    let part = slot.object.as_ref();
    let inner = part.and_then(|part| {
        ["function", "custom", "toolInvocation"].iter().find_map(|key| part.object(key).map(|inner| (*key, inner)))
    });
    let kind = part.and_then(|part| part.text("type")).unwrap_or_default();
    let is_custom = matches!(inner, Some(("custom", _))) || kind == "custom_tool_call";
    let object = inner.as_ref().map(|(_, inner)| inner).or(part);
    Call {
        id: id.clone().unwrap_or_default().into(),
        name: name.clone().unwrap_or_default().into(),
        arguments: object.map_or(Arguments::Value("{}".into()), |object| arguments(object, is_custom)),
        is_custom,
        by_provider,
        extra: part.and_then(|part| part.get("extra_content")),
    }
}

fn arguments<'a>(object: &Object<'a>, is_custom: bool) -> Arguments<'a> {
    for key in ARGUMENTS {
        match object.get(key) {
            None => {}
            Some(raw) if raw.starts_with('"') && (is_custom || AS_TEXT.contains(key)) => {
                return Arguments::Text(raw.into());
            }
            Some(raw) => return Arguments::Value(raw.into()),
        }
    }
    Arguments::Value("{}".into())
}

/// The result in part `at`.
pub(super) fn output<'a>(outline: &Outline<'a>, at: usize, pair: &Pair) -> Output<'a> {
    let (id, name, by_provider) = match pair {
        Pair::Result { id, name, by_provider } | Pair::Both { id, name, by_provider } => (id, name, *by_provider),
        Pair::Call { .. } | Pair::None => (&None, &None, false),
    };
    let object = outline.slots.get(at).and_then(|slot| slot.object.as_ref());
    let kind = object.and_then(|object| object.text("type")).unwrap_or_default();
    Output {
        id: id.clone().unwrap_or_default().into(),
        name: name.clone().map(Cow::from),
        content: content(outline, at),
        is_error: object.is_some_and(|object| is_error(&kind, object)),
        by_provider,
        is_custom: kind == "custom_tool_call_output",
    }
}

fn is_error(kind: &str, object: &Object<'_>) -> bool {
    let by_type = |name: &str| {
        let kind = object.object(name).and_then(|output| output.text("type"));
        kind.is_some_and(|kind| kind.starts_with("error-") || kind == "execution-denied")
    };
    object.get("is_error") == Some("true")
        || object.get("isError") == Some("true")
        || kind == "tool-error"
        || object.text("state").is_some_and(|state| matches!(state.as_ref(), "output-error" | "output-denied"))
        || (kind == "tool-result" && by_type("output"))
}

/// What the tool of part `at` gave back.
pub(super) fn content<'a>(outline: &Outline<'a>, at: usize) -> Content<'a> {
    let found = u32::try_from(at).ok().and_then(|part| Payload::find(outline, part));
    let Some(payload) = found else { return without_payload(outline, at) };
    if payload.is_parts() {
        return Content::Blocks(parts(outline));
    }
    let raw = payload.value();
    if payload.is_shell() {
        return Content::Text(quote(&payload.text()).into());
    }
    plain_content(raw)
}

/// An output that is given as it is.
pub(super) fn plain_content(raw: &str) -> Content<'_> {
    match raw {
        _ if raw.starts_with('"') => Content::Text(raw.into()),
        "null" => Content::Text("\"\"".into()),
        _ if crate::edit::is_blocks(raw) => Content::Blocks(blocks(raw)),
        _ => Content::Value(raw),
    }
}

/// The parts of a message that is itself a result.
fn parts<'a>(outline: &Outline<'a>) -> Vec<Piece<'a>> {
    let slots = outline.slots.iter().filter(|slot| matches!(slot.holder, Holder::Parts { .. }));
    let piece = |slot: &Slot<'a>| {
        let what = slot.object.as_ref().map_or(What::Other, super::block);
        Piece { raw: slot.raw, holder: slot.holder, what }
    };
    slots.map(piece).collect()
}

/// A result without an output that could be a text: a denial, or a form of the provider's own.
fn without_payload<'a>(outline: &Outline<'a>, at: usize) -> Content<'a> {
    let Some(object) = outline.slots.get(at).and_then(|slot| slot.object.as_ref()) else {
        return Content::Text("\"\"".into());
    };
    let is_denied = object.text("state").is_some_and(|state| state == "output-denied");
    let denial =
        object.object("output").filter(|output| output.text("type").is_some_and(|kind| kind == "execution-denied"));
    if is_denied || denial.is_some() {
        let reason = denial.or_else(|| object.object("approval")).and_then(|denial| denial.text("reason"));
        let reason = reason.filter(|reason| !reason.is_empty());
        return Content::Text(quote(reason.as_deref().unwrap_or("Tool execution denied.")).into());
    }
    match ["content", "output", "result"].iter().find_map(|name| object.get(name)) {
        Some(raw) if decode(raw).is_some() => Content::Text(raw.into()),
        Some(raw) => Content::Value(raw),
        None => Content::Text("\"\"".into()),
    }
}
