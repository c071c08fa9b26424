//! Headlines at the days of the campaign's targets, which every answer states beside its own figures, and at those of a
//! series that was asked for alone.
//! Owns how long they are kept: until a document states something that counts. What they are is computed in `query`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use rollcall_core::date::Day;
use rollcall_core::figure::{BoundedRate, Dimension};
use rollcall_core::id::FederationId;

use crate::query::FiguresQuery;

/// Questions whose headlines are kept.
const QUESTIONS_MAX: usize = 256;

/// What a headline depends on besides its day and the facts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    area: Option<FederationId>,
    filters: Vec<(Dimension, String)>,
    boundaries: Option<Day>,
}

impl Question {
    fn of(query: &FiguresQuery) -> Self {
        Self {
            area: query.area.clone(),
            filters: query.filters.clone(),
            boundaries: query.boundaries,
        }
    }
}

/// Headlines by day of the questions asked since the facts changed last.
#[derive(Debug, Default)]
pub(crate) struct Headlines(Mutex<HashMap<Question, BTreeMap<Day, BoundedRate>>>);

impl Headlines {
    /// Those of a question that are known.
    pub(crate) fn of(&self, query: &FiguresQuery) -> BTreeMap<Day, BoundedRate> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&Question::of(query)).cloned().unwrap_or_default()
    }

    /// Keeps headlines of a question.
    pub(crate) fn keep(&self, query: &FiguresQuery, headlines: &BTreeMap<Day, BoundedRate>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let question = Question::of(query);
        if known.len() >= QUESTIONS_MAX && !known.contains_key(&question) {
            known.clear();
        }
        let days = headlines.iter().map(|(day, rate)| (*day, rate.clone()));
        known.entry(question).or_default().extend(days);
    }

    /// Forgets all: the facts have changed.
    pub(crate) fn clear(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
