//! Advantages of completions relative to their group, in float64.

use crate::{Error, Groups, MAX_REWARD, Moments, float};

/// With what a reward is compared.
#[derive(Debug, Clone, Copy)]
pub enum Baseline<'a> {
    /// Nothing: the reward itself (REINFORCE).
    None,
    /// The mean of the group: `DeepSeekMath`, arXiv 2402.03300, section 4.1.2.
    Mean,
    /// The mean of the group's other rows: RLOO, arXiv 2402.14740.
    LeaveOneOut,
    /// The mean of the group weighted by the completions' lengths: OPO, arXiv 2505.23585.
    LengthWeighted(&'a [i64]),
    /// A number for each row: the greedy completion's reward (`ReMax`, arXiv 2310.10505), a tracked pass
    /// rate (SPO, arXiv 2509.13232), the mean of the whole batch.
    Given(&'a [f64]),
}

impl Baseline<'_> {
    /// Whether it is made of the group's own rewards: then a group needs two scored rows that differ.
    /// Otherwise one row is enough, and equal rewards say something too.
    fn of_the_group(&self) -> bool {
        !matches!(self, Self::None | Self::Given(_))
    }
}

/// By what a centred reward is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Nothing: Dr. GRPO (arXiv 2503.20783).
    None,
    /// The group's standard deviation plus epsilon: GRPO.
    Std,
    /// The standard deviation of the group's other rows plus epsilon; nothing where that is 0: NeMo-RL.
    LeaveOneOutStd,
    /// The group's mean plus epsilon: `MaxRL` (arXiv 2602.02710).
    Mean,
}

/// How advantages are computed. The default is GRPO with ddof 1 and epsilon 1e-6.
#[derive(Debug, Clone, Copy)]
pub struct AdvantageOptions<'a> {
    /// What is taken off.
    pub baseline: Baseline<'a>,
    /// The divisor.
    pub scale: Scale,
    /// Delta degrees of freedom of the standard deviation: 1 as in TRL and verl, 0 as in open-instruct.
    pub ddof: u8,
    /// Added to the divisor. TRL 1e-4, verl 1e-6, `OpenRLHF` 1e-9.
    pub epsilon: f64,
    /// Rows of zero-variance groups stay trainable, with advantage 0: they count in denominators.
    pub keep_zero_variance: bool,
}

impl Default for AdvantageOptions<'_> {
    fn default() -> Self {
        Self {
            baseline: Baseline::Mean,
            scale: Scale::Std,
            ddof: 1,
            epsilon: 1e-6,
            keep_zero_variance: false,
        }
    }
}

/// What a group can teach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    /// It carries a signal.
    Live,
    /// Every advantage is exactly 0: all scored rows have the same reward or, for pass@k, every k of them.
    ZeroVariance,
    /// Too few scored rows to be relative to.
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

impl Advantages {
    pub(crate) fn zeros(groups: &Groups) -> Self {
        Self {
            values: vec![0.0; groups.num_rows()],
            trainable: vec![false; groups.num_rows()],
            groups: Vec::with_capacity(groups.len()),
        }
    }

    /// Enters a group's statistics and which of its rows are trained on; true when it is live.
    pub(crate) fn enter(&mut self, stats: GroupStats, scored: &[Scored], keep: bool) -> bool {
        self.groups.push(stats);
        let live = stats.state == GroupState::Live;
        if live || (keep && stats.state == GroupState::ZeroVariance) {
            for row in scored {
                self.trainable[row.index] = true;
            }
        }
        live
    }
}

/// A row that has a reward.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    pub(crate) index: usize,
    pub(crate) reward: f64,
}

/// Computes `A_i = (r_i - baseline) / (scale + epsilon)`.
///
/// NaN marks a completion that could not be scored: it is left out of the statistics and gets 0.
/// Equality of all rewards is tested exactly, not through the standard deviation, whose rounding
/// noise divided by a small epsilon would be a full-strength gradient.
///
/// # Errors
/// [`Error::Rows`], [`Error::InfiniteReward`], [`Error::HugeReward`], [`Error::NegativeReward`],
/// [`Error::NotFinite`], [`Error::ScaleWithoutGroup`], [`Error::Epsilon`], [`Error::Ddof`].
pub fn advantages(
    rewards: &[f64],
    groups: &Groups,
    options: &AdvantageOptions<'_>,
) -> Result<Advantages, Error> {
    check_rewards(rewards, groups)?;
    check_options(rewards, options)?;
    let mut out = Advantages::zeros(groups);
    for (id, rows) in groups.iter() {
        let scored = scored_rows(rewards, rows);
        let mut stats = group_stats(id, &scored, options.ddof);
        if !options.baseline.of_the_group() && !scored.is_empty() {
            stats.state = GroupState::Live;
        }
        if !out.enter(stats, &scored, options.keep_zero_variance) {
            continue;
        }
        let baseline = length_weighted_mean(&scored, options.baseline, stats.mean);
        for (position, row) in scored.iter().enumerate() {
            let centred = match options.baseline {
                Baseline::None => row.reward,
                Baseline::Mean | Baseline::LengthWeighted(_) => row.reward - baseline,
                Baseline::LeaveOneOut => leave_one_out(row.reward, &stats),
                Baseline::Given(baselines) => row.reward - baselines[row.index],
            };
            out.values[row.index] = match options.scale {
                Scale::None => centred,
                Scale::Std => centred / (stats.std + options.epsilon),
                Scale::Mean => centred / (stats.mean + options.epsilon),
                Scale::LeaveOneOutStd => match leave_one_out_std(&scored, position, options.ddof) {
                    0.0 => centred,
                    std => centred / (std + options.epsilon),
                },
            };
        }
    }
    Ok(out)
}

/// `r - mean of the others`, which is `(r - mean) n / (n - 1)`: RLOO, arXiv 2402.14740.
fn leave_one_out(reward: f64, stats: &GroupStats) -> f64 {
    let count = float(stats.num_scored);
    (reward - stats.mean) * count / (count - 1.0)
}

/// The optimal baseline where a completion's variance grows with its length: OPO, arXiv 2505.23585.
fn length_weighted_mean(scored: &[Scored], baseline: Baseline<'_>, mean: f64) -> f64 {
    let Baseline::LengthWeighted(lengths) = baseline else {
        return mean;
    };
    let length = |row: &Scored| float(usize::try_from(lengths[row.index]).unwrap_or(0));
    let total: f64 = scored.iter().map(length).sum();
    if total == 0.0 {
        return mean;
    }
    scored.iter().map(|row| length(row) * row.reward).sum::<f64>() / total
}

/// The standard deviation of all rows but one; 0 when those are equal, or too few for the ddof.
fn leave_one_out_std(scored: &[Scored], position: usize, ddof: u8) -> f64 {
    let others = scored[..position].iter().chain(&scored[position + 1..]);
    Moments::of(others.map(|row| row.reward)).std(ddof)
}

pub(crate) fn scored_rows(rewards: &[f64], rows: &[usize]) -> Vec<Scored> {
    rows.iter()
        .map(|&index| Scored { index, reward: rewards[index] })
        .filter(|row| !row.reward.is_nan())
        .collect()
}

pub(crate) fn check_rewards(rewards: &[f64], groups: &Groups) -> Result<(), Error> {
    check_rows("rewards", rewards.len(), groups)?;
    if let Some(index) = rewards.iter().position(|r| r.is_infinite()) {
        return Err(Error::InfiniteReward { index, value: rewards[index] });
    }
    if let Some(index) = rewards.iter().position(|r| r.abs() > MAX_REWARD) {
        return Err(Error::HugeReward { index, value: rewards[index] });
    }
    Ok(())
}

pub(crate) fn check_rows(what: &'static str, got: usize, groups: &Groups) -> Result<(), Error> {
    let expected = groups.num_rows();
    if got == expected { Ok(()) } else { Err(Error::Rows { what, got, expected }) }
}

pub(crate) fn check_std(ddof: u8, epsilon: f64) -> Result<(), Error> {
    if !(epsilon >= 0.0 && epsilon.is_finite()) {
        return Err(Error::Epsilon(epsilon));
    }
    if ddof > 1 {
        return Err(Error::Ddof(ddof));
    }
    Ok(())
}

fn check_options(rewards: &[f64], options: &AdvantageOptions<'_>) -> Result<(), Error> {
    check_std(options.ddof, options.epsilon)?;
    if options.scale != Scale::None && !options.baseline.of_the_group() {
        return Err(Error::ScaleWithoutGroup);
    }
    if options.scale == Scale::Mean
        && let Some(index) = rewards.iter().position(|&r| r < 0.0)
    {
        return Err(Error::NegativeReward { index, value: rewards[index] });
    }
    match options.baseline {
        Baseline::Given(baselines) => {
            if baselines.len() != rewards.len() {
                let (got, expected) = (baselines.len(), rewards.len());
                return Err(Error::Rows { what: "baselines", got, expected });
            }
            let missing = |i: &usize| !rewards[*i].is_nan() && !baselines[*i].is_finite();
            (0..rewards.len()).find(missing).map_or(Ok(()), |index| {
                Err(Error::NotFinite { what: "baseline", index, value: baselines[index] })
            })
        }
        Baseline::LengthWeighted(lengths) if lengths.len() != rewards.len() => {
            Err(Error::Rows { what: "lengths", got: lengths.len(), expected: rewards.len() })
        }
        _ => Ok(()),
    }
}

pub(crate) fn group_stats(id: i64, scored: &[Scored], ddof: u8) -> GroupStats {
    let num_scored = scored.len();
    let moments = Moments::of(scored.iter().map(|row| row.reward));
    let std = if num_scored == 0 { f64::NAN } else { moments.std(ddof) };
    let state = if num_scored < 2 {
        GroupState::TooFew
    } else if std == 0.0 {
        // Also differences so small that their squares vanish: nothing to divide by, nothing to learn from.
        GroupState::ZeroVariance
    } else {
        GroupState::Live
    };
    GroupStats { id, num_scored, mean: moments.mean, std, state }
}
