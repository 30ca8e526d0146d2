//! Anchors in prose: `#### x`, `<answer>x</answer>`, "the answer is x".

use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

use super::trim;

const MARK: &str = "####";

/// What follows the last `####` of a text, to the end of the line.
pub(super) fn hash(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut end = bytes.len();
    while let Some(at) = memmem::rfind(&bytes[..end], MARK.as_bytes()) {
        let after = at + MARK.len();
        // Exactly four: a longer run is a heading, of which each `#` is looked at once.
        let run = at - bytes[..at].iter().rev().take_while(|b| **b == b'#').count();
        let line = trim(text, after..line_end(bytes, after));
        if run == at && bytes.get(after) != Some(&b'#') && !is_heading(text, &line) {
            return Some(line);
        }
        end = run;
    }
    None
}

/// What the last `<answer>..</answer>` encloses.
pub(super) fn tag(text: &str) -> Option<Range<usize>> {
    const OPEN: &str = "<answer>";
    let end = memmem::rfind(text.as_bytes(), b"</answer>")?;
    let start = memmem::rfind(&text.as_bytes()[..end], OPEN.as_bytes())? + OPEN.len();
    Some(trim(text, start..end))
}

/// The sentence after the last "answer is", "answer:", "answer =", or after a line that is only
/// "Final answer".
pub(super) fn phrase(text: &str) -> Option<Range<usize>> {
    // Both cases of the middle of the word, so that each is a plain substring search.
    let ends = ["nswer", "NSWER"].map(|middle| phrase_with(text, middle));
    ends.into_iter().flatten().max_by_key(|range| range.start)
}

fn phrase_with(text: &str, middle: &str) -> Option<Range<usize>> {
    let mut end = text.len();
    while let Some(at) = memmem::rfind(&text.as_bytes()[..end], middle.as_bytes()) {
        let range = answer_starts(text, at).map(|start| sentence(text, start));
        if range.as_ref().is_some_and(|range| !range.is_empty()) {
            return range;
        }
        end = at;
    }
    None
}

/// A Markdown heading (`#### Step 2: ...` with more below), or one that announces the answer
/// (`#### Final answer: 18`), which is for [`phrase`] to read.
fn is_heading(text: &str, line: &Range<usize>) -> bool {
    let words = text[line.clone()].trim_start_matches(['*', ' ']);
    let mid_reply = !text[line.end..].trim_start().is_empty();
    let announces = phrase(words).is_some();
    words.starts_with(char::is_alphabetic) && (mid_reply || announces)
}

/// Where the answer begins, if "nswer" at `at` is part of an answer phrase.
fn answer_starts(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let head = at.checked_sub(1).filter(|head| matches!(bytes[*head], b'a' | b'A'))?;
    if text[..head].ends_with(char::is_alphanumeric) {
        return None;
    }
    let mut after = skip(bytes, at + "nswer".len(), b"*_ \t");
    let rest = &bytes[after..];
    if rest.get(..2).is_some_and(|word| word.eq_ignore_ascii_case(b"is"))
        && (!rest.get(2).is_some_and(u8::is_ascii_alphanumeric) || rest[2..].starts_with(b"n't"))
    {
        after += 2;
    } else if text[after..].starts_with('：') {
        after += '：'.len_utf8();
    } else if matches!(rest.first(), Some(b':' | b'=')) {
        after += 1;
    } else if !matches!(rest.first(), Some(b'\n' | b'\r')) || !alone(&text[..head]) {
        return None;
    }
    // The answer may stand on the next line: "**Answer:**\n\n42".
    Some(skip(bytes, after, b":*_ \t\r\n"))
}

/// Whether "answer" opens its line, but for Markdown and "the final".
fn alone(before: &str) -> bool {
    let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    line.split(|c: char| !c.is_alphabetic()).all(|word| {
        word.is_empty() || ["the", "final"].iter().any(|w| word.eq_ignore_ascii_case(w))
    })
}

/// From `start` to the full stop that ends the sentence, or to the end of the line.
fn sentence(text: &str, start: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let line = start..line_end(bytes, start);
    let mut from = line.start;
    while let Some(stop) = memchr(b'.', &bytes[from..line.end]).map(|at| from + at) {
        // "3.5" goes on; so does "5.**" until its bold ends, which `normalize` removes.
        if bytes[stop + 1..line.end].first().is_none_or(u8::is_ascii_whitespace) {
            return trim(text, line.start..stop);
        }
        from = stop + 1;
    }
    let end = text[line.clone()].find('。').map_or(line.end, |at| line.start + at);
    trim(text, line.start..end)
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |at| from + at)
}

fn skip(bytes: &[u8], from: usize, set: &[u8]) -> usize {
    from + bytes[from..].iter().take_while(|b| set.contains(b)).count()
}

/// The bytes of the line that holds offset `at`.
pub(super) fn line_of(bytes: &[u8], at: usize) -> Range<usize> {
    memrchr(b'\n', &bytes[..at]).map_or(0, |at| at + 1)..line_end(bytes, at)
}
