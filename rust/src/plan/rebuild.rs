//! Taking a stretch of the log back into the kept list, as if its messages had just been appended.

use std::collections::HashMap;

use super::place::Source;
use super::Draft;
use crate::entry::{Appended, Entry, Placed};
use crate::error::{Error, Result};
use crate::fetched::Records;
use crate::index::Flags;
use crate::kept::Kept;
use crate::message::{Class, Message};
use crate::pairing::Pairing;
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
    let versions: Vec<u64> =
        seqs.iter().map(|seq| draft.state.index.row(*seq).map(|row| row.version)).collect::<Result<_>>()?;
    let stored = records.parse_all(versions.iter().copied())?;
    let decoded = decode_all(&stored)?;
    let turn = seqs.first().map_or(Ok(0), |seq| draft.state.index.row(*seq).map(|row| row.turn))?;
    let mut rebuilt = Rebuilt { kept: Kept::default(), pairing: Pairing::at(turn, from.saturating_sub(1)) };
    for (seq, version) in seqs.iter().zip(&versions) {
        let lost = || Error::corrupt(format!("message {seq} is not in the record at version {version}"));
        let entry = decoded.get(version).and_then(|record| appended(record, *seq)).ok_or_else(lost)?;
        let record = stored.get(version).ok_or_else(lost)?;
        let slot = u32::try_from(seq - record.first_seq).unwrap_or(u32::MAX);
        rebuild_one(draft, &mut rebuilt, entry, (*version, slot), record.body(slot)?)?;
    }
    Ok(rebuilt)
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

fn rebuild_one(
    draft: &mut Draft<'_>,
    rebuilt: &mut Rebuilt,
    entry: &Appended,
    at: (u64, u32),
    body: &[u8],
) -> Result<()> {
    let parsed: Message = draft.derived(body)?;
    let source = Source {
        seq: entry.seq,
        version: at.0,
        slot: at.1,
        body,
        role: entry.role,
        kinds: entry.kinds,
        tokens: entry.tokens,
        pinned: entry.flags.has(Flags::PINNED),
        time_ms: entry.time_ms,
        calls: &entry.calls,
        results: &entry.results,
        more_than_results: parsed.parts.iter().any(|part| part.class != Class::ToolResult),
    };
    let kept = &rebuilt.kept;
    let placement = rebuilt.pairing.push(&source.shape(), |call| kept.find_repair(call.seq, call.call).is_some());
    for repair in draft.repairs(&placement)? {
        rebuilt.kept.push_item(repair);
    }
    match (draft.place(&source, &placement)?, &entry.placed) {
        // The edit made when it came in shows the same.
        (Placed::Edited(_), Placed::Edited(item)) if placement.taken_out.is_empty() => {
            rebuilt.kept.push_item(item.clone())
        }
        (Placed::Edited(item), _) => rebuilt.kept.push_item(item),
        (Placed::Out, _) => {}
        (Placed::Whole, _) => {
            let before = draft.state.index.tokens_before(entry.seq)?;
            rebuilt.kept.push_messages(entry.seq, entry.seq, u64::from(entry.tokens), before);
        }
    }
    if !placement.late.is_empty() {
        rebuilt.kept = draft.with_late(&rebuilt.kept, &source, &placement.late)?;
    }
    Ok(())
}
