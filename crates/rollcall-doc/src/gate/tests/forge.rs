//! Makes changes byte by byte, right ones and wrong ones.

use sha2::{Digest, Sha256};

use crate::document::Document;

/// An unsigned LEB128 number.
pub(super) fn unsigned(mut value: u64) -> Vec<u8> {
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
pub(super) fn signed(mut value: i64) -> Vec<u8> {
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
pub(super) fn with_checksum(mut chunk: Vec<u8>) -> Vec<u8> {
    let digest = Sha256::digest(&chunk[8..]);
    chunk[4..8].copy_from_slice(&digest[..4]);
    chunk
}

/// A change that sets the agreed value `name` at the root, to be bent.
#[derive(Clone)]
pub(super) struct Forge {
    deps: Vec<[u8; 32]>,
    actor: Vec<u8>,
    seq: u64,
    start_op: u64,
    time: i64,
    message: String,
    others: Vec<Vec<u8>>,
    columns: Vec<(u64, Vec<u8>)>,
    footer: Vec<u8>,
}

impl Forge {
    /// A right change at the heads of a document.
    pub(super) fn after(document: &Document) -> Self {
        let max_op = document
            .automerge()
            .get_changes_meta(&[])
            .iter()
            .map(|change| change.max_op)
            .max();
        let forge = Self {
            deps: document.heads(),
            actor: vec![7; 16],
            seq: 1,
            start_op: max_op.unwrap_or(0) + 1,
            time: 1_700_000_000,
            message: String::new(),
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

    /// Replaces a column; an empty one is left out.
    pub(super) fn column(mut self, spec: u64, bytes: Vec<u8>) -> Self {
        self.columns.retain(|(known, _)| *known != spec);
        if !bytes.is_empty() {
            self.columns.push((spec, bytes));
            self.columns.sort();
        }
        self
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.column(
            21,
            [signed(-1), unsigned(key.len() as u64), key.as_bytes().to_vec()].concat(),
        )
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.raw_value(6, text.as_bytes())
    }

    pub(super) fn raw_value(self, form: u64, raw: &[u8]) -> Self {
        let meta = [signed(-1), unsigned(((raw.len() as u64) << 4) | form)].concat();
        self.column(86, meta).column(87, raw.to_vec())
    }

    /// Writes into the object that another actor made with this operation.
    pub(super) fn inside(mut self, actor: [u8; 16], counter: u64) -> Self {
        self.others = vec![actor.to_vec()];
        self.column(1, [signed(-1), unsigned(1)].concat())
            .column(2, [signed(-1), unsigned(counter)].concat())
    }

    /// Claims to replace an operation.
    pub(super) fn replaces(self, actor: u64, counter: i64) -> Self {
        self.column(112, [signed(-1), unsigned(1)].concat())
            .column(113, [signed(-1), unsigned(actor)].concat())
            .column(115, [signed(-1), signed(counter)].concat())
    }

    /// The same operation many times.
    pub(super) fn repeat(self, count: i64) -> Self {
        let key = b"area_level";
        self.column(52, unsigned(count.unsigned_abs()))
            .column(66, [signed(count), unsigned(1)].concat())
            .column(112, [signed(count), unsigned(0)].concat())
            .column(
                21,
                [signed(count), unsigned(key.len() as u64), key.to_vec()].concat(),
            )
            .column(86, [signed(count), unsigned(0x16)].concat())
            .column(87, vec![b'x'; usize::try_from(count).expect("a count")])
    }

    pub(super) fn without_operations(mut self) -> Self {
        self.columns.clear();
        self
    }

    pub(super) fn seq(self, seq: u64) -> Self {
        Self { seq, ..self }
    }

    pub(super) fn start_op(self, start_op: u64) -> Self {
        Self { start_op, ..self }
    }

    pub(super) fn ahead(self, by: u64) -> Self {
        let start_op = self.start_op - 1 + by;
        Self { start_op, ..self }
    }

    pub(super) fn actor(self, actor: &[u8]) -> Self {
        Self {
            actor: actor.to_vec(),
            ..self
        }
    }

    pub(super) fn others(self, others: &[&[u8]]) -> Self {
        Self {
            others: others.iter().map(|other| other.to_vec()).collect(),
            ..self
        }
    }

    pub(super) fn time(self, time: i64) -> Self {
        Self { time, ..self }
    }

    pub(super) fn message(self, message: &str) -> Self {
        Self {
            message: message.to_owned(),
            ..self
        }
    }

    pub(super) fn deps(self, deps: &[[u8; 32]]) -> Self {
        Self {
            deps: deps.to_vec(),
            ..self
        }
    }

    pub(super) fn footer(self, footer: &[u8]) -> Self {
        Self {
            footer: footer.to_vec(),
            ..self
        }
    }

    /// The chunk.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = unsigned(self.deps.len() as u64);
        self.deps.iter().for_each(|dep| body.extend(dep));
        body.extend(unsigned(self.actor.len() as u64));
        body.extend(&self.actor);
        body.extend(unsigned(self.seq));
        body.extend(unsigned(self.start_op));
        body.extend(signed(self.time));
        body.extend(unsigned(self.message.len() as u64));
        body.extend(self.message.as_bytes());
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
        let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1];
        chunk.extend(unsigned(body.len() as u64));
        chunk.extend(body);
        with_checksum(chunk)
    }
}
