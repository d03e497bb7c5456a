//! Cuts a tool result that is too large to its head and tail.

use super::payload::Payload;
use crate::estimate::{part_tokens, CountRules};
use crate::message::Outline;

/// Tries at a size that fits before only the marker is left.
const TRIES_MAX: u32 = 8;

/// The body with the result in `part` cut to head and tail around a line that says how much was left out, so that it has
/// at most `max_tokens`. Nothing if it fits already, or if no text of it can be cut far enough.
#[must_use]
pub fn clamp_result(body: &[u8], part: u32, max_tokens: u32, rules: &CountRules<'_>) -> Option<Vec<u8>> {
    let outline = Outline::of(body)?;
    let payload = Payload::find(&outline, part)?;
    if result_tokens(body, part, rules)? <= max_tokens {
        return None;
    }
    let text = payload.text();
    let clamp = Clamp { outline, payload, part, max_tokens, rules, text_tokens: rules.text_tokens(&text) };
    // Images beside the text stay if there is room for them.
    clamp.run(&text, true).or_else(|| clamp.run(&text, false))
}

/// Tokens of the result in `part`: of the whole message where that is the result.
fn result_tokens(body: &[u8], part: u32, rules: &CountRules<'_>) -> Option<u32> {
    let outline = Outline::of(body)?;
    if outline.whole.is_some() {
        let tokens = outline.slots.iter().map(|slot| part_tokens(slot, rules));
        return Some(tokens.fold(0, u32::saturating_add));
    }
    outline.slots.get(part as usize).map(|slot| part_tokens(slot, rules))
}

struct Clamp<'a> {
    outline: Outline<'a>,
    payload: Payload<'a>,
    part: u32,
    max_tokens: u32,
    rules: &'a CountRules<'a>,
    text_tokens: u32,
}

impl Clamp<'_> {
    fn run(&self, text: &str, with_media: bool) -> Option<Vec<u8>> {
        let (shortest, least) = self.attempt(text, 0, with_media)?;
        let room = self.max_tokens.checked_sub(least)?;
        let mut keep = share(text.len(), room, self.text_tokens);
        for _ in 0..TRIES_MAX {
            let (body, tokens) = self.attempt(text, keep, with_media)?;
            if tokens <= self.max_tokens {
                return Some(body);
            }
            // A step below what the ratio asks for: tokens are not spread evenly.
            keep = share(keep, self.max_tokens, tokens) / 16 * 15;
        }
        Some(shortest)
    }

    /// The body with `keep` bytes of the text, and the tokens that the result then has.
    fn attempt(&self, text: &str, keep: usize, with_media: bool) -> Option<(Vec<u8>, u32)> {
        let head = text.get(..boundary_before(text, keep / 2)).unwrap_or_default();
        let tail = text.get(boundary_after(text, text.len() - keep.div_ceil(2).min(text.len()))..).unwrap_or_default();
        let kept = self.rules.text_tokens(head).saturating_add(self.rules.text_tokens(tail));
        let omitted = self.text_tokens.saturating_sub(kept).max(1);
        let marker = format!("[... {omitted} tokens omitted ...]");
        let shown = match keep {
            0 => marker,
            _ => format!("{head}\n{marker}\n{tail}"),
        };
        let body = self.payload.replaced(self.outline.text, &shown, with_media).into_bytes();
        let tokens = result_tokens(&body, self.part, self.rules)?;
        Some((body, tokens))
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
