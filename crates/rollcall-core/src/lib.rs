//! The words and rules of the field: vocabulary, validation and arithmetic.
//!
//! Refuses to know: clocks, files, networks, Automerge, SQL, spreadsheets. Time and randomness are arguments.
//! Read in this order.
#![deny(clippy::float_arithmetic)]

pub mod amount;
pub mod campaign;
pub mod coverage;
pub mod credit_code;
pub mod date;
pub mod dated;
pub mod division;
pub mod fact;
pub mod federation;
pub mod figure;
pub mod id;
pub mod organisation;
pub mod problem;
pub mod ratio;
pub mod record;
pub mod rule;
pub mod scope;
pub mod stage;
pub mod subsidy;
pub mod term;
pub mod union;
