//! Taking a stretch of the log back into the kept list, as if its messages had just been appended.

use std::collections::HashMap;

use super::place::Source;
use super::Draft;
use crate::entry::{Appended, Entry, Placed};
use crate::error::{Error, Result};
use crate::fetched::Records;
use crate::index::{Flags, Row};
use crate::kept::Kept;
use crate::message::{Class, Message};
use crate::pairing::{Pairing, Placement};
use crate::record::{Record, StoredRecord};

/// A stretch of the log, rebuilt.
#[derive(Debug)]
pub struct Rebuilt {
    /// Its items.
    pub kept: Kept,
    /// Pairing after it.
    pub pairing: Pairing,
}

/// Rebuilds messages `from..=to`, less those that left by a rewind.
///
/// # Errors
/// [`Error::Need`] for records and index chunks.
pub fn rebuild(draft: &mut Draft<'_>, from: u64, to: u64, records: Records<'_>) -> Result<Rebuilt> {
    let seqs: Vec<u64> = (from..=to).filter(|seq| !draft.state.is_hidden(*seq)).collect();
    let rows: Vec<Row> = seqs.iter().map(|seq| draft.state.index.row(*seq)).collect::<Result<_>>()?;
    let stored = records.parse_all(rows.iter().map(|row| row.version))?;
    let decoded = decode_all(&stored)?;
    let mut rebuilt = Rebuilt { kept: Kept::default(), pairing: pairing_before(from, &seqs, &rows) };
    for (seq, row) in seqs.iter().zip(&rows) {
        let version = &row.version;
        let lost = || Error::corrupt(format!("message {seq} is not in the record at version {version}"));
        let entry = decoded.get(version).and_then(|record| appended(record, *seq)).ok_or_else(lost)?;
        let record = stored.get(version).ok_or_else(lost)?;
        let slot = u32::try_from(seq - record.first_seq).unwrap_or(u32::MAX);
        rebuild_one(draft, &mut rebuilt, entry, record, slot)?;
    }
    Ok(rebuilt)
}

/// Pairing in front of a stretch.
fn pairing_before(from: u64, seqs: &[u64], rows: &[Row]) -> Pairing {
    let first = seqs.iter().zip(rows).find(|(_, row)| !row.flags.has(Flags::OUT));
    // A user message that opens no turn follows another one.
    let after_user = first.is_some_and(|(seq, row)| row.is_user() && row.turn != *seq);
    Pairing::at(rows.first().map_or(0, |row| row.turn), from.saturating_sub(1), after_user)
}

fn decode_all(stored: &HashMap<u64, StoredRecord<'_>>) -> Result<HashMap<u64, Record>> {
    stored.iter().map(|(version, record)| record.decode().map(|record| (*version, record))).collect()
}

fn appended(record: &Record, seq: u64) -> Option<&Appended> {
    record.entries.iter().find_map(|entry| match entry {
        Entry::Appended(entry) if entry.seq == seq => Some(entry),
        _ => None,
    })
}

/// A message of the log, read back from a body of its record.
pub(super) fn source<'a>(
    draft: &Draft<'_>,
    entry: &'a Appended,
    record: &StoredRecord<'a>,
    slot: u32,
) -> Result<Source<'a>> {
    let body = record.body(slot)?;
    let parsed: Message = draft.derived(body)?;
    Ok(Source {
        seq: entry.seq,
        version: record.first_version,
        slot,
        body,
        role: entry.role,
        kinds: entry.kinds,
        tokens: entry.tokens,
        pinned: entry.flags.has(Flags::PINNED),
        time_ms: entry.time_ms,
        calls: &entry.calls,
        results: &entry.results,
        more_than_results: parsed.parts.iter().any(|part| part.class != Class::ToolResult),
    })
}

fn rebuild_one(
    draft: &mut Draft<'_>,
    rebuilt: &mut Rebuilt,
    entry: &Appended,
    record: &StoredRecord<'_>,
    slot: u32,
) -> Result<()> {
    let source = source(draft, entry, record, slot)?;
    let kept = &rebuilt.kept;
    let placement = rebuilt.pairing.push(&source.shape(), |call| kept.find_repair(call.seq, call.call).is_some());
    for repair in draft.repairs(&placement)? {
        rebuilt.kept.push_item(repair);
    }
    match draft.place(&source, &placement)? {
        Placed::Edited(item) => rebuilt.kept.push_item(draft.with_stored_body(item, &entry.placed, record)),
        Placed::Out => {}
        Placed::Whole if is_as_it_came(entry, &placement) => {
            let before = draft.state.index.tokens_before(entry.seq)?;
            rebuilt.kept.push_messages(entry.seq, entry.seq, u64::from(entry.tokens), before);
        }
        Placed::Whole => rebuilt.kept.push_item(source.unedited(&placement)),
    }
    if !placement.late.is_empty() {
        rebuilt.kept = draft.with_late(&rebuilt.kept, &source, &placement.late)?;
    }
    Ok(())
}

/// The message's row tells how it stands. Where other messages stand beside it now, it may be in another group or turn.
fn is_as_it_came(entry: &Appended, placement: &Placement) -> bool {
    let results = entry.flags.has(Flags::RESULTS);
    (entry.turn, entry.group, results) == (placement.turn, placement.group, placement.results_in_place)
}
