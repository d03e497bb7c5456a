//! Calls and results without each other, before anything is appended.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::Request;
use crate::request::Action;
use crate::unpaired::Unpaired as CoreUnpaired;

/// Id and name.
type Named = (Option<String>, Option<String>);

#[pyclass(module = "fastpaca._core")]
pub(super) struct Unpaired(CoreUnpaired);

#[pymethods]
impl Unpaired {
    #[new]
    fn new() -> Self {
        Self(CoreUnpaired::default())
    }

    fn push(&mut self, request: &Request, place: &str) -> PyResult<Vec<Named>> {
        let Action::Append(append) = &request.0.action else { return Err(PyValueError::new_err("appends nothing")) };
        let orphans = append.messages.iter().flat_map(|message| self.0.push(message, place));
        Ok(orphans.map(|result| (result.id, result.name)).collect())
    }

    fn waiting(&self) -> Vec<(String, Option<String>, Option<String>)> {
        self.0.waiting().map(|(place, call)| (place.to_owned(), call.id.clone(), call.name.clone())).collect()
    }
}
