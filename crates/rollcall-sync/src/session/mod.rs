//! One session, seen from either end. Events in, effects out; the same events give the same effects.

pub mod client;
pub mod server;

#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;
