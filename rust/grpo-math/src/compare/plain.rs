//! What is no formula: words, letters of a multiple choice, times and dates.

use super::{Equality, Judge, Outcome};
use crate::budget::Spent;
use crate::expr::{Constant, Date, Expr, NamedSet, Time};
use crate::options::Choice;

const HALF_DAY: u32 = 12 * 60 * 60;

/// How a text says that nothing satisfies a condition.
const NOTHING: [&str; 8] = [
    "no solution",
    "no solutions",
    "no real solution",
    "no real solutions",
    "no such",
    "empty set",
    "empty",
    "none",
];

impl Judge<'_> {
    /// The verdict, if one side is no formula.
    pub(super) fn plain(&mut self, a: &Expr, b: &Expr) -> Result<Option<Equality>, Spent> {
        Ok(Some(match (a, b) {
            (Expr::Time(a), Expr::Time(b)) => Equality::is(same_time(a, b)),
            (Expr::Time(time), Expr::Ratio(terms)) | (Expr::Ratio(terms), Expr::Time(time)) => {
                Equality::is(reads_as(time, terms))
            }
            (Expr::Date(a), Expr::Date(b)) => Equality::is(same_date(a, b)),
            (Expr::Time(_) | Expr::Date(_), _) | (_, Expr::Time(_) | Expr::Date(_)) => {
                Equality::Different
            }
            (Expr::Choice(..), _) | (_, Expr::Choice(..)) => self.choices(a, b)?,
            (Expr::Text(text), Expr::NamedSet(NamedSet::Empty))
            | (Expr::NamedSet(NamedSet::Empty), Expr::Text(text)) => {
                Equality::is(NOTHING.contains(&text.to_lowercase().as_str()))
            }
            (Expr::Text(_), _) | (_, Expr::Text(_)) => {
                let (Some(x), Some(y)) = (word(a), word(b)) else {
                    return Ok(Some(Equality::is(same_letters(a, b))));
                };
                Equality::is(self.same_word(&x, &y))
            }
            (Expr::Ellipsis, _) | (_, Expr::Ellipsis) => Equality::is(a == b),
            _ if same_letters(a, b) => Equality::Equal,
            _ => return Ok(None),
        }))
    }

    fn same_word(&self, a: &str, b: &str) -> bool {
        a == b || self.policy.ignore_case && a.to_lowercase() == b.to_lowercase()
    }

    /// Letters of a multiple choice, one side at least marked as such.
    fn choices(&mut self, a: &Expr, b: &Expr) -> Outcome {
        let same = |x: &str, y: &str| x.eq_ignore_ascii_case(y);
        match (a, b) {
            (Expr::Choice(x, content), Expr::Choice(y, other)) => {
                let letters = Equality::is(same(x, y));
                match (content, other, self.policy.choice) {
                    (Some(content), Some(other), Choice::Either) => {
                        Equality::all([Ok(letters), self.pair(content, other)])
                    }
                    _ => Ok(letters),
                }
            }
            (Expr::Choice(x, content), other) => {
                let lettered = letters(other).is_some_and(|y| same(x, &y));
                match content {
                    Some(content) if !lettered && self.policy.choice == Choice::Either => {
                        self.pair(content, other)
                    }
                    _ => Ok(Equality::is(lettered)),
                }
            }
            (other, Expr::Choice(y, content)) => {
                let lettered = letters(other).is_some_and(|x| same(&x, y));
                match content {
                    Some(content) if !lettered && self.policy.choice == Choice::Either => {
                        self.pair(other, content)
                    }
                    _ => Ok(Equality::is(lettered)),
                }
            }
            _ => Ok(Equality::Different),
        }
    }
}

/// Equal as points of time; a time without a.m. or p.m. is either, if its hour allows both.
fn same_time(a: &Time, b: &Time) -> bool {
    let either = |time: &Time| !time.meridian && time.seconds < HALF_DAY + 60 * 60;
    a.seconds == b.seconds
        || a.meridian != b.meridian
            && (either(a) || either(b))
            && a.seconds % HALF_DAY == b.seconds % HALF_DAY
}

/// Equal in every field that both state, and in the month.
fn same_date(a: &Date, b: &Date) -> bool {
    let year = a.year.is_none() || b.year.is_none() || a.year == b.year;
    year && a.month == b.month && a.day == b.day
}

/// Whether a ratio is written like the time: `7:32`.
fn reads_as(time: &Time, terms: &[Expr]) -> bool {
    let hours = time.seconds / 3600;
    let twelve = if hours.is_multiple_of(12) { 12 } else { hours % 12 };
    [hours, if time.meridian { twelve } else { hours }].into_iter().any(|hours| {
        let printed = [hours, time.seconds / 60 % 60, time.seconds % 60];
        (terms.len() == 3 || terms.len() == 2 && time.seconds.is_multiple_of(60))
            && terms.iter().zip(printed).all(|(term, printed)| {
                matches!(term, Expr::Number(number) if number.value == printed.into())
            })
    })
}

/// An expression read as a word: letters set one beside the other, as `odd` in mathematics is.
fn word(e: &Expr) -> Option<String> {
    match e {
        Expr::Text(text) => Some(text.clone()),
        Expr::Symbol(name) => Some(name.to_string()),
        Expr::Constant(Constant::E) => Some("e".into()),
        Expr::Constant(Constant::I) => Some("i".into()),
        Expr::Mul(factors) => factors
            .iter()
            .map(|factor| match factor {
                Expr::Mul(_) | Expr::Text(_) => None,
                factor => word(factor),
            })
            .collect(),
        _ => None,
    }
}

/// Letters of a multiple choice, sorted: `ACD`, `A, C, D`, `\{A, C\}`.
fn letters(e: &Expr) -> Option<String> {
    let mut letters: Vec<char> = match e {
        Expr::Choice(letters, _) => letters.chars().collect(),
        Expr::Text(text) => text.chars().collect(),
        Expr::Symbol(_) | Expr::Constant(_) => word(e)?.chars().collect(),
        Expr::Mul(items) | Expr::List(items, _) | Expr::Set(items) => {
            let mut letters = Vec::new();
            for item in items {
                match item {
                    Expr::Symbol(_) | Expr::Constant(_) | Expr::Choice(_, None) => {
                        letters.extend(self::letters(item)?.chars());
                    }
                    Expr::Text(text) if text.chars().count() == 1 => letters.extend(text.chars()),
                    _ => return None,
                }
            }
            letters
        }
        _ => return None,
    };
    let single = letters.len() == 1;
    letters.sort_unstable();
    let distinct = letters.windows(2).all(|pair| pair.first() != pair.last());
    let option = |letter: &char| letter.is_ascii_uppercase() && *letter <= 'J';
    (distinct
        && (letters.iter().all(option) || single && letters.iter().all(char::is_ascii_alphabetic)))
    .then(|| letters.into_iter().collect())
}

/// Whether both are the same several letters, as in `ACD` and `A, C, D`.
fn same_letters(a: &Expr, b: &Expr) -> bool {
    match (letters(a), letters(b)) {
        (Some(x), Some(y)) => {
            x == y && (x.len() > 1 || matches!((a, b), (Expr::Text(_), _) | (_, Expr::Text(_))))
        }
        _ => false,
    }
}
