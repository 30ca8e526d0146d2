//! Names: variables, functions of them, points, sets, decorated letters.

use dashu_ratio::RBig;

use super::{Context, Fail, Parsed, Parser};
use crate::display::describe;
use crate::expr::{Constant, Expr, Function, NamedSet, Number, Rel, Symbol};
use crate::lex::{Command, Delimiter, Token};
use crate::words;

/// Letters that name functions, so that `f(x)` is no product.
const FUNCTION_LETTERS: [char; 6] = ['f', 'g', 'h', 'F', 'G', 'H'];

impl Parser<'_> {
    /// `f(x)`, `W(n)`, `P(X > 2)` as a name at the start of a relation.
    pub(super) fn named_call(&mut self) -> Option<Expr> {
        let name = match self.peek()? {
            Token::Letter(letter) if !matches!(letter, 'e' | 'i') => letter.to_string(),
            Token::Greek(name) => format!("\\{name}"),
            Token::Word(word, _) => (*word).to_owned(),
            _ => return None,
        };
        let mut at = self.at + 1;
        let mut primes = 0;
        while matches!(self.tokens.get(at), Some(Token::Prime)) {
            primes += 1;
            at += 1;
        }
        if self.tokens.get(at) != Some(&Token::Open(Delimiter::Round)) {
            return None;
        }
        if let Some(event) = self.event(&name, at) {
            return Some(event);
        }
        at += 1;
        let mut arguments = Vec::new();
        loop {
            let argument = match self.tokens.get(at)? {
                Token::Letter(letter) => letter_value(*letter),
                Token::Greek(name) => Expr::symbol(&format!("\\{name}")),
                Token::Number(number) => Expr::Number(number.clone()),
                _ => return None,
            };
            arguments.push(argument);
            at += 1;
            match self.tokens.get(at)? {
                Token::Comma => at += 1,
                Token::Close(Delimiter::Round) => break,
                _ => return None,
            }
        }
        at += 1;
        if !matches!(self.tokens.get(at), Some(Token::Rel(_))) {
            return None;
        }
        self.at = at;
        let name = name + &"'".repeat(primes);
        Some(Expr::Call(Function::Named(name.into()), arguments))
    }

    /// `P(X = 2)` before a relation, as a name.
    pub(super) fn event(&mut self, name: &str, open: usize) -> Option<Expr> {
        let mut depth = 0_usize;
        let mut relates = false;
        for at in open..self.tokens.len() {
            match self.tokens.get(at)? {
                Token::Open(Delimiter::Round) => depth += 1,
                Token::Rel(_) => relates = true,
                Token::Close(Delimiter::Round) if depth == 1 => {
                    if !relates || !matches!(self.tokens.get(at + 1), Some(Token::Rel(_))) {
                        return None;
                    }
                    let inner = self.spelling(open + 1, at);
                    self.at = at + 1;
                    return Some(Expr::symbol(&format!("{name}({inner})")));
                }
                Token::Close(Delimiter::Round) => depth -= 1,
                _ => {}
            }
        }
        None
    }

    /// `^{10}C_3`, `_{10}C_3`.
    pub(super) fn leading_script(&mut self) -> Parsed<Expr> {
        self.at += 1;
        let n = self.script()?;
        let function = match self.next() {
            Some(Token::Letter('C')) => Function::Binomial,
            Some(Token::Letter('P' | 'A')) => Function::Permutations,
            _ => return Err(Fail::Grammar),
        };
        self.expect(&Token::Underscore)?;
        let k = self.script()?;
        Ok(Expr::Call(function, vec![n, k]))
    }

    /// `10C3`, `10 choose 3`.
    pub(super) fn plain_choose(&mut self, n: &Number) -> Option<Expr> {
        let ahead = match self.peek()? {
            Token::Letter('C') | Token::Word("choose", _) => 1,
            _ => return None,
        };
        let Some(Token::Number(k)) = self.peek_at(ahead) else { return None };
        let k = Expr::Number(k.clone());
        self.at += ahead + 1;
        Some(Expr::Call(Function::Binomial, vec![Expr::Number(n.clone()), k]))
    }

    /// A variable with its subscript and primes, or a function of the arguments after it.
    pub(super) fn name(&mut self) -> Parsed<Expr> {
        let token = self.next().ok_or(Fail::Grammar)?;
        let letter = if let Token::Letter(letter) = token { Some(letter) } else { None };
        let mut name = match &token {
            Token::Letter(letter) => letter.to_string(),
            Token::Greek(greek) => format!("\\{greek}"),
            Token::Named(name) => format!("\\{name}"),
            _ => return Err(Fail::Grammar),
        };
        if let Some(differential) = self.differential(letter) {
            return Ok(differential);
        }
        let mut decorated = false;
        let mut sub = None;
        loop {
            match self.peek() {
                // `v_{max}`
                Some(Token::Underscore) if self.function_in_braces(self.at + 1) => {
                    name.push('_');
                    name.push_str(&self.spelling(self.at + 1, self.at + 4));
                    self.at += 4;
                }
                Some(Token::Underscore) if sub.is_none() => {
                    self.at += 1;
                    let start = self.at;
                    let value = self.script()?;
                    name.push('_');
                    match &value {
                        // `a_{1+n}` is `a_{n+1}`.
                        Expr::Add(terms) => {
                            let mut terms: Vec<String> = terms.iter().map(describe).collect();
                            terms.sort_unstable_by(|a, b| b.cmp(a));
                            name.push_str(&terms.join("+"));
                        }
                        _ => name.push_str(&self.spelling(start, self.at)),
                    }
                    sub = Some(value);
                }
                Some(Token::Subscript(index)) => {
                    name = format!("{name}_{index}");
                    self.at += 1;
                }
                Some(Token::Prime) => {
                    name.push('\'');
                    self.at += 1;
                }
                // `f^{\prime}`
                Some(Token::Caret) if self.peek_at(1) == Some(&Token::Prime) => self.at += 1,
                Some(Token::Caret)
                    if self.peek_at(1) == Some(&Token::Open(Delimiter::Brace))
                        && self.peek_at(2) == Some(&Token::Prime) =>
                {
                    self.at += 2;
                    while self.eat(&Token::Prime) {
                        name.push('\'');
                    }
                    self.expect(&Token::Close(Delimiter::Brace))?;
                }
                _ => break,
            }
            decorated = true;
        }
        if let Some(combinations) = self.combinations(letter, sub.as_ref()) {
            return Ok(combinations);
        }
        let applied = self.peek() == Some(&Token::Open(Delimiter::Round));
        match letter {
            Some(letter @ ('C' | 'P' | 'A')) if applied && !decorated => {
                if let Some(pair) = self.pair_of_integers() {
                    let function =
                        if letter == 'C' { Function::Binomial } else { Function::Permutations };
                    return Ok(Expr::Call(function, pair));
                }
            }
            Some(letter) if FUNCTION_LETTERS.contains(&letter) => {
                // `f{\left(x\right)}`
                let braced = self.peek() == Some(&Token::Open(Delimiter::Brace))
                    && self.peek_at(1) == Some(&Token::Open(Delimiter::Round));
                if braced {
                    self.at += 1;
                    let arguments = self.arguments()?;
                    self.expect(&Token::Close(Delimiter::Brace))?;
                    return Ok(Expr::Call(Function::Named(name.into()), arguments));
                }
                if let Some(inverse) = self.inverse_of(&mut name) {
                    return inverse;
                }
                if applied {
                    let arguments = self.arguments()?;
                    return Ok(Expr::Call(Function::Named(name.into()), arguments));
                }
            }
            Some(letter) if !decorated => return Ok(letter_value(letter)),
            _ => {}
        }
        Ok(Expr::Symbol(name.into()))
    }

    pub(super) fn function_in_braces(&self, at: usize) -> bool {
        matches!(
            self.tokens.get(at..at + 3),
            Some([
                Token::Open(Delimiter::Brace),
                Token::Function(_),
                Token::Close(Delimiter::Brace)
            ])
        )
    }

    /// `f^{-1}(x)` names the inverse function.
    pub(super) fn inverse_of(&mut self, name: &mut String) -> Option<Parsed<Expr>> {
        let braced = [
            Token::Caret,
            Token::Open(Delimiter::Brace),
            Token::Minus,
            Token::Number(Number::exact(RBig::ONE)),
            Token::Close(Delimiter::Brace),
            Token::Open(Delimiter::Round),
        ];
        if !self.tokens[self.at..].starts_with(&braced) {
            return None;
        }
        self.at += braced.len() - 1;
        name.push_str("^-1");
        let name: Symbol = name.as_str().into();
        Some(self.arguments().map(|arguments| Expr::Call(Function::Named(name), arguments)))
    }

    /// The tokens of a subscript as part of a name.
    pub(super) fn spelling(&self, start: usize, end: usize) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        for token in &self.tokens[start..end.min(self.tokens.len())] {
            match token {
                Token::Letter(letter) => out.push(*letter),
                Token::Word(word, _) => out.push_str(word.trim()),
                Token::Function(function) => {
                    out.push_str(&format!("{function:?}").to_lowercase());
                }
                Token::Greek(name) | Token::Named(name) => out.push_str(name),
                Token::Number(number) => {
                    let _ = write!(out, "{}", number.value);
                }
                Token::Caret => out.push('^'),
                Token::Slash => out.push('/'),
                Token::Times | Token::Cross => out.push('*'),
                Token::Prime => out.push('\''),
                Token::Rel(Rel::Eq) => out.push('='),
                Token::Rel(Rel::Lt) => out.push('<'),
                Token::Rel(Rel::Gt) => out.push('>'),
                Token::Open(Delimiter::Round) => out.push('('),
                Token::Close(Delimiter::Round) => out.push(')'),
                Token::Plus => out.push('+'),
                Token::Minus => out.push('-'),
                Token::Comma => out.push(','),
                Token::Open(Delimiter::Brace) | Token::Close(Delimiter::Brace) | Token::Gap => {}
                other => {
                    let _ = write!(out, "{other:?}");
                }
            }
        }
        out
    }

    /// `C_{10}^{3}`, `C^3_{10}`, `A_n^k`: both scripts are numbers.
    pub(super) fn combinations(
        &mut self,
        letter: Option<char>,
        sub: Option<&Expr>,
    ) -> Option<Expr> {
        let function = match letter {
            Some('C') => Function::Binomial,
            Some('A' | 'P') => Function::Permutations,
            _ => return None,
        };
        let mark = self.at;
        // No script is read twice, or nested ones would take exponential time.
        let top = self.number_script(&Token::Caret);
        let bottom = match sub {
            Some(sub) => Some(sub.clone()),
            None => self.number_script(&Token::Underscore),
        };
        if let (Some(top), Some(bottom @ Expr::Number(_))) = (top, bottom) {
            return Some(Expr::Call(function, vec![bottom, top]));
        }
        self.at = mark;
        None
    }

    /// `^3`, `_{10}`
    fn number_script(&mut self, mark: &Token<'_>) -> Option<Expr> {
        let braced = usize::from(self.peek_at(1) == Some(&Token::Open(Delimiter::Brace)));
        let closes = braced == 0 || self.peek_at(3) == Some(&Token::Close(Delimiter::Brace));
        match self.peek_at(1 + braced) {
            Some(Token::Number(number)) if closes && self.peek() == Some(mark) => {
                let number = number.clone();
                self.at += 2 + 2 * braced;
                Some(Expr::Number(number))
            }
            _ => None,
        }
    }

    pub(super) fn pair_of_integers(&mut self) -> Option<Vec<Expr>> {
        let pattern = &self.tokens[self.at..];
        if let [
            Token::Open(Delimiter::Round),
            Token::Number(n),
            Token::Comma,
            Token::Number(k),
            Token::Close(Delimiter::Round),
            ..,
        ] = pattern
        {
            let pair = vec![Expr::Number(n.clone()), Expr::Number(k.clone())];
            self.at += 5;
            return Some(pair);
        }
        None
    }

    /// `\mathbb{R}`, `\mathbb{R}^+`, `\mathbb{Z}_{>0}`.
    pub(super) fn named_set(&mut self, set: NamedSet) -> Parsed<Expr> {
        if self.peek() == Some(&Token::Underscore) {
            let tokens = &self.tokens[self.at + 1..];
            let tokens = tokens.strip_prefix(&[Token::Open(Delimiter::Brace)]).unwrap_or(tokens);
            let narrowed = match tokens {
                [Token::Plus | Token::Rel(Rel::Gt), ..] => positive(set),
                [Token::Rel(Rel::Ge), ..] => non_negative(set),
                [Token::Rel(Rel::Lt), ..] => negative(set),
                [Token::Number(zero), ..] if zero.value.is_zero() => non_negative(set),
                _ => None,
            };
            let narrowed = narrowed.ok_or(Fail::Grammar)?;
            self.at += 1;
            if self.eat(&Token::Open(Delimiter::Brace)) {
                while !self.eat(&Token::Close(Delimiter::Brace)) {
                    self.next().ok_or(Fail::Grammar)?;
                }
            } else {
                self.at += 1;
            }
            return Ok(Expr::NamedSet(narrowed));
        }
        if self.eat(&Token::Plus) && self.peek().is_none() {
            return positive(set).map(Expr::NamedSet).ok_or(Fail::Grammar);
        }
        Ok(Expr::NamedSet(set))
    }

    /// `\overline{AB}`, `\vec{v}`, `\mathbf{i}`: a name of its own, unless the decoration means
    /// nothing.
    pub(super) fn decorated(&mut self, command: Command) -> Parsed<Expr> {
        let start = self.at;
        self.skip_gaps();
        let inner = if self.peek() == Some(&Token::Open(Delimiter::Brace)) {
            self.bracket()?
        } else {
            self.argument()?
        };
        let spelled = self.spelling(start, self.at);
        let unit_vector = matches!(spelled.as_str(), "i" | "j" | "k" | "\u{131}");
        match command {
            Command::Bold if matches!(spelled.as_str(), "R" | "Z" | "Q" | "N") => {
                Ok(Expr::NamedSet(match spelled.as_str() {
                    "R" => NamedSet::Reals,
                    "Z" => NamedSet::Integers,
                    "Q" => NamedSet::Rationals,
                    _ => NamedSet::Naturals,
                }))
            }
            Command::Overline if matches!(spelled.as_str(), "z" | "w") => {
                Ok(Expr::call(Function::Conj, inner))
            }
            Command::Bold if !unit_vector => Ok(inner),
            Command::Bold | Command::Hat | Command::Vector if unit_vector => {
                Ok(Expr::symbol(&format!("\\mathbf{{{spelled}}}")))
            }
            _ => {
                let mark = match command {
                    Command::Vector => "\\vec",
                    Command::Hat => "\\hat",
                    Command::Arc => "\\arc",
                    Command::Dot => "\\dot",
                    _ => "\\overline",
                };
                let mut name = format!("{mark}{{{spelled}}}");
                // `\overline{x}_2`
                if self.peek() == Some(&Token::Underscore) {
                    self.at += 1;
                    let start = self.at;
                    self.script()?;
                    name.push('_');
                    name.push_str(&self.spelling(start, self.at));
                }
                Ok(Expr::symbol(&name))
            }
        }
    }

    /// `\angle ABC`, `\triangle ABC`.
    pub(super) fn figure(&mut self, command: Command) -> Parsed<Expr> {
        let start = self.at;
        while matches!(self.peek(), Some(Token::Letter(_) | Token::Prime | Token::Number(_))) {
            self.at += 1;
        }
        if self.at == start {
            return Err(Fail::Grammar);
        }
        let mark = if command == Command::Angle { "\\angle" } else { "\\triangle" };
        Ok(Expr::symbol(&format!("{mark} {}", self.spelling(start, self.at))))
    }

    /// A word where an operand stands: one letter, a unit as a factor, or a name.
    pub(super) fn word(&mut self, word: &str, quoted: bool) -> Parsed<Expr> {
        let word = word.trim();
        if let Some(number) = words::numbers::spelled_out(word) {
            return Ok(Expr::rational(number));
        }
        // `USD 5`, `Rs. 48`
        if let Some(unit) = words::units::currency(word) {
            self.eat(&Token::Stop);
            if matches!(self.peek(), Some(Token::Number(_))) {
                let value = self.nested(Context::Other, Self::product)?;
                return Ok(Expr::Quantity(Box::new(value), unit));
            }
        }
        let mut chars = word.chars();
        if let (Some(letter), None) = (chars.next(), chars.next()) {
            return Ok(letter_value(letter));
        }
        if word.contains(char::is_whitespace)
            || words::text::is_remark(word)
            || words::text::denies(word)
        {
            return Err(Fail::Grammar);
        }
        // `\mathrm{ABC}`: as without the command.
        if quoted && word.len() <= 3 && word.chars().all(|c| c.is_ascii_uppercase()) {
            return Ok(Expr::product(word.chars().map(letter_value)));
        }
        let mut name = word.to_owned();
        if self.peek() == Some(&Token::Underscore) {
            self.at += 1;
            let start = self.at;
            self.script()?;
            name.push('_');
            name.push_str(&self.spelling(start, self.at));
        }
        if self.peek() == Some(&Token::Open(Delimiter::Round)) && !self.at_remark() {
            let arguments = self.arguments()?;
            return Ok(Expr::Call(Function::Named(name.into()), arguments));
        }
        Ok(Expr::Symbol(name.into()))
    }
}

/// The value of a bare letter.
pub(super) fn letter_value(letter: char) -> Expr {
    match letter {
        'e' => Expr::Constant(Constant::E),
        'i' => Expr::Constant(Constant::I),
        letter => Expr::Symbol(letter.encode_utf8(&mut [0; 4]).into()),
    }
}

pub(super) fn power_of_symbol(expr: &Expr) -> Option<(Symbol, Expr)> {
    match expr {
        Expr::Pow(pair) => match &pair.0 {
            Expr::Symbol(name) => Some((name.clone(), pair.1.clone())),
            _ => None,
        },
        _ => None,
    }
}

pub(super) const fn positive(set: NamedSet) -> Option<NamedSet> {
    Some(match set {
        NamedSet::Reals => NamedSet::PositiveReals,
        NamedSet::Integers | NamedSet::Naturals => NamedSet::PositiveIntegers,
        _ => return None,
    })
}

pub(super) const fn non_negative(set: NamedSet) -> Option<NamedSet> {
    Some(match set {
        NamedSet::Reals => NamedSet::NonNegativeReals,
        NamedSet::Integers | NamedSet::Naturals => NamedSet::NonNegativeIntegers,
        _ => return None,
    })
}

pub(super) const fn negative(set: NamedSet) -> Option<NamedSet> {
    Some(match set {
        NamedSet::Reals => NamedSet::NegativeReals,
        NamedSet::Integers => NamedSet::NegativeIntegers,
        _ => return None,
    })
}
