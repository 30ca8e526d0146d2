//! Certified numerics: whether two scalars are equal, by enclosures of their values.
//!
//! * *Different* is certain: two enclosures hold no common number, at one point of the variables.
//! * *Equal* of algebraic numbers is proved by a bound on how close two different ones can be
//!   ([`separation`]).
//! * *Equal* of other constants, and of expressions with variables, is not a proof: the difference
//!   stayed zero while the precision rose so far that it is below 2^-200 of what a lower precision
//!   could tell, at one point or at several. The precision accounts for small terms of large sums,
//!   so that `1 + e^{-1000}` is not 1.
//!
//! Variables are real. Where only one side is a real number, the point is skipped.

mod ball;
mod eval;
mod fixed;
mod identity;
mod mag;
mod separation;
mod value;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use dashu_ratio::RBig;

use self::eval::{Evaluator, Point};
use self::mag::{Mag, to_i64};
use self::value::{Arithmetic, Fail, Position, Value};
use crate::budget::Budget;
use crate::expr::Expr;

/// The precision that rejects.
const LOW: usize = 64;

/// The precision that accepts, above what the smallest terms need.
const HIGH: usize = 320;

/// The precision that is tried once more where the budget allows.
const CONFIRM: usize = 1024;

/// How far the enclosure of zero must shrink between two precisions.
const SHRINK: i64 = 200;

/// The highest precision, and the most bits that small terms may need.
const MAX_PRECISION: i64 = 4096;

/// The most work of one comparison.
const ALLOWANCE: u64 = 25_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numeric {
    Equal,
    Different,
    Undecided,
}

/// Whether two scalars have the same value, for all values of their variables.
pub(crate) fn compare(a: &Expr, b: &Expr, budget: &mut Budget) -> Numeric {
    within_allowance(budget, |budget| {
        let Some(variables) = identity::variables(a, b, budget) else {
            return Numeric::Undecided;
        };
        if !variables.is_empty() {
            return identity::compare(a, b, &variables, budget);
        }
        match relation(a, b, budget) {
            Relation::Equal => Numeric::Equal,
            Relation::Less | Relation::Greater | Relation::Apart => Numeric::Different,
            Relation::Undecided => Numeric::Undecided,
        }
    })
}

/// The order of two real constants; equal only if [`compare`] says so.
pub(crate) fn ordering(a: &Expr, b: &Expr, budget: &mut Budget) -> Option<Ordering> {
    match within_allowance(budget, |budget| relation(a, b, budget)) {
        Relation::Equal => Some(Ordering::Equal),
        Relation::Less => Some(Ordering::Less),
        Relation::Greater => Some(Ordering::Greater),
        Relation::Apart | Relation::Undecided => None,
    }
}

/// Does some work without spending all of the budget, for a verdict may need other ways after it.
fn within_allowance<T>(budget: &mut Budget, work: impl FnOnce(&mut Budget) -> T) -> T {
    let allowance = budget.left().min(ALLOWANCE);
    let mut own = Budget::new(allowance);
    let result = work(&mut own);
    let spent = budget.spend(allowance - own.left());
    debug_assert!(spent.is_ok(), "the allowance is part of the budget");
    result
}

/// Rational bounds of a real constant, computed with `bits` bits.
pub(crate) fn enclose(expr: &Expr, bits: usize, budget: &mut Budget) -> Option<(RBig, RBig)> {
    let prec = bits.clamp(16, CONFIRM * 4);
    let mut evaluator = evaluator(prec, Point::new(), budget);
    match evaluator.eval(expr).ok()? {
        Value::Exact(value) => Some((value.clone(), value)),
        Value::Real(ball) if ball.mid().1.unsigned_abs() < 20_000 && ball.top() < 20_000 => {
            evaluator.arithmetic.pay(8).ok()?;
            let rad = ball.rad();
            (rad.is_zero() || rad.top() > -40_000).then(|| ball.ends())
        }
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    Less,
    Greater,
    Apart,
    Undecided,
}

/// Both values at one precision, and what they tell.
struct Look {
    position: Position,
    /// The largest magnitude that the difference can have.
    fault: Mag,
    spread: i64,
    /// Of each side, whether it is certainly not real, or a part of it is not.
    non_real: [bool; 2],
    zero: bool,
}

fn evaluator(prec: usize, point: Point, budget: &mut Budget) -> Evaluator<'_> {
    Evaluator { arithmetic: Arithmetic { prec, spread: 0, left_reals: false, budget }, point }
}

fn look(
    a: &Expr,
    b: &Expr,
    prec: usize,
    point: &Point,
    budget: &mut Budget,
) -> value::Result<Look> {
    let mut evaluator = evaluator(prec, point.clone(), budget);
    let left = evaluator.eval(a);
    let left_reals = std::mem::take(&mut evaluator.arithmetic.left_reals);
    let (x, y) = match (left, evaluator.eval(b)) {
        (Ok(x), Ok(y)) => (x, y),
        (Err(left), Err(right)) => return Err(left.max(right)),
        (Err(fail), _) | (_, Err(fail)) => return Err(fail),
    };
    let math = &mut evaluator.arithmetic;
    let position = math.position(&x, &y)?;
    // The subtraction itself cancels everything and says nothing about small terms.
    let spread = math.spread;
    let fault = if position == Position::Overlap {
        let difference = math.sub(&x, &y).map_err(|_| Fail::Unclear)?;
        let (re, im) = math.parts(&difference)?;
        re.upper().add(im.upper())
    } else {
        Mag::ZERO
    };
    let zero = matches!((&x, &y), (Value::Exact(x), Value::Exact(y)) if x.is_zero() && y.is_zero());
    let non_real = [x.is_non_real() || left_reals, y.is_non_real() || math.left_reals];
    Ok(Look { position, fault, spread, non_real, zero })
}

impl Look {
    /// The smallest precision at which no term of a sum is lost.
    fn precision(&self, bits: usize) -> Option<usize> {
        let spread = usize::try_from(self.spread).ok()?;
        (self.spread <= MAX_PRECISION).then_some(bits + spread)
    }

    const fn relation(&self) -> Relation {
        match self.position {
            Position::Same => Relation::Equal,
            Position::Less => Relation::Less,
            Position::Greater => Relation::Greater,
            Position::Apart => Relation::Apart,
            Position::Overlap => Relation::Undecided,
        }
    }

    /// Whether the enclosure of zero shrank as it does if the values agree.
    fn agrees(&self, rough: &Self) -> bool {
        self.position == Position::Same
            || (self.position == Position::Overlap
                && self.fault.top() <= rough.fault.top() - SHRINK)
    }
}

/// The first look that succeeds, at a precision or a higher one.
fn first_look(
    a: &Expr,
    b: &Expr,
    point: &Point,
    budget: &mut Budget,
) -> value::Result<(Look, usize)> {
    match look(a, b, LOW, point, budget) {
        Err(Fail::Unclear) => Ok((look(a, b, HIGH, point, budget)?, HIGH)),
        other => Ok((other?, LOW)),
    }
}

/// A look at a precision that accepts. A second one where the first has found terms that are too
/// small for it, which the rough one could not tell from zero.
fn fine_look(
    a: &Expr,
    b: &Expr,
    point: &Point,
    (rough, prec): (&Look, usize),
    budget: &mut Budget,
) -> value::Result<(Look, usize)> {
    let base = prec - LOW + HIGH;
    let prec = rough.precision(base).ok_or(Fail::Unclear)?;
    let fine = look(a, b, prec, point, budget)?;
    if fine.spread <= rough.spread || fine.position != Position::Overlap {
        return Ok((fine, prec));
    }
    let prec = fine.precision(base).ok_or(Fail::Unclear)?;
    let last = look(a, b, prec, point, budget)?;
    if last.spread > fine.spread && last.position == Position::Overlap {
        return Err(Fail::Unclear);
    }
    Ok((last, prec))
}

fn relation(a: &Expr, b: &Expr, budget: &mut Budget) -> Relation {
    let point = Point::new();
    let Ok((rough, prec)) = first_look(a, b, &point, budget) else {
        return Relation::Undecided;
    };
    if rough.position != Position::Overlap {
        return rough.relation();
    }
    let proof = separation::bits(a, b, budget)
        .map(|bits| to_i64(usize::try_from(bits).unwrap_or(usize::MAX)));
    if let Some(bits) = proof
        && let Some(relation) = prove(a, b, bits, &rough, prec, budget)
    {
        return relation;
    }
    let before = budget.left();
    let Ok((fine, fine_prec)) = fine_look(a, b, &point, (&rough, prec), budget) else {
        return Relation::Undecided;
    };
    if !fine.agrees(&rough) {
        return fine.relation();
    }
    // The cost grows less than with the square of the precision.
    let paid = before - budget.left();
    let last_prec = fine_prec + CONFIRM - HIGH;
    let ratio = last_prec.div_ceil(fine_prec) as u64;
    if paid.saturating_mul(ratio * ratio) < budget.left()
        && let Ok(last) = look(a, b, last_prec, &point, budget)
        && !last.agrees(&fine)
    {
        return last.relation();
    }
    Relation::Equal
}

/// Evaluates until the difference is either clearly not zero or below the bound.
fn prove(
    a: &Expr,
    b: &Expr,
    bits: i64,
    rough: &Look,
    prec: usize,
    budget: &mut Budget,
) -> Option<Relation> {
    let missing = rough.fault.top() + bits + 8;
    let needed = prec + usize::try_from(missing.max(0)).ok()?;
    if to_i64(needed) > MAX_PRECISION {
        return None;
    }
    let point = Point::new();
    for prec in [needed.min(HIGH), needed, needed + 64] {
        let look = look(a, b, prec, &point, budget).ok()?;
        if look.position != Position::Overlap {
            return Some(look.relation());
        }
        if look.fault.top() < -bits {
            return Some(Relation::Equal);
        }
    }
    None
}
