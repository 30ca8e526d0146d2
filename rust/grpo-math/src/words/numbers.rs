//! Numbers in words: "twenty-one", "three and a half", "two thirds", "third", "million".

use dashu_ratio::RBig;

use super::{Key, MAX_PHRASE, is_han, words};

/// The value of a number that is written out in English or Chinese.
pub(crate) fn spelled_out(text: &str) -> Option<RBig> {
    let text = text.trim().trim_end_matches(['.', '。']);
    if text.is_empty() || text.len() > MAX_PHRASE {
        return None;
    }
    if text.chars().all(is_han) {
        return chinese(text);
    }
    let (negative, magnitude) = match text.split_once([' ', '-']) {
        Some((sign, rest)) if is_one_of(sign, &["minus", "negative"]) => (true, rest),
        _ => (false, text),
    };
    let value = mixed(magnitude)?;
    Some(if negative { -value } else { value })
}

/// The value of "third", "twenty-third", "23rd".
pub(crate) fn ordinal(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 {
        let (number, suffix) = text.split_at_checked(digits)?;
        return is_one_of(suffix, &["st", "nd", "rd", "th"]).then(|| number.parse().ok())?;
    }
    let split = text.rfind([' ', '-']).map(|at| text.split_at(at));
    if let Some((head, last)) = split {
        let tens = Some(cardinal(words(head))?).filter(|head| head % 10 == 0)?;
        let unit = part(last.trim_start_matches([' ', '-']))?;
        let in_order = if tens % 100 == 0 { unit < 100 } else { tens % 100 > 10 && unit < 10 };
        return in_order.then(|| (tens + unit).try_into().ok())?;
    }
    part(text)?.try_into().ok()
}

/// The value of a word that multiplies the number before it.
pub(crate) fn scale(word: &str) -> Option<u64> {
    Some(match Key::new(word)?.as_str() {
        "hundred" | "百" => 100,
        "thousand" | "千" => 1000,
        "万" | "萬" => 10_000,
        "million" | "millions" | "百万" => 1_000_000,
        "亿" | "億" => 100_000_000,
        "billion" | "billions" | "十亿" => 1_000_000_000,
        "trillion" | "trillions" | "万亿" => 1_000_000_000_000,
        "dozen" => 12,
        _ => return None,
    })
}

/// Whether a word is a number or a part of one, so that it counts nothing but changes the number
/// beside it: "5 halves", "5 twenty".
pub(crate) fn is_number_word(word: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    small(word).is_some() || scale(singular).is_some() || part(singular).is_some()
}

/// "three and a half", "two thirds", "three point one four", "twelve".
fn mixed(text: &str) -> Option<RBig> {
    if let Some(value) = point(text) {
        return Some(value);
    }
    if let Some(value) = cardinal(words(text)) {
        return Some(RBig::from(value));
    }
    let sum = rfind_ignore_case(text, " and ").and_then(|at| {
        let (whole, rest) = text.split_at_checked(at)?;
        let part = fraction(rest.get(" and ".len()..)?).filter(|part| *part < RBig::ONE)?;
        Some(RBig::from(cardinal(words(whole))?) + part)
    });
    sum.or_else(|| fraction(text))
}

/// "half", "two thirds", "half a million".
fn fraction(text: &str) -> Option<RBig> {
    let mut rest = words(text);
    let last = rest.next_back()?;
    let unit = |parts: u64| Some(RBig::from_parts(1.into(), parts.into()));
    let half = |word| is_one_of(word, &["half", "halves"]);
    let Some(before) = rest.clone().next_back() else {
        return if half(last) { unit(2) } else { None };
    };
    let first = rest.clone().next()?;
    if half(first) {
        // "half a dozen", "half million"
        let mut between = rest.clone().skip(1);
        let scale = scale(last)?;
        return match between.next() {
            None => Some(RBig::from(scale) / RBig::from(2)),
            Some(word) if is_one_of(word, &["a", "of", "an"]) && between.next().is_none() => {
                Some(RBig::from(scale) / RBig::from(2))
            }
            Some(_) => None,
        };
    }
    let parts = match last {
        word if half(word) => 2,
        word if is_one_of(word, &["quarter", "quarters"]) => 4,
        word => {
            let singular = word.strip_suffix('s');
            let parts = part(singular.unwrap_or(word)).filter(|parts| *parts > 2)?;
            // "twenty-eighth" and "two hundredth" are ordinals.
            if singular.is_none() && !is_one_of(before, &["a", "an", "one"]) {
                return None;
            }
            parts
        }
    };
    if is_one_of(before, &["a", "an"]) {
        return (rest.count() == 1).then(|| unit(parts))?;
    }
    let count = cardinal(rest)?;
    Some(RBig::from_parts(count.into(), parts.into()))
}

/// "three point one four".
fn point(text: &str) -> Option<RBig> {
    let at = rfind_ignore_case(text, "point ")?;
    let (whole, digits) = text.split_at_checked(at)?;
    let whole = if whole.trim().is_empty() { 0 } else { cardinal(words(whole))? };
    let mut value = 0_u64;
    let mut denominator = 1_u64;
    for digit in words(digits).skip(1) {
        let digit = small(digit).filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(digit)?;
        denominator = denominator.checked_mul(10)?;
    }
    Some(RBig::from(whole) + RBig::from_parts(value.into(), denominator.into()))
}

/// A whole number: "two million three hundred and five", "a dozen".
fn cardinal<'a>(words: impl Iterator<Item = &'a str> + Clone) -> Option<u64> {
    let mut total = 0_u64;
    let mut group = None::<u64>;
    let mut last_scale = u64::MAX;
    let mut may_join = false;
    let mut words = words.peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        if is_one_of(word, &["and"]) {
            // Only between a hundred or thousand and the rest.
            if !may_join || words.peek().is_none() {
                return None;
            }
            may_join = false;
        } else if is_one_of(word, &["a", "an"]) {
            // "a hundred", never "a five".
            scale(words.peek()?)?;
            if group.is_some() || total > 0 {
                return None;
            }
            group = Some(1);
        } else if let Some(value) = small(word) {
            group = Some(extend(group, value)?);
            may_join = false;
        } else {
            let scale = scale(word)?;
            may_join = true;
            if scale <= 100 {
                let count = group.filter(|count| (1..100).contains(count))?;
                group = Some(count * scale);
                continue;
            }
            if scale >= last_scale {
                return None;
            }
            let count = group.take().filter(|count| *count > 0)?;
            total = total.checked_add(count.checked_mul(scale)?)?;
            last_scale = scale;
        }
    }
    total.checked_add(group.unwrap_or(0))
}

/// Appends a number below 100 to the hundreds and tens before it.
fn extend(group: Option<u64>, value: u64) -> Option<u64> {
    let Some(group) = group else {
        return Some(value);
    };
    let fits = value > 0
        && (group % 100 == 0 && group > 0 || group % 10 == 0 && group % 100 >= 20 && value < 10);
    fits.then_some(group + value)
}

/// A number word below 100.
fn small(word: &str) -> Option<u64> {
    Some(match Key::new(word)?.as_str() {
        "zero" => 0,
        "one" => 1,
        "two" => 2,
        "three" => 3,
        "four" => 4,
        "five" => 5,
        "six" => 6,
        "seven" => 7,
        "eight" => 8,
        "nine" => 9,
        "ten" => 10,
        "eleven" => 11,
        "twelve" => 12,
        "thirteen" => 13,
        "fourteen" => 14,
        "fifteen" => 15,
        "sixteen" => 16,
        "seventeen" => 17,
        "eighteen" => 18,
        "nineteen" => 19,
        "twenty" => 20,
        "thirty" => 30,
        "forty" | "fourty" => 40,
        "fifty" => 50,
        "sixty" => 60,
        "seventy" => 70,
        "eighty" => 80,
        "ninety" => 90,
        _ => return None,
    })
}

/// An ordinal of one word, which also names a part of one.
fn part(word: &str) -> Option<u64> {
    Some(match Key::new(word)?.as_str() {
        "first" => 1,
        "second" => 2,
        "third" => 3,
        "fourth" => 4,
        "fifth" => 5,
        "sixth" => 6,
        "seventh" => 7,
        "eighth" => 8,
        "ninth" => 9,
        "tenth" => 10,
        "eleventh" => 11,
        "twelfth" => 12,
        "thirteenth" => 13,
        "fourteenth" => 14,
        "fifteenth" => 15,
        "sixteenth" => 16,
        "seventeenth" => 17,
        "eighteenth" => 18,
        "nineteenth" => 19,
        "twentieth" => 20,
        "thirtieth" => 30,
        "fortieth" => 40,
        "fiftieth" => 50,
        "sixtieth" => 60,
        "seventieth" => 70,
        "eightieth" => 80,
        "ninetieth" => 90,
        "hundredth" => 100,
        "thousandth" => 1000,
        "millionth" => 1_000_000,
        "billionth" => 1_000_000_000,
        _ => return None,
    })
}

/// 二十三, 三百零五, 一万二千, 三分之二, 负五, 一半.
fn chinese(text: &str) -> Option<RBig> {
    if matches!(text, "一半" | "半") {
        return Some(RBig::from_parts(1.into(), 2_u8.into()));
    }
    if let Some(rest) = text.strip_prefix('负') {
        return (!rest.starts_with('负')).then(|| chinese(rest).map(|value| -value))?;
    }
    if let Some((parts, count)) = text.split_once("分之") {
        let parts = chinese_cardinal(parts).filter(|parts| *parts > 0)?;
        return Some(RBig::from_parts(chinese_cardinal(count)?.into(), parts.into()));
    }
    chinese_cardinal(text).map(RBig::from)
}

fn chinese_cardinal(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut section = 0_u64;
    let mut digit = None::<u64>;
    let mut last_power = u64::MAX;
    let mut last_scale = u64::MAX;
    if text.is_empty() {
        return None;
    }
    for c in text.chars() {
        match c {
            '万' | '萬' | '亿' | '億' => {
                let scale = if matches!(c, '万' | '萬') { 10_000 } else { 100_000_000 };
                section += digit.take().unwrap_or(0);
                if section == 0 || scale >= last_scale {
                    return None;
                }
                total = total.checked_add(section.checked_mul(scale)?)?;
                (section, last_power, last_scale) = (0, u64::MAX, scale);
            }
            '十' | '百' | '千' => {
                let power = match c {
                    '十' => 10,
                    '百' => 100,
                    _ => 1000,
                };
                let count = match digit.take() {
                    Some(count) if count > 0 => count,
                    None if power == 10 => 1,
                    _ => return None,
                };
                if power >= last_power {
                    return None;
                }
                last_power = power;
                section += count * power;
            }
            c => {
                let value = chinese_digit(c)?;
                match digit {
                    None | Some(0) => digit = Some(value),
                    Some(_) => return None,
                }
            }
        }
    }
    total.checked_add(section + digit.unwrap_or(0))
}

fn chinese_digit(c: char) -> Option<u64> {
    Some(match c {
        '零' | '〇' => 0,
        '一' => 1,
        '二' | '两' => 2,
        '三' => 3,
        '四' => 4,
        '五' => 5,
        '六' => 6,
        '七' => 7,
        '八' => 8,
        '九' => 9,
        _ => return None,
    })
}

fn is_one_of(word: &str, listed: &[&str]) -> bool {
    listed.iter().any(|listed| listed.eq_ignore_ascii_case(word))
}

fn rfind_ignore_case(text: &str, pattern: &str) -> Option<usize> {
    let at = text
        .as_bytes()
        .windows(pattern.len())
        .rposition(|window| window.eq_ignore_ascii_case(pattern.as_bytes()))?;
    text.is_char_boundary(at).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<String> {
        spelled_out(text).map(|value| value.to_string())
    }

    #[test]
    fn cardinals_are_read() {
        for (text, expected) in [
            ("two", "2"),
            ("Zero", "0"),
            ("twenty-one", "21"),
            ("Twenty one", "21"),
            ("one hundred", "100"),
            ("a hundred", "100"),
            ("one hundred and five", "105"),
            ("one hundred five", "105"),
            ("nineteen hundred", "1900"),
            ("three million", "3000000"),
            ("two million three hundred thousand and one", "2300001"),
            ("one thousand two hundred thirty-four", "1234"),
            ("a dozen", "12"),
            ("two dozen", "24"),
            ("minus two", "-2"),
            ("negative five", "-5"),
            ("three point one four", "157/50"),
            ("zero point five", "1/2"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn fractions_are_read() {
        for (text, expected) in [
            ("half", "1/2"),
            ("one half", "1/2"),
            ("one-half", "1/2"),
            ("a half", "1/2"),
            ("two thirds", "2/3"),
            ("two-thirds", "2/3"),
            ("a third", "1/3"),
            ("three quarters", "3/4"),
            ("five eighths", "5/8"),
            ("twenty-one hundredths", "21/100"),
            ("three and a half", "7/2"),
            ("three and one half", "7/2"),
            ("minus one third", "-1/3"),
            ("half a dozen", "6"),
            ("half a million", "500000"),
            ("one hundred and two thirds", "302/3"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn no_number_is_guessed() {
        for text in [
            "",
            "and",
            "a",
            "one two",
            "twenty eleven",
            "two and",
            "two and three",
            "five and twenty",
            "million",
            "hundred",
            "zero hundred",
            "two thousand million",
            "two apples",
            "a five",
            "five a hundred",
            "minus",
            "minus minus two",
            "second",
            "third",
            "one second",
            "two seconds",
            "twenty zero",
            "x",
            "half two",
            "one half apple",
            "2",
            "three point",
            "twenty-eighth",
            "two hundredth",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(value(&"nine ".repeat(5000)), None);
    }

    #[test]
    fn chinese_numerals_are_read() {
        for (text, expected) in [
            ("二", "2"),
            ("十", "10"),
            ("十二", "12"),
            ("二十三", "23"),
            ("三百零五", "305"),
            ("一万二千", "12000"),
            ("三亿", "300000000"),
            ("两千零二十", "2020"),
            ("三分之二", "2/3"),
            ("负五", "-5"),
            ("零", "0"),
            ("一半", "1/2"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["二三", "百", "十百", "万", "千克", "负负五", "零分之一", "分之"]
        {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn ordinals_are_read() {
        assert_eq!(ordinal("third"), Some(3));
        assert_eq!(ordinal("Twenty-Third"), Some(23));
        assert_eq!(ordinal("one hundred first"), Some(101));
        assert_eq!(ordinal("23rd"), Some(23));
        assert_eq!(ordinal("1st"), Some(1));
        assert_eq!(ordinal("100th"), Some(100));
        for text in [
            "",
            "23",
            "23x",
            "rd",
            "three",
            "two thirds",
            "twenty-twelfth",
            "ten fifth",
            "99999999999th",
        ] {
            assert_eq!(ordinal(text), None, "{text}");
        }
    }

    #[test]
    fn scales_multiply() {
        assert_eq!(scale("million"), Some(1_000_000));
        assert_eq!(scale("Thousand"), Some(1000));
        assert_eq!(scale("dozen"), Some(12));
        assert_eq!(scale("万"), Some(10_000));
        assert_eq!(scale("ten"), None);
        assert_eq!(scale("thousandth"), None);
    }

    #[test]
    fn parts_of_numbers_count_nothing() {
        for word in ["two", "million", "dozens", "six", "thirds", "half", "Twenty"] {
            assert_eq!(is_number_word(word), word != "half", "{word}");
        }
        assert!(!is_number_word("apples"));
    }
}
