//! How far the trainer's log-probabilities are from the sampler's.

use crate::{Error, Moments, Ragged, float};

/// The largest exponent that a metric is raised to: a broken policy still gives a finite number to log.
const MAX_EXPONENT: f64 = 700.0;

/// Divergence of the trainer's policy from the sampler's, over sampled tokens.
///
/// `d` is log trainer minus log sampler of a token; sums over a completion are `D`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OffPolicy {
    /// Mean of -d: the k1 estimate of KL(sampler || trainer).
    pub kl: f64,
    /// Mean of `exp(d) - d - 1`: the k3 estimate.
    pub k3_kl: f64,
    /// Mean over completions of the trainer's perplexity.
    pub training_ppl: f64,
    /// Mean over completions of the sampler's.
    pub rollout_ppl: f64,
    /// Mean over completions of log perplexity, trainer's minus sampler's: the mean of their means of -d.
    pub log_ppl_diff: f64,
    /// Mean over completions of its absolute value.
    pub log_ppl_abs_diff: f64,
    /// Mean over completions of the trainer's perplexity over the sampler's.
    pub ppl_ratio: f64,
    /// Mean of `exp(2 d)`, less 1: chi-square divergence.
    pub chi2_token: f64,
    /// Mean over completions of `exp(2 D)`, less 1.
    pub chi2_seq: f64,
    /// Effective sample size of the tokens' ratios, as a share of their number.
    pub ess_token_fraction: f64,
    /// The same of the completions' ratios.
    pub ess_sequence_fraction: f64,
    /// Largest difference of a token's two probabilities.
    pub max_abs_prob_diff: f64,
    /// Mean difference of a token's two probabilities, in absolute value.
    pub mean_abs_prob_diff: f64,
    /// Share of tokens whose ratio lies outside of the bounds.
    pub outside_fraction: f64,
}

/// Computes all of [`OffPolicy`]; NaN throughout when there is no token. Rows without a token are left out.
///
/// # Errors
/// [`Error::Length`], [`Error::NotFinite`].
pub fn off_policy(
    trainer: &[f64],
    sampler: &[f64],
    rows: &Ragged,
    bounds: (f64, f64),
) -> Result<OffPolicy, Error> {
    rows.check_finite("trainer_logprobs", trainer)?;
    rows.check_finite("sampler_logprobs", sampler)?;
    let diffs: Vec<f64> = trainer.iter().zip(sampler).map(|(a, b)| a - b).collect();
    let filled = || rows.rows().filter(|row| !row.is_empty());
    let per_row = |values: &[f64]| -> Vec<f64> {
        filled().map(|row| values[row.clone()].iter().sum::<f64>() / float(row.len())).collect()
    };
    let sums: Vec<f64> = filled().map(|row| diffs[row].iter().sum()).collect();
    let (trainer_means, sampler_means) = (per_row(trainer), per_row(sampler));
    let mean_diffs = per_row(&diffs);
    let log_bounds = bounds.0.ln()..=bounds.1.ln();
    let prob_diffs: Vec<f64> =
        trainer.iter().zip(sampler).map(|(a, b)| (a.exp() - b.exp()).abs()).collect();
    Ok(OffPolicy {
        kl: mean(diffs.iter().map(|d| -d)),
        // expm1 keeps the digits that exp(d) - 1 loses near 0, where the two policies are alike.
        k3_kl: mean(diffs.iter().map(|d| d.min(MAX_EXPONENT).exp_m1() - d)),
        training_ppl: mean(trainer_means.iter().map(|m| finite_exp(-m))),
        rollout_ppl: mean(sampler_means.iter().map(|m| finite_exp(-m))),
        log_ppl_diff: mean(mean_diffs.iter().map(|d| -d)),
        log_ppl_abs_diff: mean(mean_diffs.iter().map(|d| d.abs())),
        ppl_ratio: mean(mean_diffs.iter().map(|d| finite_exp(-d))),
        chi2_token: chi_square(&diffs),
        chi2_seq: chi_square(&sums),
        ess_token_fraction: effective_share(&diffs),
        ess_sequence_fraction: effective_share(&sums),
        max_abs_prob_diff: prob_diffs.iter().copied().reduce(f64::max).unwrap_or(f64::NAN),
        mean_abs_prob_diff: mean(prob_diffs.iter().copied()),
        outside_fraction: mean(
            diffs.iter().map(|d| if log_bounds.contains(d) { 0.0 } else { 1.0 }),
        ),
    })
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    Moments::of(values).mean
}

fn finite_exp(exponent: f64) -> f64 {
    exponent.min(MAX_EXPONENT).exp()
}

/// Mean of the squared ratios, less 1.
fn chi_square(logs: &[f64]) -> f64 {
    (log_sum_exp(logs, 2.0) - float(logs.len()).ln()).min(MAX_EXPONENT).exp_m1()
}

/// `(sum w)^2 / (n sum w^2)`, between 1/n and 1, from log w: no ratio is too large for it.
fn effective_share(logs: &[f64]) -> f64 {
    (2.0 * log_sum_exp(logs, 1.0) - log_sum_exp(logs, 2.0) - float(logs.len()).ln()).exp()
}

/// Log of the sum of `exp(power * log)`.
fn log_sum_exp(logs: &[f64], power: f64) -> f64 {
    let Some(max) = logs.iter().copied().reduce(f64::max) else {
        return f64::NAN;
    };
    power * max + logs.iter().map(|log| (power * (log - max)).exp()).sum::<f64>().ln()
}
