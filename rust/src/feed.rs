//! Values of the feed, which names the record at each position of a store. `log/feed.py` says how they are laid out, and
//! reads them.

use crc32fast::hash;

/// Of these values alone, as there.
const FORMAT: u8 = 1;

/// The value that names the record of a context whose last entry has `version`.
#[must_use]
pub fn entry(version: u64, id: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(id.len() + 13);
    value.push(FORMAT);
    value.extend_from_slice(&version.to_be_bytes());
    value.extend_from_slice(id.as_bytes());
    value.extend_from_slice(&hash(&value).to_le_bytes());
    value
}
