//! Arithmetic on trees, just enough to cancel: constants folded, like terms and like factors
//! collected. No normal form: two trees may be equal and look different here.

use std::cmp::Ordering;

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::bounds;
use crate::budget::{Budget, Spent};
use crate::expr::{Constant, Expr, Function, Number, Symbol};
use crate::tree::{depends, free_symbols};

/// The most terms that an expansion or a polynomial may have.
pub(super) const MAX_TERMS: usize = 64;
/// The longest number that a power of constants is worked out to, in bits.
const MAX_BITS: u64 = 4096;

pub(super) const PI: Expr = Expr::Constant(Constant::Pi);
pub(super) const INFINITY: Expr = Expr::Constant(Constant::Infinity);

pub(super) fn int(value: i64) -> Expr {
    Expr::integer(value)
}

pub(super) fn half() -> RBig {
    RBig::from_parts(IBig::ONE, UBig::from(2u8))
}

pub(super) const fn rational(e: &Expr) -> Option<&RBig> {
    match e {
        Expr::Number(Number { value, .. }) => Some(value),
        _ => None,
    }
}

pub(super) fn integer(e: &Expr) -> Option<i64> {
    whole(rational(e)?)
}

pub(super) fn whole(value: &RBig) -> Option<i64> {
    if value.is_int() { i64::try_from(value.numerator().clone()).ok() } else { None }
}

/// The size of a number in machine words.
fn words(value: &RBig) -> u64 {
    let bits = value.numerator().as_sign_words().1.len() + value.denominator().as_words().len();
    bits as u64 + 1
}

/// Pays for a sum or product of two numbers with its reduction.
pub(super) fn pay(a: &RBig, b: &RBig, budget: &mut Budget) -> Result<(), Spent> {
    budget.spend(1 + words(a).saturating_mul(words(b)) / 2)
}

/// The same expression with its constants folded.
pub(super) fn tidy(e: &Expr, budget: &mut Budget) -> Result<Expr, Spent> {
    budget.spend(1)?;
    match e {
        Expr::Number(number) => Ok(Expr::rational(number.value.clone())),
        Expr::Constant(Constant::Degree) => {
            let part = RBig::from_parts(IBig::ONE, UBig::from(180u8));
            Ok(Expr::Mul(vec![Expr::rational(part), PI]))
        }
        Expr::Add(items) => add(tidy_all(items, budget)?, budget),
        Expr::Mul(items) => mul(tidy_all(items, budget)?, budget),
        Expr::Pow(pair) => {
            let base = tidy(&pair.0, budget)?;
            let exponent = tidy(&pair.1, budget)?;
            pow(base, exponent, budget)
        }
        Expr::Call(function, arguments) => call(function, tidy_all(arguments, budget)?, budget),
        _ => Ok(e.clone()),
    }
}

fn tidy_all(items: &[Expr], budget: &mut Budget) -> Result<Vec<Expr>, Spent> {
    items.iter().map(|item| tidy(item, budget)).collect()
}

/// Structural equality, whatever the order of terms and factors.
fn same(a: &Expr, b: &Expr, budget: &mut Budget) -> Result<bool, Spent> {
    budget.spend(1)?;
    match (a, b) {
        (Expr::Add(x), Expr::Add(y)) | (Expr::Mul(x), Expr::Mul(y)) => {
            if x.len() != y.len() {
                return Ok(false);
            }
            let mut rest: Vec<&Expr> = y.iter().collect();
            for item in x {
                let mut found = None;
                for (place, other) in rest.iter().enumerate() {
                    if same(item, other, budget)? {
                        found = Some(place);
                        break;
                    }
                }
                let Some(place) = found else { return Ok(false) };
                rest.swap_remove(place);
            }
            Ok(true)
        }
        (Expr::Pow(x), Expr::Pow(y)) => Ok(same(&x.0, &y.0, budget)? && same(&x.1, &y.1, budget)?),
        (Expr::Call(f, x), Expr::Call(g, y)) => {
            if f != g || x.len() != y.len() {
                return Ok(false);
            }
            for (a, b) in x.iter().zip(y) {
                if !same(a, b, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(a == b),
    }
}

/// The rational coefficient and the rest of a term.
pub(super) fn split(term: Expr) -> (RBig, Expr) {
    match term {
        Expr::Number(number) => (number.value, int(1)),
        Expr::Mul(mut factors) => {
            if let Some(coefficient) = factors.first().and_then(rational).cloned() {
                factors.remove(0);
                (coefficient, Expr::product(factors))
            } else {
                (RBig::ONE, Expr::Mul(factors))
            }
        }
        other => (RBig::ONE, other),
    }
}

/// The term of a coefficient; `rest` has none of its own.
fn join(coefficient: RBig, rest: Expr) -> Expr {
    if rational(&rest).is_some() {
        Expr::rational(coefficient)
    } else if coefficient.is_one() {
        rest
    } else {
        Expr::product([Expr::rational(coefficient), rest])
    }
}

/// The sum of tidy terms.
pub(super) fn add(terms: Vec<Expr>, budget: &mut Budget) -> Result<Expr, Spent> {
    let mut kept: Vec<(RBig, Expr)> = Vec::new();
    for term in terms {
        let items = if let Expr::Add(items) = term { items } else { vec![term] };
        for item in items {
            let (coefficient, rest) = split(item);
            if coefficient.is_zero() {
                continue;
            }
            let mut found = None;
            for (place, (_, other)) in kept.iter().enumerate() {
                if same(other, &rest, budget)? {
                    found = Some(place);
                    break;
                }
            }
            if let Some((sum, _)) = found.and_then(|place| kept.get_mut(place)) {
                pay(sum, &coefficient, budget)?;
                *sum += coefficient;
            } else {
                budget.spend(2)?;
                kept.push((coefficient, rest));
            }
        }
    }
    kept.retain(|(coefficient, _)| !coefficient.is_zero());
    Ok(Expr::sum(kept.into_iter().map(|(coefficient, rest)| join(coefficient, rest))))
}

/// The product of tidy factors. Factors of one base share one exponent.
pub(super) fn mul(factors: Vec<Expr>, budget: &mut Budget) -> Result<Expr, Spent> {
    let mut coefficient = RBig::ONE;
    let mut kept: Vec<(Expr, Expr)> = Vec::new();
    let mut queue = factors;
    queue.reverse();
    while let Some(factor) = queue.pop() {
        budget.spend(1)?;
        let (base, exponent) = match factor {
            Expr::Number(number) => {
                pay(&coefficient, &number.value, budget)?;
                coefficient *= number.value;
                continue;
            }
            Expr::Mul(items) => {
                queue.extend(items.into_iter().rev());
                continue;
            }
            Expr::Pow(pair) => *pair,
            other => (other, int(1)),
        };
        let mut found = None;
        for (place, (other, _)) in kept.iter().enumerate() {
            if same(other, &base, budget)? {
                found = Some(place);
                break;
            }
        }
        match found {
            Some(place) => {
                let (base, earlier) = kept.remove(place);
                let exponent = add(vec![earlier, exponent], budget)?;
                match pow(base, exponent, budget)? {
                    Expr::Pow(pair) => kept.push(*pair),
                    other => queue.push(other),
                }
            }
            None => kept.push((base, exponent)),
        }
    }
    if coefficient.is_zero() && kept.iter().all(|(base, exponent)| !unbounded(base, exponent)) {
        return Ok(int(0));
    }
    let rest = kept.into_iter().map(|(base, exponent)| {
        if rational(&exponent).is_some_and(RBig::is_one) { base } else { base.pow(exponent) }
    });
    if coefficient.is_one() {
        return Ok(Expr::product(rest));
    }
    Ok(Expr::product(std::iter::once(Expr::rational(coefficient)).chain(rest)))
}

/// Whether a factor has no finite value.
fn unbounded(base: &Expr, exponent: &Expr) -> bool {
    *base == INFINITY
        || *exponent == INFINITY
        || (rational(base).is_some_and(RBig::is_zero)
            && rational(exponent).is_none_or(|n| *n < RBig::ZERO))
}

/// The power of tidy parts.
pub(super) fn pow(base: Expr, exponent: Expr, budget: &mut Budget) -> Result<Expr, Spent> {
    budget.spend(2)?;
    let Some(power) = rational(&exponent).cloned() else {
        return pow_symbolic(base, exponent, budget);
    };
    if power.is_one() {
        return Ok(base);
    }
    if power.is_zero() && base != INFINITY {
        return Ok(int(1));
    }
    if let Some(value) = rational(&base) {
        let folded = rational_power(value, &power, budget)?;
        return Ok(folded.map_or_else(|| base.pow(exponent), Expr::rational));
    }
    let Some(n) = whole(&power) else {
        if let Expr::Pow(pair) = &base
            && pair.0 == Expr::Constant(Constant::E)
            && bounds::sign(&pair.1, budget)?.is_some()
        {
            let inner = mul(vec![pair.1.clone(), exponent], budget)?;
            return pow(pair.0.clone(), inner, budget);
        }
        return Ok(base.pow(exponent));
    };
    match base {
        Expr::Pow(pair) => {
            let exponent = mul(vec![pair.1, exponent], budget)?;
            pow(pair.0, exponent, budget)
        }
        Expr::Mul(factors) => {
            let mut powers = Vec::with_capacity(factors.len());
            for factor in factors {
                powers.push(pow(factor, exponent.clone(), budget)?);
            }
            mul(powers, budget)
        }
        Expr::Call(Function::Root, arguments) => root_power(arguments, n, budget),
        Expr::Constant(Constant::I) => Ok(match n.rem_euclid(4) {
            0 => int(1),
            1 => base,
            2 => int(-1),
            _ => Expr::Mul(vec![int(-1), base]),
        }),
        other => Ok(other.pow(exponent)),
    }
}

/// `root(x, n)^k` with the exponent of the root in 0..n.
fn root_power(arguments: Vec<Expr>, k: i64, budget: &mut Budget) -> Result<Expr, Spent> {
    let index = arguments.get(1).and_then(integer).filter(|n| (2..=64).contains(n));
    let (Some(n), Some(radicand)) = (index, arguments.first()) else {
        return Ok(Expr::Call(Function::Root, arguments).pow(int(k)));
    };
    let (outer, inner) = (k.div_euclid(n), k.rem_euclid(n));
    let outer = pow(radicand.clone(), int(outer), budget)?;
    let root = Expr::Call(Function::Root, arguments);
    match inner {
        0 => Ok(outer),
        1 => mul(vec![outer, root], budget),
        _ => mul(vec![outer, root.pow(int(inner))], budget),
    }
}

fn pow_symbolic(base: Expr, exponent: Expr, budget: &mut Budget) -> Result<Expr, Spent> {
    if rational(&base).is_some_and(RBig::is_one) && exponent != INFINITY {
        return Ok(int(1));
    }
    if base == Expr::Constant(Constant::E) {
        match &exponent {
            Expr::Call(Function::Ln, arguments) => {
                if let Some(argument) = arguments.first() {
                    return Ok(argument.clone());
                }
            }
            Expr::Mul(factors) => {
                let place = factors.iter().position(|f| matches!(f, Expr::Call(Function::Ln, _)));
                if let Some(Expr::Call(_, arguments)) = place.and_then(|p| factors.get(p))
                    && let Some(argument) = arguments.first()
                {
                    let rest = factors.iter().enumerate();
                    let rest = rest.filter(|(p, _)| Some(*p) != place).map(|(_, f)| f.clone());
                    return pow(argument.clone(), Expr::product(rest), budget);
                }
            }
            _ => {}
        }
    }
    Ok(base.pow(exponent))
}

/// A rational power that is rational, of a bounded size.
fn rational_power(
    base: &RBig,
    exponent: &RBig,
    budget: &mut Budget,
) -> Result<Option<RBig>, Spent> {
    if base.is_one() {
        return Ok(Some(RBig::ONE));
    }
    let (Some(n), Ok(root)) =
        (i64::try_from(exponent.numerator().clone()).ok(), u64::try_from(exponent.denominator()))
    else {
        return Ok(None);
    };
    if base.is_zero() {
        return Ok((n > 0).then_some(RBig::ZERO));
    }
    let bits = words(base).saturating_mul(64).saturating_mul(n.unsigned_abs());
    if bits > MAX_BITS.max(64 * words(base)) || (root > 1 && *base < RBig::ZERO) || root > 64 {
        return Ok(None);
    }
    budget.spend(bits.div_ceil(64).pow(2) / 4 + 4)?;
    let Some(base) = perfect_root(base, root) else { return Ok(None) };
    let Ok(n) = isize::try_from(n) else { return Ok(None) };
    Ok(Some(base.pow(n)))
}

/// The exact real n-th root of a non-negative number.
fn perfect_root(value: &RBig, n: u64) -> Option<RBig> {
    let n = usize::try_from(n).ok()?;
    if n == 1 {
        return Some(value.clone());
    }
    let whole_root = |value: &UBig| {
        let root = value.nth_root(n);
        (root.pow(n) == *value).then_some(root)
    };
    let numerator = whole_root(&UBig::try_from(value.numerator().clone()).ok()?)?;
    Some(RBig::from_parts(numerator.into(), whole_root(value.denominator())?))
}

/// A call with tidy arguments, worked out at arguments where the value is well known.
pub(super) fn call(
    function: &Function,
    arguments: Vec<Expr>,
    budget: &mut Budget,
) -> Result<Expr, Spent> {
    budget.spend(2)?;
    let plain = |arguments| Expr::Call(function.clone(), arguments);
    match (function, arguments.as_slice()) {
        (Function::Exp, [x]) => pow(Expr::Constant(Constant::E), x.clone(), budget),
        (Function::Log, [x, b]) => {
            let (x, b) = (x.clone(), b.clone());
            let numerator = call(&Function::Ln, vec![x], budget)?;
            let divisor = call(&Function::Ln, vec![b], budget)?;
            let divisor = pow(divisor, int(-1), budget)?;
            mul(vec![numerator, divisor], budget)
        }
        (Function::Root, [x, n]) => {
            if let (Some(value), Some(n)) = (rational(x), integer(n))
                && (1..=64).contains(&n)
            {
                budget.spend(words(value) * words(value) + 4)?;
                let negative = *value < RBig::ZERO && n % 2 == 1;
                let magnitude = if negative { -value.clone() } else { value.clone() };
                if let Some(root) = perfect_root(&magnitude, n.unsigned_abs()) {
                    return Ok(Expr::rational(if negative { -root } else { root }));
                }
            }
            Ok(plain(arguments))
        }
        (Function::Ln, [Expr::Constant(Constant::E)]) => Ok(int(1)),
        (Function::Ln, [Expr::Pow(pair)])
            if pair.0 == Expr::Constant(Constant::E) && rational(&pair.1).is_some() =>
        {
            Ok(pair.1.clone())
        }
        (Function::Abs, [x]) => {
            if let Some(sign) = bounds::sign(x, budget)? {
                let sign = if sign == Ordering::Less { -1 } else { 1 };
                return mul(vec![int(sign), x.clone()], budget);
            }
            if rational(x).is_some() {
                return Ok(int(0));
            }
            Ok(plain(arguments))
        }
        (Function::Sin | Function::Cos | Function::Tan, [x]) => {
            Ok(trigonometric(function, x).unwrap_or_else(|| plain(arguments)))
        }
        (_, [x]) => Ok(special(function, x).unwrap_or_else(|| plain(arguments))),
        _ => Ok(plain(arguments)),
    }
}

/// Values at single points.
fn special(function: &Function, x: &Expr) -> Option<Expr> {
    let value = rational(x)?;
    let over_pi = |n: i64| {
        Expr::Mul(vec![
            Expr::rational(RBig::from_parts(IBig::ONE, UBig::from(n.unsigned_abs()))),
            PI,
        ])
    };
    if value.is_zero() {
        return match function {
            Function::Asin
            | Function::Atan
            | Function::Sinh
            | Function::Tanh
            | Function::Asinh
            | Function::Atanh
            | Function::Sign => Some(int(0)),
            Function::Cosh | Function::Sec | Function::Factorial => Some(int(1)),
            Function::Acos => Some(over_pi(2)),
            _ => None,
        };
    }
    match (function, integer(x)) {
        (Function::Ln | Function::Acos, Some(1)) => Some(int(0)),
        (Function::Atan, Some(1)) => Some(over_pi(4)),
        (Function::Atan, Some(-1)) => Some(over_pi(4).negate_tidy()),
        (Function::Asin, Some(1)) => Some(over_pi(2)),
        (Function::Asin, Some(-1)) => Some(over_pi(2).negate_tidy()),
        (Function::Acos, Some(-1)) => Some(PI),
        (Function::Asin, None) if *value == half() => Some(over_pi(6)),
        (Function::Acos, None) if *value == half() => Some(over_pi(3)),
        (Function::Factorial, Some(n)) if (0..=20).contains(&n) => {
            Some(int((1..=n).product::<i64>()))
        }
        (Function::Floor, _) => Some(Expr::rational(value.floor().into())),
        (Function::Ceil, _) => Some(Expr::rational(value.ceil().into())),
        (Function::Sign, _) => Some(int(if *value < RBig::ZERO { -1 } else { 1 })),
        _ => None,
    }
}

/// Sine, cosine and tangent at multiples of π/6 and π/4.
fn trigonometric(function: &Function, x: &Expr) -> Option<Expr> {
    let turns = match x {
        Expr::Number(number) if number.value.is_zero() => RBig::ZERO,
        Expr::Constant(Constant::Pi) => RBig::ONE,
        Expr::Mul(factors) => match factors.as_slice() {
            [Expr::Number(number), Expr::Constant(Constant::Pi)] => number.value.clone(),
            _ => return None,
        },
        _ => return None,
    };
    let twelfths = whole(&(turns * RBig::from(12)))?;
    if *function == Function::Tan {
        let cosine = sine(twelfths + 6)?;
        return match (sine(twelfths)?, cosine) {
            ((0, _), _) => Some(int(0)),
            ((a, p), (b, q)) if p == q && b != 0 => Some(int(a * b)),
            _ => None,
        };
    }
    let shift = if *function == Function::Cos { 6 } else { 0 };
    let (sign, squared) = sine(twelfths + shift)?;
    Some(match squared {
        0 => int(0),
        1 => Expr::rational(RBig::from(sign) * half()),
        4 => int(sign),
        n => Expr::Mul(vec![
            Expr::rational(RBig::from(sign) * half()),
            Expr::Call(Function::Root, vec![int(n), int(2)]),
        ]),
    })
}

/// The sine of so many twelfths of π: its sign, and the square of its double.
fn sine(twelfths: i64) -> Option<(i64, i64)> {
    let twelfths = twelfths.rem_euclid(24);
    let sign = if twelfths > 12 { -1 } else { 1 };
    Some(match twelfths % 12 {
        0 => (0, 0),
        2 | 10 => (sign, 1),
        3 | 9 => (sign, 2),
        4 | 8 => (sign, 3),
        6 => (sign, 4),
        _ => return None,
    })
}

impl Expr {
    /// The negative of a tidy term, tidy.
    fn negate_tidy(self) -> Self {
        let (coefficient, rest) = split(self);
        join(-coefficient, rest)
    }
}

/// The expression with products of sums multiplied out, if that stays small.
pub(super) fn expand(e: &Expr, budget: &mut Budget) -> Result<Option<Expr>, Spent> {
    match e {
        Expr::Add(items) => {
            let mut terms = Vec::with_capacity(items.len());
            for item in items {
                let Some(term) = expand(item, budget)? else { return Ok(None) };
                terms.push(term);
            }
            add(terms, budget).map(Some)
        }
        Expr::Mul(items) => {
            let mut terms = vec![int(1)];
            for item in items {
                let Some(factor) = expand(item, budget)? else { return Ok(None) };
                let Some(product) = distribute(&terms, &factor, budget)? else { return Ok(None) };
                terms = product;
            }
            add(terms, budget).map(Some)
        }
        Expr::Pow(pair) => {
            let Some(n) = integer(&pair.1).filter(|n| (2..=12).contains(n)) else {
                return Ok(Some(e.clone()));
            };
            let Some(base) = expand(&pair.0, budget)? else { return Ok(None) };
            if !matches!(base, Expr::Add(_)) {
                return pow(base, pair.1.clone(), budget).map(Some);
            }
            let mut terms = vec![int(1)];
            for _ in 0..n {
                let Some(product) = distribute(&terms, &base, budget)? else { return Ok(None) };
                terms = product;
            }
            add(terms, budget).map(Some)
        }
        _ => Ok(Some(e.clone())),
    }
}

fn distribute(
    terms: &[Expr],
    factor: &Expr,
    budget: &mut Budget,
) -> Result<Option<Vec<Expr>>, Spent> {
    let others = if let Expr::Add(items) = factor { items } else { std::slice::from_ref(factor) };
    if terms.len().saturating_mul(others.len()) > 4 * MAX_TERMS {
        return Ok(None);
    }
    let mut products = Vec::with_capacity(terms.len() * others.len());
    for term in terms {
        for other in others {
            products.push(mul(vec![term.clone(), other.clone()], budget)?);
        }
    }
    Ok(Some(match add(products, budget)? {
        Expr::Add(items) => items,
        one => vec![one],
    }))
}

/// Whether a tidy expression is zero; `None` if that is not plain. A symbol stands for a value
/// for which the answer is the usual one.
pub(super) fn zero(e: &Expr, budget: &mut Budget) -> Result<Option<bool>, Spent> {
    if let Some(value) = rational(e) {
        return Ok(Some(value.is_zero()));
    }
    let Some(e) = expand(e, budget)? else { return Ok(None) };
    match &e {
        Expr::Number(number) => Ok(Some(number.value.is_zero())),
        Expr::Add(terms) => Ok(polynomially_nonzero(terms, budget)?.then_some(false)),
        Expr::Mul(factors) => {
            for factor in factors {
                if zero(factor, budget)? != Some(false) {
                    return Ok(None);
                }
            }
            Ok(Some(false))
        }
        Expr::Pow(pair) => {
            if pair.0 == Expr::Constant(Constant::E) {
                return Ok(Some(false));
            }
            Ok((zero(&pair.0, budget)? == Some(false)).then_some(false))
        }
        _ if free_symbols(&e).is_empty() => {
            Ok(bounds::sign(&e, budget)?.is_some().then_some(false))
        }
        Expr::Symbol(_) | Expr::Call(Function::Named(_), _) => Ok(Some(false)),
        Expr::Call(_, arguments) => {
            let plain = arguments.iter().all(|a| matches!(a, Expr::Symbol(_) | Expr::Number(_)));
            Ok(plain.then_some(false))
        }
        _ => Ok(None),
    }
}

/// Whether a sum of terms is a polynomial of independent unknowns with a coefficient that is
/// certainly not zero. Unknowns are symbols, and at most one function of other symbols.
fn polynomially_nonzero(terms: &[Expr], budget: &mut Budget) -> Result<bool, Spent> {
    let mut groups: Vec<(Vec<Expr>, Vec<Expr>)> = Vec::new();
    let mut symbols: Vec<Symbol> = Vec::new();
    let mut atoms: Vec<Expr> = Vec::new();
    for term in terms {
        let factors = if let Expr::Mul(items) = term { items } else { std::slice::from_ref(term) };
        let (constants, unknowns): (Vec<&Expr>, Vec<&Expr>) =
            factors.iter().partition(|factor| free_symbols(factor).is_empty());
        for unknown in &unknowns {
            let base = match unknown {
                Expr::Pow(pair) if integer(&pair.1).is_some() => &pair.0,
                other => other,
            };
            match base {
                Expr::Symbol(name) => symbols.push(name.clone()),
                other if !atoms.contains(other) => atoms.push(other.clone()),
                _ => {}
            }
        }
        let constant = Expr::product(constants.into_iter().cloned());
        budget.spend(4 + groups.len() as u64)?;
        let unknowns: Vec<Expr> = unknowns.into_iter().cloned().collect();
        let key = Expr::Mul(unknowns.clone());
        let mut found = None;
        for (place, (other, _)) in groups.iter().enumerate() {
            if same(&Expr::Mul(other.clone()), &key, budget)? {
                found = Some(place);
            }
        }
        match found.and_then(|place| groups.get_mut(place)) {
            Some((_, constants)) => constants.push(constant),
            None => groups.push((unknowns, vec![constant])),
        }
    }
    if atoms.len() > 1 || atoms.iter().any(|atom| symbols.iter().any(|s| depends(atom, s))) {
        return Ok(false);
    }
    for (_, constants) in groups {
        let sum = Expr::sum(constants);
        let sum = tidy(&sum, budget)?;
        if bounds::sign(&sum, budget)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The coefficients of a polynomial in x, lowest first, without leading zeros (as far as they
/// are seen); at most of the given degree.
pub(super) fn polynomial(
    e: &Expr,
    x: &Symbol,
    degree: usize,
    budget: &mut Budget,
) -> Result<Option<Vec<Expr>>, Spent> {
    budget.spend(2)?;
    if !depends(e, x) {
        return Ok(Some(vec![tidy(e, budget)?]));
    }
    Ok(match e {
        Expr::Symbol(_) => Some(vec![int(0), int(1)]),
        Expr::Add(items) => {
            let mut sum: Vec<Expr> = Vec::new();
            for item in items {
                let Some(term) = polynomial(item, x, degree, budget)? else { return Ok(None) };
                sum = add_polynomials(sum, term, budget)?;
            }
            Some(sum)
        }
        Expr::Mul(items) => {
            let mut product = vec![int(1)];
            for item in items {
                let Some(factor) = polynomial(item, x, degree, budget)? else { return Ok(None) };
                if product.len() + factor.len() > degree + 2 {
                    return Ok(None);
                }
                product = multiply_polynomials(&product, &factor, budget)?;
            }
            Some(product)
        }
        Expr::Pow(pair) => {
            let power = integer(&pair.1).and_then(|n| usize::try_from(n).ok());
            let Some(n) = power.filter(|n| *n <= degree) else { return Ok(None) };
            let Some(base) = polynomial(&pair.0, x, degree, budget)? else { return Ok(None) };
            if (base.len() - 1).saturating_mul(n) > degree {
                return Ok(None);
            }
            let mut product = vec![int(1)];
            for _ in 0..n {
                product = multiply_polynomials(&product, &base, budget)?;
            }
            Some(product)
        }
        _ => None,
    })
}

fn add_polynomials(a: Vec<Expr>, b: Vec<Expr>, budget: &mut Budget) -> Result<Vec<Expr>, Spent> {
    let (mut long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    for (place, term) in long.iter_mut().zip(short) {
        *place = add(vec![place.clone(), term], budget)?;
    }
    trim(&mut long);
    Ok(long)
}

pub(super) fn multiply_polynomials(
    a: &[Expr],
    b: &[Expr],
    budget: &mut Budget,
) -> Result<Vec<Expr>, Spent> {
    let mut sums: Vec<Vec<Expr>> = vec![Vec::new(); (a.len() + b.len()).saturating_sub(1)];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            let term = mul(vec![x.clone(), y.clone()], budget)?;
            if let Some(sum) = sums.get_mut(i + j) {
                sum.push(term);
            }
        }
    }
    let mut product = sums.into_iter().map(|s| add(s, budget)).collect::<Result<Vec<_>, _>>()?;
    trim(&mut product);
    Ok(product)
}

fn trim(polynomial: &mut Vec<Expr>) {
    while polynomial.len() > 1 && polynomial.last().and_then(rational).is_some_and(RBig::is_zero) {
        polynomial.pop();
    }
}

/// The polynomial with these coefficients at a point.
pub(super) fn evaluate(
    coefficients: &[Expr],
    x: &Expr,
    budget: &mut Budget,
) -> Result<Expr, Spent> {
    let mut terms = Vec::with_capacity(coefficients.len());
    for (n, coefficient) in (0i64..).zip(coefficients) {
        let power = pow(x.clone(), int(n), budget)?;
        terms.push(mul(vec![coefficient.clone(), power], budget)?);
    }
    add(terms, budget)
}
