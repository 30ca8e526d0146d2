use std::f64::consts::FRAC_1_SQRT_2;

use grpo_batch::{AdvantageOptions, Error, GroupState, Groups, Scale, advantages};
use proptest::prelude::*;

fn run(rewards: &[f64], ids: &[i64]) -> grpo_batch::Advantages {
    advantages(rewards, &Groups::new(ids), &AdvantageOptions::default()).expect("valid input")
}

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() < 1e-5, "{a:?} is not {b:?}");
    }
}

#[test]
fn hand_computed_group() {
    // mean 0.375, sample variance 0.2291666..: worked out by hand.
    let out = run(&[1.0, 0.0, 0.5, 0.0], &[0; 4]);
    close(&out.values, &[1.305_580, -0.783_348, 0.261_116, -0.783_348]);
}

#[test]
fn ragged_interleaved_groups_use_their_own_rows() {
    let out = run(&[2.0, 5.0, 0.0, 7.0, 6.0], &[3, -1, 3, -1, -1]);
    close(&out.values, &[FRAC_1_SQRT_2, -1.0, -FRAC_1_SQRT_2, 1.0, 0.0]);
    assert_eq!(
        out.groups.iter().map(|g| (g.id, g.num_scored)).collect::<Vec<_>>(),
        [(3, 2), (-1, 3)]
    );
}

#[test]
fn equal_rewards_give_exactly_zero_even_with_a_tiny_epsilon() {
    for reward in [0.1, 0.3, 0.7, 1.0 / 3.0, -1e-300, 1e150] {
        for size in 2..33 {
            let options = AdvantageOptions { epsilon: 0.0, ..AdvantageOptions::default() };
            let out =
                advantages(&vec![reward; size], &Groups::new(&vec![0; size]), &options).unwrap();
            assert!(out.values.iter().all(|&a| a == 0.0));
            assert_eq!(out.groups[0].state, GroupState::ZeroVariance);
            assert!(!out.trainable.contains(&true));
        }
    }
}

#[test]
fn a_single_scored_row_has_advantage_zero_not_its_raw_reward() {
    let out = run(&[1.0, f64::NAN, 1.0], &[0, 0, 1]);
    assert_eq!(out.values, [0.0; 3]);
    assert!(out.groups.iter().all(|g| g.state == GroupState::TooFew));
}

#[test]
fn nan_is_excluded_from_the_statistics() {
    let with = run(&[1.0, f64::NAN, 0.0, 1.0], &[0; 4]);
    let without = run(&[1.0, 0.0, 1.0], &[0; 3]);
    assert_eq!(with.values[1].to_bits(), 0.0_f64.to_bits());
    assert!(!with.trainable[1]);
    close(&[with.values[0], with.values[2], with.values[3]], &without.values);
}

#[test]
fn a_group_with_no_scored_row_has_no_mean() {
    let out = run(&[f64::NAN, f64::NAN], &[0, 0]);
    assert!(out.groups[0].mean.is_nan());
    assert_eq!(out.groups[0].num_scored, 0);
}

#[test]
fn scale_none_only_centres() {
    let options = AdvantageOptions { scale: Scale::None, ..AdvantageOptions::default() };
    let out = advantages(&[1.0, 0.0, 0.5, 0.0], &Groups::new(&[0; 4]), &options).unwrap();
    close(&out.values, &[0.625, -0.375, 0.125, -0.375]);
}

#[test]
fn mistakes_are_named() {
    let groups = Groups::new(&[0, 0]);
    let default = AdvantageOptions::default();
    assert!(matches!(advantages(&[1.0], &groups, &default), Err(Error::Rows { got: 1, .. })));
    assert!(matches!(
        advantages(&[1.0, f64::INFINITY], &groups, &default),
        Err(Error::InfiniteReward { index: 1, .. })
    ));
    assert!(matches!(
        advantages(&[1e151, -1e151], &groups, &default),
        Err(Error::HugeReward { index: 0, .. })
    ));
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let options = AdvantageOptions { epsilon: bad, ..default };
        assert!(matches!(advantages(&[1.0, 0.0], &groups, &options), Err(Error::Epsilon(_))));
    }
    let options = AdvantageOptions { ddof: 2, ..default };
    assert_eq!(advantages(&[1.0, 0.0], &groups, &options).unwrap_err(), Error::Ddof(2));
}

#[test]
fn no_finite_rewards_give_an_advantage_that_is_not() {
    let options = AdvantageOptions { epsilon: 0.0, ..AdvantageOptions::default() };
    for pair in [[0.0, 1e-200], [1e150, -1e150], [1.0, 1.0 + f64::EPSILON], [5e-324, 0.0]] {
        let out = advantages(&pair, &Groups::new(&[0, 0]), &options).unwrap();
        assert!(out.values.iter().all(|a| a.is_finite()), "{pair:?}: {out:?}");
    }
}

#[test]
fn no_rows_is_no_error() {
    let out = run(&[], &[]);
    assert!(out.values.is_empty() && out.groups.is_empty());
}

proptest! {
    #[test]
    fn live_groups_are_centred_and_scaled(
        rows in prop::collection::vec((0_i64..5, -3_i32..4), 1..80)
    ) {
        let ids: Vec<i64> = rows.iter().map(|r| r.0).collect();
        let rewards: Vec<f64> = rows.iter().map(|r| f64::from(r.1) / 2.0).collect();
        let groups = Groups::new(&ids);
        let out = run(&rewards, &ids);
        for ((_, members), stats) in groups.iter().zip(&out.groups) {
            let values: Vec<f64> = members.iter().map(|&row| out.values[row]).collect();
            prop_assert!(values.iter().sum::<f64>().abs() < 1e-9);
            if stats.state == GroupState::Live {
                let squares: f64 = values.iter().map(|a| a * a).sum();
                let count = f64::from(u32::try_from(values.len()).unwrap());
                prop_assert!((squares - (count - 1.0)).abs() < 1e-4);
            } else {
                prop_assert!(values.iter().all(|&a| a == 0.0));
            }
        }
    }

    #[test]
    fn the_order_of_groups_does_not_matter(
        rows in prop::collection::vec((0_i64..4, 0_i32..3), 1..40)
    ) {
        let ids: Vec<i64> = rows.iter().map(|r| r.0).collect();
        let rewards: Vec<f64> = rows.iter().map(|r| f64::from(r.1)).collect();
        let forward = run(&rewards, &ids);
        let renamed: Vec<i64> = ids.iter().map(|id| 100 - id).collect();
        prop_assert_eq!(forward.values, run(&rewards, &renamed).values);
    }
}
