//! Finding the interpreter and what it must be able to read.

use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
};

use crate::Error;

/// Where a dynamically linked interpreter finds its libraries, its clock's zone and nothing private.
const SYSTEM_PATHS: [&str; 10] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/openssl.cnf",
    "/nix/store",
];

/// The first bytes of a 64-bit executable.
const ELF: [u8; 4] = *b"\x7fELF";

/// A `CPython` that the compiled module can be loaded into.
///
/// Symbolic links are followed once, here, so that a `venv` runs the interpreter it points to.
#[derive(Clone, Debug)]
pub struct Interpreter {
    pub(crate) executable: PathBuf,
    pub(crate) readable: Vec<PathBuf>,
}

impl Interpreter {
    /// The interpreter at a path; a name without a slash is looked up in `PATH`.
    ///
    /// # Errors
    /// [`Error::Interpreter`] if the file is missing, or is a script: shims (pyenv, asdf) start a
    /// shell, which the sandbox does not let them do. Give `sys.executable` instead.
    pub fn python(name: &str) -> Result<Self, Error> {
        let executable = executable(name)?;
        let mut readable: Vec<PathBuf> = SYSTEM_PATHS.iter().map(PathBuf::from).collect();
        if let Some(prefix) = executable.parent().and_then(Path::parent) {
            readable.extend([prefix.join("lib"), prefix.join("lib64")]);
        }
        readable.push(executable.clone());
        Ok(Self { executable, readable })
    }

    /// Lets programs read one more file, or everything beneath one more directory. What is there can
    /// reach the program's output, so never name a directory that holds tests or secrets.
    #[must_use]
    pub fn allow_read(mut self, path: impl Into<PathBuf>) -> Self {
        self.readable.push(path.into());
        self
    }

    /// The file that is executed.
    pub fn executable(&self) -> &Path {
        &self.executable
    }
}

/// The real path of a command that is a binary.
pub(crate) fn executable(name: &str) -> Result<PathBuf, Error> {
    let refuse = |reason: String| Error::Interpreter { path: name.into(), reason };
    let path = find(name)
        .ok_or_else(|| refuse("there is no such file".into()))?
        .canonicalize()
        .map_err(|error| refuse(error.to_string()))?;
    let mut start = [0; ELF.len()];
    fs::File::open(&path)
        .and_then(|mut file| file.read_exact(&mut start))
        .map_err(|error| refuse(error.to_string()))?;
    if cfg!(target_os = "linux") && start != ELF {
        return Err(refuse(
            "not a binary but a script or a shim; give the path in sys.executable".into(),
        ));
    }
    Ok(path)
}

fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(name.into()).filter(|path: &PathBuf| path.is_file());
    }
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
