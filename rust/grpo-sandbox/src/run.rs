//! Running one program on one input, and a program on its tests.

use std::time::Duration;

use crate::{Error, Interpreter, Limits, Outcome, outputs_match};

/// One test: what the program reads, and what it must write. `expected` stays in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StdioTest {
    /// The whole of the program's stdin.
    pub stdin: String,
    /// Its stdout, compared as [`outputs_match`] says.
    pub expected: String,
}

/// What one program did with one input, not yet compared with anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Why it failed; `None` if it ended by itself, within its limits, with exit code 0.
    pub failure: Option<Outcome>,
    /// The exit code, unless a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it: ours (`SIGKILL`) if it went over a limit.
    pub signal: Option<i32>,
    /// What it wrote, at most [`Limits::output_bytes`].
    pub stdout: Vec<u8>,
    /// The end of what it wrote to stderr, at most 8 KiB.
    pub stderr: Vec<u8>,
    /// Time from start to end.
    pub wall: Duration,
    /// CPU time of the process and of those children it waited for.
    pub cpu: Duration,
    /// Most memory resident at a time. `None` if it cannot be told from this process's own, which
    /// the kernel's figure begins with: a caller larger than the program, and a short run.
    pub peak_rss: Option<u64>,
}

/// What one program did in one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// The verdict.
    pub outcome: Outcome,
    /// The exit code, unless a signal ended it or it was not run.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote, at most [`Limits::output_bytes`], with U+FFFD for what is not UTF-8.
    pub stdout: String,
    /// The end of what it wrote to stderr. For [`Outcome::NotRun`] the reason, in our words.
    pub stderr: String,
    /// Time from start to end.
    pub wall: Duration,
    /// CPU time.
    pub cpu: Duration,
    /// Most memory resident at a time, where known (see [`Execution::peak_rss`]).
    pub peak_rss: Option<u64>,
}

/// What one program did in all its tests, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramResult {
    /// One result per test.
    pub cases: Vec<CaseResult>,
}

impl ProgramResult {
    /// The share of tests that passed; `None` if there are none or one of them is not scorable.
    pub fn fraction(&self) -> Option<f64> {
        if self.cases.is_empty() || !self.cases.iter().all(|case| case.outcome.is_scorable()) {
            return None;
        }
        let passed = self.cases.iter().filter(|case| case.outcome == Outcome::Passed).count();
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 tests")]
        let fraction = passed as f64 / self.cases.len() as f64;
        Some(fraction)
    }

    /// Whether every test passed; `None` as for [`ProgramResult::fraction`].
    pub fn passed(&self) -> Option<bool> {
        self.fraction()?;
        Some(self.cases.iter().all(|case| case.outcome == Outcome::Passed))
    }
}

/// Runs `program` once with `stdin`, and waits for it. Blocks the calling thread, starts none.
///
/// # Errors
/// See [`Error`]; nothing that the program does is one.
pub fn execute(
    interpreter: &Interpreter,
    program: &str,
    stdin: &[u8],
    limits: &Limits,
) -> Result<Execution, Error> {
    limits.check()?;
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    return crate::supervise::execute(interpreter, program, stdin, limits);
    #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
    {
        let _ = (interpreter, program, stdin);
        Err(Error::Unavailable("programs are run on 64-bit Linux only"))
    }
}

/// Runs `program` on one test and judges it, in a process of its own.
///
/// # Errors
/// As [`execute`].
pub fn run_case(
    interpreter: &Interpreter,
    program: &str,
    test: &StdioTest,
    limits: &Limits,
) -> Result<CaseResult, Error> {
    let run = execute(interpreter, program, test.stdin.as_bytes(), limits)?;
    let outcome = run.failure.unwrap_or_else(|| {
        if outputs_match(&run.stdout, test.expected.as_bytes()) {
            Outcome::Passed
        } else {
            Outcome::WrongOutput
        }
    });
    Ok(CaseResult {
        outcome,
        exit_code: run.exit_code,
        signal: run.signal,
        stdout: text(run.stdout),
        stderr: text(run.stderr),
        wall: run.wall,
        cpu: run.cpu,
        peak_rss: run.peak_rss,
    })
}

/// Runs `program` on every test, one process each, one after the other.
///
/// A test that could not be run for a passing shortage of the host is [`Outcome::NotRun`].
///
/// # Errors
/// [`Error::NoTests`] for an empty list, and what no test could be run under.
pub fn run_program(
    interpreter: &Interpreter,
    program: &str,
    tests: &[StdioTest],
    limits: &Limits,
) -> Result<ProgramResult, Error> {
    if tests.is_empty() {
        return Err(Error::NoTests);
    }
    let case = |test: &StdioTest| match run_case(interpreter, program, test, limits) {
        Err(error) if error.is_transient() => Ok(not_run(&error)),
        result => result,
    };
    Ok(ProgramResult { cases: tests.iter().map(case).collect::<Result<_, _>>()? })
}

fn not_run(error: &Error) -> CaseResult {
    CaseResult {
        outcome: Outcome::NotRun,
        exit_code: None,
        signal: None,
        stdout: String::new(),
        stderr: error.to_string(),
        wall: Duration::ZERO,
        cpu: Duration::ZERO,
        peak_rss: None,
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
