//! Compaction policies: what leaves the kept list, and when. A policy runs once, when a batch is planned; what it decides
//! is logged and never decided again.

mod budget;
mod common;
mod last_n;

use crate::config::{share, Config, PolicyConfig};
use crate::error::{Error, Result};
use crate::state::State;
use crate::view::Span;

use common::Fields;
pub use common::{Common, Overflow};
use last_n::LastN;

/// Names of the strategies, for error messages and listings.
pub const STRATEGIES: &[&str] = &["budget", "manual", "last_n"];

/// What a strategy decides.
pub trait Strategy {
    /// The spans of the kept list that stay, or nothing where it leaves the list as it is. Called only when it is due.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks.
    fn run(&self, due: &Due<'_>) -> Result<Option<Vec<Span>>>;

    /// Due for a reason of its own, beside the trigger.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks.
    fn is_due(&self, state: &State) -> Result<bool>;
}

/// A policy that is due: the state and the shares of its budget.
#[derive(Debug)]
pub struct Due<'a> {
    /// The planned state.
    pub state: &'a State,
    /// Number of head items that it may not drop.
    pub head: u64,
    /// Tokens that it brings the kept list down to.
    pub target: u64,
    /// Tokens are over the trigger.
    pub over_trigger: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Budget,
    LastN(LastN),
}

/// A parsed policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Keys that every strategy takes.
    pub common: Common,
    kind: Kind,
    name: String,
}

impl Policy {
    /// Checks a configuration.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the strategy or the key.
    pub fn parse(given: &PolicyConfig) -> Result<Self> {
        let mut fields = Fields::parse(&given.config)?;
        let kind = match given.strategy.as_str() {
            "budget" | "manual" => Kind::Budget,
            "last_n" => Kind::LastN(LastN::parse(&mut fields)?),
            other => {
                let known = STRATEGIES.join(", ");
                let message = format!("{other:?} is no strategy; known are {known}");
                return Err(Error::invalid("unknown_strategy", "policy.strategy", message));
            }
        };
        let common = Common::parse(&mut fields)?;
        fields.finish(&given.strategy)?;
        Ok(Self { common, kind, name: given.strategy.clone() })
    }

    /// The policy of a stored configuration, which was checked when it came in. One that this release does not know keeps
    /// everything: what it decided before stands in the log.
    #[must_use]
    pub fn stored(config: &Config) -> Self {
        Self::parse(&config.policy).unwrap_or_else(|_| Self {
            common: Common::default(),
            kind: Kind::Budget,
            name: config.policy.strategy.clone(),
        })
    }

    /// The strategy's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn strategy(&self) -> &dyn Strategy {
        match &self.kind {
            Kind::Budget => &budget::Budget,
            Kind::LastN(strategy) => strategy,
        }
    }

    /// Runs the policy on a planned state, where it is due.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks.
    pub fn run(&self, state: &State) -> Result<Option<Vec<Span>>> {
        let budget = self.common.budget(&state.config);
        let trigger = self.common.trigger(&state.config);
        let target = self.common.target(&state.config);
        let over_trigger = self.over_trigger(state, budget, trigger, target);
        if !over_trigger && !self.strategy().is_due(state)? {
            return Ok(None);
        }
        let room = budget.saturating_sub(state.config.reserve_tokens);
        let inside_turn = state.pairing.last() != state.pairing.turn();
        if inside_turn && state.used_tokens() <= room {
            return Ok(None);
        }
        let head = if self.common.keep_system { state.list().head()? } else { 0 };
        self.strategy().run(&Due { state, head, target: share(budget, target), over_trigger })
    }

    /// Kept tokens are over the trigger, and have grown enough since the last run.
    fn over_trigger(&self, state: &State, budget: u64, trigger: f64, target: f64) -> bool {
        let grown = state.policy_floor.is_none_or(|floor| {
            let least = share(budget, (trigger - target).max(0.0));
            state.kept.tokens() >= floor.saturating_add(least)
        });
        grown && state.used_tokens() > share(budget, trigger)
    }

    /// Tokens above which a tool result is clamped when it is appended.
    #[must_use]
    pub fn result_tokens_max(&self, config: &Config) -> u64 {
        self.common.max_result_tokens.unwrap_or_else(|| self.common.budget(config) / 4)
    }
}
