//! Roots and absolute values.
//!
//! Variables are real, and an identity of roots need only hold where both sides are real.

use dashu_int::{IBig, UBig, ops::Abs as _, ops::SquareRoot as _};
use dashu_ratio::RBig;

use super::field::{Field, Kernel, Poly, Step, Stop};
use super::monomial::{Class, Exponent, Id, Monomial};
use super::power::Branch;
use crate::expr::Function;

impl Field<'_> {
    /// `base^q` for a q that is no integer.
    pub(super) fn root_power(&mut self, base: &Poly, q: Exponent, branch: Branch) -> Step<Poly> {
        match base.0.as_slice() {
            [] if q.is_negative() => return Err(Stop::Unknown),
            [] => return Ok(Poly::ZERO),
            _ => {}
        }
        let base = self.settle(base)?;
        match base.0.as_slice() {
            [] => Err(Stop::Unknown),
            [(monomial, coefficient)] => self.root_of_term(monomial, coefficient, q, branch),
            _ => {
                if q.denominator == 2
                    && let Some(root) = self.denest(&base)?
                {
                    return self.whole_power(&root, q.numerator);
                }
                self.root_of_sum(&base, q, branch)
            }
        }
    }

    fn root_of_sum(&mut self, base: &Poly, q: Exponent, branch: Branch) -> Step<Poly> {
        let (common, mut primitive) = self.primitive(base)?;
        let mut common = common;
        let real = base.kernels().all(|(id, _)| self.is_real(id));
        if real
            && q.denominator % 2 != 0
            && primitive.0.first().is_some_and(|(_, c)| c < &RBig::ZERO)
        {
            primitive = primitive.negate();
            common = common.negate();
        }
        let [(monomial, coefficient)] = common.0.as_slice() else { return Err(Stop::Unknown) };
        // Only what is a perfect power leaves the root; the rest goes back under it.
        let (outside, inside) = self.split_powers(monomial, q.denominator)?;
        let real = q.denominator % 2 != 0 && coefficient < &RBig::ZERO;
        if real && branch == Branch::Power && !self.has_variables(base) {
            return Err(Stop::Unknown);
        }
        let mut product = self.root_of_term(&outside, coefficient, q, Branch::Real)?;
        let under = self.multiply(&primitive, &Poly::term(inside, RBig::ONE))?;
        let id = self.intern(Kernel::Sum(under))?;
        let root = self.reduce(Monomial::kernel(id, q), RBig::ONE)?;
        product = self.multiply(&product, &root)?;
        Ok(product)
    }

    /// Splits a product into one whose q-th roots are plain and the rest, for `q` of the
    /// denominator.
    fn split_powers(&self, monomial: &Monomial, denominator: i64) -> Step<(Monomial, Monomial)> {
        let (mut outside, mut inside) = (Monomial::ONE, Monomial::ONE);
        for (id, exponent) in &monomial.0 {
            let real = self.is_real(*id);
            let part = if self.is_positive(*id, *exponent) || (real && denominator % 2 != 0) {
                *exponent
            } else if real {
                Exponent::integer(exponent.floor().div_euclid(denominator) * denominator)
            } else {
                Exponent::ZERO
            };
            let rest = exponent.plus(part.negate()).ok_or(Stop::Unknown)?;
            outside = outside.times(&Monomial::kernel(*id, part)).ok_or(Stop::Unknown)?;
            inside = inside.times(&Monomial::kernel(*id, rest)).ok_or(Stop::Unknown)?;
        }
        Ok((outside, inside))
    }

    fn root_of_term(
        &mut self,
        monomial: &Monomial,
        coefficient: &RBig,
        q: Exponent,
        branch: Branch,
    ) -> Step<Poly> {
        self.spend(2)?;
        let negative = coefficient < &RBig::ZERO;
        let odd = q.denominator % 2 != 0
            && monomial.0.iter().all(|(id, _)| id.class() == Class::Unity || self.is_real(*id));
        let factors = self.factors(&coefficient.clone().abs())?;
        let mut product = self.times_factors(Poly::integer(1), &factors, q)?;
        let mut rest = Monomial::ONE;
        let mut unity = if negative { Exponent::ONE } else { Exponent::ZERO };
        let mut single = monomial.0.len() == 1 && !negative;
        for (id, exponent) in &monomial.0 {
            if id.class() == Class::Unity {
                unity = unity.plus(*exponent).ok_or(Stop::Unknown)?;
                single = false;
            } else if self.is_positive(*id, *exponent) || odd {
                let power = exponent.times(q).ok_or(Stop::Unknown)?;
                let factor = self.reduce(Monomial::kernel(*id, power), RBig::ONE)?;
                product = self.multiply(&product, &factor)?;
            } else {
                rest = rest.times(&Monomial::kernel(*id, *exponent)).ok_or(Stop::Unknown)?;
            }
        }
        if odd && unity == Exponent::ONE {
            if monomial.is_one() && branch == Branch::Power {
                return Err(Stop::Unknown);
            }
            if q.numerator % 2 != 0 {
                product = product.negate();
            }
            unity = Exponent::ZERO;
        }
        let numeric = rest.is_one();
        if numeric && !unity.is_zero() {
            // The argument of (-1)^u lies in (-π, π].
            let whole = if unity > Exponent::ONE { -2 } else { 0 };
            let unity = unity.plus(Exponent::integer(whole)).ok_or(Stop::Unknown)?;
            let id = self.intern(Kernel::Unity)?;
            let power = unity.times(q).ok_or(Stop::Unknown)?;
            let factor = self.reduce(Monomial::kernel(id, power), RBig::ONE)?;
            return self.multiply(&product, &factor);
        }
        if numeric {
            return Ok(product);
        }
        let root = self.even_root(&rest, unity, q, single)?;
        self.multiply(&product, &root)
    }

    /// A root of even index of a product of kernels of unknown sign.
    fn even_root(
        &mut self,
        monomial: &Monomial,
        unity: Exponent,
        q: Exponent,
        single: bool,
    ) -> Step<Poly> {
        let mut product = Poly::integer(1);
        let mut inside = Monomial::ONE;
        for (id, exponent) in &monomial.0 {
            let real = self.is_real(*id);
            // On the real domain x^3 >= 0 implies x >= 0, so x^(3/2) is a power of x; a negative
            // exponent stands for a divisor, whose root divides.
            let plain = *exponent == Exponent::ONE && !self.is_complex_power(*id);
            if single && (plain || (real && exponent.numerator % 2 != 0)) {
                let power = exponent.times(q).ok_or(Stop::Unknown)?;
                return self.reduce(Monomial::kernel(*id, power), RBig::ONE);
            }
            let pairs = match exponent {
                _ if !real => Exponent::ZERO,
                e if e.is_integer() => Exponent::integer(e.numerator.div_euclid(2) * 2),
                // A power like x^(2/3) is not negative where x is.
                e if e.numerator % 2 == 0 => *e,
                _ => Exponent::ZERO,
            };
            if !pairs.is_zero() {
                let power = pairs.times(q).ok_or(Stop::Unknown)?;
                let factor = self.absolute_power(*id, power)?;
                product = self.multiply(&product, &factor)?;
            }
            let rest = exponent.plus(pairs.negate()).ok_or(Stop::Unknown)?;
            inside = inside.times(&Monomial::kernel(*id, rest)).ok_or(Stop::Unknown)?;
        }
        if inside.is_one() && unity.is_zero() {
            return Ok(product);
        }
        let mut under = Poly::term(inside, RBig::ONE);
        if !unity.is_zero() {
            let id = self.intern(Kernel::Unity)?;
            let factor = self.reduce(Monomial::kernel(id, unity), RBig::ONE)?;
            under = self.multiply(&under, &factor)?;
        }
        let root = match under.0.as_slice() {
            [(monomial, coefficient)] if coefficient.is_one() && self.has_plain_root(monomial) => {
                monomial.power(q).ok_or(Stop::Unknown)?
            }
            _ => Monomial::kernel(self.intern(Kernel::Sum(under))?, q),
        };
        let root = self.reduce(root, RBig::ONE)?;
        self.multiply(&product, &root)
    }

    /// Whether the kernel is `e^(i x)` or the like, whose root need not be `e^(i x/2)`.
    pub(super) fn is_complex_power(&self, id: Id) -> bool {
        matches!(self.kernel(id), Some(Kernel::Power(..))) && !self.is_real(id)
    }

    /// Whether a root of the product is the product of roots.
    fn has_plain_root(&self, monomial: &Monomial) -> bool {
        match monomial.0.as_slice() {
            [(id, exponent)] => {
                !self.is_complex_power(*id)
                    && exponent.numerator.abs() <= exponent.denominator
                    && exponent.numerator % 2 != 0
            }
            _ => false,
        }
    }

    /// `|k|^power`
    fn absolute_power(&mut self, id: Id, power: Exponent) -> Step<Poly> {
        let positive = self.is_positive(id, Exponent::ONE);
        if positive || (power.is_integer() && power.numerator % 2 == 0) {
            return self.reduce(Monomial::kernel(id, power), RBig::ONE);
        }
        let base = match self.kernel(id) {
            Some(Kernel::Sum(base)) => base.clone(),
            _ => Poly::kernel(id),
        };
        let square = self.square(&base)?;
        let square = self.intern(Kernel::Sum(square))?;
        let power = power.times(Exponent::HALF).ok_or(Stop::Unknown)?;
        self.reduce(Monomial::kernel(square, power), RBig::ONE)
    }

    pub(super) fn absolute(&mut self, value: &Poly) -> Step<Poly> {
        let value = self.settle(value)?;
        if let Some(number) = value.value() {
            return Ok(Poly::constant(number.abs()));
        }
        if let Some(sign) = self.sign(&value)? {
            return Ok(if sign < 0 { value.negate() } else { value });
        }
        if value.kernels().any(|(id, _)| !self.is_real(id)) {
            return self.modulus(&value);
        }
        let (common, primitive) =
            if value.0.len() == 1 { (value, Poly::integer(1)) } else { self.primitive(&value)? };
        let mut product = if primitive.value().is_some() {
            Poly::integer(1)
        } else {
            let square = self.square(&primitive)?;
            let square = self.intern(Kernel::Sum(square))?;
            Poly::term(Monomial::kernel(square, Exponent::HALF), RBig::ONE)
        };
        for (monomial, coefficient) in &common.0 {
            product = self.scale(product, &coefficient.clone().abs())?;
            for (id, exponent) in &monomial.0 {
                let factor = if self.is_positive(*id, *exponent) {
                    Poly::term(Monomial::kernel(*id, *exponent), RBig::ONE)
                } else {
                    self.absolute_power(*id, *exponent)?
                };
                product = self.multiply(&product, &factor)?;
            }
        }
        Ok(product)
    }

    /// `|z|` as `sqrt(z conj(z))`
    fn modulus(&mut self, value: &Poly) -> Step<Poly> {
        let Some(conjugate) = self.conjugate(value)? else {
            return self.call(Function::Abs, vec![value.clone()]);
        };
        let square = self.multiply(value, &conjugate)?;
        let square = self.settle(&square)?;
        self.root_power(&square, Exponent::HALF, Branch::Real)
    }

    /// The complex conjugate, if all kernels but i are real.
    pub(super) fn conjugate(&mut self, value: &Poly) -> Step<Option<Poly>> {
        let mut sum = Poly::ZERO;
        for (monomial, coefficient) in &value.0 {
            let mut conjugate = Vec::with_capacity(monomial.0.len());
            for (id, exponent) in &monomial.0 {
                if id.class() == Class::Unity || self.is_phase(*id) {
                    conjugate.push((*id, exponent.negate()));
                } else if self.is_real(*id) {
                    conjugate.push((*id, *exponent));
                } else {
                    return Ok(None);
                }
            }
            let term = self.reduce(Monomial(conjugate), coefficient.clone())?;
            sum = self.add(sum, term)?;
        }
        Ok(Some(sum))
    }

    /// `sqrt(a + b s)` with a square root s (or i), where it is a sum of simple roots.
    fn denest(&mut self, base: &Poly) -> Step<Option<Poly>> {
        let [(first, b), (last, a)] = base.0.as_slice() else { return Ok(None) };
        let numeric = |m: &Monomial| {
            m.0.iter().all(|(id, e)| {
                matches!(id.class(), Class::Prime | Class::Unity) && *e == Exponent::HALF
            })
        };
        // The two terms may both carry a root: sqrt(2 sqrt 3 + ..) needs one rational term.
        let (root, b, a) = if last.is_one() {
            (first, b, a)
        } else if first.is_one() {
            (last, a, b)
        } else {
            return Ok(None);
        };
        if !numeric(root) {
            return Ok(None);
        }
        let root = Poly::term(root.clone(), b.clone());
        let Some(square) = self.square(&root)?.value() else { return Ok(None) };
        self.spend(4)?;
        let Some(norm) = exact_sqrt(&(a * a - &square)) else { return Ok(None) };
        let half = RBig::from_parts(IBig::ONE, UBig::from(2u8));
        let (plus, minus) = ((a + &norm) * &half, (a - &norm) * &half);
        if square > RBig::ZERO && minus < RBig::ZERO {
            return Ok(None);
        }
        let left = self.root_power_of(&plus)?;
        let right = self.root_power_of(&minus)?;
        let sum =
            if b < &RBig::ZERO { self.subtract(left, right)? } else { self.add(left, right)? };
        // The check proves the identity up to sign; the larger root comes first, so the sign fits.
        let check = self.square(&sum)?;
        Ok((check == *base).then_some(sum))
    }

    fn root_power_of(&mut self, value: &RBig) -> Step<Poly> {
        if value.is_zero() {
            return Ok(Poly::ZERO);
        }
        self.root_of_term(&Monomial::ONE, value, Exponent::HALF, Branch::Real)
    }
}

/// The rational square root, if there is one.
fn exact_sqrt(value: &RBig) -> Option<RBig> {
    if value < &RBig::ZERO {
        return None;
    }
    let numerator = value.numerator().clone().into_parts().1;
    let (n, d) = (numerator.sqrt(), value.denominator().sqrt());
    let exact = &n * &n == numerator && &d * &d == *value.denominator();
    exact.then(|| RBig::from_parts(n.into(), d))
}
