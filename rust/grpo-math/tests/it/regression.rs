//! Inputs that are large, hostile, or once went wrong.

use std::time::{Duration, Instant};

use grpo_math::{
    Extract, Gold, MAX_DIGITS, Options, Outcome, Percent, Policy, Units, explain, verify,
};

/// Far above what linear time needs, far below what quadratic time takes.
const LINEAR: Duration = Duration::from_secs(2);

#[test]
fn hostile_inputs_are_linear() {
    const N: usize = 100_000;
    let inputs = [
        "\\boxed{".repeat(N / 7),
        "\\boxed".repeat(N / 6),
        format!("\\boxed{{{}5{}}}", "{".repeat(N), "}".repeat(N)),
        "\\boxed{}".repeat(N / 8),
        "$ $".repeat(N / 3),
        "#".repeat(N),
        "#### a\n".repeat(N / 7) + &" ".repeat(N),
        "#### answer: \n".repeat(N / 14),
        "answer".repeat(N / 6),
        "answer is . ".repeat(N / 12),
        "the answer\n".repeat(N / 11) + "ANSWER",
        "answer:".repeat(N / 7),
        "<answer>".repeat(N / 8) + "</answer>",
        "<think>".repeat(N / 7),
        "</think>".repeat(N / 8),
        "9".repeat(N),
        "9,".repeat(N / 2),
        "1,234".repeat(N / 5),
        "1 ".repeat(N / 2),
        "1 or ".repeat(N / 5) + "1",
        "1=".repeat(N / 2) + "1",
        "1e9999=".repeat(N / 7) + "1e9999",
        format!("\\boxed{{{}/{}}}", "9".repeat(MAX_DIGITS), "7".repeat(MAX_DIGITS)),
        "(".repeat(N) + "1" + &")".repeat(N),
        "1".to_owned() + &"$".repeat(N) + "^2",
        "1/".repeat(N / 2) + "1",
        "\\frac{".repeat(N / 6),
        "\\text{".repeat(N / 6) + "1",
        "5 ".to_owned() + &"eggs ".repeat(N / 5),
        "a".repeat(N) + " = 5",
        "é".repeat(N),
        "~ ".repeat(N / 2),
        "\\a ".repeat(N / 3),
        " ".repeat(N) + "~",
        "10^{10^{10}}".repeat(N / 12),
    ];
    for input in &inputs {
        for extract in Extract::ALL {
            let options = Options { extract, ..Options::default() };
            let start = Instant::now();
            for gold in ["8", "five apples"] {
                let gold = Gold::compile(gold, &options);
                assert_ne!(verify(input, &gold, &options).outcome, Outcome::Correct, "{input:.40}");
                explain(input, &gold, &options);
            }
            Gold::compile(input, &options);
            let took = start.elapsed();
            assert!(took < LINEAR, "{extract:?} took {took:?} on {input:.40}...");
        }
    }
}

#[test]
fn digits_are_budgeted() {
    let options = Options { extract: Extract::Whole, ..Options::default() };
    let longest = "9".repeat(MAX_DIGITS);
    let gold = Gold::compile(&longest, &options);
    assert_eq!(verify(&longest, &gold, &options).outcome, Outcome::Correct);
    assert_eq!(verify(&format!("{longest}0"), &gold, &options).outcome, Outcome::OverBudget);
    assert_eq!(
        Gold::compile(&format!("{longest}0"), &options).problem(),
        Some(Outcome::GoldOverBudget)
    );
    assert!(explain(&longest, &gold, &options).len() < 300);
}

#[test]
fn policies_switch() {
    let whole = Options { extract: Extract::Whole, ..Options::default() };
    let strict = Options {
        policy: Policy { percent: Percent::Value, units: Units::Refuse, assignment: false },
        ..whole
    };
    let score = |prediction, gold, options: &Options| {
        verify(prediction, &Gold::compile(gold, options), options).outcome
    };
    for (prediction, gold, outcome) in [
        ("50%", "50", Outcome::WrongValue),
        ("18 eggs", "18", Outcome::UnreadableAnswer),
        ("90°", "90", Outcome::UnreadableAnswer),
        ("x = 5", "5", Outcome::UnreadableAnswer),
    ] {
        assert_eq!(score(prediction, gold, &whole), Outcome::Correct, "{prediction}");
        assert_eq!(score(prediction, gold, &strict), outcome, "{prediction}");
    }
    for same in ["50%", "18 eggs", "x = 5"] {
        assert_eq!(score(same, same, &strict), Outcome::Correct, "{same}");
    }
    assert_eq!(score("50%", "0.5", &strict), Outcome::Correct);
}

#[test]
fn explanations_name_both_sides() {
    let sentence = |prediction, gold| {
        let options = Options::default();
        explain(prediction, &Gold::compile(gold, &options), &options)
    };
    for (prediction, gold, expected) in [
        ("\\boxed{50\\%}", "1/2", r#"found "50\%" in \boxed{}, equal to 1/2"#),
        ("so 97", "1/2", r#"found "97" as the last number, which is 97, not 1/2"#),
        ("<answer>Rome</answer>", "Paris", r#"found "Rome" in <answer>, which is not "paris""#),
        (
            "\\boxed{5, 6}",
            "5",
            r#"found "5, 6" in \boxed{}, which is not one single value; expected 5"#,
        ),
        ("<think>", "5", "the reply ends inside its <think> block"),
        ("5", "", "not scorable: the gold is empty"),
    ] {
        assert_eq!(sentence(prediction, gold), expected);
    }
}

#[test]
fn outcomes_are_a_stable_list() {
    let codes: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.code()).collect();
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 16, 17, 18]);
    for outcome in Outcome::ALL {
        assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
        assert!(outcome.describe().ends_with('.'));
    }
    assert_eq!(Outcome::from_code(7), None);
}
