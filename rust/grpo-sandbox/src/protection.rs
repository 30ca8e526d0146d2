//! Which layers the kernel enforces here.

use std::fmt;

/// What the kernel offers this process. Landlock and seccomp are required; the rest is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state")]
pub struct Protection {
    /// Landlock's version, 0 without it. 1: files. 3: truncation. 4: TCP. 6: signals and abstract sockets.
    pub landlock_abi: u32,
    /// System calls can be filtered (on x86-64, aarch64 and riscv64).
    pub seccomp: bool,
    /// Resource limits exist.
    pub rlimits: bool,
    /// `RLIMIT_NPROC` binds this user; it does not bind root.
    pub process_limit: bool,
    /// User namespaces can be created and used. Not used by this version.
    pub user_namespaces: bool,
    /// The process's own cgroup (version 2) may be divided. Not used by this version.
    pub cgroup_v2: bool,
}

impl Protection {
    /// Asks the kernel. The calling process is left as it was: what would change it is tried in a
    /// child, which is a fork, so call this once and not once per run.
    pub fn probe() -> Self {
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        {
            use crate::sys::{landlock, process, seccomp};
            Self {
                landlock_abi: landlock::abi_version(),
                seccomp: seccomp::is_available(),
                rlimits: true,
                process_limit: !process::is_root(),
                user_namespaces: process::user_namespaces_work(),
                cgroup_v2: has_delegated_cgroup(),
            }
        }
        #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
        Self::default()
    }

    /// Whether programs can be run at all: the required layers are there.
    pub const fn is_sufficient(&self) -> bool {
        self.landlock_abi > 0 && self.seccomp && self.rlimits
    }

    /// Every layer by name, and whether it is enforced or could be.
    pub const fn layers(&self) -> [(&'static str, bool); 6] {
        [
            ("landlock", self.landlock_abi > 0),
            ("seccomp", self.seccomp),
            ("rlimits", self.rlimits),
            ("process_limit", self.process_limit),
            ("user_namespaces", self.user_namespaces),
            ("cgroup_v2", self.cgroup_v2),
        ]
    }
}

impl fmt::Display for Protection {
    /// `landlock 7, seccomp, rlimits; missing: process_limit, cgroup_v2`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |present: bool| {
            let chosen = self.layers().into_iter().filter(move |&(_, there)| there == present);
            let names = chosen.map(|(name, there)| match name {
                "landlock" if there => format!("landlock {}", self.landlock_abi),
                _ => name.to_owned(),
            });
            names.collect::<Vec<_>>().join(", ")
        };
        write!(f, "{}; missing: {}", names(true), names(false))
    }
}

/// Looks for the process's own version 2 cgroup and the right to make groups and move processes in it.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn has_delegated_cgroup() -> bool {
    use std::{fs, path::Path};

    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let mounts = read(Path::new("/proc/self/mountinfo"));
    let Some(mount) = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .and_then(|line| line.split(' ').nth(4))
    else {
        return false;
    };
    let groups = read(Path::new("/proc/self/cgroup"));
    let Some(own) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return false;
    };
    let folder = Path::new(mount).join(own);
    let controllers = read(&folder.join("cgroup.controllers"));
    ["memory", "pids"].iter().all(|name| controllers.split_whitespace().any(|there| there == *name))
        && [folder.clone(), folder.join("cgroup.procs"), folder.join("cgroup.subtree_control")]
            .iter()
            .all(|path| crate::sys::process::is_writable(path))
}
