//! The commands `token`, `peers` and `revoke`.

use anyhow::Context;
use rollcall_command::clock::{now_ms, parse_duration_ms, time_text};
use rollcall_command::federation;
use rollcall_command::output::{self, Refused, print_json, print_line};
use rollcall_command::upkeep::refused;
use rollcall_core::id::FederationId;
use rollcall_replica::Replica;
use rollcall_rpc::EnrolmentToken;
use rollcall_store::enrolment::{Jurisdiction, TokenRow};
use rollcall_sync::message::Receipt;
use serde::Serialize;

use crate::cli::Token;
use crate::files::Files;
use crate::recovery::warn_replaced;

/// One peer as printed.
#[derive(Debug, Serialize)]
struct ShownPeer {
    peer: String,
    /// What its token or it itself calls the machine; empty where neither does.
    name: String,
    federation: FederationId,
    also: Vec<FederationId>,
    replicas: Vec<FederationId>,
    store: String,
    last_heard: Option<String>,
    version: String,
    position: u64,
    certificate: ShownCertificate,
    revoked: Option<String>,
    fenced: Option<String>,
    /// During a recovery: whether everything it has was taken since the restore.
    heard_since_restore: Option<bool>,
}

#[derive(Debug, Serialize)]
struct ShownCertificate {
    expires: String,
}

/// Makes and prints a token.
///
/// # Errors
/// `PARAM_INVALID` for codes or durations that are none, `UNIT_UNKNOWN`; the store's.
pub fn run_token(args: &Token) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let store = files.open_store()?;
    let authority = files.load_authority()?;
    let token = EnrolmentToken::generate(authority.fingerprint()).context("make a token")?;
    let lasts_ms =
        parse_duration_ms(&args.expires_in).map_err(|message| Refused::new("PARAM_INVALID", message))?;
    let row = TokenRow {
        token_hash: token.secret_hash(),
        jurisdiction: Jurisdiction {
            federation: federation::named(&args.federation)?,
            also: args
                .also
                .iter()
                .map(|code| federation::named(code))
                .collect::<Result<_, _>>()?,
            replicas: args
                .replicas
                .iter()
                .map(|code| federation::named(code))
                .collect::<Result<_, _>>()?,
            node_name: args.name.clone(),
        },
        expires_ms: now_ms().saturating_add(lasts_ms),
        used_ms: None,
        relay: args.relay,
    };
    store
        .write("save token", move |writer| writer.save_token(&row))
        .wait()
        .map_err(|error| refused(&error))?;
    print_line(token)
}

/// Lists the peers.
///
/// # Errors
/// The store's.
pub fn run_peers(files: &Files, json: bool) -> anyhow::Result<()> {
    let store = files.open_store()?;
    warn_replaced(&store)?;
    let (rows, recovery) = store
        .read(|reader| Ok((reader.enrolments()?, reader.recovery()?)))
        .context("read the peers")?;
    let heard = |peer: &str| {
        let recovery = recovery.as_ref()?;
        let row = recovery.peers.iter().find(|row| row.peer_id == peer);
        Some(row.is_none_or(|row| row.heard_ms.is_some()))
    };
    let peers: Vec<ShownPeer> = rows
        .into_iter()
        .map(|row| ShownPeer {
            heard_since_restore: heard(&row.peer_id),
            fenced: row.fenced_ms.map(time_text),
            peer: row.peer_id,
            name: row.jurisdiction.node_name,
            federation: row.jurisdiction.federation,
            also: row.jurisdiction.also,
            replicas: row.jurisdiction.replicas,
            store: row.store_id.to_string(),
            last_heard: (row.last_heard_ms > 0).then(|| time_text(row.last_heard_ms)),
            version: row.version,
            position: row.position,
            certificate: ShownCertificate {
                expires: time_text(row.not_after_ms),
            },
            revoked: row
                .revoked
                .map(|(at_ms, reason)| format!("{} {reason}", time_text(at_ms))),
        })
        .collect();
    if json {
        return print_json(&peers);
    }
    for peer in peers {
        print_line(format_args!(
            "{} {}{} last heard {} version {} position {} certificate until {}{}{}{}",
            peer.peer,
            peer.federation,
            if peer.name.is_empty() {
                String::new()
            } else {
                format!(" {}", peer.name)
            },
            peer.last_heard.as_deref().unwrap_or("never"),
            if peer.version.is_empty() {
                "?"
            } else {
                &peer.version
            },
            peer.position,
            peer.certificate.expires,
            peer.revoked
                .map(|revoked| format!(" revoked {revoked}"))
                .unwrap_or_default(),
            peer.fenced
                .map(|since| format!(" fenced since {since}: two nodes work with its certificate"))
                .unwrap_or_default(),
            match peer.heard_since_restore {
                Some(false) => " not heard since the restore",
                Some(true) | None => "",
            }
        ))?;
    }
    Ok(())
}

/// Ends a fence by hand: the copy is gone and will not come back.
///
/// # Errors
/// `NOT_FOUND` where there is no such peer or it is not fenced; the store's.
pub fn run_unfence(files: &Files, peer: &str, reason: &str) -> anyhow::Result<()> {
    let store = files.open_store()?;
    let row = store
        .read(|reader| reader.enrolment(peer))
        .context("read the peer")?;
    let Some(row) = row.filter(|row| row.fenced_ms.is_some()) else {
        let message = format!("{peer} is not fenced; peers lists who is.");
        return Err(Refused::new("NOT_FOUND", message).into());
    };
    store
        .write("unfence", move |writer| writer.end_fence(&row.signing_key))
        .wait()
        .map_err(|error| refused(&error))?;
    let detail = format!("{peer}: {reason}");
    rollcall_command::accounts::audit(&store, "system", "unfenced", &detail, now_ms())?;
    print_line(format_args!(
        "{peer} is no longer fenced; should the copy still run, it will be again"
    ))
}

/// The last receipt given to a peer.
///
/// # Errors
/// `NOT_FOUND` where there is no such peer or it was never given one.
pub fn last_receipt(replica: &Replica, peer: &str) -> anyhow::Result<Receipt> {
    let row = replica
        .store()
        .read(|reader| match reader.enrolment(peer)? {
            Some(row) => reader.last_receipt(row.store_id),
            None => Ok(None),
        })
        .context("read the last receipt")?;
    row.and_then(|row| Receipt::from_bytes(&row.bytes))
        .ok_or_else(|| {
            Refused::new(
                "NOT_FOUND",
                format!("No receipt was given to {peer}; peers lists who there is."),
            )
            .into()
        })
}

/// Refuses a peer from its next call on.
///
/// # Errors
/// `NOT_FOUND` where there is none, `REASON_MISSING`; the store's.
pub fn run_revoke(files: &Files, peer: &str, reason: &str) -> anyhow::Result<()> {
    let store = files.open_store()?;
    let (peer_id, why, at_ms) = (peer.to_owned(), output::reason(reason)?, now_ms());
    store
        .write("revoke", move |writer| {
            writer.revoke_enrolment(&peer_id, &why, at_ms)
        })
        .wait()
        .map_err(|error| match error {
            rollcall_store::Error::Missing(_) => Refused::new(
                "NOT_FOUND",
                format!("There is no peer {peer}; list them with peers."),
            ),
            error => refused(&error),
        })?;
    rollcall_command::accounts::audit(&store, "system", "revoked", peer, at_ms)?;
    print_line(format_args!("{peer} is refused from now on"))
}
