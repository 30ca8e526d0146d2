//! Limits, by leading terms.
//!
//! Near the point an expression is e^p (c₀ t^e₀ + c₁ t^e₁ + ..) for t → 0⁺, where p collects what
//! grows without bound in an exponent and the coefficients may hold L = ln t. Sums of different
//! e^p keep the largest one, the others being smaller than any power of t. What has no such
//! expansion, or whose leading coefficient is not certainly different from zero, has no limit here.

#![expect(
    clippy::unused_self,
    clippy::self_only_used_in_recursion,
    clippy::needless_pass_by_value,
    reason = "steps of one search"
)]

use std::cmp::Ordering;
use std::sync::Arc;

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::algebra::{INFINITY, PI, add, call, int, integer, mul, pow, rational, tidy, zero};
use super::bounds;
use crate::budget::{Budget, Found, Spent};
use crate::expr::{Constant, Expr, Function, Side, Symbol};
use crate::tree::{depends, substitute};

/// How many terms an expansion keeps; tried in turn, as cancellation needs more.
const LENGTHS: [usize; 2] = [4, 9];
/// How deep limits of coefficients in L nest.
const MAX_DEPTH: u8 = 3;

/// A term c t^e.
type Term = (RBig, Expr);

/// Terms by rising exponent, none zero, and the exponent of the first unknown one.
#[derive(Clone, Debug)]
struct Series {
    terms: Vec<Term>,
    /// No unknown term: the series is the function itself.
    order: Option<RBig>,
}

/// e^polar times the series.
#[derive(Clone, Debug)]
struct Expansion {
    polar: Vec<Term>,
    series: Series,
}

/// The limit of the body where the variable goes to the point.
pub(super) fn limit(
    body: &Expr,
    x: &Symbol,
    point: &Expr,
    side: Side,
    budget: &mut Budget,
) -> Found<Expr> {
    let point = tidy(point, budget)?;
    limit_at(body, x, &point, side, 0, budget)
}

fn limit_at(
    body: &Expr,
    x: &Symbol,
    point: &Expr,
    side: Side,
    depth: u8,
    budget: &mut Budget,
) -> Found<Expr> {
    if depends(point, x) || depth > MAX_DEPTH {
        return Ok(None);
    }
    let t = Expr::symbol("\u{2032}t");
    let infinite = if *point == INFINITY {
        Some(t.clone().recip())
    } else if is_minus_infinity(point) {
        Some(t.clone().recip().negate())
    } else {
        None
    };
    if let Some(inner) = infinite {
        return from_right(&substitute(body, x, &inner), depth, budget);
    }
    let near = |sign: i64| {
        substitute(body, x, &Expr::sum([point.clone(), Expr::product([int(sign), t.clone()])]))
    };
    match side {
        Side::Right => from_right(&near(1), depth, budget),
        Side::Left => from_right(&near(-1), depth, budget),
        Side::Both => {
            let right = found!(from_right(&near(1), depth, budget));
            let left = found!(from_right(&near(-1), depth, budget));
            if right == left {
                return Ok(Some(right));
            }
            if infinite_value(&right) || infinite_value(&left) {
                return Ok(None);
            }
            let difference = tidy(&right.clone().minus(left), budget)?;
            Ok((zero(&difference, budget)? == Some(true)).then_some(right))
        }
    }
}

fn is_minus_infinity(e: &Expr) -> bool {
    matches!(e, Expr::Mul(factors) if matches!(factors.as_slice(),
        [Expr::Number(sign), Expr::Constant(Constant::Infinity)] if sign.value < RBig::ZERO))
}

pub(super) fn infinite_value(e: &Expr) -> bool {
    *e == INFINITY || is_minus_infinity(e)
}

fn infinity(sign: Ordering) -> Expr {
    if sign == Ordering::Less { Expr::Mul(vec![int(-1), INFINITY]) } else { INFINITY }
}

/// The limit for t → 0⁺.
fn from_right(e: &Expr, depth: u8, budget: &mut Budget) -> Found<Expr> {
    let e = tidy(e, budget)?;
    for length in LENGTHS {
        let mut context = Context {
            t: Arc::from("\u{2032}t"),
            log: Arc::from(format!("\u{2032}L{depth}")),
            length,
            depth,
        };
        if let Some(expansion) = context.expand(&e, budget)?
            && let Some(value) = context.value(&expansion, budget)?
        {
            return Ok(Some(value));
        }
    }
    bounded_part(&e, depth, budget)
}

/// Limits of what has no expansion: sums of limits, and oscillation that is damped away.
fn bounded_part(e: &Expr, depth: u8, budget: &mut Budget) -> Found<Expr> {
    match e {
        Expr::Add(terms) if terms.len() <= 6 => {
            let mut limits = Vec::with_capacity(terms.len());
            for term in terms {
                let value = found!(from_right(term, depth, budget));
                if infinite_value(&value) {
                    return Ok(None);
                }
                limits.push(value);
            }
            add(limits, budget).map(Some)
        }
        Expr::Mul(factors) => {
            let (bounded, rest): (Vec<Expr>, Vec<Expr>) =
                factors.iter().cloned().partition(is_bounded);
            if bounded.is_empty() {
                let [Expr::Add(terms), others @ ..] = factors.as_slice() else { return Ok(None) };
                let mut products = Vec::with_capacity(terms.len());
                for term in terms {
                    let mut product = vec![term.clone()];
                    product.extend(others.iter().cloned());
                    products.push(mul(product, budget)?);
                }
                return bounded_part(&Expr::Add(products), depth, budget);
            }
            let rest = mul(rest, budget)?;
            let value = found!(from_right(&rest, depth, budget));
            Ok((integer(&value) == Some(0)).then_some(value))
        }
        _ => Ok(None),
    }
}

/// Whether a factor stays bounded for real arguments.
fn is_bounded(e: &Expr) -> bool {
    match e {
        Expr::Call(Function::Sin | Function::Cos | Function::Atan, _) => true,
        Expr::Pow(pair) => {
            integer(&pair.0) == Some(-1)
                || (integer(&pair.1).is_some_and(|n| n > 0) && is_bounded(&pair.0))
        }
        _ => false,
    }
}

struct Context {
    t: Symbol,
    /// L = ln t.
    log: Symbol,
    length: usize,
    depth: u8,
}

impl Context {
    /// The limit of an expansion.
    fn value(&self, e: &Expansion, budget: &mut Budget) -> Found<Expr> {
        if let Some((exponent, coefficient)) = e.polar.first() {
            debug_assert!(*exponent <= RBig::ZERO);
            let growth = found!(self.sign(coefficient, budget));
            if growth == Ordering::Less {
                return Ok(Some(int(0)));
            }
            let (_, leading) = found!(self.leading(&e.series, budget));
            return Ok(self.sign(&leading, budget)?.map(infinity));
        }
        let series = &e.series;
        if series.terms.is_empty() {
            let vanishes = series.order.as_ref().is_none_or(|order| *order > RBig::ZERO);
            return Ok(vanishes.then(|| int(0)));
        }
        let (exponent, leading) = found!(self.leading(series, budget));
        match exponent.cmp(&RBig::ZERO) {
            Ordering::Greater => Ok(Some(int(0))),
            Ordering::Equal => self.coefficient_limit(&leading, budget),
            Ordering::Less => Ok(self.sign(&leading, budget)?.map(infinity)),
        }
    }

    /// The first term, if it is certainly not zero.
    fn leading(&self, series: &Series, budget: &mut Budget) -> Found<Term> {
        let Some((exponent, coefficient)) = series.terms.first() else { return Ok(None) };
        let certain = zero(coefficient, budget)? == Some(false);
        Ok(certain.then(|| (exponent.clone(), coefficient.clone())))
    }

    /// The limit of a coefficient for L → -∞.
    fn coefficient_limit(&self, c: &Expr, budget: &mut Budget) -> Found<Expr> {
        if !depends(c, &self.log) {
            return Ok(Some(c.clone()));
        }
        limit_at(c, &self.log, &infinity(Ordering::Less), Side::Both, self.depth + 1, budget)
    }

    /// The sign of a coefficient for L → -∞.
    fn sign(&self, c: &Expr, budget: &mut Budget) -> Found<Ordering> {
        if !depends(c, &self.log) {
            return bounds::sign(c, budget);
        }
        let value = found!(self.coefficient_limit(c, budget));
        if infinite_value(&value) {
            let minus = is_minus_infinity(&value);
            return Ok(Some(if minus { Ordering::Less } else { Ordering::Greater }));
        }
        bounds::sign(&value, budget)
    }

    fn expand(&mut self, e: &Expr, budget: &mut Budget) -> Found<Expansion> {
        budget.spend(4)?;
        if !depends(e, &self.t) {
            return self.constant(e, budget);
        }
        match e {
            Expr::Symbol(_) => {
                Ok(Some(Expansion::of(Series { terms: vec![(RBig::ONE, int(1))], order: None })))
            }
            Expr::Add(items) => {
                let mut total: Option<Expansion> = None;
                for item in items {
                    let term = found!(self.expand(item, budget));
                    total = Some(match total {
                        None => term,
                        Some(sum) => found!(self.add(sum, term, budget)),
                    });
                }
                Ok(total)
            }
            Expr::Mul(items) => {
                let mut product = Expansion::of(Series::constant(int(1)));
                for item in items {
                    let factor = found!(self.expand(item, budget));
                    product = found!(self.multiply(&product, &factor, budget));
                }
                Ok(Some(product))
            }
            Expr::Pow(pair) => {
                let (base, exponent) = (&pair.0, &pair.1);
                if let Some(power) = rational(exponent) {
                    let base = found!(self.expand(base, budget));
                    return self.power(&base, power, budget);
                }
                if *base == Expr::Constant(Constant::E) {
                    let exponent = found!(self.expand(exponent, budget));
                    return self.exponential(&exponent, budget);
                }
                let base = found!(self.expand(base, budget));
                let log = found!(self.logarithm(&base, budget));
                let exponent = found!(self.expand(exponent, budget));
                let product = found!(self.multiply(&log, &exponent, budget));
                self.exponential(&product, budget)
            }
            Expr::Call(function, arguments) => self.call(function, arguments, budget),
            _ => Ok(None),
        }
    }

    fn constant(&self, e: &Expr, budget: &mut Budget) -> Found<Expansion> {
        let holds_infinity = crate::tree::any(e, &|node| *node == INFINITY);
        if holds_infinity {
            return Ok(None);
        }
        Ok(match zero(e, budget)? {
            Some(true) => Some(Expansion::of(Series { terms: Vec::new(), order: None })),
            Some(false) => Some(Expansion::of(Series::constant(e.clone()))),
            None => None,
        })
    }

    fn call(
        &mut self,
        function: &Function,
        arguments: &[Expr],
        budget: &mut Budget,
    ) -> Found<Expansion> {
        let Some(first) = arguments.first() else { return Ok(None) };
        let u = found!(self.expand(first, budget));
        if let Function::Root = function {
            let Some(n) = arguments.get(1).and_then(integer).filter(|n| (2..=64).contains(n))
            else {
                return Ok(None);
            };
            return self.root(&u, n, budget);
        }
        if arguments.len() > 1 {
            return Ok(None);
        }
        match function {
            Function::Ln => return self.logarithm(&u, budget),
            Function::Abs | Function::Sign => {
                let (_, leading) = found!(self.leading(&u.series, budget));
                let sign = found!(self.sign(&leading, budget));
                let sign = int(if sign == Ordering::Less { -1 } else { 1 });
                let sign = Expansion::of(Series::constant(sign));
                return match function {
                    Function::Sign => Ok(Some(sign)),
                    _ => self.multiply(&sign, &u, budget),
                };
            }
            Function::Sinh | Function::Cosh | Function::Tanh | Function::Coth => {
                return self.hyperbolic(function, &u, budget);
            }
            Function::Factorial => return self.factorial(&u, budget),
            _ => {}
        }
        if !u.polar.is_empty() {
            return Ok(None);
        }
        let (value, rest) = found!(self.split(&u.series, budget));
        if infinite_value(&value) {
            if *function == Function::Atan {
                return self.arctangent_at_infinity(&u, value, budget);
            }
            return Ok(None);
        }
        match function {
            Function::Floor | Function::Ceil => self.floor(function, &value, &rest, budget),
            _ => self.analytic(function, &value, &rest, budget),
        }
    }

    /// atan u = ±π/2 - atan(1/u).
    fn arctangent_at_infinity(
        &mut self,
        u: &Expansion,
        value: Expr,
        budget: &mut Budget,
    ) -> Found<Expansion> {
        let sign = if is_minus_infinity(&value) { -1 } else { 1 };
        let limit = Expr::Mul(vec![
            Expr::rational(RBig::from_parts(IBig::from(sign), UBig::from(2u8))),
            PI,
        ]);
        let inverse = found!(self.power(u, &-RBig::ONE, budget));
        let (_, rest) = found!(self.split(&inverse.series, budget));
        let correction = found!(self.analytic(&Function::Atan, &int(0), &rest, budget));
        let minus = Expansion::of(Series::constant(int(-1)));
        let correction = found!(self.multiply(&minus, &correction, budget));
        self.add(Expansion::of(Series::constant(limit)), correction, budget)
    }

    /// The limit of a series, and what is left, which tends to zero. An infinite limit has no rest.
    fn split(&self, s: &Series, budget: &mut Budget) -> Found<(Expr, Series)> {
        let order = s.order.as_ref();
        if let Some((exponent, _)) = s.terms.first()
            && *exponent < RBig::ZERO
        {
            let value = self.value(&Expansion::of(s.clone()), budget)?;
            return Ok(value.map(|value| (value, Series { terms: Vec::new(), order: None })));
        }
        if order.is_some_and(|order| *order <= RBig::ZERO) {
            return Ok(None);
        }
        let mut rest = s.clone();
        if rest.terms.first().is_some_and(|(exponent, _)| exponent.is_zero()) {
            let (_, value) = rest.terms.remove(0);
            if depends(&value, &self.log) {
                return Ok(None);
            }
            return Ok(Some((value, rest)));
        }
        Ok(Some((int(0), rest)))
    }

    /// A Taylor series at a regular point.
    fn analytic(
        &mut self,
        function: &Function,
        value: &Expr,
        rest: &Series,
        budget: &mut Budget,
    ) -> Found<Expansion> {
        let symbol: Symbol = Arc::from("\u{2032}u");
        let mut current = Expr::call(function.clone(), Expr::Symbol(symbol.clone()));
        let mut sum = Series { terms: Vec::new(), order: None };
        let mut power = Series::constant(int(1));
        let mut scale = RBig::ONE;
        for n in 0..=self.length {
            let at_point = substitute(&current, &symbol, value);
            let coefficient = tidy(&at_point, budget)?;
            if !self.regular(&coefficient, budget)? {
                return Ok(None);
            }
            let coefficient = mul(vec![Expr::rational(scale.clone()), coefficient], budget)?;
            let term = self.scale(&power, &coefficient, budget)?;
            sum = self.add_series(&sum, &term, budget)?;
            if rest.terms.is_empty() && rest.order.is_none() {
                return Ok(Some(Expansion::of(sum)));
            }
            power = self.multiply_series(&power, rest, budget)?;
            scale /= RBig::from(n + 1);
            current = found!(super::derivative::derivative(&current, &symbol, budget));
        }
        self.truncate(&mut sum, &power);
        Ok(Some(Expansion::of(sum)))
    }

    /// Whether a coefficient is a number: no division by what may be zero, no logarithm of what may
    /// not be positive.
    fn regular(&self, c: &Expr, budget: &mut Budget) -> Result<bool, Spent> {
        Ok(match c {
            Expr::Add(items) | Expr::Mul(items) => {
                for item in items {
                    if !self.regular(item, budget)? {
                        return Ok(false);
                    }
                }
                true
            }
            Expr::Pow(pair) => {
                self.regular(&pair.0, budget)?
                    && (integer(&pair.1).is_some_and(|n| n >= 0)
                        || zero(&pair.0, budget)? == Some(false))
            }
            Expr::Call(function, arguments) => {
                let [x, ..] = arguments.as_slice() else { return Ok(false) };
                let smooth = match function {
                    Function::Sin
                    | Function::Cos
                    | Function::Atan
                    | Function::Sinh
                    | Function::Cosh
                    | Function::Tanh
                    | Function::Asinh => true,
                    Function::Tan | Function::Sec => {
                        let below = call(&Function::Cos, vec![x.clone()], budget)?;
                        zero(&below, budget)? == Some(false)
                    }
                    Function::Cot | Function::Csc => {
                        let below = call(&Function::Sin, vec![x.clone()], budget)?;
                        zero(&below, budget)? == Some(false)
                    }
                    Function::Ln | Function::Root => {
                        bounds::sign(x, budget)?.is_none_or(|s| s != Ordering::Less)
                            && zero(x, budget)? == Some(false)
                    }
                    Function::Asin | Function::Acos | Function::Atanh => {
                        let square = Expr::sum([int(1), x.clone().pow(int(2)).negate()]);
                        bounds::sign(&tidy(&square, budget)?, budget)? == Some(Ordering::Greater)
                    }
                    _ => false,
                };
                smooth && self.regular(x, budget)?
            }
            Expr::Constant(Constant::Infinity) => false,
            Expr::Number(_) | Expr::Constant(_) | Expr::Symbol(_) => true,
            _ => false,
        })
    }

    fn floor(
        &self,
        function: &Function,
        value: &Expr,
        rest: &Series,
        budget: &mut Budget,
    ) -> Found<Expansion> {
        let Some(number) = rational(value) else { return Ok(None) };
        let mut result = match function {
            Function::Floor => number.floor(),
            _ => number.ceil(),
        };
        if number.is_int() && !rest.terms.is_empty() {
            let (_, leading) = found!(self.leading(rest, budget));
            let sign = found!(self.sign(&leading, budget));
            match (function, sign) {
                (Function::Floor, Ordering::Less) => result -= IBig::ONE,
                (Function::Ceil, Ordering::Greater) => result += IBig::ONE,
                _ => {}
            }
        } else if number.is_int() && rest.order.is_some() {
            return Ok(None);
        }
        Ok(Some(Expansion::of(Series::constant(Expr::rational(result.into())))))
    }

    fn hyperbolic(
        &mut self,
        function: &Function,
        u: &Expansion,
        budget: &mut Budget,
    ) -> Found<Expansion> {
        let half = |sign: i64| {
            let part = RBig::from_parts(IBig::from(sign), UBig::from(2u8));
            Expansion::of(Series::constant(Expr::rational(part)))
        };
        let up = found!(self.exponential(u, budget));
        let down = found!(self.power(&up, &-RBig::ONE, budget));
        let up = found!(self.multiply(&half(1), &up, budget));
        let plus = found!(self.multiply(&half(1), &down, budget));
        let minus = found!(self.multiply(&half(-1), &down, budget));
        let cosh = found!(self.add(up.clone(), plus, budget));
        if *function == Function::Cosh {
            return Ok(Some(cosh));
        }
        let sinh = found!(self.add(up, minus, budget));
        let (above, below) = match function {
            Function::Sinh => return Ok(Some(sinh)),
            Function::Tanh => (sinh, cosh),
            _ => (cosh, sinh),
        };
        let below = found!(self.power(&below, &-RBig::ONE, budget));
        self.multiply(&above, &below, budget)
    }

    /// Stirling's series at infinity.
    fn factorial(&mut self, u: &Expansion, budget: &mut Budget) -> Found<Expansion> {
        let value = found!(self.value(u, budget));
        if value != INFINITY || !u.polar.is_empty() {
            return Ok(None);
        }
        let log = found!(self.logarithm(u, budget));
        let shift = RBig::from_parts(IBig::ONE, UBig::from(2u8));
        let shifted = Expansion::of(Series::constant(Expr::rational(shift.clone())));
        let shifted = found!(self.add(u.clone(), shifted, budget));
        let mut exponent = found!(self.multiply(&shifted, &log, budget));
        let minus = Expansion::of(Series::constant(int(-1)));
        let minus = found!(self.multiply(&minus, u, budget));
        exponent = found!(self.add(exponent, minus, budget));
        let circle = Expr::call(Function::Ln, Expr::Mul(vec![int(2), PI]));
        let circle = mul(vec![Expr::rational(shift), circle], budget)?;
        let circle = Expansion::of(Series::constant(circle));
        exponent = found!(self.add(exponent, circle, budget));
        for (power, divisor) in [(-1i64, 12i64), (-3, -360), (-5, 1260)] {
            let part = RBig::from(divisor);
            let part = Expansion::of(Series::constant(Expr::rational(RBig::ONE / part)));
            let inverse = found!(self.power(u, &RBig::from(power), budget));
            let term = found!(self.multiply(&part, &inverse, budget));
            exponent = found!(self.add(exponent, term, budget));
        }
        let next = found!(self.power(u, &RBig::from(-7), budget));
        self.truncate(&mut exponent.series, &next.series);
        self.exponential(&exponent, budget)
    }

    fn root(&mut self, u: &Expansion, n: i64, budget: &mut Budget) -> Found<Expansion> {
        let exponent = RBig::from_parts(IBig::ONE, UBig::from(n.unsigned_abs()));
        if u.series.terms.is_empty() {
            return self.power(u, &exponent, budget);
        }
        let (_, leading) = found!(self.leading(&u.series, budget));
        if self.sign(&leading, budget)? != Some(Ordering::Less) {
            return self.power(u, &exponent, budget);
        }
        if n % 2 == 0 {
            return Ok(None);
        }
        let minus = Expansion::of(Series::constant(int(-1)));
        let positive = found!(self.multiply(&minus, u, budget));
        let root = found!(self.power(&positive, &exponent, budget));
        self.multiply(&minus, &root, budget)
    }

    /// c t^e (1 + rest) as (e, c, rest).
    fn factor(&self, s: &Series, budget: &mut Budget) -> Found<(RBig, Expr, Series)> {
        let (exponent, leading) = found!(self.leading(s, budget));
        let inverse = pow(leading.clone(), int(-1), budget)?;
        let mut rest = s.clone();
        rest.terms.remove(0);
        let mut rest = self.scale(&rest, &inverse, budget)?;
        for (e, _) in &mut rest.terms {
            *e -= &exponent;
        }
        rest.order = rest.order.map(|order| order - &exponent);
        Ok(Some((exponent, leading, rest)))
    }

    fn power(&mut self, e: &Expansion, power: &RBig, budget: &mut Budget) -> Found<Expansion> {
        if e.series.terms.is_empty() {
            if *power < RBig::ZERO {
                return Ok(None);
            }
            let order = e.series.order.as_ref().map(|order| order * power);
            return Ok(Some(Expansion::of(Series { terms: Vec::new(), order })));
        }
        let (exponent, leading, rest) = found!(self.factor(&e.series, budget));
        if !power.is_int() && self.sign(&leading, budget)? == Some(Ordering::Less) {
            return Ok(None);
        }
        let head = pow(leading, Expr::rational(power.clone()), budget)?;
        let mut polar = e.polar.clone();
        for (_, c) in &mut polar {
            *c = mul(vec![Expr::rational(power.clone()), c.clone()], budget)?;
        }
        // (1 + rest)^power
        let mut sum = Series { terms: Vec::new(), order: None };
        let mut term = Series::constant(int(1));
        let mut binomial = RBig::ONE;
        let exact = rest.terms.is_empty() && rest.order.is_none();
        let mut complete = exact;
        for n in 0..=self.length {
            let part = self.scale(&term, &Expr::rational(binomial.clone()), budget)?;
            sum = self.add_series(&sum, &part, budget)?;
            let n = RBig::from(n);
            if exact || *power == n {
                complete = true;
                break;
            }
            binomial *= (power.clone() - &n) / (n + RBig::ONE);
            term = self.multiply_series(&term, &rest, budget)?;
        }
        if !complete {
            self.truncate(&mut sum, &term);
        }
        let mut series = self.scale(&sum, &head, budget)?;
        let shift = exponent * power;
        for (e, _) in &mut series.terms {
            *e += &shift;
        }
        series.order = series.order.map(|order| order + &shift);
        Ok(Some(Expansion { polar, series }))
    }

    /// p + e L + ln c + ln(1 + rest)
    fn logarithm(&mut self, e: &Expansion, budget: &mut Budget) -> Found<Expansion> {
        let (exponent, leading, rest) = found!(self.factor(&e.series, budget));
        if self.sign(&leading, budget)? == Some(Ordering::Less) {
            return Ok(None);
        }
        if depends(&leading, &self.log) {
            return Ok(None);
        }
        let head = call(&Function::Ln, vec![leading], budget)?;
        let log = mul(vec![Expr::rational(exponent), Expr::Symbol(self.log.clone())], budget)?;
        let head = add(vec![head, log], budget)?;
        let mut sum = Series { terms: e.polar.clone(), order: None };
        if integer(&head) != Some(0) {
            sum = self.add_series(&sum, &Series::constant(head), budget)?;
        }
        let mut power = Series::constant(int(1));
        if rest.terms.is_empty() && rest.order.is_none() {
            return Ok(Some(Expansion::of(sum)));
        }
        for n in 1..=self.length {
            power = self.multiply_series(&power, &rest, budget)?;
            let sign = if n % 2 == 1 { IBig::ONE } else { -IBig::ONE };
            let part = Expr::rational(RBig::from_parts(sign, UBig::from(n)));
            let term = self.scale(&power, &part, budget)?;
            sum = self.add_series(&sum, &term, budget)?;
        }
        let next = self.multiply_series(&power, &rest, budget)?;
        self.truncate(&mut sum, &next);
        Ok(Some(Expansion::of(sum)))
    }

    fn exponential(&mut self, e: &Expansion, budget: &mut Budget) -> Found<Expansion> {
        if !e.polar.is_empty() {
            return Ok(None);
        }
        let s = &e.series;
        if s.order.as_ref().is_some_and(|order| *order <= RBig::ZERO) {
            return Ok(None);
        }
        let mut polar = Vec::new();
        let mut head = int(1);
        let mut shift = RBig::ZERO;
        let mut rest = Series { terms: Vec::new(), order: s.order.clone() };
        for (exponent, c) in &s.terms {
            match exponent.cmp(&RBig::ZERO) {
                Ordering::Less => polar.push((exponent.clone(), c.clone())),
                Ordering::Greater => rest.terms.push((exponent.clone(), c.clone())),
                Ordering::Equal => {
                    let parts = super::algebra::polynomial(c, &self.log, 1, budget)?;
                    match parts.as_deref() {
                        Some([a]) => head = pow(Expr::Constant(Constant::E), a.clone(), budget)?,
                        Some([a, b]) => {
                            let Some(b) = rational(b) else { return Ok(None) };
                            shift.clone_from(b);
                            head = pow(Expr::Constant(Constant::E), a.clone(), budget)?;
                        }
                        _ => return Ok(None),
                    }
                }
            }
        }
        let mut sum = Series { terms: Vec::new(), order: None };
        let mut power = Series::constant(int(1));
        let mut factorial = RBig::ONE;
        let exact = rest.terms.is_empty() && rest.order.is_none();
        for n in 0..=self.length {
            let term = self.scale(&power, &Expr::rational(factorial.clone()), budget)?;
            sum = self.add_series(&sum, &term, budget)?;
            if exact {
                break;
            }
            power = self.multiply_series(&power, &rest, budget)?;
            factorial /= RBig::from(n + 1);
        }
        if !exact {
            self.truncate(&mut sum, &power);
        }
        let mut series = self.scale(&sum, &head, budget)?;
        for (e, _) in &mut series.terms {
            *e += &shift;
        }
        series.order = series.order.map(|order| order + &shift);
        Ok(Some(Expansion { polar, series }))
    }

    /// Makes everything from the order of `next` on unknown.
    #[expect(clippy::unused_self, reason = "reads as the other operations on series")]
    fn truncate(&self, sum: &mut Series, next: &Series) {
        let first = next.terms.first().map(|(exponent, _)| exponent.clone());
        let order = [first, next.order.clone(), sum.order.clone()].into_iter().flatten().min();
        if let Some(order) = &order {
            sum.terms.retain(|(exponent, _)| exponent < order);
        }
        sum.order = order;
    }

    fn scale(&self, s: &Series, factor: &Expr, budget: &mut Budget) -> Result<Series, Spent> {
        if integer(factor) == Some(0) {
            return Ok(Series { terms: Vec::new(), order: s.order.clone() });
        }
        let mut terms = Vec::with_capacity(s.terms.len());
        for (exponent, c) in &s.terms {
            terms.push((exponent.clone(), mul(vec![c.clone(), factor.clone()], budget)?));
        }
        Ok(Series { terms, order: s.order.clone() })
    }

    fn add_series(&self, a: &Series, b: &Series, budget: &mut Budget) -> Result<Series, Spent> {
        let order = [&a.order, &b.order].into_iter().flatten().min().cloned();
        let mut terms = a.terms.clone();
        for (exponent, c) in &b.terms {
            budget.spend(2)?;
            match terms.binary_search_by(|(other, _)| other.cmp(exponent)) {
                Ok(place) => {
                    let Some((_, sum)) = terms.get_mut(place) else { continue };
                    *sum = self.settle(add(vec![sum.clone(), c.clone()], budget)?, budget)?;
                    if integer(sum) == Some(0) {
                        terms.remove(place);
                    }
                }
                Err(place) => terms.insert(place, (exponent.clone(), c.clone())),
            }
        }
        if let Some(order) = &order {
            terms.retain(|(exponent, _)| exponent < order);
        }
        Ok(Series { terms, order })
    }

    /// A coefficient that is zero, as zero.
    #[expect(clippy::unused_self, reason = "reads as the other operations on series")]
    fn settle(&self, c: Expr, budget: &mut Budget) -> Result<Expr, Spent> {
        if matches!(c, Expr::Add(_)) && zero(&c, budget)? == Some(true) {
            return Ok(int(0));
        }
        Ok(c)
    }

    fn multiply_series(
        &self,
        a: &Series,
        b: &Series,
        budget: &mut Budget,
    ) -> Result<Series, Spent> {
        let first = |s: &Series| match s.terms.first() {
            Some((exponent, _)) => Some(exponent.clone()),
            None => s.order.clone(),
        };
        let error = |s: &Series, other: &Series| match (&s.order, first(other)) {
            (Some(order), Some(start)) => Some(order + start),
            _ => None,
        };
        let order = [error(a, b), error(b, a)].into_iter().flatten().min();
        let mut product = Series { terms: Vec::new(), order: order.clone() };
        for (e, c) in &a.terms {
            let mut row = Series { terms: Vec::new(), order: order.clone() };
            for (f, d) in &b.terms {
                let exponent = e + f;
                if order.as_ref().is_some_and(|order| exponent >= *order) {
                    break;
                }
                row.terms.push((exponent, mul(vec![c.clone(), d.clone()], budget)?));
            }
            product = self.add_series(&product, &row, budget)?;
        }
        Ok(product)
    }

    fn multiply(&self, a: &Expansion, b: &Expansion, budget: &mut Budget) -> Found<Expansion> {
        let polar = |e: &Expansion| Series { terms: e.polar.clone(), order: None };
        let mut sum = self.add_series(&polar(a), &polar(b), budget)?;
        for (_, c) in &mut sum.terms {
            if zero(c, budget)? != Some(false) {
                return Ok(None);
            }
        }
        sum.terms.retain(|(exponent, _)| *exponent <= RBig::ZERO);
        let series = self.multiply_series(&a.series, &b.series, budget)?;
        Ok(Some(Expansion { polar: sum.terms, series }))
    }

    fn add(&self, a: Expansion, b: Expansion, budget: &mut Budget) -> Found<Expansion> {
        let minus: Vec<Term> = b
            .polar
            .iter()
            .map(|(e, c)| Ok((e.clone(), mul(vec![int(-1), c.clone()], budget)?)))
            .collect::<Result<_, Spent>>()?;
        let left = Series { terms: a.polar.clone(), order: None };
        let right = Series { terms: minus, order: None };
        let difference = self.add_series(&left, &right, budget)?;
        let Some((_, c)) = difference.terms.first() else {
            let series = self.add_series(&a.series, &b.series, budget)?;
            return Ok(Some(Expansion { polar: a.polar, series }));
        };
        // A series without terms says nothing, or is zero.
        let sign = found!(self.sign(c, budget));
        let (mut large, small) = if sign == Ordering::Greater { (a, b) } else { (b, a) };
        if small.series.terms.is_empty() && small.series.order.is_none() {
            return Ok(Some(large));
        }
        if large.series.terms.is_empty() && large.series.order.is_none() {
            return Ok(Some(small));
        }
        if large.series.order.is_none() {
            let last = large.series.terms.last().map_or(RBig::ZERO, |(e, _)| e.clone());
            large.series.order = Some(last + RBig::from(self.length));
        }
        Ok(Some(large))
    }
}

impl Series {
    fn constant(c: Expr) -> Self {
        if integer(&c) == Some(0) {
            return Self { terms: Vec::new(), order: None };
        }
        Self { terms: vec![(RBig::ZERO, c)], order: None }
    }
}

impl Expansion {
    const fn of(series: Series) -> Self {
        Self { polar: Vec::new(), series }
    }
}
