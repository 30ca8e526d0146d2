//! Watching, ending and reaping one child; pipes, the sealed input, and the private directory.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Write},
    mem,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

/// One child that has not been reaped. Dropping it kills its process group and reaps it.
pub(crate) struct Child {
    pid: libc::pid_t,
    exit: OwnedFd,
    reaped: bool,
}

/// How a child ended, and what it used.
pub(crate) struct Ended {
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) cpu: Duration,
    pub(crate) peak_rss: u64,
}

impl Child {
    /// Takes over a child that was just started as leader of its own process group.
    pub(crate) fn new(pid: libc::pid_t) -> io::Result<Self> {
        // SAFETY: takes no memory; the answer is a new descriptor or -1.
        let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let Some(fd) = RawFd::try_from(answer).ok().filter(|&fd| fd >= 0) else {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::ESRCH) {
                kill_group(pid);
                let _ = wait(pid);
            }
            return Err(error);
        };
        // SAFETY: the descriptor is new, and nobody else's.
        let exit = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { pid, exit, reaped: false })
    }

    pub(crate) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Readable once the child has ended.
    pub(crate) fn exit_fd(&self) -> RawFd {
        self.exit.as_raw_fd()
    }

    /// Kills the child and what it started. Until the child is reaped its number is nobody else's.
    pub(crate) fn kill(&self) {
        kill_group(self.pid);
    }

    /// CPU time of all its threads so far; zero once it has ended.
    pub(crate) fn cpu(&self) -> Duration {
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: both calls write one value each to a local that outlives them.
        let answer = unsafe {
            match libc::clock_getcpuclockid(self.pid, &raw mut clock) {
                0 => libc::clock_gettime(clock, &raw mut time),
                code => code,
            }
        };
        if answer == 0 { duration(time.tv_sec, time.tv_nsec) } else { Duration::ZERO }
    }

    /// Reaps the child. `None`: somebody else did.
    pub(crate) fn reap(mut self) -> Option<Ended> {
        self.reaped = true;
        wait(self.pid)
    }
}

/// Reaps a child that ended before it became one to watch.
pub(super) fn reap(pid: libc::pid_t) {
    let _ = wait(pid);
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            let _ = wait(self.pid);
        }
    }
}

fn kill_group(pid: libc::pid_t) {
    // SAFETY: takes no memory. `pid` is a child of ours that is not reaped, so neither it nor its group is reused.
    unsafe { libc::kill(-pid, libc::SIGKILL) };
}

fn wait(pid: libc::pid_t) -> Option<Ended> {
    let mut status = 0;
    // SAFETY: all zeroes is a valid `rusage`, which is plain integers.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    loop {
        // SAFETY: writes one status and one `rusage` to locals that outlive the call.
        if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } == pid {
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

/// Waits until one of the descriptors can be read or is closed, or the time is over. A negative
/// descriptor is skipped.
pub(crate) fn poll<const N: usize>(fds: [RawFd; N], timeout: Duration) -> io::Result<[bool; N]> {
    let mut set = fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    // Rounded up, so that a loop on a deadline does not spin through its last millisecond.
    let timeout = i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
    // SAFETY: `set` holds exactly N entries and outlives the call.
    let answer = unsafe { libc::poll(set.as_mut_ptr(), N as libc::nfds_t, timeout) };
    if answer < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        return Ok([false; N]);
    }
    Ok(set.map(|entry| entry.revents != 0))
}

/// Makes reads from this end return at once. The other end keeps blocking.
pub(crate) fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: takes numbers and an open descriptor, no memory.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
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

/// Whether this user may create user namespaces and use them, tried in a child.
pub(crate) fn user_namespaces_work() -> bool {
    let unused: libc::c_long = 0;
    // SAFETY: a fork without shared memory and without a signal at its end; the child makes two
    // system calls and never returns.
    let pid = unsafe {
        let pid = libc::syscall(
            libc::SYS_clone,
            libc::c_long::from(libc::CLONE_NEWUSER),
            unused,
            unused,
            unused,
            unused,
        );
        if pid == 0 {
            let refused = libc::syscall(libc::SYS_unshare, libc::CLONE_NEWNS) != 0;
            libc::syscall(libc::SYS_exit_group, i32::from(refused));
        }
        pid
    };
    let Ok(pid @ 1..) = libc::pid_t::try_from(pid) else {
        return false;
    };
    let mut status = -1;
    loop {
        // SAFETY: writes one status to a local that outlives the call.
        if unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) } == pid {
            return status == 0;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return false;
        }
    }
}

/// Whether the process runs as root, which `RLIMIT_NPROC` does not bind.
pub(crate) fn is_root() -> bool {
    // SAFETY: takes and touches no memory.
    unsafe { libc::getuid() == 0 }
}

/// Whether this user may write to `path`.
pub(crate) fn is_writable(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: reads a NUL-terminated string that outlives the call.
    unsafe { libc::access(path.as_ptr(), libc::W_OK) == 0 }
}
