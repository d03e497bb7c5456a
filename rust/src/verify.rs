//! Checking a whole context: every checksum, digest, chain and number, and the snapshot against the replay.

use crate::error::{Error, Result};
use crate::index::Chunk;
use crate::record::StoredRecord;
use crate::state::{self, State};

/// Replays a context from its first record on, and compares.
#[derive(Debug)]
pub struct Verifier {
    id: String,
    snapshot: Option<Snapshot>,
    snapshot_seen: bool,
    state: Option<State>,
}

/// The stored snapshot.
#[derive(Debug)]
struct Snapshot {
    version: u64,
    /// Index chunks that it builds on.
    chunks: u64,
    bytes: Vec<u8>,
}

impl Snapshot {
    fn read(id: &str, bytes: &[u8]) -> Result<Self> {
        let state = state::decode(id, bytes)?;
        Ok(Self { version: state.version, chunks: state.index.chunk_count(), bytes: bytes.to_vec() })
    }
}

impl Verifier {
    /// Begins; `snapshot` is the stored one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::UnknownFormat`] for a snapshot that can't be read.
    pub fn new(id: &str, snapshot: Option<&[u8]>) -> Result<Self> {
        let snapshot = snapshot.map(|bytes| Snapshot::read(id, bytes)).transpose()?;
        Ok(Self { id: id.into(), snapshot, snapshot_seen: false, state: None })
    }

    /// Checks and folds the next record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] that says what does not hold, [`Error::UnknownEntry`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let stored = StoredRecord::parse(bytes)?;
        let record = stored.decode()?;
        match &mut self.state {
            Some(state) => {
                stored.verify(state.chain)?;
                state.fold_record(&record, stored.chain)?;
            }
            None => {
                let state = State::begin(&self.id, &record, stored.chain)?;
                stored.verify(state.incarnation)?;
                self.state = Some(state);
            }
        }
        if let (Some(state), Some(Snapshot { version, bytes, .. })) = (&self.state, &self.snapshot) {
            if state.version == *version {
                self.snapshot_seen = true;
                if state::encode(state) != *bytes {
                    return Err(Error::corrupt(format!("the snapshot at version {version} is not what replay gives")));
                }
            }
        }
        Ok(())
    }

    /// Checks the stored index chunks, in the order of their numbers, and ends; gives version and number of messages.
    ///
    /// # Errors
    /// [`Error::Corrupt`] that says what does not hold.
    pub fn finish(&mut self, chunks: &[(u64, Vec<u8>)]) -> Result<(u64, u64)> {
        let state = self.state.as_ref().ok_or_else(|| Error::corrupt("a context without records"))?;
        if let Some(Snapshot { version, .. }) = self.snapshot.as_ref().filter(|_| !self.snapshot_seen) {
            return Err(Error::corrupt(format!("the snapshot is at version {version}, where no record ends")));
        }
        let built_on = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.chunks);
        let mut stored = chunks.iter().map(|(number, _)| *number);
        if let Some(missing) = (0..built_on).find(|number| stored.next() != Some(*number)) {
            return Err(Error::corrupt(format!("index chunk {missing}, which the snapshot builds on, is missing")));
        }
        for (number, bytes) in chunks {
            Chunk::decode(bytes)?;
            let replayed = state.index.encode_from(*number).next().filter(|(n, _)| n == number);
            if replayed.is_none_or(|(_, replayed)| replayed != *bytes) {
                return Err(Error::corrupt(format!("index chunk {number} is not what replay gives")));
            }
        }
        Ok((state.version, state.last_seq()))
    }
}
