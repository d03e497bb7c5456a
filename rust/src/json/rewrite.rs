//! Other spellings of the same value: without white space, and with strings minimally escaped.

use std::borrow::Cow;

use super::decode;
use super::scan::string_end;

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The offset of the first white space outside strings, from `at` on.
fn next_space(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            _ if is_space(byte) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// `raw` without insignificant white space, everything else byte for byte.
#[must_use]
pub fn minify(raw: &str) -> Cow<'_, str> {
    let bytes = raw.as_bytes();
    let Some(mut space) = next_space(bytes, 0) else { return Cow::Borrowed(raw) };
    let mut out = String::with_capacity(raw.len());
    let mut start = 0;
    loop {
        out.push_str(raw.get(start..space).unwrap_or_default());
        start = space;
        while bytes.get(start).copied().is_some_and(is_space) {
            start += 1;
        }
        match next_space(bytes, start) {
            Some(next) => space = next,
            None => break,
        }
    }
    out.push_str(raw.get(start..).unwrap_or_default());
    Cow::Owned(out)
}

/// `raw` minified, with each string escaped as Python's `json.dumps(ensure_ascii=False)` does it; numbers keep their
/// text. For counting tokens alone: the same value counts the same however its client escaped it.
#[must_use]
pub fn canonical(raw: &str) -> Cow<'_, str> {
    let compact = minify(raw);
    if memchr::memchr(b'\\', compact.as_bytes()).is_none() {
        return compact;
    }
    let bytes = compact.as_bytes();
    let mut out = String::with_capacity(compact.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes.get(at) == Some(&b'"') {
            let end = string_end(bytes, at);
            canonical_string_into(compact.get(at..end).unwrap_or_default(), &mut out);
            at = end;
        } else {
            let rest = bytes.get(at..).unwrap_or_default();
            let run = memchr::memchr(b'"', rest).unwrap_or(rest.len());
            out.push_str(compact.get(at..at + run).unwrap_or_default());
            at += run;
        }
    }
    Cow::Owned(out)
}

/// Appends the JSON string `raw`, minimally escaped.
pub(crate) fn canonical_string_into(raw: &str, out: &mut String) {
    if !has_long_escape(raw.as_bytes()) {
        return out.push_str(raw);
    }
    match decode(raw) {
        Some(text) => out.push_str(&quote(&text)),
        None => out.push_str(raw),
    }
}

/// True for `\/` and `\u....`: the escapes that the minimal form may spell otherwise.
fn has_long_escape(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        if matches!(bytes.get(at + found + 1), Some(b'u' | b'/')) {
            return true;
        }
        at += found + 2;
    }
    false
}

/// Appends `text` as a JSON string, minimally escaped.
pub(crate) fn quote_into(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    if bytes.iter().fold(0, |found, byte| found | u8::from(*byte < b' ')) != 0 {
        // Writing into memory can't fail.
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        if word.iter().fold(0, |found, byte| found | u8::from(is_mark(*byte))) == 0 {
            out.extend_from_slice(word);
        } else {
            word.iter().for_each(|byte| push_escaped(*byte, out));
        }
    }
    rest.iter().for_each(|byte| push_escaped(*byte, out));
    out.push(b'"');
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    if is_mark(byte) {
        out.push(b'\\');
    }
    out.push(byte);
}

/// `text` as a JSON string, minimally escaped.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = Vec::new();
    quote_into(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}
