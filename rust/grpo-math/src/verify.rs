//! The verdict on one reply.

use std::ops::Range;

use crate::extract::{self, Found};
use crate::normalize::{normalize, text_form};
use crate::number::{Quantity, Unread};
use crate::options::{Extract, Options, Policy};
use crate::outcome::Outcome;
use crate::units;

/// A reference answer, read once and compared with many replies.
#[derive(Clone, Debug)]
pub struct Gold {
    pub(crate) answer: Result<Answer, Outcome>,
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

/// What an answer text turned out to be.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Number(Quantity),
    Text(String),
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
    judge(prediction, gold, *options).0
}

impl Gold {
    /// Reads a reference answer: bare (`72`, `1/2`, `$1,200`, `Paris`), boxed, or a worked solution
    /// that ends in `#### 72`. What cannot be read gives a gold that is not scorable.
    pub fn compile(gold: &str, options: &Options) -> Self {
        let text = &gold[extract::find_in_gold(gold)];
        let normalized = normalize(text);
        let answer = match Quantity::read(&normalized, options.policy) {
            Ok(quantity) => Ok(Answer::Number(quantity)),
            Err(Unread::OverBudget) => Err(Outcome::GoldOverBudget),
            Err(_) if text.is_empty() => Err(Outcome::GoldEmpty),
            // A worked solution that marks no answer is not itself the answer.
            Err(_) if text.contains('\n') => Err(Outcome::GoldUnreadable),
            Err(_) => {
                let text = text_form(&normalized);
                let says_something = text.contains(char::is_alphanumeric);
                if says_something { Ok(Answer::Text(text)) } else { Err(Outcome::GoldUnreadable) }
            }
        };
        Self { answer }
    }

    /// Whether replies can be scored against it; if not, the outcome says why.
    pub fn problem(&self) -> Option<Outcome> {
        self.answer.as_ref().err().copied()
    }

    /// The normal form, as [`explain`](crate::explain) shows it.
    pub fn normal_form(&self) -> Option<String> {
        self.answer.as_ref().ok().map(Answer::to_string)
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

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(quantity) => quantity.fmt(f),
            Self::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

/// The verdict, with the number that was read from the prediction, if one was.
pub(crate) fn judge(
    prediction: &str,
    gold: &Gold,
    options: Options,
) -> (Verdict, Option<Quantity>) {
    let without_answer = |outcome| (Verdict { outcome, span: None, found_by: None }, None);
    let gold = match &gold.answer {
        Ok(gold) => gold,
        Err(outcome) => return without_answer(*outcome),
    };
    let is_text = matches!(gold, Answer::Text(_));
    let mut found = match extract::find(prediction, options.extract, is_text) {
        Ok(found) => found,
        Err(outcome) => return without_answer(outcome),
    };
    let mut normalized = normalize(&prediction[found.range.clone()]);
    let mut read = Quantity::read(&normalized, options.policy);
    if !is_text
        && read == Err(Unread::NotANumber)
        && let Some(range) = number_in_sentence(prediction, &found)
    {
        normalized = normalize(&prediction[range.clone()]);
        read = Quantity::read(&normalized, options.policy);
        found.range = range;
    }
    let outcome = compare(&read, &normalized, gold, options.policy);
    let span = Some(Span { start: found.range.start, end: found.range.end });
    (Verdict { outcome, span, found_by: Some(found.by) }, read.ok())
}

fn compare(
    read: &Result<Quantity, Unread>,
    normalized: &str,
    gold: &Answer,
    policy: Policy,
) -> Outcome {
    let equal = match (read, gold) {
        (Ok(quantity), Answer::Number(gold)) => quantity.equals(gold, policy),
        (Err(_), Answer::Text(gold)) => text_form(normalized) == *gold,
        _ => false,
    };
    match read {
        _ if equal => Outcome::Correct,
        Ok(_) => Outcome::WrongValue,
        Err(Unread::Several) => Outcome::AmbiguousAnswer,
        Err(Unread::OverBudget) => Outcome::OverBudget,
        Err(Unread::NotANumber) if matches!(gold, Answer::Text(_)) && !normalized.is_empty() => {
            Outcome::WrongValue
        }
        Err(Unread::NotANumber) => Outcome::UnreadableAnswer,
    }
}

/// The last number from an answer phrase on, if the phrase goes on in words: "the answer is that
/// she earns $18", "Answer: first add 2 and 3. ..." A sentence that starts with its value is left
/// as it is (`5 m`), and so is one that denies it ("the answer is not 5").
fn number_in_sentence(prediction: &str, found: &Found) -> Option<Range<usize>> {
    let sentence = &prediction[found.range.clone()];
    let opening = sentence.trim_start_matches(['*', '$']).chars();
    // Two letters: `x=y=5` is a formula.
    let in_words = opening.take(2).filter(|c| c.is_alphabetic()).count() == 2;
    if found.by != Extract::Phrase || !in_words || units::denies(sentence) {
        return None;
    }
    extract::last_number(prediction, found.range.start)
}
