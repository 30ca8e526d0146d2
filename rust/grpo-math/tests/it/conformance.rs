//! The cases shared with Python: `tests/conformance/data/math/*.toml`.

use std::collections::HashSet;
use std::fs;

use grpo_math::{
    Chain, Choice, Effort, Extract, Gold, Grade, Options, Order, Outcome, Percent, Policy, Units,
    verify,
};
use serde::Deserialize;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance/data/math");

#[derive(Deserialize)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    gold: String,
    prediction: String,
    extract: Option<String>,
    policy: Option<PolicyCell>,
    outcome: String,
    why: String,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum PolicyCell {
    ReadyMade(String),
    Switches(Switches),
}

/// The switches that differ from the default.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switches {
    rounding: Option<Rounding>,
    percent: Option<String>,
    units: Option<String>,
    radians: Option<bool>,
    assignment: Option<bool>,
    chain: Option<String>,
    order: Option<String>,
    solution_sets: Option<bool>,
    base_optional: Option<bool>,
    choice: Option<String>,
    ignore_case: Option<bool>,
    effort: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Rounding {
    Digits(u8),
    Switch(bool),
}

impl Case {
    fn options(&self) -> Options {
        let extract = self.extract.as_deref().unwrap_or("auto");
        Options {
            extract: Extract::from_name(extract).expect("a strategy"),
            policy: self.policy.clone().map_or_else(Policy::default, PolicyCell::into_policy),
        }
    }

    fn outcome(&self) -> Outcome {
        let options = self.options();
        verify(&self.prediction, &Gold::compile(&self.gold, &options), &options).outcome
    }
}

impl PolicyCell {
    fn into_policy(self) -> Policy {
        let switches = match self {
            Self::ReadyMade(name) if name == "math_verify" => return Policy::math_verify(),
            Self::ReadyMade(name) if name == "string_match" => return Policy::string_match(),
            Self::ReadyMade(name) => panic!("no ready-made policy is called {name}"),
            Self::Switches(switches) => switches,
        };
        let default = Policy::default();
        let rounding = match switches.rounding {
            None => default.rounding,
            Some(Rounding::Digits(digits)) => Some(digits),
            Some(Rounding::Switch(on)) => default.rounding.filter(|_| on),
        };
        Policy {
            rounding,
            percent: switch(switches.percent, Percent::from_name, default.percent),
            units: switch(switches.units, Units::from_name, default.units),
            radians: switches.radians.unwrap_or(default.radians),
            assignment: switches.assignment.unwrap_or(default.assignment),
            chain: switch(switches.chain, Chain::from_name, default.chain),
            order: switch(switches.order, Order::from_name, default.order),
            solution_sets: switches.solution_sets.unwrap_or(default.solution_sets),
            base_optional: switches.base_optional.unwrap_or(default.base_optional),
            choice: switch(switches.choice, Choice::from_name, default.choice),
            ignore_case: switches.ignore_case.unwrap_or(default.ignore_case),
            effort: switch(switches.effort, Effort::from_name, default.effort),
        }
    }
}

fn switch<T>(name: Option<String>, from_name: fn(&str) -> Option<T>, default: T) -> T {
    name.map_or(default, |name| from_name(&name).unwrap_or_else(|| panic!("no setting {name}")))
}

fn cases() -> Vec<Case> {
    let entries = fs::read_dir(CASES).expect("the cases stand beside Python's tests");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let read = |path| {
        let text = fs::read_to_string(path).expect("the cases are UTF-8");
        toml::from_str::<File>(&text)
    };
    paths.iter().flat_map(|path| read(path).expect("the cases are well-formed").case).collect()
}

#[test]
fn every_case_ends_as_written() {
    let mut failures = Vec::new();
    for case in cases() {
        let got = case.outcome();
        if got.name() != case.outcome {
            failures.push(format!(
                "{}: {}, not {} ({}): {:?} for {:?}",
                case.id,
                got.name(),
                case.outcome,
                case.why,
                case.prediction,
                case.gold
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
fn hacks_fail_around_any_gold() {
    let golds = [
        "3",
        "42",
        "-8",
        "0.25",
        "3/4",
        "1,200",
        "1000000",
        r"\frac{7}{12}",
        r"50\%",
        r"\sqrt{2}",
        "(1,2)",
        "x^2+3",
        r"\text{east}",
        "[0,1)",
        r"\frac{\pi}{3}",
        "7i+4",
        r"30^\circ",
        r"\{2,9\}",
        "y=3x-4",
        "x>6",
        r"\begin{pmatrix}1\\0\end{pmatrix}",
        "2:3",
    ];
    let mut accepted = Vec::new();
    for case in cases().iter().filter(|case| case.id.starts_with("hack/")) {
        for gold in golds {
            // x >= x > 6 says no more than x > 6.
            if (case.id.as_str(), gold) == ("hack/inequality", "x>6") {
                continue;
            }
            // "5" stands for the gold, wherever it is a number of its own.
            let prediction = substitute(&case.prediction, &case.gold, gold);
            let got = super::outcome(&prediction, gold, Extract::Auto);
            if got.verdict() != Grade::Incorrect {
                accepted.push(format!("{} around {gold}: {prediction} is {}", case.id, got.name()));
            }
        }
    }
    assert!(accepted.is_empty(), "{} hacks pass:\n{}", accepted.len(), accepted.join("\n"));
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
