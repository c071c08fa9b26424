//! One organisation: what it is, who covers it, what was counted, what happened, what is disputed.
//! Owns the view; every value says where it comes from and since when. Its forms are those of `edit`.

use askama::Template;

use crate::layout::{Badge, Frame, Tone};
use crate::page::entries::EntryTable;
use crate::page::organisations::StandingFilter;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "organisation.html")]
pub struct Organisation {
    /// What stands around it.
    pub frame: Frame,
    /// Name that holds today.
    pub name: String,
    /// Unified social credit code; `None` while unknown.
    pub code: Option<String>,
    /// How it stands today.
    pub standing: StandingFilter,
    /// Why it is excluded or out of scope, a code such as `NO_WORKERS`.
    pub reason: Option<String>,
    /// The union that covers it and since when, in words.
    pub covered_by: Option<String>,
    /// The next step with its legal basis, in the reader's language; `None` when there is nothing to do.
    pub next_step: Option<NextStep>,
    /// The fields of its profile, in reading order.
    pub fields: Vec<FieldRow>,
    /// Links to unions, newest first.
    pub coverage: Vec<CoverageRow>,
    /// Counts of workers and members, newest first.
    pub counts: Vec<CountRow>,
    /// Times it does not count, newest first.
    pub exclusions: Vec<ExclusionRow>,
    /// The way to its union: every stage in order, with its date where recorded.
    pub stages: Vec<StageStep>,
    /// Fields with several values.
    pub conflicts: Vec<ConflictView>,
    /// What was sent and not taken.
    pub refusals: Vec<RefusalRow>,
    /// What is odd in its data.
    pub problems: Vec<ProblemRow>,
    /// Further lists of entries: contacts, organisers, handovers, services.
    pub lists: Vec<EntryTable>,
    /// Every edit, newest first.
    pub history: Vec<HistoryRow>,
    /// Where its fields are edited; `None` where the account may not.
    pub edit_href: Option<String>,
    /// Where entries are made: a list's own address is this, a slash and its name. `None` where the account may not.
    pub entries_href: Option<String>,
    /// Whether the account may settle conflicts.
    pub may_settle: bool,
}

impl Organisation {
    /// How it stands, in words.
    pub fn badge(&self) -> Badge {
        Badge::new(
            self.standing.tone(),
            self.frame.term("standing", self.standing.name()),
        )
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// The step.
    pub text: String,
    /// The article it rests on.
    pub basis: String,
}

/// One field with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRow {
    /// Name of the field, as in records: `supervising_unit`.
    pub field: &'static str,
    /// The value that holds first, then earlier ones.
    pub values: Vec<ValueLine>,
    /// Where a value is entered that holds from a date on; `None` where it has no dates or the account may not.
    pub change_href: Option<String>,
}

/// One value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueLine {
    /// As text, in the reader's language.
    pub text: String,
    /// Since when, formatted; `None` where it has no date.
    pub from: Option<String>,
    /// Name of the source, such as `registry`.
    pub source: Option<&'static str>,
    /// Number of the paper it rests on.
    pub document: Option<String>,
}

/// One link to a union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageRow {
    /// The union.
    pub union_name: String,
    /// Its page.
    pub href: Option<String>,
    /// Name of its form.
    pub form: &'static str,
    /// First day, formatted.
    pub from: String,
    /// Last day, formatted; `None` while it runs.
    pub until: Option<String>,
    /// The union's consent, formatted; `None` is a task, the link does not count.
    pub consent_on: Option<String>,
    /// Whether it covers the organisation today.
    pub counts: bool,
    /// Where the entry is ended, consented to or taken back.
    pub edit_href: Option<String>,
}

/// One count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountRow {
    /// The day, formatted.
    pub on: String,
    /// Name of the source.
    pub source: &'static str,
    /// Workers.
    pub workers: Option<u64>,
    /// Members.
    pub members: Option<u64>,
    /// Women among the members.
    pub female_members: Option<u64>,
    /// Whether figures use it today.
    pub holds: bool,
    /// Where it is completed or taken back.
    pub edit_href: Option<String>,
}

/// A time in which it does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExclusionRow {
    /// Code of the reason, such as `DORMANT`.
    pub reason: &'static str,
    /// First day, formatted.
    pub from: String,
    /// Last day, formatted.
    pub until: Option<String>,
    /// Approved on, formatted; without it, it has no effect.
    pub approved_on: Option<String>,
    /// Evidence.
    pub evidence: Option<String>,
    /// Where it is approved, ended or taken back.
    pub edit_href: Option<String>,
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageStep {
    /// Name of the stage.
    pub stage: &'static str,
    /// When it was reached, formatted; `None` for "not recorded" or "not yet".
    pub on: Option<String>,
    /// Reached, also where it was not recorded.
    pub reached: bool,
    /// The stage it stands at.
    pub present: bool,
    /// Where the organisation's own entry of it is taken back.
    pub edit_href: Option<String>,
}

/// A field that several people gave different values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictView {
    /// Name of the field.
    pub field: String,
    /// The values.
    pub values: Vec<ConflictValue>,
    /// Where it is settled by post: `take` (value id) and `reason`.
    pub action: String,
}

/// One of several values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictValue {
    /// What `take` names.
    pub id: String,
    /// As text.
    pub text: String,
    /// Who gave it: federation and account.
    pub author: String,
    /// When, formatted.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// Something odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemRow {
    /// Stable code.
    pub code: String,
    /// How pressing.
    pub tone: Tone,
    /// The sentence with the remedy.
    pub message: String,
}

/// Changes of a record that one end keeps apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRow {
    /// When it was said, formatted.
    pub at: String,
    /// Stable code, such as `FOREIGN_JURISDICTION`.
    pub code: String,
    /// Why, and what to do, in the reader's language.
    pub message: String,
    /// Kept apart at this node; else at the aggregator.
    pub here: bool,
}

/// One edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// When, formatted.
    pub at: String,
    /// Who: federation and account.
    pub author: String,
    /// What changed, one line each, in the reader's language.
    pub changes: Vec<String>,
    /// Why.
    pub reason: String,
    /// Whether the aggregator has signed for it.
    pub received: bool,
    /// Short id of the change.
    pub change_id: String,
}
