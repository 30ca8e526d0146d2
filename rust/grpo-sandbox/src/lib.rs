//! Runs programs that nobody has read, on Linux, and judges what they print.
//!
//! **Threat model, in one sentence:** a program written by a model tries to read, change, reach,
//! slow or outlive anything of the machine it is judged on, or to be judged better than it is, and
//! gets nothing but its own wrong verdict.
//!
//! One run is one fresh interpreter process. Before it executes, it enters, in this order: a session
//! and process group of its own; resource limits; no capabilities and no way to regain any; Landlock;
//! seccomp. The caller drains its output, ends it by the CPU or the wall clock, kills its group, reaps
//! it, and compares its output. No threads are started, no signal handlers set, nothing global kept:
//! call from as many threads as there are cores.
//!
//! ```
//! # fn main() -> Result<(), grpo_sandbox::Error> {
//! use grpo_sandbox::{Interpreter, Limits, Outcome, Protection, StdioTest, run_program};
//!
//! # if !cfg!(target_os = "linux") || !Protection::probe().is_sufficient() { return Ok(()) }
//! # let Ok(_) = Interpreter::python("/usr/bin/python3") else { return Ok(()) };
//! let python = Interpreter::python("/usr/bin/python3")?;
//! let tests = [StdioTest { stdin: "1 2\n".into(), expected: "3\n".into() }];
//! let sum = "a, b = map(int, input().split())\nprint(a + b)";
//!
//! let result = run_program(&python, sum, &tests, &Limits::default())?;
//! assert_eq!(result.cases[0].outcome, Outcome::Passed);
//!
//! let forged = run_program(&python, "import os; os._exit(0)", &tests, &Limits::default())?;
//! assert_eq!(forged.cases[0].outcome, Outcome::WrongOutput); // an exit code is never a pass
//! # Ok(())
//! # }
//! ```
//!
//! # Covered
//!
//! - **The verdict.** Expected outputs stay in the caller's process and reach the program in no form.
//!   Nothing the program writes is decoded or evaluated; it is compared as bytes. An empty list of tests is an error.
//! - **Files.** Landlock: reads only the interpreter's libraries, `/dev/{null,zero,urandom,random}`,
//!   the program's own text and what [`Interpreter::allow_read`] names; writes only in a private
//!   directory that is removed afterwards; executes nothing but the interpreter. No `/proc`, no `/etc`,
//!   no home, no other run's directory. Modes, owners, times and attributes cannot be changed at all.
//! - **Secrets of the caller.** Empty environment, no inherited descriptor, no memory, no tracing.
//! - **Network.** No sockets but unnamed stream pairs.
//! - **Other processes.** No signals outside the sandbox, no priorities or limits of others, no
//!   tracing. With the default [`Limits::processes`] no process can be started, by any user, root
//!   included; with more, none can leave the group that is killed at the end.
//! - **Resources.** CPU time, wall clock, address space, output, file size, descriptors; see [`Limits`].
//! - **Privileges.** No capabilities even for root, no set-user-id; the calls that make namespaces,
//!   mounts, keys, BPF programs and `io_uring`s end the program ([`Outcome::Forbidden`]), as does a
//!   call by another architecture's numbers. Calls newer than the list do not exist.
//!
//! Landlock and seccomp are required: without them every run is [`Error::Unavailable`].
//!
//! # Not covered
//!
//! - **The kernel's own faults.** The filter is a deny-list, there are no namespaces and the user is
//!   the caller's: one exploitable bug in an allowed call is enough.
//! - **What exists.** Landlock does not hide names: `stat` tells that a file is there, and its size.
//! - **What lies beside the standard library.** The interpreter's whole `lib` can be read, its
//!   `site-packages` included (though not imported): keep data sets with expected outputs out of there.
//! - **Disk.** One file is bounded, their number is not: until its time is over, a program can fill the
//!   file system that holds `TMPDIR` (the memory, where that is a `tmpfs`).
//! - **Memory of several processes.** The limit is per process; multiply it by [`Limits::processes`],
//!   whose own bound above 1 is weak (`RLIMIT_NPROC`: not for root, and per user).
//! - **Tests in the solution's process** (functions, asserts, unittest): this version has none.
//! - **Side channels**: time, caches, load; and the CPU time of the caller while it drains output.
//! - **A flood of short files, or a caller killed at the wrong moment**, which leaves its private
//!   directory behind (the program itself dies with the calling thread).
//! - **Old kernels.** Before Landlock 6 (Linux 6.12) signals are held by seccomp alone.
//!   [`Protection::probe`] tells the version.
//! - **`peak_rss`** of a short run in a large caller is unknown ([`Execution::peak_rss`]).

#![deny(unsafe_code)]

mod error;
mod interpreter;
mod judge;
mod limits;
mod outcome;
mod protection;
mod run;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod supervise;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[expect(unsafe_code, reason = "system calls; nowhere else")]
mod sys;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod workdir;

pub use error::Error;
pub use interpreter::Interpreter;
pub use judge::outputs_match;
pub use limits::Limits;
pub use outcome::Outcome;
pub use protection::Protection;
pub use run::{CaseResult, Execution, ProgramResult, StdioTest, execute, run_case, run_program};
