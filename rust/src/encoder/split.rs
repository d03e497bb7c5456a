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

    /// The length of the piece that a window of 16 bytes starts with, if the piece is an ASCII word
    /// and the window settles where it ends; else 0.
    fn short_word(window: u128) -> usize;
}

pub(super) struct O200k;
pub(super) struct Cl100k;

impl Grammar for O200k {
    fn piece_end(text: &[u8], at: usize) -> usize {
        let (class, next) = class_at(text, at);
        match class {
            UPPER | LOWER | CASELESS => word_end(text, class, at).map_or(next, |end| contraction_end(text, end)),
            NUMBER => number_end(text, next),
            NEWLINE => white_space_end(text, at),
            _ => match word_end(text, class, next) {
                Some(end) => contraction_end(text, end),
                None if class == REST || symbols_follow(text, at, next) => slashed_symbols_end(text, next),
                None => white_space_end(text, at),
            },
        }
    }

    #[inline(always)]
    fn short_word(window: u128) -> usize {
        ascii::cased_word(window)
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
        match class {
            UPPER | LOWER | CASELESS => run(text, next, LETTER),
            NUMBER => number_end(text, next),
            NEWLINE => final_white_space_end(text, at),
            // [^\r\n\p{L}\p{N}]?+\p{L}++
            _ if class_at(text, next).0 & LETTER != 0 => run(text, next, LETTER),
            SPACE if !symbols_follow(text, at, next) => final_white_space_end(text, at),
            // " ?[^\s\p{L}\p{N}]++[\r\n]*+"
            _ => run(text, run(text, next, REST | MARK), NEWLINE),
        }
    }

    #[inline(always)]
    fn short_word(window: u128) -> usize {
        ascii::caseless_word(window)
    }
}

/// The two word alternatives of o200k, for a word that starts at `at`, after a character of the
/// class `before` or with one that is a letter:
///
/// `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
/// `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
fn word_end(text: &[u8], before: u8, start: usize) -> Option<usize> {
    let (mut at, mut after_caseless) = (start, None);
    loop {
        let (class, next) = class_at(text, at);
        if class & (CASELESS | MARK) != 0 {
            after_caseless = Some(next);
        } else if class == LOWER {
            return Some(run(text, next, LOWER | CASELESS | MARK));
        } else if class != UPPER {
            break;
        }
        at = next;
    }
    // No lower case letter follows: the first alternative gives characters back up to one that
    // its second part takes; a mark before the word is such a character itself.
    let before_word = (before == MARK).then_some(start);
    after_caseless.or(before_word).or((at > start).then_some(at))
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)?` from `at` on. Of all code points only the long s folds to
/// one of these letters.
fn contraction_end(text: &[u8], at: usize) -> usize {
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

/// Whether the character before `next` is the one space that symbols may follow, and they do.
fn symbols_follow(text: &[u8], at: usize, next: usize) -> bool {
    text.get(at) == Some(&b' ') && class_at(text, next).0 & (REST | MARK) != 0
}

/// ` ?[^\s\p{L}\p{N}]+[\r\n/]*` of which the first character ends at `at`.
fn slashed_symbols_end(text: &[u8], at: usize) -> usize {
    let symbols_end = run(text, at, REST | MARK);
    let rest = text.get(symbols_end..).unwrap_or_default();
    symbols_end + rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | b'/')).count()
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
