//! Compaction policies: what leaves the kept list or is shown edited, and when. A policy runs once, when a batch is planned;
//! what it decides is logged and never decided again.
//!
//! A strategy works on a copy of the list ([`Work`]): it reads what it has to, makes edits, and says which spans stay.

mod budget;
mod common;
mod custom;
mod cut;
mod fields;
mod last_n;
mod skip_parts;
mod strip;
mod strip_tool_results;
mod time_aware;
mod work;

use crate::config::{share, Config, PolicyConfig};
use crate::error::{Error, Result};
use crate::state::State;
use crate::view::List;

pub use common::{Common, Overflow};
pub use custom::{Columns, Decision};
use fields::Fields;
pub use work::{Bodies, Finished, Work};

/// A strategy of the core: what it is called, its keys, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Native {
    /// Its name.
    pub name: &'static str,
    /// Its keys beside [`COMMON_KEYS`].
    pub keys: &'static [&'static str],
    /// What it does, in one line.
    pub about: &'static str,
}

/// The strategies of the core.
pub const NATIVE: &[Native] = &[
    Native { name: "budget", keys: &[], about: "Keeps everything; the application compacts, views are cut to fit." },
    Native { name: "manual", keys: &[], about: "Another name of `budget`." },
    Native {
        name: "last_n",
        keys: last_n::KEYS,
        about: "Keeps at most `limit` messages, dropped in steps of `chunk`.",
    },
    Native {
        name: "strip_tool_results",
        keys: strip_tool_results::KEYS,
        about: "Shows older tool results as a short placeholder; calls stay.",
    },
    Native {
        name: "skip_parts",
        keys: skip_parts::KEYS,
        about: "Leaves parts of some kinds out of closed turns: tool calls with their results, and reasoning.",
    },
    Native { name: "time_aware", keys: time_aware::KEYS, about: "Drops whole sessions that are older than `max_age`." },
];

/// Names of the strategies of the core.
pub const STRATEGIES: &[&str] = &["budget", "manual", "last_n", "strip_tool_results", "skip_parts", "time_aware"];

/// Keys that every strategy takes.
pub const COMMON_KEYS: &[&str] =
    &["trigger_ratio", "target_ratio", "max_tokens", "keep_system", "max_result_tokens", "overflow"];

/// What a strategy decides.
trait Strategy {
    /// Due for a reason of its own, beside the trigger.
    fn is_due(&self, _look: &Look<'_>) -> Result<bool> {
        Ok(false)
    }

    /// Brings the list down. Called only when it is due.
    fn run(&self, work: &mut Work<'_>) -> Result<()>;
}

/// What a strategy looks at to see whether it is due: after every append, so it has to cost next to nothing.
struct Look<'a> {
    list: List<'a>,
    keep_system: bool,
    idle: Option<Idle>,
}

impl Look<'_> {
    /// Number of items that the policy may not drop at the head.
    fn head(&self) -> Result<u64> {
        head(self.list, self.keep_system)
    }
}

fn head(list: List<'_>, keep_system: bool) -> Result<u64> {
    if keep_system {
        list.head()
    } else {
        Ok(0)
    }
}

/// A run that changed nothing. It is not stored: at worst a policy runs in vain once more after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    /// The rewrite that it looked at.
    pub rewritten: u64,
    /// Kept tokens then.
    pub tokens: u64,
    /// Nothing changes before a message of a later time than this comes in, as far as age is concerned.
    pub until_ms: Option<i64>,
}

/// A policy that is due: the shares of its budget.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Number of head items that it may not drop.
    pub head: u64,
    /// The budget that its shares are taken of.
    pub budget: u64,
    /// Tokens above which it runs.
    pub trigger: u64,
    /// Tokens that it brings the kept list down to.
    pub target: u64,
    /// Tokens are over the trigger.
    pub over_trigger: bool,
    /// What happens when the strategy can't free enough.
    pub overflow: Overflow,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Budget,
    LastN(last_n::LastN),
    StripToolResults(strip_tool_results::StripToolResults),
    SkipParts(skip_parts::SkipParts),
    TimeAware(time_aware::TimeAware),
    Custom(custom::Custom),
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
    /// Checks a configuration. `custom` are the names of strategies that are registered beside those of the core.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the strategy or the key.
    pub fn parse(given: &PolicyConfig, custom: &[String]) -> Result<Self> {
        let name = given.strategy.as_str();
        let is_custom = !STRATEGIES.contains(&name);
        if is_custom && !custom.iter().any(|known| known == name) {
            return Err(unknown(name, custom));
        }
        let mut fields = Fields::parse(&given.config)?;
        let common = Common::parse(&mut fields)?;
        let kind = match name {
            "budget" | "manual" => Kind::Budget,
            "last_n" => Kind::LastN(last_n::LastN::parse(&mut fields)?),
            "strip_tool_results" => Kind::StripToolResults(strip_tool_results::StripToolResults::parse(&mut fields)?),
            "skip_parts" => Kind::SkipParts(skip_parts::SkipParts::parse(&mut fields)?),
            "time_aware" => Kind::TimeAware(time_aware::TimeAware::parse(&mut fields)?),
            // What other keys it takes, it says itself.
            _ => Kind::Custom(custom::Custom::new(given)),
        };
        if !is_custom {
            fields.finish(name)?;
        }
        Ok(Self { common, kind, name: name.to_owned() })
    }

    /// The policy of a stored configuration, which was checked when it came in. A strategy that the core does not know is a
    /// custom one; a configuration that it does not understand, of a later release, keeps everything.
    #[must_use]
    pub fn stored(config: &Config) -> Self {
        let name = &config.policy.strategy;
        Self::parse(&config.policy, std::slice::from_ref(name)).unwrap_or_else(|_| Self {
            common: Common::default(),
            kind: Kind::Budget,
            name: name.clone(),
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
            Kind::StripToolResults(strategy) => strategy,
            Kind::SkipParts(strategy) => strategy,
            Kind::TimeAware(strategy) => strategy,
            Kind::Custom(strategy) => strategy,
        }
    }

    /// Whether the policy is due on a planned state. `idle` is its last run, if that changed nothing; `overdue`: it waited
    /// for the turn that has begun meanwhile.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks.
    pub fn due(&self, state: &State, idle: Option<Idle>, overdue: bool) -> Result<Option<Due>> {
        if self.kind == Kind::Budget {
            return Ok(None);
        }
        let idle = idle.filter(|idle| idle.rewritten == state.rewritten);
        let budget = self.common.budget(&state.config);
        let (trigger, target) = (self.common.trigger(&state.config), self.common.target(&state.config));
        let growth = share(budget, (trigger - target).max(0.0));
        let over_trigger = is_grown(state, idle, growth) && state.used_tokens() > share(budget, trigger);
        let look = Look { list: state.list(), keep_system: self.common.keep_system, idle };
        if !over_trigger && !self.strategy().is_due(&look)? {
            return Ok(None);
        }
        let room = budget.saturating_sub(state.config.reserve_tokens);
        let waits = state.is_inside_turn() && !overdue;
        if state.kept.is_empty() || waits && state.used_tokens() <= room {
            return Ok(None);
        }
        Ok(Some(Due {
            head: look.head()?,
            budget,
            trigger: share(budget, trigger),
            target: share(budget, target),
            over_trigger,
            overflow: self.common.overflow,
        }))
    }

    /// Runs the policy, which is due.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks and records; [`Error::Consult`] where a custom one has to decide.
    pub fn run(&self, work: &mut Work<'_>) -> Result<()> {
        self.strategy().run(work)
    }

    /// Tokens above which a tool result is clamped when it is appended.
    #[must_use]
    pub fn result_tokens_max(&self, config: &Config) -> u64 {
        self.common.max_result_tokens.unwrap_or_else(|| self.common.budget(config) / 4)
    }
}

/// Kept tokens have grown enough since the last run, whether that changed anything or not.
fn is_grown(state: &State, idle: Option<Idle>, growth: u64) -> bool {
    let floors = [state.policy_floor, idle.map(|idle| idle.tokens)];
    floors.into_iter().flatten().all(|floor| state.kept.tokens() >= floor.saturating_add(growth))
}

fn unknown(name: &str, custom: &[String]) -> Error {
    let known: Vec<&str> = STRATEGIES.iter().copied().chain(custom.iter().map(String::as_str)).collect();
    let message = format!("{name:?} is no strategy; known are {}", known.join(", "));
    Error::invalid("unknown_strategy", "policy.strategy", message)
}
