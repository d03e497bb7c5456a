//! Cuts a tool result that is too large to its head and tail.

use super::payload::Payload;
use super::spliced;
use crate::estimate::{part_tokens, CountRules};
use crate::json::Object;
use crate::message::{Outline, Slot};

/// Tries at a size that fits before only the marker is left.
const TRIES_MAX: u32 = 8;

/// The body with each result among these parts that has more than `max_tokens` cut to head and tail, around a line that
/// says how much was left out. Nothing if all fit already, or if no text of them can be cut far enough.
#[must_use]
pub fn clamp_results(body: &[u8], parts: &[u32], max_tokens: u32, rules: &CountRules<'_>) -> Option<Vec<u8>> {
    let outline = Outline::of(body)?;
    let cut = |part: &u32| {
        let clamp =
            Clamp { outline: &outline, payload: Payload::find(&outline, *part)?, part: *part, max_tokens, rules };
        Some((clamp.payload.span(), clamp.run()?))
    };
    let cut: Vec<_> = parts.iter().filter_map(cut).collect();
    (!cut.is_empty()).then(|| spliced(outline.text, cut).into_bytes())
}

struct Clamp<'a> {
    outline: &'a Outline<'a>,
    payload: Payload<'a>,
    part: u32,
    max_tokens: u32,
    rules: &'a CountRules<'a>,
}

impl Clamp<'_> {
    /// What stands for the output.
    fn run(&self) -> Option<String> {
        if self.tokens(None)? <= self.max_tokens {
            return None;
        }
        let text = self.payload.text();
        let text_tokens = self.rules.text_tokens(&text);
        // Images beside the text stay if there is room for them.
        self.cut(&text, text_tokens, true).or_else(|| self.cut(&text, text_tokens, false))
    }

    fn cut(&self, text: &str, text_tokens: u32, with_media: bool) -> Option<String> {
        let (shortest, least) = self.attempt((text, text_tokens), 0, with_media)?;
        let room = self.max_tokens.checked_sub(least)?;
        let mut keep = share(text.len(), room, text_tokens);
        for _ in 0..TRIES_MAX {
            let (value, tokens) = self.attempt((text, text_tokens), keep, with_media)?;
            if tokens <= self.max_tokens {
                return Some(value);
            }
            // A step below what the ratio asks for: tokens are not spread evenly.
            keep = share(keep, self.max_tokens, tokens) / 16 * 15;
        }
        Some(shortest)
    }

    /// The output with `keep` bytes of the text, and the tokens that the result then has.
    fn attempt(&self, (text, text_tokens): (&str, u32), keep: usize, with_media: bool) -> Option<(String, u32)> {
        let head = text.get(..boundary_before(text, keep / 2)).unwrap_or_default();
        let tail = text.get(boundary_after(text, text.len() - keep.div_ceil(2).min(text.len()))..).unwrap_or_default();
        let kept = self.rules.text_tokens(head).saturating_add(self.rules.text_tokens(tail));
        let omitted = text_tokens.saturating_sub(kept).max(1);
        let marker = format!("[... {omitted} tokens omitted ...]");
        let shown = match keep {
            0 => marker,
            _ => format!("{head}\n{marker}\n{tail}"),
        };
        let value = self.payload.with_text(&shown, with_media);
        let tokens = self.tokens(Some(&value))?;
        Some((value, tokens))
    }

    /// Tokens of the result, with another output in its place; of the whole message where that is the result.
    fn tokens(&self, value: Option<&str>) -> Option<u32> {
        let Outline { text, slots, whole, .. } = self.outline;
        let span = self.payload.span();
        if whole.is_some() {
            let text = value.map_or((*text).to_owned(), |value| spliced(text, vec![(span, value.to_owned())]));
            let tokens =
                Outline::read(&text)?.slots.iter().map(|slot| part_tokens(slot, self.rules)).collect::<Vec<_>>();
            return Some(tokens.into_iter().fold(0, u32::saturating_add));
        }
        let slot = slots.get(self.part as usize)?;
        let Some(value) = value else { return Some(part_tokens(slot, self.rules)) };
        // The part alone: a message may have as many results as it has room for.
        let raw = spliced(slot.raw, vec![(span.start - slot.at..span.end - slot.at, value.to_owned())]);
        Some(part_tokens(&Slot { raw: &raw, at: 0, holder: slot.holder, object: Object::of(&raw) }, self.rules))
    }
}

/// `size` times `numerator / denominator`, at most `size`.
fn share(size: usize, numerator: u32, denominator: u32) -> usize {
    let share = size as u64 * u64::from(numerator) / u64::from(denominator.max(1));
    usize::try_from(share).unwrap_or(size).min(size)
}

fn boundary_before(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn boundary_after(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
