//! Processes: starting, watching, ending and reaping them, and what they do to themselves.

use std::{
    cell::Cell,
    ffi::{CStr, CString},
    fs::{self, File},
    hint::black_box,
    io::{self, Write},
    mem,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    ptr,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags, open},
    process::{Signal, pidfd_send_signal},
};

use super::launch;

/// For killed processes to end.
const GROUP_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two looks at whether they have.
const GROUP_PAUSE: Duration = Duration::from_millis(1);
/// No clock has this number.
const NO_CLOCK: libc::clockid_t = i32::MIN;
/// Between two counts of a user's processes.
const RECOUNT: Duration = Duration::from_secs(1);

/// One child that has not been reaped. Dropping it kills it and reaps it.
pub(crate) struct Child {
    pid: libc::pid_t,
    exit: OwnedFd,
    clock: libc::clockid_t,
    is_leader: bool,
    /// Nothing is left to do for it.
    reaped: Cell<bool>,
}

/// How a child ended, and what it used.
pub(crate) struct Ended {
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) cpu: Duration,
    pub(crate) peak_rss: u64,
}

impl Child {
    /// Takes over a child of this process. `is_leader`: of a process group that dies with it.
    pub(crate) fn new(pid: libc::pid_t, is_leader: bool) -> io::Result<Self> {
        // SAFETY: takes no memory; the answer is a new descriptor or -1.
        let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let Some(fd) = RawFd::try_from(answer).ok().filter(|&fd| fd >= 0) else {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::ESRCH) {
                kill(pid, is_leader);
                let _ = wait(pid);
            }
            return Err(error);
        };
        // SAFETY: the descriptor is new, and nobody else's.
        let exit = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut clock = 0;
        // SAFETY: writes one number to a local that outlives the call.
        if unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) } != 0 {
            clock = NO_CLOCK;
        }
        Ok(Self { pid, exit, clock, is_leader, reaped: Cell::new(false) })
    }

    /// Readable once the child has ended.
    pub(crate) fn exit_fd(&self) -> BorrowedFd<'_> {
        self.exit.as_fd()
    }

    /// Kills the child and its group. By descriptor first: the trainer may reap what it did not start,
    /// and the number of a child that is reaped may be another's.
    pub(crate) fn kill(&self) {
        let is_ours = pidfd_send_signal(&self.exit, Signal::KILL).is_ok();
        if is_ours && self.is_leader {
            kill(self.pid, true);
        }
    }

    /// CPU time of all its threads so far; zero once it has ended.
    pub(crate) fn cpu(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: writes one value to a local that outlives the call.
        let answer = unsafe { libc::clock_gettime(self.clock, &raw mut time) };
        if answer == 0 { duration(time.tv_sec, time.tv_nsec) } else { Duration::ZERO }
    }

    /// Its threads; 0 where there is no `/proc` to say so.
    pub(crate) fn threads(&self) -> u64 {
        let Ok(text) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else { return 0 };
        // The name, which may hold anything, ends with the last parenthesis; threads are the 18th field after it.
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
        fields.split_whitespace().nth(17).and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Forgets it: it turned out to be nobody's child of ours.
    pub(crate) fn disown(&self) {
        self.reaped.set(true);
    }

    /// Reaps the child. `None`: somebody else did.
    pub(crate) fn reap(self) -> Option<Ended> {
        self.reaped.set(true);
        let ended = wait(self.pid);
        if self.is_leader {
            end_group(self.pid);
        }
        ended
    }
}

/// Reaps a child that ended before it became one to watch.
pub(super) fn reap(pid: libc::pid_t) {
    let _ = wait(pid);
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped.get() {
            self.kill();
            let _ = wait(self.pid);
        }
    }
}

fn kill(pid: libc::pid_t, is_leader: bool) {
    let target = if is_leader { -pid } else { pid };
    // SAFETY: takes no memory. `pid` is a child of ours that is not reaped, so neither it nor its group is reused.
    unsafe { libc::kill(target, libc::SIGKILL) };
}

/// Waits until nothing is left of a process group whose leader has been killed with it and reaped.
///
/// Its members become children of this process as their own parents end.
fn end_group(leader: libc::pid_t) {
    let deadline = Instant::now() + GROUP_TIMEOUT;
    loop {
        // SAFETY: neither call takes memory. The members cannot leave the group, whose number is not
        // given to another process while there is one.
        let is_left = unsafe {
            while libc::waitpid(-leader, ptr::null_mut(), libc::WNOHANG | libc::__WALL) > 0 {}
            libc::kill(-leader, libc::SIGKILL) == 0
        };
        if !is_left || Instant::now() > deadline {
            return;
        }
        thread::sleep(GROUP_PAUSE);
    }
}

fn wait(pid: libc::pid_t) -> Option<Ended> {
    let mut status = 0;
    // SAFETY: all zeroes is a valid `rusage`, which is plain integers.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    loop {
        // SAFETY: writes one status and one `rusage` to locals that outlive the call.
        if unsafe { libc::wait4(pid, &raw mut status, libc::__WALL, &raw mut usage) } == pid {
            break;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return None;
        }
    }
    let time = |value: libc::timeval| duration(value.tv_sec, value.tv_usec * 1000);
    Some(Ended {
        exit_code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_rss: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}

fn duration(seconds: i64, nanoseconds: i64) -> Duration {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

/// Nothing to read, and a place for what nobody reads.
pub(crate) fn null_device() -> io::Result<OwnedFd> {
    Ok(open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

/// An anonymous file that whoever holds it may write to.
pub(crate) fn writable_file(name: &CStr) -> io::Result<File> {
    // SAFETY: reads a string that outlives the call; the answer is a new descriptor or -1.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// The program's stdin: an anonymous file that nobody can change. Unlike a pipe it needs nobody to
/// feed it, so a program that never reads cannot block us, and no `SIGPIPE` can reach the caller.
pub(crate) fn sealed_input(bytes: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: the name is a NUL-terminated literal; the answer is a new descriptor or -1.
    let fd = unsafe {
        libc::memfd_create(c"stdin".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nobody else's.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(bytes)?;
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
    // SAFETY: both calls take numbers and an open descriptor, no memory.
    if unsafe {
        libc::fcntl(fd, libc::F_ADD_SEALS, seals) < 0 || libc::lseek(fd, 0, libc::SEEK_SET) < 0
    } {
        return Err(io::Error::last_os_error());
    }
    Ok(file.into())
}

/// Makes a directory with a fresh name, for this user only.
pub(crate) fn private_directory(parent: &Path) -> io::Result<PathBuf> {
    let template = CString::new(parent.join("grpo-sandbox-XXXXXX").as_os_str().as_bytes())?;
    let name = template.into_raw();
    // SAFETY: `name` is NUL-terminated and writable; the call overwrites its six X and nothing else.
    let made = !unsafe { libc::mkdtemp(name) }.is_null();
    let error = io::Error::last_os_error();
    // SAFETY: `name` came from `into_raw` above and its length is unchanged.
    let name = unsafe { CString::from_raw(name) };
    if made { Ok(std::ffi::OsString::from_vec(name.into_bytes()).into()) } else { Err(error) }
}

/// Splits this process in two: `None` in the child, its number in the parent.
///
/// Only for a process of one thread: the child has no other.
pub(crate) fn fork() -> io::Result<Option<libc::pid_t>> {
    // SAFETY: takes no memory; nobody else's lock can be held, as there is nobody else.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// As [`fork`], with a child that is the *parent's* child: who started this process reaps it.
///
/// The C library's record of its thread's number stays the parent's. Nothing here relies on it,
/// and signals that a thread sends itself do not either.
pub(crate) fn fork_for_parent() -> io::Result<Option<libc::pid_t>> {
    let (flags, none) = (libc::c_long::from(libc::CLONE_PARENT), 0 as libc::c_long);
    // SAFETY: no memory is shared and no stack is given, so this is a fork; as for `fork`.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) };
    match libc::pid_t::try_from(pid) {
        Ok(0) => Ok(None),
        Ok(pid) if pid > 0 => Ok(Some(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Leaves the caller's namespaces for new ones.
pub(crate) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: takes no memory; the flags used here share nothing that Rust relies on.
    launch::check(unsafe { libc::unshare(flags) })
}

/// Forbids what lies beneath a detached mount to change, and everybody to gain rights or devices by it.
pub(crate) fn restrict_mount(mount: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    set_mount_attributes(mount, attributes, libc::AT_RECURSIVE)
}

/// As [`restrict_mount`], but for the mounts in it.
pub(crate) fn restrict_mount_only(mount: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    set_mount_attributes(mount, attributes, 0)
}

fn set_mount_attributes(mount: BorrowedFd<'_>, attributes: u64, flags: i32) -> io::Result<()> {
    let request = [attributes, 0, 0, 0];
    let flags = flags | libc::AT_EMPTY_PATH;
    // SAFETY: reads an empty string and a `mount_attr` of four 64-bit numbers that outlive the call.
    launch::check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            request.as_ptr(),
            size_of_val(&request),
        )
    })
}

/// Gives up everything that the kernel lets a process give up: a user's rights, capabilities, the
/// memory's readability by others.
pub(crate) fn renounce(uid: Option<u32>) -> io::Result<()> {
    if let Some(uid) = uid {
        launch::become_user(uid)?;
    }
    launch::drop_capabilities()?;
    launch::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    launch::prctl(libc::PR_SET_DUMPABLE, 0)
}

/// Hides this process's memory from others and adopts what its descendants leave behind.
pub(crate) fn become_supervisor() -> io::Result<()> {
    launch::prctl(libc::PR_SET_DUMPABLE, 0)?;
    launch::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    Ok(())
}

/// Ends this process with its parent.
pub(crate) fn tie_to_parent() -> io::Result<()> {
    launch::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL.unsigned_abs().into())
}

/// Lowers a limit of this process, hard and soft.
pub(crate) fn set_limit(resource: u32, value: u64) -> io::Result<()> {
    launch::limit(libc::c_long::from(resource), value)
}

/// Sets the soft limit of this process, no higher than the hard one.
pub(crate) fn set_soft_limit(resource: u32, value: u64) -> io::Result<()> {
    launch::soft_limit(libc::c_long::from(resource), value)
}

/// Enters a Landlock ruleset for good.
pub(crate) fn enter_landlock(ruleset: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes a descriptor and no memory.
    launch::check(unsafe {
        libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0)
    })
}

/// Takes over a descriptor by its number.
///
/// The caller vouches that it is open and nobody else's: what a supervisor and a zygote are started with.
pub(crate) fn inherited(number: RawFd) -> OwnedFd {
    // SAFETY: the function's contract.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Puts `files` on the numbers from 0 on and closes every other descriptor.
pub(crate) fn arrange_descriptors(files: &[OwnedFd]) -> io::Result<()> {
    for (number, file) in (0..).zip(files) {
        // SAFETY: takes two descriptors and no memory; what was at `number` is not used any more.
        launch::check(unsafe { libc::dup2(file.as_raw_fd(), number) })?;
    }
    let first = libc::c_long::try_from(files.len()).unwrap_or(libc::c_long::MAX);
    // SAFETY: takes no memory. The owners of what it closes are forgotten by the caller.
    launch::check(unsafe {
        libc::syscall(libc::SYS_close_range, first, libc::c_long::from(u32::MAX), 0)
    })
}

/// Readies the heap of a process that is about to be forked again and again.
///
/// A fork costs the more, the more pages a process has, so free ones are given back to the kernel. What is then
/// left lies in pieces all over the heap, and each that a child took would cost it the copy of a page. They are
/// taken here, so that a child's memory comes from the end of the heap, where it lies together.
#[cfg(target_env = "gnu")]
pub(crate) fn settle_heap() {
    /// No piece is larger, and an allocation of it is no mapping of its own yet.
    const LARGE: usize = 100 << 10;
    const SMALLEST: usize = 16;
    /// From each size to the next, as the allocator keeps pieces of exact sizes below this.
    const EXACT: usize = 1 << 10;

    // SAFETY: what is allocated here is only freed, or given up for good.
    unsafe {
        libc::malloc_trim(0);
        let end = black_box(libc::malloc(LARGE));
        libc::free(end);
        let mut size = LARGE / 2;
        while size >= SMALLEST {
            loop {
                // Nothing uses it, which an optimiser must not notice.
                let piece = black_box(libc::malloc(size));
                if piece.is_null() || piece >= end {
                    libc::free(piece);
                    break;
                }
            }
            size = if size > EXACT { size * 3 / 4 } else { size - 16 };
        }
    }
}

/// The allocator's own affair.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn settle_heap() {}

/// How much address space this process has, found by asking for one page more under falling limits:
/// `/proc` may not be there.
pub(crate) fn address_space() -> io::Result<u64> {
    const PAGE: usize = 4096;
    let mut pair = [0_u64; 2];
    let mut limits = |new: Option<u64>| -> io::Result<u64> {
        let soft = [new.unwrap_or(0), pair[1]];
        let new = if new.is_some() { soft.as_ptr() } else { ptr::null() };
        let old = if new.is_null() { pair.as_mut_ptr() } else { ptr::null_mut() };
        // SAFETY: the kernel reads or writes one pair of 64-bit numbers in locals that outlive the call.
        launch::check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_AS, new, old) })?;
        Ok(pair[0])
    };
    let before = limits(None)?;
    let (mut low, mut high) = (0_u64, 1_u64 << 46);
    while high - low > PAGE as u64 {
        let middle = low.midpoint(high);
        limits(Some(middle))?;
        // SAFETY: a new page of nobody's, unmapped at once; fails where the limit is below.
        let fits = unsafe {
            let page = libc::mmap(
                ptr::null_mut(),
                PAGE,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            page != libc::MAP_FAILED && libc::munmap(page, PAGE) == 0
        };
        if fits { high = middle } else { low = middle }
    }
    limits(Some(before))?;
    Ok(high)
}

/// Ends this process without running anybody's exit handlers.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: never returns and touches no memory.
    unsafe { libc::_exit(code) }
}

/// This process's number.
pub(crate) fn own_pid() -> libc::pid_t {
    // SAFETY: takes and touches no memory.
    unsafe { libc::getpid() }
}

/// The number of this process's parent, 0 if it is in another namespace.
pub(crate) fn parent_pid() -> libc::pid_t {
    // SAFETY: takes and touches no memory.
    unsafe { libc::getppid() }
}

/// Whether the process runs as root, which `RLIMIT_NPROC` does not bind.
pub(crate) fn is_root() -> bool {
    // SAFETY: takes and touches no memory.
    unsafe { libc::geteuid() == 0 }
}

/// Processes and threads that this process's user has, as far as `/proc` tells; counted once a second.
/// 0 for root, whose number nothing limits.
pub(crate) fn tasks_of_user() -> u32 {
    static COUNTED: Mutex<Option<(Instant, u32)>> = Mutex::new(None);

    if is_root() {
        return 0;
    }
    let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    match *counted {
        Some((when, count)) if when.elapsed() < RECOUNT => count,
        _ => counted.insert((Instant::now(), count_tasks())).1,
    }
}

fn count_tasks() -> u32 {
    let (user, _) = user_and_group();
    let threads = |status: &str| {
        // A process that hides its memory belongs to root by its owner, but not by this.
        let number = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let owner: u32 = number("Uid:")?.split_whitespace().next()?.parse().ok()?;
        number("Threads:")?.parse::<u32>().ok().filter(|_| owner == user)
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_bytes().first().is_some_and(u8::is_ascii_digit))
        .filter_map(|entry| threads(&std::fs::read_to_string(entry.path().join("status")).ok()?))
        .sum()
}

/// The user and group this process acts as.
pub(crate) fn user_and_group() -> (u32, u32) {
    // SAFETY: takes and touches no memory.
    unsafe { (libc::geteuid(), libc::getegid()) }
}
