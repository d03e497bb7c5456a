//! The log index: the columns of every message, by `seq`, with running token sums.
//!
//! Messages stand in chunks of [`CHUNK_ROWS`]. A full chunk never changes again: it is stored once, shared between the
//! visible and the planned state, and loaded only when a row of it is asked for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::error::{Error, Family, Need, Result};
use crate::limits::{CHUNK_ROWS, SEQ_MAX};
use crate::message::{Kinds, Role};

/// What is known of a message without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Tokens of the stored message.
    pub tokens: u32,
    /// First version of the record that holds it.
    pub version: u64,
    /// `created_at` where given, else the record's time, as a running maximum; ms since 1970.
    pub time_ms: i64,
    /// `seq` of the user message that opens its turn, 0 before the first.
    pub turn: u64,
    /// `seq` of the first message of its group, its own where it is in none.
    pub group: u64,
    /// Role as it counts.
    pub role: Role,
    /// Classes of its parts.
    pub kinds: Kinds,
    /// Where and how it stands in the kept list.
    pub flags: Flags,
}

impl Row {
    /// A user message that carries no results.
    #[must_use]
    pub fn is_user(&self) -> bool {
        self.role == Role::User && !self.flags.has(Flags::RESULTS) && !self.flags.has(Flags::OUT)
    }
}

/// Bits of a [`Row`] or of an item of the kept list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(pub u8);

impl Flags {
    /// Not in the kept list: an orphan result, or a late one that stands elsewhere.
    pub const OUT: Flags = Flags(1);
    /// Shown edited from the start.
    pub const EDITED: Flags = Flags(2);
    /// Never dropped by a policy.
    pub const PINNED: Flags = Flags(4);
    /// Repairs of older calls stand before it.
    pub const AFTER_REPAIRS: Flags = Flags(8);
    /// Carries results of an earlier message's calls.
    pub const RESULTS: Flags = Flags(16);
    /// Carries calls that its own message does not answer.
    pub const CALLS: Flags = Flags(32);

    /// True when all bits of `other` are set.
    #[must_use]
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These bits and those of `other`, if `on`.
    #[must_use]
    pub fn with(self, other: Flags, on: bool) -> Self {
        if on {
            Self(self.0 | other.0)
        } else {
            self
        }
    }
}

/// A row as it is held: 28 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    tokens_sum: u32,
    version_delta: u32,
    time_low: u32,
    time_high: i32,
    turn_distance: u32,
    group_distance: u32,
    kinds: u16,
    role: Role,
    flags: Flags,
}

const _: () = assert!(size_of::<Packed>() <= 28);

/// Up to [`CHUNK_ROWS`] rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    first_seq: u64,
    base_tokens: u64,
    base_version: u64,
    /// Version of the last rewrite when the chunk began.
    rewrite: u64,
    rows: Vec<Packed>,
}

#[derive(Serialize, Deserialize)]
struct ChunkWire {
    first_seq: u64,
    base_tokens: u64,
    base_version: u64,
    rewrite: u64,
    tokens: Vec<u32>,
    versions: Vec<u32>,
    times_ms: Vec<i64>,
    turns: Vec<u32>,
    groups: Vec<u32>,
    kinds: Vec<u16>,
    roles: Vec<u8>,
    flags: Vec<u8>,
}

impl Chunk {
    fn new(first_seq: u64, base_tokens: u64, base_version: u64, rewrite: u64) -> Self {
        Self { first_seq, base_tokens, base_version, rewrite, rows: Vec::new() }
    }

    fn tokens_sum(&self) -> u64 {
        self.base_tokens.saturating_add(self.rows.last().map_or(0, |r| u64::from(r.tokens_sum)))
    }

    /// Tokens of the messages before `seq`, which lies in this chunk or directly behind it.
    fn tokens_before(&self, seq: u64) -> u64 {
        let behind = to_usize(seq - self.first_seq);
        let sum = behind.checked_sub(1).and_then(|at| self.rows.get(at)).map_or(0, |r| u64::from(r.tokens_sum));
        self.base_tokens + sum
    }

    fn push(&mut self, row: &Row) {
        let seq = self.first_seq.saturating_add(self.rows.len() as u64);
        let sum = self.rows.last().map_or(0, |r| r.tokens_sum);
        self.rows.push(Packed {
            tokens_sum: sum.saturating_add(row.tokens),
            version_delta: narrow(row.version - self.base_version),
            time_low: (row.time_ms & 0xffff_ffff) as u32,
            time_high: (row.time_ms >> 32) as i32,
            turn_distance: if row.turn == 0 { u32::MAX } else { narrow(seq - row.turn) },
            group_distance: narrow(seq - row.group),
            kinds: row.kinds.0,
            role: row.role,
            flags: row.flags,
        });
    }

    fn row(&self, seq: u64) -> Option<Row> {
        let at = to_usize(seq.checked_sub(self.first_seq)?);
        let packed = self.rows.get(at)?;
        let before = at.checked_sub(1).and_then(|b| self.rows.get(b)).map_or(0, |r| r.tokens_sum);
        Some(Row {
            tokens: packed.tokens_sum - before,
            version: self.base_version + u64::from(packed.version_delta),
            time_ms: (i64::from(packed.time_high) << 32) | i64::from(packed.time_low),
            turn: if packed.turn_distance == u32::MAX { 0 } else { seq - u64::from(packed.turn_distance) },
            group: seq - u64::from(packed.group_distance),
            role: packed.role,
            kinds: Kinds(packed.kinds),
            flags: packed.flags,
        })
    }

    fn wire(&self) -> ChunkWire {
        let rows = (0..self.rows.len() as u64).filter_map(|at| self.row(self.first_seq + at));
        let rows: Vec<Row> = rows.collect();
        ChunkWire {
            first_seq: self.first_seq,
            base_tokens: self.base_tokens,
            base_version: self.base_version,
            rewrite: self.rewrite,
            tokens: rows.iter().map(|r| r.tokens).collect(),
            versions: self.rows.iter().map(|r| r.version_delta).collect(),
            times_ms: deltas(rows.iter().map(|r| r.time_ms)),
            turns: self.rows.iter().map(|r| r.turn_distance.wrapping_add(1)).collect(),
            groups: self.rows.iter().map(|r| r.group_distance).collect(),
            kinds: rows.iter().map(|r| r.kinds.0).collect(),
            roles: rows.iter().map(|r| r.role as u8).collect(),
            flags: rows.iter().map(|r| r.flags.0).collect(),
        }
    }

    fn unwire(wire: &ChunkWire) -> Result<Self> {
        let mut chunk = Self::new(wire.first_seq, wire.base_tokens, wire.base_version, wire.rewrite);
        let mut time_ms = 0i64;
        for (at, tokens) in wire.tokens.iter().enumerate() {
            let seq = wire.first_seq.saturating_add(at as u64);
            let short = || Error::corrupt(format!("index chunk at seq {} is short", wire.first_seq));
            time_ms = time_ms.wrapping_add(*wire.times_ms.get(at).ok_or_else(short)?);
            let turn = wire.turns.get(at).ok_or_else(short)?.wrapping_sub(1);
            let group = u64::from(*wire.groups.get(at).ok_or_else(short)?);
            let role = Role::from_u8(*wire.roles.get(at).ok_or_else(short)?);
            chunk.push(&Row {
                tokens: *tokens,
                version: wire.base_version.saturating_add(u64::from(*wire.versions.get(at).ok_or_else(short)?)),
                time_ms,
                turn: if turn == u32::MAX { 0 } else { seq.saturating_sub(u64::from(turn)) },
                group: seq.saturating_sub(group),
                role: role.ok_or_else(|| Error::corrupt("unknown role in an index chunk"))?,
                kinds: Kinds(*wire.kinds.get(at).ok_or_else(short)?),
                flags: Flags(*wire.flags.get(at).ok_or_else(short)?),
            });
        }
        Ok(chunk)
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::seal(&self.wire())
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::UnknownFormat`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::unwire(&codec::open("index chunk", bytes)?)
    }
}

/// The columns of one context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    chunks: Arc<Vec<Option<Arc<Chunk>>>>,
    tail: Chunk,
}

impl Default for Index {
    fn default() -> Self {
        Self { chunks: Arc::default(), tail: Chunk::new(1, 0, 0, 0) }
    }
}

impl Index {
    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tail.first_seq - 1 + self.tail.rows.len() as u64
    }

    /// True when there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of all messages.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.tail.tokens_sum()
    }

    /// Full chunks, loaded or not.
    #[must_use]
    pub fn chunk_count(&self) -> u64 {
        self.chunks.len() as u64
    }

    /// Adds the next message. `rewrite` is the version of the last rewrite.
    pub fn push(&mut self, row: &Row, rewrite: u64) {
        self.tail.push(row);
        if self.tail.rows.len() as u64 == CHUNK_ROWS {
            let next = Chunk::new(self.len() + 1, self.tail.tokens_sum(), row.version, rewrite);
            let full = std::mem::replace(&mut self.tail, next);
            Arc::make_mut(&mut self.chunks).push(Some(Arc::new(full)));
        }
    }

    /// Shares the chunks that `other`, which folded the same records, has sealed already.
    pub fn share(&mut self, other: &Index) {
        if self.chunks.len() == other.chunks.len() {
            self.chunks = Arc::clone(&other.chunks);
        }
    }

    fn chunk(&self, seq: u64) -> Result<&Chunk> {
        if seq >= self.tail.first_seq {
            return Ok(&self.tail);
        }
        let number = (seq - 1) / CHUNK_ROWS;
        match self.chunks.get(to_usize(number)) {
            Some(Some(chunk)) => Ok(chunk),
            Some(None) => Err(Error::need(Family::Index, number.to_be_bytes().to_vec())),
            None => Err(Error::corrupt(format!("no index chunk {number}"))),
        }
    }

    /// The row of a message.
    ///
    /// # Errors
    /// [`Error::Need`] for a chunk that is not loaded; its key is the chunk's number.
    pub fn row(&self, seq: u64) -> Result<Row> {
        self.chunk(seq)?.row(seq).ok_or_else(|| Error::corrupt(format!("no index row for seq {seq}")))
    }

    /// Sum of the tokens of all messages before `seq`.
    ///
    /// # Errors
    /// As [`Index::row`].
    pub fn tokens_before(&self, seq: u64) -> Result<u64> {
        if seq <= 1 {
            return Ok(0);
        }
        Ok(self.chunk(seq)?.tokens_before(seq))
    }

    /// Sum of the tokens of the messages `from..=to`.
    ///
    /// # Errors
    /// As [`Index::row`].
    pub fn tokens(&self, from: u64, to: u64) -> Result<u64> {
        Ok(self.tokens_before(to + 1)? - self.tokens_before(from)?)
    }

    /// The first `seq` in `from..=to + 1` that has at least `tokens` before it, found from the newest chunk backwards: what
    /// lies behind it belongs to the answer anyway.
    ///
    /// # Errors
    /// As [`Index::row`].
    pub fn seek(&self, tokens: u64, from: u64, to: u64) -> Result<u64> {
        let mut last = to;
        let mut chunk = self.chunk(last)?;
        while chunk.base_tokens >= tokens && chunk.first_seq > from {
            last = chunk.first_seq - 1;
            chunk = self.chunk(last)?;
        }
        let (mut low, mut high) = (chunk.first_seq.max(from), last + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if chunk.tokens_before(middle) >= tokens {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    /// The index as it was with `len` messages.
    ///
    /// # Errors
    /// As [`Index::row`].
    pub fn truncated(&self, len: u64) -> Result<Self> {
        if len >= self.len() {
            return Ok(self.clone());
        }
        let full = len / CHUNK_ROWS;
        let mut tail = self.chunk(full * CHUNK_ROWS + 1)?.clone();
        tail.rows.truncate(to_usize(len % CHUNK_ROWS));
        let chunks = self.chunks.iter().take(to_usize(full)).cloned().collect();
        Ok(Self { chunks: Arc::new(chunks), tail })
    }

    /// Checks that the rows of all messages `from..=to` are loaded, so that all chunks that lack are asked for together.
    ///
    /// # Errors
    /// As [`Index::row`].
    pub fn require(&self, from: u64, to: u64) -> Result<()> {
        let mut need = Need::default();
        let last = to.min(self.tail.first_seq - 1);
        for number in from.saturating_sub(1) / CHUNK_ROWS..last.div_ceil(CHUNK_ROWS) {
            if self.chunks.get(to_usize(number)).is_some_and(Option::is_none) {
                need.keys.push((Family::Index, number.to_be_bytes().to_vec()));
            }
        }
        if need.is_empty() {
            Ok(())
        } else {
            Err(Error::Need(Box::new(need)))
        }
    }

    /// The last rewrite when the first chunk began that starts behind message `seq`; nothing where none has begun.
    ///
    /// # Errors
    /// As [`Index::row`].
    pub fn rewrite_behind(&self, seq: u64) -> Result<Option<u64>> {
        let first = (seq / CHUNK_ROWS + 1) * CHUNK_ROWS + 1;
        if first > self.tail.first_seq {
            return Ok(None);
        }
        self.chunk(first).map(|chunk| Some(chunk.rewrite))
    }

    /// Puts a stored chunk in its place.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is not that chunk.
    pub fn load(&mut self, number: u64, bytes: &[u8]) -> Result<()> {
        let chunk = Chunk::decode(bytes)?;
        if chunk.first_seq != number * CHUNK_ROWS + 1 || chunk.rows.len() as u64 != CHUNK_ROWS {
            return Err(Error::corrupt(format!("index chunk {number} is another chunk")));
        }
        if let Some(slot) = Arc::make_mut(&mut self.chunks).get_mut(to_usize(number)) {
            *slot = Some(Arc::new(chunk));
        }
        Ok(())
    }

    /// The stored forms of the chunks from number `first` on.
    pub fn encode_from(&self, first: u64) -> impl Iterator<Item = (u64, Vec<u8>)> + '_ {
        let chunks = self.chunks.iter().enumerate().skip(to_usize(first));
        chunks.filter_map(|(number, chunk)| chunk.as_ref().map(|c| (number as u64, c.encode())))
    }

    /// The part that a snapshot holds: the chunk that is not full.
    #[must_use]
    pub fn encode_tail(&self) -> Vec<u8> {
        self.tail.encode()
    }

    /// An index with no chunk loaded but the tail.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the tail can't be decoded.
    pub fn from_tail(bytes: &[u8]) -> Result<Self> {
        let tail = Chunk::decode(bytes)?;
        let before = tail.first_seq.checked_sub(1).filter(|n| n % CHUNK_ROWS == 0 && *n <= SEQ_MAX);
        let Some(before) = before.filter(|_| (tail.rows.len() as u64) < CHUNK_ROWS) else {
            return Err(Error::corrupt("the index in a snapshot does not end a row of chunks"));
        };
        let chunks = to_usize(before / CHUNK_ROWS);
        Ok(Self { chunks: Arc::new(vec![None; chunks]), tail })
    }

    /// Bytes held in memory by the full chunks that are loaded.
    #[must_use]
    pub fn chunk_bytes(&self) -> usize {
        let loaded = self.chunks.iter().flatten().count() * to_usize(CHUNK_ROWS);
        loaded * size_of::<Packed>() + self.chunks.len() * 8
    }

    /// Bytes held in memory by the chunk that is not full.
    #[must_use]
    pub fn tail_bytes(&self) -> usize {
        self.tail.rows.capacity() * size_of::<Packed>()
    }
}

fn deltas(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut last = 0;
    values.map(|value| value.wrapping_sub(std::mem::replace(&mut last, value))).collect()
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX - 1)
}

/// Sizes here come from memory or were checked against it, so they fit.
pub(crate) fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
