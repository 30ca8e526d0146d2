//! Our own thread pool: never rayon's global one, and rebuilt after a fork.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::errors::input_error;

/// Sets the number of worker threads; read when the pool is built. Unset: one per available core.
const THREADS_VARIABLE: &str = "GRPO_RS_NUM_THREADS";

struct Entry {
    process: u32,
    pool: Arc<ThreadPool>,
}

/// Locked only while attached to the interpreter, so no other thread can hold it during `os.fork()`.
static POOL: Mutex<Option<Entry>> = Mutex::new(None);

/// The pool of this process, built at the first call.
pub(crate) fn current(_attached: Python<'_>) -> PyResult<Arc<ThreadPool>> {
    let mut slot = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some(entry) = slot.as_ref()
        && entry.process == process
    {
        return Ok(Arc::clone(&entry.pool));
    }
    // Not dropped in a forked child: its threads do not exist here, and its locks may have been held then.
    std::mem::forget(slot.take());
    let pool = ThreadPoolBuilder::new()
        .num_threads(num_threads()?)
        .thread_name(|index| format!("grpo-rs-{index}"))
        .build()
        .map_err(|error| input_error(format!("cannot start the worker threads: {error}")))?;
    let pool = Arc::new(pool);
    *slot = Some(Entry { process, pool: Arc::clone(&pool) });
    Ok(pool)
}

fn num_threads() -> PyResult<usize> {
    match std::env::var_os(THREADS_VARIABLE) {
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        Some(text) => {
            let count = text.to_str().and_then(|text| text.parse().ok());
            count.filter(|&count| count > 0).ok_or_else(|| {
                input_error(format!(
                    "{THREADS_VARIABLE}=\"{}\": give a whole number of at least 1",
                    text.display()
                ))
            })
        }
    }
}
