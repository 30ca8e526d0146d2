//! System calls: the only unsafe code of the project.

pub(crate) mod landlock;
pub(crate) mod launch;
pub(crate) mod process;
pub(crate) mod seccomp;
