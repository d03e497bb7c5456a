//! What a thread remembers between calls: the counts of short pieces met lately, and memory for
//! the merging. It changes the time that a count takes, never the count.

use std::cell::Cell;

use super::{merge::Scratch, packed::Piece, Encoding};

/// Two counts of 16 bytes in each: 512 KiB for each thread and encoding, and half as much for
/// `MERGED`. With half of it, new prose takes a tenth longer after other prose.
const RECENT: usize = 1 << 14;
/// Kept apart, so that the many pieces that are one token, and quick to find, don't displace the
/// few that take merging.
const MERGED: usize = 1 << 13;

/// The count stands in the top bits of a packed piece, above the length: 15 bytes are at most 15 tokens.
const COUNT_SHIFT: u32 = 124;

pub(super) struct Cache {
    recent: Box<[[u128; 2]; RECENT]>,
    merged: Box<[[u128; 2]; MERGED]>,
    pub(super) scratch: Scratch,
}

impl Cache {
    /// Runs with this thread's cache of an encoding.
    pub(super) fn with<R>(encoding: Encoding, run: impl FnOnce(&mut Self) -> R) -> R {
        thread_local! {
            static O200K_BASE: Cell<Option<Cache>> = const { Cell::new(None) };
            static CL100K_BASE: Cell<Option<Cache>> = const { Cell::new(None) };
        }
        let key = match encoding {
            Encoding::O200kBase => &O200K_BASE,
            Encoding::Cl100kBase => &CL100K_BASE,
        };
        let kept = key.try_with(Cell::take).ok().flatten();
        let mut cache = kept.unwrap_or_else(Self::new);
        let result = run(&mut cache);
        // A thread that is ending has no place left: the cache goes.
        let _ = key.try_with(|cell| cell.set(Some(cache)));
        result
    }

    fn new() -> Self {
        Self { recent: zeros(), merged: zeros(), scratch: Scratch::default() }
    }

    /// The count of a piece met just now.
    #[inline(always)]
    pub(super) fn get(&self, piece: Piece, hash: u64) -> Option<usize> {
        get(&self.recent, piece, hash)
    }

    pub(super) fn put(&mut self, piece: Piece, hash: u64, count: usize) {
        put(&mut self.recent, piece, hash, count);
    }

    /// The count of a piece that is several tokens.
    #[inline]
    pub(super) fn get_merged(&self, piece: Piece, hash: u64) -> Option<usize> {
        get(&self.merged, piece, hash)
    }

    pub(super) fn put_merged(&mut self, piece: Piece, hash: u64, count: usize) {
        put(&mut self.merged, piece, hash, count);
    }
}

/// Zeros that never lie on the stack.
fn zeros<const N: usize>() -> Box<[[u128; 2]; N]> {
    vec![[0; 2]; N].into_boxed_slice().try_into().unwrap_or_else(|_| Box::new([[0; 2]; N]))
}

/// Looks at the two places where a piece may be, in one line of the processor's cache.
#[inline(always)]
fn get<const N: usize>(slots: &[[u128; 2]; N], piece: Piece, hash: u64) -> Option<usize> {
    let [newer, older] = slots.get(hash as usize % N).copied().unwrap_or_default();
    // A piece is in one of them at most: adding what each has to say needs no branch.
    let count_in = |slot: u128| {
        let count = slot >> COUNT_SHIFT;
        if slot ^ count << COUNT_SHIFT == piece.bits() {
            count as usize
        } else {
            0
        }
    };
    let count = count_in(newer) + count_in(older);
    (count > 0).then_some(count)
}

#[inline]
fn put<const N: usize>(slots: &mut [[u128; 2]; N], piece: Piece, hash: u64, count: usize) {
    if count >= 1 << (u128::BITS - COUNT_SHIFT) {
        return;
    }
    if let Some(slot) = slots.get_mut(hash as usize % N) {
        *slot = [piece.bits() | (count as u128) << COUNT_SHIFT, slot[0]];
    }
}
