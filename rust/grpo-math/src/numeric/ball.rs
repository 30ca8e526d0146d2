//! Real enclosures: a midpoint of limited precision, and a radius.

use std::cmp::Ordering;

use dashu_int::ops::{BitTest, SquareRoot, UnsignedAbs};
use dashu_int::{IBig, Sign, UBig};
use dashu_ratio::RBig;

use super::mag::{Mag, to_i64};

/// The size up to which a floor is taken.
const FLOOR_BITS: i64 = 4096;

/// All numbers within `rad` of `man · 2^exp`.
///
/// Every operation encloses all results of its operands' members; `prec` is the number of bits
/// that are kept of the midpoint. Exponents stay far from overflow: [`super::value`] turns
/// whatever grows beyond 2^40 bits into a logarithm.
#[derive(Clone, Debug)]
pub(super) struct Ball {
    man: IBig,
    exp: i64,
    rad: Mag,
}

impl Ball {
    pub(super) const ZERO: Self = Self { man: IBig::ZERO, exp: 0, rad: Mag::ZERO };
    pub(super) const ONE: Self = Self { man: IBig::ONE, exp: 0, rad: Mag::ZERO };

    pub(super) fn new(man: IBig, exp: i64, rad: Mag, prec: usize) -> Self {
        Self { man, exp, rad }.rounded(prec)
    }

    pub(super) fn from_ibig(value: &IBig, prec: usize) -> Self {
        Self::new(value.clone(), 0, Mag::ZERO, prec)
    }

    pub(super) fn from_ratio(value: &RBig, prec: usize) -> Self {
        let numerator = Self::from_ibig(value.numerator(), prec + 8);
        if value.is_int() {
            return numerator.rounded(prec);
        }
        let denominator = Self::new(value.denominator().clone().into(), 0, Mag::ZERO, prec + 8);
        numerator.div(&denominator, prec).unwrap_or(Self::ZERO)
    }

    /// Every number of a magnitude up to the bound.
    pub(super) const fn around_zero(rad: Mag) -> Self {
        Self { man: IBig::ZERO, exp: 0, rad }
    }

    fn rounded(mut self, prec: usize) -> Self {
        let bits = self.man.bit_len();
        if bits <= prec {
            return self;
        }
        let shift = bits - prec;
        let exact = self.man.trailing_zeros().is_none_or(|zeros| zeros >= shift);
        self.man >>= shift;
        self.exp += to_i64(shift);
        if !exact {
            self.rad = self.rad.add(Mag::power_of_two(self.exp));
        }
        self
    }

    pub(super) fn widened(mut self, by: Mag) -> Self {
        self.rad = self.rad.add(by);
        self
    }

    pub(super) fn mid(&self) -> (&IBig, i64) {
        (&self.man, self.exp)
    }

    pub(super) const fn rad(&self) -> Mag {
        self.rad
    }

    pub(super) fn is_exact_zero(&self) -> bool {
        self.man.is_zero() && self.rad.is_zero()
    }

    /// No member is as large as `2^top`.
    pub(super) fn top(&self) -> i64 {
        self.upper().top()
    }

    /// An upper bound of the members' magnitude.
    pub(super) fn upper(&self) -> Mag {
        Mag::upper(&self.man, self.exp).add(self.rad)
    }

    /// A lower bound of the members' magnitude, if zero is none of them.
    pub(super) fn lower(&self) -> Option<Mag> {
        Mag::lower(&self.man, self.exp).sub_lower(self.rad)
    }

    /// The sign, if all members have the same.
    pub(super) fn sign(&self) -> Option<Ordering> {
        if self.is_exact_zero() {
            return Some(Ordering::Equal);
        }
        self.lower()?;
        Some(if self.man.sign() == Sign::Negative { Ordering::Less } else { Ordering::Greater })
    }

    pub(super) fn neg(&self) -> Self {
        Self { man: -self.man.clone(), ..*self }
    }

    pub(super) fn shifted(&self, by: i64) -> Self {
        Self { man: self.man.clone(), exp: self.exp + by, rad: self.rad.shifted(by) }
    }

    /// The magnitude; of an enclosure of zero everything from zero to the bound, on both sides.
    pub(super) fn abs(&self) -> Self {
        match self.sign() {
            Some(Ordering::Less) => self.neg(),
            Some(_) => self.clone(),
            None => Self::around_zero(self.upper()),
        }
    }

    pub(super) fn add(&self, other: &Self, prec: usize) -> Self {
        let rad = self.rad.add(other.rad);
        let (high, low) = if self.exp >= other.exp { (self, other) } else { (other, self) };
        if high.man.is_zero() {
            return Self { man: low.man.clone(), exp: low.exp, rad }.rounded(prec);
        }
        let high_top = high.exp + to_i64(high.man.bit_len());
        let low_top = low.exp + to_i64(low.man.bit_len());
        let cut = to_i64(prec) + 8;
        if high_top - low_top > cut {
            let rad = rad.add(Mag::upper(&low.man, low.exp));
            return Self { man: high.man.clone(), exp: high.exp, rad }.rounded(prec);
        }
        if low_top - high_top > cut {
            let rad = rad.add(Mag::upper(&high.man, high.exp));
            return Self { man: low.man.clone(), exp: low.exp, rad }.rounded(prec);
        }
        // The tops are close and mantissas have limited bits, so this shift is short.
        let shift = usize::try_from(high.exp - low.exp).unwrap_or_default();
        Self { man: (&high.man << shift) + &low.man, exp: low.exp, rad }.rounded(prec)
    }

    pub(super) fn sub(&self, other: &Self, prec: usize) -> Self {
        self.add(&other.neg(), prec)
    }

    pub(super) fn mul(&self, other: &Self, prec: usize) -> Self {
        let mut rad = self.rad.mul(other.rad);
        if !other.rad.is_zero() {
            rad = rad.add(Mag::upper(&self.man, self.exp).mul(other.rad));
        }
        if !self.rad.is_zero() {
            rad = rad.add(Mag::upper(&other.man, other.exp).mul(self.rad));
        }
        Self { man: &self.man * &other.man, exp: self.exp + other.exp, rad }.rounded(prec)
    }

    /// The quotient, unless the divisor may be zero.
    pub(super) fn div(&self, other: &Self, prec: usize) -> Option<Self> {
        let low = other.lower()?;
        let missing = (prec + 2 + other.man.bit_len()).saturating_sub(self.man.bit_len());
        let man = (&self.man << missing) / &other.man;
        let exp = self.exp - other.exp - to_i64(missing);
        let fault = self.rad.add(Mag::upper(&man, exp).add(unit(exp)).mul(other.rad)).div(low);
        let exact = &man * &other.man == &self.man << missing;
        let rad = if exact { fault } else { fault.add(unit(exp)) };
        Some(Self { man, exp, rad }.rounded(prec))
    }

    /// The root of what is zero or positive.
    pub(super) fn sqrt(&self, prec: usize) -> Option<Self> {
        match self.sign()? {
            Ordering::Less => return None,
            Ordering::Equal => return Some(Self::ZERO),
            Ordering::Greater => {}
        }
        let mut shift = (2 * prec + 4).saturating_sub(self.man.bit_len());
        if (self.exp - to_i64(shift)) & 1 == 1 {
            shift += 1;
        }
        let radicand: UBig = (&self.man << shift).unsigned_abs();
        let root = radicand.sqrt();
        let exact = &root * &root == radicand;
        let man = IBig::from(root);
        let exp = (self.exp - to_i64(shift)) / 2;
        // |√x - √m| ≤ |x - m| / √m
        let fault = self.rad.div(Mag::lower(&man, exp));
        let rad = if exact { fault } else { fault.add(unit(exp)) };
        Some(Self { man, exp, rad }.rounded(prec))
    }

    /// By squaring; the exponent's bits are few, its callers see to that.
    pub(super) fn powi(&self, exponent: u64, prec: usize) -> Self {
        let guarded = prec + 8 + 2 * (u64::BITS - exponent.leading_zeros()) as usize;
        let mut result = Self::ONE;
        for bit in (0..u64::BITS - exponent.leading_zeros()).rev() {
            result = result.mul(&result, guarded);
            if exponent >> bit & 1 == 1 {
                result = result.mul(self, guarded);
            }
        }
        result.rounded(prec)
    }

    /// The one integer that is the floor of all members.
    pub(super) fn floor(&self) -> Option<IBig> {
        if self.top() < 0 {
            let sign = self.sign()?;
            return Some(if sign.is_lt() { IBig::NEG_ONE } else { IBig::ZERO });
        }
        if self.top() > FLOOR_BITS || self.exp < -2 * FLOOR_BITS {
            return None;
        }
        // A tiny radius is replaced by a larger one, whose exponent is moderate.
        let widened = if self.rad.is_zero() {
            self.clone()
        } else {
            self.clone().widened(Mag::power_of_two(-FLOOR_BITS))
        };
        let (low, high) = widened.ends();
        let floor = low.floor();
        (floor == high.floor()).then_some(floor)
    }

    /// Lower and upper bound, exactly. The exponents must be moderate.
    pub(super) fn ends(&self) -> (RBig, RBig) {
        let mid = dyadic(&self.man, self.exp);
        let (man, exp) = self.rad.parts();
        let rad = dyadic(&man, exp);
        (&mid - &rad, mid + rad)
    }
}

const fn unit(exp: i64) -> Mag {
    Mag::power_of_two(exp)
}

fn dyadic(man: &IBig, exp: i64) -> RBig {
    let shift = usize::try_from(exp.unsigned_abs()).unwrap_or_default();
    if exp >= 0 {
        RBig::from(man << shift)
    } else {
        RBig::from_parts(man.clone(), UBig::ONE << shift)
    }
}
