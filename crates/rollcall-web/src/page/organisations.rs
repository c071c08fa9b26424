//! The list of organisations: find, filter, page through.
//! Owns the view and the reading of its query; the search itself is the program's.

use askama::Template;
use rollcall_core::term::{Category, Kind, Stage, UnionForm};
use serde::Deserialize;

use crate::form::{Paging, empty_is_none, encode};
use crate::layout::{Badge, Frame, Pager, Tone};

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "organisations.html")]
pub struct Organisations {
    /// What stands around it.
    pub frame: Frame,
    /// What was asked for; stands in the form.
    pub filter: OrganisationFilter,
    /// What other federations hand over and waits to be accepted here; shown above the list.
    pub offered: Vec<OfferedRow>,
    /// The rows of this page.
    pub rows: Vec<OrganisationRow>,
    /// Where in the list.
    pub pager: Pager,
    /// Where the list can be had as a file; `None` where the account may not.
    pub export_href: Option<String>,
    /// Where an organisation is entered by hand; `None` where the account may not.
    pub new_href: Option<String>,
}

impl Organisations {
    /// The choices of the first filter, with the chosen one marked.
    pub fn standings(&self) -> Vec<Choice> {
        choices(
            StandingFilter::ALL.iter().map(|value| value.name()),
            self.filter.standing.map(StandingFilter::name),
        )
    }

    /// The choices of stage.
    pub fn stages(&self) -> Vec<Choice> {
        choices(
            Stage::ALL.iter().map(|value| value.name()),
            self.filter.stage.map(Stage::name),
        )
    }

    /// The choices of form.
    pub fn forms(&self) -> Vec<Choice> {
        choices(
            UnionForm::ALL.iter().map(|value| value.name()),
            self.filter.form.map(UnionForm::name),
        )
    }

    /// The choices of category.
    pub fn categories(&self) -> Vec<Choice> {
        choices(
            Category::ALL.iter().map(|value| value.name()),
            self.filter.category.map(Category::name),
        )
    }

    /// The choices of kind.
    pub fn kinds(&self) -> Vec<Choice> {
        choices(
            Kind::ALL.iter().map(|value| value.name()),
            self.filter.kind.map(Kind::name),
        )
    }
}

/// One option of a select box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What the query holds.
    pub name: &'static str,
    /// Whether it is chosen.
    pub chosen: bool,
}

fn choices(names: impl Iterator<Item = &'static str>, chosen: Option<&'static str>) -> Vec<Choice> {
    names
        .map(|name| Choice {
            name,
            chosen: chosen == Some(name),
        })
        .collect()
}

/// How an organisation stands, as the first filter knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingFilter {
    /// Eligible and covered.
    Covered,
    /// Eligible and not covered: the work to do.
    Uncovered,
    /// In scope but excluded.
    Excluded,
    /// Not in scope.
    OutOfScope,
    /// Kept apart until its code or dates are known.
    Held,
    /// With an open conflict.
    Conflict,
}

impl StandingFilter {
    /// Every value, in the order of the select box.
    pub const ALL: [Self; 6] = [
        Self::Covered,
        Self::Uncovered,
        Self::Excluded,
        Self::OutOfScope,
        Self::Held,
        Self::Conflict,
    ];

    /// The name in the query.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Uncovered => "uncovered",
            Self::Excluded => "excluded",
            Self::OutOfScope => "out_of_scope",
            Self::Held => "held",
            Self::Conflict => "conflict",
        }
    }

    /// Its colour.
    pub const fn tone(self) -> Tone {
        match self {
            Self::Covered => Tone::Good,
            Self::Uncovered | Self::Held => Tone::Waiting,
            Self::Conflict => Tone::Attention,
            Self::Excluded | Self::OutOfScope => Tone::Plain,
        }
    }
}

/// The query of the list. Take it with `CheckedQuery<OrganisationFilter>`: what is not in these lists is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct OrganisationFilter {
    /// Part of a name, a code or pinyin initials.
    #[serde(default)]
    pub q: String,
    /// How it stands.
    #[serde(default, deserialize_with = "term")]
    pub standing: Option<StandingFilter>,
    /// Its stage.
    #[serde(default, deserialize_with = "term")]
    pub stage: Option<Stage>,
    /// The form of the union that covers it.
    #[serde(default, deserialize_with = "term")]
    pub form: Option<UnionForm>,
    /// Its category.
    #[serde(default, deserialize_with = "term")]
    pub category: Option<Category>,
    /// Its kind.
    #[serde(default, deserialize_with = "term")]
    pub kind: Option<Kind>,
    /// Its federation, a division code.
    #[serde(default, deserialize_with = "empty_is_none")]
    pub area: Option<u32>,
    /// Where in the list.
    #[serde(flatten)]
    pub paging: Paging,
}

impl OrganisationFilter {
    /// The address of the list with this filter, without the page.
    pub fn address(&self, path: &str) -> String {
        let mut query = Vec::new();
        let chosen = [
            ("standing", self.standing.map(StandingFilter::name)),
            ("stage", self.stage.map(Stage::name)),
            ("form", self.form.map(UnionForm::name)),
            ("category", self.category.map(Category::name)),
            ("kind", self.kind.map(Kind::name)),
        ];
        if !self.q.is_empty() {
            query.push(format!("q={}", encode(&self.q)));
        }
        query.extend(
            chosen
                .iter()
                .filter_map(|(key, name)| name.map(|name| format!("{key}={name}"))),
        );
        query.extend(self.area.map(|area| format!("area={area:06}")));
        if self.paging.size != Paging::SIZE_DEFAULT {
            query.push(format!("size={}", self.paging.size));
        }
        if query.is_empty() {
            path.to_owned()
        } else {
            let joint = if path.contains('?') { '&' } else { '?' };
            format!("{path}{joint}{}", query.join("&"))
        }
    }

    /// Whether anything is asked for.
    pub fn is_empty(&self) -> bool {
        self.address("") == Self::default().address("")
    }
}

/// Reads a term by its name; empty is none.
fn term<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    use serde::de::IntoDeserializer;
    match Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?
        .as_deref()
        .map(str::trim)
    {
        None | Some("") => Ok(None),
        Some(name) => T::deserialize(name.to_owned().into_deserializer()).map(Some),
    }
}

/// A handover that waits for its acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedRow {
    /// Name of the organisation.
    pub name: String,
    /// Its page.
    pub href: String,
    /// Where the acceptance is entered.
    pub sign_href: String,
    /// By whom and when, in the reader's language.
    pub about: String,
}

/// One organisation in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganisationRow {
    /// Its page.
    pub href: String,
    /// Name that holds today.
    pub name: String,
    /// Unified social credit code; `None` while unknown.
    pub code: Option<String>,
    /// Name of the kind.
    pub kind: &'static str,
    /// Name of the category.
    pub category: &'static str,
    /// Responsible federation.
    pub federation: String,
    /// Workers by the latest count.
    pub workers: Option<u64>,
    /// How it stands.
    pub standing: StandingFilter,
    /// Why it is excluded or out of scope, a code such as `NO_WORKERS`; `None` otherwise.
    pub reason: Option<String>,
    /// The union that covers it.
    pub union_name: Option<String>,
    /// Its page.
    pub union_href: Option<String>,
    /// Name of the stage.
    pub stage: &'static str,
    /// Open conflicts in it.
    pub conflicts: u64,
    /// Edits of it that have no receipt yet.
    pub unsent: bool,
}

impl OrganisationRow {
    /// How it stands, in words.
    pub fn badge(&self, frame: &Frame) -> Badge {
        Badge::new(self.standing.tone(), frame.term("standing", self.standing.name()))
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;

    use super::*;

    fn read(query: &str) -> Option<OrganisationFilter> {
        Query::try_from_uri(&format!("/?{query}").parse().unwrap())
            .ok()
            .map(|Query(filter)| filter)
    }

    #[test]
    fn query_is_read_with_empty_fields_and_refused_with_unknown_ones() {
        let filter =
            read("q=%E5%AD%A6&standing=uncovered&stage=&kind=&form=joint&area=330106&page=2&size=100")
                .unwrap();
        assert_eq!(
            (filter.q.as_str(), filter.standing),
            ("学", Some(StandingFilter::Uncovered))
        );
        assert_eq!(
            (filter.form, filter.stage, filter.area),
            (Some(UnionForm::Joint), None, Some(330_106))
        );
        assert_eq!(filter.paging, Paging { page: 2, size: 100 });
        assert_eq!(
            filter.address("/o"),
            "/o?q=%E5%AD%A6&standing=uncovered&form=joint&area=330106&size=100"
        );
        assert_eq!(read("").unwrap(), OrganisationFilter::default());
        assert!(read("").unwrap().is_empty() && !filter.is_empty());
        for bad in [
            "page=-1",
            "page=0",
            "page=x",
            "size=1000000000",
            "size=501",
            "stage=flying",
            "area=x",
            "kind=%27--",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn address_leads_back_to_the_same_filter() {
        let filter = read("q=a%26b%3Dc%20%25&category=school&kind=foundation&stage=elected").unwrap();
        let address = filter.address("/o");
        assert_eq!(read(address.strip_prefix("/o?").unwrap()).unwrap(), filter);
    }
}
