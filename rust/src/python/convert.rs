//! Replies in another format.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::raise;
use crate::format::Format;

#[pyfunction]
#[pyo3(signature = (replies, format, *, model = None, cache = None))]
pub(super) fn convert(
    py: Python<'_>,
    replies: Vec<Bound<'_, PyBytes>>,
    format: &str,
    model: Option<&str>,
    cache: Option<&str>,
) -> PyResult<Py<PyBytes>> {
    let replies: Vec<&[u8]> = replies.iter().map(|reply| reply.as_bytes()).collect();
    let converted = Format::from_name(format)
        .and_then(|format| py.detach(|| crate::format::convert(&replies, format, model, cache)));
    Ok(PyBytes::new(py, &converted.map_err(|error| raise(py, "", error))?).unbind())
}
