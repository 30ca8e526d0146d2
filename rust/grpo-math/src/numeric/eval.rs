//! Evaluation of a tree at a point.

use std::cmp::Ordering;

use dashu_int::IBig;
use dashu_int::ops::{Abs, Gcd};
use dashu_ratio::RBig;

use super::ball::Ball;
use super::value::{Arithmetic, Fail, Result, Value};
use crate::expr::{Big, Constant, Expr, Function, Symbol};

/// The most terms of a sum or a product that are added up.
const MAX_TERMS: i64 = 400;

/// Factorials up to this one are multiplied out, the others approximated.
const MAX_FACTORIAL: u64 = 2000;

/// What the variables stand for; the last binding of a name holds.
pub(super) type Point = Vec<(Symbol, Value)>;

pub(super) struct Evaluator<'a> {
    pub(super) arithmetic: Arithmetic<'a>,
    pub(super) point: Point,
}

impl<'a> Evaluator<'a> {
    pub(super) fn eval(&mut self, expr: &Expr) -> Result<Value> {
        self.arithmetic.budget.spend(1)?;
        match expr {
            Expr::Number(number) => {
                let bits = dashu_int::ops::BitTest::bit_len(number.value.numerator())
                    + dashu_int::ops::BitTest::bit_len(number.value.denominator());
                self.arithmetic.budget.spend((bits / 512) as u64)?;
                Ok(self.arithmetic.exact(number.value.clone()))
            }
            Expr::Constant(constant) => self.constant(*constant),
            Expr::Symbol(name) => {
                let binding = self.point.iter().rev().find(|(bound, _)| bound == name);
                binding.map(|(_, value)| value.clone()).ok_or(Fail::Unsupported)
            }
            Expr::Add(terms) => self.fold(terms, 0, Arithmetic::add),
            Expr::Mul(factors) => self.fold(factors, 1, Arithmetic::mul),
            Expr::Pow(pair) => self.power(&pair.0, &pair.1),
            Expr::Call(function, arguments) => self.call(function, arguments),
            Expr::Big(big) => match &**big {
                Big::Sum(body, name, first, last) => {
                    self.series(body, name, first, last, 0, Arithmetic::add)
                }
                Big::Product(body, name, first, last) => {
                    self.series(body, name, first, last, 1, Arithmetic::mul)
                }
                _ => Err(Fail::Unsupported),
            },
            _ => Err(Fail::Unsupported),
        }
    }

    fn constant(&mut self, constant: Constant) -> Result<Value> {
        match constant {
            Constant::Pi => self.arithmetic.pi(),
            Constant::E => self.arithmetic.exp(&Value::integer(1)),
            Constant::I => Ok(Value::Complex(Ball::ZERO, Ball::ONE)),
            Constant::Degree => {
                let pi = self.arithmetic.pi()?;
                self.arithmetic.div(&pi, &Value::integer(180))
            }
            Constant::Infinity => Err(Fail::Unsupported),
        }
    }

    fn fold(
        &mut self,
        operands: &[Expr],
        start: i64,
        join: fn(&mut Arithmetic<'a>, &Value, &Value) -> Result<Value>,
    ) -> Result<Value> {
        let mut result = Value::integer(start);
        for operand in operands {
            let value = self.eval(operand)?;
            result = join(&mut self.arithmetic, &result, &value)?;
        }
        Ok(result)
    }

    fn power(&mut self, base: &Expr, exponent: &Expr) -> Result<Value> {
        let exponent = self.eval(exponent)?;
        if *base == Expr::Constant(Constant::E) {
            return self.arithmetic.exp(&exponent);
        }
        let base = self.eval(base)?;
        self.arithmetic.pow(&base, &exponent)
    }

    fn series(
        &mut self,
        body: &Expr,
        name: &Symbol,
        first: &Expr,
        last: &Expr,
        start: i64,
        join: fn(&mut Arithmetic<'a>, &Value, &Value) -> Result<Value>,
    ) -> Result<Value> {
        let (first, last) = (self.eval(first)?, self.eval(last)?);
        let first = small(&first)?;
        let last = small(&last)?;
        if last - first >= MAX_TERMS {
            return Err(Fail::Unsupported);
        }
        let mut result = Value::integer(start);
        for index in first..=last {
            self.point.push((name.clone(), Value::integer(index)));
            let term = self.eval(body);
            self.point.pop();
            result = join(&mut self.arithmetic, &result, &term?)?;
        }
        Ok(result)
    }

    fn call(&mut self, function: &Function, arguments: &[Expr]) -> Result<Value> {
        if matches!(function, Function::Named(_) | Function::Det | Function::Transpose) {
            return Err(Fail::Unsupported);
        }
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.eval(argument)?);
        }
        match (function, values.as_slice()) {
            (Function::Gcd | Function::Lcm, values) => self.divisor(function, values),
            (Function::Max | Function::Min, [first, rest @ ..]) => {
                let mut result = first.clone();
                for value in rest {
                    result = self.extreme(&result, value, *function == Function::Max)?;
                }
                Ok(result)
            }
            (_, [x]) => self.unary(function, x),
            (_, [x, y]) => self.binary(function, x, y),
            _ => Err(Fail::Unsupported),
        }
    }

    fn binary(&mut self, function: &Function, x: &Value, y: &Value) -> Result<Value> {
        let math = &mut self.arithmetic;
        match function {
            Function::Root => {
                let exponent = math.inverse(y)?;
                math.pow(x, &exponent)
            }
            Function::Log => {
                let (x, y) = (math.ln(x)?, math.ln(y)?);
                math.div(&x, &y)
            }
            Function::Mod => {
                let ratio = math.div(x, y)?;
                let floor = self.floor(&ratio)?;
                let whole = self.arithmetic.mul(&floor, y)?;
                self.arithmetic.sub(x, &whole)
            }
            Function::Binomial => self.binomial(x, y),
            Function::Permutations => {
                let remaining = math.sub(x, y)?;
                let (x, remaining) = (self.factorial(x)?, self.factorial(&remaining)?);
                self.arithmetic.div(&x, &remaining)
            }
            _ => Err(Fail::Unsupported),
        }
    }

    fn unary(&mut self, function: &Function, x: &Value) -> Result<Value> {
        let math = &mut self.arithmetic;
        match function {
            Function::Ln => math.ln(x),
            Function::Exp => math.exp(x),
            Function::Sin => Ok(math.sin_cos(x)?.0),
            Function::Cos => Ok(math.sin_cos(x)?.1),
            Function::Tan | Function::Cot | Function::Sec | Function::Csc => {
                let (sine, cosine) = math.sin_cos(x)?;
                match function {
                    Function::Tan => math.div(&sine, &cosine),
                    Function::Cot => math.div(&cosine, &sine),
                    Function::Sec => math.inverse(&cosine),
                    _ => math.inverse(&sine),
                }
            }
            Function::Sinh => Ok(math.sinh_cosh(x)?.0),
            Function::Cosh => Ok(math.sinh_cosh(x)?.1),
            Function::Tanh | Function::Coth => {
                let (sinh, cosh) = math.sinh_cosh(x)?;
                if *function == Function::Tanh {
                    math.div(&sinh, &cosh)
                } else {
                    math.div(&cosh, &sinh)
                }
            }
            Function::Abs => math.abs(x),
            Function::Arg => math.arg(x),
            Function::Re => Ok(match x {
                Value::Complex(re, _) => Value::Real(re.clone()),
                real => real.clone(),
            }),
            Function::Im => Ok(match x {
                Value::Complex(_, im) => Value::Real(im.clone()),
                _ => Value::integer(0),
            }),
            Function::Conj => Ok(match x {
                Value::Complex(re, im) => Value::Complex(re.clone(), im.neg()),
                real => real.clone(),
            }),
            Function::Sign => Ok(Value::integer(x.sign()? as i64)),
            Function::Floor => self.floor(x),
            Function::Ceil => Ok(self.floor(&x.clone().neg())?.neg()),
            Function::Frac => {
                let floor = self.floor(x)?;
                self.arithmetic.sub(x, &floor)
            }
            Function::Factorial => self.factorial(x),
            Function::DoubleFactorial => self.double_factorial(x),
            _ => self.inverse_function(function, x),
        }
    }

    fn inverse_function(&mut self, function: &Function, x: &Value) -> Result<Value> {
        let math = &mut self.arithmetic;
        match function {
            Function::Asin => self.asin(x),
            Function::Acos => self.acos(x),
            Function::Atan => math.atan(x),
            // For negative numbers there are two conventions.
            Function::Acot if x.sign()?.is_gt() => {
                let inverse = math.inverse(x)?;
                math.atan(&inverse)
            }
            Function::Acot => Err(Fail::Undefined),
            Function::Asec => {
                let inverse = math.inverse(x)?;
                self.acos(&inverse)
            }
            Function::Acsc => {
                let inverse = math.inverse(x)?;
                self.asin(&inverse)
            }
            Function::Asinh => {
                if x.sign().is_ok_and(Ordering::is_lt) {
                    return Ok(self.inverse_function(function, &x.clone().neg())?.neg());
                }
                self.area(x, 1)
            }
            Function::Acosh => {
                let above = math.sub(x, &Value::integer(1))?;
                if above.sign()?.is_lt() {
                    return Err(Fail::Undefined);
                }
                self.area(x, -1)
            }
            Function::Atanh => {
                let one = Value::integer(1);
                let (over, under) = (math.add(&one, x)?, math.sub(&one, x)?);
                if !over.sign()?.is_gt() || !under.sign()?.is_gt() {
                    return Err(Fail::Undefined);
                }
                let ratio = math.div(&over, &under)?;
                let log = math.ln(&ratio)?;
                math.div(&log, &Value::integer(2))
            }
            _ => Err(Fail::Unsupported),
        }
    }

    /// ln(x + √(x² + c))
    fn area(&mut self, x: &Value, c: i64) -> Result<Value> {
        let math = &mut self.arithmetic;
        let square = math.mul(x, x)?;
        let radicand = math.add(&square, &Value::integer(c))?;
        let root = math.sqrt(&radicand)?;
        let sum = math.add(x, &root)?;
        math.ln(&sum)
    }

    fn asin(&mut self, x: &Value) -> Result<Value> {
        let math = &mut self.arithmetic;
        let one = Value::integer(1);
        let (over, under) = (math.add(&one, x)?, math.sub(&one, x)?);
        match (over.sign()?, under.sign()?) {
            (Ordering::Greater, Ordering::Greater) => {
                let product = math.mul(&over, &under)?;
                let root = math.sqrt(&product)?;
                let tangent = math.div(x, &root)?;
                math.atan(&tangent)
            }
            (Ordering::Less, _) | (_, Ordering::Less) => Err(Fail::Undefined),
            (_, under) => {
                let pi = math.pi()?;
                math.div(&pi, &Value::integer(if under.is_eq() { 2 } else { -2 }))
            }
        }
    }

    fn acos(&mut self, x: &Value) -> Result<Value> {
        let angle = self.asin(x)?;
        let pi = self.arithmetic.pi()?;
        let quarter = self.arithmetic.div(&pi, &Value::integer(2))?;
        self.arithmetic.sub(&quarter, &angle)
    }

    fn floor(&mut self, x: &Value) -> Result<Value> {
        self.arithmetic.pay(2)?;
        match x {
            Value::Exact(value) => Ok(Value::Exact(value.floor().into())),
            Value::Real(ball) => {
                let floor = ball.floor().ok_or(Fail::Unclear)?;
                Ok(self.arithmetic.exact(floor.into()))
            }
            Value::Complex(..) if x.is_non_real() => Err(Fail::Undefined),
            _ => Err(Fail::Unclear),
        }
    }

    /// The larger or the smaller one, also where the enclosures overlap.
    fn extreme(&mut self, a: &Value, b: &Value, largest: bool) -> Result<Value> {
        let math = &mut self.arithmetic;
        let difference = math.sub(a, b)?;
        match difference.sign() {
            Ok(sign) => Ok(if sign.is_gt() == largest { a } else { b }.clone()),
            Err(Fail::Unclear) => {
                let magnitude = math.abs(&difference)?;
                let magnitude = if largest { magnitude } else { magnitude.neg() };
                let sum = math.add(a, b)?;
                let double = math.add(&sum, &magnitude)?;
                math.div(&double, &Value::integer(2))
            }
            Err(fail) => Err(fail),
        }
    }

    fn divisor(&mut self, function: &Function, values: &[Value]) -> Result<Value> {
        self.arithmetic.pay(16 * values.len() as u64)?;
        let mut result: Option<IBig> = None;
        for value in values {
            let next = integer(value)?.clone().abs();
            let joined = match result {
                None => next,
                Some(previous) if previous.is_zero() || next.is_zero() => {
                    if *function == Function::Gcd { previous + next } else { IBig::ZERO }
                }
                Some(previous) => {
                    let gcd = IBig::from((&previous).gcd(&next));
                    if *function == Function::Gcd { gcd } else { previous / gcd * next }
                }
            };
            result = Some(joined);
        }
        let result = result.ok_or(Fail::Unsupported)?;
        Ok(self.arithmetic.exact(result.into()))
    }

    fn factorial(&mut self, x: &Value) -> Result<Value> {
        let n = integer(x)?;
        if n < &IBig::ZERO {
            return Err(Fail::Undefined);
        }
        match u64::try_from(n) {
            Ok(n) if n <= MAX_FACTORIAL => self.product((1..=n).map(IBig::from)),
            _ => self.stirling(x),
        }
    }

    fn double_factorial(&mut self, x: &Value) -> Result<Value> {
        let n = integer(x)?;
        match u64::try_from(n) {
            Ok(n) if n <= MAX_FACTORIAL => self.product((1..=n).rev().step_by(2).map(IBig::from)),
            Ok(_) => Err(Fail::Unsupported),
            Err(_) => Err(Fail::Undefined),
        }
    }

    /// The product, a few words at a time.
    fn product(&mut self, factors: impl Iterator<Item = IBig>) -> Result<Value> {
        let mut result = Value::integer(1);
        let mut chunk = IBig::ONE;
        for factor in factors {
            self.arithmetic.budget.spend(1)?;
            chunk *= factor;
            if dashu_int::ops::BitTest::bit_len(&chunk) > 100 {
                let value = self.arithmetic.exact(chunk.into());
                result = self.arithmetic.mul(&result, &value)?;
                chunk = IBig::ONE;
            }
        }
        let value = self.arithmetic.exact(chunk.into());
        self.arithmetic.mul(&result, &value)
    }

    /// n! for large n: e to the n ln n - n + ln(2πn)/2 + 1/(12n) - .., whose error is below the
    /// first term left out.
    fn stirling(&mut self, n: &Value) -> Result<Value> {
        const TERMS: [(i64, i64); 8] = [
            (1, 12),
            (-1, 360),
            (1, 1260),
            (-1, 1680),
            (1, 1188),
            (-691, 360_360),
            (1, 156),
            (-3617, 122_400),
        ];
        let math = &mut self.arithmetic;
        let log = math.ln(n)?;
        let less = math.sub(&log, &Value::integer(1))?;
        let mut sum = math.mul(n, &less)?;
        let pi = math.pi()?;
        let circle = math.mul(&pi, n)?;
        let circle = math.add(&circle, &circle)?;
        let root = math.ln(&circle)?;
        let root = math.div(&root, &Value::integer(2))?;
        sum = math.add(&sum, &root)?;
        let inverse = math.inverse(n)?;
        let inverse = Value::Real(math.ball(&inverse)?);
        let square = math.mul(&inverse, &inverse)?;
        let mut power = inverse;
        for (numerator, denominator) in TERMS {
            let factor = RBig::from_parts(numerator.into(), denominator.unsigned_abs().into());
            let term = math.mul(&power, &Value::Exact(factor))?;
            sum = math.add(&sum, &term)?;
            power = math.mul(&power, &square)?;
        }
        // The ninth coefficient is 43867/244188, below one.
        let error = math.ball(&power)?.upper();
        let sum = math.ball(&sum)?.widened(error);
        math.exp(&Value::Real(sum))
    }

    fn binomial(&mut self, n: &Value, k: &Value) -> Result<Value> {
        let count = integer(k)?.clone();
        if count < IBig::ZERO {
            return Ok(Value::integer(0));
        }
        if let Some(top) = n.as_integer()
            && top >= &IBig::ZERO
        {
            if &count > top {
                return Ok(Value::integer(0));
            }
            let other = top - &count;
            return match u64::try_from(other.clone().min(count)) {
                Ok(small) if small <= MAX_FACTORIAL / 4 => self.falling_over_factorial(n, small),
                _ => {
                    let rest = self.arithmetic.exact(other.into());
                    let (whole, part, rest) =
                        (self.factorial(n)?, self.factorial(k)?, self.factorial(&rest)?);
                    let quotient = self.arithmetic.div(&whole, &part)?;
                    self.arithmetic.div(&quotient, &rest)
                }
            };
        }
        match u64::try_from(count) {
            Ok(count) if count <= MAX_FACTORIAL / 4 => self.falling_over_factorial(n, count),
            _ => Err(Fail::Unsupported),
        }
    }

    /// n (n-1) .. (n-k+1) / k!
    fn falling_over_factorial(&mut self, n: &Value, k: u64) -> Result<Value> {
        let mut result = Value::integer(1);
        let mut factor = n.clone();
        for index in 1..=k {
            result = self.arithmetic.mul(&result, &factor)?;
            result = self.arithmetic.div(&result, &Value::Exact(index.into()))?;
            factor = self.arithmetic.sub(&factor, &Value::integer(1))?;
        }
        Ok(result)
    }
}

/// The integer that an argument must be.
fn integer(value: &Value) -> Result<&IBig> {
    match value {
        Value::Exact(_) => value.as_integer().ok_or(Fail::Undefined),
        // Whether an enclosure holds an integer can only be refuted.
        Value::Real(ball) => Err(match ball.floor() {
            Some(floor) if ball.sub(&Ball::from_ibig(&floor, 4096), 4096).lower().is_some() => {
                Fail::Undefined
            }
            _ => Fail::Unclear,
        }),
        Value::Complex(..) if value.is_non_real() => Err(Fail::Undefined),
        _ => Err(Fail::Unclear),
    }
}

fn small(value: &Value) -> Result<i64> {
    let value = integer(value)?;
    let bound = i64::try_from(value).map_err(|_| Fail::Unsupported)?;
    if bound.unsigned_abs() > 1 << 60 { Err(Fail::Unsupported) } else { Ok(bound) }
}
