//! The elements of `parts`, `content` and `tool_calls`.

use super::{elements, fields, inside, label, non_null, once, unknown};
use crate::format::pieces::{Arguments, Call, Content, Output, Piece, What};
use crate::format::read::{reasoning, tools};
use crate::json::{Cursor, Object};
use crate::message::Holder;

/// The parts of an array.
pub(super) fn read<'a>(key: &'static str, cursor: &mut Cursor<'a>) -> Option<Vec<Piece<'a>>> {
    elements(cursor, |cursor, pieces| {
        let start = cursor.at();
        let mut part = Part::default();
        fields(cursor, |key, cursor| part.field(key, cursor))?;
        let raw = cursor.since(start);
        let holder = Holder::Parts { key, index: pieces.len() };
        pieces.push(Piece { raw, holder, what: part.what(raw)? });
        Some(())
    })
}

/// The calls of OpenAI's chat.
pub(super) fn chat_calls<'a>(cursor: &mut Cursor<'a>) -> Option<Vec<Piece<'a>>> {
    elements(cursor, |cursor, pieces| {
        let start = cursor.at();
        let what = What::Call(chat_call(cursor)?);
        pieces.push(Piece { raw: cursor.since(start), holder: Holder::Calls { index: pieces.len() }, what });
        Some(())
    })
}

/// The fields of a part that count.
#[derive(Default)]
struct Part<'a> {
    kind: Option<&'a str>,
    text: Option<&'a str>,
    id: Option<&'a str>,
    name: Option<&'a str>,
    arguments: Written<'a>,
    content: Option<Content<'a>>,
    extra: Option<&'a str>,
    is_error: bool,
}

impl<'a> Part<'a> {
    fn field(&mut self, key: &str, cursor: &mut Cursor<'a>) -> Option<()> {
        if key == "content" {
            self.content = Some(content(cursor)?);
            return Some(());
        }
        let value = cursor.value()?;
        match key {
            "type" => self.kind = Some(inside(value)?),
            "text" => self.text = Some(value),
            "id" | "call_id" | "tool_use_id" => once(&mut self.id, value)?,
            "name" => once(&mut self.name, value)?,
            "extra_content" => self.extra = non_null(value),
            "is_error" => self.is_error = value == "true",
            // Those of other dialects, and the provider's own tools.
            "toolCallId" | "tool_call_id" | "toolName" | "providerExecuted" | "state" | "isError" | "function"
            | "custom" | "toolInvocation" => return None,
            _ => self.arguments.field(key, value)?,
        }
        Some(())
    }

    fn what(self, raw: &'a str) -> Option<What<'a>> {
        Some(match self.kind? {
            kind if is_text(kind) => What::Text(self.text.filter(|raw| raw.starts_with('"'))?.into()),
            "thinking" | "redacted_thinking" | "reasoning" => What::Reasoning(reasoning::part(&Object::of(raw)?)),
            "tool_call" | "tool_use" => What::Call(call(self.id, self.name, &self.arguments, self.extra)?),
            "tool_result" => What::Result(Output {
                id: label(self.id)?,
                name: Some(label(self.name)?).filter(|name| !name.is_empty()),
                content: self.content?,
                is_error: self.is_error,
                by_provider: false,
                is_custom: false,
            }),
            _ => return None,
        })
    }
}

/// What a tool gave back. A list of texts, the usual one, is read on the way.
fn content<'a>(cursor: &mut Cursor<'a>) -> Option<Content<'a>> {
    if cursor.peek()? == b'[' {
        let mut ahead = cursor.clone();
        if let Some(blocks) = elements(&mut ahead, text_block).filter(|blocks| !blocks.is_empty()) {
            *cursor = ahead;
            return Some(Content::Blocks(blocks));
        }
    }
    Some(tools::plain_content(cursor.value()?))
}

fn text_block<'a>(cursor: &mut Cursor<'a>, pieces: &mut Vec<Piece<'a>>) -> Option<()> {
    let start = cursor.at();
    let (mut kind, mut text) = (None, None);
    fields(cursor, |key, cursor| {
        match (key, cursor.value()?) {
            ("type", value) => kind = inside(value),
            ("text", value) => text = Some(value),
            _ => unknown(key)?,
        }
        Some(())
    })?;
    let text = text.filter(|raw: &&str| kind.is_some_and(is_text) && raw.starts_with('"'))?;
    let holder = Holder::Parts { key: "parts", index: pieces.len() };
    pieces.push(Piece { raw: cursor.since(start), holder, what: What::Text(text.into()) });
    Some(())
}

fn is_text(kind: &str) -> bool {
    matches!(kind, "text" | "input_text" | "output_text")
}

/// What a tool is called with.
#[derive(Default)]
struct Written<'a> {
    text: Option<&'a str>,
    value: Option<&'a str>,
}

impl<'a> Written<'a> {
    fn field(&mut self, key: &str, value: &'a str) -> Option<()> {
        match key {
            "arguments_raw" | "arguments" => once(&mut self.text, value),
            "payload" | "input" => once(&mut self.value, value),
            "rawInput" | "args" | "action" | "operation" | "parameters" => None,
            _ => unknown(key),
        }
    }

    fn arguments(&self) -> Arguments<'a> {
        match self.text {
            Some(raw) if raw.starts_with('"') => Arguments::Text(raw.into()),
            text => Arguments::Value(text.or(self.value).unwrap_or("{}").into()),
        }
    }
}

/// An element of `tool_calls`.
fn chat_call<'a>(cursor: &mut Cursor<'a>) -> Option<Call<'a>> {
    let (mut id, mut name, mut extra) = (None, None, None);
    let mut arguments = None;
    fields(cursor, |key, cursor| {
        if key == "function" {
            let mut written = Written::default();
            fields(cursor, |key, cursor| match (key, cursor.value()?) {
                ("name", value) => once(&mut name, value),
                (key, value) => written.field(key, value),
            })?;
            arguments = Some(written);
            return Some(());
        }
        match (key, cursor.value()?) {
            ("id", value) => once(&mut id, value),
            ("extra_content", value) => once(&mut extra, value),
            ("type", value) => (value == "\"function\"").then_some(()),
            ("call_id" | "tool_call_id" | "custom" | "toolInvocation", _) => None,
            (key, _) => unknown(key),
        }
    })?;
    call(id, name, &arguments?, extra)
}

fn call<'a>(
    id: Option<&'a str>,
    name: Option<&'a str>,
    arguments: &Written<'a>,
    extra: Option<&'a str>,
) -> Option<Call<'a>> {
    let (id, name) = (label(id)?, label(name)?);
    Some(Call { id, name, arguments: arguments.arguments(), is_custom: false, by_provider: false, extra })
}
