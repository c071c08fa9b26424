//! Values by date (`domain.md` 6, edge rules 2 and 9): which entries hold at the end of a day.
//! Owns the choice among entries; two values for one date are both answered, for the caller to weigh.

use crate::date::Day;
use crate::fact::{CountFact, DatedFact};
use crate::term::RegistrationStatus;

/// The values of the latest `from` up to `on`, distinct and in order; none, one, or several in conflict.
pub fn holding_at<T: Ord + Clone>(entries: &[DatedFact<T>], on: Day) -> Vec<T> {
    distinct(latest_at(entries, on).map(|entry| entry.value.clone()))
}

/// Whether several values hold.
pub fn is_disputed_at<T: PartialEq>(entries: &[DatedFact<T>], on: Day) -> bool {
    differ(latest_at(entries, on))
}

/// Like [`holding_at`] for the registration status, where for one date the better source wins.
pub fn status_at(entries: &[DatedFact<RegistrationStatus>], on: Day) -> Vec<RegistrationStatus> {
    distinct(best_at(entries, on).map(|entry| entry.value))
}

/// Whether several statuses hold.
pub fn is_status_disputed_at(entries: &[DatedFact<RegistrationStatus>], on: Day) -> bool {
    differ(best_at(entries, on))
}

/// The entries of the latest date up to `on`.
fn latest_at<T>(entries: &[DatedFact<T>], on: Day) -> impl Iterator<Item = &DatedFact<T>> + Clone {
    let dates = entries.iter().map(|entry| entry.from);
    let latest = dates.filter(|from| *from <= on).max();
    entries.iter().filter(move |entry| Some(entry.from) == latest)
}

/// Of those the ones from the best source.
fn best_at<T>(entries: &[DatedFact<T>], on: Day) -> impl Iterator<Item = &DatedFact<T>> {
    let latest = latest_at(entries, on);
    let best = latest.clone().map(|entry| entry.source).min();
    latest.filter(move |entry| Some(entry.source) == best)
}

fn differ<'a, T: PartialEq + 'a>(mut entries: impl Iterator<Item = &'a DatedFact<T>>) -> bool {
    let first = entries.next();
    first.is_some_and(|first| entries.any(|entry| entry.value != first.value))
}

/// The latest headcounts up to `on` that `wanted` accepts; for one date the better source. Two entries of one date
/// and source are taken at their least favourable: fewest members, then most workers.
pub fn count_at(counts: &[CountFact], on: Day, wanted: impl Fn(&CountFact) -> bool) -> Option<&CountFact> {
    counts
        .iter()
        .filter(|count| count.on <= on && wanted(count))
        .max_by_key(|count| {
            (
                count.on,
                std::cmp::Reverse(count.source),
                std::cmp::Reverse(count.members),
                count.workers,
            )
        })
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::Source;

    fn entry<T>(from: &str, source: Source, value: T) -> DatedFact<T> {
        DatedFact {
            from: from.parse().expect("a day"),
            source,
            value,
        }
    }

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    #[test]
    fn the_latest_entry_holds_and_two_of_one_date_both_do() {
        let entries = [
            entry("2020-01-01", Source::Registry, 330_105),
            entry("2023-01-01", Source::Import, 330_106),
            entry("2023-01-01", Source::Registry, 330_108),
            entry("2024-01-01", Source::Check, 330_106),
        ];
        for (on, values) in [
            ("2019-12-31", vec![]),
            ("2022-12-31", vec![330_105]),
            ("2023-06-01", vec![330_106, 330_108]),
            ("2024-01-01", vec![330_106]),
        ] {
            assert_eq!(holding_at(&entries, day(on)), values, "{on}");
            assert_eq!(is_disputed_at(&entries, day(on)), values.len() > 1, "{on}");
        }
    }

    #[test]
    fn the_registry_wins_the_status_of_a_day() {
        use RegistrationStatus::{Deregistered, Registered, Revoked};
        let mut entries = vec![
            entry("2024-01-01", Source::Import, Registered),
            entry("2024-01-01", Source::Registry, Deregistered),
        ];
        assert_eq!(status_at(&entries, day("2024-01-01")), [Deregistered]);
        assert!(!is_status_disputed_at(&entries, day("2024-01-01")));
        entries.push(entry("2024-01-01", Source::Registry, Revoked));
        assert_eq!(status_at(&entries, day("2024-01-01")), [Deregistered, Revoked]);
        assert!(is_status_disputed_at(&entries, day("2024-01-01")));
    }

    #[test]
    fn headcounts_go_by_date_then_source() {
        let count = |on: &str, source, workers| CountFact {
            on: day(on),
            source,
            workers: Some(workers),
            members: None,
            female_members: None,
        };
        let counts = [
            count("2023-01-01", Source::Registry, 1),
            count("2023-06-01", Source::Import, 2),
            count("2023-06-01", Source::Check, 3),
            count("2024-06-01", Source::Import, 4),
        ];
        let workers = |on| count_at(&counts, day(on), |_| true).and_then(|count| count.workers);
        assert_eq!(workers("2022-12-31"), None);
        assert_eq!(workers("2023-12-31"), Some(3));
        assert_eq!(workers("2024-12-31"), Some(4));
    }
}
