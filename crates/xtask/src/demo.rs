//! `cargo xtask demo`: an aggregator and six nodes as real processes, a generated country, the course of 2023 to 2024,
//! an outage with edits on both sides of it, and the pages to look at. Owns the story; nothing here is faked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::live::{self, Scratch};
use crate::loopback::{Centre, Node, number, text};
use crate::process::{Programs, Server};
use crate::say;

mod country;
mod lists;
mod step;
mod tell;

use country::Country;
use step::{Steps, watched};

/// Organisations of the generated country.
const ORGANISATIONS: u64 = 20_000;
/// Federations with a node; the first keeps what no other does.
const NODES: [&str; 6] = ["100000", "330000", "330100", "330105", "330106", "440000"];
/// The province that reads everything below it.
const PROVINCE: &str = "330000";
/// The county that hands an organisation over, and the one that takes it and has signed: both may write it, and the
/// first does not know yet that it is the other's.
const GIVES: &str = "330106";
const TAKES: &str = "330105";
/// End of the campaign's second year.
const AS_OF: &str = "2024-12-31";

/// Plays it; then stays with the pages up, unless `exit`.
pub(crate) fn run(root: &Path, exit: bool) -> Result<()> {
    say::note("demo: building the two programs (a fresh clone takes some minutes, once)");
    let programs = Programs::build(root)?;
    let scratch = Scratch::new("demo")?;
    let mut steps = Steps::new();
    let folder = scratch.path();

    let country = steps.run(
        "generate a country of 20 000 organisations",
        ORGANISATIONS,
        |bar| {
            country::write(ORGANISATIONS, &NODES, GIVES, &folder.join("country"), || {
                bar.inc(1)
            })
        },
    )?;
    let (mut centre, nodes) = steps.run(
        "start the aggregator, enrol six nodes",
        NODES.len() as u64,
        |bar| {
            let mut centre = Centre::make(&programs, folder)?;
            centre.start()?;
            let mut nodes = Vec::new();
            for federation in NODES {
                let further: &[&str] = if federation == PROVINCE {
                    &["--replicas", PROVINCE]
                } else {
                    &[]
                };
                nodes.push(centre.enrol(folder, federation, federation, further)?);
                bar.inc(1);
            }
            Ok((centre, nodes))
        },
    )?;
    steps.run(
        "enter the registers at the nodes, offline",
        country.records,
        |bar| watched(bar, || sum(&nodes, "/documents"), || enter(&nodes, &country)),
    )?;
    let sorted = steps.run("take in lists as offices send them", lists::COUNT, |bar| {
        lists::import_all(root, &nodes, || bar.inc(1))
    })?;
    let waiting = sum(&nodes, "/waiting/changes");
    let first = steps.run("first sync of every node", waiting, |bar| {
        watched(
            bar,
            || waiting.saturating_sub(sum(&nodes, "/waiting/changes")),
            || sync_all(&nodes),
        )
    })?;
    let again = steps.run("the province fetches what those below have sent since", 0, |_| {
        sync_all(&nodes)
    })?;
    let before = steps.run("ask for rates and subsidies", 0, |_| Asked::of(&centre))?;

    let story = steps.run(
        "stop the aggregator, edit at two nodes, bring it back, sync",
        0,
        |_| outage(&mut centre, &nodes, folder, &country.edited),
    )?;
    let after = steps.run("ask again, and at the province", 0, |_| {
        let own = node(&nodes, PROVINCE)?
            .ask(&["figures", "--as-of", AS_OF, "--area", PROVINCE, "--by", "county"])?;
        let national = centre.ask(&["figures", "--as-of", AS_OF, "--area", PROVINCE, "--by", "county"])?;
        Ok((Asked::of(&centre)?, own, national))
    })?;

    say::line("\nLists as they came (rows read = new + updated + unchanged + duplicate + refused)");
    lists::tell(&sorted);
    say::line("\nFirst sync, over mutual TLS");
    tell::sessions(&first);
    say::line(
        "\nSecond sync: the province catches up with those below it, for the others nothing has changed",
    );
    tell::sessions(&again);
    tell::figures(&before.figures, &before.provinces);
    tell::subsidies(&before.subsidies);
    story.tell();
    tell::bounds(&before.county, &after.0.county);
    let (one, other) = (comparable(after.1), comparable(after.2));
    ensure!(
        one == other,
        "the province and the aggregator differ:\n{one}\n{other}"
    );
    say::line(
        "The node of province 330000 gives the same figures for its counties as the aggregator, byte for byte.",
    );
    say::line("\nReceipts: what each node has proof of that the aggregator holds");
    tell::receipts(&nodes)?;

    let mut workspaces = Vec::new();
    steps.run("open the pages", NODES.len() as u64, |bar| {
        for node in &nodes {
            workspaces.push(node.serve()?);
            bar.inc(1);
        }
        Ok(())
    })?;
    tell_pages(&centre, &nodes, &workspaces)?;
    steps.tell();
    if !exit {
        say::line("Everything stays up until Ctrl-C; then it is removed.");
        live::stay();
    }
    for workspace in workspaces {
        workspace.stop()?;
    }
    centre.stop()
}

/// Answers of the aggregator.
struct Asked {
    figures: Value,
    provinces: Value,
    county: Value,
    subsidies: Value,
}

impl Asked {
    fn of(centre: &Centre) -> Result<Self> {
        Ok(Self {
            figures: centre.ask(&["figures", "--as-of", AS_OF])?,
            provinces: centre.ask(&["figures", "--as-of", AS_OF, "--by", "province"])?,
            county: centre.ask(&["figures", "--as-of", AS_OF, "--area", GIVES])?,
            subsidies: centre.ask(&["subsidies", "--by", "kind"])?,
        })
    }
}

/// What happened while the aggregator was away.
struct Story {
    code: String,
    refused: String,
    waiting: Vec<(String, u64)>,
    rounds: Vec<Vec<(String, Value)>>,
    conflicts: BTreeMap<String, Value>,
    shown: Value,
}

impl Story {
    fn tell(&self) {
        say::line(format!(
            "\nAn outage. {GIVES} has handed {} over to {TAKES}, which has signed; {GIVES} does not know that yet.",
            self.code
        ));
        say::line(format!(
            "  The aggregator is stopped. A sync says: {}",
            self.refused
        ));
        say::line(format!(
            "  {GIVES} enters: deregistered on 2024-12-01, and a new address"
        ));
        say::line(format!(
            "  {TAKES} enters: still registered on 2024-12-01, and a new supervising unit"
        ));
        for (federation, changes) in &self.waiting {
            say::line(format!("  changes that wait at {federation}: {changes}"));
        }
        say::line("  The aggregator is back, everyone syncs twice.");
        for round in &self.rounds {
            tell::sessions(round);
        }
        say::line("\nThe conflict found, the same at every node that holds the organisation");
        for (federation, conflicts) in &self.conflicts {
            for conflict in conflicts.as_array().into_iter().flatten() {
                let values = conflict["values"].as_array().into_iter().flatten();
                let values: Vec<String> = values
                    .map(|value| {
                        format!(
                            "{} by {} ({})",
                            value["value"],
                            text(value, "/author"),
                            text(value, "/reason")
                        )
                    })
                    .collect();
                say::line(format!(
                    "  at {federation}: {}: {}",
                    text(conflict, "/field"),
                    values.join(" or ")
                ));
            }
        }
        say::line("Edits of different fields are both kept, without a question:");
        say::line(format!(
            "  address {}, supervising unit {}",
            self.shown["record"]["address"], self.shown["record"]["supervising_unit"]
        ));
    }
}

fn outage(centre: &mut Centre, nodes: &[Node], folder: &Path, code: &str) -> Result<Story> {
    let (gives, takes) = (node(nodes, GIVES)?, node(nodes, TAKES)?);
    let handover = json!({ "type": "organisation", "code": code,
        "handovers": [{ "id": "demo-h1", "to": TAKES, "on": "2025-01-06" }] });
    let file = folder.join("handover.jsonl");
    std::fs::write(&file, format!("{handover}\n")).context("write the handover")?;
    gives.import(&file, &["--as", "records"])?;
    gives.sync()?;
    takes.sync()?;
    let set = |node: &Node, fields: &[&str], reason: &str| {
        let set = ["organisation", "set", code];
        node.ask(&[&set, fields, &["--reason", reason]].concat())
    };
    set(takes, &["handovers/demo-h1/accepted_on=2025-01-08"], "taken over")?;
    takes.sync()?;

    centre.stop()?;
    set(
        gives,
        &[
            "registration_status@2024-12-01=deregistered",
            "address=西湖区新址1号",
        ],
        "the street office says closed",
    )?;
    set(
        takes,
        &[
            "registration_status@2024-12-01=registered",
            "supervising_unit=拱墅区民政局",
        ],
        "met the director",
    )?;
    let refused = match gives.sync() {
        Ok(_) => "nothing, though nobody listens".to_owned(),
        Err(error) => {
            let text = format!("{error:#}");
            text.split_once("status: 1: ")
                .map_or(text.as_str(), |(_, said)| said)
                .trim()
                .to_owned()
        }
    };
    let waiting = [gives, takes]
        .map(|node| {
            Ok((
                node.federation.clone(),
                number(&node.ask(&["status"])?, "/waiting/changes"),
            ))
        })
        .into_iter()
        .collect::<Result<_>>()?;

    centre.start()?;
    let rounds = vec![sync_all(nodes)?, sync_all(nodes)?];
    let mut conflicts = BTreeMap::new();
    for federation in [GIVES, TAKES, PROVINCE] {
        let found = node(nodes, federation)?.ask(&["conflicts", "list"])?;
        ensure!(
            found.as_array().is_some_and(|list| list.len() == 1),
            "one conflict was expected at {federation}: {found}"
        );
        conflicts.insert(federation.to_owned(), found);
    }
    let shown = takes.ask(&["organisation", "show", code])?;
    Ok(Story {
        code: code.to_owned(),
        refused,
        waiting,
        rounds,
        conflicts,
        shown,
    })
}

/// Every node takes in its own register, all at the same time.
fn enter(nodes: &[Node], country: &Country) -> Result<()> {
    at_once(nodes, |node| {
        let share = country
            .shares
            .get(&node.federation)
            .context("find the share of a node")?;
        let answer = node.import(&share.file, &["--as", "records"])?;
        let new = number(&answer, "/new");
        ensure!(
            new == share.records,
            "{} took in {new} of {} records: {answer}",
            node.federation,
            share.records
        );
        Ok(Value::Null)
    })
    .map(|_| ())
}

/// Every node syncs, all at the same time.
fn sync_all(nodes: &[Node]) -> Result<Vec<(String, Value)>> {
    at_once(nodes, Node::sync)
}

fn at_once(nodes: &[Node], work: impl Fn(&Node) -> Result<Value> + Sync) -> Result<Vec<(String, Value)>> {
    let answers = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for node in nodes {
            let (answers, work) = (&answers, &work);
            scope.spawn(move || {
                let answer = work(node);
                answers
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .insert(node.federation.clone(), answer);
            });
        }
    });
    let answers = answers
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    answers
        .into_iter()
        .map(|(federation, answer)| Ok((federation, answer?)))
        .collect()
}

fn node<'a>(nodes: &'a [Node], federation: &str) -> Result<&'a Node> {
    nodes
        .iter()
        .find(|node| node.federation == federation)
        .with_context(|| format!("find the node of {federation}"))
}

/// The sum of a number of `status` over all nodes; a node that is busy counts as 0.
fn sum(nodes: &[Node], pointer: &str) -> u64 {
    nodes
        .iter()
        .map(|node| node.ask(&["status"]).map_or(0, |status| number(&status, pointer)))
        .sum()
}

/// An answer without what may differ between two places that hold the same (`cli.md` Figures).
fn comparable(mut answer: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.remove("known_at");
                map.remove("completeness");
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    strip(&mut answer);
    answer
}

fn tell_pages(centre: &Centre, nodes: &[Node], workspaces: &[Server]) -> Result<()> {
    let mut rows = vec![vec![
        "aggregator".to_owned(),
        centre.web(),
        centre.account.name.clone(),
        centre.account.password.clone(),
    ]];
    for (node, workspace) in nodes.iter().zip(workspaces) {
        let address = format!("http://{}", workspace.address("web http://")?);
        rows.push(vec![
            node.federation.clone(),
            address,
            node.account.name.clone(),
            node.account.password.clone(),
        ]);
    }
    for row in &rows {
        tell::page_answers(&row[1])?;
    }
    // The country ends with 2024; the console opens on today unless told otherwise.
    rows[0][1].push_str(&format!("/?as_of={AS_OF}"));
    say::line("\nPages (one-time passwords, to be changed at the first sign-in)");
    say::table(&["of", "address", "account", "password"], &rows);
    Ok(())
}
