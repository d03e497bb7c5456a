//! From a stored body to the normal form.

mod media;
mod reasoning;
mod tools;
mod usual;

use std::borrow::Cow;

use super::pieces::{Normal, Output, Piece, Raw, What};
use crate::json::{Elements, Object};
use crate::message::{Class, Holder, Outline, Pair, Slot};

/// The normal form of a stored body; nothing for one that was not written by this crate.
pub(super) fn normal(body: &str, seq: u64, to: Option<u64>) -> Option<Normal<'_>> {
    usual::normal(body, seq, to).or_else(|| whole(body, seq, to))
}

/// Any body.
fn whole(body: &str, seq: u64, to: Option<u64>) -> Option<Normal<'_>> {
    let outline = Outline::read(body)?;
    let is_item = outline.slots.first().is_some_and(|slot| slot.holder == Holder::Whole);
    let name = outline.object.get("name").filter(|name| !is_item && name.starts_with('"'));
    let pieces = if outline.whole.is_some() { whole_result(&outline) } else { pieces(&outline) };
    Some(Normal { seq, to, role: outline.role, name, body, object: outline.object.into(), is_item, pieces })
}

/// A tool message that is itself one result.
fn whole_result<'a>(outline: &Outline<'a>) -> Vec<Piece<'a>> {
    let (id, name) = outline.whole.clone().unwrap_or_default();
    let content = tools::content(outline, 0);
    let is_error = outline.object.get("is_error") == Some("true");
    let (id, name) = (id.unwrap_or_default().into(), name.map(Cow::from));
    let output = Output { id, name, content, is_error, by_provider: false, is_custom: false };
    vec![Piece { raw: outline.text, holder: Holder::Whole, what: What::Result(output) }]
}

fn pieces<'a>(outline: &Outline<'a>) -> Vec<Piece<'a>> {
    let pieces = Vec::with_capacity(outline.slots.len());
    let mut read = Read { thoughts: Vec::new(), pieces, results: Vec::new() };
    for (at, slot) in outline.slots.iter().enumerate() {
        read.slot(outline, at, slot);
    }
    read.flush();
    if read.thoughts.is_empty() {
        return read.pieces;
    }
    read.thoughts.append(&mut read.pieces);
    read.thoughts
}

/// Pieces in the order in which a provider has to see them.
struct Read<'a> {
    /// Thoughts that came in a field of their own: they stand before all that the message says.
    thoughts: Vec<Piece<'a>>,
    pieces: Vec<Piece<'a>>,
    /// Results that came in one part with their call: they follow all calls of the same answer.
    results: Vec<Piece<'a>>,
}

impl<'a> Read<'a> {
    fn flush(&mut self) {
        self.pieces.append(&mut self.results);
    }

    fn slot(&mut self, outline: &Outline<'a>, at: usize, slot: &Slot<'a>) {
        let (Some(class), Some(pair)) = (outline.classes.get(at), outline.pairs.get(at)) else { return };
        let piece = |what| Piece { raw: slot.raw, holder: slot.holder, what };
        match (class, pair) {
            (Class::ToolCall, Pair::Both { by_provider, .. }) => {
                self.pieces.push(piece(What::Call(tools::call(slot, pair))));
                let result = piece(What::Result(tools::output(outline, at, pair)));
                // What the provider ran itself stays together.
                let to = if *by_provider { &mut self.pieces } else { &mut self.results };
                to.push(result);
            }
            (Class::ToolCall, Pair::Call { .. }) => self.pieces.push(piece(What::Call(tools::call(slot, pair)))),
            (Class::ToolResult, _) => self.pieces.push(piece(What::Result(tools::output(outline, at, pair)))),
            (Class::Reasoning, _) => {
                self.flush();
                let is_field = matches!(slot.holder, Holder::Field(_));
                let to = if is_field { &mut self.thoughts } else { &mut self.pieces };
                reasoning::read(outline, slot, |what| to.push(piece(What::Reasoning(what))));
            }
            _ => {
                self.flush();
                self.pieces.push(piece(plain(slot, *class)));
            }
        }
    }
}

/// What a part is that is neither reasoning nor call nor result.
fn plain<'a>(slot: &Slot<'a>, class: Class) -> What<'a> {
    let is_kind = |name: &str| slot.object.as_ref().is_some_and(|object| is_type(object, name));
    match (class, &slot.object) {
        (Class::Text, Some(object)) if is_kind("refusal") => What::Refusal(string(object, "refusal")),
        (Class::Text, Some(object)) => What::Text(string(object, "text")),
        (Class::Text, None) => What::Refusal(slot.raw.into()),
        (Class::Media, Some(object)) => What::Media(media::read(object)),
        (Class::Data, _) => What::Data,
        (Class::Other, _) if is_kind("step-start") => What::Step,
        _ => What::Other,
    }
}

/// The JSON string under `name`, an empty one if there is none.
fn string<'a>(object: &Object<'a>, name: &str) -> Raw<'a> {
    object.get(name).filter(|raw| raw.starts_with('"')).unwrap_or("\"\"").into()
}

fn is_type(object: &Object<'_>, name: &str) -> bool {
    object.get("type").is_some_and(|raw| raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) == Some(name))
}

/// The blocks of a result's list.
fn blocks(raw: &str) -> Vec<Piece<'_>> {
    let elements = Elements::of(raw).into_iter().flatten().zip(0..);
    let piece = |((_, raw), index)| {
        let what = Object::of(raw).map_or(What::Other, |object| block(&object));
        Piece { raw, holder: Holder::Parts { key: "parts", index }, what }
    };
    elements.map(piece).collect()
}

fn block<'a>(object: &Object<'a>) -> What<'a> {
    let kind = object.text("type").unwrap_or_default();
    match kind.as_ref() {
        "text" | "input_text" | "output_text" => What::Text(string(object, "text")),
        _ if crate::message::is_media(&kind) => What::Media(media::read(object)),
        _ => What::Other,
    }
}
