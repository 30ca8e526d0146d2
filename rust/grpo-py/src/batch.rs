//! `grpo-batch` on numpy arrays: inputs borrowed, outputs moved.

use grpo_batch::{
    AdvantageOptions, Advantages, Baseline, Bin, Error, Fit, GroupState, GroupStats, Groups,
    Moments, Ragged, Scale, Steps, TokenAdvantages, TokenPolicy,
};
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::detach::run_batch;
use crate::errors::input_error;

/// Advantages, trainable rows, and per group: id, scored rows, mean, std, state.
type AdvantageArrays<'py> = (
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<u8>>,
);

/// Count, mean, squares, min, max.
type MomentsTuple = (f64, f64, f64, f64, f64);

#[pyfunction]
#[pyo3(signature = (
    rewards, group_ids, *, baseline, scale, ddof, epsilon, keep_zero_variance, lengths=None, baselines=None
))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
#[expect(clippy::too_many_arguments, reason = "the options of one call")]
pub(crate) fn group_advantages<'py>(
    py: Python<'py>,
    rewards: PyReadonlyArray1<'py, f64>,
    group_ids: PyReadonlyArray1<'py, i64>,
    baseline: &str,
    scale: &str,
    ddof: i64,
    epsilon: f64,
    keep_zero_variance: bool,
    lengths: Option<PyReadonlyArray1<'py, i64>>,
    baselines: Option<PyReadonlyArray1<'py, f64>>,
) -> PyResult<AdvantageArrays<'py>> {
    let lengths = lengths.as_ref().map(contiguous).transpose()?;
    let baselines = baselines.as_ref().map(contiguous).transpose()?;
    let options = AdvantageOptions {
        baseline: baseline_of(baseline, lengths, baselines)?,
        scale: scale_of(scale)?,
        ddof: ddof_of(ddof)?,
        epsilon,
        keep_zero_variance,
    };
    let (rewards, group_ids) = (contiguous(&rewards)?, contiguous(&group_ids)?);
    let out = run_one(py, || grpo_batch::advantages(rewards, &Groups::new(group_ids), &options))?;
    Ok(advantage_arrays(py, out))
}

#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn pkpo_rewards<'py>(
    py: Python<'py>,
    rewards: PyReadonlyArray1<'py, f64>,
    group_ids: PyReadonlyArray1<'py, i64>,
    k: i64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let k = whole("k", k)?;
    let (rewards, group_ids) = (contiguous(&rewards)?, contiguous(&group_ids)?);
    let out = run_one(py, || grpo_batch::pkpo(rewards, &Groups::new(group_ids), k))?;
    Ok(PyArray1::from_vec(py, out))
}

#[pyfunction]
#[pyo3(signature = (rewards, group_ids, k, *, keep_zero_variance))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn pass_k_analytic<'py>(
    py: Python<'py>,
    rewards: PyReadonlyArray1<'py, f64>,
    group_ids: PyReadonlyArray1<'py, i64>,
    k: i64,
    keep_zero_variance: bool,
) -> PyResult<AdvantageArrays<'py>> {
    let k = whole("k", k)?;
    let (rewards, group_ids) = (contiguous(&rewards)?, contiguous(&group_ids)?);
    let out = run_one(py, || {
        grpo_batch::pass_k_analytic(rewards, &Groups::new(group_ids), k, keep_zero_variance)
    })?;
    Ok(advantage_arrays(py, out))
}

#[pyfunction]
#[pyo3(signature = (rewards, group_ids, *, scale, ddof, epsilon, keep_zero_variance))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn pass_k_max<'py>(
    py: Python<'py>,
    rewards: PyReadonlyArray1<'py, f64>,
    group_ids: PyReadonlyArray1<'py, i64>,
    scale: &str,
    ddof: i64,
    epsilon: f64,
    keep_zero_variance: bool,
) -> PyResult<AdvantageArrays<'py>> {
    let (by_std, ddof) = (std_or_none(scale)?, ddof_of(ddof)?);
    let (rewards, group_ids) = (contiguous(&rewards)?, contiguous(&group_ids)?);
    let out = run_one(py, || {
        let groups = Groups::new(group_ids);
        grpo_batch::pass_k_max(rewards, &groups, by_std, ddof, epsilon, keep_zero_variance)
    })?;
    Ok(advantage_arrays(py, out))
}

#[pyfunction]
#[pyo3(signature = (
    step_rewards, step_ends, step_offsets, offsets, group_ids, *, scale, ddof, epsilon, keep_zero_variance
))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
#[expect(clippy::too_many_arguments, reason = "the options of one call")]
pub(crate) fn process_advantages<'py>(
    py: Python<'py>,
    step_rewards: PyReadonlyArray1<'py, f64>,
    step_ends: PyReadonlyArray1<'py, i64>,
    step_offsets: PyReadonlyArray1<'py, i64>,
    offsets: PyReadonlyArray1<'py, i64>,
    group_ids: PyReadonlyArray1<'py, i64>,
    scale: &str,
    ddof: i64,
    epsilon: f64,
    keep_zero_variance: bool,
) -> PyResult<AdvantageArrays<'py>> {
    let (by_std, ddof) = (std_or_none(scale)?, ddof_of(ddof)?);
    let (rewards, ends) = (contiguous(&step_rewards)?, contiguous(&step_ends)?);
    let (step_offsets, offsets) = (contiguous(&step_offsets)?, contiguous(&offsets)?);
    let group_ids = contiguous(&group_ids)?;
    let rows = &Ragged::new(step_offsets, rewards.len()).map_err(input_error)?;
    let tokens = ragged(offsets)?;
    let out = run_one(py, || {
        let steps = Steps { rewards, ends, rows };
        let groups = Groups::new(group_ids);
        let keep = keep_zero_variance;
        grpo_batch::process_advantages(steps, &tokens, &groups, by_std, ddof, epsilon, keep)
    })?;
    Ok(token_arrays(py, out))
}

#[pyfunction]
#[pyo3(signature = (
    rewards, logprobs, square_sums, offsets, group_ids, *, epsilon, zero_tail, keep_zero_variance
))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
#[expect(clippy::too_many_arguments, reason = "the options of one call")]
pub(crate) fn optimal_token_advantages<'py>(
    py: Python<'py>,
    rewards: PyReadonlyArray1<'py, f64>,
    logprobs: PyReadonlyArray1<'py, f64>,
    square_sums: PyReadonlyArray1<'py, f64>,
    offsets: PyReadonlyArray1<'py, i64>,
    group_ids: PyReadonlyArray1<'py, i64>,
    epsilon: f64,
    zero_tail: bool,
    keep_zero_variance: bool,
) -> PyResult<AdvantageArrays<'py>> {
    let (rewards, group_ids) = (contiguous(&rewards)?, contiguous(&group_ids)?);
    let (logprobs, square_sums) = (contiguous(&logprobs)?, contiguous(&square_sums)?);
    let rows = &ragged(contiguous(&offsets)?)?;
    let out = run_one(py, || {
        let policy = TokenPolicy { logprobs, square_sums, rows };
        let groups = Groups::new(group_ids);
        let keep = keep_zero_variance;
        grpo_batch::optimal_token_advantages(rewards, policy, &groups, epsilon, zero_tail, keep)
    })?;
    Ok(token_arrays(py, out))
}

#[pyfunction]
#[pyo3(signature = (token_rewards, offsets, *, gamma, mask=None))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn discounted_returns<'py>(
    py: Python<'py>,
    token_rewards: PyReadonlyArray1<'py, f64>,
    offsets: PyReadonlyArray1<'py, i64>,
    gamma: f64,
    mask: Option<PyReadonlyArray1<'py, bool>>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let rewards = contiguous(&token_rewards)?;
    let rows = ragged(contiguous(&offsets)?)?;
    let mask = mask.as_ref().map(contiguous).transpose()?;
    let out = run_one(py, || grpo_batch::discounted_returns(rewards, &rows, gamma, mask))?;
    Ok(PyArray1::from_vec(py, out))
}

#[pyfunction]
#[pyo3(signature = (token_rewards, values, offsets, *, gamma, lambdas, mask=None))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn generalized_advantages<'py>(
    py: Python<'py>,
    token_rewards: PyReadonlyArray1<'py, f64>,
    values: PyReadonlyArray1<'py, f64>,
    offsets: PyReadonlyArray1<'py, i64>,
    gamma: f64,
    lambdas: PyReadonlyArray1<'py, f64>,
    mask: Option<PyReadonlyArray1<'py, bool>>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (rewards, values) = (contiguous(&token_rewards)?, contiguous(&values)?);
    let rows = ragged(contiguous(&offsets)?)?;
    let lambdas = contiguous(&lambdas)?;
    let mask = mask.as_ref().map(contiguous).transpose()?;
    let out = run_one(py, || grpo_batch::gae(rewards, values, &rows, gamma, lambdas, mask))?;
    Ok(PyArray1::from_vec(py, out))
}

#[pyfunction]
#[pyo3(signature = (values, weights))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn moments<'py>(
    py: Python<'py>,
    values: PyReadonlyArray1<'py, f64>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
) -> PyResult<MomentsTuple> {
    let values = contiguous(&values)?;
    let weights = weights.as_ref().map(contiguous).transpose()?;
    Ok(moments_tuple(run_one(py, || grpo_batch::moments(values, weights))?))
}

#[pyfunction]
pub(crate) fn merge_moments(first: MomentsTuple, second: MomentsTuple) -> MomentsTuple {
    let read = |(count, mean, squares, min, max)| Moments { count, mean, squares, min, max };
    moments_tuple(read(first).merge(read(second)))
}

/// The metrics by name, in the order of their documentation.
#[pyfunction]
#[pyo3(signature = (trainer_logprobs, sampler_logprobs, offsets, *, low, high))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn off_policy_metrics<'py>(
    py: Python<'py>,
    trainer_logprobs: PyReadonlyArray1<'py, f64>,
    sampler_logprobs: PyReadonlyArray1<'py, f64>,
    offsets: PyReadonlyArray1<'py, i64>,
    low: f64,
    high: f64,
) -> PyResult<Vec<(&'static str, f64)>> {
    let (trainer, sampler) = (contiguous(&trainer_logprobs)?, contiguous(&sampler_logprobs)?);
    let rows = ragged(contiguous(&offsets)?)?;
    let out = run_one(py, || grpo_batch::off_policy(trainer, sampler, &rows, (low, high)))?;
    Ok(vec![
        ("kl", out.kl),
        ("k3_kl", out.k3_kl),
        ("training_ppl", out.training_ppl),
        ("rollout_ppl", out.rollout_ppl),
        ("log_ppl_diff", out.log_ppl_diff),
        ("log_ppl_abs_diff", out.log_ppl_abs_diff),
        ("ppl_ratio", out.ppl_ratio),
        ("chi2_token", out.chi2_token),
        ("chi2_seq", out.chi2_seq),
        ("ess_token_fraction", out.ess_token_fraction),
        ("ess_sequence_fraction", out.ess_sequence_fraction),
        ("max_abs_prob_diff", out.max_abs_prob_diff),
        ("mean_abs_prob_diff", out.mean_abs_prob_diff),
        ("outside_fraction", out.outside_fraction),
    ])
}

#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn max_variance_subset<'py>(
    py: Python<'py>,
    rewards: PyReadonlyArray1<'py, f64>,
    size: i64,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let (rewards, size) = (contiguous(&rewards)?, whole("size", size)?);
    let rows = run_one(py, || grpo_batch::max_variance_subset(rewards, size))?;
    Ok(index_array(py, rows))
}

#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn pack_rows<'py>(
    py: Python<'py>,
    lengths: PyReadonlyArray1<'py, i64>,
    budget: i64,
) -> PyResult<Vec<Bound<'py, PyArray1<i64>>>> {
    let budget = usize::try_from(budget).map_err(|_| {
        input_error(format!("budget is {budget}: give the tokens of a micro-batch"))
    })?;
    let lengths = sizes("length", contiguous(&lengths)?)?;
    let bins = run_one(py, || grpo_batch::pack(&lengths, budget))?;
    Ok(bin_arrays(py, bins))
}

#[pyfunction]
#[pyo3(signature = (sizes, capacity, *, fit))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn fit_decreasing<'py>(
    py: Python<'py>,
    sizes: PyReadonlyArray1<'py, i64>,
    capacity: i64,
    fit: &str,
) -> PyResult<Vec<Bound<'py, PyArray1<i64>>>> {
    let fit = match fit {
        "first" => Fit::First,
        "best" => Fit::Best,
        other => {
            return Err(input_error(format!("fit is {other:?}: it must be \"first\" or \"best\"")));
        }
    };
    let (sizes, capacity) =
        (self::sizes("size", contiguous(&sizes)?)?, whole("capacity", capacity)?);
    let bins = run_one(py, || grpo_batch::fit_decreasing(&sizes, capacity, fit))?;
    Ok(bin_arrays(py, bins))
}

#[pyfunction]
#[pyo3(signature = (costs, parts, *, equal_size))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn balanced_partition<'py>(
    py: Python<'py>,
    costs: PyReadonlyArray1<'py, f64>,
    parts: i64,
    equal_size: bool,
) -> PyResult<Vec<Bound<'py, PyArray1<i64>>>> {
    let (costs, parts) = (contiguous(&costs)?, whole("parts", parts)?);
    let bins = run_one(py, || grpo_batch::partition(costs, parts, equal_size))?;
    Ok(bin_arrays(py, bins))
}

#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn cut_micro_batches<'py>(
    py: Python<'py>,
    tokens: PyReadonlyArray1<'py, i64>,
    costs: PyReadonlyArray1<'py, f64>,
    capacity: i64,
) -> PyResult<Vec<Bound<'py, PyArray1<i64>>>> {
    let tokens = sizes("length", contiguous(&tokens)?)?;
    let (costs, capacity) = (contiguous(&costs)?, whole("capacity", capacity)?);
    let bins = run_one(py, || grpo_batch::cut(&tokens, costs, capacity))?;
    Ok(bin_arrays(py, bins))
}

/// One job without the GIL; the crate's errors as Python's.
fn run_one<T: Send>(py: Python<'_>, job: impl Fn() -> Result<T, Error> + Sync) -> PyResult<T> {
    run_batch(py, 1, |_| job())?.swap_remove(0).map_err(input_error)
}

/// The array's own memory; a strided view is refused rather than copied behind the caller's back.
pub(crate) fn contiguous<'a, T: numpy::Element>(
    array: &'a PyReadonlyArray1<'_, T>,
) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| {
        input_error("the array is not contiguous: pass numpy.ascontiguousarray(array)")
    })
}

fn baseline_of<'a>(
    name: &str,
    lengths: Option<&'a [i64]>,
    baselines: Option<&'a [f64]>,
) -> PyResult<Baseline<'a>> {
    match name {
        "none" => Ok(Baseline::None),
        "mean" => Ok(Baseline::Mean),
        "leave_one_out" => Ok(Baseline::LeaveOneOut),
        "length_weighted" => lengths.map(Baseline::LengthWeighted).ok_or_else(|| {
            input_error("the baseline \"length_weighted\" needs lengths: give each row's tokens")
        }),
        "given" => baselines.map(Baseline::Given).ok_or_else(|| {
            input_error("the baseline \"given\" needs baselines: give a number for each row")
        }),
        other => Err(input_error(format!(
            "baseline is {other:?}: it must be \"none\", \"mean\", \"leave_one_out\", \
             \"length_weighted\" or \"given\""
        ))),
    }
}

fn scale_of(name: &str) -> PyResult<Scale> {
    match name {
        "std" => Ok(Scale::Std),
        "none" => Ok(Scale::None),
        "leave_one_out_std" => Ok(Scale::LeaveOneOutStd),
        "mean" => Ok(Scale::Mean),
        other => Err(input_error(format!(
            "scale is {other:?}: it must be \"std\", \"none\", \"leave_one_out_std\" or \"mean\""
        ))),
    }
}

fn std_or_none(name: &str) -> PyResult<bool> {
    match name {
        "std" => Ok(true),
        "none" => Ok(false),
        other => Err(input_error(format!("scale is {other:?}: it must be \"std\" or \"none\""))),
    }
}

fn ddof_of(ddof: i64) -> PyResult<u8> {
    u8::try_from(ddof)
        .map_err(|_| input_error(format!("ddof is {ddof}: use 1 (as TRL and verl) or 0")))
}

fn whole(what: &str, value: i64) -> PyResult<usize> {
    usize::try_from(value).map_err(|_| input_error(format!("{what} is {value}: give at least 0")))
}

fn sizes(what: &str, values: &[i64]) -> PyResult<Vec<usize>> {
    let size = |(row, &value): (usize, &i64)| {
        usize::try_from(value)
            .map_err(|_| input_error(format!("row {row} has {what} {value}: give at least 0")))
    };
    values.iter().enumerate().map(size).collect()
}

/// Rows of flat token arrays; the crate compares every array's length with the last offset.
fn ragged(offsets: &[i64]) -> PyResult<Ragged> {
    let last = offsets.last().copied().unwrap_or(0);
    Ragged::new(offsets, usize::try_from(last).unwrap_or(0)).map_err(input_error)
}

fn advantage_arrays(py: Python<'_>, out: Advantages) -> AdvantageArrays<'_> {
    arrays(py, out.values, out.trainable, &out.groups)
}

fn token_arrays(py: Python<'_>, out: TokenAdvantages) -> AdvantageArrays<'_> {
    arrays(py, out.values, out.trainable, &out.groups)
}

fn arrays<'py>(
    py: Python<'py>,
    values: Vec<f64>,
    trainable: Vec<bool>,
    groups: &[GroupStats],
) -> AdvantageArrays<'py> {
    (
        PyArray1::from_vec(py, values),
        PyArray1::from_vec(py, trainable),
        PyArray1::from_iter(py, groups.iter().map(|g| g.id)),
        index_array(py, groups.iter().map(|g| g.num_scored)),
        PyArray1::from_iter(py, groups.iter().map(|g| g.mean)),
        PyArray1::from_iter(py, groups.iter().map(|g| g.std)),
        PyArray1::from_iter(py, groups.iter().map(|g| state_code(g.state))),
    )
}

fn bin_arrays(py: Python<'_>, bins: Vec<Bin>) -> Vec<Bound<'_, PyArray1<i64>>> {
    bins.into_iter().map(|bin| index_array(py, bin)).collect()
}

fn index_array(
    py: Python<'_>,
    indices: impl IntoIterator<Item = usize>,
) -> Bound<'_, PyArray1<i64>> {
    PyArray1::from_iter(
        py,
        indices.into_iter().map(|index| i64::try_from(index).unwrap_or(i64::MAX)),
    )
}

fn moments_tuple(moments: Moments) -> MomentsTuple {
    (moments.count, moments.mean, moments.squares, moments.min, moments.max)
}

fn state_code(state: GroupState) -> u8 {
    match state {
        GroupState::Live => 0,
        GroupState::ZeroVariance => 1,
        GroupState::TooFew => 2,
    }
}
