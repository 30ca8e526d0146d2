//! How far programs are shut in, and why not further.

use std::fmt;

/// What holds a program. Each level has everything of those below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// A process with resource limits.
    #[default]
    None = 0,
    /// Seccomp.
    Seccomp = 1,
    /// Landlock too.
    Landlock = 2,
    /// Namespaces too.
    Namespaces = 3,
    /// A cgroup too.
    Cgroup = 4,
}

impl Level {
    /// The level with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::None, Self::Seccomp, Self::Landlock, Self::Namespaces, Self::Cgroup]
            .into_iter()
            .find(|level| *level as u8 == code)
    }

    /// The name in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Seccomp => "SECCOMP",
            Self::Landlock => "LANDLOCK",
            Self::Namespaces => "NAMESPACES",
            Self::Cgroup => "CGROUP",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which layers hold the programs of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state")]
pub struct Protection {
    /// System calls are filtered.
    pub seccomp: bool,
    /// Version of Landlock in use, 0 for none. 1: files. 3: truncation. 4: TCP. 6: signals and abstract sockets.
    pub landlock_abi: u32,
    /// Processes, mounts, network and IPC of its own.
    pub namespaces: bool,
    /// Memory and number of processes are bounded by a cgroup.
    pub cgroup: bool,
    /// Programs run as another user than the trainer, one without rights.
    pub own_user: bool,
    /// Why a layer is missing, by its name.
    pub reasons: Vec<(String, String)>,
}

impl Protection {
    /// What the layers come to.
    pub const fn level(&self) -> Level {
        if !self.seccomp {
            Level::None
        } else if self.landlock_abi == 0 {
            Level::Seccomp
        } else if !self.namespaces {
            Level::Landlock
        } else if !self.cgroup {
            Level::Namespaces
        } else {
            Level::Cgroup
        }
    }

    /// Every layer by name, and whether it holds.
    pub const fn layers(&self) -> [(&'static str, bool); 6] {
        [
            ("rlimits", cfg!(target_os = "linux")),
            ("seccomp", self.seccomp),
            ("landlock", self.landlock_abi > 0),
            ("namespaces", self.namespaces),
            ("own_user", self.own_user),
            ("cgroup", self.cgroup),
        ]
    }
}

impl fmt::Display for Protection {
    /// `NAMESPACES: rlimits, seccomp, landlock 7, namespaces; missing: own_user, cgroup (why)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = |name: &str| {
            let found = self.reasons.iter().find(|(layer, _)| layer == name);
            found.map_or_else(String::new, |(_, why)| format!(" ({why})"))
        };
        let names = |present: bool| {
            let chosen = self.layers().into_iter().filter(move |&(_, there)| there == present);
            let names = chosen.map(|(name, there)| match name {
                "landlock" if there => format!("landlock {}", self.landlock_abi),
                _ => format!("{name}{}", reason(name)),
            });
            names.collect::<Vec<_>>().join(", ")
        };
        write!(f, "{}: {}; missing: {}", self.level(), names(true), names(false))
    }
}
