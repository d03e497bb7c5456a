//! What a thread remembers between calls: the counts of short pieces met lately, and memory for
//! the merging. It changes the time that a count takes, never the count.

use std::cell::Cell;

use super::{merge::Scratch, packed::Piece, Encoding};

/// 8192 counts of 16 bytes: 128 KiB for each thread and encoding.
const SLOTS: usize = 1 << 13;

/// The count stands in the top bits of a packed piece, above the length: 15 bytes are at most 15 tokens.
const COUNT_SHIFT: u32 = 124;

pub(super) struct Cache {
    counts: Box<[u128]>,
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
        Self { counts: vec![0; SLOTS].into_boxed_slice(), scratch: Scratch::default() }
    }

    #[inline(always)]
    pub(super) fn get(&self, piece: Piece, hash: u64) -> Option<usize> {
        let slot = self.counts.get(hash as usize % SLOTS).copied().unwrap_or(0);
        let count = slot >> COUNT_SHIFT;
        (slot ^ count << COUNT_SHIFT == piece.bits()).then_some(count as usize)
    }

    pub(super) fn put(&mut self, piece: Piece, hash: u64, count: usize) {
        if let Some(slot) = self.counts.get_mut(hash as usize % SLOTS) {
            *slot = piece.bits() | (count as u128) << COUNT_SHIFT;
        }
    }
}
