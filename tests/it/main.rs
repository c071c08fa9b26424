//! The product from outside: real processes, real files, real lists; and the second reading of the rules.
//! One binary. `ROLLCALL_TEST_SCALE=full` asks for the long versions.

#![expect(
    clippy::print_stdout,
    reason = "seeds, counts and skipped parts of a run belong in its output"
)]

mod by_file;
mod flood;
mod handover;
mod harness;
mod hostile;
mod javascript;
mod kill;
mod lists;
mod live;
mod lost_cursor;
mod office;
mod offline;
mod oracle;
mod peer;
mod proofs;
mod rebuild;
mod recovery;
mod refusals;
mod relay;
mod replaced;
mod restore;
mod vector;
