//! What an answer says, as a tree.
//!
//! The parser builds it as written and decides nothing: `\frac{2}{4}` stays a quotient, `1{,}000.0`
//! remembers its one decimal place. Depth and size are bounded by the parser, so every walk over
//! the tree may recurse.

use std::sync::Arc;

use dashu_ratio::RBig;

/// A name of one variable: `x`, `x_1`, `\alpha`, `v_{max}` (as `v_max`), `f'`.
pub(crate) type Symbol = Arc<str>;

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    // Scalars.
    Number(Number),
    Constant(Constant),
    Symbol(Symbol),
    /// Two or more terms.
    Add(Vec<Self>),
    /// Two or more factors. A quotient holds `Pow(divisor, -1)`, a negative value the number -1.
    Mul(Vec<Self>),
    /// Base and exponent.
    Pow(Box<(Self, Self)>),
    Call(Function, Vec<Self>),
    /// `±x`, or `∓x` if the flag is set. All signs of one answer switch together.
    PlusMinus(Box<Self>, bool),
    Big(Box<Big>),
    /// A value with its unit: `5 km/h`, `12 apples`, `\$5`, `50\%`, `90^\circ`.
    Quantity(Box<Self>, Unit),
    /// `3 : 4`, two or more.
    Ratio(Vec<Self>),
    /// `3 \pmod 7`: value and modulus.
    Residue(Box<(Self, Self)>),
    /// Rows of equal length.
    Matrix(Vec<Vec<Self>>),
    /// `value if condition`; no condition is "otherwise".
    Cases(Vec<(Self, Option<Self>)>),

    // Collections.
    /// `(1,2)`, `[1,2)`, `]1,2[`, `\langle 1,2\rangle`; two or more items, or one in brackets
    /// other than round.
    Tuple(Vec<Self>, Bracket, Bracket),
    /// `\{1,2\}`; `\{\}` is [`NamedSet::Empty`].
    Set(Vec<Self>),
    /// Several values without a bracket: `1, 2 and 3`, `x=1 or x=2`, `1; 2`.
    List(Vec<Self>, Joint),
    /// `\{element \mid conditions\}`.
    Builder(Box<Self>, Vec<Self>),
    NamedSet(NamedSet),
    Union(Vec<Self>),
    Intersection(Vec<Self>),
    /// `A \setminus B`.
    Difference(Box<(Self, Self)>),

    // Statements.
    /// `a < b \le c`, `x = 5`, `x \in A`: one operator between each two members.
    Relation(Vec<Self>, Vec<Rel>),

    // What is no formula.
    Time(Time),
    Date(Date),
    /// One or more letters of a multiple choice, sorted, with the content of `(C) 12`. A bare `C`
    /// is a [`Symbol`](Expr::Symbol).
    Choice(String, Option<Box<Self>>),
    /// Words, in the form in which words are compared.
    Text(String),
    /// `\ldots`
    Ellipsis,
}

/// A number as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    pub(crate) value: RBig,
    /// Digits after the decimal point (`1.50` has two; `1.5e3` has -2); `None` unless it was
    /// written as a decimal without a repeating part.
    pub(crate) places: Option<i32>,
    /// The base of `1011_2`, with the digits as they stand there.
    pub(crate) base: Option<(u32, Arc<str>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Constant {
    Pi,
    E,
    /// The imaginary unit.
    I,
    Infinity,
    /// π/180, as in `\cos 13^\circ`. At the top of an answer a degree sign is a [`Unit`].
    Degree,
}

/// Functions of one or more arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Function {
    /// `\sqrt[n]{x}`: x and n. The real root where there is one: `\sqrt[3]{-8}` is -2.
    Root,
    /// Natural logarithm; principal branch.
    Ln,
    /// Argument and base.
    Log,
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Asin,
    Acos,
    Atan,
    Acot,
    Asec,
    Acsc,
    Sinh,
    Cosh,
    Tanh,
    Coth,
    Asinh,
    Acosh,
    Atanh,
    Abs,
    Floor,
    Ceil,
    /// `{x}` is never read as a fractional part; `\operatorname{frac}` is.
    Frac,
    Sign,
    Factorial,
    DoubleFactorial,
    /// n and k.
    Binomial,
    /// n and k: n!/(n-k)!.
    Permutations,
    Gcd,
    Lcm,
    Max,
    Min,
    /// a and m: the remainder of `a \bmod m`, with the sign of m.
    Mod,
    Re,
    Im,
    Arg,
    Conj,
    Exp,
    Det,
    Transpose,
    /// A function without a known meaning: `f(x)`, `f(2)`, `P(A)`, `\angle ABC`, `|AB|` of a
    /// segment.
    Named(Symbol),
}

/// Operators that bind a variable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Big {
    /// Body, variable, first and last index.
    Sum(Expr, Symbol, Expr, Expr),
    Product(Expr, Symbol, Expr, Expr),
    /// Body, variable, point, side.
    Limit(Expr, Symbol, Expr, Side),
    /// Body, variable, bounds.
    Integral(Expr, Symbol, Option<(Expr, Expr)>),
    /// Body, variable, order.
    Derivative(Expr, Symbol, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Both,
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bracket {
    Round,
    /// `[` at the left, `]` at the right.
    Square,
    /// `]` at the left, `[` at the right: an open end.
    Outward,
    Angle,
}

/// What joins the items of a [`Expr::List`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joint {
    /// Comma, semicolon, adjacent boxes.
    Comma,
    /// "and", `\land`: of conditions both hold, otherwise it is a comma.
    And,
    /// "or", `\lor`.
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum NamedSet {
    Empty,
    Naturals,
    Integers,
    Rationals,
    Reals,
    Complexes,
    PositiveReals,
    PositiveIntegers,
    NonNegativeReals,
    NonNegativeIntegers,
    NegativeReals,
    NegativeIntegers,
    Primes,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rel {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `\approx`
    Approx,
    In,
    NotIn,
    Subset,
    Superset,
    /// `\equiv .. \pmod m`
    Congruent(Box<Expr>),
    /// `\mid`
    Divides,
    Parallel,
    Perpendicular,
    Similar,
    Implies,
    Iff,
    /// `\to`
    To,
}

/// A unit of measurement, or the words after a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unit {
    /// As written, for messages: `km/h`.
    pub(crate) name: String,
    pub(crate) kind: UnitKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum UnitKind {
    /// A recognised unit: exponents of the base dimensions, and the factor to the base unit.
    Measure { dimension: [i8; 8], factor: RBig },
    /// `\%`
    Percent,
    /// `^\circ`
    Degree,
    /// Words that count things: `apples`, `square units`, `ways`.
    Words,
}

/// A time of day or a duration `h:m(:s)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    /// Seconds since midnight, the half of the day applied.
    pub(crate) seconds: u32,
    /// Whether a.m. or p.m. was written.
    pub(crate) meridian: bool,
    /// Which of three parts were written: 2 or 3.
    pub(crate) parts: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: Option<i32>,
    pub(crate) month: u8,
    pub(crate) day: Option<u8>,
}

impl Number {
    pub(crate) const fn exact(value: RBig) -> Self {
        Self { value, places: None, base: None }
    }
}

impl Expr {
    pub(crate) fn integer(value: i64) -> Self {
        Self::Number(Number::exact(RBig::from(value)))
    }

    pub(crate) const fn rational(value: RBig) -> Self {
        Self::Number(Number::exact(value))
    }

    pub(crate) fn symbol(name: &str) -> Self {
        Self::Symbol(Arc::from(name))
    }

    pub(crate) fn pow(self, exponent: Self) -> Self {
        Self::Pow(Box::new((self, exponent)))
    }

    pub(crate) fn recip(self) -> Self {
        self.pow(Self::integer(-1))
    }

    /// The negative; of a literal number a literal number.
    pub(crate) fn negate(self) -> Self {
        match self {
            Self::Number(number) if number.base.is_none() => {
                Self::Number(Number { value: -number.value, ..number })
            }
            Self::Mul(mut factors) => {
                factors.insert(0, Self::integer(-1));
                Self::Mul(factors)
            }
            Self::Quantity(value, unit) => Self::Quantity(Box::new(value.negate()), unit),
            other => Self::Mul(vec![Self::integer(-1), other]),
        }
    }

    /// The sum of the terms; flat, and the one term itself if there is one.
    pub(crate) fn sum(terms: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for term in terms {
            match term {
                Self::Add(inner) => flat.extend(inner),
                term => flat.push(term),
            }
        }
        match flat.len() {
            0 => Self::integer(0),
            1 => flat.remove(0),
            _ => Self::Add(flat),
        }
    }

    /// The product of the factors; flat, and the one factor itself if there is one.
    pub(crate) fn product(factors: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for factor in factors {
            match factor {
                Self::Mul(inner) => flat.extend(inner),
                factor => flat.push(factor),
            }
        }
        match flat.len() {
            0 => Self::integer(1),
            1 => flat.remove(0),
            _ => Self::Mul(flat),
        }
    }

    pub(crate) fn quotient(self, divisor: Self) -> Self {
        Self::product([self, divisor.recip()])
    }

    /// `self - other`.
    pub(crate) fn minus(self, other: Self) -> Self {
        Self::sum([self, other.negate()])
    }

    pub(crate) fn call(function: Function, argument: Self) -> Self {
        Self::Call(function, vec![argument])
    }

    pub(crate) fn sqrt(self) -> Self {
        Self::Call(Function::Root, vec![self, Self::integer(2)])
    }
}
