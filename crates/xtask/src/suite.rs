//! `cargo xtask test`: everything that must pass before a change lands.
//! Installs what the tests need by Debian package name, builds each binary once, runs every suite and
//! then the main job as the README shows it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::check;
use crate::demo;
use crate::process::cargo_with;
use crate::say;

/// Programs the tests call, and the Debian package each comes in.
const PROGRAMS: &[(&str, &str)] = &[("python3", "python3"), ("cc", "gcc")];

/// Runs the gate, then the tests; `full` asks for the large numbers.
pub(crate) fn run(root: &Path, full: bool) -> Result<()> {
    let start = Instant::now();
    install_missing()?;
    check::run(root)?;
    let scale: &[(&str, &str)] = if full {
        &[("ROLLCALL_TEST_SCALE", "full")]
    } else {
        &[]
    };
    cargo_with(root, &["build", "--locked", "--workspace", "--bins"], &[])?;
    cargo_with(
        root,
        &[
            "test",
            "--locked",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ],
        scale,
    )?;
    oracle(root)?;
    demo::run(root, true)?;
    say::note(format!(
        "test: everything passed in {} s",
        start.elapsed().as_secs()
    ));
    Ok(())
}

/// The oracle's own tests: the worked vector by hand-written numbers.
fn oracle(root: &Path) -> Result<()> {
    let status = Command::new("python3")
        .args([
            "-B",
            "-m",
            "unittest",
            "discover",
            "-s",
            "tests/oracle",
            "-p",
            "test_*.py",
        ])
        .current_dir(root)
        .status()
        .context("run the oracle's tests")?;
    ensure!(status.success(), "the oracle's tests failed");
    Ok(())
}

fn install_missing() -> Result<()> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    say::note(format!("test: installing {}", missing.join(" ")));
    let update = Command::new("apt-get")
        .arg("update")
        .status()
        .context("run apt-get update")?;
    ensure!(update.success(), "apt-get update failed");
    let install = Command::new("apt-get")
        .args(["install", "-y", "--no-install-recommends"])
        .args(&missing)
        .status()
        .context("run apt-get install")?;
    ensure!(install.success(), "apt-get install {} failed", missing.join(" "));
    Ok(())
}

fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
