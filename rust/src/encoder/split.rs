//! Where pieces end: the split patterns of both encodings, by hand.
//!
//! Each pattern is a list of alternatives of which the first that matches wins. The comments name
//! the alternatives as tiktoken writes them.

use super::ascii;
use super::class::{class_at, run, CASELESS, LETTER, LOWER, MARK, NEWLINE, NUMBER, REST, SPACE, UPPER};

/// An encoding's way to split a text.
pub(super) trait Grammar {
    /// The end of the piece that starts at `at`, which lies before the end of the text.
    fn piece_end(text: &[u8], at: usize) -> usize;

    /// The length of the piece that starts at `at`, if it is an ASCII word and the window of 16
    /// bytes from there settles where it ends; else 0.
    fn short_word(text: &[u8], at: usize, window: u128) -> usize;
}

pub(super) struct O200k;
pub(super) struct Cl100k;

impl Grammar for O200k {
    fn piece_end(text: &[u8], at: usize) -> usize {
        let (class, next) = class_at(text, at);
        let (following, _) = class_at(text, next);
        match class {
            UPPER | LOWER | CASELESS => contraction_end(text, word_end(text, class, at)),
            NUMBER => number_end(text, next),
            REST | MARK | SPACE if following & (LETTER | MARK) != 0 => {
                contraction_end(text, word_end(text, class, next))
            }
            // A mark is a word of its own.
            MARK => contraction_end(text, next),
            REST => slashed_symbols_end(text, next),
            SPACE if following == REST && text.get(at) == Some(&b' ') => slashed_symbols_end(text, next),
            SPACE if following & (SPACE | NEWLINE) == 0 => next,
            _ => white_space_end(text, at),
        }
    }

    #[inline(always)]
    fn short_word(text: &[u8], at: usize, window: u128) -> usize {
        ascii::cased_word(text, at, window)
    }
}

impl Grammar for Cl100k {
    fn piece_end(text: &[u8], at: usize) -> usize {
        // '(?i:[sdmt]|ll|ve|re)
        let contracted = contraction_end(text, at);
        if contracted > at {
            return contracted;
        }
        let (class, next) = class_at(text, at);
        let (following, _) = class_at(text, next);
        match class {
            UPPER | LOWER | CASELESS => run(text, next, LETTER),
            NUMBER => number_end(text, next),
            // [^\r\n\p{L}\p{N}]?+\p{L}++
            REST | MARK | SPACE if following & LETTER != 0 => run(text, next, LETTER),
            REST | MARK => symbols_end(text, next),
            SPACE if following & (REST | MARK) != 0 && text.get(at) == Some(&b' ') => symbols_end(text, next),
            SPACE if following & (SPACE | NEWLINE) == 0 => next,
            _ => final_white_space_end(text, at),
        }
    }

    #[inline(always)]
    fn short_word(text: &[u8], at: usize, window: u128) -> usize {
        ascii::caseless_word(text, at, window)
    }
}

/// The two word alternatives of o200k but for the contraction. The word starts at `start` with
/// a letter or a mark; `before` is the class of the character before it, or of its first letter:
///
/// `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
/// `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
fn word_end(text: &[u8], before: u8, start: usize) -> usize {
    // Without a lower case letter the first alternative gives characters back up to the last one
    // that its second part takes; a mark before the word is such a character itself.
    let mut after_caseless = (before == MARK).then_some(start);
    let mut at = start;
    loop {
        let (class, next) = class_at(text, at);
        match class {
            UPPER => {}
            CASELESS | MARK => after_caseless = Some(next),
            LOWER => return run(text, next, LOWER | CASELESS | MARK),
            _ => return after_caseless.unwrap_or(at),
        }
        at = next;
    }
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)?` from `at` on. Of all code points only the long s folds to
/// one of these letters.
pub(super) fn contraction_end(text: &[u8], at: usize) -> usize {
    if text.get(at) != Some(&b'\'') {
        return at;
    }
    let letter = |offset: usize| text.get(at + offset).map(u8::to_ascii_lowercase);
    match (letter(1), letter(2)) {
        (Some(b's' | b't' | b'm' | b'd'), _) => at + 2,
        (Some(b'r' | b'v'), Some(b'e')) | (Some(b'l'), Some(b'l')) | (Some(0xC5), Some(0xBF)) => at + 3,
        _ => at,
    }
}

/// `\p{N}{1,3}` of which the first ends at `at`.
fn number_end(text: &[u8], at: usize) -> usize {
    let more = |at| match class_at(text, at) {
        (NUMBER, next) => next,
        _ => at,
    };
    let second = more(at);
    if second == at {
        at
    } else {
        more(second)
    }
}

/// ` ?[^\s\p{L}\p{N}]+[\r\n/]*` of which the first character ends at `at`.
fn slashed_symbols_end(text: &[u8], at: usize) -> usize {
    let symbols_end = run(text, at, REST | MARK);
    let rest = text.get(symbols_end..).unwrap_or_default();
    symbols_end + rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | b'/')).count()
}

/// ` ?[^\s\p{L}\p{N}]++[\r\n]*+` of which the first character ends at `at`.
fn symbols_end(text: &[u8], at: usize) -> usize {
    run(text, run(text, at, REST | MARK), NEWLINE)
}

/// A run of white space: where it ends, where its last newline ends, where its last character starts.
struct WhiteSpace {
    end: usize,
    newline_end: Option<usize>,
    last: usize,
}

impl WhiteSpace {
    fn at(text: &[u8], start: usize) -> Self {
        let mut space = Self { end: start, newline_end: None, last: start };
        loop {
            let (class, next) = class_at(text, space.end);
            match class {
                NEWLINE => space.newline_end = Some(next),
                SPACE => {}
                _ => return space,
            }
            space.last = space.end;
            space.end = next;
        }
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`
    fn piece_end(&self, text: &[u8], start: usize) -> usize {
        match self.newline_end {
            Some(end) => end,
            None if self.end == text.len() || self.last == start => self.end,
            None => self.last,
        }
    }
}

fn white_space_end(text: &[u8], at: usize) -> usize {
    WhiteSpace::at(text, at).piece_end(text, at)
}

/// `\s++$|\s*[\r\n]|\s+(?!\S)|\s`
fn final_white_space_end(text: &[u8], at: usize) -> usize {
    let space = WhiteSpace::at(text, at);
    if space.end == text.len() {
        space.end
    } else {
        space.piece_end(text, at)
    }
}
