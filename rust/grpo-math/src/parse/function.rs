//! Functions with their arguments, fractions, roots, logarithms.

use dashu_ratio::RBig;

use super::{Context, Fail, Parsed, Parser};
use crate::expr::{Big, Constant, Expr, Function, Symbol};
use crate::lex::{Command, Delimiter, Token};

impl Parser<'_> {
    /// The arguments in round brackets.
    pub(super) fn arguments(&mut self) -> Parsed<Vec<Expr>> {
        self.expect(&Token::Open(Delimiter::Round))?;
        self.nested(Context::Other, |parser| {
            let items = parser.bracketed()?;
            parser.skip_gaps();
            if parser.peek().is_some() {
                parser.expect(&Token::Close(Delimiter::Round))?;
            }
            Ok(items)
        })
    }

    /// A function and its argument: in brackets, or the factors that follow.
    pub(super) fn application(&mut self, function: Function) -> Parsed<Expr> {
        let mut function = function;
        let mut power = None;
        if self.eat(&Token::Caret) {
            let exponent = self.script()?;
            match (inverse(&function), &exponent) {
                (Some(inverse), Expr::Number(number)) if number.value == RBig::from(-1) => {
                    function = inverse;
                }
                _ => power = Some(exponent),
            }
        } else if let Some(Token::Superscript(exponent)) = self.peek() {
            power = Some(Expr::integer(*exponent));
            self.at += 1;
        }
        if matches!(function, Function::Max | Function::Min) && self.eat(&Token::Underscore) {
            return Err(Fail::Grammar);
        }
        let arguments = self.function_arguments()?;
        let call = Expr::Call(function, arguments);
        Ok(match power {
            Some(power) => call.pow(power),
            None => call,
        })
    }

    pub(super) fn function_arguments(&mut self) -> Parsed<Vec<Expr>> {
        self.skip_gaps();
        match self.peek() {
            Some(Token::Open(Delimiter::Round)) => self.arguments(),
            Some(Token::BracketLeft) => {
                self.at += 1;
                self.nested(Context::Other, |parser| {
                    let items = parser.bracketed()?;
                    parser.expect(&Token::BracketRight)?;
                    Ok(items)
                })
            }
            Some(Token::Open(delimiter @ (Delimiter::Brace | Delimiter::Curly))) => {
                let close = Token::Close(*delimiter);
                self.at += 1;
                self.nested(Context::Other, |parser| {
                    let items = parser.bracketed()?;
                    parser.expect(&close)?;
                    Ok(items)
                })
            }
            _ => Ok(vec![self.nested(Context::Other, Self::implicit_argument)?]),
        }
    }

    /// `\sin 2x`, `\ln xy`, `\arctan \frac12`: factors up to a sign or another function.
    pub(super) fn implicit_argument(&mut self) -> Parsed<Expr> {
        if self.eat(&Token::Minus) {
            return Ok(self.nested(Context::Other, Self::implicit_argument)?.negate());
        }
        let mut factors = vec![self.power()?];
        loop {
            match self.peek() {
                Some(
                    Token::Function(_)
                    | Token::Command(Command::Log | Command::Lim | Command::Sum | Command::Int)
                    | Token::Open(_)
                    | Token::BracketLeft,
                ) => break,
                // `\cos \pi/3`: a quotient of constants.
                Some(Token::Slash)
                    if factors.iter().all(is_constant)
                        && matches!(self.peek_at(1), Some(Token::Number(_))) =>
                {
                    self.at += 1;
                    factors.push(self.power()?.recip());
                }
                Some(Token::Letter('d')) if !self.integrals.is_empty() => break,
                _ if self.starts_factor() => factors.push(self.power()?),
                _ => break,
            }
        }
        Ok(Expr::product(factors))
    }

    pub(super) fn fraction(&mut self) -> Parsed<Expr> {
        let top = self.argument()?;
        let bottom = self.argument()?;
        if let Some((variable, order)) = derivative_operator(&top, &bottom) {
            let body = self.nested(Context::Other, Self::product)?;
            return Ok(Expr::Big(Box::new(Big::Derivative(body, variable, order))));
        }
        // `\frac{dy}{dx}` is a name.
        if let (Some(above), Some(below)) = (differential_name(&top), differential_name(&bottom)) {
            return Ok(Expr::symbol(&format!("d{above}/d{below}")));
        }
        Ok(top.quotient(bottom))
    }

    pub(super) fn root(&mut self) -> Parsed<Expr> {
        let mut degree = Expr::integer(2);
        if self.eat(&Token::BracketLeft) {
            degree = self.nested(Context::Other, Self::sum)?;
            self.expect(&Token::BracketRight)?;
        }
        self.skip_gaps();
        let radicand = match self.peek() {
            // `\sqrt12` is √12 to whoever writes it.
            Some(Token::Number(number)) => {
                let number = number.clone();
                self.at += 1;
                Expr::Number(number)
            }
            Some(Token::Open(Delimiter::Round)) => {
                self.at += 1;
                self.nested(Context::Other, |parser| {
                    let inner = parser.sum()?;
                    parser.skip_gaps();
                    if parser.eat(&Token::Comma) {
                        degree = parser.sum()?;
                    }
                    if parser.peek().is_some() {
                        parser.expect(&Token::Close(Delimiter::Round))?;
                    }
                    Ok(inner)
                })?
            }
            _ => self.argument()?,
        };
        Ok(Expr::Call(Function::Root, vec![radicand, degree]))
    }

    pub(super) fn logarithm(&mut self) -> Parsed<Expr> {
        let mut base = None;
        let mut power = None;
        loop {
            if self.eat(&Token::Underscore) {
                base = Some(match self.peek() {
                    Some(Token::Number(_)) => self.argument_number()?,
                    _ => self.script()?,
                });
            } else if let Some(Token::Subscript(digits)) = self.peek() {
                base = Some(Expr::integer(i64::from(*digits)));
                self.at += 1;
            } else if self.eat(&Token::Caret) {
                power = Some(self.script()?);
            } else {
                break;
            }
        }
        let argument = self.function_arguments()?;
        let [argument] = <[Expr; 1]>::try_from(argument).map_err(|_| Fail::Grammar)?;
        let call = match base {
            Some(base) => Expr::Call(Function::Log, vec![argument, base]),
            None => Expr::call(Function::Log, argument),
        };
        Ok(match power {
            Some(power) => call.pow(power),
            None => call,
        })
    }

    /// `\log_28`: TeX takes the 2, and so does a reader. `\log_{10}` has braces.
    pub(super) fn argument_number(&mut self) -> Parsed<Expr> {
        let whole = matches!(
            self.peek_at(1),
            Some(
                Token::Open(_)
                    | Token::Letter(_)
                    | Token::Number(_)
                    | Token::Command(_)
                    | Token::Constant(_)
            )
        );
        if whole {
            return match self.next() {
                Some(Token::Number(number)) => Ok(Expr::Number(number)),
                _ => Err(Fail::Grammar),
            };
        }
        self.argument_digit().ok_or(Fail::Grammar)
    }
}

/// The function that `\sin^{-1}` names.
pub(super) fn inverse(function: &Function) -> Option<Function> {
    Some(match function {
        Function::Sin => Function::Asin,
        Function::Cos => Function::Acos,
        Function::Tan => Function::Atan,
        Function::Cot => Function::Acot,
        Function::Sec => Function::Asec,
        Function::Csc => Function::Acsc,
        Function::Sinh => Function::Asinh,
        Function::Cosh => Function::Acosh,
        Function::Tanh => Function::Atanh,
        _ => return None,
    })
}

/// Whether a factor of an implicit argument is a constant, so that a slash stays inside.
pub(super) fn is_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Number(_) | Expr::Constant(Constant::Pi | Constant::E))
}

/// `\frac{d}{dx}`, `\frac{d^2}{dx^2}`.
pub(super) fn derivative_operator(top: &Expr, bottom: &Expr) -> Option<(Symbol, u32)> {
    let is_d = |expr: &Expr| matches!(expr, Expr::Symbol(name) if &**name == "d");
    let order = match top {
        top if is_d(top) => 1,
        Expr::Pow(pair) if is_d(&pair.0) => match &pair.1 {
            Expr::Number(number) => u32::try_from(number.value.numerator()).ok()?,
            _ => return None,
        },
        _ => return None,
    };
    let Expr::Mul(factors) = bottom else { return None };
    let [first, second] = &factors[..] else { return None };
    if !is_d(first) {
        return None;
    }
    match second {
        Expr::Symbol(name) => Some((name.clone(), order)),
        Expr::Pow(pair) => match &pair.0 {
            Expr::Symbol(name) => Some((name.clone(), order)),
            _ => None,
        },
        _ => None,
    }
}

/// The y of `dy`.
pub(super) fn differential_name(expr: &Expr) -> Option<&Symbol> {
    match expr {
        Expr::Mul(factors) => match &factors[..] {
            [Expr::Symbol(d), Expr::Symbol(name)] if &**d == "d" => Some(name),
            _ => None,
        },
        _ => None,
    }
}
