//! A document written out by a node, opened by the official JavaScript library: the same heads, the same content.
//! Node.js and the package come from outside; where they cannot be had the test says so and proves nothing.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::harness::Node;

/// The library, by the version that this was tried with.
const PACKAGE: &str = "@automerge/automerge@3.5.0";
const CODE: &str = "52140829MJ1938921G";

/// Prints heads and content of the file it is given as JSON; texts are objects of their own in that library.
const SCRIPT: &str = r"
import * as Automerge from '@automerge/automerge';
import { readFileSync } from 'node:fs';
const plain = (value) => {
  if (value === null || typeof value !== 'object') return value;
  if (Automerge.isImmutableString(value)) return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
};
const document = Automerge.load(new Uint8Array(readFileSync(process.argv[2])));
console.log(JSON.stringify({
  heads: Automerge.getHeads(document),
  changes: Automerge.getAllChanges(document).length,
  content: plain(document),
}));
";

/// A folder in which the library is installed; nothing where it cannot be had.
fn library() -> Option<TempDir> {
    let folder = TempDir::with_prefix("rollcall-js-").expect("a temporary folder");
    let run = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(folder.path());
        command.output()
    };
    if run("node", &["--version"]).is_err() {
        println!("skipped: Node.js is not installed");
        return None;
    }
    let arguments = [
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--fetch-retries=0",
        "--fetch-timeout=20000",
        PACKAGE,
    ];
    match run("npm", &arguments) {
        Ok(output) if output.status.success() => {
            std::fs::write(folder.path().join("read.mjs"), SCRIPT).expect("a script");
            Some(folder)
        }
        Ok(output) => {
            println!(
                "skipped: npm cannot install {PACKAGE}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            None
        }
        Err(error) => {
            println!("skipped: npm cannot be run: {error}");
            None
        }
    }
}

fn opened(library: &TempDir, file: &Path) -> Value {
    let output = Command::new("node")
        .arg("read.mjs")
        .arg(file)
        .current_dir(library.path())
        .output()
        .expect("Node.js runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("the script prints JSON")
}

fn record() -> Value {
    json!({"type": "organisation", "code": CODE, "name": "平陆县供销社常乐双语学校",
        "kind": "private_non_enterprise", "category": "school", "registered_on": "2009-08-12",
        "registration_status": "registered", "registration_authority": "140829", "location": "140829",
        "address": "常乐镇", "supervising_unit": "教育局", "responsible": "140829", "operating_state": "operating",
        "legacy_numbers": ["66195133-X"],
        "former_names": [{"name": "常乐学校", "until": "2015-01-01"}, {"name": "常乐小学", "until": null}],
        "counts": [{"on": "2022-12-31", "source": "check", "workers": 18, "members": 9},
            {"on": "2023-12-31", "source": "check", "workers": 19}],
        "exclusions": [{"id": "x1", "reason": "DORMANT", "from": "2023-05-01", "until": "2023-10-31"}],
        "coverage": [{"id": "c1", "union": "J1", "from": "2023-11-01", "consent_on": "2023-11-01"}],
        "organisers": [{"id": "o1", "elected_on": "2023-09"}],
        "handovers": [{"id": "h1", "to": "140830", "on": "2024-01-10"}],
        "stages": [{"id": "s1", "stage": "contacted", "on": "2023-06-01"}],
        "contacts": [{"id": "k1", "on": "2023-06-01", "channel": "visit", "result": "undecided"}],
        "checks": [{"id": "q1", "on": "2023-06-01", "state": "operating"}],
        "services": [{"id": "v1", "on": "2024-03-08", "service": "collective_contract", "note": "first"}]})
}

/// A text that holds an object, as entries do.
fn object(text: &Value) -> Map<String, Value> {
    let text = text.as_str().expect("an entry is a text");
    serde_json::from_str(text).expect("which holds an object")
}

/// Entries by id, later values of their fields over them.
fn entries(content: &Value, container: &str) -> Vec<Value> {
    let amendments = content["amendments"].as_object().expect("a map");
    let entries = content[container].as_object().expect("a map");
    let read = |(id, text): (&String, &Value)| {
        let mut entry = object(text);
        entry.insert("id".to_owned(), json!(id));
        for (key, value) in amendments {
            if let Some(field) = key.strip_prefix(&format!("{container}/{id}/")) {
                entry.insert(field.to_owned(), value.clone());
            }
        }
        Value::Object(entry)
    };
    entries.iter().map(read).collect()
}

/// Leaves out what is null, at any depth: a record shows fields that a document does not hold.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name.clone(), without_nulls(member)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[test]
fn the_javascript_library_reads_the_same_content_out_of_an_exported_document() {
    let Some(library) = library() else { return };
    let node = Node::offline("140829");
    node.enter(&[record()]);
    for edit in ["address=新址", "coverage/c1/until=2024-05-01"] {
        node.ok(&["organisation", "set", CODE, edit, "--reason", "as reported"]);
    }
    let file = node.beside("document.automerge");
    let path = file.to_str().expect("a path is text");
    node.ok(&["export", path, "--format", "automerge", "--document", CODE]);
    let shown = node.json(&["organisation", "show", CODE]);
    let seen = opened(&library, &file);
    let content = &seen["content"];
    assert_eq!(seen["heads"], shown["heads"]);
    let edits = node.json(&["organisation", "history", CODE]);
    assert_eq!(
        seen["changes"].as_u64(),
        edits.as_array().map(|edits| edits.len() as u64 + 1),
        "every edit, and the first change of every document"
    );
    let record = without_nulls(&shown["record"]);
    let mut compared = 0;
    for (field, expected) in record.as_object().expect("a record") {
        let found = match field.as_str() {
            "type" => continue,
            "name"
            | "category"
            | "registration_status"
            | "registration_authority"
            | "location"
            | "responsible"
            | "operating_state" => {
                let dated = content[field].as_object().expect("a map");
                assert_eq!(dated.len(), 1, "{field}: {dated:?}");
                dated.values().next().expect("one").clone()
            }
            "counts" => {
                let counts = content["counts"].as_object().expect("a map");
                let read = |(key, text): (&String, &Value)| {
                    let (on, source) = key.split_once('|').expect("a day and a source");
                    let mut count = object(text);
                    count.insert("on".to_owned(), json!(on));
                    count.insert("source".to_owned(), json!(source));
                    Value::Object(count)
                };
                counts.iter().map(read).collect()
            }
            "legacy_numbers" => json!(
                content[field]
                    .as_object()
                    .expect("a map")
                    .keys()
                    .collect::<Vec<_>>()
            ),
            "former_names" => {
                let names = content[field].as_object().expect("a map");
                let read = |(name, until): (&String, &Value)| match until.as_str() {
                    Some("") => json!({"name": name}),
                    _ => json!({"name": name, "until": until}),
                };
                names.iter().map(read).collect()
            }
            _ if expected.is_array() => entries(content, field).into(),
            _ => content[field].clone(),
        };
        let sorted = |value: &Value| {
            let mut value = without_nulls(value);
            if let Some(items) = value.as_array_mut() {
                items.sort_by_key(Value::to_string);
            }
            value
        };
        assert_eq!(sorted(&found), sorted(expected), "{field}");
        compared += 1;
    }
    assert!(compared > 20, "{compared} fields: {record}");
    let refused = node.said(&["export", path, "--format", "automerge", "--document", "nobody"]);
    assert_eq!(refused.code(), "NOT_FOUND");
    let refused = node.said(&["export", path, "--format", "csv", "--document", CODE]);
    assert_eq!(refused.code(), "PARAM_INVALID");
}
