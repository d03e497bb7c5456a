//! Short ASCII words, the bulk of most texts, found in 16 bytes at once: without a branch for
//! each letter.
//!
//! A word here is a run of ASCII letters and the one ASCII character that both patterns let
//! stand before it. Where another pattern might go on (a letter beyond ASCII, a mark, a
//! contraction), or the window ends, the answer is 0: look closer.

use super::class::{class_at, REST, SPACE};

const ONES: u128 = u128::MAX / 255;
/// The top bit of each byte.
const TOPS: u128 = ONES << 7;

/// The length of a word whose capitals all come first, as o200k splits words.
#[inline(always)]
pub(super) fn cased_word(window: u128) -> usize {
    let letters = letters(window);
    let Some(start) = word_start(window, letters) else { return 0 };
    let lower = letters & window << 2;
    let capitals_end = run_end(letters & !(window << 2), start);
    settled(window, start, run_end(lower, capitals_end), true)
}

/// The length of a word in letters of any case, as cl100k splits words.
#[inline(always)]
pub(super) fn caseless_word(window: u128) -> usize {
    let letters = letters(window);
    match word_start(window, letters) {
        // It may be a contraction.
        Some(1) if window as u8 == b'\'' => 0,
        Some(start) => settled(window, start, run_end(letters, start), false),
        None => 0,
    }
}

/// The top bit of each byte that is an ASCII letter.
#[inline(always)]
fn letters(window: u128) -> u128 {
    let folded = window & (ONES * 0x5F);
    let from_a = folded + ONES * (0x80 - b'A' as u128);
    let past_z = folded + ONES * (0x80 - b'Z' as u128 - 1);
    from_a & !past_z & !window & TOPS
}

/// Where the letters of a word may start: 0, or 1 after a character that may stand before them.
#[inline(always)]
fn word_start(window: u128, letters: u128) -> Option<usize> {
    if letters & 0x80 != 0 {
        return Some(0);
    }
    let (class, _) = class_at(&[window as u8], 0);
    (window & 0x80 == 0 && class & (REST | SPACE) != 0).then_some(1)
}

/// The end of the run of marked bytes that starts at a byte of the window.
#[inline(always)]
fn run_end(marked: u128, start: usize) -> usize {
    let unmarked = (!marked & TOPS).unbounded_shr(start as u32 * 8);
    start + (unmarked.trailing_zeros() / 8) as usize
}

/// The word's length, if it has letters and the byte after them ends it for certain.
#[inline(always)]
fn settled(window: u128, start: usize, end: usize, contracts: bool) -> usize {
    let after = window.unbounded_shr(end as u32 * 8) as u8;
    let sure = end > start && end < 16 && after < 0x80 && !(contracts && after == b'\'');
    if sure {
        end
    } else {
        0
    }
}
