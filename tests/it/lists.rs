//! Every real list of the data folder, as it was found, through the command line: counts add up, known properties are
//! seen, the second import changes nothing, memory stays small. Skipped with a line where the folder is absent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Node, root};

/// Most memory an import may take, KiB.
const PEAK_KIB: u64 = 200 * 1024;

fn data() -> Option<PathBuf> {
    let folder = root().parent()?.join("shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: there is no {}", folder.display());
    None
}

fn count(summary: &Value, key: &str) -> u64 {
    summary[key]
        .as_u64()
        .unwrap_or_else(|| panic!("{key} is a number: {summary}"))
}

/// Every row read is new, updated, unchanged, duplicate or refused; every row's scope is counted once.
fn adds_up(name: &str, summary: &Value) {
    let sorted = ["new", "updated", "unchanged", "duplicate", "refused"].map(|key| count(summary, key));
    assert_eq!(
        sorted.iter().sum::<u64>(),
        count(summary, "rows_read"),
        "{name}: {sorted:?}"
    );
    let scope = summary["scope"].as_object().expect("scopes");
    let classified: u64 = scope.values().filter_map(Value::as_u64).sum();
    assert_eq!(classified, count(summary, "rows_read"), "{name}: {scope:?}");
    let shown = |list: &str| {
        summary[list].as_array().map_or(0, Vec::len) as u64 + count(summary, &format!("{list}_left_out"))
    };
    assert!(
        shown("problems") >= count(summary, "refused"),
        "{name}: every refusal has a reason"
    );
    assert!(
        shown("warnings") >= count(summary, "duplicate"),
        "{name}: every duplicate is pointed out"
    );
    for problem in summary["problems"].as_array().expect("problems") {
        assert!(
            problem["code"].as_str().is_some_and(|code| !code.is_empty()),
            "{name}: {problem}"
        );
        assert!(
            problem["message"].as_str().is_some_and(|text| text.len() > 10),
            "{name}: {problem}"
        );
        assert!(problem["row"].as_u64().is_some(), "{name}: {problem}");
    }
}

/// Runs an import and watches its memory; the summary, or the code of the refusal, and the peak in KiB.
fn import(node: &Node, file: &Path, flags: &[&str]) -> (Result<Value, String>, u64) {
    let out = node.beside("import.out");
    let err = node.beside("import.err");
    let mut args = vec!["import", file.to_str().expect("a path"), "--json"];
    args.extend(flags);
    let mut child = node.spawn_into(&args, &out, &err);
    let status_file = format!("/proc/{}/status", child.id());
    let (begun, mut peak) = (Instant::now(), 0);
    let status = loop {
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line
            .and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0);
        peak = peak.max(kib);
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            break status;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "{} takes for ever",
            file.display()
        );
        std::thread::sleep(Duration::from_millis(2));
    };
    let read = |path: &Path| std::fs::read_to_string(path).expect("an output");
    if status.code() == Some(0) {
        return (Ok(serde_json::from_str(&read(&out)).expect("JSON")), peak);
    }
    let said = read(&err);
    assert_eq!(status.code(), Some(1), "{}: {said}", file.display());
    assert!(!said.contains("panicked"), "{}: {said}", file.display());
    let line = said.lines().last().unwrap_or_default().to_owned();
    (Err(line.split(':').next().unwrap_or_default().to_owned()), peak)
}

#[test]
fn every_list_of_the_data_folder_goes_in_and_adds_up() {
    let Some(folder) = data() else { return };
    // (rows, of them taken as new, refused, duplicate, the scope that says what it is, how many of it)
    let known: BTreeMap<&str, (u64, u64, u64, u64, &str, u64)> = [
        (
            "cn_forprofit_schools_hospitals.csv",
            (3_030, 3_029, 1, 0, "OUT_FOR_PROFIT", 3_029),
        ),
        ("cn_hospitals_2020.xlsx", (4_029, 4_020, 0, 9, "NO_CODE", 4_029)),
        (
            "cn_legacy_registration_numbers.csv",
            (765, 0, 765, 0, "NO_CODE", 765),
        ),
        ("cn_schools.csv", (16_725, 15_526, 0, 1_199, "NO_CODE", 16_725)),
        (
            "cn_social_and_public_orgs.csv",
            (128, 126, 2, 0, "OUT_PUBLIC", 67),
        ),
        ("cn_unions_uscc8x.csv", (207, 207, 0, 0, "UNION", 207)),
        ("gz_kindergartens_gb18030.csv", (844, 844, 0, 0, "NO_CODE", 844)),
        (
            "uk_charity_reregistrations.csv",
            (1_931, 1_916, 0, 15, "NO_CODE", 1_931),
        ),
    ]
    .into();
    let mut seen = 0;
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    for file in files.iter().filter(|file| {
        file.extension()
            .is_some_and(|kind| kind == "csv" || kind == "xlsx")
    }) {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        let node = Node::offline("100000");
        let begun = Instant::now();
        let (dry, dry_peak) = import(&node, file, &["--dry-run"]);
        assert_eq!(
            node.json(&["status"])["documents"],
            0,
            "{name}: a dry run changes nothing"
        );
        let (summary, peak) = import(&node, file, &[]);
        println!(
            "{name}: peak {} MiB, dry run {} MiB, {} ms",
            peak / 1024,
            dry_peak / 1024,
            begun.elapsed().as_millis()
        );
        assert!(peak > 0 && peak.max(dry_peak) < PEAK_KIB, "{name}: {peak} KiB");
        let (dry, summary) = match (dry, summary) {
            (Ok(dry), Ok(summary)) => (dry, summary),
            (Err(dry), Err(code)) => {
                // A table that is no list of organisations is refused whole, with what is missing.
                assert!(!known.contains_key(name), "{name}: {code}");
                assert!(
                    ["COLUMN_MISSING", "NO_HEADER"].contains(&code.as_str()) && dry == code,
                    "{name}: {code}"
                );
                continue;
            }
            other => panic!("{name}: dry run and import disagree: {other:?}"),
        };
        for key in [
            "rows_read",
            "new",
            "updated",
            "unchanged",
            "duplicate",
            "refused",
            "scope",
            "encoding",
            "as",
            "file_sha256",
        ] {
            assert_eq!(
                dry[key], summary[key],
                "{name}: the dry run said what would happen: {key}"
            );
        }
        adds_up(name, &summary);
        if let Some((rows, new, refused, duplicate, scope, scoped)) = known.get(name) {
            seen += 1;
            let found = ["rows_read", "new", "refused", "duplicate"].map(|key| count(&summary, key));
            assert_eq!(found, [*rows, *new, *refused, *duplicate], "{name}");
            assert_eq!(summary["scope"][scope], *scoped, "{name}");
        }
        check_further(name, &node, &summary);
        let documents = node.json(&["status"])["documents"].as_u64().expect("a number");
        assert_eq!(
            documents,
            count(&summary, "new"),
            "{name}: one document for each new row"
        );
        let waiting = node.json(&["status"])["waiting"]["changes"].clone();

        let (again, _) = import(&node, file, &[]);
        let again = again.expect("it could be read before");
        adds_up(name, &again);
        assert_eq!(
            (count(&again, "new"), count(&again, "updated")),
            (0, 0),
            "{name}: nothing new the second time"
        );
        assert_eq!(count(&again, "refused"), count(&summary, "refused"), "{name}");
        assert!(
            again["warnings"].to_string().contains("ALREADY_IMPORTED"),
            "{name}: it says so"
        );
        assert_eq!(
            node.json(&["status"])["waiting"]["changes"],
            waiting,
            "{name}: no change was written"
        );
        assert_eq!(node.json(&["verify"])["faults"], serde_json::json!([]), "{name}");
    }
    assert_eq!(seen, known.len(), "every list was there");
}

fn check_further(name: &str, node: &Node, summary: &Value) {
    match name {
        "cn_legacy_registration_numbers.csv" => {
            let problems = summary["problems"].as_array().expect("problems");
            let first = problems[0]["message"].as_str().expect("a message");
            assert!(
                first.chars().any(|letter| letter.is_ascii_digit()),
                "the legacy number is named: {first}"
            );
        }
        "cn_unions_uscc8x.csv" => {
            assert_eq!(summary["as"], "unions", "mostly 8x codes: a list of unions");
            assert_eq!(
                node.json(&["organisation", "list"]),
                serde_json::json!([]),
                "unions are no employers"
            );
        }
        "gz_kindergartens_gb18030.csv" => assert_eq!(summary["encoding"], "GB18030"),
        "cn_social_and_public_orgs.csv" => {
            let figures = node.json(&["figures", "--as-of", "2024-12-31"]);
            let scope = &summary["scope"];
            let (a, b) = (count(scope, "A"), count(scope, "B"));
            assert_eq!(
                count(&figures["total"], "in_scope"),
                a + b,
                "what the import called in scope is in scope"
            );
        }
        "cn_schools.csv" => {
            let figures = node.json(&["figures", "--as-of", "2024-12-31"]);
            assert_eq!(figures["total"]["held"], 15_526, "held for clarification");
            assert_eq!(figures["total"]["in_scope"], 0, "and in no figure");
        }
        _ => {}
    }
}

#[test]
fn unions_are_not_taken_for_employers_and_an_import_can_be_taken_back() {
    let Some(folder) = data() else { return };
    let node = Node::offline("100000");
    let (refused, _) = import(
        &node,
        &folder.join("cn_unions_uscc8x.csv"),
        &["--as", "organisations"],
    );
    let refused = refused.expect("it can be read");
    adds_up("unions as organisations", &refused);
    assert_eq!((count(&refused, "refused"), count(&refused, "new")), (207, 0));
    assert!(
        refused["problems"]
            .as_array()
            .expect("problems")
            .iter()
            .all(|problem| problem["code"] == "IS_UNION"),
        "{refused}"
    );

    let file = folder.join("cn_social_and_public_orgs.csv");
    let rejects = node.beside("rejects.csv");
    let (summary, _) = import(&node, &file, &["--rejects", rejects.to_str().expect("a path")]);
    let summary = summary.expect("it can be read");
    let rejected = std::fs::read_to_string(&rejects).expect("the rejects");
    assert_eq!(
        rejected.trim_end().lines().count(),
        3,
        "a head and two rows: {rejected}"
    );
    let before = node.json(&["figures", "--as-of", "2024-12-31"])["total"]["in_scope"].clone();
    assert_eq!(before, 19);
    // Out of scope, and somebody has worked on it since.
    node.json(&[
        "organisation",
        "set",
        "113701000041887414",
        "address=济南市市中区经三路147号",
        "--reason",
        "a letter came back",
    ]);
    let undone = node.json(&["undo", summary["import_id"].as_str().expect("an id")]);
    assert_eq!(undone["closed"], 125, "{undone}");
    assert_eq!(undone["left"], 1, "{undone}");
    assert_eq!(
        node.json(&["figures", "--as-of", "2024-12-31"])["total"]["in_scope"],
        0,
        "taken back"
    );
    let twice = node.said(&["undo", summary["import_id"].as_str().expect("an id")]);
    assert_eq!(twice.code(), "ALREADY_DONE");

    let foreign = Node::offline("440000");
    let (summary, _) = import(&foreign, &file, &[]);
    let summary = summary.expect("it can be read");
    adds_up("foreign", &summary);
    assert_eq!(
        count(&summary, "refused"),
        123,
        "five of them lie in Guangdong, two have no code: {summary}"
    );
    let problems = summary["problems"].as_array().expect("problems");
    assert!(
        problems
            .iter()
            .any(|problem| problem["code"] == "FOREIGN_JURISDICTION"),
        "{problems:?}"
    );
    assert_eq!(
        summary["scope"]["OUT_PUBLIC"], 67,
        "scope is classified before jurisdiction"
    );
}
