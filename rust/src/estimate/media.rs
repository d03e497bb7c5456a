//! What an image, a sound, a film or a file costs, by kind and, where its bytes are here, by size.

use crate::json::{Field, Object};
use crate::limits::{
    AUDIO_BYTES_PER_TOKEN, AUDIO_TOKENS, FILE_BYTES_PER_TOKEN, FILE_TOKENS, FILE_TOKENS_MIN, IMAGE_LOW_TOKENS,
    IMAGE_TOKENS, MEDIA_TOKENS_MAX, TEXT_FILE_BYTES_PER_TOKEN, VIDEO_BYTES_PER_TOKEN, VIDEO_TOKENS,
    WAVE_BYTES_PER_TOKEN,
};

/// Keys under which media blocks keep their bytes.
const PAYLOADS: &[&str] = &[
    "data",
    "image_url",
    "url",
    "image",
    "file_data",
    "fileData",
    "file",
    "audio",
    "blob",
    "result",
    "b64_json",
    "value",
    "base64",
];
/// Fields that make an object with a media type a media block, wherever it stands.
const SOURCES: &[&str] = &["source", "image_url", "input_audio", "file_id", "file_data", "fileData", "blob"];
/// Fields under which a block keeps the object with its bytes.
const INNER: &[&str] =
    &["source", "image_url", "input_audio", "file", "resource", "image", "audio", "video_url", "data"];
/// The shortest string that is taken for base64.
const BASE64_BYTES_MIN: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Audio,
    Wave,
    Video,
    TextFile,
    File,
}

/// The estimate for a media block; nothing if `object` is none. A part of its own is one by its type alone; inside a
/// tool's result an object must carry bytes or a reference, since results may well list things of type `file`.
pub(super) fn tokens(object: &Object<'_>, is_part: bool) -> Option<u64> {
    let kind = object.text("type")?;
    let by_type = kind_of_type(&kind)?;
    let inner: Vec<Object<'_>> = INNER.iter().filter_map(|name| object.object(name)).collect();
    let all = || std::iter::once(object).chain(&inner);
    let payload = all().flat_map(Object::fields).find(|field| is_payload(field));
    let is_plain = inner.iter().any(|inner| inner.text("type").is_some_and(|kind| kind == "text" || kind == "content"));
    let is_result_item = kind == "image_generation_call" || kind == "resource";
    let is_block = payload.is_some()
        || is_part && !is_result_item
        || !is_result_item && SOURCES.iter().any(|name| object.get(name).is_some());
    if !is_block {
        return None;
    }
    if is_plain && payload.is_none() {
        return Some(0);
    }
    let by_mime = all().find_map(kind_of_mime).or_else(|| payload.and_then(kind_of_data_url));
    let low = all().any(|object| object.text("detail").is_some_and(|detail| detail == "low"));
    let bytes = payload.map(|field| field.value.len() as u64 / 4 * 3);
    Some(estimate(by_mime.unwrap_or(by_type), bytes, low).min(MEDIA_TOKENS_MAX))
}

fn estimate(kind: Kind, bytes: Option<u64>, low: bool) -> u64 {
    let by_size = |per_token: u64, unknown: u64| bytes.map_or(unknown, |bytes| bytes.div_ceil(per_token));
    match kind {
        Kind::Image if low => IMAGE_LOW_TOKENS,
        Kind::Image => IMAGE_TOKENS,
        Kind::Audio => by_size(AUDIO_BYTES_PER_TOKEN, AUDIO_TOKENS),
        Kind::Wave => by_size(WAVE_BYTES_PER_TOKEN, AUDIO_TOKENS),
        Kind::Video => by_size(VIDEO_BYTES_PER_TOKEN, VIDEO_TOKENS),
        Kind::TextFile => by_size(TEXT_FILE_BYTES_PER_TOKEN, FILE_TOKENS),
        Kind::File => by_size(FILE_BYTES_PER_TOKEN, FILE_TOKENS).max(FILE_TOKENS_MIN),
    }
}

fn kind_of_type(kind: &str) -> Option<Kind> {
    let bare = kind.strip_prefix("input_").or_else(|| kind.strip_prefix("output_")).unwrap_or(kind);
    Some(match bare.split(['_', '-']).next().unwrap_or(bare) {
        "image" | "computer" if bare != "computer_call" && bare != "computer_call_output" => Kind::Image,
        "audio" => Kind::Audio,
        "video" => Kind::Video,
        "file" if bare != "file_search_call" => Kind::File,
        "document" | "media" => Kind::File,
        _ if bare == "resource" => Kind::File,
        _ => return None,
    })
}

fn kind_of_mime(object: &Object<'_>) -> Option<Kind> {
    let mime =
        ["media_type", "mediaType", "mimeType", "mime_type", "format"].iter().find_map(|name| object.text(name))?;
    kind_of_mime_text(&mime)
}

fn kind_of_mime_text(mime: &str) -> Option<Kind> {
    Some(match mime.split('/').next().unwrap_or(mime) {
        "image" => Kind::Image,
        "audio" if mime.contains("wav") || mime.contains("pcm") || mime.contains("L16") => Kind::Wave,
        "audio" | "mp3" => Kind::Audio,
        "wav" | "pcm16" => Kind::Wave,
        "video" => Kind::Video,
        "text" => Kind::TextFile,
        "application" if mime.contains("json") || mime.contains("xml") => Kind::TextFile,
        "application" => Kind::File,
        _ => return None,
    })
}

fn kind_of_data_url(field: &Field<'_>) -> Option<Kind> {
    let mime = field.value.get(1..)?.strip_prefix("data:")?;
    kind_of_mime_text(mime.split([';', ',']).next()?)
}

/// True for a string of base64, or a data URL with it, under one of the keys where media blocks keep it.
pub(super) fn is_payload(field: &Field<'_>) -> bool {
    field.value.starts_with('"') && PAYLOADS.iter().any(|name| field.is(name)) && is_base64(field.value)
}

fn is_base64(raw: &str) -> bool {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    let data = match inner.strip_prefix("data:") {
        Some(url) => url.split_once(";base64,").map(|(_, data)| data),
        None => Some(inner).filter(|inner| inner.len() >= BASE64_BYTES_MIN),
    };
    // A backslash may escape a slash or a line break; nothing else in base64 needs one.
    data.is_some_and(|data| {
        data.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\'))
    })
}
