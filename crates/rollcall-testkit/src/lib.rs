//! Deterministic simulation of sync: several nodes and an aggregator, each the real session, gate and store, under a
//! scheduler that draws everything from a seed: order, loss, time, random bytes, faults.
//!
//! Refuses to know: sockets, threads, the clock. Used by `xtask` and tests only. Read in this order.

mod chance;
mod country;
mod frame;
pub mod fuzz;
mod invariant;
mod keys;
mod network;
mod office;
mod scenario;
mod shrink;
pub mod soak;
mod task;
mod world;

pub use scenario::Scenario;
pub use shrink::shrink;
pub use world::{Failure, Run, run};
