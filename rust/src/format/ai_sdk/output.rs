//! What a tool gave back, as `ModelMessage`s and as `UIMessage`s have it.

use super::parts::is_address;
use crate::format::pieces::{Content, Media, MediaKind, Output, Piece, Raw, Source, What};
use crate::format::write;
use crate::json::{quote, Elements, Object};
use crate::render::Json;

/// Kinds of blocks in a typed output.
const BLOCKS: &[&str] =
    &["text", "media", "file-data", "file-url", "file-id", "image-data", "image-url", "image-file-id", "custom"];

/// A typed output of the library.
pub(super) fn is_typed(raw: &str) -> bool {
    let Some(output) = Object::of(raw) else { return false };
    let value = output.field("value").map(|field| field.value);
    match (output.text("type").as_deref(), value) {
        (Some("text" | "error-text"), Some(value)) => value.starts_with('"'),
        (Some("json" | "error-json"), Some(_)) | (Some("execution-denied"), _) => true,
        (Some("content"), Some(value)) => Elements::of(value).is_some_and(|mut blocks| {
            blocks.all(|(_, raw)| Object::of(raw).and_then(|b| b.text("type")).is_some_and(|k| BLOCKS.contains(&&*k)))
        }),
        _ => false,
    }
}

/// Appends the typed output of a `ModelMessage`.
pub(super) fn model(out: &mut Json, output: &Output<'_>) {
    let kind = |plain: &'static str, error: &'static str| if output.is_error { error } else { plain };
    let (kind, value) = match &output.content {
        Content::Value(raw) => (kind("json", "error-json"), Raw::Borrowed(*raw)),
        Content::Blocks(blocks) if !is_text_alone(blocks) => return content(out, blocks),
        other => (kind("text", "error-text"), write::output_text(other)),
    };
    out.raw("{\"type\":\"").raw(kind).raw("\",\"value\":").raw(&value).raw("}");
}

/// The `output` of a part of a `UIMessage`: any JSON.
pub(super) fn ui(output: &Output<'_>) -> String {
    match &output.content {
        Content::Value(raw) => (*raw).to_owned(),
        Content::Blocks(blocks) if !is_text_alone(blocks) => {
            format!("[{}]", blocks.iter().map(|block| block.raw).collect::<Vec<_>>().join(","))
        }
        other => write::output_text(other).into_owned(),
    }
}

fn is_text_alone(blocks: &[Piece<'_>]) -> bool {
    blocks.iter().all(|block| matches!(block.what, What::Text(_)))
}

fn content(out: &mut Json, blocks: &[Piece<'_>]) {
    out.raw("{\"type\":\"content\",\"value\":[");
    for (n, block) in blocks.iter().enumerate() {
        out.raw(if n == 0 { "" } else { "," });
        match &block.what {
            What::Text(raw) => text(out, raw),
            What::Media(found) => media(out, found),
            _ => text(out, &quote(block.raw)),
        }
    }
    out.raw("]}");
}

fn text(out: &mut Json, raw: &str) {
    out.raw("{\"type\":\"text\",\"text\":").raw(raw).raw("}");
}

fn media(out: &mut Json, media: &Media<'_>) {
    match media.source {
        Source::Text(raw) => text(out, raw),
        Source::Data(data) => {
            out.raw("{\"type\":\"media\",\"data\":\"").raw(data).raw("\",\"mediaType\":");
            out.string(write::mime(media)).raw("}");
        }
        Source::Url(raw) if is_address(raw) => {
            let kind = if media.kind == MediaKind::Image { "image-url" } else { "file-url" };
            out.raw("{\"type\":\"").raw(kind).raw("\",\"url\":").raw(raw).raw("}");
        }
        _ => text(out, &write::media_note(media)),
    }
}
