//! Reads an exact number: integers, decimals, fractions, mixed numbers, scientific notation,
//! percent.

use std::fmt;

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use crate::options::{Percent, Policy, Units};
use crate::units::{self, Joint};

/// The most digits a number may be written with. Longer ones are not read
/// ([`Outcome::OverBudget`]).
///
/// [`Outcome::OverBudget`]: crate::Outcome::OverBudget
pub const MAX_DIGITS: usize = 10_000;

/// The largest power of ten of scientific notation, either way.
pub const MAX_EXPONENT: usize = 10_000;

/// The most words after a number that still pass for its unit.
const MAX_UNIT_WORDS: usize = 6;

/// The most members of a chain of equations that are read.
const MAX_CHAIN: usize = 8;

/// The most braces and parentheses that are taken off a number.
const MAX_WRAPPERS: usize = 16;

/// Why a text is not one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    NotANumber,
    Several,
    OverBudget,
}

/// A number as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantity {
    /// The number before any percent sign.
    number: RBig,
    percent: bool,
    unit: Option<&'static str>,
    /// The `x` of `x = 5`.
    variable: Option<String>,
}

impl Quantity {
    /// Reads normalised text that holds one number and nothing else.
    pub(crate) fn read(text: &str, policy: Policy) -> Result<Self, Unread> {
        let text = unwrap(text);
        if let Some(value) = units::spelled_out(text) {
            return Ok(Self::from(RBig::from(value)));
        }
        let read = members(text, policy);
        if read == Err(Unread::NotANumber) && is_list(text) { Err(Unread::Several) } else { read }
    }

    /// Whether this answer equals that gold.
    pub(crate) fn equals(&self, gold: &Self, policy: Policy) -> bool {
        // What only one side states is not held against it; `5 cm` is not `5 kg`, nor `x = 5` `y =
        // 5`.
        if differ(self.unit.as_ref(), gold.unit.as_ref())
            || differ(self.variable.as_ref(), gold.variable.as_ref())
        {
            return false;
        }
        if self.percent == gold.percent {
            return self.number == gold.number;
        }
        policy.percent == Percent::Unit && self.number == gold.number
            || self.value() == gold.value()
    }

    fn value(&self) -> RBig {
        if self.percent { &self.number / RBig::from(100) } else { self.number.clone() }
    }
}

impl From<RBig> for Quantity {
    fn from(number: RBig) -> Self {
        Self { number, percent: false, unit: None, variable: None }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = if self.percent { "%" } else { "" };
        write!(f, "{}{percent}", self.number)
    }
}

/// Reads `5`, `x = 5`, or a chain such as `\frac12 = 0.5` whose members must all be equal.
fn members(text: &str, policy: Policy) -> Result<Quantity, Unread> {
    let mut parts = text.split('=').peekable();
    let first = parts.peek().copied().unwrap_or_default();
    let mut variable = None;
    if first.len() < text.len() {
        variable = name(first).filter(|_| policy.assignment);
        if variable.is_some() || first.trim().is_empty() {
            parts.next();
        }
    }
    let mut chain: Option<Quantity> = None;
    for (position, part) in parts.enumerate() {
        if position == MAX_CHAIN {
            return Err(Unread::OverBudget);
        }
        let member = quantity(part, policy)?;
        match &chain {
            Some(earlier) if earlier.value() != member.value() => return Err(Unread::Several),
            Some(_) => {}
            None => chain = Some(member),
        }
    }
    let mut value = chain.ok_or(Unread::NotANumber)?;
    value.variable = variable.filter(|name| !name.is_empty());
    Ok(value)
}

/// Whether both sides state something, and not the same.
fn differ<T: PartialEq>(left: Option<T>, right: Option<T>) -> bool {
    left.zip(right).is_some_and(|(left, right)| left != right)
}

fn quantity(text: &str, policy: Policy) -> Result<Quantity, Unread> {
    let mut cursor = Cursor { rest: unwrap(text), quoted: false };
    let mut negative = cursor.sign();
    if units::is_currency(cursor.peek_word()) {
        cursor.word();
        cursor.eat(".");
    }
    cursor.gap();
    if !negative {
        negative = cursor.sign(); // `$-5`
    }
    let magnitude = magnitude(&mut cursor)?;
    let number = if negative { -magnitude } else { magnitude };
    let mut quantity = Quantity::from(number);
    suffix(&mut cursor, policy, &mut quantity)?;
    Ok(quantity)
}

/// A number without its sign: plain, a fraction, or mixed.
fn magnitude(cursor: &mut Cursor) -> Result<RBig, Unread> {
    if cursor.eat("\\frac") {
        return ratio(cursor);
    }
    let first = plain(cursor)?;
    let mut ahead = *cursor;
    ahead.gap();
    if ahead.eat("\\frac") {
        let part = ratio(&mut ahead)?;
        // Only a proper fraction is mixed; `2\frac32` may as well be a product.
        if !first.is_int() || part < RBig::ZERO || part >= RBig::ONE {
            return Err(Unread::NotANumber);
        }
        *cursor = ahead;
        return Ok(first + part);
    }
    if ahead.eat("/") {
        ahead.gap();
        if ahead.rest.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.')) {
            let negative = ahead.sign();
            let quotient = divide(first, plain(&mut ahead)?)?;
            *cursor = ahead;
            return Ok(if negative { -quotient } else { quotient });
        }
    } else if first.is_int()
        && ahead.rest.len() < cursor.rest.len()
        && let Ok(numerator) = plain(&mut ahead)
        && ahead.eat("/")
    {
        let part = divide(numerator, plain(&mut ahead)?)?;
        if part >= RBig::ONE {
            return Err(Unread::NotANumber);
        }
        *cursor = ahead;
        return Ok(first + part);
    }
    Ok(first)
}

/// The two arguments of `\frac`.
fn ratio(cursor: &mut Cursor) -> Result<RBig, Unread> {
    let numerator = argument(cursor)?;
    divide(numerator, argument(cursor)?)
}

/// `{..}` with a number in it, or one digit.
fn argument(cursor: &mut Cursor) -> Result<RBig, Unread> {
    cursor.gap();
    if cursor.eat("{") {
        cursor.gap();
        let negative = cursor.sign();
        let number = plain(cursor)?;
        cursor.gap();
        if !cursor.eat("}") {
            return Err(Unread::NotANumber);
        }
        return Ok(if negative { -number } else { number });
    }
    let digit = cursor.rest.bytes().next().filter(u8::is_ascii_digit).ok_or(Unread::NotANumber)?;
    cursor.rest = &cursor.rest[1..];
    Ok(RBig::from(digit - b'0'))
}

fn divide(numerator: RBig, denominator: RBig) -> Result<RBig, Unread> {
    if denominator.is_zero() { Err(Unread::NotANumber) } else { Ok(numerator / denominator) }
}

/// Digits with grouping, decimals and a power of ten; no sign.
fn plain(cursor: &mut Cursor) -> Result<RBig, Unread> {
    let lead = cursor.digits();
    let mut digits = String::from(lead);
    if !lead.is_empty() {
        groups(cursor, &mut digits)?;
    }
    let mut exponent = 0_i64;
    if digits == "10" && is_power(cursor.rest) {
        cursor.eat("^");
        digits.truncate(1);
        exponent = power(cursor)?;
    } else {
        let decimals = decimals(cursor, lead.is_empty())?;
        digits.push_str(decimals);
        exponent -= i64::try_from(decimals.len()).map_err(|_| Unread::OverBudget)?;
        exponent += scientific(cursor)?;
    }
    if digits.len() > MAX_DIGITS || exponent.unsigned_abs() > (MAX_DIGITS + MAX_EXPONENT) as u64 {
        return Err(Unread::OverBudget);
    }
    let number = match digits.parse::<u64>() {
        Ok(small) => IBig::from(small),
        Err(_) => IBig::from_str_radix(&digits, 10).map_err(|_| Unread::NotANumber)?,
    };
    if exponent == 0 {
        return Ok(RBig::from(number));
    }
    let shift = UBig::from(10_u8).pow(usize::try_from(exponent.unsigned_abs()).unwrap_or(0));
    Ok(if exponent > 0 {
        RBig::from(number * IBig::from(shift))
    } else {
        RBig::from_parts(number, shift)
    })
}

/// The further groups of `1,234,567` or `1 234 567`. A comma between digits that do not group is an
/// error: `1,23` may be a list, or a decimal of another country.
fn groups(cursor: &mut Cursor, digits: &mut String) -> Result<(), Unread> {
    let can_group = digits.len() <= 3 && !digits.starts_with('0');
    let comma = starts_group(cursor.rest, ',');
    if comma.is_some() {
        while let Some(length) = starts_group(cursor.rest, ',') {
            if length != 3 || !can_group {
                return Err(Unread::Several);
            }
            digits.push_str(&cursor.rest[1..4]);
            cursor.rest = &cursor.rest[4..];
        }
        return Ok(());
    }
    let mut rest = cursor.rest;
    let before = digits.len();
    while can_group && starts_group(rest, ' ') == Some(3) {
        digits.push_str(&rest[1..4]);
        rest = &rest[4..];
    }
    if rest.starts_with('/') {
        digits.truncate(before); // `1 234/567` is mixed
    } else {
        cursor.rest = rest;
    }
    Ok(())
}

/// The number of digits right after a separator, if there are any.
fn starts_group(rest: &str, separator: char) -> Option<usize> {
    let rest = rest.strip_prefix(separator)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then_some(digits)
}

/// The digits after a decimal point: none in `5` and `5.`, at least one in `.5`.
fn decimals<'a>(cursor: &mut Cursor<'a>, required: bool) -> Result<&'a str, Unread> {
    let point = cursor.eat(".");
    let decimals = if point { cursor.digits() } else { "" };
    if required && decimals.is_empty() { Err(Unread::NotANumber) } else { Ok(decimals) }
}

/// The exponent of `e3`, `*10^3` or `*10^{-3}`; 0 if there is none.
fn scientific(cursor: &mut Cursor) -> Result<i64, Unread> {
    let mut ahead = *cursor;
    if ahead.eat("e") || ahead.eat("E") {
        if ahead.rest.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')) {
            let negative = ahead.sign();
            let exponent = exponent(ahead.digits())?;
            *cursor = ahead;
            return Ok(if negative { -exponent } else { exponent });
        }
        return Ok(0);
    }
    ahead.gap();
    if ahead.eat("*") || ahead.eat("x") {
        ahead.gap();
        if ahead.eat("10^") {
            *cursor = ahead;
            return power(cursor);
        }
    }
    Ok(0)
}

/// Whether a power follows, rather than the `^\circ` of a degree.
fn is_power(rest: &str) -> bool {
    rest.strip_prefix('^').is_some_and(|power| !power.trim_start_matches('{').starts_with('\\'))
}

/// What follows `10^`.
fn power(cursor: &mut Cursor) -> Result<i64, Unread> {
    let braced = cursor.eat("{");
    let negative = cursor.sign();
    let exponent = exponent(cursor.digits())?;
    if braced && !cursor.eat("}") {
        return Err(Unread::NotANumber);
    }
    Ok(if negative { -exponent } else { exponent })
}

fn exponent(digits: &str) -> Result<i64, Unread> {
    if digits.is_empty() {
        return Err(Unread::NotANumber);
    }
    match digits.parse::<i64>() {
        Ok(exponent) if exponent.unsigned_abs() <= MAX_EXPONENT as u64 => Ok(exponent),
        _ => Err(Unread::OverBudget),
    }
}

/// Percent signs, degrees, scales ("2 million") and unit words up to the end.
fn suffix(cursor: &mut Cursor, policy: Policy, out: &mut Quantity) -> Result<(), Unread> {
    let mut words = 0;
    loop {
        let spaced = cursor.gap();
        if cursor.rest.is_empty() {
            return Ok(());
        }
        let bare = words == 0 && !out.percent;
        let units = policy.units == Units::Ignore && words < MAX_UNIT_WORDS;
        if bare && cursor.eat("%") {
            out.percent = true;
            continue;
        }
        if bare && units && cursor.eat_any(&["°", "^\\circ", "^{\\circ}"]) {
            out.unit = Some(units::DEGREES);
            words += 1;
            continue;
        }
        if words > 0 && cursor.eat_any(&["^2", "^3", "^{2}", "^{3}", "²", "³"]) {
            continue;
        }
        let follows = words > 0;
        let joined = cursor.eat("/") || follows && cursor.eat_any(&["-", "*"]);
        if joined {
            cursor.gap();
        }
        let word = cursor.word().to_lowercase();
        if bare && let Some(power) = units::scale(&word) {
            out.number *= RBig::from(10_u64.pow(power));
            words += 1;
            continue;
        }
        if bare && matches!(word.as_str(), "percent" | "pct") {
            out.percent = true;
            continue;
        }
        let joint = match (cursor.quoted, follows, joined, spaced) {
            (true, ..) => Joint::Quoted,
            (_, true, true, _) => Joint::Joined,
            (_, true, false, _) => Joint::Follows,
            (_, false, false, false) => Joint::Glued,
            _ => Joint::Spaced,
        };
        if !units || !units::may_follow(&word, joint) {
            return Err(Unread::NotANumber);
        }
        if words == 0 && !joined {
            out.unit = units::known(&word);
        }
        words += 1;
    }
}

/// Takes final punctuation and enclosing braces and parentheses off; not an ellipsis, for `3.14...`
/// is not `3.14`.
fn unwrap(text: &str) -> &str {
    let space = |c: char| matches!(c, ' ' | '"');
    let mut text = text.trim_matches(space);
    if !text.ends_with("..") {
        text = text.trim_end_matches(|c: char| space(c) || matches!(c, '.' | ',' | ';' | ':'));
    }
    for _ in 0..MAX_WRAPPERS {
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let inner =
            inner.or_else(|| text.strip_prefix('(').and_then(|text| text.strip_suffix(')')));
        let Some(inner) = inner else { break };
        text = inner.trim_matches(space);
    }
    text
}

/// The name that stands before `=` in `x`, `x_1`, `\theta`, `f(x)`; empty for words (`Total cost`).
fn name(text: &str) -> Option<String> {
    const COMMANDS: [&str; 10] =
        ["alpha", "beta", "gamma", "delta", "theta", "lambda", "mu", "phi", "omega", "angle"];
    let text = text.trim_matches(|c: char| matches!(c, ' ' | '"' | '\''));
    let text = text.strip_suffix(')').map_or(text, |call| {
        let argument = call.rfind('(').map_or("(", |at| &call[at + 1..]);
        let simple = argument.len() <= 3 && argument.bytes().all(|b| b.is_ascii_alphanumeric());
        if simple { &call[..call.len() - argument.len() - 1] } else { text }
    });
    let (base, subscript) = text.split_once('_').unwrap_or((text, ""));
    let command = base.strip_prefix('\\').is_some_and(|name| COMMANDS.contains(&name.trim()));
    let mut words = base.split(' ').filter(|word| !word.is_empty());
    let is_word =
        |word: &str| word.chars().all(char::is_alphabetic) && units::neutral(&word.to_lowercase());
    let named = base.len() <= 64 && !base.trim().is_empty() && words.all(is_word);
    let subscript = subscript.trim_matches(['{', '}', '"', ' ']);
    if !(command || named) || !subscript.chars().all(char::is_alphanumeric) {
        return None;
    }
    let variable = command || base.trim().chars().nth(1).is_none();
    Some(if variable { format!("{}{subscript}", base.trim()) } else { String::new() })
}

/// Whether text that is no number looks like several: two runs of digits and a separator.
fn is_list(text: &str) -> bool {
    let separated = text.contains([',', ';', '='])
        || text.split(|c: char| !c.is_alphabetic()).any(|word| matches!(word, "or" | "and"));
    let mut runs = text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    separated && runs.nth(1).is_some()
}

/// A place in normalised text.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    rest: &'a str,
    /// Inside the argument of a text command.
    quoted: bool,
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, expected: &str) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn eat_any(&mut self, expected: &[&str]) -> bool {
        expected.iter().any(|expected| self.eat(expected))
    }

    /// Skips spaces and quotes; says whether there were any.
    fn gap(&mut self) -> bool {
        let rest = self.rest.trim_start_matches([' ', '"']);
        let gap = &self.rest[..self.rest.len() - rest.len()];
        self.quoted ^= gap.matches('"').count() % 2 == 1;
        self.rest = rest;
        !gap.is_empty()
    }

    /// Skips a sign; says whether it is a minus.
    fn sign(&mut self) -> bool {
        self.gap();
        let negative = self.eat("-");
        if !negative {
            self.eat("+");
        }
        self.gap();
        negative
    }

    fn digits(&mut self) -> &'a str {
        self.take(self.rest.bytes().take_while(u8::is_ascii_digit).count())
    }

    fn word(&mut self) -> &'a str {
        self.take(self.peek_word().len())
    }

    fn peek_word(&self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_alphabetic() && c != '\'');
        &self.rest[..end.unwrap_or(self.rest.len())]
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}
