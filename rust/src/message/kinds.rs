//! Roles, and classes of parts.

use std::ops::BitOr;

use serde::{Deserialize, Serialize};

/// A role as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Role {
    /// Instructions.
    System = 0,
    /// Instructions, as newer OpenAI models call them.
    Developer = 1,
    /// The user, and every role that is not known.
    User = 2,
    /// The model.
    Assistant = 3,
    /// Results of tools; `function` counts as this.
    Tool = 4,
}

impl Role {
    /// All roles, by number.
    pub const ALL: [Role; 5] = [Role::System, Role::Developer, Role::User, Role::Assistant, Role::Tool];

    /// How a role that a client gives counts.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "system" => Self::System,
            "developer" => Self::Developer,
            "assistant" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::User,
        }
    }

    /// The role's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// The role with this number.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Class {
    /// Text and refusals.
    Text = 0,
    /// Thinking.
    Reasoning = 1,
    /// A tool call, with or without its result inside.
    ToolCall = 2,
    /// A tool result.
    ToolResult = 3,
    /// Image, audio, video, document or file.
    Media = 4,
    /// Application data.
    Data = 5,
    /// Anything else.
    Other = 6,
}

impl Class {
    /// All classes, by number.
    pub const ALL: [Class; 7] =
        [Class::Text, Class::Reasoning, Class::ToolCall, Class::ToolResult, Class::Media, Class::Data, Class::Other];

    /// The class's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Reasoning => "reasoning",
            Self::ToolCall => "tool_call",
            Self::ToolResult => "tool_result",
            Self::Media => "media",
            Self::Data => "data",
            Self::Other => "other",
        }
    }

    /// The bit of this class.
    #[must_use]
    pub fn kind(self) -> Kinds {
        Kinds(1 << self as u8)
    }
}

/// Classes of a message's parts, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kinds(pub u16);

impl Kinds {
    /// Has text.
    pub const TEXT: Kinds = Kinds(1);
    /// Has thinking.
    pub const REASONING: Kinds = Kinds(2);
    /// Has tool calls.
    pub const TOOL_CALL: Kinds = Kinds(4);
    /// Has tool results, its own calls' included.
    pub const TOOL_RESULT: Kinds = Kinds(8);
    /// Has media.
    pub const MEDIA: Kinds = Kinds(16);
    /// Has application data.
    pub const DATA: Kinds = Kinds(32);
    /// Has something else.
    pub const OTHER: Kinds = Kinds(64);
    /// Carries signed or encrypted reasoning: only the provider that made it reads it.
    pub const SIGNED: Kinds = Kinds(128);
    /// Answers the question whether a call may run: it follows the call and comes before the result.
    pub const APPROVAL: Kinds = Kinds(256);

    /// True when all bits of `other` are set.
    #[must_use]
    pub fn has(self, other: Kinds) -> bool {
        self.0 & other.0 == other.0
    }

    /// Thinking and nothing else.
    #[must_use]
    pub fn is_reasoning_only(self) -> bool {
        Kinds(self.0 & !Self::SIGNED.0) == Self::REASONING
    }
}

impl BitOr for Kinds {
    type Output = Kinds;

    fn bitor(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
}
