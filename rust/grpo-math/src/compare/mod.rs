//! Equality of two answers.
//!
//! Both are read as statements (a value, a named value, a relation), and statements of the same
//! form are compared part by part. Parts that are scalars go down the ladder of [`scalar`]. The
//! first argument of every method is the answer and the second the gold: only they may differ in
//! rounding.

#![expect(clippy::many_single_char_names, reason = "a and b, x and y are what is compared")]

mod integers;
mod lists;
mod parameters;
mod plain;
mod relations;
mod scalar;
mod sets;
mod signs;
mod structures;

use std::borrow::Cow;

use crate::budget::{Budget, Spent};
use crate::expr::{Bracket, Expr, Joint, Rel};
use crate::options::{Effort, Policy};
use crate::tree;
use relations::Statement;
use signs::Signs;

/// Whether two answers are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Equality {
    Equal,
    Different,
    /// Neither could be shown within the budget. It counts as not equal.
    Undecided,
}

type Outcome = Result<Equality, Spent>;

/// Whether the answer says what the gold says.
pub(crate) fn compare(
    answer: &Expr,
    gold: &Expr,
    policy: &Policy,
    budget: &mut Budget,
) -> Equality {
    let mut judge = Judge { policy, rounding: policy.rounding, solves: false, budget };
    judge.answers(answer, gold).unwrap_or(Equality::Undecided)
}

impl Equality {
    const fn is(equal: bool) -> Self {
        if equal { Self::Equal } else { Self::Different }
    }

    /// Equal if all are.
    fn all(parts: impl IntoIterator<Item = Outcome>) -> Outcome {
        let mut all = Self::Equal;
        for part in parts {
            match part? {
                Self::Equal => {}
                Self::Different => return Ok(Self::Different),
                Self::Undecided => all = Self::Undecided,
            }
        }
        Ok(all)
    }

    /// Equal if this is or the other one is.
    fn or(self, other: impl FnOnce() -> Outcome) -> Outcome {
        Ok(match (self, if self == Self::Equal { self } else { other()? }) {
            (Self::Equal, _) | (_, Self::Equal) => Self::Equal,
            (Self::Undecided, _) | (_, Self::Undecided) => Self::Undecided,
            _ => Self::Different,
        })
    }
}

struct Judge<'a> {
    policy: &'a Policy,
    /// The policy's, except where exact equality is asked for.
    rounding: Option<u8>,
    /// Whether an inequality is solved for its variable. That of an answer is not: the answer might
    /// only repeat the question.
    solves: bool,
    budget: &'a mut Budget,
}

impl Judge<'_> {
    fn answers(&mut self, answer: &Expr, gold: &Expr) -> Outcome {
        self.budget.spend(tree::size(answer) + tree::size(gold))?;
        if answer == gold {
            return Ok(Equality::Equal);
        }
        if self.policy.effort == Effort::Text || negates_interval(answer) || negates_interval(gold)
        {
            return Ok(Equality::Different);
        }
        if let (Expr::Number(_), Expr::Number(_)) = (answer, gold) {
            return self.scalars(answer, gold);
        }
        let answer = lists::families(answer);
        let gold = lists::families(gold);
        let (answer, gold) = match parameters::undeclared(&answer, &gold) {
            Some([answer, gold]) => (Cow::Owned(answer), Cow::Owned(gold)),
            None => (answer, gold),
        };
        let together = [Signs::of(&answer), Signs::of(&gold)];
        let mut verdict =
            self.pair(&together[0].expand(&answer, false), &together[1].expand(&gold, false))?;
        if verdict == Equality::Equal {
            return Ok(verdict);
        }
        if let Some(equations) = relations::shared_value(&answer) {
            verdict = verdict.or(|| self.values(&equations, &gold))?;
        }
        if let Some(equations) = relations::shared_value(&gold) {
            verdict = verdict.or(|| self.values(&answer, &equations))?;
        }
        // (\pm 1, \pm 2) may stand for two points or for four.
        for free in [[true, true], [true, false], [false, true]] {
            if free.iter().zip(&together).all(|(&free, signs)| !free || signs.independent()) {
                verdict = verdict.or(|| {
                    self.pair(
                        &together[0].expand(&answer, free[0]),
                        &together[1].expand(&gold, free[1]),
                    )
                })?;
            }
        }
        Ok(verdict)
    }

    /// Equal if each gold has an answer of its own that is the same.
    fn pair_off<T>(
        &mut self,
        answers: &[T],
        golds: &[T],
        same: impl Fn(&mut Self, &T, &T) -> Result<bool, Spent>,
    ) -> Outcome {
        let mut open: Vec<&T> = answers.iter().collect();
        for gold in golds {
            let mut found = None;
            for (i, answer) in open.iter().enumerate() {
                if same(self, answer, gold)? {
                    found = Some(i);
                    break;
                }
            }
            match found {
                Some(i) => drop(open.swap_remove(i)),
                None => return Ok(Equality::Different),
            }
        }
        Ok(Equality::Equal)
    }

    /// Compares two statements.
    fn pair(&mut self, a: &Expr, b: &Expr) -> Outcome {
        self.budget.spend(3)?;
        if a == b {
            return Ok(Equality::Equal);
        }
        let (left, right) = (self.statement(a, false)?, self.statement(b, true)?);
        match (left, right) {
            (Statement::False, _) | (_, Statement::False) => Ok(Equality::Different),
            (Statement::Value(x), Statement::Value(y)) => self.values(&x, &y),
            (Statement::Named(p, x), Statement::Named(q, y)) => {
                self.named([p, q], [&x, &y])?.or(|| self.chains(a, b))
            }
            (Statement::Named(p, x), Statement::Value(y)) => {
                if !self.policy.assignment {
                    return Ok(Equality::Different);
                }
                let spread = spread(p, &x).unwrap_or_else(|| one(a));
                self.pair(&x, &y)?.or(|| self.spread(&spread, &y, &y))
            }
            (Statement::Value(x), Statement::Named(q, y)) => {
                if !self.policy.assignment {
                    return Ok(Equality::Different);
                }
                let spread = spread(q, &y).unwrap_or_else(|| one(b));
                self.pair(&x, &y)?.or(|| self.spread(&x, &spread, &x))
            }
            (Statement::Relation(m, o), Statement::Relation(n, p)) => {
                self.relations((m, o), (n, p))?.or(|| self.solutions(a, b))
            }
            (Statement::Relation(m, o), Statement::Named(q, y)) => self
                .relations((m, o), (&[q.clone(), y.into_owned()], &[Rel::Eq]))?
                .or(|| self.solutions(a, b)),
            (Statement::Named(p, x), Statement::Relation(n, o)) => self
                .relations((&[p.clone(), x.into_owned()], &[Rel::Eq]), (n, o))?
                .or(|| self.solutions(a, b)),
            (Statement::Relation(..), Statement::Value(_))
            | (Statement::Value(_), Statement::Relation(..)) => self.solutions(a, b),
        }
    }

    /// A named value read as a list, against a list.
    fn spread(&mut self, a: &Expr, b: &Expr, list: &Expr) -> Outcome {
        match list {
            Expr::List(items, _) if items.len() > 1 => self.values(a, b),
            _ => Ok(Equality::Different),
        }
    }

    /// Compares two values.
    fn values(&mut self, a: &Expr, b: &Expr) -> Outcome {
        self.budget.spend(2)?;
        if a == b {
            return Ok(Equality::Equal);
        }
        if let Some(resolved) = self.resolved(a)? {
            return self.values(&resolved, b);
        }
        if let Some(resolved) = self.resolved(b)? {
            return self.values(a, &resolved);
        }
        if let Some(verdict) = self.plain(a, b)? {
            return Ok(verdict);
        }
        if let Some(verdict) = self.quantities(a, b)? {
            return Ok(verdict);
        }
        if let Some(verdict) = self.collections(a, b)? {
            return verdict_or_solutions(verdict, self, a, b);
        }
        if let Some(verdict) = self.structures(a, b)? {
            return Ok(verdict);
        }
        if is_scalar(a) && is_scalar(b) {
            return self.scalars(a, b);
        }
        match (lists::general_element(a), lists::general_element(b)) {
            // Where an answer only states the general element, k ranges over the integers anyway.
            (Some(element), None) if is_scalar(b) => self.values(element, b),
            (None, Some(element)) if is_scalar(a) => self.values(a, element),
            _ if sets::by_nature(a) || sets::by_nature(b) => self.solutions(a, b),
            _ => Ok(Equality::Different),
        }
    }
}

fn verdict_or_solutions(verdict: Equality, judge: &mut Judge<'_>, a: &Expr, b: &Expr) -> Outcome {
    if sets::by_nature(a) || sets::by_nature(b) {
        verdict.or(|| judge.solutions(a, b))
    } else {
        Ok(verdict)
    }
}

/// `(x,y) = (1,2)` as `x=1, y=2`.
fn spread(label: &Expr, value: &Expr) -> Option<Expr> {
    let (Expr::Tuple(labels, ..) | Expr::List(labels, _)) = label else { return None };
    let (Expr::Tuple(values, ..) | Expr::List(values, _)) = value else { return None };
    (labels.len() == values.len()).then(|| {
        let equations = labels.iter().zip(values);
        let equations = equations.map(|(label, value)| {
            Expr::Relation(vec![label.clone(), value.clone()], vec![Rel::Eq])
        });
        Expr::List(equations.collect(), Joint::Comma)
    })
}

fn one(e: &Expr) -> Expr {
    Expr::List(vec![e.clone()], Joint::Comma)
}

/// Whether a sign of both kinds stands before an interval, which means nothing.
fn negates_interval(e: &Expr) -> bool {
    tree::any(e, &|node| match node {
        Expr::PlusMinus(inner, _) => match &**inner {
            Expr::Tuple(_, open, close) => {
                [open, close].iter().any(|end| matches!(end, Bracket::Square | Bracket::Outward))
            }
            Expr::Union(_) | Expr::Set(_) | Expr::NamedSet(_) => true,
            _ => false,
        },
        _ => false,
    })
}

/// Whether the ladder for scalars applies.
const fn is_scalar(e: &Expr) -> bool {
    matches!(
        e,
        Expr::Number(_)
            | Expr::Constant(_)
            | Expr::Symbol(_)
            | Expr::Add(_)
            | Expr::Mul(_)
            | Expr::Pow(_)
            | Expr::Call(..)
            | Expr::Big(_)
    )
}

/// An owned copy only where one was made.
type Part<'e> = Cow<'e, Expr>;

#[cfg(test)]
mod tests;
