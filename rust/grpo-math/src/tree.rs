//! Walks over the tree: children, free variables, substitution.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use crate::expr::{Big, Expr, Rel, Symbol};

/// The same node over other children. The children of a [`Big`] are its body, then its bounds.
pub(crate) fn map<E>(e: &Expr, f: &mut dyn FnMut(&Expr) -> Result<Expr, E>) -> Result<Expr, E> {
    Ok(match e {
        Expr::Number(_)
        | Expr::Constant(_)
        | Expr::Symbol(_)
        | Expr::NamedSet(_)
        | Expr::Time(_)
        | Expr::Date(_)
        | Expr::Choice(_, None)
        | Expr::Text(_)
        | Expr::Ellipsis => e.clone(),
        Expr::Add(items) => Expr::Add(all(items, f)?),
        Expr::Mul(items) => Expr::Mul(all(items, f)?),
        Expr::Pow(pair) => Expr::Pow(both(pair, f)?),
        Expr::Call(function, arguments) => Expr::Call(function.clone(), all(arguments, f)?),
        Expr::PlusMinus(inner, flipped) => Expr::PlusMinus(Box::new(f(inner)?), *flipped),
        Expr::Big(big) => Expr::Big(Box::new(map_big(big, f)?)),
        Expr::Quantity(value, unit) => Expr::Quantity(Box::new(f(value)?), unit.clone()),
        Expr::Ratio(items) => Expr::Ratio(all(items, f)?),
        Expr::Residue(pair) => Expr::Residue(both(pair, f)?),
        Expr::Matrix(rows) => {
            Expr::Matrix(rows.iter().map(|row| all(row, f)).collect::<Result<_, E>>()?)
        }
        Expr::Cases(cases) => {
            let mut mapped = Vec::with_capacity(cases.len());
            for (value, condition) in cases {
                mapped.push((f(value)?, condition.as_ref().map(&mut *f).transpose()?));
            }
            Expr::Cases(mapped)
        }
        Expr::Tuple(items, left, right) => Expr::Tuple(all(items, f)?, *left, *right),
        Expr::Set(items) => Expr::Set(all(items, f)?),
        Expr::List(items, joint) => Expr::List(all(items, f)?, *joint),
        Expr::Builder(element, conditions) => {
            Expr::Builder(Box::new(f(element)?), all(conditions, f)?)
        }
        Expr::Union(items) => Expr::Union(all(items, f)?),
        Expr::Intersection(items) => Expr::Intersection(all(items, f)?),
        Expr::Difference(pair) => Expr::Difference(both(pair, f)?),
        Expr::Relation(members, operators) => {
            let members = all(members, f)?;
            let mut mapped = Vec::with_capacity(operators.len());
            for operator in operators {
                mapped.push(match operator {
                    Rel::Congruent(modulus) => Rel::Congruent(Box::new(f(modulus)?)),
                    other => other.clone(),
                });
            }
            Expr::Relation(members, mapped)
        }
        Expr::Choice(letters, Some(content)) => {
            Expr::Choice(letters.clone(), Some(Box::new(f(content)?)))
        }
    })
}

fn all<E>(items: &[Expr], f: &mut dyn FnMut(&Expr) -> Result<Expr, E>) -> Result<Vec<Expr>, E> {
    items.iter().map(f).collect()
}

fn both<E>(
    pair: &(Expr, Expr),
    f: &mut dyn FnMut(&Expr) -> Result<Expr, E>,
) -> Result<Box<(Expr, Expr)>, E> {
    Ok(Box::new((f(&pair.0)?, f(&pair.1)?)))
}

fn map_big<E>(big: &Big, f: &mut dyn FnMut(&Expr) -> Result<Expr, E>) -> Result<Big, E> {
    Ok(match big {
        Big::Sum(body, k, first, last) => Big::Sum(f(body)?, k.clone(), f(first)?, f(last)?),
        Big::Product(body, k, first, last) => {
            Big::Product(f(body)?, k.clone(), f(first)?, f(last)?)
        }
        Big::Limit(body, x, point, side) => Big::Limit(f(body)?, x.clone(), f(point)?, *side),
        Big::Integral(body, x, None) => Big::Integral(f(body)?, x.clone(), None),
        Big::Integral(body, x, Some((lower, upper))) => {
            Big::Integral(f(body)?, x.clone(), Some((f(lower)?, f(upper)?)))
        }
        Big::Derivative(body, x, order) => Big::Derivative(f(body)?, x.clone(), *order),
    })
}

/// Calls `f` for each child.
pub(crate) fn each(e: &Expr, f: &mut dyn FnMut(&Expr)) {
    match e {
        Expr::Number(_)
        | Expr::Constant(_)
        | Expr::Symbol(_)
        | Expr::NamedSet(_)
        | Expr::Time(_)
        | Expr::Date(_)
        | Expr::Choice(_, None)
        | Expr::Text(_)
        | Expr::Ellipsis => {}
        Expr::Add(items)
        | Expr::Mul(items)
        | Expr::Call(_, items)
        | Expr::Ratio(items)
        | Expr::Tuple(items, ..)
        | Expr::Set(items)
        | Expr::List(items, _)
        | Expr::Union(items)
        | Expr::Intersection(items) => items.iter().for_each(f),
        Expr::Pow(pair) | Expr::Residue(pair) | Expr::Difference(pair) => {
            f(&pair.0);
            f(&pair.1);
        }
        Expr::PlusMinus(inner, _) | Expr::Quantity(inner, _) | Expr::Choice(_, Some(inner)) => {
            f(inner);
        }
        Expr::Matrix(rows) => rows.iter().flatten().for_each(f),
        Expr::Cases(cases) => {
            for (value, condition) in cases {
                f(value);
                condition.iter().for_each(&mut *f);
            }
        }
        Expr::Builder(element, conditions) => {
            f(element);
            conditions.iter().for_each(f);
        }
        Expr::Relation(members, operators) => {
            members.iter().for_each(&mut *f);
            for operator in operators {
                if let Rel::Congruent(modulus) = operator {
                    f(modulus);
                }
            }
        }
        Expr::Big(big) => {
            let (body, _, bounds) = parts(big);
            f(body);
            bounds.into_iter().flatten().for_each(f);
        }
    }
}

/// Body, variable and bounds.
fn parts(big: &Big) -> (&Expr, &Symbol, [Option<&Expr>; 2]) {
    match big {
        Big::Sum(body, k, first, last) | Big::Product(body, k, first, last) => {
            (body, k, [Some(first), Some(last)])
        }
        Big::Limit(body, x, point, _) => (body, x, [Some(point), None]),
        Big::Integral(body, x, bounds) => {
            (body, x, [bounds.as_ref().map(|b| &b.0), bounds.as_ref().map(|b| &b.1)])
        }
        Big::Derivative(body, x, _) => (body, x, [None, None]),
    }
}

/// Whether a node of the tree satisfies the predicate.
pub(crate) fn any(e: &Expr, predicate: &dyn Fn(&Expr) -> bool) -> bool {
    if predicate(e) {
        return true;
    }
    let mut found = false;
    each(e, &mut |child| found = found || any(child, predicate));
    found
}

/// The number of nodes.
pub(crate) fn size(e: &Expr) -> u64 {
    let mut total = 1;
    each(e, &mut |child| total += size(child));
    total
}

/// Whether the variable of the operator is invisible outside. The indefinite integral and the
/// derivative of a function of x are functions of x.
const fn binds(big: &Big) -> bool {
    !matches!(big, Big::Integral(_, _, None) | Big::Derivative(..))
}

/// The variables of an expression, without bound ones. Names of functions are none.
pub(crate) fn free_symbols(e: &Expr) -> BTreeSet<Symbol> {
    let mut found = BTreeSet::new();
    collect(e, &mut found);
    found
}

fn collect(e: &Expr, found: &mut BTreeSet<Symbol>) {
    match e {
        Expr::Symbol(name) => {
            found.insert(name.clone());
        }
        Expr::Big(big) => {
            let (body, variable, bounds) = parts(big);
            let mut inner = free_symbols(body);
            if binds(big) {
                inner.remove(variable);
            } else {
                inner.insert(variable.clone());
            }
            found.append(&mut inner);
            for bound in bounds.into_iter().flatten() {
                collect(bound, found);
            }
        }
        Expr::Builder(element, conditions) => {
            let mut inner = free_symbols(element);
            for condition in conditions {
                collect(condition, &mut inner);
            }
            for variable in builder_variables(element, conditions) {
                inner.remove(&variable);
            }
            found.append(&mut inner);
        }
        _ => each(e, &mut |child| collect(child, found)),
    }
}

/// The variables over which a set is built: those declared by `x \in ..`, or else all of the
/// element.
fn builder_variables(element: &Expr, conditions: &[Expr]) -> BTreeSet<Symbol> {
    let mut declared = BTreeSet::new();
    for statement in std::iter::once(element).chain(conditions) {
        if let Expr::Relation(members, operators) = statement
            && operators.first() == Some(&Rel::In)
            && let Some(first) = members.first()
        {
            declared.append(&mut free_symbols(first));
        }
    }
    let names = free_symbols(element);
    let bound: BTreeSet<Symbol> = declared.intersection(&names).cloned().collect();
    if bound.is_empty() { names } else { bound }
}

/// Whether the symbol occurs free.
pub(crate) fn depends(e: &Expr, symbol: &Symbol) -> bool {
    match e {
        Expr::Symbol(name) => name == symbol,
        Expr::Big(_) | Expr::Builder(..) => free_symbols(e).contains(symbol),
        _ => {
            let mut found = false;
            each(e, &mut |child| found = found || depends(child, symbol));
            found
        }
    }
}

/// The expression with the value in place of the free symbol; bound variables are renamed where the
/// value would be captured. Under an unresolved derivative or indefinite integral with respect to
/// the symbol it stays, as "the derivative at 5" has no node.
pub(crate) fn substitute(e: &Expr, symbol: &Symbol, value: &Expr) -> Expr {
    match e {
        Expr::Symbol(name) if name == symbol => value.clone(),
        Expr::Number(_) | Expr::Constant(_) | Expr::Symbol(_) => e.clone(),
        Expr::Big(big) => substitute_big(big, symbol, value),
        Expr::Builder(element, conditions) => {
            let bound = builder_variables(element, conditions);
            if bound.contains(symbol) {
                return e.clone();
            }
            let outside = free_symbols(value);
            let renamed = bound.intersection(&outside).fold(e.clone(), |set, variable| {
                children(&set, &mut |child| rename(child, variable, &fresh(&set, &outside)))
            });
            children(&renamed, &mut |child| substitute(child, symbol, value))
        }
        _ => children(e, &mut |child| substitute(child, symbol, value)),
    }
}

fn children(e: &Expr, f: &mut dyn FnMut(&Expr) -> Expr) -> Expr {
    let Ok(mapped) = map::<Infallible>(e, &mut |child| Ok(f(child)));
    mapped
}

fn substitute_big(big: &Big, symbol: &Symbol, value: &Expr) -> Expr {
    let (body, variable, _) = parts(big);
    let renames = matches!(value, Expr::Symbol(_));
    let mut bound = variable.clone();
    let body = if variable == symbol {
        if let Expr::Symbol(name) = value
            && !binds(big)
        {
            bound = name.clone();
            substitute(body, symbol, value)
        } else {
            body.clone()
        }
    } else {
        let outside = free_symbols(value);
        if outside.contains(variable) && (binds(big) || !renames) {
            bound = fresh(body, &outside);
            substitute(&rename(body, variable, &bound), symbol, value)
        } else {
            substitute(body, symbol, value)
        }
    };
    let at = |bound: &Expr| substitute(bound, symbol, value);
    Expr::Big(Box::new(match big {
        Big::Sum(_, _, first, last) => Big::Sum(body, bound, at(first), at(last)),
        Big::Product(_, _, first, last) => Big::Product(body, bound, at(first), at(last)),
        Big::Limit(_, _, point, side) => Big::Limit(body, bound, at(point), *side),
        Big::Integral(_, _, bounds) => {
            let bounds = bounds.as_ref().map(|(lower, upper)| (at(lower), at(upper)));
            Big::Integral(body, bound, bounds)
        }
        Big::Derivative(_, _, order) => Big::Derivative(body, bound, *order),
    }))
}

/// A name that neither the expression nor the set uses.
pub(crate) fn fresh(e: &Expr, outside: &BTreeSet<Symbol>) -> Symbol {
    let inside = free_symbols(e);
    let mut name = String::from("\u{2032}");
    while inside.contains(name.as_str()) || outside.contains(name.as_str()) {
        name.push('\u{2032}');
    }
    Arc::from(name)
}

/// The expression with another name for a free symbol.
pub(crate) fn rename(e: &Expr, from: &Symbol, to: &Symbol) -> Expr {
    substitute(e, from, &Expr::Symbol(to.clone()))
}

/// The expression with every node for which `change` has something else replaced, children first.
pub(crate) fn rebuild(e: &Expr, change: &dyn Fn(&Expr) -> Option<Expr>) -> Expr {
    let rebuilt = map(e, &mut |child| Ok::<_, std::convert::Infallible>(rebuild(child, change)));
    let Ok(rebuilt) = rebuilt;
    change(&rebuilt).unwrap_or(rebuilt)
}
