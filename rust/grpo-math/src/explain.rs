//! A verdict in words.

use crate::options::{Extract, Options};
use crate::outcome::Outcome;
use crate::verify::{Gold, Verdict, judge};

/// The most characters of a quoted text or number.
const MAX_QUOTED: usize = 60;

/// A verdict with what was compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The verdict itself.
    pub verdict: Verdict,
    /// The answer as it was understood, if one was found.
    pub answer: Option<String>,
    /// The gold as it was understood, if it could be read.
    pub gold: Option<String>,
}

/// What [`verify`](crate::verify) decided, with both sides in their normal form.
///
/// ```
/// use grpo_math::{Gold, Options, report};
///
/// let options = Options::default();
/// let gold = Gold::compile(r"\frac{1}{2}", &options);
/// let report = report(r"\boxed{2x+1}", &gold, &options);
/// assert_eq!(report.answer.as_deref(), Some("2x + 1"));
/// assert_eq!(report.gold.as_deref(), Some("1/2"));
/// ```
pub fn report(prediction: &str, gold: &Gold, options: &Options) -> Report {
    let (verdict, answer) = judge(prediction, gold, options);
    Report { verdict, answer: answer.map(|answer| answer.describe()), gold: gold.normal_form() }
}

/// One sentence that says what [`verify`](crate::verify) decided and why.
///
/// ```
/// use grpo_math::{Gold, Options, explain};
///
/// let options = Options::default();
/// let gold = Gold::compile("1/2", &options);
/// assert_eq!(explain("#### 0.5", &gold, &options), "found \"0.5\" after \"####\", equal to 1/2");
/// assert_eq!(
///     explain(r"\boxed{2}", &gold, &options),
///     r#"found "2" in \boxed{}, which is 2, not 1/2"#,
/// );
/// assert_eq!(
///     explain("I don't know", &gold, &options),
///     "no answer found: no \\boxed{}, no \"####\", no final number",
/// );
/// ```
pub fn explain(prediction: &str, gold: &Gold, options: &Options) -> String {
    let Report { verdict, answer, gold } = report(prediction, gold, options);
    let expected = shorten(&gold.unwrap_or_default());
    let answer = shorten(&answer.unwrap_or_default());
    let found = match (verdict.span, verdict.found_by) {
        (Some(span), Some(by)) => {
            format!("found \"{}\" {}", shorten(&prediction[span.range()]), place(by))
        }
        _ => String::new(),
    };
    match verdict.outcome {
        Outcome::Correct => format!("{found}, equal to {expected}"),
        Outcome::WrongValue => format!("{found}, which is {answer}, not {expected}"),
        Outcome::NoAnswer => format!("no answer found: {}", sought(options.extract)),
        Outcome::UnreadableAnswer => {
            format!("{found}, which is not a value; expected {expected}")
        }
        Outcome::AmbiguousAnswer => {
            format!("{found}, which is not one single value; expected {expected}")
        }
        Outcome::OverBudget => format!("{found}, too large to compare; expected {expected}"),
        Outcome::Undecided => {
            format!("{found}, which is {answer}: neither proved equal to {expected} nor different")
        }
        Outcome::ReasoningUnfinished => "the reply ends inside its <think> block".to_owned(),
        Outcome::GoldEmpty => "not scorable: the gold is empty".to_owned(),
        Outcome::GoldUnreadable => {
            "not scorable: the gold holds nothing to compare with".to_owned()
        }
        Outcome::GoldOverBudget => "not scorable: the gold is too large to compare".to_owned(),
    }
}

fn place(by: Extract) -> &'static str {
    match by {
        Extract::Boxed => "in \\boxed{}",
        Extract::Hash => "after \"####\"",
        Extract::AnswerTag => "in <answer>",
        Extract::Phrase => "after \"answer\"",
        Extract::LastNumber => "as the last number",
        Extract::Bold => "in bold",
        Extract::MathSpan => "as the last formula",
        Extract::Whole | Extract::Auto => "as the whole reply",
    }
}

fn sought(extract: Extract) -> &'static str {
    match extract {
        Extract::Auto => "no \\boxed{}, no \"####\", no final number",
        Extract::Boxed => "no \\boxed{}",
        Extract::Hash => "no \"####\"",
        Extract::AnswerTag => "no <answer>",
        Extract::Phrase => "no \"answer is\"",
        Extract::LastNumber => "no number",
        Extract::Bold => "nothing bold that is a value",
        Extract::MathSpan => "no formula",
        Extract::Whole => "the reply is empty",
    }
}

/// On one line, and cut in the middle of nothing but characters.
fn shorten(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(MAX_QUOTED).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
