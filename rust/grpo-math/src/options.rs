//! Where the answer is looked for, and what counts as equal.

/// How to verify. The default suits GSM8K and arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where in the reply the answer is looked for.
    pub extract: Extract,
    /// What counts as equal beyond equality of values.
    pub policy: Policy,
}

/// Where in a reply the answer is looked for. Within one strategy the last occurrence wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Extract {
    /// The first of `Boxed`, `Hash`, `AnswerTag`, `Phrase`, `LastNumber` that finds something.
    ///
    /// The order is that of how deliberate the mark is, and does not depend on where the marks
    /// stand: a remark after the box ("... so the answer is not 7") must not overrule the box.
    /// A gold that is text takes a reply of one line whole, instead of its last number.
    #[default]
    Auto,
    /// `\boxed{..}` or `\fbox{..}` with balanced braces; `\boxed 5`. Of nested boxes, the outer
    /// one.
    Boxed,
    /// The rest of the line after `####`. A Markdown heading (`#### Step 2`) in mid-reply is none.
    Hash,
    /// `<answer>..</answer>`.
    AnswerTag,
    /// The sentence after "answer is" or "answer:", in any case, with or without Markdown bold.
    Phrase,
    /// The last number of the reply counts.
    LastNumber,
    /// The whole reply is the answer.
    Whole,
}

/// What counts as equal beyond equality of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How a percent sign counts.
    pub percent: Percent,
    /// How words after a number count.
    pub units: Units,
    /// Whether `x = 5` answers a gold of `5`. (`97 = 5` never does.)
    pub assignment: bool,
}

/// How a percent sign counts. Either way `50%` equals `50%`, `0.5` and `1/2`, and `50` is not
/// `0.5`.
///
/// ```
/// use grpo_math::{Extract, Gold, Options, Percent, Policy, verify};
///
/// let mut options = Options { extract: Extract::Whole, ..Options::default() };
/// let gold = Gold::compile("50", &options); // "what percentage ...?"
/// assert_eq!(verify("50%", &gold, &options).score(), Some(1.0));
///
/// options.policy = Policy { percent: Percent::Value, ..Policy::default() };
/// assert_eq!(verify("50%", &gold, &options).score(), Some(0.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Percent {
    /// Where only one side carries the sign it may also be a mere unit: `50%` answers `50`.
    #[default]
    Unit,
    /// It divides by a hundred, and nothing else.
    Value,
}

/// How words after a number count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Units {
    /// `18 eggs` and `18\text{ cm}` are 18; only two *different* known units (cm, kg) keep apart.
    #[default]
    Ignore,
    /// A number followed by words or a degree sign is not a number; it is compared as text.
    Refuse,
}

impl Extract {
    /// Every strategy.
    pub const ALL: [Self; 7] = [
        Self::Auto,
        Self::Boxed,
        Self::Hash,
        Self::AnswerTag,
        Self::Phrase,
        Self::LastNumber,
        Self::Whole,
    ];

    /// The name in configurations: `auto`, `boxed`, `hash`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Boxed => "boxed",
            Self::Hash => "hash",
            Self::AnswerTag => "answer_tag",
            Self::Phrase => "phrase",
            Self::LastNumber => "last_number",
            Self::Whole => "whole",
        }
    }

    /// The strategy of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extract| extract.name() == name)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { percent: Percent::default(), units: Units::default(), assignment: true }
    }
}
