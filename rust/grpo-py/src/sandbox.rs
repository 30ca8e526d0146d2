//! `grpo-sandbox` over batches: one process per program and test, on all cores.

use std::time::Duration;

use grpo_sandbox::{
    CaseResult, Error, Interpreter, Limits, Outcome, Protection, StdioTest, run_program,
};
use pyo3::prelude::*;

use crate::detach::run_batch;
use crate::errors::{SandboxUnavailable, input_error};
use crate::text::Text;

/// Outcome code, exit code, signal, stdout, stderr, wall seconds, CPU seconds, peak memory in bytes.
type Case = (u8, Option<i32>, Option<i32>, String, String, f64, f64, Option<u64>);

/// Name and presence of each layer of protection, Landlock's version, whether programs can be run.
type Layers = (Vec<(&'static str, bool)>, u32, bool);

#[pyfunction]
#[pyo3(signature = (programs, tests, *, python, wall_s, cpu_s, memory_mb, output_kb, processes, file_mb))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments, one per limit")]
#[expect(clippy::needless_pass_by_value, reason = "the vectors own the borrowed strings")]
pub(crate) fn run_programs(
    py: Python<'_>,
    programs: Vec<Text>,
    tests: Vec<Vec<(Text, Text)>>,
    python: &str,
    wall_s: f64,
    cpu_s: f64,
    memory_mb: i64,
    output_kb: i64,
    processes: i64,
    file_mb: i64,
) -> PyResult<Vec<Vec<Case>>> {
    if programs.len() != tests.len() {
        return Err(input_error(format!(
            "{} programs but {} lists of tests: give one list per program",
            programs.len(),
            tests.len()
        )));
    }
    if let Some(index) = tests.iter().position(Vec::is_empty) {
        return Err(input_error(format!(
            "program {index} has no tests: an empty list must never count as a pass"
        )));
    }
    let limits = Limits {
        wall: seconds("wall_s", wall_s)?,
        cpu: seconds("cpu_s", cpu_s)?,
        memory_bytes: u64::from(count("memory_mb", memory_mb)?) << 20,
        output_bytes: u64::from(count("output_kb", output_kb)?) << 10,
        processes: count("processes", processes)?,
        file_bytes: u64::from(count("file_mb", file_mb)?) << 20,
    };
    limits.check().map_err(|error| raised(&error))?;
    let interpreter = Interpreter::python(python).map_err(|error| raised(&error))?;

    let flat: Vec<(usize, &(Text, Text))> = tests
        .iter()
        .enumerate()
        .flat_map(|(program, cases)| cases.iter().map(move |case| (program, case)))
        .collect();
    let results = run_batch(py, flat.len(), |i| {
        let (program, (stdin, expected)) = flat[i];
        let test = StdioTest { stdin: stdin.to_string(), expected: expected.to_string() };
        run_program(&interpreter, &programs[program], &[test], &limits)
    })?;

    let mut grouped: Vec<Vec<Case>> =
        tests.iter().map(|cases| Vec::with_capacity(cases.len())).collect();
    for ((program, _), result) in flat.iter().zip(results) {
        let cases = result.map_err(|error| raised(&error))?.cases;
        grouped[*program].extend(cases.into_iter().map(plain));
    }
    Ok(grouped)
}

/// Name and presence of each layer of protection, and whether programs can be run at all.
#[pyfunction]
pub(crate) fn sandbox_protection(py: Python<'_>) -> PyResult<Layers> {
    let probe = run_batch(py, 1, |_| Protection::probe())?.swap_remove(0);
    Ok((probe.layers().to_vec(), probe.landlock_abi, probe.is_sufficient()))
}

/// Name, code, whether it can be scored, and description of every outcome.
#[pyfunction]
pub(crate) fn sandbox_outcomes() -> Vec<(&'static str, u8, bool, &'static str)> {
    Outcome::ALL
        .iter()
        .map(|outcome| (outcome.name(), outcome.code(), outcome.is_scorable(), outcome.describe()))
        .collect()
}

fn plain(case: CaseResult) -> Case {
    (
        case.outcome.code(),
        case.exit_code,
        case.signal,
        case.stdout,
        case.stderr,
        case.wall.as_secs_f64(),
        case.cpu.as_secs_f64(),
        case.peak_rss,
    )
}

fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| input_error(format!("{name} is {value}: give a number of seconds above 0")))
}

fn count(name: &str, value: i64) -> PyResult<u32> {
    u32::try_from(value).map_err(|_| {
        input_error(format!("{name} is {value}: give a number from 0 to {}", u32::MAX))
    })
}

fn raised(error: &Error) -> PyErr {
    match error {
        Error::Unavailable(_) => SandboxUnavailable::new_err(error.to_string()),
        _ => input_error(error),
    }
}
