//! Where in a message a tool's output stands, and how a text is put in its place.

use std::ops::Range;

use crate::json::{canonical, decode, quote, Elements, Object};
use crate::message::{Class, Outline};

/// The output of one tool result.
pub(crate) struct Payload<'a> {
    /// Where it stands in the body.
    span: Range<usize>,
    raw: &'a str,
    form: Form<'a>,
}

/// How a text is written there.
enum Form<'a> {
    /// As a string.
    Plain,
    /// As the ai-sdk's typed output.
    Output { kind: &'static str },
    /// As text parts of the message.
    Parts,
    /// As what a shell printed.
    Shell { outcome: Option<&'a str> },
}

impl<'a> Payload<'a> {
    /// The output in `part`; nothing where there is none that could be a text.
    pub(crate) fn find(outline: &Outline<'a>, part: u32) -> Option<Self> {
        if outline.whole.is_some() {
            let field = ["parts", "content"].iter().find_map(|name| outline.object.field(name))?;
            return Some(Self { span: field.span(), raw: field.value, form: Form::Parts });
        }
        let slot = outline.slots.get(part as usize)?;
        let class = outline.classes.get(part as usize)?;
        let object = slot.object.as_ref()?;
        let kind = object.text("type").unwrap_or_default();
        let inner = object.field("toolInvocation").filter(|_| kind == "tool-invocation");
        let inner = inner.and_then(|field| Object::of(field.value).map(|inner| (inner, slot.at + field.at)));
        let (object, base) = inner.as_ref().map_or((object, slot.at), |(inner, at)| (inner, *at));
        let keys: &[&str] = match class {
            // A provider's own result must keep its form, or the provider refuses it.
            _ if kind.ends_with("_tool_result") && kind != "tool_result" => return None,
            _ if kind.starts_with("computer") => return None,
            Class::ToolResult => &["content", "output", "result", "error"],
            Class::ToolCall => &["output", "errorText", "result"],
            _ => return None,
        };
        let field = keys.iter().find_map(|key| object.field(key))?;
        let form = form_of(&kind, field.value)?;
        Some(Self { span: base + field.at..base + field.span().end, raw: field.value, form })
    }

    /// The output's JSON; of a typed output of the ai-sdk the value.
    pub(crate) fn value(&self) -> &'a str {
        match &self.form {
            Form::Output { .. } => Object::of(self.raw).and_then(|output| output.get("value")).unwrap_or("null"),
            _ => self.raw,
        }
    }

    /// The message's parts are the output.
    pub(crate) fn is_parts(&self) -> bool {
        matches!(self.form, Form::Parts)
    }

    /// It is what a shell printed.
    pub(crate) fn is_shell(&self) -> bool {
        matches!(self.form, Form::Shell { .. })
    }

    /// The output as one text, and blocks that are no text.
    pub(crate) fn text(&self) -> String {
        if let Some(text) = decode(self.raw) {
            return text.into_owned();
        }
        match &self.form {
            Form::Output { .. } => Object::of(self.raw)
                .and_then(|output| {
                    output.get("value").map(|value| Self { raw: value, form: Form::Plain, span: 0..0 }.text())
                })
                .unwrap_or_default(),
            Form::Shell { .. } => texts_of(self.raw, &["stdout", "stderr"]),
            Form::Parts => texts_of(self.raw, &["text"]),
            Form::Plain if is_blocks(self.raw) => texts_of(self.raw, &["text"]),
            Form::Plain => canonical(self.raw).into_owned(),
        }
    }

    /// Where it stands in the body.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What stands for the output, with `text` in its place; `with_media` keeps blocks that are no text behind it.
    pub(super) fn with_text(&self, text: &str, with_media: bool) -> String {
        let text = quote(text);
        let media = if with_media { self.media() } else { Vec::new() };
        match &self.form {
            Form::Plain if media.is_empty() => text,
            Form::Plain => {
                let kind = self.text_kind().unwrap_or_else(|| "\"text\"".to_owned());
                format!(r#"[{{"type":{kind},"text":{text}}},{}]"#, media.join(","))
            }
            Form::Output { kind } => format!(r#"{{"type":"{kind}","value":{text}}}"#),
            Form::Parts if media.is_empty() => format!(r#"[{{"type":"text","text":{text}}}]"#),
            Form::Parts => format!(r#"[{{"type":"text","text":{text}}},{}]"#, media.join(",")),
            Form::Shell { outcome } => {
                let outcome = outcome.unwrap_or(r#"{"type":"exit","exit_code":0}"#);
                format!(r#"[{{"stdout":{text},"stderr":"","outcome":{outcome}}}]"#)
            }
        }
    }

    fn media(&self) -> Vec<&'a str> {
        let is_other = |raw: &&str| Object::of(raw).is_some_and(|block| block.get("text").is_none());
        match self.form {
            Form::Parts => {}
            Form::Plain if is_blocks(self.raw) => {}
            _ => return Vec::new(),
        }
        Elements::of(self.raw).into_iter().flatten().map(|(_, raw)| raw).filter(is_other).collect()
    }

    /// How this list's text blocks are called.
    fn text_kind(&self) -> Option<String> {
        let mut blocks = Elements::of(self.raw)?.filter_map(|(_, raw)| Object::of(raw));
        let kind = blocks.find(|block| block.get("text").is_some())?;
        kind.get("type").map(str::to_owned)
    }
}

fn form_of<'a>(kind: &str, raw: &'a str) -> Option<Form<'a>> {
    if kind == "shell_call_output" && raw.starts_with('[') {
        let first = Elements::of(raw)?.next().and_then(|(_, raw)| Object::of(raw));
        return Some(Form::Shell { outcome: first.and_then(|first| first.get("outcome")) });
    }
    if kind != "tool-result" {
        return Some(Form::Plain);
    }
    let Some(output) = Object::of(raw) else { return Some(Form::Plain) };
    match output.text("type").as_deref() {
        Some("text" | "json" | "content") => Some(Form::Output { kind: "text" }),
        Some("error-text" | "error-json") => Some(Form::Output { kind: "error-text" }),
        Some("execution-denied") => None,
        _ => Some(Form::Plain),
    }
}

/// A list of content blocks, as against a list that a tool gave back as its data.
pub(crate) fn is_blocks(raw: &str) -> bool {
    let Some(elements) = Elements::of(raw) else { return false };
    let mut blocks = elements.map(|(_, raw)| Object::of(raw).is_some_and(|block| block.text("type").is_some()));
    blocks.next() == Some(true) && blocks.all(|is_block| is_block)
}

/// The texts of blocks, a line each.
fn texts_of(raw: &str, names: &[&str]) -> String {
    let blocks = Elements::of(raw).into_iter().flatten().filter_map(|(_, raw)| Object::of(raw));
    let texts = blocks.flat_map(|block| names.iter().filter_map(|name| block.text(name)).collect::<Vec<_>>());
    texts.collect::<Vec<_>>().join("\n")
}
