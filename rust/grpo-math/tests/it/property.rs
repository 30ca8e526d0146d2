//! Laws that hold for every input.

use grpo_math::{Extract, Gold, Grade, Options, Outcome, explain, verify};
use proptest::prelude::*;

/// Strings made of the pieces the crate looks for, so that random text reaches every branch.
fn mathematical() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\\boxed{",
        "\\boxed",
        "\\fbox {",
        "{",
        "}",
        "\\{",
        "\\}",
        "####",
        "<answer>",
        "</answer>",
        "<think>",
        "</think>",
        "The answer is ",
        "ANSWER: ",
        "answer\n",
        "\\frac",
        "\\frac{1}{2}",
        "\\text{",
        "\\,",
        "\\!",
        "{,}",
        "$",
        "\\$",
        "%",
        "\\%",
        "1",
        "23",
        "456",
        "0",
        ".",
        ",",
        "-",
        "−",
        "/",
        "^",
        "e5",
        "=",
        "x",
        " or ",
        " m",
        " eggs",
        "\n",
        " ",
        "  ",
        "**",
        "½",
        "é",
        "答",
        "\u{a0}",
        "\"",
        "\\",
        "°",
        "\\times10^",
        "(",
        ")",
        ":",
        "…",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Short answers over few symbols, so that two of them are often equal.
fn bare_answer() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "5", "5", "0", "1", "2", "/", ".", ",", "-", "%", " ", "\\frac", "{", "}", "x", "=",
        "\\text{", " cm", " m", "a", "A", "$", "e1", "½", "^",
    ]);
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

/// A gold, other writings of the same answer, and answers that differ from it.
#[derive(Clone, Debug)]
struct Family {
    gold: String,
    same: Vec<String>,
    other: Vec<String>,
}

impl Family {
    fn new(
        gold: impl Into<String>,
        same: impl IntoIterator<Item = String>,
        other: impl IntoIterator<Item = String>,
    ) -> Self {
        let gold = gold.into();
        let mut same: Vec<_> = same.into_iter().collect();
        same.extend(rewritings(&gold));
        Self { gold, same, other: other.into_iter().collect() }
    }
}

/// What typesetting may change in any answer.
fn rewritings(text: &str) -> Vec<String> {
    let sized = |text: &str| {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                '(' | '[' => out.push_str("\\left"),
                ')' | ']' => out.push_str("\\right"),
                _ => {}
            }
            out.push(c);
        }
        out
    };
    vec![
        format!("  {text} "),
        format!("${text}$"),
        format!("${text}$."),
        format!("\\[{text}\\]"),
        format!("\\boxed{{{text}}}"),
        format!("\\displaystyle {text}"),
        text.replace("\\frac", "\\dfrac"),
        text.replace("\\frac", "\\tfrac"),
        text.replace('-', "−"),
        text.replace("\\pi", "π"),
        text.replace("\\infty", "∞"),
        text.replace(',', ",\\;"),
        text.replace(',', " , "),
        text.replace("pmatrix", "bmatrix"),
        sized(text),
    ]
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

fn integers() -> impl Strategy<Value = Family> {
    (-99_999_i64..100_000).prop_filter("a sign to lose", |n| *n != 0).prop_map(|n| {
        let same = [
            format!("{n}.0"),
            format!("\\text{{{n}}}"),
            format!("{n}\\text{{ units}}"),
            format!("x={n}"),
            format!("{}+1", n - 1),
            format!("\\frac{{{}}}{{7}}", n * 7),
        ];
        let other =
            [-n, n + 1, n * 10, n * 100].map(|other| other.to_string()).into_iter().chain([
                format!("{n}.01"),
                format!("{n}x"),
                format!("{n}\\%+1"),
                format!("{n}^{{3}}+2"),
                format!("\\frac{{{n}}}{{2}}"),
            ]);
        Family::new(n.to_string(), same, other)
    })
}

fn fractions() -> impl Strategy<Value = Family> {
    (1_i64..200, 2_i64..60).prop_filter("lowest terms", |(p, q)| gcd(*p, *q) == 1).prop_map(
        |(p, q)| {
            let mut same = vec![
                format!("{p}/{q}"),
                format!("\\frac{{{}}}{{{}}}", p * 3, q * 3),
                format!("\\frac{{-{p}}}{{-{q}}}"),
                format!("x=\\frac{{{p}}}{{{q}}}"),
                format!("{p} \\div {q}"),
            ];
            if p > q {
                same.push(format!("{}\\frac{{{}}}{{{q}}}", p / q, p % q));
                same.push(format!("{} {}/{q}", p / q, p % q));
            }
            if 10_000 % q == 0 {
                same.push(decimal(p * 10_000 / q, 4));
            }
            let other = [
                format!("\\frac{{{q}}}{{{p}}}"),
                format!("-\\frac{{{p}}}{{{q}}}"),
                format!("\\frac{{{}}}{{{q}}}", p + q),
                format!("\\frac{{{p}}}{{{}}}", q + 1),
                p.to_string(),
            ];
            Family::new(format!("\\frac{{{p}}}{{{q}}}"), same, other)
        },
    )
}

fn radicals() -> impl Strategy<Value = Family> {
    (2_i64..30, prop::sample::select(vec![2_i64, 3, 5, 6, 7, 10, 11, 13])).prop_map(|(a, b)| {
        let same = [
            format!("\\sqrt{{{}}}", a * a * b),
            format!("{a} \\cdot \\sqrt {{{b}}}"),
            format!("{a}√{b}"),
            format!("{a}*sqrt({b})"),
            format!("\\frac{{{}}}{{\\sqrt{{{b}}}}}", a * b),
            format!("{a}\\cdot {b}^{{1/2}}"),
        ];
        let other = [
            format!("{a}"),
            format!("-{a}\\sqrt{{{b}}}"),
            format!("{a}\\sqrt{{{}}}", b + 1),
            format!("{}\\sqrt{{{b}}}", a + 1),
            format!("{a}\\sqrt[3]{{{b}}}"),
            format!("{}", a * b),
        ];
        Family::new(format!("{a}\\sqrt{{{b}}}"), same, other)
    })
}

fn angles() -> impl Strategy<Value = Family> {
    (1_i64..24, 2_i64..24).prop_filter("lowest terms", |(p, q)| gcd(*p, *q) == 1).prop_map(
        |(p, q)| {
            let same = [
                format!("\\frac{{{p}}}{{{q}}}\\pi"),
                format!("{p}π/{q}"),
                format!("\\frac{{{}}}{{{q}}} \\cdot \\frac{{\\pi}}{{2}}", 2 * p),
            ];
            let other = [
                format!("\\frac{{{p}}}{{{q}}}"),
                format!("\\frac{{{p}\\pi^2}}{{{q}}}"),
                format!("\\frac{{{p}}}{{{q}\\pi}}"),
                format!("-\\frac{{{p}\\pi}}{{{q}}}"),
            ];
            Family::new(format!("\\frac{{{p}\\pi}}{{{q}}}"), same, other)
        },
    )
}

fn polynomials() -> impl Strategy<Value = Family> {
    (2_i64..20, 2_i64..20, 2_i64..20).prop_map(|(a, b, c)| {
        let (linear, constant) = (a * c - b, -b * c);
        let sign = if linear < 0 { "-" } else { "+" };
        let middle = linear.abs();
        let gold = format!("{a}x^2{sign}{middle}x-{}", -constant);
        let same = [
            format!("({a}x-{b})(x+{c})"),
            format!("-{}{sign}{middle}x+{a}x^{{2}}", -constant),
            format!("{a} \\cdot x^2 {sign} {middle} \\cdot x - {}", -constant),
            format!("{a}*x**2{sign}{middle}*x-{}", -constant),
            format!("{a}x²{sign}{middle}x-{}", -constant),
            format!("y={a}x^2{sign}{middle}x-{}", -constant),
        ];
        let other = [
            format!("({a}x+{b})(x+{c})"),
            format!("({a}x-{b})(x-{c})"),
            gold.replace('x', "w"),
            gold.replace('x', "X"),
            format!("{gold}1"),
            format!("{a}x^3{sign}{middle}x-{}", -constant),
            format!("{}x^2{sign}{middle}x-{}", a + 1, -constant),
        ];
        Family::new(gold, same, other)
    })
}

fn tuples() -> impl Strategy<Value = Family> {
    (-50_i64..50, 51_i64..99, -9_i64..10).prop_map(|(a, b, c)| {
        let same = [
            format!("({a};{b};{c})"),
            format!("\\langle {a},{b},{c}\\rangle"),
            format!("({a}.0,{b},\\frac{{{}}}{{2}})", 2 * c),
            format!("(x,y,z)=({a},{b},{c})"),
        ];
        let other = [
            format!("({b},{a},{c})"),
            format!("({a},{b})"),
            format!("({a},{b},{c},0)"),
            format!("({a},{b},{})", c + 1),
            format!("({a},-{b},{c})"),
            format!("{b}"),
        ];
        Family::new(format!("({a},{b},{c})"), same, other)
    })
}

fn intervals() -> impl Strategy<Value = Family> {
    (-50_i64..50, 51_i64..99).prop_map(|(a, b)| {
        let same = [
            format!("{a}\\le x<{b}"),
            format!("{b}>x\\ge {a}"),
            format!("x\\in[{a},{b})"),
            format!("[{a},{b}["),
            format!("\\{{x\\mid {a}\\le x<{b}\\}}"),
            format!("[{a},{b}.0)"),
        ];
        let other = [
            format!("({a},{b})"),
            format!("[{a},{b}]"),
            format!("[{a},{})", b + 1),
            format!("[{a},\\infty)"),
            format!("{a}<x<{b}"),
            format!("{a}"),
        ];
        Family::new(format!("[{a},{b})"), same, other)
    })
}

fn unions() -> impl Strategy<Value = Family> {
    (-50_i64..0, 1_i64..50).prop_map(|(a, b)| {
        let same = [
            format!("({b},\\infty)\\cup(-\\infty,{a}]"),
            format!("(-\\infty,{a}]\\cup({b},+\\infty)"),
            format!("(-∞,{a}]∪({b},∞)"),
            format!("x\\le {a} \\text{{ or }} x>{b}"),
        ];
        let other = [
            format!("(-\\infty,{a}]"),
            format!("(-\\infty,{a})\\cup({b},\\infty)"),
            format!("({a},{b}]"),
            format!("(-\\infty,{a}]\\cup({},\\infty)", b + 1),
        ];
        Family::new(format!("(-\\infty,{a}]\\cup({b},\\infty)"), same, other)
    })
}

fn matrices() -> impl Strategy<Value = Family> {
    (-50_i64..50, 51_i64..99, -9_i64..10).prop_map(|(a, b, c)| {
        let matrix = |a, b, c| format!("\\begin{{pmatrix}}{a}&{b}\\\\{c}&1\\end{{pmatrix}}");
        let same = [
            format!("\\left(\\begin{{array}}{{cc}}{a}&{b}\\\\{c}&1\\end{{array}}\\right)"),
            format!("\\begin{{pmatrix}} {a} & {b} \\\\ {c} & \\frac22 \\end{{pmatrix}}"),
            format!("A={}", matrix(a, b, c)),
        ];
        let other = [
            matrix(b, a, c),
            matrix(a, b, c + 1),
            format!("\\begin{{pmatrix}}{a}&{b}\\end{{pmatrix}}"),
            format!("({a},{b},{c},1)"),
            b.to_string(),
        ];
        Family::new(matrix(a, b, c), same, other)
    })
}

fn lists() -> impl Strategy<Value = Family> {
    (-50_i64..0, 1_i64..50, 51_i64..99).prop_map(|(a, b, c)| {
        let same = [
            format!("{c},{b},{a}"),
            format!("\\{{{a},{b},{c}\\}}"),
            format!("{a}, {b} and {c}"),
            format!("{a}, {b}, \\text{{ and }} {c}"),
            format!("x={a},{b},{c}"),
            format!("x={a} \\text{{ or }} x={b} \\text{{ or }} x={c}"),
            format!("{a}; {b}; {c}"),
        ];
        let other = [
            format!("{a},{b}"),
            format!("{c}"),
            format!("{a},{b},{c},100"),
            format!("{a},{b},{}", c + 1),
            format!("{},{b},{c}", -a),
            format!("({c},{b},{a})"),
        ];
        Family::new(format!("{a},{b},{c}"), same, other)
    })
}

fn words() -> impl Strategy<Value = Family> {
    let words = vec!["north", "ellipse", "never", "Tuesday", "scalene", "odd"];
    (prop::sample::subsequence(words, 2)).prop_map(|pair| {
        let [word, other] = pair[..] else { unreachable!() };
        let same = [format!("\\text{{{word}}}"), word.to_uppercase(), format!("**{word}**")];
        let other =
            [other.to_owned(), format!("not {word}"), format!("{word} or {other}"), "5".to_owned()];
        Family::new(format!("\\text{{{word}}}"), same, other)
    })
}

/// Identities with random numbers in them, and the same with one number or sign wrong.
fn identities() -> impl Strategy<Value = Family> {
    (2_i64..12, 2_i64..12, 0_usize..9).prop_map(|(a, b, which)| {
        let one = |gold: String, same: String, other: String| Family::new(gold, [same], [other]);
        match which {
            0 => one(
                format!("\\ln {}", a * b),
                format!("\\ln {a}+\\ln {b}"),
                format!("\\ln {}+\\ln {b}", a + 1),
            ),
            1 => one(
                format!("\\sin({}x)", a + b),
                format!("\\sin {a}x\\cos {b}x+\\cos {a}x\\sin {b}x"),
                format!("\\sin {a}x\\cos {b}x-\\cos {a}x\\sin {b}x"),
            ),
            2 => one(
                format!("\\sqrt{{{}+2\\sqrt{{{}}}}}", a + b, a * b),
                format!("\\sqrt{{{a}}}+\\sqrt{{{b}}}"),
                format!("\\sqrt{{{a}}}-\\sqrt{{{b}}}"),
            ),
            3 => one(
                format!("\\frac{{1}}{{x+{a}}}-\\frac{{1}}{{x+{}}}", a + b),
                format!("\\frac{{{b}}}{{(x+{a})(x+{})}}", a + b),
                format!("\\frac{{{}}}{{(x+{a})(x+{})}}", b + 1, a + b),
            ),
            4 => one(format!("{}^{{n}}", a * a), format!("{a}^{{2n}}"), format!("{a}^{{n+2}}")),
            5 => one(
                format!("({a}+{b}i)^2"),
                format!("{}+{}i", a * a - b * b, 2 * a * b),
                format!("{}+{}i", a * a + b * b, 2 * a * b),
            ),
            6 => one(
                format!("\\log_{{{a}}} {b}"),
                format!("\\frac{{\\ln {b}}}{{\\ln {a}}}"),
                format!("\\frac{{\\ln {}}}{{\\ln {a}}}", b + 1),
            ),
            7 => one(
                format!("\\sum_{{k=1}}^{{{a}}} k"),
                (a * (a + 1) / 2).to_string(),
                (a * (a + 1) / 2 + 1).to_string(),
            ),
            _ => one(
                format!("\\binom{{{}}}{{{a}}}", a + b),
                format!("\\frac{{{}!}}{{{a}!\\,{b}!}}", a + b),
                format!("\\frac{{{}!}}{{{a}!}}", a + b),
            ),
        }
    })
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![
        integers(),
        fractions(),
        radicals(),
        angles(),
        polynomials(),
        tuples(),
        intervals(),
        unions(),
        matrices(),
        lists(),
        words(),
        identities(),
    ]
}

fn anything() -> impl Strategy<Value = String> {
    prop_oneof![mathematical(), any::<String>()]
}

/// A numeral in one of the spellings of its value `numerator / 10^places`.
fn decimal(numerator: i64, places: u32) -> String {
    let places = places as usize;
    let digits = format!("{:0width$}", numerator.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let point = if places == 0 { "" } else { "." };
    format!("{}{whole}{point}{fraction}", if numerator < 0 { "-" } else { "" })
}

fn grouped(n: u64, separator: &str) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push_str(separator);
        }
        out.push(digit);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_global_rejects: 1_000_000,
        ..ProptestConfig::with_cases(1500)
    })]

    /// Nothing panics, spans lie on character boundaries, and the sentence is never empty.
    #[test]
    fn total(prediction in anything(), gold in anything()) {
        for extract in Extract::ALL {
            let options = Options { extract, ..Options::default() };
            let gold = Gold::compile(&gold, &options);
            let verdict = verify(&prediction, &gold, &options);
            prop_assert_eq!(verdict.span.is_some(), verdict.found_by.is_some());
            if let Some(span) = verdict.span {
                prop_assert!(prediction.get(span.range()).is_some());
            }
            prop_assert_eq!(verdict.score().is_none(), gold.problem().is_some());
            prop_assert!(!explain(&prediction, &gold, &options).is_empty());
        }
    }

    /// A scorable gold accepts itself.
    #[test]
    fn reflexive(text in anything()) {
        // What the gold marks as its answer is less than the whole text.
        let marks = ["####", "box", "think>", "answer", "答"];
        prop_assume!(!marks.iter().any(|mark| text.to_lowercase().contains(mark)));
        // In a reply, a formula that does not stay on its line is a fragment, and no answer.
        let opens_formula = text.contains('$') || text.contains("\\(");
        prop_assume!(!(text.contains('\n') && opens_formula));
        let got = super::outcome(&text, &text, Extract::Whole);
        prop_assert!(got == Outcome::Correct || got.verdict() == Grade::NotScorable, "{got:?}");
    }

    /// Which side is the gold makes no difference to whether two answers are equal.
    #[test]
    fn symmetric(left in bare_answer(), right in bare_answer()) {
        let there = super::outcome(&left, &right, Extract::Whole);
        let back = super::outcome(&right, &left, Extract::Whole);
        let scored = there.verdict() != Grade::NotScorable && back.verdict() != Grade::NotScorable;
        prop_assert!(!scored || (there == Outcome::Correct) == (back == Outcome::Correct));
    }

    /// All spellings of a decimal are equal, and the neighbour of each is not.
    #[test]
    fn spellings_of_a_decimal(n in -1_000_000_i64..1_000_000, places in 0_u32..6) {
        let gold = decimal(n, places);
        let neighbour = decimal(n + 1, places);
        for spelling in [
            format!("{gold} eggs"),
            format!("${gold}$"),
            format!("\\boxed{{{gold}}}"),
            format!("x = {gold}"),
            format!("{n}e-{places}"),
            format!("{n} \\times 10^{{-{places}}}"),
            format!("\\frac{{{n}}}{{{}}}", 10_i64.pow(places)),
            format!("{n}/{}", 10_i64.pow(places)),
        ] {
            let outcome = |gold: &str| super::outcome(&spelling, gold, Extract::Whole);
            prop_assert_eq!(outcome(&gold), Outcome::Correct, "{}", spelling);
            prop_assert_eq!(outcome(&neighbour), Outcome::WrongValue, "{}", spelling);
        }
    }

    /// Grouping changes nothing, in the answer and in prose.
    #[test]
    fn grouping(n in any::<u64>()) {
        let gold = n.to_string();
        for separator in [",", "{,}", "\\,", ",\\!", "\u{a0}"] {
            let number = grouped(n, separator);
            let got = super::outcome(&number, &gold, Extract::Whole);
            prop_assert_eq!(got, Outcome::Correct, "{}", number);
            let prose = format!("In all there are {number} of them.");
            let got = super::outcome(&prose, &gold, Extract::Auto);
            prop_assert_eq!(got, Outcome::Correct, "{}", prose);
        }
    }

    /// Whatever a model thinks before `</think>` has no influence.
    #[test]
    fn reasoning_is_set_aside(thought in anything(), n in 0_u32..1000) {
        let gold = n.to_string();
        let reply = format!("<think>{thought}</think>#### {n}");
        prop_assert_eq!(super::outcome(&reply, &gold, Extract::Auto), Outcome::Correct);
        let reply = format!("<think>{thought} \\boxed{{{n}}} #### {n} </think>");
        prop_assert_eq!(super::outcome(&reply, &gold, Extract::Auto), Outcome::NoAnswer);
    }

    /// Another way of writing an answer changes nothing, whichever side it stands on.
    #[test]
    fn invariant_under_rewriting(family in family()) {
        for same in &family.same {
            let there = super::outcome(same, &family.gold, Extract::Whole);
            prop_assert_eq!(there, Outcome::Correct, "{} for {}", same, &family.gold);
            let back = super::outcome(&family.gold, same, Extract::Whole);
            prop_assert_eq!(back, Outcome::Correct, "{} for {}", &family.gold, same);
        }
    }

    /// An answer that differs is wrong, whichever side it stands on.
    #[test]
    fn sensitive_to_changes(family in family()) {
        for other in &family.other {
            let there = super::outcome(other, &family.gold, Extract::Whole);
            prop_assert!(there.verdict() == Grade::Incorrect, "{} for {}: {there:?}", other, &family.gold);
            let back = super::outcome(&family.gold, other, Extract::Whole);
            prop_assert!(back.verdict() == Grade::Incorrect, "{} for {}: {back:?}", &family.gold, other);
        }
    }

    /// Naming the right answer among others, or denying it, earns nothing.
    #[test]
    fn hedges_fail(family in family()) {
        let gold = &family.gold;
        // Of sets of numbers, "or" makes the union, which may be the gold.
        let is_region = gold.contains(['[', ']']);
        for other in &family.other {
            for (hedge, joins_regions) in [
                (format!("{gold} \\text{{ or }} {other}"), true),
                (format!("{other} \\text{{ or }} {gold}"), true),
                (format!("{gold}; {other}; 12345"), false),
                (format!("{gold} \\quad {other}"), false),
                (format!("\\neq {gold}"), false),
                (format!("\\text{{not }} {gold}"), false),
                (format!("{gold} \\text{{ is wrong}}"), false),
                (format!("\\{{{gold}, {other}, 12345\\}}"), false),
            ] {
                if is_region && joins_regions {
                    continue;
                }
                let got = super::outcome(&hedge, gold, Extract::Whole);
                prop_assert!(got.verdict() == Grade::Incorrect, "{} for {}: {got:?}", hedge, gold);
            }
            // An equation of two values is a contradiction; a word may be a label (`area = 5`).
            let is_value = |text: &String| !text.contains(['=', '<', '>', ',', ' ']);
            if is_value(gold) && is_value(other) && !gold.contains("text") {
                for chain in [format!("{other} = {gold}"), format!("{gold} = {other}")] {
                    let got = super::outcome(&chain, gold, Extract::Whole);
                    prop_assert!(got.verdict() == Grade::Incorrect, "{} for {}: {got:?}", chain, gold);
                }
            }
        }
    }

    /// In a box at the end of a reply an answer is what it is on its own.
    #[test]
    fn boxed_is_whole(family in family()) {
        for answer in family.same.iter().chain(&family.other).filter(|answer| !answer.contains("boxed")) {
            let alone = super::outcome(answer, &family.gold, Extract::Whole);
            let boxed = format!("So we are done: $\\boxed{{{answer}}}$.");
            prop_assert_eq!(super::outcome(&boxed, &family.gold, Extract::Auto), alone, "{}", answer);
        }
    }
}
