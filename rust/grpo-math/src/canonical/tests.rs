use std::sync::Arc;

use super::monomial::Exponent;
use super::*;
use crate::expr::{Constant, Function};

/// Reads `2*x^(1/2) - sin(pi/3)`.
struct Reader<'a> {
    text: &'a [u8],
}

impl Reader<'_> {
    fn peek(&self) -> u8 {
        self.text.first().copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        if found {
            self.text = &self.text[1..];
        }
        found
    }

    fn sum(&mut self) -> Expr {
        let mut terms = Vec::new();
        let negative = self.take(b'-');
        let first = self.product();
        terms.push(if negative { first.negate() } else { first });
        loop {
            if self.take(b'+') {
                terms.push(self.product());
            } else if self.take(b'-') {
                terms.push(self.product().negate());
            } else {
                return if terms.len() == 1 { terms.remove(0) } else { Expr::Add(terms) };
            }
        }
    }

    fn product(&mut self) -> Expr {
        let mut factors = vec![self.power()];
        loop {
            if self.take(b'*') {
                factors.push(self.power());
            } else if self.take(b'/') {
                factors.push(self.power().recip());
            } else {
                return if factors.len() == 1 { factors.remove(0) } else { Expr::Mul(factors) };
            }
        }
    }

    fn power(&mut self) -> Expr {
        let base = self.atom();
        let base = if self.take(b'!') { Expr::call(Function::Factorial, base) } else { base };
        if self.take(b'^') {
            let exponent = if self.take(b'-') { self.power().negate() } else { self.power() };
            return base.pow(exponent);
        }
        base
    }

    fn word(&mut self, part: fn(&u8) -> bool) -> String {
        let end = self.text.iter().position(|b| !part(b)).unwrap_or(self.text.len());
        let word = String::from_utf8(self.text[..end].to_vec()).unwrap();
        self.text = &self.text[end..];
        word
    }

    fn atom(&mut self) -> Expr {
        if self.take(b'(') {
            let inner = self.sum();
            assert!(self.take(b')'), "{:?}", String::from_utf8_lossy(self.text));
            return inner;
        }
        if self.peek().is_ascii_digit() {
            return Expr::rational(self.word(u8::is_ascii_digit).parse().unwrap());
        }
        let word = self.word(u8::is_ascii_alphanumeric);
        assert!(!word.is_empty(), "{:?}", String::from_utf8_lossy(self.text));
        if !self.take(b'(') {
            return match word.as_str() {
                "pi" => Expr::Constant(Constant::Pi),
                "e" => Expr::Constant(Constant::E),
                "i" => Expr::Constant(Constant::I),
                "deg" => Expr::Constant(Constant::Degree),
                "oo" => Expr::Constant(Constant::Infinity),
                name => Expr::symbol(name),
            };
        }
        let mut arguments = vec![self.sum()];
        while self.take(b',') {
            arguments.push(self.sum());
        }
        assert!(self.take(b')'), "{:?}", String::from_utf8_lossy(self.text));
        let function = match word.as_str() {
            "sqrt" => return arguments.remove(0).sqrt(),
            "root" => Function::Root,
            "ln" => Function::Ln,
            "log" => Function::Log,
            "sin" => Function::Sin,
            "cos" => Function::Cos,
            "tan" => Function::Tan,
            "cot" => Function::Cot,
            "sec" => Function::Sec,
            "csc" => Function::Csc,
            "asin" => Function::Asin,
            "acos" => Function::Acos,
            "atan" => Function::Atan,
            "sinh" => Function::Sinh,
            "cosh" => Function::Cosh,
            "tanh" => Function::Tanh,
            "asinh" => Function::Asinh,
            "atanh" => Function::Atanh,
            "abs" => Function::Abs,
            "floor" => Function::Floor,
            "ceil" => Function::Ceil,
            "sign" => Function::Sign,
            "dfact" => Function::DoubleFactorial,
            "binom" => Function::Binomial,
            "perm" => Function::Permutations,
            "gcd" => Function::Gcd,
            "lcm" => Function::Lcm,
            "max" => Function::Max,
            "min" => Function::Min,
            "mod" => Function::Mod,
            "re" => Function::Re,
            "im" => Function::Im,
            "conj" => Function::Conj,
            "exp" => Function::Exp,
            name => Function::Named(Arc::from(name)),
        };
        Expr::Call(function, arguments)
    }
}

fn read(text: &str) -> Expr {
    let text: Vec<u8> = text.bytes().filter(|b| *b != b' ').collect();
    let mut reader = Reader { text: &text };
    let expr = reader.sum();
    assert!(reader.text.is_empty(), "{:?}", String::from_utf8_lossy(reader.text));
    expr
}

fn compare(a: &str, b: &str) -> Result<Difference, Spent> {
    difference(&read(a), &read(b), &mut Budget::default())
}

/// Checks pairs in both directions and reports all that fail.
fn check(expected: Difference, pairs: &[(&str, &str)]) {
    let mut failures = Vec::new();
    for (a, b) in pairs {
        for (a, b) in [(a, b), (b, a)] {
            let mut budget = Budget::default();
            let before = budget.left();
            let found = difference(&read(a), &read(b), &mut budget);
            if found != Ok(expected) {
                failures.push(format!("{a}  vs  {b}: {found:?}, {} spent", before - budget.left()));
            }
        }
    }
    assert!(failures.is_empty(), "expected {expected:?}:\n{}", failures.join("\n"));
}

fn check_zero(pairs: &[(&str, &str)]) {
    check(Difference::Zero, pairs);
}

fn check_nonzero(pairs: &[(&str, &str)]) {
    check(Difference::NonZero, pairs);
}

/// Neither claimed equal nor, where that would be wrong, different.
fn check_not_zero(pairs: &[(&str, &str)]) {
    let failures: Vec<_> =
        pairs.iter().filter(|(a, b)| compare(a, b) == Ok(Difference::Zero)).collect();
    assert!(failures.is_empty(), "{failures:?}");
}

fn value(text: &str) -> Option<String> {
    exact_value(&read(text), &mut Budget::default()).unwrap().map(|v| v.to_string())
}

#[test]
fn polynomials_and_quotients() {
    check_zero(&[
        ("(x+1)^2", "x^2+2*x+1"),
        ("x*(x-1)", "x^2-x"),
        ("(a+b)/(a*b)", "1/a+1/b"),
        ("1/x+1/y", "(x+y)/(x*y)"),
        ("(x^2-1)/(x-1)", "x+1"),
        ("x/(x+1)+1/(x+1)", "1"),
        ("1/(x+1)-1/(x+2)", "1/((x+1)*(x+2))"),
        ("(2*x+2)/(4*x+4)", "1/2"),
        ("(x^3+y^3)/(x+y)", "x^2-x*y+y^2"),
        ("1/(1-x)", "-1/(x-1)"),
        ("(x-1)^2", "(1-x)^2"),
        ("A*B", "B*A"),
        ("(a-b)*(a+b)", "a^2-b^2"),
        ("1/(1+1/x)", "x/(x+1)"),
        ("x/(x^2-1)", "1/2/(x-1)+1/2/(x+1)"),
        ("f(x+1)", "f(1+x)"),
        ("f((x^2-1)/(x-1))", "f(x+1)"),
        ("(1-r^n)/(1-r)", "(r^n-1)/(r-1)"),
        ("(x^5-1)/(x-1)", "x^4+x^3+x^2+x+1"),
        ("n*(n+1)*(2*n+1)/6", "n^3/3+n^2/2+n/6"),
    ]);
    check_nonzero(&[
        ("(x+1)^2", "x^2+1"),
        ("x", "y"),
        ("1/x", "x"),
        ("1/(x+1)", "1/(x+2)"),
        ("(a+b)/(a*b)", "1/a-1/b"),
        ("x^2+2*x", "x^2+2*x+1/1000000007"),
        ("2", "3"),
    ]);
    check_not_zero(&[("f(x)", "f(y)"), ("f(x)", "g(x)"), ("f(x)", "x")]);
}

#[test]
fn radicals() {
    check_zero(&[
        ("sqrt(12)", "2*sqrt(3)"),
        ("sqrt(1/2)", "sqrt(2)/2"),
        ("root(8,3)", "2"),
        ("root(-8,3)", "-2"),
        ("root(54,3)", "3*root(2,3)"),
        ("sqrt(x)^2", "x"),
        ("2^(1/2)", "sqrt(2)"),
        ("8^(2/3)", "4"),
        ("sqrt(2)*sqrt(3)", "sqrt(6)"),
        ("1/(1+sqrt(2))", "sqrt(2)-1"),
        ("1/(sqrt(5)+sqrt(3))", "(sqrt(5)-sqrt(3))/2"),
        ("1/(1+sqrt(2)+sqrt(3))", "(2+sqrt(2)-sqrt(6))/4"),
        ("3*sqrt(2)/4", "3/(2*sqrt(2))"),
        ("1/(root(2,3)-1)", "root(4,3)+root(2,3)+1"),
        ("sqrt(3+2*sqrt(2))", "1+sqrt(2)"),
        ("sqrt(3-2*sqrt(2))", "sqrt(2)-1"),
        ("sqrt(5-2*sqrt(6))", "sqrt(3)-sqrt(2)"),
        ("sqrt(2+sqrt(3))", "(sqrt(6)+sqrt(2))/2"),
        ("sqrt(x^2)", "abs(x)"),
        ("sqrt(x^2+2*x+1)", "abs(x+1)"),
        ("abs(x-1)", "abs(1-x)"),
        ("abs(-2*x)", "2*abs(x)"),
        ("abs(x*y)", "abs(x)*abs(y)"),
        ("abs(x)^2", "x^2"),
        ("sqrt(4*x)", "2*sqrt(x)"),
        ("sqrt(x/4)", "sqrt(x)/2"),
        ("sqrt(1+x)^2", "1+x"),
        ("(1+x)/sqrt(1+x)", "sqrt(1+x)"),
        ("1/sqrt(x)", "sqrt(x)/x"),
        ("x^(3/2)", "x*sqrt(x)"),
        ("sqrt(8*x+4)", "2*sqrt(2*x+1)"),
        ("sqrt(2*x^2+2)/sqrt(2)", "sqrt(x^2+1)"),
        ("sqrt(x^4+x^2)", "abs(x)*sqrt(x^2+1)"),
        ("sqrt(32)-sqrt(18)", "sqrt(2)"),
        ("sqrt(2)^10", "32"),
        ("(1+sqrt(5))^2/4", "(3+sqrt(5))/2"),
        ("1000003^(1/2)*1000003^(1/2)", "1000003"),
        ("root(16,4)", "2"),
        ("32^(1/5)", "2"),
        ("sqrt(7+4*sqrt(3))", "2+sqrt(3)"),
        ("sqrt(pi^2)", "pi"),
        ("abs(sqrt(2)-2)", "2-sqrt(2)"),
        ("abs(3-pi)", "pi-3"),
        ("sqrt(sin(x)^2)", "abs(sin(x))"),
        ("sqrt(1-sin(x)^2)", "abs(cos(x))"),
        ("root(x-1,3)", "-root(1-x,3)"),
        ("root(x^3,3)", "x"),
        ("sqrt(x*y)*sqrt(x*y)", "x*y"),
        ("sqrt(2*x^2)", "sqrt(2)*abs(x)"),
        ("sqrt(a^2+b^2)^2", "a^2+b^2"),
        ("(sqrt(a)+sqrt(b))*(sqrt(a)-sqrt(b))", "a-b"),
        ("1/(sqrt(a)+sqrt(b))", "(sqrt(a)-sqrt(b))/(a-b)"),
        ("1/(sqrt(x+1)-1)", "(sqrt(x+1)+1)/x"),
    ]);
    check_nonzero(&[
        ("sqrt(2)", "141421356237/100000000000"),
        ("sqrt(2)+sqrt(3)", "sqrt(5)"),
        ("sqrt(2)+sqrt(3)", "sqrt(10)"),
        ("2*sqrt(3)", "3*sqrt(2)"),
        ("root(2,3)", "sqrt(2)"),
        ("sqrt(x)", "x"),
        ("sqrt(2)*x", "x"),
        ("pi", "22/7"),
        ("sqrt(2)*pi", "sqrt(3)*pi"),
        ("e", "2"),
    ]);
    check_not_zero(&[
        ("sqrt(x^2)", "x"),
        ("sqrt(1+x)", "1+sqrt(x)"),
        ("abs(x)", "x"),
        ("abs(x+1)", "abs(x)+1"),
        ("sqrt(3-2*sqrt(2))", "1-sqrt(2)"),
        ("root(-8,3)", "2"),
        ("sqrt(x-1)", "sqrt(1-x)"),
        ("abs(sqrt(1-sqrt(2)))", "sqrt(1-sqrt(2))"),
        ("re(sqrt(1-sqrt(2)))", "sqrt(1-sqrt(2))"),
        ("sqrt(-3-2*sqrt(2))", "1+sqrt(2)"),
        ("sqrt(sin(x)^2)", "sin(x)"),
        ("sqrt(root(x,3)^2)", "root(x,3)"),
        ("sqrt(e^(2*i*x))", "e^(i*x)"),
        ("ln(e^(i*x))", "i*x+2*i*pi"),
        ("root(sin(x)^3,3)", "-sin(x)"),
    ]);
}

#[test]
fn complex_numbers() {
    check_zero(&[
        ("i^2", "-1"),
        ("(1+i)^2", "2*i"),
        ("1/(1+i)", "(1-i)/2"),
        ("(2+7*i)*(1-i)", "9+5*i"),
        ("sqrt(-4)", "2*i"),
        ("abs(3+4*i)", "5"),
        ("abs(1+i)", "sqrt(2)"),
        ("re(3+4*i)", "3"),
        ("im(3+4*i)", "4"),
        ("conj(3+4*i)", "3-4*i"),
        ("e^(i*pi)", "-1"),
        ("e^(i*pi/3)", "1/2+sqrt(3)/2*i"),
        ("(cos(pi/7)+i*sin(pi/7))^7", "-1"),
        ("sqrt(3+4*i)", "2+i"),
        ("sqrt(2*i)", "1+i"),
        ("1/i", "-i"),
        ("e^(i*x)", "cos(x)+i*sin(x)"),
        ("i^i", "e^(-pi/2)"),
        ("(-1/2+i*sqrt(3)/2)^3", "1"),
        ("abs(e^(i*x))", "1"),
        ("ln(-1)", "i*pi"),
    ]);
    check_nonzero(&[("1+i", "1-i"), ("i", "1"), ("2+7*i", "7+2*i"), ("sqrt(-4)", "-2*i")]);
}

#[test]
fn powers_and_logarithms() {
    check_zero(&[
        ("e^a*e^b", "e^(a+b)"),
        ("exp(2*x)", "(e^x)^2"),
        ("a^x*a^y", "a^(x+y)"),
        ("2^x*2^y", "2^(x+y)"),
        ("4^x", "2^(2*x)"),
        ("6^x", "2^x*3^x"),
        ("2^(n+1)-2^n", "2^n"),
        ("2^(n+1)/2", "2^n"),
        ("(1/2)^n", "2^(-n)"),
        ("(2/3)^n", "2^n/3^n"),
        ("x^a*x^b", "x^(a+b)"),
        ("(e^x)^y", "e^(x*y)"),
        ("(-1)^(n+1)", "-(-1)^n"),
        ("ln(9)", "2*ln(3)"),
        ("ln(1/2)", "-ln(2)"),
        ("ln(6)", "ln(2)+ln(3)"),
        ("log(8,2)", "3"),
        ("log(8,4)", "3/2"),
        ("log(36,6)", "2"),
        ("log(100,10)", "2"),
        ("log(a,b)", "ln(a)/ln(b)"),
        ("log(2,3)*log(3,2)", "1"),
        ("ln(e^k)", "k"),
        ("e^(ln(x))", "x"),
        ("e^(2*ln(x))", "x^2"),
        ("e^(x*ln(2))", "2^x"),
        ("ln(sqrt(e))", "1/2"),
        ("ln(2*x)", "ln(2)+ln(x)"),
        ("ln(1/x)", "-ln(x)"),
        ("ln(sqrt(2))", "ln(2)/2"),
        ("3^(log(x,3))", "x"),
        ("10^(log(5,10))", "5"),
        ("a^(ln(b))", "b^(ln(a))"),
        ("2^(log(3,4))", "sqrt(3)"),
        ("e^(x/2)*e^(x/2)", "e^x"),
        ("(e^x-e^(-x))/2", "sinh(x)"),
        ("cosh(x)^2-sinh(x)^2", "1"),
        ("1/(1+e^(-x))", "e^x/(e^x+1)"),
        ("tanh(x)", "(e^(2*x)-1)/(e^(2*x)+1)"),
        ("asinh(x)", "ln(x+sqrt(x^2+1))"),
        ("2^(1/2+n)", "sqrt(2)*2^n"),
        ("x*e^(1+x)", "e*x*e^x"),
    ]);
    check_nonzero(&[
        ("ln(2)", "ln(3)"),
        ("ln(2)", "693147180559945/1000000000000000"),
        ("ln(2)/ln(3)", "2/3"),
        ("e^2", "e"),
        ("ln(2)+pi", "ln(3)+pi"),
    ]);
    check_not_zero(&[
        ("ln(a+b)", "ln(a)+ln(b)"),
        ("2^x", "x^2"),
        ("e^(x+y)", "e^x+e^y"),
        ("ln(x^2)", "2*ln(x)+1"),
        ("e^pi", "pi^e"),
        ("e+pi", "e+3"),
        ("(-1)^n", "1"),
    ]);
}

#[test]
fn trigonometry() {
    check_zero(&[
        ("sin(pi/6)", "1/2"),
        ("cos(pi/3)", "1/2"),
        ("sin(pi/3)", "sqrt(3)/2"),
        ("tan(pi/3)", "sqrt(3)"),
        ("tan(pi/12)", "2-sqrt(3)"),
        ("cos(15*deg)", "(sqrt(6)+sqrt(2))/4"),
        ("sin(30*deg)", "1/2"),
        ("cos(2*pi/3)", "-1/2"),
        ("cos(pi/5)", "(1+sqrt(5))/4"),
        ("cos(pi/5)-cos(2*pi/5)", "1/2"),
        ("cos(pi/7)-cos(2*pi/7)+cos(3*pi/7)", "1/2"),
        ("cos(20*deg)*cos(40*deg)*cos(80*deg)", "1/8"),
        ("sin(10*deg)*sin(50*deg)*sin(70*deg)", "1/8"),
        ("sin(pi/10)", "(sqrt(5)-1)/4"),
        ("tan(20*deg)*tan(40*deg)*tan(80*deg)", "sqrt(3)"),
        ("cos(pi/8)^2", "(2+sqrt(2))/4"),
        ("sin(18*deg)*cos(36*deg)", "1/4"),
        ("sin(x)^2+cos(x)^2", "1"),
        ("tan(x)^2+1", "sec(x)^2"),
        ("1+cot(x)^2", "csc(x)^2"),
        ("sin(2*x)", "2*sin(x)*cos(x)"),
        ("cos(2*x)", "1-2*sin(x)^2"),
        ("sin(a+b)", "sin(a)*cos(b)+cos(a)*sin(b)"),
        ("sin(-x)", "-sin(x)"),
        ("cos(-x)", "cos(x)"),
        ("sin(x+2*pi)", "sin(x)"),
        ("sin(pi/2-x)", "cos(x)"),
        ("cos(x+pi)", "-cos(x)"),
        ("tan(x)", "sin(x)/cos(x)"),
        ("sin(x)", "2*sin(x/2)*cos(x/2)"),
        ("sin(3*x)", "3*sin(x)-4*sin(x)^3"),
        ("tan(x/2)", "sin(x)/(1+cos(x))"),
        ("tan(2*x)", "2*tan(x)/(1-tan(x)^2)"),
        ("cos(x)^4-sin(x)^4", "cos(2*x)"),
        ("sin(1)^2+cos(1)^2", "1"),
        ("1/sec(x)", "cos(x)"),
        ("asin(1/2)", "pi/6"),
        ("acos(-1/2)", "2*pi/3"),
        ("atan(1)", "pi/4"),
        ("atan(-sqrt(3))", "-pi/3"),
        ("acos(0)", "pi/2"),
        ("asin(x)+acos(x)", "pi/2"),
        ("atan(2)+atan(1/2)", "pi/2"),
        ("asin(-x)", "-asin(x)"),
        ("sin(asin(x))", "x"),
        ("cos(asin(3/5))", "4/5"),
        ("cos(atan(x))", "1/sqrt(1+x^2)"),
        ("tan(atan(x))", "x"),
        ("sin(atan(3/4))", "3/5"),
        ("sin(2*atan(1/2))", "4/5"),
        ("tan(acos(x))", "sqrt(1-x^2)/x"),
        ("cos(omega*t)^2", "1-sin(omega*t)^2"),
    ]);
    check_not_zero(&[
        ("sin(x)", "cos(x)"),
        ("sin(x)^2+cos(y)^2", "1"),
        ("sin(2*x)", "2*sin(x)"),
        ("cos(pi/7)-cos(2*pi/7)", "1/2"),
        ("cos(20*deg)", "94/100"),
        ("sin(x+pi)", "sin(x)"),
        ("tan(x)^2-1", "sec(x)^2"),
        ("atan(2)", "atan(3)"),
        ("cos(pi/5)", "(sqrt(5)-1)/4"),
    ]);
}

#[test]
fn integer_functions() {
    check_zero(&[
        ("5!", "120"),
        ("n!/(n-1)!", "n"),
        ("(n+1)!", "(n+1)*n!"),
        ("(n+2)!/n!", "(n+1)*(n+2)"),
        ("binom(5,2)", "10"),
        ("binom(n,2)", "n*(n-1)/2"),
        ("binom(n,n-1)", "n"),
        ("binom(n,k)", "n!/(k!*(n-k)!)"),
        ("binom(n,k)", "binom(n,n-k)"),
        ("binom(2*n,n)", "(2*n)!/(n!)^2"),
        ("binom(n,k)+binom(n,k-1)", "binom(n+1,k)"),
        ("binom(100,50)", "100!/(50!)^2"),
        ("perm(5,2)", "20"),
        ("perm(n,2)", "n^2-n"),
        ("dfact(7)", "105"),
        ("dfact(8)", "384"),
        ("gcd(12,18)", "6"),
        ("gcd(12/5,18/5)", "6/5"),
        ("lcm(4,6)", "12"),
        ("gcd(a,b)", "gcd(b,a)"),
        ("max(1,sqrt(2))", "sqrt(2)"),
        ("min(pi,22/7)", "pi"),
        ("max(x,y)", "max(y,x)"),
        ("mod(17,5)", "2"),
        ("mod(-1,5)", "4"),
        ("floor(7/2)", "3"),
        ("ceil(7/2)", "4"),
        ("floor(-7/2)", "-4"),
        ("floor(pi)", "3"),
        ("floor(10*sqrt(2))", "14"),
        ("ceil(-sqrt(2))", "-1"),
        ("sign(1-sqrt(2))", "-1"),
        ("2004!/2003!", "2004"),
        ("0!", "1"),
    ]);
    check_nonzero(&[
        ("100!", "101!"),
        ("binom(100,50)", "binom(100,49)"),
        ("2^1024", "2^1024+1"),
        ("1/100!", "1/101!"),
    ]);
    check_not_zero(&[("binom(n,2)", "n^2/2"), ("n!", "n"), ("floor(x)", "x"), ("(2*n)!", "2*n!")]);
}

#[test]
fn large_numbers_stay_powers() {
    check_zero(&[
        ("2^1024*2^976", "2^2000"),
        ("2004^2004/2004^2003", "2004"),
        ("10^(10^10)", "10^(10^10)"),
        ("10^(10^10)", "2^(10^10)*5^(10^10)"),
        ("10^(10^10)/10^(10^10-1)", "10"),
        ("2*2^(10^10-1)", "2^(10^10)"),
        ("5^(5^(5^(5^5)))", "5^(5^(5^(5^5)))"),
        ("(1+x)^3000", "(x+1)^3000"),
        ("(2+2*x)^3000", "2^3000*(1+x)^3000"),
        ("(1+x)^3000/(1+x)^2999", "1+x"),
        ("1000000000!", "1000000000!"),
        ("10^(10^(10^10))", "10^(10^(10^10))"),
        ("(1+x)^30", "(1+x)^15*(1+x)^15"),
        ("10^(-100000)", "(1/10)^100000"),
        ("2^(2^100)", "2^(2^100)"),
    ]);
    check_not_zero(&[
        ("10^(10^10)", "10^(10^10)+1"),
        ("10^(10^10)", "10^(10^10-1)"),
        ("(1+x)^3000", "(1+x)^3001"),
        ("10^(-100000)", "10^(-100001)"),
        ("5^(5^(5^(5^5)))", "5^(5^(5^(5^4)))"),
        ("1000000000!", "1000000001!"),
        ("2^(-99)", "2^(-98)"),
    ]);
}

#[test]
fn undefined_is_unknown() {
    for text in
        ["1/0", "1/(x-x)", "oo", "0^0", "ln(0)", "0^(-1)", "tan(pi/2)", "1/(sin(x)^2+cos(x)^2-1)"]
    {
        assert_eq!(compare(text, "1"), Ok(Difference::Unknown), "{text}");
        assert_eq!(value(text), None, "{text}");
    }
}

#[test]
fn exact_values() {
    for (text, expected) in [
        ("1+1/2", "3/2"),
        ("sqrt(2)*sqrt(8)", "4"),
        ("log(8,4)", "3/2"),
        ("sin(pi/6)^2", "1/4"),
        ("1/(1+sqrt(2))-sqrt(2)", "-1"),
        ("log(36,6)", "2"),
        ("x-x+7", "7"),
    ] {
        assert_eq!(value(text).as_deref(), Some(expected), "{text}");
    }
    for text in ["x", "pi", "sqrt(2)", "10^(10^10)"] {
        assert_eq!(value(text), None, "{text}");
    }
}

#[test]
fn proportional_equations() {
    let ratio = |a, b| {
        proportional(&read(a), &read(b), &mut Budget::default()).unwrap().map(|c| c.to_string())
    };
    assert_eq!(ratio("2*x+4*y-3", "y+x/2-3/4").as_deref(), Some("4"));
    assert_eq!(ratio("x-y", "y-x").as_deref(), Some("-1"));
    assert_eq!(ratio("x/2", "x").as_deref(), Some("1/2"));
    assert_eq!(ratio("(x+1)/(x+2)", "3*(x+1)/(x+2)").as_deref(), Some("1/3"));
    assert_eq!(ratio("x+y", "x-y"), None);
    assert_eq!(ratio("x", "0"), None);
    assert_eq!(ratio("x", "x*y"), None);
}

/// Nothing here may run long: the budget ends it.
#[test]
fn hostile_inputs_end() {
    let nested =
        |n: usize, open: &str, close: &str| format!("{}x{}", open.repeat(n), close.repeat(n));
    let long = (0..300).map(|k| format!("x{k}")).collect::<Vec<_>>().join("+");
    let inputs = [
        nested(60, "sqrt(1+", ")"),
        nested(60, "1/(1+", ")"),
        nested(60, "sin(1+", ")"),
        nested(60, "ln(1+", ")"),
        nested(60, "abs(1-", ")"),
        nested(40, "(1+", ")^2"),
        nested(60, "e^(1+", ")"),
        nested(60, "atan(1+", ")"),
        nested(60, "tan(1+", ")"),
        nested(30, "(1+", ")^(1/3)"),
        format!("({long})^2"),
        format!("({long})^50"),
        format!("sqrt({long})"),
        "(a+b+c+d+f+g+h)^100".into(),
        "(sqrt(2)+sqrt(3)+sqrt(5)+sqrt(7)+sqrt(11)+sqrt(13)+sqrt(17)+sqrt(19))^40".into(),
        "1/(sqrt(2)+sqrt(3)+sqrt(5)+sqrt(7)+sqrt(11)+sqrt(13)+sqrt(17)+sqrt(19)+sqrt(23))".into(),
        "cos(pi/179)+cos(pi/181)".into(),
        "cos(pi/99991)".into(),
        "sqrt(123456789012345678901234567890123456789012345678901234567891)".into(),
        "(10^9)!/(10^8)!".into(),
        "binom(10^6,5*10^5)".into(),
        "sin(x)^500".into(),
        "(1/3+x/7)^200".into(),
        "(3^20000)^(1/2)*(7^9000)^(1/3)".into(),
        "1000!*1000!*1000!*1000!*1000!*1000!".into(),
        "x^9223372036854775807*x^9223372036854775807".into(),
        "x^(-9223372036854775807/9223372036854775806)".into(),
        "2^(-9223372036854775807/9223372036854775806)".into(),
        "(-1)^(9223372036854775806/9223372036854775807)".into(),
        "(1+x)^9223372036854775807".into(),
        "binom(9223372036854775807,0)+perm(9223372036854775807,0)".into(),
        "9223372036854775807!".into(),
        "abs(2^30000*sqrt(2))+floor(2^30000*sqrt(2))+abs(3^20000/2^30000*sqrt(2)-1)".into(),
        "binom(x,9223372036854775807)+dfact(9223372036854775807)".into(),
        (1..=80).map(|k| format!("1/(x+{k})")).collect::<Vec<_>>().join("+"),
        (1..=60).map(|k| format!("sin({k}*x)")).collect::<Vec<_>>().join("*"),
        (1..=60).map(|k| format!("ln(x+{k})")).collect::<Vec<_>>().join("*"),
    ];
    for text in inputs {
        for other in [text.clone(), format!("{text}+1"), "1".to_owned()] {
            let (a, b) = (read(&text), read(&other));
            let mut budget = Budget::default();
            let found = difference(&a, &b, &mut budget);
            if other != text {
                assert_ne!(found, Ok(Difference::Zero), "{text}");
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    reason = "small numbers"
)]
/// Canonical forms evaluated beside the expressions they came from.
mod values {
    use super::super::field::{Field, Kernel, Poly};
    use super::super::monomial::Monomial;
    use super::*;

    type C = (f64, f64);

    fn mul(a: C, b: C) -> C {
        (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
    }

    fn exp(a: C) -> C {
        (a.0.exp() * a.1.cos(), a.0.exp() * a.1.sin())
    }

    fn ln(a: C) -> C {
        (a.0.hypot(a.1).ln(), a.1.atan2(a.0))
    }

    fn pow(a: C, b: C) -> C {
        if a == (0.0, 0.0) { (f64::NAN, 0.0) } else { exp(mul(b, ln(a))) }
    }

    /// The real root where there is one.
    fn root(base: C, exponent: Exponent) -> C {
        let power = exponent.numerator as f64 / exponent.denominator as f64;
        if exponent.denominator % 2 == 0 || base.0 >= 0.0 || base.1.abs() > 1e-9 {
            return pow(base, (power, 0.0));
        }
        let sign = if exponent.numerator % 2 == 0 { 1.0 } else { -1.0 };
        (sign * base.0.abs().powf(power), 0.0)
    }

    fn symbol(name: &str) -> f64 {
        if name == "x" { 0.731 } else { 1.377 }
    }

    fn monomial(field: &Field, product: &Monomial) -> C {
        product.0.iter().fold((1.0, 0.0), |value, (id, exponent)| {
            let power = exponent.numerator as f64 / exponent.denominator as f64;
            let factor = match field.kernel(*id).unwrap() {
                Kernel::Symbol(name) => pow((symbol(name), 0.0), (power, 0.0)),
                Kernel::Pi => (std::f64::consts::PI.powf(power), 0.0),
                Kernel::E => (power.exp(), 0.0),
                Kernel::Unity => exp((0.0, std::f64::consts::PI * power)),
                Kernel::Prime(prime, _) => (prime.to_f64().value().powf(power), 0.0),
                Kernel::Sum(base) => {
                    let base = poly(field, base);
                    root((base.0, if base.1.abs() < 1e-9 { 0.0 } else { base.1 }), *exponent)
                }
                Kernel::Power(base, inner) => {
                    let base = ln(monomial(field, &Monomial(vec![(*base, Exponent::ONE)])));
                    let inner = monomial(field, inner);
                    exp(mul(mul(base, inner), (power, 0.0)))
                }
                Kernel::Ln(argument) => root(ln(poly(field, argument)), *exponent),
                Kernel::Call(function, arguments) => {
                    let x = poly(field, &arguments[0]).0;
                    let value = match function {
                        Function::Asin => x.asin(),
                        Function::Atan => x.atan(),
                        Function::Floor => x.floor(),
                        _ => f64::NAN,
                    };
                    root((value, 0.0), *exponent)
                }
                Kernel::Big(_) => (f64::NAN, 0.0),
            };
            mul(value, factor)
        })
    }

    fn poly(field: &Field, sum: &Poly) -> C {
        sum.0.iter().fold((0.0, 0.0), |value, (product, coefficient)| {
            let term = mul(monomial(field, product), (coefficient.to_f64_fast(), 0.0));
            (value.0 + term.0, value.1 + term.1)
        })
    }

    /// The real value of an expression, as the functions are defined; none where rounding errors
    /// may grow.
    fn real(expr: &Expr) -> f64 {
        let value = real_parts(expr);
        if value == 0.0 || (1e-4..1e3).contains(&value.abs()) { value } else { f64::NAN }
    }

    fn real_parts(expr: &Expr) -> f64 {
        match expr {
            Expr::Number(number) => number.value.to_f64_fast(),
            Expr::Constant(Constant::Pi) => std::f64::consts::PI,
            Expr::Constant(Constant::E) => std::f64::consts::E,
            Expr::Symbol(name) => symbol(name),
            Expr::Add(terms) => terms.iter().map(real).sum(),
            Expr::Mul(factors) => factors.iter().map(real).product(),
            Expr::Pow(parts) => real(&parts.0).powf(real(&parts.1)),
            Expr::Call(function, arguments) => {
                let x = real(&arguments[0]);
                match function {
                    Function::Root if real(&arguments[1]) == 3.0 => x.cbrt(),
                    Function::Root => x.sqrt(),
                    Function::Ln => x.ln(),
                    Function::Sin => x.sin(),
                    Function::Cos => x.cos(),
                    Function::Tan => x.tan(),
                    Function::Asin => x.asin(),
                    Function::Atan => x.atan(),
                    Function::Abs => x.abs(),
                    Function::Floor => x.floor(),
                    Function::Exp => x.exp(),
                    _ => f64::NAN,
                }
            }
            _ => f64::NAN,
        }
    }

    fn random(state: &mut u64, bound: u64) -> u64 {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % bound
    }

    fn sample(state: &mut u64, depth: u32) -> Expr {
        if depth == 0 {
            return match random(state, 8) {
                0 | 1 => Expr::symbol("x"),
                2 => Expr::symbol("y"),
                3 => Expr::Constant(Constant::Pi),
                4 => Expr::Constant(Constant::E),
                _ => Expr::integer(random(state, 9) as i64 - 3),
            };
        }
        let a = sample(state, depth - 1);
        let function = match random(state, 20) {
            0..=3 => return Expr::sum([a, sample(state, depth - 1)]),
            4..=6 => return Expr::product([a, sample(state, depth - 1)]),
            7 | 8 => return a.quotient(sample(state, depth - 1)),
            9 => return a.pow(Expr::integer(random(state, 6) as i64 - 2)),
            10 => return a.pow(sample(state, depth - 1)),
            11 => return a.sqrt(),
            12 => return Expr::Call(Function::Root, vec![a, Expr::integer(3)]),
            13 => Function::Ln,
            14 => Function::Sin,
            15 => Function::Cos,
            16 => Function::Abs,
            17 => Function::Tan,
            18 => Function::Atan,
            _ => Function::Exp,
        };
        Expr::call(function, a)
    }

    #[test]
    fn canonical_forms_keep_the_value() {
        let (mut state, mut compared, mut wrong) = (1, 0, Vec::new());
        for round in 0..20_000u32 {
            let expr = sample(&mut state, 1 + round % 4);
            let expected = real(&expr);
            if !expected.is_finite() {
                continue;
            }
            let mut budget = Budget::default();
            let mut field = Field::new(&mut budget);
            let Ok(built) = field.build(&expr) else { continue };
            let found = poly(&field, &built);
            if !found.0.is_finite() || !found.1.is_finite() {
                continue;
            }
            compared += 1;
            if (found.0 - expected).abs() + found.1.abs() > 1e-5 * (1.0 + expected.abs()) {
                wrong.push(format!(
                    "{}: {expected} became {found:?}",
                    crate::display::describe(&expr)
                ));
            }
        }
        assert!(compared > 5_000, "{compared}");
        wrong.sort_by_key(String::len);
        wrong.truncate(25);
        assert!(wrong.is_empty(), "{compared}\n{}", wrong.join("\n"));
    }
}
