//! The stage an organisation has reached on the way to its union (`domain.md` 8).
//! Its own record holds stages 0 to 2; the later ones are read from the unions that cover or name it.

use crate::date::Day;
use crate::term::Stage;
use crate::union::UnionState;

/// The stage at a date. `own` are the entries of its record, `unions` the state of the unions that name it or that
/// it has a holding link to. An ended organisation is ended; a dissolved union counts only where there is no other.
pub fn stage_at(own: &[(Stage, Day)], unions: &[UnionState], ended: bool, on: Day) -> Stage {
    if ended {
        return Stage::Ended;
    }
    let reached = unions
        .iter()
        .filter(|union| !union.dissolved)
        .filter_map(|union| union.stage)
        .max();
    if let Some(stage) = reached {
        return stage;
    }
    if unions.iter().any(|union| union.dissolved) {
        return Stage::Ended;
    }
    own.iter()
        .filter(|(stage, day)| *stage <= Stage::Contacted && *day <= on)
        .map(|(stage, _)| *stage)
        .max()
        .unwrap_or(Stage::Identified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unions_tell_the_later_stages_and_the_record_the_first() {
        let day = |text: &str| text.parse::<Day>().expect("a day");
        let own = [
            (Stage::Mapped, day("2023-06-01")),
            (Stage::Contacted, day("2023-09-01")),
        ];
        let union = |stage, dissolved| UnionState {
            established: false,
            established_on: None,
            overdue: false,
            term_unknown: false,
            term_end: None,
            dissolved,
            legal_person: false,
            stage: Some(stage),
        };
        let on = day("2023-08-01");
        assert_eq!(stage_at(&[], &[], false, on), Stage::Identified);
        assert_eq!(stage_at(&own, &[], false, on), Stage::Mapped);
        assert_eq!(
            stage_at(&own, &[union(Stage::Elected, false)], false, on),
            Stage::Elected
        );
        let unions = [union(Stage::Ended, true), union(Stage::Applied, false)];
        assert_eq!(stage_at(&own, &unions, false, on), Stage::Applied);
        assert_eq!(stage_at(&own, &unions[..1], false, on), Stage::Ended);
        assert_eq!(stage_at(&own, &unions, true, on), Stage::Ended);
    }
}
