//! What may be meant and is more likely a mistake: a second record of one thing, more money going out than there is. None of
//! it is refused (`domain.md` 6 edge rule 0, and 12 where a rule is an alert): the form says what it found, with the way to
//! it, and saves when it is sent once more. Owns the asking; what must not be entered is `entry_rule`'s.

use rollcall_core::date::Day;
use rollcall_core::fact::Facts;
use rollcall_core::problem::Problem;
use rollcall_doc::{Document, Edit as DocumentEdit};
use rollcall_replica::edit::Editing;
use rollcall_replica::{Error, Replica};
use rollcall_web::page::edit::Edit;
use sha2::{Digest, Sha256};

use super::form_field::{Values, entered};
use super::{entry_rule, money_rule, twin, words};

/// Name of the hidden field that says what the form has told.
const TOLD: &str = "told";

/// One thing that a form tells before it saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    /// What was found. What it speaks of stands in quotation marks, so that it is named in every language.
    pub(super) problem: Problem,
    /// Where that is.
    pub(super) href: Option<String>,
}

/// What these edits would bring that somebody should look at first; only what the edit itself brings is told.
///
/// # Errors
/// The store's.
pub(super) fn check(
    replica: &Replica,
    document: &Document,
    edits: &[DocumentEdit],
    by: &Editing,
) -> Result<Vec<Doubt>, Error> {
    let Ok(after) = entry_rule::applied(document, edits, by) else {
        return Ok(Vec::new());
    };
    let (id, today) = (document.id(), Day::of_unix_ms(by.now_ms));
    Ok(match (document.facts().0, after.facts().0) {
        (Facts::Organisation(before), Facts::Organisation(after)) => {
            twin::of_organisation(replica, id, &before, &after, today)?
        }
        (Facts::Union(before), Facts::Union(after)) => twin::of_union(replica, id, &before, &after, today)?,
        (Facts::Fund(before), Facts::Fund(after)) => {
            let mut doubts = twin::of_fund(replica, id, &before, &after)?;
            doubts.extend(money_rule::short_of(replica, id, &before, &after)?.map(alone));
            doubts
        }
        (Facts::Subsidy(before), Facts::Subsidy(after)) => {
            let odd = money_rule::odd_payments(replica, id, &before, &after)?;
            odd.into_iter().map(alone).collect()
        }
        _ => Vec::new(),
    })
}

fn alone(problem: Problem) -> Doubt {
    Doubt { problem, href: None }
}

/// Whether there is nothing to tell, or the form was sent again after it had told exactly this.
pub(super) fn are_meant(doubts: &[Doubt], values: &Values) -> bool {
    doubts.is_empty() || entered(values, TOLD) == mark(doubts)
}

/// What the form says: that nothing is saved yet, and why it asks.
pub(super) fn problems(doubts: &[Doubt]) -> Vec<Problem> {
    let message =
        "Nothing is saved yet: look at what is said here first. If it is meant so, save it all the same.";
    let asked = Problem::warning("SAVE_ASKED", "", message);
    let found = doubts.iter().map(|doubt| doubt.problem.clone());
    std::iter::once(asked).chain(found).collect()
}

/// Makes a form that says [`problems`] one that is saved when it is sent once more; as it is where there are none.
pub(super) fn ask(page: &mut Edit, doubts: &[Doubt]) {
    if doubts.is_empty() {
        return;
    }
    page.told = mark(doubts);
    page.save_key = "edit.save_told";
    for doubt in doubts {
        let text = words::refusal(&page.frame, &doubt.problem);
        for problem in page.problems.iter_mut().filter(|problem| problem.text == text) {
            problem.href.clone_from(&doubt.href);
        }
    }
}

/// Stands for exactly these doubts, so that a form in which something else was changed is asked about that.
fn mark(doubts: &[Doubt]) -> String {
    let mut hasher = Sha256::new();
    for doubt in doubts {
        for part in [&doubt.problem.code, &doubt.problem.message] {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        hasher.update(doubt.href.as_deref().unwrap_or_default());
        hasher.update([0]);
    }
    hasher.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_told_is_meant() {
        let doubt = |name: &str| {
            alone(Problem::alert(
                "V28",
                "name",
                format!("{name:?} is held already."),
            ))
        };
        let told = |doubts: &[Doubt]| Values::from([(TOLD.to_owned(), mark(doubts))]);
        let (one, other) = ([doubt("求知学校")], [doubt("求知中学")]);
        assert!(are_meant(&[], &Values::new()));
        assert!(!are_meant(&one, &Values::new()));
        assert!(are_meant(&one, &told(&one)));
        assert!(!are_meant(&one, &told(&other)));
        assert!(!are_meant(&[doubt("求知学校"), doubt("求知中学")], &told(&one)));
    }
}
