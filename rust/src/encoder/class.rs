//! The Unicode classes that the split patterns speak of, from the tables of the reference's own
//! regex engine (`build.rs`). Each class is one bit, so a set of classes is a mask.

/// `\p{Lu}` and `\p{Lt}`.
pub(super) const UPPER: u8 = 1;
/// `\p{Ll}`.
pub(super) const LOWER: u8 = 2;
/// `\p{Lm}` and `\p{Lo}`: letters without case.
pub(super) const CASELESS: u8 = 4;
/// `\p{M}`.
pub(super) const MARK: u8 = 8;
/// `\p{N}`.
pub(super) const NUMBER: u8 = 16;
/// `\s` but for the newlines.
pub(super) const SPACE: u8 = 32;
/// `\r` and `\n`.
pub(super) const NEWLINE: u8 = 64;
/// Everything else: punctuation, symbols, controls, unassigned code points.
pub(super) const REST: u8 = 128;
/// `\p{L}`.
pub(super) const LETTER: u8 = UPPER | LOWER | CASELESS;
/// The class of the end of the text: in no set.
const END: u8 = 0;

static INDEX: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/class_index.bin"));
const PAGES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/class_pages.bin"));

/// The classes of the ASCII characters; 0 for the bytes beyond.
static ASCII: [u8; 256] = ascii_classes();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn ascii_classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut code = 0;
    while code < 0x80 {
        classes[code] = PAGES[code];
        code += 1;
    }
    classes
}

/// The class of an ASCII character; of other bytes none.
#[inline(always)]
pub(super) fn ascii_class(byte: u8) -> u8 {
    ASCII.get(usize::from(byte)).copied().unwrap_or(0)
}

/// The class of the character that starts at `at`, and where it ends.
#[inline(always)]
pub(super) fn class_at(text: &[u8], at: usize) -> (u8, usize) {
    match text.get(at) {
        None => (END, at),
        Some(&byte) if byte < 0x80 => (ascii_class(byte), at + 1),
        Some(&byte) => wide_class_at(text, at, byte),
    }
}

/// The end of the run of characters of the classes `set` that starts at `at`.
#[inline]
pub(super) fn run(text: &[u8], mut at: usize, set: u8) -> usize {
    loop {
        let (class, next) = class_at(text, at);
        if class & set == 0 {
            return at;
        }
        at = next;
    }
}

fn wide_class_at(text: &[u8], at: usize, first: u8) -> (u8, usize) {
    let low = |offset: usize| u32::from(text.get(at + offset).copied().unwrap_or(0) & 0x3F);
    let first = u32::from(first);
    let (code, width) = if first < 0xE0 {
        ((first & 0x1F) << 6 | low(1), 2)
    } else if first < 0xF0 {
        ((first & 0x0F) << 12 | low(1) << 6 | low(2), 3)
    } else {
        ((first & 0x07) << 18 | low(1) << 12 | low(2) << 6 | low(3), 4)
    };
    (class_of(code), at + width)
}

#[inline(always)]
fn class_of(code: u32) -> u8 {
    let page = INDEX.get((code >> 8) as usize).copied().unwrap_or(0);
    PAGES.get(usize::from(page) << 8 | (code & 0xFF) as usize).copied().unwrap_or(REST)
}
