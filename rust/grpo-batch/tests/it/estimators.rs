//! Each estimator on numbers worked out by hand; its laws are tested from Python against brute force.

use grpo_batch::{
    AdvantageOptions, Baseline, Error, GroupState, Groups, Moments, Ragged, Scale, Steps,
    TokenPolicy, advantages, discounted_returns, gae, moments, off_policy,
    optimal_token_advantages, pass_k_analytic, pass_k_max, pkpo, process_advantages,
};

const NAN: f64 = f64::NAN;

fn plain(baseline: Baseline<'_>) -> AdvantageOptions<'_> {
    AdvantageOptions { baseline, scale: Scale::None, ..AdvantageOptions::default() }
}

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() < 1e-12, "{a:?} is not {b:?}");
    }
}

#[test]
fn leave_one_out_is_the_mean_of_the_others() {
    let groups = Groups::new(&[0, 0, 0]);
    let out = advantages(&[1.0, 0.0, 0.5], &groups, &plain(Baseline::LeaveOneOut)).unwrap();
    close(&out.values, &[0.75, -0.75, 0.0]);
}

#[test]
fn the_length_weighted_baseline_leans_to_long_rows() {
    let groups = Groups::new(&[0, 0]);
    let out = advantages(&[1.0, 0.0], &groups, &plain(Baseline::LengthWeighted(&[3, 1]))).unwrap();
    close(&out.values, &[0.25, -0.75]);
    let empty =
        advantages(&[1.0, 0.0], &groups, &plain(Baseline::LengthWeighted(&[0, 0]))).unwrap();
    close(&empty.values, &[0.5, -0.5]);
}

#[test]
fn with_a_given_baseline_one_row_is_enough_and_equal_rewards_say_something() {
    let groups = Groups::new(&[0, 0, 1, 2]);
    let options = plain(Baseline::Given(&[0.5, 0.5, 0.25, NAN]));
    let out = advantages(&[1.0, 1.0, 0.0, NAN], &groups, &options).unwrap();
    close(&out.values, &[0.5, 0.5, -0.25, 0.0]);
    assert_eq!(out.trainable, [true, true, true, false]);
    let states: Vec<GroupState> = out.groups.iter().map(|group| group.state).collect();
    assert_eq!(states, [GroupState::Live, GroupState::Live, GroupState::TooFew]);
}

#[test]
fn the_leave_one_out_std_leaves_a_lone_winner_undivided() {
    let options = AdvantageOptions {
        baseline: Baseline::LeaveOneOut,
        scale: Scale::LeaveOneOutStd,
        epsilon: 0.0,
        ..AdvantageOptions::default()
    };
    let out = advantages(&[1.0, 0.0, 0.0], &Groups::new(&[0; 3]), &options).unwrap();
    // The losers' others are 1 and 0: standard deviation sqrt(1/2).
    close(&out.values, &[1.0, -0.5 / 0.5_f64.sqrt(), -0.5 / 0.5_f64.sqrt()]);
    let pair = advantages(&[1.0, 0.0], &Groups::new(&[0; 2]), &options).unwrap();
    close(&pair.values, &[1.0, -1.0]);
}

#[test]
fn max_rl_divides_by_the_mean_and_refuses_rewards_below_0() {
    let options =
        AdvantageOptions { scale: Scale::Mean, epsilon: 0.0, ..AdvantageOptions::default() };
    let groups = Groups::new(&[0; 4]);
    let out = advantages(&[1.0, 0.0, 0.0, 0.0], &groups, &options).unwrap();
    close(&out.values, &[3.0, -1.0, -1.0, -1.0]);
    let zeros = advantages(&[0.0; 4], &groups, &options).unwrap();
    close(&zeros.values, &[0.0; 4]);
    let negative = advantages(&[1.0, -1.0, 0.0, 0.0], &groups, &options);
    assert_eq!(negative.unwrap_err(), Error::NegativeReward { index: 1, value: -1.0 });
}

#[test]
fn a_kept_group_is_trainable_with_advantage_0() {
    let options = AdvantageOptions { keep_zero_variance: true, ..AdvantageOptions::default() };
    let groups = Groups::new(&[0, 0, 0, 1]);
    let out = advantages(&[0.1, 0.1, NAN, 0.1], &groups, &options).unwrap();
    close(&out.values, &[0.0; 4]);
    assert_eq!(out.trainable, [true, true, false, false]);
}

#[test]
fn mistakes_are_named() {
    let groups = Groups::new(&[0, 0]);
    let scaled = AdvantageOptions { baseline: Baseline::None, ..AdvantageOptions::default() };
    assert_eq!(advantages(&[1.0, 0.0], &groups, &scaled).unwrap_err(), Error::ScaleWithoutGroup);
    assert!(matches!(
        advantages(&[1.0, 0.0], &groups, &plain(Baseline::Given(&[1.0]))),
        Err(Error::Rows { what: "baselines", got: 1, expected: 2 })
    ));
    assert!(matches!(
        advantages(&[1.0, 0.0], &groups, &plain(Baseline::Given(&[1.0, NAN]))),
        Err(Error::NotFinite { what: "baseline", index: 1, .. })
    ));
    assert!(matches!(
        advantages(&[1.0, 0.0], &groups, &plain(Baseline::LengthWeighted(&[1]))),
        Err(Error::Rows { what: "lengths", .. })
    ));
    assert!(matches!(pkpo(&[1.0, 0.0], &groups, 0), Err(Error::Count { what: "k", .. })));
    assert!(matches!(Ragged::new(&[0, 2, 1], 1), Err(Error::Offsets { flat: 1 })));
    for offsets in [&[][..], &[1, 2], &[0, 1], &[0, -1, 2]] {
        assert!(Ragged::new(offsets, 2).is_err(), "{offsets:?}");
    }
}

#[test]
fn the_best_of_two_by_hand() {
    let groups = Groups::new(&[0; 4]);
    // Pairs of {1, 0, 0, 0}: three of six hold the success.
    close(
        &pkpo(&[1.0, 0.0, 0.0, 0.0], &groups, 2).unwrap(),
        &[0.5, 1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0],
    );
    let out = pass_k_analytic(&[1.0, 0.0, 0.0, 0.0], &groups, 2, false).unwrap();
    close(&out.values, &[1.0, -1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0]);
    // One failure, pairs: each pair succeeds, there is nothing to learn.
    let sure = pass_k_analytic(&[1.0, 1.0, 1.0, 0.0], &groups, 2, false).unwrap();
    close(&sure.values, &[0.0; 4]);
    assert_eq!(sure.groups[0].state, GroupState::ZeroVariance);
    assert!(!sure.trainable.contains(&true));
    // Fewer rows than k.
    let few = pass_k_analytic(&[1.0, NAN, NAN, 0.0], &groups, 3, true).unwrap();
    assert_eq!(few.groups[0].state, GroupState::TooFew);
    assert!(pkpo(&[1.0, NAN, NAN, 0.0], &groups, 3).unwrap().iter().all(|r| r.is_nan()));
}

#[test]
fn equal_attempts_are_equal_to_the_last_bit() {
    for count in 1..=32_usize {
        let groups = Groups::new(&vec![0; count]);
        for k in 1..=count {
            // Fewer failures than k: whatever is drawn holds a success.
            for failures in 0..k {
                let rewards: Vec<f64> =
                    (0..count).map(|row| if row < failures { 0.0 } else { 1.0 }).collect();
                let values = pkpo(&rewards, &groups, k).unwrap();
                assert!(
                    values.iter().all(|value| value.to_bits() == values[0].to_bits()),
                    "{count} {k} {failures}"
                );
            }
            let mut halves: Vec<f64> =
                (0..count).map(|row| if row % 2 == 0 { 0.1 } else { 0.7 }).collect();
            halves.rotate_left(count / 3);
            let values = pkpo(&halves, &groups, k).unwrap();
            for (reward, value) in halves.iter().zip(&values) {
                for (other, same) in halves.iter().zip(&values) {
                    assert!(
                        reward.total_cmp(other).is_ne() || value.total_cmp(same).is_eq(),
                        "{count} {k}"
                    );
                }
            }
        }
    }
}

#[test]
fn only_a_sole_best_has_a_lead() {
    let groups = Groups::new(&[0, 0, 0, 1, 1, 1, 2]);
    let rewards = [0.0, 3.0, 1.0, 2.0, 2.0, 0.0, 5.0];
    let out = pass_k_max(&rewards, &groups, false, 1, 0.0, false).unwrap();
    close(&out.values, &[0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let states: Vec<GroupState> = out.groups.iter().map(|group| group.state).collect();
    assert_eq!(states, [GroupState::Live, GroupState::ZeroVariance, GroupState::TooFew]);
}

#[test]
fn moments_merge_to_those_of_the_whole() {
    let (first, second) = ([1.0, 2.0, 4.0], [8.0, 16.0]);
    let whole = Moments::of(first.iter().chain(&second).copied());
    let merged = Moments::of(first.iter().copied()).merge(Moments::of(second.iter().copied()));
    close(&[merged.mean, merged.squares, merged.count], &[whole.mean, whole.squares, 5.0]);
    close(&[merged.min, merged.max], &[1.0, 16.0]);
    assert_eq!(Moments::EMPTY.merge(whole), whole);
    assert_eq!(whole.merge(Moments::EMPTY), whole);
    assert!(Moments::EMPTY.constant());
}

#[test]
fn equal_numbers_have_variance_0_exactly_also_when_merged() {
    for value in [0.1, 0.7, 1.0 / 3.0] {
        let part = |count| Moments::of(std::iter::repeat_n(value, count));
        let merged = part(3).merge(part(5)).merge(part(1));
        assert!(merged.constant());
        close(&[merged.mean, merged.std(1), merged.squares], &[value, 0.0, 0.0]);
        assert_eq!(merged.mean.to_bits(), value.to_bits());
    }
}

#[test]
fn weights_count_and_a_weight_of_0_leaves_out() {
    let weighted = moments(&[1.0, 5.0, NAN], Some(&[3.0, 1.0, 0.0])).unwrap();
    close(&[weighted.mean, weighted.count, weighted.squares], &[2.0, 4.0, 12.0]);
    assert!(matches!(moments(&[NAN], None), Err(Error::NotFinite { .. })));
    assert!(matches!(moments(&[1.0], Some(&[-1.0])), Err(Error::Weight { .. })));
    assert!(matches!(moments(&[1.0], Some(&[])), Err(Error::Length { .. })));
}

#[test]
fn returns_and_advantages_pass_over_masked_tokens() {
    let rows = Ragged::new(&[0, 4, 4, 5], 5).unwrap();
    let mask = [true, false, true, true, true];
    let rewards = [0.0, 100.0, 1.0, 2.0, 4.0];
    let returns = discounted_returns(&rewards, &rows, 0.5, Some(&mask)).unwrap();
    close(&returns, &[1.0, 0.0, 2.0, 2.0, 4.0]);

    let values = [0.5, 50.0, 0.25, 1.0, 1.0];
    let out = gae(&rewards, &values, &rows, 0.5, &[0.5, 0.5, 0.5], Some(&mask)).unwrap();
    // delta: 2 - 1 = 1; 1 + 0.5 - 0.25 = 1.25; 0 + 0.125 - 0.5 = -0.375; gamma lambda = 0.25.
    close(&out, &[-0.375 + 0.25 * 1.5, 0.0, 1.25 + 0.25, 1.0, 3.0]);
    assert!(matches!(
        gae(&rewards, &values, &rows, 1.0, &[1.0, 2.0, 1.0], None),
        Err(Error::Share { what: "lambda", .. })
    ));
    assert!(matches!(
        discounted_returns(&rewards, &rows, 1.5, None),
        Err(Error::Share { what: "gamma", .. })
    ));
    assert!(matches!(
        discounted_returns(&rewards[..4], &rows, 1.0, None),
        Err(Error::Length { got: 4, expected: 5, .. })
    ));
    assert!(matches!(
        discounted_returns(&rewards, &rows, 1.0, Some(&[true])),
        Err(Error::Length { what: "mask", .. })
    ));
}

#[test]
fn steps_are_normalised_over_the_group_and_summed_from_each_token_on() {
    let tokens = Ragged::new(&[0, 3, 5, 6], 6).unwrap();
    let steps_of = Ragged::new(&[0, 2, 3, 4], 4).unwrap();
    let steps = Steps { rewards: &[1.0, 3.0, 2.0, 9.0], ends: &[0, 2, 0, 0], rows: &steps_of };
    let groups = Groups::new(&[0, 0, 1]);
    let out = process_advantages(steps, &tokens, &groups, false, 1, 0.0, false).unwrap();
    // Mean 2: row 0 has -1 at its first token and +1 at its last.
    close(&out.values, &[0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(out.trainable, [true, true, false]);
    assert_eq!(out.groups[0].num_scored, 2);
    assert_eq!(out.groups[1].state, GroupState::TooFew);
    // Two steps may end at one token: here -1 and +1 at the last.
    let together = Steps { ends: &[2, 2, 0, 0], ..steps };
    let out = process_advantages(together, &tokens, &groups, false, 1, 0.0, false).unwrap();
    close(&out.values, &[0.0; 6]);
    for ends in [[0, 3, 0, 0], [2, 1, 0, 0], [-1, 2, 0, 0]] {
        let wrong = Steps { ends: &ends, ..steps };
        let error = process_advantages(wrong, &tokens, &groups, false, 1, 0.0, false).unwrap_err();
        assert!(matches!(error, Error::StepEnd { length: 3, .. }), "{error}");
    }
}

#[test]
fn the_optimal_token_baseline_weighs_rewards_by_their_gradient() {
    let rows = Ragged::new(&[0, 2, 3], 3).unwrap();
    let half = 0.5_f64.ln();
    let policy = TokenPolicy {
        logprobs: &[half, half, 0.25_f64.ln()],
        square_sums: &[0.5, 0.5, 0.5],
        rows: &rows,
    };
    let groups = Groups::new(&[0, 0]);
    // Weights 0.5 and 1 - 0.5 + 0.5 = 1 at the first token: the baseline is 0.5 / 1.5.
    let out = optimal_token_advantages(&[1.0, 0.0], policy, &groups, 0.0, true, false).unwrap();
    close(&out.values, &[2.0 / 3.0, 1.0, -1.0 / 3.0]);
    let own = optimal_token_advantages(&[1.0, 0.0], policy, &groups, 0.0, false, false).unwrap();
    close(&own.values, &[2.0 / 3.0, 0.0, -1.0 / 3.0]);
    let equal = optimal_token_advantages(&[0.7, 0.7], policy, &groups, 0.0, true, true).unwrap();
    close(&equal.values, &[0.0; 3]);
    assert_eq!(equal.trainable, [true, true]);
}

#[test]
fn off_policy_metrics_are_finite_for_a_broken_policy() {
    let rows = Ragged::new(&[0, 2, 2, 4], 4).unwrap();
    let out =
        off_policy(&[-1.0, -1.0, -1.0, -2000.0], &[-1.0, -900.0, -1.0, -1.0], &rows, (0.5, 5.0));
    let out = out.unwrap();
    for value in
        [out.k3_kl, out.training_ppl, out.rollout_ppl, out.ppl_ratio, out.chi2_token, out.chi2_seq]
    {
        assert!(value.is_finite());
    }
    close(&[out.ess_token_fraction, out.ess_sequence_fraction], &[0.25, 0.5]);
    close(&[out.outside_fraction], &[0.5]);

    let same = off_policy(&[-1.0; 4], &[-1.0; 4], &rows, (0.5, 5.0)).unwrap();
    close(&[same.kl, same.k3_kl, same.chi2_seq, same.max_abs_prob_diff], &[0.0; 4]);
    close(&[same.ess_token_fraction, same.ess_sequence_fraction, same.ppl_ratio], &[1.0; 3]);
    let empty = Ragged::new(&[0], 0).unwrap();
    assert!(off_policy(&[], &[], &empty, (0.5, 5.0)).unwrap().ess_token_fraction.is_nan());
}
