//! The dates of a question as the columns of states see them. Owns the way from a day to the first date on or after it.

use super::block::asked;

/// Which of the dates of a question is the first on or after a day.
#[derive(Debug)]
pub(crate) struct DateIndex {
    /// How many dates.
    pub(super) len: usize,
    /// The first day as columns state it.
    pub(super) first: u16,
    /// The last.
    pub(super) last: u16,
    /// By days after `first`, to the last date.
    index: Vec<u16>,
}

impl DateIndex {
    /// Of ascending day numbers.
    pub(crate) fn new(dates: &[i32]) -> Self {
        let days: Vec<u16> = dates.iter().map(|date| asked(*date)).collect();
        let first = days.first().copied().unwrap_or(0);
        let last = days.last().copied().unwrap_or(0);
        let index = (first..=last).map(|day| days.partition_point(|date| *date < day) as u16);
        Self {
            len: days.len(),
            first,
            last,
            index: index.collect(),
        }
    }

    /// The index of the first date on or after a day as columns state it.
    pub(super) fn first_from(&self, day: u16) -> usize {
        let after = usize::from(day.saturating_sub(self.first));
        self.index
            .get(after)
            .map_or(self.len, |index| usize::from(*index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_date_on_or_after_a_day_is_found() {
        let index = DateIndex::new(&[5, 10, 12]);
        for (day, first) in [
            (i32::MIN, 0),
            (5, 0),
            (6, 1),
            (10, 1),
            (11, 2),
            (12, 2),
            (13, 3),
            (i32::MAX, 3),
        ] {
            assert_eq!(index.first_from(asked(day)), first, "{day}");
        }
        assert_eq!(DateIndex::new(&[]).first_from(asked(7)), 0);
    }
}
