//! The tables of one encoding, built from its list of merges.

use super::table::{EdgeMap, PairMap, PieceSet, TOKEN_BITS};

/// A token's rank in its encoding, below 2^18.
pub(super) type Token = u32;

const SINGLE_BYTE_TOKENS: usize = 256;

pub(super) struct Vocabulary {
    /// Every token of at most 15 bytes.
    pub(super) pieces: PieceSet,
    tokens: Box<[TokenInfo]>,
    trie: Trie,
    /// Two tokens to the token that they merge to.
    merged: PairMap,
}

/// What the merging asks of a token, in 8 bytes: from the lowest bits up its two halves, the
/// longest token that it begins with (for single bytes all three are the token itself), its length.
#[derive(Clone, Copy, Default)]
struct TokenInfo(u64);

impl TokenInfo {
    fn new((left, right): (Token, Token), prefix: Token, len: usize) -> Self {
        let tokens = [prefix, right, left].iter().fold(0, |bits, &token| bits << TOKEN_BITS | u64::from(token));
        Self(tokens | (len as u64) << (3 * TOKEN_BITS))
    }

    #[inline(always)]
    fn token<const PLACE: u32>(self) -> Token {
        (self.0 >> (PLACE * TOKEN_BITS)) as Token & ((1 << TOKEN_BITS) - 1)
    }

    #[inline(always)]
    fn left(self) -> Token {
        self.token::<0>()
    }

    #[inline(always)]
    fn right(self) -> Token {
        self.token::<1>()
    }

    #[inline(always)]
    fn prefix(self) -> Token {
        self.token::<2>()
    }

    #[inline(always)]
    fn len(self) -> usize {
        (self.0 >> (3 * TOKEN_BITS)) as usize
    }
}

impl Vocabulary {
    /// Reads what `build.rs` wrote: the single bytes by rank, then the two halves of each token.
    pub(super) fn new(merges: &[u8]) -> Self {
        let (bytes, halves) = merges.split_at_checked(SINGLE_BYTE_TOKENS).unwrap_or_default();
        let singles = (0..).zip(bytes).map(|(token, _)| (token, token));
        let halves: Vec<(Token, Token)> = singles.chain(halves.as_chunks().0.iter().map(read_halves)).collect();
        let text = TokenText::new(bytes, &halves);
        let mut trie = Trie::new(bytes, halves.len());
        let mut merged = PairMap::with_capacity(halves.len());
        for (token, &pair) in (0..).zip(&halves).skip(SINGLE_BYTE_TOKENS) {
            merged.insert(pair, token);
        }
        Self {
            pieces: PieceSet::new((0..halves.len()).map(|token| text.bytes(token))),
            tokens: trie.fill(&halves, &text),
            trie,
            merged,
        }
    }

    /// The longest token that the text begins with.
    #[inline]
    pub(super) fn longest_token(&self, text: &[u8]) -> Option<Token> {
        self.trie.longest_token(text)
    }

    /// The next shorter token that this one's bytes begin with.
    #[inline]
    pub(super) fn shorter(&self, token: Token) -> Option<Token> {
        let prefix = self.info(token).prefix();
        (prefix != token).then_some(prefix)
    }

    #[inline]
    pub(super) fn len(&self, token: Token) -> usize {
        self.info(token).len()
    }

    /// Whether the encoder, given the bytes of both tokens, leaves exactly these two.
    ///
    /// It undoes the merges of both, the latest first, and asks at each step whether the two
    /// parts at the border would have been merged before that.
    #[inline]
    pub(super) fn stand_together(&self, mut left: Token, mut right: Token) -> bool {
        let mut limit = Token::MAX;
        loop {
            if self.merged(left, right).is_some_and(|token| token < limit) {
                return false;
            }
            let (inner_left, inner_right) = (self.info(left).right(), self.info(right).left());
            if left > right && inner_left != left || inner_right == right {
                if inner_left == left {
                    return true;
                }
                limit = left;
                left = inner_left;
            } else {
                limit = right + 1;
                right = inner_right;
            }
        }
    }

    #[inline(always)]
    fn merged(&self, left: Token, right: Token) -> Option<Token> {
        self.merged.find((left, right), |token| {
            let info = self.info(token);
            (info.left(), info.right()) == (left, right)
        })
    }

    #[inline(always)]
    fn info(&self, token: Token) -> TokenInfo {
        self.tokens.get(token as usize).copied().unwrap_or_default()
    }
}

fn read_halves(&[a, b, c, d, e, f]: &[u8; 6]) -> (Token, Token) {
    (Token::from_le_bytes([a, b, c, 0]), Token::from_le_bytes([d, e, f, 0]))
}

/// The bytes of all tokens, one after the other.
struct TokenText {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl TokenText {
    fn new(singles: &[u8], halves: &[(Token, Token)]) -> Self {
        let mut text = Self { bytes: singles.to_vec(), starts: (0..=singles.len()).collect() };
        for &(left, right) in halves.iter().skip(singles.len()) {
            for half in [left, right] {
                text.bytes.extend_from_within(text.range(half as usize));
            }
            text.starts.push(text.bytes.len());
        }
        text
    }

    fn bytes(&self, token: usize) -> &[u8] {
        self.bytes.get(self.range(token)).unwrap_or_default()
    }

    fn range(&self, token: usize) -> std::ops::Range<usize> {
        let start = |token: usize| self.starts.get(token).copied().unwrap_or(0);
        start(token)..start(token + 1)
    }
}

/// All prefixes of all tokens. A node that is a token has the token's number, others have higher ones.
struct Trie {
    /// The node of each two bytes, or `ABSENT`.
    pairs: Box<[u32]>,
    /// The token of each single byte.
    singles: Box<[Token]>,
    /// Node and byte to the next node.
    edges: EdgeMap,
    tokens: usize,
}

const ABSENT: u32 = u32::MAX;

impl Trie {
    fn new(singles: &[u8], tokens: usize) -> Self {
        let mut trie = Self {
            pairs: vec![ABSENT; 1 << 16].into_boxed_slice(),
            singles: vec![0; 1 << 8].into_boxed_slice(),
            edges: EdgeMap::new((tokens * 9 / 4).ilog2() + 1),
            tokens,
        };
        for (token, &byte) in (0..).zip(singles) {
            if let Some(single) = trie.singles.get_mut(usize::from(byte)) {
                *single = token;
            }
        }
        trie
    }

    /// Adds the tokens, the shortest first: so a token's node never exists before it.
    fn fill(&mut self, halves: &[(Token, Token)], text: &TokenText) -> Box<[TokenInfo]> {
        let mut order: Vec<u32> = (0..).zip(halves).map(|(token, _)| token).collect();
        order.sort_by_key(|&token| text.range(token as usize).len());
        let mut infos = vec![TokenInfo::default(); halves.len()].into_boxed_slice();
        let mut next_node = self.tokens as u32;
        for token in order {
            let bytes = text.bytes(token as usize);
            let prefix = self.add(token, bytes, &mut next_node);
            if let (Some(info), Some(&halves)) = (infos.get_mut(token as usize), halves.get(token as usize)) {
                *info = TokenInfo::new(halves, prefix, bytes.len());
            }
        }
        infos
    }

    /// Adds the nodes of a token; returns the longest token that it begins with.
    fn add(&mut self, token: Token, bytes: &[u8], next_node: &mut u32) -> Token {
        let &[first, second, ref rest @ ..] = bytes else { return token };
        let mut prefix = self.single(first);
        let mut fresh = |last: bool| {
            if last {
                return token;
            }
            *next_node += 1;
            *next_node - 1
        };
        let mut node = self.pair(first, second);
        if node == ABSENT {
            node = fresh(rest.is_empty());
            if let Some(slot) = self.pairs.get_mut(usize::from(first) << 8 | usize::from(second)) {
                *slot = node;
            }
        }
        for (at, &byte) in (1..).zip(rest) {
            if (node as usize) < self.tokens {
                prefix = node;
            }
            node = self.edges.get(node, byte).unwrap_or_else(|| {
                let child = fresh(at == rest.len());
                self.edges.insert(node, byte, child);
                child
            });
        }
        prefix
    }

    #[inline]
    fn longest_token(&self, text: &[u8]) -> Option<Token> {
        let (&first, rest) = text.split_first()?;
        let mut longest = self.single(first);
        let Some((&second, rest)) = rest.split_first() else { return Some(longest) };
        let mut node = self.pair(first, second);
        if node == ABSENT {
            return Some(longest);
        }
        for &byte in rest {
            if (node as usize) < self.tokens {
                longest = node;
            }
            match self.edges.get(node, byte) {
                Some(next) => node = next,
                None => return Some(longest),
            }
        }
        Some(if (node as usize) < self.tokens { node } else { longest })
    }

    #[inline(always)]
    fn single(&self, byte: u8) -> Token {
        self.singles.get(usize::from(byte)).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn pair(&self, first: u8, second: u8) -> u32 {
        self.pairs.get(usize::from(first) << 8 | usize::from(second)).copied().unwrap_or(ABSENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn every_token() {
        let merges = include_bytes!(concat!(env!("OUT_DIR"), "/o200k_base.merges"));
        let v = Vocabulary::new(merges);
        let (bytes, halves) = merges.split_at_checked(SINGLE_BYTE_TOKENS).unwrap();
        let halves: Vec<(Token, Token)> =
            (0..256).map(|t| (t, t)).chain(halves.as_chunks().0.iter().map(read_halves)).collect();
        let text = TokenText::new(bytes, &halves);
        let (mut a, mut b, mut c) = (0, 0, 0);
        for t in 0..halves.len() {
            if v.longest_token(text.bytes(t)) != Some(t as u32) {
                a += 1;
                if a < 5 {
                    println!("{t} {:?} {:?}", String::from_utf8_lossy(text.bytes(t)), v.longest_token(text.bytes(t)));
                }
            }
            if v.len(t as u32) != text.bytes(t).len() {
                b += 1;
            }
            if t > 255 && v.merged(halves[t].0, halves[t].1) != Some(t as u32) {
                c += 1;
            }
        }
        panic!("{a} {b} {c}");
    }
}
