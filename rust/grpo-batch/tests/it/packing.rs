use grpo_batch::{Error, pack};
use proptest::prelude::*;

#[test]
fn longest_first_under_the_budget() {
    assert_eq!(pack(&[3, 9, 4, 10], 20).unwrap(), [vec![3, 1], vec![2, 0]]);
}

#[test]
fn empty_rows_are_left_out() {
    assert_eq!(pack(&[0, 5, 0], 5).unwrap(), [vec![1]]);
    assert!(pack(&[], 5).unwrap().is_empty());
}

#[test]
fn a_row_over_the_budget_is_an_error_that_names_it() {
    let error = pack(&[3, 9], 8).unwrap_err();
    assert_eq!(error, Error::RowOverBudget { index: 1, length: 9, budget: 8 });
    assert!(error.to_string().contains("raise the budget to at least 9"));
}

proptest! {
    #[test]
    fn every_row_once_and_no_bin_over_the_budget(
        lengths in prop::collection::vec(0_usize..50, 0..60),
        budget in 50_usize..300,
    ) {
        let bins = pack(&lengths, budget).unwrap();
        let mut seen: Vec<usize> = bins.concat();
        seen.sort_unstable();
        let expected: Vec<usize> = (0..lengths.len()).filter(|&row| lengths[row] > 0).collect();
        prop_assert_eq!(seen, expected);
        for bin in bins {
            let width = bin.iter().map(|&row| lengths[row]).max().unwrap();
            prop_assert!(width * bin.len() <= budget);
        }
    }
}
