//! `ModelMessage`s.

use std::collections::HashMap;

use super::flow::{Part, Writer};
use super::parts::{self, Dialect, Shown};
use super::tools;
use crate::format::content::Parts;
use crate::format::pieces::{Call, Normal, Output, Piece, What};
use crate::format::{write, Options};
use crate::json::{decode, is_blank, quote, Object};
use crate::message::{Holder, Role};
use crate::render::Json;
use crate::spliced::Spliced;

/// `{system, messages}` so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// Texts of the head, decoded.
    system: Option<String>,
    /// Messages that are complete.
    messages: Json,
    /// The message of the model that may still get parts.
    open: Option<Message>,
    /// Parts of the tool message.
    tool: Json,
    /// Answers to requests for an approval that came in one part with their call.
    approvals: Vec<String>,
    /// The ids that calls of this message are shown with, by those in their parts, once one of its parts has asked.
    shown: Option<HashMap<String, String>>,
    /// Names of calls by their ids, until their results come.
    names: HashMap<String, String>,
    /// The library's provider for this model has no place for system messages behind the head.
    refuses_system: bool,
}

/// A message of the user or of the model while it is put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    content: Parts,
    options: Option<String>,
}

impl Message {
    fn of(message: &Normal<'_>) -> Self {
        Self { content: Parts::default(), options: options(message).map(str::to_owned) }
    }

    fn write(&self, out: &mut Json, role: &str) {
        out.raw("{\"role\":\"").raw(role).raw("\",\"content\":");
        self.content.write(out);
        end_message(out, self.options.as_deref());
    }
}

fn end_message(out: &mut Json, options: Option<&str>) {
    if let Some(options) = options {
        out.raw(",\"providerOptions\":").raw(options);
    }
    out.raw("}");
}

/// What the message keeps for one provider alone.
fn options<'a>(message: &Normal<'a>) -> Option<&'a str> {
    parts::options(message.fields())
}

impl Model {
    pub(super) fn new(options: &Options<'_>) -> Self {
        let refuses_system = options.is_model("claude") || options.is_model("gemini");
        Self { refuses_system, ..Self::default() }
    }

    fn media(piece: &Piece<'_>, by_model: bool, content: &mut Parts) {
        let What::Media(media) = &piece.what else { return };
        match parts::model_media(piece, media, by_model) {
            Shown::Text(raw) => content.text(&raw, false),
            Shown::Part(json) => push(content, &json),
        }
    }

    /// Completes the tool message.
    fn end_tool(&mut self, options: Option<&str>) {
        if self.tool.0.is_empty() {
            return;
        }
        let tool = std::mem::take(&mut self.tool);
        let out = separated(&mut self.messages);
        out.raw("{\"role\":\"tool\",\"content\":[");
        out.0.extend_from_slice(&tool.0);
        out.raw("]");
        end_message(out, options);
    }

    /// The name of the tool that gave a result: its call's, or its own where the call is not shown.
    fn name(&mut self, output: &Output<'_>) -> String {
        let own = || output.name.as_deref().map(str::to_owned);
        self.names.remove(&*output.id).or_else(own).unwrap_or_default()
    }

    fn call(&mut self, piece: &Piece<'_>, call: &Call<'_>) -> Part {
        self.names.insert(call.id.to_string(), call.name.to_string());
        let mut json = tools::model_call(piece, call);
        if let Some((request, response)) = tools::approval(piece, call) {
            json = format!("{json},{request}");
            self.approvals.extend(response);
        }
        Part::new(json)
    }
}

fn push(content: &mut Parts, json: &str) {
    content.part(|out| {
        out.raw(json);
    });
}

fn separated(out: &mut Json) -> &mut Json {
    out.raw(if out.0.is_empty() { "" } else { "," })
}

/// The client wrote an array itself.
fn is_in_array(piece: &Piece<'_>) -> bool {
    matches!(piece.holder, Holder::Parts { key: "content", .. })
}

/// A text that needs no part of its own where it stands alone.
fn is_bare(piece: &Piece<'_>) -> bool {
    !is_in_array(piece) && !parts::has_options(piece)
}

/// A text, or what stands for a part as one: a JSON string.
fn text_of(piece: &Piece<'_>) -> Option<String> {
    match &piece.what {
        What::Text(raw) | What::Refusal(raw) => Some(raw.to_string()),
        What::Media(media) => Some(write::media_note(media)),
        What::Data => write::data_text(piece),
        _ => None,
    }
}

impl Writer for Model {
    type User = Message;
    const DIALECT: Dialect = parts::MODEL;

    fn reserve(&mut self, bytes: usize) {
        self.messages.0.reserve(bytes);
    }

    fn is_whole(&self, _: &Normal<'_>) -> bool {
        false
    }

    fn whole(&mut self, _: &Normal<'_>) -> usize {
        0
    }

    fn system(&mut self, message: &Normal<'_>, in_head: bool) {
        let texts: Vec<String> = message.pieces.iter().filter_map(text_of).collect();
        let texts: Vec<_> = texts.iter().filter_map(|raw| decode(raw)).collect();
        let text = texts.join("\n\n");
        if text.is_empty() {
            return;
        }
        if in_head {
            let head = self.system.take().map_or(String::new(), |head| head + "\n\n");
            self.system = Some(head + &text);
            return;
        }
        let role = if self.refuses_system { "user" } else { "system" };
        let out = separated(&mut self.messages);
        out.raw("{\"role\":\"").raw(role).raw("\",\"content\":").string(&text);
        end_message(out, options(message));
    }

    fn new_user(&self, message: &Normal<'_>) -> Message {
        Message::of(message)
    }

    fn add(&self, user: &mut Message, piece: &Piece<'_>) {
        let content = &mut user.content;
        match &piece.what {
            What::Text(raw) if is_bare(piece) => content.text(raw, false),
            // The library leaves it out, and so would be left with nothing where it stands alone.
            What::Text(raw) if is_blank(raw) && !parts::has_options(piece) => {}
            What::Text(raw) => push(content, &parts::text(&parts::MODEL, piece, raw)),
            What::Refusal(raw) => content.text(raw, false),
            What::Media(_) => Self::media(piece, false, content),
            What::Data => content.data(piece),
            _ => {}
        }
    }

    fn has_parts(user: &Message) -> bool {
        user.content.count > 0
    }

    fn user(&mut self, user: Message) {
        self.end_tool(None);
        // A message that says nothing is refused by some providers; a request can't begin without one.
        if !user.content.is_blank() || self.messages.0.is_empty() {
            user.write(separated(&mut self.messages), "user");
        }
    }

    fn begin_step(&mut self, message: &Normal<'_>) {
        self.end_tool(None);
        self.open = Some(Message::of(message));
    }

    fn part(&mut self, message: &Normal<'_>, piece: &Piece<'_>) -> Option<Part> {
        Some(match &piece.what {
            What::Text(raw) | What::Refusal(raw) if is_bare(piece) => {
                Part { json: raw.to_string(), is_bare: true, waits: None }
            }
            What::Text(raw) => Part::new(parts::text(&parts::MODEL, piece, raw)),
            What::Refusal(raw) => Part::new(parts::plain_text(raw)),
            What::Media(media) => match parts::model_media(piece, media, true) {
                Shown::Part(json) => Part::new(json),
                Shown::Text(json) => Part { json, is_bare: true, waits: None },
            },
            What::Data => Part { json: write::data_text(piece)?, is_bare: true, waits: None },
            What::Call(call) if !call.by_provider || tools::is_own(piece) => self.call(piece, call),
            What::Result(output) if tools::is_own(piece) => {
                let name = self.name(output);
                Part::new(tools::model_result(piece, output, &name))
            }
            What::Other => {
                let part = Object::of(piece.raw)?;
                let shown = self.shown.get_or_insert_with(|| shown_ids(message));
                let id = part.text("toolCallId").and_then(|given| shown.get(&*given));
                Part::new(tools::approval_request(&part, id.map(String::as_str))?)
            }
            _ => return None,
        })
    }

    fn push(&mut self, part: Part) {
        let content = &mut self.open.get_or_insert_with(Message::default).content;
        if part.is_bare {
            content.text(&part.json, false);
        } else {
            push(content, &part.json);
        }
    }

    fn end_step(&mut self) {
        if let Some(open) = self.open.take() {
            open.write(separated(&mut self.messages), "assistant");
        }
    }

    fn result(&mut self, _: &Normal<'_>, piece: &Piece<'_>, output: &Output<'_>) {
        let name = self.name(output);
        let json = tools::model_result(piece, output, &name);
        separated(&mut self.tool).raw(&json);
    }

    fn answer(&mut self, piece: &Piece<'_>) {
        if let Some(json) = Object::of(piece.raw).and_then(|part| tools::approval_response(&part)) {
            separated(&mut self.tool).raw(&json);
        }
    }

    fn end_message(&mut self, message: &Normal<'_>) {
        self.shown = None;
        for json in std::mem::take(&mut self.approvals) {
            self.end_step();
            separated(&mut self.tool).raw(&json);
        }
        self.end_tool(options(message).filter(|_| message.role == Role::Tool));
    }

    fn write<'a>(&'a self, request: &mut Spliced<'a>) {
        let out = request.out();
        out.raw("{");
        if let Some(system) = &self.system {
            out.raw("\"system\":").raw(&quote(system)).raw(",");
        }
        out.raw("\"messages\":[");
        request.keep(&self.messages.0);
        let out = request.out();
        if let Some(open) = &self.open {
            out.raw(if self.messages.0.is_empty() { "" } else { "," });
            open.write(out, "assistant");
        }
        out.raw("]}");
    }

    fn resident_bytes(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |open| open.content.json.0.capacity());
        let names: usize = self.names.iter().map(|(id, name)| id.capacity() + name.capacity() + 64).sum();
        self.messages.0.capacity() + open + names + self.system.as_ref().map_or(0, String::capacity)
    }
}

/// The ids that the message's calls are shown with, by those in their parts.
fn shown_ids(message: &Normal<'_>) -> HashMap<String, String> {
    let ids = message.pieces.iter().filter_map(|piece| match &piece.what {
        What::Call(call) => {
            let given = Object::of(piece.raw)?.text("toolCallId")?.into_owned();
            Some((given, call.id.to_string()))
        }
        _ => None,
    });
    // Of several with one id, the last counts.
    ids.collect()
}
