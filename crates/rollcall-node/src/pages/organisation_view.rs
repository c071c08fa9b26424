//! Fills the page of one organisation from its document, the cube's judgement and the store.
//! Owns order and wording; what counts and why is the cube's to say.

use rollcall_core::date::{Day, PartialDate};
use rollcall_core::dated::count_at;
use rollcall_core::fact::{CountFact, Facts};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::record::{Dated, OrganisationRecord, Record, UnionRecord};
use rollcall_core::term::{Source, Stage, UnionEvent};
use rollcall_replica::handover::Right;
use rollcall_replica::{Error, Replica};
use rollcall_stats::{Cube, OrganisationStatus};
use rollcall_web::layout::Frame;
use rollcall_web::page::organisation::{
    CountRow, CoverageRow, ExclusionRow, FieldRow, Organisation, StageStep, ValueLine,
};
use rollcall_web::page::organisations::StandingFilter;

use super::entry_list::{self, EntryLinks, HANDOVERS};
use super::handover_rule;
use super::organisation_history::{conflicts, history};
use super::organisations::standing;
use super::record_page::{self, field_row, problem_rows};
use super::words::{self, AuthorNames};

/// Who looks, when.
pub(super) struct Viewer {
    pub(super) frame: Frame,
    pub(super) as_of: Day,
    pub(super) may_edit: bool,
    pub(super) may_settle: bool,
}

/// Lists that the page shows as plain tables.
const FURTHER_LISTS: [&str; 4] = ["contacts", "organisers", HANDOVERS, "services"];

/// Where an entry of a list is changed; `None` where the account may not.
type EntryHref<'a> = &'a dyn Fn(&str, &str) -> Option<String>;

/// A union that a link names or that names the organisation.
struct Linked {
    id: DocumentId,
    record: UnionRecord,
}

/// The page.
pub(super) fn view(
    replica: &Replica,
    cube: &Cube,
    id: DocumentId,
    viewer: Viewer,
) -> Result<Organisation, Error> {
    let Viewer {
        frame,
        as_of,
        may_edit,
        may_settle,
    } = viewer;
    let document = replica.document(id)?;
    let (record, mut problems) = document.record();
    let (facts, more) = document.facts();
    problems.extend(more);
    problems.sort();
    problems.dedup();
    let Record::Organisation(record) = record else {
        return Err(Error::NoDocument(id.to_string()));
    };
    let status = cube.organisation(id, as_of);
    let covering: &[DocumentId] = status.as_ref().map_or(&[], |status| &status.unions);
    let unions = linked(replica, &record, covering)?;
    let names = AuthorNames::load(replica.store())?;
    let right = replica.right(&document)?;
    let kept_here = right == Right::All;
    let list_href = record_page::entries_href(id);
    let entries_href = (may_edit && kept_here).then(|| list_href.clone());
    let entry_href = |list: &str, key: &str| {
        let list = entry_list::find(DocumentKind::Organisation, list)?;
        Some(list.entry_href(entries_href.as_deref()?, key))
    };
    let json = serde_json::to_value(Record::Organisation(record.clone())).unwrap_or_default();
    let lists = FURTHER_LISTS
        .iter()
        .filter_map(|name| entry_list::find(DocumentKind::Organisation, name))
        .map(|list| {
            let links = match &right {
                Right::All => entries_href.as_deref().map(EntryLinks::all),
                Right::Acceptance(open) => (may_edit && list.name == HANDOVERS).then_some(EntryLinks {
                    href: &list_href,
                    only: Some(open),
                }),
                Right::Nothing => None,
            };
            list.table(&frame, &names, &json, links)
        });
    let href = record_page::href(DocumentKind::Organisation, id);
    let (standing, reason) = status.as_ref().map_or((StandingFilter::Held, None), standing);
    let fields = fields(&frame, &record, entries_href.as_deref());
    let name = fields
        .iter()
        .find(|row| row.field == "name")
        .and_then(|row| row.values.first());
    Ok(Organisation {
        name: name.map_or_else(|| id.to_string(), |value| value.text.clone()),
        code: record.code.clone(),
        standing,
        reason,
        covered_by: covered_by(covering, &unions),
        next_step: None,
        coverage: coverage(&frame, &record, covering, &unions, &entry_href),
        counts: counts(&frame, &record, &facts, as_of, &entry_href),
        exclusions: exclusions(&frame, &record, &entry_href),
        stages: stages(&frame, &record, status.as_ref(), &unions, &entry_href),
        lists: lists.collect(),
        conflicts: conflicts(&frame, &document, &names, &href),
        problems: problem_rows(&frame, replica, id, &problems)?,
        refusals: record_page::refusals(&frame, replica, id)?,
        history: history(&frame, replica, &document, &names)?,
        edit_href: (may_edit && kept_here).then(|| format!("{href}/edit")),
        may_settle: may_settle && kept_here,
        entries_href: entries_href.clone(),
        fields,
        frame,
    })
}

/// The unions that its links name and those that cover it, as far as they are held here.
fn linked(
    replica: &Replica,
    record: &OrganisationRecord,
    covering: &[DocumentId],
) -> Result<Vec<Linked>, Error> {
    let mut ids: Vec<DocumentId> = covering.to_vec();
    let standing = record.coverage.iter().filter(|entry| entry.withdrawn.is_none());
    for entry in standing {
        match replica.find(&entry.union, &[DocumentKind::Union]) {
            Ok(id) => ids.push(id),
            Err(Error::NoDocument(_)) => {}
            Err(error) => return Err(error),
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let mut unions = Vec::with_capacity(ids.len());
    for id in ids {
        if let Record::Union(record) = replica.record(id)?.0 {
            unions.push(Linked { id, record: *record });
        }
    }
    Ok(unions)
}

impl Linked {
    fn name(&self) -> String {
        let named = self
            .record
            .name
            .clone()
            .or_else(|| self.record.code.clone())
            .or_else(|| self.record.id.clone());
        named.unwrap_or_else(|| self.id.to_string())
    }

    fn href(&self) -> String {
        record_page::href(DocumentKind::Union, self.id)
    }

    fn form(&self) -> &'static str {
        self.record.form.map_or("", |form| form.name())
    }

    fn on(&self, event: UnionEvent) -> Option<PartialDate> {
        let entries = self
            .record
            .events
            .iter()
            .filter(|entry| entry.event == event && entry.withdrawn.is_none());
        entries.map(|entry| entry.on).min_by_key(|on| on.last_day())
    }

    /// Whether a link means it: by its own id, its code or its record id.
    fn is_meant(&self, reference: &str) -> bool {
        self.record.id.as_deref() == Some(reference)
            || self.record.code.as_deref() == Some(reference)
            || DocumentId::from_reference(DocumentKind::Union, reference) == self.id
    }
}

fn covered_by(covering: &[DocumentId], unions: &[Linked]) -> Option<String> {
    let names: Vec<String> = unions
        .iter()
        .filter(|union| covering.contains(&union.id))
        .map(Linked::name)
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn fields(frame: &Frame, record: &OrganisationRecord, entries_href: Option<&str>) -> Vec<FieldRow> {
    let one = |field: &'static str, text: Option<String>| {
        field_row(field, text.map(|text| words::text_of(frame, field, &text)))
    };
    let lines = |field: &'static str, values: Vec<Line>| FieldRow {
        field,
        values: values
            .into_iter()
            .map(|line| ValueLine {
                text: words::text_of(frame, field, &line.text),
                from: line.from.map(|from| frame.locale.partial_date(from)),
                source: line.source.map(Source::name),
                document: line.document,
            })
            .collect(),
        change_href: entries_href.map(|href| {
            // Who is responsible changes by handover alone.
            let list = if field == "responsible" { HANDOVERS } else { field };
            format!("{href}/{list}")
        }),
    };
    let since = record.registered_on;
    let mut rows = vec![
        lines("name", dated(record.name.as_ref(), since, String::clone)),
        one("code", record.code.clone()),
        one("kind", record.kind.map(|kind| kind.name().to_owned())),
        lines(
            "category",
            dated(record.category.as_ref(), since, |value| value.name().to_owned()),
        ),
        one("registered_on", record.registered_on.map(|on| on.to_string())),
        lines(
            "registration_status",
            dated(
                record.registration_status.as_ref(),
                record.status_on.or(since),
                |value| value.name().to_owned(),
            ),
        ),
        lines(
            "registration_authority",
            dated(record.registration_authority.as_ref(), since, String::clone),
        ),
        lines("location", dated(record.location.as_ref(), since, String::clone)),
        one("address", record.address.clone()),
        one("supervising_unit", record.supervising_unit.clone()),
        lines("responsible", responsible(frame, record, since)),
        lines(
            "operating_state",
            dated(record.operating_state.as_ref(), since, |value| {
                value.name().to_owned()
            }),
        ),
    ];
    if record.successor.is_some() {
        rows.push(one("successor", record.successor.clone()));
    }
    if !record.legacy_numbers.is_empty() {
        rows.push(one("legacy_numbers", Some(record.legacy_numbers.join(", "))));
    }
    if !record.former_names.is_empty() {
        let names = record.former_names.iter().map(|former| former.name.as_str());
        rows.push(one("former_names", Some(names.collect::<Vec<_>>().join(", "))));
    }
    rows
}

/// Who was responsible since when, latest first: as entered, and by handovers with both signatures.
fn responsible(frame: &Frame, record: &OrganisationRecord, since: Option<PartialDate>) -> Vec<Line> {
    let mut lines = dated(record.responsible.as_ref(), since, ToString::to_string);
    lines.extend(handover_rule::complete(record).map(|(handover, from)| Line {
        text: handover.to.to_string(),
        from: Some(from),
        source: None,
        document: Some(words::word(frame, HANDOVERS)),
    }));
    lines.sort_by_key(|line| std::cmp::Reverse(line.from.map(PartialDate::last_day)));
    lines
}

struct Line {
    text: String,
    from: Option<PartialDate>,
    source: Option<Source>,
    document: Option<String>,
}

/// Entries of a dated value, latest first. A single one holds `since`, from the registry.
fn dated<T>(value: Option<&Dated<T>>, since: Option<PartialDate>, text: impl Fn(&T) -> String) -> Vec<Line> {
    match value {
        None => Vec::new(),
        Some(Dated::Scalar(value)) => {
            vec![Line {
                text: text(value),
                from: since,
                source: Some(Source::Registry),
                document: None,
            }]
        }
        Some(Dated::List(entries)) => {
            let mut standing: Vec<_> = entries.iter().filter(|entry| entry.withdrawn.is_none()).collect();
            standing.sort_by_key(|entry| {
                std::cmp::Reverse((
                    entry.from.map(PartialDate::last_day),
                    std::cmp::Reverse(entry.source),
                ))
            });
            let line = |entry: &rollcall_core::record::DatedEntry<T>| Line {
                text: text(&entry.value),
                from: entry.from,
                source: Some(entry.source),
                document: entry.document.clone(),
            };
            standing.into_iter().map(line).collect()
        }
    }
}

fn coverage(
    frame: &Frame,
    record: &OrganisationRecord,
    covering: &[DocumentId],
    unions: &[Linked],
    entry_href: EntryHref<'_>,
) -> Vec<CoverageRow> {
    let date = |date: PartialDate| frame.locale.partial_date(date);
    let mut entries: Vec<_> = record
        .coverage
        .iter()
        .filter(|entry| entry.withdrawn.is_none())
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.from.last_day()));
    let mut rows: Vec<CoverageRow> = entries
        .iter()
        .map(|entry| {
            let union = unions.iter().find(|union| union.is_meant(&entry.union));
            CoverageRow {
                union_name: union.map_or_else(|| entry.union.clone(), Linked::name),
                href: union.map(Linked::href),
                edit_href: entry_href("coverage", &entry.id),
                form: union.map_or("", Linked::form),
                from: date(entry.from),
                until: entry.until.map(date),
                consent_on: entry.consent_on.map(date),
                counts: entry.until.is_none() && union.is_some_and(|union| covering.contains(&union.id)),
            }
        })
        .collect();
    let by_name = |union: &&Linked| !entries.iter().any(|entry| union.is_meant(&entry.union));
    for union in unions.iter().filter(by_name) {
        let established = union.on(UnionEvent::Established).map(date).unwrap_or_default();
        rows.push(CoverageRow {
            union_name: union.name(),
            href: Some(union.href()),
            edit_href: None,
            form: union.form(),
            from: established.clone(),
            until: None,
            consent_on: Some(established),
            counts: covering.contains(&union.id),
        });
    }
    rows
}

fn counts(
    frame: &Frame,
    record: &OrganisationRecord,
    facts: &Facts,
    as_of: Day,
    entry_href: EntryHref<'_>,
) -> Vec<CountRow> {
    let Facts::Organisation(facts) = facts else {
        return Vec::new();
    };
    let used = |wanted: fn(&CountFact) -> bool| {
        count_at(&facts.counts, as_of, wanted).map(|held| (held.on, held.source))
    };
    let used = [
        used(|count| count.workers.is_some()),
        used(|count| count.members.is_some()),
    ];
    let mut entries: Vec<_> = record
        .counts
        .iter()
        .filter(|entry| entry.withdrawn.is_none())
        .collect();
    entries.sort_by_key(|entry| (std::cmp::Reverse(entry.on), entry.source));
    entries
        .into_iter()
        .map(|entry| CountRow {
            on: frame.locale.day(entry.on),
            source: entry.source.name(),
            workers: entry.workers.map(u64::from),
            members: entry.members.map(u64::from),
            female_members: entry.female_members.map(u64::from),
            holds: used.contains(&Some((entry.on, entry.source))),
            edit_href: entry_href("counts", &format!("{}|{}", entry.on, entry.source.name())),
        })
        .collect()
}

fn exclusions(frame: &Frame, record: &OrganisationRecord, entry_href: EntryHref<'_>) -> Vec<ExclusionRow> {
    let date = |date: PartialDate| frame.locale.partial_date(date);
    let mut entries: Vec<_> = record
        .exclusions
        .iter()
        .filter(|entry| entry.withdrawn.is_none())
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.from.last_day()));
    entries
        .into_iter()
        .map(|entry| ExclusionRow {
            reason: entry.reason.name(),
            from: date(entry.from),
            until: entry.until.map(date),
            approved_on: entry.approved_on.map(date),
            evidence: entry.evidence.clone(),
            edit_href: entry_href("exclusions", &entry.id),
        })
        .collect()
}

fn stages(
    frame: &Frame,
    record: &OrganisationRecord,
    status: Option<&OrganisationStatus>,
    unions: &[Linked],
    entry_href: EntryHref<'_>,
) -> Vec<StageStep> {
    let present = status.map_or(Stage::Identified, |status| status.stage);
    let recorded = |stage: Stage| {
        let own = record
            .stages
            .iter()
            .filter(|entry| entry.stage == stage && entry.withdrawn.is_none());
        let event = match stage {
            Stage::Applied => Some(UnionEvent::Applied),
            Stage::FoundingApproved => Some(UnionEvent::FoundingApproved),
            Stage::Elected => Some(UnionEvent::Elected),
            Stage::Established => Some(UnionEvent::Established),
            Stage::LegalPerson => Some(UnionEvent::LegalPerson),
            Stage::Ended => Some(UnionEvent::Dissolved),
            Stage::Identified | Stage::Mapped | Stage::Contacted | Stage::Preparing | Stage::Running => None,
        };
        let by_union = unions.iter().filter_map(|union| union.on(event?));
        own.map(|entry| entry.on)
            .chain(by_union)
            .min_by_key(|on| on.last_day())
    };
    Stage::ALL
        .iter()
        .copied()
        .filter(|stage| *stage != Stage::Ended || present == Stage::Ended)
        .map(|stage| {
            let on = recorded(stage);
            StageStep {
                stage: stage.name(),
                on: on.map(|on| frame.locale.partial_date(on)),
                reached: stage == present || on.is_some() || (stage < present && present != Stage::Ended),
                present: stage == present,
                edit_href: record
                    .stages
                    .iter()
                    .find(|entry| entry.stage == stage && entry.withdrawn.is_none())
                    .and_then(|entry| entry_href("stages", &entry.id)),
            }
        })
        .collect()
}
