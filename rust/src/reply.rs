//! Replies to writes.

use crate::render::{self, Json};
use crate::request::Action;
use crate::state::State;

/// What the reply to a write looks like.
#[derive(Debug)]
pub enum ReplyShape {
    /// An append, with the tokens of its messages.
    Appended(u64),
    /// A compaction or its revert.
    Compacted,
    /// The whole context.
    Described,
    /// A rewind.
    Rewound,
    /// Nothing.
    Empty,
}

impl ReplyShape {
    /// The shape for an action.
    #[must_use]
    pub fn of(action: &Action) -> Self {
        match action {
            Action::Append(append) => Self::Appended(append.messages.iter().map(|m| u64::from(m.tokens)).sum()),
            Action::Compact(_) | Action::Revert(_) => Self::Compacted,
            Action::Configure(_) | Action::Metadata(_) => Self::Described,
            Action::Rewind(_) => Self::Rewound,
            Action::Tombstone => Self::Empty,
        }
    }

    /// The reply: `state` is the planned one, `first_seq` the number of the first message appended.
    #[must_use]
    pub fn reply(&self, state: &State, first_seq: u64, tokens_before: u64) -> Vec<u8> {
        let mut out = Json::default();
        match self {
            Self::Described => return render::context(state),
            Self::Empty => return Vec::new(),
            Self::Appended(tokens) => {
                out.raw("{\"seq\":").number(state.last_seq()).raw(",\"first_seq\":").number(first_seq);
                out.raw(",\"version\":").number(state.version);
                out.raw(",\"token_estimate\":").number(*tokens);
            }
            Self::Compacted => {
                out.raw("{\"version\":").number(state.version).raw(",\"tokens_before\":").number(tokens_before);
                out.raw(",\"tokens_after\":").number(state.kept.tokens());
            }
            Self::Rewound => {
                out.raw("{\"version\":").number(state.version).raw(",\"to_seq\":").number(state.newest_seq());
            }
        }
        out.raw(",\"used_tokens\":").number(state.used_tokens());
        out.raw(",\"needs_compaction\":").boolean(state.needs_compaction()).raw("}");
        out.0
    }
}
