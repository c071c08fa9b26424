//! Sealed files come back as they were written, or not at all.

use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_sync::batch_file::{DownHead, UpHead};
use rollcall_sync::message::Cursor;

use super::*;
use crate::convert::samples::{Noise, hello, hello_ack, server_frames};
use rollcall_sync::message::ServerFrame;

fn head() -> UpPart {
    UpPart::Head(Box::new(UpHead {
        file_id: [1; 16],
        made_ms: 1_735_870_269_123,
        certificate: "4a01".to_owned(),
        answer_to: [2; 32],
        whole: true,
        from: Cursor {
            position: 7,
            chain: [3; 32],
        },
        apart: vec![rollcall_core::id::DocumentId([4; 16])],
        hello: hello(),
    }))
}

struct Desk {
    folder: tempfile::TempDir,
    reader: SealKey,
    writer: SigningKey,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            reader: SealKey::generate(),
            writer: SigningKey::generate().expect("random"),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn write<P: FilePart>(&self, parts: &[P]) -> Vec<u8> {
        let mut writer = SealedWriter::begin(Vec::new(), &self.reader.recipient()).expect("begins");
        for part in parts {
            writer.add(part).expect("fits");
        }
        writer.finish(&self.writer).expect("ends")
    }

    /// Reads bytes as a file, all of it; the code of what is wrong.
    fn read<P: FilePart>(&self, bytes: &[u8]) -> Result<(P, Vec<P>), String> {
        std::fs::write(self.path(), bytes).expect("written");
        let told = |error: FileError| error.code().to_owned();
        let file = SealedFile::<P>::open(&self.path(), &self.reader).map_err(told)?;
        file.check_signature(&self.writer.verifying_key()).map_err(told)?;
        let parts = file.parts().map_err(told)?;
        let parts = parts.collect::<Result<Vec<P>, _>>().map_err(told)?;
        Ok((file.head, parts))
    }
}

fn up_parts() -> Vec<UpPart> {
    let mut noise = Noise::new(3);
    let batch = |noise: &mut Noise| UpPart::Batch(Box::new(noise.batch(3, 2, 90)));
    vec![head(), batch(&mut noise), batch(&mut noise)]
}

#[test]
fn a_file_comes_back_as_it_was_written() {
    let desk = Desk::new();
    let parts = up_parts();
    let (head, rest) = desk.read::<UpPart>(&desk.write(&parts)).expect("reads");
    assert_eq!([vec![head], rest].concat(), parts);

    let mut noise = Noise::new(4);
    let ends = (StoreId([5; 16]), LogEpoch([6; 8]));
    let answer_head = |known_peer, refusal| {
        DownPart::Head(Box::new(DownHead {
            file_id: [1; 16],
            node: ends,
            known_peer,
            whole: false,
            acks_from: Cursor::default(),
            down_from: 9,
            ack: hello_ack(),
            refusal,
        }))
    };
    let mut parts = vec![
        answer_head(Some(ends), None),
        answer_head(None, Some(("CLONED".to_owned(), "Copied.".to_owned()))),
        DownPart::Batch(Box::new(noise.batch(2, 1, 50))),
    ];
    for frame in server_frames() {
        match frame {
            ServerFrame::Ack(ack) => parts.push(DownPart::Ack(ack)),
            ServerFrame::Receipt(receipt) => parts.push(DownPart::Receipt(receipt)),
            _ => {}
        }
    }
    assert!(parts.len() > 4, "acks and receipts are among the samples");
    let (head, rest) = desk.read::<DownPart>(&desk.write(&parts)).expect("reads");
    assert_eq!([vec![head], rest].concat(), parts);
}

#[test]
fn a_file_that_was_cut_or_changed_anywhere_is_refused() {
    let desk = Desk::new();
    let bytes = desk.write(&up_parts());
    let start = HEADER_BYTES + OPENER_BYTES + 4;
    let places = || {
        (0..start)
            .chain((start..bytes.len()).step_by(13))
            .chain([bytes.len() - 1])
    };
    for length in places() {
        let code = desk.read::<UpPart>(&bytes[..length]).expect_err("cut");
        let expected = if length < HEADER_BYTES {
            "ENVELOPE_FORMAT"
        } else {
            "ENVELOPE_DAMAGED"
        };
        assert_eq!(code, expected, "cut to {length}");
    }
    for index in places() {
        let mut flipped = bytes.clone();
        flipped[index] ^= 0x20;
        let code = desk.read::<UpPart>(&flipped).expect_err("flipped");
        let expected = match index {
            0..14 => "ENVELOPE_FORMAT",
            14 => "ENVELOPE_NEWER",
            15 => "ENVELOPE_KIND",
            16..24 => "ENVELOPE_READER",
            _ => "ENVELOPE_DAMAGED",
        };
        assert_eq!(code, expected, "flipped at {index}");
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert_eq!(
        desk.read::<UpPart>(&longer).expect_err("longer"),
        "ENVELOPE_DAMAGED"
    );
    assert_eq!(
        desk.read::<DownPart>(&bytes).expect_err("a file from a node"),
        "ENVELOPE_KIND"
    );
}

#[test]
fn parts_cannot_be_left_out_doubled_or_moved() {
    let desk = Desk::new();
    let bytes = desk.write(&up_parts());
    let start = HEADER_BYTES + OPENER_BYTES;
    let mut parts = Vec::new();
    let mut rest = &bytes[start..];
    while let Some((length, _)) = rest.split_first_chunk::<4>() {
        let (part, after) = rest.split_at(4 + u32::from_be_bytes(*length) as usize);
        parts.push(part);
        rest = after;
    }
    assert_eq!(parts.len(), 4, "head, two batches, signature");
    let file = |order: &[usize]| {
        let chosen = order.iter().flat_map(|index| parts[*index].iter().copied());
        [&bytes[..start], &chosen.collect::<Vec<u8>>()].concat()
    };
    desk.read::<UpPart>(&file(&[0, 1, 2, 3]))
        .expect("the file itself");
    for order in [
        &[0, 1, 3][..],
        &[0, 1, 1, 2, 3],
        &[0, 2, 1, 3],
        &[0, 1, 2],
        &[0, 1, 2, 3, 3],
    ] {
        let code = desk.read::<UpPart>(&file(order)).expect_err("other parts");
        assert_eq!(code, "ENVELOPE_DAMAGED", "{order:?}");
    }
}

#[test]
fn only_its_writer_signs_and_only_for_its_reader() {
    let desk = Desk::new();
    let other = Desk::new();
    let bytes = desk.write(&up_parts());
    std::fs::write(desk.path(), &bytes).expect("written");
    let file = SealedFile::<UpPart>::open(&desk.path(), &desk.reader).expect("whole");
    let error = file
        .check_signature(&other.writer.verifying_key())
        .expect_err("another key");
    assert_eq!(error.code(), "SIGNATURE_BAD");
    let error = SealedFile::<UpPart>::open(&desk.path(), &other.reader)
        .err()
        .expect("not for it");
    assert_eq!(error.code(), "ENVELOPE_READER");

    // One who may read it cannot pass it on as if it had been written for another.
    let passed_on = SealedFile {
        path: file.path.clone(),
        key: &other.reader,
        head: head(),
        digest: file.digest,
        signature: file.signature,
    };
    passed_on
        .check_signature(&desk.writer.verifying_key())
        .expect_err("signed for another reader");

    // Nor can the file be exchanged between being checked and being taken.
    let replaced = desk.write(&up_parts()[..2]);
    std::fs::write(desk.path(), replaced).expect("written");
    let last = file.parts().expect("opens").last().expect("an end");
    assert_eq!(last.expect_err("another file").code(), "ENVELOPE_DAMAGED");
}

#[test]
fn a_file_or_a_part_above_its_limit_is_refused() {
    let desk = Desk::new();
    let bytes = desk.write(&up_parts());
    std::fs::write(desk.path(), &bytes).expect("written");
    let file = File::options().write(true).open(desk.path()).expect("opens");
    file.set_len(FILE_BYTES_MAX + 1).expect("grows without content");
    let error = SealedFile::<UpPart>::open(&desk.path(), &desk.reader)
        .err()
        .expect("too big");
    assert_eq!(error.code(), "ENVELOPE_TOO_BIG");

    struct Big;
    impl FilePart for Big {
        const KIND: u8 = 9;
        fn to_bytes(&self) -> Result<Vec<u8>, RpcError> {
            Ok(vec![0; FILE_PART_BYTES_MAX + 1])
        }
        fn from_bytes(_: &[u8]) -> Result<Self, RpcError> {
            Ok(Self)
        }
    }
    let mut writer = SealedWriter::begin(Vec::new(), &desk.reader.recipient()).expect("begins");
    assert_eq!(writer.add(&Big).expect_err("too big").code(), "ENVELOPE_TOO_BIG");
}
