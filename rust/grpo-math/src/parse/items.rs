//! Several values side by side: commas, semicolons, "and", "or", wide spaces.

use super::{Fail, Parsed, Parser};
use crate::expr::{Expr, Joint, NamedSet, Rel, Symbol};
use crate::lex::{Delimiter, Token};

/// What stands between two items, from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Separator {
    Gap,
    Comma,
    And,
    Semicolon,
    Or,
}

impl Parser<'_> {
    /// One item, or a list.
    pub(super) fn items(&mut self) -> Parsed<Expr> {
        let (mut items, mut separators) = self.separated()?;
        share_modulus(&mut items);
        drop_domain(&mut items, &mut separators);
        // `k\pi, k \in \mathbb{Z}` is a family of values.
        if let Some((condition, values)) = items.split_last()
            && is_family(condition, values)
        {
            separators.pop();
            let condition = items.split_off(items.len() - 1);
            let element = group(items, &separators);
            return Ok(Expr::Builder(Box::new(element), condition));
        }
        Ok(group(items, &separators))
    }

    /// The items up to a closing token, flat, for the inside of brackets.
    pub(super) fn bracketed(&mut self) -> Parsed<Vec<Expr>> {
        let (mut items, separators) = self.separated()?;
        if items.len() > 1 && separators.contains(&Separator::Or) {
            items = vec![group(items, &separators)];
        }
        Ok(items)
    }

    fn separated(&mut self) -> Parsed<(Vec<Expr>, Vec<Separator>)> {
        let mut items = Vec::new();
        let mut separators = Vec::new();
        self.separator();
        loop {
            items.push(self.item()?);
            let mark = self.at;
            let Some(separator) = self.separator() else { break };
            if self.at_end_of_items() {
                break;
            }
            // What follows a wide space need not be an item: `$28$ percent` was taken already,
            // a remark is not.
            if self.at_remark() {
                self.at = mark;
                break;
            }
            separators.push(separator);
        }
        Ok((items, separators))
    }

    fn item(&mut self) -> Parsed<Expr> {
        let negated = self.peek() == Some(&Token::Not);
        if negated {
            return Err(Fail::Grammar);
        }
        self.statement()
    }

    /// The strongest separator of the run at the position, which moves behind it.
    fn separator(&mut self) -> Option<Separator> {
        let mut strongest = None;
        loop {
            let separator = match self.peek() {
                Some(Token::Comma) => Separator::Comma,
                Some(Token::Semicolon) => Separator::Semicolon,
                Some(Token::And) => Separator::And,
                Some(Token::Or) => Separator::Or,
                Some(Token::Gap | Token::Break) => Separator::Gap,
                // `1, 2. `: a full stop only ends.
                Some(Token::Stop) if self.stops() => Separator::Gap,
                _ => return strongest,
            };
            self.at += 1;
            strongest = strongest.max(Some(separator));
        }
    }

    /// Whether nothing but punctuation follows the full stop.
    fn stops(&self) -> bool {
        self.tokens[self.at..].iter().all(|token| {
            matches!(
                token,
                Token::Stop
                    | Token::Gap
                    | Token::Break
                    | Token::Close(Delimiter::Brace | Delimiter::Round)
            )
        })
    }

    fn at_end_of_items(&self) -> bool {
        matches!(
            self.peek(),
            None | Some(
                Token::Close(_)
                    | Token::BracketRight
                    | Token::Stop
                    | Token::End(_)
                    | Token::Ampersand
            )
        )
    }
}

/// The items as a tree: "or" is weakest, then semicolons, then commas.
fn group(mut items: Vec<Expr>, separators: &[Separator]) -> Expr {
    if items.len() == 1 {
        return items.swap_remove(0);
    }
    let Some(&weakest) = separators.iter().max() else {
        return Expr::List(items, Joint::Comma);
    };
    let mixed = separators.iter().any(|separator| *separator != weakest);
    // "1, 2, and 3" is one list; "x=1, y=2 and x=3, y=4" are two.
    let splits = match weakest {
        Separator::Or => true,
        Separator::Semicolon => mixed,
        Separator::And => mixed && is_list_of_systems(&items, separators),
        Separator::Comma | Separator::Gap => false,
    };
    let joint = match weakest {
        Separator::Or => Joint::Or,
        Separator::And if !mixed => Joint::And,
        _ => Joint::Comma,
    };
    if !splits || !mixed {
        return Expr::List(items, joint);
    }
    let mut parts = Vec::new();
    let mut start = 0;
    for (index, separator) in separators.iter().enumerate() {
        if *separator == weakest {
            parts.push((start, index + 1));
            start = index + 1;
        }
    }
    parts.push((start, items.len()));
    // "1, 2, or 3": the commas stand for the "or" that follows.
    if weakest == Separator::Or && !items.iter().any(|item| matches!(item, Expr::Relation(..))) {
        return Expr::List(items, joint);
    }
    if weakest == Separator::Or
        && parts.iter().all(|(start, end)| end - start != parts_width(&parts))
    {
        return Expr::List(items, joint);
    }
    let mut rest = items.into_iter();
    let groups = parts
        .into_iter()
        .map(|(start, end)| {
            let part: Vec<Expr> = rest.by_ref().take(end - start).collect();
            group(part, &separators[start..end - 1])
        })
        .collect();
    Expr::List(groups, joint)
}

/// `x \in \mathbb{R}, x \ne 2`: that x is real goes without saying.
fn drop_domain(items: &mut Vec<Expr>, separators: &mut Vec<Separator>) {
    let [Expr::Relation(members, rels), Expr::Relation(others, _), ..] = &items[..] else { return };
    let ([Expr::Symbol(name), Expr::NamedSet(NamedSet::Reals)], [Rel::In]) =
        (&members[..], &rels[..])
    else {
        return;
    };
    if others.iter().any(|other| mentions(other, name)) {
        items.remove(0);
        separators.remove(0);
    }
}

/// Whether a statement `k \in \mathbb{Z}` names the parameter of the values before it.
pub(super) fn is_family(condition: &Expr, values: &[Expr]) -> bool {
    let Expr::Relation(members, rels) = condition else { return false };
    match (&members[..], &rels[..]) {
        ([Expr::Symbol(name), Expr::NamedSet(_)], [Rel::In]) => {
            !values.is_empty() && values.iter().any(|value| mentions(value, name))
        }
        _ => false,
    }
}

/// Whether a variable occurs among the scalars of an item.
fn mentions(expr: &Expr, name: &Symbol) -> bool {
    match expr {
        Expr::Symbol(symbol) => symbol == name,
        Expr::Add(items)
        | Expr::Mul(items)
        | Expr::Call(_, items)
        | Expr::Relation(items, _)
        | Expr::Tuple(items, ..) => items.iter().any(|item| mentions(item, name)),
        Expr::Pow(pair) => mentions(&pair.0, name) || mentions(&pair.1, name),
        Expr::PlusMinus(inner, _) | Expr::Quantity(inner, _) => mentions(inner, name),
        _ => false,
    }
}

/// `x \equiv 1 \text{ or } 3 \pmod 8`: the modulus holds for every item.
fn share_modulus(items: &mut [Expr]) {
    let Some((Expr::Residue(last), before)) = items.split_last_mut() else { return };
    let modulus = &last.1;
    for item in before {
        match item {
            Expr::Relation(_, rels) => {
                for rel in rels {
                    if matches!(rel, Rel::Congruent(_)) {
                        *rel = Rel::Congruent(Box::new(modulus.clone()));
                    }
                }
            }
            Expr::Number(_) => {
                *item = Expr::Residue(Box::new((item.clone(), modulus.clone())));
            }
            _ => {}
        }
    }
}

fn parts_width(parts: &[(usize, usize)]) -> usize {
    parts.first().map_or(0, |(start, end)| end - start)
}

/// Whether every part between two "and" holds as many relations as the others, and several.
fn is_list_of_systems(items: &[Expr], separators: &[Separator]) -> bool {
    if !items.iter().all(|item| matches!(item, Expr::Relation(..))) {
        return false;
    }
    let mut widths = vec![1_usize];
    for separator in separators {
        match (separator, widths.last_mut()) {
            (Separator::And, _) | (_, None) => widths.push(1),
            (_, Some(width)) => *width += 1,
        }
    }
    widths.iter().all(|width| *width == widths[0] && *width > 1)
}
