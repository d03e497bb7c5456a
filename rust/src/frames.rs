//! Frames: what a subscriber is told of a record, one for each entry and one for what is kept after it.

use crate::config::Config;
use crate::entry::{Appended, Compacted, Entry, Reverted, Rewound, Tombstoned};
use crate::error::{Error, Result};
use crate::record::StoredRecord;
use crate::render::{self, Json};

/// Kinds of frames, in the order of their entries; `window` stands for none.
pub const KINDS: &[&str] =
    &["config", "message", "compaction", "reverted", "rewound", "metadata", "tombstoned", "window"];

/// A frame.
#[derive(Debug)]
pub struct Frame {
    /// The version of its entry: who has seen it goes on behind it.
    pub version: u64,
    /// Its kind.
    pub kind: &'static str,
    /// The id of its message.
    pub message_id: Option<String>,
    /// Its JSON object.
    pub json: Vec<u8>,
}

/// What a frame begins with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style<'a> {
    /// The context's id, for a stream of many contexts.
    pub context_id: Option<&'a str>,
    /// Messages whole, or their numbers alone.
    pub include_messages: bool,
}

/// The frames of a stored record whose versions lie behind `after`.
///
/// # Errors
/// [`crate::error::Error::Corrupt`], [`crate::error::Error::UnknownEntry`], [`crate::error::Error::UnknownFormat`].
pub fn frames(bytes: &[u8], after: Option<u64>, style: Style<'_>) -> Result<Vec<Frame>> {
    let stored = StoredRecord::parse(bytes)?;
    let record = stored.decode()?;
    let mut frames = Vec::with_capacity(record.entries.len() + 1);
    for (version, entry) in (record.first_version..).zip(&record.entries) {
        if after.is_none_or(|after| version > after) {
            frames.push(of_entry(&stored, version, entry, style)?);
        }
    }
    if after.is_none_or(|after| stored.last_version > after) {
        let mut out = begin("window", stored.last_version, style);
        out.raw(",\"used_tokens\":").number(stored.after.used_tokens);
        out.raw(",\"needs_compaction\":").boolean(stored.after.needs_compaction);
        frames.push(end("window", stored.last_version, out));
    }
    Ok(frames)
}

fn begin(kind: &str, version: u64, style: Style<'_>) -> Json {
    let mut out = Json(Vec::with_capacity(128));
    out.raw("{\"type\":\"").raw(kind).raw("\",\"version\":").number(version);
    if let Some(id) = style.context_id {
        out.raw(",\"context_id\":").string(id);
    }
    out
}

fn end(kind: &'static str, version: u64, mut out: Json) -> Frame {
    out.raw("}");
    Frame { version, kind, message_id: None, json: out.0 }
}

fn of_entry(stored: &StoredRecord<'_>, version: u64, entry: &Entry, style: Style<'_>) -> Result<Frame> {
    let kind = kind_of(entry);
    let mut out = begin(kind, version, style);
    match entry {
        Entry::Created(created) => {
            configuration(&mut out, &created.config);
            out.raw(",\"metadata\":").raw(&created.metadata).raw(",\"created\":true");
        }
        Entry::Configured(config) => configuration(&mut out, config),
        Entry::Appended(appended) => message(&mut out, stored, appended, style.include_messages)?,
        Entry::Compacted(compacted) => compaction(&mut out, compacted),
        Entry::Reverted(reverted) => revert(&mut out, reverted),
        Entry::Rewound(rewound) => rewind(&mut out, rewound),
        Entry::Metadata(metadata) => {
            out.raw(",\"metadata\":").raw(metadata);
        }
        Entry::Tombstoned(Tombstoned { purge }) => {
            out.raw(",\"purged\":").boolean(*purge);
        }
    }
    let message_id = match entry {
        Entry::Appended(appended) => appended.id.clone(),
        _ => None,
    };
    Ok(Frame { message_id, ..end(kind, version, out) })
}

fn kind_of(entry: &Entry) -> &'static str {
    match entry {
        Entry::Created(_) | Entry::Configured(_) => "config",
        Entry::Appended(_) => "message",
        Entry::Compacted(_) => "compaction",
        Entry::Reverted(_) => "reverted",
        Entry::Rewound(_) => "rewound",
        Entry::Metadata(_) => "metadata",
        Entry::Tombstoned(_) => "tombstoned",
    }
}

fn configuration(out: &mut Json, config: &Config) {
    out.raw(",\"config\":{");
    render::configuration(out, config);
    out.raw("}");
}

fn message(out: &mut Json, stored: &StoredRecord<'_>, entry: &Appended, whole: bool) -> Result<()> {
    out.raw(",\"seq\":").number(entry.seq);
    out.raw(",\"id\":").raw(&render::optional(entry.id.as_deref()));
    out.raw(",\"role\":\"").raw(entry.role.name()).raw("\",\"token_count\":").number(u64::from(entry.tokens));
    if !whole {
        return Ok(());
    }
    let slot = u32::try_from(entry.seq.saturating_sub(stored.first_seq)).unwrap_or(u32::MAX);
    match stored.body(slot) {
        Ok(body) => {
            out.raw(",\"message\":");
            render::log_item(out, entry.seq, entry.tokens, stored.time_ms, body);
        }
        Err(Error::Erased { .. }) => {
            out.raw(",\"erased\":true");
        }
        Err(other) => return Err(other),
    }
    Ok(())
}

fn tokens(out: &mut Json, (before, after): (u64, u64)) {
    out.raw(",\"tokens_before\":").number(before).raw(",\"tokens_after\":").number(after);
}

fn compaction(out: &mut Json, entry: &Compacted) {
    out.raw(",\"by\":\"").raw(entry.by.name()).raw("\",\"strategy\":");
    out.raw(&render::optional(Some(entry.strategy.as_str()).filter(|name| !name.is_empty())));
    out.raw(",\"range\":{\"from_seq\":").number(entry.range.0).raw(",\"to_seq\":").number(entry.range.1).raw("}");
    tokens(out, entry.tokens);
}

fn revert(out: &mut Json, entry: &Reverted) {
    out.raw(",\"compaction\":").number(entry.version);
    tokens(out, entry.tokens);
}

fn rewind(out: &mut Json, entry: &Rewound) {
    out.raw(",\"to_seq\":").number(entry.to_seq).raw(",\"replaced\":").boolean(entry.replaced);
    tokens(out, entry.tokens);
}
