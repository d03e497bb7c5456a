//! Declared edits of a stored body. What an edit does not touch stays byte for byte.

mod clamp;
mod payload;

pub use clamp::clamp_results;

use std::ops::Range;

use crate::json::{quote, Field};
use crate::message::{may_hold, Holder, Outline, Slot};
pub(crate) use payload::{is_blocks, Payload};

/// Text of a repair: what stands for a result that never came.
pub const REPAIR_TEXT: &str = "No result was recorded for this call.";

/// The body without these parts.
#[must_use]
pub fn without_parts(body: &[u8], parts: &[u32]) -> Vec<u8> {
    let Some(outline) = Outline::of(body) else { return body.to_vec() };
    let mut keep = vec![true; outline.slots.len()];
    for part in parts {
        if let Some(keep) = keep.get_mut(*part as usize) {
            *keep = false;
        }
    }
    with_parts(&outline, &keep)
}

/// The same message with that one part alone.
#[must_use]
pub fn only_part(body: &[u8], part: u32) -> Vec<u8> {
    let Some(outline) = Outline::of(body) else { return body.to_vec() };
    if outline.whole.is_some() {
        return body.to_vec();
    }
    let keep: Vec<bool> = (0..outline.slots.len()).map(|at| at == part as usize).collect();
    with_parts(&outline, &keep)
}

/// Each of these parts as a message of its own. Several share the role alone: what else the message carries is not written
/// once for each of them.
#[must_use]
pub fn split(body: &[u8], parts: &[u32]) -> Vec<Vec<u8>> {
    if let [part] = parts {
        return vec![only_part(body, *part)];
    }
    let outline = Outline::of(body);
    let lone = |part: &u32| outline.as_ref().and_then(|outline| lone(outline, outline.slots.get(*part as usize)?));
    parts.iter().map(|part| lone(part).unwrap_or_else(|| only_part(body, *part))).collect()
}

fn lone(outline: &Outline<'_>, slot: &Slot<'_>) -> Option<Vec<u8>> {
    let Holder::Parts { key, .. } = slot.holder else { return None };
    let role = outline.object.get("role")?;
    Some(format!(r#"{{"role":{role},"{key}":[{}]}}"#, slot.raw).into_bytes())
}

/// The body with `placeholder` for what a tool gave back in this part; unchanged where the shape of the result has no
/// room for a text.
#[must_use]
pub fn replace_result(body: &[u8], part: u32, placeholder: &str) -> Vec<u8> {
    replace_results(body, &[part], placeholder)
}

/// As [`replace_result`], for several parts.
#[must_use]
pub fn replace_results(body: &[u8], parts: &[u32], placeholder: &str) -> Vec<u8> {
    let Some(outline) = Outline::of(body) else { return body.to_vec() };
    let payloads = parts.iter().filter_map(|part| Payload::find(&outline, *part));
    spliced(outline.text, payloads.map(|payload| (payload.span(), payload.with_text(placeholder, false))).collect())
        .into_bytes()
}

/// The message that stands for a result that never came.
#[must_use]
pub fn repair(call_id: &str, name: Option<&str>) -> Vec<u8> {
    let name = name.map(|name| format!(r#""name":{},"#, quote(name))).unwrap_or_default();
    let call_id = quote(call_id);
    let content = quote(REPAIR_TEXT);
    let part = format!(r#"{{"type":"tool_result","call_id":{call_id},{name}"content":{content},"is_error":true}}"#);
    format!(r#"{{"role":"tool","parts":[{part}]}}"#).into_bytes()
}

fn with_parts(outline: &Outline<'_>, keep: &[bool]) -> Vec<u8> {
    let is_whole = outline.slots.first().is_some_and(|slot| slot.holder == Holder::Whole);
    if is_whole && keep.first() == Some(&true) {
        return outline.text.as_bytes().to_vec();
    }
    let mut out = Rebuilt::default();
    if is_whole {
        out.push("\"role\"", &quote(outline.role.name()));
    } else {
        for field in outline.object.fields() {
            rebuild_field(outline, keep, field, &mut out);
        }
    }
    if !out.has_content {
        out.push("\"parts\"", "[]");
    }
    out.text.push('}');
    out.text.into_bytes()
}

/// A body that is written field by field.
struct Rebuilt {
    text: String,
    has_content: bool,
}

impl Default for Rebuilt {
    fn default() -> Self {
        Self { text: String::from("{"), has_content: false }
    }
}

impl Rebuilt {
    fn push(&mut self, key: &str, value: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push_str(key);
        self.text.push(':');
        self.text.push_str(value);
    }
}

fn rebuild_field(outline: &Outline<'_>, keep: &[bool], field: &Field<'_>, out: &mut Rebuilt) {
    let span = field.span();
    // Only these are looked through: a body may have as many fields as parts.
    let slots = if may_hold(field) { outline.slots.as_slice() } else { &[] };
    let mut held = slots.iter().zip(keep).filter(|(slot, _)| span.contains(&slot.at)).peekable();
    let is_array = field.value.starts_with('[') && (field.is("parts") || field.is("content"));
    if held.peek().is_none() {
        // `content: null` would leave a message without content once its calls are gone.
        let is_null = field.value == "null" && (field.is("content") || field.is("parts"));
        if !is_null || has_kept(outline, keep) {
            out.has_content |= is_array || is_null;
            out.push(field.key, field.value);
        }
        return;
    }
    if matches!(held.peek(), Some((slot, _)) if matches!(slot.holder, Holder::Field(_))) {
        if held.any(|(_, keep)| *keep) {
            out.has_content = true;
            out.push(field.key, field.value);
        }
        return;
    }
    let kept: Vec<&str> = held.filter(|(_, keep)| **keep).map(|(slot, _)| slot.raw).collect();
    if is_array || !kept.is_empty() {
        out.has_content = true;
        out.push(field.key, &format!("[{}]", kept.join(",")));
    }
}

fn has_kept(outline: &Outline<'_>, keep: &[bool]) -> bool {
    outline.slots.iter().zip(keep).any(|(_, keep)| *keep)
}

/// The text with these values in the places of these spans, which do not overlap.
fn spliced(text: &str, mut values: Vec<(Range<usize>, String)>) -> String {
    values.sort_by_key(|(span, _)| span.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (span, value) in values {
        out.push_str(text.get(from..span.start).unwrap_or_default());
        out.push_str(&value);
        from = span.end.max(from);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}
