//! `grpo-math` over batches: texts borrowed, golds compiled once each, results moved into numpy.

use std::collections::HashMap;

use grpo_math::{Extract, Gold, Options, Outcome, explain, verify};
use numpy::PyArray1;
use pyo3::prelude::*;

use crate::detach::run_batch;
use crate::errors::input_error;
use crate::text::Text;

/// Scores, outcome codes, and spans as start and end by turns.
type VerdictArrays<'py> =
    (Bound<'py, PyArray1<f32>>, Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<i64>>);

#[pyfunction]
#[pyo3(signature = (predictions, golds, *, extract))]
#[expect(clippy::needless_pass_by_value, reason = "the vectors own the borrowed strings")]
pub(crate) fn verify_math<'py>(
    py: Python<'py>,
    predictions: Vec<Text>,
    golds: Vec<Text>,
    extract: &str,
) -> PyResult<VerdictArrays<'py>> {
    if predictions.len() != golds.len() {
        return Err(input_error("predictions and golds differ in length"));
    }
    let options = options(extract)?;

    // The answers to one prompt share their gold: compile each distinct one once.
    let mut index_of: HashMap<&str, usize> = HashMap::new();
    let mut distinct: Vec<&str> = Vec::new();
    let gold_of: Vec<usize> = golds
        .iter()
        .map(|gold| {
            *index_of.entry(gold).or_insert_with(|| {
                distinct.push(gold);
                distinct.len() - 1
            })
        })
        .collect();
    let compiled = run_batch(py, distinct.len(), |i| Gold::compile(distinct[i], &options))?;
    let verdicts = run_batch(py, predictions.len(), |i| {
        verify(&predictions[i], &compiled[gold_of[i]], &options)
    })?;

    let scores = verdicts.iter().map(|verdict| verdict.score().unwrap_or(f32::NAN)).collect();
    let outcomes = verdicts.iter().map(|verdict| verdict.outcome.code()).collect();
    let spans = verdicts
        .iter()
        .flat_map(|verdict| match verdict.span {
            Some(span) => [offset(span.start), offset(span.end)],
            None => [-1, -1],
        })
        .collect();
    Ok((
        PyArray1::from_vec(py, scores),
        PyArray1::from_vec(py, outcomes),
        PyArray1::from_vec(py, spans),
    ))
}

#[pyfunction]
#[pyo3(signature = (prediction, gold, *, extract))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn explain_math(
    py: Python<'_>,
    prediction: Text,
    gold: Text,
    extract: &str,
) -> PyResult<String> {
    let options = options(extract)?;
    let mut sentence =
        run_batch(py, 1, |_| explain(&prediction, &Gold::compile(&gold, &options), &options))?;
    Ok(sentence.swap_remove(0))
}

/// Name, code, whether it can be scored, and description of every outcome.
#[pyfunction]
pub(crate) fn math_outcomes() -> Vec<(&'static str, u8, bool, &'static str)> {
    Outcome::ALL
        .iter()
        .map(|outcome| {
            (outcome.name(), outcome.code(), outcome.score().is_some(), outcome.describe())
        })
        .collect()
}

fn options(extract: &str) -> PyResult<Options> {
    let extract = Extract::from_name(extract).ok_or_else(|| {
        let known: Vec<&str> = Extract::ALL.iter().map(|extract| extract.name()).collect();
        input_error(format!("extract is {extract:?}: it must be one of {}", known.join(", ")))
    })?;
    Ok(Options { extract, ..Options::default() })
}

fn offset(position: usize) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
