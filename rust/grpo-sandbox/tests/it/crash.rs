//! How programs end, and what is left behind. A failure means an end is misread, or that a crash or
//! a trick is taken for an answer.

use std::{fs, path::PathBuf};

use grpo_sandbox::{
    Error, Interpreter, Outcome, Protection, StdioTest, outputs_match, run_program,
};

use crate::{case, limits, python, stdout};

#[test]
fn right_and_wrong_answers() {
    let Some(python) = python() else { return };
    let sum = "a, b = map(int, input().split())\nprint(a + b)";
    let passed = case(&python, sum, "1 2\n", "3\n");
    assert_eq!(
        (passed.outcome, passed.exit_code, passed.stdout.as_str()),
        (Outcome::Passed, Some(0), "3\n")
    );
    assert!(passed.cpu.as_nanos() > 0 && passed.wall.as_nanos() > 0);
    assert_eq!(case(&python, sum, "1 2\n", "4\n").outcome, Outcome::WrongOutput);
    assert_eq!(case(&python, "print(1)", "", "1\n2\n").outcome, Outcome::WrongOutput, "a prefix");
}

#[test]
fn an_early_or_silent_end_is_no_answer() {
    let Some(python) = python() else { return };
    for program in [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "exit()",
        "raise SystemExit",
        "quit(0)",
    ] {
        let ended = case(&python, program, "", "3\n");
        assert_eq!((ended.outcome, ended.exit_code), (Outcome::WrongOutput, Some(0)), "{program}");
    }
    for program in ["print(3); exit(1)", "print(3); 1 / 0", "print(3); import os; os._exit(7)"] {
        assert_eq!(case(&python, program, "", "3\n").outcome, Outcome::RuntimeError, "{program}");
    }
}

#[test]
fn exceptions_reach_stderr() {
    let Some(python) = python() else { return };
    let failed = case(&python, "def f():\n    return 1 / 0\nf()", "", "");
    assert_eq!((failed.outcome, failed.exit_code), (Outcome::RuntimeError, Some(1)));
    assert!(failed.stderr.contains("line 2, in f"), "{}", failed.stderr);
    assert!(
        failed.stderr.trim_end().ends_with("ZeroDivisionError: division by zero"),
        "{}",
        failed.stderr
    );
    assert!(case(&python, "print(", "", "").stderr.contains("SyntaxError"));
}

#[test]
fn crashes_are_signals() {
    let Some(python) = python() else { return };
    let null = "import ctypes\nctypes.string_at(0)";
    let deep = "import sys\nsys.setrecursionlimit(10**8)\nclass A:\n    def __repr__(self): return repr(self)\nrepr(A())";
    for (program, signal) in
        [(null, libc::SIGSEGV), (deep, libc::SIGSEGV), ("import os\nos.abort()", libc::SIGABRT)]
    {
        let crashed = case(&python, program, "", "");
        assert_eq!(
            (crashed.outcome, crashed.signal),
            (Outcome::KilledBySignal, Some(signal)),
            "{program}"
        );
    }
}

#[test]
fn programs_run_as_they_would_outside() {
    let Some(python) = python() else { return };
    let main = "import sys, pickle\nclass P: pass\nprint(__name__, sys.modules['__main__'].P is P, len(sys.argv))\n\
                print(type(pickle.loads(pickle.dumps(P()))).__name__, sorted(n for n in globals() if n[0] != '_'))";
    assert_eq!(stdout(&python, main), "__main__ True 1\nP ['P', 'pickle', 'sys']\n");
    let library = "import hashlib, zlib, sqlite3, decimal, datetime, json, random, re\n\
                   print(hashlib.sha256(b'').hexdigest()[:4], 'ä')";
    assert_eq!(stdout(&python, library), "e3b0 ä\n");
    let order = "print(list({'a', 'b', 'c', 'd', 'e'}))";
    assert_eq!(stdout(&python, order), stdout(&python, order), "the hash seed is fixed");
}

#[test]
fn packages_are_importable_where_the_caller_says_so() {
    let Some(python) = python() else { return };
    let site = std::env::temp_dir().join(format!("grpo-sandbox-site-{}", std::process::id()));
    fs::create_dir(&site).unwrap();
    fs::write(site.join("handmade.py"), "answer = 42").unwrap();
    let program = "import handmade\nprint(handmade.answer)";
    assert_eq!(case(&python, program, "", "42").outcome, Outcome::RuntimeError);
    assert_eq!(case(&python.with_packages(&site), program, "", "42").outcome, Outcome::Passed);
    fs::remove_dir_all(site).unwrap();
}

#[test]
fn bytes_that_are_not_text_never_match() {
    let Some(python) = python() else { return };
    let raw = case(&python, "import sys\nsys.stdout.buffer.write(b'\\xff')", "", "\u{fffd}");
    assert_eq!((raw.outcome, raw.stdout.as_str()), (Outcome::WrongOutput, "\u{fffd}"));
}

#[test]
fn private_directories_are_removed_whatever_is_in_them() {
    let Some(python) = python() else { return };
    let mess = "import os\nos.mkdir('shut', 0)\nos.mkdir('blind', 0o300)\nopen('blind/x', 'w')\n\
                d = '.'\nfor _ in range(50):\n    d += '/deep'\n    os.mkdir(d)\nos.symlink('/', 'root')\nprint(os.getcwd())";
    for program in [
        mess.to_owned(),
        format!("{mess}\nimport os; os.abort()"),
        format!("{mess}\nwhile True: pass"),
    ] {
        let result = case(
            &python,
            &program.replace("print(os.getcwd())", "print(os.getcwd(), flush=True)"),
            "",
            "",
        );
        let scratch = PathBuf::from(result.stdout.trim());
        assert!(scratch.is_absolute(), "{result:?}");
        assert!(!scratch.parent().unwrap().exists(), "{} is left", scratch.display());
    }
    assert!(fs::metadata("/etc").unwrap().is_dir());
}

#[test]
fn results_add_up() {
    let Some(python) = python() else { return };
    let test =
        |stdin: &str, expected: &str| StdioTest { stdin: stdin.into(), expected: expected.into() };
    let tests = [test("1", "1"), test("2", "2"), test("3", "4"), test("5", "5")];
    let mut result = run_program(&python, "print(input())", &tests, &limits()).unwrap();
    assert_eq!((result.fraction(), result.passed()), (Some(0.75), Some(false)));
    result.cases[0].outcome = Outcome::NotRun;
    assert_eq!(
        (result.fraction(), result.passed()),
        (None, None),
        "our fault is not the program's"
    );
}

#[test]
fn unusable_interpreters_are_the_callers_mistake() {
    let script = std::env::temp_dir().join(format!("grpo-sandbox-shim-{}", std::process::id()));
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let script_name = script.to_str().unwrap();
    for (command, reason) in
        [(script_name, "sys.executable"), ("/no/such", "no such"), ("no-such-command", "no such")]
    {
        let error = Interpreter::new(&[command]).unwrap_err();
        assert!(
            matches!(&error, Error::Interpreter { .. }) && error.to_string().contains(reason),
            "{error}"
        );
    }
    assert!(Interpreter::new::<&str>(&[]).is_err());
    fs::remove_file(script).unwrap();
}

#[test]
fn outcomes_are_a_list_without_gaps_in_meaning() {
    for outcome in Outcome::ALL {
        assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
        assert_eq!(outcome.name(), outcome.name().to_uppercase());
        assert!(!outcome.describe().is_empty());
    }
    let codes: Vec<u8> = Outcome::ALL.map(Outcome::code).into();
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 16]);
    assert!(
        Outcome::ALL.iter().all(|outcome| outcome.is_scorable() == (*outcome != Outcome::NotRun))
    );
}

#[test]
fn the_probe_leaves_the_caller_alone() {
    let state = || fs::read_to_string("/proc/self/status").unwrap();
    let fixed = |status: String| -> Vec<String> {
        let kept = ["NoNewPrivs", "Seccomp", "CapEff", "Uid", "NSpid"];
        status
            .lines()
            .filter(|line| kept.iter().any(|name| line.starts_with(name)))
            .map(str::to_owned)
            .collect()
    };
    let before = fixed(state());
    let probed = Protection::probe();
    assert_eq!(before, fixed(state()));
    assert_eq!(probed.layers().len(), 6);
    assert_eq!(probed, Protection::probe());
}

#[test]
fn comparison_forgives_white_space_at_ends_only() {
    for (actual, expected, same) in [
        ("", "", true),
        ("", "\n\n", true),
        ("a\t\r\nb", "a\nb\n", true),
        ("a\n\nb", "a\nb", false),
        (" a", "a", false),
        ("A", "a", false),
        ("a\n", "a\nb", false),
        ("a\nb", "a", false),
    ] {
        assert_eq!(
            outputs_match(actual.as_bytes(), expected.as_bytes()),
            same,
            "{actual:?} {expected:?}"
        );
    }
}
