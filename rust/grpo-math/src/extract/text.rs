//! What the strategies share: lines, words, and what may stand around a value.

use std::ops::Range;

use memchr::{memchr, memrchr};

/// The longest word that is looked at.
const MAX_WORD: usize = 24;

/// Names of mathematics that are written like words.
const FUNCTIONS: &str = "\
    sin cos tan cot sec csc arcsin arccos arctan asin acos atan sinh cosh tanh log ln lg exp sqrt \
    cbrt pi inf infinity theta alpha beta gamma max min gcd lcm mod det abs floor ceil and or";

/// Words that deny what they stand beside, or make it a bound or a part.
const DENIALS: &str = "\
    not no never neither nor wrong incorrect false isn isnt aren cannot can unknown than least \
    most half twice double triple either maybe perhaps";

/// Words that state the value after them.
const COPULAS: &str = "\
    is are was were be equals equal gives give get gets makes becomes es est ist è é sont son";

/// Words that may stand between a copula and its value.
const ADVERBS: &str = "\
    therefore thus then hence simply just indeed clearly also still now so exactly precisely \
    approximately about roughly nearly only";

/// `range` without white space at its ends.
pub(super) fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let inner = &text[range.clone()];
    let start = range.start + (inner.len() - inner.trim_start().len());
    start..start + inner.trim().len()
}

/// The end of the line that holds offset `from`.
pub(super) fn line_end(text: &str, from: usize) -> usize {
    memchr(b'\n', &text.as_bytes()[from..]).map_or(text.len(), |at| from + at)
}

/// The bytes of the line that holds offset `at`.
pub(super) fn line_of(text: &str, at: usize) -> Range<usize> {
    memrchr(b'\n', &text.as_bytes()[..at]).map_or(0, |at| at + 1)..line_end(text, at)
}

/// The last character boundary at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The offset of the first character from `from` on that `skip` does not hold of.
pub(super) fn skip(text: &str, from: usize, skip: impl Fn(char) -> bool) -> usize {
    text[from..].find(|c| !skip(c)).map_or(text.len(), |at| from + at)
}

/// The runs of letters of a text, each with its offset; names of LaTeX commands are none.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + text[from..].find(char::is_alphabetic)?;
            from = skip(text, start, char::is_alphabetic);
            if !text[..start].ends_with('\\') {
                return Some((start, &text[start..from]));
            }
        }
    })
}

/// The run of letters that ends `text`, up to the length of any word that matters.
pub(super) fn last_word(text: &str) -> &str {
    let letters = text.chars().rev().take(MAX_WORD).take_while(|c| c.is_alphabetic());
    &text[text.len() - letters.map(char::len_utf8).sum::<usize>()..]
}

/// The run of letters that starts `text`, up to the length of any word that matters.
pub(super) fn first_word(text: &str) -> &str {
    let letters = text.chars().take(MAX_WORD).take_while(|c| c.is_alphabetic());
    &text[..letters.map(char::len_utf8).sum::<usize>()]
}

/// Whether a run of letters belongs to prose: not a variable, nor the name of a function.
pub(super) fn is_prose(word: &str) -> bool {
    word.chars().nth(1).is_some() && !is_listed(FUNCTIONS, word)
}

/// How many words of prose a text has, counted up to `limit`.
pub(super) fn prose(text: &str, limit: usize) -> usize {
    words(text).filter(|(_, word)| is_prose(word)).take(limit).count()
}

/// Whether a sentence denies its value, or only bounds it.
pub(super) fn denies(sentence: &str) -> bool {
    ["\\ne", "\\not", "≠", "!=", "不", "n't", "n’t"].iter().any(|sign| sentence.contains(sign))
        || words(sentence).any(|(_, word)| is_listed(DENIALS, word))
}

/// Whether the value after `before` is stated by it: "there are", "x =", "the total:".
pub(super) fn is_stated(before: &str) -> bool {
    let mut before = before;
    for _ in 0..3 {
        before = before.trim_end_matches(|c: char| c.is_whitespace() || "$*_~\"\\([,".contains(c));
        let word = last_word(before);
        if !is_listed(ADVERBS, word) {
            return before.ends_with(['=', '≈', ':', '：', '是', '为', '為'])
                || is_listed(COPULAS, word);
        }
        before = &before[..before.len() - word.len()];
    }
    false
}

/// Moves over adverbs and commas from `from` on.
pub(super) fn skip_adverbs(text: &str, from: usize) -> usize {
    let mut at = from;
    for _ in 0..4 {
        let next = skip(text, at, |c| matches!(c, ' ' | ',' | '\t'));
        let word = first_word(&text[next..]);
        if !is_listed(ADVERBS, word) {
            return if at == from { from } else { next };
        }
        at = next + word.len();
    }
    at
}

/// The end of the percent sign, or its word, that follows offset `at` and what closes there.
pub(super) fn percent_end(text: &str, at: usize) -> Option<usize> {
    const CLOSERS: [&str; 7] = ["$", "\\)", "\\]", "**", "\\,", "\\ ", "\\;"];
    const SIGNS: [&str; 6] = ["\\%", "%", "percentage", "percent", "per cent", "pct"];
    let mut rest = text[at..].trim_start_matches([' ', '~']);
    while let Some(after) = CLOSERS.iter().find_map(|closer| rest.strip_prefix(closer)) {
        rest = after.trim_start_matches(' ');
    }
    let quoted = ["\\text{", "\\mathrm{"].iter().find_map(|command| rest.strip_prefix(command));
    let sign = quoted.unwrap_or(rest).trim_start_matches(' ');
    let after = SIGNS.iter().find_map(|name| sign.strip_prefix(name))?;
    let after =
        if quoted.is_some() { after.trim_start_matches(' ').strip_prefix('}')? } else { after };
    let ends = !after.starts_with(char::is_alphanumeric) && !after.starts_with(" point");
    ends.then_some(text.len() - after.len())
}

/// Whether a list of words holds `word`, in any case.
pub(super) fn is_listed(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed.eq_ignore_ascii_case(word))
}

/// The part of a text before what chat templates and habits append to a reply.
pub(super) fn without_trailer(text: &str) -> &str {
    const PLEASANTRIES: [&str; 3] = ["I hope it is correct.", "I hope it is correct", "</s>"];
    let mut text = text.trim_end();
    loop {
        let cut = PLEASANTRIES.iter().find_map(|p| text.strip_suffix(p)).or_else(|| {
            let tail = floor(text, text.len().saturating_sub(48));
            let (before, token) = text[tail..].rsplit_once("<|")?;
            let (name, role) = token.split_once("|>")?;
            let is_word = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            (is_word(name) && is_word(role)).then(|| &text[..tail + before.len()])
        });
        match cut {
            Some(rest) => text = rest.trim_end(),
            None => return text,
        }
    }
}
