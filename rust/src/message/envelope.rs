//! The fields of a message that are interpreted beside its parts.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{missing, slots, Role};
use crate::error::{Error, Result};
use crate::json::{decode, Object, Path};
use crate::limits::{MESSAGE_ID_BYTES_MAX, MESSAGE_TOKENS_MAX};

/// What a provider counted for a window: the figures that calibrate `used_tokens`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens, cached ones included.
    pub input_tokens: u64,
    /// Version of the window that was sent.
    pub window_version: u64,
}

/// The interpreted fields.
pub(super) struct Envelope {
    pub role: Role,
    pub id: Option<String>,
    pub pinned: bool,
    pub created_at_ms: Option<i64>,
    pub usage: Option<Usage>,
    pub token_count: Option<u32>,
}

impl Envelope {
    pub(super) fn read(object: &Object<'_>, at: &Path<'_>) -> Result<Self> {
        let envelope = Self {
            role: role(object, at)?,
            id: id(object, at)?,
            pinned: pinned(object, at)?,
            created_at_ms: created_at_ms(object, at)?,
            usage: usage(object, at)?,
            token_count: token_count(object, at)?,
        };
        slots::require_content(object, at)?;
        Ok(envelope)
    }
}

/// The role given, or the one that a Responses item implies.
pub(super) fn role(object: &Object<'_>, at: &Path<'_>) -> Result<Role> {
    match (object.get("role"), slots::item(object)) {
        (Some(raw), _) => {
            let name = decode(raw).ok_or_else(|| at.key("role").wrong("a string", raw))?;
            Ok(Role::of(&name))
        }
        (None, Some(item)) => Ok(item.role()),
        (None, None) => {
            let why = "a message needs a role: system, developer, user, assistant or tool";
            Err(missing(&at.key("role"), why))
        }
    }
}

fn id(object: &Object<'_>, at: &Path<'_>) -> Result<Option<String>> {
    let Some(raw) = object.get("id") else { return Ok(None) };
    let at = at.key("id");
    let id = decode(raw).ok_or_else(|| at.wrong("a string or null", raw))?;
    if id.is_empty() || id.len() > MESSAGE_ID_BYTES_MAX || id.chars().any(char::is_control) {
        let expected = format!("expected 1 to {MESSAGE_ID_BYTES_MAX} bytes without control characters");
        return Err(Error::field(at.to_string(), expected));
    }
    Ok(Some(id.into_owned()))
}

fn pinned(object: &Object<'_>, at: &Path<'_>) -> Result<bool> {
    let Some(raw) = object.get("metadata") else { return Ok(false) };
    let metadata = Object::of(raw).ok_or_else(|| at.key("metadata").wrong("an object or null", raw))?;
    Ok(metadata.get("pinned") == Some("true"))
}

fn created_at_ms(object: &Object<'_>, at: &Path<'_>) -> Result<Option<i64>> {
    let Some(raw) = object.get("created_at") else { return Ok(None) };
    let at = at.key("created_at");
    let expected = "an RFC 3339 time such as 2026-01-31T09:30:00Z";
    let text = decode(raw).ok_or_else(|| at.wrong(expected, raw))?;
    match time_ms(&text) {
        Some(time) => Ok(Some(time)),
        None => Err(Error::field(at.to_string(), format!("expected {expected}"))),
    }
}

/// RFC 3339; a time without an offset, as Python's naive `isoformat()` writes it, is taken as UTC.
fn time_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let separator = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|byte| allowed.contains(byte));
    // jiff reads more notations than RFC 3339 has: only this shape comes to it.
    let shape = bytes.len() <= 64
        && bytes.first().is_some_and(u8::is_ascii_digit)
        && separator(4, b"-")
        && separator(7, b"-")
        && separator(10, b"Tt ")
        && separator(13, b":")
        && separator(16, b":")
        && !bytes.contains(&b'[');
    if !shape {
        return None;
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let naive = bytes.get(19..)?.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
    let civil = naive.then(|| text.parse::<DateTime>().ok())??;
    Offset::UTC.to_timestamp(civil).ok().map(Timestamp::as_millisecond)
}

/// Only an object with `window_version` calibrates; a provider's own usage object is kept and ignored.
fn usage(object: &Object<'_>, at: &Path<'_>) -> Result<Option<Usage>> {
    let Some(raw) = object.get("usage") else { return Ok(None) };
    let at = at.key("usage");
    let usage = Object::of(raw).ok_or_else(|| at.wrong("an object or null", raw))?;
    if usage.field("window_version").is_none() {
        return Ok(None);
    }
    let read = |name: &str| {
        let at = at.key(name);
        let raw = usage.field(name).map(|field| field.value);
        let raw = raw.ok_or_else(|| missing(&at, "usage that names a window_version needs it"))?;
        raw.parse::<u64>().map_err(|_| at.wrong("an integer of 0 or more", raw))
    };
    Ok(Some(Usage { input_tokens: read("input_tokens")?, window_version: read("window_version")? }))
}

fn token_count(object: &Object<'_>, at: &Path<'_>) -> Result<Option<u32>> {
    let Some(raw) = object.get("token_count") else { return Ok(None) };
    match raw.parse::<u32>() {
        Ok(tokens) if tokens <= MESSAGE_TOKENS_MAX => Ok(Some(tokens)),
        _ => {
            let expected = format!("an integer from 0 to {MESSAGE_TOKENS_MAX}");
            let number = raw.bytes().next().is_some_and(|byte| byte == b'-' || byte.is_ascii_digit());
            let field = at.key("token_count");
            match number {
                true => Err(Error::field(field.to_string(), format!("expected {expected}, got {raw:.40}"))),
                false => Err(field.wrong(&expected, raw)),
            }
        }
    }
}
