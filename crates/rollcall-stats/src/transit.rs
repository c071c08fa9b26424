//! Money under way between federations: what one side has booked and the other has not, pair by pair
//! (`domain.md` 7). Owns the matching; what a movement is comes from `rollcall-core`.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::amount::Fen;
use rollcall_core::figure::Transit;
use rollcall_core::id::FederationId;
use rollcall_core::subsidy::fund_movements;
use rollcall_core::term::FundEntryKind;

use crate::Cube;
use crate::subsidy::{Period, SubsidiesQuery};

/// What both sides of a transfer have in common: its id, or without one the giver and the taker.
type Transfer<'a> = (Option<&'a str>, Option<FederationId>, Option<FederationId>);

impl Cube {
    /// What one side of a transfer has booked within the period and the other has not, with the federation whose row
    /// it belongs to: the giver where it has booked, else the taker.
    pub(crate) fn transits(&self, query: &SubsidiesQuery, period: Period) -> Vec<(FederationId, Transit)> {
        #[derive(Default)]
        struct Pair {
            booked: BTreeSet<FederationId>,
            from: BTreeSet<FederationId>,
            to: BTreeSet<FederationId>,
            open: Fen,
        }
        // Without a shared id, both sides still meet over who gives and who takes.
        let mut pairs: BTreeMap<Transfer<'_>, Pair> = BTreeMap::new();
        for fund in self.funds.values() {
            let Some(federation) = fund.federation.first() else {
                continue;
            };
            for (movement, entry) in fund_movements(&fund.entries) {
                let given = match movement.column {
                    FundEntryKind::PassedDown | FundEntryKind::ReturnedOut => true,
                    FundEntryKind::Received | FundEntryKind::ReturnedIn => false,
                    FundEntryKind::Opening
                    | FundEntryKind::SetAside
                    | FundEntryKind::Spent
                    | FundEntryKind::Reversal => continue,
                };
                if !period.holds(movement.on) {
                    continue;
                }
                let (from, to) = if given {
                    (Some(federation), entry.counterparty.as_ref())
                } else {
                    (entry.counterparty.as_ref(), Some(federation))
                };
                let key = match &entry.transfer {
                    Some(transfer) => (Some(transfer.as_str()), None, None),
                    None => (None, from.cloned(), to.cloned()),
                };
                let pair = pairs.entry(key).or_default();
                pair.from.extend(from.cloned());
                pair.to.extend(to.cloned());
                pair.open = if given {
                    pair.booked.insert(federation.clone());
                    pair.open.plus(movement.amount)
                } else {
                    pair.open.minus(movement.amount)
                };
            }
        }
        let text = |federations: &BTreeSet<FederationId>| federations.first().map(FederationId::to_string);
        pairs
            .into_iter()
            .filter(|(_, pair)| pair.open != Fen::ZERO)
            .filter_map(|((transfer, _, _), pair)| {
                let owner = pair
                    .booked
                    .first()
                    .or(pair.to.first())
                    .or(pair.from.first())?
                    .clone();
                let transit = Transit {
                    transfer: transfer.map(str::to_owned),
                    from: text(&pair.from),
                    to: text(&pair.to),
                    amount_fen: pair.open,
                };
                self.within(query, Some(&owner), period.to)
                    .then_some((owner, transit))
            })
            .collect()
    }
}
