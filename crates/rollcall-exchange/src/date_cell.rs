//! A date as lists write it: 2020-01-23, 20/07/1984, 2023年5月24日, 2023.5.24, serial numbers of spreadsheets
//! (`domain.md` 14; `reliability.md` 4, rows 49 to 53). Owns the forms; keeps the precision of the source.

use rollcall_core::date::{Day, PartialDate};

/// Which comes first where the year is last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayOrder {
    DayFirst,
    MonthFirst,
}

/// Why a cell is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateFault {
    Invalid,
    Ambiguous,
    TwoDigitYear,
}

impl DateFault {
    /// Code of `reliability.md` 4.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Invalid => "DATE_INVALID",
            Self::Ambiguous => "DATE_AMBIGUOUS",
            Self::TwoDigitYear => "DATE_YEAR",
        }
    }

    /// What is wrong with it, to follow the text of the cell.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Invalid => "is not a date such as 2024-12-31",
            Self::Ambiguous => "may be read with the day or the month first; choose once for the column",
            Self::TwoDigitYear => "has a year of two digits; write four",
        }
    }
}

/// Days between 1899-12-30, from which spreadsheets count, and 1970-01-01.
const EPOCH_1900: i64 = 25_569;
/// Days between the two systems of serial dates.
const EPOCH_1904_AFTER: i64 = 1_462;

/// The date of a serial number; the day that never was (1900-02-29) and numbers out of range stay as they are.
pub(crate) fn date_of_serial(serial: i64, epoch_1904: bool) -> String {
    let days = match (epoch_1904, serial) {
        (true, serial) => serial + EPOCH_1904_AFTER - EPOCH_1900,
        (false, 60) => return "1900-02-29".to_owned(),
        // Before the day that never was, the count is one less.
        (false, serial @ ..60) => serial + 1 - EPOCH_1900,
        (false, serial) => serial - EPOCH_1900,
    };
    match i32::try_from(days) {
        Ok(days) if (1..=2_958_465).contains(&serial) => Day(days).to_string(),
        _ => serial.to_string(),
    }
}

/// Reads a date from a clean cell.
pub(crate) fn parse_date(
    text: &str,
    order: Option<DayOrder>,
    epoch_1904: bool,
) -> Result<PartialDate, DateFault> {
    let text = without_time(text.trim());
    if let Some(serial) = as_serial(text) {
        return date_of_serial(serial, epoch_1904)
            .parse()
            .map_err(|_| DateFault::Invalid);
    }
    let groups = digit_groups(text).ok_or(DateFault::Invalid)?;
    let width = |index: usize| groups.get(index).map_or(0, |(_, width)| *width);
    let value = |index: usize| groups.get(index).map_or(0, |(value, _)| *value);
    match (groups.len(), width(0), width(groups.len() - 1)) {
        (1, 4, _) => date(value(0), None, None),
        (1, 6, _) => date(value(0) / 100, Some(value(0) % 100), None),
        (1, 8, _) => date(
            value(0) / 10_000,
            Some(value(0) / 100 % 100),
            Some(value(0) % 100),
        ),
        (2, 4, 1..=2) => date(value(0), Some(value(1)), None),
        (2, 1..=2, 4) => date(value(1), Some(value(0)), None),
        (3, 4, 1..=2) if width(1) <= 2 => date(value(0), Some(value(1)), Some(value(2))),
        (3, 1..=2, 4) if width(1) <= 2 => {
            let (first, second, year) = (value(0), value(1), value(2));
            let order = match (first, second) {
                (13.., _) => DayOrder::DayFirst,
                (_, 13..) => DayOrder::MonthFirst,
                (first, second) if first == second => DayOrder::DayFirst,
                _ => order.ok_or(DateFault::Ambiguous)?,
            };
            match order {
                DayOrder::DayFirst => date(year, Some(second), Some(first)),
                DayOrder::MonthFirst => date(year, Some(first), Some(second)),
            }
        }
        (3, 1..=2, 1..=2) if width(1) <= 2 => Err(DateFault::TwoDigitYear),
        _ => Err(DateFault::Invalid),
    }
}

/// The order that a column of dates shows by its clear cases; `Err` with the first doubtful cell where the clear ones
/// do not agree or there are none.
pub(crate) fn day_order<'c>(cells: impl Iterator<Item = &'c str>) -> Result<Option<DayOrder>, String> {
    let mut doubtful = None;
    let (mut day_first, mut month_first) = (false, false);
    for cell in cells {
        let cell = without_time(cell.trim());
        if !cell.ends_with(|c: char| c.is_ascii_digit()) || cell.len() < 8 {
            continue;
        }
        match digit_groups(cell).as_deref() {
            Some([(13.., 1..=2), (1..=12, 1..=2), (_, 4)]) => day_first = true,
            Some([(1..=12, 1..=2), (13.., 1..=2), (_, 4)]) => month_first = true,
            Some([(first, 1..=2), (second, 1..=2), (_, 4)]) if first != second && doubtful.is_none() => {
                doubtful = Some(cell.to_owned());
            }
            _ => {}
        }
    }
    match (day_first, month_first, doubtful) {
        (true, false, _) => Ok(Some(DayOrder::DayFirst)),
        (false, true, _) => Ok(Some(DayOrder::MonthFirst)),
        (_, _, None) => Ok(None),
        (_, _, Some(cell)) => Err(cell),
    }
}

fn date(year: u32, month: Option<u32>, day: Option<u32>) -> Result<PartialDate, DateFault> {
    let text = match (month, day) {
        (Some(month), Some(day)) => format!("{year:04}-{month:02}-{day:02}"),
        (Some(month), None) => format!("{year:04}-{month:02}"),
        _ => format!("{year:04}"),
    };
    text.parse().map_err(|_| DateFault::Invalid)
}

/// Cuts a time of day off.
fn without_time(text: &str) -> &str {
    match text.split_once([' ', 'T']) {
        Some((date, time)) if time.contains(':') && time.starts_with(|c: char| c.is_ascii_digit()) => date,
        _ => text,
    }
}

/// Five digits, perhaps with a part of a day: from 1927 to 2173.
fn as_serial(text: &str) -> Option<i64> {
    let (days, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = digits(days) && digits(part) && (days.len() == 5 || days == "60");
    fits.then(|| days.parse().ok()).flatten()
}

/// Groups of digits with their widths, where only separators of dates lie between them.
fn digit_groups(text: &str) -> Option<Vec<(u32, usize)>> {
    let mut groups: Vec<(u32, usize)> = Vec::new();
    let mut in_group = false;
    for c in text.chars() {
        match c.to_digit(10) {
            Some(digit) if in_group => {
                let (value, width) = groups.last_mut()?;
                *value = value.checked_mul(10)?.checked_add(digit)?;
                *width += 1;
            }
            Some(digit) => {
                groups.push((digit, 1));
                in_group = true;
            }
            None if matches!(
                c,
                '-' | '/' | '.' | '年' | '月' | '日' | '号' | ' ' | '\u{ff0e}' | '－' | '／'
            ) =>
            {
                in_group = false;
            }
            None => return None,
        }
    }
    (!groups.is_empty() && groups.len() <= 3).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_date_is_read() {
        for (text, expected) in [
            ("2020-01-23", "2020-01-23"),
            ("20/07/1984", "1984-07-20"),
            ("07/20/1984", "1984-07-20"),
            ("05/05/1984", "1984-05-05"),
            ("2023年5月24日", "2023-05-24"),
            ("2023年5月", "2023-05"),
            ("2023.5.24", "2023-05-24"),
            ("2023/5/24 0:00:00", "2023-05-24"),
            ("2007-11-30 00:00:00", "2007-11-30"),
            ("20230524", "2023-05-24"),
            ("1984", "1984"),
            ("43853", "2020-01-23"),
            ("43853.5", "2020-01-23"),
        ] {
            assert_eq!(
                parse_date(text, None, false).expect(text).to_string(),
                expected,
                "{text}"
            );
        }
        let other = |order| {
            parse_date("03/04/2026", Some(order), false)
                .expect("with an order")
                .to_string()
        };
        assert_eq!(other(DayOrder::DayFirst), "2026-04-03");
        assert_eq!(other(DayOrder::MonthFirst), "2026-03-04");
    }

    #[test]
    fn what_is_no_date_says_why() {
        for (text, fault) in [
            ("2026-02-30", DateFault::Invalid),
            ("31/04/2026", DateFault::Invalid),
            ("2026-13-01", DateFault::Invalid),
            ("60", DateFault::Invalid),
            ("soon", DateFault::Invalid),
            ("2026-01-01-01", DateFault::Invalid),
            ("99999999999999", DateFault::Invalid),
            ("03/04/2026", DateFault::Ambiguous),
            ("24/5/23", DateFault::TwoDigitYear),
        ] {
            assert_eq!(parse_date(text, None, false), Err(fault), "{text}");
        }
    }

    #[test]
    fn serial_dates_follow_both_systems() {
        for (serial, epoch_1904, text) in [
            (1, false, "1900-01-01"),
            (59, false, "1900-02-28"),
            (60, false, "1900-02-29"),
            (61, false, "1900-03-01"),
            (43_853, false, "2020-01-23"),
            (42_391, true, "2020-01-23"),
            (0, false, "0"),
            (9_999_999, false, "9999999"),
        ] {
            assert_eq!(date_of_serial(serial, epoch_1904), text, "{serial}");
        }
    }

    #[test]
    fn a_clear_date_settles_the_column() {
        for (cells, order) in [
            (&["03/04/2026", "20/07/1984"][..], Ok(Some(DayOrder::DayFirst))),
            (&["03/04/2026", "07/20/1984"], Ok(Some(DayOrder::MonthFirst))),
            (&["2026-01-01", ""], Ok(None)),
            (&["03/04/2026"], Err("03/04/2026".to_owned())),
            (
                &["20/07/1984", "07/20/1984", "3/4/2026"],
                Err("3/4/2026".to_owned()),
            ),
        ] {
            assert_eq!(day_order(cells.iter().copied()), order);
        }
    }
}
