//! `cargo xtask fuzz`: the fuzz targets for as long as wanted, in a program of their own whose memory is limited.

use std::path::Path;

use anyhow::Result;
use rollcall_testkit::fuzz::Target;

use crate::process::cargo;

/// Builds the program and runs it; fails where it finds something.
pub(crate) fn run(
    root: &Path,
    target: Option<Target>,
    seconds: u64,
    seed: u64,
    inputs: Option<u64>,
) -> Result<()> {
    let (seconds, seed) = (seconds.to_string(), seed.to_string());
    let target = target.map(|target| target.to_string());
    let inputs = inputs.map(|inputs| inputs.to_string());
    let mut arguments = vec![
        "run",
        "--locked",
        "--quiet",
        "--bin",
        "rollcall-fuzz",
        "--",
        "--seconds",
        &seconds,
        "--seed",
        &seed,
    ];
    if let Some(target) = &target {
        arguments.extend(["--target", target]);
    }
    if let Some(inputs) = &inputs {
        arguments.extend(["--inputs", inputs]);
    }
    cargo(root, &arguments)
}
