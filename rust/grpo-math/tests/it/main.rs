//! What the crate promises, as one test binary.

mod conformance;
mod fuzz;
mod property;
mod regression;

use grpo_math::{Extract, Gold, Options, Outcome, verify};

/// The outcome of one pair, with default policy.
fn outcome(prediction: &str, gold: &str, extract: Extract) -> Outcome {
    let options = Options { extract, ..Options::default() };
    verify(prediction, &Gold::compile(gold, &options), &options).outcome
}
