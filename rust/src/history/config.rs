//! The configuration at an earlier version. Nothing links the entries that change it, so they are looked for.
//!
//! Versions that are no message's are few, and the index shows where they lie: between the records of two messages there
//! are as many versions as messages, unless something else was written there. So the search jumps from one such gap to the
//! one before and reads only what stands in gaps. A rewrite inside the record of an append lies in a gap as well, but no
//! record begins there: nothing is read for it.

use super::History;
use crate::config::Config;
use crate::entry::Entry;
use crate::error::{Error, Family, Need, Result};
use crate::keys;
use crate::limits::CONFIG_LOOKUPS;
use crate::record::StoredRecord;

impl History<'_> {
    /// The configuration at a version, whose last message is `last`.
    pub(super) fn config(self, version: u64, last: u64) -> Result<Config> {
        let mut need = Need::default();
        let mut looked = 0;
        let (mut seq, mut end) = (last, version);
        loop {
            let (first_seq, first_version) = self.record_start(seq)?;
            let start = if seq == 0 { 0 } else { first_version.saturating_add(seq + 1 - first_seq) };
            for at in (start..=end).rev() {
                looked += 1;
                match self.records.fetched.get(Family::Records, keys::record(self.records.id, at)) {
                    Err(Error::Need(more)) => need.keys.extend(more.keys),
                    Err(other) => return Err(other),
                    // Newer versions come first: nothing is decided while one of them lacks.
                    Ok(Some(bytes)) if need.is_empty() => {
                        if let Some(config) = configured(&StoredRecord::parse(bytes)?, version)? {
                            return Ok(config);
                        }
                    }
                    Ok(_) => {}
                }
            }
            // Many at once: each fetch starts the walk anew.
            if need.keys.len() >= CONFIG_LOOKUPS.max(looked / 2) || (seq == 0 && !need.is_empty()) {
                return Err(Error::Need(Box::new(need)));
            }
            if seq == 0 {
                return Err(Error::corrupt("the record that creates the context is lost"));
            }
            (seq, end) = self.gap_before(first_seq, first_version)?;
        }
    }

    /// First message and first version of the record that holds message `seq`.
    fn record_start(self, seq: u64) -> Result<(u64, u64)> {
        if seq == 0 {
            return Ok((0, 0));
        }
        let version = self.state.index.row(seq)?.version;
        let mut first = seq;
        while first > 1 && self.state.index.row(first - 1)?.version == version {
            first -= 1;
        }
        Ok((first, version))
    }

    /// The nearest gap before the record that begins with that message and version: the message before the gap, and the
    /// gap's last version.
    fn gap_before(self, first_seq: u64, first_version: u64) -> Result<(u64, u64)> {
        let spare = first_version.saturating_sub(first_seq);
        let same = |seq: u64| self.record_start(seq).map(|(first, version)| version.saturating_sub(first) == spare);
        // `low` lies before the gap, `high` behind it.
        let (mut high, mut low, mut step) = (first_seq, first_seq - 1, 1);
        while low > 0 && same(low)? {
            high = low;
            low = low.saturating_sub(step);
            step *= 2;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if same(middle)? {
                high = middle;
            } else {
                low = middle;
            }
        }
        Ok((low, self.record_start(high)?.1.saturating_sub(1)))
    }
}

/// The last configuration up to `version` that a record sets.
fn configured(record: &StoredRecord<'_>, version: u64) -> Result<Option<Config>> {
    let Some(at) = record.newest_of(version, |kind| kind == Entry::CREATED || kind == Entry::CONFIGURED) else {
        return Ok(None);
    };
    Ok(match record.entry(at)? {
        Entry::Created(entry) => Some(entry.config),
        Entry::Configured(config) => Some(config),
        _ => None,
    })
}
