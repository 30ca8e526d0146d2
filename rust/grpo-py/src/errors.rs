//! Rust errors as Python exceptions.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

pyo3::create_exception!(
    grpo_rs._core,
    InputError,
    PyValueError,
    "The caller's input is at fault; the message says how to mend it."
);
pyo3::create_exception!(
    grpo_rs._core,
    InternalError,
    PyRuntimeError,
    "A bug in grpo_rs: a Rust panic, with the index of the input that met it."
);
pyo3::create_exception!(
    grpo_rs._core,
    SandboxUnavailable,
    PyRuntimeError,
    "This kernel lacks a protection that running untrusted programs needs; the message names it."
);

/// The exception for a caller's mistake.
pub(crate) fn input_error(message: impl std::fmt::Display) -> PyErr {
    InputError::new_err(message.to_string())
}
