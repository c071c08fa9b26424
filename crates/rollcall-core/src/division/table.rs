//! The tables as they lie in files: the standard as it is now, and every code that it ever held with its years.

use std::collections::BTreeMap;

use super::{Division, DivisionVersion, Divisions, NATIONAL};
use crate::term::Level;

impl Divisions {
    pub(super) fn read(current: &'static str, history: &'static str) -> Self {
        let mut by_code: BTreeMap<u32, Division> = BTreeMap::new();
        for line in history.lines().skip(1) {
            let mut cells = line.trim_start_matches('\u{feff}').split(',');
            let mut cell = || cells.next().unwrap_or("");
            let (code, _province, prefecture, name) = (cell(), cell(), cell(), cell());
            let (level, _status, from, until, successors) = (cell(), cell(), cell(), cell(), cell());
            let (Ok(code), Some(level), Ok(from_year)) =
                (code.parse(), Level::from_name(level), from.parse())
            else {
                continue;
            };
            let until_year = until.parse().ok();
            let version = DivisionVersion {
                name,
                from_year,
                until_year,
                parent: parent_by_code(code, level, prefecture),
                successors: read_successors(successors, until_year),
            };
            by_code
                .entry(code)
                .or_insert_with(|| Division {
                    code,
                    level,
                    name_latin: None,
                    in_use: false,
                    versions: Vec::new(),
                })
                .versions
                .push(version);
        }
        for line in current.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let [code, _, latin, _, parent, ..] = cells[..] else {
                continue;
            };
            let Some(division) = code.parse().ok().and_then(|code: u32| by_code.get_mut(&code)) else {
                continue;
            };
            division.name_latin = Some(latin);
            division.in_use = true;
            let now = division
                .versions
                .iter_mut()
                .find(|version| version.until_year.is_none());
            if let (Some(version), Ok(parent)) = (now, parent.parse()) {
                version.parent = parent;
            }
        }
        for division in by_code.values_mut() {
            division.versions.sort_by_key(|version| version.from_year);
        }
        Self { by_code }
    }
}

fn parent_by_code(code: u32, level: Level, prefecture: &str) -> u32 {
    match level {
        Level::National | Level::Province => NATIONAL,
        Level::Prefecture => code / 10_000 * 10_000,
        Level::County if prefecture == "直辖" || prefecture.is_empty() || code / 100 % 100 == 90 => {
            code / 10_000 * 10_000
        }
        Level::County => code / 100 * 100,
    }
}

/// `340102[2006];340111`: the year in brackets, else the year in which the code changed.
fn read_successors(text: &str, changed_in: Option<i32>) -> Vec<(u32, i32)> {
    text.split(';')
        .filter_map(|part| {
            let (code, year) = part.split_once('[').unwrap_or((part, ""));
            let year = year.trim_end_matches(']').parse().ok().or(changed_in)?;
            Some((code.parse().ok()?, year))
        })
        .collect()
}
