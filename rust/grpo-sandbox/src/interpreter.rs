//! The command that runs a program, and what it must be able to read.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
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

/// How much of the executable is searched for its headers.
const HEADER_BYTES: u64 = 1 << 20;

/// Restores what `-S` takes away and programs use (`exit`, `quit`), then runs the program as
/// `__main__`. The two extra frames are given back to the recursion limit.
const PYTHON_BOOT: &str = "\
def _boot(names):
    import _sitebuiltins, builtins, sys
    for name in ('exit', 'quit'):
        setattr(builtins, name, _sitebuiltins.Quitter(name, 'Ctrl-D'))
    sys.path[:] = [path for path in sys.path if path]
    sys.argv = sys.argv[1:]
    sys.setrecursionlimit(sys.getrecursionlimit() + 2)
    with open(sys.argv[0], 'rb') as file:
        code = compile(file.read(), sys.argv[0], 'exec', dont_inherit=True)
    del names['_boot']
    names['__file__'] = sys.argv[0]
    exec(code, names)
_boot(globals())
";

/// A command that takes the path of a program as its last argument.
///
/// Symbolic links are followed once, here, so that a `venv` runs the interpreter it points to.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(all(target_os = "linux", target_pointer_width = "64")),
    expect(dead_code, reason = "nothing is run there")
)]
pub struct Interpreter {
    pub(crate) executable: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<&'static str, OsString>,
    pub(crate) readable: Vec<PathBuf>,
    pub(crate) loader: Option<PathBuf>,
}

impl Interpreter {
    /// Any interpreter, as a command line: `["/usr/bin/python3", "-I", "-S", "-B"]`. A first element
    /// without a slash is looked up in `PATH`. The program's environment is empty.
    ///
    /// # Errors
    /// [`Error::Interpreter`] if the command is missing, or is a script: shims (pyenv, asdf) start a
    /// shell, which the sandbox does not let them do. Give `sys.executable` instead.
    pub fn new<S: AsRef<str>>(command: &[S]) -> Result<Self, Error> {
        let (name, arguments) = command.split_first().ok_or_else(|| Error::Interpreter {
            path: String::new(),
            reason: "the command is empty".into(),
        })?;
        let name = name.as_ref();
        let refuse = |reason: String| Error::Interpreter { path: name.into(), reason };
        let executable = find(name)
            .ok_or_else(|| refuse("there is no such file".into()))?
            .canonicalize()
            .map_err(|error| refuse(error.to_string()))?;
        let mut image = Vec::new();
        fs::File::open(&executable)
            .and_then(|file| file.take(HEADER_BYTES).read_to_end(&mut image))
            .map_err(|error| refuse(error.to_string()))?;
        if cfg!(target_os = "linux") && !image.starts_with(b"\x7fELF") {
            return Err(refuse(
                "not a binary but a script or a shim; give the path in sys.executable".into(),
            ));
        }
        let mut readable: Vec<PathBuf> = SYSTEM_PATHS.iter().map(PathBuf::from).collect();
        if let Some(prefix) = executable.parent().and_then(Path::parent) {
            readable.extend([prefix.join("lib"), prefix.join("lib64")]);
        }
        Ok(Self {
            loader: elf_loader(&image).and_then(|path| path.canonicalize().ok()),
            executable,
            arguments: arguments.iter().map(|argument| argument.as_ref().to_owned()).collect(),
            environment: BTreeMap::new(),
            readable,
        })
    }

    /// `CPython`, as programs expect it: standard library only, UTF-8, `exit()` and `quit()` present,
    /// a fixed hash seed so that the order of a set is the same in every run.
    ///
    /// # Errors
    /// As [`Interpreter::new`].
    pub fn python(executable: &str) -> Result<Self, Error> {
        let mut python = Self::new(&[executable, "-s", "-S", "-B", "-c", PYTHON_BOOT])?;
        python.environment =
            BTreeMap::from([("PYTHONHASHSEED", "0".into()), ("PYTHONUTF8", "1".into())]);
        Ok(python)
    }

    /// Lets programs read one more file, or everything beneath one more directory. What is there can
    /// reach the program's output, so never name a directory that holds tests or secrets.
    #[must_use]
    pub fn allow_read(mut self, path: impl Into<PathBuf>) -> Self {
        self.readable.push(path.into());
        self
    }

    /// Lets Python programs import from a `site-packages`, numpy for one, which then keeps to one thread:
    /// a thread of `OpenBLAS` reserves more address space than most limits allow.
    #[must_use]
    pub fn with_packages(mut self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        self.environment.insert("PYTHONPATH", folder.clone().into());
        self.environment.insert("OPENBLAS_NUM_THREADS", "1".into());
        self.environment.insert("OMP_NUM_THREADS", "1".into());
        self.allow_read(folder)
    }

    /// The file that is executed.
    pub fn executable(&self) -> &Path {
        &self.executable
    }
}

fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(name.into()).filter(|path: &PathBuf| path.is_file());
    }
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The dynamic loader a 64-bit little-endian ELF file asks for (`PT_INTERP`), which needs the
/// right to be executed just as the file itself does.
fn elf_loader(image: &[u8]) -> Option<PathBuf> {
    const PT_INTERP: u64 = 3;
    let number = |offset: usize, size: usize| -> Option<usize> {
        let bytes = image.get(offset..offset.checked_add(size)?)?;
        let value = bytes.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        usize::try_from(value).ok()
    };
    let (table, entry_size, entries) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let header = (0..entries)
        .filter_map(|index| table.checked_add(index * entry_size))
        .find(|&header| number(header, 4).is_some_and(|kind| kind as u64 == PT_INTERP))?;
    let (start, size) = (number(header.checked_add(8)?, 8)?, number(header.checked_add(32)?, 8)?);
    let name = image.get(start..start.checked_add(size)?)?.split(|&byte| byte == 0).next()?;
    Some(PathBuf::from(std::str::from_utf8(name).ok()?))
}
