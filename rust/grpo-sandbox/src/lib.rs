//! Runs programs that nobody has read, on Linux, and judges what they do.
//!
//! **Threat model, in one sentence:** a program written by a model tries to read, change, reach,
//! slow or outlive anything of the machine it is judged on, or to be judged better than it is, and
//! gets nothing but its own wrong verdict.
//!
//! # Processes
//!
//! ```text
//! trainer (a Pool, one thread per worker)
//!   └─ supervisor (one per worker: a fresh process, no secrets, the first of its own process table)
//!        ├─ zygotes (warm interpreters, one per tier, confined once)
//!        └─ children (one per run, forked by a zygote, owned by the supervisor)
//! ```
//!
//! The trainer never forks. A zygote never sees a program: a child reads its own from a pipe. What a
//! child writes is bytes until the trainer decodes them, with limits; verdicts are reached there
//! ([`program`]), and expected values never leave it.
//!
//! # Modules
//!
//! - [`program`], [`pool`]: what is asked and how it is shared out. [`Protection`]: what holds programs.
//! - `supervisor`, `zygote`, `sys`: the processes. Unsafe code stands in `sys` and nowhere else.
//! - [`Toolchain`], `compiled`: other languages than Python.
//! - `value`, `compare`: Python's values and equality; outputs. `extract`, `imports`: texts of models.
//!
//! What is covered and what is not is listed in the project's `SECURITY.md`.

#![deny(unsafe_code)]

mod compare;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod compiled;
mod error;
mod extract;
mod imports;
mod interpreter;
mod isolation;
mod limits;
mod outcome;
mod value;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod link;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod message;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub mod pool;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub mod program;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod supervisor;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[expect(unsafe_code, reason = "system calls; nowhere else")]
mod sys;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod toolchain;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod wire;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod zygote;

pub use compare::{Comparator, outputs_match};
pub use error::Error;
pub use extract::{Language, extract_program};
pub use imports::python_imports;
pub use interpreter::Interpreter;
pub use isolation::{Level, Protection};
pub use limits::Limits;
pub use outcome::Outcome;
pub use value::{
    BigInt, Check, Decimal, DecodeError, DictFault, DictItems, Fraction, Handle, MAX_DEPTH,
    NumpyArray, NumpyScalar, Range, SetItems, Temporal, Text, Value,
};

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub use {
    message::Tier,
    pool::{Batch, Pool, PoolConfig},
    program::{CallCase, CaseResult, Integrity, Judge, Program, ProgramResult, StdioCase, Tests},
    supervisor::supervise,
    toolchain::Toolchain,
    zygote::{Assignment, Preparation, Zygote},
};
