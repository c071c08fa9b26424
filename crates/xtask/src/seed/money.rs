//! Funds and subsidy cases of a generated federation.
//! Owns amounts and the order of steps; the unions paid are given.

use rollcall_core::date::Day;
use rollcall_core::id::FederationId;
use rollcall_core::record::{FundEntry, FundRecord, Record, SubsidyEntry, SubsidyRecord};
use rollcall_core::term::{FundEntryKind, Level, SubsidyEntryKind, SubsidyKind, UnionForm};

use super::chance::Chance;
use super::country::{Country, Place};
use super::union::Founded;
use super::{HORIZON, day};

const YUAN: i64 = 100;
const YEARS: [i32; 2] = [2023, 2024];

/// Every case and fund of a federation.
pub(crate) fn generate(
    country: &Country,
    place: &Place,
    unions: &[Founded],
    chance: &mut Chance,
) -> Vec<Record> {
    let mut cases = Cases {
        place,
        records: Vec::new(),
        approved: [0; 2],
    };
    let new_union = chance.between(3, 10) * 1000 * YUAN;
    let per_year = chance.between(20, 50) * 1000 * YUAN;
    for union in unions.iter().filter(|union| union.ended.is_none()) {
        let recent = union.established >= day(2023, 5, 1);
        if recent && chance.permille(420) {
            let asked = Day(union.established.0 + chance.between(5, 50) as i32);
            cases.fixed(
                union,
                "new-union",
                &year_of(asked).to_string(),
                new_union,
                asked,
                chance,
            );
            if chance.permille(4) {
                // Asked for twice, approved twice: the later one is the duplicate.
                let again = Day(asked.0 + 45);
                cases.fixed(
                    union,
                    "new-union",
                    &year_of(asked).to_string(),
                    new_union,
                    again,
                    chance,
                );
            }
        }
        if union.form == UnionForm::Federation {
            for year in YEARS {
                let asked = day(year, 4, 1 + chance.below(28) as u8);
                if union.established < asked && chance.permille(600) {
                    cases.fixed(union, "per-year", &year.to_string(), per_year, asked, chance);
                }
            }
        }
        if chance.permille(20) {
            let asked = chance.day(Day(union.established.0.max(day(2023, 6, 1).0)), HORIZON);
            let amount = chance.between(5, 100) * 1000 * YUAN;
            cases.start(
                Some(union),
                SubsidyKind::ProjectSubsidy,
                None,
                amount,
                asked,
                chance,
            );
        }
    }
    let mut records = std::mem::take(&mut cases.records);
    for (index, year) in YEARS.into_iter().enumerate() {
        records.push(fund(country, place, year, cases.approved[index]));
    }
    records
}

struct Cases<'a> {
    place: &'a Place,
    records: Vec<Record>,
    approved: [i64; 2],
}

impl Cases<'_> {
    fn fixed(
        &mut self,
        union: &Founded,
        rule: &str,
        period: &str,
        amount: i64,
        asked: Day,
        chance: &mut Chance,
    ) {
        self.start(
            Some(union),
            SubsidyKind::FixedSubsidy,
            Some((rule, period)),
            amount,
            asked,
            chance,
        );
    }

    fn start(
        &mut self,
        union: Option<&Founded>,
        kind: SubsidyKind,
        rule: Option<(&str, &str)>,
        amount: i64,
        asked: Day,
        chance: &mut Chance,
    ) {
        if asked > HORIZON {
            return;
        }
        use SubsidyEntryKind::{
            Applied, Approved, Cancelled, Disbursed, Recovered, Rejected, Reversal, Settled,
        };
        let approved_on = Day(asked.0 + chance.between(6, 25) as i32);
        let paid_on = Day(approved_on.0 + chance.between(5, 30) as i32);
        let mut steps = vec![(Applied, asked, amount, None, None)];
        if chance.permille(30) {
            steps.push((Rejected, approved_on, 0, None, Some("材料不全")));
        } else {
            steps.push((Approved, approved_on, amount, None, None));
            if chance.permille(20) {
                steps.push((Cancelled, paid_on, amount, None, Some("工会主动放弃")));
            } else {
                steps.push((Disbursed, paid_on, amount, None, None));
                if chance.permille(15) {
                    steps.push((
                        Reversal,
                        Day(paid_on.0 + 2),
                        amount,
                        Some("p3"),
                        Some("账号有误退回"),
                    ));
                    steps.push((Disbursed, Day(paid_on.0 + 9), amount, None, None));
                }
                if chance.permille(12) {
                    steps.push((Recovered, Day(paid_on.0 + 90), amount, None, Some("不符合条件")));
                } else if kind == SubsidyKind::ProjectSubsidy && chance.permille(500) {
                    steps.push((Settled, Day(paid_on.0 + 120), 0, None, None));
                }
            }
        }
        steps.retain(|(_, on, ..)| *on <= HORIZON);
        let federation = &self.place.federation;
        let mut approved_year = year_of(asked);
        for (step, on, ..) in &steps {
            if *step == Approved {
                approved_year = year_of(*on);
                if let Some(index) = YEARS.iter().position(|year| *year == approved_year) {
                    self.approved[index] += amount;
                }
            }
        }
        let entries = steps
            .into_iter()
            .enumerate()
            .map(|(index, (entry, on, amount_fen, of, reason))| SubsidyEntry {
                id: format!("p{}", index + 1),
                entry,
                on: on.into(),
                amount_fen,
                of: of.map(str::to_owned),
                reason: reason.map(str::to_owned),
                at: None,
                // Applicant, approver and payer are three persons.
                by: Some(format!(
                    "{federation}/{}",
                    index.min(2) * 3 + 1 + chance.below(3) as usize
                )),
                source: None,
                withdrawn: None,
            })
            .collect();
        self.records.push(Record::Subsidy(Box::new(SubsidyRecord {
            id: Some(format!("S-{federation}-{}", self.records.len() + 1)),
            federation: federation.clone(),
            payee_union: union.map(|union| union.reference.clone()),
            payee_federation: None,
            kind,
            rule: rule.map(|(rule, _)| rule.to_owned()),
            period: rule.map(|(_, period)| period.to_owned()),
            fund: Some(fund_id(federation, approved_year)),
            basis: None,
            entries,
        })));
    }
}

/// The fund of a year: enough of its own money for what was approved and passed down.
fn fund(country: &Country, place: &Place, year: i32, approved: i64) -> Record {
    let mut entries: Vec<FundEntry> = Vec::new();
    let mut push = |entry, on: Day, amount_fen, transfer: Option<(FederationId, String)>| {
        let (counterparty, transfer) = transfer.unzip();
        entries.push(FundEntry {
            id: format!("m{}", entries.len() + 1),
            entry,
            on: on.into(),
            amount_fen,
            counterparty,
            transfer,
            of: None,
            at: None,
            by: None,
            source: None,
            withdrawn: None,
        });
    };
    let mut needed = approved + approved / 7;
    if place.level == Level::Province {
        let below: Vec<&Place> = country.below(place.code).collect();
        let sums = below.iter().map(|below| passed_down(below)).sum::<i64>();
        let late = below.iter().filter(|below| is_late(below, year));
        needed += sums + late.map(|below| passed_down(below) / 10).sum::<i64>();
        push(
            FundEntryKind::SetAside,
            day(year, 3, 10),
            rounded_up(needed),
            None,
        );
        for below in below {
            let id = |part| Some((below.federation.clone(), transfer(place, below, year, part)));
            push(
                FundEntryKind::PassedDown,
                day(year, 6, 20),
                passed_down(below),
                id(1),
            );
            if is_late(below, year) {
                push(
                    FundEntryKind::PassedDown,
                    day(year, 12, 20),
                    passed_down(below) / 10,
                    id(2),
                );
            }
        }
    } else if place.level == Level::National {
        push(FundEntryKind::SetAside, day(year, 3, 1), rounded_up(needed), None);
    } else {
        let province = country
            .places()
            .iter()
            .find(|above| above.code == place.code / 10_000 * 10_000);
        if let Some(above) = province {
            let amount = passed_down(place);
            needed -= amount;
            let from = Some((above.federation.clone(), transfer(above, place, year, 1)));
            push(
                FundEntryKind::Received,
                day(year, 6, 20 + (place.code % 9) as u8),
                amount,
                from,
            );
        }
        push(
            FundEntryKind::SetAside,
            day(year, 3, 20),
            rounded_up(needed.max(0)),
            None,
        );
    }
    if place.code.is_multiple_of(7) {
        push(FundEntryKind::Spent, day(year, 11, 5), 2_000 * YUAN, None);
    }
    Record::Fund(FundRecord {
        id: Some(fund_id(&place.federation, year)),
        federation: place.federation.clone(),
        year,
        entries,
    })
}

fn passed_down(below: &Place) -> i64 {
    (5_000 + 60 * below.organisations as i64) * YUAN
}

/// One in ten gets a second transfer just before the end of 2024, which has not arrived.
fn is_late(below: &Place, year: i32) -> bool {
    year == 2024 && below.code % 10 == 3
}

fn transfer(above: &Place, below: &Place, year: i32, part: u32) -> String {
    format!("T-{}-{}-{year}-{part}", above.federation, below.federation)
}

fn fund_id(federation: &FederationId, year: i32) -> String {
    format!("M-{federation}-{year}")
}

fn rounded_up(amount: i64) -> i64 {
    let step = 10_000 * YUAN;
    (amount + 2_000 * YUAN + step - 1) / step * step
}

fn year_of(day: Day) -> i32 {
    day.ymd().0
}
