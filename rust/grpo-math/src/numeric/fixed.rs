//! Elementary functions in fixed point.
//!
//! A fixed-point number is an integer `n` that stands for `n / 2^w`. Arguments are reduced to a
//! short range, then halved further, so that few terms of the Taylor series remain. Each step errs
//! by a unit or two of the last place; the guard bits hold what these grow to, and one unit of the
//! asked precision covers all of it.

use std::cell::RefCell;
use std::cmp::Ordering;

use dashu_int::ops::{BitTest, DivRemEuclid, SquareRoot, UnsignedAbs};
use dashu_int::{IBig, UBig};

use super::ball::Ball;
use super::mag::{Mag, to_i64};

/// Beyond this number of bits before or behind the point no function is evaluated here.
pub(super) const MAX_TOP: i64 = 42;

/// Bits that cover the count of steps in every function below.
const GUARD: usize = 32;

/// The constants of this thread, to the most bits asked so far.
struct Constants {
    width: usize,
    pi: IBig,
    ln2: IBig,
}

thread_local! {
    static CONSTANTS: RefCell<Constants> =
        const { RefCell::new(Constants { width: 0, pi: IBig::ZERO, ln2: IBig::ZERO }) };
}

/// A constant to `width` bits, less than two units off.
fn constant(width: usize, pick: fn(&Constants) -> &IBig) -> IBig {
    CONSTANTS.with_borrow_mut(|constants| {
        if constants.width < width {
            let width = width.next_multiple_of(1024);
            *constants = Constants { width, pi: machin(width), ln2: log_two(width) };
        }
        pick(constants) >> (constants.width - width)
    })
}

/// π = 16 arctan(1/5) - 4 arctan(1/239)
fn machin(width: usize) -> IBig {
    let w = width + GUARD;
    let value = inverse_series(5, w, true) * 16 - inverse_series(239, w, true) * 4;
    value >> GUARD
}

/// ln 2 = 18 artanh(1/26) - 2 artanh(1/4801) + 8 artanh(1/8749)
fn log_two(width: usize) -> IBig {
    let w = width + GUARD;
    let value = inverse_series(26, w, false) * 18 - inverse_series(4801, w, false) * 2
        + inverse_series(8749, w, false) * 8;
    value >> GUARD
}

/// arctan(1/q) if the signs alternate, otherwise artanh(1/q).
fn inverse_series(q: u32, w: usize, alternate: bool) -> IBig {
    let mut power = (IBig::ONE << w) / q;
    let mut sum = power.clone();
    let mut odd = 1_u32;
    while !power.is_zero() {
        power /= q * q;
        odd += 2;
        let term = &power / odd;
        if alternate && odd % 4 == 3 {
            sum -= term;
        } else {
            sum += term;
        }
    }
    sum
}

/// What a precision costs by halving against what it costs by further terms.
const fn halvings(prec: usize) -> usize {
    let mut k = 4;
    while k * k * 2 < prec {
        k += 1;
    }
    k
}

/// The midpoint in fixed point, cut off.
fn fixed(x: &Ball, w: usize) -> IBig {
    let (man, exp) = x.mid();
    let shift = exp + to_i64(w);
    let distance = usize::try_from(shift.unsigned_abs()).unwrap_or_default();
    if shift >= 0 { man << distance } else { man >> distance }
}

fn positive_part(bits: i64) -> usize {
    usize::try_from(bits).unwrap_or_default()
}

pub(super) fn pi(prec: usize) -> Ball {
    let w = prec + 8;
    Ball::new(
        constant(w, |constants| &constants.pi),
        -to_i64(w),
        Mag::power_of_two(2 - to_i64(w)),
        prec,
    )
}

/// e^x, unless |x| is above 2^42 or known to worse than a unit.
pub(super) fn exp(x: &Ball, prec: usize) -> Option<Ball> {
    if x.top() > MAX_TOP || x.rad().top() > 0 {
        return None;
    }
    let k = halvings(prec);
    let w = prec + k + GUARD + positive_part(x.top());
    let (twos, rest) = fixed(x, w).div_rem_euclid(constant(w, |constants| &constants.ln2));
    let twos = i64::try_from(twos).ok()?;
    let rest = IBig::from(rest) >> k;
    let one = IBig::ONE << w;
    let mut sum = one.clone();
    let mut term = one;
    let mut index = 1_u32;
    while !term.is_zero() {
        term = ((term * &rest) >> w) / index;
        sum += &term;
        index += 1;
    }
    for _ in 0..k {
        sum = (&sum * &sum) >> w;
    }
    let value = Ball::new(sum, twos - to_i64(w), Mag::power_of_two(twos + 1 - to_i64(prec)), prec);
    // |e^r - 1| ≤ 2r for r ≤ 1
    let fault = value.upper().mul(x.rad()).shifted(1);
    Some(value.widened(fault))
}

/// Sine and cosine, unless |x| is above 2^42.
pub(super) fn sin_cos(x: &Ball, prec: usize) -> Option<(Ball, Ball)> {
    let top = x.top();
    if top > MAX_TOP {
        return None;
    }
    if top < -to_i64(prec / 2) {
        // |sin x - x| ≤ |x|³, |cos x - 1| ≤ x²
        let square = x.upper().mul(x.upper());
        let sine = x.clone().widened(square.mul(x.upper()));
        return Some((sine, Ball::ONE.widened(square)));
    }
    let k = halvings(prec) / 2 + 1;
    let w = prec + 2 * k + GUARD + positive_part(top.abs());
    let half_pi = constant(w + 1, |constants| &constants.pi) >> 2;
    let (quadrant, r) = fixed(x, w).div_rem_euclid(half_pi);
    let (sine, cosine) = sin_cos_fixed(&(IBig::from(r) >> k), k, w);
    let (sine, cosine) = match u8::try_from(quadrant & IBig::from(3)).unwrap_or_default() {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    };
    let error = Mag::power_of_two(-to_i64(prec + positive_part(-top))).add(x.rad());
    let ball = |value| Ball::new(value, -to_i64(w), error, w);
    Some((ball(sine), ball(cosine)))
}

/// Sine and cosine of `r · 2^k`, by doubling the angle k times.
fn sin_cos_fixed(r: &IBig, k: usize, w: usize) -> (IBig, IBig) {
    let one = IBig::ONE << w;
    let square: IBig = (r * r) >> w;
    // The versine 1 - cos keeps its accuracy where the cosine is close to one.
    let (mut sine, mut versine) = (r.clone(), IBig::ZERO);
    let mut term = r.clone();
    let mut even = one.clone();
    let mut j = 1_u32;
    while !term.is_zero() || !even.is_zero() {
        even = ((even * &square) >> w) / (2 * j * (2 * j - 1));
        term = ((term * &square) >> w) / (2 * j * (2 * j + 1));
        if j % 2 == 1 {
            versine += &even;
            sine -= &term;
        } else {
            versine -= &even;
            sine += &term;
        }
        j += 1;
    }
    for _ in 0..k {
        // sin 2x = 2 sin x cos x, 1 - cos 2x = 2 sin² x
        let cosine = &one - &versine;
        let next: IBig = (&sine * &sine) >> (w - 1);
        sine = (sine * cosine) >> (w - 1);
        versine = next;
    }
    (sine, one - versine)
}

/// The natural logarithm of what is positive.
pub(super) fn ln(x: &Ball, prec: usize) -> Option<Ball> {
    if x.sign()? != Ordering::Greater {
        return None;
    }
    let low = x.lower()?;
    let (man, exp) = x.mid();
    let mut twos = exp + to_i64(man.bit_len()) - 1;
    let k = halvings(prec) / 2 + 1;
    let w = prec + k + GUARD + (u64::BITS - twos.unsigned_abs().leading_zeros()) as usize;
    // The midpoint is reduced · 2^twos with reduced from 3/4 to 3/2.
    let mut reduced = fixed(&x.shifted(-twos), w);
    if reduced.clone() >> (w - 1) == IBig::from(3) {
        reduced >>= 1;
        twos += 1;
    }
    for _ in 0..k {
        reduced = IBig::from((reduced << w).unsigned_abs().sqrt());
    }
    let one = IBig::ONE << w;
    let ratio = ((&reduced - &one) << w) / (reduced + one);
    let value = (odd_series(ratio, w, false) << (k + 1))
        + constant(w, |constants| &constants.ln2) * IBig::from(twos);
    let rad = Mag::power_of_two(-to_i64(prec)).add(x.rad().div(low));
    Some(Ball::new(value, -to_i64(w), rad, w))
}

/// arctan z if the signs alternate, otherwise artanh z.
fn odd_series(z: IBig, w: usize, alternate: bool) -> IBig {
    let square: IBig = (&z * &z) >> w;
    let mut power = z.clone();
    let mut sum = z;
    let mut odd = 1_u32;
    loop {
        power = (power * &square) >> w;
        odd += 2;
        let term = &power / odd;
        if term.is_zero() || term == IBig::NEG_ONE {
            return sum;
        }
        if alternate && odd % 4 == 3 {
            sum -= term;
        } else {
            sum += term;
        }
    }
}

pub(super) fn atan(x: &Ball, prec: usize) -> Option<Ball> {
    let top = x.top();
    if top > 1 {
        let inverse = Ball::ONE.div(x, prec + 8)?;
        let quarter = pi(prec + 8).shifted(-1);
        let quarter = if x.sign()? == Ordering::Less { quarter.neg() } else { quarter };
        return Some(quarter.sub(&atan(&inverse, prec + 8)?, prec));
    }
    if top < -to_i64(prec / 2) {
        let cube = x.upper().mul(x.upper()).mul(x.upper());
        return Some(x.clone().widened(cube));
    }
    let k = halvings(prec) / 2 + 2;
    let w = prec + k + GUARD + positive_part(-top);
    let one: UBig = UBig::ONE << (2 * w);
    let mut t = fixed(x, w);
    for _ in 0..k {
        // arctan t = 2 arctan(t / (1 + √(1 + t²)))
        let root = IBig::from((&one + (&t * &t).unsigned_abs()).sqrt());
        t = (t << w) / (root + (IBig::ONE << w));
    }
    let value = odd_series(t, w, true) << k;
    let rad = Mag::power_of_two(-to_i64(prec + positive_part(-top))).add(x.rad());
    Some(Ball::new(value, -to_i64(w), rad, w))
}
