//! The verdict on one reply.

use std::borrow::Cow;
use std::ops::Range;

use crate::budget::Budget;
use crate::compare::{self, Equality};
use crate::display::describe;
use crate::expr::{Constant, Expr, Function, Rel};
use crate::extract;
use crate::normalize::{normalize, text_form};
use crate::options::{Chain, Effort, Extract, Options, Percent, Policy, Units};
use crate::outcome::Outcome;
use crate::parse::{self, Read};
use crate::tree;

/// The longest answer, in bytes, that is read as mathematics. Longer ones equal their own text.
const MAX_ANSWER: usize = 20_000;

/// The longest gold, in bytes, that may be free text.
const MAX_TEXT_GOLD: usize = 2_000;

/// A reference answer, read once and compared with many replies.
#[derive(Clone, Debug)]
pub struct Gold {
    /// The answer as it stands in the gold, and its reading; or why it cannot be scored against.
    pub(crate) answer: Result<Answer, Outcome>,
}

/// A text that was found, with what it says.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    text: Box<str>,
    /// Nothing where the text is too large to be read: it equals itself, and is compared with
    /// nothing else.
    pub(crate) read: Option<Read>,
}

/// The result of one verification. Small and `Copy`: the sentence is made on demand by [`explain`].
///
/// [`explain`]: crate::explain
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// Where in the reply the answer was found.
    pub span: Option<Span>,
    /// The single strategy that found it.
    pub found_by: Option<Extract>,
}

/// A range of bytes of the reply, on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

/// Compares the answer of `prediction` with `gold`.
///
/// ```
/// use grpo_math::{Gold, Options, Outcome, verify};
///
/// let options = Options::default();
/// let gold = Gold::compile("16 - 3 - 4 = 9 eggs, so 9 * 2 = $18.\n#### 18", &options);
/// assert_eq!(verify("She earns $18.00 a day.", &gold, &options).outcome, Outcome::Correct);
/// let hedge = verify("\\boxed{18 \\text{ or } 97}", &gold, &options);
/// assert_eq!(hedge.outcome, Outcome::AmbiguousAnswer);
/// ```
pub fn verify(prediction: &str, gold: &Gold, options: &Options) -> Verdict {
    judge(prediction, gold, options).0
}

impl Gold {
    /// Reads a reference answer: bare (`72`, `\frac12`, `(-\infty, 2]`, `Paris`), boxed, between
    /// dollar signs, or a worked solution that marks its answer. What cannot be read gives a gold
    /// that is not scorable.
    pub fn compile(gold: &str, options: &Options) -> Self {
        let ranges = extract::find_in_gold(gold);
        let text = join(gold, &ranges);
        let text = text.trim();
        Self { answer: read_gold(text, options) }
    }

    /// Whether replies can be scored against it; if not, the outcome says why.
    pub fn problem(&self) -> Option<Outcome> {
        self.answer.as_ref().err().copied()
    }

    /// The normal form, as [`explain`](crate::explain) shows it.
    pub fn normal_form(&self) -> Option<String> {
        self.answer.as_ref().ok().map(Answer::describe)
    }

    /// Whether the gold is words, so that a reply of words may answer it.
    fn is_text(&self) -> bool {
        let Ok(Answer { read: Some(read), .. }) = &self.answer else { return false };
        match &read.expr {
            Expr::Text(_) | Expr::Choice(..) => true,
            // A letter of a multiple choice.
            Expr::Symbol(name) => matches!(name.as_bytes(), [b'A'..=b'J']),
            _ => false,
        }
    }
}

fn read_gold(text: &str, options: &Options) -> Result<Answer, Outcome> {
    if text.is_empty() {
        return Err(Outcome::GoldEmpty);
    }
    let answer = Answer::read(text, options);
    match &answer.read {
        None => Err(Outcome::GoldOverBudget),
        // A worked solution that marks no answer is not itself the answer.
        Some(read) if read.is_fallback => {
            let says_something = text.contains(char::is_alphanumeric);
            let is_solution = text.len() > MAX_TEXT_GOLD || text.contains('\n');
            if says_something && !is_solution { Ok(answer) } else { Err(Outcome::GoldUnreadable) }
        }
        Some(read) if is_worked_out(&read.expr, text) => Err(Outcome::GoldUnreadable),
        Some(_) => Ok(answer),
    }
}

/// Whether a gold is nothing, or lines of a calculation of which none is marked as the answer.
fn is_worked_out(expr: &Expr, text: &str) -> bool {
    match expr {
        Expr::Ellipsis => true,
        Expr::List(items, _) if text.contains('\n') => {
            let in_words = items.iter().any(|item| matches!(item, Expr::Text(_)));
            in_words
                || items.iter().all(|item| matches!(item, Expr::Relation(..)))
                    && items.iter().all(|item| tree::free_symbols(item).is_empty())
        }
        _ => false,
    }
}

/// The form in which string graders compare: without what the policy drops.
fn string_form(text: &str, policy: &Policy) -> String {
    let mut normalized = normalize(text);
    if policy.chain == Chain::Last
        && let Some((_, value)) = normalized.rsplit_once('=')
        && !value.trim().is_empty()
    {
        normalized = value.to_owned();
    }
    if policy.percent == Percent::Drop {
        normalized.retain(|c| c != '%');
    }
    // Between double quotes stands what was the argument of a text command.
    if policy.units == Units::Drop
        && let Some((value, _)) = normalized.split_once('"')
        && !value.trim().is_empty()
    {
        normalized = value.to_owned();
    }
    text_form(&normalized, policy.ignore_case)
}

impl Answer {
    fn read(text: &str, options: &Options) -> Self {
        let mut budget = Budget::default();
        let read = if text.len() > MAX_ANSWER || options.policy.effort == Effort::Text {
            (text.len() <= MAX_ANSWER).then(|| Read {
                expr: Expr::Text(string_form(text, &options.policy)),
                alternative: None,
                is_fallback: true,
            })
        } else {
            parse::parse(text, &mut budget).ok()
        };
        Self { text: text.into(), read }
    }

    pub(crate) fn describe(&self) -> String {
        match &self.read {
            Some(read) => describe(&read.expr),
            None => self.text.to_string(),
        }
    }
}

impl Verdict {
    /// `1.0`, `0.0`, or nothing when not scorable.
    pub const fn score(&self) -> Option<f32> {
        self.outcome.score()
    }
}

impl Span {
    /// The span as a range, for slicing.
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// The verdict, and the answer as it was read.
pub(crate) fn judge(prediction: &str, gold: &Gold, options: &Options) -> (Verdict, Option<Answer>) {
    let without_answer = |outcome| (Verdict { outcome, span: None, found_by: None }, None);
    let expected = match &gold.answer {
        Ok(expected) => expected,
        Err(outcome) => return without_answer(*outcome),
    };
    let found = match extract::find(prediction, options.extract, gold.is_text()) {
        Ok(found) => found,
        Err(outcome) => return without_answer(outcome),
    };
    let text = join(prediction, &found.ranges);
    let mut answer = Answer::read(text.trim(), options);
    let mut range = found.span();
    let mut outcome = decide(&answer, expected, options);
    // A phrase that goes on in words points at its value: "the answer is that she earns $18".
    let in_prose = matches!(&answer.read, Some(read) if mixes_words(&read.expr));
    if outcome == Outcome::UnreadableAnswer || in_prose && outcome != Outcome::Correct {
        for fallback in extract::fallbacks(prediction, &found) {
            let other = Answer::read(prediction[fallback.clone()].trim(), options);
            if other.read.as_ref().is_some_and(|read| !read.is_fallback) {
                outcome = decide(&other, expected, options);
                answer = other;
                range = fallback;
                break;
            }
        }
    }
    let span = Some(Span { start: range.start, end: range.end });
    (Verdict { outcome, span, found_by: Some(found.by) }, Some(answer))
}

/// The ranges as one text; several boxes are a list.
fn join<'t>(text: &'t str, ranges: &[Range<usize>]) -> Cow<'t, str> {
    match ranges {
        [] => Cow::Borrowed(""),
        [range] => Cow::Borrowed(&text[range.clone()]),
        several => {
            let parts: Vec<&str> = several.iter().map(|range| &text[range.clone()]).collect();
            Cow::Owned(parts.join(" , "))
        }
    }
}

/// How the answer stands to the gold.
fn decide(answer: &Answer, gold: &Answer, options: &Options) -> Outcome {
    if answer.text == gold.text && !answer.text.is_empty() {
        return Outcome::Correct;
    }
    let (read, expected) = match (&answer.read, &gold.read) {
        (Some(read), Some(expected)) => (read, expected),
        (_, None) => return Outcome::GoldOverBudget,
        (None, _) => return Outcome::OverBudget,
    };
    let mut undecided = false;
    let mut budget = Budget::default();
    for (left, right) in readings(read, expected) {
        match equal(left, right, &options.policy, &mut budget) {
            Equality::Equal => return Outcome::Correct,
            Equality::Undecided => undecided = true,
            Equality::Different => {}
        }
    }
    let gold_is_text = matches!(expected.expr, Expr::Text(_));
    match &read.expr {
        _ if answer.text.is_empty() => Outcome::UnreadableAnswer,
        _ if read.is_fallback && !gold_is_text => Outcome::UnreadableAnswer,
        _ if undecided => Outcome::Undecided,
        expr if contradicts_itself(expr, &options.policy) => Outcome::AmbiguousAnswer,
        Expr::List(..) | Expr::PlusMinus(..) if is_single(&expected.expr) => {
            Outcome::AmbiguousAnswer
        }
        _ => Outcome::WrongValue,
    }
}

/// The pairs of readings of an ambiguous text, likeliest first.
fn readings<'a>(answer: &'a Read, gold: &'a Read) -> impl Iterator<Item = (&'a Expr, &'a Expr)> {
    let answers = [Some(&answer.expr), answer.alternative.as_ref()];
    let golds = [Some(&gold.expr), gold.alternative.as_ref()];
    golds
        .into_iter()
        .flatten()
        .flat_map(move |gold| answers.into_iter().flatten().map(move |answer| (answer, gold)))
}

fn equal(answer: &Expr, gold: &Expr, policy: &Policy, budget: &mut Budget) -> Equality {
    if !bare_logarithm(answer) && !bare_logarithm(gold) {
        return compare::compare(answer, gold, policy, budget);
    }
    // `\log` is the natural logarithm beside `\ln` or e, else that of base ten.
    let natural = natural_logarithm(answer) || natural_logarithm(gold);
    let base = if natural { Expr::Constant(Constant::E) } else { Expr::integer(10) };
    let settle = |expr: &Expr| {
        tree::rebuild(expr, &|node| match node {
            Expr::Call(Function::Log, arguments) if arguments.len() == 1 => {
                let argument = arguments.first()?.clone();
                Some(Expr::Call(Function::Log, vec![argument, base.clone()]))
            }
            _ => None,
        })
    };
    compare::compare(&settle(answer), &settle(gold), policy, budget)
}

fn bare_logarithm(expr: &Expr) -> bool {
    tree::any(
        expr,
        &|node| matches!(node, Expr::Call(Function::Log, arguments) if arguments.len() == 1),
    )
}

fn natural_logarithm(expr: &Expr) -> bool {
    tree::any(expr, &|node| {
        matches!(node, Expr::Call(Function::Ln, _) | Expr::Constant(Constant::E))
    })
}

/// Whether words stand among the values: "that Janet makes", 18.
fn mixes_words(expr: &Expr) -> bool {
    match expr {
        Expr::List(items, _) => {
            let words = items.iter().filter(|item| matches!(item, Expr::Text(_))).count();
            words > 0 && words < items.len()
        }
        _ => false,
    }
}

/// Whether a chain of values cannot be true: `97 = 5`, `x = 5 = 97`.
fn contradicts_itself(expr: &Expr, policy: &Policy) -> bool {
    let Expr::Relation(members, rels) = expr else { return false };
    let values = match &members[..] {
        [Expr::Symbol(_) | Expr::Call(Function::Named(_), _), values @ ..] | values => values,
    };
    policy.chain == Chain::Consistent
        && rels.iter().all(|rel| *rel == Rel::Eq)
        && values.iter().all(|value| tree::free_symbols(value).is_empty())
        && values.windows(2).any(|pair| {
            let equality = compare::compare(&pair[0], &pair[1], policy, &mut Budget::default());
            equality == Equality::Different
        })
}

/// Whether a gold is one value.
const fn is_single(expr: &Expr) -> bool {
    !matches!(
        expr,
        Expr::List(..)
            | Expr::Set(_)
            | Expr::Tuple(..)
            | Expr::PlusMinus(..)
            | Expr::Builder(..)
            | Expr::Union(_)
            | Expr::Choice(..)
    )
}
