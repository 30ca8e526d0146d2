//! System calls: the only unsafe code of the repository, one concern per file.
//!
//! Security-critical: `child.rs` (what happens before the program is executed), `seccomp.rs` and
//! `landlock.rs` (what the program may do afterwards).

pub(crate) mod child;
pub(crate) mod landlock;
pub(crate) mod process;
pub(crate) mod seccomp;
