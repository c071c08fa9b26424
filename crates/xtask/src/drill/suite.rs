//! Running tests against the copy: one detector, or the whole suite. Owns what counts as found: a test that fails. What
//! cannot be built was not found by any test, and neither was what only makes a test go on for ever.

use std::io::{Read, Seek};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::sabotage::Detector;
use super::tree::Tree;
use crate::live;
use crate::process::cargo_command;

/// How long a detector may take.
const DETECTOR_MAX: Duration = Duration::from_secs(5 * 60);
/// How long the whole suite may: about four times what it takes without a bug; some bugs make tests go round for ever.
const WHOLE_MAX: Duration = Duration::from_secs(20 * 60);
/// How long building may take; the first drill builds every library.
const BUILD_MAX: Duration = Duration::from_secs(60 * 60);
/// Between two looks at a process that runs.
const LOOK: Duration = Duration::from_millis(50);

/// The test that compares the list of planted bugs with the tree: it fails over any of them and finds none.
const SELF_TEST: &str = "every_planted_bug_has_its_line_once_in_product_code";

/// What became of a planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// A test failed.
    Caught,
    /// No test failed.
    Missed,
    /// It is no program.
    DoesNotBuild,
    /// A test did not end.
    DoesNotEnd,
}

impl Verdict {
    /// In words.
    pub(super) const fn said(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Missed => "MISSED",
            Self::DoesNotBuild => "DOES NOT BUILD",
            Self::DoesNotEnd => "DOES NOT END",
        }
    }
}

/// What the whole suite said.
pub(super) struct Whole {
    pub(super) verdict: Verdict,
    /// Tests that failed, by name.
    pub(super) failed: Vec<String>,
}

/// Builds the library tests of a package and runs some of them: each must be there and pass.
pub(super) fn all_pass(tree: &Tree, package: &str, detectors: &[Detector]) -> Result<()> {
    let tests = library_tests(package);
    let built = cargo(tree, &[&tests[..], &["--no-run"]].concat(), BUILD_MAX)?;
    ensure!(
        built.success == Some(true),
        "the tests of {package} cannot be built:\n{}",
        built.text
    );
    let mut arguments = [&tests[..], &["--", "--exact"]].concat();
    arguments.extend(detectors.iter().map(|detector| detector.test));
    let run = cargo(tree, &arguments, DETECTOR_MAX)?;
    if run.success != Some(true) {
        bail!(
            "detectors of {package} fail though nothing is planted:\n{}",
            run.text
        );
    }
    let passed = format!("test result: ok. {} passed", detectors.len());
    ensure!(
        run.text.contains(&passed),
        "not every detector of {package} is there:\n{}",
        run.text
    );
    Ok(())
}

/// What cargo is told to test the library of one package. `xtask` beside it has no library, so nothing more is built; but
/// it stands on nearly everything, so that whichever package it is, the libraries below are built with the same features.
fn library_tests(package: &str) -> [&str; 7] {
    ["test", "--locked", "-p", "xtask", "-p", package, "--lib"]
}

/// Builds and runs one detector.
pub(super) fn detector(tree: &Tree, detector: &Detector) -> Result<Verdict> {
    let Detector { package, test } = *detector;
    let tests = library_tests(package);
    let built = cargo(tree, &[&tests[..], &["--no-run"]].concat(), BUILD_MAX)?;
    if built.success != Some(true) {
        crate::say::note(built.text);
        return Ok(Verdict::DoesNotBuild);
    }
    let run = cargo(
        tree,
        &[&tests[..], &["--", "--exact", test]].concat(),
        DETECTOR_MAX,
    )?;
    Ok(match run.success {
        Some(true) => Verdict::Missed,
        Some(false) => Verdict::Caught,
        None => Verdict::DoesNotEnd,
    })
}

/// Builds and runs everything that `cargo xtask test` runs, the test of the list itself left out.
pub(super) fn whole(tree: &Tree) -> Result<Whole> {
    let targets = ["--locked", "--workspace", "--lib", "--bins", "--tests"];
    let without = |verdict| Whole {
        verdict,
        failed: Vec::new(),
    };
    for build in [
        &["build", "--locked", "--workspace", "--bins"][..],
        &[&["test", "--no-run"], &targets[..]].concat(),
    ] {
        if cargo(tree, build, BUILD_MAX)?.success != Some(true) {
            return Ok(without(Verdict::DoesNotBuild));
        }
    }
    let arguments = [
        &["test", "--no-fail-fast"],
        &targets[..],
        &["--", "--skip", SELF_TEST],
    ]
    .concat();
    let run = cargo(tree, &arguments, WHOLE_MAX)?;
    let failed = failed(&run.text);
    Ok(match run.success {
        Some(true) => without(Verdict::Missed),
        // Tests that failed before another one went on for ever have found it.
        None if failed.is_empty() => without(Verdict::DoesNotEnd),
        Some(false) | None => Whole {
            verdict: Verdict::Caught,
            failed,
        },
    })
}

/// The same where nothing is planted: everything must pass.
pub(super) fn whole_passes(tree: &Tree) -> Result<()> {
    let Whole { verdict, failed } = whole(tree)?;
    ensure!(
        verdict == Verdict::Missed,
        "the whole suite fails though nothing is planted: {} {}",
        verdict.said(),
        failed.join(" ")
    );
    Ok(())
}

/// Names of the tests that failed, as the test programs print them. Sorted.
fn failed(text: &str) -> Vec<String> {
    let mut failed: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .map(str::to_owned)
        .collect();
    failed.sort();
    failed
}

/// How a command ended.
struct Ended {
    /// Nothing where its time ran out.
    success: Option<bool>,
    /// Everything it printed.
    text: String,
}

/// Runs cargo in the copy for so long at most.
fn cargo(tree: &Tree, arguments: &[&str], longest: Duration) -> Result<Ended> {
    let build = tree.build().to_string_lossy();
    let command = cargo_command(tree.root(), arguments, &[("CARGO_TARGET_DIR", &*build)]);
    limited(command, longest).with_context(|| format!("run cargo {}", arguments.join(" ")))
}

fn limited(mut command: Command, longest: Duration) -> Result<Ended> {
    let mut said = tempfile::tempfile().context("make a temporary file")?;
    command
        .stdin(std::process::Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said.try_clone()?);
    let begun = Instant::now();
    let mut child = live::spawn_group(&mut command)?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > longest {
            live::signal_group(child.id(), "-KILL");
            child.wait()?;
            break None;
        }
        std::thread::sleep(LOOK);
    };
    live::forget(child.id());
    said.rewind()?;
    let mut bytes = Vec::new();
    said.read_to_end(&mut bytes)?;
    Ok(Ended {
        success: status.map(|status| status.success()),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, longest: Duration) -> Ended {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        limited(command, longest).expect("the shell runs")
    }

    #[test]
    fn a_command_ends_well_or_badly_or_is_ended() {
        for (script, success) in [
            ("echo out; echo err >&2", Some(true)),
            ("echo out; echo err >&2; exit 3", Some(false)),
            ("echo out; echo err >&2; sleep 60", None),
        ] {
            let ended = shell(script, Duration::from_millis(500));
            assert_eq!(
                (ended.success, ended.text.as_str()),
                (success, "out\nerr\n"),
                "{script}"
            );
        }
    }

    #[test]
    fn failed_tests_are_read_out_of_what_test_programs_print() {
        let text = "running 3 tests\ntest b::two ... FAILED\ntest a::one ... ok\ntest a::three ... FAILED\n\
                    test result: FAILED. 1 passed; 2 failed; 0 ignored\n";
        assert_eq!(failed(text), ["a::three", "b::two"]);
    }
}
