//! Inputs that are large, hostile, or once went wrong.

use std::time::{Duration, Instant};

use grpo_math::{Extract, Gold, MAX_DIGITS, Options, Outcome, Policy, explain, verify};

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

fn count(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(",")
}

/// Each verdict is decided by counted work, far within the limit even without optimisation.
#[test]
fn hostile_mathematics_is_bounded() {
    const LIMIT: Duration = Duration::from_millis(500);
    let tower = |n: usize| "6^{".repeat(n) + "6" + &"}".repeat(n);
    let nested = |n: usize| r"\sqrt{2+".repeat(n) + "x" + &"}".repeat(n);
    let fractions = |n: usize| r"\frac{1}{1+".repeat(n) + "x" + &"}".repeat(n);
    let product = |n: i32| (1..n).map(|i| format!("(x_{{{i}}}+{i})")).collect::<Vec<_>>().concat();
    let sum =
        |n: i32| (1..n).map(|i| format!("+\\sqrt{{{}}}", i * i + 1)).collect::<Vec<_>>().concat();
    let matrix = |n: usize| {
        let row = vec!["\\frac{x+1}{y}"; n].join("&");
        format!("\\begin{{pmatrix}}{}\\end{{pmatrix}}", vec![row; n].join(r"\\"))
    };
    for (gold, answer) in [
        (tower(5), tower(6)),
        (tower(40), tower(41)),
        ("10^{10^{9}}+1".into(), "10^{10^{9}}".into()),
        ("2000000000!".into(), "2000000001!".into()),
        ("((40!)!)!".into(), "((41!)!)!".into()),
        (r"\binom{3000000}{1500000}".into(), r"\binom{3000000}{1499999}".into()),
        (
            r"\sum_{k=1}^{2000000000} \frac{1}{k}".into(),
            r"\sum_{k=1}^{2000000001} \frac{1}{k}".into(),
        ),
        (r"\prod_{k=1}^{500000} (k^2+1)".into(), r"\prod_{k=1}^{500001} (k^2+1)".into()),
        (r"\int_0^1 e^{\sin(x^{x})}\,dx".into(), "1.7".into()),
        (r"\lim_{x\to 0} \frac{\sin(\tan x)-\tan(\sin x)}{x^7}".into(), "7".into()),
        ("(x+y+z+w)^{300}".into(), "(x+y+z-w)^{300}".into()),
        ("(a+b+c+d+e+f)^{40}(a-b)^{40}".into(), "(a+b+c+d+e-f)^{40}(a-b)^{40}".into()),
        (product(60), product(61)),
        (sum(60), sum(61)),
        (nested(60), nested(61)),
        (fractions(80), fractions(81)),
        (matrix(12), matrix(13)),
        (format!("{matrix}{matrix}", matrix = matrix(8)), matrix(8)),
        ("\\pm 1".repeat(40), "\\pm 1".repeat(41)),
        ("1,".repeat(900) + "1", "1,".repeat(901) + "1"),
        (count(0..900), count((0..900).rev())),
        ("(1,2),".repeat(300), "(2,1),".repeat(300)),
        (r"(0,1)\cup".repeat(300) + "(1,2)", r"(0,1)\cap".repeat(300) + "(1,2)"),
        ("x<1<".repeat(300) + "2", "x>1>".repeat(300) + "2"),
        (
            r"\sin(\cos(".repeat(40) + "x" + &"))".repeat(40),
            r"\cos(\sin(".repeat(40) + "x" + &"))".repeat(40),
        ),
        ("10^{-300000}".into(), "10^{-300001}".into()),
        ("e^{e^{e^{e^{9}}}}".into(), "e^{e^{e^{e^{8}}}}".into()),
        (r"\sin(10^{5000})".into(), r"\sin(10^{5000}+1)".into()),
        ("x^{99999999}-1".into(), "(x-1)^{99999999}".into()),
        ("0.".to_owned() + &"3".repeat(9000), r"\frac{1}{3}".into()),
        (format!("0.\\overline{{{}}}", "142857".repeat(500)), r"\frac17".into()),
        (format!("\\frac{{{}}}{{{}}}", "9".repeat(9000), "7".repeat(9000)), r"\frac97".into()),
    ] {
        for (gold, answer) in [(&gold, &answer), (&answer, &gold)] {
            let options = Options { extract: Extract::Whole, ..Options::default() };
            let start = Instant::now();
            let gold = Gold::compile(gold, &options);
            verify(answer, &gold, &options);
            explain(answer, &gold, &options);
            let took = start.elapsed();
            assert!(took < LIMIT, "{took:?} on {answer:.60}");
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
fn ready_made_policies_differ_from_the_default() {
    let score = |prediction, gold, policy| {
        let options = Options { extract: Extract::Whole, policy };
        verify(prediction, &Gold::compile(gold, &options), &options).score()
    };
    for (prediction, gold, [default, math_verify, string_match]) in [
        ("1/2", "0.5", [1.0, 1.0, 0.0]),
        ("5 kg", "5 cm", [0.0, 1.0, 0.0]),
        ("0.3333", "1/3", [1.0, 0.0, 0.0]),
        (r"\dfrac{1}{2}", r"\frac{1}{2}", [1.0, 1.0, 1.0]),
    ] {
        assert_eq!(score(prediction, gold, Policy::default()), Some(default), "{prediction}");
        assert_eq!(
            score(prediction, gold, Policy::math_verify()),
            Some(math_verify),
            "{prediction}"
        );
        assert_eq!(
            score(prediction, gold, Policy::string_match()),
            Some(string_match),
            "{prediction}"
        );
    }
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
        (
            "<answer>Rome</answer>",
            "Paris",
            r#"found "Rome" in <answer>, which is "Rome", not "Paris""#,
        ),
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
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18]);
    for outcome in Outcome::ALL {
        assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
        assert!(outcome.describe().ends_with('.'));
    }
    assert_eq!(Outcome::from_code(8), None);
}
