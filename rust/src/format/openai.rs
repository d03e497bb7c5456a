//! `openai`: the arguments of OpenAI's chat completions, `{messages}`.

use super::content::Parts;
use super::ids::IdRule;
use super::pieces::{Arguments, Call, Content, Media, MediaKind, Normal, Output, Piece, Source, What};
use super::{write, Options, Target};
use crate::json::{decode, quote, Object};
use crate::message::{Holder, Role};
use crate::render::Json;
use crate::spliced::Spliced;

/// The longest id of a call that the API takes.
const ID_BYTES_MAX: usize = 40;
/// The longest name of a participant.
const NAME_BYTES_MAX: usize = 64;

/// The request so far.
#[derive(Clone, Debug)]
pub struct OpenAi {
    /// Messages that are complete.
    messages: Json,
    /// An assistant message that may still get calls.
    open: Option<Assistant>,
    /// Calls that wait for their results.
    waiting: usize,
    /// Content parts that follow the results of the group as a user message.
    attached: Parts,
    omitted: Vec<u64>,
    /// Google's models want their thought signatures back.
    keeps_extra: bool,
}

/// An assistant message while it is written.
#[derive(Clone, Debug, Default)]
struct Assistant {
    name: Option<String>,
    content: Parts,
    refusal: Option<String>,
    audio: Option<String>,
    calls: Json,
}

impl Assistant {
    fn has_calls(&self) -> bool {
        !self.calls.0.is_empty()
    }

    /// Nothing that the API would take: an assistant message needs content or calls.
    fn is_empty(&self) -> bool {
        !self.has_calls() && self.content.is_blank() && self.refusal.is_none() && self.audio.is_none()
    }

    /// What the model said aloud is named by its id; the API takes no other media from it.
    fn media(&mut self, media: &Media<'_>, piece: &Piece<'_>) {
        match (piece.holder, media.source) {
            (Holder::Field("audio"), Source::FileId(id)) => self.audio = Some(format!("{{\"id\":{id}}}")),
            _ => self.content.text(&write::media_note(media), false),
        }
    }

    fn write(&self, out: &mut Json) {
        out.raw("{\"role\":\"assistant\"");
        if let Some(name) = &self.name {
            out.raw(",\"name\":").raw(name);
        }
        out.raw(",\"content\":");
        if self.content.count == 0 {
            out.raw("null");
        } else {
            self.content.write(out);
        }
        for (key, value) in [(",\"refusal\":", &self.refusal), (",\"audio\":", &self.audio)] {
            if let Some(value) = value {
                out.raw(key).raw(value);
            }
        }
        if self.has_calls() {
            out.raw(",\"tool_calls\":[");
            out.0.extend_from_slice(&self.calls.0);
            out.raw("]");
        }
        out.raw("}");
    }
}

impl OpenAi {
    /// An empty request.
    #[must_use]
    pub fn new(options: &Options<'_>) -> Self {
        Self {
            messages: Json::default(),
            open: None,
            waiting: 0,
            attached: Parts::default(),
            omitted: Vec::new(),
            keeps_extra: options.is_model("gemini"),
        }
    }

    /// Completes the assistant message.
    fn close(&mut self) {
        if let Some(open) = self.open.take().filter(|open| !open.is_empty()) {
            open.write(separated(&mut self.messages));
        }
    }

    /// Completes what stands before a message of its own.
    fn begin(&mut self) {
        self.close();
        let attached = std::mem::take(&mut self.attached);
        if attached.count > 0 {
            write_attached(separated(&mut self.messages), &attached);
        }
        self.waiting = 0;
    }

    /// A message of the model. It goes on with the one before where that leaves calls waiting, or where it has nothing but
    /// calls, as the items of a response have: results stand behind one message with all their calls.
    fn assistant(&mut self, message: &Normal<'_>) {
        let says = |piece: &Piece<'_>| matches!(piece.what, What::Text(_) | What::Refusal(_) | What::Media(_));
        let has_calls = message.has_calls();
        let has_text = message.pieces.iter().any(says);
        if !has_calls && !has_text && !message.pieces.iter().any(|piece| matches!(piece.what, What::Result(_))) {
            return;
        }
        let goes_on = self.open.as_ref().is_some_and(|open| has_calls && (open.has_calls() || !has_text));
        if !goes_on {
            self.begin();
        }
        for piece in message.in_order() {
            self.assistant_piece(message, piece);
        }
    }

    fn assistant_piece(&mut self, message: &Normal<'_>, piece: &Piece<'_>) {
        match &piece.what {
            What::Result(output) if output.by_provider => {}
            What::Call(call) if call.by_provider => {}
            What::Result(output) => self.result(output),
            What::Step if self.waiting == 0 => self.begin(),
            What::Reasoning(_) | What::Step | What::Other => {}
            what => {
                if self.open.is_none() {
                    self.begin();
                }
                let open = self.open.get_or_insert_with(|| Assistant {
                    name: name(message).map(str::to_owned),
                    ..Assistant::default()
                });
                match what {
                    What::Text(raw) => open.content.text(raw, is_in_array(piece)),
                    What::Refusal(raw) if open.refusal.is_none() => open.refusal = Some(raw.to_string()),
                    What::Refusal(raw) => open.content.text(raw, false),
                    What::Media(media) => open.media(media, piece),
                    What::Data => open.content.data(piece),
                    What::Call(call) => {
                        write_call(separated(&mut open.calls), call, self.keeps_extra);
                        self.waiting += 1;
                    }
                    _ => {}
                }
            }
        }
    }

    /// A message of anyone else: results first, they answer the calls before.
    fn other(&mut self, message: &Normal<'_>) {
        let mut answers = message.role == Role::Tool;
        for piece in &message.pieces {
            if let What::Result(output) = &piece.what {
                answers = true;
                self.result(output);
            }
        }
        if answers {
            // Nothing may stand between the results of parallel calls.
            message.pieces.iter().for_each(|piece| user_part(&mut self.attached, piece));
            return;
        }
        self.begin();
        let out = separated(&mut self.messages);
        out.raw("{\"role\":\"").raw(message.role.name()).raw("\"");
        if let Some(name) = name(message) {
            out.raw(",\"name\":").raw(name);
        }
        out.raw(",\"content\":");
        match only_text(&message.pieces) {
            Some(raw) => {
                out.raw(raw);
            }
            None => {
                let mut content = Parts::default();
                message.pieces.iter().for_each(|piece| user_part(&mut content, piece));
                content.write(out);
            }
        }
        out.raw("}");
    }

    /// A tool message. Media in it follow the group as a user message, since tool messages hold text alone.
    fn result(&mut self, output: &Output<'_>) {
        self.close();
        self.waiting = self.waiting.saturating_sub(1);
        let mut content = Parts::default();
        if let Content::Blocks(blocks) = &output.content {
            self.result_blocks(&output.id, blocks, &mut content);
        }
        let out = separated(&mut self.messages);
        out.raw("{\"role\":\"tool\",\"tool_call_id\":").string(&output.id).raw(",\"content\":");
        match &output.content {
            Content::Blocks(_) => content.write(out),
            Content::Text(raw) => {
                out.raw(raw);
            }
            Content::Value(raw) => {
                out.string(raw);
            }
        }
        out.raw("}");
    }

    fn result_blocks(&mut self, id: &str, blocks: &[Piece<'_>], content: &mut Parts) {
        let mut has_media = false;
        for piece in blocks {
            match &piece.what {
                What::Media(media) => {
                    if !std::mem::replace(&mut has_media, true) {
                        self.attached.text(&quote(&format!("Content that tool call {id} returned:")), true);
                    }
                    media_part(&mut self.attached, media, piece.raw);
                }
                What::Text(raw) => content.text(raw, is_in_array(piece)),
                _ => content.text(&quote(piece.raw), false),
            }
        }
    }
}

impl Target for OpenAi {
    fn id_rule(&self) -> IdRule {
        IdRule { bytes_max: ID_BYTES_MAX, is_plain: false }
    }

    fn reserve(&mut self, bytes: usize) {
        self.messages.0.reserve(bytes);
    }

    fn take(&mut self, message: &Normal<'_>) {
        let mut reasoning = message.pieces.iter().filter(|piece| matches!(piece.what, What::Reasoning(_)));
        if reasoning.next().is_some() {
            self.omitted.push(message.seq);
        }
        if message.role == Role::Assistant || message.has_calls() {
            self.assistant(message);
        } else {
            self.other(message);
        }
    }

    fn write<'a>(&'a self, request: &mut Spliced<'a>, _: bool) {
        request.out().raw("{\"messages\":[");
        request.keep(&self.messages.0);
        let mut separator = if self.messages.0.is_empty() { "" } else { "," };
        let out = request.out();
        if let Some(open) = self.open.as_ref().filter(|open| !open.is_empty()) {
            open.write(out.raw(separator));
            separator = ",";
        }
        if self.attached.count > 0 && self.waiting == 0 {
            write_attached(out.raw(separator), &self.attached);
        }
        out.raw("]}");
    }

    fn omitted_reasoning(&self) -> Vec<u64> {
        self.omitted.clone()
    }

    fn resident_bytes(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |open| open.content.json.0.capacity() + open.calls.0.capacity());
        self.messages.0.capacity() + self.attached.json.0.capacity() + self.omitted.capacity() * 8 + open
    }

    fn boxed(&self) -> Box<dyn Target> {
        Box::new(self.clone())
    }
}

fn separated(out: &mut Json) -> &mut Json {
    out.raw(if out.0.is_empty() { "" } else { "," })
}

fn write_attached(out: &mut Json, attached: &Parts) {
    out.raw("{\"role\":\"user\",\"content\":");
    attached.write(out);
    out.raw("}");
}

/// The participant's name, where the API takes it: at most 64 characters, no white space and none of `<|\\/>`.
fn name<'a>(message: &Normal<'a>) -> Option<&'a str> {
    let name = decode(message.name?)?;
    let is_taken = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '|' | '\\' | '/' | '>');
    let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(is_taken);
    message.name.filter(|_| fits)
}

/// The text of a message that holds nothing else.
fn only_text<'p>(pieces: &'p [Piece<'_>]) -> Option<&'p str> {
    match pieces {
        [piece] if !is_in_array(piece) => match &piece.what {
            What::Text(raw) => Some(raw),
            _ => None,
        },
        _ => None,
    }
}

/// The client wrote an array itself: its provider takes arrays.
fn is_in_array(piece: &Piece<'_>) -> bool {
    matches!(piece.holder, Holder::Parts { key: "content", .. })
}

fn write_call(out: &mut Json, call: &Call<'_>, keeps_extra: bool) {
    let (Arguments::Text(raw) | Arguments::Value(raw)) = &call.arguments;
    out.0.reserve(call.id.len() + call.name.len() + raw.len() + 128);
    let (kind, key) = if call.is_custom { ("custom", "input") } else { ("function", "arguments") };
    out.raw("{\"id\":").string(&call.id).raw(",\"type\":\"").raw(kind).raw("\",\"").raw(kind);
    out.raw("\":{\"name\":\"").raw(&write::tool_name(&call.name)).raw("\",\"").raw(key).raw("\":");
    match &call.arguments {
        Arguments::Text(raw) => out.raw(raw),
        Arguments::Value(raw) => out.string(raw),
    };
    out.raw("}");
    if let Some(extra) = call.extra.filter(|_| keeps_extra) {
        out.raw(",\"extra_content\":").raw(extra);
    }
    out.raw("}");
}

fn user_part(content: &mut Parts, piece: &Piece<'_>) {
    match &piece.what {
        What::Text(raw) | What::Refusal(raw) => content.text(raw, is_in_array(piece)),
        What::Media(media) => media_part(content, media, piece.raw),
        What::Data => content.data(piece),
        What::Reasoning(_) | What::Call(_) | What::Result(_) | What::Step | What::Other => {}
    }
}

/// A media part, or a text that names it where the API has no place for it.
fn media_part(content: &mut Parts, media: &Media<'_>, raw: &str) {
    let part = Object::of(raw);
    let kind = part.as_ref().and_then(|part| part.text("type")).unwrap_or_default();
    let is_own = matches!(kind.as_ref(), "image_url" | "input_audio" | "file")
        && part.as_ref().is_some_and(|part| part.object(&kind).is_some());
    let is_openai = is_own || kind == "input_file";
    match (media.kind, media.source) {
        _ if is_own => content.part(|out| {
            out.raw(raw);
        }),
        (_, Source::Text(text)) => content.text(text, true),
        (MediaKind::Image, Source::Url(_) | Source::Data(_)) => content.part(|out| image(out, media)),
        (MediaKind::Audio, Source::Data(data)) if audio_format(media).is_some() => content.part(|out| {
            out.raw("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"").raw(data);
            out.raw("\",\"format\":\"").raw(audio_format(media).unwrap_or_default()).raw("\"}}");
        }),
        (MediaKind::File, Source::Data(data)) => content.part(|out| {
            out.raw("{\"type\":\"file\",\"file\":{\"filename\":").raw(media.name.unwrap_or("\"file\""));
            out.raw(",\"file_data\":");
            write::data_url(out, write::mime(media), data);
            out.raw("}}");
        }),
        (MediaKind::File, Source::FileId(id)) if is_openai => content.part(|out| {
            out.raw("{\"type\":\"file\",\"file\":{\"file_id\":").raw(id).raw("}}");
        }),
        _ => content.text(&write::media_note(media), true),
    }
}

fn image(out: &mut Json, media: &Media<'_>) {
    out.raw("{\"type\":\"image_url\",\"image_url\":{\"url\":");
    match media.source {
        Source::Data(data) => write::data_url(out, write::mime(media), data),
        Source::Url(raw) | Source::FileId(raw) | Source::Text(raw) => {
            out.raw(raw);
        }
        Source::Unknown => {}
    }
    if let Some(detail) = media.detail {
        out.raw(",\"detail\":").raw(detail);
    }
    out.raw("}}");
}

/// The two formats that the API takes.
fn audio_format(media: &Media<'_>) -> Option<&'static str> {
    match write::mime(media) {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mp3" | "audio/mpeg" => Some("mp3"),
        _ => None,
    }
}
