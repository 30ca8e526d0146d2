//! The last number of a text, with its sign, grouping and fraction.

use std::ops::Range;

use super::anchor::line_of;
use super::trim;

/// What may join two groups of digits, beside a plain `,`.
const JOINTS: [&str; 8] = ["{,}\\!", ",\\!", "{,}", "\\,", "\\!", "\u{a0}", "\u{2009}", "\u{202f}"];

/// What encloses mathematics on a line.
const DELIMITERS: [(&str, &str); 5] =
    [("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("`", "`")];

/// The last number of a text. A digit that is part of something larger (`H2O`, `5x`, `10^{3}`,
/// `2020-05-06`) widens to the formula or word it stands in, which the reader may then refuse:
/// half of an expression must never pass for its value.
pub(super) fn last(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let last_digit = bytes.iter().rposition(u8::is_ascii_digit)?;
    let mut start = start_of(text, last_digit);
    let mut end = last_digit + 1;
    if start > 1 && bytes[start - 1] == b'/' && bytes[start - 2].is_ascii_digit() {
        start = start_of(text, start - 2);
        start = whole_part(bytes, start).unwrap_or(start);
    }
    if is_glued(text, start, end) {
        return Some(enclosing(text, start, end));
    }
    start = sign(text, start);
    for percent in ["%", "\\%", " %"] {
        if text[end..].starts_with(percent) {
            end += percent.len();
        }
    }
    Some(alternatives(text, start).unwrap_or(start)..end)
}

/// The start of the digits, points and separators that end at the digit `at`.
fn start_of(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let digit_before = |at: usize| at > 0 && bytes[at - 1].is_ascii_digit();
    let mut start = at;
    loop {
        let before = &text.as_bytes()[..start];
        start -= match before {
            [.., b'0'..=b'9'] => 1,
            [.., b'0'..=b'9', b',' | b'.' | b'e' | b'E'] => 2,
            [.., b'0'..=b'9', b'e' | b'E', b'-' | b'+'] => 3,
            [.., b'.'] if !before[..start - 1].last().is_some_and(u8::is_ascii_alphanumeric) => {
                // ".5", but not the dots of an ellipsis.
                return start - usize::from(!before[..start - 1].ends_with(b"."));
            }
            _ => match JOINTS.iter().find(|j| before.ends_with(j.as_bytes())) {
                Some(joint) if digit_before(start - joint.len()) => joint.len(),
                _ => return start,
            },
        };
    }
}

/// The start of `1` in `1 1/2`.
fn whole_part(bytes: &[u8], fraction: usize) -> Option<usize> {
    let before = bytes[..fraction].strip_suffix(b" ")?;
    let digits = before.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let start = before.len() - digits;
    (digits > 0 && before[..start].last().is_none_or(u8::is_ascii_whitespace)).then_some(start)
}

/// Whether the number is part of a word, a formula, a range, a ratio or a date.
fn is_glued(text: &str, start: usize, end: usize) -> bool {
    let (before, after) = (&text[..start], &text[end..]);
    let behind_digit = |mark: char| {
        let before = before.strip_suffix(mark);
        before.is_some_and(|b| b.ends_with(|c: char| c.is_alphanumeric() || c == ')' || c == '}'))
    };
    before.ends_with(|c: char| in_word(c) || matches!(c, '^' | '_' | '{' | '\\'))
        || ['-', '−', '–', '+', '*', '/', ':', '^'].into_iter().any(behind_digit)
        || after.starts_with(|c: char| in_word(c) || matches!(c, '}' | '^' | '!' | '_' | '°'))
}

/// A letter, or a digit such as `½`, of a script that puts spaces between words; `是5` is no word.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{2e80}'
}

/// The mathematics around `start..end` on its line, or the run between white space.
fn enclosing(text: &str, start: usize, end: usize) -> Range<usize> {
    let line = line_of(text.as_bytes(), end);
    for (open, close) in DELIMITERS {
        let inside = |at: usize| text[line.start..at].matches(open).count();
        if let Some(left) = text[line.start..start].rfind(open)
            && let Some(right) = text[end..line.end].find(close)
            && (open != close || inside(start) % 2 == 1)
        {
            return trim(text, line.start + left + open.len()..end + right);
        }
    }
    let left = text[line.start..start].rfind(char::is_whitespace).map_or(line.start, |at| {
        let at = line.start + at;
        at + text[at..].chars().next().map_or(0, char::len_utf8)
    });
    let right = text[end..line.end].find(char::is_whitespace).map_or(line.end, |at| end + at);
    left..left + text[left..right].trim_end_matches(['.', ',', ';', ':', ')', '*', '<']).len()
}

/// Moves over a currency sign and a minus that stand before the number.
fn sign(text: &str, start: usize) -> usize {
    let mut at = start;
    for currency in ["\\$", "$", "€", "£", "¥"] {
        if text[..at].ends_with(currency) {
            at -= currency.len();
        }
    }
    let Some(minus) = ["-", "−"].into_iter().find(|minus| text[..at].ends_with(minus)) else {
        return start;
    };
    at -= minus.len();
    // "16 -3" subtracts; "= -3" and "of -3" have a sign.
    let operand = |c: char| c.is_ascii_digit() || matches!(c, ')' | ']' | '}' | '%');
    if text[..at].trim_end().ends_with(operand) || text[..at].ends_with(char::is_alphanumeric) {
        start
    } else {
        at
    }
}

/// The start of the first alternative, if the number is the second of "5 or 6": the model must
/// commit.
fn alternatives(text: &str, start: usize) -> Option<usize> {
    let before = text[..start].trim_end_matches(['$', '*', '\\', ' ']).strip_suffix("or")?;
    let before = before.strip_suffix([' ', '{', '/'])?.trim_end_matches(['$', '*', ' ', '%']);
    let digit = before.len().checked_sub(1).filter(|at| before.as_bytes()[*at].is_ascii_digit())?;
    Some(start_of(text, digit))
}
