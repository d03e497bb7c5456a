//! The normal form: what a stored message says, whichever provider shaped it, borrowed from its stored text.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::json::Object;
use crate::message::{Holder, Role};

/// JSON text of one value, borrowed where it stands in the stored body as it is.
pub type Raw<'a> = Cow<'a, str>;

/// A stored message in the normal form.
#[derive(Clone, Debug)]
pub struct Normal<'a> {
    /// Its place in the log; for a summary the first message that it stands for, for a repair 0.
    pub seq: u64,
    /// For a summary, the last message that it stands for.
    pub to: Option<u64>,
    /// Role as it counts.
    pub role: Role,
    /// `name`: a JSON string.
    pub name: Option<&'a str>,
    /// The stored body.
    pub body: &'a str,
    /// Its fields, once somebody has asked for them.
    pub(super) object: OnceCell<Object<'a>>,
    /// The body is a Responses item that is no message.
    pub is_item: bool,
    /// What it says, in order. A result stands behind its call, also where one part holds both.
    pub pieces: Vec<Piece<'a>>,
}

impl<'a> Normal<'a> {
    /// The fields of the stored body.
    #[must_use]
    pub fn fields(&self) -> &Object<'a> {
        self.object.get_or_init(|| Object::of(self.body).unwrap_or_default())
    }

    /// The fields of a body that is an item.
    #[must_use]
    pub fn item(&self) -> Option<&Object<'a>> {
        self.is_item.then(|| self.fields())
    }

    /// The pieces as a provider has to see them. Where calls are left open, their results come behind: nothing else may
    /// stand between them and those that are here.
    pub fn in_order(&self) -> impl Iterator<Item = &Piece<'a>> {
        let is_result = |piece: &&Piece<'_>| matches!(&piece.what, What::Result(output) if !output.by_provider);
        let (settled, open) = self.pieces.split_at(settled(&self.pieces));
        settled.iter().chain(open.iter().filter(move |piece| !is_result(piece))).chain(open.iter().filter(is_result))
    }

    /// Some piece is a call that the client answers.
    #[must_use]
    pub fn has_calls(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(&piece.what, What::Call(call) if !call.by_provider))
    }
}

/// Number of pieces up to the last place where no call waits.
fn settled(pieces: &[Piece<'_>]) -> usize {
    let (mut waiting, mut settled) = (0usize, 0);
    for (place, piece) in (1..).zip(pieces) {
        match &piece.what {
            What::Call(call) if !call.by_provider => waiting += 1,
            What::Result(output) if !output.by_provider => waiting = waiting.saturating_sub(1),
            _ => {}
        }
        if waiting == 0 {
            settled = place;
        }
    }
    settled
}

/// One part of a message.
#[derive(Clone, Debug)]
pub struct Piece<'a> {
    /// The part as it is stored.
    pub raw: &'a str,
    /// How it hangs in its message.
    pub(crate) holder: Holder,
    /// What it is.
    pub what: What<'a>,
}

/// What a part is.
#[derive(Clone, Debug)]
pub enum What<'a> {
    /// A text: a JSON string.
    Text(Raw<'a>),
    /// What the model said instead of an answer: a JSON string.
    Refusal(Raw<'a>),
    /// Thinking.
    Reasoning(Reasoning<'a>),
    /// A tool call.
    Call(Call<'a>),
    /// A tool's result.
    Result(Output<'a>),
    /// Image, audio, video, document or file.
    Media(Media<'a>),
    /// Application data.
    Data,
    /// The beginning of the model's next answer inside one message of the ai-sdk.
    Step,
    /// Anything else.
    Other,
}

/// A tool call.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The id that the request shows; the provider's own until ids are resolved, and empty where it gave none.
    pub id: Cow<'a, str>,
    /// The tool's name; empty where none was given.
    pub name: Cow<'a, str>,
    /// What the tool is called with.
    pub arguments: Arguments<'a>,
    /// OpenAI's custom tool: its arguments are any text.
    pub is_custom: bool,
    /// The provider runs it itself.
    pub by_provider: bool,
    /// What the call's provider keeps beside it, an object: thought signatures of Gemini.
    pub extra: Option<&'a str>,
}

/// What a tool is called with.
#[derive(Clone, Debug)]
pub enum Arguments<'a> {
    /// A JSON value, usually an object.
    Value(Raw<'a>),
    /// A JSON string that holds the text which the model wrote.
    Text(Raw<'a>),
}

/// What a tool gave back.
#[derive(Clone, Debug)]
pub struct Output<'a> {
    /// Id of the call that it answers, as [`Call::id`].
    pub id: Cow<'a, str>,
    /// The tool's name.
    pub name: Option<Cow<'a, str>>,
    /// What it gave back.
    pub content: Content<'a>,
    /// The tool failed.
    pub is_error: bool,
    /// The provider ran the tool itself.
    pub by_provider: bool,
    /// It answers a call of OpenAI's custom tools.
    pub is_custom: bool,
}

/// The content of a result.
#[derive(Clone, Debug)]
pub enum Content<'a> {
    /// A text: a JSON string.
    Text(Raw<'a>),
    /// Any other JSON value.
    Value(&'a str),
    /// Blocks: texts, media and others.
    Blocks(Vec<Piece<'a>>),
}

/// Who made a piece of reasoning: nobody else can read what is signed or encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Anthropic, over whichever cloud.
    Anthropic,
    /// OpenAI.
    OpenAi,
    /// Google.
    Google,
    /// Not told.
    Unknown,
}

/// Thinking.
#[derive(Clone, Debug)]
pub struct Reasoning<'a> {
    /// Who made it.
    pub maker: Maker,
    /// Its texts: JSON strings.
    pub texts: Vec<Raw<'a>>,
    /// The provider's id of the item: a JSON string.
    pub id: Option<&'a str>,
    /// Anthropic's signature of the text: a JSON string.
    pub signature: Option<&'a str>,
    /// Encrypted reasoning, redacted thinking: a JSON string.
    pub encrypted: Option<&'a str>,
}

/// Kinds of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// Film.
    Video,
    /// A document or any other file.
    File,
}

impl MediaKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::File => "file",
        }
    }
}

/// Image, audio, video, document or file.
#[derive(Clone, Debug)]
pub struct Media<'a> {
    /// What kind it is.
    pub kind: MediaKind,
    /// Where its bytes are.
    pub source: Source<'a>,
    /// Its media type, where it is told.
    pub mime: Option<Cow<'a, str>>,
    /// Its file name or title: a JSON string.
    pub name: Option<&'a str>,
    /// How closely the model looks at it: a JSON string.
    pub detail: Option<&'a str>,
}

/// Where the bytes of a media part are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// At an address: a JSON string.
    Url(&'a str),
    /// Here, as base64: the inside of a JSON string.
    Data(&'a str),
    /// At the provider, under an id: a JSON string.
    FileId(&'a str),
    /// Here, as text: a JSON string.
    Text(&'a str),
    /// Not told, or in a shape that is not known.
    Unknown,
}
