//! Calendar dates in China Standard Time, whole or known only to the month or year.
//! Owns text form and day arithmetic; never asks what day it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Date, Month};

/// A calendar day, as days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// A text that is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date such as 2024-12-31")]
pub struct DateError(pub String);

const EPOCH_JULIAN: i32 = 2_440_588;

impl Day {
    /// Before every date that occurs.
    pub const MIN: Self = Self(i32::MIN);
    /// After every date that occurs.
    pub const MAX: Self = Self(i32::MAX);

    /// The day of a calendar date; `None` where there is none such (2026-02-30).
    pub fn from_ymd(year: i32, month: u8, day: u8) -> Option<Self> {
        if !(1000..=9999).contains(&year) {
            return None;
        }
        let month = Month::try_from(month).ok()?;
        let date = Date::from_calendar_date(year, month, day).ok()?;
        Some(Self(date.to_julian_day() - EPOCH_JULIAN))
    }

    /// Year, month and day; the ends of the calendar are clamped.
    pub fn ymd(self) -> (i32, u8, u8) {
        let julian = self.0.saturating_add(EPOCH_JULIAN);
        let date = Date::from_julian_day(julian).unwrap_or(if self.0 < 0 { Date::MIN } else { Date::MAX });
        (date.year(), date.month().into(), date.day())
    }

    /// The day after; the last day stays.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The day before; the first day stays.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The same day of the month `months` later (earlier if negative), the last of the month where it has none.
    #[must_use]
    pub fn plus_months(self, months: i32) -> Self {
        if self == Self::MIN || self == Self::MAX {
            return self;
        }
        let (year, month, day) = self.ymd();
        let index = year * 12 + i32::from(month) - 1 + months;
        let (year, month) = (index.div_euclid(12), (index.rem_euclid(12) + 1) as u8);
        (0..4)
            .find_map(|less| Self::from_ymd(year, month, day.saturating_sub(less)))
            .unwrap_or(self)
    }

    /// The same date `years` later; 29 February becomes the 28th.
    #[must_use]
    pub fn plus_years(self, years: i32) -> Self {
        self.plus_months(years * 12)
    }

    /// The last day of its month.
    #[must_use]
    pub fn month_end(self) -> Self {
        let (year, month, _) = self.ymd();
        Self::from_ymd(year, month, 1).map_or(self, |first| first.plus_months(1).previous())
    }

    /// The day in China Standard Time (UTC+8, no summer time) of a moment in Unix milliseconds.
    pub fn of_unix_ms(unix_ms: i64) -> Self {
        Self((unix_ms.saturating_add(8 * 3_600_000)).div_euclid(86_400_000) as i32)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Day({self})")
    }
}

impl FromStr for Day {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        match text.parse()? {
            PartialDate::Day(day) => Ok(day),
            PartialDate::Month { .. } | PartialDate::Year(_) => Err(DateError(text.to_owned())),
        }
    }
}

/// A date as precise as the source has it (`domain.md` 6, edge rule 1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartialDate {
    /// A whole date.
    Day(Day),
    /// Known to the month.
    Month {
        /// Four digits.
        year: i32,
        /// 1 to 12.
        month: u8,
    },
    /// Known to the year.
    Year(i32),
}

impl PartialDate {
    /// The first day it could be: when an ending counts from.
    pub fn first_day(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Month { year, month } => Day::from_ymd(year, month, 1).unwrap_or(Day::MIN),
            Self::Year(year) => Day::from_ymd(year, 1, 1).unwrap_or(Day::MIN),
        }
    }

    /// The last day it could be: when a start counts from.
    pub fn last_day(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Month { .. } => self.first_day().month_end(),
            Self::Year(year) => Day::from_ymd(year, 12, 31).unwrap_or(Day::MAX),
        }
    }
}

impl From<Day> for PartialDate {
    fn from(day: Day) -> Self {
        Self::Day(day)
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Month { year, month } => write!(f, "{year:04}-{month:02}"),
            Self::Year(year) => write!(f, "{year:04}"),
        }
    }
}

impl fmt::Debug for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartialDate({self})")
    }
}

impl FromStr for PartialDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let wrong = || DateError(text.to_owned());
        let mut parts = text.split('-');
        let mut number = |digits: usize| -> Result<Option<i32>, DateError> {
            match parts.next() {
                None => Ok(None),
                Some(part) if part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) => {
                    part.parse().map(Some).map_err(|_| wrong())
                }
                Some(_) => Err(wrong()),
            }
        };
        let year = number(4)?.ok_or_else(wrong)?;
        let month = number(2)?;
        let day = number(2)?;
        if parts.next().is_some() || year < 1000 {
            return Err(wrong());
        }
        match (month, day) {
            (None, _) => Ok(Self::Year(year)),
            (Some(month @ 1..=12), None) => Ok(Self::Month {
                year,
                month: month as u8,
            }),
            (Some(month @ 1..=12), Some(day @ 1..=31)) => Day::from_ymd(year, month as u8, day as u8)
                .map(Self::Day)
                .ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

macro_rules! text_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_serde!(PartialDate);

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i32(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i32::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_keep_their_precision() {
        for (text, first, last) in [
            ("2024-02-29", "2024-02-29", "2024-02-29"),
            ("2024-02", "2024-02-01", "2024-02-29"),
            ("2023", "2023-01-01", "2023-12-31"),
        ] {
            let date: PartialDate = text.parse().expect(text);
            assert_eq!(date.to_string(), text);
            assert_eq!(date.first_day().to_string(), first);
            assert_eq!(date.last_day().to_string(), last);
        }
        for text in [
            "2026-02-30",
            "2026-13",
            "26-01-01",
            "2026-1-1",
            "",
            "2026-01-01-01",
            "31/04/2026",
        ] {
            assert!(text.parse::<PartialDate>().is_err(), "{text}");
        }
    }

    #[test]
    fn months_end_where_the_calendar_says() {
        let day = |text: &str| text.parse::<Day>().expect("a day");
        assert_eq!(day("2024-01-31").plus_months(1), day("2024-02-29"));
        assert_eq!(day("2024-02-29").plus_years(3), day("2027-02-28"));
        assert_eq!(day("2023-12-05").month_end(), day("2023-12-31"));
        assert_eq!(Day::of_unix_ms(1_704_038_400_000), day("2024-01-01"));
        assert_eq!(Day::of_unix_ms(1_704_038_399_999), day("2023-12-31"));
    }
}
