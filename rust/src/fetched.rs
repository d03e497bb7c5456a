//! Bytes that the caller fetched for an operation that lacked them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::entry::Bytes16;
use crate::error::{Error, Family, Need, Result};
use crate::keys;
use crate::limits::RECENT_BYTES_MAX;
use crate::record::{Record, StoredRecord};

/// A stored value; none where there is none.
type Value = Option<Arc<[u8]>>;

/// Fetched values; a value that does not exist is fetched as well, as `None`.
#[derive(Debug, Default)]
pub struct Fetched {
    values: HashMap<(Family, Vec<u8>), Value>,
    ranges: HashMap<(u64, u64), Vec<Arc<[u8]>>>,
    holding: HashMap<u64, Value>,
}

impl Fetched {
    /// Adds a value.
    pub fn insert(&mut self, family: Family, key: Vec<u8>, value: Value) {
        self.values.insert((family, key), value);
    }

    /// Adds the records of a range.
    pub fn insert_range(&mut self, range: (u64, u64), records: Vec<Arc<[u8]>>) {
        self.ranges.insert(range, records);
    }

    /// Adds the record that holds a version: the newest that begins at or before it.
    pub fn insert_holding(&mut self, version: u64, record: Value) {
        self.holding.insert(version, record);
    }

    /// A value, `None` where it does not exist.
    ///
    /// # Errors
    /// [`Error::Need`] where it was not fetched.
    pub fn get(&self, family: Family, key: Vec<u8>) -> Result<Option<&Arc<[u8]>>> {
        match self.values.get(&(family, key.clone())) {
            Some(value) => Ok(value.as_ref()),
            None => Err(Error::need(family, key)),
        }
    }

    /// The records of a range, if they were fetched.
    #[must_use]
    pub fn range(&self, range: (u64, u64)) -> Option<&[Arc<[u8]>]> {
        self.ranges.get(&range).map(Vec::as_slice)
    }

    /// The chunks of an index that were fetched: number and bytes, none where there is none.
    pub fn chunks(&self) -> impl Iterator<Item = (u64, Option<&Arc<[u8]>>)> {
        self.values.iter().filter_map(|((family, key), value)| {
            let number = key.last_chunk::<8>().filter(|_| *family == Family::Index)?;
            Some((u64::from_be_bytes(*number), value.as_ref()))
        })
    }
}

/// Records of late, kept in memory so that a window after an append reads no log.
#[derive(Debug, Default)]
pub struct Recent {
    records: HashMap<u64, Arc<[u8]>>,
    order: VecDeque<u64>,
    bytes: usize,
}

impl Recent {
    /// Adds a record, by its first version; the oldest leave over the bound.
    pub fn push(&mut self, first_version: u64, bytes: Arc<[u8]>) {
        self.bytes += bytes.len();
        self.records.insert(first_version, bytes);
        self.order.push_back(first_version);
        while self.bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.records.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.bytes
    }
}

/// A record that is planned and not yet visible.
#[derive(Debug)]
pub struct InFlight {
    /// What it says.
    pub record: Record,
    /// As it is stored.
    pub bytes: Arc<[u8]>,
    /// The chain after it.
    pub chain: Bytes16,
}

/// Where an operation finds records: those in flight and those of late, kept in memory, and those fetched.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// The context.
    pub id: &'a str,
    /// Records kept in memory, by first version.
    pub recent: &'a Recent,
    /// Records that the log may not show yet.
    pub in_flight: &'a VecDeque<InFlight>,
    /// Records fetched.
    pub fetched: &'a Fetched,
}

impl<'a> Records<'a> {
    /// The record that begins at a version.
    ///
    /// # Errors
    /// [`Error::Need`] where it was not fetched, [`Error::Corrupt`] where there is none.
    pub fn get(&self, first_version: u64) -> Result<&'a Arc<[u8]>> {
        if let Some(bytes) = self.recent.records.get(&first_version) {
            return Ok(bytes);
        }
        let at = self.in_flight.partition_point(|flight| flight.record.first_version < first_version);
        if let Some(flight) = self.in_flight.get(at).filter(|flight| flight.record.first_version == first_version) {
            return Ok(&flight.bytes);
        }
        let found = self.fetched.get(Family::Records, keys::record(self.id, first_version))?;
        found.ok_or_else(|| Error::corrupt(format!("the record at version {first_version} is lost")))
    }

    /// The record that holds a version.
    ///
    /// # Errors
    /// [`Error::Need`] where it was not fetched, [`Error::Corrupt`] where there is none.
    pub fn holding(&self, version: u64) -> Result<StoredRecord<'a>> {
        let holds = |record: &Record| (record.first_version..=record.last_version()).contains(&version);
        if let Some(flight) = self.in_flight.iter().find(|flight| holds(&flight.record)) {
            return StoredRecord::parse(&flight.bytes);
        }
        let Some(bytes) = self.fetched.holding.get(&version) else { return Err(Error::need_holding(version)) };
        let lost = || Error::corrupt(format!("the record that holds version {version} is lost"));
        let record = StoredRecord::parse(bytes.as_ref().ok_or_else(lost)?)?;
        if record.first_version > version || record.last_version < version {
            return Err(lost());
        }
        Ok(record)
    }

    /// Reads several records at once, so that all that lack are asked for together.
    ///
    /// # Errors
    /// As [`Records::get`].
    pub fn parse_all(&self, versions: impl Iterator<Item = u64>) -> Result<HashMap<u64, StoredRecord<'a>>> {
        let mut parsed = HashMap::new();
        let mut need = Need::default();
        for version in versions {
            if parsed.contains_key(&version) {
                continue;
            }
            match self.get(version) {
                Ok(bytes) => {
                    parsed.insert(version, StoredRecord::parse(bytes)?);
                }
                Err(Error::Need(more)) => need.keys.extend(more.keys),
                Err(other) => return Err(other),
            }
        }
        if need.is_empty() {
            return Ok(parsed);
        }
        need.keys.sort_unstable();
        need.keys.dedup();
        Err(Error::Need(Box::new(need)))
    }
}
