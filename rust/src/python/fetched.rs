//! Stored bytes on their way to an operation that lacks them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;

use super::family;
use crate::fetched::Fetched as CoreFetched;

#[pyclass(frozen, module = "fastpaca._core")]
pub(super) struct Fetched(Mutex<CoreFetched>);

#[pymethods]
impl Fetched {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    #[pyo3(signature = (family_number, key, value))]
    fn insert(&self, family_number: u8, key: &[u8], value: Option<&[u8]>) -> PyResult<()> {
        let family = family(family_number)?;
        self.lock().insert(family, key.to_vec(), value.map(Arc::from));
        Ok(())
    }

    fn insert_range(&self, after: u64, up_to: u64, records: Vec<Vec<u8>>) {
        self.lock().insert_range((after, up_to), records.into_iter().map(Arc::from).collect());
    }

    #[pyo3(signature = (version, record))]
    fn insert_holding(&self, version: u64, record: Option<&[u8]>) {
        self.lock().insert_holding(version, record.map(Arc::from));
    }
}

impl Fetched {
    pub(super) fn lock(&self) -> MutexGuard<'_, CoreFetched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
