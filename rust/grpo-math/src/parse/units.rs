//! Units and words after a value.

use super::{Parsed, Parser};
use crate::expr::{Constant, Expr, Unit, UnitKind};
use crate::lex::{Delimiter, Token};
use crate::words;

/// The most units that are multiplied or divided.
const MAX_FACTORS: usize = 6;

impl Parser<'_> {
    /// The value with the percent sign, currency, scale word and unit that may follow it.
    pub(super) fn quantity(&mut self, value: Expr) -> Expr {
        let mut value = value;
        while let Some(scale) = self.scale_word() {
            value = Expr::product([value, Expr::rational(scale.into())]);
        }
        let mark = self.at;
        self.skip_gaps();
        match self.peek() {
            Some(Token::Percent) => {
                self.at += 1;
                let unit = Unit { name: "%".into(), kind: UnitKind::Percent };
                return Expr::Quantity(Box::new(value), unit);
            }
            Some(Token::Currency(sign)) => {
                let sign = *sign;
                if let Some(unit) = words::units::currency(sign.encode_utf8(&mut [0; 4])) {
                    self.at += 1;
                    return Expr::Quantity(Box::new(value), unit);
                }
            }
            _ => {}
        }
        if let Some(unit) = self.unit() {
            return match value {
                // `\$5 million dollars`
                Expr::Quantity(inner, _) => Expr::Quantity(inner, unit),
                value => Expr::Quantity(Box::new(value), unit),
            };
        }
        self.at = mark;
        value
    }

    /// `2 hours 30 minutes`, `5 feet and 3 inches`: one quantity in several units.
    pub(super) fn compound_quantity(&mut self, first: Expr) -> Parsed<Expr> {
        let mut quantity = first;
        loop {
            let Expr::Quantity(value, unit) = quantity else { return Ok(quantity) };
            let mark = self.at;
            while matches!(self.peek(), Some(Token::Gap | Token::And | Token::Comma)) {
                self.at += 1;
            }
            let continues = matches!(self.peek(), Some(Token::Number(_)))
                && matches!(self.peek_at(1), Some(Token::Word(word, _)) if words::units::unit(word).is_some());
            let part = if continues { Some(self.product()?) } else { None };
            let factor = match &part {
                Some(Expr::Quantity(_, smaller)) => words::units::ratio(smaller, &unit),
                _ => None,
            };
            match (part, factor) {
                (Some(Expr::Quantity(part, _)), Some(factor))
                    if factor < dashu_ratio::RBig::ONE =>
                {
                    let part = Expr::product([*part, Expr::rational(factor)]);
                    quantity = Expr::Quantity(Box::new(Expr::sum([*value, part])), unit);
                }
                _ => {
                    self.at = mark;
                    return Ok(Expr::Quantity(value, unit));
                }
            }
        }
    }

    fn unit_fraction(&self) -> Option<(Unit, Unit)> {
        let [
            Token::Command(crate::lex::Command::Frac),
            Token::Open(Delimiter::Brace),
            Token::Word(above, true),
            Token::Close(Delimiter::Brace),
            Token::Open(Delimiter::Brace),
            below,
            Token::Close(Delimiter::Brace),
            ..,
        ] = &self.tokens[self.at..]
        else {
            return None;
        };
        let below = match below {
            Token::Word(below, _) => expression(below)?,
            Token::Letter(letter) => words::units::unit(letter.encode_utf8(&mut [0; 4]))?,
            _ => return None,
        };
        Some((expression(above)?, below))
    }

    /// `m/s` or `m²` after a number: a metre over a unit of time, or with a power in Unicode.
    pub(super) fn at_unit_quotient(&self) -> bool {
        if self.unit_fraction().is_some() {
            return true;
        }
        matches!(self.tokens.get(self.at.wrapping_sub(1)), Some(Token::Number(_)))
            && matches!(self.peek(), Some(Token::Letter('m')))
            && match self.peek_at(1) {
                Some(Token::Slash) => matches!(self.peek_at(2), Some(Token::Letter('s' | 'h'))),
                // `5 m²` as Unicode writes an area; `5m^2` is a product.
                Some(Token::Superscript(2 | 3)) => self.peek_at(2).is_none(),
                _ => false,
            }
    }

    fn scale_word(&mut self) -> Option<u64> {
        let mark = self.at;
        self.skip_gaps();
        if let Some(Token::Word(word, _)) = self.peek() {
            let first = word.split(' ').next().unwrap_or_default();
            if let Some(scale) = words::numbers::scale(first) {
                let rest = word[first.len()..].trim();
                if rest.is_empty() {
                    self.at += 1;
                } else {
                    // `\text{million dollars}`
                    let rest = &word[word.len() - rest.len()..];
                    self.tokens[self.at] = Token::Word(rest, true);
                }
                return Some(scale);
            }
        }
        self.at = mark;
        None
    }

    /// `km/h`, `cm^2`, `\text{ square units}`, `apples per day`.
    pub(super) fn unit(&mut self) -> Option<Unit> {
        let mark = self.at;
        let unit = self.composed_unit().or_else(|| {
            self.at = mark;
            self.counted_words()
        });
        if unit.is_none() {
            self.at = mark;
        }
        unit
    }

    fn composed_unit(&mut self) -> Option<Unit> {
        let mut unit = self.unit_atom(true)?;
        for _ in 0..MAX_FACTORS {
            let mark = self.at;
            let joined = match self.peek() {
                Some(Token::Slash) => {
                    self.at += 1;
                    self.unit_atom(false).map(|other| words::units::divide(&unit, &other))
                }
                Some(Token::Word(word, _)) if *word == "per" => {
                    self.at += 1;
                    self.unit_atom(false).map(|other| words::units::divide(&unit, &other))
                }
                Some(Token::Times | Token::Cross) => {
                    self.at += 1;
                    self.unit_atom(false).map(|other| words::units::multiply(&unit, &other))
                }
                Some(Token::Word(..)) => {
                    self.unit_atom(true).map(|other| words::units::multiply(&unit, &other))
                }
                _ => None,
            };
            if let Some(joined) = joined {
                unit = joined;
            } else {
                self.at = mark;
                return Some(unit);
            }
        }
        Some(unit)
    }

    /// One unit with its power. Single plain letters count only where a unit must stand.
    fn unit_atom(&mut self, first: bool) -> Option<Unit> {
        let unit = match self.peek()? {
            // `\frac{\text{km}}{\text{h}}`
            Token::Command(crate::lex::Command::Frac) => {
                let (above, below) = self.unit_fraction()?;
                self.at += 6;
                words::units::divide(&above, &below)
            }
            Token::Word(word, quoted) => {
                let longest = (!*quoted).then(|| self.longest_unit()).flatten();
                if let Some((unit, words)) = longest {
                    self.at += words;
                    return Some(self.unit_power(unit));
                }
                let word = *word;
                expression(word)?
            }
            Token::Letter(letter) if !first || self.at_unit_quotient() => {
                let mut buffer = [0; 4];
                words::units::unit(letter.encode_utf8(&mut buffer))?
            }
            Token::Degree => {
                // `20 °C`
                let Some(Token::Letter(scale @ ('C' | 'F'))) = self.peek_at(1) else { return None };
                let unit = words::units::unit(if *scale == 'C' { "°C" } else { "°F" })?;
                self.at += 1;
                unit
            }
            _ => return None,
        };
        self.at += 1;
        Some(self.unit_power(unit))
    }

    /// `square meters`, `meters per second` as several plain words: the longest run that is a unit.
    fn longest_unit(&self) -> Option<(Unit, usize)> {
        let run: Vec<&str> = self.tokens[self.at..]
            .iter()
            .take(4)
            .map_while(|token| match token {
                Token::Word(word, false) => Some(*word),
                // "dollars a day"
                Token::Letter('a') => Some("a"),
                _ => None,
            })
            .collect();
        (1..=run.len()).rev().find_map(|words| {
            if words == 1 {
                return words::units::unit(run[0]).map(|unit| (unit, 1));
            }
            expression(&run[..words].join(" ")).map(|unit| (unit, words))
        })
    }

    fn unit_power(&mut self, unit: Unit) -> Unit {
        let mark = self.at;
        let power = match self.peek() {
            Some(Token::Superscript(power)) => Some(*power),
            Some(Token::Caret) => {
                let braced = matches!(self.peek_at(1), Some(Token::Open(Delimiter::Brace)));
                let number = self.at + 1 + usize::from(braced);
                let negative = matches!(self.tokens.get(number), Some(Token::Minus));
                let power = match self.tokens.get(number + usize::from(negative)) {
                    Some(Token::Number(number)) => i64::try_from(number.value.numerator()).ok(),
                    _ => None,
                };
                self.at = number + usize::from(negative) + usize::from(braced);
                power.map(|power| if negative { -power } else { power })
            }
            _ => None,
        };
        if let Some(power) = power.and_then(|power| i8::try_from(power).ok()) {
            self.at += 1;
            words::units::compose(&unit, power)
        } else {
            self.at = mark;
            unit
        }
    }

    /// Words that count: `12 apples`, `5 \text{ red balls}`.
    fn counted_words(&mut self) -> Option<Unit> {
        let mut phrase = String::new();
        let mut at = self.at;
        while let Some(token) = self.tokens.get(at) {
            match token {
                Token::Word(word, _) => {
                    if !phrase.is_empty() {
                        phrase.push(' ');
                    }
                    phrase.push_str(word);
                }
                Token::Letter('a') if !phrase.is_empty() => phrase.push_str(" a"),
                _ => break,
            }
            at += 1;
        }
        if phrase.is_empty() || self.starts_remark_at(self.at) {
            return None;
        }
        let unit = words::units::counting(&phrase)?;
        self.at = at;
        Some(unit)
    }

    /// Whether what follows only explains: `(since x > 0)`, `where n is an integer`.
    pub(super) fn at_remark(&self) -> bool {
        let mut at = self.at;
        while matches!(
            self.tokens.get(at),
            Some(Token::Gap | Token::Break | Token::Comma | Token::Open(Delimiter::Round))
        ) {
            at += 1;
        }
        self.starts_remark_at(at)
    }

    fn starts_remark_at(&self, at: usize) -> bool {
        match self.tokens.get(at) {
            Some(Token::Word(word, _)) => words::text::is_remark(word),
            _ => false,
        }
    }
}

/// A unit as one text: `km/h`, `m/s^2`, `square metres`.
pub(super) fn expression(text: &str) -> Option<Unit> {
    words::units::unit(text.trim().trim_matches(['.', ',']).trim())
}

/// `2 + \sqrt3 \text{ cm}`: the unit of the last term is that of the sum.
pub(super) fn lift(mut terms: Vec<Expr>) -> Expr {
    let several = terms.len() > 1;
    let alone = terms.iter().filter(|term| matches!(term, Expr::Quantity(..))).count() == 1;
    if several
        && alone
        && matches!(terms.last(), Some(Expr::Quantity(..)))
        && let Some(Expr::Quantity(value, unit)) = terms.pop()
    {
        terms.push(*value);
        return Expr::Quantity(Box::new(Expr::sum(terms)), unit);
    }
    Expr::sum(terms)
}

/// A degree sign at the top of an item is its unit.
pub(super) fn finish(item: Expr) -> Expr {
    match item {
        Expr::Mul(mut factors)
            if matches!(factors.last(), Some(Expr::Constant(Constant::Degree)))
                && factors.len() > 1 =>
        {
            factors.pop();
            let unit = Unit { name: "°".into(), kind: UnitKind::Degree };
            Expr::Quantity(Box::new(Expr::product(factors)), unit)
        }
        Expr::Tuple(items, open, close) => {
            Expr::Tuple(items.into_iter().map(finish).collect(), open, close)
        }
        Expr::Set(items) => Expr::Set(items.into_iter().map(finish).collect()),
        Expr::List(items, joint) => Expr::List(items.into_iter().map(finish).collect(), joint),
        Expr::Relation(members, rels) => {
            Expr::Relation(members.into_iter().map(finish).collect(), rels)
        }
        Expr::Union(parts) => Expr::Union(parts.into_iter().map(finish).collect()),
        Expr::Matrix(rows) => Expr::Matrix(
            rows.into_iter().map(|row| row.into_iter().map(finish).collect()).collect(),
        ),
        other => other,
    }
}
