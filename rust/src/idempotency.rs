//! Idempotency keys as they are stored: found by name, and forgotten in the order in which they came.

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::context::Put;
use crate::entry::Bytes16;
use crate::error::{Error, Family, Need, Result};
use crate::fetched::Fetched;
use crate::keys;
use crate::limits::{KEYS_FORGOTTEN, KEYS_NEWER, KEY_AGE_MS};
use crate::record::KeyHeader;
use crate::state::State;

/// What is stored for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEntry {
    /// The record that it made.
    pub first_version: u64,
    /// How many keys the context had seen before.
    pub ordinal: u64,
    /// Time of that record, ms since 1970.
    pub time_ms: i64,
    /// Hash of route and payload.
    pub hash: Bytes16,
}

/// What a keyed record stores: the key, and its name by ordinal.
#[must_use]
pub fn puts(id: &str, header: &KeyHeader, first_version: u64, time_ms: i64) -> [Put; 2] {
    let entry = KeyEntry { first_version, ordinal: header.ordinal, time_ms, hash: header.hash };
    [
        (Family::Keys, keys::idempotency(id, &header.key), Some(codec::seal(&entry))),
        (Family::Keys, keys::ordinal(id, header.ordinal), Some(codec::seal(&header.key))),
    ]
}

/// A key that is remembered.
///
/// # Errors
/// [`Error::Need`], [`Error::Corrupt`].
pub fn find(state: &State, key: &str, now_ms: i64, fetched: &Fetched) -> Result<Option<KeyEntry>> {
    let Some(bytes) = fetched.get(Family::Keys, keys::idempotency(&state.id, key))? else { return Ok(None) };
    let entry: KeyEntry = codec::open("idempotency key", bytes)?;
    Ok(Some(entry).filter(|entry| !is_forgotten(state, entry, now_ms.max(state.updated_ms))))
}

/// Old by time, and behind enough newer keys.
fn is_forgotten(state: &State, entry: &KeyEntry, now_ms: i64) -> bool {
    now_ms - entry.time_ms > KEY_AGE_MS && state.keys_total > entry.ordinal + KEYS_NEWER
}

/// Deletes of keys that are forgotten, oldest first, some at a time.
///
/// # Errors
/// [`Error::Need`], [`Error::Corrupt`].
pub fn forget(state: &State, fetched: &Fetched) -> Result<Vec<Put>> {
    let Some(end) = state.keys_total.checked_sub(KEYS_NEWER).filter(|end| *end > 0) else { return Ok(Vec::new()) };
    let place = keys::first_ordinal(&state.id);
    let first = fetched.get(Family::Keys, place.clone())?;
    let first: u64 = first.map_or(Ok(0), |bytes| codec::open("first idempotency key", bytes))?;
    let end = end.min(first + KEYS_FORGOTTEN);
    let names = names(state, first..end, fetched)?;
    let entries = entries(state, &names, fetched)?;
    let mut deletes: Vec<Put> = Vec::new();
    let mut next = first;
    for (ordinal, (name, entry)) in (first..).zip(names.iter().zip(&entries)) {
        match entry {
            // Used again after it was forgotten: only its old place goes.
            Some(entry) if entry.ordinal != ordinal => {}
            Some(entry) if !is_forgotten(state, entry, state.updated_ms) => break,
            Some(_) => deletes.push((Family::Keys, keys::idempotency(&state.id, name), None)),
            None => {}
        }
        deletes.push((Family::Keys, keys::ordinal(&state.id, ordinal), None));
        next = ordinal + 1;
    }
    if next > first {
        deletes.push((Family::Keys, place, Some(codec::seal(&next))));
    }
    Ok(deletes)
}

/// The names of keys, by ordinal.
fn names(state: &State, ordinals: std::ops::Range<u64>, fetched: &Fetched) -> Result<Vec<String>> {
    let stored = all(ordinals.map(|ordinal| keys::ordinal(&state.id, ordinal)), fetched)?;
    stored
        .into_iter()
        .map(|bytes| bytes.map_or(Ok(String::new()), |bytes| codec::open("idempotency key name", bytes)))
        .collect()
}

fn entries(state: &State, names: &[String], fetched: &Fetched) -> Result<Vec<Option<KeyEntry>>> {
    let stored = all(names.iter().map(|name| keys::idempotency(&state.id, name)), fetched)?;
    stored.into_iter().map(|bytes| bytes.map(|bytes| codec::open("idempotency key", bytes)).transpose()).collect()
}

/// Several values, so that all that lack are asked for together.
fn all(wanted: impl Iterator<Item = Vec<u8>>, fetched: &Fetched) -> Result<Vec<Option<&[u8]>>> {
    let mut need = Need::default();
    let mut found = Vec::new();
    for key in wanted {
        match fetched.get(Family::Keys, key) {
            Ok(value) => found.push(value.map(|bytes| &**bytes)),
            Err(Error::Need(more)) => need.keys.extend(more.keys),
            Err(other) => return Err(other),
        }
    }
    if need.is_empty() {
        Ok(found)
    } else {
        Err(Error::Need(Box::new(need)))
    }
}
