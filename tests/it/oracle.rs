//! The figures against their second reading: small generated worlds, answered by `tests/oracle/figures.py` from the
//! records alone and here through documents, facts and cube, then compared key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rollcall_core::campaign::Settings;
use rollcall_core::date::Day;
use rollcall_core::figure::{Dimension, SubsidyDimension};
use rollcall_core::id::{ActorId, DocumentId};
use rollcall_core::record::Record;
use rollcall_doc::{Document, EditBy};
use rollcall_stats::{Cube, FiguresQuery, Heard, SubsidiesQuery};
use serde_json::Value;

use crate::harness::full;

/// Said by one side only: who was heard and what is known are no part of a world, `more` has no key in the product.
const LEFT_OUT: [&str; 5] = ["completeness", "known_at", "frame", "name", "more"];

/// How long one small world may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn oracle(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle").join(file)
}

fn python(args: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command
        .args(args)
        .stdin(Stdio::null())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONIOENCODING", "utf-8");
    command
}

/// Worlds of one seed, with the oracle's answer to each question.
fn worlds(seed: u32, count: u32, folder: &Path) -> Vec<(Value, Vec<Value>)> {
    let file = folder.join(format!("worlds-{seed}.jsonl"));
    let out = std::fs::File::create(&file).expect("a file");
    let generator = oracle("worlds.py");
    let (seed, count) = (seed.to_string(), count.to_string());
    let made = python(&[
        generator.to_str().expect("a path"),
        "--count",
        &count,
        "--seed",
        &seed,
    ])
    .stdout(out)
    .status();
    assert!(made.expect("python3 runs").success(), "worlds.py");
    let figures = oracle("figures.py");
    let said = python(&[
        figures.to_str().expect("a path"),
        "--worlds",
        file.to_str().expect("a path"),
    ])
    .output();
    let said = said.expect("python3 runs");
    assert!(
        said.status.success(),
        "figures.py: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    let text = std::fs::read_to_string(&file).expect("the worlds");
    let mut worlds: Vec<(Value, Vec<Value>)> = text
        .lines()
        .map(|line| (serde_json::from_str(line).expect("a world"), Vec::new()))
        .collect();
    for line in String::from_utf8(said.stdout).expect("UTF-8").lines() {
        let mut answer: Value = serde_json::from_str(line).expect("an answer");
        let world = answer["world"].as_u64().expect("a number") as usize;
        worlds[world].1.push(answer["answer"].take());
    }
    worlds
}

/// A record as the edits that make it: two values for one day and source can only come from two people who did not see
/// each other's, so the second is an edit of its own beside the first.
fn beside_each_other(line: &Value) -> Vec<Value> {
    let mut first = line.clone();
    if line["status_on"].is_string() && line["status_on"] == line["registered_on"] {
        // The scalar form means both statuses on one day, which one edit cannot say.
        let ended = serde_json::json!([{"value": line["registration_status"], "from": line["status_on"], "source": "registry"}]);
        first["registration_status"] = ended;
        first["status_on"] = Value::Null;
    }
    let line = &first;
    let mut edits = vec![first.clone()];
    for (field, value) in line.as_object().expect("a record") {
        let Some(entries) = value
            .as_array()
            .filter(|entries| entries.iter().all(|entry| entry["source"].is_string()))
        else {
            continue;
        };
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut layers: Vec<Vec<Value>> = vec![Vec::new()];
        for entry in entries {
            let day = if field == "counts" {
                &entry["on"]
            } else {
                &entry["from"]
            };
            let times = seen.entry(format!("{day}|{}", entry["source"])).or_default();
            if *times == layers.len() {
                layers.push(Vec::new());
            }
            layers[*times].push(entry.clone());
            *times += 1;
        }
        for (number, layer) in layers.into_iter().enumerate() {
            if number == edits.len() {
                edits.push(serde_json::json!({"type": line["type"], "code": line["code"], "id": line["id"]}));
            }
            edits[number][field] = Value::from(layer);
        }
    }
    edits
}

/// A record without the amendments that its entries carry, and those: field of the document and each value that somebody
/// gave it without seeing the others'.
fn amended(line: &Value) -> (Value, Vec<(String, String)>) {
    let (mut line, mut amendments) = (line.clone(), Vec::new());
    for (list, entries) in line.as_object_mut().expect("a record") {
        for entry in entries.as_array_mut().into_iter().flatten() {
            let Some(Value::Object(fields)) = entry.as_object_mut().and_then(|entry| entry.remove("amended"))
            else {
                continue;
            };
            let id = entry["id"].as_str().expect("an id");
            for (field, values) in fields {
                let values = values.as_array().expect("values").iter();
                amendments.extend(values.map(|value| {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    (format!("{list}/{id}/{field}"), value)
                }));
            }
        }
    }
    (line, amendments)
}

/// The cube of a world's records, by way of documents.
fn cube(world: &Value) -> Cube {
    let mut documents: BTreeMap<DocumentId, Document> = BTreeMap::new();
    let mut actors = 0;
    let mut by = |before: &Document| {
        actors += 1;
        EditBy {
            actor: ActorId(u128::to_be_bytes(actors)),
            author: "100000/1".to_owned(),
            reason: String::new(),
            time_ms: 0,
            heads: Some(before.heads()),
        }
    };
    for (index, line) in world["records"].as_array().expect("records").iter().enumerate() {
        let (line, amendments) = amended(line);
        for (number, part) in beside_each_other(&line).into_iter().enumerate() {
            let record: Record =
                serde_json::from_value(part).unwrap_or_else(|error| panic!("{error}: {line}"));
            let id = record.document_id().unwrap_or(DocumentId([index as u8; 16]));
            let empty = Document::create(record.kind(), id);
            let document = documents.entry(id).or_insert_with(|| empty.clone());
            let before = if number == 0 { document.clone() } else { empty };
            let edits = before
                .plan(&record)
                .unwrap_or_else(|problems| panic!("{problems:?}: {line}"));
            document
                .apply_edits(&edits, &by(&before))
                .expect("the edits apply");
            if number == 0 {
                let before = document.clone();
                for (field, value) in &amendments {
                    let edits = before
                        .set(field, value)
                        .unwrap_or_else(|problem| panic!("{problem:?}: {field} = {value}: {line}"));
                    document
                        .apply_edits(&edits, &by(&before))
                        .expect("the edits apply");
                }
            }
        }
    }
    let mut cube = Cube::new(Settings::default());
    for (id, document) in documents {
        cube.upsert(id, document.facts().0);
    }
    cube
}

fn text<'a>(question: &'a Value, key: &str) -> Option<&'a str> {
    question[key].as_str()
}

fn day(question: &Value, key: &str) -> Option<Day> {
    text(question, key).map(|day| day.parse().expect("a day"))
}

/// The product's answer to a question.
fn answer(cube: &Cube, question: &Value) -> Value {
    let by: Vec<&str> = question["by"]
        .as_array()
        .map(|by| by.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let area = text(question, "area").map(|area| area.parse().expect("a federation"));
    if question["ask"] == "subsidies" {
        let year: i32 = text(question, "year").expect("a year").parse().expect("a year");
        let by = by
            .first()
            .map(|name| SubsidyDimension::from_name(name).expect("a dimension"));
        let query = SubsidiesQuery {
            by,
            area,
            ..SubsidiesQuery::year(year)
        };
        return serde_json::to_value(cube.subsidies(&query).expect("answers")).expect("JSON");
    }
    let dimension = |name: &str| Dimension::from_name(name).expect("a dimension");
    let filters = question["where"].as_object().into_iter().flatten();
    let query = FiguresQuery {
        as_of: day(question, "as_of").expect("a day"),
        by: by.into_iter().map(dimension).collect(),
        area,
        filters: filters
            .map(|(name, value)| (dimension(name), value.as_str().expect("a value").to_owned()))
            .collect(),
        series: day(question, "from").zip(day(question, "to")),
        boundaries: day(question, "boundaries"),
    };
    serde_json::to_value(cube.figures(&query, &Heard::default()).expect("answers")).expect("JSON")
}

/// The first place where the answers differ.
fn difference(found: &Value, wanted: &Value, place: &str) -> Option<String> {
    match (found, wanted) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter()
                .filter(|key| !LEFT_OUT.contains(&key.as_str()))
                .find_map(|key| {
                    let place = format!("{place}/{key}");
                    match (one.get(key), other.get(key)) {
                        (Some(found), Some(wanted)) => difference(found, wanted, &place),
                        (found, wanted) => Some(format!("{place}: {found:?}, the oracle says {wanted:?}")),
                    }
                })
        }
        (Value::Array(one), Value::Array(other)) if place.ends_with("/rows") => {
            let by_key = |rows: &[Value]| -> BTreeMap<String, Value> {
                rows.iter()
                    .map(|row| (format!("{} {}", row["as_of"], row["key"]), row.clone()))
                    .collect()
            };
            let (one, other) = (by_key(one), by_key(other));
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter()
                .find_map(|key| match (one.get(key), other.get(key)) {
                    (Some(found), Some(wanted)) => difference(found, wanted, &format!("{place} {key}")),
                    (Some(row), None) => {
                        Some(format!("{place}: row {key} is not in the oracle's answer: {row}"))
                    }
                    (None, row) => Some(format!("{place}: no row {key}; the oracle has {row:?}")),
                })
        }
        (Value::Array(one), Value::Array(other)) => {
            if one.len() != other.len() {
                return Some(format!("{place}: {found}, the oracle says {wanted}"));
            }
            one.iter()
                .zip(other)
                .enumerate()
                .find_map(|(index, (one, other))| difference(one, other, &format!("{place}/{index}")))
        }
        _ => (found != wanted).then(|| format!("{place}: {found}, the oracle says {wanted}")),
    }
}

/// The product's answers to a world's questions. One that takes for ever is found and named.
fn in_time(world: &Value) -> Vec<Value> {
    let (sender, answers) = mpsc::channel();
    let asked = world.clone();
    std::thread::spawn(move || {
        let cube = cube(&asked);
        let questions = asked["questions"].as_array().expect("questions");
        // Where nobody waits any more the test has failed already.
        let _ = sender.send(questions.iter().map(|question| answer(&cube, question)).collect());
    });
    answers
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|error| panic!("no answers: {error}; world {}", keep(world)))
}

/// Keeps a world in a file; its path.
fn keep(world: &Value) -> String {
    let file = std::env::temp_dir().join(format!("rollcall-world-{}.json", world["seed"]));
    std::fs::write(&file, format!("{world}\n")).expect("the world can be kept");
    file.display().to_string()
}

/// Compares worlds of one seed; what differs, each world kept in a file.
fn compare(seed: u32, count: u32, folder: &Path) -> (usize, Vec<String>) {
    let (mut asked, mut differences) = (0, Vec::new());
    for (world, answers) in worlds(seed, count, folder) {
        let questions = world["questions"].as_array().expect("questions");
        assert_eq!(questions.len(), answers.len(), "one answer for each question");
        for (question, (found, wanted)) in questions.iter().zip(in_time(&world).iter().zip(&answers)) {
            asked += 1;
            if let Some(difference) = difference(found, wanted, "") {
                differences.push(format!("world {}: {question}: {difference}", world["seed"]));
            }
        }
    }
    (asked, differences)
}

#[test]
fn the_oracle_agrees_on_thousands_of_worlds() {
    let (seeds, each) = if full() { (40, 250) } else { (8, 250) };
    let first: u32 = std::env::var("ROLLCALL_ORACLE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let halves: Vec<(usize, Vec<String>)> = std::thread::scope(|scope| {
        let half = |offset: u32| {
            let folder = folder.path();
            scope.spawn(move || {
                let (mut asked, mut differences) = (0, Vec::new());
                for seed in (first..first + seeds).filter(|seed| seed % 2 == offset) {
                    let (more, different) = compare(seed, each, folder);
                    asked += more;
                    differences.extend(different);
                }
                (asked, differences)
            })
        };
        [half(0), half(1)]
            .into_iter()
            .map(|half| half.join().expect("no panic"))
            .collect()
    });
    let asked: usize = halves.iter().map(|(asked, _)| asked).sum();
    let differences: Vec<&String> = halves.iter().flat_map(|(_, differences)| differences).collect();
    println!("{} worlds, {asked} questions", seeds * each);
    for difference in differences.iter().take(20) {
        println!("{difference}");
    }
    assert!(
        asked > 4 * (seeds * each) as usize,
        "every world is asked several questions"
    );
    assert!(
        differences.is_empty(),
        "{} of {asked} answers differ, the first: {}",
        differences.len(),
        differences[0]
    );
}

#[test]
fn the_comparison_sees_a_wrong_number_a_missing_row_and_a_missing_key() {
    let wanted = serde_json::json!({"rows": [{"key": {"group": "A"}, "covered": 1, "excluded": {}}]});
    let same =
        serde_json::json!({"rows": [{"key": {"group": "A"}, "covered": 1, "excluded": {}}], "known_at": 3});
    assert_eq!(difference(&same, &wanted, ""), None);
    for wrong in [
        serde_json::json!({"rows": [{"key": {"group": "A"}, "covered": 2, "excluded": {}}]}),
        serde_json::json!({"rows": [{"key": {"group": "A"}, "covered": 1, "excluded": {"DORMANT": 1}}]}),
        serde_json::json!({"rows": [{"key": {"group": "A"}, "excluded": {}}]}),
        serde_json::json!({"rows": []}),
        serde_json::json!({"rows": wanted["rows"], "total": {}}),
    ] {
        assert!(difference(&wrong, &wanted, "").is_some(), "{wrong}");
    }
}
