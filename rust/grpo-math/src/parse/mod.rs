//! Tokens to a tree.
//!
//! A recursive descent over the levels of an answer: list, statement, set, ratio, sum, product,
//! power, operand. One pass, without backtracking, so that time is linear in the text.

mod function;
mod items;
mod name;
mod operand;
mod operator;
mod phrase;
mod structure;
#[cfg(test)]
mod tests;
mod text;
mod units;

use crate::budget::Budget;
use crate::expr::{Constant, Expr, Function, Rel, Symbol};
use crate::lex::{self, Delimiter, Reading, Seen, Token};

/// Whether a text is a unit such as `m/s^2`.
pub(crate) fn is_unit(text: &str) -> bool {
    units::expression(text).is_some()
}

/// How deep an answer may nest. The stack needs about 9 kB a level, and threads of a
/// trainer may have half a megabyte.
const MAX_DEPTH: usize = 40;

/// Why a text is not a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fail {
    /// It does not follow the grammar.
    Grammar,
    /// It is too long or too deep.
    TooLarge,
}

type Parsed<T> = Result<T, Fail>;

/// A text as a tree, with the second reading of an ambiguous one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) expr: Expr,
    /// `1,5` may be one number or two; `1,234` as well.
    pub(crate) alternative: Option<Expr>,
    /// The grammar did not fit: `expr` is the text itself.
    pub(crate) is_fallback: bool,
}

/// Reads an answer.
pub(crate) fn parse(text: &str, budget: &mut Budget) -> Result<Read, Fail> {
    budget.spend(text.len() as u64 / 4 + 2).map_err(|_| Fail::TooLarge)?;
    if let Some(plain) = text::unescaped(text).or_else(|| text::without_look_alikes(text)) {
        return parse(&plain, budget);
    }
    let text = text::without_emphasis(text);
    // What is left of "isn't 5".
    if text.starts_with("n't") || text.starts_with("n’t") {
        return Ok(Read { expr: text::fallback(text), alternative: None, is_fallback: true });
    }
    if let Some(expr) = text::whole(text, budget)? {
        return Ok(Read { expr, alternative: None, is_fallback: false });
    }
    match formula(text, Reading::default(), budget) {
        Ok((expr, seen)) => {
            let mut alternative = text::european(text).map(Expr::Number);
            if alternative.is_none() && seen.grouped {
                let reading = Reading { commas_separate: true };
                alternative = formula(text, reading, budget).ok().map(|(expr, _)| expr);
            }
            Ok(Read { expr, alternative, is_fallback: false })
        }
        Err(Fail::TooLarge) => Err(Fail::TooLarge),
        Err(Fail::Grammar) => match text::european(text) {
            Some(number) => {
                Ok(Read { expr: Expr::Number(number), alternative: None, is_fallback: false })
            }
            None => Ok(Read { expr: text::fallback(text), alternative: None, is_fallback: true }),
        },
    }
}

/// Reads a text that has to be a formula.
fn formula(text: &str, reading: Reading, budget: &mut Budget) -> Parsed<(Expr, Seen)> {
    let (tokens, seen) = lex::tokens(text, reading).map_err(|_| Fail::TooLarge)?;
    budget.spend(tokens.len() as u64 * 2).map_err(|_| Fail::TooLarge)?;
    let mut parser = Parser::new(operand::split_words(tokens));
    let expr = units::finish(parser.answer()?);
    Ok((expr, seen))
}

/// What a bar or a colon at this place belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    Bar,
    Norm,
    Curly,
    /// Round, square or angle brackets.
    Tuple,
    /// `<1, 2>`
    Less,
    Other,
}

/// An integral whose integrand is being read.
struct Integral {
    /// The depth of its integrand.
    depth: usize,
    /// Its variable, once the differential was seen.
    variable: Option<Symbol>,
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    context: Vec<Context>,
    integrals: Vec<Integral>,
}

impl<'a> Parser<'a> {
    fn new(tokens: Vec<Token<'a>>) -> Self {
        Self { tokens, at: 0, depth: 0, context: Vec::new(), integrals: Vec::new() }
    }

    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.at)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token<'a>> {
        self.tokens.get(self.at + ahead)
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    fn eat(&mut self, token: &Token<'a>) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, token: &Token<'a>) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { Err(Fail::Grammar) }
    }

    fn skip_gaps(&mut self) {
        while matches!(self.peek(), Some(Token::Gap)) {
            self.at += 1;
        }
    }

    /// Runs `inner` one level deeper, with what bars and colons mean there.
    fn nested<T>(
        &mut self,
        context: Context,
        inner: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Fail::TooLarge);
        }
        self.depth += 1;
        self.context.push(context);
        let result = inner(self);
        self.context.pop();
        self.depth -= 1;
        result
    }

    fn in_context(&self, context: Context) -> bool {
        self.context.last() == Some(&context)
    }

    /// The whole text: items, then nothing that counts.
    fn answer(&mut self) -> Parsed<Expr> {
        self.skip_lead();
        let expr = self.items()?;
        loop {
            match self.peek() {
                None => return Ok(expr),
                // Stray closing braces and full stops are repaired silently.
                Some(Token::Close(Delimiter::Brace) | Token::Stop | Token::Gap | Token::Break) => {
                    self.at += 1;
                }
                Some(_) if self.at_remark() => return Ok(self.with_condition(expr)),
                Some(_) => return Err(Fail::Grammar),
            }
        }
    }

    /// "The answer is" before the answer.
    fn skip_lead(&mut self) {
        const LEADS: [&str; 3] = ["the answer is", "the final answer is", "answer is"];
        self.skip_gaps();
        let mut phrase = String::new();
        let mut at = self.at;
        while let Some(Token::Word(word, _)) = self.tokens.get(at) {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(word);
            at += 1;
            let lead = phrase.trim_end_matches(':');
            if LEADS.iter().any(|known| lead.eq_ignore_ascii_case(known)) {
                self.at = at;
                return;
            }
            if phrase.len() > 24 {
                return;
            }
        }
    }

    /// `k\pi` "for" `k \in \mathbb{Z}`: the family of values. Other remarks only explain.
    fn with_condition(&mut self, expr: Expr) -> Expr {
        while matches!(
            self.peek(),
            Some(Token::Word(..) | Token::Gap | Token::Comma | Token::Open(Delimiter::Round))
        ) {
            self.at += 1;
        }
        match self.statement() {
            Ok(condition) if items::is_family(&condition, std::slice::from_ref(&expr)) => {
                Expr::Builder(Box::new(expr), vec![condition])
            }
            _ => expr,
        }
    }

    /// `a = b < c`, or one member alone.
    fn statement(&mut self) -> Parsed<Expr> {
        self.skip_gaps();
        // `\approx 1.73` alone says the value.
        self.eat(&Token::Rel(Rel::Approx));
        let first = self.member()?;
        let mut members = vec![first];
        let mut rels = Vec::new();
        loop {
            if matches!(self.peek(), Some(Token::Gap))
                && matches!(self.peek_at(1), Some(Token::Rel(_)))
            {
                self.at += 1;
            }
            match self.peek() {
                Some(Token::Rel(Rel::Gt)) if self.in_context(Context::Less) => break,
                // A derivation says its last line.
                Some(Token::Rel(Rel::Implies | Rel::Iff)) if !rels.is_empty() => {
                    self.at += 1;
                    members = vec![self.member()?];
                    rels.clear();
                }
                Some(Token::Rel(rel)) => {
                    let rel = rel.clone();
                    self.at += 1;
                    members.push(self.member()?);
                    rels.push(rel);
                }
                // `a \mid b`
                Some(Token::Bar)
                    if !self.in_context(Context::Bar) && !self.in_context(Context::Curly) =>
                {
                    self.at += 1;
                    members.push(self.member()?);
                    rels.push(Rel::Divides);
                }
                // `:=` defines.
                Some(Token::Colon) if self.peek_at(1) == Some(&Token::Rel(Rel::Eq)) => {
                    self.at += 2;
                    members.push(self.member()?);
                    rels.push(Rel::Eq);
                }
                _ => break,
            }
        }
        let modulus = match (self.modulus()?, members.last_mut()) {
            // `n \equiv 2 \mod 5`
            (None, Some(last)) if rels.iter().any(|rel| matches!(rel, Rel::Congruent(_))) => {
                take_modulus(last)
            }
            (modulus, _) => modulus,
        };
        Ok(match (modulus, members.len()) {
            (None, 1) => members.swap_remove(0),
            (None, _) => Expr::Relation(members, rels),
            (Some(modulus), 1) => Expr::Residue(Box::new((members.swap_remove(0), modulus))),
            (Some(_), _) if !rels.iter().any(|rel| matches!(rel, Rel::Congruent(_) | Rel::Eq)) => {
                return Err(Fail::Grammar);
            }
            (Some(modulus), _) => {
                for rel in &mut rels {
                    if matches!(rel, Rel::Congruent(_) | Rel::Eq) {
                        *rel = Rel::Congruent(Box::new(modulus.clone()));
                    }
                }
                Expr::Relation(members, rels)
            }
        })
    }

    /// `\pmod 7`, `(\bmod 7)`, `(mod 7)`, `mod 7` at the end of a congruence.
    fn modulus(&mut self) -> Parsed<Option<Expr>> {
        self.skip_gaps_before(&Token::PMod);
        if self.eat(&Token::PMod) {
            return self.script().map(Some);
        }
        if matches!(self.peek(), Some(Token::Open(Delimiter::Round)))
            && matches!(self.peek_at(1), Some(Token::Mod))
        {
            self.at += 2;
            let modulus = self.nested(Context::Other, Self::sum)?;
            self.expect(&Token::Close(Delimiter::Round))?;
            return Ok(Some(modulus));
        }
        Ok(None)
    }

    fn skip_gaps_before(&mut self, token: &Token<'a>) {
        if self.peek() == Some(&Token::Gap) && self.peek_at(1) == Some(token) {
            self.at += 1;
        }
    }

    /// One side of a relation: sets joined by their operators, or a ratio.
    fn member(&mut self) -> Parsed<Expr> {
        self.skip_gaps();
        if let Some(set) = self.set_with_exceptions()? {
            return Ok(set);
        }
        if let Some(words) = self.words_only() {
            return Ok(words);
        }
        // "exactly 8"
        if matches!(self.peek(), Some(Token::Word("exactly" | "precisely" | "Exactly", _))) {
            self.at += 1;
        }
        if let Some(call) = self.named_call() {
            return Ok(call);
        }
        let left = labelled_point(self.ratio()?);
        let mut left = self.compound_quantity(left)?;
        loop {
            self.skip_gap_before_set_operator();
            let operator = match self.peek() {
                Some(token @ (Token::Cup | Token::Cap | Token::SetMinus)) => token.clone(),
                Some(Token::Letter('U')) if self.at_plain_union() => Token::Cup,
                _ => return Ok(left),
            };
            self.at += 1;
            self.skip_gaps();
            let right = self.ratio()?;
            left = match (operator, left) {
                (Token::Cup, Expr::Union(mut parts)) => {
                    parts.push(right);
                    Expr::Union(parts)
                }
                (Token::Cup, left) => Expr::Union(vec![left, right]),
                (Token::Cap, left) => Expr::Intersection(vec![left, right]),
                (_, left) => Expr::Difference(Box::new((left, right))),
            };
        }
    }

    fn skip_gap_before_set_operator(&mut self) {
        if self.peek() == Some(&Token::Gap)
            && matches!(self.peek_at(1), Some(Token::Cup | Token::Cap | Token::SetMinus))
        {
            self.at += 1;
        }
    }

    fn ratio(&mut self) -> Parsed<Expr> {
        let first = self.sum()?;
        let mut parts = vec![first];
        // `3:5`, "3 to 5"
        while (self.peek() == Some(&Token::Colon)
            && !self.in_context(Context::Curly)
            && self.peek_at(1) != Some(&Token::Rel(Rel::Eq)))
            || (matches!(self.peek(), Some(Token::Word("to", _)))
                && matches!(parts.last(), Some(Expr::Number(_)))
                && matches!(self.peek_at(1), Some(Token::Number(_))))
        {
            self.at += 1;
            parts.push(self.sum()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Ratio(parts) })
    }

    fn sum(&mut self) -> Parsed<Expr> {
        self.skip_gaps();
        let mut terms = Vec::new();
        let mut sign = self.sign();
        loop {
            let term = self.product()?;
            terms.push(match sign {
                None | Some(Token::Plus) => term,
                Some(Token::Minus) => negative(term),
                Some(Token::PlusMinus) => Expr::PlusMinus(Box::new(term), false),
                Some(_) => Expr::PlusMinus(Box::new(term), true),
            });
            // The term with the differential is the last one of its integral.
            let ends =
                |integral: &Integral| integral.variable.is_some() && integral.depth == self.depth;
            if self.integrals.last().is_some_and(ends) {
                break;
            }
            self.skip_gap_before_sign();
            sign = self.sign();
            if sign.is_none() {
                break;
            }
            if sign == Some(Token::Minus) && terms.len() == 1 && terms.iter().all(is_set) {
                let left = terms.swap_remove(0);
                let right = self.product()?;
                return Ok(Expr::Difference(Box::new((left, right))));
            }
        }
        Ok(units::lift(terms))
    }

    /// `$5$ + $3$`: a dollar sign between a term and the next sign.
    fn skip_gap_before_sign(&mut self) {
        if self.peek() == Some(&Token::Gap) && matches!(self.peek_at(1), Some(Token::Plus)) {
            self.at += 1;
        }
    }

    fn sign(&mut self) -> Option<Token<'a>> {
        match self.peek() {
            Some(Token::Plus | Token::Minus | Token::PlusMinus | Token::MinusPlus) => self.next(),
            _ => None,
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut factors = vec![self.first_factor()?];
        loop {
            match self.peek() {
                Some(Token::Cross) if factors.last().is_some_and(is_vector) => {
                    self.at += 1;
                    let left = factors.pop().into_iter();
                    let right = self.factor()?;
                    let cross = Function::Named("cross".into());
                    factors.push(Expr::Call(cross, left.chain([right]).collect()));
                }
                Some(Token::Times | Token::Cross) => {
                    self.at += 1;
                    self.skip_gaps();
                    // `5 \cdot \text{m}` has a unit.
                    if let Some(unit) = self.unit() {
                        let value = Expr::product(factors);
                        return Ok(Expr::Quantity(Box::new(value), unit));
                    }
                    factors.push(self.factor()?);
                }
                Some(Token::Slash) => {
                    self.at += 1;
                    factors.push(self.factor()?.recip());
                }
                // "3 out of 20"
                Some(Token::Word("out", _))
                    if matches!(self.peek_at(1), Some(Token::Word("of", _)))
                        && matches!(self.peek_at(2), Some(Token::Number(_))) =>
                {
                    self.at += 2;
                    factors.push(self.factor()?.recip());
                }
                // `5.8 x 10^7`
                Some(Token::Letter('x')) if self.at_plain_times() => {
                    self.at += 1;
                    factors.push(self.factor()?);
                }
                Some(Token::Mod) => {
                    self.at += 1;
                    let right = self.factor()?;
                    let left = Expr::product(std::mem::take(&mut factors));
                    factors.push(Expr::Call(Function::Mod, vec![left, right]));
                }
                _ if self.starts_factor() && !self.at_unit_quotient() => {
                    let factor = self.power()?;
                    factors.push(factor);
                }
                _ => break,
            }
        }
        let value = Expr::product(factors);
        Ok(self.quantity(value))
    }

    /// The first factor, which may be the whole part of a mixed number.
    fn first_factor(&mut self) -> Parsed<Expr> {
        if let Some(mixed) = self.mixed_number() {
            return Ok(mixed);
        }
        self.factor()
    }

    fn factor(&mut self) -> Parsed<Expr> {
        self.skip_gaps();
        match self.peek() {
            // "negative infinity"
            Some(Token::Minus | Token::Word("negative" | "minus" | "Negative", _)) => {
                self.at += 1;
                Ok(self.nested(Context::Other, Self::factor)?.negate())
            }
            Some(Token::Plus) => {
                self.at += 1;
                self.nested(Context::Other, Self::factor)
            }
            Some(Token::PlusMinus) => {
                self.at += 1;
                let inner = self.nested(Context::Other, Self::factor)?;
                Ok(Expr::PlusMinus(Box::new(inner), false))
            }
            _ => self.power(),
        }
    }

    /// An operand with its exponents, factorials and signs.
    fn power(&mut self) -> Parsed<Expr> {
        let base = self.operand()?;
        self.scripts(base)
    }
}

/// The m of `a \bmod m`, of which a is left.
fn take_modulus(expr: &mut Expr) -> Option<Expr> {
    let Expr::Call(Function::Mod, arguments) = expr else { return None };
    let modulus = arguments.pop()?;
    let value = arguments.pop()?;
    *expr = value;
    Some(modulus)
}

fn is_vector(expr: &Expr) -> bool {
    matches!(expr, Expr::Symbol(name) if name.starts_with("\\vec") || name.starts_with("\\mathbf"))
}

/// `P(4, -7)` names the point.
fn labelled_point(expr: Expr) -> Expr {
    match expr {
        Expr::Mul(mut factors)
            if matches!(&factors[..], [Expr::Symbol(name), Expr::Tuple(..)]
                if name.chars().all(|c| c.is_ascii_uppercase())) =>
        {
            let point = factors.pop();
            let members = factors.into_iter().chain(point).collect();
            Expr::Relation(members, vec![Rel::Eq])
        }
        expr => expr,
    }
}

/// `-7 \bmod 3` is the remainder of -7.
fn negative(term: Expr) -> Expr {
    match term {
        Expr::Call(Function::Mod, mut arguments) => {
            if let Some(first) = arguments.first_mut() {
                *first = first.clone().negate();
            }
            Expr::Call(Function::Mod, arguments)
        }
        term => term.negate(),
    }
}

/// Whether a minus sign after it takes a set away.
fn is_set(expr: &Expr) -> bool {
    match expr {
        Expr::NamedSet(_) | Expr::Set(_) | Expr::Builder(..) | Expr::Union(_) => true,
        Expr::Tuple(items, ..) => {
            items.iter().any(|item| matches!(item, Expr::Constant(Constant::Infinity)))
        }
        _ => false,
    }
}
