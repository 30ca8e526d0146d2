//! What a caller can do wrong.

/// Largest reward in absolute value: the squares of a whole group of them still add up.
pub const MAX_REWARD: f64 = 1e150;

/// A mistake in the arguments; each variant says what the input did wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Two arrays that describe the same rows differ in length.
    #[error("{what} has {got} rows, but there are {expected} group ids: give one per row")]
    Length {
        /// The array at fault.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The number of rows.
        expected: usize,
    },
    /// A reward is infinite, so no mean exists.
    #[error(
        "reward {index} is {value}: rewards must be finite; use NaN (or None) for a completion that could not be scored"
    )]
    InfiniteReward {
        /// The row at fault.
        index: usize,
        /// Its reward.
        value: f64,
    },
    /// A reward is so large that squares of such numbers overflow.
    #[error("reward {index} is {value}: rewards must be at most {MAX_REWARD:e} in size")]
    HugeReward {
        /// The row at fault.
        index: usize,
        /// Its reward.
        value: f64,
    },
    /// `epsilon` is negative or not finite.
    #[error("epsilon is {0}: it must be finite and at least 0 (1e-6 is the usual choice)")]
    Epsilon(f64),
    /// `ddof` is neither 0 nor 1.
    #[error("ddof is {0}: use 1 (sample standard deviation, as TRL and verl) or 0 (population)")]
    Ddof(u8),
    /// A row alone is over the packing budget.
    #[error(
        "row {index} needs {length} tokens, over the budget of {budget} tokens a micro-batch: raise the budget to at least {length}"
    )]
    RowOverBudget {
        /// The row at fault.
        index: usize,
        /// Its length in tokens.
        length: usize,
        /// The budget it exceeds.
        budget: usize,
    },
}
