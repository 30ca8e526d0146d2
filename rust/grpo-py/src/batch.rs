//! `grpo-batch` on numpy arrays: inputs borrowed, outputs moved.

use grpo_batch::{AdvantageOptions, GroupState, Groups, Scale, advantages, pack};
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

#[pyfunction]
#[pyo3(signature = (rewards, group_ids, *, scale, ddof, epsilon))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn group_advantages<'py>(
    py: Python<'py>,
    rewards: PyReadonlyArray1<'py, f64>,
    group_ids: PyReadonlyArray1<'py, i64>,
    scale: &str,
    ddof: i64,
    epsilon: f64,
) -> PyResult<AdvantageArrays<'py>> {
    let scale = match scale {
        "std" => Scale::Std,
        "none" => Scale::None,
        other => {
            return Err(input_error(format!("scale is {other:?}: it must be \"std\" or \"none\"")));
        }
    };
    let ddof = u8::try_from(ddof)
        .map_err(|_| input_error(format!("ddof is {ddof}: use 1 (as TRL and verl) or 0")))?;
    let options = AdvantageOptions { scale, ddof, epsilon };
    let (rewards, group_ids) = (contiguous(&rewards)?, contiguous(&group_ids)?);
    let out = run_batch(py, 1, |_| advantages(rewards, &Groups::new(group_ids), &options))?
        .swap_remove(0)
        .map_err(input_error)?;
    let groups = &out.groups;
    Ok((
        PyArray1::from_vec(py, out.values),
        PyArray1::from_vec(py, out.trainable),
        PyArray1::from_iter(py, groups.iter().map(|g| g.id)),
        PyArray1::from_iter(
            py,
            groups.iter().map(|g| i64::try_from(g.num_scored).unwrap_or(i64::MAX)),
        ),
        PyArray1::from_iter(py, groups.iter().map(|g| g.mean)),
        PyArray1::from_iter(py, groups.iter().map(|g| g.std)),
        PyArray1::from_iter(py, groups.iter().map(|g| state_code(g.state))),
    ))
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
    let lengths = contiguous(&lengths)?
        .iter()
        .enumerate()
        .map(|(row, &length)| {
            usize::try_from(length)
                .map_err(|_| input_error(format!("row {row} has length {length}: give at least 0")))
        })
        .collect::<PyResult<Vec<usize>>>()?;
    let bins = run_batch(py, 1, |_| pack(&lengths, budget))?.swap_remove(0).map_err(input_error)?;
    Ok(bins
        .into_iter()
        .map(|bin| {
            PyArray1::from_iter(
                py,
                bin.into_iter().map(|row| i64::try_from(row).unwrap_or(i64::MAX)),
            )
        })
        .collect())
}

/// The array's own memory; a strided view is refused rather than copied behind the caller's back.
pub(crate) fn contiguous<'a, T: numpy::Element>(
    array: &'a PyReadonlyArray1<'_, T>,
) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| {
        input_error("the array is not contiguous: pass numpy.ascontiguousarray(array)")
    })
}

fn state_code(state: GroupState) -> u8 {
    match state {
        GroupState::Live => 0,
        GroupState::ZeroVariance => 1,
        GroupState::TooFew => 2,
    }
}
