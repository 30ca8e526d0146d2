//! Text answers: the form in which they are compared, and phrases with a mathematical meaning.

use super::{MAX_PHRASE, is_han, lists, strip_phrase, time};
use crate::expr::NamedSet;

/// What a phrase says, so that it equals other phrases and formulas that say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// "no solution", "none", "no real roots": the empty set of solutions.
    NoSolution,
    DoesNotExist,
    Undefined,
    /// "all real numbers", "the positive integers", "empty set".
    Set(NamedSet),
    InfinitelyMany,
    Infinity,
    NegativeInfinity,
    Diverges,
    Converges,
    True,
    False,
    Yes,
    No,
}

/// Words that open a sentence and add nothing to an answer.
const LEADS: &[&str] = &[
    "it is",
    "it's",
    "its",
    "they are",
    "this is",
    "there is",
    "there are",
    "the answer is",
    "therefore",
    "thus",
    "hence",
    "so",
    "is",
    "are",
    "has",
    "have",
    "a",
    "an",
    "the",
];

/// Subjects, without their article, that may stand before "does not exist" and "has no solution".
const SUBJECTS: &[&str] = &[
    "equation",
    "system",
    "system of equations",
    "given equation",
    "inequality",
    "limit",
    "value",
    "series",
    "sequence",
    "integral",
    "expression",
    "function",
    "inverse",
    "problem",
    "sum",
    "it",
    "this",
    "solution set is",
    "solution set",
    "solution is",
    "solutions are",
    "domain is",
    "range is",
    "such a number",
    "answer is",
];

/// The form in which text answers are compared: words parted by single spaces, without quotes,
/// final punctuation and a first article, hyphens as spaces; in lower case if case is ignored. The
/// short names of weekdays and months are written out.
pub(crate) fn normal_form(text: &str, ignore_case: bool) -> String {
    let mut form = String::with_capacity(text.len());
    let mut gap = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let inside = !gap
            && form.ends_with(char::is_alphanumeric)
            && chars.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            // The apostrophe of "Dana's" stays, as do the point and comma of a number.
            '\'' | '’' if inside => form.push('\''),
            '.' | ',' if inside && form.ends_with(|c: char| c.is_ascii_digit()) => form.push(c),
            '"' | '“' | '”' | '‘' | '’' | '\'' | '`' | '«' | '»' | '「' | '」' | '.' => {
            }
            ',' | ';' | ':' | '!' | '。' | '，' | '；' | '：' | '、' | '‐' | '‑' => {
                gap = true;
            }
            '-' if inside => gap = true,
            c if c.is_whitespace() => gap = true,
            c => {
                if gap && !form.is_empty() {
                    form.push(' ');
                }
                gap = false;
                if ignore_case {
                    form.extend(c.to_lowercase());
                } else {
                    form.push(c);
                }
            }
        }
    }
    let kept = form.len() - strip_opening(&form).len();
    form.drain(..kept);
    if ignore_case && let Some(name) = time::calendar_name(&form) {
        name.clone_into(&mut form);
    }
    form
}

/// What a phrase says.
pub(crate) fn meaning(text: &str) -> Option<Meaning> {
    if text.len() > MAX_PHRASE {
        return None;
    }
    if let Some(meaning) = signed_infinity(text.trim()) {
        return Some(meaning);
    }
    let form = normal_form(text, true);
    if form.chars().any(is_han) {
        return chinese(&form);
    }
    let mut rest = form.as_str();
    for subject in SUBJECTS {
        if let Some(after) = strip_phrase(rest, subject).filter(|after| after.starts_with(' ')) {
            rest = after.trim_start();
            break;
        }
    }
    let rest = strip_leads(rest);
    phrase(rest).or_else(|| no_solution(rest)).or_else(|| number_set(rest).map(Meaning::Set))
}

/// Whether words after a complete value only explain it: "since ..", "for x > 0". A remark that
/// takes the value back, or speaks of another, is none.
pub(crate) fn is_remark(text: &str) -> bool {
    let mut words = text
        .split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase);
    let Some(first) = words.next() else {
        return false;
    };
    if first.starts_with(is_han) {
        let opens = ["因为", "由于", "其中", "当"].iter().any(|word| first.starts_with(word));
        return opens && !text.contains(['不', '非', '错', '或', '答']);
    }
    let opens = match first.as_str() {
        "i" => words.next().as_deref() == Some("e"),
        "e" => words.next().as_deref() == Some("g"),
        first => lists::opens_remark(first),
    };
    let may_negate = lists::opens_condition(&first);
    opens && !words.any(|word| lists::takes_back(&word) || !may_negate && lists::is_denial(&word))
}

/// Whether a sentence denies its number, or only bounds it.
pub(crate) fn denies(sentence: &str) -> bool {
    sentence.contains('≠')
        || sentence.contains("\\ne")
        || sentence.contains("\\not")
        || (sentence.split(|c: char| !c.is_alphabetic() && c != '\''))
            .filter(|word| !word.is_empty())
            .any(|word| lists::is_denial(&word.to_lowercase()))
}

/// `+\infty` in words; signs would be lost in the normal form.
fn signed_infinity(text: &str) -> Option<Meaning> {
    let (negative, name) = match text.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let infinite = ["infinity", "inf", "infty", "∞"];
    let found = infinite.iter().any(|infinite| name.trim().eq_ignore_ascii_case(infinite));
    found.then_some(if negative { Meaning::NegativeInfinity } else { Meaning::Infinity })
}

/// "increasing" of "the function is increasing": what says nothing that the question did not.
fn strip_opening(text: &str) -> &str {
    let rest = strip_leads(text);
    let predicate = SUBJECTS.iter().find_map(|subject| {
        let after = strip_phrase(rest, subject)?.trim_start();
        ["is", "are"].iter().find_map(|verb| {
            strip_phrase(after, verb).filter(|after| after.starts_with(' ')).map(str::trim_start)
        })
    });
    predicate.map_or(rest, strip_leads)
}

fn strip_leads(text: &str) -> &str {
    let mut rest = text;
    // "a" alone is a letter, and "the" an answer of sorts.
    while let Some(after) = LEADS
        .iter()
        .find_map(|lead| strip_phrase(rest, lead).filter(|after| after.starts_with(' ')))
    {
        rest = after.trim_start();
    }
    rest
}

/// Phrases that are listed in full.
fn phrase(form: &str) -> Option<Meaning> {
    Some(match form {
        "none" | "none exist" | "none exists" | "nothing" | "inconsistent" | "unsolvable"
        | "not solvable" | "cannot be solved" | "can't be solved" => Meaning::NoSolution,
        "does not exist" | "doesn't exist" | "doesnt exist" | "do not exist" | "don't exist"
        | "not exist" | "dne" | "nonexistent" | "non existent" | "no limit" | "no limit exists" => {
            Meaning::DoesNotExist
        }
        "undefined" | "not defined" | "indefinite" | "has no meaning" | "meaningless" => {
            Meaning::Undefined
        }
        "empty set" | "null set" | "empty" | "void set" => Meaning::Set(NamedSet::Empty),
        "infinitely many"
        | "infinitely many solutions"
        | "infinite"
        | "infinite solutions"
        | "infinite number"
        | "infinite number of solutions"
        | "infinite number of"
        | "infinitely many values"
        | "infinitely many real solutions"
        | "infinity many"
        | "infinity many solutions"
        | "infinite many solutions"
        | "infinite many" => Meaning::InfinitelyMany,
        "infinity"
        | "positive infinity"
        | "plus infinity"
        | "inf"
        | "tends to infinity"
        | "goes to infinity"
        | "diverges to infinity"
        | "diverges to positive infinity" => Meaning::Infinity,
        "negative infinity" | "minus infinity" | "diverges to negative infinity" => {
            Meaning::NegativeInfinity
        }
        "diverges" | "diverge" | "divergent" | "does not converge" | "doesn't converge"
        | "not convergent" => Meaning::Diverges,
        "converges" | "converge" | "convergent" => Meaning::Converges,
        "true" | "correct" => Meaning::True,
        "false" | "incorrect" | "not true" => Meaning::False,
        "yes" => Meaning::Yes,
        "no" => Meaning::No,
        _ => return None,
    })
}

/// "no (real) solution(s)", "does not have any roots", "no values of x exist".
fn no_solution(form: &str) -> Option<Meaning> {
    const NEGATIONS: &[&str] =
        &["no", "does not have", "doesn't have", "do not have", "don't have", "without", "zero"];
    const KINDS: &[&str] = &[
        "any", "a", "such", "real", "integer", "integral", "valid", "possible", "rational",
        "feasible", "positive", "negative", "complex", "natural", "common", "whole", "number",
    ];
    const NOUNS: &[&str] = &[
        "solution",
        "solutions",
        "root",
        "roots",
        "value",
        "values",
        "zeros",
        "zeroes",
        "numbers",
        "integers",
        "pairs",
    ];
    let rest = NEGATIONS
        .iter()
        .find_map(|negation| strip_phrase(form, negation).filter(|rest| rest.starts_with(' ')))?;
    let mut words = rest.split_whitespace().skip_while(|word| KINDS.contains(word));
    if !NOUNS.contains(&words.next()?) {
        return None;
    }
    let mut tail = words.next();
    if matches!(tail, Some("of" | "for")) {
        // "of x"
        words.next().filter(|variable| variable.chars().count() == 1)?;
        tail = words.next();
    }
    let ends = matches!(tail, None | Some("exist" | "exists" | "possible" | "satisfy"));
    (ends && words.next().is_none()).then_some(Meaning::NoSolution)
}

/// "(all) real numbers", "x is any real number", "set of positive integers".
fn number_set(form: &str) -> Option<NamedSet> {
    let mut rest = form;
    // "x is", "x can be"
    for joint in [" is ", " can be ", " may be ", " belongs to ", " in ", " ∈ "] {
        if let Some((subject, after)) = rest.split_once(joint)
            && subject.chars().count() == 1
        {
            rest = after;
            break;
        }
    }
    for lead in ["the", "set of", "all", "every", "each", "any", "a", "an", "the"] {
        if let Some(after) = strip_phrase(rest, lead).filter(|after| after.starts_with(' ')) {
            rest = after.trim_start();
        }
    }
    let rest = ["numbers", "number", "values of x", "values", "x"]
        .iter()
        .find_map(|noun| rest.strip_suffix(noun)?.strip_suffix(' '))
        .unwrap_or(rest);
    // "real" and "an integer" describe one number.
    if rest == form && !rest.ends_with('s') {
        return None;
    }
    Some(match rest {
        "real" | "reals" => NamedSet::Reals,
        "positive real" | "positive reals" => NamedSet::PositiveReals,
        "negative real" | "negative reals" => NamedSet::NegativeReals,
        "nonnegative real" | "nonnegative reals" | "non negative real" | "non negative reals" => {
            NamedSet::NonNegativeReals
        }
        "integer" | "integers" => NamedSet::Integers,
        "positive integer" | "positive integers" => NamedSet::PositiveIntegers,
        "negative integer" | "negative integers" => NamedSet::NegativeIntegers,
        "nonnegative integer"
        | "nonnegative integers"
        | "non negative integer"
        | "non negative integers"
        | "whole" => NamedSet::NonNegativeIntegers,
        "natural" | "naturals" => NamedSet::Naturals,
        "rational" | "rationals" => NamedSet::Rationals,
        "complex" => NamedSet::Complexes,
        "prime" | "primes" => NamedSet::Primes,
        _ => return None,
    })
}

fn chinese(form: &str) -> Option<Meaning> {
    Some(match form {
        "无解" | "没有解" | "无实数解" | "没有实数解" | "无实数根" | "没有实数根" | "无实根"
        | "方程无解" | "没有" | "无" | "原方程无解" | "不等式组无解" => {
            Meaning::NoSolution
        }
        "不存在" | "极限不存在" => Meaning::DoesNotExist,
        "无意义" | "没有意义" | "未定义" => Meaning::Undefined,
        "空集" => Meaning::Set(NamedSet::Empty),
        "所有实数" | "全体实数" | "任意实数" | "一切实数" | "实数集" | "实数" => {
            Meaning::Set(NamedSet::Reals)
        }
        "所有整数" | "全体整数" | "任意整数" | "整数集" => {
            Meaning::Set(NamedSet::Integers)
        }
        "正整数" | "所有正整数" | "全体正整数" => {
            Meaning::Set(NamedSet::PositiveIntegers)
        }
        "无数" | "无数个" | "无穷多" | "无穷多个" | "无限多" | "无限多个" | "无数个解"
        | "无穷多解" | "有无数个解" | "有无穷多解" => Meaning::InfinitelyMany,
        "无穷" | "无穷大" | "正无穷" | "正无穷大" => Meaning::Infinity,
        "负无穷" | "负无穷大" => Meaning::NegativeInfinity,
        "发散" => Meaning::Diverges,
        "收敛" => Meaning::Converges,
        "正确" | "对" | "真" => Meaning::True,
        "错误" | "错" | "假" | "不正确" => Meaning::False,
        "是" | "是的" => Meaning::Yes,
        "否" | "不是" => Meaning::No,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_one_form() {
        for (text, form) in [
            ("  A parallelogram. ", "parallelogram"),
            ("the  \"White\" one", "white one"),
            ("It is a parallelogram", "parallelogram"),
            ("Right-angled triangle!", "right angled triangle"),
            ("Dana’s", "dana's"),
            ("Mon", "monday"),
            ("Sept.", "september"),
            ("Saturday.", "saturday"),
            ("A", "a"),
            ("the", "the"),
            ("apples, pears", "apples pears"),
            ("1,000.5 apples", "1,000.5 apples"),
            ("U.S.A.", "usa"),
            ("", ""),
            ("...", ""),
            ("ÉCOLE", "école"),
        ] {
            assert_eq!(normal_form(text, true), form, "{text}");
        }
        assert_eq!(normal_form("The Evelyn", false), "Evelyn");
        assert_ne!(normal_form("even", true), normal_form("odd", true));
        assert_ne!(normal_form("not even", true), normal_form("even", true));
    }

    #[test]
    fn phrases_have_meanings() {
        use Meaning as M;
        for (text, expected) in [
            ("no solution", M::NoSolution),
            ("No solutions.", M::NoSolution),
            ("no real solutions", M::NoSolution),
            ("There are no real roots", M::NoSolution),
            ("The equation has no solution", M::NoSolution),
            ("the system does not have any solutions", M::NoSolution),
            ("no such values exist", M::NoSolution),
            ("no real values of x", M::NoSolution),
            ("no such integers exist.", M::NoSolution),
            ("no solution for x", M::NoSolution),
            ("None", M::NoSolution),
            ("empty set", M::Set(NamedSet::Empty)),
            ("the empty set", M::Set(NamedSet::Empty)),
            ("DNE", M::DoesNotExist),
            ("does not exist", M::DoesNotExist),
            ("The limit doesn’t exist.", M::DoesNotExist),
            ("undefined", M::Undefined),
            ("is not defined", M::Undefined),
            ("all real numbers", M::Set(NamedSet::Reals)),
            ("All reals", M::Set(NamedSet::Reals)),
            ("any real number", M::Set(NamedSet::Reals)),
            ("x is any real number", M::Set(NamedSet::Reals)),
            ("the set of all real numbers", M::Set(NamedSet::Reals)),
            ("all real values of x", M::Set(NamedSet::Reals)),
            ("positive integers", M::Set(NamedSet::PositiveIntegers)),
            ("all integers", M::Set(NamedSet::Integers)),
            ("natural numbers", M::Set(NamedSet::Naturals)),
            ("non-negative integers", M::Set(NamedSet::NonNegativeIntegers)),
            ("complex numbers", M::Set(NamedSet::Complexes)),
            ("prime numbers", M::Set(NamedSet::Primes)),
            ("infinitely many solutions", M::InfinitelyMany),
            ("an infinite number of solutions", M::InfinitelyMany),
            ("infinity", M::Infinity),
            ("+inf", M::Infinity),
            ("-inf", M::NegativeInfinity),
            ("negative infinity", M::NegativeInfinity),
            ("The series diverges", M::Diverges),
            ("converges", M::Converges),
            ("True", M::True),
            ("false.", M::False),
            ("Yes", M::Yes),
            ("NO", M::No),
            ("无解", M::NoSolution),
            ("不存在", M::DoesNotExist),
            ("所有实数", M::Set(NamedSet::Reals)),
            ("是", M::Yes),
            ("否", M::No),
        ] {
            assert_eq!(meaning(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_phrases_have_none() {
        for text in [
            "",
            "even",
            "exists",
            "solution",
            "one solution",
            "no apples",
            "real",
            "prime",
            "complex",
            "not the empty set",
            "none of these",
            "none of the above",
            "no solution for 5 apples",
            "no solution exists but one",
            "all real numbers except 2",
            "x is positive",
            "not true or false",
            "不",
            "infinitely many primes",
            "-none",
        ] {
            assert_eq!(meaning(text), None, "{text}");
        }
        assert_eq!(meaning(&"no solution ".repeat(1000)), None);
    }

    #[test]
    fn remarks_explain() {
        for text in [
            "since x > 0",
            "because there are no others",
            "for x>0",
            "for all n",
            "where k is an integer",
            "as required",
            "if x > 0",
            "when n is even",
            "i.e.",
            "rounded to two decimal places",
            "respectively",
            "since x is not 0",
            "approximately",
            "因为x>0",
        ] {
            assert!(is_remark(text), "{text}");
        }
        for text in [
            "",
            "apples",
            "is wrong",
            "or 6",
            "since 5 is wrong",
            "as it is 5 or 6",
            "not",
            "for x>0 but not 5",
            "unless x = 0",
            "and 6",
            "i",
            "e",
            "if not, otherwise 6",
            "to 6",
            "by 4",
            "with remainder 3",
            "so the answer is 6",
            "which is not it",
            "since it is not the answer",
            "因为答案不是5",
        ] {
            assert!(!is_remark(text), "{text}");
        }
    }

    #[test]
    fn denials_are_seen() {
        assert!(denies("it is not 5"));
        assert!(denies("x \\neq 5"));
        assert!(denies("less than 5"));
        assert!(!denies("it is 5"));
        assert!(!denies(""));
    }
}
