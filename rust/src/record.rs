//! The record: one accepted write, as the log stores it. The layout stands in ARCHITECTURE.md.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::entry::{Bytes16, Entry, RewriteHead};
use crate::error::{Error, Result};
use crate::index::to_usize;

const CHAIN_BYTES: usize = 16;
const LENGTH_BYTES: usize = 4;
const BODIES_PRESENT: u8 = 0;
const BODIES_ERASED: u8 = 1;

/// Length and digest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BodyMeta {
    len: u32,
    digest: Bytes16,
}

/// The idempotency header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHeader {
    /// The key.
    pub key: String,
    /// Hash of route and payload.
    pub hash: Bytes16,
    /// How many keys the context had seen before.
    pub ordinal: u64,
    /// The reply.
    pub reply: Vec<u8>,
}

/// The idempotency header as it is stored: the reply may hold the user's own words, so it is a body.
#[derive(Debug, Serialize, Deserialize)]
struct KeyWire {
    key: String,
    hash: Bytes16,
    ordinal: u64,
    reply_slot: u32,
}

/// What is kept after a record, for readers of the log that hold no state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Kept tokens, calibration included.
    pub used_tokens: u64,
    /// They are over the trigger.
    pub needs_compaction: bool,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    first_version: u64,
    last_version: u64,
    time_ms: i64,
    first_seq: u64,
    after: After,
    bodies: Vec<BodyMeta>,
    key: Option<KeyWire>,
    #[serde(borrow)]
    entries: Vec<(u8, &'a [u8])>,
}

/// One accepted write.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Version of its first entry.
    pub first_version: u64,
    /// When it was planned, never earlier than the record before; ms since 1970.
    pub time_ms: i64,
    /// `seq` of its first message, or of the next one where it has none.
    pub first_seq: u64,
    /// What is kept after it.
    pub after: After,
    /// What it says.
    pub entries: Vec<Entry>,
    /// Set where the caller gave a key.
    pub key: Option<KeyHeader>,
}

/// The first sixteen bytes of BLAKE3 over all parts.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> Bytes16 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut short = [0; 16];
    short.copy_from_slice(hasher.finalize().as_bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
    short
}

impl Record {
    /// Version of its last entry.
    #[must_use]
    pub fn last_version(&self) -> u64 {
        self.first_version + (self.entries.len() as u64).saturating_sub(1)
    }

    /// The stored form and the chain after it. `bodies` are those of its messages, then those of its exceptions.
    #[must_use]
    pub fn encode(&self, bodies: &[Cow<'_, [u8]>], chain: Bytes16) -> (Vec<u8>, Bytes16) {
        let first_slot = u32::try_from(bodies.len()).unwrap_or(u32::MAX);
        let mut texts: Vec<Vec<u8>> = Vec::new();
        let payloads = self.entries.iter().map(|e| (e.kind(), e.encode(&mut texts, first_slot)));
        let payloads: Vec<(u8, Vec<u8>)> = payloads.collect();
        let key = self.key.as_ref().map(|header| {
            texts.push(header.reply.clone());
            let reply_slot = first_slot.saturating_add(u32::try_from(texts.len() - 1).unwrap_or(u32::MAX));
            KeyWire { key: header.key.clone(), hash: header.hash, ordinal: header.ordinal, reply_slot }
        });
        let bodies: Vec<&[u8]> = bodies.iter().map(|body| &**body).chain(texts.iter().map(Vec::as_slice)).collect();
        let header = Header {
            first_version: self.first_version,
            last_version: self.last_version(),
            time_ms: self.time_ms,
            first_seq: self.first_seq,
            bodies: bodies
                .iter()
                .map(|b| BodyMeta { len: u32::try_from(b.len()).unwrap_or(u32::MAX), digest: digest(&[*b]) })
                .collect(),
            after: self.after,
            key,
            entries: payloads.iter().map(|(kind, payload)| (*kind, payload.as_slice())).collect(),
        };
        // Writing to memory can't fail, and the header holds no sequence of unknown length.
        let header = postcard::to_allocvec(&header).unwrap_or_default();
        let chain = digest(&[&chain, &header]);
        let body_bytes: usize = bodies.iter().map(|body| body.len()).sum();
        let mut bytes = Vec::with_capacity(header.len() + body_bytes + 40);
        bytes.push(codec::FORMAT);
        bytes.extend_from_slice(&u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&chain);
        bytes.push(BODIES_PRESENT);
        for body in &bodies {
            bytes.extend_from_slice(body);
        }
        codec::append_checksum(&mut bytes);
        (bytes, chain)
    }
}

/// A stored record, read without decoding its entries.
#[derive(Debug)]
pub struct StoredRecord<'a> {
    /// Version of its first entry.
    pub first_version: u64,
    /// Version of its last entry.
    pub last_version: u64,
    /// Its time, ms since 1970.
    pub time_ms: i64,
    /// `seq` of its first message.
    pub first_seq: u64,
    /// What is kept after it.
    pub after: After,
    /// The chain after it.
    pub chain: Bytes16,
    key: Option<KeyWire>,
    header: &'a [u8],
    entries: Vec<(u8, &'a [u8])>,
    metas: Vec<BodyMeta>,
    /// Offsets of the bodies in `bodies`, and their end.
    offsets: Vec<usize>,
    bodies: Option<&'a [u8]>,
}

impl<'a> StoredRecord<'a> {
    /// Reads the frame and the header.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::UnknownFormat`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let short = || Error::corrupt("a record is cut short");
        let payload = codec::unframe("record", bytes)?;
        let (length, rest) = payload.split_first_chunk::<LENGTH_BYTES>().ok_or_else(short)?;
        let length = to_usize(u64::from(u32::from_le_bytes(*length)));
        let (header_bytes, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        let (chain, rest) = rest.split_first_chunk::<CHAIN_BYTES>().ok_or_else(short)?;
        let (state, bodies) = rest.split_first().ok_or_else(short)?;
        let header: Header<'a> = postcard::from_bytes(header_bytes)?;
        let mut offsets = Vec::with_capacity(header.bodies.len() + 1);
        let mut end = 0usize;
        offsets.push(0);
        for meta in &header.bodies {
            end += to_usize(u64::from(meta.len));
            offsets.push(end);
        }
        if *state == BODIES_PRESENT && bodies.len() != end {
            return Err(short());
        }
        Ok(Self {
            first_version: header.first_version,
            last_version: header.last_version,
            time_ms: header.time_ms,
            first_seq: header.first_seq,
            after: header.after,
            key: header.key,
            chain: *chain,
            header: header_bytes,
            entries: header.entries,
            metas: header.bodies,
            offsets,
            bodies: (*state != BODIES_ERASED).then_some(bodies),
        })
    }

    /// One body.
    ///
    /// # Errors
    /// [`Error::Erased`] when it was erased, [`Error::Corrupt`] when there is none of that number.
    pub fn body(&self, slot: u32) -> Result<&'a [u8]> {
        let bodies = self.bodies.ok_or(Error::Erased { version: self.first_version })?;
        let slot = to_usize(u64::from(slot));
        let body = match (self.offsets.get(slot), self.offsets.get(slot + 1)) {
            (Some(from), Some(to)) => bodies.get(*from..*to),
            _ => None,
        };
        body.ok_or_else(|| Error::corrupt(format!("record {} has no body {slot}", self.first_version)))
    }

    /// Its idempotency header. The reply is empty where it was erased.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the reply is lost.
    pub fn key(&self) -> Result<Option<KeyHeader>> {
        let Some(wire) = &self.key else { return Ok(None) };
        let reply = match self.body(wire.reply_slot) {
            Ok(reply) => reply.to_vec(),
            Err(Error::Erased { .. }) => Vec::new(),
            Err(other) => return Err(other),
        };
        Ok(Some(KeyHeader { key: wire.key.clone(), hash: wire.hash, ordinal: wire.ordinal, reply }))
    }

    /// The text of a body that is a JSON object; an empty one where it was erased.
    fn text(&self, slot: u32) -> Result<String> {
        match self.body(slot) {
            Ok(text) => String::from_utf8(text.to_vec()).map_err(|_| Error::corrupt("stored metadata is not UTF-8")),
            Err(Error::Erased { .. }) => Ok("{}".into()),
            Err(other) => Err(other),
        }
    }

    /// Checks the chain, and the digests of the bodies unless they were erased.
    ///
    /// # Errors
    /// [`Error::Corrupt`] that says which.
    pub fn verify(&self, chain: Bytes16) -> Result<()> {
        self.verify_chain(chain)?;
        if self.bodies.is_none() {
            return Ok(());
        }
        for (slot, meta) in (0u32..).zip(&self.metas) {
            if digest(&[self.body(slot)?]) != meta.digest {
                return Err(Error::corrupt(format!(
                    "body {slot} of record {} is not what was written",
                    self.first_version
                )));
            }
        }
        Ok(())
    }

    /// Checks that the record continues the one with that chain.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it doesn't.
    pub fn verify_chain(&self, chain: Bytes16) -> Result<()> {
        if digest(&[&chain, self.header]) != self.chain {
            return Err(Error::corrupt(format!(
                "record {} does not continue the chain: records are lost, altered or reordered",
                self.first_version
            )));
        }
        Ok(())
    }

    /// Its entries up to that of `version`: kind and payload.
    fn entries_until(&self, version: u64) -> impl DoubleEndedIterator<Item = &(u8, &'a [u8])> {
        let count = version.saturating_add(1).saturating_sub(self.first_version);
        self.entries.get(..to_usize(count)).unwrap_or(&self.entries).iter()
    }

    /// Number of the last message at `version`, which is one of this record's.
    #[must_use]
    pub fn last_seq_at(&self, version: u64) -> u64 {
        let appended = self.entries_until(version).filter(|(kind, _)| *kind == Entry::APPENDED).count() as u64;
        self.first_seq.saturating_add(appended).saturating_sub(1)
    }

    /// The entry at `version`, which is one of this record's.
    ///
    /// # Errors
    /// As [`StoredRecord::decode`].
    pub fn entry(&self, version: u64) -> Result<Entry> {
        let (kind, payload) = self.entries_until(version).next_back().copied().unwrap_or_default();
        Entry::decode(kind, payload, version, |slot| self.text(slot))
    }

    /// The rewrite at `version`, without its kept list.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where there is none.
    pub fn rewrite_head(&self, version: u64) -> Result<RewriteHead> {
        let (kind, payload) = self.entries_until(version).next_back().copied().unwrap_or_default();
        RewriteHead::decode(kind, payload)?
            .ok_or_else(|| Error::corrupt(format!("version {version} is no rewrite, as a later one says")))
    }

    /// The first version from `version` backwards whose entry is of a kind that `wanted` names.
    #[must_use]
    pub fn newest_of(&self, version: u64, wanted: impl Fn(u8) -> bool) -> Option<u64> {
        let kinds = self.entries_until(version).map(|(kind, _)| *kind);
        let mut numbered: Vec<(u64, u8)> = (self.first_version..).zip(kinds).collect();
        numbered.retain(|(_, kind)| wanted(*kind));
        numbered.last().map(|(version, _)| *version)
    }

    /// Decodes its entries.
    ///
    /// # Errors
    /// [`Error::UnknownEntry`] or [`Error::Corrupt`].
    pub fn decode(&self) -> Result<Record> {
        let entries = self.entries.iter().enumerate().map(|(at, (kind, payload))| {
            let version = self.first_version.saturating_add(at as u64);
            Entry::decode(*kind, payload, version, |slot| self.text(slot))
        });
        let entries: Vec<Entry> = entries.collect::<Result<_>>()?;
        let last_version = self.first_version.checked_add(entries.len() as u64).and_then(|next| next.checked_sub(1));
        if entries.is_empty() || last_version != Some(self.last_version) {
            return Err(Error::corrupt(format!(
                "record {} has another number of entries than it says",
                self.first_version
            )));
        }
        Ok(Record {
            first_version: self.first_version,
            time_ms: self.time_ms,
            first_seq: self.first_seq,
            after: self.after,
            entries,
            key: self.key()?,
        })
    }
}

/// The record with its bodies erased; its chain stays whole.
///
/// # Errors
/// [`Error::Corrupt`] when it is no record.
pub fn erase(bytes: &[u8]) -> Result<Vec<u8>> {
    let record = StoredRecord::parse(bytes)?;
    let kept = 1 + LENGTH_BYTES + record.header.len() + CHAIN_BYTES;
    let mut erased = bytes.get(..kept).unwrap_or_default().to_vec();
    erased.push(BODIES_ERASED);
    codec::append_checksum(&mut erased);
    Ok(erased)
}
