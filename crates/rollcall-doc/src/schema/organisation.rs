//! What an organisation's document may hold. Owns the table; see `schema` for its words.

use super::{Form, Schema, Type, agreed, container, entry, required, term};

/// An employer.
pub(super) const ORGANISATION: Schema = Schema {
    agreed: &[
        agreed("id", Type::Text),
        agreed("code", Type::Text),
        agreed("kind", term!(Kind)),
        agreed("category_source", Type::Text),
        agreed("registered_on", Type::Date),
        agreed("address", Type::Text),
        agreed("supervising_unit", Type::Text),
        agreed("successor", Type::Text),
        agreed("mistaken", Type::Text),
    ],
    containers: &[
        container("name", Form::Dated(Type::Text)),
        container("category", Form::Dated(term!(Category))),
        container("registration_status", Form::Dated(term!(RegistrationStatus))),
        container("registration_authority", Form::Dated(Type::Text)),
        container("location", Form::Dated(Type::Text)),
        container("responsible", Form::Dated(Type::Federation)),
        container("operating_state", Form::Dated(term!(OperatingState))),
        container("counts", Form::Counts),
        container("legacy_numbers", Form::Names),
        container("former_names", Form::NamesUntil),
        container(
            "exclusions",
            Form::Set(entry![
                required("reason", term!(ExclusionReason)),
                required("from", Type::Date),
                agreed("until", Type::Date),
                agreed("evidence", Type::Text),
                agreed("approved_on", Type::Date),
                agreed("refused_on", Type::Date),
            ]),
        ),
        container(
            "coverage",
            Form::Set(entry![
                required("union", Type::Text),
                required("from", Type::Date),
                agreed("until", Type::Date),
                agreed("consent_on", Type::Date),
            ]),
        ),
        container(
            "organisers",
            Form::Set(entry![
                required("elected_on", Type::Date),
                agreed("ended_on", Type::Date)
            ]),
        ),
        container(
            "handovers",
            Form::Set(entry![
                required("to", Type::Federation),
                required("on", Type::Date),
                agreed("accepted_on", Type::Date),
            ]),
        ),
        container(
            "stages",
            Form::Set(entry![
                required("stage", term!(Stage)),
                required("on", Type::Date),
                agreed("number", Type::Text),
            ]),
        ),
        container(
            "contacts",
            Form::Set(entry![
                required("on", Type::Date),
                agreed("channel", Type::Text),
                agreed("result", Type::Text),
                agreed("next_on", Type::Date),
            ]),
        ),
        container(
            "checks",
            Form::Set(entry![
                required("on", Type::Date),
                required("state", term!(OperatingState))
            ]),
        ),
        container(
            "services",
            Form::Set(entry![
                required("on", Type::Date),
                required("service", Type::Text),
                agreed("note", Type::Text),
            ]),
        ),
        container("amendments", Form::Amendments),
    ],
};
