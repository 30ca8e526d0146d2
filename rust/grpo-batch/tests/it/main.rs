//! One integration binary: behaviour, then laws.

mod advantages;
mod packing;
