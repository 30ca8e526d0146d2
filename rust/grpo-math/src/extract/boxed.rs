//! `\boxed{..}`: the last balanced box of a text.

use std::ops::Range;

use memchr::{memchr3_iter, memmem};

const COMMANDS: [&str; 2] = ["\\boxed", "\\fbox"];

/// The contents of the box that closes last, so of nested boxes the outer one. Unclosed boxes are
/// none.
///
/// One forward pass from the first box on, with a stack of open braces: linear even on a reply that
/// is nothing but `\boxed{\boxed{\boxed{`.
pub(super) fn last(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let first = COMMANDS.iter().filter_map(|c| memmem::find(bytes, c.as_bytes())).min()?;
    let mut open = Vec::new(); // (where the contents begin, is it a box)
    let mut pending = None; // a box command whose brace comes at this offset
    let mut found = None;
    let mut resume = first;
    for at in memchr3_iter(b'\\', b'{', b'}', &bytes[first..]).map(|at| first + at) {
        if at < resume {
            continue; // the second half of an escape, or inside a bare argument
        }
        match bytes[at] {
            b'\\' => {
                let escape = matches!(bytes.get(at + 1), Some(b'{' | b'}'));
                resume = at + 1 + usize::from(escape);
                let Some(after) = command(&text[at..]).map(|length| at + length) else {
                    continue;
                };
                let argument = after + spaces(&bytes[after..]);
                if bytes.get(argument) == Some(&b'{') {
                    pending = Some(argument);
                } else if let Some(range) = bare(text, argument) {
                    resume = range.end;
                    found = Some(range);
                }
            }
            b'{' => open.push((at + 1, pending == Some(at))),
            _ => {
                if let Some((start, true)) = open.pop() {
                    found = Some(start..at);
                }
            }
        }
    }
    found.map(|range| super::trim(text, range))
}

/// The length of the box command that `text` starts with.
fn command(text: &str) -> Option<usize> {
    let name = COMMANDS.iter().find(|name| text.starts_with(**name))?;
    let letter_follows = text.as_bytes().get(name.len()).is_some_and(u8::is_ascii_alphabetic);
    (!letter_follows).then_some(name.len())
}

/// The argument of `\boxed 5` or `\boxed\frac12$`: up to white space, a dollar sign or a brace that
/// closes.
fn bare(text: &str, start: usize) -> Option<Range<usize>> {
    let mut depth = 0_usize;
    let length = text[start..].find(|c: char| {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return true,
            '}' => depth -= 1,
            _ => {}
        }
        c.is_whitespace() || c == '$'
    });
    let argument = &text[start..start + length.unwrap_or(text.len() - start)];
    let argument = argument.trim_end_matches(['.', ',', ';', ':', '!']);
    (!argument.is_empty()).then_some(start..start + argument.len())
}

fn spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}
