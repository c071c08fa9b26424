//! What the documents about other documents may hold: same-as, the directory of federations, the campaign.

use rollcall_core::id::DocumentKind;

use super::{Form, Schema, Type, agreed, container, entry, required, term};

/// Two documents that are one thing.
pub(super) const SAME_AS: Schema = Schema {
    agreed: &[
        agreed("a", Type::Text),
        agreed("b", Type::Text),
        agreed(
            "of",
            Type::Term(|text| DocumentKind::ALL.iter().any(|kind| kind.name() == text)),
        ),
        agreed("from", Type::Date),
        agreed("until", Type::Date),
        agreed("reason", Type::Text),
        agreed("withdrawn", Type::Withdrawn),
        agreed("federation", Type::Federation),
    ],
    containers: &[container("amendments", Form::Amendments)],
};

/// A federation in the directory.
pub(super) const FEDERATION: Schema = Schema {
    agreed: &[
        agreed("code", Type::Federation),
        agreed("line", Type::Text),
        agreed("name", Type::Text),
        agreed("level", term!(Level)),
        agreed("parent", Type::Federation),
        agreed("from", Type::Date),
        agreed("until", Type::Date),
        agreed("active", Type::Flag),
    ],
    containers: &[container("amendments", Form::Amendments)],
};

/// The campaign's settings and targets.
pub(super) const CAMPAIGN: Schema = Schema {
    agreed: &[
        agreed("id", Type::Text),
        agreed("version", Type::Count),
        agreed("organiser_counts", Type::Flag),
        agreed("clinics_are_hospitals", Type::Flag),
        agreed("nurseries_in_scope", Type::Flag),
        agreed("grace_months", Type::Count),
        agreed("deadline_months", Type::Count),
        agreed("womens_committee_from", Type::Count),
    ],
    containers: &[
        container(
            "targets",
            Form::Set(entry![
                required("on", Type::Date),
                required("percent", Type::Count)
            ]),
        ),
        container("amendments", Form::Amendments),
    ],
};
