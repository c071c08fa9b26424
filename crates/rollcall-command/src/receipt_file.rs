//! A receipt as a file that anybody can check with the aggregator's public key alone: what it says in plain JSON, and the
//! signature over it. Every byte counts: a file that is not exactly what its receipt is written as is refused.

use std::path::Path;

use anyhow::Context;
use rollcall_core::id::{DocumentId, FederationId, LogEpoch, StoreId};
use rollcall_sync::keys::Verify;
use rollcall_sync::message::{Cursor, Receipt, ScopeReceipt};
use serde::{Deserialize, Serialize};

use crate::clock::time_text;
use crate::output::{Refused, print_json, print_line};

/// Largest file that is read, bytes: a receipt over every federation of the country is about 1 MB.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A receipt as written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    aggregator: End,
    /// For people; `time_ms` counts.
    time: String,
    time_ms: i64,
    node: End,
    node_chain: String,
    documents: u64,
    rebuilding: bool,
    cluster_epoch: u64,
    scopes: Vec<Scope>,
    quarantined: Vec<String>,
    digest: String,
    signature: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    store: String,
    epoch: String,
    position: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    scope: FederationId,
    documents: u64,
    root: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits; `None` where they are none.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match std::str::from_utf8(pair) {
            Ok(pair) if pair.len() == 2 => u8::from_str_radix(pair, 16).ok(),
            _ => None,
        })
        .collect()
}

fn hash(text: &str) -> Option<[u8; 32]> {
    from_hex(text)?.try_into().ok()
}

/// The file's text.
fn render(receipt: &Receipt) -> anyhow::Result<String> {
    let written = Written {
        aggregator: End {
            store: receipt.store_id.to_string(),
            epoch: receipt.log_epoch.to_string(),
            position: receipt.position,
        },
        time: time_text(receipt.time_ms),
        time_ms: receipt.time_ms,
        node: End {
            store: receipt.origin_store.to_string(),
            epoch: receipt.origin_epoch.to_string(),
            position: receipt.origin.position,
        },
        node_chain: hex(&receipt.origin.chain),
        documents: receipt.documents,
        rebuilding: receipt.rebuilding,
        cluster_epoch: receipt.cluster_epoch,
        scopes: receipt
            .scopes
            .iter()
            .map(|scope| Scope {
                scope: scope.scope.clone(),
                documents: scope.documents,
                root: hex(&scope.root),
            })
            .collect(),
        quarantined: receipt.quarantined.iter().map(ToString::to_string).collect(),
        digest: hex(&receipt.root()),
        signature: hex(&receipt.signature),
    };
    let text = serde_json::to_string_pretty(&written).context("write the receipt as text")?;
    Ok(text + "\n")
}

/// The receipt in a file's text; `None` where it is anything but what `render` wrote.
fn read(text: &str) -> Option<Receipt> {
    let written: Written = serde_json::from_str(text).ok()?;
    let receipt = Receipt {
        store_id: written.aggregator.store.parse::<StoreId>().ok()?,
        log_epoch: written.aggregator.epoch.parse::<LogEpoch>().ok()?,
        position: written.aggregator.position,
        time_ms: written.time_ms,
        origin_store: written.node.store.parse::<StoreId>().ok()?,
        origin_epoch: written.node.epoch.parse::<LogEpoch>().ok()?,
        origin: Cursor {
            position: written.node.position,
            chain: hash(&written.node_chain)?,
        },
        scopes: written
            .scopes
            .iter()
            .map(|scope| {
                Some(ScopeReceipt {
                    scope: scope.scope.clone(),
                    documents: scope.documents,
                    root: hash(&scope.root)?,
                })
            })
            .collect::<Option<_>>()?,
        quarantined: written
            .quarantined
            .iter()
            .map(|id| id.parse::<DocumentId>().ok())
            .collect::<Option<_>>()?,
        documents: written.documents,
        rebuilding: written.rebuilding,
        cluster_epoch: written.cluster_epoch,
        signature: from_hex(&written.signature)?,
    };
    (render(&receipt).ok()? == text).then_some(receipt)
}

/// Runs `receipt export`.
///
/// # Errors
/// The file's; one that exists is not replaced.
pub fn run_export(receipt: &Receipt, file: &Path) -> anyhow::Result<()> {
    let text = render(receipt)?;
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file);
    let written = made.and_then(|mut out| std::io::Write::write_all(&mut out, text.as_bytes()));
    written.map_err(|error| Refused::new("FILE", format!("Cannot write {}: {error}.", file.display())))?;
    print_line(format_args!(
        "receipt of {} over {} documents written to {}",
        time_text(receipt.time_ms),
        receipt.documents,
        file.display()
    ))
}

/// Runs `receipt verify`: needs the file and the key, nothing else.
///
/// # Errors
/// `BAD_RECEIPT` where the file or the signature is not what the aggregator gave out; `PARAM_INVALID` for a key that is
/// none.
pub fn run_verify(file: &Path, key: &str, keys: &dyn Verify, json: bool) -> anyhow::Result<()> {
    let key = hash(key.trim()).ok_or_else(|| {
        Refused::new(
            "PARAM_INVALID",
            "The key has 64 hexadecimal digits; rollcall-aggregator receipt key prints it.",
        )
    })?;
    let failed =
        |error: std::io::Error| Refused::new("FILE", format!("Cannot read {}: {error}.", file.display()));
    if std::fs::metadata(file).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(bad("The file is too large to be a receipt.").into());
    }
    let bytes = std::fs::read(file).map_err(failed)?;
    let receipt = std::str::from_utf8(&bytes).ok().and_then(read);
    let Some(receipt) = receipt else {
        return Err(bad("The file is not a receipt as it was written: something in it was changed.").into());
    };
    if !keys.is_receipt_signed(&key, &receipt) {
        return Err(bad("The signature is not that of this key over this receipt.").into());
    }
    if json {
        return print_json(&serde_json::json!({
            "verified": true, "time": time_text(receipt.time_ms), "documents": receipt.documents,
            "position": receipt.position, "digest": hex(&receipt.root()), "rebuilding": receipt.rebuilding,
            "quarantined": receipt.quarantined.len(), "store": receipt.origin_store.to_string(),
        }));
    }
    print_line(format_args!(
        "good: on {} the aggregator held {} documents of store {}, its log up to {}, at position {}{}",
        time_text(receipt.time_ms),
        receipt.documents,
        receipt.origin_store,
        receipt.origin.position,
        receipt.position,
        if receipt.rebuilding {
            "; it was being rebuilt"
        } else {
            ""
        }
    ))?;
    if receipt.quarantined.is_empty() {
        return Ok(());
    }
    print_line(format_args!(
        "nothing is claimed about {} documents that are kept apart",
        receipt.quarantined.len()
    ))
}

fn bad(message: &str) -> Refused {
    Refused::new("BAD_RECEIPT", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_written_receipt_counts() {
        let receipt = Receipt {
            store_id: StoreId([1; 16]),
            log_epoch: LogEpoch([2; 8]),
            position: 3,
            time_ms: 1_735_870_269_123,
            origin_store: StoreId([5; 16]),
            origin_epoch: LogEpoch([6; 8]),
            origin: Cursor {
                position: 7,
                chain: [8; 32],
            },
            scopes: vec![ScopeReceipt {
                scope: FederationId::national(),
                documents: 9,
                root: [10; 32],
            }],
            quarantined: vec![DocumentId([11; 16])],
            documents: 9,
            rebuilding: false,
            cluster_epoch: 11,
            signature: vec![12; 64],
        };
        let text = render(&receipt).expect("text");
        assert_eq!(read(&text), Some(receipt.clone()));
        for index in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                let other = String::from_utf8(bytes).ok().and_then(|text| read(&text));
                // Another receipt is for the signature to refuse; the same one must not come out.
                assert_ne!(other, Some(receipt.clone()), "byte {index} bit {bit}");
            }
        }
    }
}
