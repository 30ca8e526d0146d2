//! Sets of real numbers as unions of intervals; solutions of inequalities; families over the
//! integers.

use std::cmp::Ordering;

use dashu_ratio::RBig;

use super::lists::{Kind, declaration, is_open};
use super::relations::{is_minus_one, is_multiple, is_name};
use super::{Equality, Judge, Outcome, is_scalar};
use crate::budget::{Found, Spent};
use crate::canonical::{self, Difference};
use crate::expr::{Bracket, Constant, Expr, Function, Joint, NamedSet, Rel, Symbol};
use crate::numeric;
use crate::{calculus, tree};

/// A set of more intervals stays undecided.
const MAX_PIECES: usize = 32;

/// By how many steps a family of tuples or relations may be shifted.
const SHIFTS: [i64; 5] = [0, 1, -1, 2, -2];

/// Intervals, disjoint and ascending.
pub(super) type Pieces = Vec<Piece>;

#[derive(Clone)]
pub(super) struct Piece {
    pub(super) low: End,
    pub(super) high: End,
}

#[derive(Clone)]
pub(super) struct End {
    pub(super) at: At,
    pub(super) closed: bool,
}

#[derive(Clone)]
pub(super) enum At {
    MinusInfinity,
    Finite(Expr),
    PlusInfinity,
}

/// A set of reals, and what ranges over it where it was written as a condition.
pub(super) struct Region {
    pub(super) variable: Option<Expr>,
    pub(super) pieces: Pieces,
}

/// Where an expression in one variable is positive, negative and zero.
struct Chart {
    positive: Pieces,
    negative: Pieces,
    zero: Pieces,
}

/// Unwraps what was found.
macro_rules! found {
    ($e:expr) => {
        match $e {
            Some(found) => found,
            None => return Ok(None),
        }
    };
}
pub(super) use found;

/// Whether an expression can only be a set of numbers, so that a pair beside it is an interval.
pub(super) fn by_nature(e: &Expr) -> bool {
    match e {
        Expr::NamedSet(_)
        | Expr::Union(_)
        | Expr::Intersection(_)
        | Expr::Difference(_)
        | Expr::Builder(..)
        | Expr::Relation(..) => true,
        Expr::Tuple(items, left, right) => {
            let point = matches!(items.as_slice(), [low, high] if low == high);
            is_open(*left) != is_open(*right)
                || point && !is_open(*left)
                || items.iter().any(|item| tree::any(item, &is_infinity))
        }
        Expr::List(items, _) => items.iter().any(by_nature),
        _ => false,
    }
}

fn is_infinity(e: &Expr) -> bool {
    matches!(e, Expr::Constant(Constant::Infinity))
}

impl Judge<'_> {
    /// Compares two sets, of which one may be given by a condition.
    pub(super) fn solutions(&mut self, a: &Expr, b: &Expr) -> Outcome {
        if self.policy.solution_sets
            && let Some(verdict) = self.finite(a, b)?
        {
            return Ok(verdict);
        }
        let verdict = self.operations(a, b)?;
        let conditional = |e: &Expr| tree::any(e, &|node| matches!(node, Expr::Relation(..)));
        if verdict == Equality::Equal
            || !self.policy.solution_sets && conditional(a) != conditional(b)
        {
            return Ok(verdict);
        }
        let Some(left) = self.region(a)? else { return Ok(verdict) };
        self.solves = true;
        let right = self.region(b);
        self.solves = false;
        let Some(right) = right? else { return Ok(verdict) };
        if let (Some(p), Some(q)) = (&left.variable, &right.variable)
            && p != q
        {
            return Ok(Equality::Different);
        }
        if left.pieces.len() != right.pieces.len() {
            return Ok(Equality::Different);
        }
        let ends = |pieces: Pieces| pieces.into_iter().flat_map(|piece| [piece.low, piece.high]);
        Equality::all(ends(left.pieces).zip(ends(right.pieces)).map(|(x, y)| match (x.at, y.at) {
            _ if x.closed != y.closed => Ok(Equality::Different),
            (At::Finite(x), At::Finite(y)) => self.values(&x, &y),
            (At::MinusInfinity, At::MinusInfinity) | (At::PlusInfinity, At::PlusInfinity) => {
                Ok(Equality::Equal)
            }
            _ => Ok(Equality::Different),
        }))
    }

    /// Compares set operations as they are written.
    fn operations(&mut self, a: &Expr, b: &Expr) -> Outcome {
        match (a, b) {
            (Expr::Union(x), Expr::Union(y)) | (Expr::Intersection(x), Expr::Intersection(y)) => {
                self.bare_lists(x, y, Kind::List)
            }
            (Expr::Difference(x), Expr::Difference(y)) => {
                Equality::all([self.pair(&x.0, &y.0), self.pair(&x.1, &y.1)])
            }
            (Expr::Builder(x, p), Expr::Builder(y, q)) => self.builders((x, p), (y, q)),
            _ => Ok(Equality::Different),
        }
    }

    fn builders(&mut self, (x, p): (&Expr, &[Expr]), (y, q): (&Expr, &[Expr])) -> Outcome {
        let (Some(left), Some(right)) = (Family::of(x, p), Family::of(y, q)) else {
            return Ok(Equality::Different);
        };
        if left.domain != right.domain || left.conditions.len() != right.conditions.len() {
            return Ok(Equality::Different);
        }
        let renamed = |e: &Expr| calculus::rename(e, &left.variable, &right.variable);
        let element = renamed(&left.element);
        let conditions: Vec<Expr> = left.conditions.iter().map(renamed).collect();
        if !conditions.is_empty() {
            return Equality::all([
                self.pair(&element, &right.element),
                self.bare_lists(&conditions, &right.conditions, Kind::Set),
            ]);
        }
        self.pair(&element, &right.element)?.or(|| {
            if right.domain != Some(NamedSet::Integers) {
                return Ok(Equality::Different);
            }
            if is_scalar(&element) && is_scalar(&right.element) {
                return self.progressions(&element, &right.element, &right.variable);
            }
            self.shifted(&element, &right.element, &right.variable)
        })
    }

    /// Compares two families of numbers over all integers k: a + kd with the same d up to its sign,
    /// and a up to a multiple of d.
    fn progressions(&mut self, x: &Expr, y: &Expr, k: &Symbol) -> Outcome {
        let at = |e: &Expr, n: i64| calculus::substitute(e, k, &Expr::integer(n));
        let next = Expr::Symbol(k.clone()).minus(Expr::integer(-1));
        let step = calculus::substitute(x, k, &next).minus(x.clone());
        let first = at(x, 1).minus(at(x, 0));
        let second = at(y, 1).minus(at(y, 0));
        let other = calculus::substitute(y, k, &next).minus(y.clone());
        for (step, first) in [(step, &first), (other, &second)] {
            if canonical::difference(&step, first, self.budget)? != Difference::Zero {
                return Ok(Equality::Different);
            }
        }
        let ratio = canonical::proportional(&first, &second, self.budget)?;
        if ratio.is_none_or(|ratio| ratio != RBig::ONE && ratio != -RBig::ONE) {
            return Ok(Equality::Different);
        }
        let (start, other) = (at(x, 0), at(y, 0));
        if canonical::difference(&start, &other, self.budget)? == Difference::Zero {
            return Ok(Equality::Equal);
        }
        let steps = canonical::proportional(&start.minus(other), &first, self.budget)?;
        Ok(Equality::is(steps.is_some_and(|steps| steps.is_int())))
    }

    fn shifted(&mut self, x: &Expr, y: &Expr, k: &Symbol) -> Outcome {
        for shift in SHIFTS {
            let index = Expr::sum([Expr::Symbol(k.clone()), Expr::integer(shift)]);
            let moved = calculus::substitute(x, k, &index);
            if self.pair(&moved, y)? == Equality::Equal {
                return Ok(Equality::Equal);
            }
        }
        Ok(Equality::Different)
    }

    /// The set of reals that an expression is.
    pub(super) fn region(&mut self, e: &Expr) -> Found<Region> {
        self.budget.spend(5)?;
        let set = |pieces| Ok(Some(Region { variable: None, pieces }));
        match e {
            Expr::Tuple(items, left, right) => match items.as_slice() {
                [low, high] if *left != Bracket::Angle => {
                    let low = End { at: At::of(low), closed: !is_open(*left) };
                    let high = End { at: At::of(high), closed: !is_open(*right) };
                    set(vec![Piece { low, high }])
                }
                _ => Ok(None),
            },
            Expr::Set(items) => {
                if !items.iter().all(is_scalar) {
                    return Ok(None);
                }
                let points = items.iter().map(Piece::point).collect();
                set(found!(self.union(points)?))
            }
            Expr::NamedSet(named) => set(found!(named_pieces(*named))),
            Expr::Union(items) | Expr::List(items, Joint::Or) => self.combined(items, true),
            Expr::Intersection(items) => self.combined(items, false),
            // A list of intervals says no interval.
            Expr::List(items, joint)
                if items.iter().any(by_nature)
                    && items.iter().all(|item| matches!(item, Expr::Relation(..))) =>
            {
                let both = found!(self.combined(items, false)?);
                // x < -1, x > 3 lists two cases.
                if both.pieces.is_empty() && *joint == Joint::Comma {
                    self.combined(items, true)
                } else {
                    Ok(Some(both))
                }
            }
            Expr::Difference(pair) => {
                let from = found!(self.region(&pair.0)?);
                let without = found!(self.region(&pair.1)?);
                let rest = found!(self.complement(without.pieces)?);
                Ok(self
                    .intersection(&from.pieces, &rest)?
                    .map(|pieces| Region { variable: from.variable, pieces }))
            }
            Expr::Builder(element, conditions) => self.built(element, conditions),
            Expr::Relation(members, operators) => self.solve(members, operators),
            _ => Ok(None),
        }
    }

    fn combined(&mut self, items: &[Expr], union: bool) -> Found<Region> {
        let mut variable: Option<Expr> = None;
        let mut all: Option<Pieces> = None;
        for item in items {
            let region = found!(self.region(item)?);
            match (&variable, region.variable) {
                (Some(known), Some(new)) if *known != new => return Ok(None),
                (None, Some(new)) => variable = Some(new),
                _ => {}
            }
            all = Some(match all {
                None => region.pieces,
                Some(all) if union => found!(self.union([all, region.pieces].concat())?),
                Some(all) => found!(self.intersection(&all, &region.pieces)?),
            });
        }
        Ok(all.map(|pieces| Region { variable, pieces }))
    }

    /// `\{x \mid ..\}`, `\{x \in \mathbb R : ..\}`.
    fn built(&mut self, element: &Expr, conditions: &[Expr]) -> Found<Region> {
        let (variable, mut pieces) = match element {
            Expr::Symbol(_) => (element, reals()),
            Expr::Relation(members, operators) => {
                match (members.as_slice(), operators.as_slice()) {
                    ([name @ Expr::Symbol(_), set], [Rel::In]) => {
                        (name, found!(self.region(set)?).pieces)
                    }
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        for condition in conditions {
            let region = found!(self.region(condition)?);
            if region.variable.as_ref() != Some(variable) {
                return Ok(None);
            }
            pieces = found!(self.intersection(&pieces, &region.pieces)?);
        }
        Ok(Some(Region { variable: None, pieces }))
    }

    /// The solutions of a relation in one variable.
    fn solve(&mut self, members: &[Expr], operators: &[Rel]) -> Found<Region> {
        let unknown = found!(unknown(members)).clone();
        let mut pieces = reals();
        for (pair, operator) in members.windows(2).zip(operators) {
            let [left, right] = pair else { continue };
            let solved = match operator {
                Rel::In if *left == unknown => found!(self.region(right)?).pieces,
                Rel::NotIn if *left == unknown => {
                    let outside = found!(self.region(right)?).pieces;
                    found!(self.complement(outside)?)
                }
                Rel::Eq | Rel::Ne | Rel::Lt | Rel::Le | Rel::Gt | Rel::Ge => {
                    found!(self.compared(left, operator, right, &unknown)?)
                }
                _ => return Ok(None),
            };
            // A lone interval needs no order of its ends.
            let single = members.len() == 2;
            pieces = if single { solved } else { found!(self.intersection(&pieces, &solved)?) };
        }
        Ok(Some(Region { variable: Some(unknown), pieces }))
    }

    fn compared(&mut self, left: &Expr, operator: &Rel, right: &Expr, x: &Expr) -> Found<Pieces> {
        if !is_scalar(left) || !is_scalar(right) {
            return Ok(None);
        }
        let contains = |e: &Expr| tree::any(e, &|node| node == x);
        if left == x && !contains(right) {
            return Ok(Some(half_line(operator, right)));
        }
        if right == x && !contains(left) {
            return Ok(Some(half_line(&turned(operator), left)));
        }
        let Expr::Symbol(symbol) = x else { return Ok(None) };
        let inequality = matches!(operator, Rel::Lt | Rel::Le | Rel::Gt | Rel::Ge);
        let nearly_solved = inequality && is_multiple(left) && is_multiple(right);
        if !self.solves && !nearly_solved {
            return Ok(None);
        }
        let zero = |judge: &mut Self, e: &Expr| -> Result<bool, Spent> {
            Ok(canonical::exact_value(e, judge.budget)?.is_some_and(|value| value.is_zero()))
        };
        let (chart, operator) = if zero(self, right)? {
            (self.chart(left, symbol)?, operator.clone())
        } else if zero(self, left)? {
            (self.chart(right, symbol)?, turned(operator))
        } else if let Some(pieces) = self.modulus(left, operator, right, symbol)? {
            return Ok(Some(pieces));
        } else if let Some(pieces) = self.modulus(right, &turned(operator), left, symbol)? {
            return Ok(Some(pieces));
        } else {
            (self.chart(&left.clone().minus(right.clone()), symbol)?, operator.clone())
        };
        let Chart { positive, negative, zero } = found!(chart);
        match operator {
            Rel::Lt => Ok(Some(negative)),
            Rel::Le => self.union([negative, zero].concat()),
            Rel::Gt => Ok(Some(positive)),
            Rel::Ge => self.union([positive, zero].concat()),
            Rel::Eq => Ok(Some(zero)),
            _ => self.union([positive, negative].concat()),
        }
    }

    /// Solves `|u| < c` and the like for a positive constant c.
    fn modulus(&mut self, left: &Expr, operator: &Rel, right: &Expr, x: &Symbol) -> Found<Pieces> {
        let Expr::Call(Function::Abs, arguments) = left else { return Ok(None) };
        let [inner] = arguments.as_slice() else { return Ok(None) };
        if tree::depends(right, x)
            || numeric::ordering(right, &Expr::integer(0), self.budget) != Some(Ordering::Greater)
        {
            return Ok(None);
        }
        let x = Expr::Symbol(x.clone());
        let above = found!(self.compared(inner, operator, right, &x)?);
        let below = found!(self.compared(inner, &turned(operator), &right.clone().negate(), &x)?);
        match operator {
            Rel::Gt | Rel::Ge | Rel::Eq => self.union([above, below].concat()),
            _ => self.intersection(&above, &below),
        }
    }

    /// Where an expression is positive, negative and zero: of polynomials of degree 2 at most, their
    /// products and quotients.
    fn chart(&mut self, e: &Expr, x: &Symbol) -> Found<Chart> {
        self.budget.spend(20)?;
        match e {
            Expr::Mul(factors) => {
                let mut all = Chart { positive: reals(), negative: Vec::new(), zero: Vec::new() };
                for factor in factors {
                    let next = found!(self.chart(factor, x)?);
                    all = found!(self.product(&all, &next)?);
                }
                Ok(Some(all))
            }
            Expr::Pow(pair) if tree::depends(&pair.0, x) => {
                let exponent = found!(canonical::exact_value(&pair.1, self.budget)?);
                if !exponent.is_int() {
                    return Ok(None);
                }
                let mut chart = found!(self.chart(&pair.0, x)?);
                if (exponent.numerator() % 2_i32) == 0 {
                    let nonzero = [chart.positive, chart.negative].concat();
                    chart.positive = found!(self.union(nonzero)?);
                    chart.negative = Vec::new();
                }
                if exponent < RBig::ZERO {
                    chart.zero = Vec::new();
                }
                Ok(Some(chart))
            }
            _ => self.polynomial_chart(e, x),
        }
    }

    fn product(&mut self, a: &Chart, b: &Chart) -> Found<Chart> {
        let mut quadrant = |x: &Pieces, y: &Pieces| self.intersection(x, y);
        let like = [
            found!(quadrant(&a.positive, &b.positive)?),
            found!(quadrant(&a.negative, &b.negative)?),
        ];
        let unlike = [
            found!(quadrant(&a.positive, &b.negative)?),
            found!(quadrant(&a.negative, &b.positive)?),
        ];
        // A zero of one factor counts where the other is defined.
        let defined = |chart: &Chart| {
            [chart.positive.clone(), chart.negative.clone(), chart.zero.clone()].concat()
        };
        let (left, right) = (found!(self.union(defined(a))?), found!(self.union(defined(b))?));
        let zero = [
            found!(self.intersection(&a.zero, &right)?),
            found!(self.intersection(&b.zero, &left)?),
        ];
        Ok(Some(Chart {
            positive: found!(self.union(like.concat())?),
            negative: found!(self.union(unlike.concat())?),
            zero: found!(self.union(zero.concat())?),
        }))
    }

    fn polynomial_chart(&mut self, e: &Expr, x: &Symbol) -> Found<Chart> {
        let coefficients = found!(coefficients(e, x));
        let [c, b, a] = coefficients.map(Expr::sum);
        let zero = Expr::integer(0);
        let exact = canonical::exact_value(&a, self.budget)?;
        let leading = found!(exact);
        if leading.is_zero() {
            let slope = match canonical::exact_value(&b, self.budget)? {
                Some(slope) => slope.cmp(&RBig::ZERO),
                None => found!(numeric::ordering(&b, &zero, self.budget)),
            };
            if slope == Ordering::Equal {
                let sign = found!(self.sign(&c)?);
                return Ok(Some(constant_chart(sign)));
            }
            let root = found!(self.simplified(c.negate().quotient(b))?);
            return Ok(Some(line_chart(&root, slope)));
        }
        let b = found!(canonical::exact_value(&b, self.budget)?);
        let c = found!(canonical::exact_value(&c, self.budget)?);
        let discriminant = &b * &b - RBig::from(4) * &leading * &c;
        let upward = leading > RBig::ZERO;
        let sign = if upward { Ordering::Greater } else { Ordering::Less };
        if discriminant < RBig::ZERO {
            return Ok(Some(constant_chart(sign)));
        }
        let centre = -&b / (RBig::from(2) * &leading);
        let spread = Expr::rational(discriminant.clone()).sqrt();
        let halved = RBig::ONE / (RBig::from(2) * &leading);
        let halved = if upward { halved } else { -halved };
        let offset = Expr::product([Expr::rational(halved), spread]);
        let low = Expr::rational(centre.clone()).minus(offset.clone());
        let high = Expr::sum([Expr::rational(centre), offset]);
        let low = found!(self.simplified(low)?);
        let high = found!(self.simplified(high)?);
        let outside = if discriminant.is_zero() {
            vec![below(&low, false), above(&low, false)]
        } else {
            vec![below(&low, false), above(&high, false)]
        };
        let (inside, zero) = if discriminant.is_zero() {
            (Vec::new(), vec![Piece::point(&low)])
        } else {
            let inside = Piece { low: End::open(&low), high: End::open(&high) };
            (vec![inside], vec![Piece::point(&low), Piece::point(&high)])
        };
        let (positive, negative) = if upward { (outside, inside) } else { (inside, outside) };
        Ok(Some(Chart { positive, negative, zero }))
    }

    fn sign(&mut self, e: &Expr) -> Found<Ordering> {
        Ok(match canonical::exact_value(e, self.budget)? {
            Some(value) => Some(value.cmp(&RBig::ZERO)),
            None => numeric::ordering(e, &Expr::integer(0), self.budget),
        })
    }

    /// A rational number as one number; what has other variables is no end.
    fn simplified(&mut self, e: Expr) -> Found<Expr> {
        Ok(Some(canonical::exact_value(&e, self.budget)?.map_or(e, Expr::rational)))
    }

    fn order(&mut self, a: &At, b: &At) -> Found<Ordering> {
        self.budget.spend(2)?;
        let rank = |at: &At| match at {
            At::MinusInfinity => -1_i8,
            At::Finite(_) => 0,
            At::PlusInfinity => 1,
        };
        let (At::Finite(x), At::Finite(y)) = (a, b) else { return Ok(Some(rank(a).cmp(&rank(b)))) };
        if x == y {
            return Ok(Some(Ordering::Equal));
        }
        if let (Some(x), Some(y)) =
            (canonical::exact_value(x, self.budget)?, canonical::exact_value(y, self.budget)?)
        {
            return Ok(Some(x.cmp(&y)));
        }
        if canonical::difference(x, y, self.budget)? == Difference::Zero {
            return Ok(Some(Ordering::Equal));
        }
        Ok(numeric::ordering(x, y, self.budget))
    }

    /// The pieces in order, touching ones joined.
    fn union(&mut self, pieces: Pieces) -> Found<Pieces> {
        if pieces.len() > MAX_PIECES {
            return Ok(None);
        }
        let mut sorted: Pieces = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let mut place = sorted.len();
            while let Some(before) = place.checked_sub(1).and_then(|i| sorted.get(i)) {
                let order = found!(self.order(&before.low.at, &piece.low.at)?);
                let later = order == Ordering::Greater
                    || order == Ordering::Equal && piece.low.closed && !before.low.closed;
                if !later {
                    break;
                }
                place -= 1;
            }
            sorted.insert(place, piece);
        }
        let mut joined: Pieces = Vec::with_capacity(sorted.len());
        for piece in sorted {
            if let Some(last) = joined.last_mut() {
                let gap = found!(self.order(&last.high.at, &piece.low.at)?);
                let touches = gap == Ordering::Greater
                    || gap == Ordering::Equal && (last.high.closed || piece.low.closed);
                if touches {
                    match found!(self.order(&last.high.at, &piece.high.at)?) {
                        Ordering::Less => last.high = piece.high,
                        Ordering::Equal => last.high.closed |= piece.high.closed,
                        Ordering::Greater => {}
                    }
                    continue;
                }
            }
            joined.push(piece);
        }
        Ok(Some(joined))
    }

    pub(super) fn intersection(&mut self, a: &Pieces, b: &Pieces) -> Found<Pieces> {
        let mut common = Vec::new();
        for x in a {
            for y in b {
                let low = match found!(self.order(&x.low.at, &y.low.at)?) {
                    Ordering::Greater => x.low.clone(),
                    Ordering::Less => y.low.clone(),
                    Ordering::Equal => x.low.meet(&y.low),
                };
                let high = match found!(self.order(&x.high.at, &y.high.at)?) {
                    Ordering::Less => x.high.clone(),
                    Ordering::Greater => y.high.clone(),
                    Ordering::Equal => x.high.meet(&y.high),
                };
                let keep = match (&low.at, &high.at) {
                    (At::Finite(_), At::Finite(_)) => match self.order(&low.at, &high.at)? {
                        Some(Ordering::Less) => true,
                        Some(Ordering::Equal) => low.closed && high.closed,
                        Some(Ordering::Greater) => false,
                        // a < x < b is taken not to be empty.
                        None if a.len() == 1 && b.len() == 1 => true,
                        None => return Ok(None),
                    },
                    _ => true,
                };
                if keep {
                    common.push(Piece { low, high });
                }
            }
        }
        if common.len() > 1 { self.union(common) } else { Ok(Some(common)) }
    }

    fn complement(&mut self, pieces: Pieces) -> Found<Pieces> {
        let sorted = found!(self.union(pieces)?);
        let mut rest = Vec::with_capacity(sorted.len() + 1);
        let mut low = End { at: At::MinusInfinity, closed: false };
        for piece in sorted {
            let high = End { closed: !piece.low.closed, ..piece.low };
            if !matches!(high.at, At::MinusInfinity) {
                rest.push(Piece { low, high });
            }
            low = End { closed: !piece.high.closed, ..piece.high };
        }
        if !matches!(low.at, At::PlusInfinity) {
            rest.push(Piece { low, high: End { at: At::PlusInfinity, closed: false } });
        }
        Ok(Some(rest))
    }
}

/// `\{element \mid variable \in domain, conditions\}`.
pub(super) struct Family {
    pub(super) element: Expr,
    pub(super) variable: Symbol,
    pub(super) domain: Option<NamedSet>,
    pub(super) conditions: Vec<Expr>,
}

impl Family {
    pub(super) fn of(element: &Expr, conditions: &[Expr]) -> Option<Self> {
        let (element, declared) = match element {
            Expr::Relation(members, _) if declaration(element).is_some() => {
                (members.first()?, Some(element))
            }
            _ => (element, None),
        };
        let mut declarations =
            declared.into_iter().chain(conditions.iter().filter(|e| declaration(e).is_some()));
        let domain = declarations.next();
        if declarations.next().is_some() {
            return None;
        }
        let mut rest: Vec<Expr> =
            conditions.iter().filter(|e| declaration(e).is_none()).cloned().collect();
        let variable = match (domain.and_then(declaration), element) {
            (Some(variable), _) | (None, Expr::Symbol(variable)) => variable.clone(),
            _ => return None,
        };
        let mut element = element.clone();
        // \{x \mid x = 2k, k \in \mathbb Z\}
        let definition = rest.iter().position(|e| match e {
            Expr::Relation(members, operators) => {
                matches!((members.as_slice(), operators.as_slice()), ([name, value], [Rel::Eq])
                    if *name == element && tree::depends(value, &variable))
            }
            _ => false,
        });
        if let Some(at) = definition
            && let Expr::Relation(mut members, _) = rest.swap_remove(at)
            && let Some(value) = members.pop()
        {
            if let Expr::Symbol(name) = &element {
                for condition in &mut rest {
                    *condition = calculus::substitute(condition, name, &value);
                }
            }
            element = value;
        }
        let domain = domain.and_then(|domain| match domain {
            Expr::Relation(members, _) => match members.last() {
                Some(Expr::NamedSet(set)) => Some(*set),
                _ => None,
            },
            _ => None,
        });
        Some(Self { element, variable, domain, conditions: rest })
    }
}

impl At {
    fn of(e: &Expr) -> Self {
        match e {
            Expr::Constant(Constant::Infinity) => Self::PlusInfinity,
            Expr::Mul(factors) => match factors.as_slice() {
                [sign, infinity] if is_minus_one(sign) && is_infinity(infinity) => {
                    Self::MinusInfinity
                }
                _ => Self::Finite(e.clone()),
            },
            _ => Self::Finite(e.clone()),
        }
    }
}

impl End {
    fn open(e: &Expr) -> Self {
        Self { at: At::of(e), closed: false }
    }

    /// Two ends at one point, as one.
    fn meet(&self, other: &Self) -> Self {
        Self { at: self.at.clone(), closed: self.closed && other.closed }
    }
}

impl Piece {
    fn point(e: &Expr) -> Self {
        let end = End { at: At::of(e), closed: true };
        Self { low: end.clone(), high: end }
    }
}

fn below(e: &Expr, closed: bool) -> Piece {
    let low = End { at: At::MinusInfinity, closed: false };
    Piece { low, high: End { at: At::of(e), closed } }
}

fn above(e: &Expr, closed: bool) -> Piece {
    let high = End { at: At::PlusInfinity, closed: false };
    Piece { low: End { at: At::of(e), closed }, high }
}

pub(super) fn reals() -> Pieces {
    let ends = [At::MinusInfinity, At::PlusInfinity].map(|at| End { at, closed: false });
    let [low, high] = ends;
    vec![Piece { low, high }]
}

fn constant_chart(sign: Ordering) -> Chart {
    let on = |wanted| if sign == wanted { reals() } else { Vec::new() };
    Chart {
        positive: on(Ordering::Greater),
        negative: on(Ordering::Less),
        zero: on(Ordering::Equal),
    }
}

fn line_chart(root: &Expr, slope: Ordering) -> Chart {
    let (left, right) = (vec![below(root, false)], vec![above(root, false)]);
    let (positive, negative) =
        if slope == Ordering::Greater { (right, left) } else { (left, right) };
    Chart { positive, negative, zero: vec![Piece::point(root)] }
}

pub(super) fn half_line(operator: &Rel, bound: &Expr) -> Pieces {
    match operator {
        Rel::Lt => vec![below(bound, false)],
        Rel::Le => vec![below(bound, true)],
        Rel::Gt => vec![above(bound, false)],
        Rel::Ge => vec![above(bound, true)],
        Rel::Eq => vec![Piece::point(bound)],
        _ => vec![below(bound, false), above(bound, false)],
    }
}

/// The operator with its sides swapped.
fn turned(operator: &Rel) -> Rel {
    match operator {
        Rel::Lt => Rel::Gt,
        Rel::Le => Rel::Ge,
        Rel::Gt => Rel::Lt,
        Rel::Ge => Rel::Le,
        other => other.clone(),
    }
}

fn named_pieces(set: NamedSet) -> Option<Pieces> {
    let zero = Expr::integer(0);
    Some(match set {
        NamedSet::Empty => Vec::new(),
        NamedSet::Reals => reals(),
        NamedSet::PositiveReals => vec![above(&zero, false)],
        NamedSet::NonNegativeReals => vec![above(&zero, true)],
        NamedSet::NegativeReals => vec![below(&zero, false)],
        _ => return None,
    })
}

/// What a relation is about: the middle of a chain, the only variable, the name on one side.
fn unknown(members: &[Expr]) -> Option<&Expr> {
    let name = |e: &Expr| is_name(e) && !matches!(e, Expr::Call(Function::Abs, _));
    if let [_, middle, _] = members
        && name(middle)
    {
        return Some(middle);
    }
    let mut symbols: Vec<&Expr> = Vec::new();
    let mut opaque = false;
    for member in members {
        collect(member, &mut symbols, &mut opaque);
    }
    match symbols.as_slice() {
        [one] if !opaque => Some(one),
        _ => members.iter().find(|member| name(member)),
    }
}

fn collect<'e>(e: &'e Expr, symbols: &mut Vec<&'e Expr>, opaque: &mut bool) {
    match e {
        Expr::Symbol(_) => {
            if !symbols.contains(&e) {
                symbols.push(e);
            }
        }
        Expr::Call(function, arguments) => {
            *opaque |= matches!(function, Function::Named(_));
            for argument in arguments {
                collect(argument, symbols, opaque);
            }
        }
        Expr::Add(items)
        | Expr::Mul(items)
        | Expr::Set(items)
        | Expr::Union(items)
        | Expr::Tuple(items, ..) => {
            for item in items {
                collect(item, symbols, opaque);
            }
        }
        Expr::Pow(pair) => {
            collect(&pair.0, symbols, opaque);
            collect(&pair.1, symbols, opaque);
        }
        Expr::Number(_) | Expr::Constant(_) | Expr::NamedSet(_) => {}
        _ => *opaque = true,
    }
}

/// The terms of the coefficients of 1, x and x², of an expression of degree 2 at most.
fn coefficients(e: &Expr, x: &Symbol) -> Option<[Vec<Expr>; 3]> {
    if !tree::depends(e, x) {
        return Some([vec![e.clone()], Vec::new(), Vec::new()]);
    }
    match e {
        Expr::Symbol(_) => Some([Vec::new(), vec![Expr::integer(1)], Vec::new()]),
        Expr::Add(terms) => {
            let mut sum = [const { Vec::new() }; 3];
            for term in terms {
                for (sum, part) in sum.iter_mut().zip(coefficients(term, x)?) {
                    sum.extend(part);
                }
            }
            Some(sum)
        }
        Expr::Mul(factors) => {
            let one = [vec![Expr::integer(1)], Vec::new(), Vec::new()];
            factors
                .iter()
                .try_fold(one, |product, factor| multiply(&product, &coefficients(factor, x)?))
        }
        Expr::Pow(pair) => {
            let square = matches!(&pair.1, Expr::Number(number) if number.value == RBig::from(2));
            let base = coefficients(&pair.0, x)?;
            square.then(|| multiply(&base, &base)).flatten()
        }
        _ => None,
    }
}

fn multiply(a: &[Vec<Expr>; 3], b: &[Vec<Expr>; 3]) -> Option<[Vec<Expr>; 3]> {
    let mut product = [const { Vec::new() }; 3];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            if x.is_empty() || y.is_empty() {
                continue;
            }
            let factors = [Expr::sum(x.iter().cloned()), Expr::sum(y.iter().cloned())];
            product.get_mut(i + j)?.push(Expr::product(factors));
        }
    }
    Some(product)
}
