//! `fastpaca verify`: replay against everything stored.

use pyo3::prelude::*;

use super::raise;
use crate::verify::Verifier as CoreVerifier;

#[pyclass(module = "fastpaca._core")]
pub(super) struct Verifier {
    id: String,
    inner: CoreVerifier,
}

#[pymethods]
impl Verifier {
    #[new]
    #[pyo3(signature = (id, snapshot = None))]
    fn new(py: Python<'_>, id: &str, snapshot: Option<&[u8]>) -> PyResult<Self> {
        let inner = CoreVerifier::new(id, snapshot).map_err(|error| raise(py, id, error))?;
        Ok(Self { id: id.into(), inner })
    }

    fn push(&mut self, py: Python<'_>, record: &[u8]) -> PyResult<()> {
        self.inner.push(record).map_err(|error| raise(py, &self.id, error))
    }

    fn finish(&mut self, py: Python<'_>, chunks: Vec<(u64, Vec<u8>)>) -> PyResult<(u64, u64)> {
        self.inner.finish(&chunks).map_err(|error| raise(py, &self.id, error))
    }
}
