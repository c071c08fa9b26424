//! The workspace's pages, one file each: a handler reads the form, calls one function below and fills one template.

pub mod batch_file;
mod doubt;
pub mod entry_edit;
mod entry_list;
mod entry_rule;
pub mod export;
mod form_again;
mod form_field;
mod handover_rule;
mod heads;
pub mod import;
pub mod import_plan;
mod money_rule;
mod offered;
pub mod organisation;
pub mod organisation_edit;
mod organisation_form;
mod organisation_history;
mod organisation_view;
pub mod organisations;
mod record_edit;
pub mod record_page;
pub mod subsidies;
pub mod subsidy_edit;
pub mod sync;
mod twin;
pub mod union_edit;
pub mod unions;
mod upload;
mod words;

#[cfg(test)]
mod tests;

use rollcall_core::date::Day;
use rollcall_replica::edit::Editing;
use rollcall_web::login::SignedIn;

/// Today in China Standard Time, by the site's clock.
fn today(signed_in: &SignedIn) -> Day {
    Day::of_unix_ms(signed_in.visit.site.now_unix_ms())
}

/// An edit by this account, now, from the present heads.
fn editing(signed_in: &SignedIn, reason: &str) -> Editing {
    Editing {
        author: signed_in.account.id.clone(),
        reason: reason.trim().to_owned(),
        now_ms: signed_in.visit.site.now_unix_ms(),
        heads: None,
    }
}
