//! Letters of a multiple choice.

use super::{MAX_PHRASE, strip_phrase};

/// What may stand before a letter that is chosen.
const LEADS: &[&str] = &[
    "therefore",
    "thus",
    "so",
    "hence",
    "the",
    "correct",
    "right",
    "final",
    "best",
    "answers",
    "answer",
    "ans",
    "options",
    "option",
    "choices",
    "choice",
    "is",
    "are",
    "故",
    "因此",
    "正确",
    "选项",
    "答案",
    "选",
    "应",
    "是",
    "为",
];

/// Leads after which a bare letter is a choice.
const MARKS: &[&str] =
    &["answers", "answer", "ans", "options", "option", "choices", "choice", "选项", "答案", "选"];

/// What may follow a letter without being its content.
const CONFIRMATIONS: &[&str] = &[
    "is correct",
    "is right",
    "is true",
    "is the answer",
    "is the correct answer",
    "is the correct option",
    "is the correct choice",
    "are correct",
    "only",
    "正确",
];

/// The letters of `(C)`, `C.`, `(C) 12`, "Option D", `A, C`, "the correct option is (B)", sorted,
/// and the text of the choice. A bare letter is none, nor a run of letters ([`run`]).
pub(crate) fn choice(text: &str) -> Option<(String, &str)> {
    let text = text.trim();
    let (rest, marked) = after_leads(text);
    let (mut letters, mut rest, mut enclosed) = letter(rest)?;
    let mut listed = false;
    while let Some((next, after, in_brackets)) = next_letter(rest, enclosed) {
        letters |= next;
        rest = after;
        enclosed = in_brackets;
        listed = true;
    }
    let mut rest = rest.trim();
    if listed && rest.len() > MAX_PHRASE {
        return None;
    }
    let confirmed = CONFIRMATIONS
        .iter()
        .any(|phrase| rest.trim_end_matches(['.', '。']).eq_ignore_ascii_case(phrase));
    if confirmed {
        rest = "";
    }
    if denies(rest) || listed && !rest.trim_matches(['.', '。']).is_empty() {
        return None;
    }
    if !(marked || listed || confirmed || enclosed) {
        return None;
    }
    Some((spell(letters), rest.trim_start_matches([':', '：', ')', '.', '。']).trim()))
}

/// Drops "the correct option is"; whether any of it marks a choice.
fn after_leads(text: &str) -> (&str, bool) {
    let mut rest = text;
    let mut marked = false;
    loop {
        let trimmed = rest.trim_start_matches([' ', ':', '：', ',', '，']);
        let lead = LEADS.iter().find_map(|lead| Some((lead, strip_phrase(trimmed, lead)?)));
        let Some((lead, after)) = lead else {
            return (if rest.len() < text.len() { trimmed } else { rest }, marked);
        };
        marked |= MARKS.contains(lead);
        rest = after;
    }
}

/// One letter, as a bit; what follows it; and whether brackets or a full stop mark it as a choice.
fn letter(text: &str) -> Option<(u16, &str, bool)> {
    let open = text.strip_prefix(['(', '（', '[']);
    let inner = open.unwrap_or(text).trim_start();
    let letter = inner.bytes().next().filter(|letter| (b'A'..=b'J').contains(letter))?;
    let rest = inner.get(1..)?;
    let bit = 1 << (letter - b'A');
    if open.is_some() {
        let rest = rest.trim_start().strip_prefix([')', '）', ']'])?;
        return starts_content(rest).then_some((bit, rest, true));
    }
    if let Some(rest) = rest.strip_prefix([')', '）']) {
        return starts_content(rest).then_some((bit, rest, true));
    }
    if let Some(rest) = rest.strip_prefix(['.', '、', '．', ':', '：']) {
        // `A.M.` and `A:B` are no choices.
        let ends = !rest.starts_with(|c: char| c.is_alphanumeric() && !c.is_ascii_digit());
        return (ends && starts_content(rest) && !is_ratio(inner)).then_some((bit, rest, true));
    }
    let ends =
        !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '\'' | '_' | '(' | '^'));
    (ends && starts_content(rest)).then_some((bit, rest, false))
}

/// `A:5` without a space may be a ratio.
fn is_ratio(text: &str) -> bool {
    text.as_bytes().get(1) == Some(&b':') && text.as_bytes().get(2).is_some_and(|c| *c != b' ')
}

/// Whether what follows a letter is no operation on it: `(A) + 1`, but `(A) -1`.
fn starts_content(text: &str) -> bool {
    let rest = text.trim_start();
    let negative = rest.len() < text.len()
        && rest
            .strip_prefix(['-', '−'])
            .is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()));
    negative
        || !rest.starts_with([
            '+', '-', '−', '*', '/', '^', '=', '<', '>', '_', '!', '\'', '|', '≤', '≥',
        ])
}

/// The next letter of `A, C and D`, `(A)(C)`, `A/C` being none.
fn next_letter(text: &str, enclosed: bool) -> Option<(u16, &str, bool)> {
    let rest = text.trim_start();
    let comma = rest.strip_prefix([',', '，', '、', ';', '；']).map(str::trim_start);
    let and = strip_phrase(comma.unwrap_or(rest), "and").or_else(|| strip_phrase(rest, "&"));
    let rest = match (and, comma) {
        (Some(rest), _) => rest.trim_start(),
        (None, Some(rest)) => rest,
        // `(A)(C)`
        (None, None) if enclosed && rest.starts_with(['(', '（']) => rest,
        (None, None) => return None,
    };
    letter(rest)
}

/// Whether the rest takes the choice back or adds an alternative.
fn denies(rest: &str) -> bool {
    let first = rest.split(|c: char| !c.is_alphabetic() && c != '\'').find(|word| !word.is_empty());
    let begins = |words: &[&str]| {
        first.is_some_and(|first| words.iter().any(|word| word.eq_ignore_ascii_case(first)))
    };
    begins(&["is", "are", "isn't", "not", "or", "and", "was", "but", "nor", "unless", "except"])
}

/// The letters of a set of bits.
fn spell(letters: u16) -> String {
    (b'A'..=b'J').filter(|letter| letters & (1 << (letter - b'A')) != 0).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, &str)> {
        choice(text)
    }

    #[test]
    fn letters_are_read_with_their_content() {
        for (text, letters, content) in [
            ("(C)", "C", ""),
            ("C.", "C", ""),
            ("C)", "C", ""),
            ("[C]", "C", ""),
            ("(C) 12", "C", "12"),
            ("(C) -5", "C", "-5"),
            ("(C)12", "C", "12"),
            ("A. 5", "A", "5"),
            ("A.5", "A", "5"),
            ("A) 12", "A", "12"),
            ("A: 12", "A", "12"),
            ("Option D", "D", ""),
            ("option (B)", "B", ""),
            ("Option D: 12", "D", "12"),
            ("Choice B.", "B", ""),
            ("Answer: E", "E", ""),
            ("the correct option is (B)", "B", ""),
            ("The correct answer is B.", "B", ""),
            ("(B) is correct.", "B", ""),
            ("B is correct", "B", ""),
            ("D) None of the above", "D", "None of the above"),
            ("(A) The limit exists", "A", "The limit exists"),
            ("A,C,D", "ACD", ""),
            ("B, C", "BC", ""),
            ("C, A", "AC", ""),
            ("A and C", "AC", ""),
            ("A, C, and D", "ACD", ""),
            ("(A), (C)", "AC", ""),
            ("(A) and (C)", "AC", ""),
            ("(A)(C)", "AC", ""),
            ("Options A and C", "AC", ""),
            ("选项B", "B", ""),
            ("选 B", "B", ""),
            ("故选C。", "C", ""),
            ("答案是B", "B", ""),
            ("（B）", "B", ""),
        ] {
            let found = read(text);
            let found = found.as_ref().map(|(letters, content)| (letters.as_str(), *content));
            assert_eq!(found, Some((letters, content)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_choice() {
        for text in [
            "",
            "C",
            "c",
            "(c)",
            "(x)",
            "(K)",
            "BC",
            "(A",
            "A+B",
            "(A)+1",
            "(A) + 1",
            "A = 5",
            "(A)^2",
            "A'",
            "A(B)",
            "A_1",
            "A:B",
            "A.M.",
            "(A) or (B)",
            "A or B",
            "(A) is wrong",
            "Option D is wrong",
            "A not B",
            "Apple",
            "(A,B)",
            "A, B, x",
            "option",
            "the",
            "A 5",
            "the answer is 5",
            "is A",
            "Alice",
            "A/C",
            "(A)/2",
            "not (A)",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
