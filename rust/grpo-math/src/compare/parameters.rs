//! Names that stand for any number: the integer of a family of angles, the index of a sequence,
//! constants of integration.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Equality, Judge, Outcome, is_scalar};
use crate::calculus;
use crate::expr::{Constant, Expr, NamedSet, Rel, Symbol, UnitKind};
use crate::tree;

/// How the integer of a family of angles may be called.
const INTEGERS: [&str; 7] = ["j", "k", "l", "m", "n", "p", "q"];

/// Of more such names in one answer, the others are variables.
const MAX_INTEGERS: usize = 4;

/// How the index of a sequence may be called.
const INDICES: [&str; 8] = ["i", "j", "k", "l", "m", "n", "r", "t"];

/// More constants of integration are not told apart.
const MAX_CONSTANTS: usize = 3;

/// Both sides with undeclared families of angles declared: `x = \pi/2 + k\pi`. One side must show
/// that it is a family: it declares it, or both are about an angle, or name the integer in
/// different ways, since `n\pi` is also a plain formula in n.
pub(super) fn undeclared(answer: &Expr, gold: &Expr) -> Option<[Expr; 2]> {
    let sides = [answer, gold].map(|side| (is_declared(side), integers(side)));
    let families = match &sides {
        [(true, _), (false, found)] | [(false, found), (true, _)] => !found.is_empty(),
        [(false, p), (false, q)] => {
            !p.is_empty() && !q.is_empty() && (p != q || is_angle(answer) && is_angle(gold))
        }
        _ => false,
    };
    families.then(|| [answer, gold].map(declared))
}

fn is_declared(e: &Expr) -> bool {
    tree::any(e, &|node| matches!(node, Expr::Builder(..)))
}

/// Whether the answer gives the values of a variable that may be an angle.
fn is_angle(e: &Expr) -> bool {
    match e {
        Expr::List(items, _) => items.iter().all(is_angle),
        Expr::Relation(members, operators) => {
            matches!((members.as_slice(), operators.as_slice()), ([Expr::Symbol(name), _], [Rel::Eq])
                if !name.starts_with(|letter: char| letter.is_ascii_uppercase()))
        }
        _ => false,
    }
}

/// The integers of the families of angles.
fn integers(e: &Expr) -> BTreeSet<Symbol> {
    match e {
        Expr::List(items, _) => items.iter().flat_map(integers).collect(),
        Expr::Relation(members, operators) => match (members.as_slice(), operators.as_slice()) {
            ([Expr::Symbol(_), value], [Rel::Eq]) => integers(value),
            _ => BTreeSet::new(),
        },
        _ => integer(e).into_iter().collect(),
    }
}

/// The name that occurs only as an integer multiple of π or of degrees.
fn integer(e: &Expr) -> Option<Symbol> {
    let angle = tree::any(e, &|node| match node {
        Expr::Constant(constant) => matches!(constant, Constant::Pi | Constant::Degree),
        Expr::Quantity(_, unit) => unit.kind == UnitKind::Degree,
        _ => false,
    });
    if !angle {
        return None;
    }
    let (value, degrees) = match e {
        Expr::Quantity(value, unit) if unit.kind == UnitKind::Degree => (&**value, true),
        _ => (e, false),
    };
    if !is_scalar(value) && !matches!(value, Expr::PlusMinus(..)) {
        return None;
    }
    let terms = if let Expr::Add(terms) = value { terms } else { std::slice::from_ref(value) };
    let symbols = calculus::free_symbols(value).into_iter();
    symbols.filter(|name| INTEGERS.contains(&stem(name))).take(MAX_INTEGERS).find(|name| {
        let mut turns = false;
        let all = terms.iter().all(|term| {
            let turn = is_turn(term, name, degrees);
            turns |= turn == Some(true);
            turn.is_some()
        });
        all && turns
    })
}

fn stem(name: &Symbol) -> &str {
    name.split_once('_').map_or(name, |(stem, _)| stem)
}

/// Whether a term is a multiple of the integer by an angle, or may stand beside such terms.
fn is_turn(term: &Expr, name: &Symbol, degrees: bool) -> Option<bool> {
    if !tree::depends(term, name) {
        return Some(false);
    }
    let factors = if let Expr::Mul(factors) = term { factors } else { std::slice::from_ref(term) };
    let angle = |e: &Expr| matches!(e, Expr::Constant(Constant::Pi | Constant::Degree));
    let multiple = |e: &Expr| match e {
        Expr::Symbol(symbol) => symbol == name,
        Expr::Mul(factors) => factors.iter().all(|factor| {
            matches!(factor, Expr::Number(_)) || matches!(factor, Expr::Symbol(s) if s == name)
        }),
        _ => false,
    };
    let linear = |e: &Expr| match e {
        Expr::Add(terms) => terms.iter().all(|e| matches!(e, Expr::Number(_)) || multiple(e)),
        e => multiple(e),
    };
    let alternating = |e: &Expr| match e {
        Expr::Pow(pair) => super::relations::is_minus_one(&pair.0) && linear(&pair.1),
        _ => false,
    };
    let dependent: Vec<&Expr> = factors.iter().filter(|e| tree::depends(e, name)).collect();
    let [factor] = dependent.as_slice() else { return None };
    let scaled = degrees || factors.iter().any(angle);
    (scaled && (linear(factor) || alternating(factor))).then(|| linear(factor))
}

/// The answer with `k \in \mathbb Z` where k is such an integer.
fn declared(e: &Expr) -> Expr {
    match e {
        Expr::List(items, joint) => Expr::List(items.iter().map(declared).collect(), *joint),
        Expr::Relation(members, operators) => match (members.as_slice(), operators.as_slice()) {
            ([name @ Expr::Symbol(_), value], [Rel::Eq]) if integer(value).is_some() => {
                Expr::Relation(vec![name.clone(), declared(value)], vec![Rel::In])
            }
            _ => e.clone(),
        },
        _ => match integer(e) {
            Some(name) => over_integers(in_radians(e), name),
            None => e.clone(),
        },
    }
}

fn in_radians(e: &Expr) -> Expr {
    match e {
        Expr::Quantity(value, _) => {
            Expr::product([(**value).clone(), Expr::Constant(Constant::Degree)])
        }
        _ => e.clone(),
    }
}

/// A set over the integers, declared or as `7k + 3`.
pub(super) fn integer_family(e: &Expr) -> Option<Cow<'_, Expr>> {
    if matches!(e, Expr::Builder(..)) {
        return Some(Cow::Borrowed(e));
    }
    let symbols = calculus::free_symbols(e);
    let name = symbols.first().filter(|_| symbols.len() == 1 && is_scalar(e))?.clone();
    INTEGERS.contains(&stem(&name)).then(|| Cow::Owned(over_integers(e.clone(), name)))
}

fn over_integers(element: Expr, name: Symbol) -> Expr {
    let domain = vec![Expr::Symbol(name), Expr::NamedSet(NamedSet::Integers)];
    Expr::Builder(Box::new(element), vec![Expr::Relation(domain, vec![Rel::In])])
}

/// The value of `a_n` as a value of `a_k`, if these are two names of the general term.
pub(super) fn reindexed(p: &Symbol, q: &Symbol, value: &Expr) -> Option<Expr> {
    let ((stem, from), (other, to)) = (p.split_once('_')?, q.split_once('_')?);
    let index = |name: &str| INDICES.contains(&name).then(|| Symbol::from(name));
    let (from, to) = (index(from)?, index(to)?);
    (stem == other && tree::depends(value, &from) && !tree::depends(value, &to))
        .then(|| calculus::rename(value, &from, &to))
}

impl Judge<'_> {
    /// Compares two general solutions up to the names of their constants: `C e^x` and `A e^x`.
    pub(super) fn general_solutions(&mut self, a: &Expr, b: &Expr) -> Outcome {
        let named = |e: &Expr| {
            tree::any(e, &|node| matches!(node, Expr::Symbol(name) if is_constant(name)))
        };
        if !named(a) || !named(b) {
            return Ok(Equality::Different);
        }
        let (p, q) = (constants(a), constants(b));
        let marked = |names: &[Symbol]| names.iter().all(is_marked);
        let linear = is_linear(a, &p) && is_linear(b, &q);
        let captured = |e: &Expr, own: &[Symbol], names: &[Symbol]| {
            names.iter().any(|name| !own.contains(name) && tree::depends(e, name))
        };
        if p.is_empty()
            || p.len() != q.len()
            || p.len() > MAX_CONSTANTS
            || !(marked(&p) || marked(&q))
            || !(linear || marked(&p) && marked(&q) && p != q)
            || captured(a, &p, &q)
            || captured(b, &q, &p)
        {
            return Ok(Equality::Different);
        }
        for names in permutations(&q) {
            if names == p {
                continue;
            }
            let renamed = super::relations::substitute_all(a, &p, &names);
            if self.ladder(&renamed, b)? == Equality::Equal {
                return Ok(Equality::Equal);
            }
        }
        Ok(Equality::Different)
    }
}

/// The names that may be constants of a general solution, if there are variables beside them.
fn constants(e: &Expr) -> Vec<Symbol> {
    if !matches!(e, Expr::Add(_) | Expr::Mul(_) | Expr::Pow(_) | Expr::Call(..)) {
        return Vec::new();
    }
    let symbols = calculus::free_symbols(e);
    let names: Vec<Symbol> = symbols.iter().filter(|name| is_constant(name)).cloned().collect();
    if names.len() < symbols.len() { names } else { Vec::new() }
}

fn is_constant(name: &Symbol) -> bool {
    is_marked(name) || matches!(&**name, "A" | "B" | "c" | "k")
}

/// Whether a name can hardly mean anything but a constant of integration.
fn is_marked(name: &Symbol) -> bool {
    matches!(&**name, "C" | "K")
        || name
            .strip_prefix(['C', 'c', 'K', 'k'])
            .is_some_and(|index| matches!(index, "_0" | "_1" | "_2" | "_3"))
}

/// Whether no two constants are multiplied, and none is an argument.
fn is_linear(e: &Expr, names: &[Symbol]) -> bool {
    let depends = |e: &Expr| names.iter().any(|name| tree::depends(e, name));
    match e {
        Expr::Add(terms) => terms.iter().all(|term| is_linear(term, names)),
        Expr::Mul(factors) => {
            let mut dependent = factors.iter().filter(|factor| depends(factor));
            dependent.next().is_none_or(|factor| is_linear(factor, names))
                && dependent.next().is_none()
        }
        Expr::Symbol(_) => true,
        _ => !depends(e),
    }
}

/// The orders of at most three names.
fn permutations(names: &[Symbol]) -> Vec<Vec<Symbol>> {
    let Some((first, rest)) = names.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for order in permutations(rest) {
        for place in 0..=order.len() {
            let mut order = order.clone();
            order.insert(place, first.clone());
            all.push(order);
        }
    }
    all
}
