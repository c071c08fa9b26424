//! The commands `token`, `peers` and `revoke`.

use anyhow::Context;
use rollcall_command::clock::{now_ms, parse_duration_ms, time_text};
use rollcall_command::federation;
use rollcall_command::output::{self, Refused, print_json, print_line};
use rollcall_command::upkeep::refused;
use rollcall_core::id::FederationId;
use rollcall_rpc::EnrolmentToken;
use rollcall_store::enrolment::{Jurisdiction, TokenRow};
use serde::Serialize;

use crate::cli::Token;
use crate::files::Files;

/// One peer as printed.
#[derive(Debug, Serialize)]
struct ShownPeer {
    peer: String,
    federation: FederationId,
    also: Vec<FederationId>,
    replicas: Vec<FederationId>,
    store: String,
    last_heard: Option<String>,
    version: String,
    position: u64,
    certificate: ShownCertificate,
    revoked: Option<String>,
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
    let peers: Vec<ShownPeer> = store
        .read(|reader| reader.enrolments())
        .context("read the peers")?
        .into_iter()
        .map(|row| ShownPeer {
            peer: row.peer_id,
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
            "{} {} last heard {} version {} position {} certificate until {}{}",
            peer.peer,
            peer.federation,
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
                .unwrap_or_default()
        ))?;
    }
    Ok(())
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
