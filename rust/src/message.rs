//! From the JSON of one message to a stored body and its columns: role, kinds, calls, results, tokens.
//!
//! The body is the message as given, less insignificant white space, `token_count` and the names that the server adds on
//! output; a string `content` becomes one text part. Parsing a stored body again gives the same body and columns.

mod classify;
mod envelope;
mod kinds;
mod pairs;
mod slots;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use envelope::Usage;
pub use kinds::{Class, Kinds, Role};

pub(crate) use classify::{is_media, Pair};

use crate::error::{Error, Result};
use crate::estimate::{self, CountRules, Estimate};
use crate::json::{self, decode, Object, Path};
use classify::{classify, Sorted};
use envelope::Envelope;
use pairs::Pairs;
pub(crate) use slots::{may_hold, slots, Holder, Slot};

/// A message that is valid, classified and counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The JSON object that is stored.
    pub body: Vec<u8>,
    /// Role as it counts; the body keeps the one given.
    pub role: Role,
    /// Classes of its parts.
    pub kinds: Kinds,
    /// Tokens of the whole message.
    pub tokens: u32,
    /// The client's id.
    pub id: Option<String>,
    /// `metadata.pinned` is true.
    pub pinned: bool,
    /// `created_at` in ms since 1970.
    pub created_at_ms: Option<i64>,
    /// What the provider counted for a window.
    pub usage: Option<Usage>,
    /// Calls that the message does not answer itself.
    pub calls: Vec<Call>,
    /// Results of calls of earlier messages.
    pub results: Vec<ToolResult>,
    /// Results of its own calls that may be clamped or replaced.
    pub answered: Vec<ToolResult>,
    /// It says anything beside white space.
    pub has_content: bool,
    /// Its parts; elements of `tool_calls` and the like count as parts, behind those of the array.
    pub parts: Vec<Part>,
}

/// A tool call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The provider's id of the call.
    pub id: Option<String>,
    /// The tool's name.
    pub name: Option<String>,
}

/// A tool result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// Id of the call that it answers.
    pub id: Option<String>,
    /// The tool's name.
    pub name: Option<String>,
    /// Which part it is; 0 for a message that is itself one result.
    pub part: u32,
    /// Its tokens.
    pub tokens: u32,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where its JSON stands in the body.
    pub span: Range<u32>,
    /// What it is.
    pub class: Class,
    /// Its tokens.
    pub tokens: u32,
}

impl Message {
    /// Parses the message `raw`, a part of a body that [`json::check`] has passed; `at` is its place there.
    ///
    /// # Errors
    /// `invalid_field` or `missing_field`, with the path and what was expected.
    pub fn parse(raw: &str, at: &Path<'_>, rules: &CountRules<'_>) -> Result<Self> {
        let compact = json::minify(raw);
        let object = Object::of(&compact).ok_or_else(|| at.wrong("a message object", &compact))?;
        let envelope = Envelope::read(&object, at)?;
        let body = slots::normalised(&object, compact.len());
        let reading = Reading::start(&body, at)?;
        let counted = reading.count(envelope.token_count, rules);
        let message = reading.finish(envelope, counted);
        Ok(Self { body: body.into_bytes(), ..message })
    }

    /// Checks and parses a body that is one message.
    ///
    /// # Errors
    /// As [`json::check`] and [`Message::parse`].
    pub fn parse_one(raw: &[u8], rules: &CountRules<'_>) -> Result<Self> {
        Self::parse(json::check(raw)?, &Path::root(""), rules)
    }

    /// A stored body whose tokens are known: nothing is counted, its parts share them by size. The body is left out.
    ///
    /// # Errors
    /// As [`Message::parse`], for what is no stored body.
    pub fn known(body: &[u8], tokens: u32) -> Result<Self> {
        let at = Path::root("");
        let text = std::str::from_utf8(body).map_err(|_| Error::field("", "is not UTF-8"))?;
        let object = Object::of(text).ok_or_else(|| at.wrong("a message object", text))?;
        let envelope = Envelope::read(&object, &at)?;
        let reading = Reading::start(text, &at)?;
        let counted = (reading.shares(tokens), tokens);
        Ok(reading.finish(envelope, counted))
    }

    /// It says something beside its results.
    #[must_use]
    pub fn more_than_results(&self) -> bool {
        self.parts.iter().any(|part| part.class != Class::ToolResult)
    }
}

/// A body while its parts are read.
struct Reading<'a> {
    slots: Vec<Slot<'a>>,
    sorted: Vec<Sorted>,
    /// A tool message without a result part: it is itself the result.
    whole: Option<(Option<String>, Option<String>)>,
}

impl<'a> Reading<'a> {
    fn start(body: &'a str, at: &Path<'_>) -> Result<Self> {
        let object = Object::of(body).ok_or_else(|| at.wrong("a message object", body))?;
        Self::of(&object, body, at)
    }

    fn of(object: &Object<'a>, body: &'a str, at: &Path<'_>) -> Result<Self> {
        let slots = slots(object, body);
        let role = envelope::role(object, at)?;
        let in_assistant = role == Role::Assistant;
        let mut sorted = Vec::with_capacity(slots.len());
        for slot in &slots {
            sorted.push(slot.place(at, |path| classify(slot, in_assistant, path))?);
        }
        let mut reading = Self { slots, sorted, whole: None };
        if role == Role::Tool && !reading.has_results() {
            reading.whole = Some(classify::whole_result(object, at)?);
            reading.sorted.iter_mut().for_each(Sorted::become_result);
        }
        Ok(reading)
    }

    fn has_results(&self) -> bool {
        let ends = |sorted: &Sorted| sorted.class == Class::ToolResult || sorted.kinds.has(Kinds::APPROVAL);
        self.sorted.iter().any(ends)
    }

    /// The message; tokens of each part and of the whole are given.
    fn finish(self, envelope: Envelope, (part_tokens, tokens): (Vec<u32>, u32)) -> Message {
        let mut kinds = self.sorted.iter().fold(Kinds::default(), |all, sorted| all | sorted.kinds);
        let has_content = self.whole.is_some() || self.sorted.iter().any(Sorted::has_content);
        let parts = self.slots.iter().zip(&self.sorted).zip(&part_tokens);
        let parts = parts.map(|((slot, sorted), &tokens)| Part { span: slot.span(), class: sorted.class, tokens });
        let parts: Vec<Part> = parts.collect();
        let mut pairs = Pairs::of(self.sorted, &part_tokens);
        if let Some((id, name)) = self.whole {
            kinds = kinds | Kinds::TOOL_RESULT;
            let tokens = part_tokens.iter().fold(0, |sum: u32, &tokens| sum.saturating_add(tokens));
            pairs.results.push(ToolResult { id, name, part: 0, tokens });
        }
        Message {
            body: Vec::new(),
            role: envelope.role,
            kinds,
            tokens,
            id: envelope.id,
            pinned: envelope.pinned,
            created_at_ms: envelope.created_at_ms,
            usage: envelope.usage,
            calls: pairs.calls,
            results: pairs.results,
            answered: pairs.answered,
            has_content,
            parts,
        }
    }

    fn shares(&self, tokens: u32) -> Vec<u32> {
        estimate::shares(self.slots.iter().map(|slot| slot.raw.len()), tokens)
    }

    /// Tokens of each part and of the whole.
    fn count(&self, given: Option<u32>, rules: &CountRules<'_>) -> (Vec<u32>, u32) {
        match given {
            Some(tokens) => (self.shares(tokens), tokens),
            None => {
                let counts: Vec<Estimate> = self.slots.iter().map(|slot| estimate::part(slot, rules)).collect();
                estimate::message(&counts, rules)
            }
        }
    }
}

/// A stored body as edits see it.
pub(crate) struct Outline<'a> {
    pub text: &'a str,
    pub object: Object<'a>,
    pub role: Role,
    pub slots: Vec<Slot<'a>>,
    pub classes: Vec<Class>,
    /// What each part does in the pairing of calls and results.
    pub pairs: Vec<Pair>,
    /// Id and name of the result that the message itself is, if it is one.
    pub whole: Option<(Option<String>, Option<String>)>,
    /// It says anything beside white space.
    pub has_content: bool,
}

/// One side of a call and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub id: Option<String>,
    pub is_call: bool,
}

impl<'a> Outline<'a> {
    /// Nothing for a body that [`Message::parse`] did not write.
    pub(crate) fn of(body: &'a [u8]) -> Option<Self> {
        Self::read(std::str::from_utf8(body).ok()?)
    }

    /// As [`Outline::of`].
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let object = Object::of(text)?;
        let at = Path::root("");
        let role = envelope::role(&object, &at).ok()?;
        let reading = Reading::of(&object, text, &at).ok()?;
        let has_content = reading.whole.is_some() || reading.sorted.iter().any(Sorted::has_content);
        let (classes, pairs) = reading.sorted.into_iter().map(|sorted| (sorted.class, sorted.pair)).unzip();
        let Reading { slots, whole, .. } = reading;
        Some(Self { text, object, role, slots, classes, pairs, whole, has_content })
    }

    /// For each part that is one side of a call and its result: the id, where it has one.
    pub(crate) fn links(&self) -> Vec<Option<Link>> {
        match &self.whole {
            Some((id, _)) => vec![Some(Link { id: id.clone(), is_call: false }); self.pairs.len()],
            None => self.pairs.iter().map(Pair::link).collect(),
        }
    }
}

/// An id or name: a string, or null for none; an empty one counts as none.
fn label(object: &Object<'_>, name: &str, at: &Path<'_>) -> Result<Option<String>> {
    let Some(raw) = object.get(name) else { return Ok(None) };
    let text = decode(raw).ok_or_else(|| at.key(name).wrong("a string", raw))?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

/// The first of `names` that is there.
fn first_label(object: &Object<'_>, names: &[&str], at: &Path<'_>) -> Result<Option<String>> {
    for name in names {
        let found = label(object, name, at)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// A required field is lacking.
fn missing(at: &Path<'_>, message: &str) -> Error {
    Error::invalid("missing_field", at.to_string(), message)
}
