//! The tokens of at most 15 bytes, by their bytes: whether a piece is one token, mostly in one load.

use super::packed::Piece;

/// Two open-addressed tables: the short pieces, which are the most, in half the room.
pub(super) struct PieceSet {
    short: Vec<u64>,
    long: Vec<u128>,
}

impl PieceSet {
    pub(super) fn new(pieces: &[Piece]) -> Self {
        let short = pieces.iter().filter(|piece| piece.short().is_some()).count();
        let slots_for = |len: usize| len * 7 / 4 + 1;
        let mut set = Self { short: vec![0; slots_for(short)], long: vec![0; slots_for(pieces.len() - short)] };
        for piece in pieces {
            match piece.short() {
                Some(bits) => insert(&mut set.short, bits, piece.hash()),
                None => insert(&mut set.long, piece.bits(), piece.hash()),
            }
        }
        set
    }

    #[inline(always)]
    pub(super) fn contains(&self, piece: Piece, hash: u64) -> bool {
        match piece.short() {
            Some(bits) => contains(&self.short, bits, hash),
            None => contains(&self.long, piece.bits(), hash),
        }
    }
}

fn insert<T: Default + PartialEq>(slots: &mut [T], key: T, hash: u64) {
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

#[inline(always)]
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

#[inline(always)]
fn home(hash: u64, slots: usize) -> usize {
    (((hash >> 32) * slots as u64) >> 32) as usize
}
