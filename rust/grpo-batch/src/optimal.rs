//! The optimal token baseline: arXiv 2602.07078.

use crate::advantage::{check_rewards, check_rows, check_std, group_stats, scored_rows};
use crate::{Error, GroupState, Groups, Ragged, TokenAdvantages};

/// What the baseline knows of a token: its log-probability and the sum of squared probabilities beside it.
#[derive(Debug, Clone, Copy)]
pub struct TokenPolicy<'a> {
    /// Log-probability of each token under the policy that sampled it.
    pub logprobs: &'a [f64],
    /// Sum over the vocabulary of the squared probabilities at each token.
    pub square_sums: &'a [f64],
    /// Which tokens belong to which row.
    pub rows: &'a Ragged,
}

/// `A_{i,t} = r_i - b_t` with `b_t = sum_i r_i W_{i,t} / (sum_i W_{i,t} + epsilon)` over the group's rows that
/// have a token t, where `W_t` = sum of `1 - 2 pi_u + sum pi^2` over `u <= t` stands for the squared norm of the
/// gradient so far.
///
/// Where one row alone is left, its own reward would be its baseline: there the baseline is 0 if `zero_tail`.
///
/// # Errors
/// [`Error::Rows`], [`Error::Length`], [`Error::NotFinite`], [`Error::InfiniteReward`],
/// [`Error::HugeReward`], [`Error::Epsilon`].
pub fn optimal_token_advantages(
    rewards: &[f64],
    policy: TokenPolicy<'_>,
    groups: &Groups,
    epsilon: f64,
    zero_tail: bool,
    keep_zero_variance: bool,
) -> Result<TokenAdvantages, Error> {
    check_rewards(rewards, groups)?;
    check_rows("completions", policy.rows.len(), groups)?;
    policy.rows.check_finite("logprobs", policy.logprobs)?;
    policy.rows.check_finite("square_sums", policy.square_sums)?;
    check_std(1, epsilon)?;
    let energy = gradient_energy(policy);
    let mut out = TokenAdvantages::zeros(groups, policy.rows);
    for (id, rows) in groups.iter() {
        let scored = scored_rows(rewards, rows);
        let stats = group_stats(id, &scored, 1);
        out.groups.push(stats);
        let kept = keep_zero_variance && stats.state == GroupState::ZeroVariance;
        if stats.state != GroupState::Live && !kept {
            continue;
        }
        for row in &scored {
            out.trainable[row.index] = true;
        }
        if kept {
            continue;
        }
        let longest = scored.iter().map(|row| policy.rows.row(row.index).len()).max();
        for t in 0..longest.unwrap_or(0) {
            let at = |row: usize| policy.rows.row(row).nth(t);
            let alive: Vec<(usize, f64)> =
                scored.iter().filter_map(|row| Some((at(row.index)?, row.reward))).collect();
            let baseline = if alive.len() == 1 && zero_tail {
                0.0
            } else {
                let weighted: f64 = alive.iter().map(|&(t, reward)| reward * energy[t]).sum();
                weighted / (alive.iter().map(|&(t, _)| energy[t]).sum::<f64>() + epsilon)
            };
            for (token, reward) in alive {
                out.values[token] = reward - baseline;
            }
        }
    }
    Ok(out)
}

/// `W_t`, the sum of `1 - 2 pi_u + sum pi^2` over `u <= t` of the row.
fn gradient_energy(policy: TokenPolicy<'_>) -> Vec<f64> {
    let mut energy = vec![0.0; policy.logprobs.len()];
    for row in policy.rows.rows() {
        let mut sum = 0.0;
        for t in row {
            sum += 1.0 - 2.0 * policy.logprobs[t].exp() + policy.square_sums[t];
            energy[t] = sum;
        }
    }
    energy
}
