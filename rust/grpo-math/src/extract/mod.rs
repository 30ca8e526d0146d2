//! Finds the answer in a reply: a strategy per file, tried in the order of [`Extract::Auto`].

mod anchor;
mod boxed;
mod number;
mod phrase;
mod span;
mod text;
mod whole;

use std::ops::Range;

use memchr::memmem;

use crate::options::Extract;
use crate::outcome::Outcome;

/// Where the answer stands, and which single strategy found it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Usually one; several are the members of a list (`\boxed{1}` and `\boxed{2}`). In order, and
    /// never empty.
    pub(crate) ranges: Vec<Range<usize>>,
    pub(crate) by: Extract,
}

impl Found {
    /// From the first range to the last.
    pub(crate) fn span(&self) -> Range<usize> {
        hull(&self.ranges)
    }
}

/// The order of `Auto`, most deliberate mark first; what it ends with depends on the gold.
const CASCADE: [Extract; 4] = [Extract::Boxed, Extract::Hash, Extract::AnswerTag, Extract::Phrase];

/// Finds the answer, or says why there is none. `gold_is_text` turns the last resort of `Auto` from
/// the last value into the only line, or the last.
pub(crate) fn find(reply: &str, extract: Extract, gold_is_text: bool) -> Result<Found, Outcome> {
    let start = after_reasoning(reply)?;
    let text = text::without_trailer(&reply[start..]);
    let found = match extract {
        Extract::Auto => final_answer(&reply[start..])
            .or_else(|| {
                CASCADE.into_iter().find_map(|by| Some((by, single(text, by, gold_is_text)?)))
            })
            .or_else(|| Some((Extract::Whole, vec![whole::formula(text)?])))
            .or_else(|| if gold_is_text { last_text(text) } else { last_value(text) }),
        by => single(text, by, gold_is_text).map(|ranges| (by, ranges)),
    };
    let (by, mut ranges) = found.ok_or(Outcome::NoAnswer)?;
    if !matches!(by, Extract::Boxed) && span::is_broken(text, &hull(&ranges)) {
        return Err(Outcome::NoAnswer);
    }
    for range in &mut ranges {
        *range = start + range.start..start + range.end;
    }
    Ok(Found { ranges, by })
}

/// "The final answer is $5$. I hope it is correct." after the last box: the closing formula of
/// Minerva's prompt is as deliberate as a box, and later.
fn final_answer(text: &str) -> Option<(Extract, Vec<Range<usize>>)> {
    let boxed = boxed::last(text)?.last()?.end;
    let rest = &text[boxed..];
    let is_minerva = memmem::find(rest.as_bytes(), b"he final answer is").is_some();
    let ranges = phrase::last(rest, false).filter(|_| is_minerva)?;
    let after = rest[ranges.last()?.end..].trim_start_matches(['$', '.', ' ', '*', '\\', ')', ']']);
    let closes = after.starts_with("I hope it is correct");
    closes.then(|| (Extract::Phrase, ranges.iter().map(|range| moved(range, boxed)).collect()))
}

/// What may be read instead of a found text that cannot be, best first. Nothing for a box or a
/// formula, which say what they say; a sentence or a tag that goes on in words ("the answer is that
/// she earns $18") points at a value in it or after it, unless it denies one.
pub(crate) fn fallbacks<'a>(
    prediction: &'a str,
    found: &Found,
) -> impl Iterator<Item = Range<usize>> + use<'a> {
    let Range { start, end } = found.span();
    let by = found.by;
    let rest = start + text::without_trailer(&prediction[start..]).len();
    let rest = rest.max(end);
    let is_sentence = matches!(by, Extract::Phrase | Extract::Hash | Extract::AnswerTag);
    let sentence = &prediction[start..end];
    let is_weak = is_sentence && found.ranges.len() == 1 && !text::denies(sentence);
    // Two letters: `x=y=5` is a formula.
    let opening = sentence.trim_start_matches(['*', '$', '"']);
    let in_words = opening.chars().take(2).filter(|c| c.is_alphabetic()).count() == 2;
    let here = move || value_in(prediction, start..end);
    let later = move || value_in(prediction, start..rest);
    let announces = phrase::introduces(prediction, start);
    (0..4).filter_map(move |step| match step {
        0 if is_weak && !in_words => {
            clause(prediction, start..end).or_else(|| last_member(prediction, start..end))
        }
        1 if is_weak && by != Extract::Phrase => {
            let ranges = phrase::last(&prediction[start..end], false)?;
            Some(moved(&hull(&ranges), start))
        }
        2 if is_weak && in_words => {
            if announces {
                later()
            } else {
                here()
            }
        }
        3 if is_weak && in_words => {
            if announces {
                here()
            } else {
                later()
            }
        }
        // A formula that is none, and a number after it.
        3 if matches!(by, Extract::MathSpan | Extract::Bold) => {
            let number = number::last(&prediction[end..rest])?;
            Some(moved(&number, end))
        }
        _ => None,
    })
}

/// The answer of a gold: what follows its `####`, else its box or boxes; in a worked solution what
/// it announces or its last formula; else all of it.
pub(crate) fn find_in_gold(gold: &str) -> Vec<Range<usize>> {
    anchor::hash(gold)
        .map(|range| vec![range])
        .or_else(|| boxed::last(gold))
        .or_else(|| anchor::tag(gold).map(|range| vec![range]))
        .or_else(|| worked_out(gold))
        .unwrap_or_else(|| vec![text::trim(gold, 0..gold.len())])
}

/// What a worked solution in prose announces, or its last formula.
fn worked_out(gold: &str) -> Option<Vec<Range<usize>>> {
    /// Fewer words than these are an answer and its units.
    const WORDS: usize = 8;
    let text = text::without_trailer(gold);
    phrase::last(text, false)
        .or_else(|| span::last(text).filter(|_| text::prose(text, WORDS) == WORDS))
}

/// The strategies in which a mark decides.
fn single(text: &str, by: Extract, gold_is_text: bool) -> Option<Vec<Range<usize>>> {
    let one = |range: Range<usize>| vec![range];
    match by {
        Extract::Boxed => boxed::last(text),
        Extract::Hash => anchor::hash(text).map(one),
        Extract::AnswerTag => {
            let range = anchor::tag(text)?;
            let boxes = boxed::last(&text[range.clone()]);
            Some(boxes.map_or_else(
                || one(range.clone()),
                |boxes| boxes.iter().map(|inner| moved(inner, range.start)).collect(),
            ))
        }
        Extract::Phrase => phrase::last(text, gold_is_text),
        Extract::Bold => span::bold(text, gold_is_text).map(one),
        Extract::MathSpan => span::last(text),
        Extract::LastNumber => number::last(text).map(one),
        Extract::Whole | Extract::Auto => {
            let range = text::trim(text, 0..text.len());
            (!range.is_empty()).then(|| one(range))
        }
    }
}

/// The last bold value, formula or number of a text: the most deliberate that no later sentence, and
/// no value stated later in its own, overrules.
fn last_value(text: &str) -> Option<(Extract, Vec<Range<usize>>)> {
    let number = number::last(text);
    let holds = |ranges: &[Range<usize>]| {
        let end = ranges.last().map_or(0, |range| range.end);
        number.as_ref().is_none_or(|number| !overrules(text, end, number))
    };
    let spans = span::last(text).filter(|ranges| holds(ranges));
    let bold = span::bold(text, false).map(|range| vec![range]).filter(|ranges| {
        let end = ranges.last().map_or(0, |range| range.end);
        let later = spans.as_ref().is_some_and(|spans| overrules(text, end, &hull(spans)));
        holds(ranges) && !later
    });
    bold.map(|ranges| (Extract::Bold, ranges))
        .or_else(|| spans.map(|ranges| (Extract::MathSpan, ranges)))
        .or_else(|| number.map(|range| (Extract::LastNumber, vec![range])))
}

/// Whether the value `later` counts instead of one that ends at `end`: it is in another sentence, or
/// a verb states it.
fn overrules(text: &str, end: usize, later: &Range<usize>) -> bool {
    const STOPS: [&str; 7] = [". ", ".*", ".$", ".\\", "\n", "! ", "。"];
    if later.start <= end {
        return false;
    }
    let between = &text[end..later.start];
    STOPS.iter().any(|stop| between.contains(stop)) || text::is_stated(&text[..later.start])
}

/// The last bold or text formula, or else the line, that answers a gold which is text.
fn last_text(text: &str) -> Option<(Extract, Vec<Range<usize>>)> {
    /// A reply of more words argues.
    const WORDS: usize = 4;
    let line = whole::line(text);
    let whole = line.clone().map(|range| (Extract::Whole, vec![range]));
    let is_short = |line: &Range<usize>| {
        text.trim().len() == line.len() && text::prose(&text[line.clone()], WORDS) < WORDS
    };
    let predicate = whole::predicate(text, line.clone().unwrap_or_default());
    let formula = || {
        let ranges = span::last(text)?;
        let is_text = ranges.iter().all(|range| text[range.clone()].contains("\\text"));
        is_text.then_some((Extract::MathSpan, ranges))
    };
    predicate
        .map(|range| (Extract::Phrase, vec![range]))
        .or_else(|| whole.clone().filter(|_| line.as_ref().is_some_and(is_short)))
        .or_else(|| span::bold(text, true).map(|range| (Extract::Bold, vec![range])))
        .or_else(formula)
        .or(whole)
}

/// The last value in a part of a text.
fn value_in(text: &str, part: Range<usize>) -> Option<Range<usize>> {
    let (_, ranges) = last_value(&text[part.clone()])?;
    Some(moved(&hull(&ranges), part.start))
}

/// A value before the clause that explains it: "18 because she sells nine".
fn clause(text: &str, sentence: Range<usize>) -> Option<Range<usize>> {
    const OPENERS: [&str; 15] = [
        ", because",
        " because",
        ", since",
        " since ",
        ", which",
        " which ",
        ", as ",
        ", where",
        ", so ",
        "; ",
        " — ",
        " (",
        " when ",
        ", when",
        " after ",
    ];
    let inner = &text[sentence.clone()];
    let end = OPENERS.iter().filter_map(|opener| inner.find(opener)).min()?;
    let hedges = text::words(inner).any(|(_, word)| word.eq_ignore_ascii_case("or"));
    let says_value = inner[..end].contains(char::is_alphanumeric);
    (says_value && !hedges).then(|| text::trim(text, sentence.start..sentence.start + end))
}

/// The value after the last equals sign of a calculation with units: "2 cups / 8 cups = 25%".
fn last_member(text: &str, sentence: Range<usize>) -> Option<Range<usize>> {
    let at = sentence.start + text[sentence.clone()].rfind('=')?;
    let hedges =
        text::words(&text[sentence.clone()]).any(|(_, word)| word.eq_ignore_ascii_case("or"));
    let has_units = text::prose(&text[sentence.clone()], 1) == 1;
    value_in(text, at + 1..sentence.end).filter(|_| has_units && !hedges)
}

/// The offset at which the reply proper begins: after the last `</think>`.
///
/// The opening tag may stand in the prompt, so a lone closing tag ends reasoning too.
fn after_reasoning(reply: &str) -> Result<usize, Outcome> {
    let start = tag_ends(reply, 0, "</think").last().unwrap_or(0);
    match tag_ends(reply, start, "<think").next() {
        Some(_) => Err(Outcome::ReasoningUnfinished),
        None => Ok(start),
    }
}

/// Where the tags `<think>` and `<thinking>` end, of which `name` is the beginning.
fn tag_ends(text: &str, from: usize, name: &str) -> impl Iterator<Item = usize> {
    memmem::find_iter(&text.as_bytes()[from..], name.as_bytes()).filter_map(move |at| {
        let after = from + at + name.len();
        let rest = &text[after..];
        let close = ["ing>", ">"].iter().find(|close| rest.starts_with(**close))?;
        Some(after + close.len())
    })
}

/// From the first range to the last.
fn hull(ranges: &[Range<usize>]) -> Range<usize> {
    let start = ranges.first().map_or(0, |range| range.start);
    start..ranges.last().map_or(start, |range| range.end)
}

fn moved(range: &Range<usize>, by: usize) -> Range<usize> {
    by + range.start..by + range.end
}

#[cfg(test)]
mod tests {
    use super::{fallbacks, find, find_in_gold};
    use crate::options::Extract;
    use crate::outcome::Outcome;

    fn found(reply: &str, gold_is_text: bool) -> (Vec<&str>, Option<Extract>) {
        find(reply, Extract::Auto, gold_is_text).map_or_else(
            |_| (Vec::new(), None),
            |found| (found.ranges.iter().map(|r| &reply[r.clone()]).collect(), Some(found.by)),
        )
    }

    fn value(reply: &str) -> (Vec<&str>, Option<Extract>) {
        found(reply, false)
    }

    #[test]
    fn reasoning_is_set_aside() {
        let reply = "<think>\\boxed{4}</think><thinking>6</thinking> So \\boxed{5}";
        assert_eq!(value(reply), (vec!["5"], Some(Extract::Boxed)));
        assert_eq!(value("\\boxed{4}</think> Done."), (vec![], None));
        let unfinished = find("<think>a</think> \\boxed{4} <think>or", Extract::Auto, false);
        assert_eq!(unfinished.err(), Some(Outcome::ReasoningUnfinished));
        assert_eq!(value("I said <thinker> 5"), (vec!["5"], Some(Extract::LastNumber)));
    }

    #[test]
    fn the_most_deliberate_mark() {
        assert_eq!(value("#### 6\nI mean \\boxed{5}"), (vec!["5"], Some(Extract::Boxed)));
        assert_eq!(value("The answer is 6\n#### 5"), (vec!["5"], Some(Extract::Hash)));
        assert_eq!(
            value("<answer>5</answer> The answer is 6"),
            (vec!["5"], Some(Extract::AnswerTag))
        );
        assert_eq!(value("3+2"), (vec!["3+2"], Some(Extract::Whole)));
        assert_eq!(value("She has **18** eggs."), (vec!["18"], Some(Extract::Bold)));
        assert_eq!(value("Thus $x > 5$ is it."), (vec!["x > 5"], Some(Extract::MathSpan)));
        assert_eq!(
            value("So it is 2/3. <|im_start|>user"),
            (vec!["2/3"], Some(Extract::LastNumber))
        );
    }

    #[test]
    fn later_values_overrule_earlier_ones() {
        assert_eq!(value("As $x = 3$, the total is 42."), (vec!["42"], Some(Extract::LastNumber)));
        assert_eq!(value("We get $42$ after 3 steps."), (vec!["42"], Some(Extract::MathSpan)));
        assert_eq!(value("So $x = 3.$ There are 5 left."), (vec!["5"], Some(Extract::LastNumber)));
        assert_eq!(value("She has **18**. She sold 3."), (vec!["3"], Some(Extract::LastNumber)));
    }

    #[test]
    fn text_golds() {
        assert_eq!(found("Yes.", true), (vec!["Yes"], Some(Extract::Phrase)));
        assert_eq!(found("no solution", true), (vec!["no solution"], Some(Extract::Whole)));
        assert_eq!(found("It follows.\n\nParis", true), (vec!["Paris"], Some(Extract::Whole)));
        let reply = "Therefore, $\\text{Evelyn}$ is the fastest of all the runners here.";
        assert_eq!(found(reply, true), (vec!["\\text{Evelyn}"], Some(Extract::MathSpan)));
    }

    #[test]
    fn what_a_sentence_points_at() {
        let first = |reply: &'static str| {
            let found = find(reply, Extract::Auto, false).ok()?;
            fallbacks(reply, &found).next().map(|range| &reply[range])
        };
        assert_eq!(first("The answer is that Janet makes $18 every day. It took 3."), Some("18"));
        assert_eq!(first("Answer: She has 16 eggs.\nSo 9 * 2 = 18"), Some("18"));
        assert_eq!(first("The answer is 18 because she sells 9 eggs."), Some("18"));
        assert_eq!(first("<answer>The answer is 5</answer>"), Some("5"));
        assert_eq!(first("The answer is 2 cups / 8 cups = 25%"), Some("25%"));
        assert_eq!(first("The answer is approximately 5.4"), None); // the adverb is passed over
        assert_eq!(first("The answer is not 5."), None);
        assert_eq!(first("The answer is 5 (or 6)."), None);
        assert_eq!(first("The answer is x=y=5."), None);
        assert_eq!(first("\\boxed{she earns 18}"), None);
    }

    #[test]
    fn golds() {
        let found = |gold: &'static str| -> Vec<&str> {
            find_in_gold(gold).into_iter().map(|range| &gold[range]).collect()
        };
        assert_eq!(found(" $[0, 1)$ "), ["$[0, 1)$"]);
        assert_eq!(found("48 / 2 = 24\n#### 72"), ["72"]);
        assert_eq!(found("x \\in \\boxed{\\{-1\\} \\cup [0,7)}.$"), ["\\{-1\\} \\cup [0,7)"]);
        assert_eq!(found("\\boxed{1} papers and \\boxed{2} bins"), ["1", "2"]);
        assert_eq!(
            found("The final answer is $12$ and $13$. I hope it is correct."),
            ["$12$ and $13$"]
        );
        assert_eq!(
            found("Adding the first two of these numbers to both of the others gives $x = 5$."),
            ["x = 5"]
        );
        assert_eq!(found("48/2 = 24\n48+24 = 72"), ["48/2 = 24\n48+24 = 72"]);
        assert_eq!(found("all real numbers $x$"), ["all real numbers $x$"]);
        assert_eq!(found(""), [""]);
    }

    #[test]
    fn long_inputs() {
        for part in
            ["$ ", "{", "\\boxed{", "final answer aaa is ", "答", "<answer>", "#### a", "1 + "]
        {
            let reply = part.repeat(100_000 / part.len());
            if let Ok(found) = find(&reply, Extract::Auto, true) {
                assert!(fallbacks(&reply, &found).count() <= 4);
            }
        }
    }
}
