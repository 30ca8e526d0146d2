//! Every limit ends its program, in time, with its own outcome. A failure means a program can use
//! more than it was given, or that a verdict names the wrong cause.

use std::time::{Duration, Instant};

use grpo_sandbox::{Error, Limits, Outcome, StdioTest, run_program};

use crate::{case, limits, python, run};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn sleeping_is_ended_by_the_wall_clock() {
    let Some(python) = python() else { return };
    let start = Instant::now();
    let slept = run(&python, "import time\ntime.sleep(60)", &Limits { wall: SHORT, ..limits() });
    assert_eq!(slept.failure, Some(Outcome::TimedOut));
    assert!(slept.wall >= SHORT && start.elapsed() < Duration::from_secs(5));
    assert!(slept.cpu < SHORT);
}

#[test]
fn computing_is_ended_by_the_cpu_clock_even_if_signals_are_ignored() {
    let Some(python) = python() else { return };
    let deaf = "import signal\nfor s in (signal.SIGXCPU, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)\nwhile True: pass";
    for program in
        ["while True: pass", deaf, "try:\n    while True: pass\nexcept BaseException: pass"]
    {
        let burnt = run(&python, program, &Limits { cpu: SHORT, ..limits() });
        assert_eq!(burnt.failure, Some(Outcome::CpuExceeded), "{program}");
        assert!(burnt.cpu < SHORT + Duration::from_millis(200), "{:?}", burnt.cpu);
    }
}

#[test]
fn an_infinite_loop_on_a_starved_machine_still_ends() {
    let Some(python) = python() else { return };
    let limits = Limits { wall: SHORT, cpu: Duration::from_secs(60), ..limits() };
    assert_eq!(run(&python, "while True: pass", &limits).failure, Some(Outcome::TimedOut));
}

#[test]
fn memory_is_bounded() {
    let Some(python) = python() else { return };
    let limits = Limits { memory_bytes: 128 << 20, ..limits() };
    let hogs =
        ["x = bytearray(1 << 30)", "x = [b'x' * 100_000]\nwhile True: x.append(bytes(100_000))"];
    for program in hogs {
        let hog = run(&python, program, &limits);
        assert_eq!(hog.failure, Some(Outcome::MemoryExceeded), "{program}: {hog:?}");
    }
    let modest = run(&python, "x = bytearray(32 << 20)", &limits);
    assert_eq!(modest.failure, None);
    assert!(modest.peak_rss.is_none_or(|peak| peak > 32 << 20 && peak < 128 << 20), "{modest:?}");
}

#[test]
fn output_is_bounded_and_kept_up_to_the_bound() {
    let Some(python) = python() else { return };
    let limits = Limits { output_bytes: 100_000, ..limits() };
    for stream in ["stdout", "stderr"] {
        let flood = run(
            &python,
            &format!("import sys\nwhile True: sys.{stream}.write('x' * 65536)"),
            &limits,
        );
        assert_eq!(flood.failure, Some(Outcome::OutputExceeded), "{stream}");
        assert_eq!(
            (flood.stdout.len(), flood.stderr.len()),
            if stream == "stdout" { (100_000, 0) } else { (0, 8192) }
        );
    }
    let brimful = run(&python, "print('x' * 99_999)", &limits);
    assert_eq!((brimful.failure, brimful.stdout.len()), (None, 100_000));
    // Over the limit, and ended by itself before anyone looked.
    let over = run(&python, "print('x' * 100_000)", &limits);
    assert_eq!(over.failure, Some(Outcome::OutputExceeded));
}

#[test]
fn much_input_and_much_output_do_not_deadlock() {
    let Some(python) = python() else { return };
    let lines = "0123456789\n".repeat(200_000);
    let echo =
        "import sys\nfor line in sys.stdin:\n    sys.stdout.write(line)\n    sys.stderr.write('.')";
    assert_eq!(case(&python, echo, &lines, &lines).outcome, Outcome::Passed);
    // Nobody reads, nobody blocks.
    assert_eq!(case(&python, "print(1)", &lines, "1").outcome, Outcome::Passed);
}

#[test]
fn files_are_bounded() {
    let Some(python) = python() else { return };
    let program = "try:\n    open('big', 'wb').write(bytes(2 << 20))\nexcept OSError as error: print(error.errno)";
    let result = run(&python, program, &Limits { file_bytes: 1 << 20, ..limits() });
    assert_eq!(result.stdout, format!("{}\n", libc::EFBIG).as_bytes());
}

#[test]
fn what_nothing_could_run_under_is_the_callers_mistake() {
    let Some(python) = python() else { return };
    let tests = [StdioTest { stdin: String::new(), expected: String::new() }];
    for wrong in [
        Limits { wall: Duration::ZERO, ..limits() },
        Limits { cpu: Duration::ZERO, ..limits() },
        Limits { memory_bytes: 1 << 20, ..limits() },
        Limits { processes: 0, ..limits() },
    ] {
        assert!(
            matches!(run_program(&python, "", &tests, &wrong), Err(Error::Limits(_))),
            "{wrong:?}"
        );
    }
    assert!(matches!(run_program(&python, "", &[], &limits()), Err(Error::NoTests)));
}
