//! `anthropic`: the arguments of Anthropic's messages, `{system, messages}`.
//!
//! Neighbours of one role are one message: turns alternate, and a result has to stand in the message behind its call. The last
//! message stays open, it may grow at its end.

mod blocks;
mod model;

use std::collections::HashSet;

use blocks::Blocks;
use model::Model;

use super::ids::IdRule;
use super::pieces::{Call, Normal, Output, Piece, Reasoning, What};
use super::{write, Options, Target};
use crate::json::{is_blank, Object};
use crate::message::Role;
use crate::render::Json;
use crate::spliced::Spliced;

/// The longest id of a call that is passed on.
const ID_BYTES_MAX: usize = 128;
/// What a conversation begins with that the assistant begins.
const BEGINNING: &str = r#"{"role":"user","content":[{"type":"text","text":"[The conversation begins here.]"}]}"#;
const BREAKPOINT: &str = r#","cache_control":{"type":"ephemeral"}}"#;

/// The request so far.
#[derive(Clone, Debug)]
pub struct Anthropic {
    model: Model,
    /// The first message whose signed thinking stays.
    thinking_from: u64,
    system: Blocks,
    /// The head is complete.
    is_past_head: bool,
    /// Messages that are complete.
    messages: Json,
    /// The message that is open: of these two one is empty.
    user: User,
    assistant: Blocks,
    /// Blocks of the assistant's that need something behind them.
    tail: Vec<Held>,
    /// Calls of tools at the provider that the open message shows.
    server_calls: HashSet<String>,
    /// Calls that wait for their results.
    waiting: usize,
    omitted: Vec<u64>,
    revision: u64,
}

/// A user message while it is written.
#[derive(Clone, Debug, Default)]
struct User {
    /// Results come first, whatever stands between them.
    results: Blocks,
    others: Blocks,
    /// A user or a tool says something in it.
    is_said: bool,
    /// Texts of system messages behind it: JSON strings.
    system: Vec<String>,
}

/// A block that can't be the last of its message.
#[derive(Clone, Debug)]
struct Held {
    seq: u64,
    json: String,
    /// Of a call at the provider: its id. A turn that the provider paused ends with one.
    call: Option<String>,
}

impl User {
    fn is_empty(&self) -> bool {
        self.results.is_empty() && self.others.is_empty()
    }

    /// Appends the message; without its texts, where results are still to come before them.
    fn write(&self, out: &mut Json, with_others: bool) {
        let mut blocks = self.results.clone();
        if with_others || blocks.is_empty() {
            blocks.append(&self.others);
        }
        write_message(out, Role::User, &blocks);
        if !self.system.is_empty() {
            let mut texts = Blocks::default();
            self.system.iter().for_each(|raw| texts.text(raw));
            write_message(out, Role::System, &texts);
        }
    }
}

/// The model refuses a tool loop without the thinking that began it.
#[must_use]
pub fn demands_loop(model: Option<&str>) -> bool {
    Model::of(model).demands_loop
}

impl Anthropic {
    /// An empty request.
    #[must_use]
    pub fn new(options: &Options<'_>) -> Self {
        Self {
            model: Model::of(options.model),
            thinking_from: options.thinking_from(),
            system: Blocks::default(),
            is_past_head: false,
            messages: Json::default(),
            user: User::default(),
            assistant: Blocks::default(),
            tail: Vec::new(),
            server_calls: HashSet::new(),
            waiting: 0,
            omitted: Vec::new(),
            revision: 0,
        }
    }

    /// The open user message: what the assistant said is complete.
    fn user(&mut self) -> &mut User {
        for held in std::mem::take(&mut self.tail) {
            self.leave_out(&held);
        }
        self.server_calls.clear();
        if !self.assistant.is_empty() {
            let assistant = std::mem::take(&mut self.assistant);
            write_message(&mut self.messages, Role::Assistant, &assistant);
        }
        // Only the assistant may follow a system message.
        for raw in std::mem::take(&mut self.user.system) {
            self.user.others.text(&wrapped(&raw));
            self.revision += 1;
        }
        &mut self.user
    }

    /// The open assistant message: what the user said is complete, and what was held has something behind it.
    fn assistant(&mut self) -> &mut Blocks {
        let is_held = |held: &Held| held.call.as_ref().is_none_or(|id| self.server_calls.contains(id));
        let (kept, lost): (Vec<Held>, Vec<Held>) = std::mem::take(&mut self.tail).into_iter().partition(is_held);
        lost.iter().for_each(|held| self.leave_out(held));
        self.begin_assistant();
        for held in kept {
            self.assistant.next().raw(&held.json);
        }
        &mut self.assistant
    }

    fn begin_assistant(&mut self) {
        if !self.assistant.is_empty() {
            return;
        }
        let user = std::mem::take(&mut self.user);
        if !user.is_empty() {
            user.write(&mut self.messages, true);
            self.waiting = 0;
        }
        if self.messages.0.is_empty() {
            self.messages.raw(BEGINNING);
        }
    }

    /// Thinking at the end of a message is refused; so is a call at the provider that got no result.
    fn leave_out(&mut self, held: &Held) {
        match held.call {
            Some(_) => self.revision += 1,
            None => self.omitted.push(held.seq),
        }
    }

    fn say_all(&mut self, message: &Normal<'_>) {
        let answered: HashSet<&str> = message.pieces.iter().filter_map(by_provider).collect();
        for piece in message.in_order() {
            match &piece.what {
                What::Text(raw) | What::Refusal(raw) if !is_blank(raw) => self.assistant().text_part(raw, piece.raw),
                What::Reasoning(reasoning) => self.think(message.seq, reasoning),
                What::Media(media) => self.assistant().text(&write::media_note(media)),
                What::Data => {
                    if let Some(text) = write::data_text(piece) {
                        self.assistant().text(&text);
                    }
                }
                What::Call(call) if call.by_provider => self.call_of_provider(message.seq, call, piece, &answered),
                What::Result(output) if output.by_provider => self.result_of_provider(output, piece),
                What::Call(call) => {
                    blocks::call(self.assistant().next(), call, piece.raw);
                    self.waiting += 1;
                }
                What::Result(output) => self.result(output, piece),
                What::Other if !message.is_item && is_of(piece, blocks::OF_ASSISTANT) => {
                    blocks::own(self.assistant(), piece.raw, blocks::OF_ASSISTANT);
                }
                What::Text(_) | What::Refusal(_) | What::Step | What::Other => {}
            }
        }
    }

    /// Only what Anthropic signed can be read again, and only where nothing before it has changed.
    fn think(&mut self, seq: u64, reasoning: &Reasoning<'_>) {
        match blocks::thinking(reasoning).filter(|_| seq >= self.thinking_from) {
            Some(json) => self.tail.push(Held { seq, json, call: None }),
            None => self.omitted.push(seq),
        }
    }

    /// A call at the provider stands with its result, or at the end of a turn that the provider paused.
    fn call_of_provider(&mut self, seq: u64, call: &Call<'_>, piece: &Piece<'_>, answered: &HashSet<&str>) {
        let Some(part) = Object::of(piece.raw).filter(|part| is_server_call(part, &call.id)) else { return };
        let mut json = Json::default();
        blocks::write_known(&mut json, &part);
        if answered.contains(&*call.id) {
            self.server_calls.insert(call.id.to_string());
        }
        let json = String::from_utf8(json.0).unwrap_or_default();
        self.tail.push(Held { seq, json, call: Some(call.id.to_string()) });
    }

    fn result_of_provider(&mut self, output: &Output<'_>, piece: &Piece<'_>) {
        let Some(part) = Object::of(piece.raw).filter(is_server_result) else { return };
        if self.tail.iter().any(|held| held.call.as_deref() == Some(&*output.id)) {
            // The provider goes on where it paused.
            self.server_calls.extend(self.tail.iter().filter_map(|held| held.call.clone()));
        }
        if self.server_calls.contains(&*output.id) {
            blocks::write_known(self.assistant().next(), &part);
        }
    }

    fn result(&mut self, output: &Output<'_>, piece: &Piece<'_>) {
        let user = self.user();
        user.is_said = true;
        blocks::result(user.results.next(), output, piece.raw);
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// A message of anyone else.
    fn hear(&mut self, message: &Normal<'_>) {
        let mut others = Blocks::default();
        for piece in &message.pieces {
            match &piece.what {
                What::Result(output) if !output.by_provider => self.result(output, piece),
                What::Reasoning(_) => self.omitted.push(message.seq),
                _ => other(&mut others, piece),
            }
        }
        if others.is_empty() {
            return;
        }
        let answers = message.pieces.iter().any(|piece| matches!(piece.what, What::Result(_)));
        let user = self.user();
        user.is_said = true;
        user.others.append(&others);
        if !answers && message.role != Role::Tool {
            // Results that have not come by now are not to come.
            self.waiting = 0;
        }
    }

    /// A system or developer message behind the head.
    fn instruct(&mut self, message: &Normal<'_>) {
        let mut texts: Vec<String> = Vec::new();
        for piece in &message.pieces {
            match &piece.what {
                What::Text(raw) | What::Refusal(raw) if !is_blank(raw) => texts.push(raw.to_string()),
                What::Media(media) => texts.push(write::media_note(media)),
                What::Data => texts.extend(write::data_text(piece)),
                What::Reasoning(_) => self.omitted.push(message.seq),
                _ => {}
            }
        }
        let follows_user = self.user.is_said && self.waiting == 0 && self.assistant.is_empty() && self.tail.is_empty();
        if self.model.takes_system && follows_user {
            return self.user.system.append(&mut texts);
        }
        for raw in texts {
            self.user().others.text(&wrapped(&raw));
        }
    }

    /// The message that is open, with a system message behind it.
    fn open(&self) -> Json {
        let mut out = Json::default();
        if !self.user.is_empty() {
            self.user.write(&mut out, self.waiting == 0);
        }
        let mut assistant = self.assistant.clone();
        for held in self.tail.iter().take(self.paused()) {
            assistant.next().raw(&held.json);
        }
        if !assistant.is_empty() {
            if out.0.is_empty() && self.messages.0.is_empty() {
                out.raw(BEGINNING);
            }
            write_message(&mut out, Role::Assistant, &assistant);
        }
        out
    }

    /// How much of the tail is shown: a turn that the provider paused goes back as it came.
    fn paused(&self) -> usize {
        self.tail.iter().rposition(|held| held.call.is_some()).map_or(0, |last| last + 1)
    }
}

impl Target for Anthropic {
    fn id_rule(&self) -> IdRule {
        IdRule { bytes_max: ID_BYTES_MAX, is_plain: true }
    }

    fn reserve(&mut self, bytes: usize) {
        self.messages.0.reserve(bytes);
    }

    fn take(&mut self, message: &Normal<'_>) {
        let is_system = matches!(message.role, Role::System | Role::Developer);
        if is_system && !self.is_past_head {
            return message.pieces.iter().for_each(|piece| match &piece.what {
                What::Media(media) => self.system.text(&write::media_note(media)),
                What::Reasoning(_) => self.omitted.push(message.seq),
                What::Other => {}
                _ => other(&mut self.system, piece),
            });
        }
        self.is_past_head = true;
        if message.role == Role::Assistant || message.has_calls() {
            self.say_all(message);
        } else if is_system {
            self.instruct(message);
        } else {
            self.hear(message);
        }
    }

    fn write<'a>(&'a self, request: &mut Spliced<'a>, breakpoints: bool) {
        let out = request.out();
        out.raw("{");
        if !self.system.is_empty() {
            out.raw("\"system\":[");
            out.0.extend_from_slice(&self.system.0 .0);
            end_blocks(out, breakpoints);
            out.raw("],");
        }
        out.raw("\"messages\":[");
        let open = self.open().0;
        request.keep(&self.messages.0);
        let out = request.out().raw(if self.messages.0.is_empty() || open.is_empty() { "" } else { "," });
        out.0.extend_from_slice(&open);
        // The last message is always the open one. Behind its last block stand the ends of its list and its own.
        if breakpoints && !open.is_empty() {
            out.0.truncate(out.0.len() - "]}".len());
            end_blocks(out, true);
            out.raw("]}");
        }
        out.raw("]}");
    }

    fn omitted_reasoning(&self) -> Vec<u64> {
        let waiting = self.tail.iter().skip(self.paused()).map(|held| held.seq);
        let mut omitted: Vec<u64> = self.omitted.iter().copied().chain(waiting).collect();
        omitted.sort_unstable();
        omitted.dedup();
        omitted
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn resident_bytes(&self) -> usize {
        let blocks = [&self.system, &self.user.results, &self.user.others, &self.assistant];
        let blocks: usize = blocks.iter().map(|blocks| blocks.0 .0.capacity()).sum();
        let tail: usize = self.tail.iter().map(|held| held.json.capacity()).sum();
        self.messages.0.capacity() + blocks + tail + self.omitted.capacity() * 8
    }

    fn boxed(&self) -> Box<dyn Target> {
        Box::new(self.clone())
    }
}

/// Ends a list of blocks, with a breakpoint at its last one.
fn end_blocks(out: &mut Json, is_breakpoint: bool) {
    if is_breakpoint && out.0.pop().is_some() {
        out.raw(BREAKPOINT);
    }
}

fn write_message(out: &mut Json, role: Role, blocks: &Blocks) {
    out.raw(if out.0.is_empty() { "" } else { "," });
    out.raw("{\"role\":\"").raw(role.name()).raw("\",\"content\":[");
    out.0.extend_from_slice(&blocks.0 .0);
    out.raw("]}");
}

/// A system message where only a user may speak: a JSON string.
fn wrapped(raw: &str) -> String {
    format!("\"<system>\\n{}\\n</system>\"", raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default())
}

/// Adds what a user or the system says.
fn other(blocks: &mut Blocks, piece: &Piece<'_>) {
    match &piece.what {
        What::Text(raw) | What::Refusal(raw) => blocks.text_part(raw, piece.raw),
        What::Media(media) => blocks::media(blocks, media, piece.raw),
        What::Data => {
            if let Some(text) = write::data_text(piece) {
                blocks.text(&text);
            }
        }
        What::Other => {
            blocks::own(blocks, piece.raw, blocks::OF_USER);
        }
        What::Reasoning(_) | What::Call(_) | What::Result(_) | What::Step => {}
    }
}

/// Id of the call whose result the provider gave itself.
fn by_provider<'p>(piece: &'p Piece<'_>) -> Option<&'p str> {
    match &piece.what {
        What::Result(output) if output.by_provider => Some(&output.id),
        _ => None,
    }
}

fn is_of(piece: &Piece<'_>, types: &[&str]) -> bool {
    let kind = Object::of(piece.raw).and_then(|part| part.text("type"));
    kind.is_some_and(|kind| types.contains(&kind.as_ref()))
}

/// A call of a tool that runs at Anthropic, as its API gave it.
fn is_server_call(part: &Object<'_>, id: &str) -> bool {
    let plain = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match part.text("type").as_deref() {
        Some("server_tool_use") => id.strip_prefix("srvtoolu_").is_some_and(plain) && part.object("input").is_some(),
        Some("mcp_tool_use") => !id.is_empty() && part.object("input").is_some(),
        _ => false,
    }
}

fn is_server_result(part: &Object<'_>) -> bool {
    part.text("type").is_some_and(|kind| kind.ends_with("_tool_result"))
}
