//! The one wrapper for every long call: release the GIL, catch panics, poll for Ctrl-C.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use pyo3::prelude::*;
use rayon::prelude::*;

use crate::errors::InternalError;
use crate::pool;

/// How long the calling thread waits before it looks for a pending signal.
const SIGNAL_POLL: Duration = Duration::from_millis(50);

/// The most short jobs that the calling thread does by itself.
const MAX_INLINE: usize = 8;

enum Failure {
    Panic(String),
    Interrupted,
}

/// Runs `job(0..len)` on the pool without the GIL; results in order.
///
/// A panic becomes an `InternalError` that names the lowest index that met one. A pending signal whose
/// handler raises (Ctrl-C) ends the call: items not yet begun are skipped, and the exception is raised.
#[expect(clippy::redundant_closure_for_method_calls, reason = "lifetimes refuse the method itself")]
pub(crate) fn run_batch<T, F>(py: Python<'_>, len: usize, job: F) -> PyResult<Vec<T>>
where
    T: Send,
    F: Fn(usize) -> T + Sync,
{
    let pool = pool::current(py)?;
    let interrupted = AtomicBool::new(false);
    let one = |index: usize| {
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        catch_unwind(AssertUnwindSafe(|| job(index)))
            .map_err(|payload| Failure::Panic(panic_message(payload.as_ref())))
    };

    let mut signal = None;
    let results: Vec<Result<T, Failure>> = py.detach(|| {
        pool.in_place_scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let one = &one;
            scope.spawn(move |_| {
                let results = (0..len).into_par_iter().map(one).collect();
                // The receiver outlives the scope; nobody to tell otherwise.
                let _ = sender.send(results);
            });
            loop {
                match receiver.recv_timeout(SIGNAL_POLL) {
                    Ok(results) => return results,
                    Err(RecvTimeoutError::Timeout) => {
                        if signal.is_none() {
                            signal = Python::attach(|py| py.check_signals()).err();
                            interrupted.store(signal.is_some(), Ordering::Relaxed);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => return Vec::new(),
                }
            }
        })
    });
    if let Some(error) = signal {
        return Err(error);
    }
    results
        .into_iter()
        .enumerate()
        .map(|(index, result)| {
            result.map_err(|failure| match failure {
                Failure::Panic(message) => internal_error(index, &message),
                Failure::Interrupted => internal_error(index, "interrupted without a signal"),
            })
        })
        .collect()
}

/// As [`run_batch`], for jobs of at most a few milliseconds: a handful of them runs on the calling
/// thread, which costs less than waking the pool.
pub(crate) fn run_short_jobs<T, F>(py: Python<'_>, len: usize, job: F) -> PyResult<Vec<T>>
where
    T: Send,
    F: Fn(usize) -> T + Sync,
{
    if len > MAX_INLINE {
        return run_batch(py, len, job);
    }
    // A wrong number of threads is an error whatever the size of the batch.
    pool::current(py)?;
    let results: Vec<Result<T, String>> = py.detach(|| {
        let caught = |index| catch_unwind(AssertUnwindSafe(|| job(index)));
        (0..len)
            .map(|index| caught(index).map_err(|payload| panic_message(payload.as_ref())))
            .collect()
    });
    let numbered = results.into_iter().enumerate();
    numbered.map(|(index, result)| result.map_err(|text| internal_error(index, &text))).collect()
}

fn internal_error(index: usize, message: &str) -> PyErr {
    InternalError::new_err(format!(
        "input {index}: {message}. This is a bug in grpo_rs: please report it with that input"
    ))
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}
