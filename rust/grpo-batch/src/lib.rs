//! The numbers of a GRPO step that are not tensors: groups, advantages and packing.
//!
//! 1. [`Groups::new`] reads explicit group ids, one per row. Groups may be ragged and their rows need
//!    not be adjacent: nothing is inferred from position, count or prompt text.
//! 2. [`advantages`] turns rewards into advantages within each group, in float64. A group whose
//!    rewards are all equal has advantage exactly 0 and is reported as dead, so that the caller can
//!    leave it out before the forward pass. NaN rewards are excluded.
//! 3. [`pack`] cuts rows of known length into micro-batches under a token budget. No rule that
//!    anything divides anything.
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
mod error;
mod groups;
mod pack;

pub use advantage::{AdvantageOptions, Advantages, GroupState, GroupStats, Scale, advantages};
pub use error::{Error, MAX_REWARD};
pub use groups::Groups;
pub use pack::{Bin, pack};
