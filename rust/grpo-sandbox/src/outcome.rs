//! The one list of how a run can end.

use std::fmt;

/// How one program ended on one test. Codes are stable: they are stored in logs and arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// The program ended normally and its output is the expected one.
    Passed = 0,
    /// The program ended normally and its output is another one.
    WrongOutput = 1,
    /// The program ended with a non-zero exit code: an uncaught exception, or `sys.exit(1)`.
    RuntimeError = 2,
    /// The wall-clock backstop ended it: it slept, waited or deadlocked.
    TimedOut = 3,
    /// It used more CPU time than allowed.
    CpuExceeded = 4,
    /// It failed for want of memory.
    MemoryExceeded = 5,
    /// It wrote more to stdout or stderr than allowed.
    OutputExceeded = 6,
    /// A signal that was not ours ended it: a crash of the interpreter, an abort, the host's OOM killer.
    KilledBySignal = 7,
    /// It made a system call that no honest answer makes, and seccomp ended it (`SIGSYS`).
    Forbidden = 8,
    /// It was never run, or its result was lost, through a fault that is ours: not scorable, never a 0.
    NotRun = 16,
}

impl Outcome {
    /// Every outcome, in the order of the codes.
    pub const ALL: [Self; 10] = [
        Self::Passed,
        Self::WrongOutput,
        Self::RuntimeError,
        Self::TimedOut,
        Self::CpuExceeded,
        Self::MemoryExceeded,
        Self::OutputExceeded,
        Self::KilledBySignal,
        Self::Forbidden,
        Self::NotRun,
    ];

    /// The stable number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The outcome with this number, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }

    /// The name in Python and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::WrongOutput => "WRONG_OUTPUT",
            Self::RuntimeError => "RUNTIME_ERROR",
            Self::TimedOut => "TIMED_OUT",
            Self::CpuExceeded => "CPU_EXCEEDED",
            Self::MemoryExceeded => "MEMORY_EXCEEDED",
            Self::OutputExceeded => "OUTPUT_EXCEEDED",
            Self::KilledBySignal => "KILLED_BY_SIGNAL",
            Self::Forbidden => "FORBIDDEN",
            Self::NotRun => "NOT_RUN",
        }
    }

    /// One sentence for a person.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Passed => "the output is the expected one",
            Self::WrongOutput => {
                "the program ended normally with another output than the expected one"
            }
            Self::RuntimeError => "the program ended with a non-zero exit code",
            Self::TimedOut => "the program was still running when the wall-clock limit passed",
            Self::CpuExceeded => "the program used more CPU time than allowed",
            Self::MemoryExceeded => "the program failed for want of memory",
            Self::OutputExceeded => "the program wrote more output than allowed",
            Self::KilledBySignal => "the program was ended by a signal, as in a crash",
            Self::Forbidden => "the program made a forbidden system call",
            Self::NotRun => "the program was not run, through no fault of its own",
        }
    }

    /// Whether this says something about the program; `false` must become `None`, never 0.
    pub const fn is_scorable(self) -> bool {
        !matches!(self, Self::NotRun)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
