//! The rows of an answer, kept in small: a row is its numbers and which place and which profile it is of; what these
//! are called stands once for all rows. Owns how a reader gets rows out of it, in their stable order.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::date::Day;

use super::{Completeness, Dimension, Figures, RowCounts, RowKey, UnionCounts};

/// One row, as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FiguresRow {
    /// Which.
    pub key: RowKey,
    /// Its name for a reader.
    pub name: String,
    /// Date of the row, in a series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Day>,
    /// The numbers.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A text that many rows show.
#[derive(Debug, Clone)]
pub enum Text {
    /// A term of the field.
    Term(&'static str),
    /// A federation's code or name.
    Federation(Arc<str>),
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Self::Term(text) => text,
            Self::Federation(text) => text,
        }
    }

    fn to_cow(&self) -> Cow<'static, str> {
        match self {
            Self::Term(text) => Cow::Borrowed(text),
            Self::Federation(text) => Cow::Owned(text.as_ref().to_owned()),
        }
    }
}

/// What the rows of one place on one date have in common.
#[derive(Debug, Clone, Default)]
pub struct PlacePart {
    /// Its values in the place dimensions asked for, in their order; `None`: the remainder.
    pub values: Vec<Option<Text>>,
    /// What these are called.
    pub names: Vec<Text>,
    /// The date, in a series.
    pub as_of: Option<Day>,
    /// Every established union of the place.
    pub unions_all: Option<UnionCounts>,
    /// Whose answers the rows are, but for their organisations.
    pub completeness: Completeness,
}

/// What the rows of one profile have in common.
#[derive(Debug, Clone, Default)]
pub struct ProfilePart {
    /// Its values in the other dimensions asked for, in their order; `None`: the remainder.
    pub values: Vec<Option<Text>>,
    /// What these are called.
    pub names: Vec<Text>,
}

/// A row in small.
#[derive(Debug, Clone, Copy)]
pub struct TableRow {
    /// Index of its place part.
    pub place: u32,
    /// Index of its profile part.
    pub profile: u32,
    /// Its numbers.
    pub counts: RowCounts,
}

/// Rows in stable order. Tables are equal when their rows are, however they are kept.
#[derive(Clone, Default)]
pub struct FiguresTable {
    by: Vec<Dimension>,
    places: Vec<PlacePart>,
    profiles: Vec<ProfilePart>,
    rows: Vec<TableRow>,
}

impl FiguresTable {
    /// Rows by some dimensions. A table that is not split has the name of its one row at its place part.
    pub fn new(
        by: Vec<Dimension>,
        places: Vec<PlacePart>,
        profiles: Vec<ProfilePart>,
        rows: Vec<TableRow>,
    ) -> Self {
        Self {
            by,
            places,
            profiles,
            rows,
        }
    }

    /// Adds the rows of another table by the same dimensions.
    pub fn append(&mut self, mut other: Self) {
        if self.rows.is_empty() {
            *self = other;
            return;
        }
        let (places, profiles) = (self.places.len() as u32, self.profiles.len() as u32);
        self.places.append(&mut other.places);
        self.profiles.append(&mut other.profiles);
        self.rows.extend(other.rows.into_iter().map(|row| TableRow {
            place: row.place + places,
            profile: row.profile + profiles,
            ..row
        }));
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One row.
    pub fn get(&self, index: usize) -> Option<FiguresRow> {
        self.rows.get(index).map(|row| self.read(row))
    }

    /// The rows, one after the other.
    pub fn iter(&self) -> Rows<'_> {
        Rows {
            table: self,
            left: self.rows.iter(),
        }
    }

    fn read(&self, row: &TableRow) -> FiguresRow {
        let place = &self.places[row.place as usize];
        let (values, names) = match self.profiles.get(row.profile as usize) {
            Some(profile) => (profile.values.as_slice(), profile.names.as_slice()),
            None => (&[][..], &[][..]),
        };
        let value = |value: &Option<Text>| value.as_ref().map(Text::to_cow);
        let key = in_order(&self.by, &place.values, values).map(|(dimension, of)| (dimension, value(of)));
        let mut name = String::new();
        let mut add = |part: &Text| {
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(part.as_str());
        };
        if self.by.is_empty() {
            place.names.iter().for_each(&mut add);
        }
        in_order(&self.by, &place.names, names).for_each(|(_, part)| add(part));
        FiguresRow {
            key: RowKey(key.collect()),
            name,
            as_of: place.as_of,
            figures: row.counts.figures(place.unions_all, &place.completeness),
        }
    }
}

/// The rows of a table, each made as it is read.
#[derive(Clone)]
pub struct Rows<'a> {
    table: &'a FiguresTable,
    left: std::slice::Iter<'a, TableRow>,
}

impl Iterator for Rows<'_> {
    type Item = FiguresRow;

    fn next(&mut self) -> Option<FiguresRow> {
        self.left.next().map(|row| self.table.read(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl ExactSizeIterator for Rows<'_> {}

impl<'a> IntoIterator for &'a FiguresTable {
    type Item = FiguresRow;
    type IntoIter = Rows<'a>;

    fn into_iter(self) -> Rows<'a> {
        self.iter()
    }
}

/// What the parts of a row hold, in the order of the dimensions asked for.
fn in_order<'a, T>(
    by: &'a [Dimension],
    places: &'a [T],
    profiles: &'a [T],
) -> impl Iterator<Item = (Dimension, &'a T)> {
    let (mut places, mut profiles) = (places.iter(), profiles.iter());
    by.iter().filter_map(move |dimension| {
        let next = if dimension.is_place() {
            places.next()
        } else {
            profiles.next()
        };
        next.map(|of| (*dimension, of))
    })
}

impl PartialEq for FiguresTable {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for FiguresTable {}

impl fmt::Debug for FiguresTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for FiguresTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(by: &[Dimension], place: u32) -> FiguresTable {
        let code = |code: &str| Text::Federation(code.into());
        let place_part = |values: &[Option<&str>], names: &[&str]| PlacePart {
            values: values.iter().map(|value| value.map(code)).collect(),
            names: names.iter().map(|name| code(name)).collect(),
            ..PlacePart::default()
        };
        let profile = ProfilePart {
            values: vec![Some(Text::Term("school"))],
            names: vec![Text::Term("school")],
        };
        let places = vec![
            place_part(&[Some("330000"), None], &["浙江省", "直属"]),
            place_part(&[Some("110000"), Some("110101")], &["北京市", "东城区"]),
        ];
        let row = TableRow {
            place,
            profile: 0,
            counts: RowCounts::default(),
        };
        FiguresTable::new(by.to_vec(), places, vec![profile], vec![row])
    }

    #[test]
    fn keys_and_names_follow_the_order_asked_for() {
        let by = [Dimension::Province, Dimension::Category, Dimension::County];
        let mut rows = table(&by, 1);
        rows.append(table(&by, 0));
        let read: Vec<_> = rows.iter().map(|row| (row.name, row.key)).collect();
        let value = |text: &str| Some(Cow::Owned(text.to_owned()));
        assert_eq!(
            read,
            [
                (
                    "北京市 school 东城区".to_owned(),
                    RowKey(vec![
                        (Dimension::Province, value("110000")),
                        (Dimension::Category, value("school")),
                        (Dimension::County, value("110101")),
                    ])
                ),
                (
                    "浙江省 school 直属".to_owned(),
                    RowKey(vec![
                        (Dimension::Province, value("330000")),
                        (Dimension::Category, value("school")),
                        (Dimension::County, None),
                    ])
                ),
            ]
        );
        assert_ne!(rows, table(&by, 1));
        assert_eq!(rows.get(1), table(&by, 0).get(0));
        assert_eq!(rows.get(2), None);
    }

    #[test]
    fn a_table_that_is_not_split_has_its_name_and_no_key() {
        let area = PlacePart {
            names: vec![Text::Term("全国")],
            ..PlacePart::default()
        };
        let row = TableRow {
            place: 0,
            profile: 0,
            counts: RowCounts::default(),
        };
        let table = FiguresTable::new(Vec::new(), vec![area], vec![ProfilePart::default()], vec![row]);
        let read = table.get(0).expect("one row");
        assert_eq!((read.name.as_str(), read.key), ("全国", RowKey::default()));
    }
}
