//! How close to zero an algebraic number can be without being zero.
//!
//! The bound of Burnikel, Funke, Mehlhorn, Schirra and Schmitt ("A separation bound for real
//! algebraic expressions", 2001): an expression of rationals, + - · / and roots equals U/L with
//! algebraic integers U and L of degree at most D. With u and l above the magnitude of all
//! conjugates of U and L, it is zero or at least 1/(u^(D-1) l). Roots of unity fit in, so sines of
//! rational multiples of π do.

use dashu_int::ops::{BitTest, UnsignedAbs};
use dashu_ratio::RBig;

use crate::budget::Budget;
use crate::expr::{Constant, Expr, Function};

/// Beyond this precision a proof is too dear.
const MAX_BITS: u64 = 8192;
const MAX_DEGREE: u64 = 1 << 12;

/// Binary logarithms of bounds of numerator and denominator.
#[derive(Clone, Copy)]
struct Bounds {
    upper: u64,
    lower: u64,
}

struct Field<'a> {
    /// Radicands and degrees of the different roots.
    roots: Vec<(&'a Expr, u64)>,
    degree: u64,
    /// The order of a root of unity that generates those that occur.
    order: u64,
    budget: &'a mut Budget,
}

/// `bits` such that a - b is zero if it is less than `2^-bits` in magnitude.
pub(super) fn bits(a: &Expr, b: &Expr, budget: &mut Budget) -> Option<u64> {
    let mut field = Field { roots: Vec::new(), degree: 1, order: 1, budget };
    let (a, b) = (field.bounds(a)?, field.bounds(b)?);
    let Bounds { upper, lower } = sum(a, b);
    let degree = field.degree * totient(field.order);
    if degree > MAX_DEGREE {
        return None;
    }
    let bits = upper.saturating_mul(degree - 1).saturating_add(lower);
    (bits <= MAX_BITS).then_some(bits)
}

const fn sum(a: Bounds, b: Bounds) -> Bounds {
    let (left, right) = (a.upper + b.lower, a.lower + b.upper);
    let upper = if left > right { left } else { right } + 1;
    Bounds { upper, lower: a.lower + b.lower }
}

impl<'a> Field<'a> {
    fn bounds(&mut self, expr: &'a Expr) -> Option<Bounds> {
        self.budget.spend(1).ok()?;
        let bounds = match expr {
            Expr::Number(number) => rational(&number.value),
            Expr::Constant(Constant::I) => self.root_of_unity(4)?,
            Expr::Add(terms) => {
                let mut total = Bounds { upper: 0, lower: 0 };
                for (index, term) in terms.iter().enumerate() {
                    let term = self.bounds(term)?;
                    total = if index == 0 { term } else { sum(total, term) };
                }
                total
            }
            Expr::Mul(factors) => {
                let mut total = Bounds { upper: 0, lower: 0 };
                for factor in factors {
                    let factor = self.bounds(factor)?;
                    total.upper += factor.upper;
                    total.lower += factor.lower;
                }
                total
            }
            Expr::Pow(pair) => {
                if pair.0 == Expr::Constant(Constant::E) {
                    let turn = turn(&pair.1, true)?;
                    self.root_of_unity(order(&turn)?)?
                } else {
                    let exponent = literal(&pair.1)?;
                    self.power(&pair.0, &exponent)?
                }
            }
            Expr::Call(Function::Root, arguments) => match arguments.as_slice() {
                [radicand, degree] => {
                    let degree = literal(degree)?;
                    if degree.is_zero() {
                        return None;
                    }
                    self.power(radicand, &(RBig::ONE / degree))?
                }
                _ => return None,
            },
            Expr::Call(
                Function::Sin
                | Function::Cos
                | Function::Tan
                | Function::Cot
                | Function::Sec
                | Function::Csc,
                arguments,
            ) => {
                let order = order(&turn(arguments.first()?, false)?)?;
                self.root_of_unity(order)?;
                self.root_of_unity(4)?;
                // Each is a quotient of sums of two roots of unity, or of 2.
                Bounds { upper: 1, lower: 1 }
            }
            _ => return None,
        };
        (bounds.upper.max(bounds.lower) <= MAX_BITS).then_some(bounds)
    }

    fn power(&mut self, base: &'a Expr, exponent: &RBig) -> Option<Bounds> {
        let count = u64::try_from(exponent.numerator().unsigned_abs()).ok()?;
        let degree = u64::try_from(exponent.denominator()).ok()?;
        let inner = self.bounds(base)?;
        let mut bounds = Bounds {
            upper: inner.upper.checked_mul(count)?,
            lower: inner.lower.checked_mul(count)?,
        };
        if degree > 1 {
            if !self.roots.contains(&(base, degree)) {
                self.roots.push((base, degree));
                self.degree = self.degree.checked_mul(degree).filter(|d| *d <= MAX_DEGREE)?;
            }
            let Bounds { upper, lower } = bounds;
            let mean = |single: u64, other: u64| {
                Some(other.checked_mul(degree - 1)?.checked_add(single)?.div_ceil(degree))
            };
            bounds = if upper >= lower {
                Bounds { upper: mean(upper, lower)?, lower }
            } else {
                Bounds { upper, lower: mean(lower, upper)? }
            };
        }
        if exponent < &RBig::ZERO {
            bounds = Bounds { upper: bounds.lower, lower: bounds.upper };
        }
        Some(bounds)
    }

    fn root_of_unity(&mut self, order: u64) -> Option<Bounds> {
        let common = gcd(self.order, order);
        self.order = (self.order / common).checked_mul(order).filter(|o| *o <= MAX_DEGREE)?;
        Some(Bounds { upper: 0, lower: 0 })
    }
}

fn rational(value: &RBig) -> Bounds {
    let bits = |bits: usize| bits as u64;
    Bounds {
        upper: bits(value.numerator().bit_len()),
        lower: if value.is_int() { 0 } else { bits(value.denominator().bit_len()) },
    }
}

/// A rational that is written as a number or a quotient of numbers.
fn literal(expr: &Expr) -> Option<RBig> {
    match expr {
        Expr::Number(number) => Some(number.value.clone()),
        Expr::Mul(factors) if factors.len() <= 4 => {
            factors.iter().try_fold(RBig::ONE, |product, factor| Some(product * literal(factor)?))
        }
        Expr::Pow(pair) if pair.1 == Expr::integer(-1) => {
            let divisor = literal(&pair.0)?;
            (!divisor.is_zero()).then(|| RBig::ONE / divisor)
        }
        _ => None,
    }
}

/// r, if the expression is r π; or r π i if the imaginary unit is asked for.
fn turn(expr: &Expr, imaginary: bool) -> Option<RBig> {
    let factors = match expr {
        Expr::Mul(factors) => factors.as_slice(),
        Expr::Number(number) if number.value.is_zero() && !imaginary => return Some(RBig::ZERO),
        single => std::slice::from_ref(single),
    };
    let mut turn = RBig::ONE;
    let (mut pis, mut units) = (0, 0);
    for factor in factors {
        match factor {
            Expr::Constant(Constant::Pi) => pis += 1,
            Expr::Constant(Constant::Degree) => {
                pis += 1;
                turn /= RBig::from(180);
            }
            Expr::Constant(Constant::I) => units += 1,
            factor => turn *= literal(factor)?,
        }
    }
    (pis == 1 && units == i32::from(imaginary)).then_some(turn)
}

/// The order of e^(r π i), or a multiple.
fn order(turn: &RBig) -> Option<u64> {
    u64::try_from(turn.denominator()).ok()?.checked_mul(2).filter(|order| *order <= MAX_DEGREE)
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

const fn totient(mut n: u64) -> u64 {
    let mut result = n;
    let mut prime = 2;
    while prime * prime <= n {
        if n.is_multiple_of(prime) {
            while n.is_multiple_of(prime) {
                n /= prime;
            }
            result -= result / prime;
        }
        prime += 1;
    }
    if n > 1 { result - result / n } else { result }
}
