//! The crate's pure parts, from outside. What needs an interpreter is tested through the Python package.
//! Each module says what its failures mean.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod compare;
mod extract;
mod imports;
mod value;
