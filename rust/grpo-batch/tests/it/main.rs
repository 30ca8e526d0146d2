//! One integration binary: behaviour, then laws.

mod advantages;
mod bins;
mod estimators;
mod packing;
