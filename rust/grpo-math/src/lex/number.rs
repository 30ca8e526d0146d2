//! Number literals.

use std::sync::Arc;

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::{LexError, Lexer, MAX_DIGITS, MAX_EXPONENT, Token};
use crate::expr::Number;

/// Separators of groups of three digits, longest first. The comma is looked at apart.
const SEPARATORS: [&str; 11] = [
    ",\\!\\!", ",\\!", ",\\,", "{\\,}", "\\,", "\\;", "\\ ", "\u{2009}", "\u{a0}", "\u{202f}", "'",
];

impl Lexer<'_> {
    /// The number at the position.
    pub(super) fn number(&mut self) -> Result<(), LexError> {
        let start = self.at;
        let mut digits = String::new();
        self.digits(&mut digits);
        if (1..=3).contains(&digits.len()) && digits != "0" {
            self.groups(&mut digits);
        }
        let whole = digits.len();
        let mut decimal = false;
        let mut repeating = 0;
        if self.decimal_point() {
            decimal = true;
            self.at += 1;
            self.digits(&mut digits);
            repeating = self.repeating(&mut digits, whole);
        }
        let fraction = digits.len() - whole;
        if digits.len() > MAX_DIGITS {
            return Err(LexError::TooLong);
        }
        let exponent = if repeating == 0 { self.exponent()? } else { 0 };
        let mut value = match repeating {
            0 => decimal_value(&digits, fraction),
            _ => repeating_value(&digits, fraction, repeating),
        };
        if exponent != 0 {
            let scale = RBig::from(IBig::from(10).pow(exponent.unsigned_abs() as usize));
            value = if exponent > 0 { value * scale } else { value / scale };
        }
        let places = (repeating == 0 && (decimal || exponent != 0))
            .then(|| i32::try_from(fraction).unwrap_or(i32::MAX).saturating_sub(exponent));
        let after_caret = matches!(self.tokens.last(), Some(Token::Caret));
        let plain = !decimal && exponent == 0 && !after_caret;
        if plain {
            self.ordinal_suffix();
        }
        let base = if plain { self.base(&digits) } else { None };
        if let Some((radix, in_base)) = base {
            value = in_base;
            let digits: Arc<str> = digits.into();
            self.push(Token::Number(Number { value, places: None, base: Some((radix, digits)) }));
            return Ok(());
        }
        debug_assert!(self.at > start);
        self.push(Token::Number(Number { value, places, base: None }));
        Ok(())
    }

    /// `23rd` is 23.
    fn ordinal_suffix(&mut self) {
        let rest = self.rest();
        if ["st", "nd", "rd", "th"].iter().any(|suffix| rest.starts_with(suffix))
            && !rest[2..].starts_with(char::is_alphanumeric)
        {
            self.at += 2;
        }
    }

    fn digits(&mut self, into: &mut String) {
        let rest = self.rest();
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        into.push_str(&rest[..length]);
        self.at += length;
    }

    /// Further groups of exactly three digits, all after the same separator.
    fn groups(&mut self, digits: &mut String) {
        let mut used: Option<&str> = None;
        loop {
            let rest = self.rest();
            if let Some(group) = braced_comma(rest)
                && used.is_none_or(|used| used == "{,}")
                && three_digits(group)
            {
                digits.push_str(&group[..3]);
                self.at = self.text.len() - group.len() + 3;
                used = Some("{,}");
                continue;
            }
            let separator = match used {
                Some(separator) => separator,
                None => {
                    match SEPARATORS.into_iter().find(|separator| rest.starts_with(separator)) {
                        Some(separator) => separator,
                        None if rest.starts_with(',') => ",",
                        None if rest.starts_with(' ') => " ",
                        None => return,
                    }
                }
            };
            if separator == "," && (self.depth > 0 || self.reading.commas_separate) {
                return;
            }
            let Some(after) = rest.strip_prefix(separator) else { return };
            // `11,\! 111`
            let group = if separator == " " { after } else { after_separator(separator, after) };
            let ends = group.as_bytes().get(3).is_none_or(|byte| *byte != b'/') || separator != " ";
            if !three_digits(group) || !ends {
                return;
            }
            digits.push_str(&group[..3]);
            self.at = self.text.len() - group.len() + 3;
            self.seen.grouped |= separator == ",";
            used = Some(separator);
        }
    }

    /// A point that belongs to the number: digits or a bar follow, or nothing that could be meant
    /// otherwise.
    fn decimal_point(&self) -> bool {
        let Some(after) = self.rest().strip_prefix('.') else { return false };
        after.starts_with(|c: char| c.is_ascii_digit())
            || after.starts_with('(') && after[1..].starts_with(|c: char| c.is_ascii_digit())
            || ["\\overline", "\\bar", "\\dot", "\\overset", "{\\overline"]
                .iter()
                .any(|command| after.starts_with(command))
    }

    /// The repeating part of a decimal: `\overline{3}`, `\dot{1}4285\dot{7}`, `(3)`, or one digit
    /// thrice before an ellipsis. Appends its digits and returns their number.
    fn repeating(&mut self, digits: &mut String, whole: usize) -> usize {
        let rest = self.rest();
        for bar in ["\\overline", "\\bar", "\\dot", "{\\overline"] {
            let Some(after) = rest.strip_prefix(bar) else { continue };
            let before = digits.len();
            let after = after.trim_start();
            let closes = bar.starts_with('{');
            let (part, end) = match after.strip_prefix('{') {
                Some(inner) => match inner.split_once('}') {
                    Some((part, end)) => (part, end),
                    None => return 0,
                },
                None if after.starts_with(|c: char| c.is_ascii_digit()) => after.split_at(1),
                None => return 0,
            };
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return 0;
            }
            digits.push_str(part);
            let end = if closes { end.strip_prefix('}').unwrap_or(end) } else { end };
            self.at = self.text.len() - end.len();
            if bar == "\\dot" {
                self.second_dot(digits);
            }
            return digits.len() - before;
        }
        if let Some(inner) = rest.strip_prefix('(')
            && let Some((part, end)) = inner.split_once(')')
            && !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
        {
            digits.push_str(part);
            self.at = self.text.len() - end.len();
            return part.len();
        }
        for dots in ["\\ldots", "\\dots", "\\cdots", "...", "…"] {
            if let Some(end) = rest.strip_prefix(dots)
                && let Some(period) = period(&digits.as_bytes()[whole..])
            {
                self.at = self.text.len() - end.len();
                return period;
            }
        }
        0
    }

    /// `\dot{1}4285\dot{7}`: everything up to the second dot repeats.
    fn second_dot(&mut self, digits: &mut String) {
        let rest = self.rest();
        let between = rest.bytes().take_while(u8::is_ascii_digit).count();
        if let Some(after) = rest[between..].strip_prefix("\\dot")
            && let Some(inner) = after.trim_start().strip_prefix('{')
            && let Some((part, end)) = inner.split_once('}')
            && part.bytes().all(|byte| byte.is_ascii_digit())
        {
            digits.push_str(&rest[..between]);
            digits.push_str(part);
            self.at = self.text.len() - end.len();
        }
    }

    /// `e-19` of `1.6e-19`. A letter or a power after it makes the `e` Euler's number.
    fn exponent(&mut self) -> Result<i32, LexError> {
        let rest = self.rest();
        let Some(after) = rest.strip_prefix(['e', 'E']) else { return Ok(0) };
        let (sign, digits) = match after.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, after.strip_prefix('+').unwrap_or(after)),
        };
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 || digits[length..].starts_with(|c: char| c.is_alphabetic() || c == '^') {
            return Ok(0);
        }
        let size: i32 = digits[..length].parse().map_err(|_| LexError::TooLong)?;
        if size.unsigned_abs() as usize > MAX_EXPONENT {
            return Err(LexError::TooLong);
        }
        self.at += rest.len() - digits.len() + length;
        Ok(sign * size)
    }

    /// `_2`, `_{7}`, `_{\text{two}}`, `₂` after whole digits that exist in that base.
    fn base(&mut self, digits: &str) -> Option<(u32, RBig)> {
        let rest = self.rest();
        let (name, end) = if let Some(after) = rest.strip_prefix('_') {
            if let Some(inner) = after.strip_prefix('{') {
                let end = inner.find('}')?;
                match inner[..end].strip_prefix("\\text{") {
                    Some(word) => (word, inner[end + 1..].strip_prefix('}')?),
                    None => (&inner[..end], &inner[end + 1..]),
                }
            } else {
                let length = after.bytes().take(1).take_while(u8::is_ascii_digit).count();
                (&after[..length], &after[length..])
            }
        } else {
            return None;
        };
        let radix = radix(name.trim())?;
        let value = UBig::from_str_radix(digits, radix).ok()?;
        self.at = self.text.len() - end.len();
        Some((radix, RBig::from(value)))
    }
}

/// `11,\! 111`: spaces may follow a separator that is a spacing command.
fn after_separator<'t>(separator: &str, after: &'t str) -> &'t str {
    if separator.ends_with('!') || separator.ends_with("\\,") { after.trim_start() } else { after }
}

/// What follows `{,}`, also with spaces in it or before it: `14 {, }916`.
fn braced_comma(text: &str) -> Option<&str> {
    let inner = text.trim_start_matches(' ').strip_prefix('{')?.trim_start_matches(' ');
    let mut inner = inner.strip_prefix(',')?;
    loop {
        let spaces = [" ", "\\;", "\\,", "\\!", "\\:"];
        match spaces.iter().find_map(|space| inner.strip_prefix(space)) {
            Some(rest) => inner = rest,
            None => return inner.strip_prefix('}').map(|rest| rest.trim_start_matches(' ')),
        }
    }
}

/// The length of the block that repeats at the end of the digits: one digit thrice, or several
/// twice.
fn period(digits: &[u8]) -> Option<usize> {
    (1..=8).find(|&length| {
        let copies = if length == 1 { 3 } else { 2 };
        digits.len() >= copies * length
            && digits[digits.len() - (copies - 1) * length..]
                .iter()
                .zip(&digits[digits.len() - copies * length..])
                .all(|(later, earlier)| later == earlier)
    })
}

/// Whether exactly three digits follow.
fn three_digits(text: &str) -> bool {
    text.bytes().take_while(u8::is_ascii_digit).count() == 3
}

fn radix(name: &str) -> Option<u32> {
    const WORDS: [&str; 15] = [
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "thirteen", "fourteen", "fifteen", "sixteen",
    ];
    let radix = match name.parse::<u32>() {
        Ok(radix) => radix,
        Err(_) => u32::try_from(WORDS.iter().position(|word| *word == name)? + 2).ok()?,
    };
    (2..=36).contains(&radix).then_some(radix)
}

fn integer(digits: &str) -> IBig {
    // Small numbers are the common case.
    if digits.len() <= 18
        && let Ok(small) = digits.parse::<i64>()
    {
        return IBig::from(small);
    }
    IBig::from_str_radix(digits, 10).unwrap_or_default()
}

fn power_of_ten(exponent: usize) -> UBig {
    UBig::from(10_u8).pow(exponent)
}

fn decimal_value(digits: &str, fraction: usize) -> RBig {
    let numerator = integer(digits);
    if fraction == 0 {
        RBig::from(numerator)
    } else {
        RBig::from_parts(numerator, power_of_ten(fraction))
    }
}

/// With the last `repeating` digits for ever: (all digits - digits before them) / 99..900..0.
fn repeating_value(digits: &str, fraction: usize, repeating: usize) -> RBig {
    let before = &digits[..digits.len() - repeating];
    let numerator = integer(digits) - integer(before);
    let nines = power_of_ten(repeating) - UBig::ONE;
    RBig::from_parts(numerator, nines * power_of_ten(fraction.saturating_sub(repeating)))
}
