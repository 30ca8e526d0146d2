//! The last number of a text, with its sign, grouping and fraction, and the terms around it.

use std::ops::Range;

use super::text::{self, line_of, trim};

/// What may join two groups of digits, beside a plain `,`.
const JOINTS: [&str; 8] = ["{,}\\!", ",\\!", "{,}", "\\,", "\\!", "\u{a0}", "\u{2009}", "\u{202f}"];

/// What encloses mathematics on a line.
const DELIMITERS: [(&str, &str); 5] =
    [("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("`", "`")];

/// What may stand between two terms in prose; an equals sign starts a new value.
const OPERATORS: [&str; 22] = [
    "<=", ">=", "!=", "≤", "≥", "≠", "<", ">", "+", "-", "−", "*", "/", "×", "·", "÷", "^", "∪",
    "∩", "±", "\\cup", "\\times",
];

/// Words of two letters, which are no products of variables.
const SHORT: &str = "of in an at by on to is as if so we he it no do my up us be go me am";

/// What denies the number after it.
const DENIALS: [&str; 8] = ["not", "n't", "n’t", "never", "≠", "\\neq", "\\ne", "不是"];

/// How far from the number its expression may begin and end.
const MAX_REACH: usize = 200;

/// The last number of a text. A digit that is part of something larger (`H2O`, `5x`, `10^{3}`,
/// `2x + 3`, `(1, 2)`, `2020-05-06`) widens to the formula or word it stands in, which the reader may
/// then refuse: half of an expression must never pass for its value.
pub(super) fn last(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let last_digit = bytes.iter().rposition(u8::is_ascii_digit)?;
    let mut start = fraction(text, start_of(text, last_digit));
    let mut end = last_digit + 1;
    if is_glued(text, start, end) {
        let (range, delimited) = enclosing(text, start, end);
        return Some(if delimited { range } else { terms(text, range) });
    }
    start = sign(text, start);
    for percent in ["%", "\\%", " %", " percent", " pct"] {
        if text[end..].starts_with(percent) {
            end += percent.len();
        }
    }
    let range = terms(text, group(text, start..end).unwrap_or(start..end));
    let start = alternatives(text, range.start).unwrap_or(range.start);
    Some(denied(text, start).unwrap_or(start)..range.end)
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

/// The start of the fraction or mixed number of which the last number starts at `denominator`.
fn fraction(text: &str, denominator: usize) -> usize {
    let bytes = text.as_bytes();
    match &bytes[..denominator] {
        [.., digit, b'/'] if digit.is_ascii_digit() => {
            let start = start_of(text, denominator - 2);
            whole_part(bytes, start).unwrap_or(start)
        }
        _ => denominator,
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
    before.ends_with(|c: char| in_word(c) || matches!(c, '^' | '_' | '{' | '\\' | '√'))
        || ['-', '−', '–', '+', '*', '/', ':', '^'].into_iter().any(behind_digit)
        || after.starts_with(|c: char| in_word(c) || matches!(c, '}' | '^' | '!' | '_' | '°'))
}

/// A letter, or a digit such as `½`, of a script that puts spaces between words; `是5` is no word.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{2e80}'
}

/// The mathematics around `start..end` on its line (then it has delimiters), or the run between
/// white space.
fn enclosing(text: &str, start: usize, end: usize) -> (Range<usize>, bool) {
    let line = line_of(text, end);
    for (open, close) in DELIMITERS {
        let inside = |at: usize| text[line.start..at].matches(open).count();
        if let Some(left) = text[line.start..start].rfind(open)
            && let Some(right) = text[end..line.end].find(close)
            && (open != close || inside(start) % 2 == 1)
        {
            return (trim(text, line.start + left + open.len()..end + right), true);
        }
    }
    let left = text[line.start..start].rfind(char::is_whitespace).map_or(line.start, |at| {
        let at = line.start + at;
        at + text[at..].chars().next().map_or(0, char::len_utf8)
    });
    let right = text[end..line.end].find(char::is_whitespace).map_or(line.end, |at| end + at);
    let run = &text[left..right];
    let run = run.trim_end_matches(['.', ',', ';', ':', '*', '<']);
    // "(see H2O)": the parenthesis opened before.
    let opens = run.matches('(').count();
    let run = if run.matches(')').count() > opens { run.trim_end_matches([')', '.']) } else { run };
    (left..left + run.len(), false)
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

/// The tuple or interval around a number: `(7, 6)`, `[0, 1)`.
fn group(text: &str, number: Range<usize>) -> Option<Range<usize>> {
    let line = line_of(text, number.start);
    let floor = text::floor(text, number.start.saturating_sub(MAX_REACH)).max(line.start);
    let open = opening(&text[floor..number.start])? + floor;
    let ceiling = text::floor(text, number.end + MAX_REACH).min(line.end);
    let close = closing(&text[number.end..ceiling])? + number.end;
    let others = [&text[open + 1..number.start], &text[number.end..close]];
    let is_group = others.iter().any(|part| part.contains([',', ';']))
        && others.iter().all(|part| text::prose(part, 1) == 0);
    is_group.then_some(open..close + 1)
}

/// The last bracket that a text opens and does not close. (`[0, 1)` closes.)
fn opening(text: &str) -> Option<usize> {
    let mut closed = 0_usize;
    text.bytes().rposition(|byte| match byte {
        b')' | b']' | b'}' => {
            closed += 1;
            false
        }
        b'(' | b'[' | b'{' if closed == 0 => true,
        b'(' | b'[' | b'{' => {
            closed -= 1;
            false
        }
        _ => false,
    })
}

/// The first bracket that a text closes and did not open.
fn closing(text: &str) -> Option<usize> {
    let mut opened = 0_usize;
    text.bytes().position(|byte| match byte {
        b'(' | b'[' | b'{' => {
            opened += 1;
            false
        }
        b')' | b']' | b'}' if opened == 0 => true,
        b')' | b']' | b'}' => {
            opened -= 1;
            false
        }
        _ => false,
    })
}

/// `range` with the terms before and after it: `x + 1`, `2 \cup (3, 4)`, `x >= 5`.
fn terms(text: &str, range: Range<usize>) -> Range<usize> {
    let line = line_of(text, range.start);
    let floor = text::floor(text, range.start.saturating_sub(MAX_REACH)).max(line.start);
    let ceiling = text::floor(text, range.end + MAX_REACH).min(line.end);
    let Range { mut start, mut end } = range;
    while let Some(left) = term_before(&text[floor..start]) {
        start = floor + left;
    }
    while let Some(length) = term_after(&text[end..ceiling]) {
        end += length;
    }
    start..end
}

/// Where the term begins that an operator at the end of `before` joins to what follows.
fn term_before(before: &str) -> Option<usize> {
    let before = before.trim_end_matches(' ');
    let head = OPERATORS.iter().find_map(|operator| before.strip_suffix(operator))?;
    let spaced = head.trim_end_matches(' ');
    // "->", "**", ">>" and "=>" are no operators.
    if head.ends_with(['-', '*', '>', '<', '=', '+', '/']) {
        return None;
    }
    let run = spaced
        .rfind(char::is_whitespace)
        .map_or(0, |at| at + spaced[at..].chars().next().map_or(0, char::len_utf8));
    // A bracket that closes here takes its partner along: `(1, 2) \cup`.
    let from = if spaced.ends_with([')', ']', '}']) {
        let open = opening(&spaced[..spaced.len() - 1])?;
        open - text::last_word(&spaced[..open]).len()
    } else {
        run
    };
    let opened = opening(&spaced[from..]).map_or(from, |at| from + at + 1);
    is_term(&spaced[opened..]).then_some(opened)
}

/// The length of an operator and the term after it.
fn term_after(after: &str) -> Option<usize> {
    let rest = after.trim_start_matches(' ');
    let tail = OPERATORS.iter().find_map(|operator| rest.strip_prefix(operator))?;
    let tail = tail.trim_start_matches(' ');
    let run = &tail[..tail.find(char::is_whitespace).unwrap_or(tail.len())];
    let term = run.trim_end_matches(['.', ',', ';', ':', '*', '?', '$']);
    let term = &term[..closing(term).unwrap_or(term.len())];
    let length = after.len() - tail.len() + term.len();
    (is_term(term) && !tail.starts_with(['-', '*', '>', '<', '=', '/'])).then_some(length)
}

/// Whether a run of characters is part of a formula.
fn is_term(run: &str) -> bool {
    let is_symbol = |c: char| c.is_alphanumeric() || "+-−*/^_.,;()[]{}\\√∞!%° ".contains(c);
    !run.is_empty()
        && run.chars().all(is_symbol)
        && run.contains(char::is_alphanumeric)
        && !run.ends_with(['.', ',', ';'])
        && text::words(run).all(|(_, word)| {
            !text::is_prose(word) || word.len() == 2 && !text::is_listed(SHORT, word)
        })
}

/// The start of the first alternative, if the number is the second of "5 or 6": the model must
/// commit. Numbers that a verb states together ("are 2, 3 and 5") stay together as well.
fn alternatives(text: &str, start: usize) -> Option<usize> {
    let floor = text::floor(text, start.saturating_sub(MAX_REACH)).max(line_of(text, start).start);
    let (mut first, mut committed) = (start, true);
    while let Some((item, joint)) = item_before(&text[floor..first]) {
        first = floor + item;
        committed &= !joint.contains("or");
    }
    (first < start && (!committed || text::is_stated(&text[..first]))).then_some(first)
}

/// Where the number or tuple begins that "and", "or" or a comma joins to what follows; and what
/// joins them.
fn item_before(before: &str) -> Option<(usize, &str)> {
    const MARKS: [char; 6] = ['$', '*', '\\', ' ', '{', '%'];
    let named = before.trim_end_matches(' ').strip_suffix('=').map(str::trim_end);
    let unnamed = named.and_then(|named| named.strip_suffix(|c: char| c.is_ascii_alphabetic()));
    let trimmed = unnamed.unwrap_or(before).trim_end_matches(['$', '*', '\\', ' ']);
    let head = ["or", "and", ","].iter().find_map(|joint| trimmed.strip_suffix(joint))?;
    let word_ends = trimmed.ends_with(',') || head.ends_with([' ', '{', '/']);
    let item = head.trim_end_matches(MARKS).trim_end_matches(',').trim_end_matches(MARKS);
    let last = item.len().checked_sub(1).filter(|_| word_ends)?;
    let start = match item.as_bytes()[last] {
        b'0'..=b'9' => sign(item, fraction(item, start_of(item, last))),
        b')' | b']' => opening(&item[..last])?,
        _ => return None,
    };
    Some((start, &before[item.len()..]))
}

/// The start of the word that denies the number at `start`.
fn denied(text: &str, start: usize) -> Option<usize> {
    let before = text[..start].trim_end_matches([' ', '$', '*', '=']);
    let denial = DENIALS.iter().find(|denial| before.ends_with(**denial))?;
    let word = before.len() - denial.len();
    let whole = text::last_word(&before[..word]);
    (whole.is_empty() || !denial.starts_with("not")).then_some(word - whole.len())
}

#[cfg(test)]
mod tests {
    use super::last;

    fn found(text: &str) -> &str {
        last(text).map_or("", |range| &text[range])
    }

    #[test]
    fn numbers() {
        assert_eq!(found("That is 1,234,567 in all."), "1,234,567");
        assert_eq!(found("We get 42 after 3 steps"), "3");
        assert_eq!(found("it's 1,000.99€"), "1,000.99");
        assert_eq!(found("it costs $3.50 per kg."), "3.50");
        assert_eq!(found("Her balance is -$5"), "-$5");
        assert_eq!(found("They ate 3 1/2 pizzas."), "3 1/2");
        assert_eq!(found("It grew by 50%."), "50%");
        assert_eq!(found("It grew by 50 percent."), "50 percent");
        assert_eq!(found("The angle is [ 90 ]."), "90");
        assert_eq!(found("9 * 2 = $<<9*2=18>>18"), "18");
        assert_eq!(found("是5。"), "5");
        assert_eq!(found("no digits"), "");
    }

    #[test]
    fn digits_in_words() {
        assert_eq!(found("AZYUK2A"), "AZYUK2A");
        assert_eq!(found("so 1,000.99m² in all"), "1,000.99m²");
        assert_eq!(found("at 4:30"), "4:30");
        assert_eq!(found("about $10^3$ of them"), "10^3");
    }

    #[test]
    fn terms() {
        assert_eq!(found("so it is 2x + 3"), "2x + 3");
        assert_eq!(found("so it is 5x + y there"), "5x + y");
        assert_eq!(found("so x >= 5."), "x >= 5");
        assert_eq!(found("He is left with 16 - 3"), "16 - 3");
        assert_eq!(found("5 * 3 = 15 pounds"), "15");
        assert_eq!(found("(-5, 2) ∪ (3, 7)"), "(-5, 2) ∪ (3, 7)");
        assert_eq!(found("of the bill - 3 are left"), "3");
        assert_eq!(found("- 3 apples"), "3");
        assert_eq!(found("eggs -> 3"), "3");
    }

    #[test]
    fn groups() {
        assert_eq!(found("the point (7, 6) solves it"), "(7, 6)");
        assert_eq!(found("it lies in [0, 1)"), "[0, 1)");
        assert_eq!(found("one thousand (1,000) people"), "1,000");
        assert_eq!(found("5 apples (not 6, as above)"), "not 6");
        assert_eq!(found("the points (1, 2), (3, 4)"), "(3, 4)");
        assert_eq!(found("the points are (1, 2) and (3, 4)"), "(1, 2) and (3, 4)");
    }

    #[test]
    fn commitment() {
        assert_eq!(found("It is 5 or 6"), "5 or 6");
        assert_eq!(found("It is 1/2 or 50%."), "1/2 or 50%");
        assert_eq!(found("x = 5 or x = 6"), "5 or x = 6");
        assert_eq!(found("The roots are 2, 3 and 5."), "2, 3 and 5");
        assert_eq!(found("She ate 2 and sold 3"), "3");
        assert_eq!(found("It is not 5"), "not 5");
        assert_eq!(found("It isn't 5"), "isn't 5");
        assert_eq!(found("a knot 5"), "5");
    }
}
