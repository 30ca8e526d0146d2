//! Every way a verification can end, with its stable code.

/// What an [`Outcome`] means for a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grade {
    /// Score 1.
    Correct,
    /// Score 0.
    Incorrect,
    /// No score: the fault lies with the gold, not with the model.
    NotScorable,
}

/// How a verification ended. Codes are stable: a recorded code keeps its meaning for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// The answer found equals the gold.
    Correct = 0,
    /// An answer was read, and it differs from the gold.
    WrongValue = 1,
    /// The reply holds nothing that the extraction takes for an answer.
    NoAnswer = 2,
    /// Text was found where the answer belongs, but it is not a value.
    UnreadableAnswer = 3,
    /// The answer names several values, or contradicts itself.
    AmbiguousAnswer = 4,
    /// The answer is too large to be worth the work.
    OverBudget = 5,
    /// The reply ends inside its `<think>` block.
    ReasoningUnfinished = 6,
    /// Whether the answer equals the gold could be neither proved nor refuted.
    Undecided = 7,
    /// The gold is empty.
    GoldEmpty = 16,
    /// The gold holds nothing to compare with.
    GoldUnreadable = 17,
    /// The gold is too large to be worth the work.
    GoldOverBudget = 18,
}

impl Outcome {
    /// Every outcome, in the order of the codes.
    pub const ALL: [Self; 11] = [
        Self::Correct,
        Self::WrongValue,
        Self::NoAnswer,
        Self::UnreadableAnswer,
        Self::AmbiguousAnswer,
        Self::OverBudget,
        Self::ReasoningUnfinished,
        Self::Undecided,
        Self::GoldEmpty,
        Self::GoldUnreadable,
        Self::GoldOverBudget,
    ];

    /// The stable code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The outcome of a code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }

    /// The name, as the Python enumeration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Correct => "CORRECT",
            Self::WrongValue => "WRONG_VALUE",
            Self::NoAnswer => "NO_ANSWER",
            Self::UnreadableAnswer => "UNREADABLE_ANSWER",
            Self::AmbiguousAnswer => "AMBIGUOUS_ANSWER",
            Self::OverBudget => "OVER_BUDGET",
            Self::ReasoningUnfinished => "REASONING_UNFINISHED",
            Self::Undecided => "UNDECIDED",
            Self::GoldEmpty => "GOLD_EMPTY",
            Self::GoldUnreadable => "GOLD_UNREADABLE",
            Self::GoldOverBudget => "GOLD_OVER_BUDGET",
        }
    }

    /// One sentence for the documentation.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Correct => "The answer found equals the gold.",
            Self::WrongValue => "An answer was read, and it differs from the gold.",
            Self::NoAnswer => "The reply holds nothing that the extraction takes for an answer.",
            Self::UnreadableAnswer => {
                "Text was found where the answer belongs, but it is not a value."
            }
            Self::AmbiguousAnswer => "The answer names several values, or contradicts itself.",
            Self::OverBudget => "The answer is too large to be worth the work.",
            Self::ReasoningUnfinished => "The reply ends inside its <think> block.",
            Self::Undecided => {
                "Whether the answer equals the gold could be neither proved nor refuted."
            }
            Self::GoldEmpty => "The gold is empty.",
            Self::GoldUnreadable => "The gold holds nothing to compare with.",
            Self::GoldOverBudget => "The gold is too large to be worth the work.",
        }
    }

    /// Correct, incorrect, or not scorable.
    pub const fn verdict(self) -> Grade {
        match self {
            Self::Correct => Grade::Correct,
            Self::WrongValue
            | Self::NoAnswer
            | Self::UnreadableAnswer
            | Self::AmbiguousAnswer
            | Self::OverBudget
            | Self::ReasoningUnfinished
            | Self::Undecided => Grade::Incorrect,
            Self::GoldEmpty | Self::GoldUnreadable | Self::GoldOverBudget => Grade::NotScorable,
        }
    }

    /// `1.0`, `0.0`, or nothing when not scorable.
    pub const fn score(self) -> Option<f32> {
        match self.verdict() {
            Grade::Correct => Some(1.0),
            Grade::Incorrect => Some(0.0),
            Grade::NotScorable => None,
        }
    }
}
