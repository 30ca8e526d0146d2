//! Starting the child, and what it does to itself before it executes its program.
//!
//! The child borrows the caller's memory until then (`vfork`), so that starting it costs the same
//! whether the caller holds a megabyte or a model. Another thread may hold any lock at that moment:
//! nothing in [`Launch::enter`] allocates, locks or unwinds. It makes system calls on memory that
//! was prepared before, and nothing else.

use std::{
    ffi::{CString, NulError},
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use super::seccomp::Filters;
use crate::message::RunLimits;

/// Stack of the main thread and of each new one; fixed, so that a recursion ends at the same depth everywhere.
const STACK_BYTES: u64 = 8 << 20;
/// Descriptors a program may hold.
const DESCRIPTORS: u64 = 64;
/// Between the limit and the kernel's own count of whole seconds, the backstop of our clock.
const CPU_SLACK_S: u64 = 2;
/// What the child stands on until it has a memory of its own; it needs a fraction of it.
const CHILD_STACK_BYTES: usize = 128 << 10;
/// Signals are numbered from 1 up to this.
const LAST_SIGNAL: i32 = 64;

/// A list of strings as `execve` takes it.
pub(crate) struct Strings {
    pointers: Vec<*const libc::c_char>,
    _owned: Vec<CString>,
}

impl Strings {
    pub(crate) fn new(strings: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, NulError> {
        let owned = strings.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let pointers = owned.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Ok(Self { pointers, _owned: owned })
    }
}

/// Everything the child needs, ready made.
pub(crate) struct Launch {
    pub(crate) executable: CString,
    pub(crate) arguments: Strings,
    pub(crate) environment: Strings,
    pub(crate) folder: CString,
    /// The child's descriptors from 0 on; it has no others.
    pub(crate) descriptors: Vec<OwnedFd>,
    pub(crate) confinement: Option<Confinement>,
    /// Whether the kernel tells the parent of its end, and ends it with the parent's thread.
    ///
    /// The life of a child that does neither is not bound to that of the thread which happened to start it.
    /// Once it has executed, anybody's `wait` in this process may reap it all the same.
    pub(crate) tied: bool,
}

/// What a child enters before it executes its program.
pub(crate) struct Confinement {
    pub(crate) ruleset: Option<OwnedFd>,
    pub(crate) filters: Filters,
    pub(crate) limits: Vec<(libc::c_long, u64)>,
    /// A user to become, with the group of the same number.
    pub(crate) uid: Option<u32>,
}

/// The last step, at which the file itself can be at fault.
pub(crate) const EXECUTE: &str = "execute the interpreter";

/// A step of the start that failed, and why.
pub(crate) type Failed = (&'static str, io::Error);

/// One error of a failed start.
pub(crate) fn explained((step, error): Failed) -> io::Error {
    io::Error::new(error.kind(), format!("{step}: {error}"))
}

/// The resource limits of a run, by the kernel's numbers.
pub(crate) fn resource_limits(limits: &RunLimits, reserves: bool) -> Vec<(libc::c_long, u64)> {
    let resource = |number| libc::c_long::from(number);
    let memory = if reserves { libc::RLIMIT_DATA } else { libc::RLIMIT_AS };
    let mut table = vec![
        (resource(memory), limits.memory_bytes),
        (resource(libc::RLIMIT_CPU), limits.cpu_ns / 1_000_000_000 + CPU_SLACK_S),
        (resource(libc::RLIMIT_FSIZE), limits.file_bytes),
        (resource(libc::RLIMIT_STACK), STACK_BYTES),
        (resource(libc::RLIMIT_NOFILE), DESCRIPTORS),
        (resource(libc::RLIMIT_CORE), 0),
        (resource(libc::RLIMIT_MEMLOCK), 0),
        (resource(libc::RLIMIT_MSGQUEUE), 0),
        (resource(libc::RLIMIT_RTPRIO), 0),
    ];
    if limits.processes > 1 {
        table.push((resource(libc::RLIMIT_NPROC), limits.processes.into()));
    }
    table
}

/// What parent and child share while the parent is stopped.
struct Shared {
    launch: Launch,
    parent: libc::pid_t,
    failed: Option<Failed>,
}

impl Launch {
    /// Starts the child and returns its process id once it executes its program, as leader of a
    /// process group of its own. If that fails the child is reaped, and the step is named.
    pub(crate) fn start(mut self) -> Result<libc::pid_t, Failed> {
        // Out of the way of the numbers that they are about to be put on.
        let first = RawFd::try_from(self.descriptors.len()).unwrap_or(RawFd::MAX);
        let moved = |fd| above(fd, first).map_err(|error| ("move a descriptor", error));
        self.descriptors = std::mem::take(&mut self.descriptors)
            .into_iter()
            .map(moved)
            .collect::<Result<_, _>>()?;
        if let Some(confinement) = &mut self.confinement {
            confinement.ruleset = confinement.ruleset.take().map(moved).transpose()?;
        }
        // SAFETY: takes and touches no memory.
        let parent = unsafe { libc::getpid() };
        let self_tied = self.tied;
        let mut shared = Shared { launch: self, parent, failed: None };
        let mut stack = vec![0_u128; CHILD_STACK_BYTES / size_of::<u128>()];

        // A handler of the caller's must not run in the child, on the caller's memory.
        let before = set_signal_mask(u64::MAX);
        let signal = if self_tied { libc::SIGCHLD } else { 0 };
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | signal;
        // SAFETY: `CLONE_VFORK` stops this thread until the child has executed or ended, so `stack` and
        // `shared` outlive its use of them and nobody else touches them meanwhile. The stack grows
        // downwards from its end, which is aligned to 16 bytes.
        let pid = unsafe {
            let top = stack.as_mut_ptr().add(stack.len());
            libc::clone(child, top.cast(), flags, (&raw mut shared).cast())
        };
        let error = io::Error::last_os_error();
        set_signal_mask(before);
        if pid < 0 {
            return Err(("start a process", error));
        }
        let Some(failed) = shared.failed else {
            return Ok(pid);
        };
        super::process::reap(pid);
        Err(failed)
    }

    fn enter(&mut self, parent: libc::pid_t) -> Result<(), Failed> {
        let step = |name: &'static str| move |error| (name, error);
        reset_signals();
        // SAFETY: takes no memory. The session makes the program leader of the group that is killed in the end.
        check(unsafe { libc::setsid() }).map_err(step("begin a session"))?;
        // SAFETY: takes no memory; the mask is the child's own.
        unsafe { libc::umask(0o077) };
        for (number, fd) in (0..).zip(&self.descriptors) {
            // SAFETY: takes two descriptors of the child's own table, and no memory.
            check(unsafe { libc::dup2(fd.as_raw_fd(), number) })
                .map_err(step("connect the pipes"))?;
        }
        // SAFETY: reads a string that outlives the call.
        check(unsafe { libc::chdir(self.folder.as_ptr()) }).map_err(step("enter the directory"))?;
        let first = libc::c_long::try_from(self.descriptors.len()).unwrap_or(libc::c_long::MAX);
        let last = libc::c_long::from(u32::MAX);
        // SAFETY: takes no memory, and closes nothing before the program is executed.
        check(unsafe { libc::syscall(libc::SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) })
            .map_err(step("close descriptors"))?;
        let Some(confinement) = &mut self.confinement else {
            if self.tied {
                tie(parent)?;
            }
            return self.execute();
        };
        for &(resource, value) in &confinement.limits {
            limit(resource, value).map_err(step("set a resource limit"))?;
        }
        if let Some(uid) = confinement.uid {
            become_user(uid).map_err(step("change the user"))?;
        }
        drop_capabilities().map_err(step("drop capabilities"))?;
        prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(step("refuse new privileges"))?;
        // After the user and the capabilities, whose change would reset it.
        tie(parent)?;
        if let Some(ruleset) = &confinement.ruleset {
            // SAFETY: takes a descriptor that is open here too, and no memory.
            check(unsafe {
                libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0)
            })
            .map_err(step("enter Landlock"))?;
        }
        // SAFETY: takes and touches no memory.
        confinement.filters.set_own_pid(unsafe { libc::getpid() }.unsigned_abs());
        confinement.filters.install().map_err(step("install the seccomp filter"))?;
        self.execute()
    }

    fn execute(&self) -> Result<(), Failed> {
        let (arguments, environment) =
            (self.arguments.pointers.as_ptr(), self.environment.pointers.as_ptr());
        // SAFETY: a path and two lists that end in null, all of which outlive the call.
        check(unsafe { libc::execve(self.executable.as_ptr(), arguments, environment) })
            .map_err(|error| (EXECUTE, error))
    }
}

/// Ends this process with its parent.
fn tie(parent: libc::pid_t) -> Result<(), Failed> {
    let step = |error| ("tie its life to ours", error);
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL.unsigned_abs().into()).map_err(step)?;
    // SAFETY: takes no memory. 0: the parent is in another pid namespace.
    match unsafe { libc::getppid() } {
        0 => Ok(()),
        found if found == parent => Ok(()),
        _ => Err(step(io::Error::from_raw_os_error(libc::ESRCH))),
    }
}

/// The child's side of [`Launch::start`]; never returns.
extern "C" fn child(shared: *mut libc::c_void) -> i32 {
    // SAFETY: `start` passes its own `Shared` and is stopped while this runs.
    let shared = unsafe { &mut *shared.cast::<Shared>() };
    shared.failed = shared.launch.enter(shared.parent).err();
    // SAFETY: ends the child without running the caller's exit handlers.
    unsafe { libc::_exit(127) }
}

const CLOSE_RANGE_CLOEXEC: libc::c_long = 4;

/// The same file at a number from `first` on.
pub(crate) fn above(fd: OwnedFd, first: RawFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= first {
        return Ok(fd);
    }
    // SAFETY: takes an open descriptor and a number, no memory.
    let copy = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, first) };
    check(copy)?;
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Replaces this thread's signal mask and returns the old one. The C library's own call would leave
/// out the signals it keeps for itself.
fn set_signal_mask(mask: u64) -> u64 {
    let mut old = 0_u64;
    let size = size_of::<u64>();
    // SAFETY: the kernel reads and writes one set of 64 bits each, in locals that outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            &raw mut old,
            size,
        )
    };
    old
}

/// Signals that the caller handles would run its code, those it ignores or blocks would stay so.
pub(super) fn reset_signals() {
    // SAFETY: all zeroes is the default action, an empty mask and no flags.
    let default: libc::sigaction = unsafe { mem::zeroed() };
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: reads `default`; the table is the child's own. It fails for those that cannot be changed.
        unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
    }
    set_signal_mask(0);
}

/// Sets both the soft and the hard limit, no higher than the hard limit that is there.
pub(super) fn limit(resource: libc::c_long, value: u64) -> io::Result<()> {
    set_limits(resource, value, true)
}

/// As [`limit`], but for the hard limit, which stays.
pub(super) fn soft_limit(resource: libc::c_long, value: u64) -> io::Result<()> {
    set_limits(resource, value, false)
}

fn set_limits(resource: libc::c_long, value: u64, hard: bool) -> io::Result<()> {
    let mut pair = [0_u64; 2];
    // SAFETY: the kernel writes one pair of 64-bit numbers (soft, hard) to `pair`.
    check(unsafe {
        libc::syscall(libc::SYS_prlimit64, 0, resource, ptr::null::<u64>(), pair.as_mut_ptr())
    })?;
    let value = value.min(pair[1]);
    pair = [value, if hard { value } else { pair[1] }];
    // SAFETY: the kernel reads one pair of 64-bit numbers from `pair`.
    check(unsafe {
        libc::syscall(libc::SYS_prlimit64, 0, resource, pair.as_ptr(), ptr::null::<u64>())
    })
}

/// Becomes a user without rights, and nobody's group member.
pub(super) fn become_user(uid: u32) -> io::Result<()> {
    // The C library's functions would signal every thread of a process whose memory this may still share.
    // SAFETY: none of the calls touches memory.
    unsafe {
        check(libc::syscall(libc::SYS_setgroups, 0, 0))?;
        check(libc::syscall(libc::SYS_setresgid, uid, uid, uid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))
    }
}

/// Gives up every capability, so that root in the sandbox is a user without rights.
pub(super) fn drop_capabilities() -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let none = [0_u32; 6];
    // SAFETY: the kernel reads a header of two and a body of six 32-bit numbers, which these are.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) })
}

pub(super) fn prctl(option: i32, value: libc::c_ulong) -> io::Result<()> {
    let unused: libc::c_ulong = 0;
    // SAFETY: the options used here take numbers, not pointers.
    check(unsafe { libc::prctl(option, value, unused, unused, unused) })
}

pub(super) fn check(answer: impl Into<libc::c_long>) -> io::Result<()> {
    if answer.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
