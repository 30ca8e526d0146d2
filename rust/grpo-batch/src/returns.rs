//! Token rewards to returns and advantages. Masked positions inside a response (a tool's output) are passed
//! over: what lies behind them carries over, and they get 0.

use crate::{Error, Ragged};

/// Return-to-go, `G_t = r_t + gamma G_{t+1}`, of every row: REINFORCE++, arXiv 2501.03262.
///
/// # Errors
/// [`Error::Length`], [`Error::NotFinite`], [`Error::Share`] for a gamma outside of 0 to 1.
pub fn discounted_returns(
    rewards: &[f64],
    rows: &Ragged,
    gamma: f64,
    mask: Option<&[bool]>,
) -> Result<Vec<f64>, Error> {
    rows.check_finite("token_rewards", rewards)?;
    check_mask(rows, mask)?;
    check_share("gamma", gamma)?;
    let mut returns = vec![0.0; rewards.len()];
    for row in rows.rows() {
        let mut next = 0.0;
        for t in row.rev().filter(|&t| chosen(mask, t)) {
            next = rewards[t] + gamma * next;
            returns[t] = next;
        }
    }
    Ok(returns)
}

/// Generalised advantages, `A_t = delta_t + gamma lambda A_{t+1}` with
/// `delta_t = r_t + gamma V_{t+1} - V_t` and `V` = 0 after the end: arXiv 1506.02438, equation 16.
///
/// `lambdas` holds one number per row, so that it may depend on the length (VAPO, arXiv 2504.05118).
///
/// # Errors
/// [`Error::Length`], [`Error::NotFinite`], [`Error::Share`].
pub fn gae(
    rewards: &[f64],
    values: &[f64],
    rows: &Ragged,
    gamma: f64,
    lambdas: &[f64],
    mask: Option<&[bool]>,
) -> Result<Vec<f64>, Error> {
    rows.check_finite("token_rewards", rewards)?;
    rows.check_finite("values", values)?;
    check_mask(rows, mask)?;
    check_share("gamma", gamma)?;
    if lambdas.len() != rows.len() {
        return Err(Error::Length { what: "lambdas", got: lambdas.len(), expected: rows.len() });
    }
    let mut advantages = vec![0.0; rewards.len()];
    for (row, &lambda) in rows.rows().zip(lambdas) {
        check_share("lambda", lambda)?;
        let (mut next_value, mut next) = (0.0, 0.0);
        for t in row.rev().filter(|&t| chosen(mask, t)) {
            let delta = rewards[t] + gamma * next_value - values[t];
            next = delta + gamma * lambda * next;
            next_value = values[t];
            advantages[t] = next;
        }
    }
    Ok(advantages)
}

fn chosen(mask: Option<&[bool]>, t: usize) -> bool {
    mask.is_none_or(|mask| mask[t])
}

fn check_mask(rows: &Ragged, mask: Option<&[bool]>) -> Result<(), Error> {
    mask.map_or(Ok(()), |mask| rows.check("mask", mask.len()))
}

fn check_share(what: &'static str, value: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(Error::Share { what, value }) }
}
