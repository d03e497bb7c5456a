//! Tokens of a message, part by part.
//!
//! Text counts by its text. Every other part counts by its JSON, minified and with strings minimally escaped, without
//! signatures, encrypted reasoning and base64; media counts by an estimate for each kind. Each message costs
//! [`MESSAGE_FRAMING_TOKENS`] more. A factor stands for models whose tokenizer is not public.

mod media;

use crate::json::{canonical, canonical_string_into, Elements, Field, Object};
use crate::limits::{AUDIO_TOKENS, MESSAGE_FRAMING_TOKENS};
use crate::message::{Holder, Slot};

/// Counts the tokens of a text.
pub trait CountTokens {
    /// Tokens of `text`.
    fn count(&self, text: &str) -> usize;
}

impl<F: Fn(&str) -> usize> CountTokens for F {
    fn count(&self, text: &str) -> usize {
        self(text)
    }
}

/// How tokens are counted.
#[derive(Clone, Copy)]
pub struct CountRules<'a> {
    /// The encoder.
    pub counter: &'a dyn CountTokens,
    /// What the model counts for each thousand tokens of the encoder.
    pub factor_permille: u32,
}

impl CountRules<'_> {
    /// Tokens of a text as the model counts them.
    #[must_use]
    pub fn text_tokens(&self, text: &str) -> u32 {
        self.scaled(Estimate { tokens: self.raw(text) })
    }

    fn raw(&self, text: &str) -> u64 {
        self.counter.count(text) as u64
    }

    fn scaled(&self, estimate: Estimate) -> u32 {
        let scaled = estimate.tokens.saturating_mul(u64::from(self.factor_permille)).div_ceil(1000);
        u32::try_from(scaled).unwrap_or(u32::MAX)
    }
}

/// A count before the model's factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    tokens: u64,
}

/// Tokens of each part and of the message.
pub(crate) fn message(parts: &[Estimate], rules: &CountRules<'_>) -> (Vec<u32>, u32) {
    let sum = parts.iter().fold(MESSAGE_FRAMING_TOKENS, |sum, part| sum.saturating_add(part.tokens));
    (parts.iter().map(|part| rules.scaled(*part)).collect(), rules.scaled(Estimate { tokens: sum }))
}

/// A given count shared out by size: what a part costs when the client counted the message. The shares add up.
pub(crate) fn shares(sizes: impl Iterator<Item = usize> + Clone, tokens: u32) -> Vec<u32> {
    let total = sizes.clone().map(|size| size as u64).sum::<u64>().max(1);
    let mut size_sum = 0u64;
    let mut shared = 0u32;
    sizes
        .map(|size| {
            size_sum += size as u64;
            let up_to = u32::try_from(size_sum * u64::from(tokens) / total).unwrap_or(tokens);
            let share = up_to - shared;
            shared = up_to;
            share
        })
        .collect()
}

/// Tokens of one part as the model counts them.
pub(crate) fn part_tokens(slot: &Slot<'_>, rules: &CountRules<'_>) -> u32 {
    rules.scaled(part(slot, rules))
}

/// Tokens of one part.
pub(crate) fn part(slot: &Slot<'_>, rules: &CountRules<'_>) -> Estimate {
    if let Holder::Field(_) = slot.holder {
        if let Some(text) = crate::json::decode(slot.raw) {
            return Estimate { tokens: rules.raw(&text) };
        }
    }
    let Some(object) = &slot.object else { return json(slot, rules) };
    let is_text = object.text("type").is_some_and(|kind| matches!(&*kind, "text" | "input_text" | "output_text"));
    match object.text("text") {
        Some(text) if is_text && matches!(slot.holder, Holder::Parts { .. }) => Estimate { tokens: rules.raw(&text) },
        _ => json(slot, rules),
    }
}

fn json(slot: &Slot<'_>, rules: &CountRules<'_>) -> Estimate {
    let mode = match slot.holder {
        Holder::Whole => Mode::Item,
        Holder::Field("function_call") => Mode::Plain,
        Holder::Field("audio") => Mode::Media,
        _ => Mode::Part,
    };
    let mut counted = Counted {
        out: String::with_capacity(slot.raw.len().min(1 << 16)),
        media_tokens: if mode == Mode::Media { AUDIO_TOKENS } else { 0 },
        by_provider: slot.object.as_ref().is_some_and(|object| is_by_provider(object, mode)),
    };
    counted.value(slot.raw, mode, 0);
    Estimate { tokens: rules.raw(&counted.out).saturating_add(counted.media_tokens) }
}

/// Made by a tool that the provider runs: it may hold encrypted content.
fn is_by_provider(object: &Object<'_>, mode: Mode) -> bool {
    let kind = object.text("type").unwrap_or_default();
    let is_server_result = kind.ends_with("_tool_result") && kind != "tool_result";
    let is_server_item = mode == Mode::Item && !kind.ends_with("_output");
    is_server_result || is_server_item || object.get("providerExecuted") == Some("true")
}

/// Levels below a part at which media blocks are looked for. It also keeps the walk linear: each level reads its text
/// once more.
const MEDIA_DEPTH_MAX: usize = 6;

/// What may be left out of the JSON that is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A Responses item: as a part, less the fields that are ours.
    Item,
    /// The part itself and its provider metadata: signatures and encrypted content.
    Part,
    /// What a tool gave back: media blocks, and encrypted content of the provider's own tools.
    Result,
    /// Inside a media block: its payload.
    Media,
    /// Nothing: a model or a tool wrote this, a key of the same name is ordinary text there.
    Plain,
}

impl Mode {
    fn under(self, name: &str) -> Self {
        match (self, name) {
            (Self::Plain, _) => Self::Plain,
            (Self::Media, _) => Self::Media,
            (
                _,
                "input" | "payload" | "arguments" | "args" | "parameters" | "function" | "custom" | "action"
                | "rawInput",
            ) => Self::Plain,
            (Self::Part | Self::Item, "content" | "output" | "outputs" | "result" | "results") => Self::Result,
            (Self::Item, _) => Self::Part,
            (mode, _) => mode,
        }
    }

    fn leaves_out(self, field: &Field<'_>, by_provider: bool) -> bool {
        let any = |names: &[&str]| names.iter().any(|name| field.is(name));
        if self == Self::Item && any(&["metadata", "created_at", "usage"]) {
            return true;
        }
        if !field.value.starts_with('"') {
            return false;
        }
        match self {
            Self::Item | Self::Part => any(SIGNATURES) || any(ENCRYPTED),
            Self::Result => by_provider && any(ENCRYPTED),
            Self::Media | Self::Plain => false,
        }
    }
}

const SIGNATURES: &[&str] = &["signature", "thought_signature", "thoughtSignature"];
const ENCRYPTED: &[&str] = &[
    "encrypted_content",
    "encryptedContent",
    "reasoningEncryptedContent",
    "encrypted_index",
    "encryptedIndex",
    "encrypted_stdout",
    "encryptedStdout",
    "redactedData",
];

/// The JSON that is counted, and the media that is not in it.
struct Counted {
    out: String,
    media_tokens: u64,
    by_provider: bool,
}

impl Counted {
    fn value(&mut self, raw: &str, mode: Mode, depth: usize) {
        if mode == Mode::Plain || depth > MEDIA_DEPTH_MAX {
            return self.out.push_str(&canonical(raw));
        }
        match raw.as_bytes().first() {
            Some(b'"') => canonical_string_into(raw, &mut self.out),
            Some(b'{') => self.object(raw, mode, depth),
            Some(b'[') => self.array(raw, mode, depth),
            _ => self.out.push_str(raw),
        }
    }

    fn array(&mut self, raw: &str, mode: Mode, depth: usize) {
        self.out.push('[');
        for (index, (_, element)) in Elements::of(raw).into_iter().flatten().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.value(element, mode, depth + 1);
        }
        self.out.push(']');
    }

    fn object(&mut self, raw: &str, mode: Mode, depth: usize) {
        let Some(object) = Object::of(raw) else { return };
        let media = if mode == Mode::Media { None } else { media::tokens(&object, depth == 0) };
        self.media_tokens = self.media_tokens.saturating_add(media.unwrap_or(0));
        let mode = if media.is_some() { Mode::Media } else { mode };
        let is_redacted = mode == Mode::Part
            && object.text("type").is_some_and(|kind| kind == "redacted_thinking" || kind == "reasoning.encrypted");
        self.out.push('{');
        for field in object.fields() {
            if mode.leaves_out(field, self.by_provider) || is_redacted && field.is("data") {
                continue;
            }
            if !self.out.ends_with('{') {
                self.out.push(',');
            }
            self.field(field, mode, depth);
        }
        self.out.push('}');
    }

    fn field(&mut self, field: &Field<'_>, mode: Mode, depth: usize) {
        canonical_string_into(field.key, &mut self.out);
        self.out.push(':');
        if mode == Mode::Media && media::is_payload(field) {
            self.out.push_str("\"\"");
        } else {
            self.value(field.value, mode.under(&field.name()), depth + 1);
        }
    }
}
