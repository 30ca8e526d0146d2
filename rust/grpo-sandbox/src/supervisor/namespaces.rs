//! A root directory, a network and a process table of a supervisor's own.

use std::{
    collections::BTreeSet,
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, statat, symlinkat},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
        OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
        mount_change, move_mount, open_tree, unmount,
    },
};

use crate::sys::process;

/// Where programs may write, in the new root. It is a mount of its own in a folder that is named to
/// Landlock, so that it can be replaced by an empty one.
pub(super) const SCRATCH: &str = "/tmp/run";
/// What is named to Landlock.
pub(super) const SCRATCH_PARENT: &str = "/tmp";

const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];
const LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];
/// Files and folders that one file system may hold.
const ENTRIES: u32 = 4096;
/// Followed of a chain of symbolic links.
const MAX_LINKS: usize = 16;

/// Leaves the namespaces of the trainer. The next child of this process is the first of the new
/// process table.
pub(super) fn leave() -> io::Result<()> {
    let flags = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    // Root needs no user namespace; without it a program's kernel knows no privilege over anything.
    if process::is_root() && process::unshare(flags).is_ok() {
        return Ok(());
    }
    let (user, group) = process::user_and_group();
    process::unshare(flags | libc::CLONE_NEWUSER).map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(libc::EPERM) => {
                " (a container's seccomp profile, or user namespaces are disabled)"
            }
            Some(libc::ENOSPC) => " (the limit of user namespaces is reached or 0)",
            _ => "",
        };
        io::Error::new(error.kind(), format!("{error}{hint}"))
    })?;
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| io::Error::new(error.kind(), format!("write {file}: {error}")))
    };
    write("setgroups", "deny".into())?;
    write("uid_map", format!("{user} {user} 1"))?;
    write("gid_map", format!("{group} {group} 1"))
}

/// Makes a root directory of what is readable, and nothing else, and enters it. Call as the first
/// process of the new process table.
pub(super) fn enter_root(readable: &[PathBuf], disk_bytes: u64) -> io::Result<()> {
    let said = |what: String| {
        move |error: rustix::io::Errno| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("{what}: {error}"))
        }
    };
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(said("make mounts private".into()))?;
    // The folders made here are for another user to walk through.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    // Copies of the mounts first: the new root hides what it is put on.
    let parts = parts(readable);
    let copies = parts
        .folders
        .iter()
        .map(|path| {
            copy(path, false).map_err(said(format!("copy the mount of {}", path.display())))
        })
        .collect::<io::Result<Vec<_>>>()?;
    let devices = DEVICES
        .iter()
        .map(|path| copy(Path::new(path), true).map_err(said(format!("copy {path}"))))
        .collect::<io::Result<Vec<_>>>()?;

    let root = tmpfs(1 << 20, "0755", MountAttrFlags::MOUNT_ATTR_NOEXEC)
        .map_err(said("make a root".into()))?;
    let point = ["/tmp", "/mnt", "/usr"].into_iter().find(|path| Path::new(path).is_dir());
    let point = point.ok_or_else(|| io::Error::other("no folder to mount a root on"))?;
    attach(root.as_fd(), CWD, Path::new(point)).map_err(said(format!("mount on {point}")))?;
    for (path, copy) in parts.folders.iter().zip(&copies) {
        let error = said(format!("mount {}", path.display()));
        let kind = statat(copy, "", AtFlags::EMPTY_PATH);
        let is_folder =
            kind.is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir());
        place(&root, path, is_folder)
            .and_then(|()| attach(copy.as_fd(), root.as_fd(), path))
            .map_err(error)?;
    }
    for (path, copy) in DEVICES.iter().zip(&devices) {
        let path = Path::new(path);
        place(&root, path, false)
            .and_then(|()| attach(copy.as_fd(), root.as_fd(), path))
            .map_err(said(format!("mount {}", path.display())))?;
    }
    let links = LINKS.iter().map(|(link, to)| (PathBuf::from(link), PathBuf::from(to)));
    for (link, target) in parts.links.iter().cloned().chain(links) {
        let parent = link.parent().unwrap_or(Path::new("/"));
        place(&root, parent, true)
            .and_then(|()| symlinkat(&target, &root, relative(&link)))
            .or_else(|error| if error == rustix::io::Errno::EXIST { Ok(()) } else { Err(error) })
            .map_err(said(format!("link {}", link.display())))?;
    }
    place(&root, Path::new("/proc"), true).map_err(said("make /proc".into()))?;
    place(&root, Path::new(SCRATCH), true).map_err(said("make the scratch folder".into()))?;

    // A container may hide parts of its /proc, and then forbids a new one: /dev/stdin is missing there.
    let table = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).and_then(|config| {
        fsconfig_create(&config)?;
        fsmount(&config, FsMountFlags::FSMOUNT_CLOEXEC, nothing_special())
    });
    if let Ok(table) = table {
        attach(table.as_fd(), root.as_fd(), Path::new("/proc"))
            .map_err(said("mount /proc".into()))?;
    }
    rustix::process::fchdir(&root).map_err(said("enter the root".into()))?;
    rustix::process::pivot_root(".", ".").map_err(said("change the root".into()))?;
    unmount(".", UnmountFlags::DETACH).map_err(said("leave the old root".into()))?;
    process::restrict_mount_only(root.as_fd(), READ_ONLY).map_err(|error| {
        io::Error::new(error.kind(), format!("make the root unchangeable: {error}"))
    })?;
    renew_scratch(disk_bytes)
}

/// Puts an empty folder where programs may write.
pub(super) fn renew_scratch(disk_bytes: u64) -> io::Result<()> {
    // Nothing is mounted there at first.
    let _ = unmount(SCRATCH, UnmountFlags::DETACH);
    let fresh = tmpfs(disk_bytes, "1777", MountAttrFlags::MOUNT_ATTR_NODEV)?;
    attach(fresh.as_fd(), CWD, Path::new(SCRATCH))?;
    Ok(())
}

const READ_ONLY: u64 = 1; // MOUNT_ATTR_RDONLY
const NO_SET_USER_ID: u64 = 2; // MOUNT_ATTR_NOSUID
const NO_DEVICES: u64 = 4; // MOUNT_ATTR_NODEV

fn nothing_special() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

fn tmpfs(bytes: u64, permissions: &str, more: MountAttrFlags) -> rustix::io::Result<OwnedFd> {
    let config = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&config, "size", bytes.to_string())?;
    fsconfig_set_string(&config, "nr_inodes", ENTRIES.to_string())?;
    fsconfig_set_string(&config, "mode", permissions)?;
    fsconfig_create(&config)?;
    fsmount(&config, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NOSUID | more)
}

/// A copy of the mount at a path, with all beneath it, that nobody can change.
fn copy(path: &Path, is_device: bool) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let copy = open_tree(CWD, path, flags)?;
    let restrictions =
        if is_device { NO_SET_USER_ID } else { READ_ONLY | NO_SET_USER_ID | NO_DEVICES };
    process::restrict_mount(copy.as_fd(), restrictions).map_err(|error| {
        rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
    })?;
    Ok(copy)
}

fn attach(mount: BorrowedFd<'_>, folder: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<()> {
    // From a folder on; the current one is the start of absolute paths only.
    let path = if folder.as_raw_fd() == CWD.as_raw_fd() { path } else { relative(path) };
    move_mount(mount, "", folder, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Makes a folder, or an empty file to mount on, and every folder above it.
fn place(root: &OwnedFd, path: &Path, is_folder: bool) -> rustix::io::Result<()> {
    let mut above: Vec<&Path> = path.ancestors().collect();
    above.reverse();
    for part in above {
        let name = relative(part);
        if name.as_os_str().is_empty() {
            continue;
        }
        let made = if is_folder || part != path {
            mkdirat(root, name, Mode::from_raw_mode(0o755))
        } else {
            openat(root, name, OFlags::CREATE | OFlags::CLOEXEC, Mode::from_raw_mode(0o644))
                .map(drop)
        };
        if let Err(error) = made
            && error != rustix::io::Errno::EXIST
        {
            return Err(error);
        }
    }
    Ok(())
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// What the new root consists of.
struct Parts {
    /// Real files and folders, none beneath another.
    folders: Vec<PathBuf>,
    /// Symbolic links on the way to them.
    links: Vec<(PathBuf, PathBuf)>,
}

fn parts(readable: &[PathBuf]) -> Parts {
    let mut real = BTreeSet::new();
    let mut links = BTreeSet::new();
    for path in readable {
        let mut path = path.clone();
        for _ in 0..MAX_LINKS {
            // The first link on the way: `/lib` for `/lib/x`, where `/lib` points to `usr/lib`.
            let mut prefixes: Vec<&Path> = path.ancestors().collect();
            prefixes.reverse();
            let Some((link, target)) = prefixes
                .iter()
                .find_map(|prefix| fs::read_link(prefix).ok().map(|to| (prefix.to_path_buf(), to)))
            else {
                break;
            };
            let rest = path.strip_prefix(&link).map(Path::to_path_buf).unwrap_or_default();
            let mut next = normal(&link.parent().unwrap_or(Path::new("/")).join(&target));
            if !rest.as_os_str().is_empty() {
                next.push(rest);
            }
            links.insert((link, target));
            path = next;
        }
        if path.exists() {
            real.insert(path);
        }
    }
    // Sorted, so that a folder comes before all that lies in it.
    let mut folders: Vec<PathBuf> = Vec::new();
    for path in real {
        if !folders.iter().any(|folder| path.starts_with(folder)) {
            folders.push(path);
        }
    }
    let links = links
        .into_iter()
        .filter(|(link, _)| !folders.iter().any(|folder| link.starts_with(folder)));
    Parts { links: links.collect(), folders }
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                parts.pop();
            }
            std::path::Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts
}
