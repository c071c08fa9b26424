//! `/unions` and `/unions/{reference}`: the list of unions, and one union with whom it covers.

use axum::extract::{Path, State};
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::fact::{Facts, UnionFacts};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::record::{Record, UnionRecord};
use rollcall_core::subsidy::{case_sums, state_at as case_state_at};
use rollcall_core::term::UnionEvent;
use rollcall_core::union::state_at;
use rollcall_replica::{Error as ReplicaError, Replica};
use rollcall_stats::Cube;
use rollcall_store::UNSENT;
use rollcall_store::listing::{ListingOrder, ListingQuery, ListingRow};
use rollcall_web::form::{CheckedQuery, Paging, encode};
use rollcall_web::layout::{Frame, Pager};
use rollcall_web::login::{Role, SignedIn};
use rollcall_web::page::organisation::FieldRow;
use rollcall_web::page::unions::{CaseLink, Union, UnionFilter, UnionRow, UnionStanding, Unions, UnitRow};
use rollcall_web::{Error, Page};

use super::entry_list::{self, EntryLinks};
use super::organisation_history::{conflicts, history};
use super::organisations::fold;
use super::record_page::{self, field_row, problem_rows};
use super::today;
use super::words::{self, AuthorNames};
use crate::app::App;

/// Organisations shown of one union.
const UNITS_MAX: usize = 200;

/// Shows the list.
///
/// # Errors
/// `PARAM_INVALID`, the store's.
pub async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    CheckedQuery(mut filter): CheckedQuery<UnionFilter>,
) -> Result<Page<Unions>, Error> {
    let as_of = today(&signed_in);
    let frame = signed_in.frame("nav.unions").computed_from(as_of, None);
    let may_edit = signed_in.account.role >= Role::Clerk;
    let page = app
        .with(move |app| {
            let query = |paging: Paging| ListingQuery {
                kind: Some(DocumentKind::Union),
                text: fold(&filter.q),
                order: ListingOrder::Name,
                offset: usize::try_from(paging.offset()).unwrap_or(usize::MAX),
                limit: usize::try_from(paging.size).unwrap_or(usize::MAX),
                ..ListingQuery::default()
            };
            let store = app.replica.store();
            let mut found = store.read(|reader| reader.listings(&query(filter.paging)))?;
            let within = filter.paging.within(found.total);
            if within != filter.paging {
                found = store.read(|reader| reader.listings(&query(within)))?;
            }
            filter.paging = within;
            let mut rows = Vec::with_capacity(found.rows.len());
            for row in found.rows {
                rows.push(shown_row(&frame, &app.replica, row, as_of)?);
            }
            Ok(Unions {
                rows,
                pager: Pager {
                    page: filter.paging.page,
                    size: filter.paging.size,
                    total: found.total,
                    address: filter.address("/unions"),
                },
                new_href: may_edit.then(|| "/unions/new".to_owned()),
                filter,
                frame,
            })
        })
        .await?;
    Ok(Page(page))
}

fn shown_row(
    frame: &Frame,
    replica: &Replica,
    row: ListingRow,
    as_of: Day,
) -> Result<UnionRow, ReplicaError> {
    let id = row.document_id;
    let facts = match replica.document(id)?.facts().0 {
        Facts::Union(facts) => *facts,
        _ => UnionFacts::default(),
    };
    let state = state_at(&facts, as_of, 0);
    let home = row.listing.home.map(|home| words::division(home.as_str()));
    Ok(UnionRow {
        href: record_page::href(DocumentKind::Union, id),
        name: if row.listing.name.is_empty() {
            id.to_string()
        } else {
            row.listing.name
        },
        code: row.listing.code,
        form: facts.form.first().map_or("", |form| form.name()),
        standing: standing(&facts, as_of),
        established_on: state.established_on.map(|on| frame.locale.day(on)),
        term_end: state.term_end.map(|on| frame.locale.day(on)),
        organisations: units(replica, id, &facts)?.len() as u64,
        higher_union: home.unwrap_or_default(),
        conflicts: u64::from(row.listing.conflicts),
        unsent: row.position == UNSENT,
    })
}

fn standing(facts: &UnionFacts, as_of: Day) -> UnionStanding {
    let state = state_at(facts, as_of, 0);
    if facts.mistaken {
        UnionStanding::Mistaken
    } else if state.dissolved {
        UnionStanding::Dissolved
    } else if !state.established && state.established_on.is_some() {
        UnionStanding::Suspended
    } else if !state.established {
        UnionStanding::Founding
    } else if state.overdue {
        UnionStanding::Overdue
    } else {
        UnionStanding::Established
    }
}

/// The organisations that name a union, and the one that it names.
fn units(replica: &Replica, id: DocumentId, facts: &UnionFacts) -> Result<Vec<DocumentId>, ReplicaError> {
    Ok(replica.store().read(|reader| {
        let mut found = naming(reader, id, DocumentKind::Organisation)?;
        for named in &facts.organisation {
            found.extend(reader.resolve(*named)?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    })?)
}

/// The documents of a kind that name another one, by its own id or by one it took later.
pub(super) fn naming(
    reader: &rollcall_store::Reader,
    id: DocumentId,
    kind: DocumentKind,
) -> Result<Vec<DocumentId>, rollcall_store::Error> {
    let mut namers = reader.namers(id)?;
    for alias in reader.mentions(id)?.aliases {
        namers.extend(reader.namers(alias)?);
    }
    namers.sort_unstable();
    namers.dedup();
    let mut found = Vec::with_capacity(namers.len());
    for namer in namers {
        if reader.document(namer)?.is_some_and(|row| row.kind == kind) {
            found.push(namer);
        }
    }
    Ok(found)
}

/// Shows one union.
///
/// # Errors
/// `NOT_FOUND`, the store's.
pub async fn show(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(reference): Path<String>,
) -> Result<Page<Union>, Error> {
    let as_of = today(&signed_in);
    let role = signed_in.account.role;
    let frame = signed_in.frame("nav.unions").computed_from(as_of, None);
    let page = app
        .ask(move |replica, cube| {
            let id = replica.find(&reference, &[DocumentKind::Union])?;
            view(replica, cube, id, frame, as_of, role)
        })
        .await?;
    Ok(Page(page))
}

fn view(
    replica: &Replica,
    cube: &Cube,
    id: DocumentId,
    frame: Frame,
    as_of: Day,
    role: Role,
) -> Result<Union, ReplicaError> {
    let document = replica.document(id)?;
    let (record, mut problems) = document.record();
    let (facts, more) = document.facts();
    problems.extend(more);
    problems.sort();
    problems.dedup();
    let (Record::Union(record), Facts::Union(facts)) = (record, facts) else {
        return Err(ReplicaError::NoDocument(id.to_string()));
    };
    let names = AuthorNames::load(replica.store())?;
    let kept_here = record_page::is_kept(replica, id)?;
    let may_write = role >= Role::Clerk && kept_here;
    let entries_href = may_write.then(|| record_page::entries_href(id));
    let json = serde_json::to_value(Record::Union(record.clone())).unwrap_or_default();
    let table = |name: &str| {
        let list = entry_list::find(DocumentKind::Union, name)?;
        Some(list.table(
            &frame,
            &names,
            &json,
            entries_href.as_deref().map(EntryLinks::all),
        ))
    };
    let ids = units(replica, id, &facts)?;
    let href = record_page::href(DocumentKind::Union, id);
    let reference = record.code.clone().unwrap_or_else(|| id.to_string());
    Ok(Union {
        name: record.name.clone().unwrap_or_else(|| id.to_string()),
        code: record.code.clone(),
        standing: standing(&facts, as_of),
        fields: fields(&frame, replica, &record)?,
        lists: ["events", "other_units"].into_iter().filter_map(table).collect(),
        units: unit_rows(replica, cube, id, &ids, as_of)?,
        units_total: ids.len() as u64,
        cases: cases(&frame, replica, id, as_of)?,
        conflicts: conflicts(&frame, &document, &names, &href),
        problems: problem_rows(&frame, replica, id, &problems)?,
        refusals: record_page::refusals(&frame, replica, id)?,
        history: history(&frame, replica, &document, &names)?,
        edit_href: may_write.then(|| format!("{href}/edit")),
        subsidy_href: (role >= Role::Clerk).then(|| format!("/subsidies/new?union={}", encode(&reference))),
        may_settle: role >= Role::Head && kept_here,
        frame,
    })
}

fn fields(frame: &Frame, replica: &Replica, record: &UnionRecord) -> Result<Vec<FieldRow>, ReplicaError> {
    let yes_no = |value: Option<bool>| {
        value.map(|value| {
            frame
                .text(if value { "value.yes" } else { "value.no" })
                .to_owned()
        })
    };
    let employer = match &record.organisation {
        None => None,
        Some(reference) => match replica.find(reference, &[DocumentKind::Organisation]) {
            Ok(id) => Some(record_page::name(frame, replica, id)?),
            Err(ReplicaError::NoDocument(_)) => Some(reference.clone()),
            Err(error) => return Err(error),
        },
    };
    let mut rows = vec![
        field_row("name", record.name.clone()),
        field_row("code", record.code.clone()),
        field_row("form", record.form.map(|form| frame.term("form", form.name()))),
        field_row(
            "higher_union",
            record
                .higher_union
                .as_ref()
                .map(|above| words::division(above.as_str())),
        ),
        field_row("organisation", employer),
        field_row("full_time_chair", yes_no(record.full_time_chair)),
        field_row("womens_committee", yes_no(record.womens_committee)),
    ];
    for (field, text) in [("area_level", &record.area_level), ("mistaken", &record.mistaken)] {
        if text.is_some() {
            let text = text.as_deref().map(|text| words::text_of(frame, field, text));
            rows.push(field_row(field, text));
        }
    }
    let founded = record
        .events
        .iter()
        .filter(|event| event.event == UnionEvent::Established && event.withdrawn.is_none())
        .map(|event| event.on)
        .min_by_key(|on: &PartialDate| on.last_day());
    rows.push(field_row(
        "established_on",
        founded.map(|on| frame.locale.partial_date(on)),
    ));
    Ok(rows)
}

fn unit_rows(
    replica: &Replica,
    cube: &Cube,
    union: DocumentId,
    ids: &[DocumentId],
    as_of: Day,
) -> Result<Vec<UnitRow>, ReplicaError> {
    let mut rows = replica.store().read(|reader| reader.listings_of(ids))?;
    rows.sort_by(|one, other| one.listing.name.cmp(&other.listing.name));
    rows.truncate(UNITS_MAX);
    let shown = rows.into_iter().map(|row| {
        let status = cube.organisation(row.document_id, as_of);
        UnitRow {
            href: record_page::href(DocumentKind::Organisation, row.document_id),
            name: row.listing.name,
            workers: status.as_ref().and_then(|status| status.workers).map(u64::from),
            members: status.as_ref().and_then(|status| status.members).map(u64::from),
            covered: status.is_some_and(|status| status.unions.contains(&union)),
        }
    });
    Ok(shown.collect())
}

fn cases(
    frame: &Frame,
    replica: &Replica,
    id: DocumentId,
    as_of: Day,
) -> Result<Vec<CaseLink>, ReplicaError> {
    let found = replica
        .store()
        .read(|reader| naming(reader, id, DocumentKind::Subsidy))?;
    let mut links = Vec::with_capacity(found.len());
    for id in found {
        let document = replica.document(id)?;
        let (Record::Subsidy(case), Facts::Subsidy(facts)) = (document.record().0, document.facts().0) else {
            continue;
        };
        let kind = frame.term("subsidy", case.kind.name());
        let parts = [Some(kind), case.rule.clone(), case.period.clone()];
        links.push(CaseLink {
            href: record_page::href(DocumentKind::Subsidy, id),
            text: parts.into_iter().flatten().collect::<Vec<_>>().join(" · "),
            state: case_state_at(&facts.entries, as_of).name(),
            disbursed_fen: case_sums(&facts.entries, Day::MIN, as_of, as_of).disbursed.0,
        });
    }
    Ok(links)
}
