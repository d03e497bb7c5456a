//! What planning a write comes to: a record to commit, with all that lands beside it.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::error::Family;
use crate::fetched::InFlight;
use crate::idempotency;
use crate::keys;
use crate::policy::Columns;
use crate::record::{KeyHeader, Record};
use crate::request::Request;
use crate::state::State;

/// A value to write; nothing deletes the key.
pub type Put = (Family, Vec<u8>, Option<Vec<u8>>);

/// What planning a request comes to.
#[derive(Debug)]
pub enum Outcome {
    /// A record to commit.
    Commit(Commit),
    /// Nothing to commit: the reply holds once `version` is visible.
    Done {
        /// The reply.
        reply: Vec<u8>,
        /// The version that it tells of.
        version: u64,
        /// The request was made before, under the same key.
        replayed: bool,
    },
    /// A custom policy has to decide: plan again with what it decided. Nothing is planned meanwhile.
    Consult(Box<Columns>),
}

/// A planned record.
#[derive(Debug)]
pub struct Commit {
    /// Version of its first entry.
    pub first_version: u64,
    /// Version of its last entry.
    pub version: u64,
    /// What is written, the record first, all or nothing.
    pub puts: Vec<Put>,
    /// The reply once it is visible.
    pub reply: Vec<u8>,
    /// The context was created by it.
    pub created: bool,
}

impl Commit {
    /// Bytes of keys and values that are written.
    #[must_use]
    pub fn puts_bytes(&self) -> usize {
        self.puts.iter().map(|(_, key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum()
    }
}

/// Encodes a record that is folded into the planned state already, and ends it there.
pub(crate) fn seal(
    planned: &mut State,
    in_flight: &mut VecDeque<InFlight>,
    record: Record,
    bodies: &[Cow<'_, [u8]>],
    reply: Vec<u8>,
) -> Commit {
    let (bytes, chain) = record.encode(bodies, planned.chain);
    planned.end_record(record.time_ms, chain, record.key.is_some());
    let id = &planned.id;
    let first_version = record.first_version;
    let version = record.last_version();
    let mut puts: Vec<Put> = Vec::with_capacity(4);
    puts.push((Family::Records, keys::record(id, first_version), Some(bytes.clone())));
    if let Some(header) = &record.key {
        puts.extend(idempotency::puts(id, header, first_version, record.time_ms));
    }
    in_flight.push_back(InFlight { record, bytes: bytes.into(), chain });
    Commit { first_version, version, puts, reply, created: false }
}

/// The idempotency header of a request that has a key.
pub(crate) fn key_header(request: &Request, ordinal: u64, reply: &[u8]) -> Option<KeyHeader> {
    request.key.clone().map(|key| KeyHeader { key, hash: request.hash, ordinal, reply: reply.to_vec() })
}
