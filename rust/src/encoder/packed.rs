//! A short piece of text as one number.

/// The longest piece that can be packed.
pub(super) const BYTES_MAX: usize = 15;

/// A piece of 1 to 15 bytes: its bytes from the lowest up, its length in the top byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece(u128);

const LEN_SHIFT: u32 = 120;

impl Piece {
    /// The first `len` bytes of a window.
    #[inline(always)]
    pub(super) fn of_window(window: u128, len: usize) -> Self {
        let mask = 1u128.unbounded_shl(len as u32 * 8).wrapping_sub(1);
        Self(window & mask | (len as u128) << LEN_SHIFT)
    }

    /// All of at most 15 bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::of_window(padded_window(bytes, 0), bytes.len())
    }

    #[inline(always)]
    pub(super) fn bits(self) -> u128 {
        self.0
    }

    /// The piece in 64 bits, if it has at most 7 bytes.
    #[inline(always)]
    pub(super) fn short(self) -> Option<u64> {
        let len = (self.0 >> LEN_SHIFT) as u64;
        (len < 8).then_some(self.0 as u64 | len << 56)
    }

    /// 64 well mixed bits.
    #[inline(always)]
    pub(super) fn hash(self) -> u64 {
        let (low, high) = (self.0 as u64 ^ 0x9E37_79B9_7F4A_7C15, (self.0 >> 64) as u64 ^ 0xD1B5_4A32_D192_ED03);
        let product = u128::from(low) * u128::from(high);
        product as u64 ^ (product >> 64) as u64
    }
}

/// The 16 bytes from `at` on, where the text has as many.
#[inline(always)]
pub(super) fn window(text: &[u8], at: usize) -> Option<u128> {
    text.get(at..)?.first_chunk().map(|bytes| u128::from_le_bytes(*bytes))
}

/// The same at the end of the text: the missing bytes are zeros.
#[inline]
pub(super) fn padded_window(text: &[u8], at: usize) -> u128 {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().take(16).rev().fold(0, |window, &byte| window << 8 | u128::from(byte))
}
