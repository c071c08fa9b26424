//! `/organisations`: find, filter, page through. Text and order come from the names, everything else from the cube.

use std::collections::BTreeSet;

use axum::extract::State;
use rollcall_core::date::Day;
use rollcall_core::figure::{Dimension, RowKey};
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::scope::OutReason;
use rollcall_core::term::UnionForm;
use rollcall_replica::Replica;
use rollcall_replica::name_index::NameQuery;
use rollcall_stats::{Cube, FiguresQuery, OrganisationStatus, Set};
use rollcall_store::UNSENT;
use rollcall_store::listing::ListingRow;
use rollcall_web::form::CheckedQuery;
use rollcall_web::layout::Pager;
use rollcall_web::login::{Role, SignedIn};
use rollcall_web::page::organisations::{OrganisationFilter, OrganisationRow, Organisations, StandingFilter};
use rollcall_web::{Error, Page};

use super::{offered, record_page, today, words};
use crate::app::App;

/// Characters of a search that are looked at.
const SEARCH_CHARACTERS_MAX: usize = 100;

/// Shows the page.
///
/// # Errors
/// `PARAM_INVALID`, the store's.
pub async fn show(
    State(app): State<App>,
    signed_in: SignedIn,
    CheckedQuery(mut filter): CheckedQuery<OrganisationFilter>,
) -> Result<Page<Organisations>, Error> {
    let as_of = today(&signed_in);
    let (mut asked, names) = (filter.clone(), app.clone());
    let (rows, total) = app
        .ask(move |replica, cube| {
            let (rows, total) = find(&names, replica, cube, &asked, as_of)?;
            let within = asked.paging.within(total);
            if within == asked.paging {
                return Ok((rows, total));
            }
            asked.paging = within;
            find(&names, replica, cube, &asked, as_of)
        })
        .await?;
    filter.paging = filter.paging.within(total);
    let may_edit = signed_in.account.role >= Role::Clerk;
    let pager = Pager {
        page: filter.paging.page,
        size: filter.paging.size,
        total,
        address: filter.address("/organisations"),
    };
    let frame = signed_in.frame("nav.organisations").computed_from(as_of, None);
    let offered = if may_edit && filter.is_empty() && filter.paging.page == 1 {
        let frame = frame.clone();
        app.with(move |app| offered::read(&frame, &app.replica)).await?
    } else {
        Vec::new()
    };
    let export_href = filter.address("/organisations/export?format=xlsx");
    Ok(Page(Organisations {
        frame,
        filter,
        offered,
        rows,
        pager,
        export_href: may_edit.then_some(export_href),
        new_href: may_edit.then(|| "/organisations/new".to_owned()),
    }))
}

fn find(
    app: &App,
    replica: &Replica,
    cube: &Cube,
    filter: &OrganisationFilter,
    as_of: Day,
) -> Result<(Vec<OrganisationRow>, u64), rollcall_replica::Error> {
    let with_conflicts = filter.standing == Some(StandingFilter::Conflict);
    let offset = usize::try_from(filter.paging.offset()).unwrap_or(usize::MAX);
    let limit = usize::try_from(filter.paging.size).unwrap_or(usize::MAX);
    let query = NameQuery {
        members: members(cube, filter, as_of)?,
        text: fold(&filter.q),
        with_conflicts,
        offset,
        limit,
    };
    let (page, total) = app.names(|names| names.page(&query))?;
    let shown = replica.store().read(|reader| {
        let mut shown = Vec::with_capacity(page.len());
        for row in reader.listings_of(&page)? {
            let status = cube.organisation(row.document_id, as_of);
            let union = status.as_ref().and_then(|status| status.unions.first()).copied();
            let union_name = match union {
                Some(union) => reader.listing(union)?.map(|row| row.listing.name),
                None => None,
            };
            let union_href = union.map(|union| record_page::href(DocumentKind::Union, union));
            shown.push(shown_row(
                row,
                status.as_ref(),
                union_name.zip(union_href),
                cube,
                as_of,
            ));
        }
        Ok(shown)
    })?;
    Ok((shown, total))
}

/// Every organisation that a filter leaves; `None` where it leaves all.
pub(super) fn all_found(
    app: &App,
    cube: &Cube,
    filter: &OrganisationFilter,
    as_of: Day,
) -> Result<Option<BTreeSet<DocumentId>>, rollcall_replica::Error> {
    if filter.is_empty() {
        return Ok(None);
    }
    let query = NameQuery {
        members: members(cube, filter, as_of)?,
        text: fold(&filter.q),
        with_conflicts: filter.standing == Some(StandingFilter::Conflict),
        offset: 0,
        limit: usize::MAX,
    };
    let (found, _) = app.names(|names| names.page(&query))?;
    Ok(Some(found.into_iter().collect()))
}

/// Letters and digits of either width and case are the same.
pub(super) fn fold(text: &str) -> String {
    let half = |character: char| match character {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '\u{3000}' => words::half_width(character),
        other => other,
    };
    let text: String = text.chars().take(SEARCH_CHARACTERS_MAX).map(half).collect();
    text.trim().to_lowercase()
}

/// The organisations that the cube's part of the filter leaves, sorted; `None` where it leaves all.
fn members(
    cube: &Cube,
    filter: &OrganisationFilter,
    as_of: Day,
) -> Result<Option<Vec<DocumentId>>, rollcall_replica::Error> {
    let chosen = [
        (Dimension::Stage, filter.stage.map(|stage| stage.name())),
        (Dimension::Form, filter.form.map(UnionForm::name)),
        (
            Dimension::Category,
            filter.category.map(|category| category.name()),
        ),
        (Dimension::Kind, filter.kind.map(|kind| kind.name())),
    ];
    let filters: Vec<_> = chosen
        .into_iter()
        .filter_map(|(dimension, name)| Some((dimension, name?.to_owned())))
        .collect();
    let standing = filter
        .standing
        .filter(|standing| *standing != StandingFilter::Conflict);
    if filters.is_empty() && standing.is_none() && filter.area.is_none() {
        return Ok(None);
    }
    let query = FiguresQuery {
        area: filter.area.map(FederationId::of_division),
        filters,
        ..FiguresQuery::at(as_of)
    };
    let out = |wanted: fn(OutReason) -> bool| {
        OutReason::ALL
            .into_iter()
            .filter(move |reason| wanted(*reason))
            .map(Set::Out)
    };
    let sets: Vec<Set> = match standing {
        Some(StandingFilter::Covered) => vec![Set::Covered],
        Some(StandingFilter::Uncovered) => vec![Set::Uncovered],
        Some(StandingFilter::Excluded) => vec![Set::Excluded],
        Some(StandingFilter::Held) => vec![Set::Out(OutReason::NoCode)],
        Some(StandingFilter::OutOfScope) => out(|reason| reason != OutReason::NoCode).collect(),
        Some(StandingFilter::Conflict) | None => std::iter::once(Set::InScope).chain(out(|_| true)).collect(),
    };
    Ok(Some(cube.members(&query, &RowKey(Vec::new()), &sets)?))
}

/// How an organisation stands, and why where it does not count.
pub(super) fn standing(status: &OrganisationStatus) -> (StandingFilter, Option<String>) {
    if status.mistaken {
        return (StandingFilter::OutOfScope, Some("MISTAKEN".to_owned()));
    }
    match (status.out, status.excluded) {
        (Some(OutReason::NoCode), _) => (StandingFilter::Held, None),
        (Some(reason), _) => (StandingFilter::OutOfScope, Some(reason.name().to_owned())),
        (None, Some(reason)) => (StandingFilter::Excluded, Some(reason.name().to_owned())),
        (None, None) if status.covered => (StandingFilter::Covered, None),
        (None, None) if status.eligible => (StandingFilter::Uncovered, None),
        (None, None) => (
            StandingFilter::OutOfScope,
            Some(OutReason::NotRegistered.name().to_owned()),
        ),
    }
}

fn shown_row(
    row: ListingRow,
    status: Option<&OrganisationStatus>,
    union: Option<(String, String)>,
    cube: &Cube,
    as_of: Day,
) -> OrganisationRow {
    let (standing, reason) = status.map_or((StandingFilter::Held, None), standing);
    let federation = row
        .listing
        .home
        .as_ref()
        .map(|home| cube.directory().name_at(home, as_of));
    let (union_name, union_href) = union.unzip();
    OrganisationRow {
        href: record_page::href(DocumentKind::Organisation, row.document_id),
        name: if row.listing.name.is_empty() {
            row.document_id.to_string()
        } else {
            row.listing.name
        },
        code: row.listing.code,
        kind: status.map_or("other", |status| status.kind.name()),
        category: status.map_or("other", |status| status.category.name()),
        federation: federation.unwrap_or_default(),
        workers: status.and_then(|status| status.workers).map(u64::from),
        standing,
        reason,
        union_name,
        union_href,
        stage: status.map_or("identified", |status| status.stage.name()),
        conflicts: u64::from(row.listing.conflicts),
        unsent: row.position == UNSENT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_folds_width_and_case_of_letters_and_digits_only() {
        for (typed, folded) in [
            ("５２３３０１０６ＭＪ", "52330106mj"),
            (" 幼儿园（西湖）\u{3000}abc ", "幼儿园（西湖） abc"),
            ("\u{3000}", ""),
        ] {
            assert_eq!(fold(typed), folded, "{typed}");
        }
    }
}
