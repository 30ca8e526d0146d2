//! Group-relative advantages (`DeepSeekMath`, arXiv 2402.03300, section 4.1.2), in float64.

use crate::{Error, Groups, MAX_REWARD};

/// By what a centred reward is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The group's standard deviation plus epsilon: GRPO.
    Std,
    /// Nothing: Dr. GRPO (arXiv 2503.20783).
    None,
}

/// How advantages are computed. The default is GRPO with ddof 1 and epsilon 1e-6.
#[derive(Debug, Clone, Copy)]
pub struct AdvantageOptions {
    /// The divisor.
    pub scale: Scale,
    /// Delta degrees of freedom of the standard deviation: 1 as in TRL and verl, 0 as in open-instruct.
    pub ddof: u8,
    /// Added to the standard deviation. TRL 1e-4, verl 1e-6, `OpenRLHF` 1e-9.
    pub epsilon: f64,
}

impl Default for AdvantageOptions {
    fn default() -> Self {
        Self { scale: Scale::Std, ddof: 1, epsilon: 1e-6 }
    }
}

/// What a group can teach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    /// At least two scored rows with different rewards.
    Live,
    /// All scored rows have the same reward: the advantage is exactly 0.
    ZeroVariance,
    /// Fewer than two scored rows: there is nothing to be relative to, so the advantage is 0.
    TooFew,
}

/// One group's statistics, over its scored rows.
#[derive(Debug, Clone, Copy)]
pub struct GroupStats {
    /// The caller's id.
    pub id: i64,
    /// Rows with a reward that is not NaN.
    pub num_scored: usize,
    /// Mean reward; NaN without a scored row.
    pub mean: f64,
    /// Standard deviation with the chosen ddof; exactly 0 when all rewards are equal, NaN without a scored row.
    pub std: f64,
    /// Whether the group carries a signal.
    pub state: GroupState,
}

/// The advantages of a step.
#[derive(Debug, Clone)]
pub struct Advantages {
    /// One per row; 0 for rows that are not trainable.
    pub values: Vec<f64>,
    /// True for scored rows of live groups: only these need a forward pass.
    pub trainable: Vec<bool>,
    /// One per group, in order of first appearance.
    pub groups: Vec<GroupStats>,
}

/// Computes `A_i = (r_i - mean(r)) / (std(r) + epsilon)` within each group.
///
/// NaN marks a completion that could not be scored: it is left out of the statistics and gets 0.
/// Equality of all rewards is tested exactly, not through the standard deviation, whose rounding
/// noise divided by a small epsilon would be a full-strength gradient.
///
/// # Errors
/// [`Error::Length`], [`Error::InfiniteReward`], [`Error::HugeReward`], [`Error::Epsilon`], [`Error::Ddof`].
pub fn advantages(
    rewards: &[f64],
    groups: &Groups,
    options: &AdvantageOptions,
) -> Result<Advantages, Error> {
    check(rewards, groups, options)?;
    let mut out = Advantages {
        values: vec![0.0; rewards.len()],
        trainable: vec![false; rewards.len()],
        groups: Vec::with_capacity(groups.len()),
    };
    let mut scored: Vec<(usize, f64)> = Vec::new();
    for (id, rows) in groups.iter() {
        scored.clear();
        scored.extend(rows.iter().map(|&row| (row, rewards[row])).filter(|(_, r)| !r.is_nan()));
        let stats = group_stats(id, &scored, options.ddof);
        out.groups.push(stats);
        if stats.state != GroupState::Live {
            continue;
        }
        let divisor = match options.scale {
            Scale::Std => stats.std + options.epsilon,
            Scale::None => 1.0,
        };
        for &(row, reward) in &scored {
            out.values[row] = (reward - stats.mean) / divisor;
            out.trainable[row] = true;
        }
    }
    Ok(out)
}

fn check(rewards: &[f64], groups: &Groups, options: &AdvantageOptions) -> Result<(), Error> {
    if rewards.len() != groups.num_rows() {
        return Err(Error::Length {
            what: "rewards",
            got: rewards.len(),
            expected: groups.num_rows(),
        });
    }
    if let Some(index) = rewards.iter().position(|r| r.is_infinite()) {
        return Err(Error::InfiniteReward { index, value: rewards[index] });
    }
    if let Some(index) = rewards.iter().position(|r| r.abs() > MAX_REWARD) {
        return Err(Error::HugeReward { index, value: rewards[index] });
    }
    if !(options.epsilon >= 0.0 && options.epsilon.is_finite()) {
        return Err(Error::Epsilon(options.epsilon));
    }
    if options.ddof > 1 {
        return Err(Error::Ddof(options.ddof));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a group has far fewer than 2^52 rows")]
#[expect(clippy::float_cmp, reason = "the all-equal test must be exact")]
fn group_stats(id: i64, scored: &[(usize, f64)], ddof: u8) -> GroupStats {
    let Some(&(_, first)) = scored.first() else {
        return GroupStats {
            id,
            num_scored: 0,
            mean: f64::NAN,
            std: f64::NAN,
            state: GroupState::TooFew,
        };
    };
    let num_scored = scored.len();
    if scored.iter().all(|&(_, reward)| reward == first) {
        let state = if num_scored < 2 { GroupState::TooFew } else { GroupState::ZeroVariance };
        return GroupStats { id, num_scored, mean: first, std: 0.0, state };
    }
    let count = num_scored as f64;
    let mean = scored.iter().map(|&(_, reward)| reward).sum::<f64>() / count;
    let squares: f64 = scored.iter().map(|&(_, reward)| (reward - mean).powi(2)).sum();
    let std = (squares / (count - f64::from(ddof))).sqrt();
    // Differences so small that their squares vanish: nothing to divide by, nothing to learn from.
    let state = if std == 0.0 { GroupState::ZeroVariance } else { GroupState::Live };
    GroupStats { id, num_scored, mean, std, state }
}
