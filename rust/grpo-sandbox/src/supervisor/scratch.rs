//! The one folder that programs may write to, empty before each of them.

use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::namespaces;

/// Looked at when disk use is added up; a program with more has filled its share.
const MAX_ENTRIES: usize = 4096;

pub(super) enum Scratch {
    /// A file system of fixed size in a mount namespace.
    Mount { disk_bytes: u64 },
    /// A folder of the trainer's, whose use is added up now and then.
    Folder { path: PathBuf, disk_bytes: u64 },
}

impl Scratch {
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Mount { .. } => Path::new(namespaces::SCRATCH),
            Self::Folder { path, .. } => path,
        }
    }

    /// What Landlock is told: a rule is bound to a folder and not to its name.
    pub(super) fn landlock_folder(&self) -> &Path {
        match self {
            Self::Mount { .. } => Path::new(namespaces::SCRATCH_PARENT),
            Self::Folder { path, .. } => path,
        }
    }

    /// Whether more is written than allowed. The kernel itself sees to that in a mount.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Mount { .. } => false,
            Self::Folder { path, disk_bytes } => used(path) > *disk_bytes,
        }
    }

    /// Removes all that is in it. No program runs meanwhile.
    pub(super) fn clear(&self) -> io::Result<()> {
        if fs::read_dir(self.folder())?.next().is_none() {
            return Ok(());
        }
        match self {
            Self::Mount { disk_bytes } => namespaces::renew_scratch(*disk_bytes),
            Self::Folder { path, .. } => empty(path),
        }
    }
}

fn used(folder: &Path) -> u64 {
    let (mut bytes, mut entries) = (0_u64, 0_usize);
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        let found = match fs::read_dir(folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // just removed
            Err(_) => return u64::MAX, // a path too long to follow, or no permission: a hiding place
        };
        for entry in found.flatten() {
            entries += 1;
            if entries > MAX_ENTRIES {
                return u64::MAX;
            }
            let Ok(kind) = entry.metadata() else { continue };
            bytes = bytes.saturating_add(kind.blocks() * 512);
            if kind.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    bytes
}

/// Empties a folder, however deep it goes: each folder in it gives its contents to the top before it
/// is removed, so that no path grows and no recursion is needed.
pub(crate) fn empty(top: &Path) -> io::Result<()> {
    // Nothing that a program left there has a name with this in it, or a move would fail on it.
    let unknown = RandomState::new().build_hasher().finish();
    let mut moved = 0_u64;
    loop {
        let mut found = false;
        for entry in fs::read_dir(top)? {
            let path = entry?.path();
            found = true;
            if !fs::symlink_metadata(&path)?.is_dir() {
                fs::remove_file(&path)?;
                continue;
            }
            // A program may have left it without permissions.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            for inner in fs::read_dir(&path)? {
                let inner = inner?.path();
                let is_folder = fs::symlink_metadata(&inner)?.is_dir();
                if is_folder {
                    fs::set_permissions(&inner, fs::Permissions::from_mode(0o700))?;
                    moved += 1;
                    fs::rename(&inner, top.join(format!(".{unknown:016x}.{moved:020}")))?;
                } else {
                    fs::remove_file(&inner)?;
                }
            }
            fs::remove_dir(&path)?;
        }
        if !found {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_emptied_however_deep_it_goes() {
        let top = std::env::temp_dir().join(format!("grpo-scratch-{}", std::process::id()));
        fs::create_dir(&top).expect("a new folder");
        let before = std::env::current_dir().expect("a folder");
        let mut folder = rustix::fs::open(
            &top,
            rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
        .expect("it is there");
        for depth in 0..3000 {
            let mode = rustix::fs::Mode::RWXU;
            let name = format!("folder-{depth}-{}", "x".repeat(100));
            rustix::fs::mkdirat(&folder, &name, mode).expect("room");
            let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
            folder = rustix::fs::openat(&folder, &name, flags, mode).expect("it was made");
        }
        fs::write(top.join("file"), "x").expect("room");
        fs::set_permissions(top.join("file"), fs::Permissions::from_mode(0o000)).expect("ours");
        empty(&top).expect("ours");
        assert_eq!(fs::read_dir(&top).expect("still there").count(), 0);
        assert_eq!(std::env::current_dir().expect("a folder"), before);
        fs::remove_dir(top).expect("empty");
    }
}
