//! Finds the answer in a reply: one strategy per file, tried in the order of [`Extract::Auto`].

mod anchor;
mod boxed;
mod number;

use std::ops::Range;

use memchr::memmem;

use crate::options::Extract;
use crate::outcome::Outcome;

/// Where the answer stands, and which single strategy found it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) by: Extract,
}

/// The order of `Auto`, most deliberate mark first.
const CASCADE: [Extract; 5] =
    [Extract::Boxed, Extract::Hash, Extract::AnswerTag, Extract::Phrase, Extract::LastNumber];

/// Finds the answer, or says why there is none. `gold_is_text` turns the last resort of `Auto` from
/// the last number into the whole reply, if that is one line.
pub(crate) fn find(reply: &str, extract: Extract, gold_is_text: bool) -> Result<Found, Outcome> {
    let start = after_reasoning(reply)?;
    let text = &reply[start..];
    let found = match extract {
        Extract::Auto => CASCADE.into_iter().find_map(|by| {
            let by = if gold_is_text && by == Extract::LastNumber { Extract::Whole } else { by };
            let range = single(text, by)?;
            (by != Extract::Whole || !text[range.clone()].contains('\n')).then_some((by, range))
        }),
        by => single(text, by).map(|range| (by, range)),
    };
    let (by, range) = found.ok_or(Outcome::NoAnswer)?;
    let range = start + range.start..start + range.end;
    Ok(Found { range, by })
}

/// The answer of a gold: what follows its `####`, else its box, else all of it.
pub(crate) fn find_in_gold(gold: &str) -> Range<usize> {
    anchor::hash(gold).or_else(|| boxed::last(gold)).unwrap_or_else(|| trim(gold, 0..gold.len()))
}

/// The last number from `start` on.
pub(crate) fn last_number(reply: &str, start: usize) -> Option<Range<usize>> {
    let range = number::last(&reply[start..])?;
    Some(start + range.start..start + range.end)
}

fn single(text: &str, by: Extract) -> Option<Range<usize>> {
    let range = match by {
        Extract::Boxed => boxed::last(text),
        Extract::Hash => anchor::hash(text),
        Extract::AnswerTag => anchor::tag(text),
        Extract::Phrase => anchor::phrase(text),
        Extract::LastNumber => number::last(text),
        Extract::Whole | Extract::Auto => Some(trim(text, 0..text.len())),
    }?;
    // An empty tag or box still counts as found: the model answered, with nothing.
    (by != Extract::Whole || !range.is_empty()).then_some(range)
}

/// The offset at which the reply proper begins: after the last `</think>`.
///
/// The opening tag may stand in the prompt, so a lone closing tag ends reasoning too.
fn after_reasoning(reply: &str) -> Result<usize, Outcome> {
    const CLOSE: &str = "</think>";
    let start = memmem::rfind(reply.as_bytes(), CLOSE.as_bytes()).map_or(0, |at| at + CLOSE.len());
    match memmem::find(&reply.as_bytes()[start..], b"<think>") {
        Some(_) => Err(Outcome::ReasoningUnfinished),
        None => Ok(start),
    }
}

/// `range` without white space at its ends.
fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let inner = &text[range.clone()];
    let start = range.start + (inner.len() - inner.trim_start().len());
    start..start + inner.trim().len()
}
