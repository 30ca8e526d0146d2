//! The trainer's end of a supervisor: starting it, asking it, ending it.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::{OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{
    message::{Ready, Report, Request, Run, Setup},
    supervisor::empty,
    sys::{
        launch::{Launch, Strings, above, explained},
        process::{Child, null_device, private_directory, writable_file},
    },
    wire::{Wire, receive, send},
};

/// A cold interpreter starts in a tenth of a second; a machine under load takes longer.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// Beyond the limits of a run, before its supervisor counts as lost.
const ANSWER_SLACK: Duration = Duration::from_secs(90);
/// To end by itself, when told to.
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// Attempts to remove its folder, and the time between them.
const REMOVALS: u32 = 50;
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);
/// Standard streams come before it.
const FIRST_FREE_FD: RawFd = 3;
/// Kept of what a supervisor wrote to stderr.
const LAST_WORDS_BYTES: u64 = 2048;

/// A supervisor at work.
pub(crate) struct Link {
    reader: UnixStream,
    writer: Canceller,
    process: Option<Child>,
    stderr: File,
    scratch: Option<PathBuf>,
    cgroup: Option<PathBuf>,
    next_id: u64,
    pub(crate) ready: Ready,
}

/// What another thread needs to end a run.
#[derive(Clone)]
pub(crate) struct Canceller {
    stream: Arc<UnixStream>,
    /// Held for the length of a message.
    sending: Arc<Mutex<()>>,
}

impl Canceller {
    pub(crate) fn cancel(&self, id: u64) {
        // A supervisor that is gone has nothing left to cancel.
        let _ = self.send(&Request::Cancel(id));
    }

    /// Ends the connection, and with it the supervisor, even one that does not listen.
    pub(crate) fn hang_up(&self) {
        // Without the lock, which a message that nobody reads may hold.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    fn send(&self, message: &impl Wire) -> io::Result<()> {
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        send(&mut &*self.stream, message)
    }
}

impl Link {
    /// Starts a supervisor and waits until its first interpreter is warm.
    ///
    /// Where the setup has no namespaces, its folder is made here, where its parent is still seen.
    pub(crate) fn start(command: &[String], mut setup: Setup) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        // Where a trainer has closed its standard descriptors, what it prints must not arrive here.
        let ours = UnixStream::from(above(ours.into(), FIRST_FREE_FD)?);
        let stderr = writable_file(c"supervisor")?;
        let null = null_device()?;
        let arguments = command.iter().map(|text| text.clone().into_bytes());
        let executable = command.first().ok_or_else(|| io::Error::other("an empty command"))?;
        let launch = Launch {
            executable: CString::new(executable.as_str())?,
            arguments: Strings::new(arguments)?,
            environment: Strings::new([b"PYTHONUTF8=1".to_vec()])?,
            folder: c"/".into(),
            descriptors: vec![
                null.try_clone()?,
                null,
                stderr.try_clone()?.into(),
                OwnedFd::from(theirs),
            ],
            confinement: None,
            tied: false,
        };
        let cgroup = setup.cgroup.clone();
        let pid = launch.start().map_err(explained)?;
        let mut link = Self {
            writer: Canceller { stream: Arc::new(ours.try_clone()?), sending: Arc::default() },
            reader: ours,
            process: Some(Child::new(pid, false)?),
            stderr,
            scratch: None,
            cgroup,
            next_id: 0,
            ready: Ready::default(),
        };
        if !setup.namespaces {
            let folder = scratch_folder()?;
            setup.scratch.clone_from(&folder);
            link.scratch = Some(folder);
        }
        link.set_timeout(START_TIMEOUT)?;
        link.writer.send(&setup)?;
        link.ready = match receive(&mut link.reader) {
            Ok(Some(ready)) => ready,
            Ok(None) => return Err(link.gave_up("it ended at its start")),
            Err(error) => return Err(link.gave_up(&error.to_string())),
        };
        if link.ready.failed.is_empty() {
            Ok(link)
        } else {
            Err(io::Error::other(link.ready.failed.clone()))
        }
    }

    /// Bounds every wait for the supervisor, which somebody may have stopped.
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.reader.set_read_timeout(Some(timeout))?;
        self.reader.set_write_timeout(Some(timeout))
    }

    fn gave_up(&mut self, why: &str) -> io::Error {
        io::Error::other(format!("{why} {}", self.last_words()))
    }

    fn last_words(&mut self) -> String {
        let end = self.stderr.seek(SeekFrom::End(0)).unwrap_or(0);
        let mut text = Vec::new();
        let _ = self.stderr.seek(SeekFrom::Start(end.saturating_sub(LAST_WORDS_BYTES)));
        let _ = (&self.stderr).take(LAST_WORDS_BYTES).read_to_end(&mut text);
        String::from_utf8_lossy(&text).trim().to_owned()
    }

    /// The number that the next run will have, and the means to end it from elsewhere.
    pub(crate) fn upcoming(&self) -> (u64, Canceller) {
        (self.next_id, self.writer.clone())
    }

    /// Does one run. After an error the supervisor is of no more use.
    pub(crate) fn run(&mut self, mut run: Run) -> io::Result<Report> {
        run.id = self.next_id;
        self.next_id += 1;
        let steps = run.calls.len() as u64 + 2;
        let longest = Duration::from_nanos(run.limits.wall_ns.saturating_mul(steps));
        self.set_timeout(longest.saturating_add(ANSWER_SLACK))?;
        self.writer.send(&Request::Run(Box::new(run)))?;
        receive(&mut self.reader)?.ok_or_else(|| self.gave_up("the supervisor ended"))
    }
}

/// A new folder for programs, where Landlock's rules and the program's view of itself are about: a real path.
fn scratch_folder() -> io::Result<PathBuf> {
    let parent = std::env::temp_dir();
    parent.canonicalize().and_then(|parent| private_directory(&parent)).map_err(|error| {
        let text = format!("make a folder in {} (TMPDIR): {error}", parent.display());
        io::Error::new(error.kind(), text)
    })
}

impl Drop for Link {
    fn drop(&mut self) {
        // It ends when it sees this; a copy of the socket in another process does not matter.
        let _ = self.reader.shutdown(std::net::Shutdown::Both);
        if let Some(process) = self.process.take() {
            let mut set = [PollFd::from_borrowed_fd(process.exit_fd(), PollFlags::IN)];
            let timeout = Timespec::try_from(END_TIMEOUT).unwrap_or_default();
            let _ = rustix::io::retry_on_intr(|| poll(&mut set, Some(&timeout)));
            drop(process); // killed if it has not ended, and reaped
        }
        if let Some(folder) = &self.scratch {
            // If somebody killed the supervisor, its programs may write for a moment longer.
            for _ in 0..REMOVALS {
                let _ = empty(folder);
                if std::fs::remove_dir(folder).is_ok() || !folder.exists() {
                    break;
                }
                std::thread::sleep(REMOVAL_PAUSE);
            }
        }
        if let Some(folder) = &self.cgroup {
            let _ = std::fs::remove_dir(folder);
        }
    }
}
