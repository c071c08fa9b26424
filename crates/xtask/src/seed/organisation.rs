//! One organisation of a generated country, with what its federation has noted of it and the union it is given.
//! Owns kinds, ages, sizes and the course of the campaign of `domain.md` 13.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::record::{CoverageEntry, Dated, DatedEntry, ExclusionEntry, OrganisationRecord, Record};
use rollcall_core::term::{
    Category, ExclusionReason, Kind, Level, OperatingState, RegistrationStatus, Source, UnionForm,
};

use super::chance::Chance;
use super::country::{Country, Place};
use super::union::{Employer, Unions, anchor, anchor_established, has_anchor};
use super::{HORIZON, day, name, note};

/// Share of the eligible that is covered when the campaign begins, at the end of 2023 and at the end of 2024.
/// A little above 38%, 61% and 85%: those without workers and the newly registered stay behind.
const COURSE: [f64; 3] = [0.415, 0.645, 0.899];

/// Makes one organisation; its union goes to `unions`, its own record comes back.
pub(crate) fn generate(
    country: &Country,
    place: &Place,
    number: u64,
    unions: &mut Unions<'_>,
    chance: &mut Chance,
) -> Record {
    let body = Body::draw(country, place, number, chance);
    let course = Course::draw(country, place, &body, chance);
    let mut record = body.record(country, place, chance);
    if let Some(from) = course.covered_from {
        cover(&mut record, country, place, &body, from, unions, chance);
    } else if let Some((reason, approved)) = course.excluded {
        record
            .exclusions
            .push(exclusion(reason, approved, body.registered_on, place, chance));
    }
    note::notes(&mut record, place, &body, course.covered_from, chance);
    Record::Organisation(Box::new(record))
}

/// What it is.
pub(crate) struct Body {
    code: CreditCode,
    kind: Kind,
    category: Category,
    name: String,
    authority: u32,
    location: u32,
    pub(crate) registered_on: Day,
    pub(crate) ended: Option<Day>,
    pub(crate) workers: u32,
    pub(crate) dormant: bool,
    in_scope: bool,
}

impl Body {
    fn draw(country: &Country, place: &Place, number: u64, chance: &mut Chance) -> Self {
        let level = match place.level {
            // Some registers of a prefecture are kept where the organisation is.
            Level::County if chance.permille(85) => Level::Prefecture,
            level => level,
        };
        let kind = match level {
            Level::National => [Kind::SocialGroup, Kind::PrivateNonEnterprise, Kind::Foundation]
                [chance.weighted(&[840, 40, 120])],
            Level::Province => [Kind::SocialGroup, Kind::PrivateNonEnterprise, Kind::Foundation]
                [chance.weighted(&[5000, 3425, 1575])],
            Level::Prefecture | Level::County => {
                [Kind::SocialGroup, Kind::PrivateNonEnterprise, Kind::Foundation]
                    [chance.weighted(&[4100, 5876, 24])]
            }
        };
        let category = match kind {
            Kind::PrivateNonEnterprise => [
                Category::Kindergarten,
                Category::School,
                Category::Hospital,
                Category::Clinic,
                Category::Nursery,
                Category::Other,
            ][chance.weighted(&[280, 60, 30, 50, 10, 570])],
            _ => Category::Other,
        };
        let authority = match (level, place.level) {
            (Level::Prefecture, Level::County) => country
                .parent(place.code)
                .filter(|parent| parent % 10_000 != 0)
                .unwrap_or(place.code),
            _ => place.code,
        };
        let location = country.lowest_in(place.code, chance);
        let registered_on = registered(chance);
        let ended = chance
            .permille(51)
            .then(|| chance.day(Day(registered_on.0.max(day(2023, 5, 1).0) + 30), HORIZON))
            .filter(|ended| *ended < HORIZON);
        let prefix = match kind {
            Kind::SocialGroup => "51",
            Kind::Foundation => "53",
            _ => "52",
        };
        let global = place.first_number + number;
        let code = CreditCode::complete(&format!(
            "{prefix}{authority:06}MJ{}",
            super::six_characters(global)
        ))
        .expect("the characters are of the alphabet");
        let region = region(country, place.code);
        let name = name::organisation(
            &name::Subject {
                kind,
                category,
                region: &region,
                national: level == Level::National,
                number,
            },
            chance,
        );
        let (median, sigma) = match (kind, category) {
            (Kind::SocialGroup, _) => (3.0, 1.177),
            (Kind::Foundation, _) => (4.0, 1.177),
            (_, Category::Kindergarten) => (16.0, 0.586),
            (_, Category::School) => (45.0, 1.073),
            (_, Category::Hospital) => (60.0, 1.177),
            _ => (6.0, 1.177),
        };
        let workers = if chance.permille(80) {
            0
        } else {
            chance.log_normal(median, sigma)
        };
        let group_b = matches!(
            category,
            Category::Kindergarten | Category::School | Category::Hospital
        );
        Self {
            code,
            kind,
            category,
            name,
            authority,
            location,
            registered_on,
            ended,
            workers,
            dormant: chance.permille(40),
            in_scope: group_b || matches!(level, Level::National | Level::Province),
        }
    }

    fn record(&self, country: &Country, place: &Place, chance: &mut Chance) -> OrganisationRecord {
        let registration_status = match self.ended {
            None => Dated::Scalar(RegistrationStatus::Registered),
            Some(ended) => Dated::List(
                [
                    (RegistrationStatus::Registered, self.registered_on),
                    (RegistrationStatus::Deregistered, ended),
                ]
                .map(|(value, from)| DatedEntry {
                    value,
                    from: Some(from.into()),
                    source: Source::Registry,
                    document: None,
                    withdrawn: None,
                })
                .into(),
            ),
        };
        let supervising_unit = match self.category {
            Category::Kindergarten | Category::Nursery | Category::School => "教育局",
            Category::Hospital | Category::Clinic => "卫生健康委员会",
            Category::Other => chance.pick(&["民政局", "文化广电旅游局", "体育局", "科学技术局"]),
        };
        OrganisationRecord {
            id: None,
            code: Some(self.code.to_string()),
            name: Some(Dated::Scalar(self.name.clone())),
            kind: Some(self.kind),
            category: Some(Dated::Scalar(self.category)),
            category_source: None,
            registered_on: Some(self.registered_on.into()),
            registration_status: Some(registration_status),
            status_on: None,
            registration_authority: Some(Dated::Scalar(format!("{:06}", self.authority))),
            location: Some(Dated::Scalar(format!("{:06}", self.location))),
            address: Some(name::address(&region(country, self.location), chance)),
            supervising_unit: Some(format!("{}{supervising_unit}", country.name(self.authority))),
            responsible: Some(Dated::Scalar(place.federation.clone())),
            operating_state: Some(Dated::Scalar(if self.dormant {
                OperatingState::Dormant
            } else {
                OperatingState::Operating
            })),
            mistaken: None,
            legacy_numbers: Vec::new(),
            former_names: Vec::new(),
            successor: None,
            counts: Vec::new(),
            exclusions: Vec::new(),
            coverage: Vec::new(),
            organisers: Vec::new(),
            handovers: Vec::new(),
            stages: Vec::new(),
            contacts: Vec::new(),
            checks: Vec::new(),
            services: Vec::new(),
        }
    }
}

/// What becomes of it in the campaign.
struct Course {
    covered_from: Option<Day>,
    excluded: Option<(ExclusionReason, bool)>,
}

impl Course {
    fn draw(country: &Country, place: &Place, body: &Body, chance: &mut Chance) -> Self {
        let reason = if body.workers == 0 && chance.permille(750) {
            Some(ExclusionReason::NoWorkers)
        } else if body.dormant {
            Some(ExclusionReason::Dormant)
        } else if chance.permille(15) {
            Some(ExclusionReason::HostStaff)
        } else if chance.permille(3) {
            Some(ExclusionReason::InLiquidation)
        } else {
            None
        };
        if let Some(reason) = reason.filter(|_| body.in_scope) {
            return Self {
                covered_from: None,
                excluded: Some((reason, chance.permille(880))),
            };
        }
        let draw = chance.unit();
        if body.workers == 0 || (!body.in_scope && !chance.permille(450)) {
            return Self {
                covered_from: None,
                excluded: None,
            };
        }
        let ahead = country.advance(place.code);
        let share = COURSE.map(|share| (share + ahead).min(0.985));
        let (start, year, end) = (day(2023, 5, 1), day(2024, 1, 1), HORIZON);
        let within = |low: f64, high: f64, first: Day, last: Day| {
            Day(first.0 + (((draw - low) / (high - low)) * f64::from(last.0 - first.0)) as i32)
        };
        let wanted = if draw < share[0] {
            chance.day(Day(body.registered_on.0.max(day(2012, 1, 1).0)), Day(start.0 - 1))
        } else if draw < share[1] {
            within(share[0], share[1], start, Day(year.0 - 1))
        } else if draw < share[2] {
            within(share[1], share[2], year, end)
        } else {
            return Self {
                covered_from: None,
                excluded: None,
            };
        };
        let first = Day(body.registered_on.0 + 75);
        let from = if wanted < first {
            Day(first.0 + chance.between(0, 45) as i32)
        } else {
            wanted
        };
        let alive = from <= HORIZON && body.ended.is_none_or(|ended| from < ended);
        Self {
            covered_from: alive.then_some(from),
            excluded: None,
        }
    }
}

fn cover(
    record: &mut OrganisationRecord,
    country: &Country,
    place: &Place,
    body: &Body,
    from: Day,
    unions: &mut Unions<'_>,
    chance: &mut Chance,
) {
    let form = if body.workers >= 25 {
        [UnionForm::Own, UnionForm::Joint, UnionForm::Federation][chance.weighted(&[700, 200, 100])]
    } else {
        [UnionForm::Own, UnionForm::Joint, UnionForm::Federation][chance.weighted(&[150, 600, 250])]
    };
    if form == UnionForm::Own {
        let employer = Employer {
            code: body.code.as_str(),
            name: &body.name,
            workers: body.workers,
            ended: body.ended,
        };
        unions.found_own(&employer, from, chance);
        return;
    }
    // Some associations of a province are in the joint union of a district, kept by another federation.
    let elsewhere: Option<String> = (place.level == Level::Province
        && form == UnionForm::Joint
        && from >= anchor_established()
        && chance.permille(150))
    .then(|| {
        let near: Vec<&Place> = country
            .below(place.code)
            .filter(|near| has_anchor(near))
            .collect();
        (!near.is_empty()).then(|| anchor(near[chance.below(near.len() as u64) as usize]))
    })
    .flatten();
    let union = elsewhere.unwrap_or_else(|| unions.join(form, from, chance));
    record.coverage.push(CoverageEntry {
        id: "c1".to_owned(),
        union,
        from: from.into(),
        until: None,
        consent_on: Some(from.into()),
        at: None,
        by: Some(account(place, chance)),
        source: None,
        withdrawn: None,
    });
}

fn exclusion(
    reason: ExclusionReason,
    approved: bool,
    registered_on: Day,
    place: &Place,
    chance: &mut Chance,
) -> ExclusionEntry {
    let from = chance.day(
        Day(registered_on.0.max(day(2023, 3, 1).0)),
        day(2023, 5, 31).max(registered_on),
    );
    let evidence = match reason {
        ExclusionReason::Dormant => "连续两年未参加年检，登记管理机关确认",
        ExclusionReason::NoWorkers => "年检材料载明无专职工作人员",
        ExclusionReason::HostStaff => "工作人员均由举办单位派出，已在举办单位入会",
        ExclusionReason::InLiquidation => "清算组成立备案",
        ExclusionReason::OtherApproved => "省总工会批复",
    };
    ExclusionEntry {
        id: "x1".to_owned(),
        reason,
        from: from.into(),
        until: None,
        evidence: Some(evidence.to_owned()),
        approved_on: approved.then(|| PartialDate::Day(Day((from.0 + 12).min(HORIZON.0)))),
        refused_on: None,
        at: None,
        by: Some(account(place, chance)),
        source: None,
        withdrawn: None,
    }
}

/// Age by the register of 2021, then 5% new ones a year.
fn registered(chance: &mut Chance) -> Day {
    let start = day(2023, 5, 1);
    if chance.permille(80) {
        return chance.day(start, Day(HORIZON.0 - 20));
    }
    let (youngest, oldest) = [(0, 365), (365, 1095), (1095, 1826), (1826, 3652), (3652, 10_950)]
        [chance.weighted(&[56, 169, 173, 328, 274])];
    chance.day(Day(start.0 - oldest), Day(start.0 - youngest - 1))
}

/// Short place for names: prefecture and county.
fn region(country: &Country, code: u32) -> String {
    match country.parent(code) {
        Some(parent) if parent != 100_000 => format!("{}{}", country.name(parent), country.name(code)),
        _ => country.name(code).to_owned(),
    }
}

/// An account of the federation.
pub(crate) fn account(place: &Place, chance: &mut Chance) -> String {
    format!("{}/{}", place.federation, chance.between(1, 9))
}
