//! The words around a number: units, currencies, scales, and words that are none of these.

/// Known units, each row with the spellings of one. A bare letter is a unit only inside `\text{}`.
const KNOWN: [&str; 33] = [
    "dollars dollar usd bucks",
    "cents cent",
    "euros euro eur",
    "pounds pound lbs lb gbp",
    "mm millimeters millimeter millimetres millimetre",
    "cm centimeters centimeter centimetres centimetre",
    "m meters meter metres metre",
    "km kilometers kilometer kilometres kilometre",
    "inches inch",
    "ft feet foot",
    "yd yards yard",
    "mi miles mile",
    "mg milligrams milligram",
    "g grams gram",
    "kg kilograms kilogram",
    "oz ounces ounce",
    "tons ton tonnes tonne",
    "ml milliliters milliliter millilitres millilitre",
    "l liters liter litres litre",
    "gal gallons gallon",
    "cups cup",
    "pints pint",
    "quarts quart",
    "s sec secs seconds second",
    "min mins minutes minute",
    "h hr hrs hours hour",
    "days day",
    "weeks week",
    "months month",
    "yr yrs years year",
    "mph",
    "kph kmh",
    "degrees degree deg",
];

/// The name under which `°` is a known unit.
pub(crate) const DEGREES: &str = "degrees";

/// Words of two letters that may stand among the words after a number.
const SHORT: &str = "of in an at by on to us tv";

/// Words that make something else of the number before or after them: "18 is wrong", "5 pi",
/// "3 halves" and "5 and a half" are not 18, 5, 3 and 5.
const REFUSED: &str = "\
    is are was were isn't not no never nor neither or and but wrong incorrect false invalid if \
    unless except without instead rather maybe perhaps either both plus minus times over under \
    more less fewer least most than through versus divided multiplied cannot can't don't \
    doesn't hardly above below off half halves third thirds quarter quarters fourth fourths \
    fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths tenth tenths \
    hundredth hundredths thousandth thousandths twice double triple squared cubed factorial \
    root power mod modulo base pi sin cos tan log exp sqrt alpha beta gamma theta infinity \
    twenty thirty forty fifty sixty seventy eighty ninety";

/// Words that deny the number of their sentence, or make it a bound or a part.
const DENIALS: &str = "\
    not no never neither nor wrong incorrect false isn't isnt cannot can't n't unknown than least \
    most half twice double triple either maybe perhaps";

/// Currency codes that may precede a number.
const CURRENCIES: &str = "USD US EUR GBP INR AUD CAD CNY Rs";

/// Words that multiply the number before them, with their powers of ten.
const SCALES: [(&str, u32); 5] =
    [("hundred", 2), ("thousand", 3), ("million", 6), ("billion", 9), ("trillion", 12)];

const NUMBERS: &str = "zero one two three four five six seven eight nine ten eleven twelve";

/// How a word stands to what is before it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Joint {
    /// Nothing between it and the number: `5cm`.
    Glued,
    /// White space between it and the number.
    Spaced,
    /// After another word.
    Follows,
    /// After another word and `/`, `*` or `-`.
    Joined,
    /// Inside a text command.
    Quoted,
}

/// The common name of a known unit.
pub(crate) fn known(word: &str) -> Option<&'static str> {
    KNOWN.iter().find(|row| holds(row, word))?.split(' ').next()
}

/// Whether a word (in lower case) may follow a number without changing its value.
pub(crate) fn may_follow(word: &str, joint: Joint) -> bool {
    let is_known = known(word).is_some();
    let quoted = joint == Joint::Quoted;
    neutral(word)
        && match word.chars().count() {
            0 => false,
            1 => match joint {
                Joint::Quoted | Joint::Joined => is_known || word == "a",
                Joint::Follows => word == "a",
                Joint::Glued | Joint::Spaced => false,
            },
            _ if is_known || quoted => true,
            _ if joint == Joint::Glued => false, // `5xy` is a product
            2 => holds(SHORT, word),
            _ => word.contains(['a', 'e', 'i', 'o', 'u']) || !word.is_ascii(),
        }
}

/// Whether a word (in lower case) neither negates, nor hedges, nor is itself a quantity.
pub(crate) fn neutral(word: &str) -> bool {
    !holds(REFUSED, word) && !holds(NUMBERS, word) && scale(word).is_none()
}

/// Whether a sentence denies its number, or only bounds it.
pub(crate) fn denies(sentence: &str) -> bool {
    sentence.contains("\\ne")
        || sentence.contains("\\not")
        || sentence.contains('≠')
        || (sentence.split(|c: char| !c.is_alphabetic() && c != '\''))
            .any(|word| holds(DENIALS, &word.to_lowercase()))
}

/// The power of ten of "hundred", "million", ...
pub(crate) fn scale(word: &str) -> Option<u32> {
    SCALES.iter().find(|(name, _)| *name == word).map(|(_, power)| *power)
}

/// The value of "zero" to "twelve".
pub(crate) fn spelled_out(word: &str) -> Option<usize> {
    NUMBERS.split(' ').position(|name| name.eq_ignore_ascii_case(word))
}

/// Whether a word is a currency code.
pub(crate) fn is_currency(word: &str) -> bool {
    holds(CURRENCIES, word)
}

fn holds(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed == word)
}
