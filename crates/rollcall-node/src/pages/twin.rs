//! Records that may be second ones of what is held already: organisations of one name (V28), own unions of one organisation
//! (V26), unions of one name under one federation (`domain.md` 6 edge rule 15), organisations with two unions that live
//! (6 rule 1), funds of one federation and year. Owns finding them; that a person decides is `doubt`'s.

use rollcall_core::date::Day;
use rollcall_core::fact::{Agreed, DatedFact, Facts, FundFacts, LinkFact, OrganisationFacts, UnionFacts};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_core::term::UnionForm;
use rollcall_core::union::state_at;
use rollcall_replica::{Error, Replica};

use super::doubt::Doubt;
use super::{record_page, unions, words};

/// Records told of each sort.
const TOLD_MAX: usize = 3;

/// What an edit of an organisation would make twice: its name, its cover.
pub(super) fn of_organisation(
    replica: &Replica,
    id: DocumentId,
    before: &OrganisationFacts,
    after: &OrganisationFacts,
    today: Day,
) -> Result<Vec<Doubt>, Error> {
    let mut doubts = Vec::new();
    let named = |facts: &OrganisationFacts| latest(&facts.names).cloned();
    if let Some(name) = named(after).filter(|name| named(before).as_ref() != Some(name)) {
        for (held, shown) in namesakes(replica, id, DocumentKind::Organisation, &name)? {
            let Facts::Organisation(facts) = replica.facts(held)? else {
                continue;
            };
            if facts.mistaken || are_apart(&facts.location, &after.location) {
                continue;
            }
            let message = match facts.code {
                Some(code) => format!("\"{shown}, {code}\" is held already."),
                None => format!("\"{shown}\" is held already, without a code."),
            };
            tell(
                &mut doubts,
                DocumentKind::Organisation,
                held,
                Problem::alert("V28", "name", message),
            );
        }
        doubts.truncate(TOLD_MAX);
    }
    for place in added(&before.coverage, &after.coverage) {
        let link = after.coverage[place];
        if link.until.is_some_and(|until| until < today) {
            continue;
        }
        let others = after.coverage.iter().enumerate();
        for (_, other) in others.filter(|(other, _)| *other != place) {
            if overlap(&link, other) {
                tell_cover(&mut doubts, replica, other.union, today)?;
            }
        }
        for own in own_unions(replica, id, today)? {
            tell_cover(&mut doubts, replica, own, today)?;
        }
    }
    Ok(doubts)
}

/// What an edit of a union would make twice: the own union of its organisation, its name under its federation.
pub(super) fn of_union(
    replica: &Replica,
    id: DocumentId,
    before: &UnionFacts,
    after: &UnionFacts,
    today: Day,
) -> Result<Vec<Doubt>, Error> {
    let mut doubts = Vec::new();
    if !lives(after, today) {
        return Ok(doubts);
    }
    let whose = |facts: &UnionFacts| (facts.organisation.clone(), facts.form.clone());
    if is_own(after) && whose(before) != whose(after) {
        for organisation in &after.organisation {
            let held = replica.store().read(|reader| reader.resolve(*organisation))?;
            for other in own_unions(replica, *organisation, today)? {
                if other != id {
                    let message = format!(
                        "{:?} is a union of this organisation already.",
                        name(replica, other)?
                    );
                    let problem = Problem::alert("V26", "organisation", message);
                    tell(&mut doubts, DocumentKind::Union, other, problem);
                }
            }
            for employer in held {
                let Facts::Organisation(employer) = replica.facts(employer)? else {
                    continue;
                };
                let current = |link: &&LinkFact| link.until.is_none_or(|until| until >= today);
                for link in employer.coverage.iter().filter(current) {
                    tell_cover(&mut doubts, replica, link.union, today)?;
                }
            }
        }
    }
    let known = |facts: &UnionFacts| (facts.name.clone(), facts.higher_union.clone());
    if known(before) != known(after)
        && let Some(own_name) = after.name.first()
    {
        for (held, shown) in namesakes(replica, id, DocumentKind::Union, own_name)? {
            let Facts::Union(facts) = replica.facts(held)? else {
                continue;
            };
            let told = record_page::href(DocumentKind::Union, held);
            if !lives(&facts, today)
                || facts.higher_union != after.higher_union
                || doubts.iter().any(|doubt| doubt.href.as_ref() == Some(&told))
            {
                continue;
            }
            let message = format!("{shown:?} is a union under this federation already.");
            tell(
                &mut doubts,
                DocumentKind::Union,
                held,
                Problem::alert("UNION_HELD", "name", message),
            );
        }
    }
    doubts.truncate(TOLD_MAX);
    Ok(doubts)
}

/// The funds that a federation has for a year already.
pub(super) fn of_fund(
    replica: &Replica,
    id: DocumentId,
    before: &FundFacts,
    after: &FundFacts,
) -> Result<Vec<Doubt>, Error> {
    let mut doubts = Vec::new();
    let whose = |facts: &FundFacts| (facts.federation.clone(), facts.year.clone());
    let (Some(federation), Some(year)) = (after.federation.first(), after.year.first()) else {
        return Ok(doubts);
    };
    if whose(before) == whose(after) {
        return Ok(doubts);
    }
    let mut funds = Vec::new();
    replica.store().read(|reader| {
        reader.listed_names(DocumentKind::Fund, |listed| {
            funds.push(listed.document_id);
            Ok(())
        })
    })?;
    for held in funds.into_iter().filter(|held| *held != id) {
        if let Facts::Fund(facts) = replica.facts(held)?
            && whose(&facts) == whose(after)
        {
            let federation = words::division(federation.as_str());
            let message = format!("There is a fund of \"{federation}, {year}\" already.");
            tell(
                &mut doubts,
                DocumentKind::Fund,
                held,
                Problem::alert("FUND_HELD", "year", message),
            );
        }
    }
    doubts.truncate(TOLD_MAX);
    Ok(doubts)
}

fn tell(doubts: &mut Vec<Doubt>, kind: DocumentKind, held: DocumentId, problem: Problem) {
    let doubt = Doubt {
        problem,
        href: Some(record_page::href(kind, held)),
    };
    if !doubts.contains(&doubt) {
        doubts.push(doubt);
    }
}

/// Tells of a union that covers an organisation, where it is held here and lives.
fn tell_cover(
    doubts: &mut Vec<Doubt>,
    replica: &Replica,
    union: DocumentId,
    today: Day,
) -> Result<(), Error> {
    for held in replica.store().read(|reader| reader.resolve(union))? {
        if let Facts::Union(facts) = replica.facts(held)?
            && lives(&facts, today)
        {
            let message = format!("{:?} covers this organisation already.", name(replica, held)?);
            let problem = Problem::alert("COVERED_ALREADY", "union", message);
            tell(doubts, DocumentKind::Union, held, problem);
        }
    }
    Ok(())
}

/// The own unions of an organisation that are founded or being founded.
fn own_unions(replica: &Replica, organisation: DocumentId, today: Day) -> Result<Vec<DocumentId>, Error> {
    let (naming, named) = replica.store().read(|reader| {
        let mut named = reader.resolve(organisation)?;
        named.push(organisation);
        let mut naming = Vec::new();
        for id in &named {
            naming.extend(unions::naming(reader, *id, DocumentKind::Union)?);
        }
        naming.sort_unstable();
        naming.dedup();
        Ok((naming, named))
    })?;
    let mut own = Vec::new();
    for union in naming {
        if let Facts::Union(facts) = replica.facts(union)?
            && is_own(&facts)
            && lives(&facts, today)
            && is_of(replica, &facts.organisation, &named)?
        {
            own.push(union);
        }
    }
    Ok(own)
}

/// Whether one of the organisations that a union names is one of these documents.
fn is_of(replica: &Replica, named: &Agreed<DocumentId>, documents: &[DocumentId]) -> Result<bool, Error> {
    for reference in named {
        let held = replica.store().read(|reader| reader.resolve(*reference))?;
        if documents.contains(reference) || held.iter().any(|id| documents.contains(id)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_own(union: &UnionFacts) -> bool {
    union.form.is_empty() || union.form.contains(&UnionForm::Own)
}

/// Neither a mistake nor dissolved; a suspended union and one being founded live.
fn lives(union: &UnionFacts, today: Day) -> bool {
    !union.mistaken && !state_at(union, today, 0).dissolved
}

fn overlap(one: &LinkFact, other: &LinkFact) -> bool {
    let ends_before =
        |first: &LinkFact, second: &LinkFact| first.until.is_some_and(|until| until < second.from);
    !ends_before(one, other) && !ends_before(other, one)
}

fn name(replica: &Replica, id: DocumentId) -> Result<String, Error> {
    let row = replica.store().read(|reader| reader.listing(id))?;
    let name = row.map(|row| row.listing.name).filter(|name| !name.is_empty());
    Ok(name.unwrap_or_else(|| id.to_string()))
}

/// The other records of a kind whose name has the same letters, with it as it is shown.
fn namesakes(
    replica: &Replica,
    but: DocumentId,
    kind: DocumentKind,
    name: &str,
) -> Result<Vec<(DocumentId, String)>, Error> {
    let mut found = Vec::new();
    replica.store().read(|reader| {
        reader.listed_names(kind, |listed| {
            if listed.document_id != but && letters(listed.name).eq(letters(name)) {
                found.push((listed.document_id, listed.name.to_owned()));
            }
            Ok(())
        })
    })?;
    found.sort_unstable();
    Ok(found)
}

/// A name without width, case and blanks: 求知学校（东区） is 求知学校 (东区).
fn letters(name: &str) -> impl Iterator<Item = char> {
    let folded = name.chars().map(words::half_width).flat_map(char::to_lowercase);
    folded.filter(|character| !character.is_whitespace())
}

fn latest<T>(entries: &[DatedFact<T>]) -> Option<&T> {
    let last = entries.iter().max_by_key(|entry| entry.from);
    last.map(|entry| &entry.value)
}

/// Whether both are known to lie in different divisions.
fn are_apart(one: &[DatedFact<u32>], other: &[DatedFact<u32>]) -> bool {
    matches!((latest(one), latest(other)), (Some(one), Some(other)) if one != other)
}

/// The places of what stands in `after` more often than in `before`.
fn added<T: PartialEq>(before: &[T], after: &[T]) -> Vec<usize> {
    let mut known: Vec<&T> = before.iter().collect();
    let mut places = Vec::new();
    for (place, entry) in after.iter().enumerate() {
        match known.iter().position(|held| *held == entry) {
            Some(held) => {
                known.swap_remove(held);
            }
            None => places.push(place),
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_same_letters_are_one() {
        for (one, other, same) in [
            ("求知学校（东区）", "求知学校 (东区)", true),
            ("ＡＢ学校", "ab学校", true),
            ("求知学校", "求知学校\u{3000}", true),
            ("求知学校", "求知中学", false),
            ("求知学校", "求知学校二部", false),
        ] {
            assert_eq!(letters(one).eq(letters(other)), same, "{one} {other}");
        }
    }

    #[test]
    fn what_is_there_once_more_is_added() {
        assert_eq!(added(&[1, 2], &[2, 2, 1, 3]), [1, 3]);
        assert!(added(&[1, 2], &[2]).is_empty());
    }

    #[test]
    fn links_overlap_unless_one_ends_before_the_other_begins() {
        let day = |text: &str| text.parse().expect("a day");
        let link = |from: &str, until: Option<&str>| LinkFact {
            union: DocumentId::derive(DocumentKind::Union, "J1"),
            from: day(from),
            until: until.map(day),
            consent_on: None,
        };
        let first = link("2024-01-01", Some("2024-05-31"));
        assert!(!overlap(&first, &link("2024-06-01", None)));
        assert!(!overlap(&link("2024-06-01", None), &first));
        assert!(overlap(&first, &link("2024-05-31", None)));
        assert!(overlap(&link("2023-01-01", None), &link("2024-06-01", None)));
    }
}
