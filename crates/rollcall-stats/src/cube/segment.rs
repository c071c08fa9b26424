//! The columns: per organisation a few segments of days in which it counts in one way.
//! Owns their layout and the reuse of space; what a segment says is computed in `establishment`.

use rollcall_core::coverage::Form;
use rollcall_core::scope::OutReason;
use rollcall_core::term::{Category, ExclusionReason, Kind, Level, Stage};

/// No number.
pub(crate) const NONE: u32 = u32::MAX;
/// Marks a number that means a set instead of one thing.
pub(crate) const SET: u32 = 1 << 31;

/// Whether and how an organisation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    /// In scope and registered.
    In {
        /// Group A.
        a: bool,
        /// Group B.
        b: bool,
    },
    /// Out, for the first reason.
    Out(OutReason),
    /// Counted under another document, or a mistake: in no figure.
    Absent,
}

/// Bands of the number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Size {
    Unknown,
    Zero,
    Below25,
    Below100,
    Below200,
    From200,
}

impl Size {
    pub(crate) const ALL: [Self; 6] = [
        Self::Unknown,
        Self::Zero,
        Self::Below25,
        Self::Below100,
        Self::Below200,
        Self::From200,
    ];

    pub(crate) fn of(workers: Option<u32>) -> Self {
        match workers {
            None => Self::Unknown,
            Some(0) => Self::Zero,
            Some(1..25) => Self::Below25,
            Some(25..100) => Self::Below100,
            Some(100..200) => Self::Below200,
            Some(_) => Self::From200,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Zero => "0",
            Self::Below25 => "1-24",
            Self::Below100 => "25-99",
            Self::Below200 => "100-199",
            Self::From200 => "200+",
        }
    }
}

/// Everything of a segment that figures split, filter or count by, but for the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Profile {
    pub(crate) standing: Standing,
    pub(crate) kind: Kind,
    pub(crate) category: Category,
    pub(crate) level: Level,
    pub(crate) form: Form,
    pub(crate) strict: bool,
    pub(crate) term_unknown: bool,
    pub(crate) excluded: Option<ExclusionReason>,
    pub(crate) pending: bool,
    pub(crate) stage: Stage,
    pub(crate) size: Size,
    /// Covered, and members and workers are known from one entry.
    pub(crate) members_known: bool,
    pub(crate) date_unknown: bool,
    pub(crate) unresolved_links: u8,
    /// Something about it waits for a decision.
    pub(crate) in_conflict: bool,
}

impl Profile {
    pub(crate) fn in_scope(&self) -> bool {
        matches!(self.standing, Standing::In { .. })
    }

    pub(crate) fn eligible(&self) -> bool {
        self.in_scope() && self.excluded.is_none()
    }

    pub(crate) fn covered(&self) -> bool {
        self.form != Form::None
    }
}

/// One way of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reading {
    /// Number of the responsible federation.
    pub(crate) place: u32,
    /// Number of the profile.
    pub(crate) profile: u32,
    /// Number of the covering union, of a set of them (with [`SET`]), or [`NONE`].
    pub(crate) cover: u32,
    /// Workers that count in the membership rates.
    pub(crate) workers: u32,
    /// Members that count in the membership rates.
    pub(crate) members: u32,
}

/// How an organisation counts from a day on. With [`SET`] in `profile` it is in open conflict, and the rest of the
/// number is that of a [`Readings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// First day; the first segment begins with the first day of all.
    pub(crate) from: i32,
    pub(crate) reading: Reading,
}

/// The ways in which an organisation in open conflict may count, sorted by content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Readings {
    pub(crate) options: Box<[Reading]>,
    /// Too many to try: everything is possible.
    pub(crate) all: bool,
}

/// The part of a segment that every scan reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hot {
    pub(crate) from: i32,
    pub(crate) place: u32,
    pub(crate) profile: u32,
}

/// The part that is read only where the organisation is in scope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    pub(crate) cover: u32,
    pub(crate) workers: u32,
    pub(crate) members: u32,
}

/// Segments of all organisations in two blocks, side by side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Segments {
    hot: Vec<Hot>,
    rest: Vec<Rest>,
    spans: Vec<(u32, u32)>,
    waste: usize,
}

impl Segments {
    fn span(&self, number: u32) -> std::ops::Range<usize> {
        let (start, len) = self.spans.get(number as usize).copied().unwrap_or((0, 0));
        start as usize..(start + len) as usize
    }

    /// What a scan reads of an organisation, and where the rest of its first segment is.
    pub(crate) fn hot(&self, number: u32) -> (&[Hot], usize) {
        let span = self.span(number);
        let start = span.start;
        (&self.hot[span], start)
    }

    pub(crate) fn rest(&self, position: usize) -> &Rest {
        &self.rest[position]
    }

    /// The segment that holds on a day.
    pub(crate) fn at(&self, number: u32, day: i32) -> Option<Segment> {
        let span = self.span(number);
        let position = span.rev().find(|position| self.hot[*position].from <= day)?;
        let (hot, rest) = (self.hot[position], self.rest[position]);
        let Hot { from, place, profile } = hot;
        let Rest {
            cover,
            workers,
            members,
        } = rest;
        Some(Segment {
            from,
            reading: Reading {
                place,
                profile,
                cover,
                workers,
                members,
            },
        })
    }

    /// Organisations.
    pub(crate) fn len(&self) -> u32 {
        self.spans.len() as u32
    }

    /// Segments in use.
    pub(crate) fn segments(&self) -> usize {
        self.hot.len() - self.waste
    }

    pub(crate) fn replace(&mut self, number: u32, segments: &[Segment]) {
        let index = number as usize;
        if self.spans.len() <= index {
            self.spans.resize(index + 1, (0, 0));
        }
        let (start, len) = self.spans[index];
        let new_len = u32::try_from(segments.len()).expect("few segments an organisation");
        let start = if new_len <= len {
            self.waste += (len - new_len) as usize;
            start
        } else {
            self.waste += len as usize;
            let start = u32::try_from(self.hot.len()).expect("segments fit the memory");
            let end = self.hot.len() + segments.len();
            self.hot.resize(
                end,
                Hot {
                    from: 0,
                    place: 0,
                    profile: 0,
                },
            );
            self.rest.resize(
                end,
                Rest {
                    cover: NONE,
                    workers: 0,
                    members: 0,
                },
            );
            start
        };
        self.spans[index] = (start, new_len);
        for (position, Segment { from, reading }) in (start as usize..).zip(segments) {
            let Reading {
                place,
                profile,
                cover,
                workers,
                members,
            } = *reading;
            self.hot[position] = Hot {
                from: *from,
                place,
                profile,
            };
            self.rest[position] = Rest {
                cover,
                workers,
                members,
            };
        }
        if self.waste > 100_000 && self.waste * 3 > self.hot.len() {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let len = self.segments();
        let (mut hot, mut rest) = (Vec::with_capacity(len), Vec::with_capacity(len));
        for span in &mut self.spans {
            let old = span.0 as usize..(span.0 + span.1) as usize;
            span.0 = u32::try_from(hot.len()).expect("it becomes smaller");
            hot.extend_from_slice(&self.hot[old.clone()]);
            rest.extend_from_slice(&self.rest[old]);
        }
        (self.hot, self.rest, self.waste) = (hot, rest, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: i32) -> Segment {
        Segment {
            from,
            reading: Reading {
                place: 0,
                profile: 0,
                cover: NONE,
                workers: 0,
                members: 0,
            },
        }
    }

    #[test]
    fn segments_survive_growing_shrinking_and_compaction() {
        let mut segments = Segments::default();
        for number in 0..60_000 {
            segments.replace(number, &[segment(i32::MIN), segment(number as i32)]);
        }
        for number in 0..60_000 {
            segments.replace(
                number,
                &[segment(i32::MIN), segment(number as i32), segment(70_000)],
            );
        }
        assert!(
            segments.hot.len() < 300_000,
            "space of replaced segments is used again"
        );
        segments.replace(5, &[segment(i32::MIN)]);
        assert_eq!(segments.hot(5).0.len(), 1);
        assert_eq!(segments.at(6, 100).map(|segment| segment.from), Some(6));
        assert_eq!(segments.at(6, 80_000).map(|segment| segment.from), Some(70_000));
        assert_eq!(segments.at(59_999, 5).map(|segment| segment.from), Some(i32::MIN));
    }
}
