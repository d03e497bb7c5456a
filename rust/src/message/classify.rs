//! What a part is, by its shape: OpenAI chat and Responses, Anthropic, ai-sdk, and the plain parts of our own.

use std::borrow::Cow;

use super::slots::{Holder, Item, Slot};
use super::{first_label, label, missing, Class, Kinds, Link};
use crate::error::Result;
use crate::json::{decode, is_blank, Elements, Object, Path};

/// A part, classified.
pub(super) struct Sorted {
    pub class: Class,
    pub kinds: Kinds,
    pub pair: Pair,
    blank: bool,
}

/// What a part does in the pairing of calls and results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pair {
    None,
    /// A call. The provider runs those `by_provider` itself: nobody waits for their results.
    Call {
        id: Option<String>,
        name: Option<String>,
        by_provider: bool,
    },
    /// A result.
    Result {
        id: Option<String>,
        name: Option<String>,
        by_provider: bool,
    },
    /// A call with its result inside.
    Both {
        id: Option<String>,
        name: Option<String>,
        by_provider: bool,
    },
}

impl Pair {
    /// The side that it is; nothing for what is whole by itself.
    pub(super) fn link(&self) -> Option<Link> {
        match self {
            Self::Call { id, .. } => Some(Link { id: id.clone(), is_call: true }),
            Self::Result { id, .. } => Some(Link { id: id.clone(), is_call: false }),
            Self::None | Self::Both { .. } => None,
        }
    }
}

impl Sorted {
    fn new(class: Class) -> Self {
        Self { class, kinds: class.kind(), pair: Pair::None, blank: false }
    }

    fn blank(class: Class, blank: bool) -> Self {
        Self { blank, ..Self::new(class) }
    }

    fn pair(class: Class, pair: Pair) -> Self {
        Self { pair, ..Self::new(class) }
    }

    fn with(mut self, kinds: Kinds, on: bool) -> Self {
        if on {
            self.kinds = self.kinds | kinds;
        }
        self
    }

    /// Says anything beside white space.
    pub(super) fn has_content(&self) -> bool {
        !self.blank
    }

    /// A part of a message that is itself a tool result.
    pub(super) fn become_result(&mut self) {
        self.class = Class::ToolResult;
        self.kinds = Class::ToolResult.kind();
    }
}

/// Id and name of a tool message that is itself a result.
pub(super) fn whole_result(message: &Object<'_>, at: &Path<'_>) -> Result<(Option<String>, Option<String>)> {
    let id = first_label(message, &["tool_call_id", "call_id", "tool_use_id", "toolCallId"], at)?;
    Ok((id, label(message, "name", at)?))
}

/// Classifies one part.
pub(super) fn classify(slot: &Slot<'_>, in_assistant: bool, at: &Path<'_>) -> Result<Sorted> {
    match slot.holder {
        Holder::Parts { .. } => part(object_of(slot, "a part object", at)?, in_assistant, at),
        Holder::Calls { .. } => chat_call(object_of(slot, "a tool call object", at)?, at),
        Holder::Field(key) => field(key, slot, at),
        Holder::Whole => whole(object_of(slot, "a message object", at)?, at),
    }
}

fn object_of<'s, 'a>(slot: &'s Slot<'a>, expected: &str, at: &Path<'_>) -> Result<&'s Object<'a>> {
    slot.object.as_ref().ok_or_else(|| at.wrong(expected, slot.raw))
}

fn part(object: &Object<'_>, in_assistant: bool, at: &Path<'_>) -> Result<Sorted> {
    let kind = kind(object, at)?;
    let kind = kind.as_ref();
    if is_ui_tool(kind, object) {
        return ui_tool(kind, object, at);
    }
    Ok(match kind {
        "text" | "input_text" | "output_text" => text(object, at)?,
        "refusal" => Sorted::new(Class::Text),
        "tool_call" | "tool-call" | "tool_use" | "server_tool_use" | "mcp_tool_use" => call(kind, object, at)?,
        "tool-result" | "tool-error" => result(object, in_assistant, at)?,
        "tool-invocation" => invocation(object, at)?,
        "tool-approval-response" => Sorted::new(Class::Other).with(Kinds::APPROVAL, true),
        "step-start" => Sorted::blank(Class::Other, true),
        _ if kind == "tool_result" => result(object, false, at)?,
        _ if kind.ends_with("_tool_result") => result(object, true, at)?,
        _ if is_reasoning(kind) => reasoning(object),
        _ if is_media(kind) => Sorted::new(Class::Media),
        _ if kind == "data" || kind == "json" || kind.starts_with("data-") => Sorted::new(Class::Data),
        _ => match Item::of(kind, object.text("call_id").is_some()) {
            Some(found) => item(found, kind, object, at)?,
            None => Sorted::new(Class::Other),
        },
    })
}

fn kind<'a>(object: &Object<'a>, at: &Path<'_>) -> Result<Cow<'a, str>> {
    let at = at.key("type");
    let raw = object.field("type").ok_or_else(|| missing(&at, "a part needs a string `type`"))?.value;
    decode(raw).ok_or_else(|| at.wrong("a string", raw))
}

fn text(object: &Object<'_>, at: &Path<'_>) -> Result<Sorted> {
    let at = at.key("text");
    let raw = object.field("text").ok_or_else(|| missing(&at, "a text part needs a string `text`"))?.value;
    if !raw.starts_with('"') {
        return Err(at.wrong("a string", raw));
    }
    Ok(Sorted::blank(Class::Text, is_blank(raw)))
}

fn is_reasoning(kind: &str) -> bool {
    kind.starts_with("reasoning") || matches!(kind, "thinking" | "redacted_thinking")
}

/// Types of media parts.
pub(crate) fn is_media(kind: &str) -> bool {
    let kind = kind.strip_prefix("input_").or_else(|| kind.strip_prefix("output_")).unwrap_or(kind);
    let kind = kind.split(['_', '-']).next().unwrap_or(kind);
    matches!(kind, "image" | "audio" | "video" | "file" | "document" | "media")
}

fn reasoning(object: &Object<'_>) -> Sorted {
    let signed = is_signed(object);
    let says = |name: &str| match object.get(name) {
        Some(raw) if raw.starts_with('"') => !is_blank(raw),
        Some(raw) => raw != "[]",
        None => false,
    };
    let blank =
        !signed && !["text", "thinking", "reasoning", "summary", "content", "data"].iter().any(|name| says(name));
    Sorted::blank(Class::Reasoning, blank).with(Kinds::SIGNED, signed)
}

/// Carries what only its own provider can read.
fn is_signed(object: &Object<'_>) -> bool {
    object.fields().iter().any(|field| match field.value.as_bytes() {
        [b'"', b'"'] => false,
        [b'"', ..] => {
            let redacted = field.is("data") && object.text("type").is_some_and(|kind| kind == "redacted_thinking");
            redacted
                || ["signature", "encrypted_content", "thought_signature", "thoughtSignature"]
                    .iter()
                    .any(|name| field.is(name))
        }
        [b'{', ..] => {
            let by_provider = ["providerMetadata", "callProviderMetadata", "providerOptions", "extra_content"];
            by_provider.iter().any(|name| field.is(name)) && holds_signature(field.value)
        }
        _ => false,
    })
}

fn holds_signature(raw: &str) -> bool {
    ["ignature\":\"", "ncryptedContent\":\"", "ncrypted_content\":\"", "redactedData\":\""]
        .iter()
        .any(|mark| raw.contains(mark))
}

const CALL_IDS: &[&str] = &["call_id", "toolCallId", "tool_call_id", "id", "tool_use_id"];
const RESULT_IDS: &[&str] = &["call_id", "tool_use_id", "toolCallId", "tool_call_id", "id"];

fn call(kind: &str, object: &Object<'_>, at: &Path<'_>) -> Result<Sorted> {
    let by_provider = matches!(kind, "server_tool_use" | "mcp_tool_use") || is_true(object, "providerExecuted");
    let id = first_label(object, CALL_IDS, at)?;
    let name = first_label(object, &["name", "toolName"], at)?;
    Ok(Sorted::pair(Class::ToolCall, Pair::Call { id, name, by_provider }).with(Kinds::SIGNED, is_signed(object)))
}

fn result(object: &Object<'_>, by_provider: bool, at: &Path<'_>) -> Result<Sorted> {
    let id = first_label(object, RESULT_IDS, at)?;
    let name = first_label(object, &["name", "toolName"], at)?;
    let by_provider = by_provider || is_true(object, "providerExecuted");
    Ok(Sorted::pair(Class::ToolResult, Pair::Result { id, name, by_provider }))
}

fn is_true(object: &Object<'_>, name: &str) -> bool {
    object.get(name) == Some("true")
}

/// A tool part of an ai-sdk UIMessage: `tool-NAME` or `dynamic-tool`, with the call's state. `tool-call` with a state is
/// a tool that happens to be named `call`.
fn is_ui_tool(kind: &str, object: &Object<'_>) -> bool {
    let reserved = matches!(
        kind,
        "tool-call"
            | "tool-result"
            | "tool-error"
            | "tool-invocation"
            | "tool-approval-request"
            | "tool-approval-response"
    );
    let has_state = object.get("state").is_some();
    kind == "dynamic-tool" || kind.starts_with("tool-") && (has_state || !reserved)
}

fn ui_tool(kind: &str, object: &Object<'_>, at: &Path<'_>) -> Result<Sorted> {
    let id = first_label(object, &["toolCallId"], at)?;
    let name = match kind.strip_prefix("tool-") {
        Some(name) => Some(name.to_owned()),
        None => label(object, "toolName", at)?,
    };
    let by_provider = is_true(object, "providerExecuted");
    let is_answered = match object.text("state") {
        Some(state) => state.starts_with("output-"),
        None => object.field("output").is_some(),
    };
    Ok(ui_pair(id, name, by_provider, is_answered).with(Kinds::SIGNED, is_signed(object)))
}

/// The tool part of older ai-sdk messages.
fn invocation(object: &Object<'_>, at: &Path<'_>) -> Result<Sorted> {
    let Some(inner) = object.object("toolInvocation") else { return Ok(Sorted::new(Class::Other)) };
    let at = at.key("toolInvocation");
    let id = label(&inner, "toolCallId", &at)?;
    let name = label(&inner, "toolName", &at)?;
    Ok(ui_pair(id, name, false, inner.text("state").is_some_and(|state| state == "result")))
}

fn ui_pair(id: Option<String>, name: Option<String>, by_provider: bool, is_answered: bool) -> Sorted {
    let pair = match is_answered {
        true => Pair::Both { id, name, by_provider },
        false => Pair::Call { id, name, by_provider },
    };
    Sorted::pair(Class::ToolCall, pair).with(Kinds::TOOL_RESULT, is_answered)
}

/// An element of `tool_calls`.
fn chat_call(object: &Object<'_>, at: &Path<'_>) -> Result<Sorted> {
    let id = first_label(object, &["id", "call_id", "tool_call_id"], at)?;
    let name = ["function", "custom"].iter().find_map(|key| object.object(key).map(|inner| (key, inner)));
    let name = match name {
        Some((key, inner)) => label(&inner, "name", &at.key(key))?,
        None => label(object, "name", at)?,
    };
    let pair = Pair::Call { id, name, by_provider: false };
    Ok(Sorted::pair(Class::ToolCall, pair).with(Kinds::SIGNED, is_signed(object)))
}

fn field(key: &str, slot: &Slot<'_>, at: &Path<'_>) -> Result<Sorted> {
    let raw = slot.raw;
    let is_blank = || raw == "[]" || is_blank(raw);
    Ok(match key {
        "function_call" => {
            let name = label(object_of(slot, "an object or null", at)?, "name", at)?;
            Sorted::pair(Class::ToolCall, Pair::Call { id: None, name, by_provider: false })
        }
        "refusal" => Sorted::blank(Class::Text, is_blank()),
        "audio" => Sorted::new(Class::Media),
        _ => {
            let elements = Elements::of(raw).into_iter().flatten();
            let signed =
                elements.filter_map(|(_, part)| Object::of(part)).any(|part| is_signed(&part) || is_encrypted(&part));
            Sorted::blank(Class::Reasoning, is_blank()).with(Kinds::SIGNED, signed)
        }
    })
}

/// OpenRouter's encrypted reasoning detail.
fn is_encrypted(part: &Object<'_>) -> bool {
    part.text("type").is_some_and(|kind| kind == "reasoning.encrypted")
}

/// A Responses item that is a message of its own.
fn whole(object: &Object<'_>, at: &Path<'_>) -> Result<Sorted> {
    let kind = kind(object, at)?;
    let found = Item::of(&kind, object.text("call_id").is_some()).unwrap_or(Item::Other);
    item(found, &kind, object, at)
}

fn item(found: Item, kind: &str, object: &Object<'_>, at: &Path<'_>) -> Result<Sorted> {
    let id = || first_label(object, &["call_id", "id"], at);
    let name =
        || label(object, "name", at).map(|name| name.or_else(|| Some(kind.trim_end_matches("_call").to_owned())));
    Ok(match found {
        Item::Call => Sorted::pair(Class::ToolCall, Pair::Call { id: id()?, name: name()?, by_provider: false }),
        Item::Done => Sorted::new(Class::ToolCall).with(Kinds::TOOL_RESULT, true),
        Item::Output => {
            let name = label(object, "name", at)?;
            Sorted::pair(Class::ToolResult, Pair::Result { id: id()?, name, by_provider: false })
        }
        Item::Reasoning => reasoning(object),
        Item::Approval => Sorted::new(Class::Other).with(Kinds::APPROVAL, true),
        Item::Other => Sorted::new(Class::Other).with(Kinds::SIGNED, is_signed(object)),
    })
}
