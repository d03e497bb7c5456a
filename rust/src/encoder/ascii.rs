//! Short ASCII words, the bulk of most texts, found in 16 bytes at once: without a branch for
//! each letter.
//!
//! A word here is a run of ASCII letters and the one ASCII character that both patterns let
//! stand before it. Where more might follow (a letter beyond ASCII, a mark, the rest of the word
//! past the window), the answer is 0: look closer.

use super::class::{ascii_class, REST, SPACE};
use super::split::contraction_end;

/// The length of a word whose capitals all come first, as o200k splits words.
#[inline(always)]
pub(super) fn cased_word(text: &[u8], at: usize, window: u128) -> usize {
    let letters = Letters::of(window);
    let Some(start) = letters.word_start(window) else { return 0 };
    let end = run_end(letters.all ^ letters.upper, run_end(letters.upper, start)) as usize;
    match text.get(at + end) {
        _ if end == start as usize || end == 16 => 0,
        Some(0x80..) => 0,
        Some(b'\'') => contraction_end(text, at + end) - at,
        _ => end,
    }
}

/// The length of a word in letters of any case, as cl100k splits words.
#[inline(always)]
pub(super) fn caseless_word(text: &[u8], at: usize, window: u128) -> usize {
    let letters = Letters::of(window);
    let Some(start) = letters.word_start(window) else { return 0 };
    let end = run_end(letters.all, start) as usize;
    match text.get(at + end) {
        _ if end == start as usize || end == 16 => 0,
        Some(0x80..) => 0,
        // It may be a contraction.
        _ if start == 1 && window as u8 == b'\'' => 0,
        _ => end,
    }
}

/// One bit for each byte of a window.
struct Letters {
    all: u32,
    upper: u32,
}

impl Letters {
    #[inline(always)]
    fn of(window: u128) -> Self {
        let (low, high) = (window as u64, (window >> 64) as u64);
        let (low_letters, high_letters) = (letters(low), letters(high));
        Self {
            all: gather(low_letters, high_letters),
            // The bit that tells the cases apart is moved to the top of its byte.
            upper: gather(low_letters & !(low << 2), high_letters & !(high << 2)),
        }
    }

    /// Where the letters of a word may start: 0, or 1 after a character that may stand before them.
    #[inline(always)]
    fn word_start(&self, window: u128) -> Option<u32> {
        let may_precede = ascii_class(window as u8) & (REST | SPACE) != 0;
        if self.all & 1 == 1 {
            Some(0)
        } else {
            may_precede.then_some(1)
        }
    }
}

const TOPS: u64 = 0x8080_8080_8080_8080;

/// The top bit of each byte that is an ASCII letter.
#[inline(always)]
fn letters(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let folded = bytes & (ONES * 0x5F);
    let from_a = folded + ONES * (0x80 - b'A' as u64);
    let past_z = folded + ONES * (0x80 - b'Z' as u64 - 1);
    from_a & !past_z & !bytes & TOPS
}

/// The top bits of 16 bytes side by side.
#[inline(always)]
fn gather(low: u64, high: u64) -> u32 {
    const SPREAD: u64 = 0x0002_0408_1020_4081;
    (low.wrapping_mul(SPREAD) >> 56) as u32 & 0xFF | (high.wrapping_mul(SPREAD) >> 56 << 8) as u32
}

/// The end of the run of set bits that starts at a bit.
#[inline(always)]
fn run_end(bits: u32, start: u32) -> u32 {
    start + (!bits >> start).trailing_zeros()
}
