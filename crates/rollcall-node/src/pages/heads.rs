//! The heads that a form shows: written into it, read back, and the document as it stood at them.

use rollcall_core::id::DocumentId;
use rollcall_doc::Document;
use rollcall_replica::Replica;
use rollcall_web::Error;

/// The heads of a document as a form carries them: hexadecimal, separated by commas.
pub(super) fn text(document: &Document) -> String {
    let heads = document.heads().into_iter().map(crate::organisation::hex);
    heads.collect::<Vec<_>>().join(",")
}

/// Reads them back.
pub(super) fn parse(text: &str) -> Option<Vec<[u8; 32]>> {
    let parse = |text: &str| {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(hash)
    };
    text.split(',').map(parse).collect()
}

/// The document as a form with these heads showed it; `None` where it never stood so. Changes are stored in the order
/// in which they came, so a past state is a beginning of them.
pub(super) fn document_at(
    replica: &Replica,
    id: DocumentId,
    heads: &[[u8; 32]],
) -> Result<Option<Document>, rollcall_replica::Error> {
    let Some((row, changes)) = replica.store().read(|reader| reader.load(id))? else {
        return Ok(None);
    };
    let Some(last) = changes.iter().rposition(|change| heads.contains(&change.hash)) else {
        return Ok(None);
    };
    let then = changes
        .iter()
        .take(last + 1)
        .map(|change| change.bytes.as_slice());
    let document =
        Document::load(row.kind, id, then).map_err(|source| rollcall_replica::Error::Document {
            id,
            source: Box::new(source),
        })?;
    let mut wanted = heads.to_vec();
    wanted.sort_unstable();
    Ok((document.heads() == wanted).then_some(document))
}

/// The refusal of a form whose heads are not known.
pub(super) fn unknown() -> Error {
    let message =
        "The form shows a state of this record that is not known here. Open it again and edit anew.";
    Error::refused("HEADS_UNKNOWN", message)
}
