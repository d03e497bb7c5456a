//! Content blocks. The API refuses every field that it does not know, so blocks are written of known fields alone; those of
//! its own blocks keep their bytes.

use crate::format::pieces::{Arguments, Call, Maker};
use crate::format::pieces::{Content, Media, MediaKind, Output, Piece, Raw, Reasoning, Source, What};
use crate::format::write;
use crate::json::{check, decode, is_blank, quote, Elements, Object};
use crate::render::Json;

/// The longest name of a tool, in characters.
const NAME_CHARS_MAX: usize = 200;
/// The longest name of a tool that goes by the pattern of names.
const PLAIN_NAME_BYTES_MAX: usize = 128;
const IMAGE_MIMES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Blocks of the API's own, with their fields.
const FIELDS: &[(&str, &[&str])] = &[
    ("text", &["type", "text", "citations"]),
    ("image", &["type", "source"]),
    ("document", &["type", "source", "citations", "context", "title"]),
    ("search_result", &["type", "content", "source", "title", "citations"]),
    ("container_upload", &["type", "file_id"]),
    ("tool_reference", &["type", "tool_name"]),
    ("tool_use", &["type", "id", "name", "input", "caller", "toolset_name"]),
    ("server_tool_use", &["type", "id", "name", "input", "caller"]),
    ("mcp_tool_use", &["type", "id", "name", "input", "server_name"]),
    ("mcp_tool_result", &["type", "tool_use_id", "content", "is_error"]),
    ("compaction", &["type", "content", "encrypted_content", "signature"]),
];
/// Results of tools that run at the provider.
const SERVER_RESULT: &[&str] = &["type", "tool_use_id", "content", "caller"];

/// Types that stand as they are in a message of the user, of the assistant, and in a result.
pub(super) const OF_USER: &[&str] = &["search_result", "container_upload"];
pub(super) const OF_ASSISTANT: &[&str] = &["compaction"];
const OF_RESULT: &[&str] = &["search_result", "tool_reference"];

/// A list of blocks, separated by commas.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks(pub Json);

impl Blocks {
    pub(super) fn is_empty(&self) -> bool {
        self.0 .0.is_empty()
    }

    /// Where the next block goes.
    pub(super) fn next(&mut self) -> &mut Json {
        self.0.raw(if self.0 .0.is_empty() { "" } else { "," })
    }

    /// Adds the text that a JSON string holds; the API refuses blank ones.
    pub(super) fn text(&mut self, raw: &str) {
        if !is_blank(raw) {
            self.next().raw("{\"type\":\"text\",\"text\":").raw(raw).raw("}");
        }
    }

    /// Adds a text part with its citations, where it has any of the API's own.
    pub(super) fn text_part(&mut self, raw: &str, part: &str) {
        let cited = Object::of(part).filter(|part| {
            part.text("type").is_some_and(|kind| kind == "text")
                && part.field("citations").is_some_and(|field| is_citations(field.value))
        });
        match cited.filter(|_| !is_blank(raw)) {
            Some(part) => write_known(self.next(), &part),
            None => self.text(raw),
        }
    }

    pub(super) fn append(&mut self, others: &Blocks) {
        if !others.is_empty() {
            self.next().0.extend_from_slice(&others.0 .0);
        }
    }
}

/// Null, or citations of the API's own kinds.
fn is_citations(raw: &str) -> bool {
    let kinds = || Elements::of(raw).into_iter().flatten().map(|(_, raw)| Object::of(raw).and_then(|c| c.text("type")));
    raw == "null" || (raw.starts_with('[') && kinds().all(|kind| kind.is_some_and(|kind| kind.ends_with("_location"))))
}

fn fields_of(kind: &str) -> Option<&'static [&'static str]> {
    let known = FIELDS.iter().find(|(name, _)| *name == kind).map(|(_, fields)| *fields);
    known.or_else(|| (kind.ends_with("_tool_result")).then_some(SERVER_RESULT))
}

/// Appends a block of the API's own; nothing tells whether it is one of a type that is known.
pub(super) fn write_known(out: &mut Json, block: &Object<'_>) {
    let kind = block.text("type").unwrap_or_default();
    write_fields(out, block, fields_of(&kind).unwrap_or(&["type"]));
}

/// Appends an object with these fields.
fn write_fields(out: &mut Json, object: &Object<'_>, fields: &[&str]) {
    out.raw("{");
    let mut separator = "";
    for field in object.fields() {
        let Some(name) = fields.iter().find(|name| field.is(name)) else { continue };
        out.raw(separator).raw("\"").raw(name).raw("\":");
        separator = ",";
        let source = Object::of(field.value).filter(|_| *name == "source");
        match source {
            Some(source) => write_fields(out, &source, source_fields(&source)),
            None if *name == "content" && field.value.starts_with('[') => write_inner(out, field.value),
            None => {
                out.raw(field.value);
            }
        }
    }
    out.raw("}");
}

/// Appends the blocks inside a block.
fn write_inner(out: &mut Json, raw: &str) {
    out.raw("[");
    for (n, (_, raw)) in Elements::of(raw).into_iter().flatten().enumerate() {
        out.raw(if n == 0 { "" } else { "," });
        let known = Object::of(raw).filter(|block| block.text("type").and_then(|kind| fields_of(&kind)).is_some());
        match known {
            Some(block) => write_known(out, &block),
            None => {
                out.raw(raw);
            }
        }
    }
    out.raw("]");
}

fn source_fields(source: &Object<'_>) -> &'static [&'static str] {
    match source.text("type").as_deref() {
        Some("base64" | "text") => &["type", "media_type", "data"],
        Some("url") => &["type", "url"],
        Some("file") => &["type", "file_id"],
        _ => &["type", "content"],
    }
}

/// A source that the API takes for a block of this type.
fn is_source(kind: &str, source: &Object<'_>) -> bool {
    let has = |name: &str| source.text(name).is_some_and(|text| !text.is_empty());
    let mime = source.text("media_type");
    let mime = mime.as_deref().unwrap_or_default();
    match (kind, source.text("type").as_deref()) {
        ("image", Some("base64")) => has("data") && IMAGE_MIMES.contains(&mime),
        ("document", Some("base64")) => has("data") && mime == "application/pdf",
        ("document", Some("text")) => has("data") && mime == "text/plain",
        ("document", Some("content")) => source.get("content").is_some_and(|raw| raw.starts_with(['"', '['])),
        ("image" | "document", Some("url")) => has("url"),
        ("image" | "document", Some("file")) => has("file_id"),
        _ => false,
    }
}

/// Adds a block of one of these types as it is; tells whether it did.
pub(super) fn own(blocks: &mut Blocks, raw: &str, types: &[&str]) -> bool {
    let block = Object::of(raw).filter(|block| block.text("type").is_some_and(|kind| types.contains(&kind.as_ref())));
    match block {
        Some(block) => write_known(blocks.next(), &block),
        None => return false,
    }
    true
}

/// Adds media, or a text that names them where the API has no place for them.
pub(super) fn media(blocks: &mut Blocks, media: &Media<'_>, raw: &str) {
    let own = Object::of(raw).filter(|block| {
        let kind = block.text("type").unwrap_or_default();
        block.object("source").is_some_and(|source| is_source(&kind, &source))
    });
    if let Some(block) = own {
        return write_known(blocks.next(), &block);
    }
    match (media.kind, media.source) {
        (MediaKind::Image, Source::Data(data)) if image_mime(media, data).is_some() => {
            let mime = image_mime(media, data).unwrap_or_default();
            let out = blocks.next().raw("{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"");
            out.raw(mime).raw("\",\"data\":\"").raw(data).raw("\"}}");
        }
        (MediaKind::Image, Source::Url(url)) if is_web(url) => {
            let out = blocks.next().raw("{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":");
            out.raw(url).raw("}}");
        }
        (MediaKind::File, Source::Text(text)) if !is_blank(text) => {
            document(blocks, media, &["{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":", text, "}"]);
        }
        (MediaKind::File, Source::Data(data)) if is_pdf(media) && !data.is_empty() => {
            let before = "{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":\"";
            document(blocks, media, &[before, data, "\"}"]);
        }
        (MediaKind::File, Source::Url(url)) if is_pdf(media) && is_web(url) => {
            document(blocks, media, &["{\"type\":\"url\",\"url\":", url, "}"]);
        }
        _ => blocks.text(&write::media_note(media)),
    }
}

fn document(blocks: &mut Blocks, media: &Media<'_>, source: &[&str]) {
    let out = blocks.next().raw("{\"type\":\"document\",\"source\":");
    for text in source {
        out.raw(text);
    }
    if let Some(name) = media.name.filter(|name| !is_blank(name)) {
        out.raw(",\"title\":").raw(name);
    }
    out.raw("}");
}

/// The media type of an image, as it is told or as its first bytes tell it.
fn image_mime(media: &Media<'_>, data: &str) -> Option<&'static str> {
    let told = media.mime.as_deref().filter(|mime| !mime.ends_with('*'));
    let told = told.map(|mime| if mime == "image/jpg" { "image/jpeg" } else { mime });
    let by_bytes = || match data.get(..4)? {
        "/9j/" | "\\/9j" => Some("image/jpeg"),
        "R0lG" => Some("image/gif"),
        "UklG" => Some("image/webp"),
        _ => Some("image/png"),
    };
    match told {
        Some(told) => IMAGE_MIMES.iter().copied().find(|mime| *mime == told),
        None => by_bytes(),
    }
}

fn is_pdf(media: &Media<'_>) -> bool {
    write::mime(media) == "application/pdf"
}

fn is_web(url: &str) -> bool {
    decode(url).is_some_and(|url| url.starts_with("https:") || url.starts_with("http:"))
}

/// The block of signed thinking; nothing for thinking that is not Anthropic's, or not signed.
pub(super) fn thinking(reasoning: &Reasoning<'_>) -> Option<String> {
    if reasoning.maker != Maker::Anthropic || reasoning.texts.len() > 1 {
        return None;
    }
    let text = reasoning.texts.first().map_or("\"\"", |raw| raw.as_ref());
    match (reasoning.signature, reasoning.encrypted) {
        (Some(signature), _) => {
            Some(format!("{{\"type\":\"thinking\",\"thinking\":{text},\"signature\":{signature}}}"))
        }
        (None, Some(data)) => Some(format!("{{\"type\":\"redacted_thinking\",\"data\":{data}}}")),
        (None, None) => None,
    }
}

/// Appends a call of a tool that the client runs.
pub(super) fn call(out: &mut Json, call: &Call<'_>, raw: &str) {
    let own = Object::of(raw).filter(|part| part.text("type").is_some_and(|kind| kind == "tool_use"));
    out.raw("{\"type\":\"tool_use\",\"id\":").string(&call.id).raw(",\"name\":");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name = &call.name;
    let fits = name.len() <= PLAIN_NAME_BYTES_MAX && name.chars().all(is_plain);
    if !name.is_empty() && (fits || (own.is_some() && name.chars().count() <= NAME_CHARS_MAX)) {
        out.string(name);
    } else {
        out.raw("\"").raw(&write::tool_name(name)).raw("\"");
    }
    out.raw(",\"input\":");
    input(out, call);
    for name in ["caller", "toolset_name"] {
        let value = own.as_ref().and_then(|own| own.field(name)).map(|field| field.value);
        if let Some(value) = value.filter(|value| name != "caller" || is_direct(value)) {
            out.raw(",\"").raw(name).raw("\":").raw(value);
        }
    }
    out.raw("}");
}

/// The model called the tool itself, not code that the provider ran.
fn is_direct(raw: &str) -> bool {
    Object::of(raw).and_then(|caller| caller.text("type")).is_some_and(|kind| kind == "direct")
}

/// Arguments as the object that the API wants; what is none stands whole under a key of its own.
fn input(out: &mut Json, call: &Call<'_>) {
    let (key, value) = match &call.arguments {
        Arguments::Text(raw) if call.is_custom => (Some("input"), raw.clone()),
        Arguments::Text(raw) => written(raw),
        Arguments::Value(raw) if raw.starts_with('{') => (None, raw.clone()),
        Arguments::Value(raw) if raw == "null" => (None, "{}".into()),
        Arguments::Value(raw) => (Some("_value"), raw.clone()),
    };
    match key {
        None => out.raw(&value),
        Some(key) => out.raw("{\"").raw(key).raw("\":").raw(&value).raw("}"),
    };
}

/// What the model wrote as arguments, a JSON string: the key that it needs, and its JSON.
fn written<'a>(raw: &Raw<'a>) -> (Option<&'static str>, Raw<'a>) {
    let text = decode(raw).unwrap_or_default();
    match check(text.as_bytes()) {
        _ if text.trim().is_empty() => (None, "{}".into()),
        Ok(json) if json.trim_start().starts_with('{') => (None, json.to_owned().into()),
        Ok(json) => (Some("_value"), json.to_owned().into()),
        Err(_) => (Some("_unparsed"), raw.clone()),
    }
}

/// Appends a result. With an error it may hold text alone.
pub(super) fn result(out: &mut Json, output: &Output<'_>, raw: &str) {
    let own = Object::of(raw).filter(|part| part.text("type").is_some_and(|kind| kind == "tool_result"));
    let own = own.filter(|part| part.field("tool_use_id").is_some());
    out.raw("{\"type\":\"tool_result\",\"tool_use_id\":").string(&output.id);
    if own.as_ref().is_none_or(|own| own.get("content").is_some()) {
        out.raw(",\"content\":");
        content(out, output, own.is_some());
    }
    let told = own.as_ref().and_then(|own| own.get("is_error")).filter(|raw| matches!(*raw, "true" | "false"));
    if let Some(is_error) = told.or(output.is_error.then_some("true")) {
        out.raw(",\"is_error\":").raw(is_error);
    }
    out.raw("}");
}

fn content(out: &mut Json, output: &Output<'_>, is_own: bool) {
    let blocks = match &output.content {
        Content::Blocks(pieces) => match pieces.as_slice() {
            [Piece { what: What::Text(raw), .. }] if !is_own => {
                out.raw(raw);
                return;
            }
            pieces => result_blocks(pieces, output.is_error),
        },
        other => {
            out.raw(&write::output_text(other));
            return;
        }
    };
    if blocks.is_empty() {
        out.raw("\"\"");
        return;
    }
    out.raw("[");
    out.0.extend_from_slice(&blocks.0 .0);
    out.raw("]");
}

fn result_blocks(pieces: &[Piece<'_>], is_error: bool) -> Blocks {
    let mut blocks = Blocks::default();
    for piece in pieces {
        match &piece.what {
            What::Text(raw) => blocks.text_part(raw, piece.raw),
            What::Media(found) if is_error => blocks.text(&write::media_note(found)),
            What::Media(found) => media(&mut blocks, found, piece.raw),
            _ if !is_error && own(&mut blocks, piece.raw, OF_RESULT) => {}
            _ => blocks.text(&quote(piece.raw)),
        }
    }
    blocks
}
