//! Where the organisations of a generated country are: federations, how many each keeps, how far each province came.
//! Owns the weights of `domain.md` 13; reads the division table itself.

use std::collections::BTreeMap;

use rollcall_core::id::FederationId;
use rollcall_core::term::Level;

use super::chance::Chance;

/// Social organisations by province (`data/synthetic_weights_province.csv`).
const PROVINCES: [(u32, u64); 31] = [
    (110000, 12_500),
    (120000, 5_900),
    (130000, 32_483),
    (140000, 14_500),
    (150000, 15_500),
    (210000, 22_300),
    (220000, 13_081),
    (230000, 18_000),
    (310000, 15_300),
    (320000, 90_000),
    (330000, 50_656),
    (340000, 30_538),
    (350000, 29_000),
    (360000, 25_500),
    (370000, 50_721),
    (410000, 34_318),
    (420000, 35_966),
    (430000, 34_383),
    (440000, 66_000),
    (450000, 26_500),
    (460000, 6_800),
    (500000, 17_000),
    (510000, 43_925),
    (520000, 13_500),
    (530000, 23_500),
    (540000, 624),
    (610000, 26_000),
    (620000, 22_500),
    (630000, 6_183),
    (640000, 6_700),
    (650000, 13_000),
];

/// Share of a province's organisations kept at each level, in thousandths of the nation without the national office.
const PROVINCE_SHARE: u64 = 50;
const PREFECTURE_SHARE: u64 = 130;
const COUNTY_SHARE: u64 = 820;
/// The national office keeps 0.26%.
const NATIONAL_PER_TEN_THOUSAND: u64 = 26;
/// How far a province may be from the national course, in points.
const SPREAD: f64 = 0.12;

/// A division in use.
#[derive(Debug, Clone)]
pub(crate) struct Division {
    pub(crate) code: u32,
    pub(crate) name: String,
    pub(crate) parent: u32,
}

/// A federation and how many organisations it keeps.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) federation: FederationId,
    pub(crate) code: u32,
    pub(crate) level: Level,
    pub(crate) organisations: u64,
    /// Number of the first organisation in the whole country; codes come from it.
    pub(crate) first_number: u64,
}

/// The generated country before anything is generated in it.
pub(crate) struct Country {
    divisions: BTreeMap<u32, Division>,
    places: Vec<Place>,
    advance: BTreeMap<u32, f64>,
}

impl Country {
    /// Lays out so many organisations, over the whole country or over the given federations only.
    pub(crate) fn new(seed: u64, organisations: u64, only: Option<&[FederationId]>) -> Self {
        let divisions = read_divisions();
        let mut weights = weights(seed, &divisions);
        if let Some(only) = only {
            weights.retain(|(code, _, _)| only.contains(&FederationId::of_division(*code)));
        }
        Self {
            places: share_out(organisations, &weights),
            divisions,
            advance: advance_by_province(seed),
        }
    }

    /// Lays out a register of each size given, over so many federations: those of counties first.
    pub(crate) fn of_sizes(seed: u64, sizes: &[u64]) -> Self {
        let divisions = read_divisions();
        let mut weights = weights(seed, &divisions);
        weights.sort_by_key(|(code, level, _)| (std::cmp::Reverse(*level), *code));
        weights.truncate(sizes.len());
        for ((_, _, weight), size) in weights.iter_mut().zip(sizes) {
            *weight = *size;
        }
        let organisations = weights.iter().map(|(_, _, size)| size).sum();
        Self {
            places: share_out(organisations, &weights),
            divisions,
            advance: advance_by_province(seed),
        }
    }

    /// Every federation that keeps something, from the top.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Places of a province that lie below it.
    pub(crate) fn below(&self, province: u32) -> impl Iterator<Item = &Place> {
        self.places
            .iter()
            .filter(move |place| place.code / 10_000 == province / 10_000 && place.code != province)
    }

    /// The name of a division.
    pub(crate) fn name(&self, code: u32) -> &str {
        self.divisions
            .get(&code)
            .map_or("全国", |division| &division.name)
    }

    /// The division above.
    pub(crate) fn parent(&self, code: u32) -> Option<u32> {
        self.divisions.get(&code).map(|division| division.parent)
    }

    /// A division without others below it, in the area of a code.
    pub(crate) fn lowest_in(&self, code: u32, chance: &mut Chance) -> u32 {
        let area = match code {
            100_000 => 110_000,
            code => code,
        };
        let step = if area % 10_000 == 0 { 10_000 } else { 100 };
        if area % 100 != 0 {
            return area;
        }
        let inside: Vec<u32> = self
            .divisions
            .range(area + 1..area + step)
            .map(|(code, _)| *code)
            .collect();
        let lowest: Vec<u32> = inside.iter().copied().filter(|code| code % 100 != 0).collect();
        match lowest.len() as u64 {
            0 => area,
            count => lowest[chance.below(count) as usize],
        }
    }

    /// How far the province of a code is ahead of the national course, as a share; the nation is at 0.
    pub(crate) fn advance(&self, code: u32) -> f64 {
        self.advance
            .get(&(code / 10_000 * 10_000))
            .copied()
            .unwrap_or(0.0)
    }
}

/// Every federation of the table with its level and what part of the nation's organisations it keeps.
fn weights(seed: u64, divisions: &BTreeMap<u32, Division>) -> Vec<(u32, Level, u64)> {
    let mut weights: Vec<(u32, Level, u64)> = Vec::new();
    let all: u64 = PROVINCES.iter().map(|(_, weight)| weight).sum();
    weights.push((
        100_000,
        Level::National,
        all * NATIONAL_PER_TEN_THOUSAND * 1000 / 10_000,
    ));
    for (province, weight) in PROVINCES {
        weights.push((province, Level::Province, weight * PROVINCE_SHARE));
        let inside = || {
            divisions
                .values()
                .filter(move |d| d.code / 10_000 == province / 10_000)
        };
        let prefectures: Vec<u32> = inside()
            .map(|d| d.code)
            .filter(|code| code % 100 == 0 && code % 10_000 != 0)
            .collect();
        let mut counties: Vec<u32> = inside().map(|d| d.code).filter(|code| code % 100 != 0).collect();
        // A prefecture without counties does the work of one.
        counties.extend(
            prefectures
                .iter()
                .filter(|code| !inside().any(|d| d.parent == **code)),
        );
        let mut for_counties = weight * COUNTY_SHARE;
        if prefectures.is_empty() {
            for_counties += weight * PREFECTURE_SHARE;
        }
        let mut of: BTreeMap<u32, u64> = BTreeMap::new();
        for code in &prefectures {
            *of.entry(*code).or_default() += weight * PREFECTURE_SHARE / prefectures.len() as u64;
        }
        // Counties differ: between a half and one and a half of the mean.
        let mut chance = Chance::new(seed, &format!("county weights {province}"));
        let shares: Vec<u64> = counties.iter().map(|_| 500 + chance.below(1001)).collect();
        let sum: u64 = shares.iter().sum();
        for (code, share) in counties.iter().zip(shares) {
            *of.entry(*code).or_default() += for_counties * share / sum;
        }
        weights.extend(of.into_iter().map(|(code, weight)| {
            (
                code,
                if code % 100 == 0 {
                    Level::Prefecture
                } else {
                    Level::County
                },
                weight,
            )
        }));
    }
    weights
}

fn read_divisions() -> BTreeMap<u32, Division> {
    include_str!("../../../rollcall-core/data/divisions.csv")
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut cells = line.split(',');
            let code = cells.next()?.parse().ok()?;
            let name = cells.next()?.to_owned();
            let parent = cells.nth(2)?.parse().ok()?;
            Some((code, Division { code, name, parent }))
        })
        .collect()
}

fn advance_by_province(seed: u64) -> BTreeMap<u32, f64> {
    let mut chance = Chance::new(seed, "advance");
    let drawn: Vec<f64> = PROVINCES
        .iter()
        .map(|_| (chance.unit() * 2.0 - 1.0) * SPREAD)
        .collect();
    let all: u64 = PROVINCES.iter().map(|(_, weight)| weight).sum();
    let mean = PROVINCES
        .iter()
        .zip(&drawn)
        .map(|((_, weight), ahead)| *weight as f64 * ahead)
        .sum::<f64>()
        / all as f64;
    PROVINCES
        .iter()
        .zip(drawn)
        .map(|((code, _), ahead)| (*code, (ahead - mean).clamp(-SPREAD, SPREAD)))
        .collect()
}

/// Largest remainders: the parts add up to the whole.
fn share_out(organisations: u64, weights: &[(u32, Level, u64)]) -> Vec<Place> {
    let sum = weights
        .iter()
        .map(|(_, _, weight)| u128::from(*weight))
        .sum::<u128>()
        .max(1);
    let mut parts: Vec<(u64, u128, usize)> = weights
        .iter()
        .enumerate()
        .map(|(index, (_, _, weight))| {
            let product = u128::from(*weight) * u128::from(organisations);
            ((product / sum) as u64, product % sum, index)
        })
        .collect();
    let mut left = organisations.saturating_sub(parts.iter().map(|(count, _, _)| count).sum());
    parts.sort_by_key(|(_, rest, index)| (std::cmp::Reverse(*rest), *index));
    for (count, _, _) in &mut parts {
        if left == 0 {
            break;
        }
        *count += 1;
        left -= 1;
    }
    parts.sort_by_key(|(_, _, index)| *index);
    let mut first_number = 0;
    parts
        .into_iter()
        .map(|(count, _, index)| {
            let (code, level, _) = weights[index];
            let place = Place {
                federation: FederationId::of_division(code),
                code,
                level,
                organisations: count,
                first_number,
            };
            first_number += count;
            place
        })
        .filter(|place| place.organisations > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_number_asked_for() {
        for organisations in [1, 12, 5_000, 891_300] {
            let country = Country::new(3, organisations, None);
            assert_eq!(
                country
                    .places()
                    .iter()
                    .map(|place| place.organisations)
                    .sum::<u64>(),
                organisations
            );
        }
    }

    #[test]
    fn provinces_get_their_weight_and_levels_their_share() {
        let country = Country::new(3, 891_300, None);
        let of = |test: fn(&Place) -> bool| -> u64 {
            country
                .places()
                .iter()
                .filter(|place| test(place))
                .map(|place| place.organisations)
                .sum()
        };
        assert_eq!(of(|place| place.level == Level::National) / 100, 23);
        assert_eq!(of(|place| place.level == Level::Province) / 1000, 44);
        let jiangsu = of(|place| place.code / 10_000 == 32);
        // 90,000 of 802,959, less what the national office keeps.
        assert!((99_000..100_500).contains(&jiangsu), "{jiangsu}");
    }

    #[test]
    fn given_federations_share_the_whole() {
        let only: Vec<FederationId> = ["330000", "330106"]
            .iter()
            .map(|code| code.parse().expect(code))
            .collect();
        let country = Country::new(3, 500, Some(&only));
        assert_eq!(country.places().len(), 2);
        assert_eq!(
            country
                .places()
                .iter()
                .map(|place| place.organisations)
                .sum::<u64>(),
            500
        );
    }
}
