//! Writing the register out: records of every document held, lists of organisations and unions. Streams.

use std::collections::BTreeSet;
use std::io::{Seek, Write};

use rollcall_core::date::Day;
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::record::Record;
use rollcall_exchange::{ListFormat, ListWriter, RecordWriter, organisation_cells, organisation_heads};

use crate::error::Error;
use crate::replica::Replica;

/// Documents read at a time.
const PAGE: usize = 500;

impl Replica {
    /// Writes every document as a record, sorted by kind and id so that equal content gives equal files; how many.
    ///
    /// # Errors
    /// The store's or the file's.
    pub fn export_records<W: Write>(&self, out: W) -> Result<u64, Error> {
        let mut writer = RecordWriter::new(out);
        let mut count = 0;
        for kind in DocumentKind::ALL {
            self.each_document(kind, |_, record| {
                count += 1;
                Ok(writer.write(&record)?)
            })?;
        }
        writer.finish()?;
        Ok(count)
    }

    /// Writes the organisations as a list with text cells, only those in `only` where it is given; how many.
    ///
    /// # Errors
    /// The store's or the file's.
    pub fn export_list<W: Write + Seek + Send>(
        &self,
        format: ListFormat,
        out: W,
        as_of: Day,
        only: Option<&BTreeSet<DocumentId>>,
    ) -> Result<u64, Error> {
        let heads = organisation_heads();
        let mut writer = ListWriter::begin(format, out, &heads)?;
        let mut count = 0;
        self.each_document(DocumentKind::Organisation, |id, record| {
            let wanted = only.is_none_or(|only| only.contains(&id));
            if let Record::Organisation(record) = record
                && wanted
            {
                count += 1;
                writer.row(&organisation_cells(id, &record, as_of))?;
            }
            Ok(())
        })?;
        writer.finish()?;
        Ok(count)
    }

    fn each_document(
        &self,
        kind: DocumentKind,
        mut f: impl FnMut(DocumentId, Record) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.read(|reader| Ok(reader.documents(after, PAGE)?))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.document_id);
            for row in page.iter().filter(|row| row.kind == kind) {
                f(row.document_id, self.record(row.document_id)?.0)?;
            }
        }
    }
}
