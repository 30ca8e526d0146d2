//! `grpo-sandbox` as classes: tests, a pool of workers, a batch of programs; and the processes' entries.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grpo_sandbox::{
    Batch, CallCase, CaseResult, Check, Comparator, Error, Interpreter, Judge, Level, Limits, Pool,
    PoolConfig, Program, ProgramResult, StdioCase, Tests, Tier, Toolchain, Zygote,
};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::errors::{SandboxUnavailable, input_error};
use crate::text::Text;
use crate::value::from_python;

/// Outcome code, integrity, exit code, signal, stdout, stderr, exception, its line, wall seconds, CPU seconds, peak
/// memory in bytes, message.
type Case = (
    u8,
    &'static str,
    Option<i32>,
    Option<i32>,
    String,
    String,
    Option<String>,
    Option<u64>,
    f64,
    f64,
    Option<u64>,
    String,
);
/// Cases, integrity, isolation, note.
type Result_ = (Vec<Case>, &'static str, u8, String);
/// Wall and CPU seconds of a test, MiB of memory, KiB of output, processes, MiB of a file, CPU seconds of all.
type LimitNumbers = (f64, f64, u32, u32, u32, u32, f64);
/// Entry point, args, kwargs, check, expected, rel, abs.
type Call<'py> =
    (String, Bound<'py, PyTuple>, Bound<'py, PyDict>, String, Bound<'py, PyAny>, f64, f64);
/// Name, source file, compile, outputs, run, environment, paths, whether memory is what is written to.
type LanguageParts = (
    String,
    String,
    Vec<String>,
    Vec<String>,
    Vec<String>,
    Vec<(String, String)>,
    Vec<PathBuf>,
    bool,
);
/// By name.
type Toolchains = Arc<HashMap<String, Arc<Toolchain>>>;
/// Layers, level, Landlock's version, reasons, whether the level suffices.
type ProtectionParts = (Vec<(&'static str, bool)>, u8, u32, Vec<(String, String)>, bool);

/// The harness, modules to import, and folders to find them in.
type Told = (String, Vec<String>, Vec<String>);

/// Tests, converted once and shared by all the programs of a group.
#[pyclass(frozen)]
pub(crate) struct CodeTests(Arc<Tests>);

#[pymethods]
impl CodeTests {
    #[staticmethod]
    #[expect(clippy::needless_pass_by_value, reason = "the vector owns the borrowed strings")]
    fn stdio(
        cases: Vec<(Text, Text)>,
        comparator: &str,
        rel: f64,
        abs: f64,
        checker: Option<String>,
        checker_entry: String,
    ) -> PyResult<Self> {
        let judge =
            match checker {
                Some(source) => Judge::Checker { source, entry_point: checker_entry },
                None => Judge::Comparator(Comparator::from_name(comparator, rel, abs).ok_or_else(
                    || input_error(format!("comparator {comparator:?} with rel={rel}, abs={abs}")),
                )?),
            };
        let cases = cases
            .iter()
            .map(|(stdin, expected)| StdioCase {
                stdin: stdin.to_string(),
                expected: expected.to_string(),
            })
            .collect();
        Self::checked(Tests::Stdio { cases, judge })
    }

    #[staticmethod]
    fn calls(cases: Vec<Call<'_>>) -> PyResult<Self> {
        let converted = cases.into_iter().enumerate().map(|(index, case)| {
            let (entry_point, args, kwargs, check, expected, rel, abs) = case;
            let value = |object: &Bound<'_, PyAny>, what: &str| {
                let refuse = |why: String| {
                    input_error(format!("case {index}: {what} cannot be sent to a program: {why}"))
                };
                let value = from_python(object, None).map_err(|error| refuse(error.to_string()))?;
                match value.opaque_part() {
                    Some(kind) => Err(refuse(format!("a {kind} is not a plain value"))),
                    None => Ok(value),
                }
            };
            let arguments = (value(args.as_any(), "args")?, value(kwargs.as_any(), "kwargs")?);
            let expected = value(&expected, "the expected value")?;
            let check = Check::from_name(&check, expected, rel, abs)
                .ok_or_else(|| input_error(format!("case {index}: check {check:?}")))?;
            Ok(CallCase { entry_point, arguments, check })
        });
        Self::checked(Tests::Calls(converted.collect::<PyResult<_>>()?))
    }

    #[staticmethod]
    fn split(
        tests_source: String,
        setup: String,
        entry_point: Option<String>,
        names: Vec<String>,
        unit_lines: Vec<u32>,
    ) -> Self {
        let source = tests_source;
        Self(Arc::new(Tests::Split { source, setup, entry_point, names, unit_lines }))
    }

    #[staticmethod]
    fn unittest(tests_source: String, setup: String) -> Self {
        Self(Arc::new(Tests::Unittest { source: tests_source, setup }))
    }

    /// How many results there will be, as far as is known.
    fn __len__(&self) -> usize {
        self.0.count()
    }
}

impl CodeTests {
    fn checked(tests: Tests) -> PyResult<Self> {
        if tests.count() == 0 {
            return Err(input_error("no tests: an empty list must never count as a pass"));
        }
        Ok(Self(Arc::new(tests)))
    }
}

/// A pool of workers, started with the first batch; a fork of this process starts its own.
#[pyclass(frozen)]
pub(crate) struct CodePool {
    config: PoolConfig,
    toolchains: Toolchains,
    stop_at_first_failure: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pool: Option<(u32, Arc<Pool>)>,
    closed: bool,
}

#[pymethods]
impl CodePool {
    #[new]
    fn new(config: &Bound<'_, PyDict>) -> PyResult<Self> {
        let required = |key: &str| {
            config
                .get_item(key)?
                .ok_or_else(|| input_error(format!("the pool's configuration lacks {key}")))
        };
        let level = |key: &str, absent: Level| -> PyResult<Level> {
            let code: Option<u8> = required(key)?.extract()?;
            code.map_or(Ok(absent), |code| {
                Level::from_code(code).ok_or_else(|| input_error(format!("{key} is {code}")))
            })
        };
        let python: String = required("python")?.extract()?;
        let module: String = required("module")?.extract()?;
        let tiers: Vec<(Vec<String>, Vec<PathBuf>, Vec<PathBuf>)> = required("tiers")?.extract()?;
        let interpreter =
            Interpreter::python(&python).map_err(|error| raised(&error))?.allow_read(&module);
        let toolchains = read_languages(required("languages")?.extract()?)?;
        let executable = interpreter.executable().to_string_lossy().into_owned();
        let options = ["-s", "-P", "-S", "-B", "-c", BOOT, &module, "supervisor"];
        let command =
            std::iter::once(executable).chain(options.map(str::to_owned)).collect::<Vec<_>>();
        let megabytes =
            |key: &str| -> PyResult<u64> { Ok(u64::from(required(key)?.extract::<u32>()?) << 20) };
        Ok(Self {
            config: PoolConfig {
                workers: required("workers")?.extract()?,
                command,
                interpreter,
                harness: required("harness")?.extract()?,
                tiers: tiers
                    .into_iter()
                    .map(|(preload, paths, readable)| Tier { preload, paths, readable })
                    .collect(),
                executable: toolchains
                    .values()
                    .flat_map(|toolchain| toolchain.paths().cloned())
                    .collect(),
                min_level: level("min_isolation", Level::Landlock)?,
                max_level: level("max_isolation", Level::Cgroup)?,
                landlock_abi: required("landlock_abi")?
                    .extract::<Option<u32>>()?
                    .unwrap_or(u32::MAX),
                disk_bytes: megabytes("disk_mb")?,
                cgroup_memory_bytes: megabytes("cgroup_memory_mb")?,
                cgroup: required("cgroup")?.extract()?,
            },
            toolchains,
            stop_at_first_failure: required("stop_at_first_failure")?.extract()?,
            state: Mutex::default(),
        })
    }

    /// What holds programs here, sufficient or not.
    fn protection(&self, py: Python<'_>) -> PyResult<ProtectionParts> {
        let least = self.config.min_level;
        let found = match self.pool(py) {
            Ok(pool) => pool.protection(),
            // Look again, accepting anything, to tell what is there.
            Err(error) if error.is_instance_of::<SandboxUnavailable>(py) => {
                let config = PoolConfig { min_level: Level::None, ..self.config.clone() };
                let pool = py.detach(|| Pool::start(config)).map_err(|error| raised(&error))?;
                let protection = pool.protection();
                py.detach(|| drop(pool));
                protection
            }
            Err(error) => return Err(error),
        };
        let level = found.level();
        let layers = found.layers().to_vec();
        Ok((layers, level as u8, found.landlock_abi, found.reasons, level >= least))
    }

    fn batch(&self, py: Python<'_>) -> PyResult<CodeBatch> {
        let pool = self.pool(py)?;
        Ok(CodeBatch {
            batch: pool.batch(),
            toolchains: self.toolchains.clone(),
            stop_at_first_failure: self.stop_at_first_failure,
        })
    }

    /// Ends all workers and what they run.
    fn close(&self, py: Python<'_>) {
        let pool = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.pool.take()
        };
        end(py, pool);
    }
}

impl CodePool {
    /// The pool of this process. Locked while attached, so that nobody holds the lock during `os.fork()`.
    fn pool(&self, py: Python<'_>) -> PyResult<Arc<Pool>> {
        let process = std::process::id();
        {
            let mut state = lock(&self.state);
            match &state.pool {
                Some((owner, pool)) if *owner == process => return Ok(Arc::clone(pool)),
                // Its threads do not exist here, and its processes are another's.
                Some(_) => std::mem::forget(state.pool.take()),
                None => {}
            }
            if state.closed {
                return Err(input_error("the runner is closed: make another"));
            }
        }
        let config = self.config.clone();
        let pool = py.detach(|| Pool::start(config)).map_err(|error| raised(&error))?;
        let pool = Arc::new(pool);
        let mut state = lock(&self.state);
        if let Some((_, earlier)) = &state.pool {
            // Another thread was faster.
            let earlier = Arc::clone(earlier);
            drop(state);
            py.detach(|| drop(pool));
            return Ok(earlier);
        }
        state.pool = Some((process, Arc::clone(&pool)));
        Ok(pool)
    }
}

impl Drop for CodePool {
    fn drop(&mut self) {
        let pool = lock(&self.state).pool.take();
        Python::attach(|py| end(py, pool));
    }
}

fn end(py: Python<'_>, pool: Option<(u32, Arc<Pool>)>) {
    match pool {
        Some((owner, pool)) if owner == std::process::id() => py.detach(|| {
            pool.close();
            drop(pool);
        }),
        other => std::mem::forget(other),
    }
}

/// The programs of one call, and their results.
#[pyclass(frozen)]
pub(crate) struct CodeBatch {
    batch: Batch,
    toolchains: Toolchains,
    stop_at_first_failure: bool,
}

#[pymethods]
impl CodeBatch {
    #[expect(clippy::needless_pass_by_value, reason = "it owns the borrowed string")]
    #[pyo3(signature = (index, source, tests, limits, language = "python"))]
    fn submit(
        &self,
        index: u64,
        source: Text,
        tests: &CodeTests,
        limits: LimitNumbers,
        language: &str,
    ) -> PyResult<()> {
        let toolchain = match language {
            "python" => None,
            name => Some(self.toolchains.get(name).ok_or_else(|| {
                input_error(format!(
                    "program {index} is in {name:?}, which the pool was not told of"
                ))
            })?),
        };
        if toolchain.is_some() && !matches!(&*tests.0, Tests::Stdio { .. }) {
            return Err(input_error(format!(
                "program {index} is in {language:?}: tests of other languages than Python are stdio tests"
            )));
        }
        let program = Program {
            source: Arc::from(&*source),
            toolchain: toolchain.cloned(),
            tests: Arc::clone(&tests.0),
            limits: Arc::new(read_limits(limits)?),
            stop_at_first_failure: self.stop_at_first_failure,
        };
        self.batch.submit(index, program);
        Ok(())
    }

    /// The next program that is done; `None` if none is in time.
    fn next(&self, py: Python<'_>, timeout_s: f64) -> Option<(u64, Result_)> {
        let timeout = Duration::try_from_secs_f64(timeout_s).unwrap_or_default();
        let next = if timeout.is_zero() {
            self.batch.next(timeout)
        } else {
            py.detach(|| self.batch.next(timeout))
        };
        next.map(|(index, result)| (index, plain(result)))
    }

    fn cancel(&self) {
        self.batch.cancel();
    }

    #[getter]
    fn pending(&self) -> usize {
        self.batch.pending()
    }
}

/// Loads this module without its package and becomes what the last argument says.
const BOOT: &str = "\
import sys, _imp
from importlib._bootstrap import ModuleSpec
_, path, role = sys.argv
core = _imp.create_dynamic(ModuleSpec('grpo_rs._core', None, origin=path))
_imp.exec_dynamic(core)
if role == 'supervisor':
    core.sandbox_supervise()
zygote = core.SandboxZygote()
harness, preload, paths = zygote.preparation()
names = {'__name__': 'grpo_rs_harness', '__builtins__': __builtins__}
exec(compile(harness, '<harness>', 'exec'), names)
sys.path.extend(paths)
names['prepare'](preload)
mode, payload = zygote.serve()
names['main'](core, mode, payload)
";

/// Serves the trainer until it is gone; for a process that was started to do that.
#[pyfunction]
pub(crate) fn sandbox_supervise() {
    grpo_sandbox::supervise()
}

/// A process that has been confined, before and while it serves.
#[pyclass(frozen)]
pub(crate) struct SandboxZygote {
    zygote: Mutex<Option<Zygote>>,
    preparation: Mutex<Option<Told>>,
}

#[pymethods]
impl SandboxZygote {
    /// Confines this process for good.
    #[new]
    fn new() -> PyResult<Self> {
        let (zygote, told) = Zygote::enter()?;
        // Texts: a path would have this process import pathlib.
        let paths = told.paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let preparation = (told.harness, told.preload, paths);
        Ok(Self { zygote: Mutex::new(Some(zygote)), preparation: Mutex::new(Some(preparation)) })
    }

    /// The harness, the modules to import and where to look for them.
    fn preparation(&self) -> PyResult<Told> {
        lock(&self.preparation).take().ok_or_else(|| PyOSError::new_err("asked twice"))
    }

    /// Forks children; returns in them only, with what each is to do.
    fn serve<'py>(&self, py: Python<'py>) -> PyResult<(u8, Bound<'py, PyBytes>)> {
        let zygote = lock(&self.zygote).take();
        let assignment = zygote.ok_or_else(|| PyOSError::new_err("asked twice"))?.serve()?;
        Ok((assignment.mode, PyBytes::new(py, &assignment.payload)))
    }
}

fn plain(result: ProgramResult) -> Result_ {
    let ProgramResult { cases, integrity, level, note } = result;
    (
        cases.into_iter().map(|case| plain_case(case, integrity.name())).collect(),
        integrity.name(),
        level as u8,
        note,
    )
}

fn plain_case(case: CaseResult, integrity: &'static str) -> Case {
    (
        case.outcome().code(),
        integrity,
        case.exit_code,
        case.signal,
        case.stdout,
        case.stderr,
        case.exception,
        case.line,
        case.wall.as_secs_f64(),
        case.cpu.as_secs_f64(),
        case.peak_bytes,
        case.message,
    )
}

fn read_limits(numbers: LimitNumbers) -> PyResult<Limits> {
    let (wall_s, cpu_s, memory_mb, output_kb, processes, file_mb, total_cpu_s) = numbers;
    let seconds = |name: &str, value: f64| {
        Duration::try_from_secs_f64(value).map_err(|_| {
            input_error(format!("{name} is {value}: give a number of seconds above 0"))
        })
    };
    let limits = Limits {
        wall: seconds("wall_s", wall_s)?,
        cpu: seconds("cpu_s", cpu_s)?,
        total_cpu: seconds("total_cpu_s", total_cpu_s)?,
        memory_bytes: u64::from(memory_mb) << 20,
        output_bytes: u64::from(output_kb) << 10,
        processes,
        file_bytes: u64::from(file_mb) << 20,
    };
    limits.check().map_err(|error| raised(&error))?;
    Ok(limits)
}

/// Languages by their names, or as the user describes them.
fn read_languages(languages: Vec<(String, Option<LanguageParts>)>) -> PyResult<Toolchains> {
    let mut toolchains = HashMap::new();
    for (name, parts) in languages {
        let toolchain = match parts {
            None => Toolchain::find(&name),
            Some((_, source_file, compile, outputs, run, environment, paths, reserves)) => {
                let toolchain = Toolchain {
                    name: name.clone(),
                    source_file,
                    compile,
                    outputs,
                    run,
                    environment,
                    compile_paths: Vec::new(),
                    run_paths: Vec::new(),
                    reserves,
                };
                toolchain.complete(&paths)
            }
        };
        let toolchain = toolchain.map_err(|error| raised(&error))?;
        // What was compiled is found by this name, which may be an alias.
        toolchains.insert(name.clone(), Arc::new(Toolchain { name, ..toolchain }));
    }
    Ok(Arc::new(toolchains))
}

fn raised(error: &Error) -> PyErr {
    match error {
        Error::Unavailable(_) | Error::Io { .. } => SandboxUnavailable::new_err(error.to_string()),
        _ => input_error(error),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
