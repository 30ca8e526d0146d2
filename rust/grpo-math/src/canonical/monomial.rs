//! Products of kernels with rational exponents.

use std::cmp::Ordering;

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

/// A rational exponent. Operations fail on overflow, which no answer reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exponent {
    pub(super) numerator: i64,
    /// Positive, and coprime to the numerator.
    pub(super) denominator: i64,
}

impl Exponent {
    pub(super) const ZERO: Self = Self::integer(0);
    pub(super) const ONE: Self = Self::integer(1);
    pub(super) const HALF: Self = Self { numerator: 1, denominator: 2 };

    pub(super) const fn integer(value: i64) -> Self {
        Self { numerator: value, denominator: 1 }
    }

    pub(super) fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let divisor = gcd(numerator.unsigned_abs(), denominator.unsigned_abs());
        let divisor = i128::try_from(divisor).ok()? * denominator.signum();
        let numerator = i64::try_from(numerator / divisor).ok().filter(|n| *n != i64::MIN)?;
        let denominator = i64::try_from(denominator / divisor).ok()?;
        Self { numerator, denominator }.bounded()
    }

    /// Small enough that sums and whole parts do not overflow.
    fn bounded(self) -> Option<Self> {
        const LIMIT: i64 = 1 << 60;
        (self.numerator.abs() <= LIMIT && self.denominator <= LIMIT).then_some(self)
    }

    pub(super) fn from_rational(value: &RBig) -> Option<Self> {
        let numerator = i64::try_from(value.numerator()).ok()?;
        let denominator = i64::try_from(value.denominator()).ok()?;
        Self::new(numerator.into(), denominator.into())
    }

    pub(super) fn rational(self) -> RBig {
        RBig::from_parts(IBig::from(self.numerator), UBig::from(self.denominator.unsigned_abs()))
    }

    pub(super) fn whole(value: i64) -> Option<Self> {
        Self::new(value.into(), 1)
    }

    pub(super) const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    pub(super) const fn is_integer(self) -> bool {
        self.denominator == 1
    }

    pub(super) const fn is_negative(self) -> bool {
        self.numerator < 0
    }

    pub(super) const fn floor(self) -> i64 {
        self.numerator.div_euclid(self.denominator)
    }

    pub(super) const fn negate(self) -> Self {
        Self { numerator: -self.numerator, denominator: self.denominator }
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        if self.is_integer() && other.is_integer() {
            return self.numerator.checked_add(other.numerator).map(Self::integer)?.bounded();
        }
        let (a, b) = (i128::from(self.numerator), i128::from(self.denominator));
        let (c, d) = (i128::from(other.numerator), i128::from(other.denominator));
        Self::new(a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?)
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        let numerator = i128::from(self.numerator) * i128::from(other.numerator);
        Self::new(numerator, i128::from(self.denominator) * i128::from(other.denominator))
    }
}

impl Ord for Exponent {
    fn cmp(&self, other: &Self) -> Ordering {
        (i128::from(self.numerator) * i128::from(other.denominator))
            .cmp(&(i128::from(other.numerator) * i128::from(self.denominator)))
    }
}

impl PartialOrd for Exponent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

pub(super) const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

/// How the powers of a kernel simplify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Not at all.
    Plain,
    /// A sum: whole powers are expanded.
    Sum,
    /// The number -1: `e^{iπ}`.
    Unity,
    /// A prime number: whole powers join the coefficient.
    Prime,
}

/// A kernel: an index into the arena of one comparison, with its class in the two high bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u32);

impl Id {
    const SHIFT: u32 = 30;

    pub(super) fn new(class: Class, index: usize) -> Option<Self> {
        let index = u32::try_from(index).ok().filter(|index| index >> Self::SHIFT == 0)?;
        Some(Self(((class as u32) << Self::SHIFT) | index))
    }

    pub(super) const fn class(self) -> Class {
        match self.0 >> Self::SHIFT {
            0 => Class::Plain,
            1 => Class::Sum,
            2 => Class::Unity,
            _ => Class::Prime,
        }
    }

    pub(super) const fn index(self) -> usize {
        (self.0 & ((1 << Self::SHIFT) - 1)) as usize
    }
}

/// Kernels in rising order with exponents other than zero.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Monomial(pub(super) Vec<(Id, Exponent)>);

impl Monomial {
    pub(super) const ONE: Self = Self(Vec::new());

    pub(super) fn kernel(id: Id, exponent: Exponent) -> Self {
        if exponent.is_zero() { Self::ONE } else { Self(vec![(id, exponent)]) }
    }

    pub(super) const fn is_one(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn exponent(&self, id: Id) -> Exponent {
        self.0.iter().find(|(other, _)| *other == id).map_or(Exponent::ZERO, |(_, e)| *e)
    }

    pub(super) fn without(&self, id: Id) -> Self {
        Self(self.0.iter().filter(|(other, _)| *other != id).copied().collect())
    }

    /// The product without its factor i, if it has one.
    pub(super) fn imaginary_part(&self) -> Option<Self> {
        let is_i = |(id, e): &&(Id, Exponent)| id.class() == Class::Unity && *e == Exponent::HALF;
        self.0.iter().find(is_i).map(|(id, _)| self.without(*id))
    }

    pub(super) fn times(&self, other: &Self) -> Option<Self> {
        if self.is_one() {
            return Some(other.clone());
        }
        let mut factors = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    let sum = a.1.plus(b.1)?;
                    if !sum.is_zero() {
                        factors.push((a.0, sum));
                    }
                    left.next();
                    right.next();
                }
                (Some(a), Some(b)) if a.0 < b.0 => factors.extend(left.next()),
                (_, Some(_)) => factors.extend(right.next()),
                (Some(_), None) => factors.extend(left.next()),
                (None, None) => return Some(Self(factors)),
            }
        }
    }

    pub(super) fn power(&self, exponent: Exponent) -> Option<Self> {
        if exponent.is_zero() {
            return Some(Self::ONE);
        }
        let factors = self.0.iter().map(|(id, e)| Some((*id, e.times(exponent)?)));
        factors.collect::<Option<_>>().map(Self)
    }
}

/// The lexicographic order, in which an absent kernel has the exponent zero.
impl Ord for Monomial {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    let order = a.1.cmp(&b.1);
                    left.next();
                    right.next();
                    order
                }
                (Some(a), Some(b)) if a.0 < b.0 => return a.1.cmp(&Exponent::ZERO),
                (_, Some(b)) => return Exponent::ZERO.cmp(&b.1),
                (Some(a), None) => return a.1.cmp(&Exponent::ZERO),
                (None, None) => return Ordering::Equal,
            };
            if order.is_ne() {
                return order;
            }
        }
    }
}

impl PartialOrd for Monomial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
