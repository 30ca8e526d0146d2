//! Rewards of the steps of a completion: `DeepSeekMath`, arXiv 2402.03300, section 4.1.3.

use crate::advantage::{Scored, check_rows, check_std, group_stats};
use crate::{Error, GroupState, GroupStats, Groups, MAX_REWARD, Ragged};

/// The advantages of a step's tokens.
#[derive(Debug, Clone)]
pub struct TokenAdvantages {
    /// One per token; 0 for tokens of rows that are not trainable.
    pub values: Vec<f64>,
    /// One per row.
    pub trainable: Vec<bool>,
    /// One per group.
    pub groups: Vec<GroupStats>,
}

impl TokenAdvantages {
    pub(crate) fn zeros(groups: &Groups, rows: &Ragged) -> Self {
        Self {
            values: vec![0.0; rows.num_flat()],
            trainable: vec![false; groups.num_rows()],
            groups: Vec::with_capacity(groups.len()),
        }
    }
}

/// Step rewards with the tokens at which their steps end.
#[derive(Debug, Clone, Copy)]
pub struct Steps<'a> {
    /// The reward of each step, those of a row end to end; NaN where a step could not be scored.
    pub rewards: &'a [f64],
    /// The last token of each step, counted from 0 within its row.
    pub ends: &'a [i64],
    /// Which steps belong to which row.
    pub rows: &'a Ragged,
}

/// Normalises step rewards over all steps of the group, and sums them from each token on.
///
/// `A_t` = sum over the row's steps that end at t or later of (reward - mean) / (std + epsilon). A group is
/// live when at least two of its rows have a scored step, and its step rewards differ.
///
/// # Errors
/// [`Error::Rows`], [`Error::Length`], [`Error::InfiniteReward`], [`Error::HugeReward`], [`Error::StepEnd`],
/// [`Error::Epsilon`], [`Error::Ddof`].
pub fn process_advantages(
    steps: Steps<'_>,
    tokens: &Ragged,
    groups: &Groups,
    divide_by_std: bool,
    ddof: u8,
    epsilon: f64,
    keep_zero_variance: bool,
) -> Result<TokenAdvantages, Error> {
    check_steps(steps, tokens, groups)?;
    check_std(ddof, epsilon)?;
    let mut out = TokenAdvantages::zeros(groups, tokens);
    for (id, rows) in groups.iter() {
        let scored: Vec<Scored> = rows
            .iter()
            .flat_map(|&row| steps.rows.row(row))
            .map(|index| Scored { index, reward: steps.rewards[index] })
            .filter(|step| !step.reward.is_nan())
            .collect();
        let is_scored = |row: usize| steps.rows.row(row).any(|step| !steps.rewards[step].is_nan());
        let mut stats = group_stats(id, &scored, ddof);
        stats.num_scored = rows.iter().filter(|&&row| is_scored(row)).count();
        if stats.num_scored < 2 {
            stats.state = GroupState::TooFew;
        }
        out.groups.push(stats);
        let kept = keep_zero_variance && stats.state == GroupState::ZeroVariance;
        if stats.state != GroupState::Live && !kept {
            continue;
        }
        let divisor = if divide_by_std { stats.std + epsilon } else { 1.0 };
        for &row in rows.iter().filter(|&&row| is_scored(row)) {
            out.trainable[row] = true;
            if stats.state == GroupState::Live {
                sum_from_each_token_on(&mut out.values[tokens.row(row)], steps, row, |reward| {
                    (reward - stats.mean) / divisor
                });
            }
        }
    }
    Ok(out)
}

fn sum_from_each_token_on(
    values: &mut [f64],
    steps: Steps<'_>,
    row: usize,
    normalised: impl Fn(f64) -> f64,
) {
    for step in steps.rows.row(row).filter(|&step| !steps.rewards[step].is_nan()) {
        if let Ok(end) = usize::try_from(steps.ends[step]) {
            values[end] += normalised(steps.rewards[step]);
        }
    }
    let mut sum = 0.0;
    for value in values.iter_mut().rev() {
        sum += *value;
        *value = sum;
    }
}

fn check_steps(steps: Steps<'_>, tokens: &Ragged, groups: &Groups) -> Result<(), Error> {
    check_rows("completions", tokens.len(), groups)?;
    check_rows("step_rewards", steps.rows.len(), groups)?;
    steps.rows.check("step_rewards", steps.rewards.len())?;
    steps.rows.check("step_ends", steps.ends.len())?;
    for (index, &value) in steps.rewards.iter().enumerate() {
        if value.is_infinite() {
            return Err(Error::InfiniteReward { index, value });
        }
        if value.abs() > MAX_REWARD {
            return Err(Error::HugeReward { index, value });
        }
    }
    for (steps_of_row, tokens_of_row) in steps.rows.rows().zip(tokens.rows()) {
        let length = tokens_of_row.len();
        let mut before = 0;
        for index in steps_of_row {
            let end = steps.ends[index];
            if end < before || usize::try_from(end).is_ok_and(|end| end >= length) {
                return Err(Error::StepEnd { index, end, length });
            }
            before = end;
        }
    }
    Ok(())
}
