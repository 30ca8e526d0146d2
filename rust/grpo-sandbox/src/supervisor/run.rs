//! One run: starting its processes, draining them, ending them, and saying how they ended.

use std::{
    collections::{BTreeSet, VecDeque},
    ffi::CString,
    fs,
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, StatVfsMountFlags},
    net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair},
    pipe::{PipeFlags, pipe_with},
};

use super::{
    Interruption,
    drain::{Drained, Frames},
    scratch::Scratch,
    zygotes::Zygotes,
};
use crate::{
    message::{Answer, ChildReport, ChildSpec, Command, Fate, Report, Run, RunLimits, Setup},
    sys::{
        landlock::{self, Paths},
        launch::{Confinement, EXECUTE, Launch, Strings, explained, resource_limits},
        process::{self, Child, sealed_input},
        seccomp::Filters,
    },
    wire::Bytes,
    zygote::{Birth, STARTED},
};

/// Kept of stderr: enough for a traceback.
const STDERR_TAIL_BYTES: usize = 8 << 10;
/// For what every child says, however little a program may write.
const LEAST_CHANNEL_BYTES: usize = 64 << 10;
/// For so long after its start a program that nobody talks to is only waited for. Most end sooner, and what they
/// wrote is then read at once instead of piece by piece.
const UNDISTURBED: Duration = Duration::from_millis(3);
/// The longest sleep between two looks at the CPU clock.
const LOOK: Duration = Duration::from_millis(50);
/// The shortest, near the end of the CPU limit.
const LEAST_LOOK: Duration = Duration::from_millis(2);
/// Between the limit and the kernel's own count of whole seconds, the backstop of our clock.
const CPU_SLACK_S: u64 = 2;
/// A tester ends soon after the solution it asks has ended.
const GRACE: Duration = Duration::from_secs(10);
/// Frames of one process; each becomes a result in the trainer's memory.
const MAX_ANSWERS: usize = 10_000;
/// A solution sees at once that its tester has ended.
const DISMISSAL: Duration = Duration::from_millis(500);
/// Where the kernel does not count them for us, and there is a `/proc` to look at.
const MAX_THREADS: u64 = 256;
/// Brought back of what a command made, together.
const MAX_OUTPUT_BYTES: usize = 64 << 20;
const MAX_OUTPUT_FILES: usize = 1024;
/// A shell's answer to a file that cannot be executed.
const NOT_EXECUTABLE: i32 = 126;
/// Landlock keeps signals inside the sandbox from this version on.
const LANDLOCK_SCOPES_SIGNALS: u32 = 6;

/// What frames of a process mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Talk {
    /// At most one, of which nothing depends: read when it has ended.
    Last,
    /// One after the start, and one for each call.
    Lockstep,
    /// As many as it likes, until it ends.
    Stream,
    /// With another process, not with us.
    Elsewhere,
}

/// A process of the run, until it is reaped.
struct Process {
    child: Child,
    talk: Talk,
    stdout: Drained,
    stderr: Drained,
    frames: Option<Frames>,
    unsent: VecDeque<u8>,
    calls: VecDeque<Bytes>,
    /// Answers that are due.
    due: usize,
    started: bool,
    step: (Instant, Duration),
    begun: Instant,
    /// Since when it has nothing left to do.
    grace: Option<Instant>,
    /// Ended by us, through no fault of its own.
    dismissed: bool,
    ended: bool,
    report: ChildReport,
}

/// What became of the start of a command.
enum Executed {
    Started(Box<Process>),
    /// The kernel does not take what a compiler made for a program.
    Refused(ChildReport),
}

pub(super) struct Runner<'a> {
    pub(super) setup: &'a Setup,
    pub(super) zygotes: &'a mut Zygotes,
    pub(super) scratch: &'a mut Scratch,
    /// Where a cancellation, or the end of the trainer, shows.
    pub(super) interruption: &'a mut Interruption,
}

impl Runner<'_> {
    /// Does one run. Unless nothing of it is left behind, the second part says why: then no other
    /// program may follow here.
    pub(super) fn run(&mut self, run: &Run) -> (Report, io::Result<()>) {
        let report = self.try_run(run).unwrap_or_else(|error| {
            let detail = error.to_string();
            let solution = ChildReport { fate: Fate::NotStarted, detail, ..Default::default() };
            Report { solution, tester: None }
        });
        (report, self.scratch.clear())
    }

    fn try_run(&mut self, run: &Run) -> io::Result<Report> {
        let mut processes = Vec::with_capacity(2);
        if let Some(command) = &run.command {
            match self.execute(command, run)? {
                Executed::Started(process) => processes.push(*process),
                Executed::Refused(solution) => return Ok(Report { solution, tester: None }),
            }
        } else if let Some(solution) = &run.solution {
            let talk = match (&run.tester, solution.mode) {
                (Some(_), _) => Talk::Elsewhere,
                (None, crate::message::Mode::Stdio) => Talk::Last,
                (None, crate::message::Mode::Calls) => Talk::Lockstep,
                (None, _) => Talk::Stream,
            };
            let stdin = sealed_input(&run.stdin.0)?;
            let steps = run.calls.len() as u64 + 1;
            let mut first = self.start(solution, talk, &stdin, &run.limits, steps, &[])?;
            first.calls = run.calls.iter().cloned().collect();
            first.due = usize::from(talk == Talk::Lockstep);
            if let Some(tester) = &run.tester {
                // The program gets its text last: until then nothing of its own can keep the tester from starting.
                let channel = first.confined_channel()?;
                let nothing = sealed_input(&[])?;
                let files = [channel.as_fd(), channel.as_fd()];
                let second = self.start(tester, Talk::Stream, &nothing, &run.limits, 1, &files)?;
                first.deliver(channel)?;
                processes.extend([first, second]);
            } else {
                processes.push(first);
            }
        } else {
            return Err(io::Error::other("a run of nothing"));
        }
        self.watch(&mut processes, run)?;
        let mut reports = processes.into_iter().map(Process::finish);
        let mut solution = reports.next().unwrap_or_default();
        if let Some(command) = &run.command {
            solution.outputs = self.collect(&command.outputs);
        }
        Ok(Report { solution, tester: reports.next() })
    }

    /// Starts a child of a warm interpreter.
    fn start(
        &mut self,
        spec: &ChildSpec,
        talk: Talk,
        stdin: &OwnedFd,
        limits: &RunLimits,
        steps: u64,
        more: &[BorrowedFd<'_>],
    ) -> io::Result<Process> {
        let was_warm = self.zygotes.is_warm(spec.tier);
        match self.try_start(spec, talk, stdin, limits, steps, more) {
            // Somebody killed the interpreter: once more with another. It may have forked before its
            // end, so the pipes are others too; an unknown child meets the end of the old ones.
            Err(_) if was_warm => self.try_start(spec, talk, stdin, limits, steps, more),
            answer => answer,
        }
    }

    fn try_start(
        &mut self,
        spec: &ChildSpec,
        talk: Talk,
        stdin: &OwnedFd,
        limits: &RunLimits,
        steps: u64,
        more: &[BorrowedFd<'_>],
    ) -> io::Result<Process> {
        let (stdout, child_stdout) = pipe_to_us()?;
        let (stderr, child_stderr) = pipe_to_us()?;
        let (channel, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&channel, true)?;
        let birth = Birth {
            supervisor: process::own_pid(),
            memory_bytes: limits.memory_bytes,
            cpu_s: (limits.cpu_ns.saturating_mul(steps).min(limits.total_cpu_ns) / 1_000_000_000)
                .saturating_add(CPU_SLACK_S),
            file_bytes: limits.file_bytes,
            processes: limits.processes,
            mode: spec.mode as u8,
        };
        let mut files = vec![
            stdin.as_fd(),
            child_stdout.as_fd(),
            child_stderr.as_fd(),
            theirs.as_fd(),
            theirs.as_fd(),
        ];
        files.extend_from_slice(more);
        let child = self.zygotes.fork(spec.tier, &birth, &files)?;
        let mut process = Process::new(child, talk, stdout, stderr, limits);
        let cap = usize_of(limits.output_bytes).max(LEAST_CHANNEL_BYTES);
        process.frames = Some(Frames::new(channel, cap));
        process.queue(&spec.payload.0);
        if talk != Talk::Elsewhere {
            process.send()?;
        }
        Ok(process)
    }

    /// Starts a program of another language.
    fn execute(&mut self, command: &Command, run: &Run) -> io::Result<Executed> {
        let folder = self.scratch.folder().to_owned();
        let name = command.arguments.first().ok_or_else(|| io::Error::other("an empty command"))?;
        // What a compiler made of a program; anything else is a tool of the user's.
        let is_made = name.starts_with("./");
        if is_made && rustix::fs::statvfs(&folder)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
            let folder = folder.display();
            return Err(io::Error::other(format!(
                "{folder} is on a file system that forbids execution (noexec): set TMPDIR to another"
            )));
        }
        for (name, contents) in &command.files {
            place(&folder, name, &contents.0)?;
        }
        let single = run.limits.processes == 1;
        let scoped =
            self.setup.landlock_abi.min(landlock::abi_version()) >= LANDLOCK_SCOPES_SIGNALS;
        let paths = Paths {
            executable: &command.paths,
            readable: &self.setup.readable,
            listable: &[],
            writable: self.scratch.landlock_folder(),
            execute_written: true,
        };
        let ruleset =
            landlock::ruleset(&paths, self.setup.landlock_abi).map_err(io::Error::other)?;
        let filters = if self.setup.seccomp {
            Filters::executed(single, single || !scoped).map_err(io::Error::other)?
        } else {
            Filters::none()
        };
        let (stdout, child_stdout) = pipe_to_us()?;
        let (stderr, child_stderr) = pipe_to_us()?;
        let folder_name = folder.to_string_lossy().into_owned();
        let own = ["HOME", "TMPDIR"].map(|name| (name.to_owned(), folder_name.clone()));
        let environment = own.iter().chain(&command.environment);
        let mut limits = resource_limits(&run.limits, command.reserves);
        if single {
            limits.push((libc::c_long::from(libc::RLIMIT_NPROC), command.tasks.into()));
        }
        let launch = Launch {
            executable: CString::new(name.as_str())?,
            arguments: Strings::new(
                command.arguments.iter().map(|text| text.clone().into_bytes()),
            )?,
            environment: Strings::new(
                environment.map(|(name, value)| format!("{name}={value}").into_bytes()),
            )?,
            folder: CString::new(folder.as_os_str().as_encoded_bytes())?,
            descriptors: vec![sealed_input(&run.stdin.0)?, child_stdout, child_stderr],
            confinement: Some(Confinement { ruleset, filters, limits, uid: self.setup.uid }),
            tied: true,
        };
        let pid = match launch.start() {
            Ok(pid) => pid,
            // A source can decide that, by naming a loader that is not there.
            Err((step, error)) if is_made && step == EXECUTE && is_no_program(&error) => {
                let stderr = Bytes(format!("{name}: {error}\n").into_bytes());
                let exit_code = Some(NOT_EXECUTABLE);
                return Ok(Executed::Refused(ChildReport {
                    exit_code,
                    stderr,
                    ..Default::default()
                }));
            }
            Err(failed) => return Err(explained(failed)),
        };
        let mut process =
            Process::new(Child::new(pid, true)?, Talk::Elsewhere, stdout, stderr, &run.limits);
        process.started = true;
        Ok(Executed::Started(Box::new(process)))
    }

    fn collect(&self, outputs: &[String]) -> Vec<(String, Bytes)> {
        let folder = self.scratch.folder();
        let mut names = BTreeSet::new();
        for output in outputs {
            match output.strip_prefix('*') {
                Some(end) => names.extend(
                    fs::read_dir(folder)
                        .into_iter()
                        .flatten()
                        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                        .filter(|name| name.ends_with(end)),
                ),
                None => drop(names.insert(output.clone())),
            }
        }
        let mut left = MAX_OUTPUT_BYTES;
        let read = |name: String| {
            let bytes = read_file(&folder.join(&name), left).ok()?;
            left -= bytes.len();
            Some((name, Bytes(bytes)))
        };
        names.into_iter().take(MAX_OUTPUT_FILES).filter_map(read).collect()
    }

    /// Drains the processes until all have ended, by themselves or by a limit.
    ///
    /// The end is that of a process, not of its pipes: a child that holds them open delays nothing.
    fn watch(&mut self, processes: &mut [Process], run: &Run) -> io::Result<()> {
        let mut last_look = Instant::now();
        loop {
            let mut pause = LOOK;
            for process in processes.iter_mut().filter(|process| !process.ended) {
                pause = pause.min(process.enforce(&run.limits));
            }
            if processes.iter().all(|process| process.ended) {
                // Once more, or the verdict on one that has just ended depends on when we looked last.
                if self.scratch.is_over() {
                    for process in processes.iter_mut() {
                        process.blame(Fate::Disk);
                    }
                }
                return Ok(());
            }
            if last_look.elapsed() >= LOOK {
                last_look = Instant::now();
                if self.scratch.is_over() {
                    end_all(processes, Fate::Disk);
                }
                for process in processes.iter_mut() {
                    if process.child.threads() > MAX_THREADS {
                        process.end(Fate::Threads);
                    }
                }
            }
            let interrupted = wait(processes, self.interruption, pause)?;
            if interrupted && self.interruption.cancels(run.id)? {
                end_all(processes, Fate::Cancelled);
            }
            for process in processes.iter_mut() {
                process.advance()?;
            }
            // A tester without its solution has nobody left to ask, and the other way round.
            if let [first, second] = processes {
                if second.ended && !first.ended {
                    first.dismiss();
                }
                if first.ended && !second.ended {
                    second.expect_end();
                }
            }
        }
    }
}

fn end_all(processes: &mut [Process], fate: Fate) {
    for process in processes {
        process.end(fate);
    }
}

/// Sleeps until something happens; whether it is a message of the trainer's.
fn wait(processes: &[Process], interruption: &Interruption, pause: Duration) -> io::Result<bool> {
    let mut set = Vec::with_capacity(8);
    let mut pause = pause;
    let control = interruption.sources();
    set.extend(control.iter().map(|source| PollFd::from_borrowed_fd(*source, PollFlags::IN)));
    for process in processes.iter().filter(|process| !process.ended) {
        set.push(PollFd::from_borrowed_fd(process.child.exit_fd(), PollFlags::IN));
        let left = UNDISTURBED.saturating_sub(process.begun.elapsed());
        if process.talk == Talk::Last && process.unsent.is_empty() && !left.is_zero() {
            pause = pause.min(left);
            continue;
        }
        for pipe in [&process.stdout.pipe, &process.stderr.pipe].into_iter().flatten() {
            set.push(PollFd::new(pipe, PollFlags::IN));
        }
        if let Some(socket) = process.channel() {
            let mut events = PollFlags::empty();
            events.set(PollFlags::IN, process.talk != Talk::Last);
            events.set(PollFlags::OUT, !process.unsent.is_empty());
            if !events.is_empty() {
                set.push(PollFd::new(socket, events));
            }
        }
    }
    let timeout = Timespec::try_from(pause).unwrap_or_default();
    match poll(&mut set, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(set[..control.len()].iter().any(|source| !source.revents().is_empty()))
}

impl Process {
    fn new(child: Child, talk: Talk, stdout: OwnedFd, stderr: OwnedFd, limits: &RunLimits) -> Self {
        let cap = usize_of(limits.output_bytes);
        let now = Instant::now();
        Self {
            child,
            talk,
            stdout: Drained::new(stdout, cap, cap),
            stderr: Drained::new(stderr, cap, STDERR_TAIL_BYTES),
            frames: None,
            unsent: VecDeque::new(),
            calls: VecDeque::new(),
            due: 0,
            started: false,
            step: (now, Duration::ZERO),
            begun: now,
            grace: None,
            dismissed: false,
            ended: false,
            report: ChildReport::default(),
        }
    }

    /// The socket to it, unless one of its ends is closed or it is another's.
    fn channel(&self) -> Option<&OwnedFd> {
        self.frames.as_ref()?.socket.as_ref()
    }

    /// Our end of the channel, once the child has confined itself, for another process to talk to it.
    fn confined_channel(&mut self) -> io::Result<OwnedFd> {
        let socket = self.frames.take().and_then(|frames| frames.socket);
        let socket = socket.ok_or_else(|| io::Error::other("no channel"))?;
        let timeout = Timespec::try_from(GRACE).unwrap_or_default();
        let mut ready = [PollFd::new(&socket, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut ready, Some(&timeout)))?;
        // One byte: what follows is the other process's to read.
        let mut byte = [0];
        match rustix::io::read(&socket, &mut byte) {
            Ok(1) if byte[0] == STARTED => self.started = true,
            Ok(_) => return Err(io::Error::other("the child could not confine itself")),
            Err(error) => return Err(error.into()),
        }
        rustix::io::ioctl_fionbio(&socket, false)?;
        Ok(socket)
    }

    /// Gives the child its work, which it reads before it does anything else, and the channel away.
    fn deliver(&mut self, channel: OwnedFd) -> io::Result<()> {
        let work = std::mem::take(&mut self.unsent);
        match fs::File::from(channel).write_all(&Vec::from(work)) {
            // It was killed meanwhile, which will show.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            answer => answer,
        }
    }

    fn queue(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        self.unsent.extend(length.to_le_bytes());
        self.unsent.extend(frame);
    }

    /// Writes as much as the child takes now.
    fn send(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let Some(socket) = self.channel() else {
                self.unsent.clear();
                break;
            };
            match rustix::io::write(socket, self.unsent.as_slices().0) {
                Ok(size) => drop(self.unsent.drain(..size)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                // It has ended, or does not listen: its answers will show.
                Err(rustix::io::Errno::PIPE) => self.unsent.clear(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Kills it if it is over a limit; says when to look again.
    fn enforce(&mut self, limits: &RunLimits) -> Duration {
        let (begun, before) = self.step;
        let wall_left = Duration::from_nanos(limits.wall_ns).saturating_sub(begun.elapsed());
        if wall_left.is_zero() {
            self.end(Fate::Wall);
        }
        let used = self.child.cpu();
        let cpu_left = Duration::from_nanos(limits.cpu_ns)
            .saturating_sub(used.saturating_sub(before))
            .min(Duration::from_nanos(limits.total_cpu_ns).saturating_sub(used));
        if cpu_left.is_zero() {
            self.end(Fate::Cpu);
        }
        if self.stdout.is_over() || self.stderr.is_over() {
            self.end(Fate::Output);
        }
        wall_left.min(cpu_left.clamp(LEAST_LOOK, LOOK)).max(LEAST_LOOK)
    }

    /// Says why it counts as ended, unless that has been said.
    fn blame(&mut self, fate: Fate) {
        if self.report.fate == Fate::Ended {
            self.report.fate = fate;
        }
    }

    fn end(&mut self, fate: Fate) {
        if !self.ended && self.report.fate == Fate::Ended {
            self.report.fate = fate;
            self.child.kill();
        }
    }

    /// Ends what nobody asks any more, if it does not end by itself: how it ends says what became of it.
    fn dismiss(&mut self) {
        let since = *self.grace.get_or_insert_with(Instant::now);
        if self.report.fate == Fate::Ended && since.elapsed() > DISMISSAL {
            self.dismissed = true;
            self.child.kill();
        }
    }

    /// Gives it a moment to end.
    fn expect_end(&mut self) {
        if self.grace.get_or_insert_with(Instant::now).elapsed() > GRACE {
            self.end(Fate::Wall);
        }
    }

    /// Takes what has come, and notes whether it has ended.
    fn advance(&mut self) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        // Before the pipes: what was written before the end is there when they are read.
        let mut exit = [PollFd::from_borrowed_fd(self.child.exit_fd(), PollFlags::IN)];
        let ended = poll(&mut exit, Some(&Timespec::default())).is_ok_and(|count| count > 0);
        self.send()?;
        self.stdout.drain()?;
        self.stderr.drain()?;
        if self.talk != Talk::Last || ended {
            self.listen()?;
        }
        self.ended = ended;
        Ok(())
    }

    /// Reads frames, and sends the next call after the answer to the last.
    fn listen(&mut self) -> io::Result<()> {
        let Some(frames) = &mut self.frames else { return Ok(()) };
        frames.drain()?;
        if !self.started {
            match frames.first_byte() {
                Some(STARTED) => self.started = true,
                Some(_) => {
                    let why = String::from_utf8_lossy(&frames.rest()).into_owned();
                    self.report.detail = format!("the child could not confine itself: {why}");
                    self.end(Fate::NotStarted);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
        while let Some(frame) = self.frames.as_mut().and_then(Frames::next_frame) {
            let cpu = self.child.cpu();
            let now = Instant::now();
            self.report.answers.push(Answer {
                bytes: Bytes(frame),
                cpu_ns: nanoseconds(cpu.saturating_sub(self.step.1)),
                wall_ns: nanoseconds(now - self.step.0),
            });
            if self.report.answers.len() > MAX_ANSWERS {
                self.end(Fate::BadFrames);
                return Ok(());
            }
            if self.talk == Talk::Lockstep {
                if self.due == 0 {
                    self.end(Fate::BadFrames);
                    return Ok(());
                }
                self.due -= 1;
                self.step = (now, cpu);
                match self.calls.pop_front() {
                    Some(call) => {
                        self.queue(&call.0);
                        self.due += 1;
                        self.send()?;
                    }
                    // Nothing more will be asked.
                    None => drop(self.channel().map(|socket| shutdown(socket, Shutdown::Write))),
                }
            }
        }
        if self.frames.as_ref().is_some_and(Frames::is_over) {
            self.end(Fate::Output);
        }
        Ok(())
    }

    fn finish(mut self) -> ChildReport {
        let wall = self.begun.elapsed();
        // It may have ended before anybody looked at how much it wrote.
        let frames_over = self.frames.as_ref().is_some_and(Frames::is_over);
        let is_over = self.stdout.is_over() || self.stderr.is_over() || frames_over;
        if is_over {
            self.blame(Fate::Output);
        }
        if !self.started && self.report.fate == Fate::Ended {
            // It never came to run the program, so it says nothing about it.
            self.report.fate = Fate::NotStarted;
            self.report.detail = "the child ended before it was confined".into();
        }
        self.child.kill();
        if let Some(ended) = self.child.reap() {
            self.report.dismissed = self.dismissed;
            self.report.exit_code = ended.exit_code;
            self.report.signal = ended.signal;
            // A signal may come at any time, from anybody; the program itself does not stop in a frame.
            let is_torn = self.frames.as_ref().is_some_and(Frames::is_torn);
            if is_torn && ended.signal.is_none() && self.report.fate == Fate::Ended {
                self.report.fate = Fate::BadFrames;
            }
            self.report.cpu_ns = nanoseconds(ended.cpu);
            self.report.peak_bytes = ended.peak_rss;
        } else {
            self.report.fate = Fate::NotStarted;
            self.report.detail = "somebody else reaped the child".into();
        }
        self.report.wall_ns = nanoseconds(wall);
        self.report.stdout = Bytes(self.stdout.kept);
        self.report.stderr = Bytes(self.stderr.kept);
        self.report
    }
}

/// Our end, which never waits, and the child's, which does.
fn pipe_to_us() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    // Whoever opens it anew by `/dev/fd` may write, and never take out what was written for us.
    rustix::fs::fchmod(&theirs, rustix::fs::Mode::from_raw_mode(0o222))?;
    Ok((ours, theirs))
}

/// The whole of a file that may be hostile: a link, a device, or longer than allowed.
fn read_file(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let kind = file.metadata()?;
    if !kind.is_file() || usize::try_from(kind.len()).is_ok_and(|length| length > most) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    file.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a file was refused for what it is, and not for want of anything.
fn is_no_program(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ENOEXEC
                | libc::ENOENT
                | libc::EACCES
                | libc::ENOTDIR
                | libc::ELOOP
                | libc::EINVAL
                | libc::EISDIR
                | libc::ENOMEM
                | libc::ELIBBAD
        )
    )
}

fn place(folder: &Path, name: &str, contents: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let path: PathBuf = folder.join(name);
    fs::write(&path, contents)?;
    // The user that programs run as is another one.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
}

fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
