//! Sums and products over an index.

use std::cmp::Ordering;

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::algebra::{
    INFINITY, PI, add, evaluate, expand, int, integer, mul, polynomial, pow, rational, tidy, whole,
    zero,
};
use super::bounds;
use super::derivative::linear;
use super::limit::limit;
use super::rational::{fractions, poly, quotient, roots};
use crate::budget::{Budget, Found, Spent};
use crate::expr::{Constant, Expr, Function, Side, Symbol};
use crate::tree::{depends, free_symbols, fresh, size, substitute};

/// The most terms that are written out.
const MAX_UNROLLED: i64 = 200;
/// The highest degree of a polynomial that is summed.
const MAX_DEGREE: usize = 12;
/// The furthest that a known sum is shifted, and the furthest that a sum telescopes.
const MAX_SHIFT: i64 = 60;

pub(super) fn sum(
    body: &Expr,
    k: &Symbol,
    first: &Expr,
    last: &Expr,
    budget: &mut Budget,
) -> Found<Expr> {
    let (body, first, last) = found!(operands(body, k, first, last, budget));
    let length = length(&first, &last);
    if length.is_some_and(|n| n < 0) {
        return Ok(None);
    }
    if length == Some(0) {
        return Ok(Some(int(0)));
    }
    if let Some(n) = length.filter(|n| *n <= 8) {
        return unroll(&body, k, &first, n, Expr::sum, budget);
    }
    if let Some(total) = closed_form(&body, k, &first, &last, budget)? {
        return Ok(Some(total));
    }
    match length {
        Some(n) => unroll(&body, k, &first, n, Expr::sum, budget),
        None => Ok(None),
    }
}

/// Body and bounds in their simplest form, if the bounds do not depend on the index.
fn operands(
    body: &Expr,
    k: &Symbol,
    first: &Expr,
    last: &Expr,
    budget: &mut Budget,
) -> Found<(Expr, Expr, Expr)> {
    let (first, last) = (tidy(first, budget)?, tidy(last, budget)?);
    let body = tidy(body, budget)?;
    let bound = depends(&first, k) || depends(&last, k) || first == INFINITY;
    Ok((!bound).then_some((body, first, last)))
}

/// The number of indices between literal bounds.
fn length(first: &Expr, last: &Expr) -> Option<i64> {
    integer(last)?.checked_sub(integer(first)?)?.checked_add(1)
}

fn unroll(
    body: &Expr,
    k: &Symbol,
    first: &Expr,
    length: i64,
    combine: fn(Vec<Expr>) -> Expr,
    budget: &mut Budget,
) -> Found<Expr> {
    let Some(first) = integer(first).filter(|_| length <= MAX_UNROLLED) else { return Ok(None) };
    budget.spend(length.unsigned_abs().saturating_mul(size(body)).saturating_mul(2))?;
    let terms = (0..length).filter_map(|n| Some(substitute(body, k, &int(first.checked_add(n)?))));
    let whole = combine(terms.collect());
    tidy(&whole, budget).map(Some)
}

/// Sums term by term.
fn closed_form(
    body: &Expr,
    k: &Symbol,
    first: &Expr,
    last: &Expr,
    budget: &mut Budget,
) -> Found<Expr> {
    if let Some(total) = summed(body, k, first, last, budget)? {
        return Ok(Some(total));
    }
    let Some(Expr::Add(terms)) = expand(body, budget)? else { return Ok(None) };
    let mut totals = Vec::with_capacity(terms.len());
    for term in &terms {
        totals.push(found!(summed(term, k, first, last, budget)));
    }
    add(totals, budget).map(Some)
}

fn summed(body: &Expr, k: &Symbol, first: &Expr, last: &Expr, budget: &mut Budget) -> Found<Expr> {
    let infinite = *last == INFINITY;
    if let Some(coefficients) = polynomial(body, k, MAX_DEGREE, budget)? {
        if infinite {
            return Ok(
                matches!(coefficients.as_slice(), [c] if integer(c) == Some(0)).then(|| int(0))
            );
        }
        return faulhaber(&coefficients, first, last, budget).map(Some);
    }
    if let Some(total) = telescoping(body, k, first, last, budget)? {
        return Ok(Some(total));
    }
    let Some(term) = Term::read(body, k, budget)? else { return Ok(None) };
    term.sum(first, last, budget)
}

/// Σ p(k), as a polynomial of the bounds.
fn faulhaber(
    coefficients: &[Expr],
    first: &Expr,
    last: &Expr,
    budget: &mut Budget,
) -> Result<Expr, Spent> {
    let bernoulli = bernoulli(coefficients.len(), budget)?;
    // q(n) = Σ_{k=1}^n p(k)
    let mut q = vec![Vec::new(); coefficients.len() + 1];
    for (p, c) in coefficients.iter().enumerate() {
        let mut binomial = RBig::ONE;
        for (j, b) in bernoulli.iter().enumerate().take(p + 1) {
            budget.spend(4)?;
            let b = if j == 1 { -b.clone() } else { b.clone() };
            let part = &binomial * b / RBig::from(p + 1);
            let term = mul(vec![Expr::rational(part), c.clone()], budget)?;
            if let Some(sum) = q.get_mut(p + 1 - j) {
                sum.push(term);
            }
            binomial = binomial * RBig::from(p + 1 - j) / RBig::from(j + 1);
        }
    }
    let q = q.into_iter().map(|c| add(c, budget)).collect::<Result<Vec<_>, _>>()?;
    let before = add(vec![first.clone(), int(-1)], budget)?;
    let upper = evaluate(&q, last, budget)?;
    let lower = evaluate(&q, &before, budget)?;
    let lower = mul(vec![int(-1), lower], budget)?;
    add(vec![upper, lower], budget)
}

/// The first Bernoulli numbers, with B₁ = -1/2.
fn bernoulli(count: usize, budget: &mut Budget) -> Result<Vec<RBig>, Spent> {
    let mut numbers: Vec<RBig> = Vec::with_capacity(count);
    for m in 0..count {
        budget.spend(4 * m as u64 + 4)?;
        let mut binomial = RBig::ONE;
        let mut sum = RBig::ZERO;
        for (j, b) in numbers.iter().enumerate() {
            sum += &binomial * b;
            binomial = binomial * RBig::from(m + 1 - j) / RBig::from(j + 1);
        }
        numbers.push(if m == 0 { RBig::ONE } else { -sum / RBig::from(m + 1) });
    }
    Ok(numbers)
}

/// Σ of simple poles whose residues cancel, at distances that are whole numbers.
fn telescoping(
    body: &Expr,
    k: &Symbol,
    first: &Expr,
    last: &Expr,
    budget: &mut Budget,
) -> Found<Expr> {
    let (above, below) = found!(quotient(body, k, budget));
    if below.len() < 3 {
        return Ok(None);
    }
    let parts = found!(fractions(&above, &below, budget));
    if !parts.whole.is_empty() || parts.rest.is_some() || parts.poles.iter().any(|p| p.power > 1) {
        return Ok(None);
    }
    let residues = parts.poles.iter().fold(RBig::ZERO, |sum, pole| sum + &pole.coefficient);
    let Some(lowest) = parts.poles.iter().map(|pole| pole.root.clone()).min() else {
        return Ok(None);
    };
    // A pole among the indices would make the sum meaningless.
    let start = rational(first);
    let inside = |root: &RBig| match start {
        Some(start) => (root - start).is_int() && root >= start,
        None => false,
    };
    if !residues.is_zero() || parts.poles.iter().any(|pole| inside(&pole.root)) {
        return Ok(None);
    }
    // Σ_k 1/(k - r) - 1/(k - lowest) = Σ_j 1/(first - r + j) - 1/(last + 1 - r + j), j < r - lowest
    let mut terms = Vec::new();
    for pole in &parts.poles {
        let Some(distance) = whole(&(&pole.root - &lowest)).filter(|d| *d <= MAX_SHIFT) else {
            return Ok(None);
        };
        for j in 0..distance {
            let shift = RBig::from(j) - &pole.root;
            let c = Expr::rational(pole.coefficient.clone());
            let below = add(vec![first.clone(), Expr::rational(shift.clone())], budget)?;
            let below = pow(below, int(-1), budget)?;
            terms.push(mul(vec![c.clone(), below], budget)?);
            if *last != INFINITY {
                let shift = shift + RBig::ONE;
                let below = add(vec![last.clone(), Expr::rational(shift)], budget)?;
                let below = pow(below, int(-1), budget)?;
                terms.push(mul(vec![int(-1), c, below], budget)?);
            }
        }
    }
    add(terms, budget).map(Some)
}

/// c p(k) r^k / ((k + shift)^power) / k!
struct Term {
    constant: Expr,
    ratio: Expr,
    polynomial: Vec<Expr>,
    /// a, b and s of (a k + b)^-s.
    pole: Option<(RBig, RBig, usize)>,
    factorial: bool,
}

impl Term {
    fn read(body: &Expr, k: &Symbol, budget: &mut Budget) -> Found<Self> {
        let factors = if let Expr::Mul(items) = body { items } else { std::slice::from_ref(body) };
        let mut constant = vec![int(1)];
        let mut ratio = vec![int(1)];
        let mut rest = Vec::new();
        let mut pole = None;
        let mut factorial = false;
        for factor in factors {
            if !depends(factor, k) {
                constant.push(factor.clone());
                continue;
            }
            if let Expr::Pow(pair) = factor {
                if !depends(&pair.0, k) {
                    let (a, b) = found!(linear(&pair.1, k, budget));
                    ratio.push(pow(pair.0.clone(), a, budget)?);
                    constant.push(pow(pair.0.clone(), b, budget)?);
                    continue;
                }
                if let Some(s) = integer(&pair.1).filter(|s| (-12..0).contains(s)) {
                    let argument = Expr::Symbol(k.clone());
                    if s == -1 && pair.0 == Expr::call(Function::Factorial, argument) {
                        factorial = true;
                        continue;
                    }
                    let p = found!(poly(&pair.0, k, budget));
                    let [b, a] = p.as_slice() else { return Ok(None) };
                    if pole.is_some() {
                        return Ok(None);
                    }
                    let s = usize::try_from(s.unsigned_abs()).unwrap_or(1);
                    pole = Some((a.clone(), b.clone(), s));
                    continue;
                }
            }
            rest.push(factor.clone());
        }
        let rest = Expr::product(rest);
        let polynomial = found!(polynomial(&rest, k, MAX_DEGREE, budget));
        let constant = mul(constant, budget)?;
        let ratio = mul(ratio, budget)?;
        Ok(Some(Self { constant, ratio, polynomial, pole, factorial }))
    }

    fn sum(&self, first: &Expr, last: &Expr, budget: &mut Budget) -> Found<Expr> {
        let infinite = *last == INFINITY;
        let total = match (&self.pole, self.factorial) {
            (None, false) => self.geometric(first, last, budget)?,
            (None, true) if infinite => self.exponential(first, budget)?,
            (Some((a, b, s)), false) if infinite => self.known_series(a, b, *s, first, budget)?,
            _ => None,
        };
        let total = found!(Ok(total));
        mul(vec![self.constant.clone(), total], budget).map(Some)
    }

    /// Σ p(k) r^k = r^(n+1) q(n+1) - r^m q(m), where r q(k+1) - q(k) = p(k).
    fn geometric(&self, first: &Expr, last: &Expr, budget: &mut Budget) -> Found<Expr> {
        let r = &self.ratio;
        let difference = add(vec![r.clone(), int(-1)], budget)?;
        if zero(&difference, budget)? != Some(false) {
            return Ok(None);
        }
        let inverse = pow(difference, int(-1), budget)?;
        let mut q: Vec<Expr> = Vec::new(); // highest first
        let degree = self.polynomial.len() - 1;
        for (i, p) in self.polynomial.iter().enumerate().rev() {
            let mut terms = vec![p.clone()];
            for (above, c) in q.iter().enumerate() {
                let j = degree - above;
                let binomial =
                    (0..i).fold(RBig::ONE, |b, n| b * RBig::from(j - n) / RBig::from(n + 1));
                let minus = Expr::rational(-binomial);
                terms.push(mul(vec![minus, r.clone(), c.clone()], budget)?);
            }
            let sum = add(terms, budget)?;
            q.push(mul(vec![inverse.clone(), sum], budget)?);
        }
        q.reverse();
        let power = pow(r.clone(), first.clone(), budget)?;
        let at_first = evaluate(&q, first, budget)?;
        let lower = mul(vec![int(-1), power, at_first], budget)?;
        if *last == INFINITY {
            return Ok(self.converges(budget)?.then_some(lower));
        }
        let after = add(vec![last.clone(), int(1)], budget)?;
        let power = pow(r.clone(), after.clone(), budget)?;
        let at_last = evaluate(&q, &after, budget)?;
        let upper = mul(vec![power, at_last], budget)?;
        add(vec![upper, lower], budget).map(Some)
    }

    /// Whether |r| < 1. A power series stands for its sum where it has one.
    fn converges(&self, budget: &mut Budget) -> Result<bool, Spent> {
        if !free_symbols(&self.ratio).is_empty() {
            return Ok(true);
        }
        let square = pow(self.ratio.clone(), int(2), budget)?;
        let square = mul(vec![int(-1), square], budget)?;
        let margin = add(vec![int(1), square], budget)?;
        Ok(bounds::sign(&margin, budget)? == Some(Ordering::Greater))
    }

    /// Σ p(k) x^k / k! with p in falling powers of k.
    fn exponential(&self, first: &Expr, budget: &mut Budget) -> Found<Expr> {
        let Some(start) = integer(first).filter(|m| (0..=20).contains(m)) else { return Ok(None) };
        let x = &self.ratio;
        let mut coefficients = self.polynomial.clone();
        let mut falling = Vec::new();
        let mut j = 0i64;
        while !coefficients.is_empty() {
            // Synthetic division by (k - j): the remainder is the coefficient.
            let mut carry = int(0);
            let mut quotient = Vec::with_capacity(coefficients.len());
            for c in coefficients.iter().rev() {
                let moved = mul(vec![int(j), carry], budget)?;
                carry = add(vec![c.clone(), moved], budget)?;
                quotient.push(carry.clone());
            }
            quotient.pop();
            quotient.reverse();
            let power = pow(x.clone(), int(j), budget)?;
            falling.push(mul(vec![carry, power], budget)?);
            coefficients = quotient;
            j += 1;
        }
        let whole = add(falling, budget)?;
        let e = pow(Expr::Constant(Constant::E), x.clone(), budget)?;
        let whole = mul(vec![whole, e], budget)?;
        self.without_start(whole, start, budget)
    }

    /// The sum from 0, less the terms before the start.
    fn without_start(&self, whole: Expr, start: i64, budget: &mut Budget) -> Found<Expr> {
        let mut terms = vec![whole];
        for n in 0..start {
            let p = evaluate(&self.polynomial, &int(n), budget)?;
            let power = pow(self.ratio.clone(), int(n), budget)?;
            let factorial = Expr::call(Function::Factorial, int(n)).recip();
            let factorial = tidy(&factorial, budget)?;
            terms.push(mul(vec![int(-1), p, power, factorial], budget)?);
        }
        add(terms, budget).map(Some)
    }

    /// Σ (±1)^k (a k + b)^-s and Σ r^k / k.
    fn known_series(
        &self,
        a: &RBig,
        b: &RBig,
        s: usize,
        first: &Expr,
        budget: &mut Budget,
    ) -> Found<Expr> {
        let Some(start) = integer(first).filter(|m| m.abs() <= MAX_SHIFT) else { return Ok(None) };
        let [factor] = self.polynomial.as_slice() else { return Ok(None) };
        // (a k + b)^-s = a^-s (k + shift)^-s
        let shift = b / a;
        let outer = pow(Expr::rational(a.clone()), int(-i64::try_from(s).unwrap_or(1)), budget)?;
        let from = RBig::from(start) + &shift;
        if from <= RBig::ZERO || from > RBig::from(MAX_SHIFT) {
            return Ok(None);
        }
        let doubled = whole(&(from.clone() * RBig::from(2)));
        let Some(doubled) = doubled else { return Ok(None) };
        let offset = if doubled % 2 == 0 { RBig::ONE } else { super::algebra::half() };
        let odd = doubled % 2 != 0;
        // r^k = r^start r^(k - start); the known sum runs over j = 0, 1, .. of r^j / (offset + j)^s.
        let Some(skipped) = whole(&(&from - &offset)) else { return Ok(None) };
        let total = match integer(&self.ratio) {
            Some(1) if s >= 2 && s.is_multiple_of(2) => zeta(s, odd, budget)?,
            Some(-1) => found!(alternating(s, odd, budget)),
            _ if s == 1 && !odd && self.converges(budget)? => {
                // Σ r^j / (j + 1) = -ln(1 - r) / r
                let minus = mul(vec![int(-1), self.ratio.clone()], budget)?;
                let inside = add(vec![int(1), minus], budget)?;
                let log = super::algebra::call(&Function::Ln, vec![inside], budget)?;
                let inverse = pow(self.ratio.clone(), int(-1), budget)?;
                mul(vec![int(-1), log, inverse], budget)?
            }
            _ => return Ok(None),
        };
        let mut terms = vec![total];
        for j in 0..skipped {
            let below = &offset + RBig::from(j);
            let power = pow(self.ratio.clone(), int(j), budget)?;
            let s = i64::try_from(s).unwrap_or(1);
            let below = pow(Expr::rational(below), int(-s), budget)?;
            terms.push(mul(vec![int(-1), power, below], budget)?);
        }
        let tail = add(terms, budget)?;
        let power = pow(self.ratio.clone(), int(start - skipped), budget)?;
        mul(vec![factor.clone(), outer, power, tail], budget).map(Some)
    }
}

/// ζ(s) for even s, or Σ (j + 1/2)^-s.
fn zeta(s: usize, odd: bool, budget: &mut Budget) -> Result<Expr, Spent> {
    // |B_s| (2π)^s / (2 s!)
    let numbers = bernoulli(s + 1, budget)?;
    let b = numbers.last().cloned().unwrap_or(RBig::ZERO);
    let magnitude = if b < RBig::ZERO { -b } else { b };
    let factorial = (1..=s).fold(RBig::ONE, |f, n| f * RBig::from(n));
    let two = RBig::from(UBig::from(2u8).pow(s));
    let mut c = magnitude * &two / (RBig::from(2) * factorial);
    if odd {
        c *= two - RBig::ONE;
    }
    let power = pow(PI, int(i64::try_from(s).unwrap_or(2)), budget)?;
    mul(vec![Expr::rational(c), power], budget)
}

/// Σ (-1)^j (j + 1)^-s, or Σ (-1)^j (j + 1/2)^-s.
fn alternating(s: usize, odd: bool, budget: &mut Budget) -> Found<Expr> {
    let fraction = |n: i64, d: u64| Expr::rational(RBig::from_parts(IBig::from(n), UBig::from(d)));
    let pi_power = |c: Expr, n: i64, budget: &mut Budget| {
        let power = pow(PI, int(n), budget)?;
        mul(vec![c, power], budget).map(Some)
    };
    match (s, odd) {
        (1, false) => Ok(Some(Expr::call(Function::Ln, int(2)))),
        (1, true) => pi_power(fraction(1, 2), 1, budget),
        (3, true) => pi_power(fraction(1, 4), 3, budget),
        (5, true) => pi_power(fraction(5, 48), 5, budget),
        (s, false) if s % 2 == 0 => {
            let two = RBig::from(UBig::from(2u8).pow(s - 1));
            let c = RBig::ONE - RBig::ONE / two;
            let zeta = zeta(s, false, budget)?;
            mul(vec![Expr::rational(c), zeta], budget).map(Some)
        }
        _ => Ok(None),
    }
}

pub(super) fn product(
    body: &Expr,
    k: &Symbol,
    first: &Expr,
    last: &Expr,
    budget: &mut Budget,
) -> Found<Expr> {
    let (body, first, last) = found!(operands(body, k, first, last, budget));
    match length(&first, &last) {
        Some(n) if n < 0 => return Ok(None),
        Some(0) => return Ok(Some(int(1))),
        Some(n) if n <= MAX_UNROLLED => {
            return unroll(&body, k, &first, n, Expr::product, budget);
        }
        _ => {}
    }
    if last == INFINITY {
        let n = fresh(&body, &free_symbols(&first));
        let partial = found!(rational_product(&body, k, &first, &Expr::Symbol(n.clone()), budget));
        let value = found!(limit(&partial, &n, &INFINITY, Side::Both, budget));
        return Ok(Some(value).filter(|value| !super::limit::infinite_value(value)));
    }
    if !depends(&body, k) {
        let before = mul(vec![int(-1), first], budget)?;
        let count = add(vec![last, before, int(1)], budget)?;
        return pow(body, count, budget).map(Some);
    }
    rational_product(&body, k, &first, &last, budget)
}

/// Π c (k + b₁)^e₁ (k + b₂)^e₂ .. with whole distances of the b.
fn rational_product(
    body: &Expr,
    k: &Symbol,
    first: &Expr,
    last: &Expr,
    budget: &mut Budget,
) -> Found<Expr> {
    let Some(start) = rational(first) else { return Ok(None) };
    let (above, below) = found!(quotient(body, k, budget));
    let (Some(top), Some(bottom)) = (above.last(), below.last()) else { return Ok(None) };
    let constant = top / bottom;
    let (zeros, rest) = found!(roots(&above, budget));
    let (poles, other) = found!(roots(&below, budget));
    if rest.len() != 1 || other.len() != 1 {
        return Ok(None);
    }
    let signed = |n: &usize| i64::try_from(*n).unwrap_or(0);
    let mut factors: Vec<(RBig, i64)> =
        zeros.iter().map(|(r, n)| (-r.clone(), signed(n))).collect();
    factors.extend(poles.iter().map(|(r, n)| (-r.clone(), -signed(n))));
    let Some(lowest) = factors.iter().map(|(b, _)| b.clone()).min() else { return Ok(None) };
    if &lowest + start <= RBig::ZERO {
        return Ok(None);
    }
    let minus = mul(vec![int(-1), first.clone()], budget)?;
    let count = add(vec![last.clone(), minus, int(1)], budget)?;
    let mut result = vec![pow(Expr::rational(constant), count, budget)?];
    let mut total = 0i64;
    for (b, e) in &factors {
        total += e;
        let Some(distance) = whole(&(b - &lowest)).filter(|d| *d <= MAX_SHIFT) else {
            return Ok(None);
        };
        for j in 0..distance {
            // Π (k + b) / Π (k + lowest) = Π_j (last + lowest + 1 + j) / (first + lowest + j)
            let shift = &lowest + RBig::from(j);
            let upper = Expr::rational(&shift + RBig::ONE);
            let upper = add(vec![last.clone(), upper], budget)?;
            let lower = add(vec![first.clone(), Expr::rational(shift)], budget)?;
            result.push(pow(upper, int(*e), budget)?);
            result.push(pow(lower, int(-e), budget)?);
        }
    }
    if total != 0 {
        if !(&lowest + start).is_int() {
            return Ok(None);
        }
        let upper = add(vec![last.clone(), Expr::rational(lowest.clone())], budget)?;
        let lower = Expr::rational(lowest + start - RBig::ONE);
        for (argument, e) in [(upper, total), (lower, -total)] {
            let factorial = tidy(&Expr::call(Function::Factorial, argument), budget)?;
            result.push(pow(factorial, int(e), budget)?);
        }
    }
    mul(result, budget).map(Some)
}
