//! Identity of expressions with variables, tested at fixed points.

use dashu_ratio::RBig;

use super::eval::Point;
use super::value::{Fail, Position, Value};
use super::{Numeric, fine_look, first_look};
use crate::budget::Budget;
use crate::expr::{Big, Constant, Expr, Function, Symbol};
use crate::tree;

/// Ranges of the real samples, in 64ths: first around one, then small and large ones.
const RANGES: [(i64, i64); 9] = [
    (70, 190),
    (-60, -10),
    (15, 60),
    (-400, -70),
    (640, 2500),
    (130, 400),
    (9600, 25_600),
    (10, 63),
    (10, 63),
];

/// After so many samples the signs are mixed.
const UNMIXED: usize = 7;

/// The samples of a variable that stands for a positive integer.
const INTEGERS: [i64; 9] = [7, 6, 3, 12, 8, 1, 9, 2, 11];

/// Points at which two expressions must agree to be equal.
const ENOUGH: usize = 3;

const MAX_VARIABLES: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Variables {
    /// Names in alphabetical order, and whether each stands for a positive integer.
    names: Vec<(Symbol, bool)>,
    /// A function that is not analytic occurs, so that a few points say nothing of the others.
    piecewise: bool,
    /// A function that jumps at integers occurs.
    steps: bool,
    imaginary: bool,
    /// The largest integer that is written somewhere.
    largest: i64,
}

impl Variables {
    pub(super) const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The number of points. Where signs matter, each two variables have unlike signs at two of
    /// them: the signs after the first [`UNMIXED`] points are the digits of the place.
    fn samples(&self) -> usize {
        let digits = usize::BITS - (self.names.len().max(2) - 1).leading_zeros();
        if self.piecewise { UNMIXED + 2 * digits as usize } else { RANGES.len() }
    }
}

/// The free variables of both, or `None` where something is no number.
pub(super) fn variables(a: &Expr, b: &Expr, budget: &mut Budget) -> Option<Variables> {
    let variables = Variables {
        names: Vec::new(),
        piecewise: false,
        steps: false,
        imaginary: false,
        largest: 1,
    };
    let mut survey = Survey { variables, bound: Vec::new(), budget };
    survey.visit(a, false)?;
    survey.visit(b, false)?;
    let mut variables = survey.variables;
    // The samples depend on the place, which must not depend on which side is visited first.
    variables.names.sort();
    (variables.names.len() <= MAX_VARIABLES).then_some(variables)
}

struct Survey<'a, 'e> {
    variables: Variables,
    bound: Vec<&'e Symbol>,
    budget: &'a mut Budget,
}

impl<'e> Survey<'_, 'e> {
    fn visit(&mut self, expr: &'e Expr, whole: bool) -> Option<()> {
        self.budget.spend(1).ok()?;
        match expr {
            Expr::Number(number) => {
                if let Ok(value) = i64::try_from(number.value.trunc()) {
                    let bounded = value.saturating_abs().min(1_000_000);
                    self.variables.largest = self.variables.largest.max(bounded);
                }
            }
            Expr::Constant(Constant::Infinity) => return None,
            Expr::Constant(constant) => self.variables.imaginary |= *constant == Constant::I,
            Expr::Symbol(name) => self.name(name, whole),
            Expr::Add(operands) | Expr::Mul(operands) => {
                for operand in operands {
                    self.visit(operand, whole)?;
                }
            }
            Expr::Pow(pair) => {
                self.visit(&pair.0, whole)?;
                self.visit(&pair.1, whole || alternates(&pair.0))?;
                self.variables.piecewise |= !is_integer(&pair.1) && !is_constant_base(&pair.0);
            }
            Expr::Call(function, arguments) => {
                let whole = whole || of_integers(function);
                for argument in arguments {
                    self.visit(argument, whole)?;
                }
                self.variables.piecewise |= is_piecewise(function);
                self.variables.steps |=
                    matches!(function, Function::Floor | Function::Ceil | Function::Frac);
                // Samples are real, and z need not be.
                let complex = matches!(
                    function,
                    Function::Re | Function::Im | Function::Conj | Function::Arg
                );
                if complex
                    && arguments.iter().any(|argument| !tree::free_symbols(argument).is_empty())
                {
                    return None;
                }
                if matches!(function, Function::Named(_) | Function::Det | Function::Transpose) {
                    return None;
                }
            }
            Expr::Big(big) => match &**big {
                Big::Sum(body, name, first, last) | Big::Product(body, name, first, last) => {
                    self.visit(first, true)?;
                    self.visit(last, true)?;
                    self.bound.push(name);
                    self.visit(body, whole)?;
                    self.bound.pop();
                }
                _ => return None,
            },
            _ => return None,
        }
        Some(())
    }

    fn name(&mut self, name: &'e Symbol, whole: bool) {
        if self.bound.contains(&name) {
            return;
        }
        let names = &mut self.variables.names;
        match names.iter_mut().find(|(known, _)| known == name) {
            Some((_, integer)) => *integer |= whole,
            None => names.push((name.clone(), whole)),
        }
    }
}

/// A base whose powers are real for integers only.
fn alternates(base: &Expr) -> bool {
    match base {
        Expr::Number(number) => number.value < RBig::ZERO,
        Expr::Constant(constant) => *constant == Constant::I,
        Expr::Mul(factors) => factors.iter().any(alternates),
        _ => false,
    }
}

fn is_integer(expr: &Expr) -> bool {
    matches!(expr, Expr::Number(number) if number.value.is_int())
}

fn is_constant_base(expr: &Expr) -> bool {
    matches!(expr, Expr::Number(_) | Expr::Constant(_))
}

const fn of_integers(function: &Function) -> bool {
    matches!(
        function,
        Function::Factorial
            | Function::DoubleFactorial
            | Function::Binomial
            | Function::Permutations
            | Function::Gcd
            | Function::Lcm
    )
}

const fn is_piecewise(function: &Function) -> bool {
    matches!(
        function,
        Function::Root
            | Function::Abs
            | Function::Floor
            | Function::Ceil
            | Function::Frac
            | Function::Sign
            | Function::Max
            | Function::Min
            | Function::Mod
            | Function::Re
            | Function::Im
            | Function::Arg
            | Function::Conj
            | Function::Atan
            | Function::Asec
            | Function::Acsc
            | Function::Acot
    )
}

/// What the points seen so far say.
#[derive(Default)]
struct Tally {
    agreed: usize,
    /// Of these, how many where both are plainly zero, which says little.
    zero: usize,
    /// The same of points where neither side is real.
    complex_agreed: usize,
    complex_apart: bool,
}

pub(super) fn compare(a: &Expr, b: &Expr, variables: &Variables, budget: &mut Budget) -> Numeric {
    let thorough = variables.piecewise || variables.names.iter().any(|(_, integer)| *integer);
    let mut tally = Tally::default();
    for index in 0..variables.samples() {
        match at_point(a, b, &point(variables, index), variables, &mut tally, budget) {
            Ok(false) => return Numeric::Different,
            Err(Fail::Spent | Fail::Unsupported) => return Numeric::Undecided,
            Ok(true) | Err(Fail::Undefined | Fail::Unclear) => {}
        }
        if !thorough && index >= ENOUGH && tally.agreed - tally.zero >= ENOUGH {
            return Numeric::Equal;
        }
    }
    tally.verdict()
}

impl Tally {
    const fn verdict(&self) -> Numeric {
        if self.agreed == 0 {
            if self.complex_apart {
                return Numeric::Different;
            }
            return if self.complex_agreed >= ENOUGH { Numeric::Equal } else { Numeric::Undecided };
        }
        let telling = self.agreed - self.zero;
        // Beyond a small domain, the functions agree as complex ones.
        let continued = if self.complex_apart { 0 } else { self.complex_agreed };
        let all_zero = self.agreed >= ENOUGH && telling == 0;
        if all_zero || self.agreed + continued >= ENOUGH && telling >= 2 {
            Numeric::Equal
        } else {
            Numeric::Undecided
        }
    }
}

/// False if the sides differ at the point.
fn at_point(
    a: &Expr,
    b: &Expr,
    point: &Point,
    variables: &Variables,
    tally: &mut Tally,
    budget: &mut Budget,
) -> Result<bool, Fail> {
    let (rough, prec) = first_look(a, b, point, budget)?;
    let [left, right] = rough.non_real;
    if !variables.imaginary && left != right {
        return Ok(true);
    }
    let complex = !variables.imaginary && left;
    let agrees = match rough.position {
        Position::Overlap => {
            let (fine, _) = fine_look(a, b, point, (&rough, prec), budget)?;
            if !fine.agrees(&rough) && fine.position == Position::Overlap {
                return Err(Fail::Unclear);
            }
            fine.agrees(&rough)
        }
        position => position == Position::Same,
    };
    if complex {
        // Different branches of a logarithm are no difference between real functions.
        tally.complex_agreed += usize::from(agrees);
        tally.complex_apart |= !agrees;
        return Ok(true);
    }
    tally.agreed += usize::from(agrees);
    tally.zero += usize::from(agrees && rough.zero);
    Ok(agrees)
}

/// The values of all variables at one of the points.
fn point(variables: &Variables, index: usize) -> Point {
    let names = variables.names.iter().enumerate();
    names
        .map(|(place, (name, integer))| {
            let value = if *integer {
                Value::integer(integer_sample(index, place))
            } else {
                real_sample(index, place, variables)
            };
            (name.clone(), value)
        })
        .collect()
}

/// Descending in the order of the names at half of the points, ascending at the others, since a
/// binomial coefficient says little where k is above n.
fn integer_sample(index: usize, place: usize) -> i64 {
    let base = INTEGERS.get(index % INTEGERS.len()).copied().unwrap_or(3);
    let place = i64::try_from(place).unwrap_or_default();
    if index.is_multiple_of(2) { (base - 2 * place).max(1) } else { base + 3 * place }
}

/// An odd number of 64ths, so that as an exponent it asks for no real root of a negative number.
fn real_sample(index: usize, place: usize, variables: &Variables) -> Value {
    let (low, high) = RANGES.get(index).copied().unwrap_or((70, 190));
    let mut state = (index as u64 + 1) * 0x9e37_79b9 + (place as u64 + 1) * 0x85eb_ca6b;
    state ^= state >> 13;
    state = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
    state ^= state >> 31;
    let span = high.abs_diff(low);
    let mut sample = low + i64::try_from(state % span).unwrap_or_default();
    if variables.piecewise && index == 6 {
        // Beyond every corner that a written number can make.
        sample = sample.saturating_add(variables.largest.saturating_mul(192));
    }
    if let Some(mixed) = index.checked_sub(UNMIXED)
        && (place >> (mixed / 2) & 1 == 1) == mixed.is_multiple_of(2)
    {
        sample = -sample;
    }
    // Where there are steps, some samples stand on them.
    if variables.steps && index % 3 == 1 {
        return Value::Exact(RBig::from(sample / 64));
    }
    Value::Exact(RBig::from_parts((sample | 1).into(), 64_u8.into()))
}
