//! What a custom policy sees of a kept list.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::policy::Columns;

/// The columns of a kept list, each as the bytes of native integers.
#[pyclass(frozen, module = "fastpaca._core")]
pub(super) struct KeptColumns(pub(super) Columns);

#[pymethods]
impl KeptColumns {
    #[getter]
    fn strategy(&self) -> &str {
        &self.0.strategy
    }

    #[getter]
    fn config(&self) -> &str {
        &self.0.config
    }

    #[getter]
    fn shares(&self) -> (u64, u64, u64) {
        (self.0.budget, self.0.trigger, self.0.target)
    }

    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let columns = &self.0;
        let dict = PyDict::new(py);
        for (name, code, bytes) in [
            ("seq", "Q", native(&columns.seqs, u64::to_ne_bytes)),
            ("to_seq", "Q", native(&columns.to_seqs, u64::to_ne_bytes)),
            ("item", "B", columns.items.clone()),
            ("role", "B", columns.roles.clone()),
            ("kinds", "H", native(&columns.kinds, u16::to_ne_bytes)),
            ("tokens", "I", native(&columns.tokens, u32::to_ne_bytes)),
            ("time_ms", "q", native(&columns.times_ms, i64::to_ne_bytes)),
            ("turn", "Q", native(&columns.turns, u64::to_ne_bytes)),
            ("group", "Q", native(&columns.groups, u64::to_ne_bytes)),
            ("pinned", "?", columns.pinned.clone()),
            ("protected", "?", columns.protected.clone()),
        ] {
            dict.set_item(name, (code, PyBytes::new(py, &bytes)))?;
        }
        Ok(dict)
    }
}

fn native<T: Copy, const N: usize>(column: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    column.iter().flat_map(|value| bytes(*value)).collect()
}
