//! A generated country as records (`domain.md` 13): what the demo, the benches and the soak runs are fed with.
//! The same configuration gives the same bytes. One federation is made at a time, so memory stays small.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use rollcall_core::date::Day;
use rollcall_core::id::FederationId;
use rollcall_core::record::Record;

mod chance;
mod country;
mod money;
mod name;
mod note;
mod organisation;
mod register;
mod union;

use chance::Chance;
use country::{Country, Place};
pub(crate) use register::Registers;

/// Nothing in a generated country is dated after the end of 2024.
const HORIZON: Day = Day(20_088);

/// What to generate.
#[derive(Debug, Clone)]
pub(crate) struct SeedConfig {
    /// How many organisations, over all federations.
    pub(crate) organisations: u64,
    /// Same seed, same country.
    pub(crate) seed: u64,
    /// Only these federations (territorial ones), which then share all the organisations.
    pub(crate) federations: Option<Vec<FederationId>>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Written {
    /// Files, one per federation.
    pub(crate) files: u64,
    /// Lines.
    pub(crate) records: u64,
    /// Organisations among them.
    pub(crate) organisations: u64,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// Every record with the federation that keeps it, federation after federation from the top.
pub(crate) fn generate(config: &SeedConfig) -> impl Iterator<Item = (FederationId, Record)> + use<> {
    let seed = config.seed;
    let country = Country::new(seed, config.organisations, config.federations.as_deref());
    let places = country.places().to_vec();
    places.into_iter().flat_map(move |place| {
        let federation = place.federation.clone();
        generate_place(seed, &country, &place)
            .into_iter()
            .map(move |record| (federation.clone(), record))
    })
}

/// Writes one records file per federation, named by its code.
pub(crate) fn write_files(config: &SeedConfig, folder: &Path) -> anyhow::Result<Written> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut written = Written::default();
    let mut seen = BTreeSet::new();
    let mut current: Option<(FederationId, BufWriter<File>)> = None;
    for (federation, record) in generate(config) {
        if current.as_ref().is_none_or(|(open, _)| *open != federation) {
            if let Some((_, mut file)) = current.take() {
                file.flush()?;
            }
            anyhow::ensure!(
                seen.insert(federation.clone()),
                "records of {federation} are not in one piece"
            );
            let path = folder.join(format!("{}.jsonl", federation.as_str().replace('/', "_")));
            let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
            current = Some((federation, BufWriter::new(file)));
            written.files += 1;
        }
        if let Some((_, file)) = &mut current {
            let line = serde_json::to_string(&record)?;
            writeln!(file, "{line}")?;
            written.records += 1;
            written.organisations += u64::from(matches!(record, Record::Organisation(_)));
            written.bytes += line.len() as u64 + 1;
        }
    }
    if let Some((_, mut file)) = current {
        file.flush()?;
    }
    Ok(written)
}

fn generate_place(seed: u64, country: &Country, place: &Place) -> Vec<Record> {
    let mut chance = Chance::new(seed, place.federation.as_str());
    let region = country.name(place.code).to_owned();
    let mut unions = union::Unions::new(place, &region, &mut chance);
    let mut records: Vec<Record> = (0..place.organisations)
        .map(|number| organisation::generate(country, place, number, &mut unions, &mut chance))
        .collect();
    let (union_records, founded) = unions.finish();
    records.extend(union_records);
    records.extend(money::generate(country, place, &founded, &mut chance));
    records
}

/// Six characters of the credit code alphabet, different for every number below 31⁶.
fn six_characters(number: u64) -> String {
    const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const ALL: u128 = 31 * 31 * 31 * 31 * 31 * 31;
    let mut rest = (u128::from(number) * 372_036_521 + 48_611) % ALL;
    (0..6)
        .map(|_| {
            let digit = (rest % 31) as usize;
            rest /= 31;
            ALPHABET[digit] as char
        })
        .collect()
}

fn day(year: i32, month: u8, day: u8) -> Day {
    Day::from_ymd(year, month, day).expect("a calendar date")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rollcall_core::date::PartialDate;
    use rollcall_core::term::{SubsidyEntryKind, UnionEvent};

    use super::*;

    fn lines(config: &SeedConfig) -> Vec<String> {
        generate(config)
            .map(|(_, record)| serde_json::to_string(&record).expect("a record"))
            .collect()
    }

    fn some(organisations: u64, seed: u64) -> SeedConfig {
        SeedConfig {
            organisations,
            seed,
            federations: None,
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        assert_eq!(lines(&some(3_000, 1)), lines(&some(3_000, 1)));
        assert_ne!(lines(&some(3_000, 1)), lines(&some(3_000, 2)));
        assert_eq!(HORIZON, day(2024, 12, 31));
    }

    #[test]
    fn organisations_are_as_many_as_asked_for_each_with_its_own_code_and_size() {
        let mut codes = BTreeSet::new();
        let mut bytes = 0;
        for (_, record) in generate(&some(5_000, 1)) {
            let text = serde_json::to_string(&record).expect("a record");
            assert_eq!(serde_json::from_str::<Record>(&text).expect("reads back"), record);
            if let Record::Organisation(organisation) = &record {
                bytes += text.len();
                let code = organisation.code.clone().expect("a code");
                assert!(
                    code.parse::<rollcall_core::credit_code::CreditCode>().is_ok(),
                    "{code}"
                );
                assert!(codes.insert(code));
            }
        }
        assert_eq!(codes.len(), 5_000);
        let mean = bytes / 5_000;
        assert!((1_200..1_600).contains(&mean), "{mean} bytes an organisation");
    }

    #[test]
    fn every_union_named_exists_and_stands_when_it_is_named() {
        let records: Vec<Record> = generate(&some(8_000, 5)).map(|(_, record)| record).collect();
        let mut established: BTreeMap<String, Day> = BTreeMap::new();
        for record in &records {
            if let Record::Union(union) = record {
                let event = union
                    .events
                    .iter()
                    .find(|event| event.event == UnionEvent::Established);
                let on = event.expect("an established event").on.last_day();
                assert!(established.insert(record.key().expect("a key"), on).is_none());
                let mut days: Vec<PartialDate> = Vec::new();
                days.extend(
                    union
                        .events
                        .iter()
                        .filter(|event| event.cycle == 0)
                        .map(|event| event.on),
                );
                assert!(
                    days.windows(2)
                        .all(|pair| pair[0].last_day() <= pair[1].last_day()),
                    "{union:?}"
                );
            }
        }
        for record in &records {
            match record {
                Record::Organisation(organisation) => {
                    for link in &organisation.coverage {
                        let on = established.get(&link.union).expect("the union is there");
                        assert!(*on <= link.from.last_day(), "{} {on}", link.union);
                    }
                    for count in &organisation.counts {
                        assert!(
                            count.members
                                <= count
                                    .workers
                                    .max(count.members.filter(|_| count.workers.is_none()))
                        );
                    }
                }
                Record::Subsidy(case) => {
                    let payee = case.payee_union.as_ref().expect("a union");
                    let approved = case
                        .entries
                        .iter()
                        .find(|entry| entry.entry == SubsidyEntryKind::Approved);
                    assert!(approved.is_none_or(|entry| established[payee] <= entry.on.last_day()));
                }
                _ => {}
            }
        }
    }

    #[test]
    fn given_federations_get_files_of_their_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let federations = ["330000", "330106"]
            .iter()
            .map(|code| code.parse().expect(code))
            .collect();
        let config = SeedConfig {
            organisations: 40,
            seed: 9,
            federations: Some(federations),
        };
        let written = write_files(&config, folder.path()).expect("written");
        assert_eq!((written.files, written.organisations), (2, 40));
        let text = fs::read_to_string(folder.path().join("330106.jsonl")).expect("a file");
        assert!(
            text.lines()
                .all(|line| serde_json::from_str::<Record>(line).is_ok())
        );
    }
}
