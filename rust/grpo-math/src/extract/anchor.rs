//! Anchors that only an answer has: `#### x`, `<answer>x</answer>`.

use std::ops::Range;

use memchr::{memchr, memrchr};

use super::{phrase, text};

/// The longest heading.
const MAX_HEADING: usize = 200;

/// What follows the last `####` of a text, to the end of the line.
pub(super) fn hash(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut end, mut line_end) = (bytes.len(), bytes.len());
    while let Some(last) = memrchr(b'#', &bytes[..end]) {
        let run = bytes[..=last].iter().rev().take_while(|b| **b == b'#').count();
        line_end = memchr(b'\n', &bytes[last..end]).map_or(line_end, |at| last + at);
        end = last + 1 - run;
        // Exactly four: a longer run is a heading.
        let line = text::trim(text, last + 1..line_end);
        if run == 4 && !is_heading(text, &line) {
            return Some(line);
        }
    }
    None
}

/// What the last `<answer>..</answer>` encloses.
pub(super) fn tag(text: &str) -> Option<Range<usize>> {
    const OPEN: &str = "<answer>";
    let close = last_tag(text, "</answer>", text.len())?;
    let open = last_tag(text, OPEN, close)?;
    Some(text::trim(text, open + OPEN.len()..close))
}

/// Where the last occurrence of a tag before `end` starts, in any case.
fn last_tag(text: &str, tag: &str, end: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memrchr_iter(b'<', &bytes[..end]).find(|at| {
        bytes.get(*at..at + tag.len()).is_some_and(|name| name.eq_ignore_ascii_case(tag.as_bytes()))
    })
}

/// A Markdown heading (`#### Step 2: ...` with more below), or one that announces the answer
/// (`#### Final answer: 18`), which is for [`phrase`] to read.
fn is_heading(text: &str, line: &Range<usize>) -> bool {
    let end = text::floor(text, line.end.min(line.start + MAX_HEADING));
    let words = text[line.start..end].trim_start_matches(['*', ' ']);
    words.starts_with(char::is_alphabetic)
        && (!text[line.end..].trim_start().is_empty()
            || words.ends_with(':')
            || phrase::last(words, false).is_some())
}

#[cfg(test)]
mod tests {
    use super::{hash, tag};

    #[test]
    fn the_last_mark() {
        let found = |text: &'static str| hash(text).map(|range| &text[range]);
        assert_eq!(found("9 * 2 = 18 #### 18"), Some("18"));
        assert_eq!(found("#### 17\n#### $18 \nThat was it."), Some("$18"));
        assert_eq!(found("#### 17 #### 18"), Some("18"));
        assert_eq!(found("#### Paris"), Some("Paris"));
        assert_eq!(found("####"), Some(""));
        assert_eq!(found("##### 17"), None);
        assert_eq!(found("#### Step 2\nso 18"), None);
        assert_eq!(found("#### Final Answer: 18"), None);
    }

    #[test]
    fn the_last_tag() {
        let found = |text: &'static str| tag(text).map(|range| &text[range]);
        assert_eq!(found("<answer>4</answer> no: <answer> 5\n</answer>."), Some("5"));
        assert_eq!(found("<Answer>5</ANSWER>"), Some("5"));
        assert_eq!(found("<answer></answer>"), Some(""));
        assert_eq!(found("<answer>5"), None);
        assert_eq!(found("5</answer>"), None);
    }
}
