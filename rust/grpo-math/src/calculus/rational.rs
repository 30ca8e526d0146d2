//! Quotients of polynomials in one variable with rational coefficients.

use std::cmp::Ordering;

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::algebra::{integer, pay, polynomial, rational};
use crate::budget::{Budget, Spent};
use crate::expr::{Expr, Symbol};
use crate::tree::depends;

/// The highest degree.
pub(super) const MAX_DEGREE: usize = 16;
/// The largest end coefficient for which rational roots are sought.
const MAX_END: u64 = 100_000;

/// Coefficients, lowest first; the last one is not zero. Zero has none.
pub(super) type Poly = Vec<RBig>;

/// The coefficients of an expression, if all are rational.
pub(super) fn poly(e: &Expr, x: &Symbol, budget: &mut Budget) -> Result<Option<Poly>, Spent> {
    let Some(coefficients) = polynomial(e, x, MAX_DEGREE, budget)? else { return Ok(None) };
    let values: Option<Poly> = coefficients.iter().map(|c| rational(c).cloned()).collect();
    Ok(values.map(trimmed))
}

fn trimmed(mut p: Poly) -> Poly {
    while p.last().is_some_and(RBig::is_zero) {
        p.pop();
    }
    p
}

pub(super) fn value(p: &[RBig], x: &RBig, budget: &mut Budget) -> Result<RBig, Spent> {
    let mut sum = RBig::ZERO;
    for c in p.iter().rev() {
        pay(&sum, x, budget)?;
        sum = sum * x + c;
    }
    Ok(sum)
}

pub(super) fn multiply(a: &[RBig], b: &[RBig], budget: &mut Budget) -> Result<Poly, Spent> {
    let mut product = vec![RBig::ZERO; (a.len() + b.len()).saturating_sub(1)];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            pay(x, y, budget)?;
            if let Some(sum) = product.get_mut(i + j) {
                *sum += x * y;
            }
        }
    }
    Ok(trimmed(product))
}

/// The product, if its degree stays within bounds.
fn multiply_bounded(a: &[RBig], b: &[RBig], budget: &mut Budget) -> Result<Option<Poly>, Spent> {
    if a.len() + b.len() > MAX_DEGREE + 2 {
        return Ok(None);
    }
    multiply(a, b, budget).map(Some)
}

pub(super) fn add(a: &[RBig], b: &[RBig]) -> Poly {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut sum = long.to_vec();
    for (place, c) in sum.iter_mut().zip(short) {
        *place += c;
    }
    trimmed(sum)
}

/// Quotient and remainder; `None` for the divisor zero.
pub(super) fn divide(
    a: &[RBig],
    b: &[RBig],
    budget: &mut Budget,
) -> Result<Option<(Poly, Poly)>, Spent> {
    let Some(head) = b.last().filter(|c| !c.is_zero()) else { return Ok(None) };
    let mut rest = a.to_vec();
    let mut quotient = vec![RBig::ZERO; (a.len() + 1).saturating_sub(b.len())];
    while rest.len() >= b.len() {
        let Some(top) = rest.pop() else { break };
        pay(&top, head, budget)?;
        let factor = top / head;
        let shift = rest.len() + 1 - b.len();
        for (place, c) in rest.iter_mut().skip(shift).zip(b) {
            pay(&factor, c, budget)?;
            *place -= &factor * c;
        }
        if let Some(place) = quotient.get_mut(shift) {
            *place = factor;
        }
    }
    Ok(Some((trimmed(quotient), trimmed(rest))))
}

pub(super) fn derivative(p: &[RBig]) -> Poly {
    p.iter().enumerate().skip(1).map(|(n, c)| c * RBig::from(n)).collect()
}

/// A quotient of polynomials as numerator and denominator.
pub(super) fn quotient(
    e: &Expr,
    x: &Symbol,
    budget: &mut Budget,
) -> Result<Option<(Poly, Poly)>, Spent> {
    budget.spend(4)?;
    let one = || vec![RBig::ONE];
    if !depends(e, x) || matches!(e, Expr::Symbol(_)) {
        return Ok(poly(e, x, budget)?.map(|p| (p, one())));
    }
    match e {
        Expr::Add(items) => {
            let (mut above, mut below) = (Poly::new(), one());
            for item in items {
                let Some((n, d)) = quotient(item, x, budget)? else { return Ok(None) };
                if d == below {
                    above = add(&above, &n);
                    continue;
                }
                let (Some(left), Some(right), Some(both)) = (
                    multiply_bounded(&above, &d, budget)?,
                    multiply_bounded(&n, &below, budget)?,
                    multiply_bounded(&below, &d, budget)?,
                ) else {
                    return Ok(None);
                };
                above = add(&left, &right);
                below = both;
            }
            Ok(Some((above, below)))
        }
        Expr::Mul(items) => {
            let (mut above, mut below) = (one(), one());
            for item in items {
                let Some((n, d)) = quotient(item, x, budget)? else { return Ok(None) };
                let (Some(n), Some(d)) =
                    (multiply_bounded(&above, &n, budget)?, multiply_bounded(&below, &d, budget)?)
                else {
                    return Ok(None);
                };
                above = n;
                below = d;
            }
            Ok(Some((above, below)))
        }
        Expr::Pow(pair) => {
            let limit = i64::try_from(MAX_DEGREE).unwrap_or(16);
            let Some(n) = integer(&pair.1).filter(|n| n.abs() <= limit) else { return Ok(None) };
            let Some((above, below)) = quotient(&pair.0, x, budget)? else { return Ok(None) };
            let (mut p, mut q) = (one(), one());
            for _ in 0..n.abs() {
                let (Some(next_p), Some(next_q)) =
                    (multiply_bounded(&p, &above, budget)?, multiply_bounded(&q, &below, budget)?)
                else {
                    return Ok(None);
                };
                p = next_p;
                q = next_q;
            }
            let (p, q) = if n < 0 { (q, p) } else { (p, q) };
            Ok((!q.is_empty()).then_some((p, q)))
        }
        _ => Ok(None),
    }
}

/// Roots with their multiplicities, and the factor without rational roots.
type Split = (Vec<(RBig, usize)>, Poly);

/// The rational roots with multiplicity, and the cofactor without such roots. `None` if the
/// coefficients are too large to search.
pub(super) fn roots(p: &[RBig], budget: &mut Budget) -> Result<Option<Split>, Spent> {
    let mut rest = p.to_vec();
    let mut found: Vec<(RBig, usize)> = Vec::new();
    let zeros = rest.iter().take_while(|c| c.is_zero()).count();
    if zeros > 0 {
        rest.drain(..zeros);
        found.push((RBig::ZERO, zeros));
    }
    if rest.len() < 2 {
        return Ok(Some((found, rest)));
    }
    let scale = rest.iter().fold(UBig::ONE, |scale, c| {
        use dashu_int::ops::Gcd;
        let d = c.denominator();
        &scale / (&scale).gcd(d) * d
    });
    let end = |c: Option<&RBig>| {
        let scaled = c?.clone() * RBig::from(scale.clone());
        let size = scaled.numerator().clone().into_parts().1;
        u64::try_from(size).ok().filter(|n| *n <= MAX_END)
    };
    let (Some(low), Some(high)) = (end(rest.first()), end(rest.last())) else { return Ok(None) };
    for a in divisors(low, budget)? {
        for b in divisors(high, budget)? {
            for sign in [IBig::ONE, -IBig::ONE] {
                let candidate = RBig::from_parts(sign * IBig::from(a), UBig::from(b));
                let mut count = 0;
                while rest.len() > 1 && value(&rest, &candidate, budget)?.is_zero() {
                    let factor = [-candidate.clone(), RBig::ONE];
                    let Some((quotient, _)) = divide(&rest, &factor, budget)? else { break };
                    rest = quotient;
                    count += 1;
                }
                if count > 0 {
                    found.push((candidate, count));
                }
            }
        }
    }
    Ok(Some((found, rest)))
}

fn divisors(n: u64, budget: &mut Budget) -> Result<Vec<u64>, Spent> {
    budget.spend(n.isqrt() / 16 + 1)?;
    let mut all = Vec::new();
    for d in (1..=n.isqrt()).filter(|d| n.is_multiple_of(*d)) {
        all.push(d);
        if d * d != n {
            all.push(n / d);
        }
    }
    Ok(all)
}

/// A summand of a partial fraction: c / (x - root)^power.
pub(super) struct Pole {
    pub(super) root: RBig,
    pub(super) power: usize,
    pub(super) coefficient: RBig,
}

/// A quotient split: a polynomial, the poles at rational points, and what is left over a
/// denominator of degree 2 without rational roots.
pub(super) struct Fractions {
    pub(super) whole: Poly,
    pub(super) poles: Vec<Pole>,
    pub(super) rest: Option<(Poly, Poly)>,
}

/// Partial fractions, if the denominator has at most two roots that are not rational.
pub(super) fn fractions(
    above: &[RBig],
    below: &[RBig],
    budget: &mut Budget,
) -> Result<Option<Fractions>, Spent> {
    let Some((whole, mut remainder)) = divide(above, below, budget)? else { return Ok(None) };
    let Some((found, mut cofactor)) = roots(below, budget)? else { return Ok(None) };
    if cofactor.len() > 3 {
        return Ok(None);
    }
    // `cofactor` holds the leading coefficient throughout.
    let mut denominator = below.to_vec();
    let mut poles = Vec::new();
    for (root, multiplicity) in found {
        let factor = [-root.clone(), RBig::ONE];
        for power in (1..=multiplicity).rev() {
            let mut others = denominator.clone();
            for _ in 0..power {
                let Some((quotient, _)) = divide(&others, &factor, budget)? else {
                    return Ok(None);
                };
                others = quotient;
            }
            let bottom = value(&others, &root, budget)?;
            if bottom.is_zero() {
                return Ok(None);
            }
            let coefficient = value(&remainder, &root, budget)? / bottom;
            // remainder/denominator - c/(x-r)^power = (remainder - c·others)/denominator
            let taken: Poly = others.iter().map(|c| -(c * &coefficient)).collect();
            remainder = add(&remainder, &taken);
            let (Some((r, _)), Some((d, _))) =
                (divide(&remainder, &factor, budget)?, divide(&denominator, &factor, budget)?)
            else {
                return Ok(None);
            };
            remainder = r;
            denominator = d;
            if !coefficient.is_zero() {
                poles.push(Pole { root: root.clone(), power, coefficient });
            }
        }
    }
    let rest = (!remainder.is_empty()).then(|| (remainder, std::mem::take(&mut cofactor)));
    Ok(Some(Fractions { whole, poles, rest }))
}

/// An end of an interval.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    MinusInfinity,
    At(RBig),
    Infinity,
}

/// The number of distinct real roots strictly between the ends (Sturm).
pub(super) fn roots_between(
    p: &[RBig],
    lower: &End,
    upper: &End,
    budget: &mut Budget,
) -> Result<usize, Spent> {
    let mut chain = vec![p.to_vec(), derivative(p)];
    while let [.., a, b] = chain.as_slice()
        && !b.is_empty()
    {
        let Some((_, remainder)) = divide(a, b, budget)? else { break };
        if remainder.is_empty() {
            break;
        }
        chain.push(remainder.into_iter().map(|c| -c).collect());
    }
    let mut changes = |end: &End| -> Result<usize, Spent> {
        let mut last = Ordering::Equal;
        let mut count = 0;
        for p in &chain {
            let sign = sign_at(p, end, budget)?;
            if sign != Ordering::Equal {
                count += usize::from(last != Ordering::Equal && last != sign);
                last = sign;
            }
        }
        Ok(count)
    };
    // The roots in (lower, upper].
    let count = changes(lower)?.saturating_sub(changes(upper)?);
    let at_end = matches!(upper, End::At(_)) && sign_at(p, upper, budget)? == Ordering::Equal;
    Ok(count.saturating_sub(usize::from(at_end)))
}

fn sign_at(p: &[RBig], end: &End, budget: &mut Budget) -> Result<Ordering, Spent> {
    let leading = p.last().map_or(Ordering::Equal, |c| c.cmp(&RBig::ZERO));
    Ok(match end {
        End::At(x) => value(p, x, budget)?.cmp(&RBig::ZERO),
        End::MinusInfinity if p.len().is_multiple_of(2) => leading.reverse(),
        End::Infinity | End::MinusInfinity => leading,
    })
}
