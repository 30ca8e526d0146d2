//! Rewards of the best of k completions: pass@k for rewards of any value.
//!
//! Every subset of k of a group's n scored rows is an attempt whose reward is that of its best row. For
//! rewards 0 and 1 that is pass@k. All sums over subsets are closed forms over the sorted rewards:
//! row j (counted from 1, ascending) is the best of C(j-1, k-1) subsets.

use crate::advantage::{Scored, check_rewards, check_std, group_stats, scored_rows};
use crate::{Advantages, Error, GroupState, Groups, float};

/// Each row's share in the mean reward of the best of k: PKPO, arXiv 2505.15201.
///
/// `s_i` = sum over the subsets that hold row i of the subset's best reward, over C(n, k). For rewards 0 and
/// 1: k/n for a success, k/n times pass@(k-1) of the other n-1 rows for a failure.
///
/// These are rewards to be used in place of the given ones; NaN in groups of fewer than k scored rows.
///
/// # Errors
/// [`Error::Rows`], [`Error::InfiniteReward`], [`Error::HugeReward`], [`Error::Count`] for k = 0.
pub fn pkpo(rewards: &[f64], groups: &Groups, k: usize) -> Result<Vec<f64>, Error> {
    check_rewards(rewards, groups)?;
    check_k(k)?;
    let mut out = vec![f64::NAN; rewards.len()];
    for (_, rows) in groups.iter() {
        let sorted = ascending(scored_rows(rewards, rows));
        if sorted.len() >= k {
            for (row, value) in sorted.iter().zip(sums_of_best(&sorted, k)) {
                out[row.index] = value;
            }
        }
    }
    Ok(out)
}

/// Advantage of a row = mean advantage of the subsets that hold it: pass@k training, arXiv 2508.10751.
///
/// A subset's advantage is its best reward, less the mean over all subsets, over their population standard
/// deviation. A group of fewer than k scored rows is `TooFew`. One whose subsets all have the same best
/// (all rows equal, or fewer failures than k) is `ZeroVariance`: pass@k is what it is, whatever is drawn.
///
/// # Errors
/// [`Error::Rows`], [`Error::InfiniteReward`], [`Error::HugeReward`], [`Error::Count`] for k = 0.
pub fn pass_k_analytic(
    rewards: &[f64],
    groups: &Groups,
    k: usize,
    keep_zero_variance: bool,
) -> Result<Advantages, Error> {
    check_rewards(rewards, groups)?;
    check_k(k)?;
    let mut out = Advantages::zeros(groups);
    for (id, rows) in groups.iter() {
        let sorted = ascending(scored_rows(rewards, rows));
        let count = sorted.len();
        let mut stats = group_stats(id, &sorted, 1);
        if count < k.max(2) {
            stats.state = GroupState::TooFew;
        } else if sorted[k - 1].reward >= sorted[count - 1].reward {
            stats.state = GroupState::ZeroVariance;
        }
        if !out.enter(stats, &sorted, keep_zero_variance) {
            continue;
        }
        let weights = best_weights(count, k);
        let pairs = || sorted.iter().zip(&weights);
        let mean: f64 = pairs().map(|(row, weight)| weight * row.reward).sum();
        let variance: f64 = pairs().map(|(row, weight)| weight * (row.reward - mean).powi(2)).sum();
        // Of all subsets a row is in k/n, so this makes the mean over those that hold it.
        let per_subset = float(count) / float(k);
        for (row, sum) in sorted.iter().zip(sums_of_best(&sorted, k)) {
            out.values[row.index] = (sum * per_subset - mean) / variance.sqrt();
        }
    }
    Ok(out)
}

/// Best minus second best, to the best row and to no other: arXiv 2503.19595.
///
/// A group whose best reward is shared has advantages of exactly 0 and is `ZeroVariance`.
///
/// # Errors
/// [`Error::Rows`], [`Error::InfiniteReward`], [`Error::HugeReward`], [`Error::Epsilon`], [`Error::Ddof`].
pub fn pass_k_max(
    rewards: &[f64],
    groups: &Groups,
    divide_by_std: bool,
    ddof: u8,
    epsilon: f64,
    keep_zero_variance: bool,
) -> Result<Advantages, Error> {
    check_rewards(rewards, groups)?;
    check_std(ddof, epsilon)?;
    let mut out = Advantages::zeros(groups);
    for (id, rows) in groups.iter() {
        let sorted = ascending(scored_rows(rewards, rows));
        let mut stats = group_stats(id, &sorted, ddof);
        if let [.., second, best] = &sorted[..]
            && second.reward >= best.reward
        {
            stats.state = GroupState::ZeroVariance;
        }
        if out.enter(stats, &sorted, keep_zero_variance)
            && let [.., second, best] = &sorted[..]
        {
            let divisor = if divide_by_std { stats.std + epsilon } else { 1.0 };
            out.values[best.index] = (best.reward - second.reward) / divisor;
        }
    }
    Ok(out)
}

fn check_k(k: usize) -> Result<(), Error> {
    if k == 0 {
        return Err(Error::Count { what: "k", got: 0, least: 1, most: usize::MAX });
    }
    Ok(())
}

fn ascending(mut scored: Vec<Scored>) -> Vec<Scored> {
    scored.sort_by(|a, b| a.reward.total_cmp(&b.reward));
    scored
}

/// The share of subsets of k whose best is row j: C(j-1, k-1) / C(n, k), for j = 1 to n.
fn best_weights(count: usize, k: usize) -> Vec<f64> {
    let mut weights = vec![0.0; count];
    let mut weight = float(k) / float(count);
    for j in (k..=count).rev() {
        weights[j - 1] = weight;
        if j > 1 {
            weight *= float(j - k) / float(j - 1);
        }
    }
    weights
}

/// The sum of [`pkpo`] for each row of an ascending group of at least k. What is equal but for rounding is equal.
fn sums_of_best(sorted: &[Scored], k: usize) -> Vec<f64> {
    let count = sorted.len();
    let best = sorted[count - 1].reward;
    if sorted[k - 1].reward >= best {
        // Every subset has the same best.
        return vec![float(k) / float(count) * best; count];
    }
    let own = best_weights(count, k);
    let mut sums = vec![0.0; count];
    // The share of subsets that hold a given lower row and whose best is row j: C(j-2, k-2) / C(n, k).
    let mut with_lower = if k < 2 { 0.0 } else { pair_share(count, k) };
    let mut above = 0.0;
    for j in (1..=count).rev() {
        let reward = sorted[j - 1].reward;
        sums[j - 1] = own[j - 1] * reward + above;
        above += with_lower * reward;
        with_lower *= if j > k && j > 2 { float(j - k) / float(j - 2) } else { 0.0 };
    }
    for j in 1..count {
        if sorted[j].reward <= sorted[j - 1].reward {
            sums[j] = sums[j - 1];
        }
    }
    sums
}

/// The share of subsets of k that hold two given rows.
fn pair_share(count: usize, k: usize) -> f64 {
    if count < 2 {
        return 0.0;
    }
    float(k) * float(k - 1) / (float(count) * float(count - 1))
}
