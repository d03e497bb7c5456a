//! The keys that every strategy takes, and how keys are read.

use serde_json::{Map, Value};

use crate::config::Config;
use crate::error::{Error, Result};
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

/// The keys of a policy's configuration; each is taken once, and what is left is unknown.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

fn wrong(key: &str, expected: &str) -> Error {
    Error::field(format!("policy.config.{key}"), format!("must be {expected}"))
}

impl Fields {
    pub(super) fn parse(config: &str) -> Result<Self> {
        serde_json::from_str(config).map(Self).map_err(|_| Error::field("policy.config", "must be an object"))
    }

    /// Takes a key; `null` counts as absent.
    fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn integer(&mut self, key: &str, least: u64, most: u64) -> Result<Option<u64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.as_u64() {
            Some(n) if (least..=most).contains(&n) => Ok(Some(n)),
            _ => Err(wrong(key, &format!("an integer from {least} to {most}"))),
        }
    }

    /// A ratio in (0, 1]; an integer 1 is fine.
    pub(super) fn ratio(&mut self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.as_f64() {
            Some(ratio) if ratio > 0.0 && ratio <= 1.0 => Ok(Some(ratio)),
            _ => Err(wrong(key, "a number above 0 and at most 1")),
        }
    }

    pub(super) fn boolean(&mut self, key: &str) -> Result<Option<bool>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| wrong(key, "true or false"))
    }

    pub(super) fn string(&mut self, key: &str) -> Result<Option<String>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        value.as_str().map(|s| Some(s.into())).ok_or_else(|| wrong(key, "a string"))
    }

    pub(super) fn missing(key: &str) -> Error {
        Error::invalid("missing_field", format!("policy.config.{key}"), "is required")
    }

    /// What is left is unknown.
    pub(super) fn finish(self, strategy: &str) -> Result<()> {
        let unknown = self.0.iter().find(|(_, value)| !value.is_null()).map(|(key, _)| key);
        match unknown {
            None => Ok(()),
            Some(key) => Err(Error::invalid(
                "unknown_policy_key",
                format!("policy.config.{key}"),
                format!("the strategy {strategy:?} has no such key"),
            )),
        }
    }
}
