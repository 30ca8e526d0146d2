//! Sums, products, limits, integrals and derivatives, resolved where that is exact.

#![expect(clippy::many_single_char_names, reason = "the names that formulas have")]

/// Unwraps a [`Found`](crate::budget::Found), or leaves with nothing found.
macro_rules! found {
    ($e:expr) => {
        match $e? {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

mod algebra;
mod bounds;
mod derivative;
mod integral;
mod limit;
mod rational;
mod sum;

pub(crate) use derivative::derivative;

pub(crate) use crate::tree::{free_symbols, rename, substitute};

use crate::budget::{Budget, Spent};
use crate::expr::{Big, Expr};
use crate::tree;

/// Whether an operator that binds a variable occurs.
pub(crate) fn contains_big(e: &Expr) -> bool {
    tree::any(e, &|node| matches!(node, Expr::Big(_)))
}

/// The expression with each sum, product, limit, integral and derivative replaced by its value, as
/// far as that is known exactly. The others stay as they are.
pub(crate) fn resolve(e: &Expr, budget: &mut Budget) -> Result<Expr, Spent> {
    if !contains_big(e) {
        return Ok(e.clone());
    }
    budget.spend(1)?;
    let inner = tree::map(e, &mut |child| resolve(child, budget))?;
    let Expr::Big(big) = &inner else { return Ok(inner) };
    // A hard operator must not take what the comparison needs.
    let allowance = budget.left() / 2;
    let mut own = Budget::new(allowance);
    let value = value(big, &mut own);
    budget.spend(allowance - own.left())?;
    Ok(match value {
        Ok(Some(value)) => value,
        Ok(None) | Err(Spent) => inner,
    })
}

fn value(big: &Big, budget: &mut Budget) -> Result<Option<Expr>, Spent> {
    let (Big::Sum(body, ..)
    | Big::Product(body, ..)
    | Big::Limit(body, ..)
    | Big::Integral(body, ..)
    | Big::Derivative(body, ..)) = big;
    if let Big::Derivative(body, x, order) = big
        && let Some(merged) = derivative::merged(body, x, *order)
    {
        return Ok(Some(merged));
    }
    if contains_big(body) {
        return Ok(None);
    }
    match big {
        Big::Sum(body, k, first, last) => sum::sum(body, k, first, last, budget),
        Big::Product(body, k, first, last) => sum::product(body, k, first, last, budget),
        Big::Limit(body, x, point, side) => limit::limit(body, x, point, *side, budget),
        Big::Integral(body, x, bounds) => integral::integral(body, x, bounds.as_ref(), budget),
        Big::Derivative(body, x, order) => derivative::repeated(body, x, *order, budget),
    }
}

#[cfg(test)]
mod tests;
