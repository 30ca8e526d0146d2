//! Statistics that merge: what one rank knows and what another knows make what both know.

use crate::Error;

/// Count, mean, squared deviations, least and greatest of weighted numbers.
///
/// The two ends make equality of all numbers an exact question, also over ranks. Summed squared
/// deviations do not cancel as sums of squares would (Chan, Golub and `LeVeque`, 1979).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Sum of the weights; the number of values when each weighs 1.
    pub count: f64,
    /// NaN when there is nothing to take it of.
    pub mean: f64,
    /// Sum of weight times squared distance to the mean.
    pub squares: f64,
    /// Infinity of nothing.
    pub min: f64,
    /// Minus infinity of nothing.
    pub max: f64,
}

impl Moments {
    /// The moments of nothing, which change nothing when merged.
    pub const EMPTY: Self = Self {
        count: 0.0,
        mean: f64::NAN,
        squares: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
    };

    /// The moments of values of weight 1.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        Self::weighted(values.map(|value| (value, 1.0)))
    }

    /// The moments of pairs (value, weight); a value of weight 0 is not there.
    #[expect(clippy::float_cmp, reason = "equality of all values must be exact")]
    pub fn weighted(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let pairs = pairs.filter(|&(_, weight)| weight > 0.0);
        let (mut count, mut sum) = (0.0, 0.0);
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for (value, weight) in pairs.clone() {
            count += weight;
            sum += weight * value;
            min = min.min(value);
            max = max.max(value);
        }
        if count == 0.0 {
            return Self::EMPTY;
        }
        if min == max {
            return Self { count, mean: min, squares: 0.0, min, max };
        }
        let mean = sum / count;
        let squares = pairs.map(|(value, weight)| weight * (value - mean).powi(2)).sum();
        Self { count, mean, squares, min, max }
    }

    /// The moments of two sets together.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "equality of all values must be exact")]
    pub fn merge(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let (min, max) = (self.min.min(other.min), self.max.max(other.max));
        if min == max {
            return Self { count, mean: min, squares: 0.0, min, max };
        }
        let distance = other.mean - self.mean;
        let share = other.count / count;
        Self {
            count,
            mean: self.mean + distance * share,
            squares: self.squares + other.squares + distance * distance * self.count * share,
            min,
            max,
        }
    }

    /// True when all values are the same, tested exactly; also for none.
    pub fn constant(&self) -> bool {
        self.min >= self.max
    }

    /// Variance with `ddof` degrees of freedom taken off; exactly 0 when all values are the same.
    pub fn variance(&self, ddof: u8) -> f64 {
        if self.constant() || self.count <= f64::from(ddof) {
            return 0.0;
        }
        self.squares / (self.count - f64::from(ddof))
    }

    /// Square root of [`Self::variance`].
    pub fn std(&self, ddof: u8) -> f64 {
        self.variance(ddof).sqrt()
    }
}

/// The moments of an array, weighted by a second one if there is one.
///
/// # Errors
/// [`Error::Length`] when the two differ in length, [`Error::NotFinite`] for a value of weight above 0
/// that is no number, [`Error::Weight`] for a weight below 0 or not finite.
pub fn moments(values: &[f64], weights: Option<&[f64]>) -> Result<Moments, Error> {
    if let Some(weights) = weights {
        if weights.len() != values.len() {
            return Err(Error::Length {
                what: "weights",
                got: weights.len(),
                expected: values.len(),
            });
        }
        if let Some(index) = weights.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
            return Err(Error::Weight { index, value: weights[index] });
        }
    }
    let weight = |index: usize| weights.map_or(1.0, |weights| weights[index]);
    if let Some(index) = (0..values.len()).find(|&i| weight(i) > 0.0 && !values[i].is_finite()) {
        return Err(Error::NotFinite { what: "value", index, value: values[index] });
    }
    Ok(Moments::weighted(values.iter().enumerate().map(|(index, &value)| (value, weight(index)))))
}
