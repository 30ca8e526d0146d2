//! Python strings, borrowed where `CPython` holds them as UTF-8.

use std::ops::Deref;

use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyString};

/// A text that a worker thread may read without the GIL.
pub(crate) enum Text {
    /// `CPython`'s own UTF-8 buffer, kept alive by a reference.
    Borrowed(PyBackedStr),
    /// A repaired copy: each lone surrogate, which UTF-8 cannot hold, became U+FFFD. Both are three
    /// bytes long, so offsets are those of `text.encode("utf-8", "surrogatepass")`.
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
                repaired(text).map(Self::Repaired)
            }
            Err(error) => Err(error),
        }
    }
}

fn repaired(text: Borrowed<'_, '_, PyString>) -> PyResult<String> {
    let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
    let mut bytes = encoded.cast::<PyBytes>()?.as_bytes().to_vec();
    // The lead byte ED is followed by 80 to 9F in UTF-8, by A0 to BF in a surrogate, and is never inside.
    let surrogates = (1..bytes.len()).filter(|&at| bytes[at - 1] == 0xED && bytes[at] >= 0xA0);
    for at in surrogates.collect::<Vec<_>>() {
        bytes[at - 1..at + 2].copy_from_slice("\u{fffd}".as_bytes());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
