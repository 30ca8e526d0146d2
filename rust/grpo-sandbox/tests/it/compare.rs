//! A failure means that outputs which differ count as the same, or the other way round.

use grpo_sandbox::Comparator;
use proptest::prelude::*;

const FLOATS: Comparator = Comparator::Floats { rel: 1e-6, abs: 1e-6 };

/// Two outputs; whether they are the same exactly, by lines, by tokens.
type Case = (&'static [u8], &'static [u8], bool, bool, bool);

#[test]
fn each_comparator_has_its_own_idea_of_the_same() {
    let cases: [Case; 14] = [
        (b"1\n2\n", b"1\n2\n", true, true, true),
        (b"1\n2", b"1\n2\n", false, true, true),
        (b"1\n2\n\n\n", b"1\n2", false, true, true),
        (b"1 \t\r\n2", b"1\n2", false, true, true),
        (b"1\n\n2", b"1\n2", false, false, true),
        (b"\n1\n2", b"1\n2", false, false, true),
        (b" 1\n2", b"1\n2", false, false, true),
        (b"1 2", b"1\n2", false, false, true),
        (b"1\n", b"1\n2\n", false, false, false),
        (b"1\n2\n3", b"1\n2", false, false, false),
        (b"12", b"1 2", false, false, false),
        (b"Yes", b"YES", false, false, false),
        (b"", b"\n \n", false, true, true),
        (b"", b"0", false, false, false),
    ];
    for (actual, expected, exact, lines, tokens) in cases {
        for (actual, expected) in [(actual, expected), (expected, actual)] {
            let shown = String::from_utf8_lossy(actual);
            assert_eq!(Comparator::Exact.matches(actual, expected), exact, "exact {shown:?}");
            assert_eq!(Comparator::Lines.matches(actual, expected), lines, "lines {shown:?}");
            assert_eq!(Comparator::Tokens.matches(actual, expected), tokens, "tokens {shown:?}");
        }
    }
}

#[test]
fn numbers_may_differ_by_the_tolerance_and_words_by_nothing() {
    let cases: [(&str, &str, bool); 17] = [
        ("0.3333333", "0.33333333333", true),
        ("1000000.5", "1000000", true),
        ("1000002", "1000000", false),
        ("1e-7", "0", true),
        ("1e-5", "0", false),
        ("1e0 2.", "1 2", true),
        ("-0.0", "0", true),
        (".5", "+0.5", true),
        ("Case 1: 0.50", "Case 1: 0.5", true),
        ("case 1", "Case 1", false),
        ("nan", "nan", true),
        ("NaN", "nan", false),
        ("inf", "infinity", false),
        ("1e999", "1e998", false),
        ("1_000", "1000", false),
        ("0x10", "16", false),
        ("1 2", "1", false),
    ];
    for (actual, expected, same) in cases {
        assert_eq!(
            FLOATS.matches(actual.as_bytes(), expected.as_bytes()),
            same,
            "{actual} {expected}"
        );
    }
}

#[test]
fn names_and_tolerances_are_checked() {
    assert_eq!(Comparator::from_name("lines", -1.0, f64::NAN), Some(Comparator::Lines));
    assert_eq!(Comparator::from_name("floats", 1e-6, 1e-6), Some(FLOATS));
    assert_eq!(Comparator::from_name("floats", -1.0, 0.0), None);
    assert_eq!(Comparator::from_name("floats", 0.0, f64::NAN), None);
    assert_eq!(Comparator::from_name("Lines", 0.0, 0.0), None);
}

proptest! {
    #[test]
    fn a_stricter_comparator_implies_the_looser_ones(actual in "[a1. \n]{0,8}", expected in "[a1. \n]{0,8}") {
        let (actual, expected) = (actual.as_bytes(), expected.as_bytes());
        let verdicts = [Comparator::Exact, Comparator::Lines, Comparator::Tokens, FLOATS]
            .map(|comparator| comparator.matches(actual, expected));
        prop_assert!(verdicts.is_sorted());
    }

    #[test]
    fn bytes_of_any_kind_match_themselves(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        for comparator in [Comparator::Exact, Comparator::Lines, Comparator::Tokens, FLOATS] {
            prop_assert!(comparator.matches(&text, &text));
        }
    }
}
