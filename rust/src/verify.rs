//! Checking a whole context: every checksum, digest, chain and number, and the snapshot against the replay.

use crate::error::{Error, Result};
use crate::index::Chunk;
use crate::record::StoredRecord;
use crate::state::{self, State};

/// Replays a context from its first record on, and compares.
#[derive(Debug)]
pub struct Verifier {
    id: String,
    snapshot: Option<(u64, Vec<u8>)>,
    snapshot_seen: bool,
    state: Option<State>,
}

impl Verifier {
    /// Begins; `snapshot` is the stored one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::UnknownFormat`] for a snapshot that can't be read.
    pub fn new(id: &str, snapshot: Option<&[u8]>) -> Result<Self> {
        let snapshot = snapshot.map(|bytes| state::decode(id, bytes).map(|state| (state.version, bytes.to_vec())));
        Ok(Self { id: id.into(), snapshot: snapshot.transpose()?, snapshot_seen: false, state: None })
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
        if let (Some(state), Some((version, snapshot))) = (&self.state, &self.snapshot) {
            if state.version == *version {
                self.snapshot_seen = true;
                if state::encode(state) != *snapshot {
                    return Err(Error::corrupt(format!("the snapshot at version {version} is not what replay gives")));
                }
            }
        }
        Ok(())
    }

    /// Checks the stored index chunks and ends; gives version and number of messages.
    ///
    /// # Errors
    /// [`Error::Corrupt`] that says what does not hold.
    pub fn finish(&mut self, chunks: &[(u64, Vec<u8>)]) -> Result<(u64, u64)> {
        let state = self.state.as_ref().ok_or_else(|| Error::corrupt("a context without records"))?;
        if let Some((version, _)) = self.snapshot.as_ref().filter(|_| !self.snapshot_seen) {
            return Err(Error::corrupt(format!("the snapshot is at version {version}, where no record ends")));
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
