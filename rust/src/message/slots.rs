//! Where the parts of a message stand: in `parts` or `content`, in `tool_calls`, in fields of their own, or, for a
//! Responses item, everywhere.

use std::ops::Range;

use super::{missing, Role};
use crate::error::{Error, Result};
use crate::json::{Cursor, Field, Object, Path};

/// Names that the server adds on output, and `token_count`: taken out of what comes in.
const ADDED: &[&str] = &["seq", "token_count", "inserted_at", "from_seq", "to_seq", "edited", "repair"];
/// Fields that are content beside or instead of `content`.
const FIELDS: &[&str] =
    &["function_call", "reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "refusal", "audio"];

/// How a part hangs in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// An element of `parts` or `content`.
    Parts { key: &'static str, index: usize },
    /// An element of `tool_calls`.
    Calls { index: usize },
    /// The value of a field of its own.
    Field(&'static str),
    /// The message itself.
    Whole,
}

/// A part before it is classified.
#[derive(Clone, Debug)]
pub(crate) struct Slot<'a> {
    pub raw: &'a str,
    pub at: usize,
    pub holder: Holder,
    /// The fields, where the part is an object.
    pub object: Option<Object<'a>>,
}

impl Slot<'_> {
    /// Where the part stands in the body.
    pub(crate) fn span(&self) -> Range<u32> {
        // A body is far smaller than 4 GiB; the fallback only keeps the types honest.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        place(self.at)..place(self.at + self.raw.len())
    }

    /// Calls `with` with the path of this part.
    pub(super) fn place<T>(&self, at: &Path<'_>, with: impl FnOnce(&Path<'_>) -> T) -> T {
        match self.holder {
            Holder::Parts { key, index } => with(&at.key(key).index(index)),
            Holder::Calls { index } => with(&at.key("tool_calls").index(index)),
            Holder::Field(key) => with(&at.key(key)),
            Holder::Whole => with(at),
        }
    }
}

/// A Responses item: a message of its own without `content`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A call that the client answers with an output.
    Call,
    /// A call that the provider has answered itself, or may never.
    Done,
    /// A result.
    Output,
    /// Thinking.
    Reasoning,
    /// The client's answer to an approval request.
    Approval,
    /// Anything else that the model made.
    Other,
}

impl Item {
    pub(super) fn role(self) -> Role {
        match self {
            Self::Output | Self::Approval => Role::Tool,
            _ => Role::Assistant,
        }
    }

    /// What items of this type are; nothing for types that are no items.
    pub(super) fn of(kind: &str, has_call_id: bool) -> Option<Self> {
        Some(match kind {
            "function_call" | "custom_tool_call" | "computer_call" | "local_shell_call" | "shell_call"
            | "apply_patch_call" => Self::Call,
            // The provider's own, whatever ids they carry.
            "mcp_call" => Self::Done,
            "tool_search_output" if !has_call_id => Self::Done,
            "reasoning" => Self::Reasoning,
            "mcp_approval_response" => Self::Approval,
            "mcp_approval_request"
            | "mcp_list_tools"
            | "additional_tools"
            | "item_reference"
            | "compaction"
            | "compaction_summary" => Self::Other,
            _ if kind.ends_with("_call") && has_call_id => Self::Call,
            _ if kind.ends_with("_call") => Self::Done,
            _ if kind.ends_with("_output") => Self::Output,
            _ => return None,
        })
    }
}

/// The Responses item that the message is, if it is one. One with role and content is an ordinary message whose `type`
/// only looks like an item's.
pub(crate) fn item(object: &Object<'_>) -> Option<Item> {
    let kind = object.text("type")?;
    let ordinary = object.get("role").is_some() && (object.get("content").is_some() || object.get("parts").is_some());
    if ordinary {
        return None;
    }
    Item::of(&kind, object.text("call_id").is_some())
}

/// Refuses a message without content, with two contents, or with one of the wrong type.
pub(super) fn require_content(object: &Object<'_>, at: &Path<'_>) -> Result<()> {
    if item(object).is_some() {
        return Ok(());
    }
    if let Some(calls) = object.get("tool_calls").filter(|calls| !calls.starts_with('[')) {
        return Err(at.key("tool_calls").wrong("an array or null", calls));
    }
    let value = |name: &str| object.field(name).map(|field| field.value);
    match (value("parts"), value("content")) {
        (Some(_), Some(_)) => Err(Error::field(at.to_string(), "a message has either `parts` or `content`, not both")),
        (Some(parts), None) if parts.starts_with('[') => Ok(()),
        (Some(parts), None) => Err(at.key("parts").wrong("an array of parts", parts)),
        (None, Some(content)) if content.starts_with(['[', '"']) => Ok(()),
        (None, Some("null")) | (None, None) if has_other_content(object) => Ok(()),
        (None, Some(content)) => {
            Err(at.key("content").wrong("a string or an array of parts (null only beside tool_calls)", content))
        }
        (None, None) => Err(missing(at, "a message needs `parts` or `content` (or `tool_calls`)")),
    }
}

fn has_other_content(object: &Object<'_>) -> bool {
    object.get("tool_calls").is_some() || FIELDS.iter().any(|name| object.get(name).is_some())
}

/// The text that is stored.
pub(super) fn normalised(object: &Object<'_>, size_hint: usize) -> String {
    let is_item = item(object).is_some();
    let mut body = String::with_capacity(size_hint + 32);
    body.push('{');
    for field in object.fields() {
        if ADDED.iter().any(|name| field.is(name)) {
            continue;
        }
        if body.len() > 1 {
            body.push(',');
        }
        if !is_item && field.value.starts_with('"') && field.is("content") {
            body.push_str(r#""parts":[{"type":"text","text":"#);
            body.push_str(field.value);
            body.push_str("}]");
        } else {
            body.push_str(field.key);
            body.push(':');
            body.push_str(field.value);
        }
    }
    body.push('}');
    body
}

/// The field may hold parts.
pub(crate) fn may_hold(field: &Field<'_>) -> bool {
    ["parts", "content", "tool_calls"].iter().chain(FIELDS).any(|name| field.is(name))
}

/// The parts of a stored body: those of the array first, then `tool_calls`, then single fields.
pub(crate) fn slots<'a>(object: &Object<'a>, body: &'a str) -> Vec<Slot<'a>> {
    if item(object).is_some() {
        return vec![Slot { raw: body, at: 0, holder: Holder::Whole, object: Some(object.clone()) }];
    }
    let mut slots = Vec::with_capacity(4);
    for key in ["parts", "content"] {
        push_elements(object, key, &mut slots, |index| Holder::Parts { key, index });
    }
    push_elements(object, "tool_calls", &mut slots, |index| Holder::Calls { index });
    for key in FIELDS {
        if let Some(field) = object.field(key).filter(|field| field.value != "null") {
            let object = Object::of(field.value);
            slots.push(Slot { raw: field.value, at: field.at, holder: Holder::Field(key), object });
        }
    }
    slots
}

fn push_elements<'a>(object: &Object<'a>, key: &str, slots: &mut Vec<Slot<'a>>, holder: impl Fn(usize) -> Holder) {
    let Some(field) = object.field(key) else { return };
    let mut cursor = Cursor::new(field.value);
    if !cursor.eat(b'[') {
        return;
    }
    for index in 0.. {
        let Some(first) = cursor.peek() else { return };
        let start = cursor.at();
        let object = Object::read(&mut cursor);
        if first != b'{' && cursor.value().is_none() {
            return;
        }
        slots.push(Slot { raw: cursor.since(start), at: field.at + start, holder: holder(index), object });
        cursor.eat(b',');
    }
}
