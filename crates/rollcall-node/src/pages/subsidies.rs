//! `/subsidies`, `/subsidies/{reference}` and `/funds/{reference}`: cases and funds with their ledgers and sums.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use rollcall_core::amount::Fen;
use rollcall_core::date::Day;
use rollcall_core::fact::{Facts, SubsidyFacts};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::record::{Record, SubsidyRecord};
use rollcall_core::subsidy::{CaseSums, case_sums, fund_closing, fund_movements, outstanding_at, state_at};
use rollcall_core::term::FundEntryKind;
use rollcall_replica::{Error as ReplicaError, Replica};
use rollcall_stats::{Cube, SubsidiesQuery};
use rollcall_store::UNSENT;
use rollcall_store::listing::{ListingOrder, ListingQuery, ListingRow};
use rollcall_web::form::CheckedQuery;
use rollcall_web::layout::{Frame, Pager};
use rollcall_web::login::{Role, SignedIn};
use rollcall_web::page::money::{CaseRow, Fund, FundRow, Subsidies, Subsidy};
use rollcall_web::page::organisation::FieldRow;
use rollcall_web::page::unions::UnionFilter;
use rollcall_web::{Error, Page};

use super::entry_list::{self, EntryLinks};
use super::organisation_history::{conflicts, history};
use super::organisations::fold;
use super::record_page::{self, field_row, payee, problem_rows};
use super::words::{self, AuthorNames};
use super::{money_rule, today};
use crate::app::App;

/// Shows cases and funds.
///
/// # Errors
/// `PARAM_INVALID`, the store's.
pub async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    CheckedQuery(filter): CheckedQuery<UnionFilter>,
) -> Result<Page<Subsidies>, Error> {
    let as_of = today(&signed_in);
    let frame = signed_in.frame("nav.subsidies").computed_from(as_of, None);
    let may_edit = signed_in.account.role >= Role::Clerk;
    let page = app
        .ask(move |replica, cube| list_page(replica, cube, frame, filter, as_of, may_edit))
        .await?;
    Ok(Page(page))
}

fn list_page(
    replica: &Replica,
    cube: &Cube,
    frame: Frame,
    filter: UnionFilter,
    as_of: Day,
    may_edit: bool,
) -> Result<Subsidies, ReplicaError> {
    let all = |kind, order| ListingQuery {
        kind: Some(kind),
        order,
        limit: usize::try_from(u32::MAX).unwrap_or(usize::MAX),
        ..ListingQuery::default()
    };
    let offset = usize::try_from(filter.paging.offset()).unwrap_or(usize::MAX);
    let limit = usize::try_from(filter.paging.size).unwrap_or(usize::MAX);
    let text = fold(&filter.q);
    let (rows, total) = if text.is_empty() {
        let query = ListingQuery {
            offset,
            limit,
            ..all(DocumentKind::Subsidy, ListingOrder::Updated)
        };
        let page = replica.store().read(|reader| reader.listings(&query))?;
        let mut rows = Vec::with_capacity(page.rows.len());
        for row in page.rows {
            rows.push(case_row(&frame, replica, row, as_of)?);
        }
        (rows, page.total)
    } else {
        let paid = cases_paid_to(replica, cube, &text)?;
        let query = all(DocumentKind::Subsidy, ListingOrder::Updated);
        let mut found = replica.store().read(|reader| reader.listings(&query))?.rows;
        found.retain(|row| row.listing.search.contains(&text) || paid.contains(&row.document_id));
        let total = found.len() as u64;
        let mut rows = Vec::new();
        for row in found.into_iter().skip(offset).take(limit) {
            rows.push(case_row(&frame, replica, row, as_of)?);
        }
        (rows, total)
    };
    let within = filter.paging.within(total);
    if within != filter.paging {
        let filter = UnionFilter {
            paging: within,
            ..filter
        };
        return list_page(replica, cube, frame, filter, as_of, may_edit);
    }
    let query = all(DocumentKind::Fund, ListingOrder::Name);
    let mut funds = Vec::new();
    for row in replica.store().read(|reader| reader.listings(&query))?.rows {
        funds.extend(fund_row(replica, cube, row.document_id, as_of)?);
    }
    funds.sort_by(|one: &FundRow, other| (&other.year, &one.federation).cmp(&(&one.year, &other.federation)));
    let year = as_of.ymd().0;
    let sums = cube.subsidies(&SubsidiesQuery::year(year))?.total;
    let sum = |key: &str, fen: Fen| (frame.text(key).to_owned(), fen.0);
    let sums = vec![
        sum("fund.set_aside", sums.set_aside_fen),
        sum("subsidy.approved", sums.approved_fen),
        sum("subsidy.disbursed", sums.disbursed_fen),
        sum("subsidy.recovered", sums.recovered_fen),
        sum("subsidy.outstanding", sums.outstanding_fen),
    ];
    Ok(Subsidies {
        rows,
        pager: Pager {
            page: filter.paging.page,
            size: filter.paging.size,
            total,
            address: filter.address("/subsidies"),
        },
        filter,
        year,
        sums,
        funds,
        new_href: may_edit.then(|| "/subsidies/new".to_owned()),
        new_fund_href: may_edit.then(|| "/funds/new".to_owned()),
        frame,
    })
}

/// The cases whose payee's name holds a folded text.
fn cases_paid_to(replica: &Replica, cube: &Cube, text: &str) -> Result<BTreeSet<DocumentId>, ReplicaError> {
    let query = ListingQuery {
        kind: Some(DocumentKind::Union),
        text: text.to_owned(),
        limit: usize::try_from(u32::MAX).unwrap_or(usize::MAX),
        ..ListingQuery::default()
    };
    let unions = replica.store().read(|reader| reader.listings(&query))?.rows;
    let unions: BTreeSet<DocumentId> = unions.into_iter().map(|row| row.document_id).collect();
    let is_meant = |case: &SubsidyFacts| {
        let mut named = case
            .payee_union
            .iter()
            .flat_map(|union| cube.unions_named(*union));
        let mut federations = case.payee_federation.iter();
        named.any(|union| unions.contains(&union))
            || federations.any(|payee| words::division(payee.as_str()).to_lowercase().contains(text))
    };
    let cases = cube.subsidy_cases().filter(|(_, case)| is_meant(case));
    Ok(cases.map(|(id, _)| id).collect())
}

fn case_row(frame: &Frame, replica: &Replica, row: ListingRow, as_of: Day) -> Result<CaseRow, ReplicaError> {
    let id = row.document_id;
    let document = replica.document(id)?;
    let (Record::Subsidy(case), Facts::Subsidy(facts)) = (document.record().0, document.facts().0) else {
        return Err(ReplicaError::NoDocument(id.to_string()));
    };
    let sums = case_sums(&facts.entries, Day::MIN, as_of, as_of);
    let rule = case.rule.as_deref().map(|rule| words::term(frame, "rule", rule));
    let rule = [rule, case.period.clone()];
    let (payee, _) = payee(
        replica,
        case.payee_union.as_deref(),
        case.payee_federation.as_ref(),
    )?;
    Ok(CaseRow {
        href: record_page::href(DocumentKind::Subsidy, id),
        payee: if payee.is_empty() {
            frame.text("value.unknown").to_owned()
        } else {
            payee
        },
        kind: case.kind.name(),
        rule: rule.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        state: state_at(&facts.entries, as_of).name(),
        approved_fen: sums.approved.0,
        disbursed_fen: sums.disbursed.0,
        outstanding_fen: outstanding_at(&facts.entries, as_of).0,
        conflicts: u64::from(row.listing.conflicts),
        unsent: row.position == UNSENT,
    })
}

fn fund_row(
    replica: &Replica,
    cube: &Cube,
    id: DocumentId,
    as_of: Day,
) -> Result<Option<FundRow>, ReplicaError> {
    let document = replica.document(id)?;
    let (Record::Fund(fund), Facts::Fund(facts)) = (document.record().0, document.facts().0) else {
        return Ok(None);
    };
    let set_aside: Fen = fund_movements(&facts.entries)
        .iter()
        .filter(|(movement, _)| movement.on <= as_of && movement.column == FundEntryKind::SetAside)
        .map(|(movement, _)| movement.amount)
        .sum();
    let paid = money_rule::paid_from(replica, cube, id, &fund.federation, as_of)?;
    Ok(Some(FundRow {
        href: record_page::href(DocumentKind::Fund, id),
        federation: words::division(fund.federation.as_str()),
        year: fund.year.to_string(),
        set_aside_fen: set_aside.0,
        closing_fen: fund_closing(&facts.entries, paid, as_of).0,
    }))
}

/// Shows one case.
///
/// # Errors
/// `NOT_FOUND`, the store's.
pub async fn show(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(reference): Path<String>,
) -> Result<Page<Subsidy>, Error> {
    let as_of = today(&signed_in);
    let role = signed_in.account.role;
    let frame = signed_in.frame("nav.subsidies").computed_from(as_of, None);
    let page = app
        .with(move |app| {
            let id = app.replica.find(&reference, &[DocumentKind::Subsidy])?;
            case_page(&app.replica, id, frame, as_of, role)
        })
        .await?;
    Ok(Page(page))
}

fn case_page(
    replica: &Replica,
    id: DocumentId,
    frame: Frame,
    as_of: Day,
    role: Role,
) -> Result<Subsidy, ReplicaError> {
    let document = replica.document(id)?;
    let (record, mut problems) = document.record();
    let (facts, more) = document.facts();
    problems.extend(more);
    let (Record::Subsidy(case), Facts::Subsidy(facts)) = (record, facts) else {
        return Err(ReplicaError::NoDocument(id.to_string()));
    };
    problems.extend(money_rule::findings(replica, id, &facts)?);
    problems.sort();
    problems.dedup();
    let kept = Kept::read(replica, id, role)?;
    let href = record_page::href(DocumentKind::Subsidy, id);
    let (payee, payee_href) = payee(
        replica,
        case.payee_union.as_deref(),
        case.payee_federation.as_ref(),
    )?;
    let json = serde_json::to_value(Record::Subsidy(case.clone())).unwrap_or_default();
    let lists = entry_list::find(DocumentKind::Subsidy, "entries").map(|list| {
        list.table(
            &frame,
            &kept.names,
            &json,
            kept.entries_href.as_deref().map(EntryLinks::all),
        )
    });
    Ok(Subsidy {
        payee: if payee.is_empty() { id.to_string() } else { payee },
        payee_href,
        state: state_at(&facts.entries, as_of).name(),
        sums: case_sum_lines(&frame, &facts, as_of),
        fields: case_fields(&frame, replica, &case)?,
        lists: lists.into_iter().collect(),
        conflicts: conflicts(&frame, &document, &kept.names, &href),
        problems: problem_rows(&frame, replica, id, &problems)?,
        refusals: record_page::refusals(&frame, replica, id)?,
        history: history(&frame, replica, &document, &kept.names)?,
        edit_href: kept.entries_href.map(|_| format!("{href}/edit")),
        may_settle: kept.may_settle,
        frame,
    })
}

fn case_sum_lines(frame: &Frame, facts: &SubsidyFacts, as_of: Day) -> Vec<(String, i128)> {
    let sums = case_sums(&facts.entries, Day::MIN, as_of, as_of);
    let line = |key: &str, fen: Fen| (frame.text(key).to_owned(), fen.0);
    vec![
        line("subsidy.approved", sums.approved),
        line("subsidy.disbursed", sums.disbursed),
        line("subsidy.recovered", sums.recovered),
        line("subsidy.outstanding", outstanding_at(&facts.entries, as_of)),
    ]
}

fn case_fields(
    frame: &Frame,
    replica: &Replica,
    case: &SubsidyRecord,
) -> Result<Vec<FieldRow>, ReplicaError> {
    let fund = match &case.fund {
        None => None,
        Some(reference) => match replica.find(reference, &[DocumentKind::Fund]) {
            Ok(id) => Some(record_page::name(frame, replica, id)?),
            Err(ReplicaError::NoDocument(_)) => Some(reference.clone()),
            Err(error) => return Err(error),
        },
    };
    Ok(vec![
        field_row("federation", Some(words::division(case.federation.as_str()))),
        field_row("kind", Some(frame.term("subsidy", case.kind.name()))),
        field_row(
            "rule",
            case.rule.as_deref().map(|rule| words::term(frame, "rule", rule)),
        ),
        field_row("period", case.period.clone()),
        field_row("fund", fund),
    ])
}

/// What the page of a record needs to know of who looks at it.
struct Kept {
    names: AuthorNames,
    entries_href: Option<String>,
    may_settle: bool,
}

impl Kept {
    fn read(replica: &Replica, id: DocumentId, role: Role) -> Result<Self, ReplicaError> {
        let kept_here = record_page::is_kept(replica, id)?;
        Ok(Self {
            names: AuthorNames::load(replica.store())?,
            entries_href: (role >= Role::Clerk && kept_here).then(|| record_page::entries_href(id)),
            may_settle: role >= Role::Head && kept_here,
        })
    }
}

/// Shows one fund.
///
/// # Errors
/// `NOT_FOUND`, the store's.
pub async fn show_fund(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(reference): Path<String>,
) -> Result<Page<Fund>, Error> {
    let as_of = today(&signed_in);
    let role = signed_in.account.role;
    let frame = signed_in.frame("nav.subsidies").computed_from(as_of, None);
    let page = app
        .ask(move |replica, cube| {
            let id = replica.find(&reference, &[DocumentKind::Fund])?;
            fund_page(replica, cube, id, frame, as_of, role)
        })
        .await?;
    Ok(Page(page))
}

fn fund_page(
    replica: &Replica,
    cube: &Cube,
    id: DocumentId,
    frame: Frame,
    as_of: Day,
    role: Role,
) -> Result<Fund, ReplicaError> {
    let document = replica.document(id)?;
    let (record, mut problems) = document.record();
    let (facts, more) = document.facts();
    problems.extend(more);
    let (Record::Fund(fund), Facts::Fund(facts)) = (record, facts) else {
        return Err(ReplicaError::NoDocument(id.to_string()));
    };
    let paid = money_rule::paid_from(replica, cube, id, &fund.federation, as_of)?;
    let promised = CaseSums {
        disbursed: paid.approved,
        ..paid
    };
    if fund_closing(&facts.entries, promised, as_of) < Fen::ZERO {
        let message = "The approvals exceed the fund.";
        problems.push(rollcall_core::problem::Problem::alert("V36", "", message));
    }
    problems.sort();
    problems.dedup();
    let mut columns: Vec<(FundEntryKind, Fen)> = Vec::new();
    for (movement, _) in fund_movements(&facts.entries) {
        if movement.on > as_of {
            continue;
        }
        match columns.iter_mut().find(|(kind, _)| *kind == movement.column) {
            Some((_, sum)) => *sum = sum.plus(movement.amount),
            None => columns.push((movement.column, movement.amount)),
        }
    }
    columns.sort_by_key(|(kind, _)| *kind);
    let line = |key: &str, fen: Fen| (frame.text(key).to_owned(), fen.0);
    let mut sums: Vec<(String, i128)> = columns
        .iter()
        .map(|(kind, fen)| (frame.term("fund_entry", kind.name()), fen.0))
        .collect();
    sums.extend([
        line("subsidy.approved", paid.approved),
        line("subsidy.disbursed", paid.disbursed),
        line("subsidy.recovered", paid.recovered),
        line("subsidies.closing", fund_closing(&facts.entries, paid, as_of)),
    ]);
    let kept = Kept::read(replica, id, role)?;
    let json = serde_json::to_value(Record::Fund(fund)).unwrap_or_default();
    let lists = entry_list::find(DocumentKind::Fund, "entries").map(|list| {
        list.table(
            &frame,
            &kept.names,
            &json,
            kept.entries_href.as_deref().map(EntryLinks::all),
        )
    });
    Ok(Fund {
        title: record_page::name(&frame, replica, id)?,
        sums,
        lists: lists.into_iter().collect(),
        conflicts: conflicts(
            &frame,
            &document,
            &kept.names,
            &record_page::href(DocumentKind::Fund, id),
        ),
        problems: problem_rows(&frame, replica, id, &problems)?,
        refusals: record_page::refusals(&frame, replica, id)?,
        history: history(&frame, replica, &document, &kept.names)?,
        may_settle: kept.may_settle,
        frame,
    })
}
