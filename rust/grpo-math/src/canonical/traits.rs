//! What is known about a kernel: kept with it, because kernels nest.

use dashu_ratio::RBig;

use super::field::{Field, Kernel, Poly, Step};
use super::monomial::{Class, Exponent, Id, Monomial};
use crate::expr::{Function, Symbol};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    /// Real where it is defined, variables being real.
    real: bool,
    /// Positive where it is real.
    positive: bool,
    /// Depends on a variable.
    variable: bool,
    /// The value with a bound on its relative error, of a positive number.
    estimate: Option<(f64, f64)>,
}

impl Field<'_> {
    pub(super) fn find_traits(&self, kernel: &Kernel) -> Traits {
        let traits = match kernel {
            Kernel::Symbol(name) => {
                Traits { real: !names_complex(name), variable: true, ..Traits::default() }
            }
            Kernel::Pi => number(std::f64::consts::PI),
            Kernel::E => number(std::f64::consts::E),
            Kernel::Prime(prime, _) => number(prime.to_f64().value()),
            Kernel::Unity => Traits::default(),
            Kernel::Sum(base) => {
                let all = self.traits_of_all([base]);
                let estimate = self.positive_estimate(base);
                // A root of a negative number is not real.
                let real = all.real && (all.variable || estimate.is_some());
                Traits { real, positive: estimate.is_some(), estimate, ..all }
            }
            Kernel::Ln(argument) => {
                let all = self.traits_of_all([argument]);
                let argument = self.positive_estimate(argument);
                let estimate = argument
                    .filter(|(value, error)| *value > 1.5 && *error < 1e-9)
                    .map(|(value, error)| (value.ln(), 4.0 * error + 1e-14));
                let real = all.real && (all.variable || argument.is_some());
                Traits { real, positive: estimate.is_some(), estimate, ..all }
            }
            Kernel::Power(base, monomial) => {
                let own = self.traits(*base);
                let product = monomial.0.iter().map(|(id, _)| self.traits(*id));
                let (mut real, mut variable) = (own.real, own.variable);
                for traits in product {
                    real &= traits.real;
                    variable |= traits.variable;
                }
                Traits { real, positive: real && own.positive, variable, estimate: None }
            }
            Kernel::Call(function, arguments) => {
                let all = self.traits_of_all(arguments);
                Traits {
                    real: match function {
                        Function::Named(_) => false,
                        Function::Asin => all.real && all.variable,
                        _ => all.real,
                    },
                    positive: *function == Function::Factorial,
                    variable: all.variable || matches!(function, Function::Named(_)),
                    estimate: None,
                }
            }
            Kernel::Big(_) => Traits { variable: true, ..Traits::default() },
        };
        Traits {
            estimate: traits.estimate.filter(|(value, error)| value.is_finite() && *error < 0.01),
            ..traits
        }
    }

    fn traits_of_all<'a>(&self, polys: impl IntoIterator<Item = &'a Poly>) -> Traits {
        let mut all = Traits { real: true, ..Traits::default() };
        for (id, _) in polys.into_iter().flat_map(Poly::kernels) {
            let traits = self.traits(id);
            all.real &= traits.real;
            all.variable |= traits.variable;
        }
        all
    }

    pub(super) fn is_real(&self, id: Id) -> bool {
        self.traits(id).real
    }

    /// Whether the kernel's power is positive wherever it is real. A sum under a root of even
    /// index is.
    pub(super) fn is_positive(&self, id: Id, exponent: Exponent) -> bool {
        let traits = self.traits(id);
        let even = exponent.denominator % 2 == 0;
        traits.positive || (id.class() == Class::Sum && even && traits.variable && traits.real)
    }

    pub(super) fn has_variables(&self, poly: &Poly) -> bool {
        poly.kernels().any(|(id, _)| self.traits(id).variable)
    }

    /// Whether the kernel is `e^(i t)` with a real t.
    pub(super) fn is_phase(&self, id: Id) -> bool {
        let Some(Kernel::Power(base, monomial)) = self.kernel(id) else { return false };
        self.is_positive(*base, Exponent::ONE)
            && monomial
                .imaginary_part()
                .is_some_and(|rest| rest.0.iter().all(|(id, _)| self.is_real(*id)))
    }

    /// The sign of a real number that is not too close to zero.
    pub(super) fn sign(&mut self, value: &Poly) -> Step<Option<i64>> {
        self.spend(1 + value.0.len() as u64)?;
        if let Some(value) = value.value() {
            let negative = value < RBig::ZERO;
            return Ok(Some(i64::from(!value.is_zero()) - 2 * i64::from(negative)));
        }
        let Some((value, error)) = self.approximate(value) else { return Ok(None) };
        Ok(if value > error {
            Some(1)
        } else if value < -error {
            Some(-1)
        } else {
            None
        })
    }

    /// A real number with a bound on its error.
    pub(super) fn approximate(&self, poly: &Poly) -> Option<(f64, f64)> {
        let (mut sum, mut error) = (0.0, 0.0);
        for (monomial, coefficient) in &poly.0 {
            let (value, relative) = self.approximate_product(monomial)?;
            let term = value * coefficient.to_f64_fast();
            sum += term;
            error += term.abs() * (relative + 1e-12);
        }
        (f64::is_finite(sum) && f64::is_finite(error)).then_some((sum, error))
    }

    /// The value with a bound on its relative error, if it is certainly positive.
    fn positive_estimate(&self, poly: &Poly) -> Option<(f64, f64)> {
        let (value, error) = self.approximate(poly)?;
        (value > 2.0 * error).then_some((value, 2.0 * error / value))
    }

    /// A product of positive kernels with a bound on its relative error.
    fn approximate_product(&self, monomial: &Monomial) -> Option<(f64, f64)> {
        let (mut product, mut relative) = (1.0, 0.0);
        for (id, exponent) in &monomial.0 {
            let (base, bound) = self.traits(*id).estimate?;
            #[expect(clippy::cast_precision_loss, reason = "the error bound covers it")]
            let power = exponent.numerator as f64 / exponent.denominator as f64;
            product *= base.powf(power);
            relative += (bound + 1e-15) * (power.abs() + 1.0) * 2.0
                + 1e-14 * (1.0 + (power * base.ln()).abs());
        }
        (relative < 0.01 && product > 0.0).then_some((product, 2.0 * relative))
    }
}

fn number(value: f64) -> Traits {
    Traits { real: true, positive: true, variable: false, estimate: Some((value, 1e-15)) }
}

/// Letters that by custom stand for complex numbers.
fn names_complex(name: &Symbol) -> bool {
    matches!(name.as_bytes(), [b'z' | b'w'] | [b'z' | b'w', b'_' | b'\'', ..])
}
