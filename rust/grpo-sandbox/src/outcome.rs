//! The one list of how a run can end.

use std::fmt;

/// How one program ended on one test. Codes are stable: they are stored in logs and arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// The output or the returned value is the expected one, or the assertion holds.
    Passed = 0,
    /// The program gave another output or value, or the assertion failed.
    WrongOutput = 1,
    /// It raised an uncaught exception, or ended with a non-zero exit code or before it answered.
    RuntimeError = 2,
    /// The wall-clock backstop ended it: it slept, waited or deadlocked.
    TimedOut = 3,
    /// It used more CPU time than allowed.
    CpuExceeded = 4,
    /// It failed for want of memory.
    MemoryExceeded = 5,
    /// It wrote more to stdout, stderr, its channel or its folder than allowed.
    OutputExceeded = 6,
    /// A signal that was not ours ended it: a crash of the interpreter, an abort.
    KilledBySignal = 7,
    /// It made a system call that no honest answer makes, and seccomp ended it (`SIGSYS`).
    Forbidden = 8,
    /// There is no program in the completion.
    NoProgram = 9,
    /// The program does not define the function that the tests call.
    NoEntryPoint = 10,
    /// It wrote something to its channel that no honest program writes: a forged or torn answer.
    BadReply = 11,
    /// It does not compile.
    CompileError = 12,
    /// An earlier test settled the program, or used up the CPU time of all its tests; counts as not passed.
    Skipped = 13,
    /// It was never run, or its result was lost, through a fault that is ours: not scorable, never a 0.
    NotRun = 16,
    /// The tests or the checker are at fault: not scorable.
    TestsInvalid = 17,
    /// The caller cancelled it: not scorable.
    Cancelled = 18,
}

/// Codes from here on say that the fault is not the program's.
const NOT_SCORABLE: u8 = 16;

impl Outcome {
    /// Every outcome, in the order of the codes.
    pub const ALL: [Self; 17] = [
        Self::Passed,
        Self::WrongOutput,
        Self::RuntimeError,
        Self::TimedOut,
        Self::CpuExceeded,
        Self::MemoryExceeded,
        Self::OutputExceeded,
        Self::KilledBySignal,
        Self::Forbidden,
        Self::NoProgram,
        Self::NoEntryPoint,
        Self::BadReply,
        Self::CompileError,
        Self::Skipped,
        Self::NotRun,
        Self::TestsInvalid,
        Self::Cancelled,
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
            Self::NoProgram => "NO_PROGRAM",
            Self::NoEntryPoint => "NO_ENTRY_POINT",
            Self::BadReply => "BAD_REPLY",
            Self::CompileError => "COMPILE_ERROR",
            Self::Skipped => "SKIPPED",
            Self::NotRun => "NOT_RUN",
            Self::TestsInvalid => "TESTS_INVALID",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// One sentence for a person.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Passed => "the output or the returned value is the expected one",
            Self::WrongOutput => {
                "the output or the returned value is not the expected one, or an assertion failed"
            }
            Self::RuntimeError => {
                "the program raised an exception, or ended with a non-zero exit code or before it answered"
            }
            Self::TimedOut => "the program was still running when the wall-clock limit passed",
            Self::CpuExceeded => "the program used more CPU time than allowed",
            Self::MemoryExceeded => "the program failed for want of memory",
            Self::OutputExceeded => {
                "the program wrote more output, or more to its folder, than allowed"
            }
            Self::KilledBySignal => "the program was ended by a signal, as in a crash",
            Self::Forbidden => "the program made a forbidden system call",
            Self::NoProgram => "the completion holds no program",
            Self::NoEntryPoint => "the program does not define what the tests call",
            Self::BadReply => "the program broke the protocol by which it is asked",
            Self::CompileError => "the program does not compile",
            Self::Skipped => {
                "not run: an earlier test settled it, or the CPU time of all tests was used up; counts as not passed"
            }
            Self::NotRun => "the program was not run, through no fault of its own",
            Self::TestsInvalid => "the tests or the checker are at fault",
            Self::Cancelled => "the caller cancelled the run",
        }
    }

    /// Whether this says something about the program; `false` must become `None`, never 0.
    pub const fn is_scorable(self) -> bool {
        self.code() < NOT_SCORABLE
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
