//! Workers, each with a supervisor of its own, and the programs that wait for them.

use std::{
    collections::VecDeque,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    Error, Interpreter, Level, Program, ProgramResult, Protection,
    compiled::Compiled,
    link::{Canceller, Link},
    message::{Setup, Tier},
    program::{self, Lost},
    sys::{landlock, process, seccomp},
};

/// Users without rights, one per worker: the range that systemd hands out to its own short-lived users.
const FIRST_UID: u32 = 61184;
const UIDS: usize = 4096;
/// Times that a program is given to a new supervisor when its own is lost.
const ATTEMPTS: usize = 3;
/// Processes and threads of all that one worker runs, where a cgroup bounds them.
const CGROUP_PROCESSES: u32 = 256;

/// What a pool is made of.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Programs at a time.
    pub workers: usize,
    /// The command that runs [`supervise`](crate::supervise) or, with `zygote` as its last argument instead of
    /// `supervisor`, [`Zygote::enter`](crate::Zygote::enter). The executable's real path comes first.
    pub command: Vec<String>,
    /// Python programs' interpreter, which `command` may name too.
    pub interpreter: Interpreter,
    /// Python source of what runs in a child.
    pub harness: String,
    /// Warm interpreters, the smallest first.
    pub tiers: Vec<Tier>,
    /// What other languages may read and execute: [`Toolchain::paths`](crate::Toolchain::paths).
    pub executable: Vec<PathBuf>,
    /// The least that must hold programs.
    pub min_level: Level,
    /// The most to use of what is there.
    pub max_level: Level,
    /// The newest version of Landlock to use.
    pub landlock_abi: u32,
    /// All that one program may write to files, together.
    pub disk_bytes: u64,
    /// Memory of all that one worker runs, where a cgroup bounds it.
    pub cgroup_memory_bytes: u64,
    /// A cgroup (version 2) that may be divided, with the memory and pids controllers.
    pub cgroup: Option<PathBuf>,
}

/// A pool of workers. Dropping it ends them and all that they run.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    config: PoolConfig,
    queue: Mutex<Queue>,
    /// Something to do, or the end.
    wake: Condvar,
    protection: Mutex<Option<Protection>>,
    /// Set before workers are told: what they do counts as cancelled.
    closing: AtomicBool,
    compiled: Compiled,
    /// What each worker does now.
    current: Vec<Mutex<Option<Doing>>>,
}

/// Whose program a worker runs, the number of its run, and the means to end it.
type Doing = (Arc<BatchState>, u64, Canceller);

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Job {
    batch: Arc<BatchState>,
    index: u64,
    program: Program,
}

/// The programs of one caller, and their results.
pub struct Batch {
    shared: Arc<Shared>,
    state: Arc<BatchState>,
}

#[derive(Default)]
struct BatchState {
    finished: Mutex<VecDeque<(u64, ProgramResult)>>,
    ready: Condvar,
    pending: AtomicUsize,
    cancelled: AtomicBool,
}

impl Pool {
    /// Starts one worker, to see what the kernel allows, and the others as they are needed.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if that is less than the configuration asks for, and what keeps an
    /// interpreter from starting.
    pub fn start(config: PoolConfig) -> Result<Self, Error> {
        let workers = config.workers.max(1);
        let shared = Arc::new(Shared {
            current: (0..workers).map(|_| Mutex::new(None)).collect(),
            config,
            queue: Mutex::default(),
            wake: Condvar::new(),
            closing: AtomicBool::new(false),
            protection: Mutex::new(None),
            compiled: Compiled::default(),
        });
        let mut first = Some(shared.connect(0)?);
        let threads = (0..workers)
            .map(|index| {
                let (shared, link) = (Arc::clone(&shared), first.take());
                thread::Builder::new()
                    .name(format!("grpo-code-{index}"))
                    .spawn(move || shared.work(index, link))
                    .map_err(Error::io("start a thread"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { shared, threads: Mutex::new(threads) })
    }

    /// What holds programs.
    pub fn protection(&self) -> Protection {
        lock(&self.shared.protection).clone().unwrap_or_default()
    }

    /// A new batch.
    pub fn batch(&self) -> Batch {
        Batch { shared: Arc::clone(&self.shared), state: Arc::default() }
    }

    /// Ends everything; what is waiting or running comes back as cancelled.
    pub fn close(&self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        let jobs = {
            let mut queue = lock(&self.shared.queue);
            queue.closed = true;
            std::mem::take(&mut queue.jobs)
        };
        self.shared.wake.notify_all();
        for job in jobs {
            job.batch.finish(job.index, job.program.cancelled());
        }
        for slot in &self.shared.current {
            if let Some((_, _, canceller)) = &*lock(slot) {
                canceller.hang_up();
            }
        }
        for thread in lock(&self.threads).drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

impl Batch {
    /// Puts a program into the queue.
    pub fn submit(&self, index: u64, program: Program) {
        self.state.pending.fetch_add(1, Ordering::Relaxed);
        let mut queue = lock(&self.shared.queue);
        if queue.closed {
            drop(queue);
            self.state.finish(index, program.cancelled());
            return;
        }
        queue.jobs.push_back(Job { batch: Arc::clone(&self.state), index, program });
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// The next result, in the order in which they finish; `None` if none comes in time.
    pub fn next(&self, timeout: Duration) -> Option<(u64, ProgramResult)> {
        let deadline = Instant::now() + timeout;
        let mut finished = lock(&self.state.finished);
        loop {
            if let Some(result) = finished.pop_front() {
                self.state.pending.fetch_sub(1, Ordering::Relaxed);
                return Some(result);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let woken = self.state.ready.wait_timeout(finished, left);
            finished = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Programs whose results have not been taken.
    pub fn pending(&self) -> usize {
        self.state.pending.load(Ordering::Relaxed)
    }

    /// Ends what is running, and does not begin what is waiting: it comes back as cancelled.
    pub fn cancel(&self) {
        self.state.cancelled.store(true, Ordering::Relaxed);
        for slot in &self.shared.current {
            if let Some((batch, id, canceller)) = &*lock(slot)
                && Arc::ptr_eq(batch, &self.state)
            {
                canceller.cancel(*id);
            }
        }
    }
}

impl BatchState {
    fn finish(&self, index: u64, result: ProgramResult) {
        lock(&self.finished).push_back((index, result));
        self.ready.notify_all();
    }
}

impl Shared {
    /// The life of one worker.
    fn work(&self, index: usize, mut link: Option<Link>) {
        while let Some(job) = self.next_job() {
            let served = catch_unwind(AssertUnwindSafe(|| self.serve(index, &mut link, &job)));
            let result = served.unwrap_or_else(|_| {
                // Its supervisor is gone with it. Somebody waits for the result.
                *lock(&self.current[index]) = None;
                job.program.not_run("a fault in the verifier: its worker panicked")
            });
            job.batch.finish(job.index, result);
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn serve(&self, index: usize, link: &mut Option<Link>, job: &Job) -> ProgramResult {
        let protection = self.protection_now();
        let level = protection.level();
        let is_closing = || self.closing.load(Ordering::Relaxed);
        let cancelled = || job.batch.cancelled.load(Ordering::Relaxed) || is_closing();
        if job.program.limits.processes > 1 && !protection.namespaces {
            // Nothing else counts a program's processes, and no others of the same user.
            return job.program.not_run(&format!(
                "processes={} needs namespaces, and the isolation here is {protection}",
                job.program.limits.processes
            ));
        }
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            if cancelled() {
                return job.program.cancelled();
            }
            let mut working = match link.take().map_or_else(|| self.connect(index), Ok) {
                Ok(link) => link,
                // The pool has had supervisors before: the host lacks something now.
                Err(error) => return job.program.not_run(&error.to_string()),
            };
            let announce = |link: &Link| {
                let (id, means) = link.upcoming();
                *lock(&self.current[index]) = Some((Arc::clone(&job.batch), id, means));
            };
            let result = program::run(
                &mut working,
                &job.program,
                self.config.tiers.as_slice(),
                &self.compiled,
                &announce,
                &cancelled,
            );
            *lock(&self.current[index]) = None;
            match result {
                Ok(mut result) => {
                    *link = Some(working);
                    result.level = level;
                    return result;
                }
                Err(Lost(error)) => why = error.to_string(),
            }
        }
        if is_closing() {
            return job.program.cancelled();
        }
        job.program.not_run(&format!("the supervisor was lost {ATTEMPTS} times: {why}"))
    }

    fn protection_now(&self) -> Protection {
        lock(&self.protection).clone().unwrap_or_default()
    }

    /// Starts a supervisor with all that the kernel allows, but no more than the first one got.
    fn connect(&self, index: usize) -> Result<Link, Error> {
        let known = lock(&self.protection).clone();
        let config = &self.config;
        let mut reasons = Vec::new();
        let seccomp = config.max_level >= Level::Seccomp && seccomp::is_available();
        if !seccomp {
            reasons.push(reason(
                "seccomp",
                config.max_level < Level::Seccomp,
                "the kernel or a container forbids filters",
            ));
        }
        let newest = config.landlock_abi.min(landlock::abi_version());
        let landlock_abi = if config.max_level >= Level::Landlock { newest } else { 0 };
        if landlock_abi == 0 {
            reasons.push(reason(
                "landlock",
                config.max_level < Level::Landlock || config.landlock_abi == 0,
                "the kernel has none: it needs Linux 5.13 and `landlock` in its lsm= list",
            ));
        }
        let may_leave = config.max_level >= Level::Namespaces;
        if !may_leave {
            reasons.push(reason("namespaces", true, ""));
        }
        let root = process::is_root();
        let mut attempts = Vec::new();
        if may_leave {
            if root {
                attempts.push((true, true));
            }
            attempts.push((true, false));
        }
        attempts.push((false, false));
        if let Some(known) = &known {
            attempts.retain(|&attempt| attempt == (known.namespaces, known.own_user));
        }
        let mut failures = Vec::new();
        for (namespaces, own_user) in attempts {
            let cgroup = self.make_cgroup(index, &mut reasons);
            let setup =
                self.setup(index, namespaces, own_user, seccomp, landlock_abi, cgroup.clone());
            match Link::start(&config.command, setup) {
                Ok(link) => {
                    if known.is_none() {
                        let layer =
                            if namespaces && root && !own_user { "own_user" } else { "namespaces" };
                        reasons.extend(failures.pop().map(|why| (layer.to_owned(), why)));
                        reasons.extend(link.ready.reasons.iter().cloned());
                        let protection = Protection {
                            seccomp,
                            landlock_abi,
                            namespaces: link.ready.namespaces,
                            cgroup: link.ready.cgroup,
                            own_user: link.ready.own_user,
                            reasons,
                        };
                        self.accept(protection)?;
                    }
                    return Ok(link);
                }
                Err(error) => {
                    failures.push(error.to_string());
                    // Nobody may have come to own it.
                    cgroup.map(fs::remove_dir);
                }
            }
        }
        // The least confined attempt says best what is wrong with the interpreter itself.
        Err(Error::Io {
            what: "start a sandboxed interpreter",
            source: io::Error::other(failures.pop().unwrap_or_default()),
        })
    }

    fn accept(&self, protection: Protection) -> Result<(), Error> {
        let (found, least) = (protection.level(), self.config.min_level);
        if found < least {
            return Err(Error::Unavailable(format!(
                "the isolation here is {protection}. That is below min_isolation={least}. Give the process \
                 what is missing, or accept less with min_isolation={found}"
            )));
        }
        *lock(&self.protection) = Some(protection);
        Ok(())
    }

    fn setup(
        &self,
        index: usize,
        namespaces: bool,
        own_user: bool,
        seccomp: bool,
        landlock_abi: u32,
        cgroup: Option<PathBuf>,
    ) -> Setup {
        let config = &self.config;
        let environment = [
            ("PYTHONHASHSEED", "0"),
            ("PYTHONUTF8", "1"),
            ("LC_ALL", "C.UTF-8"),
            // A thread of OpenBLAS reserves more address space than most limits allow.
            ("OPENBLAS_NUM_THREADS", "1"),
            ("OMP_NUM_THREADS", "1"),
            ("MKL_NUM_THREADS", "1"),
            // Arrays that grow and shrink would otherwise leave the heap in pieces.
            ("MALLOC_ARENA_MAX", "1"),
            // Each function that a child is the first to call would be looked up in it, a dozen page faults.
            ("LD_BIND_NOW", "1"),
        ];
        Setup {
            command: config
                .command
                .split_last()
                .map(|(_, command)| command.to_vec())
                .unwrap_or_default(),
            environment: environment.map(|(name, value)| (name.into(), value.into())).into(),
            harness: config.harness.clone(),
            tiers: config.tiers.clone(),
            readable: config.interpreter.readable.clone(),
            executable: config.executable.clone(),
            probe: standard_library(config.interpreter.executable()),
            namespaces,
            landlock_abi,
            seccomp,
            scratch: PathBuf::new(),
            disk_bytes: config.disk_bytes,
            uid: own_user.then(|| FIRST_UID + u32::try_from(index % UIDS).unwrap_or(0)),
            cgroup,
        }
    }

    /// A cgroup for one worker in the one that was given.
    fn make_cgroup(&self, index: usize, reasons: &mut Vec<(String, String)>) -> Option<PathBuf> {
        let parent = self.config.cgroup.as_ref().filter(|_| self.config.max_level >= Level::Cgroup);
        let Some(parent) = parent else {
            let asked = self.config.max_level < Level::Cgroup;
            reasons.retain(|(layer, _)| layer != "cgroup");
            reasons.push(reason("cgroup", asked, "none was given (cgroup=)"));
            return None;
        };
        let folder = parent.join(format!("grpo-rs-{}-{index}", std::process::id()));
        let made = fs::create_dir(&folder)
            .or_else(
                |error| {
                    if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
                },
            )
            .and_then(|()| {
                fs::write(folder.join("memory.max"), self.config.cgroup_memory_bytes.to_string())
            })
            .and_then(|()| fs::write(folder.join("pids.max"), CGROUP_PROCESSES.to_string()));
        match made {
            Ok(()) => Some(folder),
            Err(error) => {
                reasons.push(("cgroup".into(), format!("{}: {error}", folder.display())));
                let _ = fs::remove_dir(&folder);
                None
            }
        }
    }
}

fn reason(layer: &str, asked: bool, why: &str) -> (String, String) {
    (layer.into(), if asked { "the configuration leaves it out".into() } else { why.into() })
}

/// A file of the standard library, which a program must be able to read.
fn standard_library(executable: &Path) -> PathBuf {
    let prefix = executable.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
    let folders = ["lib", "lib64"].map(|name| prefix.join(name));
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    entries
        .map(|entry| entry.path().join("os.py"))
        .find(|path| path.is_file())
        .unwrap_or_else(|| executable.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
