//! The number of tokens of one piece, without merging: the longest token is taken at each place
//! and kept if the encoder would leave it beside the one before; otherwise a shorter one is tried,
//! or the one before is taken back. A place that leads nowhere is never tried twice, so the time
//! is linear. (The idea is that of GitHub's `bpe` crate.)

use super::vocabulary::{Token, Vocabulary};

/// Memory that is used again from piece to piece.
#[derive(Default)]
pub(super) struct Scratch {
    /// The tokens taken so far.
    taken: Vec<Token>,
    /// One bit for each place in the piece: it was tried and leads nowhere.
    dead: Vec<u64>,
}

/// The number of tokens that the encoder merges a piece to.
pub(super) fn count(vocabulary: &Vocabulary, scratch: &mut Scratch, piece: &[u8]) -> usize {
    let mut candidate = vocabulary.longest_token(piece);
    if candidate.is_none_or(|token| vocabulary.len(token) == piece.len()) {
        return 1;
    }
    let Scratch { taken, dead } = scratch;
    taken.clear();
    dead.clear();
    dead.resize(piece.len() / 64 + 1, 0);
    let mut at = 0;
    while let Some(token) = candidate {
        let last = taken.last().copied();
        let fits = |token: Token| {
            !is_set(dead, at + vocabulary.len(token)) && last.is_none_or(|last| vocabulary.stand_together(last, token))
        };
        if let Some(token) = std::iter::successors(Some(token), |&token| vocabulary.shorter(token)).find(|&t| fits(t)) {
            taken.push(token);
            at += vocabulary.len(token);
            candidate = piece.get(at..).and_then(|rest| vocabulary.longest_token(rest));
        } else {
            set(dead, at);
            taken.pop();
            at -= last.map_or(0, |last| vocabulary.len(last));
            candidate = last;
        }
    }
    taken.len()
}

#[inline]
fn is_set(bits: &[u64], at: usize) -> bool {
    bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}

#[inline]
fn set(bits: &mut [u64], at: usize) {
    if let Some(word) = bits.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}
