//! The registrations of one organisation: which of several codes holds on a day, and until when it was ended (T5).

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::dated::status_at;
use rollcall_core::fact::DatedFact;
use rollcall_core::term::RegistrationStatus;

use super::Subject;
use crate::picks::Picks;

/// One registration: what goes with one code. Several, joined by same-as, follow one another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registration {
    pub(super) code: Option<CreditCode>,
    pub(super) registered_on: Vec<PartialDate>,
    pub(super) status: Vec<DatedFact<RegistrationStatus>>,
    pub(super) authority: Vec<DatedFact<u32>>,
}

/// A registration as it is on a day.
pub(super) struct Holding<'a> {
    pub(super) registration: Option<&'a Registration>,
    pub(super) registered: bool,
    pub(super) ended: bool,
    pub(super) ended_until: Option<Day>,
    pub(super) date_unknown: bool,
}

impl Subject {
    /// Puts the registrations of united documents in order.
    pub(super) fn settle_registrations(&mut self) {
        // Where one record has the code and the other has none, both are the registration of that code.
        let without_code = self.registrations.iter().position(|known| known.code.is_none());
        if let Some(index) = without_code.filter(|_| self.registrations.len() > 1) {
            let without = self.registrations.remove(index);
            let with = &mut self.registrations[0];
            with.status.extend(without.status);
            with.authority.extend(without.authority);
            self.unsettled |= differ(&with.registered_on, &without.registered_on);
            if with.registered_on.is_empty() {
                with.registered_on = without.registered_on;
            }
        }
        for registration in &mut self.registrations {
            registration
                .registered_on
                .sort_unstable_by_key(|date| (date.first_day(), date.last_day()));
        }
        self.registrations.sort_by_key(|registration| registration.code);
    }

    /// The registration that holds: of those in force the latest, else the latest that was, else the first to come.
    pub(super) fn registration_at(&self, on: Day, picks: &mut Picks) -> Holding<'_> {
        let mut best: Option<((bool, bool, Day), Holding<'_>)> = None;
        for registration in &self.registrations {
            let registered_on = picks.one(&registration.registered_on);
            let status = picks.one(&status_at(&registration.status, on));
            let since = registered_on.map_or(Day::MIN, PartialDate::last_day);
            let ended = status.is_some_and(|status| status != RegistrationStatus::Registered);
            let begun = since <= on;
            let registered = begun && !ended;
            let holding = Holding {
                registration: Some(registration),
                registered,
                ended,
                ended_until: if ended {
                    Some(on)
                } else {
                    self.ended_before(registration, on)
                },
                date_unknown: registered_on.is_none(),
            };
            let rank = (
                registered,
                begun,
                if begun {
                    since
                } else {
                    Day(since.0.saturating_neg())
                },
            );
            if best.as_ref().is_none_or(|(known, _)| *known < rank) {
                best = Some((rank, holding));
            }
        }
        best.map_or(
            Holding {
                registration: None,
                registered: true,
                ended: false,
                ended_until: None,
                date_unknown: true,
            },
            |(_, holding)| holding,
        )
    }

    /// The last day before the present entry of the status on which the registration was ended. A registration that
    /// follows another one continues the organisation.
    fn ended_before(&self, registration: &Registration, on: Day) -> Option<Day> {
        if self.registrations.len() > 1 {
            return None;
        }
        let froms = || registration.status.iter().map(|entry| entry.from);
        let mut present = froms().filter(|from| *from <= on).max()?;
        // An entry that always held has nothing before it.
        while present > Day::MIN {
            let before = present.previous();
            let earlier = status_at(&registration.status, before);
            if earlier.is_empty() {
                return None;
            }
            if earlier
                .iter()
                .all(|status| *status != RegistrationStatus::Registered)
            {
                return Some(before);
            }
            present = froms().filter(|from| *from <= before).max()?;
        }
        None
    }

    /// The last day up to `on` on which it was ended (T5), for the union that it ends.
    pub(crate) fn ended_until(&self, on: Day) -> Option<Day> {
        self.registration_at(on, &mut Picks::default()).ended_until
    }

    /// The earliest day it was registered, where known.
    pub(crate) fn registered_since(&self) -> Option<Day> {
        let dates = self
            .registrations
            .iter()
            .flat_map(|registration| &registration.registered_on);
        dates.map(|date| date.last_day()).min()
    }
}

pub(super) fn differ(one: &[PartialDate], other: &[PartialDate]) -> bool {
    !one.is_empty() && !other.is_empty() && one != other
}
