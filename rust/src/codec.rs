//! The frame of stored values: a format byte, a payload, a checksum.

use serde::de::DeserializeOwned;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};

/// Format of every value that this version writes.
pub const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

/// Encodes a value in its frame.
#[must_use]
pub fn seal<T: Serialize>(value: &T) -> Vec<u8> {
    // Writing to memory can't fail, and no stored type holds what postcard can't write (a sequence of unknown length).
    let payload = postcard::to_allocvec(value).unwrap_or_default();
    let mut bytes = Vec::with_capacity(payload.len() + 1 + CHECKSUM_BYTES);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&payload);
    append_checksum(&mut bytes);
    bytes
}

/// Appends the checksum of all that `bytes` holds.
pub fn append_checksum(bytes: &mut Vec<u8>) {
    let checksum = xxh3_64(bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
}

/// Checks the frame of a value and gives what stands between format byte and checksum.
///
/// # Errors
/// [`Error::Corrupt`] for a wrong checksum, [`Error::UnknownFormat`] for another format.
pub fn unframe<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8]> {
    let Some((framed, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(Error::corrupt(format!("{what} is cut short")));
    };
    if xxh3_64(framed).to_le_bytes() != *checksum {
        return Err(Error::corrupt(format!("{what} fails its checksum")));
    }
    match framed.split_first() {
        Some((&FORMAT, payload)) => Ok(payload),
        Some((&format, _)) => Err(Error::UnknownFormat { what, format }),
        None => Err(Error::corrupt(format!("{what} is empty"))),
    }
}

/// Decodes what [`seal`] wrote.
///
/// # Errors
/// As [`unframe`], and [`Error::Corrupt`] when the payload is not of that type.
pub fn open<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T> {
    let payload = unframe(what, bytes)?;
    postcard::from_bytes(payload).map_err(|cause| Error::corrupt(format!("{what} can't be decoded ({cause})")))
}
