//! A list of entries of one record as a table, with where a new one is made and where each is changed.
//! Owns the view; drawn by `entries_partial.html` inside the page of the record.

/// The list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryTable {
    /// Name of the list, as in records; the anchor on the page.
    pub name: &'static str,
    /// What it is called, in the reader's language.
    pub title: String,
    /// Heads of the columns.
    pub columns: Vec<EntryColumn>,
    /// The entries, newest first.
    pub rows: Vec<EntryRow>,
    /// Where an entry is made; `None` where the account may not.
    pub new_href: Option<String>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryColumn {
    /// Its head.
    pub title: String,
    /// Whether it holds numbers.
    pub number: bool,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// One text a column, in the reader's language; empty for nothing.
    pub cells: Vec<String>,
    /// Where it is changed, taken back or reversed; `None` where the account may not.
    pub edit_href: Option<String>,
    /// What the link is called, a key.
    pub edit_key: &'static str,
    /// Cancelled by a reversal.
    pub cancelled: bool,
}

impl EntryTable {
    /// The cells of an entry with whether they are numbers.
    pub fn cells<'a>(&'a self, row: &'a EntryRow) -> impl Iterator<Item = (&'a str, bool)> {
        row.cells
            .iter()
            .zip(&self.columns)
            .map(|(text, column)| (text.as_str(), column.number))
    }
}
