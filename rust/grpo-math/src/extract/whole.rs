//! Replies, and last lines, that are the answer and nothing else.

use std::ops::Range;

use super::text;

/// The longest reply that is taken for a formula.
const MAX_FORMULA: usize = 4096;

/// The longest last line that answers a gold which is text.
const MAX_LINE: usize = 100;

/// A reply that is one line of mathematics: `x+1`, `(1, 2)`, `5 \text{ cm}`, `28 percent`.
pub(super) fn formula(text: &str) -> Option<Range<usize>> {
    let range = text::trim(text, 0..text.len());
    let line = &text[range.clone()];
    let opening = line.trim_start_matches(['$', '*', '`', '"', '\\', '(', '[', '{', ' ']);
    let first = text::first_word(opening);
    let label = !first.is_empty() && opening[first.len()..].trim_start().starts_with([':', '：']);
    let command = line[..line.len() - opening.len()].ends_with('\\');
    let is_formula = !line.is_empty()
        && line.len() <= MAX_FORMULA
        && !line.contains('\n')
        && !["<<", "[$", ". ", "://"].iter().any(|mark| line.contains(mark))
        && !label
        && (command || !text::is_prose(first) && !begins_prose(opening))
        && text::prose(line, 3) <= 2;
    is_formula.then(|| without_brackets(text, range))
}

/// A reply of one line, or the last line of a reply, for a gold that is text.
pub(super) fn line(text: &str) -> Option<Range<usize>> {
    let range = text::trim(text, 0..text.len());
    let last = text::trim(text, text::line_of(text, range.end));
    let is_short = last.start == range.start || last.len() <= MAX_LINE;
    (is_short && !last.is_empty()).then_some(last)
}

/// What the last sentence of a line says of its subject ("So the day is Monday."), or the verdict
/// that opens a reply ("Yes, it is.").
pub(super) fn predicate(text: &str, line: Range<usize>) -> Option<Range<usize>> {
    const SUBJECTS: &str = "so thus therefore hence the it its there this that these those they";
    const VERDICTS: &str = "yes no true false";
    /// More words explain.
    const WORDS: usize = 4;
    let opening = text::skip(text, 0, |c| c.is_whitespace() || c == '*');
    let verdict = text::first_word(&text[opening..]);
    let after = opening + verdict.len();
    if text::is_listed(VERDICTS, verdict) && text[after..].starts_with(['.', ',', '!', ';', '*']) {
        return Some(opening..after);
    }
    let line = text::trim(text, line.start..line.start + text[line].trim_end_matches('.').len());
    let sentence = text[line.clone()].rfind(". ").map_or(line.start, |at| line.start + at + 2);
    let inner = &text[sentence..line.end];
    let verb =
        [" is ", " are "].iter().filter_map(|v| inner.rfind(v).map(|at| at + v.len())).max()?;
    let range = text::trim(text, sentence + verb..line.end);
    let is_short = (1..=WORDS).contains(&text[range.clone()].split_whitespace().count());
    (is_short && text::is_listed(SUBJECTS, text::first_word(inner))).then_some(range)
}

/// "I think": a letter, and a word after it.
fn begins_prose(opening: &str) -> bool {
    let mut words = text::words(opening);
    let (Some((0, first)), Some((at, second))) = (words.next(), words.next()) else {
        return false;
    };
    first.len() == 1 && opening[1..at].chars().all(char::is_whitespace) && text::is_prose(second)
}

/// `[90]` is 90; `[1, 2]` is an interval.
fn without_brackets(text: &str, range: Range<usize>) -> Range<usize> {
    let inner = text[range.clone()].strip_prefix('[').and_then(|line| line.strip_suffix(']'));
    match inner {
        Some(inner) if !inner.contains(['[', ']', ',', ';']) => {
            text::trim(text, range.start + 1..range.end - 1)
        }
        _ => range,
    }
}

#[cfg(test)]
mod tests {
    use super::{formula, line, predicate};

    #[test]
    fn formulas() {
        let found = |text: &'static str| formula(text).map(|range| &text[range]);
        for text in [
            "x+1",
            "5/6",
            "$\\sqrt{4} = 2$",
            "28 percent",
            "(1, 2)",
            "\\frac{1}{2}",
            "5 cm",
            "sin(x) + 1",
            "[1, 2]",
            "C",
            "f(2) = 5",
            "5 xxxx",
        ] {
            assert_eq!(found(text), Some(text));
        }
        assert_eq!(found(" [45 degrees]\n"), Some("45 degrees"));
    }

    #[test]
    fn prose() {
        for text in [
            "It is 5",
            "I think 5",
            "A: 26",
            "A: 5",
            "5 + 3 = 8 so she has 8 left",
            "1\n2",
            "",
            "5. So 6",
            "<<5+3=8>>8",
            "x: 5",
        ] {
            assert_eq!(formula(text), None, "{text}");
        }
    }

    #[test]
    fn lines() {
        assert_eq!(line("Yes.\n"), Some(0..4));
        assert_eq!(line("It follows.\n\nParis"), Some(13..18));
        assert_eq!(line(&format!("a\n{}", "long ".repeat(30))), None);
        assert_eq!(line(" \n"), None);
    }

    #[test]
    fn predicates() {
        let found = |text: &'static str| predicate(text, line(text)?).map(|range| &text[range]);
        assert_eq!(found("So the day is Monday."), Some("Monday"));
        assert_eq!(found("There is no solution."), Some("no solution"));
        assert_eq!(found("We add. Thus they are parallel"), Some("parallel"));
        assert_eq!(found("**Yes**, it is. It has a limit at 0."), Some("Yes"));
        assert_eq!(found("x is even"), None);
        assert_eq!(found("No solution"), None);
        assert_eq!(found("It is what we wanted to see all along."), None);
    }
}
