//! Named values, chains, equations and inequalities.

use std::borrow::Cow;

use dashu_ratio::RBig;

use super::{Equality, Judge, Outcome, Part, parameters};
use crate::budget::Spent;
use crate::canonical;
use crate::expr::{Big, Bracket, Constant, Expr, Function, Joint, Rel, Symbol, UnitKind};
use crate::options::Chain;
use crate::{calculus, tree};

/// `=` with a rounded value after it is a remark, if the value shows so many digits.
const REMARK_DIGITS: u8 = 3;

/// Equations with more denominators are not cleared of them.
const MAX_DIVISORS: usize = 4;

/// What an answer states.
pub(super) enum Statement<'e> {
    Value(Part<'e>),
    /// `x = 5`, `f(x) = 2x`, `x \in A`: the name and its value.
    Named(&'e Expr, Part<'e>),
    /// An equation, an inequality, any other relation.
    Relation(&'e [Expr], &'e [Rel]),
    /// A chain of values that are not equal.
    False,
}

/// A relation between two expressions as `difference ~ 0`.
struct Atom {
    difference: Expr,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zero,
    NotZero,
    Positive,
    NotNegative,
}

impl Judge<'_> {
    /// What the expression states. Of a gold, the last member of a chain counts.
    pub(super) fn statement<'e>(
        &mut self,
        e: &'e Expr,
        gold: bool,
    ) -> Result<Statement<'e>, Spent> {
        let Expr::Relation(members, operators) = e else {
            return Ok(Statement::Value(system(e).map_or(Cow::Borrowed(e), Cow::Owned)));
        };
        let chain = operators.iter().all(|operator| matches!(operator, Rel::Eq | Rel::Approx));
        match (members.as_slice(), operators.as_slice()) {
            ([name, set], [Rel::In]) if is_name(name) => {
                Ok(Statement::Named(name, Cow::Borrowed(set)))
            }
            ([name, value], [Rel::Congruent(modulus)]) if is_name(name) => {
                let residue = Expr::Residue(Box::new((value.clone(), (**modulus).clone())));
                Ok(Statement::Named(name, Cow::Owned(residue)))
            }
            ([first, .., last], _) if chain => self.chain(members, operators, [first, last], gold),
            _ => Ok(Statement::Relation(members, operators)),
        }
    }

    fn chain<'e>(
        &mut self,
        members: &'e [Expr],
        operators: &'e [Rel],
        [first, last]: [&'e Expr; 2],
        gold: bool,
    ) -> Result<Statement<'e>, Spent> {
        let named = is_name(first);
        // After an exact value, what it is about is a remark.
        let exact = 1 + usize::from(named);
        let kept = operators
            .iter()
            .enumerate()
            .position(|(i, operator)| i + 1 >= exact && *operator == Rel::Approx)
            .map_or(members, |end| members.get(..=end).unwrap_or(members));
        let last = kept.last().unwrap_or(last);
        // A value that is said to be near another one far away.
        if !named
            && let ([.., exact], Some(remark)) = (kept, members.get(kept.len()))
            && self.policy.chain == Chain::Consistent
            && self.exactly(remark, exact)? == Equality::Different
            && !self.is_rounded(remark, exact, 1)?
        {
            return Ok(Statement::False);
        }
        if kept.len() < 2 {
            return Ok(Statement::Value(Cow::Borrowed(last)));
        }
        if named {
            return Ok(Statement::Named(first, Cow::Borrowed(self.before_remark(kept)?)));
        }
        if kept.len() == 2 && is_name(last) {
            return Ok(Statement::Named(last, Cow::Borrowed(first)));
        }
        let open = kept.iter().any(|member| !calculus::free_symbols(member).is_empty());
        if gold && !open && self.policy.chain == Chain::Consistent && self.contradicts(kept)? {
            return Ok(Statement::False);
        }
        if (gold || self.policy.chain == Chain::Last) && (kept.len() > 2 || !open) {
            return Ok(Statement::Value(Cow::Borrowed(last)));
        }
        let value = self.before_remark(kept)?;
        let kept = kept
            .iter()
            .position(|member| std::ptr::eq(member, value))
            .map_or(kept, |end| kept.get(..=end).unwrap_or(kept));
        for pair in kept.windows(2) {
            let [previous, next] = pair else { continue };
            let verdict = self.exactly(next, previous)?;
            if open && verdict != Equality::Equal {
                return Ok(Statement::Relation(members, operators));
            }
            // What nobody can work out still leads to the last member.
            let opaque = is_opaque(previous) || is_opaque(next);
            if verdict == Equality::Different || verdict == Equality::Undecided && !opaque {
                return Ok(Statement::False);
            }
        }
        Ok(Statement::Value(Cow::Borrowed(value)))
    }

    /// Whether two neighbours are different numbers, and neither is the other one rounded.
    fn contradicts(&mut self, chain: &[Expr]) -> Result<bool, Spent> {
        for pair in chain.windows(2) {
            let [previous, next] = pair else { continue };
            let (previous, next) = (beside(previous, next), beside(next, previous));
            if super::is_scalar(previous)
                && super::is_scalar(next)
                && !self.is_rounded(next, previous, 1)?
                && !self.is_rounded(previous, next, 1)?
                && self.exactly(next, previous)? == Equality::Different
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The last member of a chain that is no rounded form of the one before: 5/3 in
    /// `x = 5/3 = 1.667`.
    fn before_remark<'e>(&mut self, chain: &'e [Expr]) -> Result<&'e Expr, Spent> {
        let mut end = chain.len();
        while let Some([previous, next]) = chain.get(end.saturating_sub(2)..end)
            && !(end == 2 && is_name(previous))
            && self.is_rounded(next, previous, REMARK_DIGITS)?
            && self.exactly(next, previous)? != Equality::Equal
        {
            end -= 1;
        }
        Ok(chain.get(end.wrapping_sub(1)).unwrap_or(&Expr::Ellipsis))
    }

    /// Compares without rounding.
    pub(super) fn exactly(&mut self, a: &Expr, b: &Expr) -> Outcome {
        let rounding = self.rounding.take();
        let verdict = self.pair(a, b);
        self.rounding = rounding;
        verdict
    }

    /// Compares two named values; of two names for one thing, the equations count.
    pub(super) fn named(&mut self, [p, q]: [&Expr; 2], [x, y]: [&Expr; 2]) -> Outcome {
        let verdict = match self.rename(p, q, x)? {
            Some(x) => self.pair(&x, y)?,
            None => Equality::Different,
        };
        verdict.or(|| {
            if super::is_scalar(x) && super::is_scalar(y) && !(closed(x) && closed(y)) {
                let sides = ([p.clone(), x.clone()], [q.clone(), y.clone()]);
                return self.relations((&sides.0, &[Rel::Eq]), (&sides.1, &[Rel::Eq]));
            }
            match (super::spread(p, x), super::spread(q, y)) {
                (Some(a), Some(b)) => self.values(&a, &b),
                _ => Ok(Equality::Different),
            }
        })
    }

    /// The value of the name `p` as a value of `q`, if the two name the same: `f(t)` and `f(x)` are
    /// the same function.
    fn rename(&mut self, p: &Expr, q: &Expr, value: &Expr) -> Result<Option<Expr>, Spent> {
        if p == q {
            return Ok(Some(value.clone()));
        }
        let plot = |e: &Expr| matches!(e, Expr::Symbol(name) if &**name == "y");
        let function = |e: &Expr| match e {
            Expr::Call(Function::Named(_), arguments) => parameters(arguments).is_some(),
            _ => false,
        };
        if plot(p) && function(q) || plot(q) && function(p) {
            return Ok(Some(value.clone()));
        }
        match (p, q) {
            (Expr::Call(Function::Named(f), arguments), Expr::Call(Function::Named(g), others))
                if f == g && arguments.len() == others.len() =>
            {
                match (parameters(arguments), parameters(others)) {
                    (Some(from), Some(to)) => {
                        // Of f(x) = 4t, the t is no parameter.
                        let captured =
                            |name: &Symbol| !from.contains(name) && tree::depends(value, name);
                        Ok((!to.iter().any(captured)).then(|| substitute_all(value, &from, &to)))
                    }
                    _ => self.same_names(arguments, others, value),
                }
            }
            (Expr::Call(Function::Named(f), arguments), Expr::Symbol(g))
            | (Expr::Symbol(g), Expr::Call(Function::Named(f), arguments))
                if f == g && parameters(arguments).is_some() =>
            {
                Ok(Some(value.clone()))
            }
            (quotient @ Expr::Mul(_), Expr::Ratio(terms))
            | (Expr::Ratio(terms), quotient @ Expr::Mul(_)) => {
                let [x, y] = terms.as_slice() else { return Ok(None) };
                let ratio = x.clone().quotient(y.clone());
                let same = canonical::difference(quotient, &ratio, self.budget)?;
                Ok((same == canonical::Difference::Zero).then(|| value.clone()))
            }
            (Expr::Symbol(p), Expr::Symbol(q)) => Ok(parameters::reindexed(p, q, value)),
            (Expr::Tuple(names, ..), Expr::Tuple(others, ..))
            | (Expr::Ratio(names), Expr::Ratio(others))
                if names.len() == others.len() =>
            {
                self.same_names(names, others, value)
            }
            (Expr::Mul(_) | Expr::Call(..), Expr::Mul(_) | Expr::Call(..)) => {
                let same = canonical::difference(p, q, self.budget)?;
                Ok((same == canonical::Difference::Zero).then(|| value.clone()))
            }
            _ => Ok(None),
        }
    }

    fn same_names(&mut self, p: &[Expr], q: &[Expr], value: &Expr) -> Result<Option<Expr>, Spent> {
        for (p, q) in p.iter().zip(q) {
            if p != q && canonical::difference(p, q, self.budget)? != canonical::Difference::Zero {
                return Ok(None);
            }
        }
        Ok(Some(value.clone()))
    }

    /// Compares two relations.
    pub(super) fn relations(
        &mut self,
        (a, f): (&[Expr], &[Rel]),
        (b, g): (&[Expr], &[Rel]),
    ) -> Outcome {
        let (a, f) = ascending(a, f);
        let (b, g) = ascending(b, g);
        if a.len() == b.len() && self.same_operators(&f, &g)? {
            let verdict = self.members(&a, &b)?;
            if verdict == Equality::Equal {
                return Ok(verdict);
            }
            if f.len() > 1 && f.iter().all(|operator| *operator == Rel::Eq) {
                return self.same_members(&a, &b);
            }
            if let [operator] = f.as_slice()
                && is_symmetric(operator)
            {
                let turned: Vec<&Expr> = b.iter().rev().copied().collect();
                let verdict = self.members(&a, &turned)?;
                if verdict == Equality::Equal {
                    return Ok(verdict);
                }
            }
        }
        let (Some(left), Some(right)) = (atoms(&a, &f), atoms(&b, &g)) else {
            return Ok(Equality::Different);
        };
        let restated = repeats_question(&a, &f, &b) || repeats_question(&b, &g, &a);
        if left.len() != right.len() || restated && !is_homogeneous(&a) && !is_homogeneous(&b) {
            return Ok(Equality::Different);
        }
        self.pair_off(&left, &right, |judge, a, b| judge.same_atom(a, b, restated))
    }

    /// Compares two chains of names: `a = b = c` and `b = c = a`.
    pub(super) fn chains(&mut self, a: &Expr, b: &Expr) -> Outcome {
        let names = |e: &Expr| match e {
            Expr::Relation(members, operators) if operators.len() > 1 => {
                operators.iter().all(|operator| *operator == Rel::Eq) && members.iter().all(is_name)
            }
            _ => false,
        };
        match (a, b) {
            (Expr::Relation(x, _), Expr::Relation(y, _))
                if x.len() == y.len() && names(a) && names(b) =>
            {
                self.same_members(&x.iter().collect::<Vec<_>>(), &y.iter().collect::<Vec<_>>())
            }
            _ => Ok(Equality::Different),
        }
    }

    /// Compares the members of `u = v = w` in any order.
    fn same_members(&mut self, a: &[&Expr], b: &[&Expr]) -> Outcome {
        self.pair_off(a, b, |judge, a, b| Ok(judge.values(a, b)? == Equality::Equal))
    }

    fn members(&mut self, a: &[&Expr], b: &[&Expr]) -> Outcome {
        Equality::all(
            a.iter().zip(b).map(
                |(a, b)| {
                    if a == b { Ok(Equality::Equal) } else { self.values(a, b) }
                },
            ),
        )
    }

    fn same_operators(&mut self, f: &[Rel], g: &[Rel]) -> Result<bool, Spent> {
        for (f, g) in f.iter().zip(g) {
            let same = match (f, g) {
                (Rel::Congruent(m), Rel::Congruent(n)) => self.exactly(m, n)? == Equality::Equal,
                (f, g) => f == g,
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(f.len() == g.len())
    }

    /// Equal up to a constant factor, positive where the sign counts, and no other than 1 if they
    /// have to be alike.
    fn same_atom(&mut self, a: &Atom, b: &Atom, alike: bool) -> Result<bool, Spent> {
        if a.kind != b.kind {
            return Ok(false);
        }
        let mut factor = canonical::proportional(&a.difference, &b.difference, self.budget)?;
        if factor.is_none() && a.kind == Kind::Zero {
            let sides = [cleared(&a.difference), cleared(&b.difference)];
            if sides.iter().any(Option::is_some) {
                let [x, y] = sides;
                let (x, y) = (x.unwrap_or(a.difference.clone()), y.unwrap_or(b.difference.clone()));
                factor = canonical::proportional(&x, &y, self.budget)?;
            }
        }
        if factor.is_none() && !alike && matches!(a.kind, Kind::Zero | Kind::NotZero) {
            let irrational =
                |e: &Expr| tree::any(e, &|node| matches!(node, Expr::Call(Function::Root, _)));
            if irrational(&a.difference) || irrational(&b.difference) {
                // Of a factor √r, the square is rational.
                let [x, y] = [a, b].map(|atom| atom.difference.clone().pow(Expr::integer(2)));
                factor = canonical::proportional(&x, &y, self.budget)?;
            }
        }
        let one = |factor: &RBig| *factor == RBig::ONE || *factor == -RBig::ONE;
        Ok(factor.filter(|factor| !alike || one(factor)).is_some_and(|factor| match a.kind {
            Kind::Zero | Kind::NotZero => !factor.is_zero(),
            Kind::Positive | Kind::NotNegative => factor > RBig::ZERO,
        }))
    }
}

/// A sum times its denominators, if there are any with variables: `xy - 1` of `y - 1/x`.
/// Whether an expression holds what may have any value: a function without a meaning, an operator
/// that was not worked out.
fn is_opaque(e: &Expr) -> bool {
    tree::any(e, &|node| matches!(node, Expr::Big(_) | Expr::Call(Function::Named(_), _)))
}

fn cleared(e: &Expr) -> Option<Expr> {
    let divisor = |factor: &Expr| match factor {
        Expr::Pow(pair) if is_minus_one(&pair.1) && !closed(&pair.0) => Some(pair.0.clone()),
        _ => None,
    };
    let mut terms = Vec::new();
    flatten(e, false, &mut terms);
    let mut divisors: Vec<Expr> = Vec::new();
    for term in &terms {
        let factors =
            if let Expr::Mul(factors) = term { factors } else { std::slice::from_ref(term) };
        for divisor in factors.iter().filter_map(divisor) {
            if !divisors.contains(&divisor) {
                divisors.push(divisor);
            }
        }
    }
    if divisors.is_empty() || divisors.len() > MAX_DIVISORS {
        return None;
    }
    let times = |term: &Expr| {
        let Expr::Mul(factors) = term else {
            let own = divisor(term);
            let rest = divisors.iter().filter(|divisor| Some(*divisor) != own.as_ref()).cloned();
            let term = if own.is_some() { Expr::integer(1) } else { term.clone() };
            return Expr::product(std::iter::once(term).chain(rest));
        };
        let mut open = divisors.clone();
        let kept: Vec<Expr> = factors
            .iter()
            .filter(|factor| {
                let found =
                    divisor(factor).and_then(|own| open.iter().position(|other| *other == own));
                found.map(|i| open.swap_remove(i)).is_none()
            })
            .cloned()
            .collect();
        Expr::product(kept.into_iter().chain(open))
    };
    Some(Expr::sum(terms.iter().map(times)))
}

/// The terms of a sum, those of subtracted sums with their signs.
fn flatten(e: &Expr, negative: bool, terms: &mut Vec<Expr>) {
    match e {
        Expr::Add(items) => items.iter().for_each(|item| flatten(item, negative, terms)),
        Expr::Mul(factors) => match factors.as_slice() {
            [sign, rest] if is_minus_one(sign) => flatten(rest, !negative, terms),
            _ => terms.push(if negative { e.clone().negate() } else { e.clone() }),
        },
        _ => terms.push(if negative { e.clone().negate() } else { e.clone() }),
    }
}

/// `x = y = z = 1/3` as three equations.
pub(super) fn shared_value(e: &Expr) -> Option<Expr> {
    let Expr::Relation(members, operators) = e else { return None };
    let (value, names) = members.split_last()?;
    let chain = names.len() > 1 && operators.iter().all(|operator| *operator == Rel::Eq);
    let symbols = names.iter().all(|name| matches!(name, Expr::Symbol(_)));
    (chain && symbols).then(|| {
        let equation =
            |name: &Expr| Expr::Relation(vec![name.clone(), value.clone()], vec![Rel::Eq]);
        Expr::List(names.iter().map(equation).collect(), Joint::Comma)
    })
}

/// `\begin{cases} x = 1 \\ y = 2 \end{cases}` as `x = 1, y = 2`.
fn system(e: &Expr) -> Option<Expr> {
    let Expr::Cases(cases) = e else { return None };
    cases
        .iter()
        .all(|(_, condition)| condition.is_none())
        .then(|| Expr::List(cases.iter().map(|(value, _)| value.clone()).collect(), Joint::Comma))
}

/// Whether an expression names what a relation is about, instead of being a part of it: `x`,
/// `f(2)`, `AB`, `|AB|`, `\sin A`, `S_1 : S_2`, `(p, q)`.
pub(super) fn is_name(e: &Expr) -> bool {
    match e {
        // The eccentricity of a conic is called e.
        Expr::Symbol(_)
        | Expr::Text(_)
        | Expr::Constant(Constant::E)
        | Expr::Call(Function::Named(_), _) => true,
        Expr::Call(function, arguments) => names_measure(function) && arguments.iter().all(is_name),
        Expr::Ratio(items)
        | Expr::Tuple(items, Bracket::Round | Bracket::Angle, _)
        | Expr::List(items, Joint::Comma | Joint::And) => items.iter().all(is_name),
        Expr::Mul(factors) => points(factors) || quotient_of_names(factors),
        Expr::Big(big) => matches!(&**big, Big::Derivative(body, ..) if is_name(body)),
        Expr::Quantity(value, unit) => unit.kind == UnitKind::Degree && is_name(value),
        _ => false,
    }
}

const fn names_measure(function: &Function) -> bool {
    use Function::{
        Abs, Arg, Conj, Cos, Cot, Csc, Det, Gcd, Im, Lcm, Re, Sec, Sin, Tan, Transpose,
    };
    matches!(
        function,
        Abs | Arg
            | Cos
            | Cot
            | Csc
            | Det
            | Im
            | Re
            | Sec
            | Sin
            | Tan
            | Transpose
            | Conj
            | Gcd
            | Lcm
    )
}

const fn is_capital(letter: char) -> bool {
    letter.is_ascii_uppercase()
}

/// `AB`: a segment between points.
fn points(factors: &[Expr]) -> bool {
    factors.len() > 1
        && factors.iter().all(|factor| match factor {
            Expr::Symbol(name) => name.starts_with(is_capital),
            _ => false,
        })
}

/// `\frac{AB}{CD}`, `y/x`.
fn quotient_of_names(factors: &[Expr]) -> bool {
    let inverse = |e: &Expr| match e {
        Expr::Pow(pair) if is_minus_one(&pair.1) => match &pair.0 {
            Expr::Mul(factors) if is_differential(factors) => true,
            divisor => is_name(divisor),
        },
        _ => false,
    };
    let (below, above): (Vec<&Expr>, Vec<&Expr>) =
        factors.iter().partition(|factor| matches!(factor, Expr::Pow(_)));
    let above: Vec<Expr> = above.into_iter().cloned().collect();
    !below.is_empty()
        && below.into_iter().all(inverse)
        && match above.as_slice() {
            [one] => is_name(one),
            several => points(several) || is_differential(several),
        }
}

/// `dy`
fn is_differential(factors: &[Expr]) -> bool {
    matches!(factors, [Expr::Symbol(d), Expr::Symbol(_)] if &**d == "d")
}

pub(super) fn is_minus_one(e: &Expr) -> bool {
    matches!(e, Expr::Number(number) if number.value == RBig::from(-1))
}

/// The arguments, if they are distinct variables, as in the head of a definition.
fn parameters(arguments: &[Expr]) -> Option<Vec<Symbol>> {
    let mut names = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match argument {
            // P(A) is about A, f(x) about f.
            Expr::Symbol(name) if !names.contains(name) && !name.starts_with(is_capital) => {
                names.push(name.clone());
            }
            _ => return None,
        }
    }
    Some(names)
}

/// Renames all at once.
pub(super) fn substitute_all(e: &Expr, from: &[Symbol], to: &[Symbol]) -> Expr {
    if from == to {
        return e.clone();
    }
    let held = |i: usize| Symbol::from(format!("\u{2032}{i}"));
    let away = from
        .iter()
        .enumerate()
        .fold(e.clone(), |e, (i, name)| calculus::rename(&e, name, &held(i)));
    to.iter().enumerate().fold(away, |e, (i, name)| calculus::rename(&e, &held(i), name))
}

fn closed(e: &Expr) -> bool {
    calculus::free_symbols(e).is_empty()
}

const fn is_symmetric(operator: &Rel) -> bool {
    matches!(
        operator,
        Rel::Eq
            | Rel::Ne
            | Rel::Approx
            | Rel::Iff
            | Rel::Parallel
            | Rel::Perpendicular
            | Rel::Similar
            | Rel::Congruent(_)
    )
}

/// The relation turned round, if it is descending: `2 > x` as `x < 2`.
pub(super) fn ascending<'e>(members: &'e [Expr], operators: &[Rel]) -> (Vec<&'e Expr>, Vec<Rel>) {
    let descending = operators.iter().any(|f| matches!(f, Rel::Gt | Rel::Ge | Rel::Superset));
    let turned = |operator: &Rel| match operator {
        Rel::Gt => Some(Rel::Lt),
        Rel::Ge => Some(Rel::Le),
        Rel::Superset => Some(Rel::Subset),
        Rel::Eq => Some(Rel::Eq),
        _ => None,
    };
    let turn: Option<Vec<Rel>> = operators.iter().rev().map(turned).collect();
    match turn {
        Some(turned) if descending => (members.iter().rev().collect(), turned),
        _ => (members.iter().collect(), operators.to_vec()),
    }
}

/// Whether one relation gives the values of a variable, and the other is the question: `x = 5` and
/// `2x = 10`. `2x < 4` counts as an answer.
fn repeats_question(question: &[&Expr], operators: &[Rel], answer: &[&Expr]) -> bool {
    let name = |e: &Expr| is_name(e) && !matches!(e, Expr::Mul(factors) if !points(factors));
    let solved = |members: &[&Expr]| members.iter().all(|e| name(e) || closed(e));
    let equation = operators.contains(&Rel::Eq);
    solved(answer)
        && answer.iter().any(|e| closed(e))
        && !solved(question)
        && (equation || !question.iter().all(|e| is_multiple(e)))
}

/// `2x`, a name or a value: a side of an inequality that is as good as solved.
pub(super) fn is_multiple(e: &Expr) -> bool {
    match e {
        Expr::Mul(factors) => {
            factors.iter().filter(|factor| !closed(factor)).count() == 1
                && factors.iter().all(|factor| closed(factor) || is_name(factor))
        }
        _ => is_name(e) || closed(e),
    }
}

/// `x - 5 = 0` is no question.
fn is_homogeneous(members: &[&Expr]) -> bool {
    members.iter().any(|e| matches!(e, Expr::Number(number) if number.value.is_zero()))
}

/// The comparisons of neighbours, if all are comparisons.
fn atoms(members: &[&Expr], operators: &[Rel]) -> Option<Vec<Atom>> {
    members
        .windows(2)
        .zip(operators)
        .map(|(pair, operator)| {
            let [low, high] = pair else { return None };
            if !super::is_scalar(low) || !super::is_scalar(high) {
                return None;
            }
            let up = || (*high).clone().minus((*low).clone());
            let down = || (*low).clone().minus((*high).clone());
            let (difference, kind) = match operator {
                Rel::Eq => (up(), Kind::Zero),
                Rel::Ne => (up(), Kind::NotZero),
                Rel::Lt => (up(), Kind::Positive),
                Rel::Le => (up(), Kind::NotNegative),
                Rel::Gt => (down(), Kind::Positive),
                Rel::Ge => (down(), Kind::NotNegative),
                _ => return None,
            };
            Some(Atom { difference, kind })
        })
        .collect()
}

/// A member of a chain beside a number without a unit: its own number, if it is a measure.
fn beside<'e>(member: &'e Expr, other: &Expr) -> &'e Expr {
    match member {
        Expr::Quantity(value, unit)
            if matches!(unit.kind, UnitKind::Measure { .. } | UnitKind::Words)
                && super::is_scalar(other) =>
        {
            value
        }
        _ => member,
    }
}
