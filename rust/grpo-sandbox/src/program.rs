//! A program and its tests, and the verdict, which is reached here and nowhere nearer to the program.

use std::{io, sync::Arc, time::Duration};

use crate::{
    Check, Comparator, Level, Limits, Outcome, Value,
    compiled::{Build, Compiled},
    imports::python_imports,
    link::Link,
    message::{Answer, ChildReport, ChildSpec, Command, Fate, Mode, Report, Run, RunLimits, Tier},
    sys::process,
    toolchain::{Toolchain, is_out_of_memory},
    wire::Bytes,
};

/// The longest text of a model's that a message repeats, in characters.
const QUOTED: usize = 300;
/// Times that a test is run which somebody killed.
const RUNS: u32 = 3;
/// Bytes of random data that mark the end of tests which run beside the program.
const NONCE_BYTES: usize = 32;

/// What a compiler may use: enough for any program that answers a question, and an end for those that
/// are made to keep it busy.
const COMPILER: RunLimits = RunLimits {
    wall_ns: 120_000_000_000,
    cpu_ns: 30_000_000_000,
    total_cpu_ns: 30_000_000_000,
    memory_bytes: 2 << 30,
    output_bytes: 4 << 20,
    file_bytes: 64 << 20,
    processes: 64,
};
/// Threads of a program that may have one process.
const THREADS: u32 = 512;
/// For those of other programs, where all of them count as the same user's.
const SPARE: u32 = 4096;

/// One test: what the program reads, and what it must write. `expected` stays in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StdioCase {
    /// The whole of the program's stdin.
    pub stdin: String,
    /// Its stdout.
    pub expected: String,
}

/// Who says whether an output is right.
#[derive(Clone, Debug)]
pub enum Judge {
    /// We do.
    Comparator(Comparator),
    /// A Python program of the user's, run in a sandbox of its own: its function is called with stdin,
    /// expected output and output.
    Checker {
        /// The program.
        source: String,
        /// Its function.
        entry_point: String,
    },
}

/// One call, and what is asked of the value that it returns. The check stays in this process.
#[derive(Clone, Debug)]
pub struct CallCase {
    /// The function, as `name`, or `Class.name` for a method of a fresh instance.
    pub entry_point: String,
    /// Its arguments: a tuple, and a dictionary of the named ones.
    pub arguments: (Value, Value),
    /// What must hold for the result.
    pub check: Check,
}

/// What a program must do.
#[derive(Clone, Debug)]
pub enum Tests {
    /// Read stdin and write stdout.
    Stdio {
        /// A process each.
        cases: Vec<StdioCase>,
        /// Who compares.
        judge: Judge,
    },
    /// Return values; in order, in one process.
    Calls(Vec<CallCase>),
    /// Satisfy test code that runs in another process and asks this one for values.
    Split {
        /// The tests.
        source: String,
        /// Trusted code that comes before them.
        setup: String,
        /// What `check` is called with.
        entry_point: Option<String>,
        /// Names that the tests take from the program.
        names: Vec<String>,
        /// The lines of the statements that are tests, each with a result of its own.
        unit_lines: Vec<u32>,
    },
    /// Satisfy test code that runs in the program's own process, which can forge the result.
    Unittest {
        /// The tests.
        source: String,
        /// Trusted code that comes before them.
        setup: String,
    },
}

/// Who could have changed a verdict, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Nobody but this process.
    Outside,
    /// A second sandboxed process, which holds the tests and no code of the program's.
    Split,
    /// The program.
    InProcess,
}

impl Integrity {
    /// The name in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Split => "split",
            Self::InProcess => "in_process",
        }
    }
}

impl Tests {
    /// How far their verdict can be trusted.
    pub const fn integrity(&self) -> Integrity {
        match self {
            Self::Stdio { .. } | Self::Calls(_) => Integrity::Outside,
            Self::Split { .. } => Integrity::Split,
            Self::Unittest { .. } => Integrity::InProcess,
        }
    }

    /// How many results there are to be, as far as is known.
    pub fn count(&self) -> usize {
        match self {
            Self::Stdio { cases, .. } => cases.len(),
            Self::Calls(cases) => cases.len(),
            Self::Split { unit_lines, .. } => unit_lines.len().max(1),
            Self::Unittest { .. } => 1,
        }
    }
}

/// A program to be judged.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its text.
    pub source: Arc<str>,
    /// What compiles and runs it; `None` for Python, which alone has other tests than [`Tests::Stdio`].
    pub toolchain: Option<Arc<Toolchain>>,
    /// Its tests, shared by the programs of a group.
    pub tests: Arc<Tests>,
    /// What it may use.
    pub limits: Arc<Limits>,
    /// Whether a test that is not passed ends the program's run.
    pub stop_at_first_failure: bool,
}

/// What one program did in one test.
#[derive(Clone, Debug, Default)]
pub struct CaseResult {
    /// The verdict; [`Outcome::NotRun`] until there is one.
    pub outcome: Option<Outcome>,
    /// The exit code, unless a signal ended it or it had no process of its own.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote, with U+FFFD for what is not UTF-8.
    pub stdout: String,
    /// The end of what it wrote to stderr.
    pub stderr: String,
    /// The type of the exception that ended it, in the program's own words.
    pub exception: Option<String>,
    /// The line of the program where it was raised.
    pub line: Option<u64>,
    /// Time from start to end.
    pub wall: Duration,
    /// CPU time.
    pub cpu: Duration,
    /// Most memory resident at a time.
    pub peak_bytes: Option<u64>,
    /// Why it did not pass, in one sentence.
    pub message: String,
}

impl CaseResult {
    fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self { outcome: Some(outcome), message: message.into(), ..Self::default() }
    }

    /// The verdict.
    pub fn outcome(&self) -> Outcome {
        self.outcome.unwrap_or(Outcome::NotRun)
    }
}

/// What one program did in all its tests, in their order.
#[derive(Clone, Debug)]
pub struct ProgramResult {
    /// One result per test.
    pub cases: Vec<CaseResult>,
    /// How far they can be trusted.
    pub integrity: Integrity,
    /// What held the program.
    pub level: Level,
    /// Why there is no score.
    pub note: String,
}

impl Program {
    fn result(&self, cases: Vec<CaseResult>) -> ProgramResult {
        let unscorable = cases.iter().find(|case| !case.outcome().is_scorable());
        let note = unscorable.map(|case| case.message.clone()).unwrap_or_default();
        ProgramResult { note, cases, integrity: self.tests.integrity(), level: Level::None }
    }

    /// The result of one that was not run.
    pub(crate) fn not_run(&self, why: &str) -> ProgramResult {
        let case = CaseResult::new(Outcome::NotRun, why);
        self.result(vec![case; self.tests.count()])
    }

    /// The result of one that nobody waits for any more.
    pub(crate) fn cancelled(&self) -> ProgramResult {
        let case = CaseResult::new(Outcome::Cancelled, "cancelled");
        self.result(vec![case; self.tests.count()])
    }
}

/// The supervisor does not answer any more: the program must be given to another.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) io::Error);

/// The run of one program.
struct Trial<'a> {
    link: &'a mut Link,
    program: &'a Program,
    tier: u8,
    tiers: &'a [Tier],
    compiled: &'a Compiled,
    announce: &'a dyn Fn(&Link),
    cancelled: &'a dyn Fn() -> bool,
    /// Left of the CPU time of all tests.
    cpu_left: Duration,
    cases: Vec<CaseResult>,
}

/// Runs a program on its tests.
pub(crate) fn run(
    link: &mut Link,
    program: &Program,
    tiers: &[Tier],
    compiled: &Compiled,
    announce: &dyn Fn(&Link),
    cancelled: &dyn Fn() -> bool,
) -> Result<ProgramResult, Lost> {
    let mut trial = Trial {
        link,
        program,
        tier: choose_tier(&program.source, tiers),
        tiers,
        compiled,
        announce,
        cancelled,
        cpu_left: program.limits.total_cpu,
        cases: Vec::with_capacity(program.tests.count()),
    };
    match (&*program.tests, &program.toolchain) {
        (Tests::Stdio { cases, judge }, None) => trial.stdio(cases, judge)?,
        (Tests::Stdio { cases, judge }, Some(toolchain)) => {
            trial.stdio_of(toolchain, cases, judge)?;
        }
        (tests, Some(toolchain)) => {
            let message = format!("programs in {} have stdin and stdout alone", toolchain.name);
            let case = CaseResult::new(Outcome::TestsInvalid, message);
            trial.cases = vec![case; tests.count()];
        }
        (Tests::Calls(cases), None) => trial.calls(cases)?,
        (Tests::Split { source, setup, entry_point, names, unit_lines }, None) => {
            trial.split(source, setup, entry_point.as_deref(), names, unit_lines)?;
        }
        (Tests::Unittest { source, setup }, None) => trial.unittest(source, setup)?,
    }
    Ok(program.result(trial.cases))
}

/// The smallest interpreter that has loaded what the program imports. Being wrong costs time only,
/// but for packages beside the standard library, which the others do not find.
fn choose_tier(source: &str, tiers: &[Tier]) -> u8 {
    let top = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let imports = python_imports(source);
    let needed = imports.iter().filter_map(|import| {
        tiers.iter().position(|tier| tier.preload.iter().any(|module| top(module) == *import))
    });
    u8::try_from(needed.max().unwrap_or(0)).unwrap_or(0)
}

impl Trial<'_> {
    /// Whether the rest is not to be run, and what it is then.
    fn settled(&self) -> Option<CaseResult> {
        if (self.cancelled)() {
            return Some(CaseResult::new(Outcome::Cancelled, "cancelled"));
        }
        let failed = |case: &CaseResult| case.outcome() != Outcome::Passed;
        if self.program.stop_at_first_failure && self.cases.last().is_some_and(failed) {
            return Some(CaseResult::new(Outcome::Skipped, "an earlier test was not passed"));
        }
        if self.cpu_left.is_zero() {
            let message = "the CPU time of all tests together is used up";
            return Some(CaseResult::new(Outcome::Skipped, message));
        }
        None
    }

    fn run_limits(&self, steps: u32) -> RunLimits {
        let limits = &*self.program.limits;
        let cpu = limits.cpu.saturating_mul(steps).min(self.cpu_left);
        RunLimits {
            wall_ns: nanoseconds(limits.wall.saturating_mul(steps)),
            cpu_ns: nanoseconds(cpu),
            total_cpu_ns: nanoseconds(self.cpu_left),
            memory_bytes: limits.memory_bytes,
            output_bytes: limits.output_bytes,
            file_bytes: limits.file_bytes,
            processes: limits.processes,
        }
    }

    fn child(&self, mode: Mode, payload: Vec<u8>) -> ChildSpec {
        ChildSpec { tier: self.tier, mode, payload: Bytes(payload) }
    }

    /// Does one run, and again if somebody outside killed it, which looks as if it had killed itself.
    fn ask(&mut self, run: &Run) -> Result<Report, Lost> {
        for attempt in 1.. {
            (self.announce)(self.link);
            // Who cancelled before that has found nothing to end.
            if (self.cancelled)() {
                let solution = ChildReport { fate: Fate::Cancelled, ..ChildReport::default() };
                return Ok(Report { solution, tester: None });
            }
            let report = self.link.run(run.clone()).map_err(Lost)?;
            let spent: u64 = [Some(&report.solution), report.tester.as_ref()]
                .into_iter()
                .flatten()
                .map(|child| child.cpu_ns)
                .sum();
            self.cpu_left = self.cpu_left.saturating_sub(Duration::from_nanos(spent));
            let is_lost = |child: &ChildReport| {
                let killed = child.fate == Fate::Ended
                    && child.signal == Some(SIGKILL)
                    && child.cpu_ns < run.limits.cpu_ns;
                killed || child.fate == Fate::NotStarted
            };
            let lost = is_lost(&report.solution) || report.tester.as_ref().is_some_and(is_lost);
            if !lost || attempt == RUNS {
                return Ok(report);
            }
        }
        Err(Lost(io::Error::other("no run was made")))
    }

    fn stdio(&mut self, cases: &[StdioCase], judge: &Judge) -> Result<(), Lost> {
        for case in cases {
            if let Some(rest) = self.settled() {
                self.cases.push(rest);
                continue;
            }
            let run = Run {
                id: 0,
                solution: Some(self.child(Mode::Stdio, self.program.source.as_bytes().to_vec())),
                command: None,
                tester: None,
                stdin: Bytes(case.stdin.clone().into_bytes()),
                calls: Vec::new(),
                limits: self.run_limits(1),
            };
            let report = self.ask(&run)?.solution;
            let result = self.judge_output(&report, case, judge)?;
            self.cases.push(result);
        }
        Ok(())
    }

    /// As `stdio`, for another language than Python.
    fn stdio_of(
        &mut self,
        toolchain: &Toolchain,
        cases: &[StdioCase],
        judge: &Judge,
    ) -> Result<(), Lost> {
        let mut build = None;
        for case in cases {
            if let Some(rest) = self.settled() {
                self.cases.push(rest);
                continue;
            }
            let build = match &build {
                Some(build) => build,
                None => build.insert(self.build(toolchain)?),
            };
            let files = match build.as_deref() {
                Some(Build::Made(files)) => files,
                Some(Build::Failed(result)) => {
                    self.cases.push((**result).clone());
                    continue;
                }
                None => {
                    self.cases.push(CaseResult::new(Outcome::Cancelled, "cancelled"));
                    continue;
                }
            };
            let limits = self.run_limits(1);
            let words = &toolchain.run;
            let command = Command {
                arguments: toolchain.command(words, &self.program.source, limits.memory_bytes),
                environment: toolchain.environment.clone(),
                files: files.clone(),
                outputs: Vec::new(),
                paths: toolchain.run_paths.clone(),
                tasks: THREADS + self.others(),
                reserves: toolchain.reserves,
            };
            let run =
                Run { stdin: Bytes(case.stdin.clone().into_bytes()), ..executed(command, limits) };
            let report = self.ask(&run)?.solution;
            let result = self.judge_output(&report, case, judge)?;
            self.cases.push(result);
        }
        Ok(())
    }

    /// What a program is run from; `None` if it was cancelled meanwhile.
    fn build(&mut self, toolchain: &Toolchain) -> Result<Option<Arc<Build>>, Lost> {
        let source = Arc::clone(&self.program.source);
        if toolchain.compile.is_empty() {
            let file = (toolchain.file_of(&source), Bytes(source.as_bytes().to_vec()));
            return Ok(Some(Arc::new(Build::Made(vec![file]))));
        }
        let (compiled, cancelled) = (self.compiled, self.cancelled);
        compiled.get(&toolchain.name, &source, cancelled, || self.compile(toolchain))
    }

    /// Compiles, and says whether the answer would be the same again.
    fn compile(&mut self, toolchain: &Toolchain) -> Result<(Build, bool), Lost> {
        let source = &self.program.source;
        let others = self.others();
        let limits = RunLimits { processes: COMPILER.processes + others, ..COMPILER };
        let command = Command {
            arguments: toolchain.command(&toolchain.compile, source, limits.memory_bytes),
            environment: toolchain.environment.clone(),
            files: vec![(toolchain.file_of(source), Bytes(source.as_bytes().to_vec()))],
            outputs: toolchain.outputs.clone(),
            paths: toolchain.compile_paths.clone(),
            tasks: limits.processes,
            reserves: true,
        };
        // The time is the compiler's and not the program's.
        let cpu_left = self.cpu_left;
        let report = self.ask(&executed(command, limits))?.solution;
        self.cpu_left = cpu_left;
        let lacks = |output: &String| {
            !report.outputs.iter().any(|(name, _)| {
                output.strip_prefix('*').map_or(name == output, |end| name.ends_with(end))
            })
        };
        let why = match report.fate {
            Fate::Threads => "too many threads".to_owned(),
            Fate::NotStarted => return Ok((unbuilt(Outcome::NotRun, &report.detail), false)),
            Fate::Cancelled => return Ok((unbuilt(Outcome::Cancelled, "cancelled"), false)),
            Fate::Cpu => "the compiler was not done after 30 s of CPU time".into(),
            Fate::Wall => "the compiler was not done after 120 s".into(),
            Fate::Output => "the compiler wrote more than 4 MiB of messages".into(),
            Fate::Disk => "the compiler filled the folder of the run".into(),
            Fate::BadFrames | Fate::Ended => match (report.exit_code, report.signal) {
                (Some(0), _) => match toolchain.outputs.iter().find(|output| lacks(output)) {
                    None => return Ok((Build::Made(report.outputs), true)),
                    Some(output) => format!("the compiler made no {output}"),
                },
                (_, Some(signal)) => format!("the compiler was ended by signal {signal}"),
                _ => complaint(&report),
            },
        };
        let mut result = self.described(&report, None);
        (result.outcome, result.message) = (Some(Outcome::CompileError), why);
        // A clock on the wall says something about the machine too.
        let keep = report.fate != Fate::Wall;
        Ok((Build::Failed(Box::new(result)), keep))
    }

    /// Processes and threads that count against a program's, where it has no namespace of its own.
    fn others(&self) -> u32 {
        // A user namespace counts its own alone.
        if self.link.ready.namespaces { 0 } else { process::tasks_of_user().saturating_add(SPARE) }
    }

    /// The verdict on a process that read and wrote.
    fn judge_output(
        &mut self,
        report: &ChildReport,
        case: &StdioCase,
        judge: &Judge,
    ) -> Result<CaseResult, Lost> {
        let raised = report.answers.first().and_then(|answer| Reply::of(answer).raised());
        let mut result = self.described(report, raised);
        if let Some(outcome) = failure(report, &result, &self.program.limits) {
            result.outcome = Some(outcome);
            if self.program.toolchain.is_some() && report.fate == Fate::Ended {
                explain_end(&mut result, outcome, report);
            }
            return Ok(result);
        }
        match judge {
            Judge::Comparator(comparator) => {
                let matches = comparator.matches(&report.stdout.0, case.expected.as_bytes());
                result.outcome = Some(if matches { Outcome::Passed } else { Outcome::WrongOutput });
                if !matches {
                    result.message = format!(
                        "printed {}, expected {}",
                        quoted(&result.stdout),
                        quoted(&case.expected)
                    );
                }
            }
            Judge::Checker { source, entry_point } => {
                let (outcome, message) =
                    self.check(source, entry_point, [&case.stdin, &case.expected, &result.stdout])?;
                (result.outcome, result.message) = (Some(outcome), message);
            }
        }
        Ok(result)
    }

    /// Asks a checker about an output, which is hostile: what it makes the checker do is no excuse.
    fn check(
        &mut self,
        source: &str,
        entry_point: &str,
        texts: [&str; 3],
    ) -> Result<(Outcome, String), Lost> {
        // A program that has left itself no time must not take the checker's.
        let programs_own = std::mem::replace(&mut self.cpu_left, Duration::MAX);
        let limits = self.run_limits(1);
        let arguments = Value::Tuple(texts.into_iter().map(Value::from).collect());
        let call = request("call", entry_point, &arguments, &empty_dict());
        let tier = choose_tier(source, self.tiers);
        let payload = Bytes(dict(&[("source", Value::from(source))]).encode());
        let run = Run {
            id: 0,
            solution: Some(ChildSpec { tier, mode: Mode::Calls, payload }),
            command: None,
            tester: None,
            stdin: Bytes::default(),
            calls: vec![Bytes(call)],
            limits,
        };
        let report = self.ask(&run)?.solution;
        self.cpu_left = programs_own;
        let mut replies = report.answers.iter().map(Reply::of);
        Ok(match (replies.next(), replies.next()) {
            (Some(Reply::Ready), Some(Reply::Value(verdict))) => match verdict.truth() {
                Some(true) => (Outcome::Passed, String::new()),
                _ => (Outcome::WrongOutput, "the checker refused the output".into()),
            },
            (Some(Reply::Ready), Some(Reply::Raised(raised))) => {
                (Outcome::WrongOutput, format!("the checker met {raised} with the output"))
            }
            (Some(Reply::Ready), Some(Reply::Missing(name))) => {
                (Outcome::TestsInvalid, format!("the checker does not define {name}"))
            }
            (Some(Reply::Ready), _) => {
                (Outcome::WrongOutput, "the checker did not come to an end with the output".into())
            }
            (Some(Reply::Raised(raised)), _) => {
                (Outcome::TestsInvalid, format!("the checker cannot be loaded: {raised}"))
            }
            _ => (Outcome::NotRun, format!("the checker was not run: {}", report.detail)),
        })
    }

    fn calls(&mut self, cases: &[CallCase]) -> Result<(), Lost> {
        let source = dict(&[("source", Value::from(&*self.program.source))]).encode();
        while self.cases.len() < cases.len() {
            let left = &cases[self.cases.len()..];
            if let Some(rest) = self.settled() {
                self.cases.extend(std::iter::repeat_n(rest, left.len()));
                break;
            }
            // Where the first failure ends it, the calls after it must not be made.
            let asked = if self.program.stop_at_first_failure { &left[..1] } else { left };
            let calls = asked.iter().map(|case| {
                Bytes(request("call", &case.entry_point, &case.arguments.0, &case.arguments.1))
            });
            let run = Run {
                id: 0,
                solution: Some(self.child(Mode::Calls, source.clone())),
                command: None,
                tester: None,
                stdin: Bytes::default(),
                calls: calls.collect(),
                limits: self.run_limits(1),
            };
            let report = self.ask(&run)?.solution;
            self.judge_calls(asked, &report);
        }
        Ok(())
    }

    /// Judges what one process answered; the case at which it ended is the last that is judged.
    fn judge_calls(&mut self, cases: &[CallCase], report: &ChildReport) {
        let mut replies = report.answers.iter();
        let loaded = replies.next();
        match loaded.map(Reply::of) {
            Some(Reply::Ready) => {}
            Some(Reply::Raised(raised)) => {
                let mut result = self.described(report, Some(raised));
                result.outcome = Some(exception_outcome(&result));
                self.cases.extend(repeated(result, cases.len()));
                return;
            }
            reply => {
                let mut result = self.described(report, None);
                result.outcome = Some(if reply.is_some() {
                    Outcome::BadReply
                } else {
                    failure(report, &result, &self.program.limits).unwrap_or_else(|| {
                        result.message = "the program ended before it was asked anything".into();
                        Outcome::RuntimeError
                    })
                });
                self.cases.extend(repeated(result, cases.len()));
                return;
            }
        }
        let mut judged = 0;
        for (case, answer) in cases.iter().zip(replies) {
            let mut result = CaseResult {
                cpu: Duration::from_nanos(answer.cpu_ns),
                wall: Duration::from_nanos(answer.wall_ns),
                peak_bytes: Some(report.peak_bytes).filter(|&peak| peak > 0),
                ..CaseResult::default()
            };
            judge_reply(&Reply::of(answer), case, &mut result);
            self.cases.push(result);
            judged += 1;
        }
        if judged < cases.len() {
            let mut result = self.described(report, None);
            result.outcome =
                Some(failure(report, &result, &self.program.limits).unwrap_or_else(|| {
                    result.message = "the program ended before it answered".into();
                    Outcome::RuntimeError
                }));
            self.cases.push(result);
        } else if report.fate == Fate::BadFrames
            && let Some(last) = self.cases.last_mut()
        {
            // An answer to a question that was not asked: who forges one is not believed the others.
            last.outcome = Some(Outcome::BadReply);
            last.message = "the program wrote an answer that nobody asked for".into();
        }
        if let Some(last) = self.cases.last_mut() {
            last.stdout = text(&report.stdout.0);
            last.stderr = text(&report.stderr.0);
        }
    }

    fn split(
        &mut self,
        tests: &str,
        setup: &str,
        entry_point: Option<&str>,
        names: &[String],
        unit_lines: &[u32],
    ) -> Result<(), Lost> {
        if let Some(rest) = self.settled() {
            self.cases.push(rest);
            return Ok(());
        }
        let payload = dict(&[
            ("tests", Value::from(tests)),
            ("setup", Value::from(setup)),
            ("entry_point", entry_point.map_or(Value::None, Value::from)),
            ("names", Value::List(names.iter().map(|name| Value::from(name.as_str())).collect())),
            ("handles", Value::from(true)),
            (
                "unit_lines",
                Value::List(unit_lines.iter().map(|&line| Value::from(i64::from(line))).collect()),
            ),
        ]);
        let source = dict(&[("source", Value::from(&*self.program.source))]);
        let tester = ChildSpec {
            tier: choose_tier(&format!("{setup}\n{tests}"), self.tiers).max(self.tier),
            mode: Mode::Tester,
            payload: Bytes(payload.encode()),
        };
        let run = Run {
            id: 0,
            solution: Some(self.child(Mode::Calls, source.encode())),
            command: None,
            tester: Some(tester),
            stdin: Bytes::default(),
            calls: Vec::new(),
            limits: self.run_limits(u32::try_from(unit_lines.len().max(1)).unwrap_or(u32::MAX)),
        };
        let report = self.ask(&run)?;
        let tester = report.tester.unwrap_or_default();
        let (mut done, mut lost) = (None, false);
        for answer in &tester.answers {
            match Unit::of(answer) {
                Unit::Result(result) => self.cases.push(result),
                Unit::Done(count, _) => done = Some(count),
                Unit::Lost => lost = true,
            }
            if self.is_garbled() {
                break;
            }
        }
        let complete = done == Some(self.cases.len());
        if !complete && lost && report.solution.dismissed {
            let message = "the program wrote to its channel what no honest program writes";
            self.cases.push(CaseResult::new(Outcome::BadReply, message));
        } else if !complete {
            let result = self.blame(&report.solution, &tester);
            self.cases.push(result);
        }
        if complete && self.cases.is_empty() {
            self.cases.push(CaseResult::new(Outcome::TestsInvalid, "the tests test nothing"));
        }
        if let Some(last) = self.cases.last_mut() {
            let child = &report.solution;
            last.stdout = text(&child.stdout.0);
            last.stderr = text(&child.stderr.0);
            last.cpu = Duration::from_nanos(child.cpu_ns.saturating_add(tester.cpu_ns));
            last.wall = Duration::from_nanos(tester.wall_ns);
            last.peak_bytes = Some(child.peak_bytes).filter(|&peak| peak > 0);
        }
        Ok(())
    }

    /// Whether the last result was none: nothing after it means anything.
    fn is_garbled(&self) -> bool {
        self.cases.last().is_some_and(|case| case.outcome() == Outcome::BadReply)
    }

    /// Why a tester did not come to its end.
    fn blame(&self, solution: &ChildReport, tester: &ChildReport) -> CaseResult {
        let limits = &self.program.limits;
        let mut result = self.described(solution, None);
        if let Some(outcome) = failure(solution, &result, limits) {
            result.outcome = Some(outcome);
            return result;
        }
        let mut result = self.described(tester, None);
        // Values of the program's can make the tests run out of anything, so that is its fault.
        let outcome = failure(tester, &result, limits);
        result.outcome = Some(outcome.unwrap_or(Outcome::RuntimeError));
        if result.message.is_empty() {
            result.message = "the program ended before the tests did".into();
        }
        result
    }

    fn unittest(&mut self, tests: &str, setup: &str) -> Result<(), Lost> {
        if let Some(rest) = self.settled() {
            self.cases.push(rest);
            return Ok(());
        }
        let nonce = nonce().map_err(Lost)?;
        let payload = dict(&[
            ("source", Value::from(&*self.program.source)),
            ("tests", Value::from(tests)),
            ("setup", Value::from(setup)),
            ("nonce", Value::Bytes(nonce.clone())),
        ]);
        let tier = choose_tier(tests, self.tiers).max(self.tier);
        let payload = Bytes(payload.encode());
        let run = Run {
            id: 0,
            solution: Some(ChildSpec { tier, mode: Mode::Unittest, payload }),
            command: None,
            tester: None,
            stdin: Bytes::default(),
            calls: Vec::new(),
            limits: self.run_limits(1),
        };
        let report = self.ask(&run)?.solution;
        let mut done = None;
        for answer in &report.answers {
            match Unit::of(answer) {
                Unit::Result(result) => self.cases.push(result),
                Unit::Done(count, given) => done = Some((count, given)),
                Unit::Lost => {}
            }
            if self.is_garbled() {
                break;
            }
        }
        let described = self.described(&report, None);
        // A program that claims so must not get away without a score.
        if self.cases.is_empty() && done.as_ref() == Some(&(0, nonce.clone())) {
            self.cases.push(CaseResult::new(Outcome::TestsInvalid, "the tests hold no test"));
        } else if done != Some((self.cases.len(), nonce)) {
            let mut result = described.clone();
            result.outcome = Some(
                failure(&report, &result, &self.program.limits).unwrap_or(Outcome::RuntimeError),
            );
            if result.message.is_empty() {
                result.message = "the tests did not come to their end".into();
            }
            self.cases.push(result);
        }
        if let Some(last) = self.cases.last_mut() {
            (last.stdout, last.stderr) = (described.stdout, described.stderr);
            (last.cpu, last.wall) = (described.cpu, described.wall);
            last.peak_bytes = described.peak_bytes;
        }
        Ok(())
    }

    /// What is known of a process, without a verdict.
    fn described(&self, report: &ChildReport, raised: Option<Raised>) -> CaseResult {
        let message = match report.fate {
            Fate::Ended => match (&raised, report.exit_code, report.signal) {
                (Some(raised), ..) => raised.to_string(),
                (None, Some(code), _) if code != 0 => format!("ended with exit code {code}"),
                (None, _, Some(signal)) if !report.dismissed => {
                    format!("ended by signal {signal}")
                }
                _ => String::new(),
            },
            Fate::Cpu => format!("over {:?} of CPU time", self.program.limits.cpu),
            Fate::Wall => format!("over {:?} of wall-clock time", self.program.limits.wall),
            Fate::Output => format!("over {} bytes of output", self.program.limits.output_bytes),
            Fate::Disk => "wrote too much to its folder".into(),
            Fate::Threads => "started too many threads".into(),
            Fate::BadFrames => "wrote to its channel what no honest program writes".into(),
            Fate::Cancelled => "cancelled".into(),
            Fate::NotStarted => report.detail.clone(),
        };
        CaseResult {
            outcome: None,
            exit_code: report.exit_code,
            signal: report.signal,
            stdout: text(&report.stdout.0),
            stderr: text(&report.stderr.0),
            exception: raised.as_ref().map(|raised| raised.kind.clone()),
            line: raised.and_then(|raised| raised.line),
            wall: Duration::from_nanos(report.wall_ns),
            cpu: Duration::from_nanos(report.cpu_ns),
            peak_bytes: Some(report.peak_bytes).filter(|&peak| peak > 0),
            message,
        }
    }
}

const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;
const SIGSYS: i32 = 31;

/// The first reason that applies; `None` if the process ended by itself, with exit code 0. What was
/// measured comes before how it ended, so that a verdict does not depend on whether we or the kernel
/// were first.
fn failure(report: &ChildReport, described: &CaseResult, limits: &Limits) -> Option<Outcome> {
    match report.fate {
        Fate::NotStarted => return Some(Outcome::NotRun),
        Fate::Cancelled => return Some(Outcome::Cancelled),
        Fate::Output | Fate::Disk => return Some(Outcome::OutputExceeded),
        Fate::Cpu => return Some(Outcome::CpuExceeded),
        Fate::Wall => return Some(Outcome::TimedOut),
        Fate::Threads => return Some(Outcome::MemoryExceeded),
        Fate::BadFrames => return Some(Outcome::BadReply),
        Fate::Ended => {}
    }
    // The kernel's own count, which only kills, is first where many threads outrun our looks.
    let outran = report.signal == Some(SIGKILL) && report.cpu_ns >= nanoseconds(limits.cpu);
    if report.signal == Some(SIGXCPU) || outran {
        return Some(Outcome::CpuExceeded);
    }
    if report.exit_code == Some(0) || report.dismissed {
        return None;
    }
    if report.signal == Some(SIGSYS) {
        return Some(Outcome::Forbidden);
    }
    // No counter tells a refused allocation; the interpreter's last words or a full house do.
    let is_full = report.peak_bytes >= limits.memory_bytes / 10 * 9;
    let last_words = report.stderr.0.trim_ascii_end().rsplit(|&byte| byte == b'\n').next();
    let said_so = last_words.is_some_and(|line| line.starts_with(b"MemoryError"));
    if is_full || said_so || described.exception.as_deref() == Some("MemoryError") {
        return Some(Outcome::MemoryExceeded);
    }
    Some(if report.signal.is_some() {
        Outcome::KilledBySignal
    } else {
        exception_outcome(described)
    })
}

/// The result of a process for each of its cases. What it wrote goes with the last: it may be large.
fn repeated(result: CaseResult, count: usize) -> impl Iterator<Item = CaseResult> {
    let bare = CaseResult { stdout: String::new(), stderr: String::new(), ..result.clone() };
    std::iter::repeat_n(bare, count.saturating_sub(1)).chain((count > 0).then_some(result))
}

fn exception_outcome(result: &CaseResult) -> Outcome {
    match result.exception.as_deref() {
        Some("MemoryError") => Outcome::MemoryExceeded,
        // Only when it is loaded: one that a running program raises is caught by its own tests.
        Some("SyntaxError" | "IndentationError" | "TabError") => Outcome::CompileError,
        _ => Outcome::RuntimeError,
    }
}

/// What a process of another language than Python says at its end.
fn explain_end(result: &mut CaseResult, outcome: Outcome, report: &ChildReport) {
    let ended = matches!(outcome, Outcome::RuntimeError | Outcome::KilledBySignal);
    if ended && is_out_of_memory(&report.stderr.0) {
        result.outcome = Some(Outcome::MemoryExceeded);
    }
    result.message = match (report.signal, report.exit_code) {
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => String::new(),
    };
}

/// The first line of a compiler's that says what is wrong, or its first at all.
fn complaint(report: &ChildReport) -> String {
    let said = [text(&report.stderr.0), text(&report.stdout.0)];
    let mut lines =
        said.iter().flat_map(|said| said.lines()).filter(|line| !line.trim().is_empty());
    let first = lines.clone().find(|line| line.contains("error")).or_else(|| lines.next());
    first.unwrap_or("the compiler refused it").chars().take(QUOTED).collect()
}

fn unbuilt(outcome: Outcome, why: &str) -> Build {
    Build::Failed(Box::new(CaseResult::new(outcome, why)))
}

fn executed(command: Command, limits: RunLimits) -> Run {
    Run {
        id: 0,
        solution: None,
        command: Some(command),
        tester: None,
        stdin: Bytes::default(),
        calls: Vec::new(),
        limits,
    }
}

/// An exception, in the words of the program that raised it.
#[derive(Clone, Debug)]
struct Raised {
    kind: String,
    message: String,
    line: Option<u64>,
}

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match self.line {
            Some(line) => write!(f, " (line {line})"),
            None => Ok(()),
        }
    }
}

/// An answer of a child's, as far as it is one.
enum Reply {
    Ready,
    Value(Value),
    Opaque(String),
    Missing(String),
    Raised(Raised),
    Malformed(String),
}

impl Reply {
    fn of(answer: &Answer) -> Self {
        let parts = match Value::decode(&answer.bytes.0) {
            Ok(Value::Tuple(parts)) => parts,
            Ok(_) => return Self::Malformed("not a tuple".into()),
            Err(error) => return Self::Malformed(error.to_string()),
        };
        let mut parts = parts.into_iter();
        let tag = parts.next();
        match tag.as_ref().and_then(Value::as_str) {
            Some("ready") => Self::Ready,
            Some("ok") => parts
                .next()
                .map_or_else(|| Self::Malformed("an answer without a value".into()), Self::Value),
            Some("opaque") => Self::Opaque(shortened(parts.next().as_ref())),
            Some("missing") => Self::Missing(shortened(parts.next().as_ref())),
            Some("raise") => Self::Raised(Raised {
                kind: shortened(parts.next().as_ref()),
                message: shortened(parts.next().as_ref()),
                line: parts.next().and_then(|line| number(&line)),
            }),
            _ => Self::Malformed("an answer of no kind".into()),
        }
    }

    fn raised(self) -> Option<Raised> {
        match self {
            Self::Raised(raised) => Some(raised),
            _ => None,
        }
    }
}

fn judge_reply(reply: &Reply, case: &CallCase, result: &mut CaseResult) {
    let (outcome, message) = match reply {
        Reply::Value(value) if case.check.check(value) => (Outcome::Passed, String::new()),
        Reply::Value(value) => (Outcome::WrongOutput, case.check.explain(value)),
        Reply::Opaque(kind) => (
            Outcome::WrongOutput,
            format!("returned a {kind}, which is not a plain value and equals nothing"),
        ),
        Reply::Missing(name) => {
            (Outcome::NoEntryPoint, format!("the program does not define {name}"))
        }
        Reply::Raised(raised) => {
            result.exception = Some(raised.kind.clone());
            result.line = raised.line;
            (exception_outcome(result), raised.to_string())
        }
        Reply::Ready => (Outcome::BadReply, "an answer to another question".into()),
        Reply::Malformed(why) => (Outcome::BadReply, format!("the answer cannot be read: {why}")),
    };
    (result.outcome, result.message) = (Some(outcome), message);
}

/// What a process with tests reports.
enum Unit {
    Result(CaseResult),
    Done(usize, Vec<u8>),
    Lost,
}

impl Unit {
    fn of(answer: &Answer) -> Self {
        let Ok(Value::Tuple(parts)) = Value::decode(&answer.bytes.0) else {
            return Self::bad();
        };
        let mut parts = parts.into_iter();
        let tag = parts.next();
        let line = |result: &mut CaseResult, part: Option<Value>| match part {
            Some(Value::Str(name)) => result.message = name.as_str().unwrap_or_default().into(),
            part => result.line = part.and_then(|line| number(&line)),
        };
        let mut result = CaseResult::default();
        match tag.as_ref().and_then(Value::as_str) {
            Some("pass") => {
                line(&mut result, parts.next());
                (result.outcome, result.message) = (Some(Outcome::Passed), String::new());
            }
            Some("fail") => {
                line(&mut result, parts.next());
                result.outcome = Some(Outcome::WrongOutput);
                result.message = joined(&result.message, &shortened(parts.next().as_ref()));
            }
            Some("skip") => {
                line(&mut result, parts.next());
                result.outcome = Some(Outcome::Skipped);
                result.message = joined(&result.message, "the test skipped itself");
            }
            Some("error" | "solution") => {
                line(&mut result, parts.next());
                let first = shortened(parts.next().as_ref());
                match parts.next() {
                    Some(message) => {
                        result.message = joined(&first, &shortened(Some(&message)));
                        result.exception = Some(first);
                    }
                    None => result.message = joined(&result.message, &first),
                }
                result.outcome = Some(exception_outcome(&result));
            }
            Some("done") => {
                let count = parts.next().and_then(|count| number(&count)).unwrap_or(u64::MAX);
                let nonce = match parts.next() {
                    Some(Value::Bytes(nonce)) => nonce,
                    _ => Vec::new(),
                };
                return Self::Done(usize::try_from(count).unwrap_or(usize::MAX), nonce);
            }
            Some("lost") => return Self::Lost,
            _ => return Self::bad(),
        }
        Self::Result(result)
    }

    fn bad() -> Self {
        Self::Result(CaseResult::new(Outcome::BadReply, "a result that cannot be read"))
    }
}

fn joined(first: &str, second: &str) -> String {
    let parts = [first, second];
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(": ")
}

fn request(kind: &str, target: &str, arguments: &Value, named: &Value) -> Vec<u8> {
    let parts = vec![Value::from(kind), Value::from(target), arguments.clone(), named.clone()];
    Value::Tuple(parts).encode()
}

fn dict(entries: &[(&str, Value)]) -> Value {
    let entries = entries.iter().map(|(key, value)| (Value::from(*key), value.clone())).collect();
    // The keys are ours: texts, and distinct.
    crate::DictItems::new(entries).map_or(Value::None, |items| Value::Dict(Box::new(items)))
}

fn empty_dict() -> Value {
    dict(&[])
}

fn shortened(value: Option<&Value>) -> String {
    match value {
        Some(Value::Str(text)) => {
            String::from_utf8_lossy(text.as_bytes()).chars().take(QUOTED).collect()
        }
        Some(value) => value.show(QUOTED),
        None => String::new(),
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).show(QUOTED)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn nonce() -> io::Result<Vec<u8>> {
    use std::io::Read;

    let mut bytes = vec![0; NONCE_BYTES];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
