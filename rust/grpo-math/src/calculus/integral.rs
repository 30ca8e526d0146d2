//! Antiderivatives by rule, and definite integrals from them.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::sync::Arc;

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::algebra::{
    INFINITY, PI, add, call, evaluate, expand, half, int, integer, mul, polynomial, pow, rational,
    tidy, whole,
};
use super::bounds::{self, Interval};
use super::derivative::{derivative, linear};
use super::limit::{infinite_value, limit};
use super::rational::{End, fractions, poly, quotient, roots_between};
use crate::budget::{Budget, Found, Spent};
use crate::expr::{Constant, Expr, Function, Side, Symbol};
use crate::tree::{any, depends, each, free_symbols, map, substitute};

/// How deep substitutions and integrations by parts nest.
const MAX_DEPTH: u8 = 4;
/// The highest degree of a polynomial factor.
const MAX_DEGREE: usize = 12;
/// Into how many parts an interval is cut to exclude a zero.
const PARTS: i32 = 32;

const E: Expr = Expr::Constant(Constant::E);

fn fraction(n: i64, d: u64) -> Expr {
    Expr::rational(RBig::from_parts(IBig::from(n), UBig::from(d)))
}

pub(super) fn integral(
    body: &Expr,
    x: &Symbol,
    bounds: Option<&(Expr, Expr)>,
    budget: &mut Budget,
) -> Found<Expr> {
    let body = tidy(body, budget)?;
    let Some((lower, upper)) = bounds else {
        let f = found!(antiderivative(&body, x, budget));
        return add(vec![f, Expr::symbol("C")], budget).map(Some);
    };
    let (lower, upper) = (tidy(lower, budget)?, tidy(upper, budget)?);
    if depends(&lower, x) || depends(&upper, x) {
        return Ok(None);
    }
    if lower == upper {
        return Ok((!infinite_value(&lower)).then(|| int(0)));
    }
    if let Some(value) = gaussian(&body, x, &lower, &upper, budget)? {
        return Ok(Some(value));
    }
    let f = found!(antiderivative(&body, x, budget));
    definite(&f, x, &lower, &upper, budget)
}

/// F(upper) - F(lower) where F is continuous between.
fn definite(f: &Expr, x: &Symbol, lower: &Expr, upper: &Expr, budget: &mut Budget) -> Found<Expr> {
    let symbolic = !free_symbols(lower).is_empty() || !free_symbols(upper).is_empty();
    let (mut from, mut to) = (lower, upper);
    if !symbolic {
        let range = found!(Range::new(lower, upper, budget));
        if range.reversed {
            std::mem::swap(&mut from, &mut to);
        }
        if !range.continuous(f, x, budget)? {
            return Ok(None);
        }
    }
    let start = found!(value_at(f, x, from, Side::Right, symbolic, budget));
    let end = found!(value_at(f, x, to, Side::Left, symbolic, budget));
    if infinite_value(&start) || infinite_value(&end) {
        return Ok(None);
    }
    let sign = if from == lower { 1 } else { -1 };
    let start = mul(vec![int(-sign), start], budget)?;
    let end = mul(vec![int(sign), end], budget)?;
    add(vec![end, start], budget).map(Some)
}

fn value_at(
    f: &Expr,
    x: &Symbol,
    point: &Expr,
    side: Side,
    symbolic: bool,
    budget: &mut Budget,
) -> Found<Expr> {
    if !infinite_value(point) {
        let value = tidy(&substitute(f, x, point), budget)?;
        if symbolic && !free_symbols(&value).is_empty()
            || bounds::enclose(&value, None, budget)?.is_some()
        {
            return Ok(Some(value));
        }
    }
    limit(f, x, point, side, budget)
}

/// ∫ x^n e^(-a x² + b x + c) over the line, or over the half line where b is zero.
fn gaussian(
    body: &Expr,
    x: &Symbol,
    lower: &Expr,
    upper: &Expr,
    budget: &mut Budget,
) -> Found<Expr> {
    let line = infinite_value(lower) && *lower != INFINITY && *upper == INFINITY;
    let half_line = integer(lower) == Some(0) && *upper == INFINITY;
    if !line && !half_line {
        return Ok(None);
    }
    let factors = if let Expr::Mul(items) = body { items } else { std::slice::from_ref(body) };
    let (outer, inner): (Vec<Expr>, Vec<Expr>) =
        factors.iter().cloned().partition(|factor| !is_exponential(factor));
    let [Expr::Pow(pair)] = inner.as_slice() else { return Ok(None) };
    let exponent = found!(polynomial(&pair.1, x, 2, budget));
    let [c, b, a] = exponent.as_slice() else { return Ok(None) };
    let outer = found!(polynomial(&Expr::product(outer), x, MAX_DEGREE, budget));
    // A parameter is taken for positive, as the integral exists only then.
    let a = mul(vec![int(-1), a.clone()], budget)?;
    if free_symbols(&a).is_empty() && bounds::sign(&a, budget)? != Some(Ordering::Greater) {
        return Ok(None);
    }
    let centred = integer(b) == Some(0);
    if !centred && (half_line || outer.len() > 1) {
        return Ok(None);
    }
    // Moments: ∫ x^(2m) e^(-a x²) = √(π/a) (2m-1)!! / (2a)^m; over half the line also odd ones.
    let inverse = pow(a.clone(), int(-1), budget)?;
    let root = mul(vec![PI, inverse.clone()], budget)?;
    let root = call(&Function::Root, vec![root, int(2)], budget)?;
    let side = if half_line { fraction(1, 2) } else { int(1) };
    let mut even = mul(vec![side, root], budget)?;
    let mut odd =
        if half_line { mul(vec![fraction(1, 2), inverse.clone()], budget)? } else { int(0) };
    let mut terms = Vec::new();
    for (n, p) in (0i64..).zip(&outer) {
        let moment = if n % 2 == 0 { &mut even } else { &mut odd };
        terms.push(mul(vec![p.clone(), moment.clone()], budget)?);
        *moment = mul(vec![fraction(n + 1, 2), inverse.clone(), moment.clone()], budget)?;
    }
    let total = add(terms, budget)?;
    let square = pow(b.clone(), int(2), budget)?;
    let shift = mul(vec![fraction(1, 4), square, inverse], budget)?;
    let shift = add(vec![shift, c.clone()], budget)?;
    let scale = pow(E, shift, budget)?;
    mul(vec![scale, total], budget).map(Some)
}

fn is_exponential(e: &Expr) -> bool {
    matches!(e, Expr::Pow(pair) if pair.0 == E)
}

/// A function with the given derivative; without a constant.
fn antiderivative(e: &Expr, x: &Symbol, budget: &mut Budget) -> Found<Expr> {
    // Inside, radicals are powers; a cube root stays one on the way out.
    let odd = any(e, &|node| match node {
        Expr::Call(Function::Root, arguments) => {
            arguments.get(1).and_then(integer).is_none_or(|n| n % 2 != 0)
        }
        _ => false,
    });
    let powers = tidy(&without_roots(e), budget)?;
    let Some(f) = find(&powers, x, 0, budget)? else { return Ok(None) };
    let f = if odd { with_odd_roots(&f) } else { f };
    tidy(&f, budget).map(Some)
}

fn mapped(e: &Expr, f: fn(&Expr) -> Expr) -> Expr {
    let Ok(result) = map::<Infallible>(e, &mut |child| Ok(f(child)));
    result
}

fn without_roots(e: &Expr) -> Expr {
    let e = mapped(e, without_roots);
    match &e {
        Expr::Call(Function::Root, arguments) => match arguments.as_slice() {
            [u, n] if integer(n).is_some_and(|n| n > 0) => {
                let n = rational(n).cloned().unwrap_or(RBig::ONE);
                u.clone().pow(Expr::rational(RBig::ONE / n))
            }
            _ => e,
        },
        _ => e,
    }
}

fn with_odd_roots(e: &Expr) -> Expr {
    let e = mapped(e, with_odd_roots);
    if let Expr::Pow(pair) = &e
        && let Some(exponent) = rational(&pair.1)
        && !exponent.is_int()
        && let Ok(index) = i64::try_from(exponent.denominator())
        && index % 2 == 1
    {
        let root = Expr::Call(Function::Root, vec![pair.0.clone(), int(index)]);
        return root.pow(Expr::rational(exponent.numerator().clone().into()));
    }
    e
}

fn find(e: &Expr, x: &Symbol, depth: u8, budget: &mut Budget) -> Found<Expr> {
    budget.spend(10)?;
    if depth > MAX_DEPTH {
        return Ok(None);
    }
    if !depends(e, x) {
        return mul(vec![e.clone(), Expr::Symbol(x.clone())], budget).map(Some);
    }
    if let Some(coefficients) = polynomial(e, x, MAX_DEGREE, budget)? {
        let mut raised = vec![int(0)];
        for (n, c) in (1u64..).zip(coefficients) {
            raised.push(mul(vec![c, fraction(1, n)], budget)?);
        }
        return evaluate(&raised, &Expr::Symbol(x.clone()), budget).map(Some);
    }
    match e {
        Expr::Add(terms) => {
            let mut sums = Vec::with_capacity(terms.len());
            for term in terms {
                sums.push(found!(find(term, x, depth, budget)));
            }
            return add(sums, budget).map(Some);
        }
        Expr::Mul(factors) => {
            let (inner, outer): (Vec<Expr>, Vec<Expr>) =
                factors.iter().cloned().partition(|factor| depends(factor, x));
            if !outer.is_empty() {
                let inner = found!(find(&Expr::product(inner), x, depth, budget));
                let mut product = outer;
                product.push(inner);
                return mul(product, budget).map(Some);
            }
        }
        _ => {}
    }
    for rule in [known, of_quotient, of_radical, by_parts, of_sines] {
        if let Some(f) = rule(e, x, depth, budget)? {
            return Ok(Some(f));
        }
    }
    if let Some(f) = by_substitution(e, x, depth, budget)? {
        return Ok(Some(f));
    }
    if let Some(expanded @ Expr::Add(_)) = expand(e, budget)?
        && !matches!(e, Expr::Add(_))
    {
        return find(&expanded, x, depth + 1, budget);
    }
    let plain = tidy(&in_sines(e), budget)?;
    if plain == *e { Ok(None) } else { find(&plain, x, depth + 1, budget) }
}

/// tan, cot, sec and csc by sine and cosine.
fn in_sines(e: &Expr) -> Expr {
    let e = mapped(e, in_sines);
    let Expr::Call(function, arguments) = &e else { return e };
    let [u] = arguments.as_slice() else { return e };
    let (sin, cos) = (Expr::call(Function::Sin, u.clone()), Expr::call(Function::Cos, u.clone()));
    match function {
        Function::Tan => sin.quotient(cos),
        Function::Cot => cos.quotient(sin),
        Function::Sec => cos.recip(),
        Function::Csc => sin.recip(),
        _ => e,
    }
}

fn log_abs(u: Expr) -> Expr {
    Expr::call(Function::Ln, Expr::call(Function::Abs, u))
}

/// Elementary functions of a x + b.
fn known(e: &Expr, x: &Symbol, _: u8, budget: &mut Budget) -> Found<Expr> {
    let (f, a) = match e {
        Expr::Pow(pair) => {
            let (base, exponent) = (&pair.0, &pair.1);
            if depends(base, x) && depends(exponent, x) {
                return Ok(None);
            }
            if depends(exponent, x) {
                let (a, _) = found!(linear(exponent, x, budget));
                let log = call(&Function::Ln, vec![base.clone()], budget)?;
                (e.clone().quotient(log), a)
            } else if let Some((a, _)) = linear(base, x, budget)? {
                if integer(exponent) == Some(-1) {
                    (log_abs(base.clone()), a)
                } else {
                    let raised = add(vec![exponent.clone(), int(1)], budget)?;
                    (base.clone().pow(raised.clone()).quotient(raised), a)
                }
            } else if let Expr::Call(function, arguments) = base
                && let ([u], Some(n)) = (arguments.as_slice(), integer(exponent))
            {
                let Some(f) = of_power(function, n, u) else { return Ok(None) };
                let (a, _) = found!(linear(u, x, budget));
                (f, a)
            } else {
                return Ok(None);
            }
        }
        Expr::Call(function, arguments) => {
            let [u] = arguments.as_slice() else { return Ok(None) };
            let Some(f) = of_function(function, u) else { return Ok(None) };
            let (a, _) = found!(linear(u, x, budget));
            (f, a)
        }
        _ => return Ok(None),
    };
    tidy(&f.quotient(a), budget).map(Some)
}

fn of_function(function: &Function, u: &Expr) -> Option<Expr> {
    let at = |f: Function| Expr::call(f, u.clone());
    let times = |f: Function| Expr::product([u.clone(), at(f)]);
    let square = || u.clone().pow(int(2));
    let log = |e: Expr| Expr::product([fraction(1, 2), Expr::call(Function::Ln, e)]);
    Some(match function {
        Function::Sin => at(Function::Cos).negate(),
        Function::Cos => at(Function::Sin),
        Function::Tan => log_abs(at(Function::Cos)).negate(),
        Function::Cot => log_abs(at(Function::Sin)),
        Function::Sec => log_abs(Expr::sum([at(Function::Sec), at(Function::Tan)])),
        Function::Csc => log_abs(Expr::sum([at(Function::Csc), at(Function::Cot)])).negate(),
        Function::Sinh => at(Function::Cosh),
        Function::Cosh => at(Function::Sinh),
        Function::Tanh => Expr::call(Function::Ln, at(Function::Cosh)),
        Function::Abs => Expr::product([fraction(1, 2), times(Function::Abs)]),
        Function::Ln => Expr::sum([times(Function::Ln), u.clone().negate()]),
        Function::Atan => {
            Expr::sum([times(Function::Atan), log(Expr::sum([int(1), square()])).negate()])
        }
        Function::Asin => {
            Expr::sum([times(Function::Asin), Expr::sum([int(1), square().negate()]).sqrt()])
        }
        Function::Acos => Expr::sum([
            times(Function::Acos),
            Expr::sum([int(1), square().negate()]).sqrt().negate(),
        ]),
        _ => return None,
    })
}

fn of_power(function: &Function, n: i64, u: &Expr) -> Option<Expr> {
    let at = |f: Function| Expr::call(f, u.clone());
    Some(match (function, n) {
        (Function::Cos, -2) | (Function::Sec, 2) => at(Function::Tan),
        (Function::Sin, -2) | (Function::Csc, 2) => at(Function::Cot).negate(),
        (Function::Cos, -1) => {
            log_abs(Expr::sum([int(1), at(Function::Sin)]).quotient(at(Function::Cos)))
        }
        (Function::Sin, -1) => {
            log_abs(Expr::sum([int(1), at(Function::Cos)]).quotient(at(Function::Sin))).negate()
        }
        (Function::Tan, 2) => at(Function::Tan).minus(u.clone()),
        (Function::Cot, 2) => at(Function::Cot).negate().minus(u.clone()),
        (Function::Cosh, -2) => at(Function::Tanh),
        (Function::Tanh, 2) => u.clone().minus(at(Function::Tanh)),
        _ => return None,
    })
}

/// Quotients of polynomials, by partial fractions; also 1 over a quadratic with parameters.
fn of_quotient(e: &Expr, x: &Symbol, _: u8, budget: &mut Budget) -> Found<Expr> {
    let own = || Expr::Symbol(x.clone());
    let Some((above, below)) = quotient(e, x, budget)? else {
        return match e {
            Expr::Pow(pair) if integer(&pair.1) == Some(-1) => over_quadratic(&pair.0, x, budget),
            _ => Ok(None),
        };
    };
    let parts = found!(fractions(&above, &below, budget));
    let mut terms = Vec::new();
    for (n, c) in (1i64..).zip(parts.whole) {
        terms.push(Expr::product([Expr::rational(c / RBig::from(n)), own().pow(int(n))]));
    }
    for pole in parts.poles {
        let base = Expr::sum([own(), Expr::rational(-pole.root)]);
        let power = i64::try_from(pole.power).unwrap_or(1);
        terms.push(if power == 1 {
            Expr::product([Expr::rational(pole.coefficient), log_abs(base)])
        } else {
            let c = pole.coefficient / RBig::from(1 - power);
            Expr::product([Expr::rational(c), base.pow(int(1 - power))])
        });
    }
    if let Some((p, q)) = parts.rest {
        let [c, b, a] = q.as_slice() else { return Ok(None) };
        // (p₁ x + p₀)/q = p₁/(2a) q'/q + (p₀ - p₁ b/(2a))/q
        let zero = RBig::ZERO;
        let (p0, p1) = (p.first().unwrap_or(&zero), p.get(1).unwrap_or(&zero));
        let two_a = RBig::from(2) * a;
        let number = |r: &RBig| Expr::rational(r.clone());
        let quadratic = evaluate(&[number(c), number(b), number(a)], &own(), budget)?;
        let log = p1 / &two_a;
        let rest = p0 - &log * b;
        let atan = found!(over_quadratic(&quadratic, x, budget));
        terms.push(Expr::product([Expr::rational(log), log_abs(quadratic)]));
        terms.push(Expr::product([Expr::rational(rest), atan]));
    }
    tidy(&Expr::sum(terms), budget).map(Some)
}

/// The leading coefficient a, the shift h and the rest d of a ((x + h)² + d).
fn completed_square(q: &Expr, x: &Symbol, budget: &mut Budget) -> Found<(Expr, Expr, Expr)> {
    let coefficients = found!(polynomial(q, x, 2, budget));
    let [c, b, a] = coefficients.as_slice() else { return Ok(None) };
    let h = tidy(&b.clone().quotient(Expr::product([int(2), a.clone()])), budget)?;
    let d = c.clone().quotient(a.clone()).minus(h.clone().pow(int(2)));
    Ok(Some((a.clone(), h, tidy(&d, budget)?)))
}

fn over_quadratic(q: &Expr, x: &Symbol, budget: &mut Budget) -> Found<Expr> {
    let (a, h, d) = found!(completed_square(q, x, budget));
    let shifted = Expr::sum([Expr::Symbol(x.clone()), h]);
    let sign = if free_symbols(&d).is_empty() {
        bounds::sign(&d, budget)?
    } else {
        is_square(&d).then_some(Ordering::Greater)
    };
    let f = match sign {
        Some(Ordering::Greater) => {
            let root = real_root(&d);
            Expr::call(Function::Atan, shifted.quotient(root.clone())).quotient(root)
        }
        Some(Ordering::Less) => {
            let root = real_root(&d.negate());
            let ratio =
                shifted.clone().minus(root.clone()).quotient(Expr::sum([shifted, root.clone()]));
            log_abs(ratio).quotient(Expr::product([int(2), root]))
        }
        _ => return Ok(None),
    };
    tidy(&f.quotient(a), budget).map(Some)
}

/// Whether a parameter is plainly the square of a real one.
fn is_square(e: &Expr) -> bool {
    match e {
        Expr::Number(number) => number.value > RBig::ZERO,
        Expr::Mul(factors) => factors.iter().all(is_square),
        Expr::Pow(pair) => integer(&pair.1).is_some_and(|n| n % 2 == 0),
        _ => false,
    }
}

/// The root of a positive number; of a squared parameter the parameter, as its sign cancels.
fn real_root(e: &Expr) -> Expr {
    match e {
        Expr::Pow(pair) if integer(&pair.1) == Some(2) => pair.0.clone(),
        Expr::Mul(factors) => Expr::product(factors.iter().map(real_root)),
        _ => e.clone().sqrt(),
    }
}

/// The root of a quadratic, and its inverse.
fn of_radical(e: &Expr, x: &Symbol, _: u8, budget: &mut Budget) -> Found<Expr> {
    let Expr::Pow(pair) = e else { return Ok(None) };
    let Some(exponent) = rational(&pair.1) else { return Ok(None) };
    let inverse = *exponent == -half();
    if !inverse && *exponent != half() {
        return Ok(None);
    }
    let (a, h, d) = found!(completed_square(&pair.0, x, budget));
    let shifted = Expr::sum([Expr::Symbol(x.clone()), h]);
    let Some(sign) = bounds::sign(&a, budget)? else { return Ok(None) };
    let magnitude = if sign == Ordering::Less { a.negate() } else { a };
    let scale = magnitude.sqrt();
    let core = if sign == Ordering::Less {
        let radius = d.clone().negate();
        if free_symbols(&d).is_empty()
            && bounds::sign(&tidy(&d, budget)?, budget)? != Some(Ordering::Less)
        {
            return Ok(None);
        }
        Expr::call(Function::Asin, shifted.clone().quotient(radius.sqrt()))
    } else {
        let inner = Expr::sum([shifted.clone().pow(int(2)), d.clone()]).sqrt();
        log_abs(Expr::sum([shifted.clone(), inner]))
    };
    let f = if inverse {
        core.quotient(scale)
    } else {
        // For a < 0 the rest is negative: -d times the arc sine.
        let d = if sign == Ordering::Less { d.negate() } else { d };
        Expr::product([
            fraction(1, 2),
            Expr::sum([Expr::product([shifted, e.clone()]), Expr::product([scale, d, core])]),
        ])
    };
    tidy(&f, budget).map(Some)
}

/// A polynomial times an exponential, sine, cosine, logarithm or arc tangent; an exponential times
/// a sine or cosine.
fn by_parts(e: &Expr, x: &Symbol, depth: u8, budget: &mut Budget) -> Found<Expr> {
    let factors = if let Expr::Mul(items) = e { items } else { std::slice::from_ref(e) };
    let (polynomials, rest): (Vec<Expr>, Vec<Expr>) = factors.iter().cloned().partition(|f| {
        matches!(f, Expr::Symbol(_) | Expr::Add(_)) || {
            matches!(f, Expr::Pow(pair) if pair.0 == Expr::Symbol(x.clone())
                && rational(&pair.1).is_some())
        }
    });
    let outer = Expr::product(polynomials);
    match rest.as_slice() {
        [inner] => {
            if is_logarithmic(inner) {
                // ∫ p u = P u - ∫ P u'
                let raised = found!(find(&outer, x, depth + 1, budget));
                let slope = found!(derivative(inner, x, budget));
                let remaining =
                    tidy(&without_roots(&mul(vec![raised.clone(), slope], budget)?), budget)?;
                let remaining = match expand(&remaining, budget)? {
                    Some(expanded) => expanded,
                    None => remaining,
                };
                let remaining = found!(find(&remaining, x, depth + 1, budget));
                let first = mul(vec![raised, inner.clone()], budget)?;
                let remaining = mul(vec![int(-1), remaining], budget)?;
                return add(vec![first, remaining], budget).map(Some);
            }
            if !is_repeating(inner) || outer == int(1) {
                return Ok(None);
            }
            let coefficients = found!(polynomial(&outer, x, MAX_DEGREE, budget));
            let mut slope = evaluate(&coefficients, &Expr::Symbol(x.clone()), budget)?;
            let mut factor = inner.clone();
            let mut terms = Vec::new();
            let mut sign = 1;
            for _ in 0..coefficients.len() {
                factor = found!(known(&factor, x, depth, budget));
                // The antiderivative of a sine carries a factor; the rule wants the bare function.
                terms.push(mul(vec![int(sign), slope.clone(), factor.clone()], budget)?);
                slope = found!(derivative(&slope, x, budget));
                sign = -sign;
                let (constant, bare) = split_constant(&factor, x);
                if integer(&constant) != Some(1) {
                    slope = mul(vec![constant, slope], budget)?;
                    factor = bare;
                }
            }
            add(terms, budget).map(Some)
        }
        [a, b] if outer == int(1) => {
            let (exponential, wave) = if is_exponential(a) { (a, b) } else { (b, a) };
            damped_wave(exponential, wave, x, budget)
        }
        _ => Ok(None),
    }
}

fn split_constant(e: &Expr, x: &Symbol) -> (Expr, Expr) {
    let factors = if let Expr::Mul(items) = e { items.clone() } else { vec![e.clone()] };
    let (inner, outer): (Vec<Expr>, Vec<Expr>) =
        factors.into_iter().partition(|factor| depends(factor, x));
    (Expr::product(outer), Expr::product(inner))
}

fn is_logarithmic(e: &Expr) -> bool {
    match e {
        Expr::Call(function, _) => {
            matches!(function, Function::Ln | Function::Atan | Function::Asin | Function::Acos)
        }
        Expr::Pow(pair) => {
            matches!(&pair.0, Expr::Call(Function::Ln, _))
                && integer(&pair.1).is_some_and(|n| (2..=4).contains(&n))
        }
        _ => false,
    }
}

fn is_repeating(e: &Expr) -> bool {
    match e {
        Expr::Call(function, _) => {
            matches!(function, Function::Sin | Function::Cos | Function::Sinh | Function::Cosh)
        }
        Expr::Pow(pair) => rational(&pair.1).is_none(),
        _ => false,
    }
}

/// ∫ e^(a x + c) sin(b x + d) = e^.. (a sin - b cos) / (a² + b²), and the same with the cosine.
fn damped_wave(exponential: &Expr, wave: &Expr, x: &Symbol, budget: &mut Budget) -> Found<Expr> {
    let (Expr::Pow(pair), Expr::Call(function, arguments)) = (exponential, wave) else {
        return Ok(None);
    };
    let [u] = arguments.as_slice() else { return Ok(None) };
    if pair.0 != E {
        return Ok(None);
    }
    let (a, _) = found!(linear(&pair.1, x, budget));
    let (b, _) = found!(linear(u, x, budget));
    let (sin, cos) = (Expr::call(Function::Sin, u.clone()), Expr::call(Function::Cos, u.clone()));
    let inner = match function {
        Function::Sin => Expr::product([a.clone(), sin]).minus(Expr::product([b.clone(), cos])),
        Function::Cos => {
            Expr::sum([Expr::product([a.clone(), cos]), Expr::product([b.clone(), sin])])
        }
        _ => return Ok(None),
    };
    let below = Expr::sum([a.pow(int(2)), b.pow(int(2))]);
    let f = Expr::product([exponential.clone(), inner]).quotient(below);
    tidy(&f, budget).map(Some)
}

/// Products of sines and cosines, as sums of single ones.
fn of_sines(e: &Expr, x: &Symbol, depth: u8, budget: &mut Budget) -> Found<Expr> {
    let factors = if let Expr::Mul(items) = e { items } else { std::slice::from_ref(e) };
    let mut waves = Vec::new();
    let mut others = Vec::new();
    for factor in factors {
        let (base, n) = match factor {
            Expr::Pow(pair) => (&pair.0, integer(&pair.1).unwrap_or(0)),
            other => (other, 1),
        };
        match base {
            Expr::Call(function @ (Function::Sin | Function::Cos), arguments)
                if (1..=8).contains(&n) =>
            {
                let Some(u) = arguments.first() else { return Ok(None) };
                for _ in 0..n {
                    waves.push((*function == Function::Cos, u.clone()));
                }
            }
            _ => others.push(factor.clone()),
        }
    }
    if !(2..=8).contains(&waves.len()) {
        return Ok(None);
    }
    // Terms c·cos(u), or c·sin(u) if the flag is not set.
    let mut sum: Vec<(RBig, bool, Expr)> = Vec::new();
    for (cosine, u) in waves {
        if sum.is_empty() {
            sum.push((RBig::ONE, cosine, u));
            continue;
        }
        let mut next = Vec::new();
        for (c, other_cosine, v) in sum {
            let c = c * half();
            let less = tidy(&v.clone().minus(u.clone()), budget)?;
            let more = tidy(&Expr::sum([v, u.clone()]), budget)?;
            match (other_cosine, cosine) {
                (true, true) => next.extend([(c.clone(), true, less), (c, true, more)]),
                (false, false) => next.extend([(c.clone(), true, less), (-c, true, more)]),
                (false, true) => next.extend([(c.clone(), false, more), (c, false, less)]),
                (true, false) => next.extend([(c.clone(), false, more), (-c, false, less)]),
            }
        }
        sum = next;
        budget.spend(8 * sum.len() as u64)?;
    }
    let others = Expr::product(others);
    let mut terms = Vec::with_capacity(sum.len());
    for (c, cosine, u) in sum {
        let function = if cosine { Function::Cos } else { Function::Sin };
        let wave = match integer(&u) {
            Some(0) => int(i64::from(cosine)),
            _ => Expr::call(function, u),
        };
        terms.push(mul(vec![Expr::rational(c), wave, others.clone()], budget)?);
    }
    let whole = add(terms, budget)?;
    find(&whole, x, depth + 1, budget)
}

/// ∫ f(g(x)) g'(x) dx, with g sought among the parts of the integrand.
fn by_substitution(e: &Expr, x: &Symbol, depth: u8, budget: &mut Budget) -> Found<Expr> {
    let mut candidates = Vec::new();
    gather(e, x, &mut candidates);
    let u: Symbol = Arc::from(format!("\u{2032}s{depth}"));
    for g in candidates.into_iter().take(6) {
        budget.spend(20)?;
        let quotient = if let Some((a, b)) = linear(&g, x, budget)? {
            let back = Expr::Symbol(u.clone()).minus(b).quotient(a.clone());
            let inner = replace(e, &g, &u);
            substitute(&inner, x, &back).quotient(a)
        } else {
            let Some(slope) = derivative(&g, x, budget)? else { continue };
            let slope = tidy(&without_roots(&slope), budget)?;
            let inverse = pow(slope, int(-1), budget)?;
            replace(&mul(vec![e.clone(), inverse], budget)?, &g, &u)
        };
        let quotient = tidy(&quotient, budget)?;
        if depends(&quotient, x) {
            continue;
        }
        if let Some(f) = find(&quotient, &u, depth + 1, budget)? {
            return tidy(&substitute(&f, &u, &g), budget).map(Some);
        }
    }
    Ok(None)
}

/// Arguments, bases and exponents, and functions themselves, largest first.
fn gather(e: &Expr, x: &Symbol, found: &mut Vec<Expr>) {
    let mut offer = |part: &Expr| {
        let own = matches!(part, Expr::Symbol(name) if name == x);
        if !own && depends(part, x) && !found.contains(part) && found.len() < 12 {
            found.push(part.clone());
        }
    };
    match e {
        Expr::Pow(pair) => {
            if rational(&pair.1).is_none() {
                offer(e);
            }
            offer(&pair.1);
            offer(&pair.0);
        }
        Expr::Call(_, arguments) => {
            arguments.iter().for_each(&mut offer);
            offer(e);
        }
        _ => {}
    }
    each(e, &mut |child| gather(child, x, found));
}

/// The symbol in place of a part; e^(n w) is the n-th power of e^w.
fn replace(e: &Expr, part: &Expr, u: &Symbol) -> Expr {
    if e == part {
        return Expr::Symbol(u.clone());
    }
    if let (Expr::Pow(a), Expr::Pow(b)) = (e, part)
        && a.0 == b.0
        && rational(&b.1).is_none()
        && let (Some((n, v)), Some((m, w))) = (coefficient(&a.1), coefficient(&b.1))
        && v == w
    {
        return Expr::Symbol(u.clone()).pow(Expr::rational(n / m));
    }
    let Ok(result) = map::<Infallible>(e, &mut |child| Ok(replace(child, part, u)));
    result
}

fn coefficient(e: &Expr) -> Option<(RBig, Expr)> {
    let (c, rest) = super::algebra::split(e.clone());
    (!c.is_zero()).then_some((c, rest))
}

/// An open interval of integration.
struct Range {
    lower: End,
    upper: End,
    /// Whether the bounds were given in descending order.
    reversed: bool,
}

impl Range {
    /// Between closed bounds; irrational ones are moved outwards.
    fn new(lower: &Expr, upper: &Expr, budget: &mut Budget) -> Found<Self> {
        let (a, b) = (found!(enclosed(lower, budget)), found!(enclosed(upper, budget)));
        let reversed = if a.high < b.low {
            false
        } else if b.high < a.low {
            true
        } else {
            return Ok(None);
        };
        let (first, low, second, high) =
            if reversed { (upper, b.low, lower, a.high) } else { (lower, a.low, upper, b.high) };
        let ends = (end(first, low, End::MinusInfinity), end(second, high, End::Infinity));
        let (Some(lower), Some(upper)) = ends else { return Ok(None) };
        Ok(Some(Self { lower, upper, reversed }))
    }

    /// Whether a function is continuous in the open interval.
    fn continuous(&self, e: &Expr, x: &Symbol, budget: &mut Budget) -> Result<bool, Spent> {
        budget.spend(4)?;
        if !depends(e, x) {
            return Ok(true);
        }
        match e {
            Expr::Symbol(_) => Ok(true),
            Expr::Add(items) | Expr::Mul(items) => {
                for item in items {
                    if !self.continuous(item, x, budget)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Expr::Pow(pair) => {
                if !self.continuous(&pair.0, x, budget)? || !self.continuous(&pair.1, x, budget)? {
                    return Ok(false);
                }
                match rational(&pair.1).map(|n| (n, whole(n))) {
                    Some((_, Some(n))) if n >= 0 => Ok(true),
                    Some((_, Some(_))) => self.nonzero(&pair.0, x, budget),
                    _ if pair.0 == E => Ok(true),
                    _ => self.positive(&pair.0, x, budget),
                }
            }
            Expr::Call(function, arguments) => {
                let Some(u) = arguments.first() else { return Ok(false) };
                if !self.continuous(u, x, budget)? {
                    return Ok(false);
                }
                let at = |f: Function| Expr::call(f, u.clone());
                match function {
                    Function::Sin
                    | Function::Cos
                    | Function::Atan
                    | Function::Sinh
                    | Function::Cosh
                    | Function::Tanh
                    | Function::Asinh
                    | Function::Abs => Ok(true),
                    Function::Ln => match u {
                        Expr::Call(Function::Abs, inner) => match inner.first() {
                            Some(inner) => self.nonzero(inner, x, budget),
                            None => Ok(false),
                        },
                        _ => self.positive(u, x, budget),
                    },
                    Function::Root => match arguments.get(1).and_then(integer) {
                        Some(n) if n % 2 != 0 => Ok(true),
                        Some(_) => self.positive(u, x, budget),
                        None => Ok(false),
                    },
                    Function::Tan | Function::Sec => self.nonzero(&at(Function::Cos), x, budget),
                    Function::Cot | Function::Csc => self.nonzero(&at(Function::Sin), x, budget),
                    Function::Asin | Function::Acos => {
                        let inside = Expr::sum([int(1), u.clone().pow(int(2)).negate()]);
                        self.positive(&inside, x, budget)
                    }
                    _ => Ok(false),
                }
            }
            _ => Ok(false),
        }
    }

    /// Whether a continuous function is certainly not zero in the open interval.
    fn nonzero(&self, e: &Expr, x: &Symbol, budget: &mut Budget) -> Result<bool, Spent> {
        if let Some(p) = poly(e, x, budget)? {
            let roots = roots_between(&p, &self.lower, &self.upper, budget)?;
            return Ok(!p.is_empty() && roots == 0);
        }
        let low = match &self.lower {
            End::At(value) => value.to_f64_fast(),
            _ => f64::NEG_INFINITY,
        };
        let high = match &self.upper {
            End::At(value) => value.to_f64_fast(),
            _ => f64::INFINITY,
        };
        let parts = if low.is_finite() && high.is_finite() { PARTS } else { 1 };
        let mut seen = None;
        for part in 0..parts {
            let cut = |n: i32| {
                if parts == 1 {
                    return if n == 0 { low } else { high };
                }
                low + (high - low) * f64::from(n) / f64::from(parts)
            };
            let (a, b) = (cut(part), cut(part + 1));
            let margin = 1e-9 * (1.0 + a.abs().min(b.abs()));
            let piece = Interval { low: a - margin, high: b + margin };
            let sign = bounds::enclose(e, Some((x, piece)), budget)?.and_then(Interval::sign);
            if sign.is_none() || seen.is_some_and(|other| Some(other) != sign) {
                return Ok(false);
            }
            seen = sign;
        }
        Ok(true)
    }

    fn positive(&self, e: &Expr, x: &Symbol, budget: &mut Budget) -> Result<bool, Spent> {
        if !self.nonzero(e, x, budget)? {
            return Ok(false);
        }
        let inside = match (&self.lower, &self.upper) {
            (End::At(a), End::At(b)) => (a + b) * half(),
            (End::At(a), _) => a + RBig::ONE,
            (_, End::At(b)) => b - RBig::ONE,
            _ => RBig::ZERO,
        };
        let value = tidy(&substitute(e, x, &Expr::rational(inside)), budget)?;
        Ok(bounds::sign(&value, budget)? == Some(Ordering::Greater))
    }
}

fn enclosed(bound: &Expr, budget: &mut Budget) -> Found<Interval> {
    if infinite_value(bound) {
        let value = if *bound == INFINITY { f64::INFINITY } else { f64::NEG_INFINITY };
        return Ok(Some(Interval { low: value, high: value }));
    }
    bounds::enclose(bound, None, budget)
}

fn end(bound: &Expr, outer: f64, infinite: End) -> Option<End> {
    if infinite_value(bound) {
        return Some(infinite);
    }
    match rational(bound) {
        Some(value) => Some(End::At(value.clone())),
        None => RBig::try_from(outer).ok().map(End::At),
    }
}
