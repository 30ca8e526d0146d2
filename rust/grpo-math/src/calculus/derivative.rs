//! Derivatives, by rule.

use super::algebra::{add, call, int, integer, mul, pow, tidy};
use crate::budget::{Budget, Spent};
use crate::expr::{Big, Expr, Function, Symbol};
use crate::tree::{depends, size};

/// The highest order that is worked out.
const MAX_ORDER: u32 = 8;

/// The derivative, or `None` if the expression holds something without a known derivative.
pub(crate) fn derivative(e: &Expr, x: &Symbol, budget: &mut Budget) -> Result<Option<Expr>, Spent> {
    budget.spend(2)?;
    if !depends(e, x) {
        return Ok(Some(int(0)));
    }
    match e {
        Expr::Symbol(_) => Ok(Some(int(1))),
        Expr::Add(items) => {
            let mut terms = Vec::with_capacity(items.len());
            for item in items {
                let Some(term) = derivative(item, x, budget)? else { return Ok(None) };
                terms.push(term);
            }
            add(terms, budget).map(Some)
        }
        Expr::Mul(items) => {
            let mut terms = Vec::with_capacity(items.len());
            for (place, item) in items.iter().enumerate() {
                if !depends(item, x) {
                    continue;
                }
                budget.spend(items.iter().map(size).sum())?;
                let Some(inner) = derivative(item, x, budget)? else { return Ok(None) };
                let mut factors = vec![inner];
                for (other, factor) in items.iter().enumerate() {
                    if other != place {
                        factors.push(tidy(factor, budget)?);
                    }
                }
                terms.push(mul(factors, budget)?);
            }
            add(terms, budget).map(Some)
        }
        Expr::Pow(pair) => power(&pair.0, &pair.1, x, budget),
        Expr::Call(function, arguments) => chain(function, arguments, x, budget),
        _ => Ok(None),
    }
}

/// The derivative of some order.
pub(super) fn repeated(
    e: &Expr,
    x: &Symbol,
    order: u32,
    budget: &mut Budget,
) -> Result<Option<Expr>, Spent> {
    if order > MAX_ORDER {
        return Ok(None);
    }
    let mut result = e.clone();
    for _ in 0..order {
        let Some(next) = derivative(&result, x, budget)? else { return Ok(None) };
        result = next;
    }
    Ok(Some(result))
}

fn power(
    base: &Expr,
    exponent: &Expr,
    x: &Symbol,
    budget: &mut Budget,
) -> Result<Option<Expr>, Spent> {
    let b = tidy(base, budget)?;
    let n = tidy(exponent, budget)?;
    let mut terms = Vec::with_capacity(2);
    if depends(base, x) {
        let Some(inner) = derivative(base, x, budget)? else { return Ok(None) };
        let less = add(vec![n.clone(), int(-1)], budget)?;
        let lower = pow(b.clone(), less, budget)?;
        terms.push(mul(vec![n.clone(), lower, inner], budget)?);
    }
    if depends(exponent, x) {
        let Some(inner) = derivative(exponent, x, budget)? else { return Ok(None) };
        let log = call(&Function::Ln, vec![b.clone()], budget)?;
        let whole = pow(b, n, budget)?;
        terms.push(mul(vec![whole, log, inner], budget)?);
    }
    add(terms, budget).map(Some)
}

fn chain(
    function: &Function,
    arguments: &[Expr],
    x: &Symbol,
    budget: &mut Budget,
) -> Result<Option<Expr>, Spent> {
    match (function, arguments) {
        (Function::Named(_), [u]) => {
            let own = Expr::Symbol(x.clone());
            if *u != own {
                return Ok(None);
            }
            let whole = Expr::Call(function.clone(), vec![own]);
            Ok(Some(Expr::Big(Box::new(Big::Derivative(whole, x.clone(), 1)))))
        }
        (Function::Log, [u, b]) => {
            let ln = |e: &Expr| Expr::call(Function::Ln, e.clone());
            derivative(&ln(u).quotient(ln(b)), x, budget)
        }
        (Function::Root, [u, n]) if !depends(n, x) => {
            // r' = r u' / (n u), whatever the sign of u.
            let Some(inner) = derivative(u, x, budget)? else { return Ok(None) };
            let u = tidy(u, budget)?;
            let n = tidy(n, budget)?;
            let root = call(&Function::Root, vec![u.clone(), n.clone()], budget)?;
            let below = pow(mul(vec![n, u], budget)?, int(-1), budget)?;
            mul(vec![root, inner, below], budget).map(Some)
        }
        (_, [u]) => {
            let u_tidy = tidy(u, budget)?;
            let Some(outer) = outer_derivative(function, &u_tidy) else { return Ok(None) };
            let Some(inner) = derivative(u, x, budget)? else { return Ok(None) };
            let outer = tidy(&outer, budget)?;
            mul(vec![outer, inner], budget).map(Some)
        }
        _ => Ok(None),
    }
}

/// The derivative of a function at u.
fn outer_derivative(function: &Function, u: &Expr) -> Option<Expr> {
    let at = |f: Function| Expr::call(f, u.clone());
    let square = |e: Expr| e.pow(int(2));
    let one_plus = |sign: i64| Expr::sum([int(1), Expr::product([int(sign), square(u.clone())])]);
    let minus_one = || Expr::sum([square(u.clone()), int(-1)]);
    let inverse_secant = || Expr::product([at(Function::Abs).recip(), minus_one().sqrt().recip()]);
    Some(match function {
        Function::Ln => u.clone().recip(),
        Function::Exp => at(Function::Exp),
        Function::Sin => at(Function::Cos),
        Function::Cos => at(Function::Sin).negate(),
        Function::Tan => at(Function::Cos).pow(int(-2)),
        Function::Cot => at(Function::Sin).pow(int(-2)).negate(),
        Function::Sec => Expr::product([at(Function::Sec), at(Function::Tan)]),
        Function::Csc => Expr::product([int(-1), at(Function::Csc), at(Function::Cot)]),
        Function::Asin => one_plus(-1).sqrt().recip(),
        Function::Acos => one_plus(-1).sqrt().recip().negate(),
        Function::Atan => one_plus(1).recip(),
        Function::Acot => one_plus(1).recip().negate(),
        Function::Asec => inverse_secant(),
        Function::Acsc => inverse_secant().negate(),
        Function::Sinh => at(Function::Cosh),
        Function::Cosh => at(Function::Sinh),
        Function::Tanh => at(Function::Cosh).pow(int(-2)),
        Function::Coth => at(Function::Sinh).pow(int(-2)).negate(),
        Function::Asinh => one_plus(1).sqrt().recip(),
        Function::Acosh => minus_one().sqrt().recip(),
        Function::Atanh => one_plus(-1).recip(),
        Function::Abs => Expr::product([u.clone(), at(Function::Abs).recip()]),
        _ => return None,
    })
}

/// The order after one more derivative of the same variable: `f''` is one node, not two.
pub(super) fn merged(body: &Expr, x: &Symbol, order: u32) -> Option<Expr> {
    if let Expr::Big(big) = body
        && let Big::Derivative(inner, variable, lower) = &**big
        && variable == x
    {
        let order = order.checked_add(*lower)?;
        return Some(Expr::Big(Box::new(Big::Derivative(inner.clone(), x.clone(), order))));
    }
    None
}

/// The coefficients (a, b) of a x + b, where a is not zero.
pub(super) fn linear(
    e: &Expr,
    x: &Symbol,
    budget: &mut Budget,
) -> Result<Option<(Expr, Expr)>, Spent> {
    let coefficients = super::algebra::polynomial(e, x, 1, budget)?;
    Ok(match coefficients.as_deref() {
        Some([b, a]) if integer(a) != Some(0) => Some((a.clone(), b.clone())),
        _ => None,
    })
}
