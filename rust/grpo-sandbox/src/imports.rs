//! Which modules a Python program imports, by a glance at its text.

use std::collections::HashSet;

/// The top-level names of the modules that `import` and `from` statements name, each once, in order of
/// appearance; those inside functions and conditions too, those in strings and comments not.
///
/// Meant for choosing an interpreter that has them loaded: what the glance misses, or sees where there is
/// none, costs time and nothing else. Relative imports and imports by function call are not looked for.
///
/// ```
/// use grpo_sandbox::python_imports;
/// assert_eq!(python_imports("import os.path as p, re\nfrom numpy.linalg import norm"), ["os", "re", "numpy"]);
/// ```
pub fn python_imports(source: &str) -> Vec<&str> {
    let mut scanner = Scanner { source, bytes: source.as_bytes(), at: 0 };
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    scanner.scan(&mut |name| {
        if seen.insert(name) {
            found.push(name);
        }
    });
    found
}

struct Scanner<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn scan(&mut self, found: &mut dyn FnMut(&'a str)) {
        let mut brackets = 0_usize;
        let mut begins_statement = true;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\x0c' | b'\r' => self.at += 1,
                b'\\' => self.at += 2,
                b'#' => self.skip_line(),
                b'\'' | b'"' => {
                    self.skip_string(byte);
                    begins_statement = false;
                }
                b'\n' | b';' | b':' => {
                    self.at += 1;
                    begins_statement = brackets == 0;
                }
                b'(' | b'[' | b'{' => {
                    self.at += 1;
                    brackets += 1;
                    begins_statement = false;
                }
                b')' | b']' | b'}' => {
                    self.at += 1;
                    brackets = brackets.saturating_sub(1);
                    begins_statement = false;
                }
                _ if is_name_byte(byte) => {
                    let word = self.name();
                    match word {
                        "import" if begins_statement => self.import(found),
                        "from" if begins_statement => self.from(found),
                        _ => {}
                    }
                    begins_statement = false;
                }
                _ => {
                    self.at += 1;
                    begins_statement = false;
                }
            }
        }
    }

    /// `a.b as c, d`.
    fn import(&mut self, found: &mut dyn FnMut(&'a str)) {
        loop {
            let Some(module) = self.module() else { return };
            found(module);
            self.skip_blanks();
            let before_alias = self.at;
            if self.name() == "as" {
                self.skip_blanks();
                self.name();
                self.skip_blanks();
            } else {
                self.at = before_alias;
            }
            if self.peek() != Some(b',') {
                return;
            }
            self.at += 1;
        }
    }

    /// `a.b import c`.
    fn from(&mut self, found: &mut dyn FnMut(&'a str)) {
        let Some(module) = self.module() else { return };
        self.skip_blanks();
        if self.name() == "import" {
            found(module);
        }
    }

    /// The first part of a dotted name, which is skipped.
    fn module(&mut self) -> Option<&'a str> {
        self.skip_blanks();
        let first = self.name();
        if first.is_empty() {
            return None;
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'.') {
                return Some(first);
            }
            self.at += 1;
            self.skip_blanks();
            self.name();
        }
    }

    fn name(&mut self) -> &'a str {
        let begin = self.at;
        while self.peek().is_some_and(is_name_byte) {
            self.at += 1;
        }
        self.source.get(begin..self.at).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' => self.at += 1,
                b'\\' if self.bytes.get(self.at + 1) == Some(&b'\n') => self.at += 2,
                _ => return,
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    fn skip_string(&mut self, quote: u8) {
        let is_triple = self.bytes[self.at..].starts_with(&[quote; 3]);
        self.at += if is_triple { 3 } else { 1 };
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => self.at += 2,
                b'\n' if !is_triple => return,
                _ if byte == quote && !is_triple => {
                    self.at += 1;
                    return;
                }
                _ if byte == quote && self.bytes[self.at..].starts_with(&[quote; 3]) => {
                    self.at += 3;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}
