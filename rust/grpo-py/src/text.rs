//! Python strings, borrowed where CPython holds them as UTF-8.

use std::ops::Deref;

use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyString;

/// A text that a worker thread may read without the GIL.
pub(crate) enum Text {
    /// CPython's own UTF-8 buffer, kept alive by a reference.
    Borrowed(PyBackedStr),
    /// A repaired copy: lone surrogates, which UTF-8 cannot hold, became U+FFFD.
    Repaired(String),
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Repaired(text) => text,
        }
    }
}

impl FromPyObject<'_, '_> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let text = object.cast::<PyString>().map_err(|_| {
            PyTypeError::new_err(format!(
                "expected a str, not {}",
                object.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string())
            ))
        })?;
        match text.extract::<PyBackedStr>() {
            Ok(borrowed) => Ok(Self::Borrowed(borrowed)),
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(object.py()) => {
                Ok(Self::Repaired(text.to_string_lossy().into_owned()))
            }
            Err(error) => Err(error),
        }
    }
}
