//! Operators that bind a variable: sums, products, limits, integrals.

use super::{Context, Fail, Integral, Parsed, Parser};
use crate::expr::{Big, Constant, Expr, Function, Rel, Side, Symbol};
use crate::lex::{Command, Delimiter, Token};
use crate::tree;

/// The symbol of the differential `dx`, until its integral takes it.
const DIFFERENTIAL: &str = "\\d ";

/// The marks of `0^+` and `0^-`, until their limit takes them.
pub(super) const FROM_ABOVE: &str = "^+";
pub(super) const FROM_BELOW: &str = "^-";

impl Parser<'_> {
    /// `dx` inside an integral.
    pub(super) fn differential(&mut self, letter: Option<char>) -> Option<Expr> {
        if letter != Some('d') || self.integrals.is_empty() {
            return None;
        }
        let variable = match self.peek()? {
            Token::Letter(letter) => letter.to_string(),
            Token::Greek(name) => format!("\\{name}"),
            _ => return None,
        };
        self.at += 1;
        let symbol = Expr::symbol(&format!("{DIFFERENTIAL}{variable}"));
        if let Some(integral) = self.integrals.last_mut() {
            integral.variable = Some(variable.into());
        }
        Some(symbol)
    }

    /// The scripts below and above a big operator, in either order.
    pub(super) fn limits(&mut self) -> Parsed<(Option<Expr>, Option<Expr>)> {
        let (mut below, mut above) = (None, None);
        loop {
            self.skip_gaps();
            if self.eat(&Token::Underscore) {
                below = Some(self.subscript()?);
            } else if self.eat(&Token::Caret) {
                above = Some(self.script()?);
            } else {
                return Ok((below, above));
            }
        }
    }

    /// A subscript, which may be a statement: `k=1`, `x \to 0`.
    pub(super) fn subscript(&mut self) -> Parsed<Expr> {
        if self.peek() == Some(&Token::Open(Delimiter::Brace)) {
            self.bracket()
        } else {
            self.script()
        }
    }

    pub(super) fn sum_or_product(&mut self, command: Command) -> Parsed<Expr> {
        let (below, above) = self.limits()?;
        let (variable, first, last) = match (below, above) {
            (Some(Expr::Relation(mut members, rels)), above) => match (&rels[..], above) {
                ([Rel::Eq], Some(last)) => {
                    let first = members.pop().ok_or(Fail::Grammar)?;
                    (members.pop(), first, last)
                }
                ([Rel::Ge], None) => {
                    let first = members.pop().ok_or(Fail::Grammar)?;
                    (members.pop(), first, Expr::Constant(Constant::Infinity))
                }
                ([Rel::Le, Rel::Le], None) => {
                    let last = members.pop().ok_or(Fail::Grammar)?;
                    let variable = members.pop();
                    (variable, members.pop().ok_or(Fail::Grammar)?, last)
                }
                _ => return Err(Fail::Grammar),
            },
            _ => return Err(Fail::Grammar),
        };
        let variable = index_name(variable)?;
        let body = self.nested(Context::Other, Self::product)?;
        let body = bind(body, &variable);
        Ok(Expr::Big(Box::new(if command == Command::Sum {
            Big::Sum(body, variable, first, last)
        } else {
            Big::Product(body, variable, first, last)
        })))
    }

    pub(super) fn integral(&mut self) -> Parsed<Expr> {
        let bounds = match self.limits()? {
            (Some(from), Some(to)) => Some((from, to)),
            (None, None) => None,
            _ => return Err(Fail::Grammar),
        };
        self.integrals.push(Integral { depth: self.depth + 1, variable: None });
        let body = self.nested(Context::Other, Self::sum);
        let variable = self.integrals.pop().and_then(|integral| integral.variable);
        let (body, variable) = (body?, variable.ok_or(Fail::Grammar)?);
        let differential: Symbol = format!("{DIFFERENTIAL}{variable}").into();
        let body = without(&body, &differential);
        Ok(Expr::Big(Box::new(Big::Integral(body, variable, bounds))))
    }

    pub(super) fn limit(&mut self) -> Parsed<Expr> {
        let (below, _) = self.limits()?;
        let Some(Expr::Relation(mut members, rels)) = below else { return Err(Fail::Grammar) };
        if rels != [Rel::To] {
            return Err(Fail::Grammar);
        }
        let point = members.pop().ok_or(Fail::Grammar)?;
        let variable = index_name(members.pop())?;
        let (point, side) = one_sided(point);
        let body = self.nested(Context::Other, Self::product)?;
        Ok(Expr::Big(Box::new(Big::Limit(body, variable, point, side))))
    }
}

/// The index of a sum. `i` and `e` are variables there.
pub(super) fn index_name(expr: Option<Expr>) -> Parsed<Symbol> {
    match expr {
        Some(Expr::Symbol(name)) => Ok(name),
        Some(Expr::Constant(Constant::I)) => Ok("i".into()),
        _ => Err(Fail::Grammar),
    }
}

/// In a sum over `i`, `i` is no imaginary unit.
pub(super) fn bind(body: Expr, variable: &Symbol) -> Expr {
    if &**variable != "i" {
        return body;
    }
    tree::rebuild(&body, &|node| match node {
        Expr::Constant(Constant::I) => Some(Expr::symbol("i")),
        _ => None,
    })
}

/// The integrand without its differential.
pub(super) fn without(body: &Expr, differential: &Symbol) -> Expr {
    tree::rebuild(body, &|node| match node {
        Expr::Symbol(name) if name == differential => Some(Expr::integer(1)),
        _ => None,
    })
}

/// The point of a limit, and the side from which `0^+` approaches it.
pub(super) fn one_sided(point: Expr) -> (Expr, Side) {
    match point {
        Expr::Call(Function::Named(name), mut arguments)
            if arguments.len() == 1 && matches!(&*name, FROM_ABOVE | FROM_BELOW) =>
        {
            let side = if &*name == FROM_ABOVE { Side::Right } else { Side::Left };
            (arguments.swap_remove(0), side)
        }
        point => (point, Side::Both),
    }
}
