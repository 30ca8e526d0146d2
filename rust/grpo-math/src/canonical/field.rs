//! The arena of kernels, and arithmetic on sums of terms.

use dashu_int::{IBig, UBig, ops::BitTest as _, ops::Gcd as _};
use dashu_ratio::RBig;

use super::monomial::{Class, Exponent, Id, Monomial};
use super::traits::Traits;
use crate::budget::{Budget, Spent};
use crate::expr::{Big, Function, Symbol};

/// Why no canonical form was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Spent,
    /// Not a scalar, undefined, or beyond what is decided here.
    Unknown,
}

impl From<Spent> for Stop {
    fn from(_: Spent) -> Self {
        Self::Spent
    }
}

pub(super) type Step<T> = Result<T, Stop>;

/// Numbers of more bits than this are not computed; their powers stay kernels.
pub(super) const MAX_BITS: usize = 32_000;

/// The most work that the expansion of one power may cost.
const MAX_EXPANSION: u64 = 4_000;

/// What is atomic for the arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kernel {
    Symbol(Symbol),
    Pi,
    E,
    /// The base of `(-1)^q = e^{iπq}`, so that i is its square root.
    Unity,
    /// A prime, or a number without small divisors whose factors were not sought.
    Prime(UBig, Certainty),
    /// A sum in the denominator, under a root, or with a large exponent. The absolute value of `p`
    /// is the square root of the kernel `p^2`.
    Sum(Poly),
    /// A kernel to the power of a product that is no number; its exponent in a term is a rational
    /// factor of it, so that `e^{2x+1}` is `(e^x)^2 e`.
    Power(Id, Monomial),
    /// A positive argument where it is a number.
    Ln(Poly),
    Call(Function, Vec<Poly>),
    Big(Box<Big>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    Prime,
    Unfactored,
}

/// A sum of terms in falling order, without zero coefficients.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Poly(pub(super) Vec<(Monomial, RBig)>);

impl Poly {
    pub(super) const ZERO: Self = Self(Vec::new());

    pub(super) fn constant(value: RBig) -> Self {
        Self::term(Monomial::ONE, value)
    }

    pub(super) fn integer(value: i64) -> Self {
        Self::constant(RBig::from(value))
    }

    pub(super) fn term(monomial: Monomial, coefficient: RBig) -> Self {
        if coefficient.is_zero() { Self::ZERO } else { Self(vec![(monomial, coefficient)]) }
    }

    pub(super) fn kernel(id: Id) -> Self {
        Self::term(Monomial::kernel(id, Exponent::ONE), RBig::ONE)
    }

    pub(super) const fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// The value, if it is a rational number.
    pub(super) fn value(&self) -> Option<RBig> {
        match self.0.as_slice() {
            [] => Some(RBig::ZERO),
            [(monomial, coefficient)] if monomial.is_one() => Some(coefficient.clone()),
            _ => None,
        }
    }

    pub(super) fn whole(&self) -> Option<i64> {
        i64::try_from(self.value()?).ok()
    }

    pub(super) fn kernels(&self) -> impl Iterator<Item = (Id, Exponent)> {
        self.0.iter().flat_map(|(monomial, _)| monomial.0.iter().copied())
    }

    pub(super) fn negate(mut self) -> Self {
        for (_, coefficient) in &mut self.0 {
            *coefficient = -std::mem::take(coefficient);
        }
        self
    }

    /// The least exponent of the kernel in any term.
    pub(super) fn lowest(&self, id: Id) -> Exponent {
        self.0.iter().map(|(monomial, _)| monomial.exponent(id)).min().unwrap_or(Exponent::ZERO)
    }

    /// Sorts, adds like terms and drops what cancels.
    fn collect(mut terms: Vec<(Monomial, RBig)>) -> Self {
        if terms.len() > 1 {
            terms.sort_by(|a, b| b.0.cmp(&a.0));
            terms.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += std::mem::take(&mut next.1);
                }
                same
            });
        }
        terms.retain(|(_, coefficient)| !coefficient.is_zero());
        Self(terms)
    }
}

/// One comparison: its kernels and its budget.
pub(super) struct Field<'b> {
    kernels: Vec<(Kernel, Traits)>,
    pub(super) budget: &'b mut Budget,
}

impl<'b> Field<'b> {
    pub(super) const fn new(budget: &'b mut Budget) -> Self {
        Self { kernels: Vec::new(), budget }
    }

    pub(super) fn spend(&mut self, work: u64) -> Step<()> {
        Ok(self.budget.spend(work)?)
    }

    pub(super) fn kernel(&self, id: Id) -> Option<&Kernel> {
        self.kernels.get(id.index()).map(|(kernel, _)| kernel)
    }

    pub(super) fn traits(&self, id: Id) -> Traits {
        self.kernels.get(id.index()).map_or(Traits::default(), |(_, traits)| *traits)
    }

    pub(super) fn intern(&mut self, kernel: Kernel) -> Step<Id> {
        let size = match &kernel {
            Kernel::Sum(poly) | Kernel::Ln(poly) => poly.0.len(),
            Kernel::Call(_, arguments) => arguments.iter().map(|poly| poly.0.len()).sum(),
            _ => 0,
        };
        self.spend(1 + size as u64 + self.kernels.len() as u64 / 4)?;
        let index = self.kernels.iter().position(|(known, _)| *known == kernel);
        let class = match kernel {
            Kernel::Prime(..) => Class::Prime,
            Kernel::Unity => Class::Unity,
            Kernel::Sum(_) => Class::Sum,
            _ => Class::Plain,
        };
        let index = index.unwrap_or_else(|| {
            let traits = self.find_traits(&kernel);
            self.kernels.push((kernel, traits));
            self.kernels.len() - 1
        });
        Id::new(class, index).ok_or(Stop::Unknown)
    }

    pub(super) fn atom(&mut self, kernel: Kernel) -> Step<Poly> {
        Ok(Poly::kernel(self.intern(kernel)?))
    }

    pub(super) fn call(&mut self, function: Function, arguments: Vec<Poly>) -> Step<Poly> {
        self.atom(Kernel::Call(function, arguments))
    }

    pub(super) fn prime(&mut self, prime: u32) -> Step<Id> {
        self.intern(Kernel::Prime(UBig::from(prime), Certainty::Prime))
    }

    /// `prime^exponent`, canonical for an exponent between 0 and 1.
    pub(super) fn radical(&mut self, prime: u32, exponent: Exponent) -> Step<Poly> {
        Ok(Poly::term(Monomial::kernel(self.prime(prime)?, exponent), RBig::ONE))
    }

    /// The imaginary unit.
    pub(super) fn imaginary(&mut self) -> Step<Poly> {
        let unity = self.intern(Kernel::Unity)?;
        Ok(Poly::term(Monomial::kernel(unity, Exponent::HALF), RBig::ONE))
    }

    pub(super) fn pi(&mut self) -> Step<Poly> {
        self.atom(Kernel::Pi)
    }

    pub(super) fn add(&mut self, mut a: Poly, b: Poly) -> Step<Poly> {
        if b.is_zero() {
            return Ok(a);
        }
        if a.is_zero() {
            return Ok(b);
        }
        self.spend(
            1 + (a.0.len() + b.0.len()) as u64 + coefficient_words(&a) + coefficient_words(&b),
        )?;
        a.0.extend(b.0);
        Ok(Poly::collect(a.0))
    }

    pub(super) fn subtract(&mut self, a: Poly, b: Poly) -> Step<Poly> {
        self.add(a, b.negate())
    }

    pub(super) fn scale(&mut self, mut a: Poly, factor: &RBig) -> Step<Poly> {
        if factor.is_zero() {
            return Ok(Poly::ZERO);
        }
        if !factor.is_one() {
            for (_, coefficient) in &mut a.0 {
                self.budget.spend(product_price(coefficient, factor))?;
                *coefficient *= factor;
            }
        }
        Ok(a)
    }

    pub(super) fn multiply(&mut self, a: &Poly, b: &Poly) -> Step<Poly> {
        if let Some(value) = b.value() {
            return self.scale(a.clone(), &value);
        }
        if let Some(value) = a.value() {
            return self.scale(b.clone(), &value);
        }
        self.spend(3 * (a.0.len() as u64).saturating_mul(b.0.len() as u64))?;
        let mut terms = Vec::with_capacity(a.0.len().saturating_mul(b.0.len()).min(4096));
        for (left, c) in &a.0 {
            for (right, d) in &b.0 {
                self.budget.spend(product_price(c, d))?;
                let monomial = left.times(right).ok_or(Stop::Unknown)?;
                self.push_term(&mut terms, monomial, c * d)?;
            }
        }
        Ok(Poly::collect(terms))
    }

    pub(super) fn square(&mut self, a: &Poly) -> Step<Poly> {
        self.multiply(a, a)
    }

    /// The canonical form of one term whose exponents need not be reduced.
    pub(super) fn reduce(&mut self, monomial: Monomial, coefficient: RBig) -> Step<Poly> {
        let mut terms = Vec::with_capacity(1);
        self.push_term(&mut terms, monomial, coefficient)?;
        Ok(Poly::collect(terms))
    }

    fn push_term(
        &mut self,
        terms: &mut Vec<(Monomial, RBig)>,
        monomial: Monomial,
        coefficient: RBig,
    ) -> Step<()> {
        if monomial.0.iter().all(|(id, exponent)| is_reduced(*id, *exponent)) {
            terms.push((monomial, coefficient));
            return Ok(());
        }
        terms.extend(self.reduce_factors(monomial, coefficient)?.0);
        Ok(())
    }

    fn reduce_factors(&mut self, monomial: Monomial, mut coefficient: RBig) -> Step<Poly> {
        self.spend(2)?;
        let mut kept = Vec::with_capacity(monomial.0.len());
        let mut sums = Vec::new();
        for (id, exponent) in monomial.0 {
            let rest = match id.class() {
                Class::Plain => exponent,
                Class::Prime => self.split_prime(id, exponent, &mut coefficient)?,
                Class::Unity => self.split_unity(exponent, &mut coefficient, &mut sums)?,
                Class::Sum => self.split_sum(id, exponent, &mut sums)?,
            };
            if !rest.is_zero() {
                kept.push((id, rest));
            }
        }
        let mut product = Poly::term(Monomial(kept), coefficient);
        for sum in sums {
            product = self.multiply(&product, &sum)?;
        }
        Ok(product)
    }

    /// Moves the whole part of a prime's exponent into the coefficient, unless that is too large.
    fn split_prime(&mut self, id: Id, exponent: Exponent, into: &mut RBig) -> Step<Exponent> {
        let whole = exponent.floor();
        let Some((Kernel::Prime(prime, _), _)) = self.kernels.get(id.index()) else {
            return Err(Stop::Unknown);
        };
        let Some(count) = affordable(prime.bit_len(), whole) else { return Ok(exponent) };
        self.budget.spend(power_price(prime.bit_len() * count))?;
        let power = RBig::from(prime.pow(count));
        self.budget.spend(product_price(into, &power))?;
        *into = if whole < 0 { &*into / power } else { &*into * power };
        exponent.plus(Exponent::integer(-whole)).ok_or(Stop::Unknown)
    }

    /// Reduces `(-1)^q`; the twelfth roots are written with square roots.
    fn split_unity(
        &mut self,
        exponent: Exponent,
        sign: &mut RBig,
        sums: &mut Vec<Poly>,
    ) -> Step<Exponent> {
        let whole = exponent.floor();
        if whole.rem_euclid(2) == 1 {
            *sign = -std::mem::take(sign);
        }
        let rest =
            Exponent { numerator: exponent.numerator - whole * exponent.denominator, ..exponent };
        if rest == Exponent::HALF || 12 % rest.denominator != 0 {
            return Ok(rest);
        }
        let twelfths = rest.numerator * (12 / rest.denominator);
        if twelfths != 0 {
            let cosine = self.cosine_of_twelfths(twelfths)?;
            let sine = self.cosine_of_twelfths(6 - twelfths)?;
            let i = self.imaginary()?;
            let sine = self.multiply(&sine, &i)?;
            sums.push(self.add(cosine, sine)?);
        }
        Ok(Exponent::ZERO)
    }

    /// `cos(kπ/12)` for k from -12 to 12.
    fn cosine_of_twelfths(&mut self, k: i64) -> Step<Poly> {
        let k = k.abs();
        if k > 6 {
            return Ok(self.cosine_of_twelfths(12 - k)?.negate());
        }
        let root2 = self.radical(2, Exponent::HALF)?;
        let root3 = self.radical(3, Exponent::HALF)?;
        let quarter = RBig::from_parts(IBig::ONE, UBig::from(4u8));
        let half = RBig::from_parts(IBig::ONE, UBig::from(2u8));
        match k {
            0 => Ok(Poly::integer(1)),
            2 => self.scale(root3, &half),
            3 => self.scale(root2, &half),
            4 => Ok(Poly::constant(half)),
            6 => Ok(Poly::ZERO),
            _ => {
                let root6 = self.multiply(&root2, &root3)?;
                let root2 = if k == 1 { root2 } else { root2.negate() };
                let sum = self.add(root6, root2)?;
                self.scale(sum, &quarter)
            }
        }
    }

    fn split_sum(&mut self, id: Id, exponent: Exponent, sums: &mut Vec<Poly>) -> Step<Exponent> {
        let whole = exponent.floor();
        let Some((Kernel::Sum(base), _)) = self.kernels.get(id.index()) else {
            return Err(Stop::Unknown);
        };
        if whole < 1 || expansion_price(base, whole).is_none() {
            return Ok(exponent);
        }
        let base = base.clone();
        sums.push(self.expand(&base, whole.unsigned_abs())?);
        exponent.plus(Exponent::integer(-whole)).ok_or(Stop::Unknown)
    }

    /// `base^exponent`, multiplied out.
    pub(super) fn expand(&mut self, base: &Poly, exponent: u64) -> Step<Poly> {
        let Some(bit) = exponent.checked_ilog2() else { return Ok(Poly::integer(1)) };
        let mut power = base.clone();
        for bit in (0..bit).rev() {
            power = self.square(&power)?;
            if exponent >> bit & 1 == 1 {
                power = self.multiply(&power, base)?;
            }
        }
        Ok(power)
    }

    /// The largest positive rational number that divides all coefficients.
    pub(super) fn content(&mut self, poly: &Poly) -> Step<RBig> {
        let size = coefficient_words(poly);
        self.spend(poly.0.len() as u64 + size.saturating_mul(size) / 16)?;
        let mut numerator = UBig::ZERO;
        let mut denominator = UBig::ONE;
        for (_, coefficient) in &poly.0 {
            let magnitude = coefficient.numerator().clone().into_parts().1;
            numerator = if numerator.is_zero() { magnitude } else { numerator.gcd(magnitude) };
            let common = (&denominator).gcd(coefficient.denominator());
            denominator = denominator / common * coefficient.denominator();
        }
        if numerator.is_zero() {
            return Ok(RBig::ONE);
        }
        Ok(RBig::from_parts(numerator.into(), denominator))
    }

    /// `a / b`, without a remainder, found in few steps.
    pub(super) fn divide_exactly(&mut self, a: &Poly, b: &Poly) -> Step<Option<Poly>> {
        let Some((lead, coefficient)) = b.0.first() else { return Err(Stop::Unknown) };
        let inverse = lead.power(Exponent::integer(-1)).ok_or(Stop::Unknown)?;
        let inverse = self.reduce(inverse, RBig::ONE / coefficient)?;
        let (mut rest, mut quotient) = (a.clone(), Poly::ZERO);
        for _ in 0..=a.0.len().min(24) + 4 {
            let Some(first) = rest.0.first() else { return Ok(Some(quotient)) };
            let step = self.multiply(&Poly(vec![first.clone()]), &inverse)?;
            if step
                .0
                .iter()
                .flat_map(|(m, _)| &m.0)
                .any(|(id, e)| e.is_negative() && !a.lowest(*id).is_negative())
            {
                return Ok(None);
            }
            let product = self.multiply(&step, b)?;
            rest = self.subtract(rest, product)?;
            quotient = self.add(quotient, step)?;
        }
        Ok(None)
    }
}

/// Whether the power of the kernel needs no simplification.
fn is_reduced(id: Id, exponent: Exponent) -> bool {
    match id.class() {
        Class::Plain => true,
        Class::Sum => exponent.numerator < exponent.denominator,
        Class::Unity => exponent == Exponent::HALF,
        Class::Prime => exponent.floor() == 0,
    }
}

/// The number of factors, if a power of a number of so many bits may be computed.
pub(super) fn affordable(bits: usize, exponent: i64) -> Option<usize> {
    let count = usize::try_from(exponent.unsigned_abs()).ok()?;
    (bits.checked_mul(count)? <= MAX_BITS).then_some(count)
}

/// What the expansion costs, unless it is too much.
pub(super) fn expansion_price(base: &Poly, exponent: i64) -> Option<u64> {
    let exponent = u64::try_from(exponent).ok()?;
    let terms = base.0.len() as u64;
    let closed = base.kernels().all(|(id, _)| matches!(id.class(), Class::Prime | Class::Unity));
    let bits = coefficient_words(base).saturating_add(1).saturating_mul(exponent);
    let price = if closed {
        bits.saturating_add(terms.saturating_mul(terms).saturating_mul(8))
    } else {
        // The last squaring costs most.
        let half = monomials(terms, exponent / 2)?;
        let last = monomials(terms, exponent)?.checked_mul(terms)?;
        half.checked_mul(half)?.checked_mul(3)?.checked_add(last)?.checked_add(bits)?
    };
    (price <= MAX_EXPANSION).then_some(price)
}

/// The number of products of so many factors out of so many terms.
fn monomials(terms: u64, exponent: u64) -> Option<u64> {
    (1..terms).try_fold(1u64, |count, k| Some(count.checked_mul(exponent.checked_add(k)?)? / k))
}

fn words(value: &RBig) -> u64 {
    ((value.numerator().bit_len() + value.denominator().bit_len()) / 64) as u64
}

pub(super) fn coefficient_words(poly: &Poly) -> u64 {
    poly.0.iter().map(|(_, coefficient)| words(coefficient)).sum()
}

/// The work of a product of two rational numbers, with its reduction to lowest terms.
pub(super) fn product_price(a: &RBig, b: &RBig) -> u64 {
    let (left, right) = (words(a) + 1, words(b) + 1);
    let lowest_terms = if a.is_int() && b.is_int() { 0 } else { left * right / 4 };
    1 + left * right / 64 + lowest_terms
}

/// The work of computing a power of so many bits.
pub(super) const fn power_price(bits: usize) -> u64 {
    let words = (bits / 64) as u64;
    1 + words * words / 100
}
