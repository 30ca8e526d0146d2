//! Down-sampling of rollouts.

use crate::{Error, MAX_REWARD, Moments};

/// The `size` rows whose rewards have the largest variance: PODS, arXiv 2504.13818.
///
/// The best subset is always the k largest and the `size - k` smallest for some k, so a scan of the
/// sorted rewards finds it. Rows whose reward is NaN are not chosen. Rows ascend.
///
/// # Errors
/// [`Error::Count`] when fewer than `size` rows are scored; [`Error::InfiniteReward`], [`Error::HugeReward`].
pub fn max_variance_subset(rewards: &[f64], size: usize) -> Result<Vec<usize>, Error> {
    if let Some(index) = rewards.iter().position(|r| r.is_infinite()) {
        return Err(Error::InfiniteReward { index, value: rewards[index] });
    }
    if let Some(index) = rewards.iter().position(|r| r.abs() > MAX_REWARD) {
        return Err(Error::HugeReward { index, value: rewards[index] });
    }
    let mut order: Vec<usize> = (0..rewards.len()).filter(|&row| !rewards[row].is_nan()).collect();
    if size > order.len() {
        return Err(Error::Count { what: "size", got: size, least: 0, most: order.len() });
    }
    order.sort_by(|&a, &b| rewards[a].total_cmp(&rewards[b]));
    let subset = |largest: usize| {
        order[..size - largest].iter().chain(&order[order.len() - largest..]).copied()
    };
    let variance = |largest: usize| Moments::of(subset(largest).map(|row| rewards[row])).squares;
    let mut best = 0;
    for largest in 1..=size {
        if variance(largest) > variance(best) {
            best = largest;
        }
    }
    let mut rows: Vec<usize> = subset(best).collect();
    rows.sort_unstable();
    Ok(rows)
}
