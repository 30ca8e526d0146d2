//! Programs of other languages: how they are compiled, and how what comes of that is run.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process,
};

use crate::{Error, Language, interpreter};

/// What a compiler of the system's reads and executes. Nothing of `/etc`, `/home` or `/usr/local/bin`.
const SYSTEM: [&str; 11] = [
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/include",
];
/// The folders of a compiler that lies elsewhere.
const PREFIX: [&str; 5] = ["bin", "include", "lib", "lib64", "libexec"];
/// What a dynamically linked program is started by.
const LOADERS: [&str; 7] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-linux-riscv64-lp64d.so.1",
    "/lib64/ld64.so.2",
    "/lib/ld64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];
/// Of a virtual machine itself, beside the heap of the program that it runs.
const MACHINE_MB: u64 = 128;
/// A Java program's class, where none is found.
const DEFAULT_CLASS: &str = "Main";
/// Looked at for links that leave the folder of a Java installation.
const MAX_LINKS_DEPTH: usize = 3;
/// The last words of runtimes that are refused memory.
const OUT_OF_MEMORY: [&[u8]; 5] = [
    b"std::bad_alloc",
    b"java.lang.OutOfMemoryError",
    b"insufficient memory for the Java Runtime",
    b"JavaScript heap out of memory",
    b"memory allocation of ",
];

/// How programs of one language are compiled and run.
///
/// In commands and in the name of the source file, `{source}` stands for that file, `{memory_mb}` for
/// the memory limit, `{heap_mb}` for what it leaves to the heap of a virtual machine, and `{class}` and
/// `{main}` for the public class of a Java program and for the one with `main`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// By which programs name it; unique in a pool.
    pub name: String,
    /// The file that the program is put into.
    pub source_file: String,
    /// The compiler and its arguments; empty for none.
    pub compile: Vec<String>,
    /// Files that are kept of what the compiler makes, and are there when the program runs: names, or
    /// `*` and the end of names. Without a compiler the source file.
    pub outputs: Vec<String>,
    /// What runs the program: a binary, or one of the outputs, as `./program`.
    pub run: Vec<String>,
    /// Variables for both; `HOME` and `TMPDIR` are the folder of the run.
    pub environment: Vec<(String, String)>,
    /// Files and folders that the compiler may read and execute.
    pub compile_paths: Vec<PathBuf>,
    /// Files and folders that the program may read and execute, beside itself.
    pub run_paths: Vec<PathBuf>,
    /// Whether the memory that the program writes to is limited, and not its address space: for
    /// virtual machines, which reserve far more than they use.
    pub reserves: bool,
}

impl Toolchain {
    /// What this machine has for a language: C, C++, JavaScript, Rust or Java.
    ///
    /// # Errors
    /// [`Error::Interpreter`] if the language is unknown, or its tools are missing or are scripts.
    pub fn find(name: &str) -> Result<Self, Error> {
        match Language::from_name(name) {
            Some(Language::C) => native("c", "main.c", "gcc", "-std=gnu17"),
            Some(Language::Cpp) => native("cpp", "main.cpp", "g++", "-std=gnu++20"),
            Some(Language::JavaScript) => javascript(),
            Some(Language::Rust) => rust(),
            Some(Language::Java) => java(),
            Some(Language::Python) | None => Err(refused(
                name,
                "not one of the languages c, cpp, javascript, rust, java; describe another by a Language",
            )),
        }
    }

    /// One that the user describes: its binaries are found, and what starts them may be executed.
    ///
    /// # Errors
    /// [`Error::Interpreter`] if something is missing or cannot be.
    pub fn complete(mut self, paths: &[PathBuf]) -> Result<Self, Error> {
        let name = self.name.clone();
        let plain = |file: &str| {
            !file.is_empty() && !file.contains(['/', '\0']) && file != "." && file != ".."
        };
        if name.is_empty() || name == "python" {
            return Err(refused(&name, "a language needs a name of its own"));
        }
        if !plain(&self.source_file) || !self.outputs.iter().all(|file| plain(file)) {
            return Err(refused(
                &name,
                "source_file and outputs are names in one folder, without /",
            ));
        }
        if self.run.is_empty() {
            return Err(refused(&name, "run is empty: give the command that runs a program"));
        }
        if self.compile.is_empty() != self.outputs.is_empty() {
            return Err(refused(&name, "compile and outputs go together: give both, or neither"));
        }
        let made = |file: &str| match self.outputs.as_slice() {
            [] => file == self.source_file,
            outputs => outputs.iter().any(|output| {
                output.strip_prefix('*').map_or(output == file, |end| file.ends_with(end))
            }),
        };
        if let Some(file) = self.run[0].strip_prefix("./").filter(|file| !made(file)) {
            return Err(refused(
                &name,
                &format!("run begins with ./{file}, which is not among outputs"),
            ));
        }
        if let Some(missing) = paths.iter().find(|path| !path.is_absolute() || !path.exists()) {
            let missing = missing.display();
            return Err(refused(
                &name,
                &format!("{missing}: not an absolute path of something there"),
            ));
        }
        for (command, allowed) in
            [(&mut self.compile, &mut self.compile_paths), (&mut self.run, &mut self.run_paths)]
        {
            allowed.extend(LOADERS.iter().map(PathBuf::from));
            allowed.extend_from_slice(paths);
            if let Some(first) = command.first_mut().filter(|first| !first.starts_with("./")) {
                let path = interpreter::executable(first)?;
                // A binary with many names (busybox) looks at the one it is called by.
                if !first.contains('/') {
                    *first = path.to_string_lossy().into_owned();
                }
                // Both, for the links on the way to it.
                allowed.extend([PathBuf::from(&*first), path]);
            }
        }
        Ok(self)
    }

    /// Everything that must be visible where its programs run.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.compile_paths.iter().chain(&self.run_paths)
    }

    /// The name of the file for a program's source.
    pub(crate) fn file_of(&self, source: &str) -> String {
        filled(&self.source_file, &[("{class}", &classes(source, &self.source_file).0)])
    }

    /// A command of this toolchain's for a program.
    pub(crate) fn command(&self, words: &[String], source: &str, memory_bytes: u64) -> Vec<String> {
        let memory = memory_bytes >> 20;
        let heap = memory.saturating_sub(MACHINE_MB).max(memory / 2);
        let (class, main) = classes(source, &self.source_file);
        let file = self.file_of(source);
        let values = [
            ("{source}", file.as_str()),
            ("{class}", class.as_str()),
            ("{main}", main.as_str()),
            ("{memory_mb}", &memory.to_string()),
            ("{heap_mb}", &heap.to_string()),
        ];
        words.iter().map(|word| filled(word, &values)).collect()
    }
}

/// Whether a runtime's last words are that it was refused memory. They are the program's to write,
/// and decide only how its failure is called.
pub(crate) fn is_out_of_memory(stderr: &[u8]) -> bool {
    OUT_OF_MEMORY.iter().any(|words| memchr::memmem::find(stderr, words).is_some())
}

fn refused(name: &str, reason: &str) -> Error {
    Error::Interpreter { path: name.into(), reason: reason.into() }
}

fn filled(word: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(word.to_owned(), |word, (place, value)| word.replace(place, value))
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn loaders() -> Vec<PathBuf> {
    LOADERS.iter().map(PathBuf::from).collect()
}

/// A binary by one of its names, with what to do where there is none.
fn tool(language: &str, names: &[&str], remedy: &str) -> Result<PathBuf, Error> {
    let mut last = None;
    for name in names {
        match interpreter::executable(name) {
            Ok(path) => return Ok(path),
            Err(error) => last = last.or(Some(error)),
        }
    }
    let why = last.map(|error| error.to_string()).unwrap_or_default();
    Err(refused(language, &format!("{why}; {remedy}")))
}

/// What a compiler needs: the system's files, and its own where it lies elsewhere.
fn compiler_paths(compiler: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    let prefix = compiler.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    if prefix != Path::new("/usr") && prefix != Path::new("/") {
        paths.extend(PREFIX.iter().map(|folder| prefix.join(folder)));
        // Of cross compilers and conda: `x86_64-conda-linux-gnu`.
        let entries = fs::read_dir(prefix).into_iter().flatten().flatten();
        let targets = entries.map(|entry| entry.path()).filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().contains("-linux-"))
        });
        paths.extend(targets);
    }
    paths
}

fn c_compiler(language: &str, name: &str) -> Result<PathBuf, Error> {
    let (clang, generic) = if name == "g++" { ("clang++", "c++") } else { ("clang", "cc") };
    let remedy =
        format!("install {name}, or describe the language by a Language with a compiler's path");
    let path = tool(language, &[name, clang, generic], &remedy)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    // ccache and distcc answer to the compiler's name by a link, and keep files elsewhere.
    if ["gcc", "g++", "clang", "c++"].iter().any(|known| file.contains(known)) {
        Ok(path)
    } else {
        let path = path.display();
        Err(refused(
            language,
            &format!("{path} wraps a compiler; put the compiler before it in PATH"),
        ))
    }
}

const COMPILER_ENVIRONMENT: [(&str, &str); 2] = [("PATH", "/usr/bin:/bin"), ("LC_ALL", "C.UTF-8")];

fn environment(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = COMPILER_ENVIRONMENT.iter().chain(more);
    all.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn native(name: &str, source: &str, compiler: &str, standard: &str) -> Result<Toolchain, Error> {
    let compiler = c_compiler(name, compiler)?;
    let path = compiler.to_string_lossy();
    let compile = [
        &path,
        "-O2",
        standard,
        "-w",
        "-fdiagnostics-color=never",
        "-o",
        "program",
        "{source}",
        "-lm",
    ];
    Ok(Toolchain {
        name: name.into(),
        source_file: source.into(),
        compile: strings(&compile),
        outputs: strings(&["program"]),
        run: strings(&["./program"]),
        environment: environment(&[]),
        compile_paths: compiler_paths(&compiler),
        run_paths: loaders(),
        reserves: false,
    })
}

fn rust() -> Result<Toolchain, Error> {
    let refuse = |reason: &str| refused("rust", reason);
    // What is in PATH is rustup's proxy as a rule, which looks for the real one in the user's home.
    let answer = process::Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir("/")
        .stdin(process::Stdio::null())
        .output()
        .map_err(|error| {
            refuse(&format!("rustc: {error}; install Rust, or put rustc into PATH"))
        })?;
    let root = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
    if !answer.status.success() || !root.is_absolute() {
        let why = String::from_utf8_lossy(&answer.stderr);
        return Err(refuse(&format!("rustc does not tell its sysroot: {}", why.trim())));
    }
    let compiler = interpreter::executable(&root.join("bin/rustc").to_string_lossy())?;
    let linker = c_compiler("rust", "gcc")?;
    let link = format!("linker={}", linker.display());
    let compile = [
        &compiler.to_string_lossy(),
        "--edition=2021",
        "--crate-name=program",
        "--crate-type=bin",
        "--cap-lints=allow",
        "--color=never",
        "-Copt-level=2",
        "-Ccodegen-units=1",
        "-Cstrip=symbols",
        "-C",
        &link,
        "-o",
        "program",
        "{source}",
    ];
    let mut compile_paths = compiler_paths(&linker);
    compile_paths.extend(["bin", "lib", "libexec"].map(|folder| root.join(folder)));
    Ok(Toolchain {
        name: "rust".into(),
        source_file: "main.rs".into(),
        compile: strings(&compile),
        outputs: strings(&["program"]),
        run: strings(&["./program"]),
        environment: environment(&[]),
        compile_paths,
        run_paths: loaders(),
        reserves: false,
    })
}

fn javascript() -> Result<Toolchain, Error> {
    let remedy = "install Node.js, or put its binary (not a script that looks for it) into PATH";
    let node = tool("javascript", &["node", "nodejs"], remedy)?;
    let mut run_paths = loaders();
    run_paths.push(node.clone());
    // Debian keeps parts of its library there.
    run_paths.extend(["/usr/share/nodejs", "/usr/share/node_modules"].map(PathBuf::from));
    let run = [
        &node.to_string_lossy(),
        "--max-old-space-size={heap_mb}",
        // Of the 8 MiB that the main thread has.
        "--stack-size=6000",
        "{source}",
    ];
    Ok(Toolchain {
        name: "javascript".into(),
        source_file: "main.js".into(),
        compile: Vec::new(),
        outputs: Vec::new(),
        run: strings(&run),
        // io_uring is a call that ends the program.
        environment: environment(&[("UV_USE_IO_URING", "0")]),
        compile_paths: Vec::new(),
        run_paths,
        reserves: true,
    })
}

fn java() -> Result<Toolchain, Error> {
    let remedy = "install a JDK, or put its javac (not a script that looks for it) into PATH";
    let chosen = env::var("JAVA_HOME").ok().map(|home| format!("{home}/bin/javac"));
    let names: Vec<&str> = chosen.as_deref().into_iter().chain(["javac"]).collect();
    let compiler = tool("java", &names, remedy)?;
    let home = compiler.parent().and_then(Path::parent).unwrap_or(Path::new("/")).to_owned();
    let machine = interpreter::executable(&home.join("bin/java").to_string_lossy())?;
    let compile = [
        &compiler.to_string_lossy(),
        "-J-Xmx1g",
        "-J-Xss8m",
        "-J-XX:+UseSerialGC",
        "-J-XX:TieredStopAtLevel=1",
        "-J-XX:-UsePerfData",
        "-proc:none",
        "-nowarn",
        "-encoding",
        "UTF-8",
        "{source}",
    ];
    let run = [
        &machine.to_string_lossy(),
        "-Xmx{heap_mb}m",
        "-Xss8m",
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",
        "-XX:-UseContainerSupport",
        "-XX:ErrorFile=/dev/null",
        // What the machine has to say would otherwise stand in the program's output.
        "-Xlog:disable",
        "-XX:+DisplayVMOutputToStderr",
        "-Djava.io.tmpdir=.",
        "-Dfile.encoding=UTF-8",
        "-Dstdout.encoding=UTF-8",
        "-Dstderr.encoding=UTF-8",
        "-cp",
        ".",
        "{main}",
    ];
    let mut run_paths = loaders();
    run_paths.extend(links_out_of(&home));
    run_paths.push(home);
    Ok(Toolchain {
        name: "java".into(),
        source_file: "{class}.java".into(),
        compile: strings(&compile),
        outputs: strings(&["*.class"]),
        run: strings(&run),
        environment: environment(&[]),
        compile_paths: run_paths.clone(),
        run_paths,
        reserves: true,
    })
}

/// The folders of files that an installation has links to: Debian keeps its settings in `/etc`.
fn links_out_of(home: &Path) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<(PathBuf, usize)> =
        ["conf", "lib"].map(|name| (home.join(name), 0)).into();
    while let Some((folder, depth)) = pending.pop() {
        if let Some(outside) = folder.canonicalize().ok().filter(|real| !real.starts_with(home)) {
            found.insert(outside);
            continue;
        }
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < MAX_LINKS_DEPTH {
                pending.push((entry.path(), depth + 1));
            } else if kind.is_symlink()
                && let Ok(target) = entry.path().canonicalize()
                && !target.starts_with(home)
                && target.is_file()
            {
                found.insert(target);
            }
        }
    }
    found.into_iter().collect()
}

/// The class that names a Java file, and the one with `main`; both are what the text says, found by
/// looking and not by parsing: the compiler has the last word.
fn classes(source: &str, source_file: &str) -> (String, String) {
    if !source_file.contains("{class}") {
        return (String::new(), String::new());
    }
    let words = java_words(source);
    let (mut depth, mut public, mut first, mut with_main) = (0_usize, None, None, None);
    let (mut current, mut is_public) = (None::<&str>, false);
    for (index, word) in words.iter().enumerate() {
        match *word {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            ";" if depth == 0 => is_public = false,
            "public" if depth == 0 => is_public = true,
            "class" | "interface" | "enum" | "record" if depth == 0 => {
                let name = words.get(index + 1).copied().filter(|name| is_identifier(name));
                if let Some(name) = name {
                    current = Some(name);
                    first = first.or(current);
                    if is_public {
                        public = public.or(current);
                    }
                    is_public = false;
                }
            }
            "main" if depth == 1 && index > 0 && words[index - 1] == "void" => {
                with_main = with_main.or(current);
            }
            _ => {}
        }
    }
    let main = with_main.or(public).or(first).unwrap_or(DEFAULT_CLASS);
    (public.unwrap_or(main).to_owned(), main.to_owned())
}

/// A Java identifier that can be a file's name everywhere.
fn is_identifier(word: &str) -> bool {
    word.len() <= 200
        && word.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !word.starts_with(|c: char| c.is_ascii_digit())
}

/// Words and marks, without comments and literals.
fn java_words(source: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let size = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else if let Some(text) = rest.strip_prefix("\"\"\"") {
            text.find("\"\"\"").map_or(rest.len(), |end| end + 6)
        } else if first == '"' || first == '\'' {
            literal_size(rest, first)
        } else if word(first) {
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (taken, left) = rest.split_at(size);
        if word(first) || matches!(first, '{' | '}' | ';') {
            words.push(taken);
        }
        rest = left;
    }
    words
}

fn literal_size(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn java_classes(source: &str) -> (String, String) {
        classes(source, "{class}.java")
    }

    fn pair(class: &str, main: &str) -> (String, String) {
        (class.into(), main.into())
    }

    #[test]
    fn a_java_file_is_named_after_its_public_class() {
        let main = "public static void main(String[] a) {}";
        let cases = [
            (format!("public class Solution {{ {main} }}"), pair("Solution", "Solution")),
            (format!("class A {{ {main} }} public class B {{ }}"), pair("B", "A")),
            (format!("class A {{ }} class B {{ int f() {{ return 1; }} {main} }}"), pair("B", "B")),
            (
                format!(
                    "// public class X\n/* public class Y */ class Z {{ String s = \"public class {{\"; {main} }}"
                ),
                pair("Z", "Z"),
            ),
            (
                format!("import a.b; public final class C<T> {{ class Inner {{ }} {main} }}"),
                pair("C", "C"),
            ),
            ("char c = '\"'; class D { char q = '\\''; }".into(), pair("D", "D")),
            (String::new(), pair("Main", "Main")),
            ("public class ../../x {}".into(), pair("x", "x")),
            ("\"\"\" public class E {".into(), pair("Main", "Main")),
        ];
        for (source, expected) in cases {
            assert_eq!(java_classes(&source), expected, "{source}");
        }
    }

    #[test]
    fn commands_are_filled_in() {
        let toolchain = Toolchain {
            name: "x".into(),
            source_file: "a.x".into(),
            compile: Vec::new(),
            outputs: Vec::new(),
            run: strings(&["/bin/x", "-m{memory_mb}", "-h{heap_mb}", "{source}"]),
            environment: Vec::new(),
            compile_paths: Vec::new(),
            run_paths: Vec::new(),
            reserves: false,
        };
        let command = |memory| toolchain.command(&toolchain.run, "", memory);
        assert_eq!(command(512 << 20), ["/bin/x", "-m512", "-h384", "a.x"]);
        assert_eq!(command(64 << 20), ["/bin/x", "-m64", "-h32", "a.x"]);
    }

    #[test]
    fn a_described_language_is_checked() {
        let toolchain = |run: &[&str], outputs: &[&str]| {
            Toolchain {
                name: "x".into(),
                source_file: "a.x".into(),
                compile: Vec::new(),
                outputs: strings(outputs),
                run: strings(run),
                environment: Vec::new(),
                compile_paths: Vec::new(),
                run_paths: Vec::new(),
                reserves: false,
            }
            .complete(&[])
        };
        assert!(toolchain(&[], &[]).is_err());
        assert!(toolchain(&["./x"], &["x"]).is_err(), "outputs of no compiler");
        assert!(toolchain(&["/no/such/binary"], &[]).is_err());
        assert!(toolchain(&["./x"], &[]).is_err(), "nothing makes it");
        assert!(toolchain(&["./a.x"], &[]).is_ok());
    }
}
