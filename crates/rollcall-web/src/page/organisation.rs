//! One organisation: what it is, who covers it, what was counted, what happened, what is disputed.
//! Owns the view and the edit form; every value says where it comes from and since when.

use askama::Template;

use crate::layout::{Badge, Frame, Tone};
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
    /// What is odd in its data.
    pub problems: Vec<ProblemRow>,
    /// Every edit, newest first.
    pub history: Vec<HistoryRow>,
    /// Where its fields are edited; `None` where the account may not.
    pub edit_href: Option<String>,
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

/// The edit form.
#[derive(Debug, Clone, Template)]
#[template(path = "organisation_edit.html")]
pub struct OrganisationEdit {
    /// What stands around it.
    pub frame: Frame,
    /// Name of the organisation, or of the act where there is none yet.
    pub title: String,
    /// Where the form is posted to.
    pub action: String,
    /// Where "back" leads.
    pub back_href: String,
    /// The heads that the form shows, posted back as `heads`: the edit is made from these, never from newer ones.
    pub heads: String,
    /// The fields, posted under their names.
    pub fields: Vec<EditField>,
    /// The reason entered before, after a refusal.
    pub reason: String,
    /// What was refused, in the reader's language.
    pub problems: Vec<String>,
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditField {
    /// Name of the field, as in records; its label is the text `field.{name}`.
    pub name: &'static str,
    /// What stands in it.
    pub value: String,
    /// How it is entered.
    pub input: EditInput,
    /// Whether it may be empty.
    pub required: bool,
    /// What is wrong with it, in the reader's language.
    pub problem: Option<String>,
}

/// How a field is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditInput {
    /// One line.
    Text,
    /// A date, also a partial one: 2024-12-31, 2024-12, 2024.
    Date,
    /// A whole number.
    Number,
    /// One of these: name in the form, text in the reader's language.
    Select(Vec<(String, String)>),
}
