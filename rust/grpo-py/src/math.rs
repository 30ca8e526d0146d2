//! `grpo-math` over batches: texts borrowed, golds compiled once each, results moved into numpy.

use std::collections::HashMap;

use grpo_math::{Extract, Gold, Options, Outcome, Policy, explain, report, verify};
use numpy::PyArray1;
use pyo3::prelude::*;

use crate::detach::run_short_jobs;
use crate::errors::input_error;
use crate::policy::PolicyFields;
use crate::text::Text;

/// Scores, outcome codes, and spans as start and end by turns.
type VerdictArrays<'py> =
    (Bound<'py, PyArray1<f32>>, Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<i64>>);

/// Normal forms of an answer and of its gold, of those that were read.
type NormalForms = (Option<String>, Option<String>);

/// A gold compiled once, for any number of calls. The Python package adds what returns its own types.
#[pyclass(frozen, subclass, module = "grpo_rs._core")]
pub(crate) struct MathGold {
    gold: Gold,
    compiled_under: Policy,
    /// The text that was compiled.
    #[pyo3(get)]
    text: String,
    /// The policy it was compiled under.
    #[pyo3(get)]
    policy: Py<PyAny>,
}

/// A gold as Python gives it.
pub(crate) enum GoldInput {
    Text(Text),
    Compiled(Py<MathGold>),
}

#[pymethods]
impl MathGold {
    #[new]
    #[pyo3(signature = (text, *, policy))]
    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
    fn new(py: Python<'_>, text: Text, policy: Py<PyAny>) -> PyResult<Self> {
        let PolicyFields(compiled_under) = policy.extract(py)?;
        let options = Options { policy: compiled_under, ..Options::default() };
        let gold = run_short_jobs(py, 1, |_| Gold::compile(&text, &options))?.swap_remove(0);
        Ok(Self { gold, compiled_under, text: text.to_string(), policy })
    }

    /// The normal form that answers are compared with; None if the gold cannot be read.
    #[getter]
    fn normal_form(&self) -> Option<String> {
        self.gold.normal_form()
    }

    /// Why no answer can be scored against it, as the code of an outcome; None if it can be read.
    #[getter]
    fn problem_code(&self) -> Option<u8> {
        self.gold.problem().map(Outcome::code)
    }
}

impl FromPyObject<'_, '_> for GoldInput {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.cast::<MathGold>() {
            Ok(gold) => Ok(Self::Compiled(gold.to_owned().unbind())),
            Err(_) => object.extract().map(Self::Text),
        }
    }
}

#[pyfunction]
#[pyo3(signature = (predictions, golds, *, extract, policy))]
#[expect(clippy::needless_pass_by_value, reason = "the vectors own the borrowed strings")]
pub(crate) fn verify_math<'py>(
    py: Python<'py>,
    predictions: Vec<Text>,
    golds: Vec<GoldInput>,
    extract: &str,
    policy: PolicyFields,
) -> PyResult<VerdictArrays<'py>> {
    let options = options(extract, policy)?;
    let verdicts = for_each_pair(py, &predictions, &golds, options, verify)?;

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

/// The sentence of [`explain`] for each prediction.
#[pyfunction]
#[pyo3(signature = (predictions, golds, *, extract, policy))]
#[expect(clippy::needless_pass_by_value, reason = "the vectors own the borrowed strings")]
pub(crate) fn explain_math(
    py: Python<'_>,
    predictions: Vec<Text>,
    golds: Vec<GoldInput>,
    extract: &str,
    policy: PolicyFields,
) -> PyResult<Vec<String>> {
    for_each_pair(py, &predictions, &golds, options(extract, policy)?, explain)
}

/// What was compared, for each prediction.
#[pyfunction]
#[pyo3(signature = (predictions, golds, *, extract, policy))]
#[expect(clippy::needless_pass_by_value, reason = "the vectors own the borrowed strings")]
pub(crate) fn math_normal_forms(
    py: Python<'_>,
    predictions: Vec<Text>,
    golds: Vec<GoldInput>,
    extract: &str,
    policy: PolicyFields,
) -> PyResult<Vec<NormalForms>> {
    for_each_pair(
        py,
        &predictions,
        &golds,
        options(extract, policy)?,
        |prediction, gold, options| {
            let report = report(prediction, gold, options);
            (report.answer, report.gold)
        },
    )
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

/// Compiles the golds that are still texts, then does `job` for each prediction with its gold.
///
/// Nothing outlives the call: memory stays flat over any number of golds, and who needs a gold again
/// holds a [`MathGold`].
fn for_each_pair<T: Send>(
    py: Python<'_>,
    predictions: &[Text],
    golds: &[GoldInput],
    options: Options,
    job: impl Fn(&str, &Gold, &Options) -> T + Sync,
) -> PyResult<Vec<T>> {
    if predictions.len() != golds.len() {
        return Err(input_error("predictions and golds differ in length"));
    }
    // The answers to one prompt share their gold: compile each distinct text once.
    let mut index_of: HashMap<&str, usize> = HashMap::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut places: Vec<Result<usize, &Gold>> = Vec::with_capacity(golds.len());
    for (row, gold) in golds.iter().enumerate() {
        places.push(match gold {
            GoldInput::Text(text) => Ok(*index_of.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() - 1
            })),
            GoldInput::Compiled(gold) => {
                let gold = gold.get();
                if gold.compiled_under != options.policy {
                    return Err(input_error(format!(
                        "gold {row} was compiled under another policy than this call's: pass \
                         policy=gold.policy, or compile it under the policy that is meant"
                    )));
                }
                Err(&gold.gold)
            }
        });
    }
    let compiled = run_short_jobs(py, texts.len(), |i| Gold::compile(texts[i], &options))?;
    run_short_jobs(py, predictions.len(), |i| {
        let gold = places[i].map_or_else(|gold| gold, |place| &compiled[place]);
        job(&predictions[i], gold, &options)
    })
}

fn options(extract: &str, PolicyFields(policy): PolicyFields) -> PyResult<Options> {
    let extract = Extract::from_name(extract).ok_or_else(|| {
        let known: Vec<&str> = Extract::ALL.iter().map(|extract| extract.name()).collect();
        input_error(format!("extract is {extract:?}: it must be one of {}", known.join(", ")))
    })?;
    Ok(Options { extract, policy })
}

fn offset(position: usize) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
