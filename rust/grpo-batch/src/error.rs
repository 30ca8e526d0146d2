//! What a caller can do wrong.

/// Largest reward in absolute value: the squares of a whole group of them still add up.
pub const MAX_REWARD: f64 = 1e150;

/// A mistake in the arguments; each variant says what the input did wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Two arrays that describe the same rows differ in length.
    #[error("{what} has {got} rows, but there are {expected} group ids: give one per row")]
    Rows {
        /// The array at fault.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The number of rows.
        expected: usize,
    },
    /// Two arrays that belong together differ in length.
    #[error("{what} has {got} entries, but {expected} are needed")]
    Length {
        /// The array at fault.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The length it must have.
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
    /// A reward below 0 where the group's mean is the divisor.
    #[error(
        "reward {index} is {value}: dividing by the mean reward of a group (MaxRL) needs rewards of at least 0, or signs flip; shift the rewards"
    )]
    NegativeReward {
        /// The row at fault.
        index: usize,
        /// Its reward.
        value: f64,
    },
    /// A number that must be finite is not.
    #[error("{what} {index} is {value}: it must be finite")]
    NotFinite {
        /// The array at fault.
        what: &'static str,
        /// The entry at fault.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A weight is negative or not finite.
    #[error("weight {index} is {value}: it must be finite and at least 0")]
    Weight {
        /// The entry at fault.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// `epsilon` is negative or not finite.
    #[error("epsilon is {0}: it must be finite and at least 0 (1e-6 is the usual choice)")]
    Epsilon(f64),
    /// `ddof` is neither 0 nor 1.
    #[error("ddof is {0}: use 1 (sample standard deviation, as TRL and verl) or 0 (population)")]
    Ddof(u8),
    /// A divisor of the group without a baseline of the group.
    #[error(
        "a scale of the group needs a baseline of the group (mean, leave_one_out or length_weighted): set scale to none"
    )]
    ScaleWithoutGroup,
    /// A share, discount or lambda outside of 0 to 1.
    #[error("{what} is {value}: it must be between 0 and 1")]
    Share {
        /// The argument at fault.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// Offsets that do not describe the rows of a flat array.
    #[error(
        "offsets must begin at 0, never fall, and end at {flat}, the number of tokens: give one more than there are rows"
    )]
    Offsets {
        /// The length of the flat array.
        flat: usize,
    },
    /// The end of a step lies outside of its completion, or before the end of the step before.
    #[error(
        "step {index} ends at token {end} of a completion of {length}: ends are counted from 0, the last token included, and do not fall within a completion"
    )]
    StepEnd {
        /// The step at fault.
        index: usize,
        /// The token at which it is said to end.
        end: i64,
        /// The completion's length in tokens.
        length: usize,
    },
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
    /// A number of parts or of chosen items that cannot be.
    #[error("{what} is {got}: it must be between {least} and {most}")]
    Count {
        /// The argument at fault.
        what: &'static str,
        /// Its value.
        got: usize,
        /// The least that it may be.
        least: usize,
        /// The most that it may be.
        most: usize,
    },
}
