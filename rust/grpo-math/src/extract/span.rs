//! Formulas and bold values at the end of a reply: `$..$`, `\(..\)`, `\[..\]`, `**73**`.

use std::ops::Range;

use memchr::{memmem, memrchr_iter, memrchr2_iter};

use super::text;

/// How far from the end of a reply a formula or a bold value counts.
const WINDOW: usize = 2048;

/// The most formulas that are looked at.
const MAX_SPANS: usize = 16;

/// The longest bold value.
const MAX_BOLD: usize = 120;

/// What encloses a formula, the longer mark first.
const DELIMITERS: [(&str, &str); 4] = [("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")];

/// A formula: its delimiters included, and without.
struct Formula {
    whole: Range<usize>,
    contents: Range<usize>,
}

/// Whether a text begins with a formula between delimiters.
pub(super) fn opens(text: &str) -> bool {
    let text = text.trim_start_matches(' ');
    text.starts_with("\\[") || text.starts_with("\\(") || text.starts_with('$')
}

/// The end of the formula that opens at `start`.
pub(super) fn after(text: &str, start: usize) -> Option<usize> {
    let rest = &text[start..text::floor(text, start + WINDOW)];
    let (open, close) = DELIMITERS.into_iter().find(|(open, _)| rest.starts_with(open))?;
    let contents = &rest[open.len()..];
    let end = contents.find(close)?;
    // "$5 per day": an amount of money.
    let is_formula = open != "$"
        || !contents[..end].contains('\n') && !contents[..end].ends_with(' ')
        || contents.starts_with([' ', '\n']);
    is_formula.then(|| start + open.len() + end + close.len())
}

/// The last formulas of a text that may be its answer: usually one, several if only "and", "or" or a
/// comma is between them.
pub(super) fn last(text: &str) -> Option<Vec<Range<usize>>> {
    let from = text::floor(text, text.len().saturating_sub(WINDOW));
    let mut end = text.len();
    let mut found: Vec<Formula> = Vec::new();
    for _ in 0..MAX_SPANS {
        let Some(formula) = before(text, from, end) else { break };
        end = formula.whole.start;
        let contents = &text[formula.contents.clone()];
        match found.last() {
            None if says_value(text, &formula) => found.push(formula),
            None => {}
            Some(next) => {
                let gap = &text[formula.whole.end..next.whole.start];
                let same_form = is_equation(contents) == is_equation(&text[next.contents.clone()]);
                if !(joins(gap) && same_form) {
                    break;
                }
                found.push(formula);
            }
        }
    }
    found.reverse();
    let percent = match &found[..] {
        [] => return None,
        [only] if text[only.contents.clone()].ends_with(|c: char| c.is_ascii_digit()) => {
            text::percent_end(text, only.whole.end).map(|end| only.whole.start..end)
        }
        _ => None,
    };
    let contents = found.into_iter().map(|formula| formula.contents);
    Some(percent.map_or_else(|| contents.collect(), |range| vec![range]))
}

/// Whether a range is what stands between inline delimiters on lines of their own. Inline formulas
/// stay on their line: such a text is a fragment, and so is a number in it.
pub(super) fn is_broken(text: &str, range: &Range<usize>) -> bool {
    let inner = text[range.clone()].trim();
    let opened = |rest: &str| rest.trim_start_matches([' ', '\t']).starts_with('\n');
    if let Some(rest) = inner.strip_prefix("\\(") {
        return opened(rest);
    }
    if let Some(rest) = inner.strip_prefix('$') {
        return opened(rest);
    }
    let before = text[..range.start].trim_end();
    let gap = &text[before.len()..range.start];
    let is_inline = before.ends_with("\\(")
        || before.ends_with('$') && !before.ends_with("$$") && !before.ends_with("\\$");
    gap.contains('\n') && is_inline
}

/// The last bold text of a reply that may be its answer.
pub(super) fn bold(text: &str, gold_is_text: bool) -> Option<Range<usize>> {
    let from = text::floor(text, text.len().saturating_sub(WINDOW));
    let mut end = text.len();
    for _ in 0..MAX_SPANS {
        let close = from + memmem::rfind(&text.as_bytes()[from..end], b"**")?;
        let open = from + memmem::rfind(&text.as_bytes()[from..close], b"**")?;
        let range = text::trim(text, open + 2..close);
        if is_bold_value(&text[range.clone()], gold_is_text) {
            return Some(range);
        }
        end = close;
    }
    None
}

fn is_bold_value(bold: &str, gold_is_text: bool) -> bool {
    let value = bold.trim_end_matches('.');
    let first = text::first_word(value.trim_start_matches(['$', '\\', '(']));
    let heading = value.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(". ");
    let marked = value.contains(|c: char| c.is_ascii_digit() || matches!(c, '$' | '\\'));
    !value.is_empty()
        && value.len() <= MAX_BOLD
        && !value.contains('\n')
        && !value.ends_with(':')
        && !heading
        && (gold_is_text && text::prose(value, 6) <= 5
            || marked
                && (value.starts_with(['$', '\\']) || !text::is_prose(first))
                && text::prose(value, 4) <= 3)
}

/// The last formula of a text between `from` and `end`.
fn before(text: &str, from: usize, end: usize) -> Option<Formula> {
    let bytes = text.as_bytes();
    let mut misses = 0;
    for at in memrchr2_iter(b'$', b'\\', &bytes[from..end]).map(|at| from + at) {
        if misses > MAX_SPANS {
            break;
        }
        let close = match (bytes[at], bytes.get(at + 1)) {
            _ if at + 1 > end => continue,
            (b'\\', Some(b')')) if at + 2 <= end => "\\)",
            (b'\\', Some(b']')) if at + 2 <= end => "\\]",
            (b'$', _) if is_escaped(bytes, at) => continue,
            (b'$', _) if at > from && bytes[at - 1] == b'$' && !is_escaped(bytes, at - 1) => "$$",
            // "$5" opens an amount of money.
            (b'$', Some(next)) if next.is_ascii_alphanumeric() => continue,
            (b'$', _) => "$",
            _ => continue,
        };
        let start = if close == "$$" { at - 1 } else { at };
        if let Some(contents) = opened(text, from, start, close) {
            let open = contents.start - close.len();
            let inner = text::trim(text, contents);
            let point =
                text[inner.clone()].ends_with(['.', ',']) && !text[inner.clone()].ends_with("..");
            let inner = text::trim(text, inner.start..inner.end - usize::from(point));
            if !inner.is_empty() {
                return Some(Formula { whole: open..start + close.len(), contents: inner });
            }
        }
        misses += 1;
    }
    None
}

/// The contents of the formula that `close` ends at `end`.
fn opened(text: &str, from: usize, end: usize, close: &str) -> Option<Range<usize>> {
    let before = text.as_bytes().get(from..end)?;
    let (open, _) = DELIMITERS.into_iter().find(|(_, other)| *other == close)?;
    let start = if open == "$" {
        let mut dollars = memrchr_iter(b'$', before);
        from + dollars.find(|at| !is_escaped(before, *at))? + open.len()
    } else {
        from + memmem::rfind(before, open.as_bytes())? + open.len()
    };
    (close != "$" || !text[start..end].contains("\n\n")).then_some(start..end)
}

fn is_escaped(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// Whether a formula says a value: a number, a relation, or something stated that is no mere name.
fn says_value(text: &str, formula: &Formula) -> bool {
    const SIGNS: [&str; 14] = [
        "=",
        "<",
        ">",
        "\\le",
        "\\ge",
        "\\ne",
        "\\in",
        "\\pi",
        "\\sqrt",
        "\\text",
        "\\infty",
        "\\frac",
        "\\mathbb",
        "\\emptyset",
    ];
    let contents = &text[formula.contents.clone()];
    contents.contains(|c: char| c.is_ascii_digit())
        || SIGNS.iter().any(|sign| contents.contains(sign))
        || text::is_stated(&text[..formula.whole.start])
        || text[formula.whole.end..].trim_matches(['.', ' ', '\n']).is_empty()
            && text[..formula.whole.start].trim().is_empty()
}

fn is_equation(contents: &str) -> bool {
    contents.contains('=')
}

/// Whether what is between two formulas makes one answer of them.
fn joins(gap: &str) -> bool {
    let words = gap.trim().trim_matches(',').trim();
    gap.len() <= 24
        && matches!(words, "" | "and" | "or")
        && (!words.is_empty() || gap.contains(','))
}

#[cfg(test)]
mod tests {
    use super::{bold, last};

    fn found(text: &str) -> Vec<&str> {
        last(text).unwrap_or_default().into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn delimiters() {
        assert_eq!(found("Thus $x \\le 2$ is it."), ["x \\le 2"]);
        assert_eq!(found("so \\( (7, 6) \\)."), ["(7, 6)"]);
        assert_eq!(found("so\n\\[\nx = 3.\n\\]"), ["x = 3"]);
        assert_eq!(found("a $x = 1$ so $$\ny = 2\n$$"), ["y = 2"]);
        assert_eq!(found("$ \\frac{1}{2} \\$ = 3 $"), ["\\frac{1}{2} \\$ = 3"]);
    }

    #[test]
    fn money_is_no_formula() {
        assert_eq!(found("It costs $3.50 per kg."), [""; 0]);
        assert_eq!(found("$10,200 + $255 = $10,455."), [""; 0]);
        assert_eq!(found("$x = 3$ of them cost $5"), ["x = 3"]);
    }

    #[test]
    fn names_say_no_value() {
        assert_eq!(found("It is 3 for all $x$ in $A$."), [""; 0]);
        assert_eq!(found("The area is $A$."), ["A"]);
        assert_eq!(found("so $y = 2$ for every $x$"), ["y = 2"]);
    }

    #[test]
    fn formulas_of_one_answer() {
        assert_eq!(found("$x = 1$ or $x = 2$"), ["x = 1", "x = 2"]);
        assert_eq!(found("It is $5$, $6$, and $7$."), ["5", "6", "7"]);
        assert_eq!(found("With $m = 3$, $m + n$ is $7$"), ["7"]);
        assert_eq!(found("it is $28$ percent"), ["$28$ percent"]);
    }

    #[test]
    fn bold_values() {
        let found = |text: &'static str| bold(text, false).map(|range| &text[range]);
        assert_eq!(found("all four is **73**."), Some("73"));
        assert_eq!(found("is **$\\frac{1}{2}$** or so"), Some("$\\frac{1}{2}$"));
        assert_eq!(found("**18 dollars**, **see above**"), Some("18 dollars"));
        assert_eq!(found("**Step 2:** so"), None);
        assert_eq!(found("**2. Conclusion** so"), None);
        assert_eq!(found("2**3"), None);
        assert_eq!(bold("It is **Paris**", true), Some(8..13));
    }
}
