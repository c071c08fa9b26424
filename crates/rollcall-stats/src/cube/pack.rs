//! Facts as bytes, as few as may be, because a million documents stay in memory.
//! Owns the forms; which facts are kept is decided in `stored`. Nothing here leaves the process.
//!
//! A field that says nothing is a bit, a day the distance from the day before it in the document, a credit code its
//! first sixteen characters as one number: the others follow from them.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::fact::{
    CountFact, DatedFact, Disputed, ExclusionFact, LinkFact, SubsidyEntryFact, SubsidyFacts, UnionEventFact,
};
use rollcall_core::id::{DocumentId, FederationId};
use rollcall_core::term::{
    Category, ExclusionReason, Kind, RegistrationStatus, Source, Stage, SubsidyEntryKind, SubsidyKind,
    UnionEvent, UnionForm,
};

use super::bytes::{Reader, Writer, folded, unfolded};

/// Why reading cannot fail.
const OURS: &str = "written by this process from the same type";
/// Bits that a source takes beside a day.
const SOURCE_BITS: u32 = 2;
const _: () = assert!(Source::ALL.len() <= 1 << SOURCE_BITS);

/// What can be written and read back.
pub(crate) trait Pack: Sized {
    fn put(&self, out: &mut Writer);
    fn take(from: &mut Reader<'_>) -> Self;

    fn pack(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.put(&mut out);
        out.finish()
    }

    fn unpack(bytes: &[u8]) -> Self {
        Self::take(&mut Reader::new(bytes))
    }
}

macro_rules! pack_numbers {
    ($($number:ty),+) => {$(
        impl Pack for $number {
            fn put(&self, out: &mut Writer) {
                out.number(folded(i64::from(*self)));
            }

            fn take(from: &mut Reader<'_>) -> Self {
                unfolded(from.number()).try_into().expect(OURS)
            }
        }
    )+};
}

pack_numbers!(u32, i32, i64);

impl Pack for bool {
    fn put(&self, out: &mut Writer) {
        out.number((*self).into());
    }

    fn take(from: &mut Reader<'_>) -> Self {
        from.number() != 0
    }
}

/// A hash: all its bytes say something.
impl Pack for u64 {
    fn put(&self, out: &mut Writer) {
        out.raw(&self.to_le_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Self {
        Self::from_le_bytes(from.array())
    }
}

macro_rules! pack_terms {
    ($($term:ty),+) => {$(
        impl Pack for $term {
            fn put(&self, out: &mut Writer) {
                out.number(*self as u64);
            }

            fn take(from: &mut Reader<'_>) -> Self {
                Self::ALL[from.number() as usize]
            }
        }
    )+};
}

pack_terms!(
    Category,
    ExclusionReason,
    Kind,
    RegistrationStatus,
    Source,
    Stage,
    SubsidyEntryKind,
    SubsidyKind,
    UnionEvent,
    UnionForm
);

impl Pack for String {
    fn put(&self, out: &mut Writer) {
        out.number(self.len() as u64);
        out.raw(self.as_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Self {
        let len = from.number() as usize;
        Self::from_utf8(from.take(len).to_vec()).expect(OURS)
    }
}

impl Pack for DocumentId {
    fn put(&self, out: &mut Writer) {
        out.raw(&self.0);
    }

    fn take(from: &mut Reader<'_>) -> Self {
        Self(from.array())
    }
}

impl Pack for FederationId {
    fn put(&self, out: &mut Writer) {
        out.number(u64::from(self.division()) << 1 | u64::from(self.line().is_some()));
        if let Some(line) = self.line() {
            line.to_owned().put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Self {
        let number = from.number();
        let division = (number >> 1) as u32;
        if number & 1 == 0 {
            return Self::of_division(division);
        }
        let line = String::take(from);
        format!("{division:06}/{line}").parse().expect(OURS)
    }
}

impl Pack for CreditCode {
    fn put(&self, out: &mut Writer) {
        out.raw(&self.to_number().to_le_bytes()[..10]);
    }

    fn take(from: &mut Reader<'_>) -> Self {
        let mut number = [0; 16];
        number[..10].copy_from_slice(from.take(10));
        Self::from_number(u128::from_le_bytes(number)).expect(OURS)
    }
}

impl Pack for Day {
    fn put(&self, out: &mut Writer) {
        out.day(*self, 0, 0);
    }

    fn take(from: &mut Reader<'_>) -> Self {
        from.day(0).0
    }
}

impl Pack for PartialDate {
    fn put(&self, out: &mut Writer) {
        match self {
            Self::Day(day) => out.day(*day, 2, 0),
            Self::Month { year, month } => {
                out.number(folded((*year).into()) << 2 | 1);
                out.number((*month).into());
            }
            Self::Year(year) => out.number(folded((*year).into()) << 2 | 2),
        }
    }

    fn take(from: &mut Reader<'_>) -> Self {
        let kind = from.peek() & 3;
        if kind == 0 {
            return Self::Day(from.day(2).0);
        }
        let year = unfolded(from.number() >> 2).try_into().expect(OURS);
        if kind == 1 {
            Self::Month {
                year,
                month: from.number() as u8,
            }
        } else {
            Self::Year(year)
        }
    }
}

impl<T: Pack> Pack for Option<T> {
    fn put(&self, out: &mut Writer) {
        out.number(self.is_some().into());
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Self {
        (from.number() != 0).then(|| T::take(from))
    }
}

impl<T: Pack> Pack for Vec<T> {
    fn put(&self, out: &mut Writer) {
        out.number(self.len() as u64);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut Reader<'_>) -> Self {
        let len = from.number();
        (0..len).map(|_| T::take(from)).collect()
    }
}

impl<A: Pack, B: Pack> Pack for (A, B) {
    fn put(&self, out: &mut Writer) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Self {
        (A::take(from), B::take(from))
    }
}

impl<T: Pack> Pack for DatedFact<T> {
    fn put(&self, out: &mut Writer) {
        out.day(self.from, SOURCE_BITS, self.source as u64);
        self.value.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Self {
        let (day, source) = from.day(SOURCE_BITS);
        Self {
            from: day,
            source: Source::ALL[source as usize],
            value: T::take(from),
        }
    }
}

impl Pack for CountFact {
    fn put(&self, out: &mut Writer) {
        let counts = [self.workers, self.members, self.female_members];
        let known = (0..3).fold(0, |known, index| {
            known | u64::from(counts[index].is_some()) << index
        });
        out.day(
            self.on,
            SOURCE_BITS + 3,
            known << SOURCE_BITS | self.source as u64,
        );
        counts
            .iter()
            .flatten()
            .for_each(|count| out.number((*count).into()));
    }

    fn take(from: &mut Reader<'_>) -> Self {
        let (on, beside) = from.day(SOURCE_BITS + 3);
        let mut count = |index: u32| (beside >> (SOURCE_BITS + index) & 1 == 1).then(|| from.number() as u32);
        Self {
            on,
            source: Source::ALL[(beside & ((1 << SOURCE_BITS) - 1)) as usize],
            workers: count(0),
            members: count(1),
            female_members: count(2),
        }
    }
}

impl<T: Pack> Pack for Disputed<T> {
    fn put(&self, out: &mut Writer) {
        self.shown.put(out);
        self.others.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Self {
        Self {
            shown: Pack::take(from),
            others: Pack::take(from),
        }
    }
}

/// Whether a field is worth writing.
pub(crate) fn says_something<T: Default + PartialEq>(field: &T) -> bool {
    *field != T::default()
}

/// Writes the fields of a struct: first those that always say something, then which of the next ones do, then those;
/// the last ones are left out.
macro_rules! pack_fields {
    ($type:ty { $($always:ident),*; $($field:ident),*; $($left_out:ident),* }) => {
        impl $crate::cube::pack::Pack for $type {
            fn put(&self, out: &mut $crate::cube::bytes::Writer) {
                $(self.$always.put(out);)*
                let (mut said, mut bit) = (0_u64, 1_u64);
                $(
                    if $crate::cube::pack::says_something(&self.$field) {
                        said |= bit;
                    }
                    bit <<= 1;
                )*
                let _ = bit;
                out.number(said);
                $(
                    if $crate::cube::pack::says_something(&self.$field) {
                        self.$field.put(out);
                    }
                )*
            }

            fn take(from: &mut $crate::cube::bytes::Reader<'_>) -> Self {
                $(let $always = $crate::cube::pack::Pack::take(from);)*
                let mut said = from.number();
                $(
                    let $field = if said & 1 == 1 {
                        $crate::cube::pack::Pack::take(from)
                    } else {
                        Default::default()
                    };
                    said >>= 1;
                )*
                let _ = said;
                Self { $($always,)* $($field,)* $($left_out: Default::default(),)* }
            }
        }
    };
}
pub(crate) use pack_fields;

pack_fields!(ExclusionFact { reason, from; until, approved_on, refused_on, has_evidence; });
pack_fields!(LinkFact { union, from; until, consent_on; });
pack_fields!(UnionEventFact { event, on; cycle, has_number, approved_by, term_years, until, months; });
pack_fields!(SubsidyEntryFact { id, entry, on; amount_fen, by, of; });
pack_fields!(SubsidyFacts {
    ;
    record_id, federation, payee_union, payee_federation, kind, rule, period, fund, entries, open_conflicts;
});

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Pack + PartialEq + std::fmt::Debug>(values: &[T]) {
        for value in values {
            assert_eq!(T::unpack(&value.pack()), *value);
        }
    }

    #[test]
    fn whatever_is_written_is_read_back() {
        let days = [
            Day(0),
            Day(-40_000),
            Day(20_000),
            Day(20_000),
            Day::MIN,
            Day(20_001),
            Day::MAX,
            Day(i32::MIN + 1),
        ];
        check(&[days.to_vec()]);
        let dates = [
            PartialDate::Day(Day(19_000)),
            PartialDate::Day(Day::MIN),
            PartialDate::Month {
                year: 2023,
                month: 12,
            },
            PartialDate::Year(-3),
            PartialDate::Day(Day(19_001)),
        ];
        check(&[dates.to_vec()]);
        check(&[0_u32, 1, 127, 128, u32::MAX]);
        check(&[i64::MIN, -1, 0, i64::MAX]);
        check(
            &["100000", "330106", "330000/education"].map(|text| text.parse::<FederationId>().expect("one")),
        );
        check(
            &["52330106XXXX000357", "52140829MJ1938921G"]
                .map(|text| text.parse::<CreditCode>().expect("a code")),
        );
        let count = |workers, members, female_members| CountFact {
            on: Day(20_088),
            source: Source::SelfReport,
            workers,
            members,
            female_members,
        };
        check(&[vec![
            count(Some(3), None, Some(u32::MAX)),
            count(None, Some(0), None),
            count(None, None, None),
        ]]);
    }
}
