//! A form: fields with what stands in them and what is wrong with them, a reason, and the heads it was made from.
//! Owns the view; which fields there are and what may stand in them is the program's.

use askama::Template;

use crate::layout::Frame;

/// The form as a page.
#[derive(Debug, Clone, Template)]
#[template(path = "edit.html")]
pub struct Edit {
    /// What stands around it.
    pub frame: Frame,
    /// Name of the record, or of the act where there is none yet.
    pub title: String,
    /// What the form is about where it is not the whole record, such as "coverage by unions".
    pub about: Option<String>,
    /// Where the form is posted to.
    pub action: String,
    /// Where "back" leads.
    pub back_href: String,
    /// The heads that the form shows, posted back as `heads`: the edit is made from these, never from newer ones.
    pub heads: String,
    /// What the form told before it is saved, posted back as `told`; empty where it told nothing.
    pub told: String,
    /// What stays as it is: label and text.
    pub standing: Vec<(String, String)>,
    /// The fields, posted under their names.
    pub fields: Vec<EditField>,
    /// The reason entered before, after a refusal.
    pub reason: String,
    /// What was refused, in the order in which it is told.
    pub problems: Vec<EditProblem>,
    /// What saving is called, a key.
    pub save_key: &'static str,
    /// Whether the entry may be taken back from here: a second button, posted as `act=withdraw`.
    pub may_withdraw: bool,
}

impl Edit {
    /// Adds to what a code says the way to what it speaks of.
    pub fn link(&mut self, code: &str, href: &str) {
        for problem in self.problems.iter_mut().filter(|problem| problem.code == code) {
            problem.href = Some(href.to_owned());
        }
    }

    /// Name of the first field with something wrong, where the cursor begins; that of the reason comes last.
    pub fn first_wrong(&self) -> Option<&str> {
        let wrong = self.fields.iter().find(|field| field.problem.is_some());
        wrong
            .map(|field| field.name)
            .or_else(|| self.reason_is_wrong().then_some(REASON))
    }

    /// Whether the reason is what is wrong.
    pub fn reason_is_wrong(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.field.as_deref() == Some(REASON))
    }

    fn begins_at(&self, field: &str) -> bool {
        self.first_wrong() == Some(field)
    }
}

/// Name of the field of the reason.
const REASON: &str = "reason";

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditProblem {
    /// Stable code.
    pub code: String,
    /// The sentence with the code, in the reader's language.
    pub text: String,
    /// Name of the field that it is about, `reason` for the reason; `None` for the whole.
    pub field: Option<String>,
    /// Where what it speaks of is found, such as the record that holds the code.
    pub href: Option<String>,
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditField {
    /// Name under which it is posted, as in records.
    pub name: &'static str,
    /// What it is called, in the reader's language.
    pub label: String,
    /// What stands in it.
    pub value: String,
    /// How it is entered.
    pub input: EditInput,
    /// Whether it may be empty.
    pub required: bool,
    /// What helps to fill it, in the reader's language.
    pub hint: Option<String>,
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
    /// Yuan with up to two decimals.
    Amount,
    /// One of these: name in the form, text in the reader's language.
    Select(Vec<(String, String)>),
    /// One line with suggestions: what is entered, and in words what it means.
    Suggest(Vec<(String, String)>),
}

impl EditInput {
    /// What the keyboard of a telephone shows for it.
    pub fn keyboard(&self) -> Option<&'static str> {
        match self {
            Self::Number => Some("numeric"),
            Self::Amount => Some("decimal"),
            Self::Text | Self::Date | Self::Select(_) | Self::Suggest(_) => None,
        }
    }

    /// An example of what is entered.
    pub fn example(&self) -> Option<&'static str> {
        match self {
            Self::Date => Some("2024-12-31"),
            Self::Amount => Some("5000.00"),
            Self::Text | Self::Number | Self::Select(_) | Self::Suggest(_) => None,
        }
    }
}
