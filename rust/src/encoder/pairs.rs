//! Which two tokens merge, and with what rank.

use super::vocabulary::{Rank, Token, TokenInfo};

/// For each token a small hash table of the tokens that it merges with on its right. The tables
/// lie in the order of the tokens, so those of one script lie close together.
pub(super) struct PairRanks {
    /// Where the table of a token starts, above 5 bits: the logarithm of its size plus one; 0 for no table.
    tables: Vec<u32>,
    /// The right token above the pair's rank.
    slots: Vec<u64>,
}

const SIZE_BITS: u32 = 5;
const EMPTY: u64 = u64::MAX;

/// Where a token belongs in the table of another.
struct Home {
    start: usize,
    /// The table's size less one.
    mask: usize,
    at: usize,
}

impl PairRanks {
    pub(super) fn new(tokens: &[TokenInfo]) -> Self {
        let merged = || (0..).zip(tokens).filter(|&(token, info)| info.left != token).map(|(_, info)| info);
        let mut counts = vec![0u32; tokens.len()];
        for info in merged() {
            if let Some(count) = counts.get_mut(info.left as usize) {
                *count += 1;
            }
        }
        let mut len = 0;
        let tables = counts.iter().map(|&count| {
            let size = if count < 2 { count } else { (count * 4 / 3 + 1).next_power_of_two() };
            len += size;
            size.checked_ilog2().map_or(0, |log| (len - size) << SIZE_BITS | (log + 1))
        });
        let tables = tables.collect();
        let mut pairs = Self { tables, slots: vec![EMPTY; len as usize] };
        for info in merged() {
            pairs.insert(info);
        }
        pairs
    }

    /// The rank of the token that the two merge to.
    #[inline(always)]
    pub(super) fn get(&self, left: Token, right: Token) -> Option<Rank> {
        let Home { start, mask, at: home } = self.home(left, right)?;
        let mut at = home;
        loop {
            let slot = self.slots.get(start + at).copied().unwrap_or(EMPTY);
            if slot >> 32 == u64::from(right) {
                return Some(slot as Rank);
            }
            at = (at + 1) & mask;
            if slot == EMPTY || at == home {
                return None;
            }
        }
    }

    fn insert(&mut self, info: &TokenInfo) {
        let Some(Home { start, mask, mut at }) = self.home(info.left, info.right) else { return };
        while let Some(slot) = self.slots.get_mut(start + at) {
            if *slot == EMPTY {
                *slot = u64::from(info.right) << 32 | u64::from(info.rank);
                return;
            }
            at = (at + 1) & mask;
        }
    }

    #[inline(always)]
    fn home(&self, left: Token, right: Token) -> Option<Home> {
        let table = self.tables.get(left as usize).copied().unwrap_or(0);
        let size_bits = (table & ((1 << SIZE_BITS) - 1)).checked_sub(1)?;
        let hash = u64::from(right.wrapping_mul(0x9E37_79B1));
        let at = (hash << size_bits >> 32) as usize;
        Some(Home { start: (table >> SIZE_BITS) as usize, mask: (1 << size_bits) - 1, at })
    }
}
