//! Comparing what a program wrote with what it should have written.

/// Whether two outputs are the same text: line by line, after white space at the end of each line
/// and empty lines at the end of the text are dropped. Everything else counts, case and inner
/// spaces and the number of lines included.
///
/// ```
/// use grpo_sandbox::outputs_match;
/// assert!(outputs_match(b"1 2 \r\n3\n\n", b"1 2\n3"));
/// assert!(!outputs_match(b"1\n", b"1\n2\n")); // a correct prefix is not an answer
/// assert!(!outputs_match(b"1  2", b"1 2"));
/// ```
pub fn outputs_match(actual: &[u8], expected: &[u8]) -> bool {
    lines(actual).eq(lines(expected))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.trim_ascii_end().split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end)
}
