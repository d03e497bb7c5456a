//! Media parts of every dialect.

use std::borrow::Cow;

use crate::format::pieces::{Media, MediaKind, Source};
use crate::json::{decode, Object};

/// Objects that hold the source beside or instead of the part itself.
const INNER: &[&str] = &["source", "image_url", "input_audio", "file", "audio", "video_url", "data", "image"];
const MIMES: &[&str] = &["media_type", "mediaType", "mimeType", "mime_type"];
const FILE_IDS: &[&str] = &["file_id", "fileId"];
const URLS: &[&str] = &["url", "image_url", "file_url", "video_url"];
const BYTES: &[&str] = &["data", "file_data", "fileData", "image", "base64", "blob", "b64_json", "file", "audio"];

/// Reads a media part.
pub(super) fn read<'a>(part: &Object<'a>) -> Media<'a> {
    let inner = INNER.iter().find_map(|name| part.object(name));
    let objects = || inner.iter().chain(std::iter::once(part));
    let find = |names: &[&str]| objects().find_map(|object| names.iter().find_map(|name| string(object, name)));
    let kind = part.text("type").unwrap_or_default();
    let source = source(&kind, inner.as_ref(), &find);
    let (source, by_url) = match source {
        Source::Url(raw) | Source::Data(raw) => at_or_here(raw, matches!(source, Source::Url(_))),
        other => (other, None),
    };
    let mime = find(MIMES).and_then(decode).or(by_url).or_else(|| by_format(&find));
    Media {
        kind: mime.as_deref().and_then(kind_of_mime).unwrap_or_else(|| kind_of_type(&kind)),
        source,
        mime,
        name: find(&["filename", "fileName", "title"]).or_else(|| string(part, "name")),
        detail: find(&["detail"]),
    }
}

fn source<'a>(kind: &str, inner: Option<&Object<'a>>, find: &impl Fn(&[&str]) -> Option<&'a str>) -> Source<'a> {
    let is_text = inner.and_then(|inner| inner.text("type")).is_some_and(|kind| kind == "text");
    if let Some(id) = find(FILE_IDS).or_else(|| find(&["id"]).filter(|_| kind == "audio")) {
        return Source::FileId(id);
    }
    match (find(URLS), find(BYTES)) {
        (Some(url), _) => Source::Url(url),
        (None, Some(text)) if is_text => Source::Text(text),
        (None, Some(data)) => Source::Data(data),
        (None, None) => Source::Unknown,
    }
}

/// An address, or what a data URL holds; bytes that are given as a URL count as one.
fn at_or_here<'a>(raw: &'a str, is_url: bool) -> (Source<'a>, Option<Cow<'a, str>>) {
    let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if let Some((mime, data)) = inside.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        let mime = mime.split(';').next().unwrap_or(mime).replace("\\/", "/");
        return (Source::Data(data), Some(mime.into()).filter(|mime: &Cow<'_, str>| !mime.is_empty()));
    }
    let is_url = is_url || ["http:", "https:", "gs:", "s3:"].iter().any(|scheme| inside.starts_with(scheme));
    (if is_url { Source::Url(raw) } else { Source::Data(inside) }, None)
}

fn string<'a>(object: &Object<'a>, name: &str) -> Option<&'a str> {
    object.get(name).filter(|raw| raw.starts_with('"') && *raw != "\"\"")
}

/// OpenAI's audio names a format instead of a media type.
fn by_format<'a>(find: &impl Fn(&[&str]) -> Option<&'a str>) -> Option<Cow<'a, str>> {
    let format = find(&["format"]).and_then(decode)?;
    let is_plain = !format.is_empty() && format.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain.then(|| format!("audio/{format}").into())
}

fn kind_of_mime(mime: &str) -> Option<MediaKind> {
    Some(match mime.split('/').next()? {
        "image" => MediaKind::Image,
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ if mime.contains('/') => MediaKind::File,
        _ => return None,
    })
}

fn kind_of_type(kind: &str) -> MediaKind {
    let kind = kind.strip_prefix("input_").or_else(|| kind.strip_prefix("output_")).unwrap_or(kind);
    match kind.split(['_', '-']).next().unwrap_or(kind) {
        "image" => MediaKind::Image,
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => MediaKind::File,
    }
}
