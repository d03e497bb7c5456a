//! The configuration of a context.

use serde::{Deserialize, Serialize};

use crate::limits::{TOKEN_BUDGET_DEFAULT, TRIGGER_RATIO_DEFAULT};

/// Strategy and configuration of a policy, as given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyConfig {
    /// Name of the strategy.
    pub strategy: String,
    /// Its configuration: a JSON object without insignificant white space.
    pub config: String,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { strategy: "budget".into(), config: "{}".into() }
    }
}

/// What a caller configures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Tokens that a window may have.
    pub token_budget: u64,
    /// Tokens kept back for tools, prompts outside the log, and output.
    pub reserve_tokens: u64,
    /// Share of the budget above which the context needs compaction, in (0, 1].
    pub trigger_ratio: f64,
    /// The compaction policy.
    pub policy: PolicyConfig,
    /// The model that the window goes to.
    pub model: Option<String>,
    /// Overrides the model's token count.
    pub tokenizer: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            token_budget: TOKEN_BUDGET_DEFAULT,
            reserve_tokens: 0,
            trigger_ratio: TRIGGER_RATIO_DEFAULT,
            policy: PolicyConfig::default(),
            model: None,
            tokenizer: None,
        }
    }
}

impl Config {
    /// Kept tokens above which the context needs compaction.
    #[must_use]
    pub fn trigger_tokens(&self) -> u64 {
        share(self.token_budget, self.trigger_ratio)
    }
}

/// `ratio` of `tokens`, rounded down; the same on every machine (one IEEE multiplication).
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "budgets lie far below 2^52"
)]
pub fn share(tokens: u64, ratio: f64) -> u64 {
    (tokens as f64 * ratio) as u64
}
