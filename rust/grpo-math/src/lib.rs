//! Decides whether a model's free-form maths answer equals the reference answer.
//!
//! ```
//! use grpo_math::{Gold, Options, Outcome, explain, verify};
//!
//! let options = Options::default();
//! let gold = Gold::compile("1/2", &options); // once per problem, reused for every completion
//!
//! let reply = "<think>0.25 twice?</think> Half of it, so \\boxed{0.5}.";
//! let verdict = verify(reply, &gold, &options);
//! assert_eq!(verdict.outcome, Outcome::Correct);
//! assert_eq!(verdict.score(), Some(1.0));
//! assert_eq!(&reply[verdict.span.unwrap().range()], "0.5");
//! assert_eq!(explain(reply, &gold, &options), r#"found "0.5" in \boxed{}, equal to 1/2"#);
//! ```
//!
//! # The pipeline
//!
//! 1. **Extract** ([`Extract`]): reasoning in `<think>` is set aside; the last `\boxed{}`, `####`,
//!    `<answer>`, "the answer is" or number of the rest is the *found text*, a byte span of the
//!    reply.
//! 2. **Normalise**: wrappers, spacing commands, currency signs and Unicode look-alikes go, so that
//!    `$1{,}234$` and `1,234` are the same string.
//! 3. **Read**: the string becomes an exact rational (with percent sign and unit apart), or stays
//!    text.
//! 4. **Compare** with the gold, under a [`Policy`]: numbers as numbers, text as text, nothing
//!    rounded.
//! 5. **Report**: a [`Verdict`] holds an [`Outcome`] code and the span; [`explain`] says it in a
//!    sentence.
//!
//! # What holds for every input
//!
//! * Total: no input makes it panic, and time is linear in the input. Work is bounded by sizes
//!   ([`MAX_DIGITS`], [`MAX_EXPONENT`]), never by a clock, so a verdict is the same on every
//!   machine.
//! * Exact: there is no floating point and no tolerance. `0.333` is not `1/3`.
//! * One value: an answer that hedges (`5 or 6`), negates (`\neq 5`) or contradicts itself (`97 =
//!   5`) is incorrect whatever the gold is.
//! * An unreadable gold is *not scorable*; it never becomes a silent zero.

#![forbid(unsafe_code)]

mod explain;
mod extract;
mod normalize;
mod number;
mod options;
mod outcome;
mod units;
mod verify;

pub use explain::explain;
pub use number::{MAX_DIGITS, MAX_EXPONENT};
pub use options::{Extract, Options, Percent, Policy, Units};
pub use outcome::{Grade, Outcome};
pub use verify::{Gold, Span, Verdict, verify};
