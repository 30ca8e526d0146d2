//! Words that decide how the words around a number are taken.

/// Words that deny the number of their sentence, or make it a bound or a part.
#[rustfmt::skip] // a table
const DENIALS: &[&str] = &[
    "can't", "cannot", "doesn't", "either", "false", "half", "incorrect", "isn't", "isnt", "least",
    "maybe", "most", "n't", "neither", "never", "no", "nor", "not", "perhaps", "than", "triple",
    "twice", "unknown", "wrong",
];

/// Words that make something else of the number before them: "18 is wrong", "5 or so", "5 pi".
/// Number words are not listed.
#[rustfmt::skip] // a table
const REFUSED: &[&str] = &[
    "about", "above", "actually", "almost", "alpha", "also", "and", "approximately", "are",
    "around", "base", "be", "below", "beta", "between", "both", "but", "can", "can't", "cannot",
    "choose", "correct", "cos", "could", "cross", "cube", "cubed", "divided", "doesn't", "don't",
    "dot", "double", "doubled", "either", "equal", "equals", "error", "except", "exp", "exponent",
    "factorial", "false", "fewer", "flipped", "from", "gamma", "greater", "guess", "half",
    "halved", "halves", "hardly", "has", "have", "if", "impossible", "incorrect", "infinite",
    "infinity", "instead", "intersect", "intersection", "invalid", "inverse", "inverted", "is",
    "ish", "isn't", "larger", "least", "less", "likely", "ln", "log", "may", "maybe", "might",
    "minus", "mistake", "mistaken", "mod", "modulo", "more", "most", "multiplied", "nah", "nearly",
    "negated", "negative", "neither", "never", "no", "none", "nope", "nor", "not", "oder", "off",
    "only", "or", "ou", "over", "percent", "perhaps", "phi", "pi", "plus", "positive", "possibly",
    "power", "probably", "quadrupled", "quarter", "quarters", "rather", "reciprocal", "remainder",
    "reversed", "right", "root", "roughly", "should", "sin", "smaller", "so", "sqrt", "squared",
    "tan", "than", "then", "therefore", "theta", "though", "through", "thus", "times", "to",
    "triple", "tripled", "true", "twice", "und", "undefined", "under", "union", "unknown",
    "unless", "until", "versus", "was", "were", "without", "would", "wrong", "wrongly",
];

/// Words of two letters that may stand among the words after a number.
#[rustfmt::skip] // a table
const SHORT: &[&str] = &[
    "an", "at", "by", "in", "of", "on", "per", "tv", "us",
];

/// The first words of a remark: "since ..", "rounded to ..".
#[rustfmt::skip] // a table
const REMARKS: &[&str] = &[
    "according", "approx", "approximately", "as", "assuming", "because", "correct", "due",
    "exactly", "for", "given", "if", "namely", "provided", "respectively", "rounded", "since",
    "such", "using", "when", "whenever", "where", "which", "while",
];

/// The first words of a remark in which a denial concerns something else: "since x is not 0".
#[rustfmt::skip] // a table
const CONDITIONS: &[&str] = &[
    "assuming", "because", "for", "given", "if", "provided", "since", "such", "when", "whenever",
    "where",
];

/// Words in a remark that take the value back or speak of another.
#[rustfmt::skip] // a table
const TAKE_BACK: &[&str] = &[
    "actually", "answer", "but", "error", "except", "false", "incorrect", "instead", "invalid",
    "maybe", "mistake", "mistaken", "never", "or", "otherwise", "perhaps", "rather", "should",
    "unless", "wrong",
];

/// Characters that deny, hedge, bound or relate in Chinese.
const REFUSED_HAN: &str =
    "不非无没否错误或约多少和与及且减加乘除倍半分之是为到至零〇一二三四五六七八九十百千万亿";

pub(crate) fn is_denial(word: &str) -> bool {
    holds(DENIALS, word)
}

pub(crate) fn is_refused(word: &str) -> bool {
    holds(REFUSED, word)
}

pub(crate) fn is_short(word: &str) -> bool {
    holds(SHORT, word)
}

pub(crate) fn opens_remark(word: &str) -> bool {
    holds(REMARKS, word)
}

pub(crate) fn opens_condition(word: &str) -> bool {
    holds(CONDITIONS, word)
}

pub(crate) fn takes_back(word: &str) -> bool {
    holds(TAKE_BACK, word)
}

pub(crate) fn is_refused_han(c: char) -> bool {
    REFUSED_HAN.contains(c)
}

/// Whether a sorted list holds a word in lower case.
fn holds(list: &[&str], word: &str) -> bool {
    list.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        for list in [DENIALS, REFUSED, SHORT, REMARKS, CONDITIONS, TAKE_BACK] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
    }
}
