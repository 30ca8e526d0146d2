//! The plain parts of code verdicts: values, comparison, and what a completion holds.

use grpo_sandbox::{Comparator, Language, Outcome, Value};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::input_error;
use crate::text::Text;
use crate::value::{from_python, to_python};

/// The bytes of an object's value.
#[pyfunction]
#[pyo3(signature = (value, /, *, handle_for=None))]
pub(crate) fn encode_value<'py>(
    value: &Bound<'py, PyAny>,
    handle_for: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(value.py(), &from_python(value, handle_for)?.encode()))
}

/// The object of a value's bytes, whoever wrote them.
#[pyfunction]
#[pyo3(signature = (data, /, *, object_for=None))]
pub(crate) fn decode_value<'py>(
    py: Python<'py>,
    data: &[u8],
    object_for: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    to_python(py, &Value::decode(data).map_err(input_error)?, object_for)
}

/// Whether two objects have equal values.
#[pyfunction]
#[pyo3(signature = (left, right, /))]
pub(crate) fn values_equal(left: &Bound<'_, PyAny>, right: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(from_python(left, None)?.python_eq(&from_python(right, None)?))
}

/// Whether an output counts as another.
#[pyfunction]
#[pyo3(signature = (actual, expected, comparator, rel, abs))]
pub(crate) fn compare_outputs(
    actual: &[u8],
    expected: &[u8],
    comparator: &str,
    rel: f64,
    abs: f64,
) -> PyResult<bool> {
    let comparator = Comparator::from_name(comparator, rel, abs).ok_or_else(|| {
        input_error(format!(
            "comparator is '{comparator}' with rel={rel} and abs={abs}: give 'lines', 'exact', 'tokens' or \
             'floats', and tolerances of at least 0"
        ))
    })?;
    Ok(comparator.matches(actual, expected))
}

/// The program in a completion, or `None`.
#[pyfunction]
#[pyo3(signature = (completion, language))]
#[expect(clippy::needless_pass_by_value, reason = "the text owns the borrowed string")]
pub(crate) fn extract_program(completion: Text, language: &str) -> PyResult<Option<String>> {
    let language = Language::from_name(language).ok_or_else(|| {
        input_error(format!(
            "language is '{language}': give 'python', 'c', 'cpp', 'javascript', 'rust' or 'java'"
        ))
    })?;
    Ok(grpo_sandbox::extract_program(&completion, language))
}

/// The top-level names of the modules that a program imports.
#[pyfunction]
#[pyo3(signature = (source, /))]
#[expect(clippy::needless_pass_by_value, reason = "the text owns the borrowed string")]
pub(crate) fn program_imports(source: Text) -> Vec<String> {
    grpo_sandbox::python_imports(&source).into_iter().map(ToOwned::to_owned).collect()
}

/// Name, code, whether it can be scored, and description of every outcome.
#[pyfunction]
pub(crate) fn sandbox_outcomes() -> Vec<(&'static str, u8, bool, &'static str)> {
    Outcome::ALL
        .iter()
        .map(|outcome| (outcome.name(), outcome.code(), outcome.is_scorable(), outcome.describe()))
        .collect()
}
