//! What the trainer's process asks of a supervisor, and what it answers.

use std::path::PathBuf;

use crate::wire::{Bytes, Malformed, Wire, wire, wire_codes};

wire! {
    /// A warm interpreter: what it has imported before it is asked anything.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Tier {
        /// Modules to import; those that are missing are left out.
        pub preload: Vec<String>,
        /// Folders joined to `sys.path`: a `site-packages` for what lies beside the standard library.
        pub paths: Vec<PathBuf>,
        /// What is in them that may be read.
        pub readable: Vec<PathBuf>,
    }
}

wire! {
    /// Everything a supervisor is told at its start.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Setup {
        /// Command line of a zygote, the executable's real path first.
        pub(crate) command: Vec<String>,
        pub(crate) environment: Vec<(String, String)>,
        /// Python source of what runs in a child.
        pub(crate) harness: String,
        pub(crate) tiers: Vec<Tier>,
        /// Files and folders that programs may read.
        pub(crate) readable: Vec<PathBuf>,
        /// Files and folders that other languages may read and execute, all of them together.
        pub(crate) executable: Vec<PathBuf>,
        /// A file that a program must be able to read, or it was confined too much.
        pub(crate) probe: PathBuf,
        /// Use namespaces.
        pub(crate) namespaces: bool,
        /// The newest version of Landlock to use; 0 for none.
        pub(crate) landlock_abi: u32,
        pub(crate) seccomp: bool,
        /// Where programs may write, if there are no namespaces.
        pub(crate) scratch: PathBuf,
        pub(crate) disk_bytes: u64,
        /// A user without rights, to become where that is possible.
        pub(crate) uid: Option<u32>,
        /// The cgroup to enter.
        pub(crate) cgroup: Option<PathBuf>,
    }
}

wire! {
    /// The supervisor's first words.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Ready {
        /// Why it gave up; empty if it did not.
        pub(crate) failed: String,
        pub(crate) namespaces: bool,
        /// Programs run as a user without rights.
        pub(crate) own_user: bool,
        pub(crate) cgroup: bool,
        /// Layer by layer, why one is missing.
        pub(crate) reasons: Vec<(String, String)>,
    }
}

/// How a child begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    Stdio = 0,
    Calls = 1,
    Tester = 2,
    Unittest = 3,
}

wire! {
    /// One child.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct ChildSpec {
        pub(crate) tier: u8,
        pub(crate) mode: Mode,
        /// Its first frame.
        pub(crate) payload: Bytes,
    }
}

wire_codes!(Mode { Stdio = 0, Calls = 1, Tester = 2, Unittest = 3 });

wire! {
    /// What a program in another language is run by.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Command {
        /// The executable's path, absolute or in the folder of the run, and its arguments.
        pub(crate) arguments: Vec<String>,
        pub(crate) environment: Vec<(String, String)>,
        /// Files to put into the folder of the run.
        pub(crate) files: Vec<(String, Bytes)>,
        /// Files to bring back, whole: names, or `*` and the end of names.
        pub(crate) outputs: Vec<String>,
        /// Files and folders that it may read and execute, beside the folder of the run.
        pub(crate) paths: Vec<PathBuf>,
        /// Processes and threads of its user at a time, where the limits name no number.
        pub(crate) tasks: u32,
        /// Whether memory is bounded by what is written to and not by what is reserved: virtual
        /// machines reserve far more than they use.
        pub(crate) reserves: bool,
    }
}

wire! {
    /// One run.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Run {
        pub(crate) id: u64,
        /// The program's own process; `None` if `command` is there.
        pub(crate) solution: Option<ChildSpec>,
        pub(crate) command: Option<Command>,
        /// The process that holds the tests and asks the program's.
        pub(crate) tester: Option<ChildSpec>,
        pub(crate) stdin: Bytes,
        /// Frames to send, each after the answer to the one before.
        pub(crate) calls: Vec<Bytes>,
        pub(crate) limits: RunLimits,
    }
}

wire! {
    /// What a run may use.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct RunLimits {
        /// Nanoseconds of each call, of the whole run if there are none.
        pub(crate) wall_ns: u64,
        pub(crate) cpu_ns: u64,
        /// Of all calls together.
        pub(crate) total_cpu_ns: u64,
        pub(crate) memory_bytes: u64,
        pub(crate) output_bytes: u64,
        pub(crate) file_bytes: u64,
        pub(crate) processes: u32,
    }
}

/// A request, after the setup.
pub(crate) enum Request {
    Run(Box<Run>),
    /// End the run of this number, if it is still the one.
    Cancel(u64),
}

impl Wire for Request {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Run(run) => {
                0_u8.write(out);
                run.write(out);
            }
            Self::Cancel(id) => {
                1_u8.write(out);
                id.write(out);
            }
        }
    }

    fn read(input: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::read(input)? {
            0 => Ok(Self::Run(Box::new(Run::read(input)?))),
            1 => Ok(Self::Cancel(u64::read(input)?)),
            _ => Err(Malformed),
        }
    }
}

/// Why a run is over, if not because the program ended by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    #[default]
    Ended,
    Cpu,
    Wall,
    Output,
    Disk,
    /// Frames that are too long, or more of them than were asked for.
    BadFrames,
    Cancelled,
    /// Too many threads.
    Threads,
    /// It never began; `detail` says why.
    NotStarted,
}

wire_codes!(Fate {
    Ended = 0,
    Cpu = 1,
    Wall = 2,
    Output = 3,
    Disk = 4,
    BadFrames = 5,
    Cancelled = 6,
    NotStarted = 7,
    Threads = 8,
});

wire! {
    /// A frame from a child, and what it took.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Answer {
        pub(crate) bytes: Bytes,
        pub(crate) cpu_ns: u64,
        pub(crate) wall_ns: u64,
    }
}

wire! {
    /// What became of one process.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct ChildReport {
        pub(crate) fate: Fate,
        pub(crate) detail: String,
        /// Killed because nobody needed it any more.
        pub(crate) dismissed: bool,
        pub(crate) exit_code: Option<i32>,
        pub(crate) signal: Option<i32>,
        pub(crate) cpu_ns: u64,
        pub(crate) wall_ns: u64,
        pub(crate) peak_bytes: u64,
        pub(crate) stdout: Bytes,
        /// The end of it.
        pub(crate) stderr: Bytes,
        pub(crate) answers: Vec<Answer>,
        pub(crate) outputs: Vec<(String, Bytes)>,
    }
}

wire! {
    /// What became of a run.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Report {
        pub(crate) solution: ChildReport,
        pub(crate) tester: Option<ChildReport>,
    }
}
