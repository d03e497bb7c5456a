//! Keys of stored values. Numbers are big-endian, so keys sort as the numbers do.

/// Ends a context's id inside a key; no id holds it.
const END: u8 = 0;

fn numbered(id: &str, number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(id.len() + 9);
    key.extend_from_slice(id.as_bytes());
    key.push(END);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

fn tagged(id: &str, tag: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(id.len() + 2 + rest.len());
    key.extend_from_slice(id.as_bytes());
    key.push(END);
    key.push(tag);
    key.extend_from_slice(rest);
    key
}

fn prefixed(prefix: u8, id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(id.len() + 1);
    key.push(prefix);
    key.extend_from_slice(id.as_bytes());
    key
}

/// In `records`: the record that begins at a version.
#[must_use]
pub fn record(id: &str, first_version: u64) -> Vec<u8> {
    numbered(id, first_version)
}

/// In `index`: a chunk.
#[must_use]
pub fn chunk(id: &str, number: u64) -> Vec<u8> {
    numbered(id, number)
}

/// In `state`: the snapshot.
#[must_use]
pub fn snapshot(id: &str) -> Vec<u8> {
    prefixed(b'c', id)
}

/// In `state`: the marker of a context that needs compaction.
#[must_use]
pub fn needs_marker(id: &str) -> Vec<u8> {
    prefixed(b'n', id)
}

/// In `keys`: an idempotency key.
#[must_use]
pub fn idempotency(id: &str, key: &str) -> Vec<u8> {
    tagged(id, b'k', key.as_bytes())
}

/// In `keys`: the ordinal of the oldest key that is still stored.
#[must_use]
pub fn first_ordinal(id: &str) -> Vec<u8> {
    tagged(id, b'f', b"")
}

/// In `keys`: the name of the key with an ordinal.
#[must_use]
pub fn ordinal(id: &str, ordinal: u64) -> Vec<u8> {
    tagged(id, b'o', &ordinal.to_be_bytes())
}
