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
        prop_assume!(!["####", "box", "think>"].iter().any(|anchor| text.contains(anchor)));
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
}
