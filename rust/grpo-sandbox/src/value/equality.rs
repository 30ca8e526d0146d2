//! Python's `==`, `<` and `in`, re-done on plain data.
//!
//! Sets and dictionaries keep their members sorted by [`order`], so that comparing two is one walk along both,
//! whatever a program put in. No hash is involved that a program could make collide.

use std::cmp::Ordering;

use memchr::memmem;

use super::number::Number;
use super::{DictItems, NumpyArray, NumpyScalar, SetItems, Value};

impl Value {
    /// Whether `self == other` in Python, with these differences:
    ///
    /// - NaN is never equal, not even inside a list that holds the same object twice: what comes from
    ///   another process has no identity.
    /// - A numpy array equals an array, a list or a tuple of the same shape whose items are all equal.
    /// - [`Value::Opaque`] and [`Value::Handle`] equal nothing.
    /// - A decimal of more than 400 digits or powers of ten equals decimals only.
    pub fn python_eq(&self, other: &Self) -> bool {
        equal(self, other)
    }

    /// The truth of `bool(self)`; `None` where Python raises. Objects that stayed in their process count as
    /// true, as those without `__bool__` and `__len__` do.
    pub fn truth(&self) -> Option<bool> {
        Some(match self {
            Self::None => false,
            Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Decimal(_)
            | Self::Fraction(_) => Number::of(self).is_some_and(|number| !number.is_zero()),
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::Str(text) => !text.as_bytes().is_empty(),
            Self::Bytes(bytes) | Self::ByteArray(bytes) => !bytes.is_empty(),
            Self::List(items) | Self::Tuple(items) | Self::Deque(items) => !items.is_empty(),
            Self::Set(items) | Self::FrozenSet(items) => !items.as_slice().is_empty(),
            Self::Dict(items) => !items.entries().is_empty(),
            Self::Range(range) => !range.is_empty(),
            Self::Temporal(temporal) => match **temporal {
                super::Temporal::TimeDelta(fields) => fields != [0; 3],
                _ => true,
            },
            Self::NumpyScalar(scalar) => return scalar.item.truth(),
            Self::NumpyArray(array) => match array.items() {
                [item] => return item.truth(),
                _ => return None,
            },
            Self::Ellipsis | Self::Type(_) | Self::Opaque(_) | Self::Handle(_) => true,
        })
    }

    /// How `self` stands to `other`: both `<` and `<=` follow from it. `None` where neither holds in either
    /// direction or Python raises. For sets, less is a proper subset.
    pub fn python_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Str(a), Self::Str(b)) => Some(a.cmp(b)),
            (Self::Temporal(a), Self::Temporal(b)) => {
                (std::mem::discriminant(&**a) == std::mem::discriminant(&**b)).then(|| a.cmp(b))
            }
            (Self::List(a), Self::List(b))
            | (Self::Tuple(a), Self::Tuple(b))
            | (Self::Deque(a), Self::Deque(b)) => {
                match a.iter().zip(b).find(|(a, b)| !equal(a, b)) {
                    Some((a, b)) => a.python_cmp(b),
                    None => Some(a.len().cmp(&b.len())),
                }
            }
            (Self::Complex(..), _) | (_, Self::Complex(..)) => None,
            _ => {
                if let (Some(a), Some(b)) = (byte_string(self), byte_string(other)) {
                    Some(a.cmp(b))
                } else if let (Some(a), Some(b)) = (set_items(self), set_items(other)) {
                    compare_sets(a, b)
                } else {
                    Number::of(self)?.compare(Number::of(other)?)
                }
            }
        }
    }

    /// Whether `item in self`; `None` where Python raises.
    pub fn contains(&self, item: &Self) -> Option<bool> {
        let any = |items: &[Self]| items.iter().any(|member| equal(item, member));
        match self {
            Self::Str(text) => match item {
                Self::Str(part) => Some(memmem::find(text.as_bytes(), part.as_bytes()).is_some()),
                _ => None,
            },
            Self::Bytes(bytes) | Self::ByteArray(bytes) => match item {
                Self::Int(number) => {
                    u8::try_from(number).ok().map(|byte| memchr::memchr(byte, bytes).is_some())
                }
                _ => byte_string(item).map(|part| memmem::find(bytes, part).is_some()),
            },
            Self::List(items) | Self::Tuple(items) | Self::Deque(items) => Some(any(items)),
            Self::Set(items) | Self::FrozenSet(items) => {
                // A set is looked up as if it were frozen.
                let lookup = item.is_hashable() || matches!(item, Self::Set(_));
                lookup.then(|| any(items.as_slice()))
            }
            Self::Dict(items) => {
                item.is_hashable().then(|| items.entries().iter().any(|(key, _)| equal(item, key)))
            }
            Self::Range(range) => {
                let number = Number::of(item).and_then(Number::to_integer);
                Some(number.is_some_and(|number| range.contains(&number)))
            }
            _ => None,
        }
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    use Value as V;
    match (a, b) {
        (V::None, V::None) | (V::Ellipsis, V::Ellipsis) => true,
        (V::Str(a), V::Str(b)) => a == b,
        (V::List(a), V::List(b)) | (V::Tuple(a), V::Tuple(b)) | (V::Deque(a), V::Deque(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (V::Dict(a), V::Dict(b)) => equal_dicts(a, b, &equal),
        (V::Range(a), V::Range(b)) => a.key() == b.key(),
        (V::Temporal(a), V::Temporal(b)) => a == b,
        (V::Type(a), V::Type(b)) => a == b,
        (V::NumpyArray(array), other) | (other, V::NumpyArray(array)) => {
            array_matches(array, other, &equal)
        }
        (V::NumpyScalar(a), V::NumpyScalar(b)) => equal(&a.item, &b.item),
        (V::NumpyScalar(scalar), V::Float(float)) | (V::Float(float), V::NumpyScalar(scalar)) => {
            scalar_equals_float(scalar, *float)
        }
        (V::NumpyScalar(scalar), other) | (other, V::NumpyScalar(scalar)) => {
            equal(&scalar.item, other)
        }
        (V::Complex(a, b), V::Complex(c, d)) => (a, b) == (c, d),
        _ => {
            if let (Some(a), Some(b)) = (Number::of(a), Number::of(b)) {
                a.compare(b) == Some(Ordering::Equal)
            } else if let (Some(a), Some(b)) = (byte_string(a), byte_string(b)) {
                a == b
            } else if let (Some(a), Some(b)) = (set_items(a), set_items(b)) {
                let (a, b) = (a.as_slice(), b.as_slice());
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_member(a, b))
            } else {
                false
            }
        }
    }
}

/// numpy rounds a Python float to the scalar's own precision before it compares.
fn scalar_equals_float(scalar: &NumpyScalar, float: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "the rounding is the point")]
    let rounded = f64::from(float as f32);
    let is_single = scalar.dtype.ends_with("f4");
    equal(&scalar.item, &Value::Float(float))
        || (is_single && equal(&scalar.item, &Value::Float(rounded)))
}

/// Whether two values are one member of a set: equal, and without the rounding of numpy's comparisons, which
/// hashes do not follow.
pub(super) fn same_member(a: &Value, b: &Value) -> bool {
    order(a, b).is_eq() && equal(a, b)
}

/// Whether two dictionaries have the same keys, with values that satisfy `same`.
pub(super) fn equal_dicts(
    a: &DictItems,
    b: &DictItems,
    same: &dyn Fn(&Value, &Value) -> bool,
) -> bool {
    let (a, b) = (a.sorted(), b.sorted());
    a.len() == b.len() && a.zip(b).all(|(a, b)| same_member(&a.0, &b.0) && same(&a.1, &b.1))
}

/// Whether `other` is an array, a list or a tuple of the array's shape, with items that satisfy `same`.
pub(super) fn array_matches(
    array: &NumpyArray,
    other: &Value,
    same: &dyn Fn(&Value, &Value) -> bool,
) -> bool {
    if let Value::NumpyArray(other) = other {
        let pairs = array.items().iter().zip(other.items());
        return array.shape() == other.shape() && pairs.into_iter().all(|(a, b)| same(a, b));
    }
    let mut items = array.items().iter();
    nested_matches(array.shape(), other, &mut |value| {
        items.next().is_some_and(|item| same(item, value))
    })
}

fn nested_matches(shape: &[usize], value: &Value, leaf: &mut dyn FnMut(&Value) -> bool) -> bool {
    let Some((&length, rest)) = shape.split_first() else {
        return leaf(value);
    };
    match value {
        Value::List(items) | Value::Tuple(items) => {
            items.len() == length && items.iter().all(|item| nested_matches(rest, item, leaf))
        }
        _ => false,
    }
}

fn compare_sets(a: &SetItems, b: &SetItems) -> Option<Ordering> {
    let (mut left, mut right) = (a.as_slice(), b.as_slice());
    let (mut only_left, mut only_right) = (false, false);
    while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
        match order(a, b) {
            Ordering::Equal => {
                // What has the same place and is not equal (NaN) is a member of one only.
                let same = same_member(a, b);
                only_left |= !same;
                only_right |= !same;
                (left, right) = (left_rest, right_rest);
            }
            Ordering::Less => (left, only_left) = (left_rest, true),
            Ordering::Greater => (right, only_right) = (right_rest, true),
        }
    }
    match (only_left || !left.is_empty(), only_right || !right.is_empty()) {
        (false, false) => Some(Ordering::Equal),
        (false, true) => Some(Ordering::Less),
        (true, false) => Some(Ordering::Greater),
        (true, true) => None,
    }
}

/// A total order of everything that can be hashed, in which equal values have the same place. Values in the
/// same place are equal, but for those that equal nothing.
pub(super) fn order(a: &Value, b: &Value) -> Ordering {
    use Value as V;
    let (a, b) = (bare(a), bare(b));
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (V::Str(a), V::Str(b)) => a.cmp(b),
        (V::Type(a), V::Type(b)) => a.cmp(b),
        (V::Tuple(a), V::Tuple(b)) => order_items(a, b),
        (V::Range(a), V::Range(b)) => a.key().cmp(&b.key()),
        (V::Temporal(a), V::Temporal(b)) => a.cmp(b),
        (V::Complex(a, b), V::Complex(c, d)) => order_floats(*a, *c).then(order_floats(*b, *d)),
        _ => {
            if let (Some(a), Some(b)) = (Number::of(a), Number::of(b)) {
                a.compare(b).unwrap_or(Ordering::Equal)
            } else if let (Some(a), Some(b)) = (byte_string(a), byte_string(b)) {
                a.cmp(b)
            } else if let (Some(a), Some(b)) = (set_items(a), set_items(b)) {
                order_items(a.as_slice(), b.as_slice())
            } else {
                Ordering::Equal
            }
        }
    })
}

fn order_items(a: &[Value], b: &[Value]) -> Ordering {
    let mut pairs = a.iter().zip(b).map(|(a, b)| order(a, b));
    a.len().cmp(&b.len()).then_with(|| pairs.find(|pair| pair.is_ne()).unwrap_or(Ordering::Equal))
}

/// Both zeros in one place, and all NaN in another.
fn order_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::None => 4,
        Value::Ellipsis => 5,
        Value::Str(_) => 6,
        Value::Bytes(_) | Value::ByteArray(_) => 7,
        Value::Tuple(_) => 8,
        Value::Set(_) | Value::FrozenSet(_) => 9,
        Value::Range(_) => 10,
        Value::Temporal(_) => 11,
        Value::Type(_) => 12,
        Value::Opaque(_) => 13,
        Value::Handle(_) => 14,
        Value::List(_) | Value::Deque(_) | Value::Dict(_) | Value::NumpyArray(_) => 15,
        _ => match Number::of(value) {
            Some(number) if number.is_nan() => 0,
            Some(number) if number.is_far() => 1,
            Some(_) => 2,
            None => 3,
        },
    }
}

/// A numpy scalar's item.
fn bare(mut value: &Value) -> &Value {
    while let Value::NumpyScalar(scalar) = value {
        value = &scalar.item;
    }
    value
}

fn byte_string(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) | Value::ByteArray(bytes) => Some(bytes),
        _ => None,
    }
}

fn set_items(value: &Value) -> Option<&SetItems> {
    match value {
        Value::Set(items) | Value::FrozenSet(items) => Some(items),
        _ => None,
    }
}
