//! Changes made byte by byte for the tests of the gate: what each attack bends.

use crate::fuzz::forge::{Forge, signed, unsigned};

impl Forge {
    /// Writes into the object that another actor made with this operation.
    pub(super) fn inside(mut self, actor: [u8; 16], counter: u64) -> Self {
        self.others = vec![actor.to_vec()];
        self.column(1, [signed(-1), unsigned(1)].concat())
            .column(2, [signed(-1), unsigned(counter)].concat())
    }

    /// So many names in the container that the genesis actor made with this operation, each once.
    pub(super) fn names(mut self, (actor, counter): ([u8; 16], u64), count: i64) -> Self {
        let run = |value: u64| [signed(count), unsigned(value)].concat();
        self.others = vec![actor.to_vec()];
        let mut keys = signed(-count);
        for number in 0..count {
            let key = format!("{number:x}");
            keys.extend(unsigned(key.len() as u64));
            keys.extend(key.as_bytes());
        }
        self.column(1, run(1))
            .column(2, run(counter))
            .column(21, keys)
            .column(52, unsigned(count.unsigned_abs()))
            .column(66, run(1))
            .column(86, run(2))
            .column(87, Vec::new())
            .column(112, run(0))
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
            message: message.as_bytes().to_vec(),
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
}
