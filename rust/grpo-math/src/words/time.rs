//! Times of day and dates.

use super::{Key, MAX_PHRASE, numbers, strip_phrase};
use crate::expr::{Date, Time};

const MONTHS: [(&str, &str, u8); 12] = [
    ("january", "jan", 31),
    ("february", "feb", 29),
    ("march", "mar", 31),
    ("april", "apr", 30),
    ("may", "may", 31),
    ("june", "jun", 30),
    ("july", "jul", 31),
    ("august", "aug", 31),
    ("september", "sep", 30),
    ("october", "oct", 31),
    ("november", "nov", 30),
    ("december", "dec", 31),
];

const WEEKDAYS: [(&str, &[&str]); 7] = [
    ("monday", &["mon", "星期一", "周一"]),
    ("tuesday", &["tue", "tues", "星期二", "周二"]),
    ("wednesday", &["wed", "星期三", "周三"]),
    ("thursday", &["thu", "thur", "thurs", "星期四", "周四"]),
    ("friday", &["fri", "星期五", "周五"]),
    ("saturday", &["sat", "星期六", "周六"]),
    ("sunday", &["sun", "星期日", "星期天", "周日"]),
];

/// Half of the day, with the first hour of it.
#[derive(Clone, Copy)]
enum Half {
    Morning,
    Afternoon,
}

/// `3:45 p.m.`, `15:45`, `20:34:00`, "9 a.m.", "noon". Two numbers alone must look like a time: the
/// minutes have two digits and are below 60.
pub(crate) fn clock(text: &str) -> Option<Time> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_PHRASE {
        return None;
    }
    match Key::new(text)?.as_str() {
        "noon" | "midday" | "12 noon" | "12:00 noon" | "twelve noon" | "中午12点" => {
            return Some(Time { seconds: 12 * 3600, meridian: true, parts: 2 });
        }
        "midnight" | "12 midnight" | "12:00 midnight" => {
            return Some(Time { seconds: 0, meridian: true, parts: 2 });
        }
        _ => {}
    }
    let at = text.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(text.len());
    let (digits, suffix) = text.split_at_checked(at)?;
    let suffix = Key::new(suffix)?;
    let half = match suffix.as_str() {
        "am" | "a m" | "in the morning" | "am in the morning" => Some(Half::Morning),
        "pm" | "p m" | "in the afternoon" | "in the evening" | "at night" => Some(Half::Afternoon),
        "" | "h" | "hrs" | "hours" if digits.contains(':') => None,
        "o'clock" | "oclock" if !digits.contains(':') => None,
        _ => return None,
    };
    time(digits, half)
}

/// `January 5, 2020`, `5 Jan 2020`, `the 5th of May`, `May 2020`, `2020-01-05`, `2020年1月5日`. A
/// month alone is text.
pub(crate) fn date(text: &str) -> Option<Date> {
    let text = text.trim().trim_end_matches(['.', ',']);
    if text.is_empty() || text.len() > MAX_PHRASE {
        return None;
    }
    iso(text).or_else(|| chinese(text)).or_else(|| spoken(text))
}

/// The full name of a weekday or month: "Mon" is "monday", "Sept." is "september".
pub(crate) fn calendar_name(word: &str) -> Option<&'static str> {
    let key = Key::new(word)?;
    let key = key.as_str();
    let weekday = WEEKDAYS
        .iter()
        .find(|(name, short)| *name == key || short.contains(&key))
        .map(|(name, _)| *name);
    weekday.or_else(|| MONTHS.get(usize::from(month(key)?) - 1).map(|(name, ..)| *name))
}

/// `h:mm`, `h:mm:ss`, or `h` where something else says that it is a time.
fn time(digits: &str, half: Option<Half>) -> Option<Time> {
    let mut parts = digits.split(':');
    let hours: u32 = number(parts.next()?, 1..=3)?;
    let minutes = parts.next().map_or(Some(0), |part| number(part, 2..=2))?;
    let seconds = parts.next();
    let count = if seconds.is_some() { 3 } else { 2 };
    let seconds: u32 = seconds.map_or(Some(0), |part| number(part, 2..=2))?;
    if parts.next().is_some() || minutes >= 60 || seconds >= 60 {
        return None;
    }
    let hours = match half {
        None => hours,
        Some(half) => {
            let offset = match half {
                Half::Morning => 0,
                Half::Afternoon => 12,
            };
            // 12 a.m. is midnight. `15:45 p.m.` says the same thing twice.
            match hours {
                1..=12 => hours % 12 + offset,
                13..=23 if offset == 12 => hours,
                _ => return None,
            }
        }
    };
    let seconds = hours * 3600 + minutes * 60 + seconds;
    Some(Time { seconds, meridian: half.is_some(), parts: count })
}

/// `2020-01-05`, `2020/01/05`
fn iso(text: &str) -> Option<Date> {
    let by = if text.contains('/') { '/' } else { '-' };
    let mut parts = text.split(by);
    let year = number(parts.next()?, 4..=4)?;
    let month = number(parts.next()?, 2..=2)?;
    let day = number(parts.next()?, 2..=2)?;
    if parts.next().is_some() {
        return None;
    }
    checked(Some(year), month, Some(day))
}

/// `2020年1月5日`, `1月5日`, `2020年1月`
fn chinese(text: &str) -> Option<Date> {
    let (year, rest) = match text.split_once('年') {
        Some((year, rest)) => (Some(number(year.trim(), 4..=4)?), rest.trim()),
        None => (None, text),
    };
    let (month, day) = rest.split_once('月')?;
    let day = day.trim().trim_end_matches(['日', '号']);
    let day = if day.is_empty() { None } else { Some(number(day, 1..=2)?) };
    (year.is_some() || day.is_some()).then(|| checked(year, number(month.trim(), 1..=2)?, day))?
}

/// A month in letters, with a day, a year, or both.
fn spoken(text: &str) -> Option<Date> {
    let (mut year, mut found, mut day) = (None, None, None);
    for (position, word) in text.split([' ', ',']).filter(|word| !word.is_empty()).enumerate() {
        if position > 6 {
            return None;
        }
        let name = word.trim_end_matches('.');
        if let Some(number) = month(name) {
            if found.replace(number).is_some() {
                return None;
            }
        } else if let Some(value) = number(word, 4..=4) {
            if year.replace(value).is_some() {
                return None;
            }
        } else if let Some(value) = day_of_month(word) {
            if day.replace(value).is_some() {
                return None;
            }
        } else {
            let weekday = position == 0
                && WEEKDAYS.iter().any(|(full, short)| {
                    full.eq_ignore_ascii_case(name)
                        || short.iter().any(|short| short.eq_ignore_ascii_case(name))
                });
            let filler =
                ["the", "of", "on"].iter().any(|filler| strip_phrase(word, filler) == Some(""));
            if !weekday && !filler {
                return None;
            }
        }
    }
    (year.is_some() || day.is_some()).then(|| checked(year, found?, day))?
}

/// `5`, `5th`, "fifth".
fn day_of_month(word: &str) -> Option<u8> {
    number(word, 1..=2).or_else(|| numbers::ordinal(word)?.try_into().ok())
}

fn checked(year: Option<i32>, month: u8, day: Option<u8>) -> Option<Date> {
    let (.., days) = MONTHS.get(usize::from(month.checked_sub(1)?))?;
    let leap = year.is_none_or(|year| year % 4 == 0 && year % 100 != 0 || year % 400 == 0);
    let days = if month == 2 && !leap { 28 } else { *days };
    day.is_none_or(|day| (1..=days).contains(&day)).then_some(Date { year, month, day })
}

/// The number of a month's name.
fn month(word: &str) -> Option<u8> {
    let named = |(full, short, _): &(&str, &str, u8)| {
        word.eq_ignore_ascii_case(full)
            || word.eq_ignore_ascii_case(short)
            || *short == "sep" && word.eq_ignore_ascii_case("sept")
    };
    u8::try_from(MONTHS.iter().position(named)? + 1).ok()
}

/// A plain number of so many digits.
fn number<T: std::str::FromStr>(
    digits: &str,
    length: std::ops::RangeInclusive<usize>,
) -> Option<T> {
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    if plain && length.contains(&digits.len()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, hours, minutes, meridian, parts) in [
            ("3:45 p.m.", 15, 45, true, 2),
            ("3:45PM", 15, 45, true, 2),
            ("3:45 P.M.", 15, 45, true, 2),
            ("15:45", 15, 45, false, 2),
            ("9:00 AM", 9, 0, true, 2),
            ("12:30 a.m.", 0, 30, true, 2),
            ("12:30 pm", 12, 30, true, 2),
            ("20:34:00", 20, 34, false, 3),
            ("08:34 P.M.", 20, 34, true, 2),
            ("9 a.m.", 9, 0, true, 2),
            ("9am", 9, 0, true, 2),
            ("5 o'clock", 5, 0, false, 2),
            ("8:15 in the evening", 20, 15, true, 2),
            ("noon", 12, 0, true, 2),
            ("12 noon", 12, 0, true, 2),
            ("Midnight", 0, 0, true, 2),
            ("36:15", 36, 15, false, 2),
        ] {
            let expected = Time { seconds: hours * 3600 + minutes * 60, meridian, parts };
            assert_eq!(clock(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_left_alone() {
        for text in [
            "",
            "3",
            "3:4",
            "3:60",
            "3:45:6",
            "1:2:3:4",
            ":45",
            "3:",
            "13:00 a.m.",
            "0:30 pm",
            "3:45 x",
            "9 apples",
            "3:45 is wrong",
            "a.m.",
            "1234:00",
            "-3:45",
            "3:٤5",
        ] {
            assert_eq!(clock(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_read() {
        let full = Some(Date { year: Some(2020), month: 1, day: Some(5) });
        for text in [
            "January 5, 2020",
            "Jan 5 2020",
            "Jan. 5th, 2020",
            "5 January 2020",
            "5th of January 2020",
            "Sunday, January 5, 2020",
            "the fifth of January, 2020",
            "2020-01-05",
            "2020/01/05",
            "2020年1月5日",
        ] {
            assert_eq!(date(text), full, "{text}");
        }
        assert_eq!(date("Jan 5"), Some(Date { year: None, month: 1, day: Some(5) }));
        assert_eq!(date("1月5日"), Some(Date { year: None, month: 1, day: Some(5) }));
        assert_eq!(date("May 2020"), Some(Date { year: Some(2020), month: 5, day: None }));
        assert_eq!(date("Sept. 30"), Some(Date { year: None, month: 9, day: Some(30) }));
        assert_eq!(date("February 29, 2024").and_then(|date| date.day), Some(29));
    }

    #[test]
    fn what_is_no_date_is_left_alone() {
        for text in [
            "",
            "May",
            "2020",
            "5",
            "May 32",
            "February 30",
            "February 29, 2023",
            "2020-13-05",
            "2020-1-5",
            "May 5 6",
            "May June 5",
            "may be 5",
            "5 apples",
            "on the 5th",
            "1/5/2020",
            "2020 5",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn weekdays_and_months_have_short_names() {
        assert_eq!(calendar_name("Mon"), Some("monday"));
        assert_eq!(calendar_name("TUES."), Some("tuesday"));
        assert_eq!(calendar_name("Sept"), Some("september"));
        assert_eq!(calendar_name("星期三"), Some("wednesday"));
        assert_eq!(calendar_name("Moon"), None);
    }
}
