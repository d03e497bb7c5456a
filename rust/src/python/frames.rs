//! What subscribers are told of a stored record.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::raise;

type PyFrame = (u64, &'static str, Option<String>, Py<PyBytes>);

#[pyfunction]
#[pyo3(signature = (record, *, after = None, context_id = None, include_messages = true))]
pub(super) fn frames(
    py: Python<'_>,
    record: &[u8],
    after: Option<u64>,
    context_id: Option<&str>,
    include_messages: bool,
) -> PyResult<Vec<PyFrame>> {
    let frames = crate::frames::frames(record, after, crate::frames::Style { context_id, include_messages });
    let frames = frames.map_err(|error| raise(py, context_id.unwrap_or_default(), error))?;
    let tuple = |frame: crate::frames::Frame| {
        (frame.version, frame.kind, frame.message_id, PyBytes::new(py, &frame.json).unbind())
    };
    Ok(frames.into_iter().map(tuple).collect())
}
