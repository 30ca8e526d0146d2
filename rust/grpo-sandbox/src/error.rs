//! What can go wrong before there is a verdict.
//!
//! Nothing a program does is an error: that is an [`Outcome`](crate::Outcome).

use std::io;

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel (or the operating system) lacks a layer this crate refuses to do without.
    #[error("the sandbox is unavailable: {0}")]
    Unavailable(String),
    /// The command that should run the program cannot be used.
    #[error("interpreter {path:?}: {reason}")]
    Interpreter {
        /// The command as given.
        path: String,
        /// What is wrong with it, and what to give instead.
        reason: String,
    },
    /// A limit no program could run under.
    #[error("limits: {0}")]
    Limits(&'static str),
    /// A program came with no tests; an empty list must never count as a pass.
    #[error("no tests: an empty list proves nothing, give at least one")]
    NoTests,
    /// The host refused a file, a descriptor or a process: too many of them, or a full disk.
    #[error("cannot {what}: {source}")]
    Io {
        /// The step that failed.
        what: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
}

impl Error {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
