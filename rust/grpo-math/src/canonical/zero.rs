//! Whether a canonical sum is zero, with a proof either way.

use dashu_int::IBig;
use dashu_ratio::RBig;

use super::Difference;
use super::field::{Certainty, Field, Kernel, Poly, Step, Stop, product_price};
use super::monomial::{Class, Exponent, Id, Monomial};
use super::power::small_lcm;

/// The largest order of roots of unity that is decided.
const MAX_ORDER: i64 = 360;

impl Field<'_> {
    pub(super) fn zero(&mut self, poly: &Poly) -> Step<Difference> {
        if poly.is_zero() {
            return Ok(Difference::Zero);
        }
        if poly.value().is_some() {
            return Ok(Difference::NonZero);
        }
        let (mut cleared, mut factor) = self.clear(poly)?;
        // What expands may bring negative powers of other sums.
        for _ in 0..8 {
            if factor.is_one() {
                break;
            }
            (cleared, factor) = self.clear(&cleared)?;
        }
        if cleared.kernels().any(|(id, e)| is_root_of_unity(id, e)) {
            let vanishes = self.vanishes(&cleared)?;
            return Ok(if vanishes { Difference::Zero } else { Difference::Unknown });
        }
        if cleared.is_zero() {
            return Ok(Difference::Zero);
        }
        Ok(if self.is_nonzero(&cleared)? { Difference::NonZero } else { Difference::Unknown })
    }

    /// Whether the coefficient of some product of variables is a number that cannot vanish.
    fn is_nonzero(&mut self, poly: &Poly) -> Step<bool> {
        self.spend(poly.0.len() as u64)?;
        let poly = self.clear_logarithms(poly)?;
        let mut groups: Vec<(Monomial, Vec<&Monomial>)> = Vec::new();
        for (monomial, _) in &poly.0 {
            let mut variables = Vec::new();
            for (id, exponent) in &monomial.0 {
                match self.kernel(*id) {
                    Some(Kernel::Symbol(_)) => variables.push((*id, *exponent)),
                    Some(_) if self.is_number(*id, *exponent) => {}
                    _ => return Ok(false),
                }
            }
            let variables = Monomial(variables);
            match groups.last_mut() {
                Some((known, members)) if *known == variables => members.push(monomial),
                _ => groups.push((variables, vec![monomial])),
            }
        }
        // Symbols come first in the order of terms, so equal products of them are neighbours.
        Ok(groups.iter().any(|(_, members)| self.is_independent(members)))
    }

    /// Multiplies by the logarithms and π in denominators.
    fn clear_logarithms(&mut self, poly: &Poly) -> Step<Poly> {
        let mut factor = Monomial::ONE;
        for (id, exponent) in poly.kernels() {
            let clears = matches!(self.kernel(id), Some(Kernel::Ln(_) | Kernel::Pi));
            if clears && exponent.is_negative() && factor.exponent(id).is_zero() {
                let power = Monomial::kernel(id, poly.lowest(id).negate());
                factor = factor.times(&power).ok_or(Stop::Unknown)?;
            }
        }
        self.multiply(poly, &Poly::term(factor, RBig::ONE))
    }

    /// Whether the kernel is one of the numbers that `is_independent` knows.
    fn is_number(&self, id: Id, exponent: Exponent) -> bool {
        match self.kernel(id) {
            Some(Kernel::Prime(_, Certainty::Prime)) => exponent.floor() == 0,
            Some(Kernel::Unity) => exponent == Exponent::HALF,
            Some(Kernel::Pi | Kernel::E) => true,
            Some(Kernel::Ln(argument)) => is_prime(argument),
            _ => false,
        }
    }

    /// Whether different products of these numbers are linearly independent over the rationals:
    /// roots of primes (Besicovitch), with i; over these powers of π or of e alone (Lindemann),
    /// or linear forms in π and logarithms of primes (Baker).
    fn is_independent(&self, products: &[&Monomial]) -> bool {
        let (mut pi, mut e, mut logarithms, mut linear) = (false, false, false, true);
        for product in products {
            let mut degree = 0;
            for (id, exponent) in &product.0 {
                match self.kernel(*id) {
                    Some(Kernel::Pi) => pi = true,
                    Some(Kernel::Ln(_)) => logarithms = true,
                    Some(Kernel::E) => {
                        e = true;
                        continue;
                    }
                    _ => continue,
                }
                degree += 1;
                linear &= degree == 1 && *exponent == Exponent::ONE;
            }
        }
        if e { !pi && !logarithms } else { !logarithms || linear }
    }

    /// Rewrites roots of unity, i and square roots of primes as powers of one root of unity, and
    /// reduces them by its minimal polynomial; only true decides.
    fn vanishes(&mut self, poly: &Poly) -> Step<bool> {
        // ζ = e^(iπ/n)
        let mut n = 2;
        let mut primes = Vec::new();
        for (id, exponent) in poly.kernels() {
            n = match id.class() {
                Class::Unity => small_lcm(n, exponent.denominator, MAX_ORDER),
                Class::Prime if exponent == Exponent::HALF => {
                    let Some(prime) = self.small_prime(id) else { continue };
                    let order = if prime == 2 { 4 } else { prime };
                    match small_lcm(n, order, MAX_ORDER) {
                        Some(n) => {
                            if !primes.contains(&(id, prime)) {
                                primes.push((id, prime));
                            }
                            Some(n)
                        }
                        None => Some(n),
                    }
                }
                _ => Some(n),
            }
            .unwrap_or(0);
            if n == 0 {
                return Ok(false);
            }
        }
        // The order may have grown after a prime was seen; every root is rewritten all the same.
        let order = usize::try_from(n).map_err(|_| Stop::Unknown)?;
        let minimal = self.cyclotomic_polynomial(2 * order)?;
        let mut groups: Vec<(Monomial, Vec<RBig>)> = Vec::new();
        for (monomial, coefficient) in &poly.0 {
            let mut rest = monomial.clone();
            let mut powers = vec![RBig::ZERO; order];
            let unity = rest.0.iter().find(|(id, _)| id.class() == Class::Unity).copied();
            let mut start = 0;
            if let Some((id, exponent)) = unity {
                start = usize::try_from(exponent.numerator * (n / exponent.denominator))
                    .map_err(|_| Stop::Unknown)?;
                rest = rest.without(id);
            }
            add_power(&mut powers, start, coefficient);
            for (id, prime) in &primes {
                if rest.exponent(*id) == Exponent::HALF {
                    rest = rest.without(*id);
                    powers = self.times_root(&powers, *prime, order)?;
                }
            }
            self.spend(order as u64)?;
            match groups.iter_mut().find(|(known, _)| *known == rest) {
                Some((_, sum)) => sum.iter_mut().zip(powers).for_each(|(a, b)| *a += b),
                None => groups.push((rest, powers)),
            }
        }
        for (_, powers) in groups {
            if !self.is_multiple(powers, &minimal)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn small_prime(&self, id: Id) -> Option<i64> {
        match self.kernel(id) {
            Some(Kernel::Prime(prime, _)) => i64::try_from(prime).ok().filter(|p| *p < 60),
            _ => None,
        }
    }

    /// Multiplies by the square root of a prime: a Gauss sum, or `ζ_8 + ζ_8^-1`.
    fn times_root(&mut self, powers: &[RBig], prime: i64, order: usize) -> Step<Vec<RBig>> {
        let mut product = vec![RBig::ZERO; order];
        let mut root: Vec<(usize, RBig)> = Vec::new();
        if prime == 2 {
            root.push((order / 4, RBig::ONE));
            root.push((2 * order - order / 4, RBig::ONE));
        } else {
            let modulus = usize::try_from(prime).map_err(|_| Stop::Unknown)?;
            // i^-1 for primes 3 mod 4, whose Gauss sum is i sqrt(p).
            let turn = if modulus % 4 == 3 { 2 * order - order / 2 } else { 0 };
            for a in 1..modulus {
                let residue = (1..modulus).any(|x| x * x % modulus == a);
                let sign = if residue { RBig::ONE } else { RBig::NEG_ONE };
                root.push((a * (2 * order / modulus) + turn, sign));
            }
        }
        let count = powers.iter().filter(|c| !c.is_zero()).count();
        self.spend((order + count * root.len()) as u64)?;
        for (k, coefficient) in powers.iter().enumerate().filter(|(_, c)| !c.is_zero()) {
            for (shift, sign) in &root {
                add_power(&mut product, k + shift, &(coefficient * sign));
            }
        }
        Ok(product)
    }

    /// The minimal polynomial of a primitive m-th root of unity, without the leading 1.
    fn cyclotomic_polynomial(&mut self, m: usize) -> Step<Vec<i64>> {
        // Φ_m = Π (x^d - 1)^μ(m/d), as a power series up to its degree.
        let divisors: Vec<(usize, i8)> = (1..=m)
            .filter(|d| m.is_multiple_of(*d))
            .filter_map(|d| mobius(m / d).map(|sign| (d, sign)))
            .collect();
        let degree = (1..=m).filter(|k| super::monomial::gcd(*k as u128, m as u128) == 1).count();
        self.spend((m + degree * divisors.len() / 8) as u64)?;
        let mut series = vec![0i64; degree + 1];
        if let Some(first) = series.first_mut() {
            *first = 1;
        }
        for (d, sign) in divisors {
            // (1 - x^d)^±1; the signs cancel for m > 1.
            if sign > 0 {
                for k in (d..=degree).rev() {
                    let lower = series.get(k - d).copied().unwrap_or(0);
                    if let Some(slot) = series.get_mut(k) {
                        *slot -= lower;
                    }
                }
            } else {
                for k in d..=degree {
                    let lower = series.get(k - d).copied().unwrap_or(0);
                    if let Some(slot) = series.get_mut(k) {
                        *slot += lower;
                    }
                }
            }
        }
        series.pop();
        Ok(series)
    }

    /// Whether the polynomial vanishes modulo a monic one.
    fn is_multiple(&mut self, mut powers: Vec<RBig>, minimal: &[i64]) -> Step<bool> {
        while powers.len() > minimal.len() {
            let Some(lead) = powers.pop() else { break };
            if lead.is_zero() {
                continue;
            }
            let shift = powers.len() - minimal.len();
            self.spend(1 + minimal.len() as u64 / 4)?;
            for (slot, factor) in powers.iter_mut().skip(shift).zip(minimal) {
                if *factor != 0 {
                    self.budget.spend(product_price(&lead, slot))?;
                    *slot -= &lead * IBig::from(*factor);
                }
            }
        }
        Ok(powers.iter().all(RBig::is_zero))
    }
}

/// Adds `coefficient ζ^k`, where `ζ^order` is -1.
fn add_power(powers: &mut [RBig], k: usize, coefficient: &RBig) {
    let order = powers.len();
    let negative = (k / order) % 2 == 1;
    if let Some(slot) = powers.get_mut(k % order) {
        if negative {
            *slot -= coefficient;
        } else {
            *slot += coefficient;
        }
    }
}

fn is_root_of_unity(id: Id, exponent: Exponent) -> bool {
    id.class() == Class::Unity && exponent != Exponent::HALF
}

/// Whether the sum is a prime number itself, `ln` of which is a kernel.
fn is_prime(argument: &Poly) -> bool {
    match argument.0.as_slice() {
        [(monomial, coefficient)] if coefficient.is_one() => match monomial.0.as_slice() {
            [(id, exponent)] => id.class() == Class::Prime && *exponent == Exponent::ONE,
            _ => false,
        },
        _ => false,
    }
}

/// The Möbius function, where it is not zero.
fn mobius(mut n: usize) -> Option<i8> {
    let (mut sign, mut divisor) = (1, 2);
    while n > 1 {
        if n.is_multiple_of(divisor) {
            n /= divisor;
            sign = -sign;
            if n.is_multiple_of(divisor) {
                return None;
            }
        }
        divisor += 1;
    }
    Some(sign)
}
