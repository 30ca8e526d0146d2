//! Matrices, ratios, residues, piecewise functions.

use super::{Equality, Judge, Outcome, is_scalar, parameters};
use crate::budget::Spent;
use crate::canonical;
use crate::expr::{Bracket, Expr, NamedSet, Rel};

type Branch = (Expr, Option<Expr>);

/// `3 \pmod 7` as `\{3 + 7k \mid k \in \mathbb Z\}`.
fn residue_class((value, modulus): &(Expr, Expr)) -> Expr {
    let index = Expr::symbol("\u{2032}");
    let domain = vec![index.clone(), Expr::NamedSet(NamedSet::Integers)];
    let element = Expr::sum([value.clone(), Expr::product([modulus.clone(), index])]);
    Expr::Builder(Box::new(element), vec![Expr::Relation(domain, vec![Rel::In])])
}

/// The rows of a matrix as programs write it: `[[1, 2], [3, 4]]`.
fn rows(e: &Expr) -> Option<Vec<Vec<Expr>>> {
    let items = |e: &Expr| match e {
        Expr::Tuple(items, Bracket::Square, Bracket::Square) => Some(items.clone()),
        _ => None,
    };
    items(e)?.iter().map(items).collect()
}

impl Judge<'_> {
    /// The verdict, if one side is such a structure.
    pub(super) fn structures(&mut self, a: &Expr, b: &Expr) -> Result<Option<Equality>, Spent> {
        Ok(Some(match (a, b) {
            (Expr::Matrix(x), Expr::Matrix(y)) => self.matrices(x, y)?,
            (Expr::Matrix(x), Expr::Tuple(..)) if let Some(y) = rows(b) => self.matrices(x, &y)?,
            (Expr::Tuple(..), Expr::Matrix(y)) if let Some(x) = rows(a) => self.matrices(&x, y)?,
            (Expr::Matrix(rows), other) if is_scalar(other) => match rows.as_slice() {
                [row] if row.len() == 1 => self.pair(row.first().unwrap_or(other), other)?,
                _ => Equality::Different,
            },
            (other, Expr::Matrix(rows)) if is_scalar(other) => match rows.as_slice() {
                [row] if row.len() == 1 => self.pair(other, row.first().unwrap_or(other))?,
                _ => Equality::Different,
            },
            (Expr::Ratio(x), Expr::Ratio(y)) => self.ratios(x, y)?,
            (Expr::Ratio(terms), other) if is_scalar(other) => match terms.as_slice() {
                [x, y] => self.values(&x.clone().quotient(y.clone()), other)?,
                _ => Equality::Different,
            },
            (other, Expr::Ratio(terms)) if is_scalar(other) => match terms.as_slice() {
                [x, y] => self.values(other, &x.clone().quotient(y.clone()))?,
                _ => Equality::Different,
            },
            (Expr::Residue(x), Expr::Residue(y)) => self.residues(x, y)?,
            (Expr::Residue(x), y) if let Some(y) = parameters::integer_family(y) => {
                self.values(&residue_class(x), &y)?
            }
            (x, Expr::Residue(y)) if let Some(x) = parameters::integer_family(x) => {
                self.values(&x, &residue_class(y))?
            }
            (Expr::Cases(x), Expr::Cases(y)) => self.cases(x, y)?,
            (Expr::Matrix(_) | Expr::Ratio(_) | Expr::Residue(_) | Expr::Cases(_), _)
            | (_, Expr::Matrix(_) | Expr::Ratio(_) | Expr::Residue(_) | Expr::Cases(_)) => {
                Equality::Different
            }
            _ => return Ok(None),
        }))
    }

    fn matrices(&mut self, x: &[Vec<Expr>], y: &[Vec<Expr>]) -> Outcome {
        let same = x.len() == y.len() && x.iter().zip(y).all(|(x, y)| x.len() == y.len());
        if !same {
            return Ok(Equality::Different);
        }
        let entries = x.iter().flatten().zip(y.iter().flatten());
        Equality::all(entries.map(|(x, y)| self.pair(x, y)))
    }

    /// Equal term by term, or proportional.
    fn ratios(&mut self, x: &[Expr], y: &[Expr]) -> Outcome {
        if x.len() != y.len() {
            return Ok(Equality::Different);
        }
        let verdict = Equality::all(x.iter().zip(y).map(|(x, y)| self.pair(x, y)))?;
        let (Some(p), Some(q)) = (x.first(), y.first()) else { return Ok(verdict) };
        let zero = |e: &Expr| matches!(e, Expr::Number(number) if number.value.is_zero());
        if x.iter().chain(y).any(|term| !is_scalar(term) || zero(term)) {
            return Ok(verdict);
        }
        verdict.or(|| {
            Equality::all(x.iter().zip(y).skip(1).map(|(x, y)| {
                let crossed = [[p, y], [x, q]];
                let [left, right] = crossed.map(|pair| Expr::product(pair.map(Clone::clone)));
                self.exactly(&left, &right)
            }))
        })
    }

    /// Equal modulo the same modulus.
    fn residues(&mut self, x: &(Expr, Expr), y: &(Expr, Expr)) -> Outcome {
        let (m, n) = (
            canonical::exact_value(&x.1, self.budget)?,
            canonical::exact_value(&y.1, self.budget)?,
        );
        let (Some(m), Some(n)) = (m, n) else {
            return Equality::all([self.exactly(&x.1, &y.1), self.exactly(&x.0, &y.0)]);
        };
        if m.is_zero() || (m != n && m != -&n) {
            return Ok(Equality::Different);
        }
        let difference = x.0.clone().minus(y.0.clone());
        match canonical::exact_value(&difference, self.budget)? {
            Some(difference) => Ok(Equality::is((difference / m).is_int())),
            None => self.exactly(&x.0, &y.0),
        }
    }

    /// Branch by branch in any order.
    fn cases(&mut self, x: &[Branch], y: &[Branch]) -> Outcome {
        if x.len() != y.len() {
            return Ok(Equality::Different);
        }
        self.pair_off(x, y, |judge, x, y| Ok(judge.branch(x, y)? == Equality::Equal))
    }

    /// Two branches; "otherwise" is what the others leave, as they are compared too.
    fn branch(&mut self, (value, condition): &Branch, (gold, when): &Branch) -> Outcome {
        let same = match (condition, when) {
            (Some(condition), Some(when)) => self.pair(condition, when)?,
            _ => Equality::Equal,
        };
        if same != Equality::Equal {
            return Ok(same);
        }
        self.pair(value, gold)
    }
}
