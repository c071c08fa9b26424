//! The small country of a simulation: who is enrolled for what, and the records they write.
//! Owns the choice of cases: neighbours, offices above with replicas, visitors across scopes, double claims.

use std::collections::BTreeSet;
use std::sync::Arc;

use rollcall_core::credit_code::CreditCode;
use rollcall_core::id::{DocumentId, FederationId};
use rollcall_core::record::Record;
use rollcall_replica::grants::{Access, Enrolled};
use serde_json::{Value, json};

use crate::chance::Chance;

/// An office that may be enrolled: federation, whose replicas it holds.
const OFFICES: [(&str, &[&str]); 6] = [
    ("330106", &[]),
    ("330105", &[]),
    ("330100", &["330100"]),
    ("330000", &["330000"]),
    ("440106", &[]),
    ("370000", &["100000"]),
];

/// What an office is enrolled for.
#[derive(Debug, Clone)]
pub(crate) struct Enrolment {
    pub(crate) federation: FederationId,
    pub(crate) replicas: Vec<FederationId>,
}

/// Something that records are about.
#[derive(Debug, Clone)]
enum Subject {
    /// An employer in a division, registered with the authority of another.
    Organisation {
        key: String,
        location: &'static str,
        authority: &'static str,
    },
    /// A union, perhaps of an employer.
    Union {
        key: String,
        organisation: Option<String>,
    },
    /// A fund of an office.
    Fund { key: String },
    /// A subsidy to a union.
    Subsidy { key: String, payee: String },
}

/// The country.
#[derive(Debug, Clone)]
pub(crate) struct Country {
    pub(crate) enrolments: Vec<Enrolment>,
    subjects: Vec<Subject>,
}

fn federation(text: &str) -> FederationId {
    text.parse().expect("the offices have codes")
}

impl Country {
    /// Draws one: two offices to `offices_max`, a dozen subjects.
    pub(crate) fn draw(chance: &mut Chance, offices_max: usize) -> Self {
        let mut offices: Vec<_> = OFFICES.to_vec();
        while offices.len() > offices_max || (offices.len() > 2 && chance.percent(45)) {
            let gone = chance.below(offices.len());
            offices.remove(gone);
        }
        let enrolments = offices
            .iter()
            .map(|(code, replicas)| Enrolment {
                federation: federation(code),
                replicas: replicas.iter().map(|code| federation(code)).collect(),
            })
            .collect();
        let places = ["330106", "330105", "330106", "440106", "370102"];
        let mut subjects = Vec::new();
        let organisations = chance.between(2, 6);
        for number in 0..organisations {
            let location = *chance.pick(&places);
            let authority = if chance.percent(60) {
                location
            } else {
                chance.pick(&places)
            };
            let key = if chance.percent(50) {
                let code = CreditCode::complete(&format!("51{authority}MJ0000{number:02}"));
                code.map_or_else(|| format!("o{number}"), |code| code.as_str().to_owned())
            } else {
                format!("o{number}")
            };
            subjects.push(Subject::Organisation {
                key,
                location,
                authority,
            });
        }
        let employers: Vec<String> = subjects.iter().map(|subject| subject.key().to_owned()).collect();
        for number in 0..chance.between(1, 3) {
            let organisation = chance.percent(80).then(|| chance.pick(&employers).clone());
            subjects.push(Subject::Union {
                key: format!("u{number}"),
                organisation,
            });
        }
        subjects.push(Subject::Fund { key: "f0".to_owned() });
        subjects.push(Subject::Subsidy {
            key: "s0".to_owned(),
            payee: "u0".to_owned(),
        });
        Self { enrolments, subjects }
    }

    /// How many subjects there are.
    pub(crate) fn subjects(&self) -> usize {
        self.subjects.len()
    }

    /// What an office may write and read.
    pub(crate) fn access(&self, office: usize) -> Access {
        let own = &self.enrolments[office];
        Access {
            enrolled: Enrolled {
                write: [own.federation.clone()].into(),
                replicas: own.replicas.iter().cloned().collect(),
            },
            writers: Arc::new(
                self.enrolments
                    .iter()
                    .map(|other| other.federation.clone())
                    .collect::<BTreeSet<_>>(),
            ),
        }
    }

    /// What an office has to say about a subject; `new` where it does not hold it yet, `number` tells statements apart.
    pub(crate) fn record(&self, office: usize, subject: usize, new: bool, number: usize) -> Record {
        let own = &self.enrolments[office].federation;
        let subject = &self.subjects[subject];
        let mut value = match subject {
            // One fund and one case for each office: their ids carry its code.
            Subject::Fund { key } => {
                json!({"type": "fund", "id": format!("{key}-{own}"), "federation": own, "year": 2024,
                "entries": [fund_entry(number)]})
            }
            Subject::Subsidy { key, payee } => {
                json!({"type": "subsidy", "id": format!("{key}-{own}"), "federation": own,
                "payee_union": payee, "kind": "project_subsidy", "entries": [subsidy_entry(number)]})
            }
            Subject::Union { key, organisation } => {
                let mut value = json!({"type": "union", "id": key, "name": format!("union {number}")});
                if new {
                    value["higher_union"] = json!(own);
                    value["form"] = json!("own");
                    value["organisation"] = json!(organisation);
                    value["events"] = json!([{"id": "e0", "event": "established", "on": "2023-05-04"}]);
                }
                value
            }
            Subject::Organisation {
                key,
                location,
                authority,
            } => {
                let mut value = organisation_edit(number);
                value["type"] = json!("organisation");
                let name = if key.len() == 18 { "code" } else { "id" };
                value[name] = json!(key);
                if new {
                    value["responsible"] = json!(own);
                    value["location"] = json!(location);
                    value["registration_authority"] = json!(authority);
                    value["registered_on"] = json!("2020-06-01");
                }
                value
            }
        };
        if matches!(
            subject,
            Subject::Union {
                organisation: None,
                ..
            }
        ) {
            value.as_object_mut().map(|object| object.remove("organisation"));
        }
        serde_json::from_value(value).expect("the records of a simulation are records")
    }

    /// Which subject a document is about.
    pub(crate) fn subject_of(&self, id: DocumentId) -> Option<usize> {
        (0..self.subjects.len()).find(|subject| self.record(0, *subject, true, 0).document_id() == Some(id))
    }

    /// Whether the office may claim the subject: its area holds, or lies in, the subject's place. The authority counts
    /// where the code names it.
    pub(crate) fn may_claim(&self, office: usize, subject: usize) -> bool {
        match &self.subjects[subject] {
            Subject::Organisation {
                key,
                location,
                authority,
            } => {
                let own = self.enrolments[office].federation.as_str().trim_end_matches("00");
                let named = if key.len() == 18 { Some(authority) } else { None };
                [Some(location), named]
                    .into_iter()
                    .flatten()
                    .any(|place| place.starts_with(own.trim_end_matches("00")))
            }
            Subject::Union { .. } | Subject::Fund { .. } | Subject::Subsidy { .. } => true,
        }
    }
}

impl Subject {
    fn key(&self) -> &str {
        match self {
            Self::Organisation { key, .. }
            | Self::Union { key, .. }
            | Self::Fund { key }
            | Self::Subsidy { key, .. } => key,
        }
    }
}

fn day(number: usize) -> String {
    format!("2024-{:02}-{:02}", 1 + number % 12, 1 + number % 28)
}

fn organisation_edit(number: usize) -> Value {
    match number % 5 {
        0 => json!({"name": format!("name {number}")}),
        1 => json!({"counts": [{"on": day(number), "workers": 20 + number}]}),
        2 => json!({"contacts": [{"id": format!("c{number}"), "on": day(number), "channel": "visit"}]}),
        3 => json!({"address": format!("street {number}")}),
        _ => {
            let stage = if number.is_multiple_of(2) {
                "mapped"
            } else {
                "contacted"
            };
            json!({"stages": [{"id": format!("s{}", number % 7), "stage": stage, "on": day(number)}]})
        }
    }
}

fn fund_entry(number: usize) -> Value {
    json!({"id": format!("b{number}"), "entry": "set_aside", "on": day(number), "amount_fen": 100 * (number + 1)})
}

fn subsidy_entry(number: usize) -> Value {
    json!({"id": format!("p{number}"), "entry": "disbursed", "on": day(number), "amount_fen": 100 * (number + 1)})
}
