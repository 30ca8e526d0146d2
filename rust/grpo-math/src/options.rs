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
    /// The first of `Boxed`, `Hash`, `AnswerTag`, `Phrase` that finds something; then a reply that is
    /// one formula as a whole; then the last of `Bold`, `MathSpan`, `LastNumber`.
    ///
    /// The order is that of how deliberate the mark is, and does not depend on where the marks
    /// stand: a remark after the box ("... so the answer is not 7") must not overrule the box.
    /// A gold that is text takes the only line of a reply, or the last, instead of a number.
    #[default]
    Auto,
    /// `\boxed{..}` or `\fbox{..}` with balanced braces; `\boxed 5`. Of nested boxes, the outer
    /// one; boxes side by side (`\boxed{1}` and `\boxed{2}`) are a list.
    Boxed,
    /// The rest of the line after `####`. A Markdown heading (`#### Step 2`) in mid-reply is none.
    Hash,
    /// `<answer>..</answer>`.
    AnswerTag,
    /// The sentence after "answer is" or "answer:", in any case, with or without Markdown bold, and
    /// after what other languages say for it.
    Phrase,
    /// The last number of the reply counts.
    LastNumber,
    /// The whole reply is the answer.
    Whole,
    /// The last bold value near the end of the reply: `**73**`.
    Bold,
    /// The last formula near the end of the reply: `$x > 5$`, `\(..\)`, `\[..\]`.
    MathSpan,
}

/// What counts as equal where mathematics alone does not say. Every switch has a documented default
/// and an example; [`Policy::math_verify`] and [`Policy::string_match`] follow other graders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "switches that are independent of each other")]
pub struct Policy {
    /// A rounded decimal answers an exact value if it is that value correctly rounded or
    /// truncated, and shows at least so many significant digits: with 4, `0.3333` answers `1/3`
    /// and `0.333` does not. Of a gold that is itself a decimal, no digit may be missing.
    /// `None`: never.
    pub rounding: Option<u8>,
    /// How a percent sign counts.
    pub percent: Percent,
    /// How units and words after a number count.
    pub units: Units,
    /// Whether `30^\circ` equals `\pi/6`. (`30` answers `30^\circ` either way, unless units are
    /// refused.)
    pub radians: bool,
    /// Whether `x = 5` answers `5`, and `y = 2x + 3` answers `2x + 3`. (`x = 5` never answers
    /// `y = 5`.)
    pub assignment: bool,
    /// What a chain `a = b = c` says.
    pub chain: Chain,
    /// Where the order of several values counts.
    pub order: Order,
    /// Whether `x < 2` equals `(-\infty, 2)` and `1 < x < 2` the interval `(1, 2)`.
    pub solution_sets: bool,
    /// Whether `2516` answers `2516_8`. (`1358` does either way.)
    pub base_optional: bool,
    /// Which part of `(C) 12` has to agree.
    pub choice: Choice,
    /// Whether `Yes` equals `yes`. Variables are never confused: `x` is not `X`.
    pub ignore_case: bool,
    /// How far equality is sought.
    pub effort: Effort,
}

/// Declares an enumeration of one policy switch, with its names in configurations.
macro_rules! switch {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every setting.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in configurations.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The setting of a name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|setting| setting.name() == name)
            }
        }
    };
}

switch! {
    /// How a percent sign counts. In every setting `50%` equals `50%`.
    Percent {
        /// `50%` equals `0.5` and `1/2`; where only one side carries the sign it may also be a mere
        /// unit: `50%` answers `50`. (`50` is not `0.5`.)
        #[default]
        Unit = "unit",
        /// `50%` is `0.5`, and nothing else.
        Value = "value",
        /// `50%` is `50`, and nothing else.
        Drop = "drop",
    }
}

switch! {
    /// How units and words after a number count.
    Units {
        /// What only one side states is not held against it; two units must be commensurable, and
        /// `1 m` equals `100 cm`. Letters that may be variables (`5m`) are no unit.
        #[default]
        Convert = "convert",
        /// Units are dropped: `5 cm` equals `5 kg`.
        Drop = "drop",
        /// Both sides or none: `5 cm` does not answer `5`.
        Require = "require",
    }
}

switch! {
    /// What a chain of equations says.
    Chain {
        /// `x = 3 + 9 = 12` is 12, a derivation of x. A chain of values must be true: `3 + 9 = 12`
        /// is 12, and `97 = 12` is nothing.
        #[default]
        Consistent = "consistent",
        /// The last member, whatever stands before it.
        Last = "last",
    }
}

switch! {
    /// Where the order of several values counts.
    Order {
        /// In tuples, not in bare lists and sets: `1, 2` equals `2, 1`, `(1, 2)` not `(2, 1)`.
        #[default]
        Tuples = "tuples",
        /// In tuples and bare lists.
        Lists = "lists",
        /// Nowhere.
        Nowhere = "nowhere",
    }
}

switch! {
    /// Which part of `(C) 12` has to agree.
    Choice {
        /// The letter or the content, and none that is stated may differ.
        #[default]
        Either = "either",
        /// The letter.
        Letter = "letter",
    }
}

switch! {
    /// How far equality is sought.
    Effort {
        /// Through every step of the decision.
        #[default]
        Full = "full",
        /// Normalised text only, as string graders do.
        Text = "text",
    }
}

impl Extract {
    /// Every strategy.
    pub const ALL: [Self; 9] = [
        Self::Auto,
        Self::Boxed,
        Self::Hash,
        Self::AnswerTag,
        Self::Phrase,
        Self::LastNumber,
        Self::Whole,
        Self::Bold,
        Self::MathSpan,
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
            Self::Bold => "bold",
            Self::MathSpan => "math_span",
        }
    }

    /// The strategy of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extract| extract.name() == name)
    }
}

impl Policy {
    /// The choices of Math-Verify 0.9: units, degree signs and bases are dropped, and a percent sign
    /// is a unit or a factor.
    pub const fn math_verify() -> Self {
        Self {
            rounding: Some(6),
            percent: Percent::Unit,
            units: Units::Drop,
            radians: false,
            assignment: true,
            chain: Chain::Last,
            order: Order::Tuples,
            solution_sets: true,
            base_optional: true,
            choice: Choice::Either,
            ignore_case: true,
            effort: Effort::Full,
        }
    }

    /// The choices of the string graders (Hendrycks MATH, verl's `math_reward`): equality of
    /// normalised text.
    pub const fn string_match() -> Self {
        Self {
            rounding: None,
            percent: Percent::Drop,
            units: Units::Drop,
            radians: false,
            assignment: true,
            chain: Chain::Last,
            order: Order::Lists,
            solution_sets: false,
            base_optional: false,
            choice: Choice::Letter,
            ignore_case: false,
            effort: Effort::Text,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rounding: Some(4),
            percent: Percent::Unit,
            units: Units::Convert,
            radians: true,
            assignment: true,
            chain: Chain::Consistent,
            order: Order::Tuples,
            solution_sets: true,
            base_optional: true,
            choice: Choice::Either,
            ignore_case: true,
            effort: Effort::Full,
        }
    }
}
