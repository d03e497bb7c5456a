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
        let window = packed::window(text, at);
        let word = G::short_word(text, at, window);
        let end = if word > 0 { at + word } else { G::piece_end(text, at) };
        tokens += if end - at <= packed::BYTES_MAX {
            let piece = Piece::of_window(window, end - at);
            let hash = piece.hash();
            cache.get(piece, hash).unwrap_or_else(|| count_short(vocabulary, cache, text.get(at..end), piece, hash))
        } else {
            count_long(vocabulary, cache, text.get(at..end).unwrap_or_default())
        };
        at = end;
    }
    tokens
}

/// Long runs of one byte, such as rulers and indents, are frequent and slow to merge.
fn count_long(vocabulary: &Vocabulary, cache: &mut Cache, bytes: &[u8]) -> usize {
    let Some(run) = Piece::of_run(bytes) else { return merge::count(vocabulary, &mut cache.scratch, bytes) };
    let hash = run.hash();
    cache.get(run, hash).unwrap_or_else(|| {
        let count = merge::count(vocabulary, &mut cache.scratch, bytes);
        cache.put(run, hash, count);
        count
    })
}

#[inline(never)]
fn count_short(vocabulary: &Vocabulary, cache: &mut Cache, bytes: Option<&[u8]>, piece: Piece, hash: u64) -> usize {
    let count = if vocabulary.is_token(piece, hash) {
        1
    } else if let Some(count) = cache.get_merged(piece, hash) {
        count
    } else {
        let count = merge::count(vocabulary, &mut cache.scratch, bytes.unwrap_or_default());
        cache.put_merged(piece, hash, count);
        count
    };
    cache.put(piece, hash, count);
    count
}
