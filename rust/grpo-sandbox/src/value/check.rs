//! What a test asks of a value.

use std::cmp::Ordering;

use super::Value;
use super::equality::{array_matches, equal_dicts};
use super::number::Number;

/// The longest value in an explanation, in characters.
const SHOWN: usize = 200;

/// What a test asks of a returned value; the operand is the right-hand side of the operator.
#[derive(Clone, Debug)]
pub enum Check {
    /// `==`.
    Eq(Value),
    /// `!=`.
    Ne(Value),
    /// `is`, for what has one object per value in `CPython`: singletons, types, and, of the same type, small
    /// integers and texts. Nothing else ever is.
    Is(Value),
    /// `<`.
    Lt(Value),
    /// `<=`.
    Le(Value),
    /// `>`.
    Gt(Value),
    /// `>=`.
    Ge(Value),
    /// True in a condition.
    Truthy,
    /// False in a condition.
    Falsy,
    /// `abs(returned - expected) <= max(rel * abs(expected), abs)`, in every number of lists, tuples,
    /// dictionaries and arrays of the same shape; whatever is not a number must be equal. NaN is not close.
    Close {
        /// The value.
        expected: Value,
        /// Tolerance as a part of the expected number.
        rel: f64,
        /// Tolerance whatever the number.
        abs: f64,
    },
    /// `in`.
    In(Value),
    /// `not in`.
    NotIn(Value),
}

impl Check {
    /// The check of this name (`eq`, `not_in`, ...); `None` if there is no such check.
    pub fn from_name(name: &str, expected: Value, rel: f64, abs: f64) -> Option<Self> {
        Some(match name {
            "eq" => Self::Eq(expected),
            "ne" => Self::Ne(expected),
            "is" => Self::Is(expected),
            "lt" => Self::Lt(expected),
            "le" => Self::Le(expected),
            "gt" => Self::Gt(expected),
            "ge" => Self::Ge(expected),
            "truthy" => Self::Truthy,
            "falsy" => Self::Falsy,
            "close" => Self::Close { expected, rel, abs },
            "in" => Self::In(expected),
            "not_in" => Self::NotIn(expected),
            _ => return None,
        })
    }

    /// Whether the value passes. A comparison that raises in Python fails.
    pub fn check(&self, actual: &Value) -> bool {
        let compared = |expected: &Value| actual.python_cmp(expected);
        match self {
            Self::Eq(expected) => actual.python_eq(expected),
            Self::Ne(expected) => !actual.python_eq(expected),
            Self::Is(expected) => is_same(actual, expected),
            Self::Lt(expected) => compared(expected) == Some(Ordering::Less),
            Self::Le(expected) => compared(expected).is_some_and(Ordering::is_le),
            Self::Gt(expected) => compared(expected) == Some(Ordering::Greater),
            Self::Ge(expected) => compared(expected).is_some_and(Ordering::is_ge),
            Self::Truthy => actual.truth() == Some(true),
            Self::Falsy => actual.truth() == Some(false),
            Self::Close { expected, rel, abs } => is_close(actual, expected, *rel, *abs),
            Self::In(expected) => expected.contains(actual) == Some(true),
            Self::NotIn(expected) => expected.contains(actual) == Some(false),
        }
    }

    /// One short sentence on what was returned and what was asked for.
    pub fn explain(&self, actual: &Value) -> String {
        let asked = match self {
            Self::Eq(expected) => format!("expected {}", expected.show(SHOWN)),
            Self::Ne(expected) => format!("expected != {}", expected.show(SHOWN)),
            Self::Is(expected) => format!("expected it to be {}", expected.show(SHOWN)),
            Self::Lt(expected) => format!("expected < {}", expected.show(SHOWN)),
            Self::Le(expected) => format!("expected <= {}", expected.show(SHOWN)),
            Self::Gt(expected) => format!("expected > {}", expected.show(SHOWN)),
            Self::Ge(expected) => format!("expected >= {}", expected.show(SHOWN)),
            Self::Truthy => "expected a true value".to_owned(),
            Self::Falsy => "expected a false value".to_owned(),
            Self::Close { expected, rel, abs } => {
                format!("expected {} within {rel:e} of it or {abs:e}", expected.show(SHOWN))
            }
            Self::In(expected) => format!("expected one of {}", expected.show(SHOWN)),
            Self::NotIn(expected) => format!("expected none of {}", expected.show(SHOWN)),
        };
        format!("returned {}, {asked}", actual.show(SHOWN))
    }
}

fn is_same(actual: &Value, expected: &Value) -> bool {
    use Value as V;
    match (actual, expected) {
        (V::None, V::None) | (V::Ellipsis, V::Ellipsis) => true,
        (V::Bool(a), V::Bool(b)) => a == b,
        (V::Int(a), V::Int(b)) => a == b,
        (V::Str(a), V::Str(b)) => a == b,
        (V::Type(a), V::Type(b)) => a == b,
        _ => false,
    }
}

fn is_close(actual: &Value, expected: &Value, rel: f64, abs: f64) -> bool {
    use Value as V;
    let close = |a: &V, b: &V| is_close(a, b, rel, abs);
    match (actual, expected) {
        (V::List(a), V::List(b)) | (V::Tuple(a), V::Tuple(b)) | (V::Deque(a), V::Deque(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b))
        }
        (V::Dict(a), V::Dict(b)) => equal_dicts(a, b, &close),
        (V::NumpyArray(array), other) => array_matches(array, other, &close),
        (other, V::NumpyArray(array)) => array_matches(array, other, &|b, a| close(a, b)),
        _ => actual.python_eq(expected) || near(actual, expected, rel, abs),
    }
}

fn near(actual: &Value, expected: &Value, rel: f64, abs: f64) -> bool {
    let (Some(actual), Some(expected)) = (complex(actual), complex(expected)) else {
        return false;
    };
    let size = expected.0.hypot(expected.1);
    let distance = (actual.0 - expected.0).hypot(actual.1 - expected.1);
    // An infinity is close to itself only, which equality has seen.
    size.is_finite() && distance <= (rel * size).max(abs) && distance.is_finite()
}

fn complex(value: &Value) -> Option<(f64, f64)> {
    match value {
        Value::Complex(real, imaginary) => Some((*real, *imaginary)),
        Value::NumpyScalar(scalar) => complex(&scalar.item),
        _ => Number::of(value).map(|number| (number.to_f64(), 0.0)),
    }
}
