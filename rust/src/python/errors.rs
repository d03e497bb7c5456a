//! Errors of the core as exceptions, and what an operation lacks.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::error::{Error, Need as CoreNeed};
use crate::keys;

create_exception!(_core, CoreError, PyException);
create_exception!(_core, Need, PyException);

/// The exception that stands for an error of a context's.
pub(super) fn raise(py: Python<'_>, id: &str, error: Error) -> PyErr {
    match error {
        Error::Need(need) => raise_need(py, id, &need),
        other => match details(py, &other) {
            Ok(details) => CoreError::new_err((other.code(), other.to_string(), details.unbind())),
            Err(failed) => failed,
        },
    }
}

fn raise_need(py: Python<'_>, id: &str, need: &CoreNeed) -> PyErr {
    let gets: Vec<(u8, Py<PyBytes>)> =
        need.keys.iter().map(|(family, key)| (*family as u8, PyBytes::new(py, key).unbind())).collect();
    let scan = need.records.map(|(after, up_to)| {
        let start = PyBytes::new(py, &keys::record(id, after)).unbind();
        let stop = PyBytes::new(py, &keys::record(id, up_to)).unbind();
        (start, stop, after, up_to)
    });
    let start = PyBytes::new(py, &keys::record(id, 0)).unbind();
    let holding = need.holding.iter().map(|version| {
        let stop = PyBytes::new(py, &keys::record(id, version.saturating_add(1))).unbind();
        (start.clone_ref(py), stop, *version)
    });
    let holding: Vec<(Py<PyBytes>, Py<PyBytes>, u64)> = holding.collect();
    Need::new_err((gets, scan, holding))
}

/// The data that an error carries. A match without a wildcard: a new variant has to be thought of here.
fn details<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    match error {
        Error::Invalid { field, .. } => dict.set_item("field", field)?,
        Error::VersionConflict { expected, actual } => {
            dict.set_item("expected", expected)?;
            dict.set_item("actual", actual)?;
        }
        Error::BudgetTooSmall { budget, needed } => {
            dict.set_item("budget_tokens", budget)?;
            dict.set_item("needed_tokens", needed)?;
        }
        Error::NotNewest { newest } => dict.set_item("newest_id", newest)?,
        Error::CompactionConflict { version }
        | Error::UnknownCompaction { version }
        | Error::RevertConflict { version }
        | Error::Erased { version } => dict.set_item("version", version)?,
        Error::NotYet { wanted, actual } => {
            dict.set_item("wanted", wanted)?;
            dict.set_item("actual", actual)?;
        }
        Error::UnknownEntry { kind, version } => {
            dict.set_item("kind", kind)?;
            dict.set_item("version", version)?;
        }
        Error::UnknownFormat { what, format } => {
            dict.set_item("what", what)?;
            dict.set_item("format", format)?;
        }
        Error::Need(_)
        | Error::Consult(_)
        | Error::UnknownContext
        | Error::Stale
        | Error::Tombstoned
        | Error::KeyConflict
        | Error::EmptyReplacement
        | Error::Corrupt { .. } => {}
    }
    Ok(dict)
}
