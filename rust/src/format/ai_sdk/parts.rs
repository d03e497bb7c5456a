//! Texts, reasoning and files, as `ModelMessage`s and as `UIMessage`s have them.

use crate::format::pieces::{Maker, Media, MediaKind, Normal, Piece, Reasoning, Source};
use crate::format::write;
use crate::json::{decode, is_blank, quote, Object};
use crate::message::Holder;
use crate::render::Json;

/// Fields of a part: as they are stored, and as they are written.
pub(super) type Names = &'static [(&'static str, &'static str)];

/// What the two kinds of messages call things.
pub(super) struct Dialect {
    /// Where a part keeps what only one provider reads.
    pub options: &'static str,
    text: Names,
    reasoning: Names,
    file: Names,
}

pub(super) const MODEL: Dialect = Dialect {
    options: "providerOptions",
    text: &[
        ("type", "type"),
        ("text", "text"),
        ("providerOptions", "providerOptions"),
        ("providerMetadata", "providerOptions"),
    ],
    reasoning: &[
        ("type", "type"),
        ("text", "text"),
        ("providerOptions", "providerOptions"),
        ("providerMetadata", "providerOptions"),
    ],
    file: &[
        ("type", "type"),
        ("data", "data"),
        ("url", "data"),
        ("mediaType", "mediaType"),
        ("filename", "filename"),
        ("providerOptions", "providerOptions"),
        ("providerMetadata", "providerOptions"),
    ],
};

pub(super) const UI: Dialect = Dialect {
    options: "providerMetadata",
    text: &[
        ("type", "type"),
        ("text", "text"),
        ("state", "state"),
        ("providerMetadata", "providerMetadata"),
        ("providerOptions", "providerMetadata"),
    ],
    reasoning: &[
        ("type", "type"),
        ("id", "id"),
        ("text", "text"),
        ("state", "state"),
        ("providerMetadata", "providerMetadata"),
        ("providerOptions", "providerMetadata"),
    ],
    file: &[
        ("type", "type"),
        ("mediaType", "mediaType"),
        ("filename", "filename"),
        ("url", "url"),
        ("providerMetadata", "providerMetadata"),
        ("providerOptions", "providerMetadata"),
    ],
};

/// The image part that `ModelMessage`s have beside files.
const IMAGE: Names = &[
    ("type", "type"),
    ("image", "image"),
    ("mediaType", "mediaType"),
    ("mimeType", "mediaType"),
    ("providerOptions", "providerOptions"),
];

/// Writes those fields of a stored part that the library knows, as they stand; `set` holds values that replace or follow
/// them.
pub(super) fn pick(out: &mut Json, part: &Object<'_>, names: Names, set: &[(&str, &str)]) {
    let mut written: Vec<&str> = Vec::with_capacity(names.len());
    let mut push = |name, value: &str| {
        if !written.contains(&name) {
            out.raw(if written.is_empty() { "{\"" } else { ",\"" }).raw(name).raw("\":").raw(value);
            written.push(name);
        }
    };
    for field in part.fields() {
        let Some((_, name)) = names.iter().find(|(stored, _)| field.is(stored)) else { continue };
        let own = set.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
        let value = own.unwrap_or(field.value);
        if is_taken(name, value) {
            push(name, value);
        }
    }
    set.iter().for_each(|(name, value)| push(name, value));
    out.raw(if written.is_empty() { "{}" } else { "}" });
}

/// The library takes a null only where it takes anything, and options only by provider.
fn is_taken(name: &str, value: &str) -> bool {
    match name {
        "input" | "output" => true,
        "providerOptions" | "providerMetadata" | "callProviderMetadata" => is_options(value),
        _ => value != "null",
    }
}

fn is_options(raw: &str) -> bool {
    let by_provider = |options: Object<'_>| options.fields().iter().all(|field| field.value.starts_with('{'));
    Object::of(raw).is_some_and(by_provider)
}

/// What a stored part keeps for one provider alone.
pub(super) fn options<'a>(part: &Object<'a>) -> Option<&'a str> {
    let names = ["providerOptions", "providerMetadata", "callProviderMetadata"];
    names.iter().find_map(|name| part.get(name)).filter(|raw| is_options(raw))
}

/// The part has something for one provider alone: it counts even where it says nothing.
pub(super) fn has_options(piece: &Piece<'_>) -> bool {
    is_part(piece) && Object::of(piece.raw).is_some_and(|part| options(&part).is_some())
}

/// The piece is an element of the message's content.
fn is_part(piece: &Piece<'_>) -> bool {
    matches!(piece.holder, Holder::Parts { .. })
}

pub(super) fn is_type(part: &Object<'_>, name: &str) -> bool {
    part.text("type").is_some_and(|kind| kind == name)
}

pub(super) fn is_string(part: &Object<'_>, name: &str) -> bool {
    part.get(name).is_some_and(|raw| raw.starts_with('"'))
}

/// A text part; `raw` is its text.
pub(super) fn text(dialect: &Dialect, piece: &Piece<'_>, raw: &str) -> String {
    let mut out = Json::default();
    match Object::of(piece.raw).filter(|part| is_part(piece) && is_type(part, "text")) {
        Some(part) => pick(&mut out, &part, dialect.text, &[]),
        None => plain(&mut out, raw),
    }
    text_of(out)
}

/// A text part without anything beside its text.
pub(super) fn plain_text(raw: &str) -> String {
    let mut out = Json::default();
    plain(&mut out, raw);
    text_of(out)
}

fn plain(out: &mut Json, raw: &str) {
    out.raw("{\"type\":\"text\",\"text\":").raw(raw).raw("}");
}

pub(super) fn text_of(out: Json) -> String {
    String::from_utf8(out.0).unwrap_or_default()
}

/// A reasoning part; nothing where neither the model nor anybody else could read it.
pub(super) fn reasoning(
    dialect: &Dialect,
    message: &Normal<'_>,
    piece: &Piece<'_>,
    reasoning: &Reasoning<'_>,
) -> Option<String> {
    let mut out = Json::default();
    let part = Object::of(piece.raw).filter(|part| is_part(piece) && !message.is_item && is_own_reasoning(part));
    if let Some(part) = part {
        let says = part.get("text").is_some_and(|raw| !is_blank(raw));
        (says || options(&part).is_some()).then(|| pick(&mut out, &part, dialect.reasoning, &[]))?;
        return Some(text_of(out));
    }
    let text = joined(reasoning);
    let options = made_by(reasoning);
    if options.is_none() && is_blank(&text) {
        return None;
    }
    out.raw("{\"type\":\"reasoning\",\"text\":").raw(&text);
    if let Some(options) = options {
        out.raw(",\"").raw(dialect.options).raw("\":").raw(&options);
    }
    out.raw("}");
    Some(text_of(out))
}

/// The library's own part: what it can't carry of other shapes stands in none of its fields.
fn is_own_reasoning(part: &Object<'_>) -> bool {
    let others = ["signature", "encrypted_content", "summary", "content"];
    is_type(part, "reasoning") && is_string(part, "text") && others.iter().all(|name| part.get(name).is_none())
}

/// The texts of one reasoning as one: several parts with the same encrypted content would repeat it.
fn joined(reasoning: &Reasoning<'_>) -> String {
    match reasoning.texts.as_slice() {
        [] => "\"\"".to_owned(),
        [one] => one.to_string(),
        several => quote(&several.iter().filter_map(|raw| decode(raw)).collect::<Vec<_>>().join("\n\n")),
    }
}

/// What the provider that made the reasoning reads it by. OpenAI's items are given without their ids: the library would
/// send a reference to a stored item in their place.
fn made_by(reasoning: &Reasoning<'_>) -> Option<String> {
    match (reasoning.maker, reasoning.signature, reasoning.encrypted) {
        (Maker::Anthropic, Some(raw), _) => Some(format!("{{\"anthropic\":{{\"signature\":{raw}}}}}")),
        (Maker::Anthropic, None, Some(raw)) => Some(format!("{{\"anthropic\":{{\"redactedData\":{raw}}}}}")),
        (Maker::OpenAi, _, Some(raw)) => Some(format!("{{\"openai\":{{\"reasoningEncryptedContent\":{raw}}}}}")),
        (Maker::Google, Some(raw), _) => Some(format!("{{\"google\":{{\"thoughtSignature\":{raw}}}}}")),
        _ => None,
    }
}

/// A media part, or a text that stands for it.
pub(super) enum Shown {
    Part(String),
    Text(String),
}

/// A file or image of a `ModelMessage`.
pub(super) fn model_media(piece: &Piece<'_>, media: &Media<'_>, by_model: bool) -> Shown {
    if let Some(stored) = stored_media(piece, by_model) {
        return Shown::Part(stored);
    }
    let is_image = media.kind == MediaKind::Image && !by_model;
    let mut out = Json::default();
    out.raw(if is_image { "{\"type\":\"image\",\"image\":" } else { "{\"type\":\"file\",\"data\":" });
    match media.source {
        Source::Text(raw) => return Shown::Text(raw.to_owned()),
        // The providers of the library refuse what the model made elsewhere.
        Source::Url(raw) if is_address(raw) && !by_model => out.raw(raw),
        Source::Data(data) => out.raw("\"").raw(data).raw("\""),
        _ => return Shown::Text(write::media_note(media)),
    };
    if !is_image || media.mime.is_some() {
        out.raw(",\"mediaType\":").string(write::mime(media));
    }
    end_media(out, media, &MODEL, !is_image)
}

/// A file of a `UIMessage`.
pub(super) fn ui_media(piece: &Piece<'_>, media: &Media<'_>, by_model: bool) -> Shown {
    let stored = Object::of(piece.raw).filter(|part| is_type(part, "file") && is_string(part, "mediaType"));
    let mut out = Json::default();
    if let Some(part) = stored.filter(|part| is_string(part, "url")) {
        pick(&mut out, &part, UI.file, &[]);
        return Shown::Part(text_of(out));
    }
    let mime = match (media.kind, &media.mime) {
        (MediaKind::Image, None) => "image/*",
        _ => write::mime(media),
    };
    out.raw("{\"type\":\"file\",\"mediaType\":").string(mime).raw(",\"url\":");
    match media.source {
        Source::Text(raw) => return Shown::Text(raw.to_owned()),
        Source::Url(raw) if is_address(raw) && !by_model => {
            out.raw(raw);
        }
        Source::Data(data) => write::data_url(&mut out, write::mime(media), data),
        _ => return Shown::Text(write::media_note(media)),
    }
    end_media(out, media, &UI, true)
}

fn stored_media(piece: &Piece<'_>, by_model: bool) -> Option<String> {
    let part = Object::of(piece.raw)?;
    let is_file = is_type(&part, "file") && is_string(&part, "mediaType");
    let is_file = is_file && (is_string(&part, "data") || is_string(&part, "url"));
    let is_image = is_type(&part, "image") && is_string(&part, "image") && !by_model;
    let mut out = Json::default();
    (is_file || is_image).then(|| pick(&mut out, &part, if is_file { MODEL.file } else { IMAGE }, &[]))?;
    Some(text_of(out))
}

fn end_media(mut out: Json, media: &Media<'_>, dialect: &Dialect, takes_name: bool) -> Shown {
    if let Some(name) = media.name.filter(|_| takes_name) {
        out.raw(",\"filename\":").raw(name);
    }
    if let Some(detail) = media.detail {
        out.raw(",\"").raw(dialect.options).raw("\":{\"openai\":{\"imageDetail\":").raw(detail).raw("}}");
    }
    out.raw("}");
    Shown::Part(text_of(out))
}

/// An address that can be fetched; the library takes anything else for base64.
pub(super) fn is_address(raw: &str) -> bool {
    raw.get(1..).is_some_and(|inside| ["http://", "https://", "gs://", "s3://"].iter().any(|s| inside.starts_with(s)))
}
