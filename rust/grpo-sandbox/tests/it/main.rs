//! Real programs in the real sandbox. Each module says what its failures mean.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod concurrency;
mod crash;
mod isolation;
mod limits;

use std::{process::Command, sync::OnceLock, time::Duration};

use grpo_sandbox::{
    CaseResult, Execution, Interpreter, Limits, Protection, StdioTest, execute, run_case,
};

/// The interpreter for a test, or `None` (and why) where there is none or no sandbox to run it in.
fn python() -> Option<Interpreter> {
    static FOUND: OnceLock<Result<Interpreter, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let protection = Protection::probe();
        if !protection.is_sufficient() {
            return Err(format!("this kernel enforces too little: {protection}"));
        }
        let path = Command::new("python3")
            .args(["-I", "-c", "import sys; print(sys.executable)"])
            .output()
            .map_err(|error| format!("no python3: {error}"))?;
        Interpreter::python(String::from_utf8_lossy(&path.stdout).trim())
            .map_err(|error| error.to_string())
    });
    #[expect(clippy::print_stderr, reason = "a skipped test must say so")]
    found.as_ref().inspect_err(|why| eprintln!("skipped: {why}")).ok().cloned()
}

/// Room enough for any small program, and a short wait for one that hangs.
fn limits() -> Limits {
    Limits { wall: Duration::from_secs(10), cpu: Duration::from_secs(3), ..Limits::default() }
}

fn case(python: &Interpreter, program: &str, stdin: &str, expected: &str) -> CaseResult {
    let test = StdioTest { stdin: stdin.into(), expected: expected.into() };
    run_case(python, program, &test, &limits()).unwrap()
}

fn run(python: &Interpreter, program: &str, limits: &Limits) -> Execution {
    execute(python, program, b"", limits).unwrap()
}

fn stdout(python: &Interpreter, program: &str) -> String {
    let run = run(python, program, &limits());
    assert_eq!(run.failure, None, "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}
