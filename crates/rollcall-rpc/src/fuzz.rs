//! Fuzz target F1 (`reliability.md` 3.3): frames and messages as they come off the wire. For `xtask` and tests only.
//! Inputs are real messages bent as protobuf: fields, numbers, lengths, and the compressed parts inside them, whose
//! declared length is made right again. What is decoded must come back the same, or be refused by name.
//! Time and memory are measured by the caller, which also catches what panics.

use std::net::{Ipv4Addr, SocketAddr};

use prost::Message;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rollcall_core::id::{DocumentId, StoreId};
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestEntry, DigestRequest, Hello, HelloAck, ResolveAnswer, ResolveRequest,
    ServerFrame,
};

use crate::convert::samples::{Noise, client_frames, hello, hello_ack, scopes, server_frames};
use crate::convert::{Wire, sized};
use crate::enrolment::EnrolRequest;
use crate::error::RpcError;
use crate::pb::enrol as enrol_pb;

/// Most bytes that a compressed part is inflated to, and a message grown to, to be bent.
const INFLATED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How deep messages lie in each other.
const DEPTH_MAX: u32 = 5;

/// Which message the bytes are read as.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Client,
    Server,
    Hello,
    HelloAck,
    DigestRequest,
    DigestAnswer,
    ResolveRequest,
    ResolveAnswer,
    Enrol,
}

/// One of every message, as bytes.
pub struct FrameTarget {
    corpus: Vec<(Shape, Vec<u8>)>,
}

impl Default for FrameTarget {
    fn default() -> Self {
        Self::new()
    }
}

fn bytes_of<W: Wire<Pb: Message>>(message: &W) -> Vec<u8> {
    message.to_wire().expect("samples fit").encode_to_vec()
}

impl FrameTarget {
    /// Makes the messages.
    pub fn new() -> Self {
        let mut noise = Noise::new(21);
        let mut corpus: Vec<(Shape, Vec<u8>)> = Vec::new();
        corpus.extend(
            client_frames()
                .iter()
                .map(|frame| (Shape::Client, bytes_of(frame))),
        );
        corpus.extend(
            server_frames()
                .iter()
                .map(|frame| (Shape::Server, bytes_of(frame))),
        );
        // The largest ones are kept few: they take most of the time and say the same.
        corpus.retain(|(_, bytes)| bytes.len() < 100_000);
        corpus.push((Shape::Hello, bytes_of(&hello())));
        corpus.push((Shape::HelloAck, bytes_of(&hello_ack())));
        let sums = scopes()
            .into_iter()
            .map(|scope| (scope, (0..64).map(|_| noise.bytes()).collect()));
        corpus.push((
            Shape::DigestRequest,
            bytes_of(&DigestRequest {
                scopes: sums.collect(),
                short: false,
            }),
        ));
        let entries = (0..20).map(|number| DigestEntry {
            scope: scopes()[number / 10].clone(),
            document_id: DocumentId(noise.bytes()),
            digest: noise.bytes(),
        });
        let answer = DigestAnswer {
            position: 9,
            entries: entries.collect(),
            buckets: vec![(scopes()[0].clone(), (0..30).collect())],
            short: false,
        };
        corpus.push((Shape::DigestAnswer, bytes_of(&answer)));
        let lists: Vec<_> = (0..9)
            .map(|count| (DocumentId(noise.bytes()), vec![noise.bytes(); count]))
            .collect();
        let request = ResolveRequest {
            documents: lists.clone(),
        };
        corpus.push((Shape::ResolveRequest, bytes_of(&request)));
        let answer = ResolveAnswer {
            changes: noise.batch(6, 2, 90).documents,
            placed: lists
                .iter()
                .map(|(id, hashes)| (*id, vec![(7, 1_790_000_000_000); hashes.len()]))
                .collect(),
            wanted: lists,
        };
        corpus.push((Shape::ResolveAnswer, bytes_of(&answer)));
        // Its proof holds for nobody, so that it is the same in every run; what is read before it is bent all the same.
        let request = enrol_pb::EnrolRequest {
            secret: vec![7; 16],
            csr: vec![0x30, 0x03, 0x02, 0x01, 0x00],
            signing_key: vec![9; 32],
            store_id: StoreId([3; 16]).as_bytes().to_vec(),
            proof: vec![5; 64],
            node_name: "node-330106".to_owned(),
        };
        corpus.push((Shape::Enrol, request.encode_to_vec()));
        Self { corpus }
    }

    /// One bent message. Gives whether it was taken for one.
    ///
    /// # Errors
    /// What must not be: a message that does not come back as it was decoded.
    pub fn decode(&self, seed: u64) -> Result<bool, String> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (shape, bytes) = self.corpus.choose(&mut rng).expect("there are messages");
        let mut bytes = bytes.clone();
        for _ in 0..rng.random_range(1..=3) {
            bytes = bend(&bytes, DEPTH_MAX, &mut rng);
        }
        // Now and then as another message than it is.
        let shape = if rng.random_ratio(1, 20) {
            &self.corpus.choose(&mut rng).expect("there are messages").0
        } else {
            shape
        };
        match shape {
            Shape::Client => check::<ClientFrame>(&bytes),
            Shape::Server => check::<ServerFrame>(&bytes),
            Shape::Hello => check::<Hello>(&bytes),
            Shape::HelloAck => check::<HelloAck>(&bytes),
            Shape::DigestRequest => check::<DigestRequest>(&bytes),
            Shape::DigestAnswer => check::<DigestAnswer>(&bytes),
            Shape::ResolveRequest => check::<ResolveRequest>(&bytes),
            Shape::ResolveAnswer => check::<ResolveAnswer>(&bytes),
            Shape::Enrol => Ok(reads_enrolment(&bytes)),
        }
    }
}

/// Decoded, encoded and decoded again: the same, or refused.
fn check<W>(bytes: &[u8]) -> Result<bool, String>
where
    W: Wire<Pb: Message + Default> + PartialEq + std::fmt::Debug,
{
    let Some(message) = W::Pb::decode(bytes).ok().and_then(|wire| W::from_wire(wire).ok()) else {
        return Ok(false);
    };
    let again = match message.to_wire().and_then(sized) {
        Ok(wire) => wire.encode_to_vec(),
        Err(RpcError::TooLarge { .. }) => return Ok(true),
        Err(error) => return Err(format!("what was decoded cannot be encoded: {error}")),
    };
    let back = W::Pb::decode(again.as_slice())
        .map_err(|error| error.to_string())
        .and_then(|wire| W::from_wire(wire).map_err(|error| error.to_string()))
        .map_err(|error| format!("what was encoded cannot be decoded: {error}"))?;
    if back == message {
        Ok(true)
    } else {
        Err(format!("a message comes back as another: {message:?}"))
    }
}

/// The one message of those who are not known yet.
fn reads_enrolment(bytes: &[u8]) -> bool {
    let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    enrol_pb::EnrolRequest::decode(bytes)
        .is_ok_and(|wire| EnrolRequest::from_wire(wire, remote, None).is_ok())
}

/// One field of a message of which only the layout is known.
#[derive(Debug, Clone)]
struct Field {
    key: u64,
    value: Value,
}

#[derive(Debug, Clone)]
enum Value {
    Number(u64),
    Wide(Vec<u8>),
    Bytes(Vec<u8>),
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    prost::encoding::decode_varint(rest).ok()
}

fn take(rest: &mut &[u8], count: usize) -> Option<Vec<u8>> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken.to_vec())
}

fn parse(bytes: &[u8]) -> Option<Vec<Field>> {
    let (mut rest, mut fields) = (bytes, Vec::new());
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut rest)?),
            1 => Value::Wide(take(&mut rest, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, length)?)
            }
            5 => Value::Wide(take(&mut rest, 4)?),
            _ => return None,
        };
        fields.push(Field { key, value });
    }
    Some(fields)
}

fn write(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Field { key, value } in fields {
        prost::encoding::encode_varint(*key, &mut bytes);
        match value {
            Value::Number(number) => prost::encoding::encode_varint(*number, &mut bytes),
            Value::Wide(wide) => bytes.extend(wide),
            Value::Bytes(content) => {
                prost::encoding::encode_varint(content.len() as u64, &mut bytes);
                bytes.extend(content);
            }
        }
    }
    bytes
}

fn number(near: u64, rng: &mut ChaCha8Rng) -> u64 {
    const EDGES: [u64; 12] = [
        0,
        1,
        7,
        8,
        127,
        128,
        4_096,
        65_536,
        (1 << 31) - 1,
        (1 << 32) - 1,
        1 << 63,
        u64::MAX,
    ];
    match rng.random_range(0..3) {
        0 => near.wrapping_add(rng.random_range(0..3)).wrapping_sub(1),
        1 => near ^ (1 << rng.random_range(0..64)),
        _ => EDGES.choose(rng).copied().unwrap_or_default(),
    }
}

/// Bends a message somewhere, deep inside as likely as at its top.
fn bend(bytes: &[u8], depth: u32, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let Some(mut fields) = parse(bytes).filter(|fields| depth > 0 && !fields.is_empty()) else {
        return bend_raw(bytes.to_vec(), rng);
    };
    if rng.random_bool(0.7)
        && let Some(packed) = bend_packed(&fields, depth, rng)
    {
        return packed;
    }
    let at = rng.random_range(0..fields.len());
    match rng.random_range(0..10) {
        0 => drop(fields.remove(at)),
        1 => {
            let twice = fields[at].clone();
            let size = write(std::slice::from_ref(&twice)).len().max(1);
            let count = if rng.random_ratio(1, 300) {
                100_000.min(INFLATED_BYTES_MAX / size)
            } else {
                1
            };
            fields.extend(std::iter::repeat_n(twice, count));
        }
        2 => fields[at].key = number(fields[at].key, rng),
        3 => fields.reverse(),
        _ => {
            fields[at].value = match &fields[at].value {
                Value::Number(found) => Value::Number(number(*found, rng)),
                Value::Wide(wide) => Value::Wide(bend_raw(wide.clone(), rng)),
                Value::Bytes(content) if rng.random_bool(0.8) => Value::Bytes(bend(content, depth - 1, rng)),
                Value::Bytes(content) => Value::Bytes(bend_raw(content.clone(), rng)),
            }
        }
    }
    write(&fields)
}

/// Where the fields are a length and as many compressed bytes: bends what is inside and compresses it again.
fn bend_packed(fields: &[Field], depth: u32, rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let [
        Field {
            key: 8,
            value: Value::Number(raw_len),
        },
        Field {
            key: 18,
            value: Value::Bytes(body),
        },
    ] = fields
    else {
        return None;
    };
    let raw_len = usize::try_from(*raw_len).ok()?.min(INFLATED_BYTES_MAX);
    let raw = zstd::bulk::decompress(body, raw_len).ok()?;
    let raw = bend(&raw, depth - 1, rng);
    let body = zstd::bulk::compress(&raw, 1).ok()?;
    let declared = if rng.random_ratio(1, 20) {
        number(raw.len() as u64, rng)
    } else {
        raw.len() as u64
    };
    Some(write(&[
        Field {
            key: 8,
            value: Value::Number(declared),
        },
        Field {
            key: 18,
            value: Value::Bytes(body),
        },
    ]))
}

fn bend_raw(mut bytes: Vec<u8>, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let at = rng.random_range(0..=bytes.len());
    let until = rng.random_range(at..=bytes.len().min(at + 64));
    match rng.random_range(0..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = rng.random(),
        2 => drop(bytes.drain(at..until)),
        3 => {
            let twice = bytes[at..until].to_vec();
            drop(bytes.splice(at..at, twice));
        }
        4 => bytes.truncate(at),
        5 if rng.random_ratio(1, 50) => {
            let length = rng.random_range(1..1_000_000);
            bytes.resize(bytes.len() + length, rng.random_range(0..3));
        }
        _ => bytes.insert(at, rng.random()),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_parsed_as_protobuf_and_written_as_they_were() {
        for (shape, bytes) in FrameTarget::new().corpus {
            assert_eq!(write(&parse(&bytes).expect("protobuf")), bytes, "{shape:?}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_verdict_and_inputs_reach_both() {
        let target = FrameTarget::new();
        let taken = (0..1_000)
            .filter(|seed| {
                let verdict = target.decode(*seed);
                assert_eq!(verdict, target.decode(*seed));
                verdict.expect("comes back the same")
            })
            .count();
        assert!((100..900).contains(&taken), "{taken} of 1,000");
    }
}
