//! Coarse enclosures: enough to tell signs and to exclude singularities, never to prove equality.
//! Each operation widens its result by far more than the error of the machine arithmetic, so an
//! enclosure holds on every machine; a value too near to zero has no sign here.

use std::cmp::Ordering;

use crate::budget::{Budget, Spent};
use crate::expr::{Constant, Expr, Function, Symbol};
use crate::tree::free_symbols;

/// By how much a result is widened, relatively.
const SLACK: f64 = 1e-12;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Interval {
    /// The interval, widened. No interval of what is not a number.
    fn new(low: f64, high: f64) -> Option<Self> {
        let widen = |x: f64| if x.is_finite() { x.abs() * SLACK + 1e-300 } else { 0.0 };
        (low <= high).then(|| Self { low: low - widen(low), high: high + widen(high) })
    }

    fn point(value: f64) -> Option<Self> {
        Self::new(value, value)
    }

    fn add(self, other: Self) -> Option<Self> {
        Self::new(self.low + other.low, self.high + other.high)
    }

    fn mul(self, other: Self) -> Option<Self> {
        let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        let corners = [
            product(self.low, other.low),
            product(self.low, other.high),
            product(self.high, other.low),
            product(self.high, other.high),
        ];
        let low = corners.iter().copied().fold(f64::INFINITY, f64::min);
        let high = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self::new(low, high)
    }

    fn recip(self) -> Option<Self> {
        if self.low <= 0.0 && self.high >= 0.0 {
            return None;
        }
        Self::new(1.0 / self.high, 1.0 / self.low)
    }

    fn increasing(self, f: fn(f64) -> f64) -> Option<Self> {
        Self::new(f(self.low), f(self.high))
    }

    fn powi(self, n: i32) -> Option<Self> {
        if n < 0 {
            return self.recip()?.powi(n.checked_neg()?);
        }
        let (a, b) = (self.low.powi(n), self.high.powi(n));
        if n % 2 == 1 {
            Self::new(a, b)
        } else if self.low <= 0.0 && self.high >= 0.0 {
            Self::new(0.0, a.max(b))
        } else {
            Self::new(a.min(b), a.max(b))
        }
    }

    fn sin(self) -> Option<Self> {
        let middle = f64::midpoint(self.low, self.high);
        let radius = (self.high - self.low) / 2.0 + SLACK * 2.0;
        if !(middle.abs() < 1e4 && radius < 1e4) {
            return Self::new(-1.0, 1.0);
        }
        let value = middle.sin();
        // Where the sine is monotone its ends are exact; elsewhere it moves no faster than x.
        let quarter = std::f64::consts::FRAC_PI_2;
        if self.low > -quarter && self.high < quarter {
            return self.increasing(f64::sin);
        }
        Self::new((value - radius).max(-1.0), (value + radius).min(1.0))
    }

    pub(super) const fn sign(self) -> Option<Ordering> {
        if self.low > 0.0 {
            Some(Ordering::Greater)
        } else if self.high < 0.0 {
            Some(Ordering::Less)
        } else {
            None
        }
    }
}

/// The sign of a closed expression, if it is certainly not zero.
pub(super) fn sign(e: &Expr, budget: &mut Budget) -> Result<Option<Ordering>, Spent> {
    if let Expr::Number(number) = e {
        let ordering = number.value.cmp(&dashu_ratio::RBig::ZERO);
        return Ok(Some(ordering).filter(|o| *o != Ordering::Equal));
    }
    if !free_symbols(e).is_empty() {
        return Ok(None);
    }
    Ok(enclose(e, None, budget)?.and_then(Interval::sign))
}

/// An enclosure of a real expression, over all values of a variable in an interval. An
/// expression that is undefined (or discontinuous) somewhere in there has none.
pub(super) fn enclose(
    e: &Expr,
    at: Option<(&Symbol, Interval)>,
    budget: &mut Budget,
) -> Result<Option<Interval>, Spent> {
    budget.spend(1)?;
    match e {
        Expr::Number(number) => Ok(Interval::point(number.value.to_f64_fast())
            .filter(|i| i.low.is_finite() && i.high.is_finite())
            .and_then(|i| Interval::new(i.low, i.high))),
        Expr::Constant(constant) => Ok(match constant {
            Constant::Pi => Interval::point(std::f64::consts::PI),
            Constant::E => Interval::point(std::f64::consts::E),
            Constant::Degree => Interval::point(std::f64::consts::PI / 180.0),
            Constant::Infinity | Constant::I => None,
        }),
        Expr::Symbol(name) => Ok(at.filter(|(x, _)| *x == name).map(|(_, interval)| interval)),
        Expr::Add(items) => {
            fold(items, Interval { low: 0.0, high: 0.0 }, Interval::add, at, budget)
        }
        Expr::Mul(items) => {
            fold(items, Interval { low: 1.0, high: 1.0 }, Interval::mul, at, budget)
        }
        Expr::Pow(pair) => enclose_power(&pair.0, &pair.1, at, budget),
        Expr::Call(Function::Root, arguments) => match arguments.as_slice() {
            [x, Expr::Number(n)] => {
                let Some(n) = super::algebra::whole(&n.value).filter(|n| (2..=64).contains(n))
                else {
                    return Ok(None);
                };
                Ok(enclose(x, at, budget)?.and_then(|x| root(x, n)))
            }
            _ => Ok(None),
        },
        Expr::Call(function, arguments) => match arguments.as_slice() {
            [x] => Ok(enclose(x, at, budget)?.and_then(|x| apply(function, x))),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn fold(
    items: &[Expr],
    start: Interval,
    operation: fn(Interval, Interval) -> Option<Interval>,
    at: Option<(&Symbol, Interval)>,
    budget: &mut Budget,
) -> Result<Option<Interval>, Spent> {
    let mut total = start;
    for item in items {
        let next = enclose(item, at, budget)?.and_then(|item| operation(total, item));
        let Some(next) = next else { return Ok(None) };
        total = next;
    }
    Ok(Some(total))
}

fn enclose_power(
    base: &Expr,
    exponent: &Expr,
    at: Option<(&Symbol, Interval)>,
    budget: &mut Budget,
) -> Result<Option<Interval>, Spent> {
    let Some(b) = enclose(base, at, budget)? else { return Ok(None) };
    if let Some(n) = super::algebra::integer(exponent) {
        return Ok(i32::try_from(n).ok().filter(|n| n.abs() < 1000).and_then(|n| b.powi(n)));
    }
    let Some(x) = enclose(exponent, at, budget)? else { return Ok(None) };
    if b.low < 0.0 || (b.low <= 0.0 && x.low <= 0.0) {
        return Ok(None);
    }
    if b.low <= 1e-300 {
        return Ok(Interval::new(0.0, b.high.powf(x.low).max(b.high.powf(x.high))));
    }
    // exp(x ln b)
    Ok(b.increasing(f64::ln).and_then(|l| l.mul(x)).and_then(|p| p.increasing(f64::exp)))
}

fn root(x: Interval, n: i64) -> Option<Interval> {
    let exponent = 1.0 / f64::from(i32::try_from(n).ok()?);
    let f = |v: f64| v.abs().powf(exponent).copysign(v);
    if n % 2 == 0 && x.low < 0.0 { None } else { Interval::new(f(x.low), f(x.high)) }
}

fn apply(function: &Function, x: Interval) -> Option<Interval> {
    let quarter = Interval::point(std::f64::consts::FRAC_PI_2)?;
    let within = |x: Interval| (x.low >= -1.0 && x.high <= 1.0).then_some(x);
    match function {
        Function::Ln => (x.low > 0.0).then_some(x)?.increasing(f64::ln),
        Function::Exp => x.increasing(f64::exp),
        Function::Sin => x.sin(),
        Function::Cos => x.add(quarter)?.sin(),
        Function::Tan => x.sin()?.mul(x.add(quarter)?.sin()?.recip()?),
        Function::Cot => x.add(quarter)?.sin()?.mul(x.sin()?.recip()?),
        Function::Sec => x.add(quarter)?.sin()?.recip(),
        Function::Csc => x.sin()?.recip(),
        Function::Atan => x.increasing(f64::atan),
        Function::Asin => within(x)?.increasing(f64::asin),
        Function::Acos => {
            let x = within(x)?.increasing(f64::asin)?;
            quarter.add(Interval { low: -x.high, high: -x.low })
        }
        Function::Sinh => x.increasing(f64::sinh),
        Function::Tanh => x.increasing(f64::tanh),
        Function::Asinh => x.increasing(f64::asinh),
        Function::Cosh => {
            let (a, b) = (x.low.cosh(), x.high.cosh());
            let low = if x.low <= 0.0 && x.high >= 0.0 { 1.0 } else { a.min(b) };
            Interval::new(low, a.max(b))
        }
        Function::Abs if x.sign() == Some(Ordering::Less) => Interval::new(-x.high, -x.low),
        Function::Abs if x.sign().is_some() => Some(x),
        Function::Abs => Interval::new(0.0, x.high.max(-x.low)),
        _ => None,
    }
}
