//! The process between the trainer and the programs: it owns them, bounds them and ends them.
//!
//! It is started afresh with an empty environment and one socket, holds no expected output, and
//! trusts nothing that a child writes. Where the kernel allows it, it is the first process of a
//! process table of its own, whose end ends all the others. It has one thread and does one run at a
//! time; there is one supervisor per worker of a pool.

mod drain;
mod namespaces;
mod run;
mod scratch;
mod zygotes;

use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

pub(crate) use scratch::empty;

use crate::{
    message::{ChildReport, Fate, Ready, Report, Request, Setup},
    sys::process,
    wire::{receive, send},
};
use run::Runner;
use scratch::Scratch;
use zygotes::{Zygotes, last_words};

/// The socket to the trainer.
pub(crate) const CONTROL_FD: i32 = 3;

/// Serves the trainer at the other end of descriptor 3 until it is gone. Never returns.
pub fn supervise() -> ! {
    let mut control = UnixStream::from(process::inherited(CONTROL_FD));
    let code = match serve(&mut control) {
        Ok(()) => 0,
        Err(error) => {
            // The trainer reads this as the first answer, or as a lost connection.
            let failed = format!("{error} {}", last_words());
            let _ = send(&mut control, &Ready { failed, ..Ready::default() });
            1
        }
    };
    process::leave(code)
}

fn serve(control: &mut UnixStream) -> io::Result<()> {
    // Its end shows even where another process holds a copy of its socket.
    let trainer = Pid::from_raw(process::parent_pid())
        .ok_or_else(|| io::Error::other("no parent"))
        .and_then(|parent| Ok(pidfd_open(parent, PidfdFlags::empty())?))?;
    rustix::io::fcntl_setfd(&*control, rustix::io::FdFlags::CLOEXEC)?;
    let Some(setup) = receive::<Setup>(control)? else { return Ok(()) };
    let mut ready = Ready::default();
    if let Some(cgroup) = &setup.cgroup {
        match fs::write(cgroup.join("cgroup.procs"), process::own_pid().to_string()) {
            Ok(()) => ready.cgroup = true,
            Err(error) => ready.reasons.push(("cgroup".into(), error.to_string())),
        }
    }
    let scratch = if setup.namespaces {
        namespaces::leave().map_err(|error| layer("new namespaces", &error))?;
        if let Some(first) = process::fork()? {
            wait_for(first);
        }
        process::tie_to_parent()?;
        let visible: Vec<_> = setup.readable.iter().chain(&setup.executable).cloned().collect();
        let packages = setup.tiers.iter().flat_map(|tier| tier.readable.iter().cloned());
        let visible: Vec<_> = visible.into_iter().chain(packages).collect();
        namespaces::enter_root(&visible, setup.disk_bytes)
            .map_err(|error| layer("a root of its own", &error))?;
        ready.namespaces = true;
        Scratch::Mount { disk_bytes: setup.disk_bytes }
    } else {
        Scratch::Folder { path: setup.scratch.clone(), disk_bytes: setup.disk_bytes }
    };
    process::become_supervisor()?;
    let zygotes = Zygotes::new(setup.clone(), &scratch);
    ready.own_user = setup.uid.is_some();
    work(control, trainer, &setup, zygotes, scratch, &ready)
}

fn layer(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

fn work(
    control: &mut UnixStream,
    trainer: OwnedFd,
    setup: &Setup,
    mut zygotes: Zygotes,
    mut scratch: Scratch,
    ready: &Ready,
) -> io::Result<()> {
    // The first interpreter now: what is wrong with it shows at the start.
    zygotes.warm()?;
    send(control, ready)?;
    let mut interruption = Interruption { control: control.try_clone()?, trainer, cancelled: None };
    while interruption.next_message()? {
        match receive::<Request>(control)? {
            None => break,
            // Of a run that is over, or of one that is on its way.
            Some(Request::Cancel(id)) => interruption.cancelled = Some(id),
            Some(Request::Run(run)) if interruption.cancelled == Some(run.id) => {
                let solution = ChildReport { fate: Fate::Cancelled, ..ChildReport::default() };
                send(control, &Report { solution, tester: None })?;
            }
            Some(Request::Run(run)) => {
                let mut runner = Runner {
                    setup,
                    zygotes: &mut zygotes,
                    scratch: &mut scratch,
                    interruption: &mut interruption,
                };
                let (report, cleared) = runner.run(&run);
                // The verdict stands, but the next program would see this one's files: a new
                // supervisor has a new folder.
                if send(control, &report).is_err() || cleared.is_err() {
                    break;
                }
            }
        }
    }
    drop(zygotes);
    if let Scratch::Folder { path, .. } = &scratch {
        let _ = fs::remove_dir_all(path);
    }
    Ok(())
}

/// Lives only to be the parent of the first process of a process table.
fn wait_for(first: i32) -> ! {
    let code = Pid::from_raw(first)
        .and_then(|first| {
            let options = rustix::process::WaitOptions::empty();
            rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(first), options)).ok()
        })
        .flatten()
        .and_then(|(_, status)| status.exit_status());
    process::leave(code.unwrap_or(1))
}

/// The trainer's side, while a run goes on and between two.
struct Interruption {
    control: UnixStream,
    trainer: OwnedFd,
    /// The run that was cancelled last.
    cancelled: Option<u64>,
}

impl Interruption {
    fn sources(&self) -> [BorrowedFd<'_>; 2] {
        [self.control.as_fd(), self.trainer.as_fd()]
    }

    /// Waits for a message; false when the trainer is gone.
    fn next_message(&self) -> io::Result<bool> {
        let sources = self.sources();
        let mut set = sources.map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN));
        loop {
            match poll(&mut set, None) {
                Err(rustix::io::Errno::INTR) => {}
                answer => {
                    answer?;
                    return Ok(set[1].revents().is_empty());
                }
            }
        }
    }

    /// Whether what came ends the run of this number. The end of the trainer ends this process.
    fn cancels(&mut self, id: u64) -> io::Result<bool> {
        let sources = self.sources();
        let mut set = sources.map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN));
        poll(&mut set, Some(&rustix::event::Timespec::default()))?;
        let (message, gone) = (!set[0].revents().is_empty(), !set[1].revents().is_empty());
        if gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if !message {
            return Ok(false);
        }
        match receive::<Request>(&mut self.control)? {
            Some(Request::Cancel(cancelled)) => Ok(cancelled == id),
            Some(Request::Run(_)) => Err(io::Error::other("two runs at a time")),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}
