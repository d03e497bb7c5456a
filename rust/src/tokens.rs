//! How a context counts: from its `model` or `tokenizer` to an encoder and a factor.

use crate::config::Config;
use crate::encoder::Encoding;
use crate::error::{Error, Result};
use crate::estimate::{CountRules, CountTokens};

/// What models without a public tokenizer count for each thousand tokens of o200k_base, by the beginning of their name, the
/// longer ones first. Measured on recorded calls; method and error bounds stand in docs/tokens.md.
const FACTORS_PERMILLE: &[(&str, u32)] = &[
    ("claude-opus-4-7", 1400),
    ("claude-opus-4-8", 1400),
    ("claude-opus-4-9", 1400),
    ("claude-opus-5", 1400),
    ("claude-sonnet-5", 1400),
    ("claude-haiku-5", 1400),
    ("claude-fable-5", 1400),
    ("claude-mythos-5", 1400),
    ("claude", 1150),
    ("gemini", 1050),
];

/// Beginnings of names of models that count with cl100k_base.
const CL100K_MODELS: &[&str] = &["gpt-4-", "gpt-3.5", "gpt-35", "text-embedding-3", "text-embedding-ada-002"];

/// Encoder and factor: all that a count depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    /// The encoder.
    pub encoding: Encoding,
    /// What the model counts for each thousand tokens of the encoder.
    pub factor_permille: u32,
}

impl Default for Counting {
    fn default() -> Self {
        Self { encoding: Encoding::O200kBase, factor_permille: 1000 }
    }
}

impl CountTokens for Encoding {
    fn count(&self, text: &str) -> usize {
        Encoding::count(*self, text)
    }
}

impl Counting {
    /// How a context with that configuration counts.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let by_tokenizer = config.tokenizer.as_deref().and_then(|name| Self::by_tokenizer(name).ok());
        by_tokenizer.or_else(|| config.model.as_deref().map(Self::by_model)).unwrap_or_default()
    }

    /// The count that a `tokenizer` names.
    ///
    /// # Errors
    /// `unknown_tokenizer`.
    pub fn by_tokenizer(name: &str) -> Result<Self> {
        if let Some(encoding) = Encoding::from_name(name) {
            return Ok(Self { encoding, factor_permille: 1000 });
        }
        let factor = FACTORS_PERMILLE.iter().find(|(family, _)| *family == name);
        let factor = factor.ok_or_else(|| {
            let known =
                Encoding::ALL.map(Encoding::name).into_iter().chain(FACTORS_PERMILLE.iter().map(|(family, _)| *family));
            let known = known.collect::<Vec<_>>().join(", ");
            Error::invalid("unknown_tokenizer", "tokenizer", format!("{name:?} is no tokenizer; known are {known}"))
        })?;
        Ok(Self { factor_permille: factor.1, ..Self::default() })
    }

    /// The count of a model. A provider's prefix (`openai/`, `us.anthropic.`) is passed over; a model that is not known
    /// counts with o200k_base.
    #[must_use]
    pub fn by_model(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        let found = FACTORS_PERMILLE
            .iter()
            .find(|(family, _)| name.starts_with(family) || name.contains(&format!(".{family}")));
        if let Some((_, factor_permille)) = found {
            return Self { factor_permille: *factor_permille, ..Self::default() };
        }
        if name == "gpt-4" || CL100K_MODELS.iter().any(|prefix| name.starts_with(prefix)) {
            return Self { encoding: Encoding::Cl100kBase, factor_permille: 1000 };
        }
        Self::default()
    }

    /// The rules for messages.
    #[must_use]
    pub fn rules(self) -> CountRules<'static> {
        let counter: &'static Encoding = match self.encoding {
            Encoding::O200kBase => &Encoding::O200kBase,
            Encoding::Cl100kBase => &Encoding::Cl100kBase,
        };
        CountRules { counter, factor_permille: self.factor_permille }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_count_as_measured() {
        let o200k = |factor_permille| Counting { encoding: Encoding::O200kBase, factor_permille };
        let cl100k = Counting { encoding: Encoding::Cl100kBase, factor_permille: 1000 };
        for (model, counting) in [
            ("gpt-4o-2024-08-06", o200k(1000)),
            ("gpt-4.1-mini", o200k(1000)),
            ("gpt-5", o200k(1000)),
            ("openai/gpt-4-0613", cl100k),
            ("gpt-4", cl100k),
            ("gpt-3.5-turbo", cl100k),
            ("claude-sonnet-4-5-20250929", o200k(1150)),
            ("us.anthropic.claude-opus-4-8-v1:0", o200k(1400)),
            ("anthropic/claude-sonnet-5", o200k(1400)),
            ("google/gemini-2.5-pro", o200k(1050)),
            ("something-else", o200k(1000)),
        ] {
            assert_eq!(Counting::by_model(model), counting, "{model}");
        }
    }

    #[test]
    fn a_tokenizer_overrides_the_model() {
        let config = Config {
            model: Some("claude-sonnet-5".into()),
            tokenizer: Some("cl100k_base".into()),
            ..Config::default()
        };
        assert_eq!(Counting::of(&config), Counting { encoding: Encoding::Cl100kBase, factor_permille: 1000 });
        assert!(Counting::by_tokenizer("gpt2").is_err());
    }
}
