//! Exact token counts: the text is split as tiktoken's pattern does (`split`, `ascii`, `class`),
//! most pieces are one token (`piece_set`), the rest is merged in linear time (`merge`, by the
//! tables of `vocabulary`, `trie` and `pairs`); the pieces met lately are remembered (`cache`).
//!
//! `count` equals `encode_ordinary(text).len()` of tiktoken for every input; text that looks like
//! a special token is ordinary text. Nothing here depends on a clock, nor on earlier calls but for
//! the cache, one for each thread, which changes the time alone.
//!
//! What the tables are made of is written by `build.rs`, from the reference itself.

mod ascii;
mod cache;
mod class;
mod merge;
mod packed;
mod pairs;
mod piece_set;
mod pieces;
mod split;
mod trie;
mod vocabulary;

use std::sync::OnceLock;

use cache::Cache;
use vocabulary::Vocabulary;

/// A public byte pair encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// GPT-4o and later.
    O200kBase,
    /// GPT-3.5 and GPT-4.
    Cl100kBase,
}

impl Encoding {
    /// Every encoding, in the order of preference.
    pub const ALL: [Self; 2] = [Self::O200kBase, Self::Cl100kBase];

    /// The encoding of that name, as tiktoken spells it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.name() == name)
    }

    /// tiktoken's name of the encoding.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::O200kBase => "o200k_base",
            Self::Cl100kBase => "cl100k_base",
        }
    }

    /// The number of tokens of a text, in time linear in its length.
    ///
    /// The first call for an encoding builds its tables (tens of milliseconds); see [`Self::warm`].
    #[must_use]
    pub fn count(self, text: &str) -> usize {
        let vocabulary = self.vocabulary();
        Cache::with(self, |cache| match self {
            Self::O200kBase => pieces::count::<split::O200k>(vocabulary, cache, text),
            Self::Cl100kBase => pieces::count::<split::Cl100k>(vocabulary, cache, text),
        })
    }

    /// Builds the tables now, so that no later call pays for it.
    pub fn warm(self) {
        self.vocabulary();
    }

    fn vocabulary(self) -> &'static Vocabulary {
        static O200K_BASE: OnceLock<Vocabulary> = OnceLock::new();
        static CL100K_BASE: OnceLock<Vocabulary> = OnceLock::new();
        match self {
            Self::O200kBase => {
                O200K_BASE.get_or_init(|| Vocabulary::new(include_bytes!(concat!(env!("OUT_DIR"), "/o200k_base.trie"))))
            }
            Self::Cl100kBase => CL100K_BASE
                .get_or_init(|| Vocabulary::new(include_bytes!(concat!(env!("OUT_DIR"), "/cl100k_base.trie")))),
        }
    }
}
