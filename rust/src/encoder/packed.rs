//! A short piece of text as one number.

/// The longest piece that can be packed.
pub(super) const BYTES_MAX: usize = 15;

/// A piece of 1 to 15 bytes: its bytes from the lowest up, its length in the top byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece(u128);

const LEN_SHIFT: u32 = 120;

/// For each length the bits of the bytes, and the length's own.
static SHAPES: [(u128, u128); 16] = shapes();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn shapes() -> [(u128, u128); 16] {
    let mut shapes = [(0, 0); 16];
    let mut len = 0;
    while len < 16 {
        shapes[len] = ((1 << (len * 8)) - 1, (len as u128) << LEN_SHIFT);
        len += 1;
    }
    shapes
}

impl Piece {
    /// The first `len` bytes of a window.
    #[inline(always)]
    pub(super) fn of_window(window: u128, len: usize) -> Self {
        let (mask, top) = SHAPES.get(len).copied().unwrap_or_default();
        Self(window & mask | top)
    }

    /// All of 1 to 15 bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::of_window(window(bytes, 0), bytes.len())
    }

    /// A run of one byte that is longer than other packed pieces: the byte, and above it the length.
    pub(super) fn of_run(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        (bytes.len() > BYTES_MAX && rest.iter().all(|&byte| byte == first))
            .then_some(Self((bytes.len() as u128) << 8 | u128::from(first)))
    }

    /// The piece in 64 bits, if it has at most 7 bytes.
    #[inline(always)]
    pub(super) fn short(self) -> Option<u64> {
        let len = (self.0 >> LEN_SHIFT) as u64;
        (len < 8).then_some(self.0 as u64 | len << 56)
    }

    #[inline(always)]
    pub(super) fn bits(self) -> u128 {
        self.0
    }

    /// 64 well mixed bits.
    #[inline(always)]
    pub(super) fn hash(self) -> u64 {
        let (low, high) = (self.0 as u64 ^ 0x9E37_79B9_7F4A_7C15, (self.0 >> 64) as u64 ^ 0xD1B5_4A32_D192_ED03);
        let product = u128::from(low) * u128::from(high);
        product as u64 ^ (product >> 64) as u64
    }
}

/// The 16 bytes from `at` on; zeros past the end of the text.
#[inline(always)]
pub(super) fn window(text: &[u8], at: usize) -> u128 {
    let rest = text.get(at..).unwrap_or_default();
    rest.first_chunk().map_or_else(|| last_window(rest), |bytes| u128::from_le_bytes(*bytes))
}

#[cold]
fn last_window(rest: &[u8]) -> u128 {
    rest.iter().take(16).rev().fold(0, |window, &byte| window << 8 | u128::from(byte))
}
