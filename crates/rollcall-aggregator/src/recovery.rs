//! The commands `recovery show | sign-off`: what an aggregator that was restored still waits for (`protocol.md` 4.7, R2).

use anyhow::Context;
use rollcall_command::accounts::audit;
use rollcall_command::clock::{now_ms, time_text};
use rollcall_command::output::{Refused, print_json, print_line, warn};
use rollcall_command::upkeep::refused;
use rollcall_store::Store;
use rollcall_store::recovery::{Recovery, RecoveryPeer};
use serde::Serialize;

use crate::files::Files;
use crate::unknown_peer::{UnknownPeer, unknown_peers};

/// `recovery show --json`.
#[derive(Debug, Serialize)]
struct Shown {
    rebuilding: bool,
    /// Last position in the backup; null where there never was a restore.
    position: Option<u64>,
    /// Its commit time: what came later may be missing.
    since: Option<String>,
    ended: Option<String>,
    ended_by: Option<String>,
    heard: Vec<ShownPeer>,
    missing: Vec<ShownPeer>,
    /// Refused since, though this authority made their certificates: they were enrolled after the backup.
    unknown: Vec<ShownUnknown>,
    /// When the aggregator was restored that has taken the place of this one; null where there is none.
    replaced_since: Option<String>,
}

#[derive(Debug, Serialize)]
struct ShownPeer {
    peer: String,
    federation: String,
    last_heard: Option<String>,
}

#[derive(Debug, Serialize)]
struct ShownUnknown {
    peer: String,
    first_refused: String,
    last_refused: String,
}

fn moment(unix_ms: i64) -> Option<String> {
    (unix_ms > 0).then(|| time_text(unix_ms))
}

fn shown_peer(peer: &RecoveryPeer) -> ShownPeer {
    ShownPeer {
        peer: peer.peer_id.clone(),
        federation: peer.federation.to_string(),
        last_heard: moment(peer.last_heard_ms),
    }
}

fn shown(recovery: Option<&Recovery>, replaced_by: Option<u64>, unknown: Vec<UnknownPeer>) -> Shown {
    let unknown = unknown.into_iter().map(|peer| ShownUnknown {
        peer: peer.name,
        first_refused: time_text(peer.first_ms),
        last_refused: time_text(peer.last_ms),
    });
    let peers = |heard: bool| {
        recovery
            .into_iter()
            .flat_map(|recovery| &recovery.peers)
            .filter(|peer| peer.heard_ms.is_some() == heard)
            .map(shown_peer)
            .collect()
    };
    Shown {
        rebuilding: recovery.is_some_and(|recovery| recovery.ended_ms.is_none()),
        position: recovery.map(|recovery| recovery.position),
        since: recovery.and_then(|recovery| moment(recovery.reaches_ms)),
        ended: recovery.and_then(|recovery| recovery.ended_ms).map(time_text),
        ended_by: recovery
            .filter(|recovery| !recovery.ended_by.is_empty())
            .map(|recovery| recovery.ended_by.clone()),
        heard: peers(true),
        missing: peers(false),
        unknown: unknown.collect(),
        replaced_since: replaced_by.map(replaced_text),
    }
}

fn replaced_text(moment: u64) -> String {
    time_text(i64::try_from(moment).unwrap_or(i64::MAX))
}

/// Says on standard error that whatever this store answers stands still, where another aggregator has taken its place.
///
/// # Errors
/// The store's.
pub fn warn_replaced(store: &Store) -> anyhow::Result<()> {
    let replaced = store
        .read(|reader| reader.replaced_by())
        .context("read which aggregator counts")?;
    if let Some(moment) = replaced {
        let message = format!(
            "Another aggregator, restored at {}, has taken the place of this one: what is told here stands still since.",
            replaced_text(moment)
        );
        warn("AGGREGATOR_REPLACED", &message);
    }
    Ok(())
}

/// Runs `recovery show`.
///
/// # Errors
/// The store's.
pub fn run_show(files: &Files, json: bool) -> anyhow::Result<()> {
    let store = files.open_store()?;
    let (recovery, replaced_by, unknown) = store
        .read(|reader| {
            Ok((
                reader.last_recovery()?,
                reader.replaced_by()?,
                unknown_peers(reader)?,
            ))
        })
        .context("read the recovery")?;
    let shown = shown(recovery.as_ref(), replaced_by, unknown);
    if json {
        return print_json(&shown);
    }
    if let Some(since) = &shown.replaced_since {
        print_line(format_args!(
            "another aggregator, restored at {since}, has taken the place of this one: it takes nothing any more; if there is \
             no other one, restore a backup of this one over it"
        ))?;
    }
    for peer in &shown.unknown {
        print_line(format_args!(
            "not known here: {} refused since {}, last noted {}; enrol that node again with a new token",
            peer.peer, peer.first_refused, peer.last_refused
        ))?;
    }
    let Some(position) = shown.position else {
        return print_line("this aggregator was never restored");
    };
    let since = shown.since.as_deref().unwrap_or("the beginning");
    match &shown.ended {
        Some(ended) => print_line(format_args!(
            "restored to position {position} of {since}; whole again since {ended}{}",
            match &shown.ended_by {
                Some(by) => format!(", signed off by {by}"),
                None => String::new(),
            }
        ))?,
        None => print_line(format_args!(
            "rebuilding: restored to position {position} of {since}; {} of {} peers heard since",
            shown.heard.len(),
            shown.heard.len() + shown.missing.len()
        ))?,
    }
    for peer in &shown.missing {
        print_line(format_args!(
            "not heard: {} {} last heard {}",
            peer.peer,
            peer.federation,
            peer.last_heard.as_deref().unwrap_or("never")
        ))?;
    }
    Ok(())
}

/// Runs `recovery sign-off`: the reason and the names of those who were not heard go into the audit trail.
///
/// # Errors
/// `NOT_FOUND` where no recovery is under way; the store's.
pub fn run_sign_off(files: &Files, reason: &str) -> anyhow::Result<()> {
    let store = files.open_store()?;
    let recovery = store
        .read(|reader| reader.recovery())
        .context("read the recovery")?;
    let Some(recovery) = recovery else {
        return Err(Refused::new("NOT_FOUND", "No recovery is under way.").into());
    };
    let names: Vec<String> = recovery.missing().map(|peer| peer.peer_id.clone()).collect();
    let (by, at_ms) = (format!("system: {reason}"), now_ms());
    store
        .write("end recovery", move |writer| writer.end_recovery(&by, at_ms))
        .wait()
        .map_err(|error| refused(&error))?;
    let detail = format!("without {}: {reason}", names.join(", "));
    audit(&store, "system", "recovery_signed_off", &detail, at_ms).context("write the audit trail")?;
    print_line(format_args!(
        "the recovery has ended without {} peers; what they still hold is taken when they come",
        names.len()
    ))
}
