//! What the demo tells: sessions, rates against the targets, subsidies, bounds, receipts.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::browser::Browser;
use crate::loopback::{Node, number, text};
use crate::say;

/// One line a session.
pub(super) fn sessions(answers: &[(String, Value)]) {
    let rows: Vec<Vec<String>> = answers
        .iter()
        .map(|(federation, answer)| {
            let count = |pointer: &str| say::thousands(number(answer, pointer));
            let verified = answer.pointer("/receipt/verified").and_then(Value::as_bool) == Some(true);
            vec![
                federation.clone(),
                text(answer, "/outcome").to_owned(),
                count("/pushed/documents"),
                count("/pulled/documents"),
                count("/bytes_sent"),
                count("/bytes_received"),
                count("/round_trips"),
                count("/duration_ms"),
                if verified { "verified" } else { "none" }.to_owned(),
            ]
        })
        .collect();
    say::table(
        &[
            "node",
            "outcome",
            "sent",
            "received",
            "bytes up",
            "bytes down",
            "trips",
            "ms",
            "receipt",
        ],
        &rows,
    );
}

/// The headline, both targets, and the provinces at both ends of the ranking.
pub(super) fn figures(answer: &Value, provinces: &Value) {
    say::line(format!("\nEstablishment rates as of {}", text(answer, "/as_of")));
    for (name, key) in [
        ("establishment rate", "establishment_rate"),
        ("on identified", "identified_rate"),
        ("strict", "strict_rate"),
    ] {
        say::line(format!("  {name:<20} {}", rate(&answer["total"][key])));
    }
    for target in answer["targets"].as_array().into_iter().flatten() {
        let verdict = match target["met"].as_bool() {
            Some(true) => "met",
            Some(false) => "not met",
            None if target["denominator"] == 0 => "no data",
            None => "not yet",
        };
        say::line(format!(
            "  target of {}% at {}: {} of {}: {verdict}",
            target["percent"],
            text(target, "/date"),
            say::thousands(number(target, "/numerator")),
            say::thousands(number(target, "/denominator")),
        ));
    }
    let heard = &answer["total"]["completeness"];
    say::line(format!(
        "  {} of {} federations heard, {} without a node of their own; {} open conflicts; {} links to unions not known",
        number(heard, "/scopes_heard"),
        number(heard, "/scopes_expected"),
        number(heard, "/scopes_without_node"),
        number(answer, "/total/open_conflicts"),
        number(answer, "/total/unresolved_links"),
    ));
    let mut rows: Vec<&Value> = provinces["rows"].as_array().into_iter().flatten().collect();
    rows.retain(|row| row["key"]["province"].is_string());
    rows.sort_by_key(|row| {
        let denominator = number(row, "/establishment_rate/denominator").max(1);
        std::cmp::Reverse(number(row, "/establishment_rate/numerator") * 1_000_000 / denominator)
    });
    let line = |row: &&Value| vec![text(row, "/name").to_owned(), rate(&row["establishment_rate"])];
    let ends = rows.len().min(3);
    let shown: Vec<Vec<String>> = rows[..ends]
        .iter()
        .chain(&rows[rows.len() - ends..])
        .map(line)
        .collect();
    say::table(&["first and last three", "establishment rate"], &shown);
}

/// Totals by kind, in yuan.
pub(super) fn subsidies(answer: &Value) {
    say::line("\nSubsidies, yuan");
    let row = |name: &str, row: &Value| {
        let yuan = |key: &str| {
            let fen = row[key].as_i64().unwrap_or_default();
            let sign = if fen < 0 { "-" } else { "" };
            format!(
                "{sign}{}.{:02}",
                say::thousands(fen.unsigned_abs() / 100),
                fen.unsigned_abs() % 100
            )
        };
        let mut cells = vec![name.to_owned()];
        cells.extend(
            [
                "set_aside_fen",
                "approved_fen",
                "disbursed_fen",
                "recovered_fen",
                "net_fen",
                "outstanding_fen",
            ]
            .map(yuan),
        );
        cells.push(say::thousands(number(row, "/cases")));
        cells
    };
    let mut rows: Vec<Vec<String>> = answer["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|found| {
            row(
                found["key"]["kind"]
                    .as_str()
                    .unwrap_or_else(|| text(found, "/name")),
                found,
            )
        })
        .collect();
    rows.push(row("total", &answer["total"]));
    say::table(
        &[
            "kind",
            "set aside",
            "approved",
            "disbursed",
            "recovered",
            "net",
            "outstanding",
            "cases",
        ],
        &rows,
    );
}

/// What the conflict does to the county's rate.
pub(super) fn bounds(before: &Value, after: &Value) {
    say::line("Until somebody settles it, the rate of the county carries what it could be:");
    say::line(format!(
        "  before {}",
        rate(&before["total"]["establishment_rate"])
    ));
    say::line(format!(
        "  now    {}",
        rate(&after["total"]["establishment_rate"])
    ));
}

/// The last receipt of every node.
pub(super) fn receipts(nodes: &[Node]) -> Result<()> {
    let mut rows = Vec::new();
    for node in nodes {
        let status = node.ask(&["status"])?;
        ensure!(
            number(&status, "/waiting/changes") == 0,
            "changes still wait at {}: {status}",
            node.federation
        );
        rows.push(vec![
            node.federation.clone(),
            say::thousands(number(&status, "/documents")),
            say::thousands(number(&status, "/last_receipt/documents")),
            text(&status, "/last_receipt/digest").chars().take(16).collect(),
            say::thousands(number(&status, "/last_receipt/position")),
            text(&status, "/last_receipt/time").to_owned(),
        ]);
    }
    say::table(
        &["node", "documents", "proven", "digest", "position", "time"],
        &rows,
    );
    Ok(())
}

/// Whether somebody answers there, with a page or the way to the sign-in.
pub(super) fn page_answers(address: &str) -> Result<()> {
    let status = Browser::open(address)?.get("/")?.status;
    ensure!(
        status.is_success() || status.is_redirection(),
        "{address} answers {status}"
    );
    Ok(())
}

fn rate(rate: &Value) -> String {
    let of = |part: &Value| format!("{}/{}", number(part, "/numerator"), number(part, "/denominator"));
    let percent = rate["percent"]
        .as_str()
        .map_or("no data".to_owned(), |percent| format!("{percent}%"));
    let (low, high) = (of(&rate["low"]), of(&rate["high"]));
    let between = if low == high {
        String::new()
    } else {
        format!(" (between {low} and {high})")
    };
    format!("{} = {percent}{between}", of(rate))
}
