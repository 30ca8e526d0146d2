//! Numbers of different types, compared exactly and at a bounded cost.

use std::cmp::Ordering;

use dashu_int::IBig;
use dashu_int::ops::BitTest;

use super::Value;

/// The longest text of a decimal, and so the most digits.
const MAX_DECIMAL_TEXT: usize = 10_000;

/// The longest part of a fraction or a range, in bits: a comparison multiplies them.
const MAX_PART_BITS: usize = 1 << 15;

/// Beyond this many digits or powers of ten a decimal equals decimals only: hostile ones would make each
/// comparison with another type an expensive one.
const MAX_MIXED_DIGITS: i64 = 400;

/// `decimal.Decimal`, as written and as a number.
#[derive(Clone, Debug)]
pub struct Decimal {
    text: String,
    number: DecimalNumber,
}

#[derive(Clone, Debug)]
enum DecimalNumber {
    Nan,
    Infinite {
        negative: bool,
    },
    Zero,
    /// 0.DIGITS times ten to the `scale`; no zeros at either end.
    Finite {
        negative: bool,
        digits: String,
        scale: i64,
    },
}

impl Decimal {
    /// Reads what `str(decimal)` writes; `None` if it is something else, or longer than 10,000 characters.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() <= MAX_DECIMAL_TEXT).then_some(())?;
        Some(Self { text: text.to_owned(), number: DecimalNumber::parse(text)? })
    }

    /// As `str` writes it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl DecimalNumber {
    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let lower = unsigned.to_ascii_lowercase();
        if lower == "inf" || lower == "infinity" {
            return Some(Self::Infinite { negative });
        }
        let nan = lower.strip_prefix('s').unwrap_or(&lower).strip_prefix("nan");
        if let Some(payload) = nan {
            return payload.bytes().all(|byte| byte.is_ascii_digit()).then_some(Self::Nan);
        }

        let (mantissa, exponent) = match lower.split_once('e') {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (lower.as_str(), 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        let leading = i64::try_from(digits.len() - significant.len()).ok()?;
        let scale = exponent.checked_add(i64::try_from(whole.len()).ok()? - leading)?;
        let significant = significant.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self::Zero);
        }
        Some(Self::Finite { negative, digits: significant.to_owned(), scale })
    }

    /// Never `None` but for NaN.
    fn compare(&self, other: &Self) -> Option<Ordering> {
        let sign = self.sign()?.cmp(&other.sign()?);
        let (
            Self::Finite { negative, digits, scale },
            Self::Finite { digits: other_digits, scale: other_scale, .. },
        ) = (self, other)
        else {
            return Some(sign);
        };
        // Both begin with a digit that is not zero, so texts compare as fractions do.
        let size = scale.cmp(other_scale).then_with(|| digits.cmp(other_digits));
        Some(sign.then(if *negative { size.reverse() } else { size }))
    }

    /// -2 to 2, infinities at the ends.
    fn sign(&self) -> Option<i8> {
        match self {
            Self::Nan => None,
            Self::Infinite { negative } => Some(if *negative { -2 } else { 2 }),
            Self::Zero => Some(0),
            Self::Finite { negative, .. } => Some(if *negative { -1 } else { 1 }),
        }
    }
}

/// `fractions.Fraction`; not necessarily in lowest terms.
#[derive(Clone, Debug)]
pub struct Fraction {
    numerator: IBig,
    denominator: IBig,
}

impl Fraction {
    /// `None` unless the denominator is positive and both have at most 32,768 bits.
    pub fn new(numerator: IBig, denominator: IBig) -> Option<Self> {
        let fits = numerator.bit_len() <= MAX_PART_BITS && denominator.bit_len() <= MAX_PART_BITS;
        (fits && denominator > IBig::ZERO).then_some(Self { numerator, denominator })
    }

    /// The numerator.
    pub fn numerator(&self) -> &IBig {
        &self.numerator
    }

    /// The denominator, above zero.
    pub fn denominator(&self) -> &IBig {
        &self.denominator
    }
}

/// `range`.
#[derive(Clone, Debug)]
pub struct Range {
    start: IBig,
    end: IBig,
    step: IBig,
    len: IBig,
}

impl Range {
    /// `None` if the step is zero or a number has more than 32,768 bits.
    pub fn new(start: IBig, end: IBig, step: IBig) -> Option<Self> {
        let fits = [&start, &end, &step].iter().all(|part| part.bit_len() <= MAX_PART_BITS);
        if !fits || step == IBig::ZERO {
            return None;
        }
        let (span, stride) = if step > IBig::ZERO {
            (&end - &start, step.clone())
        } else {
            (&start - &end, -step.clone())
        };
        let len =
            if span > IBig::ZERO { (span - IBig::ONE) / stride + IBig::ONE } else { IBig::ZERO };
        Some(Self { start, end, step, len })
    }

    /// Start, stop and step.
    pub fn parts(&self) -> [&IBig; 3] {
        [&self.start, &self.end, &self.step]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == IBig::ZERO
    }

    /// What decides equality, as Python has it: the length, the first member if there is one, the step if
    /// there are two.
    pub(super) fn key(&self) -> (&IBig, Option<&IBig>, Option<&IBig>) {
        let first = (!self.is_empty()).then_some(&self.start);
        let step = (self.len > IBig::ONE).then_some(&self.step);
        (&self.len, first, step)
    }

    pub(super) fn contains(&self, number: &IBig) -> bool {
        let inside = if self.step > IBig::ZERO {
            self.start <= *number && *number < self.end
        } else {
            self.end < *number && *number <= self.start
        };
        inside && (number - &self.start) % &self.step == IBig::ZERO
    }
}

/// A real number of any type.
#[derive(Clone, Copy)]
pub(super) enum Number<'a> {
    Bool(bool),
    Int(&'a IBig),
    Float(f64),
    Decimal(&'a Decimal),
    Fraction(&'a Fraction),
}

impl<'a> Number<'a> {
    /// Complex numbers count if their imaginary part is zero.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Bool(bit) => Some(Self::Bool(*bit)),
            Value::Int(integer) => Some(Self::Int(integer)),
            Value::Float(float) => Some(Self::Float(*float)),
            Value::Complex(real, imaginary) if *imaginary == 0.0 => Some(Self::Float(*real)),
            Value::Decimal(decimal) => Some(Self::Decimal(decimal)),
            Value::Fraction(fraction) => Some(Self::Fraction(fraction)),
            Value::NumpyScalar(scalar) => Self::of(&scalar.item),
            _ => None,
        }
    }

    pub(super) fn is_nan(self) -> bool {
        match self {
            Self::Float(float) => float.is_nan(),
            Self::Decimal(decimal) => matches!(decimal.number, DecimalNumber::Nan),
            _ => false,
        }
    }

    /// NaN is not zero.
    pub(super) fn is_zero(self) -> bool {
        !self.is_nan() && self.signum() == 0
    }

    /// Whether it is compared with its own type only.
    pub(super) fn is_far(self) -> bool {
        let Self::Decimal(decimal) = self else { return false };
        let DecimalNumber::Finite { digits, scale, .. } = &decimal.number else { return false };
        scale.unsigned_abs() > MAX_MIXED_DIGITS.unsigned_abs()
            || i64::try_from(digits.len()).is_ok_and(|count| count > MAX_MIXED_DIGITS)
    }

    /// Its integer, if it is one and of bounded size.
    pub(super) fn to_integer(self) -> Option<IBig> {
        match self {
            Self::Int(integer) => Some(integer.clone()),
            _ if self.is_far() => None,
            _ => {
                let (numerator, denominator) = self.to_ratio()?;
                (&numerator % &denominator == IBig::ZERO).then(|| numerator / denominator)
            }
        }
    }

    /// The nearest float.
    pub(super) fn to_f64(self) -> f64 {
        match self {
            Self::Bool(bit) => f64::from(u8::from(bit)),
            Self::Int(integer) => integer.to_f64().value(),
            Self::Float(float) => float,
            Self::Decimal(decimal) => decimal.text.parse().unwrap_or(f64::NAN),
            Self::Fraction(fraction) => ratio_to_f64(fraction),
        }
    }

    /// The exact order; `None` if there is a NaN or one [is far](Self::is_far) and not the other's type.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
            (Self::Decimal(a), Self::Decimal(b)) => a.number.compare(&b.number),
            (a, b) => compare_mixed(a, b),
        }
    }

    /// The sign of what is infinite.
    fn infinity(self) -> Option<i8> {
        match self {
            Self::Float(float) if float.is_infinite() => Some(if float > 0.0 { 1 } else { -1 }),
            Self::Decimal(decimal) => match decimal.number {
                DecimalNumber::Infinite { negative } => Some(if negative { -1 } else { 1 }),
                _ => None,
            },
            _ => None,
        }
    }

    /// Numerator and positive denominator of a finite number that is not far.
    fn to_ratio(self) -> Option<(IBig, IBig)> {
        match self {
            Self::Bool(bit) => Some((IBig::from(u8::from(bit)), IBig::ONE)),
            Self::Int(integer) => Some((integer.clone(), IBig::ONE)),
            Self::Float(float) => float_ratio(float),
            Self::Fraction(fraction) => {
                Some((fraction.numerator.clone(), fraction.denominator.clone()))
            }
            Self::Decimal(decimal) => match &decimal.number {
                DecimalNumber::Zero => Some((IBig::ZERO, IBig::ONE)),
                DecimalNumber::Finite { negative, digits, scale } => {
                    let mut coefficient: IBig = digits.parse().ok()?;
                    if *negative {
                        coefficient = -coefficient;
                    }
                    let exponent = scale - i64::try_from(digits.len()).ok()?;
                    let power =
                        IBig::from(10_u8).pow(usize::try_from(exponent.unsigned_abs()).ok()?);
                    Some(if exponent < 0 {
                        (coefficient, power)
                    } else {
                        (coefficient * power, IBig::ONE)
                    })
                }
                DecimalNumber::Nan | DecimalNumber::Infinite { .. } => None,
            },
        }
    }

    /// An interval around the base-2 logarithm of its magnitude; `None` for zero.
    fn magnitude(self) -> Option<(i64, i64)> {
        let bits = |integer: &IBig| i64::try_from(integer.bit_len()).ok();
        match self {
            Self::Bool(bit) => bit.then_some((0, 1)),
            Self::Int(integer) if *integer == IBig::ZERO => None,
            Self::Int(integer) => bits(integer).map(|count| (count - 1, count)),
            Self::Fraction(fraction) if fraction.numerator == IBig::ZERO => None,
            Self::Fraction(fraction) => {
                let size = bits(&fraction.numerator)? - bits(&fraction.denominator)?;
                Some((size - 2, size + 2))
            }
            Self::Float(_) | Self::Decimal(_) => {
                let (numerator, denominator) = self.to_ratio()?;
                if numerator == IBig::ZERO {
                    return None;
                }
                let size = bits(&numerator)? - bits(&denominator)?;
                Some((size - 2, size + 2))
            }
        }
    }

    fn signum(self) -> i8 {
        let of = |ordering: Ordering| match ordering {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        };
        match self {
            Self::Bool(bit) => i8::from(bit),
            Self::Int(integer) => of(integer.cmp(&IBig::ZERO)),
            Self::Fraction(fraction) => of(fraction.numerator.cmp(&IBig::ZERO)),
            Self::Float(float) => of(float.partial_cmp(&0.0).unwrap_or(Ordering::Equal)),
            Self::Decimal(decimal) => decimal.number.sign().unwrap_or(0).signum(),
        }
    }
}

fn compare_mixed(a: Number<'_>, b: Number<'_>) -> Option<Ordering> {
    if a.is_nan() || b.is_nan() {
        return None;
    }
    if a.infinity().is_some() || b.infinity().is_some() {
        return Some(a.infinity().unwrap_or(0).cmp(&b.infinity().unwrap_or(0)));
    }
    if a.is_far() || b.is_far() {
        return None;
    }
    if let (Some(a), Some(b)) = (small(a), small(b)) {
        return Some(a.cmp(&b));
    }
    let sign = a.signum();
    if sign != b.signum() || sign == 0 {
        return Some(sign.cmp(&b.signum()));
    }
    // Numbers of different size are told apart by their lengths, so that a huge one is never multiplied.
    let ((a_low, a_high), (b_low, b_high)) = (a.magnitude()?, b.magnitude()?);
    let by_size = if a_low > b_high {
        Some(Ordering::Greater)
    } else if a_high < b_low {
        Some(Ordering::Less)
    } else {
        None
    };
    if let Some(size) = by_size {
        return Some(if sign < 0 { size.reverse() } else { size });
    }
    let ((a_top, a_bottom), (b_top, b_bottom)) = (a.to_ratio()?, b.to_ratio()?);
    Some((a_top * b_bottom).cmp(&(b_top * a_bottom)))
}

/// An integer that a machine word holds, without allocating.
fn small(number: Number<'_>) -> Option<i64> {
    /// 2 to the 53: every integer below is a float, so that the conversion is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number {
        Number::Bool(bit) => Some(i64::from(bit)),
        Number::Int(integer) => i64::try_from(integer).ok(),
        #[expect(clippy::cast_possible_truncation, reason = "an integer within the exact ones")]
        Number::Float(float) if float.abs() <= EXACT && float.fract() == 0.0 => Some(float as i64),
        _ => None,
    }
}

/// A finite float as a fraction: mantissa times a power of two.
fn float_ratio(float: f64) -> Option<(IBig, IBig)> {
    if !float.is_finite() {
        return None;
    }
    let bits = float.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let biased = i32::try_from((bits >> 52) & 0x7FF).ok()?;
    let (mantissa, exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | (1 << 52), biased - 1075) };
    let mut numerator = IBig::from(mantissa);
    if float < 0.0 {
        numerator = -numerator;
    }
    let shift = usize::try_from(exponent.unsigned_abs()).ok()?;
    Some(if exponent < 0 {
        (numerator, IBig::ONE << shift)
    } else {
        (numerator << shift, IBig::ONE)
    })
}

/// Good to the last bits, which is enough for a tolerance.
fn ratio_to_f64(fraction: &Fraction) -> f64 {
    let bits = |integer: &IBig| i64::try_from(integer.bit_len()).unwrap_or(0);
    // Scaled so that the integer quotient has about 64 bits.
    let shift = 64 - (bits(&fraction.numerator) - bits(&fraction.denominator));
    let scale = usize::try_from(shift.unsigned_abs()).unwrap_or(0);
    let quotient = if shift >= 0 {
        (fraction.numerator.clone() << scale) / &fraction.denominator
    } else {
        &fraction.numerator / (fraction.denominator.clone() << scale)
    };
    let exponent = i32::try_from(-shift).unwrap_or(0);
    // Two steps, as 2 to the exponent alone may overflow where the product does not.
    let half = exponent / 2;
    quotient.to_f64().value() * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}
