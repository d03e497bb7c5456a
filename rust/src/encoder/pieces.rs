//! The loop over the pieces of a text.

use super::{
    cache::Cache,
    merge,
    packed::{self, Piece},
    split::Grammar,
    vocabulary::Vocabulary,
};

/// The number of tokens of a text.
pub(super) fn count<G: Grammar>(vocabulary: &Vocabulary, cache: &mut Cache, text: &str) -> usize {
    let text = text.as_bytes();
    let (mut at, mut tokens) = (0, 0);
    while at < text.len() {
        let (window, word) = match packed::window(text, at) {
            Some(window) => (window, G::short_word(window)),
            None => (packed::padded_window(text, at), 0),
        };
        let end = if word > 0 { at + word } else { G::piece_end(text, at) };
        tokens += if end - at <= packed::BYTES_MAX {
            let piece = Piece::of_window(window, end - at);
            let hash = piece.hash();
            cache.get(piece, hash).unwrap_or_else(|| count_short(vocabulary, cache, text.get(at..end), piece, hash))
        } else {
            merge::count(vocabulary, &mut cache.scratch, text.get(at..end).unwrap_or_default())
        };
        at = end;
    }
    tokens
}

#[inline(never)]
fn count_short(vocabulary: &Vocabulary, cache: &mut Cache, bytes: Option<&[u8]>, piece: Piece, hash: u64) -> usize {
    let count = if vocabulary.pieces.contains(piece, hash) {
        1
    } else {
        merge::count(vocabulary, &mut cache.scratch, bytes.unwrap_or_default())
    };
    cache.put(piece, hash, count);
    count
}
