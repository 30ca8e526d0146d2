//! What must hold for every input: shared by the fuzz targets and by the test that replays
//! `regressions/`.

use std::time::{Duration, Instant};

use grpo_math::{Extract, Gold, Grade, Options, Outcome, Policy, Verdict, explain, verify};

/// Five times what one verdict may take, for slower machines.
const LIMIT: Duration = Duration::from_millis(50);

/// Runs the check of a target.
pub(crate) fn check(target: &str, data: &[u8]) {
    match target {
        "extract" => extract(data),
        "parse" => parse(data),
        "compare" => compare(data),
        _ => unreachable!("no target {target}"),
    }
}

/// Whatever a reply says, under every strategy: no panic, and a span that lies in the reply.
fn extract(data: &[u8]) {
    let (gold, reply) = halves(data);
    for strategy in Extract::ALL {
        let options = Options { extract: strategy, ..Options::default() };
        let verdict = in_time(|| judge(&reply, &gold, &options));
        assert_eq!(verdict.span.is_some(), verdict.found_by.is_some());
        if let Some(span) = verdict.span {
            assert!(reply.get(span.range()).is_some(), "{span:?} is no part of {reply:?}");
        }
        let again = judge(&reply, &gold, &options);
        assert_eq!(verdict, again, "two verdicts on {reply:?} with the gold {gold:?}");
        let said = explain(&reply, &Gold::compile(&gold, &options), &options);
        assert!(!said.is_empty());
    }
}

/// Any text is read in time, and what can be read equals itself.
fn parse(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if marked(&text) {
        return;
    }
    let options = Options { extract: Extract::Whole, ..Options::default() };
    let outcome = in_time(|| judge(&text, &text, &options)).outcome;
    assert!(
        outcome == Outcome::Correct || outcome.verdict() == Grade::NotScorable || refused(outcome),
        "{text:?} beside itself is {outcome:?}"
    );
}

/// Two answers are compared in time, under every policy; and the same way round or not, where
/// the policy treats both sides alike.
fn compare(data: &[u8]) {
    let (left, right) = halves(data);
    if marked(&left) || marked(&right) {
        return;
    }
    let default = Policy::default();
    let alike = Policy { rounding: None, base_optional: false, ..default };
    for policy in [default, Policy::math_verify(), Policy::string_match(), alike] {
        let options = Options { extract: Extract::Whole, policy };
        let there = in_time(|| judge(&left, &right, &options)).outcome;
        let back = in_time(|| judge(&right, &left, &options)).outcome;
        let scored = there.verdict() != Grade::NotScorable && back.verdict() != Grade::NotScorable;
        // Of a chain that cannot be true the last member counts in a gold, and nothing in an answer.
        let chained = left.contains('=') || right.contains('=');
        assert!(
            policy != alike
                || chained
                || !scored
                || (there == Outcome::Correct) == (back == Outcome::Correct),
            "{left:?} and {right:?}: {there:?}, but {back:?} the other way round"
        );
    }
}

fn judge(reply: &str, gold: &str, options: &Options) -> Verdict {
    verify(reply, &Gold::compile(gold, options), options)
}

/// An answer that is wrong whatever the gold says (a hedge, a false equation) is so beside itself.
fn refused(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Correct | Outcome::WrongValue)
}

/// Whether the gold would be a part of the text only.
fn marked(text: &str) -> bool {
    const MARKS: [&str; 20] = [
        "$", "\\(", "\\[", "####", "box", "think>", "answer", "esult", "olution", "oots", "alue",
        "espuesta", "esposta", "isposta", "ntwort", "éponse", "твет", "答", "답", "선택",
    ];
    let text = text.to_lowercase();
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Two texts: before and after the first byte that UTF-8 has no use for, else the first line and
/// the rest.
fn halves(data: &[u8]) -> (String, String) {
    let cut = data
        .iter()
        .position(|&byte| byte == 0xff)
        .or_else(|| data.iter().position(|&byte| byte == b'\n'))
        .unwrap_or(data.len() / 2);
    let (left, right) = data.split_at(cut);
    let right = right.strip_prefix(b"\xff").or(right.strip_prefix(b"\n")).unwrap_or(right);
    (String::from_utf8_lossy(left).into_owned(), String::from_utf8_lossy(right).into_owned())
}

/// Another process may take the processor away: only an input that is slow time after time fails.
fn in_time<T>(work: impl Fn() -> T) -> T {
    let mut fastest = Duration::MAX;
    for _ in 0..4 {
        let begin = Instant::now();
        let result = work();
        fastest = fastest.min(begin.elapsed());
        if fastest < LIMIT {
            return result;
        }
    }
    panic!("takes {fastest:?} every time");
}
