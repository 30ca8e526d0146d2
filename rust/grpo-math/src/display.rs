//! An answer on one line, for messages.

use std::fmt::{self, Write};

use crate::expr::{Big, Bracket, Constant, Expr, Function, Joint, NamedSet, Rel, UnitKind};

/// How tightly an operator binds; an operand that binds looser is put in brackets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Any,
    Sum,
    Product,
    Power,
    Atom,
}

/// The answer as it was understood, in plain text: `2x + 1`, `(0, 1]`, `sqrt(2)/2`.
pub(crate) fn describe(expr: &Expr) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_at(&mut out, expr, Level::Any);
    out
}

fn write_at(out: &mut String, expr: &Expr, least: Level) -> fmt::Result {
    if level(expr) < least {
        out.push('(');
        write_expr(out, expr)?;
        out.push(')');
        return Ok(());
    }
    write_expr(out, expr)
}

fn level(expr: &Expr) -> Level {
    match expr {
        Expr::Number(number)
            if number.places.is_none() && *number.value.denominator() != dashu_int::UBig::ONE =>
        {
            Level::Product
        }
        Expr::Number(number) if number.value < dashu_ratio::RBig::ZERO => Level::Sum,
        Expr::Add(_) | Expr::PlusMinus(..) => Level::Sum,
        Expr::Mul(_) => Level::Product,
        Expr::Pow(_) => Level::Power,
        Expr::Relation(..)
        | Expr::List(..)
        | Expr::Ratio(_)
        | Expr::Residue(_)
        | Expr::Union(_)
        | Expr::Intersection(_)
        | Expr::Difference(_)
        | Expr::Quantity(..) => Level::Any,
        _ => Level::Atom,
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each kind of node")]
fn write_expr(out: &mut String, expr: &Expr) -> fmt::Result {
    match expr {
        Expr::Number(number) => match &number.base {
            Some((base, digits)) => write!(out, "{digits}_{base}"),
            None => match number.places {
                Some(places @ 1..=40) => {
                    decimal(out, &number.value, places.unsigned_abs() as usize)
                }
                _ => write!(out, "{}", number.value),
            },
        },
        Expr::Constant(constant) => {
            out.push_str(match constant {
                Constant::Pi => "pi",
                Constant::E => "e",
                Constant::I => "i",
                Constant::Infinity => "infinity",
                Constant::Degree => "°",
            });
            Ok(())
        }
        Expr::Symbol(name) => write!(out, "{}", name.trim_start_matches('\\')),
        Expr::Add(terms) => sum(out, terms),
        Expr::Mul(factors) => product(out, factors),
        Expr::Pow(pair) => {
            write_at(out, &pair.0, Level::Atom)?;
            out.push('^');
            write_at(out, &pair.1, Level::Atom)
        }
        Expr::Call(function, arguments) => call(out, function, arguments),
        Expr::PlusMinus(inner, flipped) => {
            out.push(if *flipped { '∓' } else { '±' });
            write_at(out, inner, Level::Product)
        }
        Expr::Big(big) => operator(out, big),
        Expr::Quantity(value, unit) => {
            write_at(out, value, Level::Sum)?;
            match unit.kind {
                UnitKind::Percent | UnitKind::Degree => write!(out, "{}", unit.name),
                _ => write!(out, " {}", unit.name),
            }
        }
        Expr::Ratio(parts) => joined(out, parts, ":"),
        Expr::Residue(pair) => {
            write_at(out, &pair.0, Level::Sum)?;
            out.push_str(" mod ");
            write_at(out, &pair.1, Level::Sum)
        }
        Expr::Matrix(rows) => {
            out.push('[');
            for (index, row) in rows.iter().enumerate() {
                if index > 0 {
                    out.push_str("; ");
                }
                joined(out, row, ", ")?;
            }
            out.push(']');
            Ok(())
        }
        Expr::Cases(branches) => {
            out.push('{');
            for (index, (value, condition)) in branches.iter().enumerate() {
                if index > 0 {
                    out.push_str("; ");
                }
                write_at(out, value, Level::Sum)?;
                match condition {
                    Some(condition) => {
                        out.push_str(" if ");
                        write_at(out, condition, Level::Any)?;
                    }
                    None => out.push_str(" otherwise"),
                }
            }
            out.push('}');
            Ok(())
        }
        Expr::Tuple(items, open, close) => {
            out.push(match open {
                Bracket::Round => '(',
                Bracket::Square => '[',
                Bracket::Outward => ']',
                Bracket::Angle => '<',
            });
            joined(out, items, ", ")?;
            out.push(match close {
                Bracket::Round => ')',
                Bracket::Square => ']',
                Bracket::Outward => '[',
                Bracket::Angle => '>',
            });
            Ok(())
        }
        Expr::Set(items) => {
            out.push('{');
            joined(out, items, ", ")?;
            out.push('}');
            Ok(())
        }
        Expr::List(items, Joint::Comma) => joined(out, items, ", "),
        Expr::List(items, Joint::And) => joined(out, items, " and "),
        Expr::List(items, Joint::Or) => joined(out, items, " or "),
        Expr::Builder(element, conditions) => {
            out.push('{');
            write_at(out, element, Level::Any)?;
            out.push_str(" | ");
            joined(out, conditions, ", ")?;
            out.push('}');
            Ok(())
        }
        Expr::NamedSet(set) => {
            out.push_str(match set {
                NamedSet::Empty => "the empty set",
                NamedSet::Naturals => "N",
                NamedSet::Integers => "Z",
                NamedSet::Rationals => "Q",
                NamedSet::Reals => "R",
                NamedSet::Complexes => "C",
                NamedSet::PositiveReals => "R+",
                NamedSet::PositiveIntegers => "Z+",
                NamedSet::NonNegativeReals => "R>=0",
                NamedSet::NonNegativeIntegers => "Z>=0",
                NamedSet::NegativeReals => "R-",
                NamedSet::NegativeIntegers => "Z-",
                NamedSet::Primes => "the primes",
            });
            Ok(())
        }
        Expr::Union(parts) => joined(out, parts, " U "),
        Expr::Intersection(parts) => joined(out, parts, " n "),
        Expr::Difference(pair) => {
            write_at(out, &pair.0, Level::Atom)?;
            out.push_str(" \\ ");
            write_at(out, &pair.1, Level::Atom)
        }
        Expr::Relation(members, rels) => relation(out, members, rels),
        Expr::Time(time) => {
            let (hours, minutes, seconds) =
                (time.seconds / 3600, time.seconds / 60 % 60, time.seconds % 60);
            write!(out, "{hours}:{minutes:02}:{seconds:02}")
        }
        Expr::Date(date) => {
            if let Some(year) = date.year {
                write!(out, "{year}-")?;
            }
            write!(out, "{:02}", date.month)?;
            date.day.map_or(Ok(()), |day| write!(out, "-{day:02}"))
        }
        Expr::Choice(letters, content) => {
            write!(out, "({letters})")?;
            match content {
                Some(content) => {
                    out.push(' ');
                    write_at(out, content, Level::Any)
                }
                None => Ok(()),
            }
        }
        Expr::Text(text) => write!(out, "\"{text}\""),
        Expr::Ellipsis => {
            out.push('…');
            Ok(())
        }
    }
}

/// A decimal with so many places.
fn decimal(out: &mut String, value: &dashu_ratio::RBig, places: usize) -> fmt::Result {
    let scaled = value * dashu_ratio::RBig::from(dashu_int::IBig::from(10).pow(places));
    let (sign, digits) = scaled.numerator().clone().into_parts();
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let minus = if sign == dashu_int::Sign::Negative { "-" } else { "" };
    write!(out, "{minus}{whole}.{fraction}")
}

fn joined(out: &mut String, items: &[Expr], separator: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        write_at(out, item, Level::Any)?;
    }
    Ok(())
}

/// The factors without a leading -1, if there is one.
fn negated(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Mul(factors) => match &factors[..] {
            [Expr::Number(number), rest @ ..]
                if number.value == dashu_ratio::RBig::from(-1) && !rest.is_empty() =>
            {
                Some(rest)
            }
            _ => None,
        },
        _ => None,
    }
}

fn sum(out: &mut String, terms: &[Expr]) -> fmt::Result {
    for (index, term) in terms.iter().enumerate() {
        let minus = negated(term);
        match (index, minus) {
            (0, None) => {}
            (0, Some(_)) => out.push('-'),
            (_, Some(_)) => out.push_str(" - "),
            (_, None) => match term {
                Expr::Number(number) if number.value < dashu_ratio::RBig::ZERO => {
                    write!(out, " - {}", -number.value.clone())?;
                    continue;
                }
                Expr::PlusMinus(inner, flipped) => {
                    out.push_str(if *flipped { " ∓ " } else { " ± " });
                    write_at(out, inner, Level::Product)?;
                    continue;
                }
                _ => out.push_str(" + "),
            },
        }
        match minus {
            Some(factors) => product(out, factors)?,
            None => write_at(out, term, if index == 0 { Level::Sum } else { Level::Product })?,
        }
    }
    Ok(())
}

fn product(out: &mut String, factors: &[Expr]) -> fmt::Result {
    let is_divisor = |factor: &&Expr| match factor {
        Expr::Pow(pair) => {
            matches!(&pair.1, Expr::Number(number) if number.value == dashu_ratio::RBig::from(-1))
        }
        _ => false,
    };
    let (below, above): (Vec<&Expr>, Vec<&Expr>) = factors.iter().partition(is_divisor);
    // A factor 1 says nothing beside others.
    let is_one = |factor: &Expr| matches!(factor, Expr::Number(number) if number.value.is_one());
    let several = above.len() > 1;
    let mut above = above.into_iter().filter(|factor| !(several && is_one(factor))).peekable();
    if above.peek().is_none() {
        out.push('1');
    }
    let mut previous: Option<&Expr> = None;
    for factor in above {
        if let Some(previous) = previous {
            let digit = starts_with_digit(factor);
            let tight =
                matches!(previous, Expr::Number(_)) && !digit || matches!(factor, Expr::Add(_));
            out.push_str(if tight { "" } else { "*" });
        } else if let Expr::Number(number) = factor
            && number.value == dashu_ratio::RBig::from(-1)
            && factors.len() > 1
        {
            out.push('-');
            continue;
        }
        write_at(out, factor, if previous.is_some() { Level::Power } else { Level::Product })?;
        previous = Some(factor);
    }
    for divisor in below {
        out.push('/');
        if let Expr::Pow(pair) = divisor {
            write_at(out, &pair.0, Level::Power)?;
        }
    }
    Ok(())
}

fn starts_with_digit(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) => true,
        Expr::Pow(pair) => starts_with_digit(&pair.0),
        Expr::Mul(factors) => factors.first().is_some_and(starts_with_digit),
        _ => false,
    }
}

fn call(out: &mut String, function: &Function, arguments: &[Expr]) -> fmt::Result {
    match (function, arguments) {
        (Function::Abs, [inner]) => {
            out.push('|');
            write_at(out, inner, Level::Any)?;
            out.push('|');
            return Ok(());
        }
        (Function::Factorial, [inner]) => {
            write_at(out, inner, Level::Atom)?;
            out.push('!');
            return Ok(());
        }
        (Function::Root, [inner, Expr::Number(two)]) if two.value == dashu_ratio::RBig::from(2) => {
            out.push_str("sqrt(");
            write_at(out, inner, Level::Any)?;
            out.push(')');
            return Ok(());
        }
        (Function::Named(name), _) => out.push_str(name.trim_start_matches('\\')),
        (function, _) => out.push_str(&format!("{function:?}").to_lowercase()),
    }
    out.push('(');
    joined(out, arguments, ", ")?;
    out.push(')');
    Ok(())
}

fn operator(out: &mut String, big: &Big) -> fmt::Result {
    match big {
        Big::Sum(body, variable, first, last) => {
            bounded(out, "sum", body, variable, Some((first, last)))
        }
        Big::Product(body, variable, first, last) => {
            bounded(out, "product", body, variable, Some((first, last)))
        }
        Big::Integral(body, variable, bounds) => {
            let bounds = bounds.as_ref().map(|(from, to)| (from, to));
            bounded(out, "integral", body, variable, bounds)
        }
        Big::Limit(body, variable, point, _) => {
            out.push_str("limit(");
            write_at(out, body, Level::Any)?;
            write!(out, ", {variable} -> ")?;
            write_at(out, point, Level::Any)?;
            out.push(')');
            Ok(())
        }
        Big::Derivative(body, variable, order) => {
            write!(out, "d{order}/d{variable}(")?;
            write_at(out, body, Level::Any)?;
            out.push(')');
            Ok(())
        }
    }
}

fn bounded(
    out: &mut String,
    name: &str,
    body: &Expr,
    variable: &str,
    bounds: Option<(&Expr, &Expr)>,
) -> fmt::Result {
    write!(out, "{name}(")?;
    write_at(out, body, Level::Any)?;
    write!(out, ", {variable}")?;
    if let Some((from, to)) = bounds {
        out.push_str(" = ");
        write_at(out, from, Level::Any)?;
        out.push_str("..");
        write_at(out, to, Level::Any)?;
    }
    out.push(')');
    Ok(())
}

fn relation(out: &mut String, members: &[Expr], rels: &[Rel]) -> fmt::Result {
    for (index, member) in members.iter().enumerate() {
        if let Some(rel) = index.checked_sub(1).and_then(|at| rels.get(at)) {
            out.push_str(match rel {
                Rel::Eq | Rel::Congruent(_) => " = ",
                Rel::Ne => " != ",
                Rel::Lt => " < ",
                Rel::Le => " <= ",
                Rel::Gt => " > ",
                Rel::Ge => " >= ",
                Rel::Approx => " ~ ",
                Rel::In => " in ",
                Rel::NotIn => " not in ",
                Rel::Subset => " subset of ",
                Rel::Superset => " superset of ",
                Rel::Divides => " divides ",
                Rel::Parallel => " parallel to ",
                Rel::Perpendicular => " perpendicular to ",
                Rel::Similar => " similar to ",
                Rel::Implies => " => ",
                Rel::Iff => " <=> ",
                Rel::To => " -> ",
            });
        }
        write_at(out, member, Level::Any)?;
    }
    match rels.last() {
        Some(Rel::Congruent(modulus)) => {
            out.push_str(" mod ");
            write_at(out, modulus, Level::Any)
        }
        _ => Ok(()),
    }
}
