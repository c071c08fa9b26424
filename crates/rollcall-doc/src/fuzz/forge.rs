//! A change taken apart into what its bytes say, to be bent and put together again, right or wrong.
//! Owns the layout of a chunk as attackers use it; nothing here is asked whether a change may pass.

use sha2::{Digest, Sha256};

use crate::document::Document;
use crate::gate::bytes::Bytes;

/// The first four bytes of every chunk.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Where the length begins: after magic, checksum and type.
const LENGTH_AT: usize = 9;

/// An unsigned LEB128 number.
pub(crate) fn unsigned(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A signed LEB128 number.
pub(crate) fn signed(mut value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if (value == 0 && low & 0x40 == 0) || (value == -1 && low & 0x40 != 0) {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// The same chunk with the checksum that its content has.
pub(crate) fn with_checksum(mut chunk: Vec<u8>) -> Vec<u8> {
    if let Some(content) = chunk.get(8..) {
        let digest = Sha256::digest(content);
        chunk[4..8].copy_from_slice(&digest[..4]);
    }
    chunk
}

/// A change in its parts.
#[derive(Debug, Clone)]
pub(crate) struct Forge {
    /// Hashes of the changes it follows.
    pub(crate) deps: Vec<[u8; 32]>,
    /// Who made it.
    pub(crate) actor: Vec<u8>,
    /// Its number among the actor's changes.
    pub(crate) seq: u64,
    /// Counter of its first operation.
    pub(crate) start_op: u64,
    /// Seconds since 1970.
    pub(crate) time: i64,
    /// Reason.
    pub(crate) message: Vec<u8>,
    /// Further actors.
    pub(crate) others: Vec<Vec<u8>>,
    /// Columns by specification.
    pub(crate) columns: Vec<(u64, Vec<u8>)>,
    /// What follows the columns.
    pub(crate) footer: Vec<u8>,
}

impl Forge {
    /// A right change at the heads of a document: sets the agreed value `area_level`, which a union has.
    pub(crate) fn after(document: &Document) -> Self {
        let changes = document.automerge().get_changes_meta(&[]);
        let max_op = changes.iter().map(|change| change.max_op).max();
        let forge = Self {
            deps: document.heads(),
            actor: vec![7; 16],
            seq: 1,
            start_op: max_op.unwrap_or(0) + 1,
            time: 1_700_000_000,
            message: Vec::new(),
            others: Vec::new(),
            columns: Vec::new(),
            footer: b"\x01\x08330106/7".to_vec(),
        };
        forge
            .column(52, unsigned(1))
            .column(66, [signed(-1), unsigned(1)].concat())
            .column(112, [signed(-1), unsigned(0)].concat())
            .key("area_level")
            .text("village")
    }

    /// The parts of a plain change whose layout can be followed, whatever they say.
    pub(crate) fn read(chunk: &[u8]) -> Option<Self> {
        let mut bytes = Bytes::new(chunk.get(LENGTH_AT..)?);
        bytes.unsigned()?;
        let mut deps = Vec::new();
        for _ in 0..bytes.unsigned()? {
            deps.push(bytes.hash()?);
        }
        let length = bytes.unsigned()?;
        let actor = bytes.take(length)?.to_vec();
        let (seq, start_op, time) = (bytes.unsigned()?, bytes.unsigned()?, bytes.signed()?);
        let length = bytes.unsigned()?;
        let message = bytes.take(length)?.to_vec();
        let mut others = Vec::new();
        for _ in 0..bytes.unsigned()? {
            let length = bytes.unsigned()?;
            others.push(bytes.take(length)?.to_vec());
        }
        let mut heads = Vec::new();
        for _ in 0..bytes.unsigned()? {
            heads.push((bytes.unsigned()?, bytes.unsigned()?));
        }
        let mut columns = Vec::new();
        for (spec, length) in heads {
            columns.push((spec, bytes.take(length)?.to_vec()));
        }
        Some(Self {
            deps,
            actor,
            seq,
            start_op,
            time,
            message,
            others,
            columns,
            footer: bytes.rest().to_vec(),
        })
    }

    /// Replaces a column; an empty one is left out.
    pub(crate) fn column(mut self, spec: u64, bytes: Vec<u8>) -> Self {
        self.columns.retain(|(known, _)| *known != spec);
        if !bytes.is_empty() {
            self.columns.push((spec, bytes));
            self.columns.sort();
        }
        self
    }

    /// One operation at this key.
    pub(crate) fn key(self, key: &str) -> Self {
        let key = [signed(-1), unsigned(key.len() as u64), key.as_bytes().to_vec()].concat();
        self.column(21, key)
    }

    /// Which sets this text.
    pub(crate) fn text(self, text: &str) -> Self {
        self.raw_value(6, text.as_bytes())
    }

    /// Which sets a value of this form.
    pub(crate) fn raw_value(self, form: u64, raw: &[u8]) -> Self {
        let meta = [signed(-1), unsigned(((raw.len() as u64) << 4) | form)].concat();
        self.column(86, meta).column(87, raw.to_vec())
    }

    /// The chunk, with the checksum it should have.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = unsigned(self.deps.len() as u64);
        self.deps.iter().for_each(|dep| body.extend(dep));
        body.extend(unsigned(self.actor.len() as u64));
        body.extend(&self.actor);
        body.extend(unsigned(self.seq));
        body.extend(unsigned(self.start_op));
        body.extend(signed(self.time));
        body.extend(unsigned(self.message.len() as u64));
        body.extend(&self.message);
        body.extend(unsigned(self.others.len() as u64));
        for other in &self.others {
            body.extend(unsigned(other.len() as u64));
            body.extend(other);
        }
        body.extend(unsigned(self.columns.len() as u64));
        for (spec, bytes) in &self.columns {
            body.extend(unsigned(*spec));
            body.extend(unsigned(bytes.len() as u64));
        }
        self.columns.iter().for_each(|(_, bytes)| body.extend(bytes));
        body.extend(&self.footer);
        let mut chunk = [&MAGIC[..], &[0; 4], &[1]].concat();
        chunk.extend(unsigned(body.len() as u64));
        chunk.extend(body);
        with_checksum(chunk)
    }
}
