//! From the tree to a canonical sum.

use dashu_int::{IBig, UBig, ops::Abs as _, ops::Gcd as _};
use dashu_ratio::RBig;

use super::field::{Field, Kernel, Poly, Step, Stop};
use super::monomial::{Class, Exponent};
use super::power::Branch;
use crate::expr::{Constant, Expr, Function};

/// The largest factorial that is computed.
const MAX_FACTORIAL: i64 = 1_000;
/// How many factors relate two symbolic factorials.
const MAX_SHIFT: i64 = 64;

impl Field<'_> {
    pub(super) fn build(&mut self, expr: &Expr) -> Step<Poly> {
        self.spend(1)?;
        match expr {
            Expr::Number(number) => Ok(Poly::constant(number.value.clone())),
            Expr::Constant(constant) => self.constant(*constant),
            Expr::Symbol(name) => self.atom(Kernel::Symbol(name.clone())),
            Expr::Add(terms) => {
                let mut sum = Poly::ZERO;
                for term in terms {
                    let term = self.build(term)?;
                    sum = self.add(sum, term)?;
                }
                Ok(sum)
            }
            Expr::Mul(factors) => self.product(factors),
            Expr::Pow(parts) => self.built_power(&parts.0, &parts.1),
            Expr::Call(function, arguments) => self.apply(function, arguments),
            Expr::Big(big) => self.atom(Kernel::Big(big.clone())),
            _ => Err(Stop::Unknown),
        }
    }

    fn constant(&mut self, constant: Constant) -> Step<Poly> {
        match constant {
            Constant::Pi => self.pi(),
            Constant::E => self.atom(Kernel::E),
            Constant::I => self.imaginary(),
            Constant::Degree => {
                let pi = self.pi()?;
                self.scale(pi, &RBig::from_parts(IBig::ONE, UBig::from(180u8)))
            }
            Constant::Infinity => Err(Stop::Unknown),
        }
    }

    /// All divisors are multiplied before the one division, so that `(x+1)/(x+1)` cancels.
    fn product(&mut self, factors: &[Expr]) -> Step<Poly> {
        let (mut product, mut divisor) = (Poly::integer(1), None);
        for factor in factors {
            if let Some(base) = reciprocal(factor) {
                let base = self.build(base)?;
                divisor = Some(match divisor {
                    Some(divisor) => self.multiply(&divisor, &base)?,
                    None => base,
                });
            } else {
                let factor = self.build(factor)?;
                product = self.multiply(&product, &factor)?;
            }
        }
        match divisor {
            Some(divisor) => self.quotient(&product, &divisor),
            None => Ok(product),
        }
    }

    fn built_power(&mut self, base: &Expr, exponent: &Expr) -> Step<Poly> {
        let exponent = self.build(exponent)?;
        if matches!(base, Expr::Constant(Constant::E)) {
            return self.exponential(&exponent);
        }
        let base = self.build(base)?;
        self.power(&base, &exponent, Branch::Power)
    }

    fn apply(&mut self, function: &Function, arguments: &[Expr]) -> Step<Poly> {
        let mut built = Vec::with_capacity(arguments.len());
        for argument in arguments {
            built.push(self.build(argument)?);
        }
        match built.as_slice() {
            [x] => self.apply_unary(function, x),
            [x, y] => self.apply_binary(function, x, y),
            _ => self.apply_any(function, &built),
        }
    }

    fn apply_unary(&mut self, function: &Function, x: &Poly) -> Step<Poly> {
        match function {
            Function::Ln => self.logarithm(x),
            Function::Exp => self.exponential(x),
            Function::Abs => self.absolute(x),
            Function::Sin
            | Function::Cos
            | Function::Tan
            | Function::Cot
            | Function::Sec
            | Function::Csc => {
                let i = self.imaginary()?;
                let angle = self.multiply(x, &i)?;
                self.circular(function, &angle, &i)
            }
            Function::Sinh => self.circular(&Function::Sin, x, &Poly::integer(1)),
            Function::Cosh => self.circular(&Function::Cos, x, &Poly::integer(1)),
            Function::Tanh => self.circular(&Function::Tan, x, &Poly::integer(1)),
            Function::Coth => self.circular(&Function::Cot, x, &Poly::integer(1)),
            Function::Asin => self.arc_sine(x),
            Function::Acos => self.arc_cosine(x),
            Function::Asec | Function::Acsc => {
                let inverse = self.quotient(&Poly::integer(1), x)?;
                if *function == Function::Asec {
                    self.arc_cosine(&inverse)
                } else {
                    self.arc_sine(&inverse)
                }
            }
            Function::Atan => self.arc_tangent(x),
            Function::Acot => match x.value() {
                // The two conventions agree on positive arguments only.
                Some(value) if value > RBig::ZERO => {
                    let inverse = self.quotient(&Poly::integer(1), x)?;
                    self.arc_tangent(&inverse)
                }
                _ => self.opaque(function, std::slice::from_ref(x)),
            },
            Function::Asinh | Function::Acosh => self.area(function, x),
            Function::Atanh => {
                let above = self.add(Poly::integer(1), x.clone())?;
                let below = self.subtract(Poly::integer(1), x.clone())?;
                let quotient = self.quotient(&above, &below)?;
                let log = self.logarithm(&quotient)?;
                self.scale(log, &half())
            }
            Function::Floor => self.floor(x),
            Function::Ceil => Ok(self.floor(&x.clone().negate())?.negate()),
            Function::Frac => {
                let floor = self.floor(x)?;
                self.subtract(x.clone(), floor)
            }
            Function::Sign => match self.sign(x)? {
                Some(sign) => Ok(Poly::integer(sign)),
                None => self.opaque(function, std::slice::from_ref(x)),
            },
            Function::Factorial => self.factorial(x),
            Function::DoubleFactorial => self.double_factorial(x),
            Function::Re | Function::Im | Function::Conj => self.complex_part(function, x),
            Function::Max | Function::Min | Function::Gcd | Function::Lcm => {
                self.apply_any(function, std::slice::from_ref(x))
            }
            _ => self.opaque(function, std::slice::from_ref(x)),
        }
    }

    fn apply_binary(&mut self, function: &Function, x: &Poly, y: &Poly) -> Step<Poly> {
        match function {
            Function::Root => match y.whole() {
                Some(index) if index > 1 => {
                    let exponent = Exponent::new(1, index.into()).ok_or(Stop::Unknown)?;
                    self.root_power(x, exponent, Branch::Real)
                }
                _ => {
                    let exponent = self.quotient(&Poly::integer(1), y)?;
                    self.power(x, &exponent, Branch::Power)
                }
            },
            Function::Log => {
                let (log, base) = (self.logarithm(x)?, self.logarithm(y)?);
                self.quotient(&log, &base)
            }
            Function::Binomial => self.binomial(x, y),
            Function::Permutations => self.permutations(x, y),
            Function::Mod => match (x.value(), y.value()) {
                (Some(a), Some(m)) if !m.is_zero() => {
                    let quotient = RBig::from((&a / &m).floor());
                    Ok(Poly::constant(a - m * quotient))
                }
                _ => self.opaque(function, &[x.clone(), y.clone()]),
            },
            _ => self.apply_any(function, &[x.clone(), y.clone()]),
        }
    }

    fn apply_any(&mut self, function: &Function, arguments: &[Poly]) -> Step<Poly> {
        let choice = match function {
            Function::Gcd | Function::Lcm => self.common(function, arguments)?,
            Function::Max | Function::Min => self.extreme(function, arguments)?,
            _ => None,
        };
        match choice {
            Some(value) => Ok(value),
            None => self.opaque(function, arguments),
        }
    }

    /// A function as a kernel.
    fn opaque(&mut self, function: &Function, arguments: &[Poly]) -> Step<Poly> {
        let mut settled = Vec::with_capacity(arguments.len());
        for argument in arguments {
            settled.push(self.settle(argument)?);
        }
        if matches!(function, Function::Gcd | Function::Lcm | Function::Max | Function::Min) {
            settled.sort_by(|a, b| {
                let keys = |p: &Poly| p.0.iter().map(|(m, _)| m.clone()).collect::<Vec<_>>();
                let coefficients =
                    |p: &Poly| p.0.iter().map(|(_, c)| c.clone()).collect::<Vec<_>>();
                keys(a).cmp(&keys(b)).then_with(|| coefficients(a).cmp(&coefficients(b)))
            });
            settled.dedup();
        }
        self.call(function.clone(), settled)
    }

    /// Trigonometric functions by Euler's formula: of `angle / i`, or hyperbolic ones where i is 1.
    fn circular(&mut self, function: &Function, angle: &Poly, i: &Poly) -> Step<Poly> {
        let forward = self.exponential(angle)?;
        let backward = self.exponential(&angle.clone().negate())?;
        let sine = |field: &mut Self| {
            let difference = field.subtract(forward.clone(), backward.clone())?;
            let difference = field.quotient(&difference, i)?;
            field.scale(difference, &half())
        };
        let cosine = |field: &mut Self| {
            let sum = field.add(forward.clone(), backward.clone())?;
            field.scale(sum, &half())
        };
        match function {
            Function::Sin => sine(self),
            Function::Cos => cosine(self),
            Function::Tan | Function::Sec => {
                let divisor = cosine(self)?;
                let value = if *function == Function::Tan { sine(self)? } else { Poly::integer(1) };
                self.quotient(&value, &divisor)
            }
            _ => {
                let divisor = sine(self)?;
                let value =
                    if *function == Function::Cot { cosine(self)? } else { Poly::integer(1) };
                self.quotient(&value, &divisor)
            }
        }
    }

    /// Asinh and acosh as logarithms.
    fn area(&mut self, function: &Function, x: &Poly) -> Step<Poly> {
        let square = self.square(x)?;
        let shift = if *function == Function::Asinh { 1 } else { -1 };
        let under = self.add(square, Poly::integer(shift))?;
        let root = self.root_power(&under, Exponent::HALF, Branch::Real)?;
        let sum = self.add(x.clone(), root)?;
        self.logarithm(&sum)
    }

    /// The angle `kπ/12`.
    fn twelfth(&mut self, k: i64) -> Step<Poly> {
        let pi = self.pi()?;
        self.scale(pi, &RBig::from_parts(IBig::from(k), UBig::from(12u8)))
    }

    fn standard_angle(&mut self, function: &Function, x: &Poly) -> Step<Option<Poly>> {
        let numeric = x.kernels().all(|(id, e)| e == Exponent::HALF && id.class() == Class::Prime);
        if !numeric || x.0.len() > 2 {
            return Ok(None);
        }
        let i = self.imaginary()?;
        for k in 0..=6 {
            if k == 6 && *function == Function::Tan {
                break;
            }
            let angle = self.twelfth(k)?;
            let turned = self.multiply(&angle, &i)?;
            let value = self.circular(function, &turned, &i)?;
            if value == *x {
                return Ok(Some(angle));
            }
            if value.negate() == *x {
                return Ok(Some(angle.negate()));
            }
        }
        Ok(None)
    }

    fn arc_sine(&mut self, x: &Poly) -> Step<Poly> {
        let x = self.settle(x)?;
        match self.standard_angle(&Function::Sin, &x)? {
            Some(angle) => Ok(angle),
            None => self.odd(&Function::Asin, x),
        }
    }

    fn arc_cosine(&mut self, x: &Poly) -> Step<Poly> {
        let sine = self.arc_sine(x)?;
        let right = self.twelfth(6)?;
        self.subtract(right, sine)
    }

    fn arc_tangent(&mut self, x: &Poly) -> Step<Poly> {
        let x = self.settle(x)?;
        if let Some(angle) = self.standard_angle(&Function::Tan, &x)? {
            return Ok(angle);
        }
        if let Some(value) = x.value()
            && value.clone().abs() > RBig::ONE
        {
            let inverse = self.odd(&Function::Atan, Poly::constant(RBig::ONE / &value))?;
            let right = self.twelfth(if value > RBig::ZERO { 6 } else { -6 })?;
            return self.subtract(right, inverse);
        }
        self.odd(&Function::Atan, x)
    }

    /// An odd function: the leading coefficient of its argument is positive.
    fn odd(&mut self, function: &Function, x: Poly) -> Step<Poly> {
        match x.0.first() {
            None => Ok(Poly::ZERO),
            Some((_, lead)) if lead < &RBig::ZERO => {
                Ok(self.call(function.clone(), vec![x.negate()])?.negate())
            }
            _ => self.call(function.clone(), vec![x]),
        }
    }

    fn floor(&mut self, x: &Poly) -> Step<Poly> {
        if let Some(value) = x.value() {
            return Ok(Poly::constant(RBig::from(value.floor())));
        }
        if let Some((value, error)) = self.approximate(x) {
            let (low, high) = ((value - error).floor(), (value + error).floor());
            if low.to_bits() == high.to_bits() && value.abs() < 1e15 && error < 0.25 {
                let floor = RBig::try_from(low).map_err(|_| Stop::Unknown)?;
                return Ok(Poly::constant(floor));
            }
        }
        self.opaque(&Function::Floor, std::slice::from_ref(x))
    }

    fn complex_part(&mut self, function: &Function, x: &Poly) -> Step<Poly> {
        let Some(conjugate) = self.conjugate(x)? else {
            return self.opaque(function, std::slice::from_ref(x));
        };
        match function {
            Function::Re => {
                let sum = self.add(x.clone(), conjugate)?;
                self.scale(sum, &half())
            }
            Function::Im => {
                let difference = self.subtract(x.clone(), conjugate)?;
                let i = self.imaginary()?;
                let part = self.quotient(&difference, &i)?;
                self.scale(part, &half())
            }
            _ => Ok(conjugate),
        }
    }

    /// `first (first + step) .. ` of so many numbers.
    fn falling(&mut self, first: &Poly, count: i64, step: i64) -> Step<Poly> {
        let mut product = Poly::integer(1);
        for k in 0..count {
            let factor = self.add(first.clone(), Poly::integer(k * step))?;
            product = self.multiply(&product, &factor)?;
        }
        Ok(product)
    }

    /// `x!` as a kernel of an argument near x, times what is between.
    fn factorial(&mut self, x: &Poly) -> Step<Poly> {
        let x = self.settle(x)?;
        let constant = x.0.iter().find(|(monomial, _)| monomial.is_one());
        let constant = constant.map_or(RBig::ZERO, |(_, coefficient)| coefficient.clone());
        if x.value().is_some() {
            return self.numeric_factorial(&x, &constant);
        }
        let Ok(shift) = i64::try_from(constant.floor()) else { return Err(Stop::Unknown) };
        if shift.abs() > MAX_SHIFT {
            return self.call(Function::Factorial, vec![x]);
        }
        let base = self.add(x, Poly::integer(-shift))?;
        let kernel = self.call(Function::Factorial, vec![base.clone()])?;
        if shift >= 0 {
            let first = self.add(base, Poly::integer(1))?;
            let product = self.falling(&first, shift, 1)?;
            self.multiply(&kernel, &product)
        } else {
            let product = self.falling(&base, -shift, -1)?;
            self.quotient(&kernel, &product)
        }
    }

    fn numeric_factorial(&mut self, x: &Poly, value: &RBig) -> Step<Poly> {
        let n = match i64::try_from(value.numerator()) {
            Ok(n) if value.is_int() && n >= 0 => n,
            _ if value.is_int() && value < &RBig::ZERO => return Err(Stop::Unknown),
            _ => return self.call(Function::Factorial, vec![x.clone()]),
        };
        if n > MAX_FACTORIAL {
            let base = n - n % MAX_SHIFT;
            let kernel = self.call(Function::Factorial, vec![Poly::integer(base)])?;
            let product = self.range_product(base + 1, n, 1)?;
            return self.scale(kernel, &product);
        }
        Ok(Poly::constant(self.range_product(2, n, 1)?))
    }

    /// The product of the integers from `first` to `last`.
    fn range_product(&mut self, first: i64, last: i64, step: usize) -> Step<RBig> {
        let mut product = IBig::ONE;
        let (mut chunk, mut size) = (1i64, 0u64);
        for factor in (first..=last).step_by(step) {
            if let Some(next) = chunk.checked_mul(factor) {
                chunk = next;
                continue;
            }
            size += 1;
            self.spend(1 + size / 16)?;
            product *= chunk;
            chunk = factor;
        }
        Ok(RBig::from(product * chunk))
    }

    /// `n (n-1) ..` of so many factors.
    fn falling_product(&mut self, n: i64, count: i64) -> Step<RBig> {
        if count == 0 {
            return Ok(RBig::ONE);
        }
        self.range_product(n - (count - 1), n, 1)
    }

    fn double_factorial(&mut self, x: &Poly) -> Step<Poly> {
        match x.whole() {
            Some(-1..=1) => Ok(Poly::integer(1)),
            Some(n @ 2..=MAX_FACTORIAL) => {
                Ok(Poly::constant(self.range_product(2 + n % 2, n, 2)?))
            }
            Some(..-1) => Err(Stop::Unknown),
            _ => self.opaque(&Function::DoubleFactorial, std::slice::from_ref(x)),
        }
    }

    fn binomial(&mut self, n: &Poly, k: &Poly) -> Step<Poly> {
        let rest = self.subtract(n.clone(), k.clone())?;
        if let (Some(_), Some(0..), Some(..0)) = (n.whole(), n.whole(), rest.whole()) {
            return Ok(Poly::ZERO);
        }
        let lower = match (k.whole(), rest.whole()) {
            (Some(k), Some(rest)) if n.whole().is_some_and(|n| n >= 0) => Some(k.min(rest)),
            (Some(k), _) => Some(k),
            (None, rest) => rest,
        };
        match lower {
            Some(..0) => Ok(Poly::ZERO),
            Some(count) if n.whole().is_some() && count <= MAX_FACTORIAL => {
                let n = n.whole().unwrap_or(0);
                if n < 0 {
                    return Err(Stop::Unknown);
                }
                let above = self.falling_product(n, count)?;
                let below = self.range_product(2, count, 1)?;
                self.spend(super::field::product_price(&above, &below))?;
                Ok(Poly::constant(above / below))
            }
            Some(count) if count <= 12 => {
                let above = self.falling(n, count, -1)?;
                let below = self.range_product(2, count, 1)?;
                self.scale(above, &(RBig::ONE / below))
            }
            _ => {
                let above = self.factorial(n)?;
                let (k, rest) = (self.factorial(k)?, self.factorial(&rest)?);
                let below = self.multiply(&k, &rest)?;
                self.quotient(&above, &below)
            }
        }
    }

    fn permutations(&mut self, n: &Poly, k: &Poly) -> Step<Poly> {
        match (n.whole(), k.whole()) {
            (_, Some(..0)) => Err(Stop::Unknown),
            (Some(n), Some(k)) if (0..=MAX_FACTORIAL).contains(&k) && n >= 0 => {
                if k > n {
                    return Ok(Poly::ZERO);
                }
                Ok(Poly::constant(self.falling_product(n, k)?))
            }
            (None, Some(k)) if k <= 12 => self.falling(n, k, -1),
            _ => {
                let rest = self.subtract(n.clone(), k.clone())?;
                let (above, below) = (self.factorial(n)?, self.factorial(&rest)?);
                self.quotient(&above, &below)
            }
        }
    }

    /// The greatest common divisor or least common multiple of rational numbers.
    fn common(&mut self, function: &Function, arguments: &[Poly]) -> Step<Option<Poly>> {
        let mut result: Option<RBig> = None;
        for argument in arguments {
            let Some(value) = argument.value() else { return Ok(None) };
            let value = value.abs();
            self.spend(2)?;
            result =
                Some(match result {
                    None => value,
                    Some(known) if known.is_zero() || value.is_zero() => {
                        if *function == Function::Gcd { known + value } else { RBig::ZERO }
                    }
                    Some(known) => {
                        self.spend(super::field::product_price(&known, &value))?;
                        let divisor = rational_gcd(&known, &value);
                        if *function == Function::Gcd { divisor } else { known * value / divisor }
                    }
                });
        }
        Ok(result.map(Poly::constant))
    }

    fn extreme(&mut self, function: &Function, arguments: &[Poly]) -> Step<Option<Poly>> {
        let Some((first, rest)) = arguments.split_first() else { return Ok(None) };
        let mut best = first.clone();
        for argument in rest {
            let difference = self.subtract(argument.clone(), best.clone())?;
            let Some(sign) = self.sign(&difference)? else { return Ok(None) };
            if (sign > 0) == (*function == Function::Max) && sign != 0 {
                best = argument.clone();
            }
        }
        Ok(Some(best))
    }
}

/// The base of a factor `base^-1`.
fn reciprocal(factor: &Expr) -> Option<&Expr> {
    let Expr::Pow(parts) = factor else { return None };
    match &parts.1 {
        Expr::Number(number) if number.value == RBig::NEG_ONE => Some(&parts.0),
        _ => None,
    }
}

fn half() -> RBig {
    RBig::from_parts(IBig::ONE, UBig::from(2u8))
}

fn rational_gcd(a: &RBig, b: &RBig) -> RBig {
    let numerator = (a.numerator() * b.denominator()).gcd(b.numerator() * a.denominator());
    RBig::from_parts(numerator.into(), a.denominator() * b.denominator())
}
