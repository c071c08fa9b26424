//! The unions: the list, and one union with what happened to it and whom it covers.
//! Owns the views; what is established when, and who is covered, is the program's.

use askama::Template;
use serde::Deserialize;

use crate::form::{Paging, encode};
use crate::layout::{Badge, Frame, Pager, Tone};
use crate::page::entries::EntryTable;
use crate::page::organisation::{ConflictView, FieldRow, HistoryRow, ProblemRow, RefusalRow};

/// The list.
#[derive(Debug, Clone, Template)]
#[template(path = "unions.html")]
pub struct Unions {
    /// What stands around it.
    pub frame: Frame,
    /// What was asked for; stands in the form.
    pub filter: UnionFilter,
    /// The rows of this page.
    pub rows: Vec<UnionRow>,
    /// Where in the list.
    pub pager: Pager,
    /// Where a union is entered; `None` where the account may not.
    pub new_href: Option<String>,
}

/// The query of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct UnionFilter {
    /// Part of a name or a code.
    #[serde(default)]
    pub q: String,
    /// Where in the list.
    #[serde(flatten)]
    pub paging: Paging,
}

impl UnionFilter {
    /// The address of a list with this filter, without the page.
    pub fn address(&self, path: &str) -> String {
        let mut query = Vec::new();
        if !self.q.is_empty() {
            query.push(format!("q={}", encode(&self.q)));
        }
        if self.paging.size != Paging::SIZE_DEFAULT {
            query.push(format!("size={}", self.paging.size));
        }
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", query.join("&"))
        }
    }
}

/// How a union stands today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnionStanding {
    /// On its way.
    Founding,
    /// Established and counted.
    Established,
    /// Established, its term has ended.
    Overdue,
    /// Does not count until resumed.
    Suspended,
    /// Ended.
    Dissolved,
    /// Closed as a mistake.
    Mistaken,
}

impl UnionStanding {
    /// Every value.
    pub const ALL: [Self; 6] = [
        Self::Founding,
        Self::Established,
        Self::Overdue,
        Self::Suspended,
        Self::Dissolved,
        Self::Mistaken,
    ];

    /// The name behind `union_standing.`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Founding => "founding",
            Self::Established => "established",
            Self::Overdue => "overdue",
            Self::Suspended => "suspended",
            Self::Dissolved => "dissolved",
            Self::Mistaken => "mistaken",
        }
    }

    /// In words.
    pub fn badge(self, frame: &Frame) -> Badge {
        let tone = match self {
            Self::Founding | Self::Suspended => Tone::Waiting,
            Self::Established => Tone::Good,
            Self::Overdue => Tone::Attention,
            Self::Dissolved | Self::Mistaken => Tone::Plain,
        };
        Badge::new(tone, frame.term("union_standing", self.name()))
    }
}

/// One union in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnionRow {
    /// Its page.
    pub href: String,
    /// Name.
    pub name: String,
    /// Credit code.
    pub code: Option<String>,
    /// Name of the form; empty while unknown.
    pub form: &'static str,
    /// How it stands.
    pub standing: UnionStanding,
    /// When it was established, formatted.
    pub established_on: Option<String>,
    /// Last day of the term, formatted.
    pub term_end: Option<String>,
    /// Organisations of the register that it covers or that name it.
    pub organisations: u64,
    /// The federation above it.
    pub higher_union: String,
    /// Open conflicts in it.
    pub conflicts: u64,
    /// Edits of it that have no receipt yet.
    pub unsent: bool,
}

/// One union.
#[derive(Debug, Clone, Template)]
#[template(path = "union.html")]
pub struct Union {
    /// What stands around it.
    pub frame: Frame,
    /// Name.
    pub name: String,
    /// Credit code.
    pub code: Option<String>,
    /// How it stands today.
    pub standing: UnionStanding,
    /// The fields of its profile, in reading order.
    pub fields: Vec<FieldRow>,
    /// What happened to it, and the units outside the register.
    pub lists: Vec<EntryTable>,
    /// The organisations that name it or that it names, by name.
    pub units: Vec<UnitRow>,
    /// How many there are; more than are shown.
    pub units_total: u64,
    /// Subsidy cases of which it is the payee.
    pub cases: Vec<CaseLink>,
    /// Fields with several values.
    pub conflicts: Vec<ConflictView>,
    /// What is odd in its data.
    pub problems: Vec<ProblemRow>,
    /// What was sent and not taken.
    pub refusals: Vec<RefusalRow>,
    /// Every edit, newest first.
    pub history: Vec<HistoryRow>,
    /// Where its fields are edited; `None` where the account may not.
    pub edit_href: Option<String>,
    /// Where a subsidy for it is applied for; `None` where the account may not.
    pub subsidy_href: Option<String>,
    /// Whether the account may settle conflicts.
    pub may_settle: bool,
}

/// One organisation of a union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitRow {
    /// Its page.
    pub href: String,
    /// Name.
    pub name: String,
    /// Workers by the latest count.
    pub workers: Option<u64>,
    /// Members by the latest count.
    pub members: Option<u64>,
    /// Whether the union covers it today.
    pub covered: bool,
}

/// A case, as the page of its payee shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseLink {
    /// Its page.
    pub href: String,
    /// Kind, rule and period, in words.
    pub text: String,
    /// Name of the state.
    pub state: &'static str,
    /// Paid, fen.
    pub disbursed_fen: i128,
}
