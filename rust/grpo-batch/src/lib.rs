//! The numbers of a GRPO step that are not tensors: groups, advantages and packing.
//!
//! 1. [`Groups::new`] reads explicit group ids, one per row. Groups may be ragged and their rows need
//!    not be adjacent: nothing is inferred from position, count or prompt text.
//! 2. [`advantages`] turns rewards into advantages within each group, in float64. A group whose
//!    rewards are all equal has advantage exactly 0 and is reported as dead, so that the caller can
//!    leave it out before the forward pass. NaN rewards are excluded.
//! 3. Where the mean and the spread of the whole batch count, [`Moments`] merges those of its parts.
//! 4. [`gae`] and [`discounted_returns`] go through the tokens of ragged rows ([`Ragged`]).
//! 5. [`pack`] cuts rows of known length into padded micro-batches under a token budget, [`cut`] cuts items
//!    into packed ones of even cost. No rule that anything divides anything.
//!
//! ```
//! use grpo_batch::{AdvantageOptions, Groups, advantages};
//!
//! let groups = Groups::new(&[7, 7, 9, 9, 9]);
//! let out = advantages(&[1.0, 0.0, 0.1, 0.1, 0.1], &groups, &AdvantageOptions::default()).unwrap();
//! assert!((out.values[0] - 0.707_105_8).abs() < 1e-6);
//! assert_eq!(out.values[2..], [0.0, 0.0, 0.0]); // all equal: exactly zero
//! assert_eq!(out.trainable, [true, true, false, false, false]);
//! ```
#![forbid(unsafe_code)]

mod advantage;
mod bins;
mod error;
mod groups;
mod moments;
mod off_policy;
mod optimal;
mod pack;
mod pass_k;
mod process;
mod ragged;
mod returns;
mod subset;

pub use advantage::{
    AdvantageOptions, Advantages, Baseline, GroupState, GroupStats, Scale, advantages,
};
pub use bins::{Fit, cut, fit_decreasing, partition};
pub use error::{Error, MAX_REWARD};
pub use groups::Groups;
pub use moments::{Moments, moments};
pub use off_policy::{OffPolicy, off_policy};
pub use optimal::{TokenPolicy, optimal_token_advantages};
pub use pack::{Bin, pack};
pub use pass_k::{pass_k_analytic, pass_k_max, pkpo};
pub use process::{Steps, TokenAdvantages, process_advantages};
pub use ragged::Ragged;
pub use returns::{discounted_returns, gae};
pub use subset::max_variance_subset;

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}
