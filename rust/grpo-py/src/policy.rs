//! The policy of `grpo-math` as a Python object with one attribute per switch.

use std::fmt::Display;

use grpo_math::{Chain, Choice, Effort, Order, Percent, Policy, Units};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

use crate::errors::input_error;

/// A policy that was read from Python: any object with the attributes.
pub(crate) struct PolicyFields(pub(crate) Policy);

/// Raises if an attribute of the policy is missing, or set to what it cannot be.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned values")]
pub(crate) fn check_math_policy(policy: PolicyFields) {
    let PolicyFields(_) = policy;
}

/// The ready-made policies by name; each is its attributes by name.
#[pyfunction]
pub(crate) fn math_policies(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let presets = [
        ("default", Policy::default()),
        ("math_verify", Policy::math_verify()),
        ("string_match", Policy::string_match()),
    ];
    let named = PyDict::new(py);
    for (name, policy) in presets {
        named.set_item(name, fields(py, policy)?)?;
    }
    Ok(named)
}

impl FromPyObject<'_, '_> for PolicyFields {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        Ok(Self(Policy {
            rounding: digits(object, "rounding")?,
            percent: named(object, "percent", Percent::ALL, Percent::name)?,
            units: named(object, "units", Units::ALL, Units::name)?,
            radians: flag(object, "radians")?,
            assignment: flag(object, "assignment")?,
            chain: named(object, "chain", Chain::ALL, Chain::name)?,
            order: named(object, "order", Order::ALL, Order::name)?,
            solution_sets: flag(object, "solution_sets")?,
            base_optional: flag(object, "base_optional")?,
            choice: named(object, "choice", Choice::ALL, Choice::name)?,
            ignore_case: flag(object, "ignore_case")?,
            effort: named(object, "effort", Effort::ALL, Effort::name)?,
        }))
    }
}

fn fields(py: Python<'_>, policy: Policy) -> PyResult<Bound<'_, PyDict>> {
    // Without `..`: a new switch does not compile until it is listed here.
    let Policy {
        rounding,
        percent,
        units,
        radians,
        assignment,
        chain,
        order,
        solution_sets,
        base_optional,
        choice,
        ignore_case,
        effort,
    } = policy;
    let dict = PyDict::new(py);
    dict.set_item("rounding", rounding)?;
    dict.set_item("percent", percent.name())?;
    dict.set_item("units", units.name())?;
    dict.set_item("radians", radians)?;
    dict.set_item("assignment", assignment)?;
    dict.set_item("chain", chain.name())?;
    dict.set_item("order", order.name())?;
    dict.set_item("solution_sets", solution_sets)?;
    dict.set_item("base_optional", base_optional)?;
    dict.set_item("choice", choice.name())?;
    dict.set_item("ignore_case", ignore_case)?;
    dict.set_item("effort", effort.name())?;
    Ok(dict)
}

fn attribute<'py>(object: Borrowed<'_, 'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    object.getattr(name).map_err(|_| {
        let class = object.get_type().name().map_or_else(|_| "?".to_owned(), |n| n.to_string());
        PyTypeError::new_err(format!("expected a MathPolicy, not {class}"))
    })
}

fn digits(object: Borrowed<'_, '_, PyAny>, name: &str) -> PyResult<Option<u8>> {
    let value = attribute(object, name)?;
    if value.is_none() {
        return Ok(None);
    }
    // To Python, True is an int.
    let count = if value.is_instance_of::<PyBool>() { None } else { value.extract::<u8>().ok() };
    match count {
        Some(count) if count > 0 => Ok(Some(count)),
        _ => Err(refused(name, &value, "a number of significant digits from 1 to 255, or None")),
    }
}

fn flag(object: Borrowed<'_, '_, PyAny>, name: &str) -> PyResult<bool> {
    let value = attribute(object, name)?;
    value.extract().map_err(|_| refused(name, &value, "True or False"))
}

fn named<T: Copy>(
    object: Borrowed<'_, '_, PyAny>,
    name: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
) -> PyResult<T> {
    let value = attribute(object, name)?;
    let text: Option<String> = value.extract().ok();
    all.iter().copied().find(|&setting| text.as_deref() == Some(name_of(setting))).ok_or_else(
        || {
            let known: Vec<&str> = all.iter().map(|&setting| name_of(setting)).collect();
            refused(name, &value, format!("one of {}", known.join(", ")))
        },
    )
}

fn refused(name: &str, value: &Bound<'_, PyAny>, allowed: impl Display) -> PyErr {
    let shown = value.repr().map_or_else(|_| "?".to_owned(), |text| text.to_string());
    input_error(format!("{name} is {shown}: it must be {allowed}"))
}
