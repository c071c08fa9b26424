//! Subsidies and special funds: the list of cases and funds with their sums, one case, one fund.
//! Owns the views; what an entry moves and what a case comes to is the program's.

use askama::Template;

use crate::layout::{Badge, Frame, Pager, Tone};
use crate::page::entries::EntryTable;
use crate::page::organisation::{ConflictView, FieldRow, HistoryRow, ProblemRow, RefusalRow};
use crate::page::unions::UnionFilter;

/// The list of cases, and the funds.
#[derive(Debug, Clone, Template)]
#[template(path = "subsidies.html")]
pub struct Subsidies {
    /// What stands around it.
    pub frame: Frame,
    /// What was asked for; stands in the form.
    pub filter: UnionFilter,
    /// The calendar year of the sums.
    pub year: i32,
    /// Sums of that year: label and fen.
    pub sums: Vec<(String, i128)>,
    /// The cases of this page.
    pub rows: Vec<CaseRow>,
    /// Where in the list.
    pub pager: Pager,
    /// The funds held here.
    pub funds: Vec<FundRow>,
    /// Where a case is entered; `None` where the account may not.
    pub new_href: Option<String>,
    /// Where a fund is entered; `None` where the account may not.
    pub new_fund_href: Option<String>,
}

/// One case in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// Its page.
    pub href: String,
    /// Who gets it.
    pub payee: String,
    /// Name of the kind.
    pub kind: &'static str,
    /// Rule and period of a fixed subsidy.
    pub rule: String,
    /// Name of the state, such as `APPROVED`.
    pub state: &'static str,
    /// Promised, fen.
    pub approved_fen: i128,
    /// Paid, fen.
    pub disbursed_fen: i128,
    /// Approved and not yet paid, fen.
    pub outstanding_fen: i128,
    /// Open conflicts in it.
    pub conflicts: u64,
    /// Edits of it that have no receipt yet.
    pub unsent: bool,
}

impl CaseRow {
    /// How it stands, in words.
    pub fn badge(&self, frame: &Frame) -> Badge {
        state_badge(frame, self.state)
    }
}

/// A state of a case, in words.
pub fn state_badge(frame: &Frame, state: &str) -> Badge {
    let tone = match state {
        "DISBURSED" | "SETTLED" => Tone::Good,
        "APPLIED" | "APPROVED" => Tone::Waiting,
        _ => Tone::Plain,
    };
    Badge::new(tone, frame.term("case_state", state))
}

/// One fund in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundRow {
    /// Its page.
    pub href: String,
    /// Its federation.
    pub federation: String,
    /// Calendar year.
    pub year: String,
    /// The federation's own money, fen.
    pub set_aside_fen: i128,
    /// What is left today, fen.
    pub closing_fen: i128,
}

/// One case.
#[derive(Debug, Clone, Template)]
#[template(path = "subsidy.html")]
pub struct Subsidy {
    /// What stands around it.
    pub frame: Frame,
    /// Who gets it.
    pub payee: String,
    /// The payee's page.
    pub payee_href: Option<String>,
    /// Name of the state.
    pub state: &'static str,
    /// What it comes to today: label and fen.
    pub sums: Vec<(String, i128)>,
    /// The fields of its profile, in reading order.
    pub fields: Vec<FieldRow>,
    /// Its ledger.
    pub lists: Vec<EntryTable>,
    /// Fields with several values.
    pub conflicts: Vec<ConflictView>,
    /// What is odd in its data, and what someone should look at.
    pub problems: Vec<ProblemRow>,
    /// What was sent and not taken.
    pub refusals: Vec<RefusalRow>,
    /// Every edit, newest first.
    pub history: Vec<HistoryRow>,
    /// Where its fields are edited; `None` where the account may not.
    pub edit_href: Option<String>,
    /// Whether the account may settle conflicts.
    pub may_settle: bool,
}

impl Subsidy {
    /// How it stands, in words.
    pub fn badge(&self) -> Badge {
        state_badge(&self.frame, self.state)
    }
}

/// One fund.
#[derive(Debug, Clone, Template)]
#[template(path = "fund.html")]
pub struct Fund {
    /// What stands around it.
    pub frame: Frame,
    /// Its federation and year.
    pub title: String,
    /// What it comes to today: label and fen.
    pub sums: Vec<(String, i128)>,
    /// Its ledger.
    pub lists: Vec<EntryTable>,
    /// Fields with several values.
    pub conflicts: Vec<ConflictView>,
    /// What is odd in its data, and what someone should look at.
    pub problems: Vec<ProblemRow>,
    /// What was sent and not taken.
    pub refusals: Vec<RefusalRow>,
    /// Every edit, newest first.
    pub history: Vec<HistoryRow>,
    /// Whether the account may settle conflicts.
    pub may_settle: bool,
}
