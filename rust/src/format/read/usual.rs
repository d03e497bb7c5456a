//! Bodies of the usual shapes, read in one pass: texts, thinking, calls and results of the log's own parts, of Anthropic's
//! blocks and of OpenAI's chat. What is rarer is left to the whole reading, which finds the same in what is read here.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::{reasoning, tools};
use crate::format::pieces::{Arguments, Call, Content, Normal, Output, Piece, What};
use crate::json::{decode, Cursor, Object};
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
    while cursor.peek() == Some(b'"') {
        let key = cursor.key()?;
        take(key, cursor)?;
        if !cursor.eat(b',') {
            break;
        }
    }
    cursor.eat(b'}').then_some(())
}

/// Reads the elements of an array by `read`, each with its number.
fn elements<'a>(
    cursor: &mut Cursor<'a>,
    mut read: impl FnMut(usize, &mut Cursor<'a>) -> Option<Piece<'a>>,
) -> Option<Vec<Piece<'a>>> {
    let mut pieces = Vec::with_capacity(2);
    cursor.eat(b'[');
    while cursor.peek()? != b']' {
        pieces.push(read(pieces.len(), cursor)?);
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
    calls: Vec<Piece<'a>>,
    /// `tool_call_id` of a message that is itself a result.
    call_id: Option<&'a str>,
    is_error: bool,
}

impl<'a> Message<'a> {
    fn field(&mut self, key: &str, cursor: &mut Cursor<'a>) -> Option<()> {
        let is_list = cursor.peek() == Some(b'[');
        match key {
            "parts" if is_list && self.parts.is_none() => {
                self.parts = Some(elements(cursor, |index, cursor| part("parts", index, cursor))?);
                return Some(());
            }
            "content" if is_list && self.parts.is_none() => {
                self.parts = Some(elements(cursor, |index, cursor| part("content", index, cursor))?);
                return Some(());
            }
            "tool_calls" if is_list => {
                self.calls = elements(cursor, chat_call)?;
                return Some(());
            }
            _ => {}
        }
        let value = cursor.value()?;
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
        let mut pieces = self.parts.unwrap_or_default();
        let has_results = pieces.iter().any(|piece| matches!(piece.what, What::Result(_)));
        if role != Role::Tool || has_results {
            pieces.extend(self.calls);
            return Some(pieces);
        }
        // The message itself is a result.
        let are_texts = pieces.iter().all(|piece| matches!(piece.what, What::Text(_)));
        if pieces.is_empty() || !are_texts || !self.calls.is_empty() {
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

/// The fields of a part that count.
#[derive(Default)]
struct Part<'a> {
    kind: Option<&'a str>,
    text: Option<&'a str>,
    id: Option<&'a str>,
    name: Option<&'a str>,
    arguments: Written<'a>,
    content: Option<&'a str>,
    extra: Option<&'a str>,
    is_error: bool,
}

impl<'a> Part<'a> {
    fn field(&mut self, key: &str, cursor: &mut Cursor<'a>) -> Option<()> {
        let value = cursor.value()?;
        match key {
            "type" => self.kind = Some(inside(value)?),
            "text" => self.text = Some(value),
            "id" | "call_id" | "tool_use_id" => once(&mut self.id, value)?,
            "name" => once(&mut self.name, value)?,
            "content" => self.content = Some(value),
            "extra_content" => self.extra = non_null(value),
            "is_error" => self.is_error = value == "true",
            // Those of other dialects, and the provider's own tools.
            "toolCallId" | "tool_call_id" | "toolName" | "providerExecuted" | "state" | "isError" | "function"
            | "custom" | "toolInvocation" => return None,
            _ => self.arguments.field(key, value)?,
        }
        Some(())
    }
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

/// An element of `parts` or `content`.
fn part<'a>(key: &'static str, index: usize, cursor: &mut Cursor<'a>) -> Option<Piece<'a>> {
    let start = cursor.at();
    let mut part = Part::default();
    fields(cursor, |key, cursor| part.field(key, cursor))?;
    let raw = cursor.since(start);
    let what = match part.kind? {
        "text" | "input_text" | "output_text" => What::Text(part.text.filter(|raw| raw.starts_with('"'))?.into()),
        "thinking" | "redacted_thinking" | "reasoning" => What::Reasoning(reasoning::part(&Object::of(raw)?)),
        "tool_call" | "tool_use" => What::Call(call(part.id, part.name, &part.arguments, part.extra)?),
        "tool_result" => What::Result(Output {
            id: label(part.id)?,
            name: Some(label(part.name)?).filter(|name| !name.is_empty()),
            content: tools::plain_content(part.content?),
            is_error: part.is_error,
            by_provider: false,
            is_custom: false,
        }),
        _ => return None,
    };
    Some(Piece { raw, holder: Holder::Parts { key, index }, what })
}

/// An element of `tool_calls`.
fn chat_call<'a>(index: usize, cursor: &mut Cursor<'a>) -> Option<Piece<'a>> {
    let start = cursor.at();
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
    let what = What::Call(call(id, name, &arguments?, extra)?);
    Some(Piece { raw: cursor.since(start), holder: Holder::Calls { index }, what })
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

#[cfg(test)]
mod tests {
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
                let calls = if with_calls && !calls.is_empty() {
                    format!(",\"tool_calls\":[{{{calls}}}]")
                } else {
                    String::new()
                };
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
}
