//! What answers say in words: numbers, units, times, dates, choices, and phrases with a meaning.
//!
//! Every function takes text that is free of LaTeX, and is linear in its length. What it does not
//! know for certain it refuses.

pub(crate) mod choice;
mod lists;
pub(crate) mod numbers;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod units;

/// The longest text, in bytes, that may be a phrase known here.
const MAX_PHRASE: usize = 160;

/// A short text in the form in which tables list it, without an allocation: lower case, one space
/// between words and at hyphens, no full stops.
struct Key {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl Key {
    const CAPACITY: usize = 64;

    /// The key of a text, unless it is longer than any that is listed.
    fn new(text: &str) -> Option<Self> {
        let mut key = Self { bytes: [0; Self::CAPACITY], length: 0 };
        let mut gap = false;
        for c in text.trim().chars() {
            match c {
                '.' => {}
                '-' | '‐' | '‑' => gap = true,
                c if c.is_whitespace() => gap = true,
                c => {
                    if gap && key.length > 0 {
                        key.push(' ')?;
                    }
                    gap = false;
                    key.push(if c == '’' { '\'' } else { c.to_ascii_lowercase() })?;
                }
            }
        }
        Some(key)
    }

    fn push(&mut self, c: char) -> Option<()> {
        let end = self.length + c.len_utf8();
        c.encode_utf8(self.bytes.get_mut(self.length..end)?);
        self.length = end;
        Some(())
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

/// The words of a text; hyphens part them.
fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> + Clone {
    text.split(|c: char| c.is_whitespace() || matches!(c, '-' | '‐' | '‑'))
        .filter(|word| !word.is_empty())
}

/// The rest of a text after a word or phrase, in any ASCII case, that ends where a word ends.
fn strip_phrase<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(phrase.len())?;
    let ends = !rest.starts_with(char::is_alphanumeric) || !phrase.is_ascii();
    (head.eq_ignore_ascii_case(phrase) && ends).then_some(rest)
}

/// Whether a character belongs to a script that is written without spaces between words.
const fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '〇')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(text: &str) {
        let unit = units::unit(text).or_else(|| units::counting(text));
        if let Some(unit) = unit {
            let product = units::multiply(&unit, &units::compose(&unit, -2));
            assert!(
                units::ratio(&product, &units::divide(&unit, &product))
                    .is_none_or(|r| !r.is_zero())
            );
        }
        numbers::spelled_out(text);
        numbers::ordinal(text);
        time::clock(text);
        time::date(text);
        text::meaning(text);
        text::is_remark(text);
        text::denies(text);
        if let Some((letters, content)) = choice::choice(text) {
            assert!(!letters.is_empty() && text.contains(content));
        }
        text::normal_form(text, true);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            read_all(&text);
        }

        #[test]
        fn any_phrase_is_read(words in prop::collection::vec(
            prop::sample::select(vec![
                "one", "two", "hundred", "million", "and", "half", "third", "thirds", "a", "per", "/",
                "m", "km^2", "square", "hours", "dollars", "the", "is", "no", "solution", "real",
                "numbers", "(A)", "B", ",", ".", "option", "3:45", "pm", "May", "5", "2020", "不", "三",
                "百", "万", "米", "年", "-", "'", "’", "all", "it", "s", "\u{2003}", "of", "points", "point",
            ]),
            0..9,
        ), joint in prop::sample::select(vec!["", " ", "-"])) {
            read_all(&words.join(joint));
        }
    }

    #[test]
    fn keys_have_one_spelling() {
        let key = |text| Key::new(text).map(|key| key.as_str().to_owned());
        assert_eq!(key("  Sq.  Ft. ").as_deref(), Some("sq ft"));
        assert_eq!(key("light-years").as_deref(), Some("light years"));
        assert_eq!(key("doesn’t").as_deref(), Some("doesn't"));
        assert_eq!(key("千米").as_deref(), Some("千米"));
        assert_eq!(key("").as_deref(), Some(""));
        assert_eq!(key(&"a".repeat(65)), None);
    }

    #[test]
    fn phrases_end_where_a_word_ends() {
        assert_eq!(strip_phrase("Option D", "option"), Some(" D"));
        assert_eq!(strip_phrase("optional", "option"), None);
        assert_eq!(strip_phrase("选项B", "选项"), Some("B"));
        assert_eq!(strip_phrase("o", "option"), None);
        assert_eq!(strip_phrase("é", "e"), None);
    }
}
