//! The tables of one encoding, built from what `build.rs` wrote.

use super::packed::{self, Piece};
use super::{pairs::PairRanks, piece_set::PieceSet, trie::Trie};

/// A token: its place among all tokens of its encoding in lexicographic order. Below 2^18.
pub(super) type Token = u32;
/// What the encoder merges by, the lowest first; the world calls tokens by it.
pub(super) type Rank = u32;

pub(super) struct Vocabulary {
    trie: Trie,
    tokens: Vec<TokenInfo>,
    pairs: PairRanks,
    pieces: PieceSet,
}

/// What the merging asks of a token. A single byte is its own halves and its own prefix.
#[derive(Clone, Copy, Default)]
pub(super) struct TokenInfo {
    /// The two tokens that it is merged from.
    pub(super) left: Token,
    pub(super) right: Token,
    /// The longest other token that it begins with; above 18 bits its length.
    prefix_and_len: u32,
    pub(super) rank: Rank,
}

const TOKEN_BITS: u32 = 18;

impl TokenInfo {
    #[inline(always)]
    fn prefix(self) -> Token {
        self.prefix_and_len & ((1 << TOKEN_BITS) - 1)
    }

    #[inline(always)]
    fn len(self) -> usize {
        (self.prefix_and_len >> TOKEN_BITS) as usize
    }
}

impl Vocabulary {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let source = Source::read(bytes).unwrap_or_default();
        let trie = Trie::new(&source);
        let (tokens, short) = source.tokens(&trie);
        let pairs = PairRanks::new(&tokens);
        Self { trie, tokens, pairs, pieces: PieceSet::new(&short) }
    }

    /// Whether a short piece is one token.
    #[inline(always)]
    pub(super) fn is_token(&self, piece: Piece, hash: u64) -> bool {
        self.pieces.contains(piece, hash)
    }

    /// The longest token that the text begins with.
    #[inline(always)]
    pub(super) fn longest_token(&self, text: &[u8]) -> Option<Token> {
        self.trie.longest_token(text)
    }

    /// The next shorter token that this one's bytes begin with.
    #[inline]
    pub(super) fn shorter(&self, token: Token) -> Option<Token> {
        let prefix = self.info(token).prefix();
        (prefix != token).then_some(prefix)
    }

    /// The length of a token in bytes.
    #[inline(always)]
    pub(super) fn len(&self, token: Token) -> usize {
        self.info(token).len()
    }

    /// Whether the encoder, given the bytes of both tokens, leaves exactly these two.
    ///
    /// It undoes the merges of both, the latest first, and asks at each step whether the two
    /// parts at the border would have been merged before that.
    #[inline]
    pub(super) fn stand_together(&self, mut left: Token, mut right: Token) -> bool {
        let (mut left_info, mut right_info) = (self.info(left), self.info(right));
        let mut limit = Rank::MAX;
        loop {
            if self.pairs.get(left, right).is_some_and(|rank| rank < limit) {
                return false;
            }
            let (inner_left, inner_right) = (left_info.right, right_info.left);
            let (left_is_byte, right_is_byte) = (inner_left == left, inner_right == right);
            if left_is_byte && right_is_byte {
                return true;
            }
            if right_is_byte || left_info.rank > right_info.rank && !left_is_byte {
                limit = left_info.rank;
                left = inner_left;
                left_info = self.info(left);
            } else {
                // Of two equal merges the encoder makes the left one first.
                limit = right_info.rank + 1;
                right = inner_right;
                right_info = self.info(right);
            }
        }
    }

    #[inline(always)]
    fn info(&self, token: Token) -> TokenInfo {
        self.tokens.get(token as usize).copied().unwrap_or_default()
    }
}

/// What `build.rs` wrote of an encoding: the nodes of the trie of its tokens, in lexicographic order.
#[derive(Default)]
pub(super) struct Source<'a> {
    /// The last byte of each node.
    pub(super) labels: &'a [u8],
    /// The length of each node.
    pub(super) depths: &'a [u8],
    /// The length of a token's left half; 0 for a node that is no token.
    pub(super) left_lens: &'a [u8],
    /// Those of the tokens alone.
    ranks: &'a [[u8; 3]],
}

impl<'a> Source<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&nodes, rest) = bytes.split_first_chunk()?;
        let nodes = u32::from_le_bytes(nodes) as usize;
        let (labels, rest) = rest.split_at_checked(nodes)?;
        let (depths, rest) = rest.split_at_checked(nodes)?;
        let (left_lens, ranks) = rest.split_at_checked(nodes)?;
        Some(Self { labels, depths, left_lens, ranks: ranks.as_chunks().0 })
    }

    /// All tokens, and those that can be packed.
    fn tokens(&self, trie: &Trie) -> (Vec<TokenInfo>, Vec<Piece>) {
        let (mut tokens, mut short) = (Vec::with_capacity(self.ranks.len()), Vec::with_capacity(self.ranks.len()));
        // The bytes of the node, and for each of its prefixes the longest token that it begins with.
        let (mut bytes, mut prefixes) = (Vec::new(), Vec::new());
        let mut ranks = self.ranks.iter().map(|&[a, b, c]| Rank::from_le_bytes([a, b, c, 0]));
        for ((&label, &depth), &left_len) in self.labels.iter().zip(self.depths).zip(self.left_lens) {
            bytes.truncate(usize::from(depth) - 1);
            prefixes.truncate(bytes.len());
            bytes.push(label);
            let token = tokens.len() as Token;
            let prefix = prefixes.last().copied().unwrap_or(token);
            if left_len == 0 {
                prefixes.push(prefix);
                continue;
            }
            prefixes.push(token);
            let (left, right) = bytes.split_at(usize::from(left_len));
            tokens.push(TokenInfo {
                left: prefixes.get(left.len() - 1).copied().unwrap_or(token),
                right: trie.longest_token(right).unwrap_or(token),
                prefix_and_len: prefix | u32::from(depth) << TOKEN_BITS,
                rank: ranks.next().unwrap_or(Rank::MAX),
            });
            if bytes.len() <= packed::BYTES_MAX {
                short.push(Piece::of(&bytes));
            }
        }
        (tokens, short)
    }
}
