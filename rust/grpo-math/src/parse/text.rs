//! Answers that are no formula: words, choices, times, dates, European numbers.

use dashu_ratio::RBig;

use super::Parsed;
use crate::budget::Budget;
use crate::expr::{Constant, Expr, NamedSet, Number};
use crate::lex;
use crate::normalize::normalize;
use crate::words::{self, text::Meaning};

/// The longest text in which choices, times and dates are looked for.
const MAX_SHORT: usize = 200;

/// The text without LaTeX wrappers: `\textbf{(C)}\ 12` as `(C) 12`.
fn plain(text: &str) -> String {
    let normalized = normalize(text);
    let mut out = String::with_capacity(normalized.len());
    for c in normalized.chars() {
        match c {
            '"' => out.push(' '),
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

/// A reading of the whole text that the grammar cannot make.
pub(super) fn whole(text: &str, budget: &mut Budget) -> Parsed<Option<Expr>> {
    let trimmed = text.trim();
    if trimmed.len() > MAX_SHORT || !trimmed.contains(char::is_alphabetic) && !trimmed.contains(':')
    {
        return Ok(None);
    }
    let may_be_time = trimmed.contains(':') || trimmed.contains(['m', 'M']);
    let has_digit = trimmed.contains(|c: char| c.is_ascii_digit());
    let may_be_date = has_digit && trimmed.bytes().filter(u8::is_ascii_alphabetic).count() > 2;
    let may_be_choice = trimmed.contains(|c: char| c.is_ascii_uppercase())
        || trimmed.contains("option")
        || trimmed.contains("choice")
        || trimmed.contains('选');
    if !(has_digit && may_be_time || may_be_date || may_be_choice) {
        return Ok(None);
    }
    let plain = plain(trimmed);
    if let Some(word) = yes_or_no(&plain) {
        return Ok(Some(Expr::Text(word.into())));
    }
    if may_be_choice
        && let Some((letters, rest)) = words::choice::choice(&plain)
        // `(B), 97` is a list.
        && !rest.trim_start().starts_with([',', ';', '&', '/'])
    {
        // `D = (0, 1)`, `A + B`, `E` alone are formulas.
        let rest = rest.trim();
        if rest.is_empty() {
            return Ok(
                (letters.len() > 1 || plain.len() > 1).then_some(Expr::Choice(letters, None))
            );
        }
        let content = super::parse(rest, budget)?;
        return Ok(Some(Expr::Choice(letters, Some(Box::new(content.expr)))));
    }
    if has_digit
        && may_be_time
        && let Some(time) = words::time::clock(&plain)
        && (time.meridian || time.parts == 3)
    {
        return Ok(Some(Expr::Time(time)));
    }
    if may_be_date && let Some(date) = words::time::date(&plain) {
        return Ok(Some(Expr::Date(date)));
    }
    Ok(None)
}

/// A text with ASCII digits for full-width and styled ones, and without invisible characters.
pub(super) fn without_look_alikes(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let odd = |c: char| lex::plain_digit(c).is_some() || lex::is_invisible(c);
    text.contains(odd).then(|| {
        text.chars()
            .filter(|c| !lex::is_invisible(*c))
            .map(|c| lex::plain_digit(c).unwrap_or(c))
            .collect()
    })
}

/// `*29*`, `__29__`: without Markdown's marks.
pub(super) fn without_emphasis(text: &str) -> &str {
    let mut inner = text.trim();
    if !inner.is_ascii() {
        inner = inner.trim_end_matches(['。', '．']).trim_end_matches("です");
    }
    for mark in ["**", "__", "*", "_"] {
        if let Some(rest) = inner.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark))
            && !rest.is_empty()
            && !rest.contains(mark)
        {
            inner = rest.trim();
        }
    }
    inner
}

/// "Yes, it is." says yes.
fn yes_or_no(plain: &str) -> Option<&'static str> {
    let end = plain.find([',', '.', ';', ':', '!', '\n'])?;
    ["yes", "no"].into_iter().find(|word| plain[..end].trim().eq_ignore_ascii_case(word))
}

/// A text in which every backslash is doubled, as JSON writes it, with single ones.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let first = text.find("\\\\")?;
    if !text[first + 2..].starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut runs = text.split(|c| c != '\\').map(str::len).filter(|length| *length > 0);
    let doubled = runs.all(|length| length % 2 == 0);
    doubled.then(|| text.replace("\\\\", "\\"))
}

/// What a phrase of nothing but words says.
pub(super) fn phrase(phrase: &str) -> Option<Expr> {
    if let Some(number) = words::numbers::spelled_out(phrase) {
        return Some(Expr::rational(number));
    }
    if let Some(meaning) = words::text::meaning(phrase) {
        return Some(match meaning {
            Meaning::Set(set) => Expr::NamedSet(set),
            Meaning::NoSolution => Expr::NamedSet(NamedSet::Empty),
            Meaning::Infinity => Expr::Constant(Constant::Infinity),
            Meaning::NegativeInfinity => Expr::Constant(Constant::Infinity).negate(),
            Meaning::DoesNotExist => Expr::Text("does not exist".into()),
            Meaning::Undefined => Expr::Text("undefined".into()),
            Meaning::InfinitelyMany => Expr::Text("infinitely many".into()),
            Meaning::Diverges => Expr::Text("diverges".into()),
            Meaning::Converges => Expr::Text("converges".into()),
            Meaning::True => word("true", phrase),
            Meaning::False => word("false", phrase),
            Meaning::Yes => word("yes", phrase),
            Meaning::No => word("no", phrase),
        });
    }
    if let Some(time) = words::time::clock(phrase) {
        return Some(Expr::Time(time));
    }
    if let Some((letters, rest)) = words::choice::choice(phrase)
        && rest.trim().is_empty()
    {
        return Some(Expr::Choice(letters, None));
    }
    let text = words::text::normal_form(phrase, false);
    (!text.is_empty()).then_some(Expr::Text(text))
}

/// A word as it was written, or the word that a longer phrase stands for.
fn word(word: &str, phrase: &str) -> Expr {
    let written = phrase.trim().eq_ignore_ascii_case(word);
    Expr::Text(if written { phrase.trim() } else { word }.to_owned())
}

/// The text itself, where nothing else can be made of it.
pub(super) fn fallback(text: &str) -> Expr {
    let plain = plain(text);
    phrase(&plain).filter(|expr| !matches!(expr, Expr::Choice(..))).unwrap_or(Expr::Text(plain))
}

/// `1.000,00`, `1,5`, `0,111`: a comma as the decimal point.
pub(super) fn european(text: &str) -> Option<Number> {
    let text = text.trim().trim_matches('$').trim();
    let text = &*text.replace("{,}", ",");
    let (negative, digits) = match text.strip_prefix(['-', '−']) {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.len() > 40
        || !digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
    {
        return None;
    }
    let (whole, fraction) = match digits.split_once(',') {
        Some((whole, fraction)) if !fraction.contains([',', '.']) => (whole, fraction),
        Some(_) => return None,
        None => (digits, ""),
    };
    let mut groups = whole.split('.');
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let grouped = !rest.is_empty();
    if rest.iter().any(|group| group.len() != 3) || grouped && !(1..=3).contains(&first.len()) {
        return None;
    }
    // `1.234` is a decimal and `1,234` a group in English; both together, or two points, are not.
    let decimal_comma =
        !fraction.is_empty() && (grouped || fraction.len() != 3 || first == "0" || first.len() > 3);
    if first.is_empty() || !decimal_comma && rest.len() < 2 {
        return None;
    }
    let joined: String = std::iter::once(first).chain(rest).chain([fraction]).collect();
    let numerator = dashu_int::IBig::from_str_radix(&joined, 10).ok()?;
    let denominator = dashu_int::UBig::from(10_u8).pow(fraction.len());
    let value = RBig::from_parts(if negative { -numerator } else { numerator }, denominator);
    let places = (!fraction.is_empty()).then(|| i32::try_from(fraction.len()).unwrap_or(i32::MAX));
    Some(Number { value, places, base: None })
}
