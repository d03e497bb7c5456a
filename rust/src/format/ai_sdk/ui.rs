//! `UIMessage`s: one for each message of the user, one for all that the model did until the next.

use std::collections::HashMap;

use super::flow::{Part, Writer};
use super::parts::{self, is_string, pick, text_of, Dialect, Names, Shown};
use super::tools;
use crate::format::pieces::{Normal, Output, Piece, What};
use crate::format::write;
use crate::json::Object;
use crate::message::{Holder, Role};
use crate::render::Json;
use crate::spliced::Spliced;

/// Fields of a message beside its parts.
const HEAD: Names = &[("id", "id"), ("role", "role"), ("metadata", "metadata")];

/// `{messages}` so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Ui {
    /// Messages that nothing changes any more.
    done: Json,
    /// Those behind them, from the first on that may still get results.
    waiting: Vec<Message>,
    /// The message that the model goes on with.
    turn: Option<Message>,
}

/// A message while it is put together.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Its fields, without the last brace.
    head: String,
    parts: Vec<String>,
    /// The parts whose results are to come, by the ids of their calls.
    waiting: HashMap<String, Vec<usize>>,
}

impl Message {
    fn new(message: &Normal<'_>, role: &str) -> Self {
        let body = message.fields();
        let id = body.get("id").filter(|id| id.starts_with('"')).map(str::to_owned);
        let id = id.unwrap_or_else(|| match message.to {
            Some(to) => format!("\"summary_{}_{to}\"", message.seq),
            None => format!("\"msg_{}\"", message.seq),
        });
        let mut out = Json::default();
        pick(&mut out, body, HEAD, &[("id", &id), ("role", &format!("\"{role}\""))]);
        // Its parts are still to come.
        out.0.pop();
        Self { head: text_of(out), parts: Vec::new(), waiting: HashMap::new() }
    }

    fn push(&mut self, json: String) {
        self.parts.push(json);
    }

    /// Adds a part that waits for the result of this call.
    fn push_waiting(&mut self, json: String, id: String) {
        self.waiting.entry(id).or_default().push(self.parts.len());
        self.parts.push(json);
    }

    fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The newest part that waits for the result of this call; it does so no more.
    fn answer(&mut self, id: &str) -> Option<&mut String> {
        let places = self.waiting.get_mut(id)?;
        let at = places.pop()?;
        if places.is_empty() {
            self.waiting.remove(id);
        }
        self.parts.get_mut(at)
    }

    fn write(&self, out: &mut Json) {
        out.raw(&self.head).raw(",\"parts\":[");
        for (n, part) in self.parts.iter().enumerate() {
            out.raw(if n == 0 { "" } else { "," }).raw(part);
        }
        out.raw("]}");
    }
}

impl Ui {
    /// Takes a message that gets no more parts.
    fn close(&mut self, message: Message) {
        self.waiting.push(message);
        self.settle();
    }

    /// Gives up what nothing changes any more.
    fn settle(&mut self) {
        let settled = self.waiting.iter().take_while(|message| !message.waits()).count();
        for message in self.waiting.drain(..settled) {
            message.write(separated(&mut self.done));
        }
    }

    /// The message that the model goes on with; `message` where it is the first of its turn.
    fn turn(&mut self, message: &Normal<'_>) -> &mut Message {
        self.turn.get_or_insert_with(|| Message::new(message, "assistant"))
    }

    /// Puts a result into the part of its call; false where that is not shown.
    fn answer(&mut self, output: &Output<'_>) -> bool {
        let mut messages = self.turn.iter_mut().chain(self.waiting.iter_mut().rev());
        let Some(part) = messages.find_map(|message| message.answer(&output.id)) else { return false };
        *part = tools::answered(part, output);
        self.settle();
        true
    }
}

fn separated(out: &mut Json) -> &mut Json {
    out.raw(if out.0.is_empty() { "" } else { "," })
}

/// A part as interfaces know it.
fn is_ui_part(piece: &Piece<'_>) -> bool {
    let Some(part) = Object::of(piece.raw) else { return false };
    let has = |names: &[&str]| names.iter().all(|name| is_string(&part, name));
    match part.text("type").unwrap_or_default().as_ref() {
        "text" => has(&["text"]),
        "reasoning" => has(&["text"]) && ["signature", "encrypted_content"].iter().all(|name| part.get(name).is_none()),
        "file" => has(&["url", "mediaType"]),
        "source-url" => has(&["sourceId", "url"]),
        "source-document" => has(&["sourceId", "mediaType", "title"]),
        "step-start" => true,
        kind if kind.starts_with("data-") => true,
        _ => tools::is_ui_tool(&part),
    }
}

/// A part that only interfaces have.
fn is_ui_alone(piece: &Piece<'_>) -> bool {
    !matches!(piece.what, What::Text(_) | What::Reasoning(_) | What::Media(_))
}

impl Writer for Ui {
    type User = Message;
    const DIALECT: Dialect = parts::UI;

    fn reserve(&mut self, bytes: usize) {
        self.done.0.reserve(bytes);
    }

    fn is_whole(&self, message: &Normal<'_>) -> bool {
        let in_parts = |piece: &Piece<'_>| matches!(piece.holder, Holder::Parts { key: "parts", .. });
        let is_ours = |body: &Object<'_>| is_string(body, "id") || message.pieces.iter().any(is_ui_alone);
        let takes = matches!(message.role, Role::User | Role::Assistant | Role::System);
        takes
            && (!message.pieces.is_empty() || message.role == Role::Assistant)
            && message.pieces.iter().all(|piece| in_parts(piece) && is_ui_part(piece))
            && message.fields().get("parts").is_some()
            && is_ours(message.fields())
    }

    fn whole(&mut self, message: &Normal<'_>) -> usize {
        let mut whole = Message::new(message, message.role.name());
        let mut waiting = 0;
        for piece in &message.pieces {
            let part = Object::of(piece.raw);
            match (&piece.what, part) {
                (What::Result(_), _) => {}
                (What::Call(call), Some(part)) => {
                    let json = tools::stored_ui_tool(&part, &call.id);
                    if call.by_provider || tools::is_answered(&part) {
                        whole.push(json);
                    } else {
                        whole.push_waiting(json, call.id.to_string());
                        waiting += 1;
                    }
                }
                _ => whole.push(piece.raw.to_owned()),
            }
        }
        self.close(whole);
        waiting
    }

    fn system(&mut self, message: &Normal<'_>, _: bool) {
        let mut system = Message::new(message, "system");
        for piece in &message.pieces {
            match &piece.what {
                What::Media(media) => system.push(parts::plain_text(&write::media_note(media))),
                _ => self.add(&mut system, piece),
            }
        }
        self.user(system);
    }

    fn new_user(&self, message: &Normal<'_>) -> Message {
        Message::new(message, "user")
    }

    fn add(&self, user: &mut Message, piece: &Piece<'_>) {
        user.parts.extend(plain(piece, false));
    }

    fn has_parts(user: &Message) -> bool {
        !user.parts.is_empty()
    }

    fn user(&mut self, user: Message) {
        // The library takes no empty ones.
        if Self::has_parts(&user) {
            self.close(user);
        }
    }

    fn begin_step(&mut self, message: &Normal<'_>) {
        self.turn(message).push("{\"type\":\"step-start\"}".to_owned());
    }

    fn part(&mut self, _: &Normal<'_>, piece: &Piece<'_>) -> Option<Part> {
        let part = Object::of(piece.raw);
        match (&piece.what, part) {
            (What::Call(call), Some(part)) if tools::is_ui_tool(&part) => {
                let waits = (!tools::is_answered(&part)).then(|| call.id.to_string());
                Some(Part { json: tools::stored_ui_tool(&part, &call.id), is_bare: false, waits })
            }
            (What::Call(call), _) if !call.by_provider || tools::is_own(piece) => {
                Some(Part { json: tools::ui_call(piece, call), is_bare: false, waits: Some(call.id.to_string()) })
            }
            (What::Result(output), _) => {
                self.answer(output);
                None
            }
            _ => plain(piece, true).map(Part::new),
        }
    }

    fn push(&mut self, part: Part) {
        match (&mut self.turn, part.waits) {
            (Some(turn), Some(id)) => turn.push_waiting(part.json, id),
            (Some(turn), None) => turn.push(part.json),
            (None, _) => {}
        }
    }

    fn end_step(&mut self) {}

    fn result(&mut self, message: &Normal<'_>, piece: &Piece<'_>, output: &Output<'_>) {
        let is_with_call = Object::of(piece.raw).is_some_and(|part| tools::is_ui_tool(&part));
        if !is_with_call && !self.answer(output) {
            self.turn(message).push(tools::ui_result(output));
        }
    }

    fn end_message(&mut self, _: &Normal<'_>) {}

    fn end_turn(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.close(turn);
        }
    }

    fn write<'a>(&'a self, request: &mut Spliced<'a>) {
        request.out().raw("{\"messages\":[");
        request.keep(&self.done.0);
        let out = request.out();
        let mut first = self.done.0.is_empty();
        for message in self.waiting.iter().chain(&self.turn) {
            out.raw(if std::mem::take(&mut first) { "" } else { "," });
            message.write(out);
        }
        out.raw("]}");
    }

    fn resident_bytes(&self) -> usize {
        let messages = || self.waiting.iter().chain(&self.turn);
        let parts: usize = messages().flat_map(|message| &message.parts).map(|part| part.capacity() + 24).sum();
        self.done.0.capacity() + parts + messages().map(|message| message.waiting.len() * 128).sum::<usize>()
    }
}

/// A part that is no tool's and no reasoning; nothing where an interface has no place for it.
fn plain(piece: &Piece<'_>, by_model: bool) -> Option<String> {
    match &piece.what {
        What::Text(raw) => Some(parts::text(&parts::UI, piece, raw)),
        What::Refusal(raw) => Some(parts::plain_text(raw)),
        What::Media(media) => Some(match parts::ui_media(piece, media, by_model) {
            Shown::Part(json) => json,
            Shown::Text(raw) => parts::plain_text(&raw),
        }),
        What::Data | What::Other if is_ui_part(piece) => Some(piece.raw.to_owned()),
        What::Data => write::data_text(piece).map(|raw| parts::plain_text(&raw)),
        _ => None,
    }
}
