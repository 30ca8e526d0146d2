//! Starting one confined process, draining it, ending it, and saying how it ended.

use std::{
    ffi::{CString, OsStr},
    fs,
    io::{self, PipeReader, Read},
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    Error, Execution, Interpreter, Limits, Outcome,
    sys::{
        child::{Launch, Strings, resource_limits},
        landlock::{self, Paths},
        process::{Child, Ended, poll, sealed_input, set_nonblocking},
        seccomp::{self, Filters, Policy},
    },
    workdir::WorkDir,
};

/// Kept of stderr: enough for a traceback.
const STDERR_TAIL_BYTES: usize = 8 << 10;
/// The longest sleep between two looks at the CPU clock and the memory.
const LOOK: Duration = Duration::from_millis(50);
/// The shortest, near the end of the CPU limit.
const LEAST_LOOK: Duration = Duration::from_millis(2);
/// Landlock keeps signals inside the sandbox from this version on.
const LANDLOCK_SCOPES_SIGNALS: u32 = 6;

pub(crate) fn execute(
    interpreter: &Interpreter,
    program: &str,
    stdin: &[u8],
    limits: &Limits,
) -> Result<Execution, Error> {
    let files = WorkDir::create(program).map_err(Error::io("make a private directory"))?;
    let stdin = sealed_input(stdin).map_err(Error::io("hold the input"))?;
    let (launch, stdout, stderr) = prepare(interpreter, &files, stdin, limits)?;

    let start = Instant::now();
    let pid = launch.start().map_err(|(what, source)| Error::Io { what, source })?;
    let child = Child::new(pid).map_err(|source| match source.raw_os_error() {
        Some(libc::ESRCH) => Error::Lost,
        _ => Error::Io { what: "watch the child", source },
    })?;
    // The kernel's peak begins with the caller's own, which only grows: read after the start, it is no less.
    let own_peak = resident_bytes("/proc/self/status", "VmHWM:").unwrap_or(u64::MAX);
    let watched =
        watch(&child, stdout, stderr, start, limits).map_err(Error::io("watch the child"))?;
    let wall = start.elapsed();
    let ended = child.reap().ok_or(Error::Lost)?;

    let peak_rss = Some(ended.peak_rss).filter(|&peak| peak > own_peak).or(watched.peak_rss);
    Ok(Execution {
        failure: failure(&ended, &watched, peak_rss, limits),
        exit_code: ended.exit_code,
        signal: ended.signal,
        stdout: watched.stdout.kept,
        stderr: watched.stderr.kept,
        wall,
        cpu: ended.cpu,
        peak_rss,
    })
}

/// Prepares everything the child needs, and the ends of its pipes that stay here.
fn prepare(
    interpreter: &Interpreter,
    files: &WorkDir,
    stdin: OwnedFd,
    limits: &Limits,
) -> Result<(Launch, Pipe, Pipe), Error> {
    if !seccomp::is_available() {
        return Err(Error::Unavailable("the kernel or a container forbids seccomp filters"));
    }
    let single_process = limits.processes == 1;
    let scoped = landlock::abi_version() >= LANDLOCK_SCOPES_SIGNALS;
    let policy = Policy { single_process, own_signals_only: single_process || !scoped };
    let paths = Paths {
        executable: [Some(&interpreter.executable), interpreter.loader.as_deref()],
        readable: &interpreter.readable,
        program: &files.program,
        writable: &files.scratch,
    };
    let ruleset = landlock::ruleset(&paths)
        .map_err(|error| Error::Io {
            what: "build the Landlock ruleset",
            source: io::Error::other(error),
        })?
        .ok_or(Error::Unavailable(
            "the kernel has no Landlock (Linux 5.13 and `landlock` in its lsm= list)",
        ))?;

    let bytes = |text: &OsStr| text.as_bytes().to_vec();
    let arguments = [bytes(interpreter.executable.as_os_str())]
        .into_iter()
        .chain(interpreter.arguments.iter().map(|argument| argument.clone().into_bytes()))
        .chain([bytes(files.program.as_os_str())]);
    let environment = interpreter
        .environment
        .iter()
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
    let refuse = |_| Error::Interpreter {
        path: interpreter.executable.display().to_string(),
        reason: "the command contains a NUL byte".into(),
    };
    let (stdout, child_stdout) = pipe()?;
    let (stderr, child_stderr) = pipe()?;
    let launch = Launch {
        executable: CString::new(bytes(interpreter.executable.as_os_str())).map_err(refuse)?,
        arguments: Strings::new(arguments).map_err(refuse)?,
        environment: Strings::new(environment).map_err(refuse)?,
        folder: CString::new(bytes(files.scratch.as_os_str())).map_err(refuse)?,
        stdio: [stdin, child_stdout, child_stderr],
        ruleset,
        filters: Filters::new(policy)
            .map_err(|_| Error::Unavailable("the seccomp filter does not compile"))?,
        limits: resource_limits(limits),
    };
    Ok((launch, stdout, stderr))
}

/// Our end, which never waits, and the program's, which does.
fn pipe() -> Result<(Pipe, OwnedFd), Error> {
    let (ours, theirs) = io::pipe().map_err(Error::io("make a pipe"))?;
    set_nonblocking(&ours).map_err(Error::io("make a pipe"))?;
    Ok((Some(ours), theirs.into()))
}

/// The reading end of a pipe, until its other ends are closed.
type Pipe = Option<PipeReader>;

/// Everything seen between start and end.
struct Watched {
    stdout: Drained,
    stderr: Drained,
    timed_out: bool,
    cpu_exceeded: bool,
    peak_rss: Option<u64>,
}

/// Drains both pipes until the program ends or a limit passes. When this returns, the program and
/// all of its group have ended or are about to, and the program waits to be reaped.
///
/// The end is that of the process, not of its pipes: a child that holds them open delays nothing.
fn watch(
    child: &Child,
    mut stdout: Pipe,
    mut stderr: Pipe,
    start: Instant,
    limits: &Limits,
) -> io::Result<Watched> {
    let cap = usize::try_from(limits.output_bytes).unwrap_or(usize::MAX);
    let mut seen = Watched {
        stdout: Drained::new(cap, cap),
        stderr: Drained::new(cap, STDERR_TAIL_BYTES),
        timed_out: false,
        cpu_exceeded: false,
        peak_rss: None,
    };
    let status = format!("/proc/{}/status", child.pid());
    let mut last_look = None;
    loop {
        let wall_left = limits.wall.saturating_sub(start.elapsed());
        let cpu_left = limits.cpu.saturating_sub(child.cpu());
        seen.timed_out = wall_left.is_zero();
        seen.cpu_exceeded = cpu_left.is_zero();
        if seen.timed_out || seen.cpu_exceeded || seen.stdout.is_over() || seen.stderr.is_over() {
            break;
        }
        let pause = wall_left.min(cpu_left.clamp(LEAST_LOOK, LOOK));
        let [ended, ..] = poll([child.exit_fd(), fd(stdout.as_ref()), fd(stderr.as_ref())], pause)?;
        seen.stdout.drain(&mut stdout)?;
        seen.stderr.drain(&mut stderr)?;
        if ended {
            break;
        }
        if last_look.is_none_or(|at: Instant| at.elapsed() >= LOOK) {
            seen.peak_rss = resident_bytes(&status, "VmHWM:").or(seen.peak_rss);
            last_look = Some(Instant::now());
        }
    }
    child.kill();
    while !poll([child.exit_fd()], LOOK)?[0] {}
    seen.stdout.drain(&mut stdout)?;
    seen.stderr.drain(&mut stderr)?;
    Ok(seen)
}

fn fd(pipe: Option<&PipeReader>) -> RawFd {
    pipe.map_or(-1, AsRawFd::as_raw_fd)
}

/// What came out of one pipe.
struct Drained {
    kept: Vec<u8>,
    total: usize,
    cap: usize,
    tail: usize,
}

impl Drained {
    /// Counts up to one byte over `cap`, and keeps the last `tail` bytes of that.
    fn new(cap: usize, tail: usize) -> Self {
        Self { kept: Vec::new(), total: 0, cap, tail }
    }

    fn is_over(&self) -> bool {
        self.total > self.cap
    }

    /// Reads what is there without waiting, and no further than the cap.
    fn drain(&mut self, pipe: &mut Pipe) -> io::Result<()> {
        let mut chunk = [0; 16 << 10];
        while let Some(open) = pipe.as_mut().filter(|_| !self.is_over()) {
            match open.read(&mut chunk) {
                Ok(0) => *pipe = None,
                Ok(size) => self.keep(&chunk[..size]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let within = bytes.len().min(self.cap.saturating_sub(self.total));
        self.total = self.total.saturating_add(bytes.len());
        self.kept.extend_from_slice(&bytes[..within]);
        self.kept.drain(..self.kept.len().saturating_sub(self.tail));
    }
}

/// The first reason that applies. What was measured comes before how it ended, so that a verdict
/// does not depend on whether we or the kernel were first.
fn failure(
    ended: &Ended,
    seen: &Watched,
    peak_rss: Option<u64>,
    limits: &Limits,
) -> Option<Outcome> {
    if seen.stdout.is_over() || seen.stderr.is_over() {
        return Some(Outcome::OutputExceeded);
    }
    if seen.cpu_exceeded || ended.cpu > limits.cpu || ended.signal == Some(libc::SIGXCPU) {
        return Some(Outcome::CpuExceeded);
    }
    if seen.timed_out && ended.signal.is_some() {
        return Some(Outcome::TimedOut);
    }
    if ended.exit_code == Some(0) {
        return None;
    }
    if ended.signal == Some(libc::SIGSYS) {
        return Some(Outcome::Forbidden);
    }
    // No counter tells a refused allocation; the interpreter's last words or a full house do.
    let is_full = peak_rss.is_some_and(|peak| peak >= limits.memory_bytes / 10 * 9);
    let said_so = seen.stderr.kept.trim_ascii_end().rsplit(|&byte| byte == b'\n').next();
    if is_full || said_so.is_some_and(|line| line.starts_with(b"MemoryError")) {
        return Some(Outcome::MemoryExceeded);
    }
    Some(if ended.signal.is_some() { Outcome::KilledBySignal } else { Outcome::RuntimeError })
}

/// One line of a process's status, which the kernel gives in KiB.
fn resident_bytes(status: impl AsRef<Path>, field: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field))?;
    value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}
