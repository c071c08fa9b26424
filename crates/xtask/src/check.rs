//! `cargo xtask check`: format, lints, dependency policy, tidy. The same by hand and in CI.

use std::path::Path;

use anyhow::Result;

use crate::metadata::Metadata;
use crate::process::cargo;
use crate::{policy, tidy};

/// Runs everything, cheapest first.
pub(crate) fn run(root: &Path) -> Result<()> {
    cargo(root, &["fmt", "--all", "--check"])?;
    let metadata = Metadata::load(root)?;
    policy::run(&metadata)?;
    tidy::run(root, &metadata)?;
    cargo(
        root,
        &[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    )
}
