//! Pieces of requests that several formats write alike.

use super::pieces::{Arguments, Content, Media, MediaKind, Piece, Raw, Source, What};
use crate::json::{decode, quote};
use crate::render::Json;

/// The arguments of a call as a JSON string: the model's own text where it is stored, else the value as it is stored.
pub(super) fn arguments_text<'a>(arguments: &'a Arguments<'_>) -> Raw<'a> {
    match arguments {
        Arguments::Text(raw) => Raw::Borrowed(raw),
        Arguments::Value(raw) => quote(raw).into(),
    }
}

/// What a tool gave back as one JSON string, blocks that are no text left out.
pub(super) fn output_text<'a>(content: &'a Content<'_>) -> Raw<'a> {
    match content {
        Content::Text(raw) => Raw::Borrowed(raw),
        Content::Value(raw) => quote(raw).into(),
        Content::Blocks(blocks) => {
            let texts: Vec<&Raw<'_>> = texts(blocks).collect();
            match texts.as_slice() {
                [] => Raw::Borrowed("\"\""),
                [one] => Raw::Borrowed(one),
                several => {
                    let decoded: Vec<_> = several.iter().filter_map(|raw| decode(raw)).collect();
                    quote(&decoded.join("\n")).into()
                }
            }
        }
    }
}

/// The texts of blocks.
pub(super) fn texts<'p, 'a>(blocks: &'p [Piece<'a>]) -> impl Iterator<Item = &'p Raw<'a>> {
    blocks.iter().filter_map(|piece| match &piece.what {
        What::Text(raw) => Some(raw),
        _ => None,
    })
}

/// A name as OpenAI and Anthropic take it for a tool: letters, digits, `_` and `-`, at most 64.
pub(super) fn tool_name(name: &str) -> Raw<'_> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain) {
        return name.into();
    }
    let plain = |c: char| u8::try_from(c).is_ok_and(is_plain);
    let plain: String = name.chars().map(|c| if plain(c) { c } else { '_' }).take(64).collect();
    if plain.is_empty() {
        "unknown".into()
    } else {
        plain.into()
    }
}

/// Text that stands for a media part which a format can't hold: a JSON string.
pub(super) fn media_note(media: &Media<'_>) -> String {
    let kind = media.kind.name();
    let name = media.name.and_then(decode);
    let place = match media.source {
        Source::Url(raw) => decode(raw),
        _ => None,
    };
    let words: Vec<&str> = std::iter::once(kind).chain(name.as_deref()).chain(place.as_deref()).collect();
    quote(&format!("[{}]", words.join(" ")))
}

/// The media type, or the usual one of the kind.
pub(super) fn mime<'a>(media: &'a Media<'_>) -> &'a str {
    let usual = match media.kind {
        MediaKind::Image => "image/png",
        MediaKind::Audio => "audio/wav",
        MediaKind::Video => "video/mp4",
        MediaKind::File => "application/pdf",
    };
    // `image/*` is a wish, no type.
    media.mime.as_deref().filter(|mime| mime.contains('/') && !mime.ends_with('*')).unwrap_or(usual)
}

/// Appends a data URL as a JSON string; `data` is the inside of one.
pub(super) fn data_url(out: &mut Json, mime: &str, data: &str) {
    let quoted = quote(mime);
    let mime = quoted.trim_matches('"');
    out.raw("\"data:").raw(mime).raw(";base64,").raw(data).raw("\"");
}

/// Text of application data that a model is to see: all but the ai-sdk's `data-*` parts, which are for interfaces.
pub(super) fn data_text(piece: &Piece<'_>) -> Option<String> {
    let for_interface = crate::json::Object::of(piece.raw)
        .and_then(|object| object.text("type"))
        .is_some_and(|kind| kind.starts_with("data-"));
    (!for_interface).then(|| quote(piece.raw))
}
