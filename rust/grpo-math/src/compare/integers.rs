//! Finite sets of integers that are given by a condition.

use dashu_int::IBig;
use dashu_ratio::RBig;

use super::lists::declaration;
use super::sets::{At, End, Family, Pieces, found, half_line, reals};
use super::{Equality, Judge};
use crate::budget::Found;
use crate::calculus;
use crate::canonical;
use crate::expr::{Expr, NamedSet, Rel, Symbol};
use crate::numeric;
use crate::tree;

/// Sets of more integers are not enumerated.
const MAX_INTEGERS: usize = 200;

/// Among more integers no members are looked for.
const MAX_CANDIDATES: i64 = 1000;

/// Bits of the enclosure of a bound that is irrational.
const BITS: usize = 128;

impl Judge<'_> {
    /// Compares where one side is a finite set of integers, or of terms that have an integer for
    /// index. Zero may or may not be a natural number.
    pub(super) fn finite(&mut self, a: &Expr, b: &Expr) -> Found<Equality> {
        let given = |e: &Expr| matches!(e, Expr::Builder(..) | Expr::Intersection(_));
        if !given(a) && !given(b) {
            return Ok(None);
        }
        let mut verdict = None;
        for least in [1, 0] {
            let (x, y) = (self.enumerated(a, least)?, self.enumerated(b, least)?);
            if x.is_none() && y.is_none() {
                break;
            }
            let (x, y) = (x.as_ref().unwrap_or(a), y.as_ref().unwrap_or(b));
            verdict = Some(self.values(x, y)?);
            if verdict == Some(Equality::Equal) {
                break;
            }
        }
        Ok(verdict)
    }

    /// The set, element by element; `least` is the first natural number.
    fn enumerated(&mut self, e: &Expr, least: i64) -> Found<Expr> {
        let family = match e {
            Expr::Builder(element, conditions) => found!(family(element, conditions)),
            Expr::Intersection(sets) => found!(within(sets)),
            _ => return Ok(None),
        };
        let mut pieces = found!(domain(found!(family.domain), least));
        let mut tests = Vec::new();
        for condition in &family.conditions {
            match self.solved(condition, &family.variable)? {
                Some(solutions) => pieces = found!(self.intersection(&pieces, &solutions)?),
                None => tests.push(condition),
            }
        }
        let size =
            tree::size(&family.element) + tests.iter().map(|test| tree::size(test)).sum::<u64>();
        let mut elements = Vec::new();
        for piece in pieces {
            let low = found!(self.bound(&piece.low, true)?);
            let high = found!(self.bound(&piece.high, false)?);
            if high.saturating_sub(low) > MAX_CANDIDATES {
                return Ok(None);
            }
            for index in low..=high {
                self.budget.spend(3 + size)?;
                let at =
                    |e: &Expr| calculus::substitute(e, &family.variable, &Expr::integer(index));
                let mut holds = family.domain != Some(NamedSet::Primes) || is_prime(index);
                for test in &tests {
                    holds = holds && found!(self.holds(&at(test))?);
                }
                if holds {
                    elements.push(at(&family.element));
                }
            }
            if elements.len() > MAX_INTEGERS {
                return Ok(None);
            }
        }
        Ok(Some(if elements.is_empty() {
            Expr::NamedSet(NamedSet::Empty)
        } else {
            Expr::Set(elements)
        }))
    }

    /// The solutions of a condition on the variable, if they are intervals.
    fn solved(&mut self, condition: &Expr, variable: &Symbol) -> Found<Pieces> {
        let before = std::mem::replace(&mut self.solves, true);
        let region = self.region(condition);
        self.solves = before;
        let region = found!(region?);
        let about = matches!(&region.variable, Some(Expr::Symbol(name)) if name == variable);
        Ok(about.then_some(region.pieces))
    }

    /// The first or the last integer of an interval.
    fn bound(&mut self, end: &End, first: bool) -> Found<i64> {
        let At::Finite(at) = &end.at else { return Ok(None) };
        let round = |value: &RBig| -> IBig { if first { value.ceil() } else { value.floor() } };
        let whole = if let Some(value) = canonical::exact_value(at, self.budget)? {
            let whole = round(&value);
            match (value.is_int() && !end.closed, first) {
                (true, true) => whole + 1,
                (true, false) => whole - 1,
                (false, _) => whole,
            }
        } else {
            let (low, high) = found!(numeric::enclose(at, BITS, self.budget));
            let (low, high) = (round(&low), round(&high));
            if low != high {
                return Ok(None);
            }
            low
        };
        Ok(i64::try_from(whole).ok())
    }

    /// Whether a statement about numbers is true.
    fn holds(&mut self, e: &Expr) -> Found<bool> {
        let Expr::Relation(members, operators) = e else { return Ok(None) };
        let ([a, b], [operator]) = (members.as_slice(), operators.as_slice()) else {
            return Ok(None);
        };
        let a = found!(canonical::exact_value(a, self.budget)?);
        let b = found!(canonical::exact_value(b, self.budget)?);
        Ok(match operator {
            Rel::Divides => Some(!a.is_zero() && (b / a).is_int()),
            Rel::Congruent(modulus) => {
                let modulus = found!(canonical::exact_value(modulus, self.budget)?);
                Some(!modulus.is_zero() && ((a - b) / modulus).is_int())
            }
            _ => None,
        })
    }
}

/// Also of `\{1 \le x \le 3 \mid x \in \mathbb Z\}`.
fn family(element: &Expr, conditions: &[Expr]) -> Option<Family> {
    if !matches!(element, Expr::Relation(..)) || declaration(element).is_some() {
        return Family::of(element, conditions);
    }
    let variable = conditions.iter().find_map(declaration)?;
    let mut conditions = conditions.to_vec();
    conditions.push(element.clone());
    Family::of(&Expr::Symbol(variable.clone()), &conditions)
}

/// `[1, 3] \cap \mathbb Z`
fn within(sets: &[Expr]) -> Option<Family> {
    let domain = sets.iter().find_map(|set| match set {
        Expr::NamedSet(named) => domain(*named, 1).map(|_| *named),
        _ => None,
    })?;
    let variable = Symbol::from("\u{2032}");
    let element = Expr::Symbol(variable.clone());
    let others = sets.iter().filter(|set| **set != Expr::NamedSet(domain));
    let conditions = others
        .map(|set| Expr::Relation(vec![element.clone(), set.clone()], vec![Rel::In]))
        .collect();
    Some(Family { element, variable, domain: Some(domain), conditions })
}

/// The interval that holds a set of integers.
fn domain(set: NamedSet, least: i64) -> Option<Pieces> {
    let from = |first: i64| half_line(&Rel::Ge, &Expr::integer(first));
    Some(match set {
        NamedSet::Integers => reals(),
        NamedSet::Naturals => from(least),
        NamedSet::PositiveIntegers => from(1),
        NamedSet::NonNegativeIntegers => from(0),
        NamedSet::NegativeIntegers => half_line(&Rel::Le, &Expr::integer(-1)),
        NamedSet::Primes => from(2),
        _ => return None,
    })
}

fn is_prime(n: i64) -> bool {
    n > 1 && (2..n).take_while(|divisor| divisor * divisor <= n).all(|divisor| n % divisor != 0)
}
