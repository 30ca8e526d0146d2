//! Quotients and powers, and the forms they are brought into.

use dashu_int::{UBig, ops::Abs as _, ops::BitTest as _, ops::SquareRoot as _};
use dashu_ratio::RBig;

use super::field::{
    Certainty, Field, Kernel, Poly, Step, Stop, affordable, expansion_price, power_price,
};
use super::monomial::{Class, Exponent, Id, Monomial, gcd};
use crate::expr::Function;

/// Which root of a negative number is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branch {
    /// The real root, if there is one.
    Real,
    /// As a power is written: undecided where the real and the principal root differ.
    Power,
}

impl Field<'_> {
    pub(super) fn quotient(&mut self, a: &Poly, b: &Poly) -> Step<Poly> {
        let inverse = match b.0.as_slice() {
            [] => return Err(Stop::Unknown),
            [(monomial, coefficient)] => {
                let monomial = monomial.power(Exponent::integer(-1)).ok_or(Stop::Unknown)?;
                self.reduce(monomial, RBig::ONE / coefficient)?
            }
            _ if a.is_zero() => return Ok(Poly::ZERO),
            _ => return self.quotient_by_sum(a, b),
        };
        self.multiply(a, &inverse)
    }

    fn quotient_by_sum(&mut self, a: &Poly, b: &Poly) -> Step<Poly> {
        if let Some((a, b)) = self.rationalise(a, b)? {
            return self.quotient(&a, &b);
        }
        if a.0.len() >= b.0.len()
            && let Some(quotient) = self.divide_exactly(a, b)?
        {
            return Ok(quotient);
        }
        let inverse = self.sum_power(b, -1)?;
        self.multiply(a, &inverse)
    }

    /// Removes one square root or i from a denominator of numbers.
    fn rationalise(&mut self, a: &Poly, b: &Poly) -> Step<Option<(Poly, Poly)>> {
        let mut found = None;
        for (id, exponent) in b.kernels() {
            if !matches!(id.class(), Class::Prime | Class::Unity) || exponent != Exponent::HALF {
                return Ok(None);
            }
            found = Some(id);
        }
        let Some(id) = found else { return Ok(None) };
        let mut conjugate = b.clone();
        for (monomial, coefficient) in &mut conjugate.0 {
            if !monomial.exponent(id).is_zero() {
                *coefficient = -std::mem::take(coefficient);
            }
        }
        Ok(Some((self.multiply(a, &conjugate)?, self.multiply(b, &conjugate)?)))
    }

    /// `base^exponent`.
    pub(super) fn power(&mut self, base: &Poly, exponent: &Poly, branch: Branch) -> Step<Poly> {
        if let Some(value) = exponent.value() {
            if value.is_int() {
                if let Ok(whole) = i64::try_from(value.numerator()) {
                    return self.whole_power(base, whole);
                }
            } else if let Some(exponent) = Exponent::from_rational(&value) {
                return self.root_power(base, exponent, branch);
            }
            return match base.value() {
                Some(value) if value.is_one() => Ok(Poly::integer(1)),
                Some(value) if value.is_zero() => Err(Stop::Unknown),
                _ => self.call(Function::Exp, vec![base.clone(), exponent.clone()]),
            };
        }
        if base.is_zero() {
            return Err(Stop::Unknown);
        }
        let (base, exponent) = (self.settle(base)?, self.settle(exponent)?);
        if exponent.kernels().any(|(id, _)| matches!(self.kernel(id), Some(Kernel::Ln(_)))) {
            let log = self.logarithm(&base)?;
            let exponent = self.multiply(&log, &exponent)?;
            return self.exponential(&exponent);
        }
        let (positive, rest) = self.split_base(&base)?;
        let mut product = Poly::integer(1);
        for (id, power) in positive {
            for (monomial, coefficient) in &exponent.0 {
                let scale = Exponent::from_rational(coefficient)
                    .and_then(|scale| scale.times(power))
                    .ok_or(Stop::Unknown)?;
                let factor = self.kernel_power(id, monomial, scale)?;
                product = self.multiply(&product, &factor)?;
            }
        }
        if let Some(id) = rest {
            for (monomial, coefficient) in &exponent.0 {
                let scale = Exponent::from_rational(coefficient).ok_or(Stop::Unknown)?;
                let factor = self.kernel_power(id, monomial, scale)?;
                product = self.multiply(&product, &factor)?;
            }
        }
        Ok(product)
    }

    /// The positive kernels of a product with their exponents, and the rest as one kernel.
    #[expect(clippy::type_complexity, reason = "two parts of one product")]
    fn split_base(&mut self, base: &Poly) -> Step<(Vec<(Id, Exponent)>, Option<Id>)> {
        let [(monomial, coefficient)] = base.0.as_slice() else {
            let content = self.content(base)?;
            let primitive = self.scale(base.clone(), &(RBig::ONE / &content))?;
            let factors = self.factors(&content)?;
            return Ok((factors, Some(self.intern(Kernel::Sum(primitive))?)));
        };
        let mut positive = self.factors(&coefficient.clone().abs())?;
        let mut rest = Vec::new();
        for (id, exponent) in &monomial.0 {
            if self.is_positive(*id, *exponent) {
                positive.push((*id, *exponent));
            } else {
                rest.push((*id, *exponent));
            }
        }
        let negative = coefficient < &RBig::ZERO;
        if let ([(id, exponent)], false) = (rest.as_slice(), negative) {
            // The argument of (-1)^q lies in (-π, π].
            if id.class() == Class::Unity {
                positive.push((*id, *exponent));
                rest.clear();
            }
        }
        let rest = match rest.as_slice() {
            [] if negative => Some(self.intern(Kernel::Unity)?),
            [] => None,
            [(id, exponent)] if !negative && *exponent == Exponent::ONE => Some(*id),
            _ => {
                let sign = if negative { RBig::NEG_ONE } else { RBig::ONE };
                Some(self.intern(Kernel::Sum(Poly::term(Monomial(rest), sign)))?)
            }
        };
        Ok((positive, rest))
    }

    /// `id^(scale monomial)`
    pub(super) fn kernel_power(
        &mut self,
        id: Id,
        monomial: &Monomial,
        scale: Exponent,
    ) -> Step<Poly> {
        self.spend(1)?;
        if matches!(self.kernel(id), Some(Kernel::E)) {
            return self.exponential_term(monomial, scale);
        }
        if let Some(Kernel::Power(base, own)) = self.kernel(id)
            && !monomial.is_one()
            && self.is_positive(id, Exponent::ONE)
        {
            let (base, product) = (*base, own.times(monomial).ok_or(Stop::Unknown)?);
            return self.kernel_power(base, &product, scale);
        }
        if id.class() == Class::Unity
            && let Some(rest) = monomial.imaginary_part()
        {
            // (-1)^(i t) is e^(-π t).
            let pi = self.intern(Kernel::Pi)?;
            let rest = rest.times(&Monomial::kernel(pi, Exponent::ONE)).ok_or(Stop::Unknown)?;
            return self.exponential_term(&rest, scale.negate());
        }
        let factor = if monomial.is_one() {
            Monomial::kernel(id, scale)
        } else {
            Monomial::kernel(self.intern(Kernel::Power(id, monomial.clone()))?, scale)
        };
        self.reduce(factor, RBig::ONE)
    }

    /// `base^n`
    pub(super) fn whole_power(&mut self, base: &Poly, n: i64) -> Step<Poly> {
        let exponent = Exponent::whole(n).ok_or(Stop::Unknown)?;
        match (base.0.as_slice(), n) {
            ([], 1..) => Ok(Poly::ZERO),
            ([], _) => Err(Stop::Unknown),
            (_, 0) => Ok(Poly::integer(1)),
            (_, 1) => Ok(base.clone()),
            ([(monomial, coefficient)], _) => {
                let monomial = monomial.power(exponent).ok_or(Stop::Unknown)?;
                if let Some(power) = self.rational_power(coefficient, n)? {
                    return self.reduce(monomial, power);
                }
                let mut factors = self.factors(&coefficient.clone().abs())?;
                if coefficient < &RBig::ZERO {
                    factors.push((self.intern(Kernel::Unity)?, Exponent::ONE));
                }
                let product = self.reduce(monomial, RBig::ONE)?;
                self.times_factors(product, &factors, exponent)
            }
            (_, 2..) if expansion_price(base, n).is_some() => self.expand(base, n.unsigned_abs()),
            (_, 1..) => self.sum_power(base, n),
            _ if expansion_price(base, n.saturating_neg()).is_some() => {
                let power = self.expand(base, n.unsigned_abs())?;
                self.quotient(&Poly::integer(1), &power)
            }
            _ => self.sum_power(base, n),
        }
    }

    fn rational_power(&mut self, value: &RBig, n: i64) -> Step<Option<RBig>> {
        let negative = value < &RBig::ZERO;
        if value.numerator().bit_len() <= 1 && value.is_int() {
            return Ok(Some(if negative && n % 2 != 0 { RBig::NEG_ONE } else { RBig::ONE }));
        }
        let bits = value.numerator().bit_len().max(value.denominator().bit_len());
        let (Some(count), Ok(n)) = (affordable(bits, n), isize::try_from(n)) else {
            return Ok(None);
        };
        self.spend(power_price(bits * count))?;
        Ok(Some(value.pow(n)))
    }

    /// `product * factors^exponent`
    pub(super) fn times_factors(
        &mut self,
        product: Poly,
        factors: &[(Id, Exponent)],
        exponent: Exponent,
    ) -> Step<Poly> {
        let mut product = product;
        for (id, power) in factors {
            let power = power.times(exponent).ok_or(Stop::Unknown)?;
            let factor = self.reduce(Monomial::kernel(*id, power), RBig::ONE)?;
            product = self.multiply(&product, &factor)?;
        }
        Ok(product)
    }

    /// `base^n` of a sum as a kernel; the common factors stay outside.
    fn sum_power(&mut self, base: &Poly, n: i64) -> Step<Poly> {
        let (common, mut primitive) = self.primitive(base)?;
        let common = match primitive.0.first() {
            Some((_, lead)) if lead < &RBig::ZERO => {
                primitive = primitive.negate();
                common.negate()
            }
            _ => common,
        };
        let id = self.intern(Kernel::Sum(primitive))?;
        let power = self.reduce(Monomial::kernel(id, Exponent::integer(n)), RBig::ONE)?;
        let common = self.whole_power(&common, n)?;
        self.multiply(&common, &power)
    }

    /// The greatest positive number and product of kernels that divide all terms, and the rest.
    pub(super) fn primitive(&mut self, poly: &Poly) -> Step<(Poly, Poly)> {
        self.spend(2 * poly.0.len() as u64)?;
        let mut common = Monomial::ONE;
        let mut seen: Vec<Id> = Vec::new();
        for (id, _) in poly.kernels() {
            if seen.contains(&id) || id.class() == Class::Unity {
                continue;
            }
            self.spend(poly.0.len() as u64)?;
            seen.push(id);
            let factor = Monomial::kernel(id, poly.lowest(id));
            common = common.times(&factor).ok_or(Stop::Unknown)?;
        }
        let content = self.content(poly)?;
        let inverse = common.power(Exponent::integer(-1)).ok_or(Stop::Unknown)?;
        let inverse = Poly::term(inverse, RBig::ONE / &content);
        let rest = self.multiply(poly, &inverse)?;
        Ok((Poly::term(common, content), rest))
    }

    /// The prime factors of a positive rational number.
    pub(super) fn factors(&mut self, value: &RBig) -> Step<Vec<(Id, Exponent)>> {
        let mut factors = Vec::new();
        if value.is_one() {
            return Ok(factors);
        }
        let (numerator, denominator) = value.clone().into_parts();
        self.factor_integer(numerator.into_parts().1, 1, &mut factors)?;
        self.factor_integer(denominator, -1, &mut factors)?;
        Ok(factors)
    }

    fn factor_integer(
        &mut self,
        mut rest: UBig,
        sign: i64,
        factors: &mut Vec<(Id, Exponent)>,
    ) -> Step<()> {
        const LIMIT: u32 = 4_000;
        let price = 1 + rest.bit_len() as u64 / 64;
        let mut divisor = 2u32;
        let mut certainty = Certainty::Unfactored;
        while !rest.is_one() {
            if divisor > LIMIT {
                break;
            }
            if UBig::from(divisor) * divisor > rest {
                certainty = Certainty::Prime;
                break;
            }
            if divisor % 16 == 3 {
                self.spend(price)?;
            }
            if (&rest % divisor) == 0 {
                self.spend(price * price)?;
                let count = rest.remove(&UBig::from(divisor)).unwrap_or(0);
                let count = i64::try_from(count).map_err(|_| Stop::Unknown)?;
                factors.push((self.prime(divisor)?, Exponent::integer(sign * count)));
            }
            divisor += if divisor == 2 { 1 } else { 2 };
        }
        if rest.is_one() {
            return Ok(());
        }
        let mut exponent = sign;
        if certainty == Certainty::Unfactored {
            self.spend(price * price)?;
            let root = rest.sqrt();
            if &root * &root == rest {
                rest = root;
                exponent = 2 * sign;
                if rest < UBig::from(LIMIT) * LIMIT {
                    certainty = Certainty::Prime;
                }
            }
        }
        let id = self.intern(Kernel::Prime(rest, certainty))?;
        factors.push((id, Exponent::integer(exponent)));
        Ok(())
    }

    /// Multiplies by the negative powers of sums, and by powers of numbers too large to compute,
    /// and returns the product with its factor.
    pub(super) fn clear(&mut self, poly: &Poly) -> Step<(Poly, Monomial)> {
        self.spend(poly.0.len() as u64)?;
        let mut factor = Monomial::ONE;
        for (id, exponent) in poly.kernels() {
            let large = match id.class() {
                Class::Sum => exponent.is_negative() || exponent > Exponent::integer(1),
                Class::Prime => exponent.floor() != 0,
                Class::Plain | Class::Unity => false,
            };
            if large && factor.exponent(id).is_zero() {
                self.spend(1 + poly.0.len() as u64)?;
                let lowest = Exponent::integer(poly.lowest(id).floor());
                let power = Monomial::kernel(id, lowest.negate());
                factor = factor.times(&power).ok_or(Stop::Unknown)?;
            }
        }
        if factor.is_one() {
            return Ok((poly.clone(), factor));
        }
        let product = self.multiply(poly, &Poly::term(factor.clone(), RBig::ONE))?;
        Ok((product, factor))
    }

    /// A form in which equal quotients are more often the same.
    pub(super) fn settle(&mut self, poly: &Poly) -> Step<Poly> {
        let negative = poly.0.len() > 1
            && poly.kernels().any(|(id, e)| id.class() == Class::Sum && e.is_negative());
        if !negative {
            return Ok(poly.clone());
        }
        let (mut numerator, factor) = self.clear(poly)?;
        let mut rest = Monomial::ONE;
        for (id, exponent) in factor.0 {
            let mut left = exponent;
            if let Some(Kernel::Sum(base)) = self.kernel(id).cloned() {
                while left >= Exponent::ONE && !numerator.is_zero() {
                    let Some(quotient) = self.divide_exactly(&numerator, &base)? else { break };
                    numerator = quotient;
                    left = left.plus(Exponent::integer(-1)).ok_or(Stop::Unknown)?;
                }
            }
            rest = rest.times(&Monomial::kernel(id, left.negate())).ok_or(Stop::Unknown)?;
        }
        self.multiply(&numerator, &Poly::term(rest, RBig::ONE))
    }
}

/// The least common multiple, if it is small.
pub(super) fn small_lcm(a: i64, b: i64, limit: i64) -> Option<i64> {
    let divisor = gcd(a.unsigned_abs().into(), b.unsigned_abs().into());
    let product = i128::from(a) / i128::try_from(divisor).ok()? * i128::from(b);
    i64::try_from(product).ok().filter(|lcm| *lcm <= limit)
}
