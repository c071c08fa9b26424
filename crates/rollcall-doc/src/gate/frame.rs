//! The frame around a change: magic, checksum, type, length (`reliability.md` 5.1, steps 1 and 3).
//! Owns nothing of what is inside; the body goes to `walker`.

use sha2::{Digest, Sha256};

use super::Refusal;
use super::bytes::Bytes;

/// Largest change, bytes (`protocol.md` 1.18).
pub(crate) const CHANGE_BYTES_MAX: usize = 256 * 1024;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const PLAIN_CHANGE: u8 = 1;

/// A chunk whose frame is right: one plain change, nothing after it.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// Name of the change: SHA-256 over type, length and body.
    pub(crate) hash: [u8; 32],
    /// What is inside.
    pub(crate) body: &'a [u8],
}

/// Checks the frame of one chunk.
pub(crate) fn open(chunk: &[u8]) -> Result<Frame<'_>, Refusal> {
    if chunk.len() > CHANGE_BYTES_MAX {
        return Err(Refusal::too_big(format!(
            "the change has {} bytes, the limit is {CHANGE_BYTES_MAX}",
            chunk.len()
        )));
    }
    let damaged = |what: &str| Refusal::new("ENVELOPE_DAMAGED", format!("{what}; send the change again"));
    if chunk.len() < 10 || chunk[..4] != MAGIC {
        return Err(damaged("the change does not begin as one"));
    }
    if chunk[8] != PLAIN_CHANGE {
        return Err(Refusal::new(
            "CHUNK_TYPE",
            format!(
                "chunk type {} where a single plain change (type 1) is due",
                chunk[8]
            ),
        ));
    }
    let mut rest = Bytes::new(&chunk[9..]);
    let length = rest.unsigned().ok_or_else(|| damaged("the length is cut"))?;
    let body = rest.rest();
    if length != body.len() as u64 {
        return Err(damaged("the length is not that of the content"));
    }
    let hash: [u8; 32] = Sha256::digest(&chunk[8..]).into();
    if hash[..4] != chunk[4..8] {
        return Err(damaged("the checksum is wrong"));
    }
    Ok(Frame { hash, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesis;
    use rollcall_core::id::{DocumentId, DocumentKind};

    #[test]
    fn a_frame_that_is_not_exactly_one_plain_change_is_refused() {
        let good = genesis::bytes(DocumentKind::Union, DocumentId([1; 16]));
        assert!(open(&good).is_ok());
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let mut longer = good.clone();
        longer.push(0);
        let cases: [(&str, Vec<u8>, &str); 9] = [
            ("empty", Vec::new(), "ENVELOPE_DAMAGED"),
            ("magic", with(0, 0), "ENVELOPE_DAMAGED"),
            ("checksum", with(4, good[4] ^ 1), "ENVELOPE_DAMAGED"),
            ("document chunk", with(8, 0), "CHUNK_TYPE"),
            ("deflated chunk", with(8, 2), "CHUNK_TYPE"),
            ("bundle chunk", with(8, 3), "CHUNK_TYPE"),
            ("trailing byte", longer, "ENVELOPE_DAMAGED"),
            ("cut", good[..good.len() - 1].to_vec(), "ENVELOPE_DAMAGED"),
            ("too big", vec![0; CHANGE_BYTES_MAX + 1], "CHANGE_TOO_BIG"),
        ];
        for (name, bytes, code) in cases {
            assert_eq!(open(&bytes).expect_err(name).code, code, "{name}");
        }
    }
}
