//! `openai-responses`: the arguments of OpenAI's responses, `{instructions, input}`.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

use super::content::{Parts, TextKind};
use super::ids::IdRule;
use super::pieces::{Call, Content, Maker, Media, MediaKind, Normal, Output, Piece, Reasoning, Source, What};
use super::{write, Target};
use crate::json::{decode, quote, Object};
use crate::message::{Holder, Role};
use crate::render::Json;
use crate::spliced::Spliced;

/// The longest id of a call that the API takes.
const ID_BYTES_MAX: usize = 64;
/// Fields of stored items that are not the API's.
const OURS: &[&str] =
    &["seq", "from_seq", "to_seq", "token_count", "inserted_at", "edited", "repair", "metadata", "created_at", "usage"];

/// The request so far.
#[derive(Clone, Debug, Default)]
pub struct Responses {
    /// Texts of the head, decoded.
    instructions: String,
    /// The head is complete.
    is_past_head: bool,
    input: Json,
    /// Reasoning that waits for the item it belongs to: the API refuses it alone.
    reasoning: Vec<(u64, Thought)>,
    /// Reasoning stands before what the model says now: its items may keep their ids.
    is_reasoned: bool,
    /// Something before what the model says now was left out, reasoning perhaps: the API would miss it with some items.
    is_lost: bool,
    omitted: Vec<u64>,
    /// The last message of the log that was taken.
    last_seq: u64,
    /// Hashes of the ids of items: the API refuses the second item of an id.
    ids: HashSet<u64>,
}

/// A reasoning item.
#[derive(Clone, Debug)]
enum Thought {
    /// As the API gave it.
    Item(String),
    /// As the ai-sdk or another client kept it: all texts of one id are one item.
    Parts { id: Option<String>, texts: Vec<String>, encrypted: String },
}

impl Thought {
    fn resident_bytes(&self) -> usize {
        match self {
            Self::Item(item) => item.capacity(),
            Self::Parts { texts, encrypted, .. } => encrypted.len() + texts.iter().map(String::len).sum::<usize>(),
        }
    }
}

impl Responses {
    /// Reasoning of OpenAI's own that is encrypted can be read again wherever it was kept; nothing else can.
    fn reasoning(&mut self, message: &Normal<'_>, reasoning: &Reasoning<'_>) {
        let Some(encrypted) = reasoning.encrypted.filter(|_| reasoning.maker == Maker::OpenAi) else {
            return self.omit(message.seq);
        };
        if let Some((seq, Thought::Parts { id, texts, encrypted: last })) = self.reasoning.last_mut() {
            if *seq == message.seq && id.is_some() && id.as_deref() == reasoning.id {
                texts.extend(reasoning.texts.iter().map(|text| text.to_string()));
                encrypted.clone_into(last);
                return;
            }
        }
        if !reasoning.id.is_none_or(|id| self.is_new(id)) {
            return self.omit(message.seq);
        }
        let thought = match message.item() {
            Some(item) => {
                let mut out = Json::default();
                write_item(&mut out, item, true, None);
                Thought::Item(String::from_utf8(out.0).unwrap_or_default())
            }
            None => Thought::Parts {
                id: reasoning.id.map(str::to_owned),
                texts: reasoning.texts.iter().map(|text| text.to_string()).collect(),
                encrypted: encrypted.to_owned(),
            },
        };
        self.reasoning.push((message.seq, thought));
    }

    fn omit(&mut self, seq: u64) {
        self.is_lost = true;
        self.omitted.push(seq);
    }

    /// Notes the id of an item, a JSON string; false where it stood in the request before.
    fn is_new(&mut self, id: &str) -> bool {
        self.ids.insert(xxh3_64(id.as_bytes()))
    }

    /// Whether an item has no id, or one that nothing before it has.
    fn is_first(&mut self, item: &Object<'_>) -> bool {
        item.get("id").is_none_or(|id| self.is_new(id))
    }

    /// Whether an item that the API gave keeps its id: what belongs to it stands before it, and nothing else has the id.
    fn keeps_id(&mut self, item: &Object<'_>) -> bool {
        let follows_reasoning = self.is_reasoned || !self.reasoning.is_empty();
        follows_reasoning && !self.is_lost && item.get("id").is_some_and(|id| self.is_new(id))
    }

    /// The item that waiting reasoning belongs to comes now.
    fn next_of_model(&mut self) -> &mut Json {
        for (_, thought) in self.reasoning.drain(..) {
            write_reasoning(separated(&mut self.input), &thought);
            self.is_reasoned = true;
        }
        separated(&mut self.input)
    }

    /// Something that is not the model's comes now: reasoning that waits has nothing to belong to.
    fn next_of_others(&mut self) -> &mut Json {
        self.omitted.extend(self.reasoning.drain(..).map(|(seq, _)| seq));
        self.is_reasoned = false;
        self.is_lost = false;
        separated(&mut self.input)
    }

    fn assistant(&mut self, message: &Normal<'_>) {
        match Some(message.fields()).filter(|body| is_own_message(body) && self.keeps_id(body)) {
            Some(body) => write_item(self.next_of_model(), body, true, None),
            None => message.pieces.iter().for_each(|piece| self.assistant_piece(message, piece)),
        }
    }

    fn assistant_piece(&mut self, message: &Normal<'_>, piece: &Piece<'_>) {
        match &piece.what {
            What::Reasoning(reasoning) => self.reasoning(message, reasoning),
            What::Result(output) if !output.by_provider => self.result(message, output),
            What::Call(call) if !call.by_provider => self.call(message, call),
            What::Text(raw) | What::Refusal(raw) if raw.as_ref() != "\"\"" => said(self.next_of_model(), raw),
            What::Media(media) => said(self.next_of_model(), &write::media_note(media)),
            What::Data => {
                if let Some(text) = write::data_text(piece) {
                    said(self.next_of_model(), &text);
                }
            }
            What::Other if !self.is_lost => {
                if let Some(item) = message.item().filter(|item| self.is_first(item)) {
                    write_item(self.next_of_model(), item, true, None);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, message: &Normal<'_>, call: &Call<'_>) {
        if let Some(item) = message.item() {
            let keeps_id = self.keeps_id(item);
            return write_item(self.next_of_model(), item, keeps_id, Some(&call.id));
        }
        let out = self.next_of_model();
        let (kind, key) = if call.is_custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
        out.raw("{\"type\":\"").raw(kind).raw("\",\"call_id\":").string(&call.id).raw(",\"name\":\"");
        out.raw(&write::tool_name(&call.name)).raw("\",\"").raw(key).raw("\":");
        out.raw(&write::arguments_text(&call.arguments)).raw("}");
    }

    fn result(&mut self, message: &Normal<'_>, output: &Output<'_>) {
        let out = self.next_of_others();
        if let Some(item) = message.item() {
            return write_item(out, item, false, Some(&output.id));
        }
        let kind = if output.is_custom { "custom_tool_call_output" } else { "function_call_output" };
        out.raw("{\"type\":\"").raw(kind).raw("\",\"call_id\":").string(&output.id).raw(",\"output\":");
        match &output.content {
            Content::Blocks(blocks) => {
                let mut content = Parts::of(TextKind::InputText);
                blocks.iter().for_each(|piece| match &piece.what {
                    What::Text(raw) => content.text(raw, false),
                    What::Media(media) => media_part(&mut content, media, piece.raw),
                    _ => content.text(&quote(piece.raw), false),
                });
                content.write(out);
            }
            other => {
                out.raw(&write::output_text(other));
            }
        }
        out.raw("}");
    }

    fn other(&mut self, message: &Normal<'_>) {
        let mut content = Parts::of(TextKind::InputText);
        for piece in &message.pieces {
            match &piece.what {
                What::Result(output) => self.result(message, output),
                What::Text(raw) | What::Refusal(raw) => content.text(raw, is_in_array(piece)),
                What::Media(media) => media_part(&mut content, media, piece.raw),
                What::Data => content.data(piece),
                What::Other => {
                    if let Some(item) = message.item() {
                        let keeps_id = self.is_first(item);
                        return write_item(self.next_of_others(), item, keeps_id, None);
                    }
                }
                _ => {}
            }
        }
        let answers = message.role == Role::Tool || message.pieces.iter().any(|p| matches!(p.what, What::Result(_)));
        if answers && content.count == 0 {
            return;
        }
        // What a tool message says beside its results, nobody else says.
        let role = if message.role == Role::Tool { Role::User } else { message.role };
        let out = self.next_of_others();
        out.raw("{\"role\":\"").raw(role.name()).raw("\",\"content\":");
        content.write(out);
        out.raw("}");
    }

    /// A system or developer message that nothing stands before but others.
    fn head(&mut self, message: &Normal<'_>) {
        for piece in &message.pieces {
            if let What::Text(raw) = &piece.what {
                if !self.instructions.is_empty() {
                    self.instructions.push_str("\n\n");
                }
                self.instructions.push_str(&decode(raw).unwrap_or_default());
            }
        }
    }
}

impl Target for Responses {
    fn id_rule(&self) -> IdRule {
        IdRule { bytes_max: ID_BYTES_MAX, is_plain: false }
    }

    fn reserve(&mut self, bytes: usize) {
        self.input.0.reserve(bytes);
    }

    fn take(&mut self, message: &Normal<'_>) {
        let is_system = matches!(message.role, Role::System | Role::Developer);
        let says_text_alone = message.pieces.iter().all(|piece| matches!(piece.what, What::Text(_)));
        if is_system && says_text_alone && !self.is_past_head {
            self.last_seq = message.seq;
            return self.head(message);
        }
        self.is_past_head = true;
        if message.seq != 0 {
            self.is_lost |= message.seq != self.last_seq + 1;
            self.last_seq = message.seq;
        }
        if message.role == Role::Assistant || message.has_calls() {
            self.assistant(message);
        } else {
            self.other(message);
        }
    }

    fn write<'a>(&'a self, request: &mut Spliced<'a>, _: bool) {
        let out = request.out();
        if self.input.0.is_empty() && !self.instructions.is_empty() {
            // The API refuses instructions without any input.
            out.raw("{\"instructions\":null,\"input\":[{\"role\":\"system\",\"content\":").string(&self.instructions);
            out.raw("}]}");
            return;
        }
        out.raw("{\"instructions\":");
        if self.instructions.is_empty() {
            out.raw("null");
        } else {
            out.string(&self.instructions);
        }
        out.raw(",\"input\":[");
        request.keep(&self.input.0);
        request.out().raw("]}");
    }

    fn omitted_reasoning(&self) -> Vec<u64> {
        // What still waits at the end is not in the request either.
        let mut omitted: Vec<u64> =
            self.omitted.iter().copied().chain(self.reasoning.iter().map(|(seq, _)| *seq)).collect();
        omitted.dedup();
        omitted
    }

    fn resident_bytes(&self) -> usize {
        let waiting: usize = self.reasoning.iter().map(|(_, thought)| thought.resident_bytes()).sum();
        let kept = self.input.0.capacity() + self.instructions.capacity();
        kept + waiting + self.omitted.capacity() * 8 + self.ids.capacity() * 9
    }

    fn boxed(&self) -> Box<dyn Target> {
        Box::new(self.clone())
    }
}

fn separated(out: &mut Json) -> &mut Json {
    out.raw(if out.0.is_empty() { "" } else { "," })
}

/// The client wrote an array itself.
fn is_in_array(piece: &Piece<'_>) -> bool {
    matches!(piece.holder, Holder::Parts { key: "content", .. })
}

/// A message of the model as the API gave it, with its id.
fn is_own_message(body: &Object<'_>) -> bool {
    let is_message = body.text("type").is_some_and(|kind| kind == "message");
    is_message && body.get("id").is_some() && body.get("content").is_some_and(|content| content.starts_with('['))
}

/// A stored item with the API's fields alone. Its id names what the API may have kept: it stays where what belongs to it
/// stays as well.
fn write_item(out: &mut Json, item: &Object<'_>, keeps_id: bool, call_id: Option<&str>) {
    let start = out.0.len();
    let has_role = item.get("content").is_some() || item.get("type") == Some("\"additional_tools\"");
    for field in item.fields() {
        let is_ours = OURS.iter().any(|name| field.is(name)) || (field.is("role") && !has_role);
        if is_ours || (field.is("id") && !keeps_id) || (field.is("call_id") && call_id.is_some()) {
            continue;
        }
        out.raw(if out.0.len() == start { "{" } else { "," }).raw(field.key).raw(":").raw(field.value);
    }
    if let Some(call_id) = call_id {
        out.raw(if out.0.len() == start { "{" } else { "," }).raw("\"call_id\":").string(call_id);
    }
    out.raw("}");
}

fn write_reasoning(out: &mut Json, thought: &Thought) {
    let (id, texts, encrypted) = match thought {
        Thought::Item(item) => {
            out.raw(item);
            return;
        }
        Thought::Parts { id, texts, encrypted } => (id, texts, encrypted),
    };
    out.raw("{\"type\":\"reasoning\"");
    if let Some(id) = id {
        out.raw(",\"id\":").raw(id);
    }
    out.raw(",\"summary\":[");
    for (n, text) in texts.iter().enumerate() {
        out.raw(if n == 0 { "" } else { "," }).raw("{\"type\":\"summary_text\",\"text\":").raw(text).raw("}");
    }
    out.raw("],\"encrypted_content\":").raw(encrypted).raw("}");
}

/// A text of the model, without the id that only the API's own message could have.
fn said(out: &mut Json, raw: &str) {
    out.raw("{\"role\":\"assistant\",\"content\":").raw(raw).raw("}");
}

/// A media part, or a text that names it where the API has no place for it.
fn media_part(content: &mut Parts, media: &Media<'_>, raw: &str) {
    let part = Object::of(raw);
    let kind = part.as_ref().and_then(|part| part.text("type")).unwrap_or_default();
    let is_own = matches!(kind.as_ref(), "input_image" | "input_file");
    let is_openai = is_own || part.as_ref().is_some_and(|part| part.object("file").is_some());
    let name = media.name.unwrap_or("\"file\"");
    match (media.kind, media.source) {
        _ if is_own => content.part(|out| {
            out.raw(raw);
        }),
        (_, Source::Text(text)) => content.text(text, true),
        (MediaKind::Image, Source::Url(_) | Source::Data(_)) => content.part(|out| {
            out.raw("{\"type\":\"input_image\",\"image_url\":");
            write_source(out, media);
            out.raw(",\"detail\":").raw(media.detail.unwrap_or("\"auto\"")).raw("}");
        }),
        (MediaKind::File, Source::Data(_)) => content.part(|out| {
            out.raw("{\"type\":\"input_file\",\"filename\":").raw(name).raw(",\"file_data\":");
            write_source(out, media);
            out.raw("}");
        }),
        (MediaKind::File, Source::Url(url)) => content.part(|out| {
            out.raw("{\"type\":\"input_file\",\"file_url\":").raw(url).raw("}");
        }),
        (MediaKind::File, Source::FileId(id)) if is_openai => content.part(|out| {
            out.raw("{\"type\":\"input_file\",\"file_id\":").raw(id).raw("}");
        }),
        _ => content.text(&write::media_note(media), true),
    }
}

fn write_source(out: &mut Json, media: &Media<'_>) {
    match media.source {
        Source::Data(data) => write::data_url(out, write::mime(media), data),
        Source::Url(raw) | Source::FileId(raw) | Source::Text(raw) => {
            out.raw(raw);
        }
        Source::Unknown => {}
    }
}
