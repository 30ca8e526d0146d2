//! The cases shared with Python: `tests/conformance/data/math.toml`.

use std::collections::HashSet;

use grpo_math::{Extract, Grade, Outcome};

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance/data/math.toml"));

#[derive(serde::Deserialize)]
struct File {
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    gold: String,
    prediction: String,
    extract: Option<String>,
    outcome: String,
    why: String,
}

fn cases() -> Vec<Case> {
    let file: File = toml::from_str(CASES).expect("math.toml is well-formed");
    file.case
}

#[test]
fn every_case_ends_as_written() {
    let mut failures = Vec::new();
    for case in cases() {
        let extract = Extract::from_name(case.extract.as_deref().unwrap_or("auto"));
        let got = super::outcome(&case.prediction, &case.gold, extract.unwrap());
        if got.name() != case.outcome {
            failures.push(format!(
                "{}: {}, not {} ({})",
                case.id,
                got.name(),
                case.outcome,
                case.why
            ));
        }
    }
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn ids_are_unique_and_every_outcome_occurs() {
    let cases = cases();
    let ids: HashSet<_> = cases.iter().map(|case| &case.id).collect();
    assert_eq!(ids.len(), cases.len());
    for outcome in Outcome::ALL {
        assert!(cases.iter().any(|case| case.outcome == outcome.name()), "{}", outcome.name());
    }
}

/// The hacks of the file around many golds, not only the one it names.
#[test]
fn hacks_fail_around_any_number() {
    for case in cases().iter().filter(|case| case.id.starts_with("hack/")) {
        for gold in ["3", "42", "-8", "0.25", "3/4", "1,200", "1000000", "\\frac{7}{12}", "50\\%"] {
            // "5" stands for the gold, wherever it is a number of its own.
            let prediction = substitute(&case.prediction, &case.gold, gold);
            let got = super::outcome(&prediction, gold, Extract::Auto);
            assert_eq!(got.verdict(), Grade::Incorrect, "{} around {gold}: {prediction}", case.id);
        }
    }
}

fn substitute(text: &str, from: &str, to: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let after = &rest[at + from.len()..];
        let alone = !rest[..at].ends_with(|c: char| c.is_ascii_digit() || c == '.')
            && !after.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(&rest[..at]);
        out.push_str(if alone { to } else { from });
        rest = after;
    }
    out + rest
}
