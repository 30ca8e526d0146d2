//! Exact canonical forms of scalars.
//!
//! An expression becomes a sum of terms: a rational coefficient times kernels (variables, primes
//! under roots, π, functions of canonical arguments) with rational exponents. Sums in denominators
//! and under roots are kernels too, and are multiplied out when a difference is tested. Functions
//! of angles go through `e^{ix}`, so that their identities become those of powers.

mod build;
mod exponential;
mod field;
mod monomial;
mod power;
mod root;
#[cfg(test)]
mod tests;
mod traits;
mod zero;

use dashu_int::ops::BitTest as _;
use dashu_ratio::RBig;

use crate::budget::{Budget, Spent};
use crate::expr::{Expr, Number};
use field::{Field, Poly, Step, Stop};

/// Longer products and longer numbers are left to the canonical form.
const MAX_FACTORS: usize = 4;
const MAX_BITS: usize = 192;

/// What is proved about `a - b`, as functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    Zero,
    NonZero,
    Unknown,
}

/// `a - b`
pub(crate) fn difference(a: &Expr, b: &Expr, budget: &mut Budget) -> Result<Difference, Spent> {
    if let (Expr::Number(a), Expr::Number(b)) = (a, b) {
        budget.spend(1)?;
        return Ok(if a.value == b.value { Difference::Zero } else { Difference::NonZero });
    }
    let mut field = Field::new(budget);
    decided(field.difference(a, b), Difference::Unknown)
}

/// The rational value, if the expression has one and it is found.
pub(crate) fn exact_value(expr: &Expr, budget: &mut Budget) -> Result<Option<RBig>, Spent> {
    if let Expr::Number(number) = expr {
        return Ok(Some(number.value.clone()));
    }
    if let Some(value) = quotient(expr, budget)? {
        return Ok(Some(value));
    }
    let mut field = Field::new(budget);
    let built = field.build(expr).and_then(|poly| field.settle(&poly));
    decided(built.map(|poly| poly.value()), None)
}

/// The value of a product or a quotient of numbers as it is written; cheaper than
/// [`exact_value`], and enough for most answers.
pub(crate) fn quotient(expr: &Expr, budget: &mut Budget) -> Result<Option<RBig>, Spent> {
    let small = |number: &Number| {
        number.value.numerator().bit_len() + number.value.denominator().bit_len() <= MAX_BITS
    };
    Ok(match expr {
        Expr::Number(number) => Some(number.value.clone()),
        Expr::Mul(factors) if factors.len() <= MAX_FACTORS => {
            budget.spend(2 * factors.len() as u64)?;
            factors.iter().try_fold(RBig::ONE, |product, factor| match factor {
                Expr::Number(number) if small(number) => Some(product * &number.value),
                Expr::Pow(pair) => match &**pair {
                    (Expr::Number(base), Expr::Number(exponent))
                        if small(base) && exponent.value == -RBig::ONE && !base.value.is_zero() =>
                    {
                        Some(product / &base.value)
                    }
                    _ => None,
                },
                _ => None,
            })
        }
        _ => None,
    })
}

/// The constant c other than zero with `a = c b`, if the canonical forms show it.
pub(crate) fn proportional(a: &Expr, b: &Expr, budget: &mut Budget) -> Result<Option<RBig>, Spent> {
    let mut field = Field::new(budget);
    decided(field.proportion(a, b), None)
}

fn decided<T>(result: Step<T>, unknown: T) -> Result<T, Spent> {
    match result {
        Ok(value) => Ok(value),
        Err(Stop::Unknown) => Ok(unknown),
        Err(Stop::Spent) => Err(Spent),
    }
}

impl Field<'_> {
    fn difference(&mut self, a: &Expr, b: &Expr) -> Step<Difference> {
        let (a, b) = (self.build(a)?, self.build(b)?);
        if a == b {
            return Ok(Difference::Zero);
        }
        let difference = self.subtract(a, b)?;
        self.zero(&difference)
    }

    fn proportion(&mut self, a: &Expr, b: &Expr) -> Step<Option<RBig>> {
        let (a, b) = (self.build(a)?, self.build(b)?);
        let (a, b) = self.common_factor(&a, &b)?;
        let (Some((_, c)), Some((_, d))) = (a.0.first(), b.0.first()) else {
            return Ok((a.is_zero() && b.is_zero()).then_some(RBig::ONE));
        };
        let ratio = c / d;
        let scaled = self.scale(b, &ratio)?;
        let difference = self.subtract(a, scaled)?;
        Ok((self.zero(&difference)? == Difference::Zero).then_some(ratio))
    }

    /// Both sides without negative powers of sums.
    fn common_factor(&mut self, a: &Poly, b: &Poly) -> Step<(Poly, Poly)> {
        let (a, factor) = self.clear(a)?;
        let b = self.multiply(b, &Poly::term(factor, RBig::ONE))?;
        let (b, factor) = self.clear(&b)?;
        let a = self.multiply(&a, &Poly::term(factor, RBig::ONE))?;
        Ok((a, b))
    }
}
