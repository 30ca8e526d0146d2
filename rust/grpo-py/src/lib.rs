//! `grpo_rs._core`: the Rust crates as a Python module. Conversions and nothing else.
//!
//! - [`text`]: Python strings borrowed, not copied.
//! - [`detach`]: the one wrapper for every long call, on a thread pool of our own ([`pool`]).
//! - [`errors`]: Rust errors as Python exceptions.
//! - [`math`] with [`policy`], [`sandbox`], [`batch`]: one module per crate.
#![forbid(unsafe_code)]

mod batch;
mod code_values;
mod detach;
mod errors;
mod math;
mod policy;
mod pool;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod sandbox;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
#[path = "sandbox_elsewhere.rs"]
mod sandbox;
mod selftest;
mod text;
mod value;

use pyo3::prelude::*;

/// The compiled half of `grpo_rs`; use the Python package, not this module.
#[pymodule(gil_used = false)]
mod _core {
    use super::PyResult;
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::batch::{
        balanced_partition, cut_micro_batches, discounted_returns, fit_decreasing,
        generalized_advantages, group_advantages, max_variance_subset, merge_moments, moments,
        off_policy_metrics, optimal_token_advantages, pack_rows, pass_k_analytic, pass_k_max,
        pkpo_rewards, process_advantages,
    };
    #[pymodule_export]
    use super::code_values::{
        compare_outputs, decode_value, encode_value, extract_program, program_imports,
        sandbox_outcomes, values_equal,
    };
    #[pymodule_export]
    use super::errors::{InputError, InternalError, SandboxUnavailable};
    #[pymodule_export]
    use super::math::{MathGold, explain_math, math_normal_forms, math_outcomes, verify_math};
    #[pymodule_export]
    use super::policy::{check_math_policy, math_policies};
    #[pymodule_export]
    use super::sandbox::{CodeBatch, CodePool, CodeTests, SandboxZygote, sandbox_supervise};
    #[pymodule_export]
    use super::selftest::_selftest;
    #[pymodule_export]
    use super::value::{HandleValue, OpaqueValue};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("_build_profile", if cfg!(debug_assertions) { "debug" } else { "release" })
    }
}
