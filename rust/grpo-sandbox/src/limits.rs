//! What one run may use.

use std::time::Duration;

use crate::Error;

/// Below this no interpreter starts; the loader's failure would look like the program's.
const LEAST_MEMORY_BYTES: u64 = 32 << 20;

/// What a program may use. Each limit is per test, but for [`Limits::total_cpu`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time: the backstop for programs that sleep or wait. Keep it a few times `cpu`,
    /// or the verdict of a busy but correct program depends on the load of the machine.
    pub wall: Duration,
    /// CPU time of all threads together: the limit that decides, because it hardly depends on the load.
    pub cpu: Duration,
    /// CPU time of all tests of a program together. What comes after it is [`Outcome::Skipped`](crate::Outcome::Skipped).
    pub total_cpu: Duration,
    /// Address space of each process, beyond what the interpreter has before the program starts:
    /// reserved pages count, whether touched or not, so a thread costs its whole stack of 8 MiB.
    pub memory_bytes: u64,
    /// Bytes of stdout, as many again of stderr, and as many again of returned values.
    pub output_bytes: u64,
    /// Processes at a time, the program's own included. At 1 (the default) seccomp refuses every
    /// new process, whoever the user is; threads stay allowed. Above 1 processes are allowed and
    /// `RLIMIT_NPROC` is set to this number, which the kernel compares with *everything* the user
    /// runs, threads too, and does not apply to root at all.
    pub processes: u32,
    /// Size of any one file the program writes (`RLIMIT_FSIZE`).
    pub file_bytes: u64,
}

impl Default for Limits {
    /// 4 s of CPU, 20 s for all tests, 12 s of wall clock, 512 MiB, 8 MiB of output, one process, 16 MiB per file.
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(12),
            cpu: Duration::from_secs(4),
            total_cpu: Duration::from_secs(20),
            memory_bytes: 512 << 20,
            output_bytes: 8 << 20,
            processes: 1,
            file_bytes: 16 << 20,
        }
    }
}

impl Limits {
    /// Refuses limits under which every program would fail.
    ///
    /// # Errors
    /// [`Error::Limits`] naming the field.
    pub fn check(&self) -> Result<(), Error> {
        if self.wall.is_zero() || self.cpu.is_zero() {
            return Err(Error::Limits("wall and cpu must be longer than zero"));
        }
        if self.memory_bytes < LEAST_MEMORY_BYTES {
            return Err(Error::Limits(
                "memory_bytes must be at least 32 MiB, or no interpreter starts",
            ));
        }
        if self.processes == 0 {
            return Err(Error::Limits("processes counts the program itself, so it is at least 1"));
        }
        Ok(())
    }
}
