//! The words and rules of the field: vocabulary, validation and arithmetic.
//!
//! Refuses to know: clocks, files, networks, Automerge, SQL, spreadsheets. Time and randomness are arguments.
//! Read in this order.
#![deny(clippy::float_arithmetic)]

pub mod id;
pub mod credit_code;
pub mod date;
pub mod term;
pub mod division;
pub mod amount;
pub mod ratio;
pub mod problem;
pub mod record;
pub mod fact;
pub mod dated;
pub mod organisation;
pub mod campaign;
pub mod scope;
pub mod federation;
pub mod union;
pub mod coverage;
pub mod stage;
pub mod subsidy;
pub mod rule;
pub mod figure;
