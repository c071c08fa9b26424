//! `cargo xtask drill`: planted bugs, and whether the tests find them (`reliability.md` T25).

mod sabotage;
