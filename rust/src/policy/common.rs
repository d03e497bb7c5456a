//! The keys that every strategy takes.

use super::fields::{wrong, Fields};
use crate::config::Config;
use crate::error::Result;
use crate::limits::TOKEN_BUDGET_MAX;

/// What happens when a strategy can't free enough by its own means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest whole turns leave, then the oldest groups.
    #[default]
    Drop,
    /// Everything stays, and `needs_compaction` says so.
    Flag,
}

/// Keys of every strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// The policy's own trigger; the context's where absent.
    pub trigger_ratio: Option<f64>,
    /// Where it brings the kept list; half the trigger where absent.
    pub target_ratio: Option<f64>,
    /// Caps the budget that both are shares of.
    pub max_tokens: Option<u64>,
    /// The head never leaves.
    pub keep_system: bool,
    /// A larger tool result is clamped when it is appended; a quarter of the budget where absent.
    pub max_result_tokens: Option<u64>,
    /// What happens when the strategy can't free enough.
    pub overflow: Overflow,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            trigger_ratio: None,
            target_ratio: None,
            max_tokens: None,
            keep_system: true,
            max_result_tokens: None,
            overflow: Overflow::Drop,
        }
    }
}

impl Common {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self> {
        let common = Self {
            trigger_ratio: fields.ratio("trigger_ratio")?,
            target_ratio: fields.ratio("target_ratio")?,
            max_tokens: fields.integer("max_tokens", 1, TOKEN_BUDGET_MAX)?,
            keep_system: fields.boolean("keep_system")?.unwrap_or(true),
            max_result_tokens: fields.integer("max_result_tokens", 1, TOKEN_BUDGET_MAX)?,
            overflow: match fields.string("overflow")?.as_deref() {
                None | Some("drop") => Overflow::Drop,
                Some("flag") => Overflow::Flag,
                Some(other) => return Err(wrong("overflow", &format!("\"drop\" or \"flag\", not {other:?}"))),
            },
        };
        if let (Some(target), Some(trigger)) = (common.target_ratio, common.trigger_ratio) {
            if target > trigger {
                return Err(wrong("target_ratio", "at most trigger_ratio"));
            }
        }
        Ok(common)
    }

    /// The budget that the shares are taken of.
    #[must_use]
    pub fn budget(&self, config: &Config) -> u64 {
        self.max_tokens.map_or(config.token_budget, |most| most.min(config.token_budget))
    }

    /// The trigger that holds.
    #[must_use]
    pub fn trigger(&self, config: &Config) -> f64 {
        self.trigger_ratio.unwrap_or(config.trigger_ratio)
    }

    /// The target that holds.
    #[must_use]
    pub fn target(&self, config: &Config) -> f64 {
        self.target_ratio.unwrap_or_else(|| self.trigger(config) / 2.0)
    }
}
