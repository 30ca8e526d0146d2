//! Bounds of errors.

use dashu_int::IBig;
use dashu_int::ops::{BitTest, UnsignedAbs};

const BITS: u32 = 32;

/// An upper bound of a magnitude, `man · 2^exp`: every operation rounds up unless its name says
/// otherwise. The mantissa has 32 bits or is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mag {
    man: u64,
    exp: i64,
}

impl Mag {
    pub(super) const ZERO: Self = Self { man: 0, exp: 0 };

    pub(super) const fn power_of_two(exp: i64) -> Self {
        Self { man: 1 << (BITS - 1), exp: exp - (BITS as i64 - 1) }
    }

    const fn normalised(man: u64, exp: i64) -> Self {
        if man == 0 {
            return Self::ZERO;
        }
        let bits = u64::BITS - man.leading_zeros();
        if bits <= BITS {
            return Self { man: man << (BITS - bits), exp: exp - (BITS - bits) as i64 };
        }
        let shift = bits - BITS;
        let up = (man >> shift) + (man.trailing_zeros() < shift) as u64;
        // Rounding up may carry into a 33rd bit, which is then the only one.
        let carry = (up >> BITS) as u32;
        Self { man: up >> carry, exp: exp + (shift + carry) as i64 }
    }

    /// The leading bits of `|man| · 2^exp`, cut off: a lower bound.
    pub(super) fn lower(man: &IBig, exp: i64) -> Self {
        let man = man.unsigned_abs();
        let bits = man.bit_len();
        if bits == 0 {
            return Self::ZERO;
        }
        let shift = bits.saturating_sub(BITS as usize);
        let head = u64::try_from(man >> shift).unwrap_or(u64::MAX >> BITS);
        Self::normalised(head, exp + to_i64(shift))
    }

    pub(super) fn upper(man: &IBig, exp: i64) -> Self {
        let lower = Self::lower(man, exp);
        if lower.is_zero() {
            return lower;
        }
        Self::normalised(lower.man + 1, lower.exp)
    }

    pub(super) const fn is_zero(self) -> bool {
        self.man == 0
    }

    /// The value is below `2^top`.
    pub(super) const fn top(self) -> i64 {
        if self.man == 0 { i64::MIN / 4 } else { self.exp + BITS as i64 }
    }

    pub(super) const fn add(self, other: Self) -> Self {
        let (big, small) = if self.top() >= other.top() { (self, other) } else { (other, self) };
        if small.man == 0 {
            return big;
        }
        let distance = big.exp - small.exp;
        let rest = if distance >= BITS as i64 { 1 } else { (small.man >> distance) + 1 };
        Self::normalised(big.man + rest, big.exp)
    }

    pub(super) const fn mul(self, other: Self) -> Self {
        Self::normalised(self.man * other.man, self.exp + other.exp)
    }

    /// The quotient by a lower bound that is not zero.
    pub(super) const fn div(self, lower: Self) -> Self {
        match (self.man << BITS).checked_div(lower.man) {
            Some(quotient) if self.man > 0 => {
                Self::normalised(quotient + 1, self.exp - BITS as i64 - lower.exp)
            }
            _ => Self::ZERO,
        }
    }

    pub(super) const fn shifted(self, by: i64) -> Self {
        if self.man == 0 { self } else { Self { man: self.man, exp: self.exp + by } }
    }

    /// A lower bound of the difference of a lower and an upper bound, if that is positive.
    pub(super) const fn sub_lower(self, upper: Self) -> Option<Self> {
        if upper.man == 0 {
            return if self.man == 0 { None } else { Some(self) };
        }
        if self.man == 0 || self.exp < upper.exp {
            return None;
        }
        let distance = self.exp - upper.exp;
        let rest = if distance >= BITS as i64 { 1 } else { (upper.man >> distance) + 1 };
        if self.man <= rest {
            return None;
        }
        Some(Self::normalised(self.man - rest, self.exp))
    }

    /// The value as a number times a power of two.
    pub(super) fn parts(self) -> (IBig, i64) {
        (IBig::from(self.man), self.exp)
    }
}

/// A size in bits, which always fits.
pub(super) fn to_i64(bits: usize) -> i64 {
    i64::try_from(bits).unwrap_or(i64::MAX / 8)
}
