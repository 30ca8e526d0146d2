//! What an expression may be worth: exact, enclosed, complex, or known by its logarithm only.

use std::cmp::Ordering;

use dashu_int::IBig;
use dashu_int::ops::{Abs, BitTest};
use dashu_ratio::RBig;

use super::ball::Ball;
use super::fixed;
use super::mag::{Mag, to_i64};
use crate::budget::{Budget, Spent};

/// Rationals beyond this size go on as enclosures.
const MAX_EXACT_BITS: usize = 1024;

/// Numbers beyond 2^±(2^40) are known by their logarithm.
const MAX_TOP: i64 = 1 << 40;

/// Why there is no value, the more severe reasons last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fail {
    /// The enclosure holds a jump or a pole. A higher precision may help.
    Unclear,
    /// Outside of the domain: a division by zero, a factorial of a fraction.
    Undefined,
    /// Nothing that is evaluated here.
    Unsupported,
    Spent,
}

impl From<Spent> for Fail {
    fn from(_: Spent) -> Self {
        Self::Spent
    }
}

pub(super) type Result<T> = std::result::Result<T, Fail>;

#[derive(Clone, Debug)]
pub(super) enum Value {
    Exact(RBig),
    Real(Ball),
    Complex(Ball, Ball),
    /// ± e^log, for what is too large or too small for an exponent. The logarithm is real.
    Huge {
        negative: bool,
        log: Box<Self>,
    },
}

/// How two values lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Both exact and the same.
    Same,
    Less,
    Greater,
    /// Different, and one of them is not real.
    Apart,
    Overlap,
}

/// A precision, and the budget that pays for it.
pub(super) struct Arithmetic<'a> {
    pub(super) prec: usize,
    /// How many bits below the largest term of a sum the smallest lies, at most. What agrees to
    /// fewer bits than these may still differ by the small term.
    pub(super) spread: i64,
    /// Whether a root or a logarithm of a negative number was taken.
    pub(super) left_reals: bool,
    pub(super) budget: &'a mut Budget,
}

impl Value {
    pub(super) fn integer(value: i64) -> Self {
        Self::Exact(RBig::from(value))
    }

    fn is_exact_zero(&self) -> bool {
        matches!(self, Self::Exact(value) if value.is_zero())
    }

    pub(super) fn as_integer(&self) -> Option<&IBig> {
        match self {
            Self::Exact(value) if value.is_int() => Some(value.numerator()),
            _ => None,
        }
    }

    /// Certainly not a real number.
    pub(super) fn is_non_real(&self) -> bool {
        matches!(self, Self::Complex(_, im) if im.sign().is_some_and(Ordering::is_ne))
    }

    pub(super) fn neg(self) -> Self {
        match self {
            Self::Exact(value) => Self::Exact(-value),
            Self::Real(ball) => Self::Real(ball.neg()),
            Self::Complex(re, im) => Self::Complex(re.neg(), im.neg()),
            Self::Huge { negative, log } => Self::Huge { negative: !negative, log },
        }
    }

    /// The sign of what is real.
    pub(super) fn sign(&self) -> Result<Ordering> {
        match self {
            Self::Exact(value) => Ok(sign_of(value)),
            Self::Real(ball) => ball.sign().ok_or(Fail::Unclear),
            Self::Complex(_, im) if im.sign().is_none() => Err(Fail::Unclear),
            Self::Complex(..) => Err(Fail::Undefined),
            Self::Huge { negative: true, .. } => Ok(Ordering::Less),
            Self::Huge { .. } => Ok(Ordering::Greater),
        }
    }
}

fn half() -> Value {
    Value::Exact(RBig::ONE / RBig::from(2))
}

fn sign_of(value: &RBig) -> Ordering {
    value.cmp(&RBig::ZERO)
}

impl Arithmetic<'_> {
    /// Pays for `count` multiplications at this precision.
    pub(super) fn pay(&mut self, count: u64) -> Result<()> {
        let limbs = (self.prec / 64 + 1) as u64;
        Ok(self.budget.spend(count * (2 + limbs * limbs / 16))?)
    }

    /// Pays for an elementary function, at about a multiplication for each of its steps.
    fn pay_function(&mut self) -> Result<()> {
        let limbs = (self.prec / 64 + 1) as u64;
        Ok(self.budget.spend(8 + limbs * (4 + limbs / 2))?)
    }

    fn note_spread(&mut self, bits: i64) {
        self.spread = self.spread.max(bits);
    }

    pub(super) fn exact(&self, value: RBig) -> Value {
        if value.numerator().bit_len() + value.denominator().bit_len() <= MAX_EXACT_BITS {
            Value::Exact(value)
        } else {
            Value::Real(Ball::from_ratio(&value, self.prec))
        }
    }

    /// The enclosure, as a logarithm if it is out of range.
    fn real(&mut self, ball: Ball) -> Result<Value> {
        let Some(low) = ball.lower() else {
            return if ball.is_exact_zero() {
                Ok(Value::integer(0))
            } else if ball.top() > MAX_TOP {
                Err(Fail::Unclear)
            } else {
                Ok(Value::Real(ball))
            };
        };
        if ball.top() <= MAX_TOP && low.top() >= -MAX_TOP {
            return Ok(Value::Real(ball));
        }
        self.pay_function()?;
        let negative = ball.sign() == Some(Ordering::Less);
        let log = fixed::ln(&ball.abs(), self.prec).ok_or(Fail::Unclear)?;
        Ok(Value::Huge { negative, log: Box::new(Value::Real(log)) })
    }

    fn complex(&mut self, re: Ball, im: Ball) -> Result<Value> {
        if im.is_exact_zero() {
            return self.real(re);
        }
        if re.top().max(im.top()) > MAX_TOP {
            return Err(Fail::Unclear);
        }
        Ok(Value::Complex(re, im))
    }

    pub(super) fn ball(&self, value: &Value) -> Result<Ball> {
        match value {
            Value::Exact(value) => Ok(Ball::from_ratio(value, self.prec)),
            Value::Real(ball) => Ok(ball.clone()),
            Value::Complex(_, im) if im.sign().is_some() => Err(Fail::Undefined),
            Value::Complex(..) | Value::Huge { .. } => Err(Fail::Unclear),
        }
    }

    pub(super) fn parts(&self, value: &Value) -> Result<(Ball, Ball)> {
        match value {
            Value::Complex(re, im) => Ok((re.clone(), im.clone())),
            real => Ok((self.ball(real)?, Ball::ZERO)),
        }
    }

    pub(super) fn pi(&mut self) -> Result<Value> {
        self.pay(1)?;
        Ok(Value::Real(fixed::pi(self.prec)))
    }

    pub(super) fn add(&mut self, a: &Value, b: &Value) -> Result<Value> {
        self.pay(1)?;
        match (a, b) {
            (Value::Exact(a), Value::Exact(b)) => Ok(self.exact(a + b)),
            (zero, other) | (other, zero) if zero.is_exact_zero() => Ok(other.clone()),
            (Value::Huge { .. }, _) | (_, Value::Huge { .. }) => self.add_huge(a, b),
            (Value::Complex(..), _) | (_, Value::Complex(..)) => {
                let ((re, im), (re2, im2)) = (self.parts(a)?, self.parts(b)?);
                let re = self.add_balls(&re, &re2);
                let im = self.add_balls(&im, &im2);
                self.complex(re, im)
            }
            _ => {
                let sum = self.add_balls(&self.ball(a)?, &self.ball(b)?);
                self.real(sum)
            }
        }
    }

    fn add_balls(&mut self, a: &Ball, b: &Ball) -> Ball {
        if a.lower().is_some() && b.lower().is_some() {
            self.note_spread((a.top() - b.top()).abs());
        }
        a.add(b, self.prec)
    }

    pub(super) fn sub(&mut self, a: &Value, b: &Value) -> Result<Value> {
        self.add(a, &b.clone().neg())
    }

    /// a + b = a (1 + b/a) by logarithms, where one is huge and none is zero.
    fn add_huge(&mut self, a: &Value, b: &Value) -> Result<Value> {
        let same_sign = a.sign()? == b.sign()?;
        let (log_a, log_b) = (self.log_abs(a)?, self.log_abs(b)?);
        let distance = self.sub(&log_b, &log_a)?;
        let (large, log_large, ratio) = if distance.sign().unwrap_or(Ordering::Less).is_gt() {
            (b, log_b, self.exp(&distance.neg())?)
        } else {
            (a, log_a, self.exp(&distance)?)
        };
        // The ratio is at most about one; of a very small one only a bound is kept.
        let bound = match &ratio {
            Value::Huge { .. } => Some(Mag::power_of_two(-MAX_TOP / 2)),
            ratio => {
                let ratio = self.ball(ratio)?;
                (ratio.top() < -to_i64(self.prec)).then(|| ratio.upper().shifted(1))
            }
        };
        let correction = if let Some(bound) = bound {
            self.note_spread(-bound.top());
            Value::Real(Ball::around_zero(bound))
        } else {
            let ratio = if same_sign { ratio } else { ratio.neg() };
            let factor = self.add(&Value::integer(1), &ratio)?;
            if factor.sign()?.is_lt() {
                return Err(Fail::Unclear);
            }
            self.ln(&factor)?
        };
        if !matches!(large, Value::Huge { .. }) {
            let Value::Real(correction) = correction else { return Err(Fail::Unclear) };
            let large = self.ball(large)?;
            let fault = large.upper().mul(correction.upper()).shifted(1);
            return self.real(large.widened(fault));
        }
        let log = self.add(&log_large, &correction)?;
        let negative = large.sign()?.is_lt();
        self.signed_exp(negative, &log)
    }

    /// ln |x| of a real value.
    fn log_abs(&mut self, value: &Value) -> Result<Value> {
        let magnitude = match value {
            Value::Exact(value) => Value::Exact(value.clone().abs()),
            Value::Real(ball) => Value::Real(ball.abs()),
            Value::Huge { log, .. } => return Ok((**log).clone()),
            Value::Complex(..) => return Err(Fail::Unclear),
        };
        self.ln(&magnitude)
    }

    /// ± e^log
    fn signed_exp(&mut self, negative: bool, log: &Value) -> Result<Value> {
        let value = self.exp(log)?;
        Ok(if negative { value.neg() } else { value })
    }

    pub(super) fn mul(&mut self, a: &Value, b: &Value) -> Result<Value> {
        self.pay(1)?;
        match (a, b) {
            (Value::Exact(a), Value::Exact(b)) => Ok(self.exact(a * b)),
            (zero, _) | (_, zero) if zero.is_exact_zero() => Ok(Value::integer(0)),
            (Value::Huge { .. }, _) | (_, Value::Huge { .. }) => {
                let negative = a.sign()? != b.sign()?;
                let (log_a, log_b) = (self.log_abs(a)?, self.log_abs(b)?);
                let log = self.add(&log_a, &log_b)?;
                self.signed_exp(negative, &log)
            }
            (Value::Complex(..), _) | (_, Value::Complex(..)) => {
                self.pay(3)?;
                let prec = self.prec;
                let ((a, b), (c, d)) = (self.parts(a)?, self.parts(b)?);
                let re = a.mul(&c, prec).sub(&b.mul(&d, prec), prec);
                let im = a.mul(&d, prec).add(&b.mul(&c, prec), prec);
                self.complex(re, im)
            }
            _ => {
                let product = self.ball(a)?.mul(&self.ball(b)?, self.prec);
                self.real(product)
            }
        }
    }

    pub(super) fn inverse(&mut self, value: &Value) -> Result<Value> {
        self.pay(2)?;
        match value {
            Value::Exact(value) if value.is_zero() => Err(Fail::Undefined),
            Value::Exact(value) => Ok(self.exact(RBig::ONE / value)),
            Value::Real(ball) => {
                let inverse = Ball::ONE.div(ball, self.prec).ok_or(Fail::Unclear)?;
                self.real(inverse)
            }
            Value::Complex(re, im) => {
                let prec = self.prec;
                let norm = re.mul(re, prec).add(&im.mul(im, prec), prec);
                let re = re.div(&norm, prec).ok_or(Fail::Unclear)?;
                let im = im.div(&norm, prec).ok_or(Fail::Unclear)?;
                self.complex(re, im.neg())
            }
            Value::Huge { negative, log } => {
                Ok(Value::Huge { negative: *negative, log: Box::new((**log).clone().neg()) })
            }
        }
    }

    pub(super) fn div(&mut self, a: &Value, b: &Value) -> Result<Value> {
        let inverse = self.inverse(b)?;
        self.mul(a, &inverse)
    }

    pub(super) fn exp(&mut self, value: &Value) -> Result<Value> {
        match value {
            Value::Exact(zero) if zero.is_zero() => Ok(Value::integer(1)),
            Value::Huge { log, .. } if log.sign()?.is_lt() => {
                self.note_spread(MAX_TOP);
                Ok(Value::Real(Ball::ONE.widened(Mag::power_of_two(-MAX_TOP / 2))))
            }
            Value::Huge { .. } => Ok(Value::Huge { negative: false, log: Box::new(value.clone()) }),
            Value::Complex(re, im) => {
                let modulus = self.exp(&Value::Real(re.clone()))?;
                let (sine, cosine) = self.sin_cos_ball(im)?;
                let direction = self.complex(cosine, sine)?;
                self.mul(&modulus, &direction)
            }
            Value::Exact(_) | Value::Real(_) => {
                let ball = self.ball(value)?;
                if ball.top() >= fixed::MAX_TOP - 4 {
                    value.sign()?;
                    return Ok(Value::Huge { negative: false, log: Box::new(value.clone()) });
                }
                self.pay_function()?;
                if ball.lower().is_some() {
                    self.note_spread(-ball.top());
                }
                let result = fixed::exp(&ball, self.prec).ok_or(Fail::Unclear)?;
                self.real(result)
            }
        }
    }

    /// The principal logarithm.
    pub(super) fn ln(&mut self, value: &Value) -> Result<Value> {
        match value {
            Value::Exact(one) if one.is_one() => Ok(Value::integer(0)),
            Value::Huge { negative: false, log } => Ok((**log).clone()),
            Value::Complex(re, im) => {
                let modulus = self.modulus(re, im)?;
                let log = self.ln(&modulus)?;
                let log = self.ball(&log)?;
                let angle = self.angle(re, im)?;
                self.complex(log, angle)
            }
            _ => match value.sign()? {
                Ordering::Equal => Err(Fail::Undefined),
                Ordering::Less => {
                    self.left_reals = true;
                    let log = self.log_abs(value)?;
                    let log = self.ball(&log)?;
                    Ok(Value::Complex(log, fixed::pi(self.prec)))
                }
                Ordering::Greater => {
                    self.pay_function()?;
                    let ball = self.ball(value)?;
                    fixed::ln(&ball, self.prec).map(Value::Real).ok_or(Fail::Unclear)
                }
            },
        }
    }

    fn modulus(&mut self, re: &Ball, im: &Ball) -> Result<Value> {
        self.pay(4)?;
        let prec = self.prec;
        let norm = re.mul(re, prec).add(&im.mul(im, prec), prec);
        norm.sqrt(prec).map(Value::Real).ok_or(Fail::Unclear)
    }

    pub(super) fn abs(&mut self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::Exact(value) => Value::Exact(value.clone().abs()),
            Value::Real(ball) => Value::Real(ball.abs()),
            Value::Complex(re, im) => return self.modulus(re, im),
            Value::Huge { log, .. } => Value::Huge { negative: false, log: log.clone() },
        })
    }

    /// The argument in (-π, π] of a complex number.
    fn angle(&mut self, re: &Ball, im: &Ball) -> Result<Ball> {
        self.pay_function()?;
        let prec = self.prec;
        let half_pi = fixed::pi(prec).shifted(-1);
        let (re_sign, im_sign) = (re.sign(), im.sign());
        if let Some(sign) = im_sign.filter(|sign| sign.is_ne()) {
            // ±π/2 - arctan(re/im) holds above and below the axis.
            let ratio = re.div(im, prec).ok_or(Fail::Unclear)?;
            let tilt = fixed::atan(&ratio, prec).ok_or(Fail::Unclear)?;
            let quarter = if sign.is_lt() { half_pi.neg() } else { half_pi };
            return Ok(quarter.sub(&tilt, prec));
        }
        if re_sign == Some(Ordering::Greater) {
            let ratio = im.div(re, prec).ok_or(Fail::Unclear)?;
            return fixed::atan(&ratio, prec).ok_or(Fail::Unclear);
        }
        match (re_sign, im_sign) {
            (Some(Ordering::Less), Some(Ordering::Equal)) => Ok(fixed::pi(prec)),
            (Some(Ordering::Equal), Some(Ordering::Equal)) => Err(Fail::Undefined),
            _ => Err(Fail::Unclear),
        }
    }

    pub(super) fn arg(&mut self, value: &Value) -> Result<Value> {
        if let Value::Complex(re, im) = value {
            return Ok(Value::Real(self.angle(re, im)?));
        }
        match value.sign()? {
            Ordering::Less => self.pi(),
            Ordering::Equal => Err(Fail::Undefined),
            Ordering::Greater => Ok(Value::integer(0)),
        }
    }

    fn sin_cos_ball(&mut self, angle: &Ball) -> Result<(Ball, Ball)> {
        self.pay_function()?;
        self.pay_function()?;
        if angle.lower().is_some() {
            self.note_spread(-2 * angle.top());
        }
        fixed::sin_cos(angle, self.prec).ok_or(Fail::Unclear)
    }

    /// Sine and cosine.
    pub(super) fn sin_cos(&mut self, value: &Value) -> Result<(Value, Value)> {
        if let Value::Complex(x, y) = value {
            // sin(x + iy) = sin x cosh y + i cos x sinh y, and likewise for the cosine.
            let (x, y) = (x.clone(), y.clone());
            let (sine, cosine) = self.sin_cos_ball(&x)?;
            let (odd, even) = self.sinh_cosh(&Value::Real(y))?;
            let (odd, even) = (self.ball(&odd)?, self.ball(&even)?);
            self.pay(4)?;
            let prec = self.prec;
            let re = sine.mul(&even, prec);
            let im = cosine.mul(&odd, prec);
            let result = self.complex(re, im)?;
            let re = cosine.mul(&even, prec);
            let im = sine.mul(&odd, prec).neg();
            return Ok((result, self.complex(re, im)?));
        }
        if value.is_exact_zero() {
            return Ok((Value::integer(0), Value::integer(1)));
        }
        let (sine, cosine) = self.sin_cos_ball(&self.ball(value)?)?;
        Ok((self.real(sine)?, self.real(cosine)?))
    }

    pub(super) fn sinh_cosh(&mut self, value: &Value) -> Result<(Value, Value)> {
        if let Value::Exact(_) | Value::Real(_) = value {
            let ball = self.ball(value)?;
            if ball.lower().is_some() {
                self.note_spread(-2 * ball.top());
            }
        }
        let grown = self.exp(value)?;
        let shrunk = self.inverse(&grown)?;
        let half = half();
        let sum = self.add(&grown, &shrunk)?;
        let difference = self.sub(&grown, &shrunk)?;
        Ok((self.mul(&difference, &half)?, self.mul(&sum, &half)?))
    }

    pub(super) fn atan(&mut self, value: &Value) -> Result<Value> {
        if value.is_exact_zero() {
            return Ok(Value::integer(0));
        }
        self.pay_function()?;
        self.pay_function()?;
        let ball = self.ball(value)?;
        if ball.lower().is_some() {
            self.note_spread(2 * ball.top().abs());
        }
        let angle = fixed::atan(&ball, self.prec).ok_or(Fail::Unclear)?;
        self.real(angle)
    }

    /// The root of a real that is not negative.
    fn sqrt_real(&mut self, value: &Value) -> Result<Value> {
        self.pay(2)?;
        if let Value::Exact(value) = value
            && let Some(root) = exact_root(value, 2)
        {
            return Ok(Value::Exact(root));
        }
        if let Value::Huge { log, .. } = value {
            let half = half();
            let log = self.mul(log, &half)?;
            return self.signed_exp(false, &log);
        }
        let root = self.ball(value)?.sqrt(self.prec).ok_or(Fail::Unclear)?;
        self.real(root)
    }

    /// The principal square root.
    pub(super) fn sqrt(&mut self, value: &Value) -> Result<Value> {
        let Value::Complex(re, im) = value else {
            return match value.sign()? {
                Ordering::Less => {
                    self.left_reals = true;
                    let root = self.sqrt_real(&value.clone().neg())?;
                    let root = self.ball(&root)?;
                    self.complex(Ball::ZERO, root)
                }
                _ => self.sqrt_real(value),
            };
        };
        let upper_half = im.sign().ok_or(Fail::Unclear)?.is_ge();
        let modulus = self.modulus(re, im)?;
        let modulus = self.ball(&modulus)?;
        let prec = self.prec;
        // The larger part by a root, the other by a division, so that nothing cancels.
        let leans_right = re.mid().0 >= &IBig::ZERO;
        let large = modulus.add(&re.abs(), prec).shifted(-1).sqrt(prec).ok_or(Fail::Unclear)?;
        let small = im.abs().shifted(-1).div(&large, prec).ok_or(Fail::Unclear)?;
        let (re, im) = if leans_right { (large, small) } else { (small, large) };
        self.complex(re, if upper_half { im } else { im.neg() })
    }

    /// An integer power.
    pub(super) fn powi(&mut self, base: &Value, exponent: &IBig) -> Result<Value> {
        if exponent.is_zero() {
            return if base.is_exact_zero() { Err(Fail::Undefined) } else { Ok(Value::integer(1)) };
        }
        if exponent < &IBig::ZERO {
            let power = self.powi(base, &-exponent)?;
            return self.inverse(&power);
        }
        if let Value::Exact(base) = base
            && (base.is_zero() || base.is_one())
        {
            return Ok(Value::Exact(base.clone()));
        }
        let Ok(count) = u64::try_from(exponent) else {
            return self.power_of_magnitude(base, exponent);
        };
        let steps = u64::from(u64::BITS - count.leading_zeros());
        self.pay(steps)?;
        match base {
            Value::Exact(value) => {
                let bits = value.numerator().bit_len() + value.denominator().bit_len();
                match isize::try_from(count) {
                    Ok(count)
                        if count.unsigned_abs().saturating_mul(bits - 1) <= MAX_EXACT_BITS =>
                    {
                        Ok(self.exact(value.pow(count)))
                    }
                    _ => {
                        let ball = self.ball(base)?;
                        self.powi(&Value::Real(ball), exponent)
                    }
                }
            }
            Value::Real(ball) => {
                let growth = ball.top().unsigned_abs().saturating_mul(count);
                if growth > MAX_TOP.unsigned_abs() || count > 1 << 40 {
                    return self.power_of_magnitude(base, exponent);
                }
                let power = ball.powi(count, self.prec);
                self.real(power)
            }
            Value::Complex(..) if count <= 1024 => {
                let mut result = Value::integer(1);
                for bit in (0..steps).rev() {
                    result = self.mul(&result, &result)?;
                    if count >> bit & 1 == 1 {
                        result = self.mul(&result, base)?;
                    }
                }
                Ok(result)
            }
            _ => self.power_of_magnitude(base, exponent),
        }
    }

    /// ± e^(n ln|x|)
    fn power_of_magnitude(&mut self, base: &Value, exponent: &IBig) -> Result<Value> {
        if let Value::Exact(value) = base
            && value.clone().abs().is_one()
        {
            return Ok(Value::integer(if exponent.bit(0) { -1 } else { 1 }));
        }
        let negative = base.sign()?.is_lt() && exponent.bit(0);
        let log = self.log_abs(base)?;
        let exponent = self.exact(RBig::from(exponent.clone()));
        let log = self.mul(&log, &exponent)?;
        self.signed_exp(negative, &log)
    }

    pub(super) fn pow(&mut self, base: &Value, exponent: &Value) -> Result<Value> {
        if let Value::Exact(rational) = exponent {
            if rational.is_int() {
                return self.powi(base, rational.numerator());
            }
            return self.pow_ratio(base, rational);
        }
        if base.is_exact_zero() {
            return match exponent.sign()? {
                Ordering::Greater => Ok(Value::integer(0)),
                _ => Err(Fail::Undefined),
            };
        }
        let log = self.ln(base)?;
        let log = self.mul(&log, exponent)?;
        self.exp(&log)
    }

    /// A power with a fraction for exponent: of a negative base the real one where the root is odd,
    /// otherwise the principal one.
    fn pow_ratio(&mut self, base: &Value, exponent: &RBig) -> Result<Value> {
        if base.is_exact_zero() {
            return if exponent > &RBig::ZERO {
                Ok(Value::integer(0))
            } else {
                Err(Fail::Undefined)
            };
        }
        let degree = exponent.denominator();
        if *degree == 2_u8.into() {
            let root = self.sqrt(base)?;
            return self.powi(&root, exponent.numerator());
        }
        if matches!(base, Value::Complex(..)) {
            return self.pow_principal(base, exponent);
        }
        if base.sign()?.is_gt() {
            return self.pow_positive(base, exponent);
        }
        if !degree.bit(0) {
            return self.pow_principal(base, exponent);
        }
        let power = self.pow_positive(&base.clone().neg(), exponent)?;
        Ok(if exponent.numerator().bit(0) { power.neg() } else { power })
    }

    fn pow_principal(&mut self, base: &Value, exponent: &RBig) -> Result<Value> {
        let log = self.ln(base)?;
        let log = self.mul(&log, &Value::Exact(exponent.clone()))?;
        self.exp(&log)
    }

    fn pow_positive(&mut self, base: &Value, exponent: &RBig) -> Result<Value> {
        if let (Value::Exact(value), Ok(degree)) = (base, usize::try_from(exponent.denominator()))
            && degree <= 64
        {
            self.pay(8)?;
            if let Some(root) = exact_root(value, degree) {
                return self.powi(&Value::Exact(root), exponent.numerator());
            }
        }
        self.pow_principal(base, exponent)
    }

    /// How two values lie to each other, as far as the enclosures tell.
    pub(super) fn position(&mut self, a: &Value, b: &Value) -> Result<Position> {
        match (a, b) {
            (Value::Exact(a), Value::Exact(b)) => Ok(Position::from(a.cmp(b))),
            (Value::Complex(..), Value::Huge { .. }) | (Value::Huge { .. }, Value::Complex(..)) => {
                Ok(Position::Overlap)
            }
            (Value::Huge { negative, log }, other) => {
                Ok(self.position_of_huge(*negative, log, other)?)
            }
            (other, Value::Huge { negative, log }) => {
                Ok(self.position_of_huge(*negative, log, other)?.reversed())
            }
            (Value::Complex(..), _) | (_, Value::Complex(..)) => {
                let ((re, im), (re2, im2)) = (self.parts(a)?, self.parts(b)?);
                let apart = re.sub(&re2, self.prec).lower().is_some()
                    || im.sub(&im2, self.prec).lower().is_some();
                Ok(if apart { Position::Apart } else { Position::Overlap })
            }
            _ => {
                let difference = self.ball(a)?.sub(&self.ball(b)?, self.prec);
                Ok(match difference.sign() {
                    Some(Ordering::Less) => Position::Less,
                    Some(Ordering::Greater) => Position::Greater,
                    Some(Ordering::Equal) => Position::Same,
                    None => Position::Overlap,
                })
            }
        }
    }

    fn position_of_huge(&mut self, negative: bool, log: &Value, other: &Value) -> Result<Position> {
        let sign = other.sign();
        let own = if negative { Ordering::Less } else { Ordering::Greater };
        if sign == Ok(Ordering::Equal) || sign == Ok(own.reverse()) {
            return Ok(own.into());
        }
        let by_magnitude = if sign.is_ok() {
            let other = self.log_abs(other)?;
            self.position(log, &other)?
        } else if log.sign()?.is_gt() {
            // An enclosure of zero is never as large as this.
            Position::Greater
        } else {
            Position::Overlap
        };
        Ok(match by_magnitude {
            Position::Same => Position::Overlap,
            position if negative => position.reversed(),
            position => position,
        })
    }
}

impl Position {
    pub(super) const fn reversed(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::Greater => Self::Less,
            other => other,
        }
    }
}

impl From<Ordering> for Position {
    fn from(ordering: Ordering) -> Self {
        match ordering {
            Ordering::Less => Self::Less,
            Ordering::Equal => Self::Same,
            Ordering::Greater => Self::Greater,
        }
    }
}

/// The root of a positive rational, if that is rational.
fn exact_root(value: &RBig, degree: usize) -> Option<RBig> {
    let numerator = value.numerator().nth_root(degree);
    let denominator = value.denominator().nth_root(degree);
    let root = RBig::from_parts(numerator, denominator);
    (root.pow(degree.cast_signed()) == *value).then_some(root)
}
