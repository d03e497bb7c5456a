//! Requests: from the bytes of a body to what is to be planned.

use serde_json::{Map, Value};

use crate::config::PolicyConfig;
use crate::entry::Bytes16;
use crate::error::{Error, Result};
use crate::json::{self, decode, Elements, Object, Path};
use crate::limits::{
    BATCH_MESSAGES_MAX, KEY_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX, REPLACEMENT_ITEMS_MAX, TOKEN_BUDGET_MAX,
};
use crate::message::Message;
use crate::plan::{Append, Compact, Configure, MetadataPatch, ReplacementItem, Revert, Rewind};
use crate::policy::Policy;
use crate::record::digest;
use crate::tokens::Counting;

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Create or configure.
    Configure(Configure),
    /// Append messages.
    Append(Append),
    /// Compact.
    Compact(Compact),
    /// Undo a compaction.
    Revert(Revert),
    /// Rewind.
    Rewind(Rewind),
    /// Merge into the metadata.
    Metadata(MetadataPatch),
    /// Delete.
    Tombstone,
}

impl Action {
    /// It holds messages, which are counted.
    #[must_use]
    pub fn counts(&self) -> bool {
        matches!(self, Self::Append(_) | Self::Compact(_))
    }

    /// Its name in idempotency hashes.
    #[must_use]
    pub fn route(&self) -> &'static str {
        match self {
            Self::Configure(_) => "configure",
            Self::Append(_) => "append",
            Self::Compact(_) => "compact",
            Self::Revert(_) => "revert",
            Self::Rewind(_) => "rewind",
            Self::Metadata(_) => "metadata",
            Self::Tombstone => "tombstone",
        }
    }
}

/// A write request.
#[derive(Debug)]
pub struct Request {
    /// What is to be done.
    pub action: Action,
    /// The version that the caller expects.
    pub if_version: Option<u64>,
    /// The idempotency key.
    pub key: Option<String>,
    /// Hash of route and payload; zero without a key.
    pub hash: Bytes16,
    /// How its messages were counted.
    pub counting: Counting,
}

/// Kinds of write requests, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `PUT` of a context.
    Configure,
    /// `POST messages`.
    Append,
    /// `POST compact`.
    Compact,
    /// `POST compactions/{version}/revert`.
    Revert,
    /// `POST rewind`.
    Rewind,
    /// `PATCH metadata`.
    Metadata,
    /// `DELETE` of a context.
    Tombstone,
}

impl Route {
    /// The route of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "configure" => Self::Configure,
            "append" => Self::Append,
            "compact" => Self::Compact,
            "revert" => Self::Revert,
            "rewind" => Self::Rewind,
            "metadata" => Self::Metadata,
            "tombstone" => Self::Tombstone,
            _ => return None,
        })
    }
}

/// Parses a write request. `key` is the one given beside the body, `counting` the context's; `custom` are the names of
/// policies that are registered.
///
/// # Errors
/// [`Error::Invalid`] that names the field.
pub fn parse(route: Route, body: &[u8], key: Option<&str>, counting: Counting, custom: &[String]) -> Result<Request> {
    let text =
        if body.is_empty() && matches!(route, Route::Configure | Route::Tombstone) { "{}" } else { json::check(body)? };
    let root = Path::root("");
    let object = Object::of(text).ok_or_else(|| {
        let kind = if text.trim().is_empty() { "nothing" } else { json::kind_of(text.trim_start()) };
        Error::invalid("invalid_field", "", format!("the body must be an object, not {kind}"))
    })?;
    let mut fields = Fields { object: &object, root: &root, taken: Vec::new() };
    let enveloped = route != Route::Metadata || is_metadata_envelope(&object);
    let (if_version, body_key) = match enveloped {
        true => (fields.integer("if_version", 0, u64::MAX)?, fields.string("idempotency_key")?),
        false => (None, None),
    };
    let key = one_key(key, body_key)?;
    let action = match route {
        Route::Configure => Action::Configure(configure(&mut fields, custom)?),
        Route::Append => Action::Append(append(&mut fields, counting)?),
        Route::Compact => Action::Compact(compact(&mut fields, counting)?),
        Route::Revert => Action::Revert(Revert { version: fields.required("version", 0, u64::MAX)? }),
        Route::Rewind => Action::Rewind(Rewind { to_seq: fields.required("to_seq", 0, u64::MAX)? }),
        Route::Metadata => Action::Metadata(metadata_patch(&mut fields, text, enveloped)?),
        Route::Tombstone => Action::Tombstone,
    };
    if enveloped {
        fields.finish()?;
    }
    let hash = if key.is_some() { payload_hash(action.route(), &object) } else { Bytes16::default() };
    Ok(Request { action, if_version, key, hash, counting })
}

fn one_key(beside: Option<&str>, inside: Option<String>) -> Result<Option<String>> {
    let key = match (beside, inside) {
        (Some(a), Some(b)) if a != b => {
            return Err(Error::field("idempotency_key", "differs from the Idempotency-Key header"));
        }
        (Some(key), _) => Some(key.to_owned()),
        (None, key) => key,
    };
    match &key {
        Some(k) if k.is_empty() || k.len() > KEY_BYTES_MAX || k.chars().any(char::is_control) => Err(Error::field(
            "idempotency_key",
            format!("must have 1 to {KEY_BYTES_MAX} bytes and no control characters"),
        )),
        _ => Ok(key),
    }
}

/// Hash of route and payload: white space and the order of fields make no difference, nor does the key itself.
fn payload_hash(route: &str, object: &Object<'_>) -> Bytes16 {
    let mut fields: Vec<(String, String)> = object
        .fields()
        .iter()
        .filter(|field| !field.is("idempotency_key"))
        .map(|field| (field.name().into_owned(), json::minify(field.value).into_owned()))
        .collect();
    fields.sort_unstable();
    let mut parts: Vec<&[u8]> = vec![route.as_bytes(), b"\0"];
    for (name, value) in &fields {
        parts.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"]);
    }
    digest(&parts)
}

/// The fields of an envelope. Each is asked for by name; what was not asked for is unknown.
struct Fields<'a> {
    object: &'a Object<'a>,
    root: &'a Path<'a>,
    taken: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value as it stands, `null` included.
    fn raw(&mut self, name: &'static str) -> Option<&'a str> {
        self.taken.push(name);
        self.object.field(name).map(|field| field.value)
    }

    /// The value; `null` counts as absent.
    fn take(&mut self, name: &'static str) -> Option<&'a str> {
        self.raw(name).filter(|value| *value != "null")
    }

    fn integer(&mut self, name: &'static str, least: u64, most: u64) -> Result<Option<u64>> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        integer(raw, &self.root.key(name), least, most).map(Some)
    }

    fn required(&mut self, name: &'static str, least: u64, most: u64) -> Result<u64> {
        self.integer(name, least, most)?.ok_or_else(|| Error::invalid("missing_field", name, "is required"))
    }

    fn string(&mut self, name: &'static str) -> Result<Option<String>> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        let text = decode(raw).ok_or_else(|| self.root.key(name).wrong("a string", raw))?;
        Ok(Some(text.into_owned()))
    }

    fn boolean(&mut self, name: &'static str) -> Result<bool> {
        match self.take(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(raw) => Err(self.root.key(name).wrong("true or false", raw)),
        }
    }

    fn ratio(&mut self, name: &'static str) -> Result<Option<f64>> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        ratio(raw, &self.root.key(name)).map(Some)
    }

    /// A name, or `null` to take it away.
    fn name(&mut self, name: &'static str) -> Result<Option<Option<String>>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        if raw == "null" {
            return Ok(Some(None));
        }
        let text = decode(raw).ok_or_else(|| self.root.key(name).wrong("a string or null", raw))?;
        if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(Error::field(name, format!("must have 1 to {NAME_BYTES_MAX} bytes and no control characters")));
        }
        Ok(Some(Some(text.into_owned())))
    }

    fn finish(&self) -> Result<()> {
        let unknown =
            self.object.fields().iter().map(json::Field::name).find(|name| !self.taken.contains(&name.as_ref()));
        match unknown {
            None => Ok(()),
            Some(name) => {
                let known = self.taken.join(", ");
                Err(Error::invalid(
                    "unknown_field",
                    self.root.key(&name).to_string(),
                    format!("is not known here; known are {known}"),
                ))
            }
        }
    }
}

fn integer(raw: &str, at: &Path<'_>, least: u64, most: u64) -> Result<u64> {
    match raw.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => {
            let range =
                if most == u64::MAX { format!("of at least {least}") } else { format!("from {least} to {most}") };
            let is_number = raw.bytes().next().is_some_and(|b| b == b'-' || b.is_ascii_digit());
            let got = if is_number { format!("{raw:.40}") } else { json::kind_of(raw).to_owned() };
            Err(Error::field(at.to_string(), format!("expected an integer {range}, got {got}")))
        }
    }
}

fn ratio(raw: &str, at: &Path<'_>) -> Result<f64> {
    let is_number = raw.bytes().next().is_some_and(|b| b == b'-' || b.is_ascii_digit());
    match raw.parse::<f64>() {
        Ok(ratio) if is_number && ratio > 0.0 && ratio <= 1.0 => Ok(ratio),
        _ => Err(Error::field(at.to_string(), "must be a number above 0 and at most 1")),
    }
}

fn configure(fields: &mut Fields<'_>, custom: &[String]) -> Result<Configure> {
    let tokenizer = fields.name("tokenizer")?;
    if let Some(Some(name)) = &tokenizer {
        Counting::by_tokenizer(name)?;
    }
    Ok(Configure {
        token_budget: fields.integer("token_budget", 1, TOKEN_BUDGET_MAX)?,
        reserve_tokens: fields.integer("reserve_tokens", 0, TOKEN_BUDGET_MAX)?,
        trigger_ratio: fields.ratio("trigger_ratio")?,
        policy: policy(fields, custom)?,
        model: fields.name("model")?,
        tokenizer,
        metadata: metadata(fields)?,
    })
}

/// `{strategy, config}`; `trigger_ratio` may stand beside the strategy as well.
fn policy(fields: &mut Fields<'_>, custom: &[String]) -> Result<Option<PolicyConfig>> {
    let Some(raw) = fields.take("policy") else { return Ok(None) };
    let at = fields.root.key("policy");
    let object = Object::of(raw).ok_or_else(|| at.wrong("an object", raw))?;
    let mut inner = Fields { object: &object, root: &at, taken: Vec::new() };
    let strategy = inner.string("strategy")?;
    let strategy = strategy.ok_or_else(|| Error::invalid("missing_field", "policy.strategy", "is required"))?;
    let config = inner.take("config").unwrap_or("{}");
    if Object::of(config).is_none() {
        return Err(at.key("config").wrong("an object", config));
    }
    let mut config = json::minify(config).into_owned();
    if let Some(trigger) = inner.take("trigger_ratio") {
        ratio(trigger, &at.key("trigger_ratio"))?;
        if Object::of(&config).is_some_and(|c| c.get("trigger_ratio").is_some()) {
            return Err(Error::field("policy.trigger_ratio", "stands in config as well"));
        }
        let comma = if config == "{}" { "" } else { "," };
        config.insert_str(1, &format!("\"trigger_ratio\":{trigger}{comma}"));
    }
    inner.finish()?;
    let policy = PolicyConfig { strategy, config };
    Policy::parse(&policy, custom)?;
    Ok(Some(policy))
}

fn metadata(fields: &mut Fields<'_>) -> Result<Option<String>> {
    let Some(raw) = fields.take("metadata") else { return Ok(None) };
    if Object::of(raw).is_none() {
        return Err(fields.root.key("metadata").wrong("an object", raw));
    }
    let metadata = json::minify(raw).into_owned();
    if metadata.len() > METADATA_BYTES_MAX {
        let message = format!("has {} bytes, at most {METADATA_BYTES_MAX} are allowed", metadata.len());
        return Err(Error::field("metadata", message));
    }
    Ok(Some(metadata))
}

/// `{"metadata": {...}}` with the fields that every write takes; any other object is the patch itself.
fn is_metadata_envelope(object: &Object<'_>) -> bool {
    let ours = |name: &str| matches!(name, "metadata" | "if_version" | "idempotency_key");
    object.object("metadata").is_some() && object.fields().iter().all(|field| ours(&field.name()))
}

fn metadata_patch(fields: &mut Fields<'_>, text: &str, enveloped: bool) -> Result<MetadataPatch> {
    let raw = if enveloped { fields.take("metadata").unwrap_or("{}") } else { text };
    let patch: Map<String, Value> =
        serde_json::from_str(raw).map_err(|cause| Error::invalid("invalid_json", "", cause.to_string()))?;
    Ok(MetadataPatch(patch))
}

fn append(fields: &mut Fields<'_>, counting: Counting) -> Result<Append> {
    let rules = counting.rules();
    let replace = fields.boolean("replace")?;
    let messages = match (fields.take("message"), fields.take("messages")) {
        (Some(raw), None) => vec![Message::parse(raw, &fields.root.key("message"), &rules)?],
        (None, Some(raw)) => batch(raw, &fields.root.key("messages"), counting)?,
        (Some(_), Some(_)) => return Err(Error::field("messages", "give either message or messages, not both")),
        (None, None) => return Err(Error::invalid("missing_field", "message", "message or messages is required")),
    };
    if replace && messages.len() != 1 {
        return Err(Error::field("replace", "replaces one message by one: give message, not several"));
    }
    if replace && messages.first().is_some_and(|m| m.id.is_none()) {
        return Err(Error::invalid("missing_field", "message.id", "replace needs the id of the newest message"));
    }
    Ok(Append { messages, replace })
}

fn batch(raw: &str, at: &Path<'_>, counting: Counting) -> Result<Vec<Message>> {
    let rules = counting.rules();
    let elements = Elements::of(raw).ok_or_else(|| at.wrong("an array of messages", raw))?;
    let mut messages = Vec::new();
    for (n, (_, element)) in elements.enumerate() {
        if n == BATCH_MESSAGES_MAX {
            return Err(Error::field(at.to_string(), format!("has more than {BATCH_MESSAGES_MAX} messages")));
        }
        messages.push(Message::parse(element, &at.index(n), &rules)?);
    }
    if messages.is_empty() {
        return Err(Error::field(at.to_string(), "must hold at least one message"));
    }
    Ok(messages)
}

fn compact(fields: &mut Fields<'_>, counting: Counting) -> Result<Compact> {
    let range = match (fields.integer("from_seq", 1, u64::MAX)?, fields.integer("to_seq", 1, u64::MAX)?) {
        (Some(from), Some(to)) if from <= to => Some((from, to)),
        (Some(_), Some(_)) => return Err(Error::invalid("invalid_range", "to_seq", "must not be less than from_seq")),
        (None, None) => None,
        (Some(_), None) => return Err(Error::invalid("missing_field", "to_seq", "is required beside from_seq")),
        (None, Some(_)) => return Err(Error::invalid("missing_field", "from_seq", "is required beside to_seq")),
    };
    let (name, raw) = match (fields.take("replacement"), fields.take("messages")) {
        (Some(raw), None) => ("replacement", raw),
        (None, Some(raw)) if range.is_none() => ("messages", raw),
        (None, Some(_)) => {
            return Err(Error::field("messages", "is for a whole compaction; with a range give replacement"))
        }
        (Some(_), Some(_)) => return Err(Error::field("messages", "give either replacement or messages, not both")),
        (None, None) => return Err(Error::invalid("missing_field", "replacement", "is required")),
    };
    let items = replacement(raw, &fields.root.key(name), counting)?;
    let up_to_version = fields.integer("up_to_version", 0, u64::MAX)?;
    Ok(Compact { range, items, up_to_version, force: fields.boolean("force")? })
}

fn replacement(raw: &str, at: &Path<'_>, counting: Counting) -> Result<Vec<ReplacementItem>> {
    if Object::of(raw).is_some() {
        return Ok(replacement_item(raw, at, counting)?.into_iter().collect());
    }
    let elements = Elements::of(raw).ok_or_else(|| at.wrong("a message or an array of items", raw))?;
    let mut items = Vec::new();
    for (n, (_, element)) in elements.enumerate() {
        if n == REPLACEMENT_ITEMS_MAX {
            return Err(Error::field(at.to_string(), format!("has more than {REPLACEMENT_ITEMS_MAX} items")));
        }
        items.extend(replacement_item(element, &at.index(n), counting)?);
    }
    Ok(items)
}

/// `{seq}`, `{from_seq, to_seq}`, or a message. A repair that a window showed is passed over: it comes with its call.
fn replacement_item(raw: &str, at: &Path<'_>, counting: Counting) -> Result<Option<ReplacementItem>> {
    let object = Object::of(raw).ok_or_else(|| at.wrong("an object", raw))?;
    let number = |name: &str| object.get(name).map(|raw| integer(raw, &at.key(name), 1, u64::MAX)).transpose();
    let names: Vec<_> = object.fields().iter().map(json::Field::name).collect();
    if names.iter().all(|name| name == "seq") && !names.is_empty() {
        let seq = number("seq")?.ok_or_else(|| at.key("seq").wrong("an integer", "null"))?;
        return Ok(Some(ReplacementItem::Live(seq, seq)));
    }
    if names.iter().all(|name| name == "from_seq" || name == "to_seq") && !names.is_empty() {
        return match (number("from_seq")?, number("to_seq")?) {
            (Some(from), Some(to)) if from <= to => Ok(Some(ReplacementItem::Live(from, to))),
            (Some(_), Some(_)) => {
                Err(Error::invalid("invalid_range", at.key("to_seq").to_string(), "must not be less than from_seq"))
            }
            _ => Err(Error::invalid("missing_field", at.to_string(), "a range needs from_seq and to_seq")),
        };
    }
    if object.get("repair") == Some("true") {
        return Ok(None);
    }
    let message = Message::parse(raw, at, &counting.rules())?;
    Ok(Some(ReplacementItem::Message(Box::new(message), number("seq")?)))
}
