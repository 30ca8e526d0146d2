//! The ladder for scalars, from cheap to dear; rounding; units.

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::{Equality, Judge, Outcome, is_scalar};
use crate::budget::Spent;
use crate::canonical::{self, Difference};
use crate::expr::{Constant, Expr, Number, Symbol, Unit, UnitKind};
use crate::matrix;
use crate::numeric::{self, Numeric};
use crate::options::{Percent, Units};
use crate::{calculus, tree};

/// A gold printed as a decimal stands for what rounds to it from so many significant digits on.
const GOLD_DIGITS: u8 = 3;

/// Bits of the first and of the last enclosure that a rounding is read from.
const BITS: [usize; 2] = [64, 256];

/// How the name of a vector begins.
const VECTOR: &str = r"\vec{";

/// A decimal as it was printed: `value = digits / 10^places`.
struct Decimal {
    value: RBig,
    places: i32,
}

impl Judge<'_> {
    /// Compares two scalars without unit.
    pub(super) fn scalars(&mut self, a: &Expr, b: &Expr) -> Outcome {
        if let Some(verdict) = infinities(a, b) {
            return Ok(Equality::is(verdict));
        }
        let verdict = self.ladder(a, b)?;
        if verdict == Equality::Equal {
            return Ok(verdict);
        }
        if self.rounds(a, b)? {
            return Ok(Equality::Equal);
        }
        if let (Expr::Number(_), _) | (_, Expr::Number(_)) = (a, b) {
            return Ok(verdict);
        }
        let verdict = match respelled(a, b) {
            Some((a, b)) => verdict.or(|| self.ladder(&a, &b))?,
            None => verdict,
        };
        verdict.or(|| self.general_solutions(a, b))?.or(|| self.absorbs_difference(a, b))
    }

    /// Whether two antiderivatives with a constant each differ by a constant.
    fn absorbs_difference(&mut self, a: &Expr, b: &Expr) -> Outcome {
        let (Some(p), Some(q)) = (integration_constant(a), integration_constant(b)) else {
            return Ok(Equality::Different);
        };
        let zero = Expr::integer(0);
        let difference = calculus::substitute(a, p, &zero).minus(calculus::substitute(b, q, &zero));
        let symbols = calculus::free_symbols(&difference);
        let mut symbols = symbols.iter();
        match (symbols.next(), symbols.next()) {
            (Some(variable), None) => {
                match calculus::derivative(&difference, variable, self.budget)? {
                    Some(slope) => self.ladder(&slope, &zero),
                    None => Ok(Equality::Undecided),
                }
            }
            _ => Ok(Equality::Different),
        }
    }

    /// The expression without operators and matrices that can be worked out, if there are any.
    pub(super) fn resolved(&mut self, e: &Expr) -> Result<Option<Expr>, Spent> {
        if !is_scalar(e) {
            return Ok(None);
        }
        let percent = |node: &Expr| match node {
            Expr::Quantity(value, Unit { kind: UnitKind::Percent, .. }) => Some(Expr::product([
                (**value).clone(),
                Expr::rational(RBig::from_parts(1.into(), 100_u8.into())),
            ])),
            _ => None,
        };
        // Inside a sum a percent sign divides: `50\% + 1`.
        if tree::any(e, &|node| percent(node).is_some()) {
            return Ok(Some(tree::rebuild(e, &percent)));
        }
        let operators = tree::any(e, &|node| matches!(node, Expr::Big(_)));
        let matrices = tree::any(e, &|node| matches!(node, Expr::Matrix(_)));
        let mut resolved = None;
        if operators {
            resolved = Some(calculus::resolve(e, self.budget)?);
        }
        if matrices {
            resolved = Some(matrix::fold(resolved.as_ref().unwrap_or(e), self.budget)?);
        }
        Ok(resolved.filter(|resolved| resolved != e))
    }

    /// Exact equality.
    pub(super) fn ladder(&mut self, a: &Expr, b: &Expr) -> Outcome {
        if let (Expr::Number(x), Expr::Number(y)) = (a, b) {
            return Ok(Equality::is(x.value == y.value || self.same_digits(x, y)));
        }
        if let (Some(x), Some(y)) =
            (canonical::quotient(a, self.budget)?, canonical::quotient(b, self.budget)?)
        {
            return Ok(Equality::is(x == y));
        }
        Ok(match canonical::difference(a, b, self.budget)? {
            Difference::Zero => Equality::Equal,
            Difference::NonZero => Equality::Different,
            Difference::Unknown => match numeric::compare(a, b, self.budget) {
                Numeric::Equal => Equality::Equal,
                Numeric::Different => Equality::Different,
                // What has no value has none in common with a number.
                Numeric::Undecided if self.is_undefined(a)? != self.is_undefined(b)? => {
                    Equality::Different
                }
                Numeric::Undecided => Equality::Undecided,
            },
        })
    }

    /// Whether something is divided by zero.
    fn is_undefined(&mut self, e: &Expr) -> Result<bool, Spent> {
        self.budget.spend(1)?;
        if let Expr::Pow(pair) = e
            && let (base, Expr::Number(exponent)) = &**pair
            && exponent.value < RBig::ZERO
            && canonical::exact_value(base, self.budget)?.is_some_and(|base| base.is_zero())
        {
            return Ok(true);
        }
        let mut found = Ok(false);
        tree::each(e, &mut |child| {
            if matches!(found, Ok(false)) {
                found = self.is_undefined(child);
            }
        });
        found
    }

    /// `2516` for `2516_8`.
    fn same_digits(&self, a: &Number, b: &Number) -> bool {
        let printed = |with: &Number, without: &Number| match &with.base {
            Some((_, digits)) if without.base.is_none() && without.places.is_none() => {
                digits.parse::<IBig>().is_ok_and(|digits| RBig::from(digits) == without.value)
            }
            _ => false,
        };
        self.policy.base_optional && (printed(a, b) || printed(b, a))
    }

    /// Whether one side is the other rounded, as far as the policy allows it.
    fn rounds(&mut self, answer: &Expr, gold: &Expr) -> Result<bool, Spent> {
        let Some(least) = self.rounding else { return Ok(false) };
        let (printed, exact) = (decimal(answer), decimal(gold));
        for decimal in [&printed, &exact].into_iter().flatten() {
            self.budget.spend(u64::from(decimal.places.unsigned_abs()) / 4 + 5)?;
        }
        match (printed, exact) {
            (Some(answer), Some(gold)) => Ok(gold.is_rounded()
                && answer.places > gold.places + gold.margin()
                && gold.rounds(&[answer.value])),
            (Some(answer), None) => Ok(answer.shows(least) && self.is_rounding_of(&answer, gold)?),
            (None, Some(expected)) => Ok(expected.is_rounded()
                && is_closed_form(answer)
                && !self.terminates(answer)?
                && self.is_rounding_of(&expected, answer)?),
            (None, None) => Ok(false),
        }
    }

    /// Whether the value is a decimal with finitely many places, which nobody had to round.
    fn terminates(&mut self, e: &Expr) -> Result<bool, Spent> {
        let Some(value) = canonical::exact_value(e, self.budget)? else { return Ok(false) };
        let mut rest = value.denominator().clone();
        for prime in [2_u8, 5] {
            rest.remove(&UBig::from(prime));
        }
        Ok(rest.is_one())
    }

    /// Whether `rounded` is a decimal with so many digits, and the value of `e` rounds to it.
    pub(super) fn is_rounded(
        &mut self,
        rounded: &Expr,
        e: &Expr,
        digits: u8,
    ) -> Result<bool, Spent> {
        match decimal(rounded) {
            Some(rounded) if is_scalar(e) && rounded.shows(digits) => {
                self.is_rounding_of(&rounded, e)
            }
            _ => Ok(false),
        }
    }

    fn is_rounding_of(&mut self, decimal: &Decimal, e: &Expr) -> Result<bool, Spent> {
        if !calculus::free_symbols(e).is_empty() {
            return Ok(false);
        }
        if let Some(value) = canonical::exact_value(e, self.budget)? {
            return Ok(decimal.rounds(&[value]));
        }
        for bits in BITS {
            let Some((low, high)) = numeric::enclose(e, bits, self.budget) else {
                return Ok(false);
            };
            match [low, high].map(|end| decimal.rounds(&[end])) {
                [true, true] => return Ok(true),
                [false, false] => return Ok(false),
                _ => {}
            }
        }
        Ok(false)
    }

    /// The verdict, if one side has a unit.
    pub(super) fn quantities(&mut self, a: &Expr, b: &Expr) -> Result<Option<Equality>, Spent> {
        let ((x, u), (y, v)) = (split(a), split(b));
        if u.is_none() && v.is_none() {
            return Ok(None);
        }
        self.with_units((x, u), (y, v)).map(Some)
    }

    fn with_units(
        &mut self,
        (a, u): (&Expr, Option<&Unit>),
        (b, v): (&Expr, Option<&Unit>),
    ) -> Outcome {
        use UnitKind::{Degree, Measure, Percent as PerCent, Words};
        let kinds = (u.map(|unit| &unit.kind), v.map(|unit| &unit.kind));
        match kinds {
            (Some(PerCent), Some(PerCent)) => return self.values(a, b),
            (Some(PerCent), None | Some(Words)) => return self.percent(a, b, true),
            (None | Some(Words), Some(PerCent)) => return self.percent(a, b, false),
            _ => {}
        }
        if self.policy.units == Units::Drop {
            return self.values(a, b);
        }
        match kinds {
            (
                Some(Measure { dimension: d, factor: f }),
                Some(Measure { dimension: e, factor: g }),
            ) => {
                if d != e {
                    return Ok(Equality::Different);
                }
                if f == g || f.is_zero() {
                    return self.values(a, b);
                }
                self.values(a, &scaled(b, &(g / f)))
            }
            // A radian is 1, a degree π/180.
            (Some(Degree), Some(Measure { dimension, factor })) if *dimension == [0; 8] => {
                self.values(&in_radians(a), &scaled(b, factor))
            }
            (Some(Measure { dimension, factor }), Some(Degree)) if *dimension == [0; 8] => {
                self.values(&scaled(a, factor), &in_radians(b))
            }
            (Some(Measure { .. } | PerCent), Some(Degree | Measure { .. } | PerCent))
            | (Some(Degree), Some(Measure { .. } | PerCent)) => Ok(Equality::Different),
            (Some(Degree), Some(Degree)) | (Some(Words), Some(_)) | (Some(_), Some(Words)) => {
                self.values(a, b)
            }
            _ if self.policy.units == Units::Require => Ok(Equality::Different),
            (Some(Degree), None) if self.policy.radians => {
                self.values(a, b)?.or(|| self.values(&in_radians(a), b))
            }
            (None, Some(Degree)) if self.policy.radians => {
                self.values(a, b)?.or(|| self.values(a, &in_radians(b)))
            }
            _ => self.values(a, b),
        }
    }

    /// Compares where one side, the answer if `first`, is a percentage.
    fn percent(&mut self, a: &Expr, b: &Expr, first: bool) -> Outcome {
        let hundredth = RBig::from_parts(1.into(), 100_u8.into());
        let as_unit = if self.policy.percent == Percent::Value {
            Equality::Different
        } else {
            self.values(a, b)?
        };
        if self.policy.percent == Percent::Drop {
            return Ok(as_unit);
        }
        as_unit.or(|| {
            if first {
                self.values(&scaled(a, &hundredth), b)
            } else {
                self.values(a, &scaled(b, &hundredth))
            }
        })
    }
}

impl Decimal {
    /// Whether it has so many significant digits.
    fn shows(&self, least: u8) -> bool {
        let digits = shifted(&self.value, self.places).trunc();
        digits.into_parts().1 >= IBig::from(10).pow(usize::from(least.max(1) - 1)).into_parts().1
    }

    /// Whether each value, rounded or truncated to the printed places, is this decimal.
    /// How many places more than one an answer has to have to be the more exact value: one digit
    /// more on few digits is as likely another value.
    fn margin(&self) -> i32 {
        i32::from(!self.shows(GOLD_DIGITS + 2))
    }

    /// Whether a gold printed like this may stand for a value with more digits.
    fn is_rounded(&self) -> bool {
        self.places > 0 && !self.value.is_int() && self.shows(GOLD_DIGITS)
    }

    fn rounds(&self, values: &[RBig]) -> bool {
        let printed = shifted(&self.value, self.places);
        values.iter().all(|value| {
            let value = shifted(value, self.places);
            RBig::from(value.trunc()) == printed || RBig::from(value.round()) == printed
        })
    }
}

/// `value * 10^places`. The parser bounds the places.
fn shifted(value: &RBig, places: i32) -> RBig {
    let power = RBig::from(IBig::from(10).pow(places.unsigned_abs() as usize));
    if places < 0 { value / power } else { value * power }
}

/// A decimal as printed, possibly with a sign and a power of ten: `-1.60 \times 10^{-19}`.
fn decimal(e: &Expr) -> Option<Decimal> {
    match e {
        Expr::Number(Number { value, places: Some(places), base: None }) => {
            Some(Decimal { value: value.clone(), places: *places })
        }
        Expr::Mul(factors) => {
            let mut found: Option<Decimal> = None;
            let mut shift = 0_i32;
            let mut negative = false;
            for factor in factors {
                if super::relations::is_minus_one(factor) {
                    negative = !negative;
                } else if let Some(exponent) = power_of_ten(factor) {
                    shift = shift.checked_add(exponent)?;
                } else if let (None, Some(decimal)) = (&found, decimal(factor)) {
                    found = Some(decimal);
                } else {
                    return None;
                }
            }
            let Decimal { value, places } = found?;
            let value = if negative { -value } else { value };
            Some(Decimal { value: shifted(&value, shift), places: places.checked_sub(shift)? })
        }
        _ => None,
    }
}

fn power_of_ten(e: &Expr) -> Option<i32> {
    let Expr::Pow(pair) = e else { return None };
    let (Expr::Number(base), Expr::Number(exponent)) = &**pair else { return None };
    let ten = base.value == RBig::from(10) && base.places.is_none() && exponent.value.is_int();
    let exponent = i32::try_from(exponent.value.numerator()).ok()?;
    (ten && exponent.unsigned_abs() <= 2000).then_some(exponent)
}

/// Whether an expression is exact and no integer with something small added: a fraction, a root,
/// a multiple of π, but no `3.14 + 10^{-7}`.
fn is_closed_form(e: &Expr) -> bool {
    let inexact = |node: &Expr| match node {
        Expr::Number(number) => number.places.is_some_and(|places| places > 0),
        _ => false,
    };
    !matches!(e, Expr::Number(Number { places: None, value, .. }) if value.is_int())
        && !tree::any(e, &inexact)
}

/// The value times the factor; of a decimal a decimal.
fn scaled(e: &Expr, factor: &RBig) -> Expr {
    if let Some(decimal) = decimal(e)
        && let Some(shift) = exponent_of_ten(factor)
    {
        return Expr::Number(Number {
            value: decimal.value * factor,
            places: decimal.places.checked_sub(shift),
            base: None,
        });
    }
    match e {
        Expr::Tuple(items, left, right) => {
            Expr::Tuple(items.iter().map(|item| scaled(item, factor)).collect(), *left, *right)
        }
        Expr::List(items, joint) => {
            Expr::List(items.iter().map(|item| scaled(item, factor)).collect(), *joint)
        }
        Expr::Set(items) => Expr::Set(items.iter().map(|item| scaled(item, factor)).collect()),
        _ => Expr::product([Expr::rational(factor.clone()), e.clone()]),
    }
}

/// n if the factor is 10^n, and n is small.
fn exponent_of_ten(factor: &RBig) -> Option<i32> {
    (-24..=24).find(|&exponent| shifted(&RBig::ONE, exponent) == *factor)
}

fn in_radians(e: &Expr) -> Expr {
    Expr::product([e.clone(), Expr::Constant(Constant::Degree)])
}

/// A value and its unit; of `-(5 cm)` too.
fn split(e: &Expr) -> (&Expr, Option<&Unit>) {
    match e {
        Expr::Quantity(value, unit) => (value, Some(unit)),
        _ => (e, None),
    }
}

/// The verdict, if one side is infinite.
fn infinities(a: &Expr, b: &Expr) -> Option<bool> {
    let infinite = |e: &Expr| match e {
        Expr::Constant(Constant::Infinity) => Some(true),
        Expr::Mul(factors) => match factors.as_slice() {
            [sign, Expr::Constant(Constant::Infinity)] => {
                super::relations::is_minus_one(sign).then_some(false)
            }
            _ => None,
        },
        _ => None,
    };
    match (infinite(a), infinite(b)) {
        (None, None) => {
            let within =
                |e: &Expr| tree::any(e, &|node| matches!(node, Expr::Constant(Constant::Infinity)));
            (within(a) || within(b)).then(|| a == b)
        }
        (x, y) => Some(x == y),
    }
}

/// Both sides with one spelling for what is spelled in several ways: the constant of integration,
/// and the imaginary unit of engineers.
fn respelled(a: &Expr, b: &Expr) -> Option<(Expr, Expr)> {
    if let (Some(p), Some(q)) = (integration_constant(a), integration_constant(b))
        && p != q
    {
        let alone =
            !calculus::free_symbols(a).contains(q) && !calculus::free_symbols(b).contains(p);
        return alone.then(|| (calculus::rename(a, p, q), b.clone()));
    }
    let unit = Expr::Constant(Constant::I);
    let complex = [a, b].map(|e| tree::any(e, &|node| *node == unit));
    if complex[0] != complex[1] {
        let name = ["j", "I"]
            .map(Symbol::from)
            .into_iter()
            .find(|name| [a, b].map(|e| tree::depends(e, name)) == [complex[1], complex[0]])?;
        return Some((
            calculus::substitute(a, &name, &unit),
            calculus::substitute(b, &name, &unit),
        ));
    }
    let decorated = |e: &Expr| {
        tree::any(e, &|node| matches!(node, Expr::Symbol(name) if name.starts_with(VECTOR)))
    };
    (decorated(a) != decorated(b)).then(|| Some((undecorated(a)?, undecorated(b)?)))?
}

/// The expression with u for `\vec u`, unless it has both.
fn undecorated(e: &Expr) -> Option<Expr> {
    let mut bare = e.clone();
    for name in calculus::free_symbols(e) {
        let Some(letter) = name.strip_prefix(VECTOR).and_then(|name| name.strip_suffix('}')) else {
            continue;
        };
        let letter = Symbol::from(letter);
        if tree::depends(e, &letter) {
            return None;
        }
        bare = calculus::rename(&bare, &name, &letter);
    }
    Some(bare)
}

/// The constant at the end of an antiderivative: a term by itself, and nowhere else.
fn integration_constant(e: &Expr) -> Option<&Symbol> {
    let Expr::Add(terms) = e else { return None };
    let symbol = terms.iter().find_map(|term| match term {
        Expr::Symbol(name) if name.starts_with(['C', 'c', 'K', 'k']) => Some(name),
        _ => None,
    })?;
    let mut occurrences = 0_u32;
    let mut variables = false;
    for term in terms {
        if tree::depends(term, symbol) {
            occurrences += 1;
        } else {
            variables |= !calculus::free_symbols(term).is_empty();
        }
    }
    (occurrences == 1 && variables).then_some(symbol)
}
