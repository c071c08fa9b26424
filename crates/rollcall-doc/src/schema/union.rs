//! What a grassroots union's document may hold. Owns the table; see `schema` for its words.

use super::{Form, Schema, Type, agreed, container, entry, fixed, required, term};

/// A grassroots union.
pub(super) const UNION: Schema = Schema {
    agreed: &[
        agreed("id", Type::Text),
        agreed("code", Type::Text),
        agreed("name", Type::Text),
        agreed("form", term!(UnionForm)),
        agreed("higher_union", Type::Federation),
        agreed("organisation", Type::Text),
        agreed("area_level", Type::Text),
        agreed("mistaken", Type::Text),
        agreed("full_time_chair", Type::Flag),
        agreed("womens_committee", Type::Flag),
    ],
    containers: &[
        container(
            "other_units",
            Form::Set(entry![required("on", Type::Date), required("count", Type::Count)]),
        ),
        container(
            "events",
            Form::Set(entry![
                required("event", term!(UnionEvent)),
                required("on", Type::Date),
                fixed("cycle", Type::Count),
                agreed("number", Type::Text),
                agreed("approved_by", Type::Federation),
                agreed("term_years", Type::Count),
                agreed("until", Type::Date),
                agreed("months", Type::Count),
            ]),
        ),
        container("amendments", Form::Amendments),
    ],
};
