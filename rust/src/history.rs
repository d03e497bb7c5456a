//! The past of a context: what was kept at an earlier version, without replaying the log.
//!
//! Each rewrite carries the whole kept list and names the one before it. So the list at a version is that of the nearest
//! rewrite before it, and the messages appended since: of those the index says where they stand, and only the ones that were
//! edited or brought repairs are read. What this costs depends on the stretch between two rewrites, not on the log.

mod config;
mod list;
mod reads;
pub mod standing;
pub mod undo;

pub use reads::{AskedWindow, Known};

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Config;
use crate::entry::{Appended, Did, Entry, RewriteHead};
use crate::error::{Error, Result};
use crate::fetched::Records;
use crate::index::Flags;
use crate::kept::{Item, ItemKind, Kept, Run};
use crate::limits::LINKS_MAX;
use crate::pairing::{OpenCall, Pairing};
use crate::policy::Policy;
use crate::state::State;

/// A rewrite as a walk back through them finds it.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it says of itself.
    pub head: RewriteHead,
    /// First version of its record.
    pub first_version: u64,
    /// Time of its record, ms since 1970.
    pub time_ms: i64,
}

/// Rewrites that were read, by version. They never change, so a walk that goes on after a fetch reads none of them twice.
#[derive(Debug, Default)]
pub struct Links(HashMap<u64, Link>);

impl Links {
    /// The rewrite at a version.
    ///
    /// # Errors
    /// [`Error::Need`] for its record.
    pub fn get(&mut self, version: u64, records: Records<'_>) -> Result<Link> {
        if let Some(link) = self.0.get(&version) {
            return Ok(link.clone());
        }
        let record = records.holding(version)?;
        let head = record.rewrite_head(version)?;
        let link = Link { head, first_version: record.first_version, time_ms: record.time_ms };
        if self.0.len() >= LINKS_MAX {
            self.0.clear();
        }
        self.0.insert(version, link.clone());
        Ok(link)
    }

    /// Bytes held in memory, roughly.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.0.capacity() * (size_of::<Link>() + size_of::<u64>())
    }
}

/// What a rewrite left: the list to which the messages behind it were added.
#[derive(Debug, Default)]
pub struct Era {
    /// The rewrite's version, 0 before the first.
    pub version: u64,
    /// The last message that was there.
    pub last_seq: u64,
    /// The list.
    pub kept: Kept,
    /// Calls that were open in it.
    pub pairing: Pairing,
}

/// A state and the records behind it.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// The state now.
    pub state: &'a State,
    /// Where records are found.
    pub records: Records<'a>,
}

impl History<'_> {
    /// The state at an earlier version, as far as a window depends on it: what was kept, how it was configured and
    /// calibrated, which calls waited.
    ///
    /// # Errors
    /// [`Error::NotYet`] for a version that is not there yet, [`Error::Need`] for bytes that lack.
    pub fn state_at(self, version: u64, links: &mut Links) -> Result<State> {
        let state = self.state;
        self.reached(version)?;
        let last = self.last_seq(version)?;
        let era = self.era(self.rewrite_before(version, last, links)?)?;
        let kept = self.kept(&era, last)?;
        let config = self.config(version, last)?;
        Ok(State {
            version,
            policy: Policy::stored(&config),
            config,
            updated_ms: self.records.holding(version)?.time_ms,
            index: state.index.truncated(last)?,
            pairing: self.pairing(&era, last)?,
            overhead: self.overhead(version, kept.tokens(), links)?,
            rewritten: era.version,
            pins: self.pins(last)?,
            hidden: Vec::new(),
            kept: Arc::new(kept),
            ..state.clone()
        })
    }

    /// The configuration at an earlier version.
    ///
    /// # Errors
    /// As [`History::state_at`].
    pub fn config_at(self, version: u64) -> Result<Config> {
        self.reached(version)?;
        self.config(version, self.last_seq(version)?)
    }

    fn reached(self, version: u64) -> Result<()> {
        let actual = self.state.version;
        if version > actual {
            return Err(Error::NotYet { wanted: version, actual });
        }
        Ok(())
    }

    /// The last message at a version.
    ///
    /// # Errors
    /// [`Error::Need`], as everywhere here.
    pub fn last_seq(self, version: u64) -> Result<u64> {
        if version >= self.state.version {
            return Ok(self.state.last_seq());
        }
        Ok(self.records.holding(version)?.last_seq_at(version))
    }

    /// The last rewrite up to a version, whose last message is `last`; 0 if there is none.
    ///
    /// # Errors
    /// As [`History::last_seq`].
    pub fn rewrite_before(self, version: u64, last: u64, links: &mut Links) -> Result<u64> {
        let mut at = self.state.rewritten;
        if at > version {
            at = self.state.index.rewrite_behind(last)?.unwrap_or(at);
        }
        while at > version {
            let previous = links.get(at, self.records)?.head.previous;
            if previous >= at {
                return Err(Error::corrupt(format!("the rewrite at version {at} names no earlier one")));
            }
            at = previous;
        }
        Ok(at)
    }

    /// The earliest message to which a rewind went back after `version`.
    ///
    /// # Errors
    /// As [`History::last_seq`].
    pub fn rewound_since(self, version: u64) -> Result<u64> {
        let mut earliest = u64::MAX;
        let mut at = self.state.rewritten;
        while at > version {
            let head = self.records.holding(at)?.rewrite_head(at)?;
            if let Did::Rewound(to_seq) = head.did {
                earliest = earliest.min(to_seq);
            }
            at = head.previous.min(at - 1);
        }
        Ok(earliest)
    }

    /// What the rewrite at `version` left.
    ///
    /// # Errors
    /// As [`History::last_seq`].
    pub fn era(self, version: u64) -> Result<Era> {
        if version == 0 {
            return Ok(Era::default());
        }
        let record = self.records.holding(version)?;
        let none = || Error::corrupt(format!("version {version} is no rewrite"));
        let rewrite = record.entry(version)?.into_rewrite().ok_or_else(none)?;
        let last_seq = record.last_seq_at(version);
        Ok(Era { version, last_seq, kept: Kept::from_runs(rewrite.kept), pairing: rewrite.pairing })
    }

    /// What was kept when message `last` was the newest and `era` the last rewrite.
    ///
    /// # Errors
    /// As [`History::last_seq`].
    pub fn kept(self, era: &Era, last: u64) -> Result<Kept> {
        let index = &self.state.index;
        if era.version == self.state.rewritten {
            return self.shortened(last);
        }
        index.require(era.last_seq + 1, last)?;
        let mut marked = Vec::new();
        for seq in era.last_seq + 1..=last {
            let flags = index.row(seq)?.flags;
            if flags.has(Flags::EDITED) || flags.has(Flags::AFTER_REPAIRS) {
                marked.push(seq);
            }
        }
        let entries = self.appended(&marked)?;
        let mut kept = era.kept.clone();
        for seq in era.last_seq + 1..=last {
            let row = index.row(seq)?;
            match entries.get(&seq) {
                Some(entry) => kept.push_appended(entry, index.tokens_before(seq)?),
                None if row.flags.has(Flags::OUT) => {}
                None => kept.push_messages(seq, seq, u64::from(row.tokens), index.tokens_before(seq)?),
            }
        }
        Ok(kept)
    }

    /// What is kept now, less the messages behind `last` and the repairs that came with them.
    fn shortened(self, last: u64) -> Result<Kept> {
        let (kept, index) = (&self.state.kept, &self.state.index);
        let end = self.state.end_at(last)?;
        kept.slice(&[(0, end)], index)
    }

    /// The entries of messages.
    ///
    /// # Errors
    /// As [`History::last_seq`].
    pub fn appended(self, seqs: &[u64]) -> Result<HashMap<u64, Appended>> {
        let versions: Vec<u64> =
            seqs.iter().map(|seq| self.state.index.row(*seq).map(|row| row.version)).collect::<Result<_>>()?;
        let mut found = HashMap::new();
        for record in self.records.parse_all(versions.into_iter())?.values() {
            for entry in record.decode()?.entries {
                if let Entry::Appended(entry) = entry {
                    if seqs.binary_search(&entry.seq).is_ok() {
                        found.insert(entry.seq, entry);
                    }
                }
            }
        }
        match seqs.iter().find(|seq| !found.contains_key(seq)) {
            Some(seq) => Err(Error::corrupt(format!("message {seq} is not in the record that the index names"))),
            None => Ok(found),
        }
    }

    /// Pairing when message `last` was the newest: where the list ended, and the calls that waited there. Of calls that
    /// were repaired it knows those alone that the last rewrite or the last group left.
    ///
    /// # Errors
    /// As [`History::last_seq`].
    pub fn pairing(self, era: &Era, last: u64) -> Result<Pairing> {
        let index = &self.state.index;
        let mut from = era.last_seq + 1;
        let mut pairing = era.pairing.clone();
        for seq in (from..=last).rev() {
            let row = index.row(seq)?;
            let opens = row.group == seq && !row.flags.has(Flags::OUT) && !row.flags.has(Flags::RESULTS);
            if opens {
                // It closed whatever group was open before it, so nothing waited then.
                (from, pairing) = (seq, Pairing::default());
                break;
            }
        }
        let seqs: Vec<u64> = (from..=last).collect();
        let entries = self.appended(&seqs)?;
        for entry in seqs.iter().filter_map(|seq| entries.get(seq)) {
            pairing.apply_appended(entry);
        }
        Ok(pairing)
    }

    /// As [`History::pairing`], with the calls whose repairs stand in `kept`, the list that message ended.
    ///
    /// # Errors
    /// As [`History::last_seq`].
    pub fn pairing_with_repairs(self, era: &Era, last: u64, kept: &Kept) -> Result<Pairing> {
        let mut pairing = self.pairing(era, last)?;
        let known = pairing.calls();
        let repairs = kept.runs().iter().filter_map(|run| match run {
            Run::Item(item) if item.kind == ItemKind::Repair => Some(item),
            _ => None,
        });
        let repairs: Vec<&Item> = repairs.filter(|item| !known.has(item.from, item.call)).collect();
        let mut seqs: Vec<u64> = repairs.iter().map(|item| item.from).collect();
        seqs.sort_unstable();
        seqs.dedup();
        let entries = self.appended(&seqs)?;
        pairing.open.extend(repairs.into_iter().map(|item| {
            let call = entries.get(&item.from).and_then(|entry| entry.calls.get(narrow(u64::from(item.call))));
            OpenCall {
                seq: item.from,
                call: item.call,
                group: item.group,
                turn: item.turn,
                id: call.and_then(|call| call.id.clone()),
                name: call.and_then(|call| call.name.clone()),
                repaired: true,
            }
        }));
        pairing.open.sort_by_key(|call| (call.seq, call.call));
        Ok(pairing)
    }

    /// Reported minus counted tokens at a version with so many kept tokens: the calibration in its record, or what the
    /// record's header says beside the kept tokens. A header that reports no tokens at all does not tell, nor does one
    /// for a version inside its record: then the record before decides.
    fn overhead(self, version: u64, tokens: u64, links: &mut Links) -> Result<i64> {
        let mut at = version;
        loop {
            let record = self.records.holding(at)?;
            if at == record.last_version && record.after.used_tokens > 0 {
                let tokens = if at == version { tokens } else { self.kept_tokens(at, links)? };
                return Ok(record.after.used_tokens.cast_signed() - tokens.cast_signed());
            }
            let later = narrow(record.last_version - at);
            let calibration = record.decode()?.entries.iter().rev().skip(later).find_map(|entry| match entry {
                Entry::Appended(entry) => entry.overhead,
                _ => None,
            });
            match (calibration, record.first_version.checked_sub(1)) {
                (Some(overhead), _) => return Ok(overhead),
                (None, Some(before)) => at = before,
                (None, None) => return Ok(0),
            }
        }
    }

    fn kept_tokens(self, version: u64, links: &mut Links) -> Result<u64> {
        let last = self.last_seq(version)?;
        let era = self.era(self.rewrite_before(version, last, links)?)?;
        Ok(self.kept(&era, last)?.tokens())
    }

    /// Pinned messages up to `last`: those of now, and those that a rewind took since. One that was not kept does not count.
    fn pins(self, last: u64) -> Result<Vec<u64>> {
        let index = &self.state.index;
        let mut pins: Vec<u64> = self.state.pins.iter().copied().filter(|seq| *seq <= last).collect();
        for (from, to) in &self.state.hidden {
            index.require(*from, last.min(*to))?;
            for seq in *from..=last.min(*to) {
                if index.row(seq)?.flags.has(Flags::PINNED) {
                    pins.push(seq);
                }
            }
        }
        pins.sort_unstable();
        Ok(pins)
    }
}

fn narrow(value: u64) -> usize {
    crate::index::to_usize(value)
}
