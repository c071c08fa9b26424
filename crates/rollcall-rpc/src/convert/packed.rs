//! A message serialised and, when that helps, compressed with zstd as a whole.
//! The declared length is a promise: inflating stops there, and a ratio above 64 is refused before it begins.

use prost::Message;
use rollcall_sync::limits::{BATCH_RAW_BYTES_MAX, MESSAGE_BYTES_MAX};

use crate::error::RpcError;
use crate::pb::sync::Packed;

/// Largest request of a repair before compression, bytes; it travels as one message.
pub(super) const REQUEST_RAW_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;
/// Largest answer of a repair before compression, bytes: the digests of 300,000 documents.
pub(super) const ANSWER_RAW_BYTES_MAX: usize = 16 * MESSAGE_BYTES_MAX;
/// Largest batch before compression, bytes: changes up to their limit, and the columns that describe them.
pub(super) const BATCH_BODY_BYTES_MAX: usize = BATCH_RAW_BYTES_MAX + 128 * 1024;

/// Compression below this is not worth its frame.
const COMPRESS_FROM: usize = 256;
const LEVEL: i32 = 3;
/// Most bytes that one compressed byte may become. Content up to `RATIO_FREE` may be emptier than that:
/// it cannot hurt.
const RATIO_MAX: usize = 64;
const RATIO_FREE: usize = 64 * 1024;
/// Most fields at the top of a packed message. Its columns are a dozen; repeated parts are one field each.
const FIELDS_MAX: usize = 4096;

/// Serialises and compresses.
pub(super) fn pack(
    message: &impl Message,
    what: &'static str,
    raw_max: usize,
) -> Result<Option<Packed>, RpcError> {
    let raw = message.encode_to_vec();
    if raw.len() > raw_max {
        return Err(RpcError::TooLarge {
            what,
            bytes: raw.len(),
            limit: raw_max,
        });
    }
    if raw.is_empty() {
        return Ok(None);
    }
    if raw.len() >= COMPRESS_FROM {
        let mut body = zstd::bulk::compress(&raw, LEVEL).map_err(|_| RpcError::Damaged)?;
        pad(&mut body, raw.len());
        if body.len() < raw.len() {
            let raw_len = u32::try_from(raw.len()).map_err(|_| RpcError::Damaged)?;
            return Ok(Some(Packed { raw_len, body }));
        }
    }
    Ok(Some(Packed {
        raw_len: 0,
        body: raw,
    }))
}

/// Inflates and reads; a missing part is the empty message.
pub(super) fn unpack<M: Message + Default>(
    packed: Option<Packed>,
    what: &'static str,
    raw_max: usize,
) -> Result<M, RpcError> {
    let Some(Packed { raw_len, body }) = packed else {
        return Ok(M::default());
    };
    let raw_len = usize::try_from(raw_len).unwrap_or(usize::MAX);
    let raw = if raw_len == 0 {
        body
    } else {
        inflate(&body, raw_len, what, raw_max)?
    };
    if raw.len() > raw_max {
        return Err(RpcError::TooLarge {
            what,
            bytes: raw.len(),
            limit: raw_max,
        });
    }
    limit_fields(&raw, what)?;
    M::decode(raw.as_slice()).map_err(|_| RpcError::Malformed { field: what })
}

fn inflate(body: &[u8], raw_len: usize, what: &'static str, raw_max: usize) -> Result<Vec<u8>, RpcError> {
    let limit = raw_max.min(body.len().saturating_mul(RATIO_MAX).max(RATIO_FREE));
    if raw_len > limit {
        return Err(RpcError::TooLarge {
            what,
            bytes: raw_len,
            limit,
        });
    }
    // One call into a buffer of the declared size: there is no window to allocate and no byte beyond it.
    let raw = zstd::bulk::decompress(body, raw_len).map_err(|_| RpcError::Damaged)?;
    if raw.len() == raw_len {
        Ok(raw)
    } else {
        Err(RpcError::Damaged)
    }
}

/// Content emptier than the ratio allows gets a skippable zstd frame behind it, so that no honest batch is refused.
fn pad(body: &mut Vec<u8>, raw_len: usize) {
    const SKIPPABLE: u32 = 0x184D_2A50;
    let needed = if raw_len > RATIO_FREE {
        raw_len.div_ceil(RATIO_MAX)
    } else {
        0
    };
    if let Some(missing) = needed.checked_sub(body.len()).filter(|missing| *missing > 0) {
        body.extend_from_slice(&SKIPPABLE.to_le_bytes());
        body.extend_from_slice(&u32::try_from(missing).unwrap_or(0).to_le_bytes());
        body.resize(body.len() + missing, 0);
    }
}

/// A field of two bytes may become a structure of a hundred, so they are counted before they are read.
fn limit_fields(raw: &[u8], what: &'static str) -> Result<(), RpcError> {
    let mut rest = raw;
    let mut fields = 0;
    while !rest.is_empty() {
        let malformed = |_| RpcError::Malformed { field: what };
        let (tag, wire_type) = prost::encoding::decode_key(&mut rest).map_err(malformed)?;
        prost::encoding::skip_field(
            wire_type,
            tag,
            &mut rest,
            prost::encoding::DecodeContext::default(),
        )
        .map_err(malformed)?;
        fields += 1;
        if fields > FIELDS_MAX {
            return Err(RpcError::TooLarge {
                what,
                bytes: fields,
                limit: FIELDS_MAX,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::sync::{Documents, HashLists, ScopeSums};

    const MAX: usize = 1024 * 1024;

    fn message(changes: Vec<u8>) -> Documents {
        Documents {
            changes,
            ..Documents::default()
        }
    }

    #[test]
    fn content_comes_back_whatever_its_shape() {
        let noise: Vec<u8> = (0u32..40_000)
            .flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        for content in [
            Vec::new(),
            vec![7; 10],
            vec![7; 300],
            vec![0; 60_000],
            vec![0; 900_000],
            noise,
        ] {
            let packed = pack(&message(content.clone()), "test", MAX).expect("fits");
            let back: Documents = unpack(packed, "test", MAX).expect("comes back");
            assert_eq!(back.changes, content);
        }
    }

    #[test]
    fn compression_is_used_where_it_helps_only() {
        let packed = |content| {
            pack(&message(content), "test", MAX)
                .expect("fits")
                .expect("not empty")
        };
        assert_eq!(packed(vec![1; 100]).raw_len, 0);
        assert!(packed(vec![1; 1000]).body.len() < 100);
        let noise: Vec<u8> = (0u64..500).flat_map(ring_noise).collect();
        assert_eq!(packed(noise).raw_len, 0);
    }

    fn ring_noise(seed: u64) -> Vec<u8> {
        ring::digest::digest(&ring::digest::SHA256, &seed.to_le_bytes())
            .as_ref()
            .to_vec()
    }

    #[test]
    fn too_much_is_refused_before_sending() {
        assert!(matches!(
            pack(&message(vec![0; MAX]), "test", MAX),
            Err(RpcError::TooLarge { .. })
        ));
    }

    #[test]
    fn bombs_lies_and_damage_are_refused() {
        let bomb = zstd::bulk::compress(&vec![0; 64 * MAX], 19).expect("compresses");
        let raw = message(vec![5; 3000]).encode_to_vec();
        let good = zstd::bulk::compress(&raw, LEVEL).expect("compresses");
        let honest = u32::try_from(raw.len()).expect("small");
        let mut flipped = good.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x10;
        let table = [
            (
                "length above the limit",
                Packed {
                    raw_len: 64 * 1024 * 1024,
                    body: bomb.clone(),
                },
            ),
            (
                "ratio above 64",
                Packed {
                    raw_len: 1_000_000,
                    body: bomb.clone(),
                },
            ),
            (
                "more than declared",
                Packed {
                    raw_len: 60_000,
                    body: bomb,
                },
            ),
            (
                "one more than there is",
                Packed {
                    raw_len: honest + 1,
                    body: good.clone(),
                },
            ),
            (
                "one less than there is",
                Packed {
                    raw_len: honest - 1,
                    body: good.clone(),
                },
            ),
            (
                "cut",
                Packed {
                    raw_len: honest,
                    body: good[..good.len() - 1].to_vec(),
                },
            ),
            (
                "no zstd",
                Packed {
                    raw_len: 10,
                    body: vec![1, 2, 3],
                },
            ),
            (
                "plain above the limit",
                Packed {
                    raw_len: 0,
                    body: vec![0; MAX + 1],
                },
            ),
            (
                "no protobuf",
                Packed {
                    raw_len: 0,
                    body: vec![0xff; 20],
                },
            ),
        ];
        for (name, packed) in table {
            let result: Result<Documents, _> = unpack(Some(packed), "test", MAX);
            assert!(result.is_err(), "{name}");
        }
        // A flipped bit either breaks the frame or changes the content; it never passes for the original.
        let result: Result<Documents, _> = unpack(
            Some(Packed {
                raw_len: honest,
                body: flipped,
            }),
            "test",
            MAX,
        );
        assert!(result.map_or(true, |back| back.encode_to_vec() != raw));
    }

    #[test]
    fn many_empty_parts_are_refused_before_they_are_read() {
        let body = [0x0a, 0x00].repeat(FIELDS_MAX + 1);
        let result: Result<ScopeSums, _> = unpack(Some(Packed { raw_len: 0, body }), "test", MAX);
        assert!(matches!(result, Err(RpcError::TooLarge { .. })));
    }

    #[test]
    fn a_missing_part_is_the_empty_message() {
        assert_eq!(
            unpack::<HashLists>(None, "test", MAX).expect("empty"),
            HashLists::default()
        );
    }
}
