//! Registers of organisations of given sizes, each made by itself and in any order, so that thousands of nodes can be
//! filled side by side. Owns how sizes differ; what is in a register is the generator's.

use rollcall_core::id::FederationId;
use rollcall_core::record::{OrganisationRecord, Record};

use super::chance::Chance;
use super::country::Country;

/// Spread of the logarithm of a register's size: from the smallest to the largest of a hundred nodes it is a hundredfold
/// (`reliability.md` T15).
const SPREAD: f64 = 1.15;
/// Median of the sizes drawn; only their proportions count.
const MEDIAN: f64 = 300.0;

/// The registers.
pub(crate) struct Registers {
    seed: u64,
    country: Country,
}

impl Registers {
    /// So many registers with so many organisations in all, their sizes log-normal, none of them empty.
    pub(crate) fn log_normal(seed: u64, registers: usize, organisations: u64) -> Self {
        let mut chance = Chance::new(seed, "register sizes");
        let drawn: Vec<u64> = (0..registers)
            .map(|_| u64::from(chance.log_normal(MEDIAN, SPREAD)))
            .collect();
        let all = u128::from(drawn.iter().sum::<u64>().max(1));
        let rest = organisations.saturating_sub(registers as u64);
        let mut given = 0;
        let mut below = 0;
        let sizes: Vec<u64> = drawn
            .iter()
            .map(|size| {
                below += size;
                let upto = (u128::from(below) * u128::from(rest) / all) as u64;
                let own = upto - given;
                given = upto;
                own + 1
            })
            .collect();
        Self {
            seed,
            country: Country::of_sizes(seed, &sizes),
        }
    }

    /// So many registers with so many organisations in all, of one size as far as that goes, none of them empty.
    pub(crate) fn even(seed: u64, registers: usize, organisations: u64) -> Self {
        let share = (organisations / (registers as u64).max(1)).max(1);
        let sizes = vec![share; registers];
        Self {
            seed,
            country: Country::of_sizes(seed, &sizes),
        }
    }

    /// The federation of each.
    pub(crate) fn federations(&self) -> Vec<FederationId> {
        let places = self.country.places().iter();
        places.map(|place| place.federation.clone()).collect()
    }

    /// How many organisations there are in all.
    pub(crate) fn organisations(&self) -> u64 {
        self.country
            .places()
            .iter()
            .map(|place| place.organisations)
            .sum()
    }

    /// The organisations of one of them; none where there is no such register.
    pub(crate) fn of(&self, index: usize) -> Vec<OrganisationRecord> {
        let Some(place) = self.country.places().get(index) else {
            return Vec::new();
        };
        let records = super::generate_place(self.seed, &self.country, place);
        let organisations = records.into_iter().filter_map(|record| match record {
            Record::Organisation(organisation) => Some(*organisation),
            _ => None,
        });
        organisations.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sizes_add_up_differ_and_codes_are_never_the_same() {
        let registers = Registers::log_normal(1, 300, 6_000);
        assert_eq!(registers.federations().len(), 300);
        let mut codes = BTreeSet::new();
        let mut sizes = Vec::new();
        for index in 0..300 {
            let organisations = registers.of(index);
            sizes.push(organisations.len());
            for organisation in organisations {
                let code = organisation.code.expect("a code");
                assert!(codes.insert(code.clone()), "{code} stands in two registers");
            }
        }
        assert_eq!((codes.len(), registers.organisations()), (6_000, 6_000));
        sizes.sort_unstable();
        assert!(sizes[0] >= 1 && sizes[299] > 10 * sizes[150], "{sizes:?}");
        assert!(registers.of(300).is_empty());
    }
}
