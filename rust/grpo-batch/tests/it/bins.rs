use grpo_batch::{Error, Fit, cut, fit_decreasing, max_variance_subset, partition};
use proptest::prelude::*;

fn load(bin: &[usize], sizes: &[usize]) -> usize {
    bin.iter().map(|&item| sizes[item]).sum()
}

fn floats(sizes: &[usize]) -> Vec<f64> {
    sizes.iter().map(|&size| f64::from(u32::try_from(size).unwrap_or(u32::MAX))).collect()
}

#[test]
fn first_fit_and_best_fit_differ_where_a_later_bin_has_less_to_spare() {
    let sizes = [60, 55, 42, 3];
    assert_eq!(fit_decreasing(&sizes, 100, Fit::First), Ok(vec![vec![0, 3], vec![1, 2]]));
    assert_eq!(fit_decreasing(&sizes, 100, Fit::Best), Ok(vec![vec![0], vec![1, 2, 3]]));
}

#[test]
fn differencing_is_better_than_greedy_on_the_textbook_case() {
    // Largest first into the emptier part gives 17 and 13.
    let parts = partition(&[8.0, 7.0, 6.0, 5.0, 4.0], 2, false).unwrap();
    assert_eq!(parts, [vec![1, 3, 4], vec![0, 2]]);
    let parts = partition(&[10.0, 9.0, 1.0], 2, false).unwrap();
    assert_eq!(parts, [vec![1, 2], vec![0]]);
}

#[test]
fn mistakes_are_named() {
    assert_eq!(
        fit_decreasing(&[3, 11], 10, Fit::Best),
        Err(Error::RowOverBudget { index: 1, length: 11, budget: 10 })
    );
    assert!(matches!(partition(&[1.0], 2, false), Err(Error::Count { got: 2, most: 1, .. })));
    assert!(matches!(partition(&[1.0], 0, false), Err(Error::Count { got: 0, .. })));
    assert!(matches!(partition(&[f64::NAN], 1, true), Err(Error::Weight { index: 0, .. })));
    assert!(matches!(cut(&[1, 2], &[1.0], 5), Err(Error::Length { got: 1, expected: 2, .. })));
    assert!(matches!(cut(&[1], &[-1.0], 5), Err(Error::Weight { .. })));
    assert!(matches!(cut(&[9], &[1.0], 5), Err(Error::RowOverBudget { .. })));
    assert!(matches!(max_variance_subset(&[1.0, f64::NAN], 2), Err(Error::Count { most: 1, .. })));
    assert!(matches!(max_variance_subset(&[f64::INFINITY], 1), Err(Error::InfiniteReward { .. })));
}

#[test]
fn nothing_is_cut_into_nothing() {
    assert_eq!(cut(&[], &[], 10), Ok(vec![]));
    assert_eq!(cut(&[0, 0], &[1.0, 1.0], 10), Ok(vec![]));
    assert_eq!(cut(&[0], &[1.0], 0), Ok(vec![]));
    assert_eq!(max_variance_subset(&[], 0), Ok(vec![]));
}

#[test]
fn one_bin_holds_everything_that_fits() {
    assert_eq!(cut(&[3, 0, 4], &[9.0, 0.0, 16.0], 7), Ok(vec![vec![0, 2]]));
}

#[test]
fn a_cut_uses_fewer_bins_than_first_fit_where_differencing_finds_them() {
    let sizes = [4, 4, 3, 3, 3, 3];
    assert_eq!(fit_decreasing(&sizes, 10, Fit::Best).unwrap().len(), 3);
    assert_eq!(cut(&sizes, &floats(&sizes), 10).unwrap().len(), 2);
}

#[test]
fn costs_are_evened_out_under_the_capacity() {
    // Two long items (dear) and two packs of short ones: one long item to a bin.
    let tokens = [8, 8, 4, 4, 4, 4];
    let costs: Vec<f64> = floats(&tokens).iter().map(|t| t * t).collect();
    let bins = cut(&tokens, &costs, 16).unwrap();
    assert_eq!(bins.len(), 2);
    for bin in &bins {
        assert!((bin.iter().map(|&item| costs[item]).sum::<f64>() - 96.0).abs() < 1e-9);
    }
}

proptest! {
    #[test]
    fn a_cut_holds_every_item_once_within_the_capacity(
        tokens in prop::collection::vec(0_usize..40, 0..40),
        capacity in 40_usize..200,
    ) {
        let costs: Vec<f64> = floats(&tokens).iter().map(|t| t + 0.1 * t * t).collect();
        let bins = cut(&tokens, &costs, capacity).unwrap();
        let mut items: Vec<usize> = bins.iter().flatten().copied().collect();
        items.sort_unstable();
        let filled: Vec<usize> = (0..tokens.len()).filter(|&item| tokens[item] > 0).collect();
        prop_assert_eq!(items, filled);
        for bin in &bins {
            prop_assert!(!bin.is_empty() && bin.is_sorted());
            prop_assert!(load(bin, &tokens) <= capacity);
        }
        prop_assert!(bins.is_sorted());
        // Never more bins than the best of the two heuristics, nor a dearer bin than where they tie.
        for fit in [Fit::First, Fit::Best] {
            let simple = fit_decreasing(&tokens, capacity, fit).unwrap();
            prop_assert!(bins.len() <= simple.len());
            if bins.len() == simple.len() {
                let peak = |bins: &[Vec<usize>]| bins
                    .iter()
                    .map(|bin| bin.iter().map(|&item| costs[item]).sum::<f64>())
                    .fold(0.0, f64::max);
                prop_assert!(peak(&bins) <= peak(&simple) + 1e-9);
            }
        }
        prop_assert_eq!(cut(&tokens, &costs, capacity).unwrap(), bins);
    }

    #[test]
    fn fitting_leaves_no_two_bins_that_would_go_into_one(
        sizes in prop::collection::vec(0_usize..40, 0..40),
        capacity in 40_usize..100,
        first in any::<bool>(),
    ) {
        let fit = if first { Fit::First } else { Fit::Best };
        let bins = fit_decreasing(&sizes, capacity, fit).unwrap();
        for (i, bin) in bins.iter().enumerate() {
            prop_assert!(load(bin, &sizes) <= capacity);
            for other in &bins[..i] {
                prop_assert!(load(bin, &sizes) + load(other, &sizes) > capacity);
            }
        }
        prop_assert_eq!(bins.iter().flatten().count(), sizes.iter().filter(|&&s| s > 0).count());
    }

    #[test]
    fn a_partition_holds_every_item_once_and_its_spread_is_at_most_the_largest_item(
        sizes in prop::collection::vec(0_usize..1000, 1..30),
        parts in 1_usize..6,
        equal in any::<bool>(),
    ) {
        prop_assume!(parts <= sizes.len());
        let bins = partition(&floats(&sizes), parts, equal).unwrap();
        prop_assert_eq!(bins.len(), parts);
        let mut items: Vec<usize> = bins.iter().flatten().copied().collect();
        items.sort_unstable();
        prop_assert_eq!(items, (0..sizes.len()).collect::<Vec<_>>());
        let loads: Vec<usize> = bins.iter().map(|bin| load(bin, &sizes)).collect();
        prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= *sizes.iter().max().unwrap());
        if equal {
            let counts: Vec<usize> = bins.iter().map(Vec::len).collect();
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
        }
    }
}
