//! A warm interpreter that is sandboxed once and forks one child per run.
//!
//! It is started by the supervisor with two descriptors: 3, a socket to the supervisor, and 4, its
//! setup. It never sees a program: a child reads its own work from a descriptor that came with the
//! request, so that nothing of one run is in the memory that the next begins with.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::{self, MaybeUninit},
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendFlags, recvmsg, sendmsg,
};

use crate::{
    sys::{
        landlock::{self, Paths},
        process::{self, inherited},
        seccomp::Filters,
    },
    wire::{Wire, from_bytes, wire},
};

/// The socket to the supervisor.
pub(crate) const CONTROL_FD: i32 = 3;
/// The file with the setup.
pub(crate) const SETUP_FD: i32 = 4;
/// The most descriptors that come with a request: three standard ones, the two of the channel, and
/// a tester's two to the solution.
pub(crate) const MAX_FILES: usize = 7;
/// What a child writes on its channel before anything of the program's runs.
pub(crate) const STARTED: u8 = b'S';
/// What it writes if it could not confine itself; the reason follows.
pub(crate) const FAILED: u8 = b'F';

/// Where a child's channel stands.
const CHANNEL_IN: i32 = 3;
const CHANNEL_OUT: i32 = 4;
/// Descriptors a program may hold.
const DESCRIPTORS: u64 = 64;
/// Stack of the main thread and of each new one; fixed, so that a recursion ends at the same depth everywhere.
const STACK_BYTES: u64 = 8 << 20;
/// Threads and processes of one worker's programs and interpreters together.
const MAX_TASKS: u64 = 256;
/// The most interpreters beside a program's processes.
const ZYGOTES: u64 = 8;
/// No first frame is longer.
const MAX_FRAME_BYTES: usize = 1 << 30;

wire! {
    /// What a zygote is told.
    pub(crate) struct ZygoteSetup {
        pub(crate) harness: String,
        pub(crate) preload: Vec<String>,
        pub(crate) paths: Vec<PathBuf>,
        pub(crate) readable: Vec<PathBuf>,
        /// Where children begin, and what Landlock lets them write to.
        pub(crate) scratch: PathBuf,
        pub(crate) writable: PathBuf,
        pub(crate) probe: PathBuf,
        pub(crate) landlock_abi: u32,
        pub(crate) seccomp: bool,
        pub(crate) uid: Option<u32>,
        /// Whether the kernel counts the threads of this worker's programs and nobody else's.
        pub(crate) counted: bool,
    }
}

wire! {
    /// A request: the limits of a child, whose descriptors come beside it.
    pub(crate) struct Birth {
        pub(crate) supervisor: i32,
        /// Beyond what the interpreter has already.
        pub(crate) memory_bytes: u64,
        pub(crate) cpu_s: u64,
        pub(crate) file_bytes: u64,
        pub(crate) processes: u32,
        pub(crate) mode: u8,
    }
}

/// What a zygote's Python is to do before it serves.
#[derive(Debug)]
pub struct Preparation {
    /// The source of the harness.
    pub harness: String,
    /// Modules to import.
    pub preload: Vec<String>,
    /// Folders to add to `sys.path`.
    pub paths: Vec<PathBuf>,
}

/// What a child is to do.
#[derive(Debug)]
pub struct Assignment {
    /// How the harness is entered.
    pub mode: u8,
    /// The first frame of its channel.
    pub payload: Vec<u8>,
}

/// A sandboxed interpreter that waits for requests.
#[derive(Debug)]
pub struct Zygote {
    control: OwnedFd,
    scratch: PathBuf,
    seccomp: bool,
    counted: bool,
}

impl Zygote {
    /// Confines this process for good. Call first of all: what is imported later is confined too.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn enter() -> io::Result<(Self, Preparation)> {
        let mut bytes = Vec::new();
        File::from(inherited(SETUP_FD)).read_to_end(&mut bytes)?;
        let setup: ZygoteSetup = from_bytes(&bytes)?;
        let control = inherited(CONTROL_FD);
        rustix::io::fcntl_setfd(&control, rustix::io::FdFlags::CLOEXEC)?;

        process::renounce(setup.uid)?;
        process::tie_to_parent()?; // becoming another user undid it
        let said = |what: &'static str| {
            move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"))
        };
        File::open(&setup.probe).map_err(said("read the standard library"))?;
        for (resource, value) in [
            (libc::RLIMIT_NOFILE, DESCRIPTORS),
            (libc::RLIMIT_CORE, 0),
            (libc::RLIMIT_MEMLOCK, 0),
            (libc::RLIMIT_MSGQUEUE, 0),
            (libc::RLIMIT_RTPRIO, 0),
        ] {
            process::set_limit(resource, value)?;
        }
        // The hard limit stays: programs raise it before a deep recursion, and RLIMIT_AS bounds it all the same.
        process::set_soft_limit(libc::RLIMIT_STACK, STACK_BYTES)?;
        let paths = Paths {
            executable: &[],
            readable: &setup.readable,
            listable: &setup.paths,
            writable: &setup.writable,
            execute_written: false,
        };
        let ruleset = landlock::ruleset(&paths, setup.landlock_abi)
            .map_err(|error| io::Error::other(format!("build the Landlock ruleset: {error}")))?;
        if let Some(ruleset) = ruleset {
            process::enter_landlock(ruleset.as_fd()).map_err(said("enter Landlock"))?;
        }
        if setup.seccomp {
            let mut filters = Filters::zygote().map_err(io::Error::other)?;
            filters.install().map_err(said("install the seccomp filter"))?;
        }
        let ZygoteSetup { harness, preload, paths, scratch, seccomp, counted, .. } = setup;
        Ok((Self { control, scratch, seccomp, counted }, Preparation { harness, preload, paths }))
    }

    /// Forks a child per request. Returns in the children only; the zygote itself ends with its
    /// supervisor.
    ///
    /// # Errors
    /// The interpreter's own size cannot be found.
    pub fn serve(self) -> io::Result<Assignment> {
        // Compiled once: in a child it would write all over the memory that it shares with this process.
        let mut filters = ChildFilters::new(self.seccomp)?;
        process::settle_heap();
        let base = process::address_space()?;
        let mut control = File::from(self.control);
        control.write_all(&[STARTED])?;
        loop {
            let Some((birth, files)) = next_request(&control)? else { process::leave(0) };
            if let Some(pid) = process::fork_for_parent()? {
                drop(files);
                control.write_all(&pid.to_le_bytes())?;
                continue;
            }
            let began = begin(&birth, &files, base, &self.scratch, &mut filters, self.counted);
            // Their numbers are the child's own now, or closed.
            mem::forget(files);
            mem::forget(control);
            // To free them would cost the copy of a page each.
            mem::forget((filters, self.scratch));
            let mut answers = File::from(inherited(CHANNEL_OUT));
            if let Err(error) = began {
                let _ = answers.write_all(&[&[FAILED], error.to_string().as_bytes()].concat());
                process::leave(1);
            }
            let payload = answers.write_all(&[STARTED]).and_then(|()| first_frame());
            mem::forget(answers);
            let Ok(payload) = payload else { process::leave(1) };
            return Ok(Assignment { mode: birth.mode, payload });
        }
    }
}

/// What children add to the zygote's filters.
struct ChildFilters {
    single: Filters,
    may_fork: Filters,
}

impl ChildFilters {
    fn new(seccomp: bool) -> io::Result<Self> {
        let build = |may_fork| {
            let filters = if seccomp { Filters::child(may_fork) } else { Ok(Filters::none()) };
            filters.map_err(io::Error::other)
        };
        Ok(Self { single: build(false)?, may_fork: build(true)? })
    }
}

/// Waits for a request; `None` when the supervisor is gone.
fn next_request(control: &File) -> io::Result<Option<(Birth, Vec<OwnedFd>)>> {
    let mut body = [0_u8; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut parts = [IoSliceMut::new(&mut body)];
        match recvmsg(control, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            answer => break answer?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let files = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other("no room for the descriptors of a run"));
    }
    Ok(Some((from_bytes(&body[..received.bytes])?, files)))
}

/// Sends a request to a zygote.
pub(crate) fn request(
    control: &OwnedFd,
    birth: &Birth,
    files: &[std::os::fd::BorrowedFd<'_>],
) -> io::Result<()> {
    let mut body = Vec::new();
    birth.write(&mut body);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(rustix::net::SendAncillaryMessage::ScmRights(files));
    sendmsg(control, &[IoSlice::new(&body)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// What a child does to itself before it knows its program.
fn begin(
    birth: &Birth,
    files: &[OwnedFd],
    base: u64,
    scratch: &std::path::Path,
    filters: &mut ChildFilters,
    counted: bool,
) -> io::Result<()> {
    process::arrange_descriptors(files)?;
    process::set_limit(libc::RLIMIT_AS, base.saturating_add(birth.memory_bytes))?;
    process::set_limit(libc::RLIMIT_CPU, birth.cpu_s)?;
    process::set_limit(libc::RLIMIT_FSIZE, birth.file_bytes)?;
    process::tie_to_parent()?;
    if process::parent_pid() != birth.supervisor {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    // The folder may be another one than the zygote's: it is made anew once a program has written to it.
    rustix::process::chdir(scratch)?;
    let forks = birth.processes > 1;
    if counted {
        let tasks = if forks { u64::from(birth.processes) + ZYGOTES } else { MAX_TASKS };
        process::set_limit(libc::RLIMIT_NPROC, tasks)?;
    }
    if forks {
        rustix::process::setsid()?;
    }
    let filters = if forks { &mut filters.may_fork } else { &mut filters.single };
    filters.set_own_pid(process::own_pid().unsigned_abs());
    filters.install()
}

fn first_frame() -> io::Result<Vec<u8>> {
    let mut channel = mem::ManuallyDrop::new(File::from(inherited(CHANNEL_IN)));
    let mut length = [0; 4];
    channel.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    channel.read_exact(&mut frame)?;
    Ok(frame)
}
