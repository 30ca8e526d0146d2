//! Many threads at once, from a process with a life of its own. A failure means runs see or end each
//! other, or that something piles up.

use std::{
    collections::HashSet,
    fs, thread,
    time::{Duration, Instant},
};

use grpo_sandbox::{Outcome, StdioTest, run_program};

use crate::{case, limits, python};

const THREADS: usize = 4;
const ROUNDS: usize = 4;

#[test]
fn verdicts_do_not_depend_on_the_neighbours() {
    let Some(python) = python() else { return };
    let programs = [
        ("print(int(input()) * 2)", Outcome::Passed),
        ("print(input())", Outcome::WrongOutput),
        ("raise ValueError", Outcome::RuntimeError),
        ("import os, signal; os.kill(0, signal.SIGKILL)", Outcome::RuntimeError),
        ("import ctypes; ctypes.CDLL(None).syscall(101)", Outcome::Forbidden),
    ];
    let folders: Vec<String> = thread::scope(|scope| {
        let work = |number: usize| {
            let (python, programs) = (&python, &programs);
            move || {
                let mut folders = Vec::new();
                for round in 0..ROUNDS {
                    let value = number * 100 + round + 1;
                    let test =
                        StdioTest { stdin: value.to_string(), expected: (value * 2).to_string() };
                    for (program, outcome) in programs {
                        let tests = std::slice::from_ref(&test);
                        let result = run_program(python, program, tests, &limits()).unwrap();
                        let expected =
                            if cfg!(not(target_arch = "x86_64")) && program.contains("101") {
                                continue;
                            } else {
                                *outcome
                            };
                        assert_eq!(
                            result.cases[0].outcome, expected,
                            "{program}: {:?}",
                            result.cases[0]
                        );
                    }
                    folders.push(case(python, "import os; print(os.getcwd())", "", "").stdout);
                }
                folders
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(work(number))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: HashSet<&String> = folders.iter().collect();
    assert_eq!(distinct.len(), THREADS * ROUNDS, "two runs shared a directory");
    assert!(
        folders.iter().all(|folder| fs::metadata(folder.trim()).is_err()),
        "a directory is left"
    );
}

#[test]
fn one_run_cannot_read_anothers_directory() {
    let Some(python) = python() else { return };
    let mark = format!("mark-{}", std::process::id());
    let owner = format!("import time\nopen('{mark}', 'w').write('secret')\ntime.sleep(2)");
    thread::scope(|scope| {
        scope.spawn(|| case(&python, &owner, "", ""));
        let found = || {
            let folders = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
            folders
                .map(|folder| folder.path().join("scratch").join(&mark))
                .find(|path| path.exists())
        };
        let start = Instant::now();
        let path = loop {
            if let Some(path) = found() {
                break path;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "the other run never began");
            thread::sleep(Duration::from_millis(5));
        };
        let spy = "try: print(open(input()).read())\nexcept OSError as error: print(error.errno)";
        let spied = case(&python, spy, path.to_str().unwrap(), &libc::EACCES.to_string());
        assert_eq!(spied.outcome, Outcome::Passed, "{spied:?}");
    });
}

#[test]
fn nothing_piles_up() {
    let Some(python) = python() else { return };
    let own_children = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        tasks
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .collect::<String>()
    };
    let mut pids = Vec::new();
    for _ in 0..20 {
        let result = case(&python, "import os; print(os.getpid())", "", "");
        pids.push(result.stdout.trim().to_owned());
    }
    let left = own_children();
    assert!(
        left.split_whitespace().all(|child| !pids.iter().any(|pid| pid == child)),
        "zombies: {left}"
    );
}
