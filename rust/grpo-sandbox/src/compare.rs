//! Comparing what a program wrote with what it should have written.

/// When two outputs count as the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Comparator {
    /// The same lines, as [`outputs_match`] has it.
    #[default]
    Lines,
    /// The same bytes.
    Exact,
    /// The same words, however they are spaced and broken into lines.
    Tokens,
    /// The same words, where two finite decimal numbers may differ by `max(rel * |expected|, abs)`.
    /// Words such as `inf`, `nan` and `0x1f` are no numbers: they must be the same text.
    Floats {
        /// Tolerance as a part of the expected number.
        rel: f64,
        /// Tolerance whatever the number.
        abs: f64,
    },
}

impl Comparator {
    /// The comparator of this name (`lines`, `exact`, `tokens`, `floats`); `None` if there is no such one, or
    /// if a tolerance is negative or no number.
    pub fn from_name(name: &str, rel: f64, abs: f64) -> Option<Self> {
        match name {
            "lines" => Some(Self::Lines),
            "exact" => Some(Self::Exact),
            "tokens" => Some(Self::Tokens),
            "floats" => (rel >= 0.0 && abs >= 0.0).then_some(Self::Floats { rel, abs }),
            _ => None,
        }
    }

    /// Whether `actual` counts as `expected`. Takes time in proportion to their lengths.
    pub fn matches(self, actual: &[u8], expected: &[u8]) -> bool {
        match self {
            Self::Lines => outputs_match(actual, expected),
            Self::Exact => actual == expected,
            Self::Tokens => tokens(actual).eq(tokens(expected)),
            Self::Floats { rel, abs } => {
                let (mut actual, mut expected) = (tokens(actual), tokens(expected));
                loop {
                    match (actual.next(), expected.next()) {
                        (None, None) => return true,
                        (Some(a), Some(e)) if a == e || near(a, e, rel, abs) => {}
                        _ => return false,
                    }
                }
            }
        }
    }
}

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

fn tokens(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|token| !token.is_empty())
}

fn near(actual: &[u8], expected: &[u8], rel: f64, abs: f64) -> bool {
    let (Some(actual), Some(expected)) = (decimal(actual), decimal(expected)) else {
        return false;
    };
    (actual - expected).abs() <= (rel * expected.abs()).max(abs)
}

/// A finite number in decimal notation: `-1.5e-3`, `.5`, `2.`.
fn decimal(token: &[u8]) -> Option<f64> {
    let is_plain =
        token.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if !is_plain {
        return None;
    }
    let number: f64 = std::str::from_utf8(token).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}
