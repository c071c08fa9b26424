//! What the documents of money may hold: funds and subsidy cases, each with a ledger.
//! Ledger entries are never changed; a correction is a reversing entry (`domain.md` 7).

use super::{Form, Schema, Type, agreed, container, entry, fixed, required, term};

/// A federation's special fund of one year.
pub(super) const FUND: Schema = Schema {
    agreed: &[
        agreed("id", Type::Text),
        agreed("federation", Type::Federation),
        agreed("year", Type::Year),
    ],
    containers: &[container(
        "entries",
        Form::Ledger(entry![
            required("entry", term!(FundEntryKind)),
            required("on", Type::Date),
            required("amount_fen", Type::Integer),
            fixed("counterparty", Type::Federation),
            fixed("transfer", Type::Text),
            fixed("of", Type::Text),
        ]),
    )],
};

/// One subsidy case.
pub(super) const SUBSIDY: Schema = Schema {
    agreed: &[
        agreed("id", Type::Text),
        agreed("federation", Type::Federation),
        agreed("payee_union", Type::Text),
        agreed("payee_federation", Type::Federation),
        agreed("kind", term!(SubsidyKind)),
        agreed("rule", Type::Text),
        agreed("period", Type::Text),
        agreed("fund", Type::Text),
        agreed("basis", Type::Text),
    ],
    containers: &[container(
        "entries",
        Form::Ledger(entry![
            required("entry", term!(SubsidyEntryKind)),
            required("on", Type::Date),
            fixed("amount_fen", Type::Integer),
            fixed("of", Type::Text),
            fixed("reason", Type::Text),
        ]),
    )],
};
