//! What the tests of the boundary need to see from inside; not part of the API.

use std::time::{Duration, Instant};

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::batch::contiguous;
use crate::detach::run_batch;
use crate::errors::input_error;
use crate::text::Text;

/// Runs one probe and returns what it saw:
///
/// - `panic`: a batch of `value` items of which the second half panics.
/// - `sleep`: a batch of items that sleep 10 ms each, for `value` ms on each thread at least.
/// - `threads`: the number of worker threads.
/// - `array_in`: the address at which Rust sees `array`'s data.
/// - `array_out`: the address of a Rust vector, and the array it was moved into.
/// - `text`: the address at which Rust sees `text`'s UTF-8.
#[pyfunction]
#[pyo3(signature = (probe, *, value=0, array=None, text=None))]
pub(crate) fn _selftest<'py>(
    py: Python<'py>,
    probe: &str,
    value: usize,
    array: Option<PyReadonlyArray1<'py, f64>>,
    text: Option<Text>,
) -> PyResult<Bound<'py, PyAny>> {
    match (probe, array, text) {
        ("panic", None, None) => {
            let items = run_batch(py, value, |index| {
                assert!(index < value / 2, "asked to panic");
                index
            })?;
            items.into_pyobject(py)
        }
        ("sleep", None, None) => {
            let begin = Instant::now();
            let items = rayon_width(py)? * value / 10;
            run_batch(py, items, |_| std::thread::sleep(Duration::from_millis(10)))?;
            Ok(begin.elapsed().as_secs_f64().into_pyobject(py)?.into_any())
        }
        ("threads", None, None) => Ok(rayon_width(py)?.into_pyobject(py)?.into_any()),
        ("array_in", Some(array), None) => {
            Ok(contiguous(&array)?.as_ptr().addr().into_pyobject(py)?.into_any())
        }
        ("array_out", None, None) => {
            let data = vec![0.5_f64; value];
            let address = data.as_ptr().addr();
            let array = PyArray1::from_vec(py, data);
            Ok((address, array).into_pyobject(py)?.into_any())
        }
        ("text", None, Some(text)) => Ok(text.as_ptr().addr().into_pyobject(py)?.into_any()),
        _ => Err(input_error("unknown probe, or arguments that do not belong to it")),
    }
}

fn rayon_width(py: Python<'_>) -> PyResult<usize> {
    Ok(crate::pool::current(py)?.current_num_threads())
}
