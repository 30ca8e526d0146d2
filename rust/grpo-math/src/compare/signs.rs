//! `±`: one answer that stands for several.

use std::borrow::Cow;
use std::convert::Infallible;

use crate::expr::{Expr, Joint};
use crate::tree;

/// More independent signs than this switch together.
const INDEPENDENT: u32 = 4;

/// The signs of an answer.
pub(super) struct Signs {
    /// The most in one item.
    count: u32,
    /// Whether one is `∓`, so that they switch together.
    linked: bool,
}

impl Signs {
    pub(super) fn of(e: &Expr) -> Self {
        let count = most(e);
        let linked = count > 0 && tree::any(e, &|node| matches!(node, Expr::PlusMinus(_, true)));
        Self { count, linked }
    }

    /// Whether the signs may switch one by one.
    pub(super) const fn independent(&self) -> bool {
        !self.linked && self.count > 1 && self.count <= INDEPENDENT
    }

    /// The answer with a list of alternatives in place of each item that has a sign.
    pub(super) fn expand<'e>(&self, e: &'e Expr, independent: bool) -> Cow<'e, Expr> {
        if self.count == 0 { Cow::Borrowed(e) } else { Cow::Owned(expand(e, independent)) }
    }
}

fn count(e: &Expr) -> u32 {
    let mut total = u32::from(matches!(e, Expr::PlusMinus(..)));
    tree::each(e, &mut |child| total = total.saturating_add(count(child)));
    total
}

fn most(e: &Expr) -> u32 {
    match e {
        Expr::List(items, _) | Expr::Set(items) => items.iter().map(most).max().unwrap_or(0),
        Expr::Relation(members, _) => members.iter().map(most).sum(),
        _ => count(e),
    }
}

fn expand(e: &Expr, independent: bool) -> Expr {
    match e {
        Expr::List(items, joint) => Expr::List(
            items.iter().flat_map(|item| alternatives(item, independent)).collect(),
            *joint,
        ),
        Expr::Set(items) => {
            Expr::Set(items.iter().flat_map(|item| alternatives(item, independent)).collect())
        }
        // x = \{1 \pm \sqrt 5, -2\}
        Expr::Relation(members, operators) => match members.split_last() {
            Some((last @ (Expr::Set(_) | Expr::List(..)), first))
                if first.iter().all(|member| count(member) == 0) =>
            {
                let mut members = first.to_vec();
                members.push(expand(last, independent));
                Expr::Relation(members, operators.clone())
            }
            _ => Expr::List(alternatives(e, independent), Joint::Or),
        },
        _ => Expr::List(alternatives(e, independent), Joint::Or),
    }
}

/// The one or more readings of an item.
fn alternatives(e: &Expr, independent: bool) -> Vec<Expr> {
    let signs = count(e);
    if signs == 0 {
        return vec![e.clone()];
    }
    if matches!(e, Expr::List(..) | Expr::Set(_)) {
        return vec![expand(e, independent)];
    }
    let independent = independent && signs <= INDEPENDENT;
    let choices = if independent { 1_u32 << signs } else { 2 };
    (0..choices)
        .map(|choice| {
            let mut next = 0;
            choose(e, &mut || {
                let bit = if independent { next } else { 0 };
                next += 1;
                choice >> bit & 1 == 1
            })
        })
        .collect()
}

fn negated(e: Expr) -> Expr {
    match e {
        Expr::Tuple(items, left, right) => {
            Expr::Tuple(items.into_iter().map(negated).collect(), left, right)
        }
        e => e.negate(),
    }
}

/// The expression with each sign decided: `minus` says whether the upper sign is read as minus.
fn choose(e: &Expr, minus: &mut dyn FnMut() -> bool) -> Expr {
    if let Expr::PlusMinus(inner, flipped) = e {
        let negative = minus() != *flipped;
        let inner = choose(inner, minus);
        return if negative { negated(inner) } else { inner };
    }
    let Ok(chosen) = tree::map::<Infallible>(e, &mut |child| Ok(choose(child, minus)));
    chosen
}
