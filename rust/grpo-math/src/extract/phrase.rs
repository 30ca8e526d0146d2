//! Phrases that announce the answer: "the answer is x", "Answer: x", "答案是 x", "故选 B".

use std::ops::Range;

use memchr::{memmem, memrchr2_iter};

use super::{span, text};

/// How far from the end of a reply other phrases than "answer" are looked for.
const WINDOW: usize = 4096;

/// How far from the end of a reply "the result is" counts.
const CLOSE: usize = 400;

/// The longest sentence.
const MAX_SENTENCE: usize = 2048;

/// How many times the word "answer" is looked at.
const MAX_ANSWERS: usize = 512;

/// How many phrases that say nothing are passed over.
const MAX_IDLE: usize = 64;

/// The most items of a list.
const MAX_ITEMS: usize = 32;

/// Verbs after "answer". (A colon and an equals sign do as well.)
const VERBS: &str = "is are was were equals";

/// Words that open what may stand between "answer" and its verb.
const LINKS: &str = "to in for of as from when using rounded that we here would must should will";

/// Words after "answer is" that judge an answer instead of stating it.
const IDLE: &str = "\
    correct right verified confirmed clear obvious below above here as given in expressed \
    consistent reasonable found obtained calculated same shown boxed complete ready unique valid \
    based derived the";

/// Nouns other than "answer", each without its first letter, with what may follow it.
const FOREIGN: [(&str, &[&str]); 12] = [
    ("espuesta", &[":", "es", "="]),
    ("esposta", &[":", "é", "e", "="]),
    ("isposta", &[":", "è", "="]),
    ("ntwort", &[":", "ist", "lautet", "="]),
    ("éponse", &[":", "est", "="]),
    ("твет", &[":", "равен", "это", "—", "-", "="]),
    ("答案", &[":", "：", "是", "为", "為", "等于", "="]),
    ("答え", &[":", "：", "は", "="]),
    ("答", &[":", "："]),
    ("정답", &[":", "은", "는", "="]),
    ("답", &[":", "은", "는", "="]),
    ("선택", &[":"]),
];

/// Adjectives between a noun and its verb.
const ADJECTIVES: [&str; 8] =
    ["final", "finale", "finales", "correcta", "correcte", "correta", "corretta", "correct"];

/// Nouns that state the answer where the reply ends with them.
const NOUNS: [&str; 6] = ["esult", "olution", "olutions", "oots", "alue", "alues"];

/// The sentence, or the items of the list, after the last phrase that announces the answer. Letters
/// of options ("option B is correct") only count where the gold is text.
pub(super) fn last(text: &str, gold_is_text: bool) -> Option<Vec<Range<usize>>> {
    let option = if gold_is_text { option(text) } else { None };
    [english(text), foreign(text), option]
        .into_iter()
        .flatten()
        .max_by_key(|ranges| ranges.first().map_or(0, |range| range.start))
        .or_else(|| result(text))
}

/// Whether the phrase before `start` introduces what follows ("Answer:") instead of stating it.
pub(super) fn introduces(text: &str, start: usize) -> bool {
    let before = text[..start].trim_end_matches(['*', '_', ' ', '"', '$']);
    before.ends_with([':', '：', '\n'])
}

fn english(text: &str) -> Option<Vec<Range<usize>>> {
    // The rarest letter of "answer"; both cases of the word are found by it.
    memrchr2_iter(b'w', b'W', text.as_bytes())
        .filter_map(|w| noun(text, w))
        .take(MAX_ANSWERS)
        .filter_map(|noun| value_after(text, noun))
        .take(MAX_IDLE)
        .find_map(|start| stated(text, start))
}

/// The "answer" or "answers" around the letter at `w`.
fn noun(text: &str, w: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let head = w.checked_sub("ans".len())?;
    let end = head + "answer".len();
    let is_noun = bytes.get(head..end)?.eq_ignore_ascii_case(b"answer")
        && !text[..head].ends_with(char::is_alphanumeric);
    let plural = matches!(bytes.get(end), Some(b's' | b'S'));
    is_noun.then_some(head..end + usize::from(plural))
}

/// Where the answer begins, if a verb or a mark after the noun announces it.
fn value_after(text: &str, noun: Range<usize>) -> Option<usize> {
    let Range { start: head, end: after } = noun;
    let next = text::skip_adverbs(text, skip_marks(text, after));
    let rest = &text[next..];
    let word = text::first_word(rest);
    // "isn't" keeps its denial.
    let contracted = rest[word.len()..].starts_with(['\'', '’']);
    let verb = if contracted { word.strip_suffix('n').unwrap_or(word) } else { word };
    if text::is_listed(VERBS, verb) {
        return Some(value_starts(text, next + verb.len()));
    }
    if let Some(mark) = [":", "：", "="].iter().find(|mark| rest.starts_with(**mark)) {
        return Some(value_starts(text, next + mark.len()));
    }
    if text::is_listed(LINKS, verb) {
        return linked_verb(text, next).map(|after| value_starts(text, after));
    }
    let line_ends = rest.starts_with(['\n', '\r']);
    (alone(&text[..head]) && (line_ends || span::opens(rest))).then(|| value_starts(text, next))
}

/// The end of the verb in "answer to the question is", if it comes soon.
fn linked_verb(text: &str, from: usize) -> Option<usize> {
    let end = text::floor(text, from + 72);
    let clause = &text[from..end];
    let clause = &clause[..clause.find(['.', '\n', ',', '?', ';']).unwrap_or(clause.len())];
    let colon = clause.find(':').map(|at| at + 1);
    let verbs = [" is ", " are ", " is: ", " be "].iter();
    let verb =
        verbs.filter_map(|verb| clause.find(verb).map(|at| at + verb.trim_end().len())).min();
    verb.or(colon).map(|at| from + at)
}

/// Where the value begins after its verb or mark: over adverbs, ends of bold and empty lines, since
/// it may stand below (`**Answer:**\n\n42`).
fn value_starts(text: &str, from: usize) -> usize {
    let mut at = text::skip_adverbs(text, skip_marks(text, from));
    loop {
        let next = skip_marks(text, text::skip(text, at, |c| c.is_whitespace() || c == ':'));
        if next == at {
            return at;
        }
        at = next;
    }
}

/// Moves over blanks and over Markdown that closes: `**` and `_` before white space.
fn skip_marks(text: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = &text[at..];
        let marks = text::skip(text, at, |c| matches!(c, '*' | '_'));
        let opens = text[..at].ends_with(char::is_whitespace)
            && !text[marks..].starts_with(char::is_whitespace);
        if rest.starts_with([' ', '\t']) {
            at = text::skip(text, at, |c| matches!(c, ' ' | '\t'));
        } else if marks > at && !opens && marks < text.len() {
            at = marks;
        } else {
            return at;
        }
    }
}

/// Whether "answer" opens its line, but for Markdown and "the final".
fn alone(before: &str) -> bool {
    let tail = &before[text::floor(before, before.len().saturating_sub(40))..];
    let line = &tail[tail.rfind(['\n', '.']).map_or(0, |at| at + 1)..];
    text::words(line).all(|(_, word)| {
        ["the", "final", "my", "so", "thus"].iter().any(|w| word.eq_ignore_ascii_case(w))
    })
}

/// The answer from `start` on, unless it says nothing of the kind.
fn stated(text: &str, start: usize) -> Option<Vec<Range<usize>>> {
    if let Some(items) = items(text, start) {
        return Some(items);
    }
    let range = sentence(text, start);
    let found = &text[range.clone()];
    let says_value = found.contains(|c: char| c.is_ascii_digit() || matches!(c, '$' | '\\' | '*'));
    let idle =
        !says_value && !text::denies(found) && text::is_listed(IDLE, text::first_word(found));
    (!range.is_empty() && !idle).then(|| vec![range])
}

/// The items of a Markdown list that begins at `start`.
fn items(text: &str, start: usize) -> Option<Vec<Range<usize>>> {
    let opens_line = text[..start].ends_with(['\n', ' ', '\t'])
        && text[..start].trim_end_matches([' ', '\t']).ends_with('\n');
    let mark = ["- ", "* ", "• ", "+ "].iter().find(|mark| text[start..].starts_with(**mark))?;
    let mut items = Vec::new();
    let mut at = start;
    while opens_line && items.len() < MAX_ITEMS && text[at..].starts_with(*mark) {
        let end = text::line_end(text, at);
        items.push(unwrapped(text, text::trim(text, at + mark.len()..end)));
        at = text::skip(text, end, char::is_whitespace);
    }
    items.retain(|item| !item.is_empty());
    (!items.is_empty()).then_some(items)
}

/// From `start` to the full stop that ends the sentence, or to the end of the line; past the end of
/// the formula it begins with.
pub(super) fn sentence(text: &str, start: usize) -> Range<usize> {
    let formula = span::after(text, start).unwrap_or(start);
    let limit = text::floor(text, formula + MAX_SENTENCE);
    let line = &text[..text::line_end(&text[..limit], formula)];
    let stops =
        line[formula..].char_indices().filter(|(_, c)| matches!(c, '.' | '。' | '?' | '!' | '<'));
    let end = stops.map(|(at, c)| (formula + at, c)).find_map(|(at, c)| {
        let after = at + c.len_utf8();
        let closed = text::skip(line, after, |c| matches!(c, '*' | '_' | '$' | '"' | '”' | ')'));
        let ends = line[closed..].chars().next().is_none_or(char::is_whitespace);
        match c {
            '。' => Some(at),
            // "3.5" goes on.
            '.' if ends && closed == after => Some(at),
            '.' | '?' if ends => Some(closed),
            // "5!" is a factorial, "**5**!" is not.
            '!' if ends && line[..at].ends_with(['*', '$', ')']) => Some(at),
            '<' if line[after..].starts_with(['/', '|']) => Some(at),
            _ => None,
        }
    });
    unwrapped(text, text::trim(text, start..end.unwrap_or(line.len())))
}

/// A range without quotation marks, bold and full stops around it.
fn unwrapped(text: &str, range: Range<usize>) -> Range<usize> {
    let mut range = range;
    for _ in 0..4 {
        let inner = &text[range.clone()];
        let wrapped =
            [("**", "**"), ("__", "__"), ("\\\"", "\\\""), ("\"", "\""), ("“", "”"), ("`", "`")]
                .into_iter()
                .find(|(open, close)| {
                    inner.len() > open.len() + close.len()
                        && inner.starts_with(open)
                        && inner.ends_with(close)
                        && !inner[open.len()..inner.len() - close.len()].contains(open)
                });
        if let Some((open, close)) = wrapped {
            range = text::trim(text, range.start + open.len()..range.end - close.len());
        } else if inner.ends_with("**") && inner.matches("**").count() % 2 == 1 {
            range = text::trim(text, range.start..range.end - 2);
        } else if inner.ends_with('.') && !inner.ends_with("..") {
            range = text::trim(text, range.start..range.end - 1);
        } else {
            return range;
        }
    }
    range
}

fn foreign(text: &str) -> Option<Vec<Range<usize>>> {
    let from = text::floor(text, text.len().saturating_sub(WINDOW));
    let window = &text[from..];
    let is_ascii = window.is_ascii();
    FOREIGN
        .iter()
        .filter(|(noun, _)| !is_ascii || noun.is_ascii())
        .filter_map(|(noun, verbs)| {
            let ends = memmem::find_iter(window.as_bytes(), noun.as_bytes())
                .map(|at| from + at + noun.len());
            ends.filter_map(|end| verb_end(text, end, verbs)).last()
        })
        .max()
        .and_then(|after| stated(text, value_starts(text, after)))
}

/// The end of one of `verbs` after a noun that ends at `end`.
fn verb_end(text: &str, end: usize, verbs: &[&str]) -> Option<usize> {
    let mut at = skip_marks(text, end);
    let adjective = text::first_word(&text[at..]);
    if ADJECTIVES.contains(&adjective) {
        at = skip_marks(text, at + adjective.len());
    }
    let rest = &text[at..];
    let verb = verbs.iter().find(|verb| {
        let letters = verb.is_ascii() && verb.ends_with(char::is_alphabetic);
        rest.starts_with(**verb)
            && !(letters && rest[verb.len()..].starts_with(char::is_alphanumeric))
    })?;
    Some(at + verb.len())
}

/// "The result is 5" at the end of a reply.
fn result(text: &str) -> Option<Vec<Range<usize>>> {
    let from = text::floor(text, text.len().saturating_sub(CLOSE));
    let window = &text[from..];
    let after = NOUNS
        .iter()
        .filter_map(|noun| {
            let at = from + memmem::find_iter(window.as_bytes(), noun.as_bytes()).last()?;
            let next = skip_marks(text, at + noun.len());
            let verb = text::first_word(&text[next..]);
            text::is_listed(VERBS, verb).then(|| next + verb.len())
        })
        .max()?;
    let range = stated(text, value_starts(text, after))?;
    let last = range.last()?;
    let is_value = !text::is_prose(text::first_word(&text[last.clone()]));
    let is_last =
        !text[last.end..].contains(|c: char| c.is_ascii_digit() || matches!(c, '$' | '\\'));
    (is_value && is_last).then_some(range)
}

/// The option of "the correct option is (B)", "option D is correct", "故选 B".
fn option(text: &str) -> Option<Vec<Range<usize>>> {
    let from = text::floor(text, text.len().saturating_sub(WINDOW));
    let window = &text[from..];
    let named = ["ption", "hoice", "选项", "选", "選"].into_iter().filter_map(|noun| {
        let ends =
            memmem::find_iter(window.as_bytes(), noun.as_bytes()).map(|at| from + at + noun.len());
        ends.filter_map(|end| {
            let verbs = ["is", "：", ":", "是", "为"];
            let next = verb_end(text, end, &verbs);
            let start = skip_marks(text, next.unwrap_or(end));
            let letter = letter(text, start)?;
            Some(if next.is_some() { sentence(text, start) } else { letter })
        })
        .last()
    });
    let judged = [" is correct", " is the correct", " is right", " is the right", " is the answer"]
        .into_iter()
        .filter_map(|verb| {
            let at = from + memmem::find_iter(window.as_bytes(), verb.as_bytes()).last()?;
            let word = text[..at].trim_end_matches([')', '*', '$']);
            let start = word.len().checked_sub(1)?;
            let is_option = word.as_bytes()[start].is_ascii_uppercase()
                && !word[..start].ends_with(char::is_alphanumeric);
            is_option.then_some(start..word.len())
        });
    named.chain(judged).max_by_key(|range| range.start).map(|range| vec![range])
}

/// The letter of an option at `start`, with its parentheses.
fn letter(text: &str, start: usize) -> Option<Range<usize>> {
    let from = text::skip(text, start, |c| matches!(c, '*' | '$' | ' '));
    let open = usize::from(text[from..].starts_with('('));
    let letter = *text.as_bytes().get(from + open)?;
    let after = from + open + 1;
    let rest = text.get(after..)?;
    let is_letter = letter.is_ascii_uppercase()
        && !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '\'');
    let closed = open == 1 && rest.starts_with(')');
    is_letter.then(|| from..after + usize::from(closed))
}

#[cfg(test)]
mod tests {
    use super::last;

    fn found(text: &str) -> Vec<&str> {
        last(text, false).unwrap_or_default().into_iter().map(|range| &text[range]).collect()
    }

    fn option(text: &str) -> Vec<&str> {
        last(text, true).unwrap_or_default().into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn verbs_and_marks() {
        assert_eq!(found("The answer is 5. I used 3 steps."), ["5"]);
        assert_eq!(found("the answer is therefore $x+1$."), ["$x+1$"]);
        assert_eq!(found("FINAL ANSWER: $5$"), ["$5$"]);
        assert_eq!(found("answers are 1 and 2"), ["1 and 2"]);
        assert_eq!(
            found("The final answer is $12$ and $13$. I hope it is correct."),
            ["$12$ and $13$"]
        );
        assert_eq!(found("the answer to the question is 5."), ["5"]);
        assert_eq!(found("The answer is $3.50."), ["$3.50"]);
        assert_eq!(found("The answer isn't 5."), ["n't 5"]);
        assert_eq!(found("The answer is 6. Actually no, the answer is 5."), ["5"]);
        assert_eq!(found("answer 5"), [""; 0]);
        assert_eq!(found("he answered: 5"), [""; 0]);
        assert_eq!(found("an answer in 5 minutes"), [""; 0]);
    }

    #[test]
    fn markdown() {
        assert_eq!(found("**Answer:** 5"), ["5"]);
        assert_eq!(found("**Answer: 5**"), ["5"]);
        assert_eq!(found("Final Answer: **73**"), ["73"]);
        assert_eq!(found("The answer is **18** dollars."), ["**18** dollars"]);
        assert_eq!(found("**Final Answer**\n\n5 apples\n\nThis took 3 steps."), ["5 apples"]);
        assert_eq!(found("The answer is \"12\"."), ["12"]);
        assert_eq!(found("Answer:\n- $x = 1$\n- $x = 2$\nDone."), ["$x = 1$", "$x = 2$"]);
        assert_eq!(found("Answer: -3"), ["-3"]);
    }

    #[test]
    fn formulas_below() {
        assert_eq!(found("Answer \\[ 9 \\]"), ["\\[ 9 \\]"]);
        assert_eq!(found("The answer is:\n$$\nx = 9\n$$\nas shown"), ["$$\nx = 9\n$$"]);
        assert_eq!(found("Answer: \\[\n9\n\\]"), ["\\[\n9\n\\]"]);
    }

    #[test]
    fn phrases_that_say_nothing() {
        assert_eq!(found("The answer is 5. I am sure my answer is correct."), ["5"]);
        assert_eq!(found("The answer is 5.\n\nThe answer is:"), ["5"]);
        assert_eq!(found("The answer is 5? No, the answer is not right."), ["not right"]);
    }

    #[test]
    fn other_languages() {
        assert_eq!(found("答案是5。"), ["5"]);
        assert_eq!(found("答案：$x=5$"), ["$x=5$"]);
        assert_eq!(found("答案不是5。"), [""; 0]);
        assert_eq!(found("La respuesta final es 1,5."), ["1,5"]);
        assert_eq!(found("La réponse est 5."), ["5"]);
        assert_eq!(found("Die Antwort lautet: 5."), ["5"]);
        assert_eq!(found("Ответ: 5"), ["5"]);
        assert_eq!(found("答えは5です。"), ["5です"]);
    }

    #[test]
    fn results_at_the_end() {
        assert_eq!(found("The solutions are 2 and 3."), ["2 and 3"]);
        assert_eq!(found("The result is $3$"), ["$3$"]);
        assert_eq!(found("The solutions are 2 and 3. Their sum is 5."), [""; 0]);
        assert_eq!(found("The result is that she has 3"), [""; 0]);
    }

    #[test]
    fn options() {
        assert_eq!(option("So the correct option is (B)."), ["(B)"]);
        assert_eq!(option("I think option D is correct."), ["D"]);
        assert_eq!(option("A is wrong, so (B) is correct."), ["B"]);
        assert_eq!(option("故选 B。"), ["B"]);
        assert_eq!(option("I think A is wrong, so the answer is B"), ["B"]);
        assert_eq!(option("We have the option A or B"), ["A"]);
        assert_eq!(option("This is correct."), [""; 0]);
    }
}
