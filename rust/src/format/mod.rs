//! A window as the arguments of a provider's call.
//!
//! A stored body is read into the normal form ([`pieces`]), its calls and results get their ids ([`ids`]), and a
//! [`Target`] writes it behind what it wrote before. Everything depends on the items before alone: a rendered window is
//! kept and gone on with. What a format can't hold, and what becomes of it, stands in docs/formats.md.

mod ai_sdk;
mod anthropic;
mod content;
mod convert;
pub mod ids;
pub mod openai;
pub mod pieces;
mod read;
pub mod responses;
mod write;

use std::fmt;

pub use convert::convert;
use ids::{IdRule, Ids};
use pieces::Normal;

use crate::error::{Error, Result};
use crate::spliced::Spliced;
use crate::stale::Fresh;

/// How messages are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// As they are stored, with their columns.
    #[default]
    Parts,
    /// OpenAI's chat completions: `{messages}`.
    OpenAi,
    /// OpenAI's responses: `{instructions, input}`.
    OpenAiResponses,
    /// Anthropic's messages: `{system, messages}`.
    Anthropic,
    /// The Vercel AI SDK's model messages: `{system, messages}`.
    AiSdk,
    /// The Vercel AI SDK's messages of an interface: `{messages}`.
    AiSdkUi,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 6] =
        [Format::Parts, Format::OpenAi, Format::OpenAiResponses, Format::Anthropic, Format::AiSdk, Format::AiSdkUi];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parts => "parts",
            Self::OpenAi => "openai",
            Self::OpenAiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::AiSdk => "ai-sdk",
            Self::AiSdkUi => "ai-sdk-ui",
        }
    }

    /// The format called `name`.
    ///
    /// # Errors
    /// `unsupported_format`.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::invalid("unsupported_format", "format", format!("{name:?} is no format; known are {known}"))
        })
    }

    /// Its requests can say what the provider is to cache.
    #[must_use]
    pub fn has_breakpoints(self) -> bool {
        self == Self::Anthropic
    }

    /// Its requests leave out thinking whose signature is stale.
    #[must_use]
    pub fn leaves_out_stale(self) -> bool {
        matches!(self, Self::Anthropic | Self::AiSdk)
    }

    /// Whether breakpoints are set, by the name of the way: `auto` or none.
    ///
    /// # Errors
    /// `invalid_field` for another way, and for a format without breakpoints.
    pub fn breakpoints(self, cache: Option<&str>) -> Result<bool> {
        match cache {
            None => Ok(false),
            Some("auto") if self.has_breakpoints() => Ok(true),
            Some("auto") => Err(Error::field(
                "cache",
                format!("the format {} has no cache breakpoints; anthropic has", self.name()),
            )),
            Some(other) => Err(Error::field("cache", format!("{other:?} is no way of caching; auto is"))),
        }
    }

    fn target(self, options: &Options<'_>) -> Option<Box<dyn Target>> {
        match self {
            Self::Parts => None,
            Self::OpenAi => Some(Box::new(openai::OpenAi::new(options))),
            Self::OpenAiResponses => Some(Box::<responses::Responses>::default()),
            Self::Anthropic => Some(Box::new(anthropic::Anthropic::new(options))),
            Self::AiSdk => Some(ai_sdk::model_messages(options)),
            Self::AiSdkUi => Some(ai_sdk::ui_messages()),
        }
    }
}

/// What a format depends on beside the messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The model that the window goes to.
    pub model: Option<&'a str>,
    /// From where on signed thinking stays, where a rewrite or a cut has changed its past.
    pub fresh: Option<Fresh>,
}

impl Options<'_> {
    /// The first message whose signed thinking stays.
    #[must_use]
    pub fn thinking_from(&self) -> u64 {
        let demands_loop = anthropic::demands_loop(self.model);
        self.fresh.map_or(0, |fresh| if demands_loop { fresh.loop_from } else { fresh.from })
    }

    /// The model's family, by the beginning of its name; a provider's prefix is passed over.
    #[must_use]
    pub fn is_model(&self, family: &str) -> bool {
        let name = self.model.unwrap_or_default();
        name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase().starts_with(family)
    }
}

/// One format: takes messages in order and writes the request.
pub trait Target: fmt::Debug + Send {
    /// What the provider takes as the id of a call.
    fn id_rule(&self) -> IdRule;

    /// Makes room for messages whose stored bodies have so many bytes.
    fn reserve(&mut self, bytes: usize);

    /// Takes the next message, with its ids resolved.
    fn take(&mut self, message: &Normal<'_>);

    /// Writes the request: a JSON object, with cache breakpoints where it can have them. More messages may be taken
    /// afterwards.
    fn write<'a>(&'a self, request: &mut Spliced<'a>, breakpoints: bool);

    /// How often a message changed what was written before it: requests of different revisions are no prefixes of each
    /// other.
    fn revision(&self) -> u64 {
        0
    }

    /// Messages whose reasoning the request does not carry, ascending.
    fn omitted_reasoning(&self) -> Vec<u64>;

    /// Bytes held in memory.
    fn resident_bytes(&self) -> usize;

    /// A copy.
    fn boxed(&self) -> Box<dyn Target>;
}

/// A request while messages are added to it.
#[derive(Debug)]
pub struct Request {
    ids: Ids,
    target: Box<dyn Target>,
}

impl Clone for Request {
    fn clone(&self) -> Self {
        Self { ids: self.ids.clone(), target: self.target.boxed() }
    }
}

impl Request {
    /// An empty request; nothing for `parts`, which is no request.
    #[must_use]
    pub fn new(format: Format, options: &Options<'_>) -> Option<Self> {
        let target = format.target(options)?;
        Some(Self { ids: Ids::new(target.id_rule()), target })
    }

    /// Makes room for messages whose stored bodies have so many bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.target.reserve(bytes);
    }

    /// Adds a message by its stored body. `seq` is 0 for a repair; `to` is the last message that a summary stands for.
    pub fn push(&mut self, seq: u64, to: Option<u64>, body: &[u8]) {
        let body = std::str::from_utf8(body).ok();
        let Some(mut message) = body.and_then(|body| read::normal(body, seq, to)) else { return };
        self.ids.resolve(&mut message);
        self.target.take(&message);
    }

    /// Appends `"request":{...}`, and `omitted_reasoning` where there is any.
    pub fn write<'a>(&'a self, reply: &mut Spliced<'a>, breakpoints: bool) {
        reply.out().raw("\"request\":");
        self.target.write(reply, breakpoints);
        let omitted = self.target.omitted_reasoning();
        if omitted.is_empty() {
            return;
        }
        let out = reply.out();
        out.raw(",\"omitted_reasoning\":[");
        for (n, seq) in omitted.iter().enumerate() {
            out.raw(if n == 0 { "" } else { "," }).number(*seq);
        }
        out.raw("]");
    }

    /// See [`Target::revision`].
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.target.revision()
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.target.resident_bytes() + self.ids.resident_bytes()
    }
}
