//! Python's values as JSON.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::json::quote_into;

/// Deeper values are left to `json`, which knows how much of the stack there is.
const DEPTH_MAX: usize = 64;

#[pyfunction]
pub(super) fn encode(py: Python<'_>, value: &Bound<'_, PyAny>) -> Option<Py<PyBytes>> {
    let mut out = Vec::with_capacity(512);
    write(value, &mut out, DEPTH_MAX).map(|()| PyBytes::new(py, &out).unbind())
}

/// Nothing for what is no plain value. It runs no code of Python's users: only exact types are looked into.
fn write(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, deeper: usize) -> Option<()> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        // Fails for a lone surrogate.
        quote_into(text.to_str().ok()?, out);
    } else if let Ok(fields) = value.cast_exact::<PyDict>() {
        write_object(fields, out, deeper.checked_sub(1)?)?;
    } else if let Ok(elements) = value.cast_exact::<PyList>() {
        write_array(elements, out, deeper.checked_sub(1)?)?;
    } else if let Ok(number) = value.cast_exact::<PyInt>() {
        serde_json::to_writer(out, &number.extract::<i64>().ok()?).ok()?;
    } else if value.is_none() {
        out.extend_from_slice(b"null");
    } else if let Ok(truth) = value.cast_exact::<PyBool>() {
        out.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
    } else if let Ok(number) = value.cast_exact::<PyFloat>() {
        // As Python spells it; what is not finite is no JSON.
        number.value().is_finite().then_some(())?;
        out.extend_from_slice(number.repr().ok()?.to_str().ok()?.as_bytes());
    } else {
        return None;
    }
    Some(())
}

fn write_object(fields: &Bound<'_, PyDict>, out: &mut Vec<u8>, deeper: usize) -> Option<()> {
    out.push(b'{');
    for (n, (key, value)) in fields.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        quote_into(key.cast_exact::<PyString>().ok()?.to_str().ok()?, out);
        out.push(b':');
        write(&value, out, deeper)?;
    }
    out.push(b'}');
    Some(())
}

fn write_array(elements: &Bound<'_, PyList>, out: &mut Vec<u8>, deeper: usize) -> Option<()> {
    out.push(b'[');
    for (n, element) in elements.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write(&element, out, deeper)?;
    }
    out.push(b']');
    Some(())
}
