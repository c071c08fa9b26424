//! Rows of lists and search: what is found by typing, filtered and paged. Derived and rebuilt at will.
//! The caller folds search text and query the same way (width, case); this module compares bytes.

use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use crate::error::Error;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};

/// What lists show of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Valid credit code.
    pub code: Option<String>,
    /// As shown and sorted by.
    pub name: String,
    /// Everything it may be found by, folded: names, former names, codes, initials.
    pub search: String,
    /// Responsible federation.
    pub home: Option<FederationId>,
    /// Open conflicts.
    pub conflicts: u32,
    /// Time of the last change, Unix milliseconds.
    pub updated_at_ms: i64,
    /// JSON: what else a row shows.
    pub columns: String,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingRow {
    /// Which document.
    pub document_id: DocumentId,
    /// Which kind.
    pub kind: DocumentKind,
    /// What is shown.
    pub listing: Listing,
    /// Position of its last change; [`crate::UNSENT`] while one has none.
    pub position: u64,
}

/// What a document is found by, on its way to an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedName<'r> {
    /// Which document.
    pub document_id: DocumentId,
    /// As shown and sorted by.
    pub name: &'r str,
    /// Everything it may be found by, folded.
    pub search: &'r str,
    /// Open conflicts.
    pub conflicts: u32,
}

/// Which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListingOrder {
    /// By name, then id.
    #[default]
    Name,
    /// By code, those without last.
    Code,
    /// Last changed first.
    Updated,
    /// Most conflicts first.
    Conflicts,
}

/// Which rows of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListingQuery {
    /// One kind only.
    pub kind: Option<DocumentKind>,
    /// Words, each of which must occur in the search text; folded.
    pub text: String,
    /// One responsible federation only.
    pub home: Option<FederationId>,
    /// Documents of this scope only, visitors included.
    pub scope: Option<FederationId>,
    /// With open conflicts only.
    pub with_conflicts: bool,
    /// With changes that have no position only.
    pub unsent: bool,
    /// In which order.
    pub order: ListingOrder,
    /// Rows to skip.
    pub offset: usize,
    /// Rows to give.
    pub limit: usize,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListingPage {
    /// Its rows.
    pub rows: Vec<ListingRow>,
    /// How many rows there are without paging.
    pub total: u64,
}

macro_rules! columns {
    () => {
        "l.document_id, l.kind, l.code, l.name, l.search, l.home, l.conflicts, l.updated_at_ms, l.columns, l.position"
    };
}

fn conflicts(row: &rusqlite::Row<'_>, index: usize) -> Result<u32, Error> {
    u32::try_from(row.i64(index)?).map_err(|_| Error::Damaged("a conflict count"))
}

fn listing_row(row: &rusqlite::Row<'_>) -> Result<ListingRow, Error> {
    let home = row
        .text_or_none(5)?
        .map(|home| home.parse().map_err(|_| Error::Damaged("a federation")));
    Ok(ListingRow {
        document_id: row.document_id(0)?,
        kind: row.kind(1)?,
        listing: Listing {
            code: row.text_or_none(2)?,
            name: row.text(3)?,
            search: row.text(4)?,
            home: home.transpose()?,
            conflicts: conflicts(row, 6)?,
            updated_at_ms: row.i64(7)?,
            columns: row.text(8)?,
        },
        position: row.u64(9)?,
    })
}

impl Reader {
    /// A page of a list.
    pub fn listings(&self, query: &ListingQuery) -> Result<ListingPage, Error> {
        let (conditions, mut values) = conditions(query);
        let total = self.number(
            &format!("SELECT count(*) FROM listing l {conditions}"),
            params_from_iter(&values),
        )?;
        let order = match query.order {
            ListingOrder::Name => "l.name, l.document_id",
            ListingOrder::Code => "l.code IS NULL, l.code, l.document_id",
            ListingOrder::Updated => "l.updated_at_ms DESC, l.document_id",
            ListingOrder::Conflicts => "l.conflicts DESC, l.name, l.document_id",
        };
        values.push(to_i64(query.limit as u64).into());
        values.push(to_i64(query.offset as u64).into());
        let sql = format!(
            concat!(
                "SELECT ",
                columns!(),
                " FROM listing l {} ORDER BY {} LIMIT ? OFFSET ?"
            ),
            conditions, order
        );
        Ok(ListingPage {
            rows: self.all(&sql, params_from_iter(&values), listing_row)?,
            total,
        })
    }

    /// Streams what each document of a kind is found by, in no particular order.
    pub fn listed_names(
        &self,
        kind: DocumentKind,
        mut f: impl FnMut(ListedName<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // Not by the index of names: going to and fro between it and the rows is dearer than to pass over the others.
        self.each(
            "SELECT document_id, name, search, conflicts FROM listing WHERE +kind = ?1",
            [kind.number()],
            |row| {
                f(ListedName {
                    document_id: row.document_id(0)?,
                    name: row.text_ref(1)?,
                    search: row.text_ref(2)?,
                    conflicts: conflicts(row, 3)?,
                })
            },
        )
    }

    /// The rows of certain documents, in the order given; those without a row are left out.
    pub fn listings_of(&self, documents: &[DocumentId]) -> Result<Vec<ListingRow>, Error> {
        let mut rows = Vec::with_capacity(documents.len());
        for document_id in documents {
            rows.extend(self.listing(*document_id)?);
        }
        Ok(rows)
    }

    /// One document's row.
    pub fn listing(&self, document_id: DocumentId) -> Result<Option<ListingRow>, Error> {
        self.one(
            concat!("SELECT ", columns!(), " FROM listing l WHERE l.document_id = ?1"),
            [document_id.as_bytes()],
            listing_row,
        )
    }

    /// The documents that have a code, as a list knows them: several where somebody entered it twice.
    pub fn listings_by_code(&self, code: &str) -> Result<Vec<ListingRow>, Error> {
        self.all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM listing l WHERE l.code = ?1 ORDER BY l.document_id"
            ),
            [code],
            listing_row,
        )
    }

    /// Documents of a kind that are at home in a scope while a list shows another federation as responsible: those that are
    /// handed over to it, and those that it gave away. The last changed first.
    pub fn listed_elsewhere(
        &self,
        scope: &FederationId,
        kind: DocumentKind,
        limit: usize,
    ) -> Result<Vec<ListingRow>, Error> {
        // From the list to the scope and not the other way: nearly all documents of a scope are listed as its own.
        self.all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM listing l CROSS JOIN scope_document m ON m.document_id = l.document_id AND m.scope = ?1 ",
                "WHERE m.home = 1 AND l.kind = ?2 AND (l.home < ?1 OR l.home > ?1) ",
                "ORDER BY l.updated_at_ms DESC, l.document_id LIMIT ?3"
            ),
            (scope.as_str(), kind.number(), to_i64(limit as u64)),
            listing_row,
        )
    }

    /// Open conflicts of all listed documents.
    pub fn conflicts_count(&self) -> Result<u64, Error> {
        self.number(
            "SELECT coalesce(sum(conflicts), 0) FROM listing WHERE conflicts > 0",
            [],
        )
    }
}

impl Writer {
    /// Writes a document's row in lists.
    pub fn save_listing(
        &mut self,
        document_id: DocumentId,
        kind: DocumentKind,
        listing: &Listing,
    ) -> Result<(), Error> {
        let position = self.last_position_of(document_id)?;
        self.write_listing(document_id, kind, listing, position)
    }

    /// Writes a document's row in lists; `position` is that of its last change, [`crate::UNSENT`] while one has none.
    pub(crate) fn write_listing(
        &mut self,
        document_id: DocumentId,
        kind: DocumentKind,
        listing: &Listing,
        position: u64,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO listing (document_id, kind, code, name, search, home, conflicts, updated_at_ms, columns, \
             position) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
             ON CONFLICT (document_id) DO UPDATE SET code = ?3, name = ?4, search = ?5, home = ?6, conflicts = ?7, \
             updated_at_ms = ?8, columns = ?9, position = ?10",
            params![
                document_id.as_bytes(),
                kind.number(),
                listing.code,
                listing.name,
                listing.search,
                listing.home.as_ref().map(FederationId::as_str),
                listing.conflicts,
                listing.updated_at_ms,
                listing.columns,
                to_i64(position)
            ],
        )?;
        Ok(())
    }

    /// Drops the rows of lists, to be rebuilt.
    pub fn drop_listing(&mut self, document_id: DocumentId) -> Result<(), Error> {
        self.run(
            "DELETE FROM listing WHERE document_id = ?1",
            [document_id.as_bytes()],
        )?;
        Ok(())
    }

    /// Moves a document's row to the position of its last change.
    pub(crate) fn place_listing(&mut self, document_id: DocumentId, position: u64) -> Result<(), Error> {
        self.run(
            "UPDATE listing SET position = ?2 WHERE document_id = ?1 AND position <> ?2",
            (document_id.as_bytes(), to_i64(position)),
        )?;
        Ok(())
    }
}

fn conditions(query: &ListingQuery) -> (String, Vec<Value>) {
    let mut conditions: Vec<&str> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    if let Some(kind) = query.kind {
        conditions.push("l.kind = ?");
        values.push(i64::from(kind.number()).into());
    }
    if let Some(home) = &query.home {
        conditions.push("l.home = ?");
        values.push(home.as_str().to_owned().into());
    }
    if let Some(scope) = &query.scope {
        conditions.push(
            "EXISTS (SELECT 1 FROM scope_document m WHERE m.document_id = l.document_id AND m.scope = ?)",
        );
        values.push(scope.as_str().to_owned().into());
    }
    if query.with_conflicts {
        conditions.push("l.conflicts > 0");
    }
    if query.unsent {
        conditions.push("l.position = ?");
        values.push(to_i64(crate::UNSENT).into());
    }
    for word in query.text.split_whitespace() {
        conditions.push("instr(l.search, ?) > 0");
        values.push(word.to_owned().into());
    }
    let text = if conditions.is_empty() {
        String::new()
    } else {
        format!("WHERE {}", conditions.join(" AND "))
    };
    (text, values)
}

#[cfg(test)]
mod tests;
