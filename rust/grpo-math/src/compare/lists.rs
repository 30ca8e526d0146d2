//! Tuples, lists and sets.

use std::borrow::Cow;

use super::relations::Statement;
use super::{Equality, Judge, Outcome, Part, is_scalar};
use crate::budget::Spent;
use crate::canonical::{self, Difference};
use crate::expr::{Bracket, Constant, Expr, Function, Joint, NamedSet, Rel, Symbol};
use crate::options::Order;
use crate::{calculus, tree};

/// Longer lists are not compared as unordered ones.
const MAX_ITEMS: usize = 200;

enum Shape<'e> {
    Ordered(Vec<&'e Expr>, Ends),
    /// A list without brackets.
    Bare(&'e [Expr], Joint),
    Set(&'e [Expr]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Whether each end is open.
    Brackets([bool; 2]),
    /// A row or a column.
    Matrix,
}

/// What the order and the number of items say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    List,
    /// Values joined by "or".
    Alternatives,
    /// Points without braces, which are solutions: repeated ones count once.
    Points,
    /// Repeated items count once.
    Set,
}

/// An item of a list, with the name that it has there.
#[derive(PartialEq)]
struct Entry<'e> {
    label: Option<&'e Expr>,
    value: Part<'e>,
}

impl Judge<'_> {
    /// The verdict, if one side is a collection.
    pub(super) fn collections(&mut self, a: &Expr, b: &Expr) -> Result<Option<Equality>, Spent> {
        Ok(Some(match (shape(a), shape(b)) {
            (
                Some(Shape::Set([x]) | Shape::Bare([x], _)),
                Some(Shape::Set([y]) | Shape::Bare([y], _)),
            ) => self.pair(x, y)?,
            (Some(Shape::Set([x]) | Shape::Bare([x], _)), Some(Shape::Ordered(..)) | None) => {
                self.pair(x, b)?
            }
            (Some(Shape::Ordered(..)) | None, Some(Shape::Set([y]) | Shape::Bare([y], _))) => {
                self.pair(a, y)?
            }
            (Some(Shape::Ordered(items, _)), None) if is_scalar(b) => {
                self.components(&items, b, true)?
            }
            (None, Some(Shape::Ordered(items, _))) if is_scalar(a) => {
                self.components(&items, a, false)?
            }
            (Some(_), None) if is_scalar(b) => Equality::Different,
            (None, Some(_)) if is_scalar(a) => Equality::Different,
            (_, None)
            | (None, _)
            | (Some(Shape::Ordered(_, Ends::Matrix)), Some(Shape::Ordered(_, Ends::Matrix))) => {
                return Ok(None);
            }
            (Some(Shape::Ordered(x, e)), Some(Shape::Ordered(y, f))) => {
                self.tuples((&x, e), (&y, f))?
            }
            (Some(Shape::Ordered(x, ends)), Some(Shape::Bare(y, joint))) => {
                if ends.is_half_open() || joint == Joint::Or {
                    return Ok(Some(Equality::Different));
                }
                let Some(y) = self.entries(y, true)? else { return Ok(Some(Equality::Different)) };
                let x: Vec<Entry<'_>> = x.into_iter().map(Entry::bare).collect();
                self.in_order(&x, &by_axis(y))?
            }
            (Some(Shape::Bare(x, joint)), Some(Shape::Ordered(y, ends))) => {
                if ends.is_half_open() || joint == Joint::Or {
                    return Ok(Some(Equality::Different));
                }
                let Some(x) = self.entries(x, false)? else {
                    return Ok(Some(Equality::Different));
                };
                let y: Vec<Entry<'_>> = y.into_iter().map(Entry::bare).collect();
                self.in_order(&by_axis(x), &y)?
            }
            (Some(Shape::Ordered(x, _)), Some(Shape::Set(y))) => {
                self.tuple_and_set(&x, &y.iter().collect::<Vec<_>>())?
            }
            (Some(Shape::Set(x)), Some(Shape::Ordered(y, _))) => {
                self.tuple_and_set(&x.iter().collect::<Vec<_>>(), &y)?
            }
            (Some(Shape::Bare(x, joint)), Some(Shape::Bare(y, other))) => {
                let points = |items: &[Expr]| items.iter().all(|e| matches!(e, Expr::Tuple(..)));
                let kind = if joint == Joint::Or || other == Joint::Or {
                    Kind::Alternatives
                } else if points(x) && points(y) {
                    Kind::Points
                } else {
                    Kind::List
                };
                // Joined in another way, conditions say something else.
                let conditions = x.iter().chain(y).any(is_condition);
                if (joint == Joint::Or) != (other == Joint::Or) && conditions {
                    return Ok(Some(Equality::Different));
                }
                self.bare_lists(x, y, kind)?
            }
            (Some(Shape::Bare(x, _) | Shape::Set(x)), Some(Shape::Bare(y, _) | Shape::Set(y))) => {
                self.bare_lists(x, y, Kind::Set)?
            }
        }))
    }

    fn tuples(&mut self, (x, e): (&[&Expr], Ends), (y, f): (&[&Expr], Ends)) -> Outcome {
        let fit = match (e, f) {
            (Ends::Matrix, ends) | (ends, Ends::Matrix) => !ends.is_half_open(),
            // Two items may be the ends of an interval.
            (e, f) => e == f || x.len() > 2 && !e.is_half_open() && !f.is_half_open(),
        };
        if !fit || x.len() != y.len() {
            return Ok(Equality::Different);
        }
        let verdict = Equality::all(x.iter().zip(y).map(|(x, y)| self.pair(x, y)))?;
        if self.policy.order == Order::Nowhere && e == f && !e.is_half_open() {
            return verdict.or(|| self.tuple_and_set(x, y));
        }
        Ok(verdict)
    }

    /// A tuple is a set only if order counts nowhere.
    fn tuple_and_set(&mut self, x: &[&Expr], y: &[&Expr]) -> Outcome {
        if self.policy.order != Order::Nowhere {
            return Ok(Equality::Different);
        }
        let x: Vec<Entry<'_>> = x.iter().copied().map(Entry::bare).collect();
        let y: Vec<Entry<'_>> = y.iter().copied().map(Entry::bare).collect();
        self.in_any_order(&x, &y, false)
    }

    pub(super) fn bare_lists(&mut self, a: &[Expr], b: &[Expr], kind: Kind) -> Outcome {
        if let Some(a) = filled(a).or_else(|| same_parameters(a, b)) {
            return self.bare_lists(&a, b, kind);
        }
        if let Some(b) = filled(b) {
            return self.bare_lists(a, &b, kind);
        }
        let (Some(x), Some(y)) = (self.entries(a, false)?, self.entries(b, true)?) else {
            return Ok(Equality::Different);
        };
        let (p, q) = (grouped(a, &x), grouped(b, &y));
        if p.is_some() || q.is_some() {
            return self.bare_lists(p.as_deref().unwrap_or(a), q.as_deref().unwrap_or(b), kind);
        }
        let positions = [is_positional(&x), is_positional(&y)];
        let bare = |entries: &[Entry<'_>]| entries.iter().all(|entry| entry.label.is_none());
        if kind != Kind::Set && self.policy.order == Order::Lists {
            return self.in_order(&x, &y);
        }
        if positions[0] && bare(&y) || positions[1] && bare(&x) {
            return if kind == Kind::List {
                self.in_order(&by_axis(x), &by_axis(y))
            } else {
                Ok(Equality::Different)
            };
        }
        if [a, b].iter().any(|items| items.contains(&Expr::Ellipsis)) {
            return self.in_order(&x, &y);
        }
        self.in_any_order(&x, &y, matches!(kind, Kind::Set | Kind::Points))
    }

    fn in_order(&mut self, x: &[Entry<'_>], y: &[Entry<'_>]) -> Outcome {
        if x.len() != y.len() {
            return Ok(Equality::Different);
        }
        Equality::all(x.iter().zip(y).map(|(x, y)| self.entry(x, y)))
    }

    /// Pairs the items off; of sets, each item has to be found on the other side.
    fn in_any_order(&mut self, x: &[Entry<'_>], y: &[Entry<'_>], sets: bool) -> Outcome {
        if x.len().max(y.len()) > MAX_ITEMS {
            return Ok(Equality::Undecided);
        }
        if !sets && x.len() != y.len() {
            return Ok(Equality::Different);
        }
        let mut used = vec![false; x.len()];
        let mut open: Vec<(usize, &Entry<'_>)> = Vec::new();
        for (j, gold) in y.iter().enumerate() {
            self.budget.spend(1 + x.len() as u64 / 8)?;
            let same = x.iter().zip(&mut used).find(|(answer, used)| !**used && *answer == gold);
            match same {
                Some((_, used)) => *used = true,
                None => open.push((j, gold)),
            }
        }
        for (j, gold) in open {
            let mut verdict = Equality::Different;
            // Most lists have the order of the gold.
            for i in std::iter::once(j).chain((0..x.len()).filter(|&i| i != j)) {
                let (Some(answer), Some(taken)) = (x.get(i), used.get_mut(i)) else { continue };
                if *taken && !sets {
                    continue;
                }
                match self.entry(answer, gold)? {
                    Equality::Equal => {
                        *taken = true;
                        verdict = Equality::Equal;
                        break;
                    }
                    Equality::Undecided => verdict = Equality::Undecided,
                    Equality::Different => {}
                }
            }
            if verdict != Equality::Equal {
                return Ok(verdict);
            }
        }
        for (answer, _) in x.iter().zip(used).filter(|(_, used)| !used) {
            let mut verdict = Equality::Different;
            for gold in y {
                if verdict != Equality::Equal {
                    verdict = self.entry(answer, gold)?;
                }
            }
            if verdict != Equality::Equal {
                return Ok(verdict);
            }
        }
        Ok(Equality::Equal)
    }

    fn entry(&mut self, x: &Entry<'_>, y: &Entry<'_>) -> Outcome {
        match (x.label, y.label) {
            (Some(p), Some(q)) if is_numbered(p, q) => self.pair(&x.value, &y.value),
            (Some(p), Some(q)) => self.named([p, q], [&x.value, &y.value]),
            (None, None) => self.pair(&x.value, &y.value),
            _ if self.policy.assignment => self.pair(&x.value, &y.value),
            _ => Ok(Equality::Different),
        }
    }

    /// The items, those after `n = 1` in `n = 1, 2, 3` with its name; `None` if one is false.
    fn entries<'e>(
        &mut self,
        items: &'e [Expr],
        gold: bool,
    ) -> Result<Option<Vec<Entry<'e>>>, Spent> {
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            self.budget.spend(1)?;
            match self.statement(item, gold)? {
                Statement::False => return Ok(None),
                Statement::Named(label, Cow::Borrowed(Expr::List(values, _))) => {
                    entries.extend(
                        values
                            .iter()
                            .map(|value| Entry { label: Some(label), value: Cow::Borrowed(value) }),
                    );
                }
                Statement::Named(label, value) => entries.push(Entry { label: Some(label), value }),
                Statement::Value(value) => entries.push(Entry { label: None, value }),
                Statement::Relation(..) => entries.push(Entry::bare(item)),
            }
        }
        if let [Entry { label: Some(label), .. }, rest @ ..] = entries.as_mut_slice()
            && rest.iter().all(|entry| entry.label.is_none() && !is_relation(&entry.value))
        {
            let label = *label;
            for entry in rest {
                entry.label = Some(label);
            }
        }
        Ok(Some(entries))
    }

    /// Compares a tuple with a sum of multiples of the unit vectors i, j, k.
    fn components(&mut self, items: &[&Expr], sum: &Expr, tuple_first: bool) -> Outcome {
        let axes = ["i", "j", "k"].map(Symbol::from);
        let Some(axes) = axes.get(..items.len()).filter(|axes| axes.len() > 1) else {
            return Ok(Equality::Different);
        };
        let sum = vector(sum);
        if !tree::depends(&sum, &Symbol::from("j")) {
            return Ok(Equality::Different);
        }
        let zero = Expr::integer(0);
        let at = |chosen: Option<&Symbol>| {
            axes.iter().fold(sum.clone(), |sum, axis| {
                let value = if Some(axis) == chosen { Expr::integer(1) } else { zero.clone() };
                calculus::substitute(&sum, axis, &value)
            })
        };
        let parts: Vec<Expr> = axes.iter().map(|axis| at(Some(axis))).collect();
        let linear = Expr::sum(
            axes.iter()
                .zip(&parts)
                .map(|(axis, part)| Expr::product([part.clone(), Expr::Symbol(axis.clone())])),
        );
        if canonical::difference(&sum, &linear, self.budget)? != Difference::Zero {
            return Ok(Equality::Different);
        }
        Equality::all(items.iter().zip(&parts).map(|(item, part)| {
            if tuple_first { self.pair(item, part) } else { self.pair(part, item) }
        }))
    }
}

impl<'e> Entry<'e> {
    const fn bare(value: &'e Expr) -> Self {
        Self { label: None, value: Cow::Borrowed(value) }
    }
}

impl Ends {
    fn is_half_open(self) -> bool {
        matches!(self, Self::Brackets([low, high]) if low != high)
    }
}

pub(super) const fn is_open(bracket: Bracket) -> bool {
    !matches!(bracket, Bracket::Square)
}

fn shape(e: &Expr) -> Option<Shape<'_>> {
    Some(match e {
        Expr::Tuple(items, left, right) => Shape::Ordered(
            items.iter().collect(),
            Ends::Brackets([is_open(*left), is_open(*right)]),
        ),
        Expr::Matrix(rows) if rows.len() == 1 || rows.iter().all(|row| row.len() == 1) => {
            Shape::Ordered(rows.iter().flatten().collect(), Ends::Matrix)
        }
        Expr::List(items, joint) => Shape::Bare(items, *joint),
        Expr::Set(items) => Shape::Set(items),
        Expr::NamedSet(NamedSet::Empty) => Shape::Set(&[]),
        _ => return None,
    })
}

/// `1, 2, \ldots, 5` as `1, 2, 3, 4, 5`, if the items are integers in even steps.
fn filled(items: &[Expr]) -> Option<Vec<Expr>> {
    let gap = items.iter().position(|item| *item == Expr::Ellipsis)?;
    let integer = |item: &Expr| match item {
        Expr::Number(number) if number.value.is_int() && number.base.is_none() => {
            i64::try_from(number.value.numerator()).ok()
        }
        _ => None,
    };
    let numbers = |items: &[Expr]| items.iter().map(integer).collect::<Option<Vec<i64>>>();
    let (before, after) = (numbers(items.get(..gap)?)?, numbers(items.get(gap + 1..)?)?);
    let [.., previous, start] = before.as_slice() else { return None };
    let step = start.checked_sub(*previous)?;
    let even = |items: &[i64]| {
        items.windows(2).all(|pair| {
            pair.last().zip(pair.first()).is_some_and(|(b, a)| b.checked_sub(*a) == Some(step))
        })
    };
    let end = after.first()?;
    let steps = end.checked_sub(*start)?.checked_div(step)?;
    let reaches = steps > 0 && start.checked_add(steps.checked_mul(step)?) == Some(*end);
    let few = usize::try_from(steps).is_ok_and(|steps| steps <= MAX_ITEMS);
    if !reaches || !few || !even(&before) || !even(&after) {
        return None;
    }
    let between = (1..steps).map(|i| start + i * step);
    let all = before.iter().copied().chain(between).chain(after.iter().copied());
    Some(all.map(Expr::integer).collect())
}

/// `f(t) = \sqrt t, t \ge 0` with x for t, if the other list defines `f(x)`.
fn same_parameters(a: &[Expr], b: &[Expr]) -> Option<Vec<Expr>> {
    let parameter = |items: &[Expr]| match items.first()? {
        Expr::Relation(members, _) if items.len() > 1 => match members.first()? {
            Expr::Call(Function::Named(function), arguments) => match arguments.as_slice() {
                [Expr::Symbol(name)] => Some((function.clone(), name.clone())),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    let ((f, from), (g, to)) = (parameter(a)?, parameter(b)?);
    let same = f == g && from != to && !a.iter().any(|item| tree::depends(item, &to));
    same.then(|| a.iter().map(|item| calculus::rename(item, &from, &to)).collect())
}

/// `x` beside `x_1`: the same unknown, whose values are numbered.
fn is_numbered(p: &Expr, q: &Expr) -> bool {
    let (Expr::Symbol(p), Expr::Symbol(q)) = (p, q) else { return false };
    let numbered = |name: &Symbol, numbered: &Symbol| {
        numbered.split_once('_').is_some_and(|(stem, index)| {
            stem == &**name && index.bytes().all(|digit| digit.is_ascii_digit())
        })
    };
    numbered(p, q) || numbered(q, p)
}

/// Whether an item is an inequality.
fn is_condition(e: &Expr) -> bool {
    matches!(e, Expr::Relation(_, operators)
        if operators.iter().any(|operator| !matches!(operator, Rel::Eq | Rel::In | Rel::Approx)))
}

const fn is_relation(e: &Expr) -> bool {
    matches!(e, Expr::Relation(..))
}

/// Whether the names tell the values apart: `x = 1, y = 2`, but not `x_1 = 1, x_2 = 2`, which are
/// several values of x.
fn is_positional(entries: &[Entry<'_>]) -> bool {
    let stem = |e: &Expr| match e {
        Expr::Symbol(name) => name.split(['_', '\'']).next().map(str::to_owned),
        _ => None,
    };
    let labels: Option<Vec<&Expr>> = entries.iter().map(|entry| entry.label).collect();
    let Some(labels) = labels else { return false };
    let Some((first, rest)) = labels.split_first() else { return false };
    !rest.is_empty()
        && rest
            .iter()
            .all(|label| label != first && (stem(label).is_none() || stem(label) != stem(first)))
}

/// Values of x, y and z in this order.
fn by_axis(mut entries: Vec<Entry<'_>>) -> Vec<Entry<'_>> {
    let axis = |entry: &Entry<'_>| match entry.label {
        Some(Expr::Symbol(name)) => ["x", "y", "z"].iter().position(|axis| **axis == **name),
        _ => None,
    };
    if entries.iter().all(|entry| axis(entry).is_some()) {
        entries.sort_by_key(axis);
    }
    entries
}

/// `p=5, q=2; p=7, q=2` as two lists.
fn grouped(items: &[Expr], entries: &[Entry<'_>]) -> Option<Vec<Expr>> {
    let labels: Vec<&Expr> = entries.iter().map(|entry| entry.label).collect::<Option<_>>()?;
    let first = labels.first()?;
    let period = 1 + labels.iter().skip(1).position(|label| label == first)?;
    let periodic = labels.len() == items.len()
        && period > 1
        && items.len().is_multiple_of(period)
        && labels.iter().skip(period).zip(&labels).all(|(label, before)| label == before);
    periodic.then(|| {
        items.chunks(period).map(|group| Expr::List(group.to_vec(), Joint::Comma)).collect()
    })
}

/// The unit vectors as i, j and k, however they are marked; i may have been read as the imaginary
/// unit.
fn vector(e: &Expr) -> Expr {
    match e {
        Expr::Constant(Constant::I) => Expr::symbol("i"),
        Expr::Symbol(name) => match name.trim_end_matches('}').rsplit(['{', '\\']).next() {
            Some("i" | "imath") => Expr::symbol("i"),
            Some("j" | "jmath") => Expr::symbol("j"),
            Some("k") => Expr::symbol("k"),
            _ => e.clone(),
        },
        _ => {
            let Ok(mapped) =
                tree::map::<std::convert::Infallible>(e, &mut |child| Ok(vector(child)));
            mapped
        }
    }
}

/// The answer with its families written in one way: `x = 2k\pi, k \in \mathbb Z` as
/// `x \in \{2k\pi \mid k \in \mathbb Z\}`, several families one by one, and `x \ne 1, 2` as
/// `x \ne 1, x \ne 2`.
pub(super) fn families(e: &Expr) -> Cow<'_, Expr> {
    match e {
        Expr::List(items, joint) => {
            if let [Expr::Relation(members, operators), rest @ ..] = items.as_slice()
                && let ([name, _], [Rel::Ne]) = (members.as_slice(), operators.as_slice())
                && !rest.is_empty()
                && rest.iter().all(is_scalar)
            {
                let unequal =
                    |value: &Expr| Expr::Relation(vec![name.clone(), value.clone()], vec![Rel::Ne]);
                let all = items.iter().take(1).cloned().chain(rest.iter().map(unequal));
                return Cow::Owned(Expr::List(all.collect(), *joint));
            }
            let (declared, rest): (Vec<&Expr>, Vec<&Expr>) =
                items.iter().partition(|item| declaration(item).is_some());
            let conditions: Vec<Expr> = declared.into_iter().cloned().collect();
            if !rest.iter().any(|item| ranges(item, &conditions)) {
                return Cow::Borrowed(e);
            }
            let families = rest.into_iter().map(|item| family(item, &conditions));
            Cow::Owned(unless_one(families.collect(), *joint))
        }
        Expr::Builder(element, conditions) => match &**element {
            Expr::List(items, joint) => {
                let families = items.iter().map(|item| family(item, conditions));
                Cow::Owned(unless_one(families.collect(), *joint))
            }
            Expr::Relation(..) if ranges(element, conditions) => {
                Cow::Owned(family(element, conditions))
            }
            _ => Cow::Borrowed(e),
        },
        _ => Cow::Borrowed(e),
    }
}

fn unless_one(mut items: Vec<Expr>, joint: Joint) -> Expr {
    if items.len() == 1 { items.remove(0) } else { Expr::List(items, joint) }
}

/// Whether an item depends on one of the declared variables.
fn ranges(item: &Expr, conditions: &[Expr]) -> bool {
    declaration(item).is_none()
        && conditions.iter().filter_map(declaration).any(|name| tree::depends(item, name))
}

fn family(item: &Expr, conditions: &[Expr]) -> Expr {
    if !ranges(item, conditions) {
        return item.clone();
    }
    let build = |element: &Expr| Expr::Builder(Box::new(element.clone()), conditions.to_vec());
    if let Expr::Relation(members, operators) = item
        && let ([name, value], [Rel::Eq | Rel::In]) = (members.as_slice(), operators.as_slice())
        && super::relations::is_name(name)
    {
        return Expr::Relation(vec![name.clone(), build(value)], vec![Rel::In]);
    }
    build(item)
}

/// `2k` of `\{2k \mid k \in \mathbb Z\}`.
pub(super) fn general_element(e: &Expr) -> Option<&Expr> {
    let Expr::Builder(element, conditions) = e else { return None };
    let declared =
        |condition: &Expr| declaration(condition).is_some_and(|name| tree::depends(element, name));
    (is_scalar(element) && conditions.iter().all(declared)).then_some(element)
}

/// The variable of `k \in \mathbb Z`.
pub(super) fn declaration(e: &Expr) -> Option<&Symbol> {
    let Expr::Relation(members, operators) = e else { return None };
    match (members.as_slice(), operators.as_slice()) {
        ([Expr::Symbol(name), Expr::NamedSet(_)], [Rel::In]) => Some(name),
        _ => None,
    }
}
