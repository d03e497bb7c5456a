//! Bodies of the usual shapes, read in one pass: texts, thinking, calls and results of the log's own parts, of Anthropic's
//! blocks and of OpenAI's chat. What is rarer is left to the whole reading, which finds the same in what is read here.

mod parts;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::format::pieces::{Content, Normal, Output, Piece, What};
use crate::json::{decode, Cursor};
use crate::message::{Holder, Role};

/// The normal form; nothing for a body with anything unusual in it.
pub(super) fn normal(body: &str, seq: u64, to: Option<u64>) -> Option<Normal<'_>> {
    let mut cursor = Cursor::new(body);
    let mut message = Message::default();
    fields(&mut cursor, |key, cursor| message.field(key, cursor))?;
    let role = message.role?;
    let name = message.name;
    if name.is_some_and(|name| !name.starts_with('"')) {
        return None;
    }
    let pieces = message.pieces(body, role)?;
    Some(Normal { seq, to, role, name, body, object: OnceCell::new(), is_item: false, pieces })
}

/// Steps over an object; `take` steps over the value of each field, by its key as it stands.
fn fields<'a>(cursor: &mut Cursor<'a>, mut take: impl FnMut(&'a str, &mut Cursor<'a>) -> Option<()>) -> Option<()> {
    if !cursor.eat(b'{') {
        return None;
    }
    while let Some(key) = cursor.key() {
        take(key, cursor)?;
        if !cursor.eat(b',') {
            break;
        }
    }
    cursor.eat(b'}').then_some(())
}

/// The elements of an array, each read by `push`.
fn elements<'a>(
    cursor: &mut Cursor<'a>,
    push: impl Fn(&mut Cursor<'a>, &mut Vec<Piece<'a>>) -> Option<()>,
) -> Option<Vec<Piece<'a>>> {
    let mut pieces = Vec::with_capacity(2);
    cursor.eat(b'[');
    while cursor.peek()? != b']' {
        push(cursor, &mut pieces)?;
        cursor.eat(b',');
    }
    cursor.eat(b']').then_some(pieces)
}

/// What a string holds.
fn inside(raw: &str) -> Option<&str> {
    raw.strip_prefix('"')?.strip_suffix('"')
}

/// A key that does not count. One with escapes may be any other.
fn unknown(key: &str) -> Option<()> {
    (!key.contains('\\')).then_some(())
}

fn non_null(raw: &str) -> Option<&str> {
    Some(raw).filter(|raw| *raw != "null")
}

/// Puts a value where none is yet: which of two counts is for the whole reading to say.
fn once<'a>(place: &mut Option<&'a str>, value: &'a str) -> Option<()> {
    match non_null(value) {
        Some(_) if place.is_some() => None,
        Some(value) => {
            *place = Some(value);
            Some(())
        }
        None => Some(()),
    }
}

/// An id or name: a string, or null for none; an empty one counts as none.
fn label(raw: Option<&str>) -> Option<Cow<'_, str>> {
    raw.map_or(Some(Cow::Borrowed("")), decode)
}

/// The fields of a message that count.
#[derive(Default)]
struct Message<'a> {
    role: Option<Role>,
    name: Option<&'a str>,
    parts: Option<Vec<Piece<'a>>>,
    calls: Option<Vec<Piece<'a>>>,
    /// `tool_call_id` of a message that is itself a result.
    call_id: Option<&'a str>,
    is_error: bool,
}

impl<'a> Message<'a> {
    fn field(&mut self, key: &str, cursor: &mut Cursor<'a>) -> Option<()> {
        match (cursor.peek()?, key) {
            (b'[', "parts") if self.parts.is_none() => self.parts = Some(parts::read("parts", cursor)?),
            (b'[', "content") if self.parts.is_none() => self.parts = Some(parts::read("content", cursor)?),
            (b'[', "tool_calls") => self.calls = Some(parts::chat_calls(cursor)?),
            _ => self.value(key, cursor.value()?)?,
        }
        Some(())
    }

    fn value(&mut self, key: &str, value: &'a str) -> Option<()> {
        match key {
            "role" => {
                self.role = Some(match inside(value)? {
                    "user" => Role::User,
                    other => Some(Role::of(other)).filter(|role| *role != Role::User)?,
                });
            }
            "name" => once(&mut self.name, value)?,
            "tool_call_id" => once(&mut self.call_id, value)?,
            "is_error" => self.is_error = value == "true",
            // An item, a result of another dialect, or content beside the parts.
            "type" | "call_id" | "tool_use_id" | "toolCallId" => return None,
            "parts" | "content" | "tool_calls" | "function_call" | "reasoning_content" | "reasoning"
            | "reasoning_details" | "thinking_blocks" | "refusal" | "audio" => {
                return non_null(value).is_none().then_some(());
            }
            _ => unknown(key)?,
        }
        Some(())
    }

    fn pieces(self, body: &'a str, role: Role) -> Option<Vec<Piece<'a>>> {
        let has_calls = self.calls.as_ref().is_some_and(|calls| !calls.is_empty());
        let pieces = match (self.parts, self.calls) {
            (Some(mut parts), Some(calls)) => {
                parts.extend(calls);
                parts
            }
            (parts, calls) => parts.or(calls).unwrap_or_default(),
        };
        let has_results = pieces.iter().any(|piece| matches!(piece.what, What::Result(_)));
        if role != Role::Tool || has_results {
            return Some(pieces);
        }
        // The message itself is a result.
        let are_texts = pieces.iter().all(|piece| matches!(piece.what, What::Text(_)));
        if pieces.is_empty() || !are_texts || has_calls {
            return None;
        }
        let output = Output {
            id: label(self.call_id)?,
            name: label(self.name).filter(|name| !name.is_empty()),
            content: Content::Blocks(pieces),
            is_error: self.is_error,
            by_provider: false,
            is_custom: false,
        };
        Some(vec![Piece { raw: body, holder: Holder::Whole, what: What::Result(output) }])
    }
}
