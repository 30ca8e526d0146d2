//! Exponentials and logarithms.

use dashu_int::ops::Abs as _;
use dashu_ratio::RBig;

use super::field::{Field, Kernel, Poly, Step, Stop};
use super::monomial::{Class, Exponent, Id, Monomial};
use super::power::Branch;
use crate::expr::Function;

impl Field<'_> {
    fn logarithm_of_kernel(&mut self, id: Id) -> Step<Id> {
        self.intern(Kernel::Ln(Poly::kernel(id)))
    }

    /// A factor `ln k` of the product, with its kernel k.
    fn logarithm_in(&self, monomial: &Monomial) -> Option<(Id, Id)> {
        monomial.0.iter().filter(|(_, exponent)| *exponent == Exponent::ONE).find_map(|(id, _)| {
            let Some(Kernel::Ln(Poly(terms))) = self.kernel(*id) else { return None };
            match terms.as_slice() {
                [(argument, coefficient)] if coefficient.is_one() => match argument.0.as_slice() {
                    [(base, exponent)] if *exponent == Exponent::ONE => Some((*id, *base)),
                    _ => None,
                },
                _ => None,
            }
        })
    }

    /// `e^argument`
    pub(super) fn exponential(&mut self, argument: &Poly) -> Step<Poly> {
        let argument = self.settle(argument)?;
        let mut product = Poly::integer(1);
        for (monomial, coefficient) in &argument.0 {
            let scale = Exponent::from_rational(coefficient).ok_or(Stop::Unknown)?;
            let factor = self.exponential_term(monomial, scale)?;
            product = self.multiply(&product, &factor)?;
        }
        Ok(product)
    }

    pub(super) fn exponential_term(&mut self, monomial: &Monomial, scale: Exponent) -> Step<Poly> {
        self.spend(2)?;
        let e = self.intern(Kernel::E)?;
        if monomial.is_one() {
            return Ok(Poly::term(Monomial::kernel(e, scale), RBig::ONE));
        }
        if let Some((log, base)) = self.logarithm_in(monomial) {
            let rest = monomial.without(log);
            return self.kernel_power(base, &rest, scale);
        }
        if let Some(rest) = monomial.imaginary_part()
            && let [(id, exponent)] = rest.0.as_slice()
            && *exponent == Exponent::ONE
            && let Some(power) = self.phase(*id, scale)?
        {
            return Ok(power);
        }
        let id = self.intern(Kernel::Power(e, monomial.clone()))?;
        Ok(Poly::term(Monomial::kernel(id, scale), RBig::ONE))
    }

    /// `e^(i scale k)` for π and the inverse functions.
    fn phase(&mut self, id: Id, scale: Exponent) -> Step<Option<Poly>> {
        if matches!(self.kernel(id), Some(Kernel::Pi)) {
            let unity = self.intern(Kernel::Unity)?;
            return Ok(Some(self.reduce(Monomial::kernel(unity, scale), RBig::ONE)?));
        }
        let Some(Kernel::Call(function, arguments)) = self.kernel(id) else { return Ok(None) };
        let (arc_sine, argument) = match (function, arguments.as_slice()) {
            (Function::Asin, [argument]) => (true, argument.clone()),
            (Function::Atan, [argument]) => (false, argument.clone()),
            _ => return Ok(None),
        };
        if !scale.is_integer() || scale.numerator.abs() > 8 {
            return Ok(None);
        }
        let square = self.square(&argument)?;
        let i = self.imaginary()?;
        let mut sine = self.multiply(&argument, &i)?;
        if scale.is_negative() {
            sine = sine.negate();
        }
        let base = if arc_sine {
            let rest = self.subtract(Poly::integer(1), square)?;
            let cosine = self.root_power(&rest, Exponent::HALF, Branch::Real)?;
            self.add(cosine, sine)?
        } else {
            let rest = self.add(Poly::integer(1), square)?;
            let cosine = self.root_power(&rest, Exponent::HALF, Branch::Real)?;
            let sum = self.add(Poly::integer(1), sine)?;
            self.quotient(&sum, &cosine)?
        };
        Ok(Some(self.whole_power(&base, scale.numerator.abs())?))
    }

    /// The natural logarithm.
    pub(super) fn logarithm(&mut self, argument: &Poly) -> Step<Poly> {
        let argument = self.settle(argument)?;
        let [(monomial, coefficient)] = argument.0.as_slice() else {
            if argument.is_zero() {
                return Err(Stop::Unknown);
            }
            let content = self.content(&argument)?;
            let primitive = self.scale(argument, &(RBig::ONE / &content))?;
            let sum = self.atom(Kernel::Ln(primitive))?;
            let factors = self.factors(&content)?;
            return self.add_logarithms(sum, &factors);
        };
        let negative = coefficient < &RBig::ZERO;
        let factors = self.factors(&coefficient.clone().abs())?;
        let mut sum = self.add_logarithms(Poly::ZERO, &factors)?;
        let (mut rest, mut phase) = (Monomial::ONE, Exponent::ZERO);
        for (id, exponent) in &monomial.0 {
            if id.class() == Class::Unity {
                phase = *exponent;
            } else if self.is_positive(*id, *exponent) {
                sum = self.add_logarithms(sum, &[(*id, *exponent)])?;
            } else {
                rest.0.push((*id, *exponent));
            }
        }
        if negative {
            let turn = if phase.is_zero() { 1 } else { -1 };
            phase = phase.plus(Exponent::integer(turn)).ok_or(Stop::Unknown)?;
        }
        if rest.is_one() {
            if !phase.is_zero() {
                let (pi, i) = (self.pi()?, self.imaginary()?);
                let angle = self.multiply(&pi, &i)?;
                let angle = self.scale(angle, &phase.rational())?;
                sum = self.add(sum, angle)?;
            }
            return Ok(sum);
        }
        let rest = self.logarithm_of_rest(&rest, phase)?;
        self.add(sum, rest)
    }

    /// The logarithm of a product of unknown sign.
    fn logarithm_of_rest(&mut self, rest: &Monomial, phase: Exponent) -> Step<Poly> {
        if let [(id, exponent)] = rest.0.as_slice() {
            let odd = exponent.numerator % 2 != 0;
            if phase.is_zero() && odd && !self.is_complex_power(*id) {
                return self.add_logarithms(Poly::ZERO, &[(*id, *exponent)]);
            }
        }
        let mut inside = Poly::term(rest.clone(), RBig::ONE);
        if !phase.is_zero() {
            let unity = self.intern(Kernel::Unity)?;
            let factor = self.reduce(Monomial::kernel(unity, phase), RBig::ONE)?;
            inside = self.multiply(&inside, &factor)?;
        }
        self.atom(Kernel::Ln(inside))
    }

    fn add_logarithms(&mut self, sum: Poly, factors: &[(Id, Exponent)]) -> Step<Poly> {
        let mut sum = sum;
        for (id, exponent) in factors {
            let (scale, log) = match self.kernel(*id) {
                Some(Kernel::E) => (*exponent, Poly::integer(1)),
                Some(Kernel::Power(base, monomial)) => {
                    let (base, monomial) = (*base, Poly::term(monomial.clone(), RBig::ONE));
                    let log = self.add_logarithms(Poly::ZERO, &[(base, Exponent::ONE)])?;
                    (*exponent, self.multiply(&log, &monomial)?)
                }
                Some(Kernel::Sum(base)) => {
                    let base = base.clone();
                    (*exponent, self.atom(Kernel::Ln(base))?)
                }
                _ => (*exponent, Poly::kernel(self.logarithm_of_kernel(*id)?)),
            };
            let term = self.scale(log, &scale.rational())?;
            sum = self.add(sum, term)?;
        }
        Ok(sum)
    }
}
