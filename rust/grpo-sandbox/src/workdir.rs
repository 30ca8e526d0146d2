//! The private directory of one run.

use std::{
    env, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::sys::process::private_directory;

/// Attempts at removing a directory in which killed processes may still be finishing a call.
const REMOVAL_ATTEMPTS: u32 = 5;
/// Between two attempts.
const REMOVAL_PAUSE: Duration = Duration::from_millis(20);

/// A directory of mode 0700 that holds the program and, beside it, the folder it may write to.
/// Removed when dropped.
pub(crate) struct WorkDir {
    root: PathBuf,
    pub(crate) program: PathBuf,
    pub(crate) scratch: PathBuf,
}

impl WorkDir {
    pub(crate) fn create(program: &str) -> io::Result<Self> {
        // Landlock's rules and the program's view of itself are about real paths.
        let root = private_directory(&env::temp_dir().canonicalize()?)?;
        let made = Self { program: root.join("program.py"), scratch: root.join("scratch"), root };
        fs::write(&made.program, program)?;
        fs::create_dir(&made.scratch)?;
        Ok(made)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        for attempt in 1..=REMOVAL_ATTEMPTS {
            match fs::remove_dir_all(&self.root) {
                Err(error)
                    if error.kind() != io::ErrorKind::NotFound && attempt < REMOVAL_ATTEMPTS =>
                {
                    unlock(&self.root);
                    thread::sleep(REMOVAL_PAUSE);
                }
                _ => return,
            }
        }
    }
}

/// Makes directories that the program left without permissions readable again, level by level.
fn unlock(root: &Path) {
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(entry.path());
            }
        }
    }
}
