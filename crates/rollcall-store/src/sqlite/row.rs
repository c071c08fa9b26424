//! Columns to values and back: fixed-length blobs, positions, federations. A value of the wrong shape is damage.

use rollcall_core::id::{ActorId, DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};
use rusqlite::Row;

use crate::Hash;
use crate::error::{Error, engine};

/// Typed access to the columns of a row.
pub(crate) trait RowExt {
    fn blob(&self, index: usize) -> Result<&[u8], Error>;
    fn i64(&self, index: usize) -> Result<i64, Error>;
    fn text(&self, index: usize) -> Result<String, Error>;
    fn text_ref(&self, index: usize) -> Result<&str, Error>;
    fn text_or_none(&self, index: usize) -> Result<Option<String>, Error>;
    fn i64_or_none(&self, index: usize) -> Result<Option<i64>, Error>;

    fn bytes<const N: usize>(&self, index: usize) -> Result<[u8; N], Error> {
        self.blob(index)?
            .try_into()
            .map_err(|_| Error::Damaged("a blob's length"))
    }
    fn u64(&self, index: usize) -> Result<u64, Error> {
        u64::try_from(self.i64(index)?).map_err(|_| Error::Damaged("a count or position"))
    }
    fn bool(&self, index: usize) -> Result<bool, Error> {
        Ok(self.i64(index)? != 0)
    }
    fn hash(&self, index: usize) -> Result<Hash, Error> {
        self.bytes(index)
    }
    fn document_id(&self, index: usize) -> Result<DocumentId, Error> {
        self.bytes(index).map(DocumentId)
    }
    fn store_id(&self, index: usize) -> Result<StoreId, Error> {
        self.bytes(index).map(StoreId)
    }
    fn log_epoch(&self, index: usize) -> Result<LogEpoch, Error> {
        self.bytes(index).map(LogEpoch)
    }
    fn actor_id(&self, index: usize) -> Result<ActorId, Error> {
        self.bytes(index).map(ActorId)
    }
    fn kind(&self, index: usize) -> Result<DocumentKind, Error> {
        let number = u8::try_from(self.i64(index)?).ok();
        number
            .and_then(DocumentKind::from_number)
            .ok_or(Error::Damaged("a document kind"))
    }
    fn federation(&self, index: usize) -> Result<FederationId, Error> {
        self.text(index)?
            .parse()
            .map_err(|_| Error::Damaged("a federation"))
    }
    fn federations(&self, index: usize) -> Result<Vec<FederationId>, Error> {
        serde_json::from_str(&self.text(index)?).map_err(|_| Error::Damaged("a list of federations"))
    }
}

impl RowExt for Row<'_> {
    fn blob(&self, index: usize) -> Result<&[u8], Error> {
        let value = self.get_ref(index).map_err(engine)?;
        value.as_blob().map_err(|_| Error::Damaged("a blob"))
    }

    fn i64(&self, index: usize) -> Result<i64, Error> {
        self.get(index).map_err(engine)
    }

    fn text(&self, index: usize) -> Result<String, Error> {
        self.get(index).map_err(engine)
    }

    fn text_ref(&self, index: usize) -> Result<&str, Error> {
        let value = self.get_ref(index).map_err(engine)?;
        value.as_str().map_err(|_| Error::Damaged("a text"))
    }

    fn text_or_none(&self, index: usize) -> Result<Option<String>, Error> {
        self.get(index).map_err(engine)
    }

    fn i64_or_none(&self, index: usize) -> Result<Option<i64>, Error> {
        self.get(index).map_err(engine)
    }
}

/// A count or position as the engine stores it. Everything counted here stays below 2^63.
pub(crate) fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Hashes laid end to end.
pub(crate) fn hashes_of(blob: &[u8]) -> Result<Vec<Hash>, Error> {
    let (hashes, rest) = blob.as_chunks::<32>();
    if rest.is_empty() {
        Ok(hashes.to_vec())
    } else {
        Err(Error::Damaged("a list of hashes"))
    }
}
