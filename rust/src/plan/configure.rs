//! Creating, configuring, metadata, deleting.

use serde_json::{Map, Value};

use super::Draft;
use crate::config::{Config, PolicyConfig};
use crate::entry::{Bytes16, Created, Entry, Tombstoned};
use crate::error::{Error, Result};
use crate::limits::METADATA_BYTES_MAX;

/// What a `PUT` gives. Absent fields keep their value; of the optional ones, `Some(None)` takes the value away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configure {
    /// Tokens that a window may have.
    pub token_budget: Option<u64>,
    /// Tokens kept back.
    pub reserve_tokens: Option<u64>,
    /// Share of the budget above which the context needs compaction.
    pub trigger_ratio: Option<f64>,
    /// The policy, checked.
    pub policy: Option<PolicyConfig>,
    /// The model.
    pub model: Option<Option<String>>,
    /// The tokenizer.
    pub tokenizer: Option<Option<String>>,
    /// The whole metadata, a JSON object.
    pub metadata: Option<String>,
}

impl Configure {
    fn apply(&self, config: &mut Config) {
        config.token_budget = self.token_budget.unwrap_or(config.token_budget);
        config.reserve_tokens = self.reserve_tokens.unwrap_or(config.reserve_tokens);
        config.trigger_ratio = self.trigger_ratio.unwrap_or(config.trigger_ratio);
        if let Some(policy) = &self.policy {
            config.policy.clone_from(policy);
        }
        if let Some(model) = &self.model {
            config.model.clone_from(model);
        }
        if let Some(tokenizer) = &self.tokenizer {
            config.tokenizer.clone_from(tokenizer);
        }
    }
}

/// The first entry of a context.
#[must_use]
pub fn create(request: &Configure, incarnation: Bytes16) -> Created {
    let metadata = request.metadata.clone().unwrap_or_else(|| "{}".into());
    let mut config = Config::default();
    request.apply(&mut config);
    Created { incarnation, config, metadata, origin: None }
}

/// Plans a change of configuration. Nothing is planned where nothing changes.
///
/// # Errors
/// [`Error::Corrupt`] where an entry does not continue the state.
pub fn configure(draft: &mut Draft<'_>, request: &Configure) -> Result<()> {
    let mut config = draft.state.config.clone();
    request.apply(&mut config);
    if config != draft.state.config {
        draft.add(Entry::Configured(config))?;
    }
    match &request.metadata {
        Some(metadata) if *metadata != draft.state.metadata => draft.add(Entry::Metadata(metadata.clone())),
        _ => Ok(()),
    }
}

/// A change of metadata: an object as of JSON Merge Patch (RFC 7396).
#[derive(Clone, Debug)]
pub struct MetadataPatch(pub Map<String, Value>);

/// Plans a merge into the metadata. Nothing is planned where nothing changes.
///
/// # Errors
/// `invalid_field` where the result is too large.
pub fn merge_metadata(draft: &mut Draft<'_>, patch: &MetadataPatch) -> Result<()> {
    let mut merged: Map<String, Value> = serde_json::from_str(&draft.state.metadata)
        .map_err(|cause| Error::corrupt(format!("the stored metadata is no object ({cause})")))?;
    merge(&mut merged, &patch.0);
    let merged = Value::Object(merged).to_string();
    if merged.len() > METADATA_BYTES_MAX {
        let message =
            format!("metadata has {} bytes after the merge, at most {METADATA_BYTES_MAX} are allowed", merged.len());
        return Err(Error::field("metadata", message));
    }
    if merged == draft.state.metadata {
        return Ok(());
    }
    draft.add(Entry::Metadata(merged))
}

fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.shift_remove(key);
            }
            Value::Object(inner) => {
                let place = target.entry(key).or_insert_with(|| Value::Object(Map::new()));
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                if let Value::Object(existing) = place {
                    merge(existing, inner);
                }
            }
            other => {
                target.insert(key.clone(), other.clone());
            }
        }
    }
}

/// Plans the end of a context. Nothing is planned where it ended before.
///
/// # Errors
/// [`Error::Corrupt`] where the entry does not continue the state.
pub fn tombstone(draft: &mut Draft<'_>) -> Result<()> {
    if draft.state.tombstoned {
        return Ok(());
    }
    draft.add(Entry::Tombstoned(Tombstoned { purge: false }))
}
