//! Frames in a line of the trace, and what may happen to one on its way.

use rollcall_sync::fingerprint::{change_hash, origin_chain};
use rollcall_sync::keys::Sign;
use rollcall_sync::message::{Batch, ClientFrame, Cursor, Hash, Outcome, ServerFrame};
use sha2::{Digest, Sha256};

use crate::chance::Chance;
use crate::office::Office;

/// First bytes of a hash, to read.
pub(crate) fn short(hash: &[u8]) -> String {
    hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn cursor(cursor: &Cursor) -> String {
    format!("{}:{}", cursor.position, short(&cursor.chain))
}

fn batch(batch: &Batch) -> String {
    let documents: Vec<String> = batch
        .documents
        .iter()
        .map(|document| {
            let changes: Vec<String> = document
                .changes
                .iter()
                .map(|change| format!("{}@{}", short(&change_hash(&change.bytes)), change.position))
                .collect();
            format!(
                "{}[{}]",
                short(document.document_id.as_bytes()),
                changes.join(" ")
            )
        })
        .collect();
    let end = if batch.drained { " drained" } else { "" };
    format!(
        "batch {}..{}:{}{end} {}",
        batch.from,
        batch.to,
        short(&batch.end_chain),
        documents.join(" ")
    )
}

/// A node's frame as text.
pub(crate) fn describe_up(frame: &ClientFrame) -> String {
    match frame {
        ClientFrame::Hello(hello) => format!(
            "hello epoch {} end {} acked {} down {} set {}:{}",
            short(hello.log_epoch.as_bytes()),
            cursor(&hello.origin_end),
            cursor(&hello.acknowledged),
            hello.down_position,
            hello.set.count,
            short(&hello.set.sum)
        ),
        ClientFrame::Batch(sent) => batch(sent),
        ClientFrame::Applied { position, set } => {
            format!("applied {position} set {}:{}", set.count, short(&set.sum))
        }
        ClientFrame::WantReceipt { apart } => format!("want receipt without {}", apart.len()),
        ClientFrame::Compare => "compare".to_owned(),
        ClientFrame::Proof(receipt) => format!("proof {} at {}", short(&receipt.hash()), receipt.position),
    }
}

/// The aggregator's frame as text.
pub(crate) fn describe_down(frame: &ServerFrame) -> String {
    match frame {
        ServerFrame::HelloAck(ack) => format!(
            "hello-ack {:?} cursor {} position {} set {}:{}",
            ack.verdict,
            cursor(&ack.cursor),
            ack.position,
            ack.set.count,
            short(&ack.set.sum)
        ),
        ServerFrame::Batch(sent) => batch(sent),
        ServerFrame::Ack(ack) => {
            let outcomes: Vec<String> = ack
                .outcomes
                .iter()
                .map(|outcome| {
                    let positions: Vec<u64> =
                        outcome.positions.iter().map(|(position, _)| *position).collect();
                    let what = match &outcome.outcome {
                        Outcome::Applied => "applied",
                        Outcome::Duplicate => "duplicate",
                        Outcome::Pending => "pending",
                        Outcome::Forked => "forked",
                        Outcome::Quarantined(code) | Outcome::Rejected(code) => code,
                    };
                    format!("{} {what} {positions:?}", short(outcome.document_id.as_bytes()))
                })
                .collect();
            format!("ack {} {}", cursor(&ack.cursor), outcomes.join(", "))
        }
        ServerFrame::Receipt(receipt) => format!(
            "receipt {} at {} of {}, {} scopes, {} apart",
            short(&receipt.hash()),
            receipt.position,
            cursor(&receipt.origin),
            receipt.scopes.len(),
            receipt.quarantined.len()
        ),
        ServerFrame::PartialReceipt(partial) => format!("receipt over {}", short(&partial.based_on)),
        ServerFrame::Busy { retry_after_ms } => format!("busy {retry_after_ms}"),
        ServerFrame::Goaway { code, .. } => format!("goaway {code}"),
        ServerFrame::Compared { set } => format!("compared {}", set.count),
    }
}

fn flip(bytes: &mut [u8], chance: &mut Chance) {
    if !bytes.is_empty() {
        let at = chance.below(bytes.len());
        bytes[at] ^= 1 << chance.below(8);
    }
}

fn flip_number(number: &mut u64, chance: &mut Chance) {
    *number ^= 1 << chance.below(5);
}

fn corrupt_batch(batch: &mut Batch, chance: &mut Chance) {
    let documents = batch.documents.len();
    match chance.below(6) {
        0 => flip(&mut batch.end_chain, chance),
        1 => flip(&mut batch.signature, chance),
        2 if documents > 0 => {
            let gone = chance.below(documents);
            batch.documents.remove(gone);
        }
        3 => batch.drained = !batch.drained,
        _ if documents > 0 => {
            let document = &mut batch.documents[chance.below(documents)];
            if !document.changes.is_empty() {
                let change = chance.below(document.changes.len());
                flip(&mut document.changes[change].bytes, chance);
            }
        }
        _ => flip_number(&mut batch.to, chance),
    }
}

/// Changes something in a node's frame.
pub(crate) fn corrupt_up(frame: &mut ClientFrame, chance: &mut Chance) {
    match frame {
        ClientFrame::Batch(batch) => corrupt_batch(batch, chance),
        ClientFrame::Hello(hello) => match chance.below(5) {
            0 => flip_number(&mut hello.origin_end.position, chance),
            1 => flip(&mut hello.origin_end.chain, chance),
            2 => flip(&mut hello.acknowledged.chain, chance),
            3 => flip(&mut hello.set.sum, chance),
            _ => hello.protocol ^= 1,
        },
        ClientFrame::Applied { position, .. } => *position = position.saturating_sub(1),
        ClientFrame::Proof(receipt) => flip(&mut receipt.signature, chance),
        ClientFrame::WantReceipt { .. } | ClientFrame::Compare => {}
    }
}

/// Changes something in the aggregator's frame.
pub(crate) fn corrupt_down(frame: &mut ServerFrame, chance: &mut Chance) {
    match frame {
        ServerFrame::Batch(batch) => corrupt_batch(batch, chance),
        ServerFrame::Receipt(receipt) => match chance.below(3) {
            0 => flip(&mut receipt.signature, chance),
            1 => receipt
                .scopes
                .iter_mut()
                .for_each(|scope| flip(&mut scope.root, chance)),
            _ => flip_number(&mut receipt.position, chance),
        },
        ServerFrame::PartialReceipt(partial) => flip(&mut partial.based_on, chance),
        ServerFrame::HelloAck(ack) => match chance.below(3) {
            0 => flip_number(&mut ack.cursor.position, chance),
            1 => flip(&mut ack.cursor.chain, chance),
            _ => flip(&mut ack.set.sum, chance),
        },
        ServerFrame::Ack(ack) => flip(&mut ack.cursor.chain, chance),
        ServerFrame::Compared { set } => flip(&mut set.sum, chance),
        ServerFrame::Busy { .. } | ServerFrame::Goaway { .. } => {}
    }
}

/// Makes a poisoned change of one in the batch, its checksum right, and signs the batch anew: what a node that went bad
/// would send. A bit of it is wrong, or it is bent on purpose if `bends`. Whether there was a change to poison.
pub(crate) fn poison(
    batch: &mut Batch,
    before: Cursor,
    office: &Office,
    epoch: [u8; 8],
    (bends, chance): (bool, &mut Chance),
) -> bool {
    if batch.to == 0 || batch.from != before.position || batch.documents.is_empty() {
        return false;
    }
    let document = chance.below(batch.documents.len());
    let changes = &mut batch.documents[document].changes;
    if changes.is_empty() {
        return false;
    }
    let change = chance.below(changes.len());
    let bytes = &mut changes[change].bytes;
    if bytes.len() < 16 {
        return false;
    }
    if bends {
        *bytes = rollcall_doc::fuzz::bend_change(bytes, u64::from_be_bytes(chance.bytes()));
    } else {
        flip(&mut bytes[12..], chance);
        let digest: Hash = Sha256::digest(&bytes[8..]).into();
        bytes[4..8].copy_from_slice(&digest[..4]);
    }
    let mut rows: Vec<_> = batch
        .documents
        .iter()
        .flat_map(|document| {
            document
                .changes
                .iter()
                .map(|change| (change.position, document.document_id, change_hash(&change.bytes)))
        })
        .collect();
    rows.sort_unstable();
    batch.end_chain = rows.iter().fold(before.chain, |chain, (_, document, hash)| {
        origin_chain(&chain, *document, hash)
    });
    office
        .key
        .sign_batch(office.store_id, rollcall_core::id::LogEpoch(epoch), batch);
    true
}
