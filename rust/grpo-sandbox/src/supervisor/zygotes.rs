//! The warm interpreters of one supervisor, started when first needed.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{WaitId, WaitIdOptions, waitid},
};

use super::scratch::Scratch;
use crate::{
    message::{Setup, Tier},
    sys::{
        launch::{Launch, Strings, explained},
        process::{Child, null_device, sealed_input},
    },
    wire::to_bytes,
    zygote::{self, Birth, STARTED, ZygoteSetup},
};

/// A cold interpreter imports numpy in a tenth of a second; a machine under load takes longer.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// For an interpreter that fails to say why.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(5);
/// A fork takes well under a millisecond.
const FORK_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Zygotes {
    setup: Setup,
    /// Where children begin.
    scratch: PathBuf,
    /// What Landlock lets them write to.
    writable: PathBuf,
    tiers: Vec<Option<Zygote>>,
}

struct Zygote {
    // Closed first: the process then ends by itself, and is killed if it does not.
    control: OwnedFd,
    process: Child,
}

impl Zygotes {
    pub(super) fn new(setup: Setup, scratch: &Scratch) -> Self {
        let tiers = setup.tiers.iter().map(|_| None).collect();
        Self {
            setup,
            scratch: scratch.folder().to_owned(),
            writable: scratch.landlock_folder().to_owned(),
            tiers,
        }
    }

    /// Starts the first interpreter, so that what is wrong with it shows at once.
    pub(super) fn warm(&mut self) -> io::Result<()> {
        if let (Some(slot), Some(tier)) = (self.tiers.first_mut(), self.setup.tiers.first()) {
            *slot = Some(Zygote::start(&self.setup, tier, &self.scratch, &self.writable)?);
        }
        Ok(())
    }

    fn index(&self, tier: u8) -> usize {
        usize::from(tier).min(self.tiers.len().saturating_sub(1))
    }

    /// Whether the tier's interpreter has been started.
    pub(super) fn is_warm(&self, tier: u8) -> bool {
        self.tiers.get(self.index(tier)).is_some_and(Option::is_some)
    }

    /// Starts a child of the tier's interpreter, which is started if there is none, and ended if it fails.
    pub(super) fn fork(
        &mut self,
        tier: u8,
        birth: &Birth,
        files: &[BorrowedFd<'_>],
    ) -> io::Result<Child> {
        let index = self.index(tier);
        let slot = self.tiers.get_mut(index).ok_or_else(|| io::Error::other("no interpreter"))?;
        let zygote = if let Some(zygote) = slot.take() {
            zygote
        } else {
            let tier = &self.setup.tiers[index];
            Zygote::start(&self.setup, tier, &self.scratch, &self.writable)?
        };
        let child = zygote.fork(birth, files)?;
        *slot = Some(zygote);
        Ok(child)
    }
}

impl Zygote {
    fn start(setup: &Setup, tier: &Tier, scratch: &Path, writable: &Path) -> io::Result<Self> {
        let (control, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let told = ZygoteSetup {
            harness: setup.harness.clone(),
            preload: tier.preload.clone(),
            paths: tier.paths.clone(),
            readable: setup.readable.iter().chain(&tier.readable).cloned().collect(),
            scratch: scratch.to_owned(),
            writable: writable.to_owned(),
            probe: setup.probe.clone(),
            landlock_abi: setup.landlock_abi,
            seccomp: setup.seccomp,
            uid: setup.uid,
            // In a user namespace, or as a user that nobody else is.
            counted: setup.namespaces,
        };
        let null = null_device()?;
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        let text = |text: &String| text.clone().into_bytes();
        let launch = Launch {
            executable: CString::new(setup.command[0].as_str())?,
            arguments: Strings::new(setup.command.iter().map(text).chain([b"zygote".to_vec()]))?,
            environment: Strings::new(
                setup
                    .environment
                    .iter()
                    .map(|(name, value)| format!("{name}={value}").into_bytes()),
            )?,
            folder: CString::new(scratch.as_os_str().as_encoded_bytes())?,
            descriptors: vec![
                null.try_clone()?,
                null,
                stderr,
                theirs,
                sealed_input(&to_bytes(&told))?,
            ],
            confinement: None,
            tied: true,
        };
        let pid = launch.start().map_err(explained)?;
        let zygote = Self { control, process: Child::new(pid, true)? };
        let mut word = [0; 1];
        match zygote.receive(&mut word, START_TIMEOUT) {
            Ok(1) if word[0] == STARTED => Ok(zygote),
            Ok(_) => {
                // It says why after it has closed its socket.
                let mut end = [PollFd::from_borrowed_fd(zygote.process.exit_fd(), PollFlags::IN)];
                let timeout = Timespec::try_from(LAST_WORDS_TIMEOUT).unwrap_or_default();
                let _ = rustix::io::retry_on_intr(|| poll(&mut end, Some(&timeout)));
                Err(io::Error::other(format!("the interpreter gave up: {}", last_words())))
            }
            Err(error) => Err(error),
        }
    }

    fn fork(&self, birth: &Birth, files: &[BorrowedFd<'_>]) -> io::Result<Child> {
        zygote::request(&self.control, birth, files)?;
        let mut pid = [0; 4];
        if self.receive(&mut pid, FORK_TIMEOUT)? != pid.len() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let child = Child::new(i32::from_le_bytes(pid), birth.processes > 1)?;
        // Whatever a zygote says, only a child of ours is ever killed.
        waitid(
            WaitId::PidFd(child.exit_fd()),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
        )
        .inspect_err(|_| child.disown())?;
        Ok(child)
    }

    fn receive(&self, into: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let mut set = [PollFd::new(&self.control, PollFlags::IN)];
        let timeout = Timespec::try_from(timeout).unwrap_or_default();
        loop {
            match poll(&mut set, Some(&timeout)) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Err(rustix::io::Errno::INTR) => {}
                answer => {
                    answer?;
                    return Ok(rustix::io::read(&self.control, into)?);
                }
            }
        }
    }
}

/// The end of what this process and its interpreters wrote to stderr.
pub(super) fn last_words() -> String {
    const KEPT: u64 = 4096;
    let Ok(length) = rustix::fs::fstat(io::stderr()).map(|stat| stat.st_size.unsigned_abs()) else {
        return String::new();
    };
    let mut bytes = vec![0; usize::try_from(length.min(KEPT)).unwrap_or(0)];
    let read =
        rustix::io::pread(io::stderr(), &mut bytes[..], length.saturating_sub(KEPT)).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).trim().to_owned()
}
