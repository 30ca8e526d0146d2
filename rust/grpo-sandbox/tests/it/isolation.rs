//! What a program may not do is refused by the layer that is there to refuse it. A failure means a
//! hole, or that something else happened to stop the attempt.
//!
//! `EACCES` is Landlock, `EPERM` seccomp (or a missing capability), `SIGSYS` seccomp's harder answer.

use std::{
    fs,
    net::TcpListener,
    os::fd::AsRawFd,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use grpo_sandbox::{Interpreter, Limits, Outcome, Protection};

use crate::{limits, python, run, stdout};

/// Runs `attempt`, and says which error it met: `EACCES`, `EPERM`, …, or what it got through with.
fn refusal(python: &Interpreter, attempt: &str) -> String {
    let program = format!(
        "import ctypes, errno, os, socket, sys\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         def call(*arguments):\n\
         \x20   result = libc.syscall(*arguments)\n\
         \x20   if result < 0: raise OSError(ctypes.get_errno(), '')\n\
         \x20   return result\n\
         try: print('done', {attempt})\n\
         except OSError as error: print(errno.errorcode[error.errno])"
    );
    stdout(python, &program).trim_end().to_owned()
}

#[test]
fn reading_outside_is_refused_by_landlock() {
    let Some(python) = python() else { return };
    let secret = std::env::temp_dir().join(format!("grpo-sandbox-secret-{}", std::process::id()));
    fs::write(&secret, "secret").unwrap();
    let parent = std::process::id();
    let secret_path = secret.display();
    for attempt in [
        format!("open('{secret_path}').read()"),
        format!("(os.symlink('{secret_path}', 'link'), open('link').read())"),
        format!("os.link('{secret_path}', 'link')"),
        format!("os.open('{secret_path}', os.O_RDONLY | os.O_TRUNC)"),
        "open('/etc/passwd').read()".into(),
        "os.listdir('/')".into(),
        "os.listdir(os.path.dirname(os.path.dirname(os.getcwd())))".into(),
        "open(os.path.join(os.getcwd(), '../../../../../../etc/passwd')).read()".into(),
        format!("open('/proc/{parent}/environ').read()"),
        format!("open('/proc/{parent}/mem').read()"),
        "open('/proc/self/status').read()".into(),
    ] {
        let answer = refusal(&python, &attempt);
        // `O_TRUNC` for reading meets the filter first; a link across directories is `EXDEV` by Landlock's rules.
        assert!(["EACCES", "EPERM", "EXDEV"].contains(&answer.as_str()), "{attempt}: {answer}");
        assert!(
            answer == "EACCES" || attempt.contains("O_TRUNC") || attempt.contains("os.link"),
            "{attempt}: {answer}"
        );
    }
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    fs::remove_file(&secret).unwrap();
}

#[test]
fn writing_outside_is_refused_by_landlock_and_inside_is_not() {
    let Some(python) = python() else { return };
    for attempt in [
        "open('/tmp/dropped', 'w')",
        "open('/dev/shm/dropped', 'w')",
        "open('../dropped', 'w')",
        "open(sys.argv[0], 'a')",
        "open(os.__file__, 'a')",
        "os.mkdir('/var/tmp/dropped')",
        "os.rename('.', '/tmp/dropped')",
        "os.unlink(sys.argv[0])",
    ] {
        let answer = refusal(&python, attempt);
        assert!(
            answer == "EACCES" || (answer == "EBUSY" && attempt.contains("rename")),
            "{attempt}: {answer}"
        );
    }
    let inside = "import os\nos.mkdir('a')\nopen('a/b', 'w').write('x')\nos.rename('a/b', 'c')\nprint(open('c').read())\n\
                  open('/dev/null', 'w').write('x')\nprint(len(open('/dev/urandom', 'rb').read(4)))";
    assert_eq!(stdout(&python, inside), "x\n4\n");
}

#[test]
fn metadata_is_refused_by_seccomp() {
    let Some(python) = python() else { return };
    for attempt in [
        "os.chmod(sys.argv[0], 0o777)",
        "os.chown('.', 1, 1)",
        "os.utime('/tmp')",
        "os.truncate('/etc/passwd', 0)",
    ] {
        assert_eq!(refusal(&python, attempt), "EPERM", "{attempt}");
    }
}

#[test]
fn the_network_is_refused_by_seccomp() {
    let Some(python) = python() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for attempt in [
        format!("socket.create_connection(('127.0.0.1', {port}))"),
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)".into(),
        "socket.socket(socket.AF_UNIX).connect('\\0abstract')".into(),
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)".into(),
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)".into(),
        "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)".into(),
        "socket.socketpair()[0].bind('\\0abstract')".into(),
    ] {
        assert_eq!(refusal(&python, &attempt), "EPERM", "{attempt}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let asyncio =
        "import asyncio\nasync def main(): await asyncio.sleep(0); print(1)\nasyncio.run(main())";
    assert_eq!(stdout(&python, asyncio), "1\n");
}

#[test]
fn other_processes_are_out_of_reach() {
    let Some(python) = python() else { return };
    let mut bystander = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
    let (victim, parent) = (bystander.id(), std::process::id());
    for attempt in [
        format!("os.kill({victim}, 9)"),
        format!("os.kill({parent}, 19)"),
        format!("os.killpg({victim}, 9)"),
        "os.kill(-1, 9)".into(),
        format!("os.pidfd_open({victim})"),
        format!("__import__('resource').prlimit({victim}, 7, (0, 0))"),
        format!("os.setpriority(os.PRIO_PROCESS, {victim}, 19)"),
        format!("os.sched_setaffinity({victim}, {{0}})"),
        "os.sched_setaffinity(0, {0})".into(),
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))".into(),
        format!("__import__('fcntl').fcntl(0, __import__('fcntl').F_SETOWN, {parent})"),
        "os.setsid()".into(),
        "call(157, 1, 0)".into(), // prctl(PR_SET_PDEATHSIG, 0) on x86-64
    ] {
        if attempt.starts_with("call") && cfg!(not(target_arch = "x86_64")) {
            continue;
        }
        assert_eq!(refusal(&python, &attempt), "EPERM", "{attempt}");
    }
    assert!(bystander.try_wait().unwrap().is_none(), "the bystander was ended");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    // Its own self it may signal.
    let own = run(&python, "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", &limits());
    assert_eq!((own.failure, own.signal), (Some(Outcome::KilledBySignal), Some(libc::SIGTERM)));
}

#[test]
fn new_processes_are_refused_by_seccomp_and_threads_are_not() {
    let Some(python) = python() else { return };
    for attempt in [
        "os.fork()",
        "os.posix_spawn(sys.executable, ['x'], {})",
        "__import__('subprocess').run([sys.executable])",
    ] {
        assert_eq!(refusal(&python, attempt), "EPERM", "{attempt}");
    }
    assert_eq!(refusal(&python, "os.execv('/bin/sh', ['sh', '-c', 'echo out'])"), "EACCES");
    let threads = "from threading import Thread\nx = []\nt = [Thread(target=x.append, args=(1,)) for _ in range(8)]\n\
                   [a.start() for a in t]\n[a.join() for a in t]\nprint(len(x))";
    assert_eq!(stdout(&python, threads), "8\n");
}

#[test]
fn the_kernels_machinery_is_forbidden() {
    let Some(python) = python() else { return };
    let ends = |program: &str| {
        let run = run(&python, program, &limits());
        assert_eq!(
            (run.failure, run.signal),
            (Some(Outcome::Forbidden), Some(libc::SIGSYS)),
            "{program}: {run:?}"
        );
    };
    for (call, arguments) in [
        (libc::SYS_ptrace, "0, 0, 0, 0"),
        (libc::SYS_process_vm_readv, "1, 0, 0, 0, 0, 0"),
        (libc::SYS_unshare, "0x10000000"),
        (libc::SYS_setns, "0, 0"),
        (libc::SYS_mount, "0, 0, 0, 0, 0"),
        (libc::SYS_bpf, "0, 0, 0"),
        (libc::SYS_keyctl, "0, 0"),
        (libc::SYS_userfaultfd, "0"),
        (libc::SYS_perf_event_open, "0, 0, 0, 0, 0"),
        (libc::SYS_io_uring_setup, "1, 0"),
        (libc::SYS_open_by_handle_at, "0, 0, 0"),
        #[cfg(target_arch = "x86_64")]
        (0x4000_0000 + libc::SYS_getpid, "0"),
    ] {
        ends(&format!("import ctypes\nctypes.CDLL(None).syscall({call}, {arguments})"));
    }
}

#[test]
fn calls_the_filter_cannot_judge_do_not_exist() {
    let Some(python) = python() else { return };
    let newer = 463;
    for call in [libc::SYS_clone3, libc::SYS_openat2, newer] {
        assert_eq!(refusal(&python, &format!("call({call}, 0, 0, 0, 0)")), "ENOSYS", "{call}");
    }
    for call in
        [libc::SYS_name_to_handle_at, libc::SYS_memfd_create, libc::SYS_shmget, libc::SYS_mq_open]
    {
        assert_eq!(refusal(&python, &format!("call({call}, 0, 0, 0, 0)")), "EPERM", "{call}");
    }
}

#[test]
fn root_inside_has_no_capabilities() {
    let Some(python) = python() else { return };
    for attempt in ["os.setgroups([1])", "os.setresuid(1, 2, 3)", "socket.sethostname('x')"] {
        assert_eq!(refusal(&python, attempt), "EPERM", "{attempt}");
    }
}

#[test]
fn nothing_of_the_caller_is_inherited() {
    let Some(python) = python() else { return };
    let names = "import os\nprint(sorted(os.environ))";
    assert_eq!(stdout(&python, names), "['LC_CTYPE', 'PYTHONHASHSEED', 'PYTHONUTF8']\n");
    let plain =
        Interpreter::new(&[python.executable().to_str().unwrap(), "-I", "-S", "-B"]).unwrap();
    assert_eq!(stdout(&plain, names), "['LC_CTYPE']\n", "Python sets it itself");

    // A descriptor without close-on-exec, as a careless library leaves them.
    let secret = fs::File::open("/etc/passwd").unwrap();
    let numbers = [100, 900];
    for number in numbers {
        // SAFETY: copies an open descriptor to a number far above those in use.
        assert_eq!(unsafe { libc::dup2(secret.as_raw_fd(), number) }, number);
    }
    let open = "import os\ndef there(n):\n    try: os.fstat(n)\n    except OSError: return False\n    return True\n\
                print([n for n in range(2000) if there(n)])";
    assert_eq!(stdout(&python, open), "[0, 1, 2]\n");
    for number in numbers {
        // SAFETY: closes what was opened above.
        unsafe { libc::close(number) };
    }
}

#[test]
fn stdin_cannot_be_changed() {
    let Some(python) = python() else { return };
    let program = "import os, errno\ntry: os.write(0, b'x')\nexcept OSError as error: print(errno.errorcode[error.errno])";
    assert_eq!(stdout(&python, program), "EPERM\n");
    let again = "print(input(), open('/dev/stdin').read(), open(0).read())";
    assert!(stdout_with(&python, again, "a\nb").starts_with("a "));
}

fn stdout_with(python: &Interpreter, program: &str, stdin: &str) -> String {
    let run = grpo_sandbox::execute(python, program, stdin.as_bytes(), &limits()).unwrap();
    assert_eq!(run.failure, None, "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn a_directory_can_be_opened_up_for_reading_only() {
    let Some(python) = python() else { return };
    let folder = std::env::temp_dir().join(format!("grpo-sandbox-data-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("table"), "42").unwrap();
    let path = folder.join("table").display().to_string();
    let python = python.allow_read(&folder);
    assert_eq!(refusal(&python, &format!("open('{path}').read()")), "done 42");
    assert_eq!(refusal(&python, &format!("open('{path}', 'w')")), "EACCES");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn processes_that_are_allowed_end_with_the_program() {
    let Some(python) = python() else { return };
    let limits = Limits { processes: 100_000, ..limits() };
    let start = Instant::now();
    let program = "import os, time\nchild = os.fork()\nif child == 0: time.sleep(60)\nprint(child, flush=True)\nos._exit(0)";
    let parent = run(&python, program, &limits);
    assert_eq!(parent.failure, None);
    assert!(start.elapsed() < Duration::from_secs(5), "waited for whoever holds the pipe");
    let child = String::from_utf8(parent.stdout).unwrap();
    let is_gone = || {
        let state = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        state.is_empty() || state.contains(") Z ") || state.contains(") X ")
    };
    while !is_gone() {
        assert!(start.elapsed() < Duration::from_secs(10), "{child} is still there");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn processes_that_are_allowed_cannot_leave_or_reach_out() {
    let Some(python) = python() else { return };
    if Protection::probe().landlock_abi < 6 {
        return; // then a program may signal nobody but itself, which another test covers
    }
    let limits = Limits { processes: 100_000, ..limits() };
    let caller = std::process::id();
    let program = format!(
        "import os\nif os.fork() == 0:\n    for leave in (os.setsid, os.setpgrp, lambda: os.kill({caller}, 0)):\n        \
         try: leave()\n        except OSError as error: print(error.errno, end=' ', flush=True)\n    os._exit(0)\nos.wait()"
    );
    assert_eq!(
        run(&python, &program, &limits).stdout,
        format!("{0} {0} {0} ", libc::EPERM).as_bytes()
    );
}
