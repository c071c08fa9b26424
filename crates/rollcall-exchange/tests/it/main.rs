//! Lists as files, from bytes to outcomes.

mod archive_builder;
mod bad_input;
mod fixture;
mod plan;
mod real_lists;
mod round_trip;

use std::collections::HashMap;

use rollcall_core::campaign::Settings;
use rollcall_core::date::Day;
use rollcall_core::id::DocumentId;
use rollcall_core::record::Record;
use rollcall_exchange::{Known, List, Outcome, Plan, PlanSettings, plan};

/// Settings of a national node on a day in 2026.
fn settings() -> PlanSettings {
    PlanSettings {
        import_id: "i1".to_owned(),
        today: Day::from_ymd(2026, 11, 23).expect("a day"),
        counts_on: None,
        area: None,
        campaign: Settings::default(),
    }
}

/// A register that holds nothing but the last record of each document.
#[derive(Default)]
struct Register {
    records: HashMap<DocumentId, Record>,
}

impl Register {
    fn plan(&self, list: &List) -> Plan {
        let plan = plan(list, settings(), &mut |row| match self.records.get(&row.id) {
            None => Known::New,
            Some(record) if *record == row.record => Known::Unchanged,
            Some(_) => Known::Updated,
        });
        check_sums(list, &plan);
        plan
    }

    fn import(&mut self, list: &List) -> Plan {
        let plan = self.plan(list);
        self.records
            .extend(plan.candidates(list).map(|row| (row.id, row.record)));
        plan
    }
}

/// What holds for every plan of every list.
fn check_sums(list: &List, plan: &Plan) {
    let summary = &plan.summary;
    let sorted = summary.new + summary.updated + summary.unchanged + summary.duplicate + summary.refused;
    assert_eq!(summary.rows_read, sorted);
    assert_eq!(summary.rows_read, list.rows_read());
    assert_eq!(summary.rows_read, plan.rows.len() as u64);
    assert_eq!(summary.rows_read, summary.scope.values().sum::<u64>());
    assert_eq!(
        plan.candidates(list).count() as u64,
        summary.new + summary.updated
    );
    let reasons: usize = plan
        .rows
        .iter()
        .map(|row| {
            if let Outcome::Refused(problems) = &row.outcome {
                problems.len()
            } else {
                0
            }
        })
        .sum();
    assert_eq!(
        reasons as u64,
        summary.problems.len() as u64 + summary.problems_left_out
    );
}
