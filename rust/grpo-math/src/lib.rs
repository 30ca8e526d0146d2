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
//!    `<answer>`, "the answer is", formula or number of the rest is the *found text*, a byte span of
//!    the reply.
//! 2. **Parse**: LaTeX, Unicode mathematics and plain text become one tree; words, times, dates and
//!    options of a multiple choice as well.
//! 3. **Compare** with the gold under a [`Policy`], from cheap to dear: the same text; exact rational
//!    numbers; typed structures (tuples, sets, intervals, relations, matrices, ..) part by part;
//!    canonical forms of scalars; certified numerics.
//! 4. **Report**: a [`Verdict`] holds an [`Outcome`] code and the span; [`report`] adds both sides as
//!    they were understood, and [`explain`] says it in a sentence.
//!
//! # What holds for every input
//!
//! * Total: no input makes it panic. Work is counted in units and bounded ([`MAX_DIGITS`],
//!   [`MAX_EXPONENT`], a budget for each verdict), never by a clock, so a verdict is the same on every
//!   machine and in every thread. A thread needs half a megabyte of stack.
//! * No tolerance: `0.333` is not `1/3`. Where equality is decided by numbers, they are enclosures: a
//!   difference is proved; equality of algebraic numbers is proved by a separation bound; other
//!   equalities hold to at least 200 bits. What cannot be decided is [`Outcome::Undecided`].
//! * One value: an answer that hedges (`5 or 6`), negates (`\neq 5`) or contradicts itself (`97 =
//!   5`) is incorrect whatever the gold is.
//! * An unreadable gold is *not scorable*; it never becomes a silent zero.

#![forbid(unsafe_code)]
mod budget;
mod calculus;
mod canonical;
mod compare;
mod display;
mod explain;
mod expr;
mod extract;
mod lex;
mod matrix;
mod normalize;
mod numeric;
mod options;
mod outcome;
mod parse;
mod tree;
mod verify;
mod words;

pub use explain::{Report, explain, report};
pub use lex::{MAX_DIGITS, MAX_EXPONENT};
pub use options::{Chain, Choice, Effort, Extract, Options, Order, Percent, Policy, Units};
pub use outcome::{Grade, Outcome};
pub use verify::{Gold, Span, Verdict, verify};
