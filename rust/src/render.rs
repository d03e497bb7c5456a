//! Response bytes, made of stored bytes: no message is encoded again.

use std::fmt::Write as _;

use jiff::fmt::temporal::DateTimePrinter;
use jiff::Timestamp;

use crate::config::Config;
use crate::error::Result;
use crate::fetched::Records;
use crate::format::{Format, Options, Request};
use crate::index::Flags;
use crate::json::{quote, quote_into};
use crate::kept::{Cell, ItemKind};
use crate::spliced::Spliced;
use crate::state::State;

/// A buffer of JSON text.
#[derive(Clone, Debug, Default)]
pub struct Json(pub Vec<u8>);

impl Json {
    /// Appends text as it stands.
    pub fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Appends a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        let mut digits = [0u8; 20];
        let mut rest = number;
        let mut start = digits.len();
        for place in digits.iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
            start -= 1;
            if rest == 0 {
                break;
            }
        }
        self.0.extend_from_slice(digits.get(start..).unwrap_or_default());
        self
    }

    /// Appends a boolean.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.raw(if value { "true" } else { "false" })
    }

    /// Appends a string.
    pub fn string(&mut self, text: &str) -> &mut Self {
        quote_into(text, &mut self.0);
        self
    }

    /// Appends a time in RFC 3339, UTC, with milliseconds.
    pub fn time(&mut self, ms: i64) -> &mut Self {
        self.raw("\"").raw(&rfc3339(ms)).raw("\"")
    }
}

/// A time in RFC 3339, UTC, with milliseconds.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| PRINTER.timestamp_to_string(&time))
}

/// What the columns of an item usually take.
const COLUMNS_BYTES: usize = 80;

/// Appends one item: its columns, then its stored body.
fn item(out: &mut Json, cell: &Cell, time_ms: i64, body: &[u8]) {
    match cell.kind {
        ItemKind::Summary => {
            out.raw("{\"from_seq\":").number(cell.from).raw(",\"to_seq\":").number(cell.to);
        }
        ItemKind::Repair => {
            out.raw("{\"repair\":true");
        }
        ItemKind::Message | ItemKind::Edit | ItemKind::Late => {
            out.raw("{\"seq\":").number(cell.from);
        }
    }
    out.raw(",\"token_count\":").number(u64::from(cell.tokens)).raw(",\"inserted_at\":").time(time_ms);
    if matches!(cell.kind, ItemKind::Edit | ItemKind::Late) && cell.flags.has(Flags::EDITED) {
        out.raw(",\"edited\":true");
    }
    out.raw(",");
    out.0.extend_from_slice(body.get(1..).unwrap_or_default());
}

/// Appends a message of the log as a replay shows it.
pub fn log_item(out: &mut Json, seq: u64, tokens: u32, time_ms: i64, body: &[u8]) {
    out.raw("{\"seq\":").number(seq).raw(",\"token_count\":").number(u64::from(tokens));
    out.raw(",\"inserted_at\":").time(time_ms).raw(",");
    out.0.extend_from_slice(body.get(1..).unwrap_or_default());
}

/// Items as they are given: as stored messages with their columns, or as a provider's request.
#[derive(Clone, Debug)]
pub enum Rendering {
    /// The items, separated by commas.
    Parts(Json),
    /// The arguments of a call.
    Request(Request),
}

impl Rendering {
    /// Nothing rendered yet.
    #[must_use]
    pub fn new(format: Format, options: &Options<'_>) -> Self {
        Request::new(format, options).map_or_else(|| Self::Parts(Json::default()), Self::Request)
    }

    /// Renders items behind those rendered before. Nothing is rendered while a record lacks.
    ///
    /// # Errors
    /// [`crate::error::Error::Need`] for records.
    pub fn push_all(&mut self, cells: &[Cell], records: Records<'_>) -> Result<()> {
        let parsed = records.parse_all(cells.iter().map(|cell| cell.version))?;
        let mut found = Vec::with_capacity(cells.len());
        for cell in cells {
            let Some(record) = parsed.get(&cell.version) else { continue };
            let slot = cell.slot.unwrap_or_else(|| u32::try_from(cell.from - record.first_seq).unwrap_or(u32::MAX));
            found.push((cell, record.time_ms, record.body(slot)?));
        }
        let bytes = found.iter().map(|(_, _, body)| body.len()).sum();
        match self {
            Self::Parts(out) => {
                out.0.reserve(bytes + found.len() * COLUMNS_BYTES);
                for (cell, time_ms, body) in found {
                    out.raw(if out.0.is_empty() { "" } else { "," });
                    item(out, cell, time_ms, body);
                }
            }
            Self::Request(request) => {
                request.reserve(bytes);
                for (cell, _, body) in found {
                    let to = (cell.kind == ItemKind::Summary).then_some(cell.to);
                    request.push(if cell.kind == ItemKind::Repair { 0 } else { cell.from }, to, body);
                }
            }
        }
        Ok(())
    }

    /// Adds a repair that is shown and not stored.
    pub fn push_repair(&mut self, tokens: u32, time_ms: i64, body: &[u8]) {
        match self {
            Self::Parts(out) => {
                out.raw(if out.0.is_empty() { "" } else { "," });
                closing_item(out, tokens, time_ms, body);
            }
            Self::Request(request) => request.push(0, None, body),
        }
    }

    /// See [`crate::format::Target::revision`].
    #[must_use]
    pub fn revision(&self) -> u64 {
        match self {
            Self::Parts(_) => 0,
            Self::Request(request) => request.revision(),
        }
    }

    /// Appends `"messages":[...]` or `"request":{...}`, this one with cache breakpoints where they are asked for.
    pub fn write<'a>(&'a self, reply: &mut Spliced<'a>, breakpoints: bool) {
        match self {
            Self::Parts(items) => {
                reply.out().raw("\"messages\":[");
                reply.keep(&items.0);
                reply.out().raw("]");
            }
            Self::Request(request) => request.write(reply, breakpoints),
        }
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        match self {
            Self::Parts(items) => items.0.capacity(),
            Self::Request(request) => request.resident_bytes(),
        }
    }
}

/// A repair that is shown and not stored.
fn closing_item(out: &mut Json, tokens: u32, time_ms: i64, body: &[u8]) {
    out.raw("{\"repair\":true,\"token_count\":")
        .number(u64::from(tokens))
        .raw(",\"inserted_at\":")
        .time(time_ms)
        .raw(",");
    out.0.extend_from_slice(body.get(1..).unwrap_or_default());
}

/// The description of a context.
#[must_use]
pub fn context(state: &State) -> Vec<u8> {
    let mut out = Json::default();
    let config = &state.config;
    out.raw("{\"id\":").string(&state.id);
    out.raw(",");
    configuration(&mut out, config);
    out.raw(",\"metadata\":").raw(&state.metadata);
    out.raw(",\"status\":").string(if state.tombstoned { "tombstoned" } else { "active" });
    out.raw(",\"version\":").number(state.version).raw(",\"last_seq\":").number(state.last_seq());
    out.raw(",\"used_tokens\":").number(state.used_tokens());
    out.raw(",\"needs_compaction\":").boolean(state.needs_compaction());
    out.raw(",\"created_at\":").time(state.created_ms).raw(",\"updated_at\":").time(state.updated_ms).raw("}");
    out.0
}

/// Appends the fields of a configuration, separated by commas.
pub fn configuration(out: &mut Json, config: &Config) {
    out.raw("\"token_budget\":").number(config.token_budget);
    out.raw(",\"reserve_tokens\":").number(config.reserve_tokens);
    out.raw(",\"trigger_ratio\":").raw(&config.trigger_ratio.to_string());
    out.raw(",\"policy\":{\"strategy\":")
        .string(&config.policy.strategy)
        .raw(",\"config\":")
        .raw(&config.policy.config)
        .raw("}");
    out.raw(",\"model\":").raw(&optional(config.model.as_deref()));
    out.raw(",\"tokenizer\":").raw(&optional(config.tokenizer.as_deref()));
}

/// A string, or null.
#[must_use]
pub fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "null".into(), quote)
}

/// Sixteen bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
