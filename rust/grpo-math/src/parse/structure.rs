//! Brackets, sets, matrices and cases.

use super::{Context, Fail, Parsed, Parser};
use crate::expr::{Bracket, Expr, Function, Joint, NamedSet};
use crate::lex::{Delimiter, Token};

impl<'a> Parser<'a> {
    /// A bracket of any kind that opens at the position.
    pub(super) fn bracket(&mut self) -> Parsed<Expr> {
        match self.next() {
            Some(Token::Open(Delimiter::Round)) => self.tuple(Bracket::Round),
            Some(Token::BracketLeft) => self.tuple(Bracket::Square),
            Some(Token::BracketRight) => self.tuple(Bracket::Outward),
            Some(Token::Open(Delimiter::Angle)) => self.tuple(Bracket::Angle),
            Some(Token::Open(Delimiter::Brace)) => self.braces(),
            Some(Token::Open(Delimiter::Curly)) => self.set(),
            Some(Token::Open(Delimiter::Floor)) => {
                self.function_brackets(Function::Floor, &Token::Close(Delimiter::Floor))
            }
            Some(Token::Open(Delimiter::Ceil)) => {
                self.function_brackets(Function::Ceil, &Token::Close(Delimiter::Ceil))
            }
            Some(Token::Open(Delimiter::Bar) | Token::Bar) => {
                self.function_brackets(Function::Abs, &Token::Close(Delimiter::Bar))
            }
            Some(Token::Open(Delimiter::Norm)) => {
                self.function_brackets(Function::Abs, &Token::Close(Delimiter::Norm))
            }
            Some(Token::Norm) => self.nested(Context::Norm, |parser| {
                let inner = parser.member()?;
                parser.expect(&Token::Norm)?;
                Ok(Expr::call(Function::Abs, inner))
            }),
            // `\left.`
            Some(Token::Open(Delimiter::None)) => self.operand(),
            _ => Err(Fail::Grammar),
        }
    }

    /// `\left|` may close with a plain bar.
    fn close_bar(&mut self) -> Parsed<()> {
        if self.eat(&Token::Bar) { Ok(()) } else { self.expect(&Token::Close(Delimiter::Bar)) }
    }

    fn function_brackets(&mut self, function: Function, close: &Token<'a>) -> Parsed<Expr> {
        let context =
            if *close == Token::Close(Delimiter::Bar) { Context::Bar } else { Context::Other };
        self.nested(context, |parser| {
            let inner = parser.member()?;
            if *close == Token::Close(Delimiter::Bar) {
                parser.close_bar()?;
            } else {
                parser.expect(close)?;
            }
            Ok(Expr::call(function, inner))
        })
    }

    /// `(..)`, `[..)`, `\langle..\rangle`: one item is grouping, several are a tuple.
    fn tuple(&mut self, open: Bracket) -> Parsed<Expr> {
        self.nested(Context::Tuple, |parser| {
            let mut items = parser.bracketed()?;
            let close = parser.closing(open)?;
            if items.len() == 1 {
                return Ok(items.swap_remove(0));
            }
            Ok(Expr::Tuple(items, open, close))
        })
    }

    /// The closing bracket. A missing one at the end of the text is repaired.
    fn closing(&mut self, open: Bracket) -> Parsed<Bracket> {
        self.skip_gaps();
        let close = match self.peek() {
            Some(Token::Close(Delimiter::Round)) => Bracket::Round,
            Some(Token::Close(Delimiter::Angle)) => Bracket::Angle,
            Some(Token::BracketRight) => Bracket::Square,
            Some(Token::BracketLeft) => Bracket::Outward,
            Some(Token::Close(Delimiter::None)) | None => {
                self.at += usize::from(self.peek().is_some());
                return Ok(open);
            }
            _ => return Err(Fail::Grammar),
        };
        self.at += 1;
        // A pair that does not match is a half-open interval, unless an angle is in it.
        if (open == Bracket::Angle) == (close == Bracket::Angle) {
            Ok(close)
        } else {
            Err(Fail::Grammar)
        }
    }

    /// TeX braces group; several items in them are a list: `{1,3}`.
    fn braces(&mut self) -> Parsed<Expr> {
        self.nested(Context::Other, |parser| {
            parser.skip_gaps();
            if matches!(parser.peek(), Some(Token::Close(Delimiter::Brace))) {
                parser.at += 1;
                return parser.operand_after_empty_braces();
            }
            let first = parser.items()?;
            let expr = if parser.eat(&Token::Command(crate::lex::Command::Choose)) {
                let second = parser.items()?;
                Expr::Call(Function::Binomial, vec![first, second])
            } else if parser.eat(&Token::Command(crate::lex::Command::Over)) {
                first.quotient(parser.items()?)
            } else {
                first
            };
            parser.skip_gaps();
            if !parser.eat(&Token::Close(Delimiter::Brace)) && parser.peek().is_some() {
                return Err(Fail::Grammar);
            }
            Ok(expr)
        })
    }

    /// `\{..\}`: listed, or built by a condition after `|` or `:`.
    fn set(&mut self) -> Parsed<Expr> {
        self.nested(Context::Curly, |parser| {
            parser.skip_gaps();
            if parser.eat(&Token::Close(Delimiter::Curly)) {
                return Ok(Expr::NamedSet(NamedSet::Empty));
            }
            let mut items = parser.bracketed()?;
            parser.skip_gaps();
            if parser.eat(&Token::Bar) || parser.eat(&Token::Colon) {
                let conditions = parser.bracketed()?;
                parser.end_of_set()?;
                let element = if items.len() == 1 {
                    items.swap_remove(0)
                } else {
                    Expr::List(items, Joint::Comma)
                };
                return Ok(Expr::Builder(Box::new(element), conditions));
            }
            let system = parser.peek() == Some(&Token::Close(Delimiter::None));
            parser.end_of_set()?;
            // `\left\{ \begin{array} .. \right.` is a system, not a set.
            if system && items.len() == 1 {
                return Ok(items.swap_remove(0));
            }
            Ok(Expr::Set(items))
        })
    }

    fn end_of_set(&mut self) -> Parsed<()> {
        self.skip_gaps();
        if self.peek().is_none() {
            return Ok(());
        }
        if self.eat(&Token::Close(Delimiter::Curly))
            || self.eat(&Token::Close(Delimiter::Brace))
            || self.eat(&Token::Close(Delimiter::None))
        {
            return Ok(());
        }
        Err(Fail::Grammar)
    }

    /// `\begin{..} .. \end{..}`; the opening is behind the position.
    pub(super) fn environment(&mut self, name: &'a str) -> Parsed<Expr> {
        let rows = self.nested(Context::Other, |parser| parser.rows(name))?;
        match name.trim_end_matches('*') {
            "cases" | "dcases" | "rcases" => cases(rows),
            "vmatrix" | "Vmatrix" => Ok(Expr::call(Function::Det, matrix(rows)?)),
            "array" if rows.iter().flatten().flatten().all(is_statement) => cases(rows),
            "matrix" | "pmatrix" | "bmatrix" | "Bmatrix" | "smallmatrix" | "psmallmatrix"
            | "bsmallmatrix" | "array" => matrix(rows),
            "align" | "aligned" | "equation" | "gather" | "gathered" | "split" | "eqnarray"
            | "alignat" | "multline" => lines(rows),
            _ => Err(Fail::Grammar),
        }
    }

    /// Rows of cells up to the end of the environment.
    fn rows(&mut self, name: &str) -> Parsed<Vec<Vec<Option<Expr>>>> {
        let mut rows = Vec::new();
        let mut row = Vec::new();
        loop {
            self.skip_gaps();
            match self.peek() {
                Some(Token::Ampersand) => {
                    self.at += 1;
                    row.push(None);
                }
                Some(Token::Break) => {
                    self.at += 1;
                    rows.push(std::mem::take(&mut row));
                }
                Some(Token::End(end)) if *end == name => {
                    self.at += 1;
                    break;
                }
                None => break,
                _ => {
                    // `x & = 5`: the member before an ampersand and the relation after it.
                    let cell = self.cell()?;
                    row.push(Some(cell));
                    self.skip_gaps();
                    if self.peek() == Some(&Token::Ampersand) {
                        self.at += 1;
                        if matches!(
                            self.peek(),
                            Some(Token::Break | Token::End(_) | Token::Ampersand)
                        ) {
                            row.push(None);
                        }
                    }
                }
            }
        }
        if !row.is_empty() {
            rows.push(row);
        }
        while rows.last().is_some_and(|row| row.iter().all(Option::is_none)) {
            rows.pop();
        }
        Ok(rows)
    }

    /// One cell. In cases its words announce the condition: `\text{if } x > 0`, `\text{otherwise}`.
    fn cell(&mut self) -> Parsed<Expr> {
        while let Some(Token::Word(word, _)) = self.peek() {
            let word = word.trim().trim_start_matches(',').trim().to_ascii_lowercase();
            match word.as_str() {
                "if" | "for" | "when" | "where" | "as" | "with" => self.at += 1,
                "otherwise" | "else" | "elsewhere" => {
                    self.at += 1;
                    return Ok(Expr::Text("otherwise".into()));
                }
                _ => break,
            }
        }
        let mut items = vec![self.cell_statement()?];
        while self.eat(&Token::Comma) || self.eat(&Token::Semicolon) || self.eat(&Token::Stop) {
            self.skip_gaps();
            if matches!(
                self.peek(),
                None | Some(Token::Break | Token::Ampersand | Token::End(_) | Token::Word(..))
            ) {
                break;
            }
            items.push(self.cell_statement()?);
        }
        Ok(if items.len() == 1 { items.swap_remove(0) } else { Expr::List(items, Joint::Comma) })
    }

    /// A statement in which an ampersand may stand before the relation: `x &= 5`.
    fn cell_statement(&mut self) -> Parsed<Expr> {
        if self.peek() == Some(&Token::Minus)
            && matches!(self.peek_at(1), Some(Token::Ampersand | Token::Break))
        {
            return Err(Fail::Grammar);
        }
        self.align_relation();
        self.statement()
    }

    /// Removes alignment marks before relations in the line that begins here.
    fn align_relation(&mut self) {
        let mut at = self.at;
        while let Some(token) = self.tokens.get(at) {
            match token {
                Token::Break | Token::End(_) | Token::Begin(_) => return,
                Token::Ampersand if matches!(self.tokens.get(at + 1), Some(Token::Rel(_))) => {
                    self.tokens.remove(at);
                    return;
                }
                _ => at += 1,
            }
        }
    }
}

const fn is_statement(expr: &Expr) -> bool {
    matches!(expr, Expr::Relation(..))
}

fn matrix(rows: Vec<Vec<Option<Expr>>>) -> Parsed<Expr> {
    let width = rows.first().map_or(0, Vec::len);
    let mut full = Vec::with_capacity(rows.len());
    for row in rows {
        let cells: Option<Vec<Expr>> = row.into_iter().collect();
        full.push(cells.filter(|cells| cells.len() == width).ok_or(Fail::Grammar)?);
    }
    if width == 0 { Err(Fail::Grammar) } else { Ok(Expr::Matrix(full)) }
}

/// Values with conditions, or a system of equations.
fn cases(rows: Vec<Vec<Option<Expr>>>) -> Parsed<Expr> {
    let mut branches = Vec::new();
    let mut system = Vec::new();
    for row in rows {
        let mut cells = row.into_iter().flatten();
        match (cells.next(), cells.next()) {
            (Some(value), Some(condition)) => {
                let otherwise = matches!(&condition, Expr::Text(word) if word == "otherwise");
                branches.push((value, (!otherwise).then_some(condition)));
            }
            // `x, x > 0`: the condition after a comma.
            (Some(Expr::List(mut items, Joint::Comma)), None)
                if items.len() == 2
                    && matches!(items[1], Expr::Relation(..))
                    && !matches!(items[0], Expr::Relation(..)) =>
            {
                let condition = items.pop();
                if let Some(value) = items.pop() {
                    branches.push((value, condition));
                }
            }
            (Some(statement), None) => system.push(statement),
            (None, _) => {}
        }
    }
    match (branches.is_empty(), system.is_empty()) {
        (false, true) => Ok(Expr::Cases(branches)),
        (true, false) => Ok(Expr::List(system, Joint::Comma)),
        // A last value without a condition is "otherwise".
        (false, false) if system.len() == 1 => {
            branches.extend(system.into_iter().map(|value| (value, None)));
            Ok(Expr::Cases(branches))
        }
        _ => Err(Fail::Grammar),
    }
}

/// Aligned lines: a derivation, whose last line counts, or several statements.
fn lines(rows: Vec<Vec<Option<Expr>>>) -> Parsed<Expr> {
    let mut statements: Vec<Expr> = rows.into_iter().flatten().flatten().collect();
    match statements.len() {
        0 => Err(Fail::Grammar),
        1 => Ok(statements.swap_remove(0)),
        _ => Ok(Expr::List(statements, Joint::Comma)),
    }
}
