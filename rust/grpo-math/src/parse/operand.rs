//! Operands with their exponents, and the words of plain text.

use std::sync::Arc;

use dashu_ratio::RBig;

use super::name::{letter_value, positive, power_of_symbol};
use super::operator::{FROM_ABOVE, FROM_BELOW};
use super::{Context, Fail, Parsed, Parser};
use crate::expr::{Bracket, Constant, Expr, Function, Number, Rel};
use crate::lex::{Command, Delimiter, Token};
use crate::words;

impl Parser<'_> {
    /// Whether a factor follows without a sign: `2x`, `(a)(b)`.
    pub(super) fn starts_factor(&self) -> bool {
        match self.peek() {
            Some(Token::Letter('U')) if self.at_plain_union() => false,
            Some(
                Token::Letter(_)
                | Token::Greek(_)
                | Token::Named(_)
                | Token::Function(_)
                | Token::Constant(_)
                | Token::Begin(_),
            ) => true,
            Some(Token::Open(delimiter)) => {
                *delimiter != Delimiter::Round
                    || !self.at_remark()
                        && !matches!(self.peek_at(1), Some(Token::Mod | Token::PMod))
            }
            Some(Token::BracketLeft) => !self.closes_outward(),
            Some(Token::Bar) => !self.bar_closes() && self.bar_opens(),
            Some(Token::Norm) => !self.in_context(Context::Norm),
            Some(Token::Command(command)) => !matches!(command, Command::Choose | Command::Over),
            Some(Token::Number(_)) => {
                matches!(
                    self.tokens.get(self.at.wrapping_sub(1)),
                    Some(
                        Token::Close(_)
                            | Token::Letter(_)
                            | Token::Greek(_)
                            | Token::Constant(_)
                            | Token::Bang
                            | Token::BracketRight
                            | Token::Number(_)
                            | Token::Superscript(_)
                    )
                ) && !self.number_after_number()
            }
            _ => false,
        }
    }

    /// `(1,2) U (3,4)`
    pub(super) fn at_plain_union(&self) -> bool {
        matches!(
            self.tokens.get(self.at.wrapping_sub(1)),
            Some(Token::Close(_) | Token::BracketRight)
        ) && matches!(self.peek_at(1), Some(Token::Open(_) | Token::BracketLeft))
    }

    /// The x of `5.8 x 10^7`.
    pub(super) fn at_plain_times(&self) -> bool {
        let ten = RBig::from(10);
        matches!(self.tokens.get(self.at.wrapping_sub(1)), Some(Token::Number(_)))
            && matches!(self.peek_at(1), Some(Token::Number(number)) if number.value == ten)
            && matches!(self.peek_at(2), Some(Token::Caret | Token::Superscript(_)))
    }

    /// Two numbers side by side multiply only where the first one ends a power or a fraction:
    /// `2^6 3^5`, `\frac12 3`.
    pub(super) fn number_after_number(&self) -> bool {
        let previous = matches!(self.tokens.get(self.at.wrapping_sub(1)), Some(Token::Number(_)));
        let before = self.tokens.get(self.at.wrapping_sub(2));
        previous && !matches!(before, Some(Token::Caret))
    }

    /// `[` closes `]1,2[` and `[1,2[`: an interval is open, and no operand follows.
    pub(super) fn closes_outward(&self) -> bool {
        self.in_context(Context::Tuple)
            && matches!(
                self.peek_at(1),
                None | Some(
                    Token::Cup
                        | Token::Cap
                        | Token::Gap
                        | Token::Comma
                        | Token::Stop
                        | Token::SetMinus
                        | Token::Close(_)
                        | Token::Rel(_)
                )
            )
    }

    /// `2|x|` multiplies, `a | b` divides: a second bar tells.
    pub(super) fn bar_opens(&self) -> bool {
        self.tokens[self.at + 1..].iter().take(40).any(|token| *token == Token::Bar)
    }

    pub(super) fn bar_closes(&self) -> bool {
        self.in_context(Context::Bar) || self.in_context(Context::Curly)
    }

    /// `1\frac12`, `3 3/4`, `1½`: a whole number beside a fraction of whole numbers.
    pub(super) fn mixed_number(&mut self) -> Option<Expr> {
        let Some(Token::Number(whole)) = self.peek() else { return None };
        if whole.places.is_some() || whole.base.is_some() {
            return None;
        }
        let whole = whole.value.clone();
        let mark = self.at;
        self.at += 1;
        let fraction = match self.peek() {
            Some(Token::Command(Command::Frac)) => {
                self.at += 1;
                let top = self.integer_argument();
                let bottom = top.as_ref().and_then(|_| self.integer_argument());
                top.zip(bottom)
            }
            Some(Token::Number(top))
                if self.peek_at(1) == Some(&Token::Slash) && top.places.is_none() =>
            {
                let top = top.value.clone();
                match self.peek_at(2) {
                    Some(Token::Number(bottom)) if bottom.places.is_none() => {
                        let bottom = bottom.value.clone();
                        self.at += 3;
                        Some((top, bottom))
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        match fraction {
            Some((top, bottom))
                if !bottom.is_zero() && !matches!(self.peek(), Some(Token::Caret)) =>
            {
                Some(Expr::rational(whole + top / bottom))
            }
            _ => {
                self.at = mark;
                None
            }
        }
    }

    /// `{12}` or one digit, as a whole number.
    pub(super) fn integer_argument(&mut self) -> Option<RBig> {
        let braced = self.eat(&Token::Open(Delimiter::Brace));
        let value = if braced {
            match self.next()? {
                Token::Number(number) if number.places.is_none() && number.base.is_none() => {
                    number.value
                }
                _ => return None,
            }
        } else {
            match self.argument_digit()? {
                Expr::Number(number) => number.value,
                _ => return None,
            }
        };
        (!braced || self.eat(&Token::Close(Delimiter::Brace))).then_some(value)
    }

    /// The first digit of a number, as TeX takes an argument without braces.
    pub(super) fn argument_digit(&mut self) -> Option<Expr> {
        let Some(Token::Number(number)) = self.peek() else { return None };
        if number.places.is_some() || number.base.is_some() {
            return None;
        }
        let digits = number.value.to_string();
        let (first, rest) = digits.split_at_checked(1)?;
        let first = Expr::integer(first.parse().ok()?);
        if rest.is_empty() {
            self.at += 1;
        } else {
            let rest = dashu_int::IBig::from_str_radix(rest, 10).ok()?;
            self.tokens[self.at] = Token::Number(Number::exact(RBig::from(rest)));
        }
        Some(first)
    }

    /// The argument of a command: a brace group, or one token.
    pub(super) fn argument(&mut self) -> Parsed<Expr> {
        self.skip_gaps();
        match self.peek() {
            Some(Token::Open(Delimiter::Brace)) => self.bracket(),
            Some(Token::Number(_)) => self.argument_digit().ok_or(Fail::Grammar),
            Some(Token::Letter(letter)) => {
                let letter = *letter;
                self.at += 1;
                Ok(letter_value(letter))
            }
            Some(_) => self.nested(Context::Other, Self::operand),
            None => Err(Fail::Grammar),
        }
    }

    /// What stands after `^` or `_`: a brace group, a signed number, or one operand.
    pub(super) fn script(&mut self) -> Parsed<Expr> {
        match self.peek() {
            Some(Token::Open(Delimiter::Brace)) => self.bracket(),
            Some(Token::Minus) => {
                self.at += 1;
                Ok(self.nested(Context::Other, Self::script)?.negate())
            }
            Some(Token::Plus) => {
                self.at += 1;
                self.nested(Context::Other, Self::script)
            }
            Some(Token::Letter(letter)) => {
                let value = letter_value(*letter);
                self.at += 1;
                Ok(value)
            }
            Some(_) => self.nested(Context::Other, Self::operand),
            None => Err(Fail::Grammar),
        }
    }

    /// Exponents, factorials, degree signs after an operand.
    pub(super) fn scripts(&mut self, base: Expr) -> Parsed<Expr> {
        let mut base = base;
        loop {
            base = match self.peek() {
                Some(Token::Caret) => {
                    self.at += 1;
                    if let Some(decorated) = self.decoration(&base) {
                        decorated
                    } else {
                        let exponent = self.script()?;
                        // `2^3^4` associates to the right.
                        let exponent = self.nested(Context::Other, |parser| {
                            parser.scripts_of_exponent(exponent)
                        })?;
                        apply_exponent(base, exponent)
                    }
                }
                // `(1011)_2`
                Some(Token::Underscore) if matches!(base, Expr::Number(_)) => {
                    let Some(based) = self.in_base(&base) else { return Ok(base) };
                    based
                }
                // `x^2_1` is the square of x_1.
                Some(Token::Underscore) => {
                    let Some((symbol, exponent)) = power_of_symbol(&base) else { return Ok(base) };
                    self.at += 1;
                    let start = self.at;
                    self.script()?;
                    let name = format!("{symbol}_{}", self.spelling(start, self.at));
                    Expr::symbol(&name).pow(exponent)
                }
                Some(Token::Superscript(power)) => {
                    let power = *power;
                    self.at += 1;
                    apply_exponent(base, Expr::integer(power))
                }
                Some(Token::Bang) => {
                    self.at += 1;
                    if self.eat(&Token::Bang) {
                        Expr::call(Function::DoubleFactorial, base)
                    } else {
                        Expr::call(Function::Factorial, base)
                    }
                }
                Some(Token::Degree)
                    if !matches!(self.peek_at(1), Some(Token::Letter('C' | 'F'))) =>
                {
                    self.at += 1;
                    self.degrees(base)?
                }
                _ => return Ok(base),
            };
        }
    }

    /// The number of a base that follows as a subscript.
    pub(super) fn in_base(&mut self, number: &Expr) -> Option<Expr> {
        let Expr::Number(number) = number else { return None };
        if number.places.is_some() || number.base.is_some() {
            return None;
        }
        let braced = usize::from(self.peek_at(1) == Some(&Token::Open(Delimiter::Brace)));
        let Some(Token::Number(base)) = self.peek_at(1 + braced) else { return None };
        let base =
            u32::try_from(base.value.numerator()).ok().filter(|base| (2..=36).contains(base))?;
        let digits = number.value.to_string();
        let value = dashu_int::IBig::from_str_radix(&digits, base).ok()?;
        self.at += 2 + 2 * braced;
        let base = Some((base, Arc::from(digits)));
        Some(Expr::Number(Number { value: RBig::from(value), places: None, base }))
    }

    pub(super) fn scripts_of_exponent(&mut self, exponent: Expr) -> Parsed<Expr> {
        match self.peek() {
            Some(Token::Caret) => {
                self.at += 1;
                let next = self.script()?;
                let next =
                    self.nested(Context::Other, |parser| parser.scripts_of_exponent(next))?;
                Ok(exponent.pow(next))
            }
            _ => Ok(exponent),
        }
    }

    /// Superscripts that are no exponents: `^\circ`, `^T`, `^{\text{th}}`, `^c`, `^+`.
    pub(super) fn decoration(&mut self, base: &Expr) -> Option<Expr> {
        let braced = self.peek() == Some(&Token::Open(Delimiter::Brace));
        let at = self.at + usize::from(braced);
        let token = self.tokens.get(at)?;
        let closes = !braced || self.tokens.get(at + 1) == Some(&Token::Close(Delimiter::Brace));
        let decorated = match (token, base) {
            (Token::Degree, base) => {
                self.at = at + 1 + usize::from(braced && closes);
                // `25^\circ\text{C}`
                if let Some(Token::Letter(scale @ ('C' | 'F'))) = self.peek()
                    && !self.peek_at(1).is_some_and(Token::ends_operand)
                    && matches!(base, Expr::Number(_))
                {
                    let unit = words::units::unit(if *scale == 'C' { "°C" } else { "°F" })?;
                    self.at += 1;
                    return Some(Expr::Quantity(Box::new(base.clone()), unit));
                }
                // Minutes may follow.
                return self.degrees(base.clone()).ok();
            }
            (Token::Command(Command::Transpose), base)
            | (Token::Letter('T'), base @ Expr::Matrix(_)) => {
                Expr::call(Function::Transpose, base.clone())
            }
            (Token::Word("st" | "nd" | "rd" | "th", _), base @ Expr::Number(_)) => base.clone(),
            (Token::Letter(first @ ('s' | 'n' | 'r' | 't')), base @ Expr::Number(_)) if braced => {
                let second = if *first == 's' {
                    't'
                } else if *first == 't' {
                    'h'
                } else {
                    'd'
                };
                let [Token::Letter(next), Token::Close(Delimiter::Brace)] =
                    self.tokens.get(at + 1..at + 3)?
                else {
                    return None;
                };
                if *next != second {
                    return None;
                }
                self.at = at + 3;
                return Some(base.clone());
            }
            (Token::Letter('c') | Token::Command(Command::Complement), Expr::NamedSet(_)) => {
                return None;
            }
            (Token::Plus | Token::Times | Token::Cross, Expr::NamedSet(set)) => {
                Expr::NamedSet(positive(*set)?)
            }
            (Token::Plus | Token::Minus, base) if braced && closes || self.ends_group(at + 1) => {
                let side = if *token == Token::Plus { FROM_ABOVE } else { FROM_BELOW };
                Expr::call(Function::Named(side.into()), base.clone())
            }
            (Token::Prime, Expr::Symbol(name)) => Expr::Symbol(Arc::from(format!("{name}'"))),
            _ => return None,
        };
        if !closes {
            return None;
        }
        self.at = at + 1 + usize::from(braced);
        Some(decorated)
    }

    pub(super) fn ends_group(&self, at: usize) -> bool {
        matches!(self.tokens.get(at), None | Some(Token::Close(_)))
    }

    /// Degrees with minutes and seconds: `60^\circ 42' 30''`.
    pub(super) fn degrees(&mut self, whole: Expr) -> Parsed<Expr> {
        let mut value = whole;
        let mut part = RBig::ONE;
        while let (Some(Token::Number(number)), Some(mark)) = (self.peek(), self.peek_at(1)) {
            let caret = usize::from(*mark == Token::Caret);
            let braced =
                usize::from(caret == 1 && self.peek_at(2) == Some(&Token::Open(Delimiter::Brace)));
            if self.peek_at(1 + caret + braced) != Some(&Token::Prime) {
                break;
            }
            part /= RBig::from(60);
            value = Expr::sum([value, Expr::rational(&number.value * &part)]);
            self.at += 1 + caret + braced;
            while self.eat(&Token::Prime) {}
            if braced == 1 {
                self.expect(&Token::Close(Delimiter::Brace))?;
            }
        }
        Ok(Expr::product([value, Expr::Constant(Constant::Degree)]))
    }

    pub(super) fn operand(&mut self) -> Parsed<Expr> {
        self.skip_gaps();
        match self.peek() {
            Some(Token::Number(number)) => {
                let number = number.clone();
                self.at += 1;
                if let Some(chosen) = self.plain_choose(&number) {
                    return Ok(chosen);
                }
                Ok(Expr::Number(number))
            }
            Some(Token::Letter(_) | Token::Greek(_) | Token::Named(_)) => self.name(),
            Some(Token::Constant(constant)) => {
                let constant = *constant;
                self.at += 1;
                Ok(Expr::Constant(constant))
            }
            Some(Token::Set(set)) => {
                let set = *set;
                self.at += 1;
                self.named_set(set)
            }
            Some(Token::Function(function)) => {
                let function = function.clone();
                self.at += 1;
                self.application(function)
            }
            Some(Token::Command(command)) => {
                let command = *command;
                self.at += 1;
                self.command(command)
            }
            Some(Token::Currency(sign)) => {
                let unit =
                    words::units::currency(sign.encode_utf8(&mut [0; 4])).ok_or(Fail::Grammar)?;
                self.at += 1;
                let value = self.nested(Context::Other, Self::product)?;
                Ok(match value {
                    Expr::Quantity(inner, _) => Expr::Quantity(inner, unit),
                    value => Expr::Quantity(Box::new(value), unit),
                })
            }
            Some(Token::Word(word, quoted)) => {
                let (word, quoted) = (*word, *quoted);
                self.at += 1;
                self.word(word, quoted)
            }
            Some(Token::Begin(name)) => {
                let name = *name;
                self.at += 1;
                self.environment(name)
            }
            Some(Token::Ellipsis) => {
                self.at += 1;
                Ok(Expr::Ellipsis)
            }
            Some(Token::Caret | Token::Underscore) => self.leading_script(),
            Some(
                Token::Open(_)
                | Token::BracketLeft
                | Token::BracketRight
                | Token::Bar
                | Token::Norm,
            ) => self.bracket(),
            // `<1, 2>`
            Some(Token::Rel(Rel::Lt)) => {
                self.at += 1;
                let items = self.nested(Context::Less, Self::bracketed)?;
                self.expect(&Token::Rel(Rel::Gt))?;
                if items.len() < 2 {
                    return Err(Fail::Grammar);
                }
                Ok(Expr::Tuple(items, Bracket::Angle, Bracket::Angle))
            }
            _ => Err(Fail::Grammar),
        }
    }

    /// `{}` before an operand, as in `{}^{10}C_3`.
    pub(super) fn operand_after_empty_braces(&mut self) -> Parsed<Expr> {
        match self.peek() {
            Some(Token::Caret | Token::Underscore) => self.leading_script(),
            None => Err(Fail::Grammar),
            _ => self.operand(),
        }
    }

    pub(super) fn command(&mut self, command: Command) -> Parsed<Expr> {
        match command {
            Command::Frac => self.fraction(),
            Command::Sqrt => self.root(),
            Command::Binom => {
                let n = self.argument()?;
                let k = self.argument()?;
                Ok(Expr::Call(Function::Binomial, vec![n, k]))
            }
            Command::Sum | Command::Prod => self.sum_or_product(command),
            Command::Int => self.integral(),
            Command::Lim => self.limit(),
            Command::Log => self.logarithm(),
            Command::Overline
            | Command::Hat
            | Command::Vector
            | Command::Bold
            | Command::Arc
            | Command::Dot => self.decorated(command),
            Command::Angle | Command::Triangle => self.figure(command),
            Command::Transparent => {
                self.skip_gaps();
                if self.peek() == Some(&Token::Open(Delimiter::Brace)) {
                    self.bracket()
                } else {
                    self.operand()
                }
            }
            Command::Decorated => {
                self.argument()?;
                self.argument()
            }
            Command::Choose
            | Command::Over
            | Command::Transpose
            | Command::Complement
            | Command::Partial => Err(Fail::Grammar),
        }
    }
}

/// Breaks runs of letters that are products of variables (`xy`, `2ab`) into letters. Units after a
/// number and words stay whole.
pub(super) fn split_words(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    if !tokens.iter().any(|token| matches!(token, Token::Word(_, false))) {
        return tokens;
    }
    let formula = tokens.iter().any(|token| {
        matches!(
            token,
            Token::Caret
                | Token::Plus
                | Token::Times
                | Token::Cross
                | Token::Slash
                | Token::Underscore
                | Token::Rel(_)
                | Token::Command(Command::Frac | Command::Sqrt)
        )
    });
    let alone = tokens.len() == 1;
    let mut out: Vec<Token<'_>> = Vec::with_capacity(tokens.len() + 8);
    for (index, token) in tokens.iter().enumerate() {
        let Token::Word(word, false) = token else {
            out.push(token.clone());
            continue;
        };
        let after_value = matches!(
            out.last(),
            Some(
                Token::Number(_)
                    | Token::Close(_)
                    | Token::Gap
                    | Token::Percent
                    | Token::Slash
                    | Token::Times
                    | Token::Cross
            )
        );
        let beside_word = matches!(out.last(), Some(Token::Word(..)))
            || matches!(tokens.get(index + 1), Some(Token::Word(..)));
        let is_unit = after_value
            && words::units::unit(word).is_some()
            && !(formula && words::units::symbol_may_be_variable(word));
        let has_meaning = alone && words::text::meaning(word).is_some();
        let upper = word.chars().all(|c| c.is_ascii_uppercase());
        let vowel = word.contains(['a', 'e', 'i', 'o', 'u']);
        let length = word.chars().count();
        let is_word = match length {
            2 => {
                beside_word
                    || !formula
                        && matches!(
                            word.to_ascii_lowercase().as_str(),
                            "no" | "is" | "of" | "to" | "if" | "at" | "on" | "as" | "by"
                        )
            }
            3 if formula => {
                beside_word && vowel
                    || words::numbers::is_number_word(word)
                    || words::text::is_remark(word)
            }
            3 => !upper && (vowel || !alone || beside_word),
            _ if length <= 5 => !upper && (!formula || vowel || beside_word),
            _ => true,
        };
        let is_currency = words::units::currency(word).is_some()
            && matches!(tokens.get(index + 1), Some(Token::Number(_) | Token::Stop));
        let differential = length == 2 && word.starts_with('d');
        if !word.is_ascii() || has_meaning || is_currency || (is_unit || is_word) && !differential {
            out.push(token.clone());
        } else {
            out.extend(word.chars().map(Token::Letter));
        }
    }
    out
}

pub(super) fn apply_exponent(base: Expr, exponent: Expr) -> Expr {
    match base {
        // `x°^2` does not occur; `f(x)^2` and `|x|^2` are powers of the whole.
        Expr::Quantity(value, unit) => Expr::Quantity(Box::new(value.pow(exponent)), unit),
        base => base.pow(exponent),
    }
}
