//! The hash tables of a vocabulary. Each is filled once and kept as small as exactness allows:
//! the time of a look-up is that of its cache misses.

use super::packed::{self, Piece};

/// How many slots a table has for each entry: 7/4.
fn slots_for(len: usize) -> usize {
    len * 7 / 4 + 1
}

/// Maps 64 bits to a slot.
#[inline(always)]
fn home(hash: u64, slots: usize) -> usize {
    ((hash >> 32) * slots as u64 >> 32) as usize
}

/// A set of packed pieces: the short ones, which are the most, in half the room.
pub(super) struct PieceSet {
    short: Box<[u64]>,
    long: Box<[u128]>,
}

impl PieceSet {
    pub(super) fn new<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let packed = pieces.filter(|piece| piece.len() <= packed::BYTES_MAX).map(Piece::of);
        let (short, long): (Vec<Piece>, Vec<Piece>) = packed.partition(|piece| piece.short().is_some());
        let mut set = Self {
            short: vec![0; slots_for(short.len())].into_boxed_slice(),
            long: vec![0; slots_for(long.len())].into_boxed_slice(),
        };
        for piece in short {
            insert(&mut set.short, piece.short().unwrap_or(0), piece.hash());
        }
        for piece in long {
            insert(&mut set.long, piece.bits(), piece.hash());
        }
        set
    }

    #[inline]
    pub(super) fn contains(&self, piece: Piece, hash: u64) -> bool {
        match piece.short() {
            Some(bits) => contains(&self.short, bits, hash),
            None => contains(&self.long, piece.bits(), hash),
        }
    }
}

fn insert<T: Copy + Default + PartialEq>(slots: &mut [T], key: T, hash: u64) {
    let mut at = home(hash, slots.len());
    loop {
        match slots.get_mut(at) {
            Some(slot) if *slot == T::default() => {
                *slot = key;
                return;
            }
            Some(_) => at += 1,
            None => at = 0,
        }
    }
}

#[inline]
fn contains<T: Copy + Default + PartialEq>(slots: &[T], key: T, hash: u64) -> bool {
    let mut at = home(hash, slots.len());
    loop {
        match slots.get(at) {
            Some(&slot) if slot == key => return true,
            Some(&slot) if slot == T::default() => return false,
            Some(_) => at += 1,
            None => at = 0,
        }
    }
}

/// Pairs of tokens to the token that they merge to: 18 bits of token, 14 of the pair's hash.
/// Whoever asks knows the halves of a token, so the pair itself needs no room.
pub(super) struct PairMap {
    slots: Box<[u32]>,
}

pub(super) const TOKEN_BITS: u32 = 18;
const TOKEN_MASK: u32 = (1 << TOKEN_BITS) - 1;

impl PairMap {
    pub(super) fn with_capacity(len: usize) -> Self {
        Self { slots: vec![0; slots_for(len)].into_boxed_slice() }
    }

    pub(super) fn insert(&mut self, pair: (u32, u32), token: u32) {
        let hash = Self::hash(pair);
        insert(&mut self.slots, token | (hash as u32) << TOKEN_BITS, hash);
    }

    /// The token of a pair, where `is_token` confirms it.
    #[inline]
    pub(super) fn find(&self, pair: (u32, u32), is_token: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = Self::hash(pair);
        let mut at = home(hash, self.slots.len());
        loop {
            match self.slots.get(at) {
                Some(0) => return None,
                Some(&slot)
                    if slot >> TOKEN_BITS == (hash as u32) << TOKEN_BITS >> TOKEN_BITS
                        && is_token(slot & TOKEN_MASK) =>
                {
                    return Some(slot & TOKEN_MASK);
                }
                Some(_) => at += 1,
                None => at = 0,
            }
        }
    }

    #[inline(always)]
    fn hash((left, right): (u32, u32)) -> u64 {
        let hash = (u64::from(left) << 32 | u64::from(right)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^ hash >> 29
    }
}

/// The edges of a trie: node and byte to node, in four bytes an edge.
///
/// The key is mixed by a bijection of its own width. Its upper bits say where the edge belongs;
/// what a slot keeps, the lower 8 bits and the distance from where it belongs, gives the key back,
/// so no edge is taken for another. Robin Hood probing keeps the distances below 32.
pub(super) struct EdgeMap {
    /// 5 bits of distance, 8 of the mixed key, 19 of the node; 0 is empty.
    slots: Box<[u32]>,
    key_bits: u32,
}

const NODE_BITS: u32 = 19;
const TAG_BITS: u32 = 8;
const DISTANCE_SHIFT: u32 = NODE_BITS + TAG_BITS;
/// Past the last place where an edge can belong, so that no probe wraps around.
const SPARE_SLOTS: usize = 64;

impl EdgeMap {
    /// For nodes below 2^`node_bits`, at most 19.
    pub(super) fn new(node_bits: u32) -> Self {
        Self { slots: vec![0; (1 << node_bits) + SPARE_SLOTS].into_boxed_slice(), key_bits: node_bits + TAG_BITS }
    }

    #[inline(always)]
    pub(super) fn get(&self, node: u32, byte: u8) -> Option<u32> {
        let (mut at, mut label) = self.place(node, byte);
        loop {
            let slot = self.slots.get(at).copied().unwrap_or(0);
            if slot == 0 || slot >> DISTANCE_SHIFT < label >> TAG_BITS {
                return None;
            }
            if slot >> NODE_BITS == label {
                return Some(slot & ((1 << NODE_BITS) - 1));
            }
            at += 1;
            label += 1 << TAG_BITS;
        }
    }

    /// Adds an edge that the map doesn't hold yet; `child` is not 0.
    pub(super) fn insert(&mut self, node: u32, byte: u8, child: u32) {
        let (mut at, label) = self.place(node, byte);
        let mut carried = label << NODE_BITS | child;
        while let Some(slot) = self.slots.get_mut(at) {
            if *slot == 0 {
                *slot = carried;
                return;
            }
            if *slot >> DISTANCE_SHIFT < carried >> DISTANCE_SHIFT {
                std::mem::swap(slot, &mut carried);
            }
            at += 1;
            carried += 1 << DISTANCE_SHIFT;
        }
    }

    /// Where an edge belongs, and the label that it has there.
    #[inline(always)]
    fn place(&self, node: u32, byte: u8) -> (usize, u32) {
        let mask = (1 << self.key_bits) - 1;
        let mut key = node << TAG_BITS | u32::from(byte);
        key = key.wrapping_mul(0x9E37_79B1) & mask;
        key ^= key >> (self.key_bits / 2);
        key = key.wrapping_mul(0x85EB_CA6B) & mask;
        ((key >> TAG_BITS) as usize, key & ((1 << TAG_BITS) - 1))
    }
}
