//! The names of [`sandbox`](crate::sandbox) where there is no sandbox: no program is ever run.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::errors::SandboxUnavailable;

const WHY: &str = "the sandbox is unavailable: programs are run on 64-bit Linux only";

/// Layers, level, Landlock's version, reasons, whether the level suffices.
type ProtectionParts = (Vec<(String, bool)>, u8, u32, Vec<(String, String)>, bool);

/// Tests, of which nothing is kept.
#[pyclass(frozen)]
pub(crate) struct CodeTests;

#[pymethods]
impl CodeTests {
    #[staticmethod]
    #[pyo3(signature = (*_tests))]
    fn stdio(_tests: &Bound<'_, PyTuple>) -> Self {
        Self
    }

    #[staticmethod]
    #[pyo3(signature = (*_tests))]
    fn calls(_tests: &Bound<'_, PyTuple>) -> Self {
        Self
    }

    #[staticmethod]
    #[pyo3(signature = (*_tests))]
    fn split(_tests: &Bound<'_, PyTuple>) -> Self {
        Self
    }

    #[staticmethod]
    #[pyo3(signature = (*_tests))]
    fn unittest(_tests: &Bound<'_, PyTuple>) -> Self {
        Self
    }
}

/// A pool that cannot be started.
#[pyclass(frozen)]
pub(crate) struct CodePool;

#[pymethods]
#[expect(clippy::unused_self, reason = "methods, as where there is a sandbox")]
impl CodePool {
    #[new]
    fn new(_config: &Bound<'_, PyDict>) -> Self {
        Self
    }

    fn protection(&self) -> ProtectionParts {
        (Vec::new(), 0, 0, vec![("all".into(), WHY.into())], false)
    }

    fn batch(&self) -> PyResult<CodeBatch> {
        Err(SandboxUnavailable::new_err(WHY))
    }

    fn close(&self) {}
}

/// Never made.
#[pyclass(frozen)]
pub(crate) struct CodeBatch;

/// Never made.
#[pyclass(frozen)]
pub(crate) struct SandboxZygote;

/// Refuses.
#[pyfunction]
pub(crate) fn sandbox_supervise() -> PyResult<()> {
    Err(SandboxUnavailable::new_err(WHY))
}
