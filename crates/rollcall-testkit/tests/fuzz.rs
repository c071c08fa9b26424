//! Every fuzz target for a moment before each change lands; the same command runs them for hours.

use std::process::Command;

/// Runs one target; the same seeds at every commit, so that a failure is the commit's.
fn check(target: &str) {
    let full = std::env::var("ROLLCALL_TEST_SCALE").is_ok_and(|scale| scale == "full");
    let said = Command::new(env!("CARGO_BIN_EXE_rollcall-fuzz"))
        .args(["--target", target, "--seconds", if full { "120" } else { "2" }])
        .output()
        .expect("the program starts");
    let out = String::from_utf8_lossy(&said.stdout);
    assert!(
        said.status.success(),
        "{out}{}",
        String::from_utf8_lossy(&said.stderr)
    );
    assert!(
        out.contains("0 findings") && !out.contains(" 0 taken"),
        "a target that takes nothing proves nothing: {out}"
    );
}

#[test]
fn frames_come_back_as_they_were_or_are_refused() {
    check("F1");
}

#[test]
fn what_the_walker_lets_through_the_library_survives() {
    check("F2");
}

#[test]
fn what_the_gate_accepts_can_be_saved_loaded_replayed_and_written() {
    check("F3");
}

#[test]
fn a_seed_that_once_failed_is_sound() {
    // A Hello bent on its way made a node go on behind an ack that it had never got: one of its changes stayed without
    // a position for good.
    let run = rollcall_testkit::run(&rollcall_testkit::Scenario::hostile(418), false);
    assert_eq!(run.failure, None);
}

#[test]
fn three_stores_agree_whatever_is_said_between_them() {
    check("F4");
}
