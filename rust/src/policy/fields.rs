//! How the keys of a policy's configuration are read.

use serde_json::{Map, Value};

use crate::config::share;
use crate::error::{Error, Result};
use crate::limits::{
    DURATION_DAYS_MAX, POLICY_NAMES_MAX, POLICY_NAME_BYTES_MAX, POLICY_TEXT_BYTES_MAX, TOKEN_BUDGET_MAX,
};

/// The keys of a policy's configuration; each is taken once, and what is left is unknown.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

pub(super) fn wrong(key: &str, expected: &str) -> Error {
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

    /// A text that a model reads: not empty.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>> {
        let text = self.string(key)?;
        match &text {
            Some(text) if text.trim().is_empty() || text.len() > POLICY_TEXT_BYTES_MAX => {
                Err(wrong(key, &format!("a text of at most {POLICY_TEXT_BYTES_MAX} bytes, not blank")))
            }
            _ => Ok(text),
        }
    }

    /// A list of names; it may be empty.
    pub(super) fn names(&mut self, key: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let expected = || wrong(key, &format!("an array of at most {POLICY_NAMES_MAX} names"));
        let list = value.as_array().filter(|list| list.len() <= POLICY_NAMES_MAX).ok_or_else(expected)?;
        let name = |value: &Value| value.as_str().filter(|name| is_name(name)).map(str::to_owned);
        list.iter().map(name).collect::<Option<Vec<String>>>().map(Some).ok_or_else(expected)
    }

    /// A time span in milliseconds: a number of seconds, or a text such as `"30m"`.
    pub(super) fn duration_ms(&mut self, key: &str) -> Result<Option<i64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let seconds = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => seconds(text),
            _ => None,
        };
        match seconds.map(|seconds| seconds * 1000.0) {
            Some(ms) if (1.0..=DURATION_DAYS_MAX * 86_400_000.0).contains(&ms) => Ok(Some(whole(ms))),
            _ => Err(wrong(
                key,
                &format!(
                    "a time span such as \"30m\", \"2h\" or \"7d\" (s, m, h, d, w), or a number of seconds; \
                          more than 0 and at most {DURATION_DAYS_MAX} days"
                ),
            )),
        }
    }

    /// Tokens: a share of the budget where it is at most 1, else a number.
    pub(super) fn share_or_tokens(&mut self, key: &str) -> Result<Option<Amount>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match (value.as_f64(), value.as_u64()) {
            (Some(ratio), _) if (0.0..=1.0).contains(&ratio) => Ok(Some(Amount::Share(ratio))),
            (_, Some(tokens)) if tokens <= TOKEN_BUDGET_MAX => Ok(Some(Amount::Tokens(tokens))),
            _ => Err(wrong(key, "a share of the budget from 0 to 1, or a number of tokens")),
        }
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

/// Tokens, as a configuration gives them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Amount {
    /// A share of the budget.
    Share(f64),
    /// A number.
    Tokens(u64),
}

impl Amount {
    /// The number of tokens.
    pub(super) fn tokens(self, budget: u64) -> u64 {
        match self {
            Self::Share(ratio) => share(budget, ratio),
            Self::Tokens(tokens) => tokens,
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= POLICY_NAME_BYTES_MAX
}

/// A number and a unit.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(at)?;
    let factor = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[expect(clippy::cast_possible_truncation, reason = "the caller has checked the range")]
fn whole(ms: f64) -> i64 {
    ms as i64
}
