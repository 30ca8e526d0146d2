//! A verdict in words.

use crate::options::{Extract, Options};
use crate::outcome::Outcome;
use crate::verify::{Gold, judge};

/// The most characters of a quoted text or number.
const MAX_QUOTED: usize = 60;

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
    let (verdict, read) = judge(prediction, gold, *options);
    let expected = shorten(&gold.normal_form().unwrap_or_default());
    let found = match (verdict.span, verdict.found_by) {
        (Some(span), Some(by)) => {
            format!("found \"{}\" {}", shorten(&prediction[span.range()]), place(by))
        }
        _ => String::new(),
    };
    match verdict.outcome {
        Outcome::Correct => format!("{found}, equal to {expected}"),
        Outcome::WrongValue => match read {
            Some(read) => {
                format!("{found}, which is {}, not {expected}", shorten(&read.to_string()))
            }
            None => format!("{found}, which is not {expected}"),
        },
        Outcome::NoAnswer => format!("no answer found: {}", sought(options.extract)),
        Outcome::UnreadableAnswer => format!("{found}, which is not a number; expected {expected}"),
        Outcome::AmbiguousAnswer => {
            format!("{found}, which is not one single value; expected {expected}")
        }
        Outcome::OverBudget => {
            format!("{found}, a number too large to compare; expected {expected}")
        }
        Outcome::ReasoningUnfinished => "the reply ends inside its <think> block".to_owned(),
        Outcome::GoldEmpty => "not scorable: the gold is empty".to_owned(),
        Outcome::GoldUnreadable => {
            "not scorable: the gold holds nothing to compare with".to_owned()
        }
        Outcome::GoldOverBudget => "not scorable: the gold is a number too large".to_owned(),
    }
}

fn place(by: Extract) -> &'static str {
    match by {
        Extract::Boxed => "in \\boxed{}",
        Extract::Hash => "after \"####\"",
        Extract::AnswerTag => "in <answer>",
        Extract::Phrase => "after \"answer\"",
        Extract::LastNumber => "as the last number",
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
