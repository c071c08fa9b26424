//! The campaign's switches, deadlines and targets in force (`domain.md` 1, 5, 6).
//! Owns the defaults; what the campaign's document states replaces them one by one.

use serde::{Deserialize, Serialize};

use crate::date::Day;
use crate::fact::CampaignFacts;

/// A target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Its date; it is computed on this date.
    pub date: Day,
    /// Percent of the eligible.
    pub percent: u32,
}

/// Settings in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Version of the campaign's document; 0: none has been heard, the defaults hold.
    pub campaign: u32,
    /// Whether an organiser alone covers.
    pub organiser_counts: bool,
    /// Whether outpatient departments and clinics count as hospitals.
    pub clinics_are_hospitals: bool,
    /// Whether day nurseries are in scope.
    pub nurseries_in_scope: bool,
    /// Months a term may be overdue in the strict rate.
    pub grace_months: u32,
    /// Months until V15 asks (T17, local; the longest of the known ones).
    pub deadline_months: u32,
    /// Female members from which a women workers' committee is due (T15).
    pub womens_committee_from: u32,
    /// By date.
    pub targets: Vec<Target>,
}

impl Default for Settings {
    fn default() -> Self {
        let at_year_end = |year, percent| Day::from_ymd(year, 12, 31).map(|date| Target { date, percent });
        Self {
            campaign: 0,
            organiser_counts: false,
            clinics_are_hospitals: false,
            nurseries_in_scope: false,
            grace_months: 0,
            deadline_months: 12,
            womens_committee_from: 10,
            targets: [at_year_end(2023, 60), at_year_end(2024, 85)]
                .into_iter()
                .flatten()
                .collect(),
        }
    }
}

impl Settings {
    /// These settings with what the campaign's document states in their place.
    #[must_use]
    pub fn with(&self, facts: &CampaignFacts) -> Self {
        let mut targets: Vec<Target> = facts
            .targets
            .iter()
            .map(|&(date, percent)| Target { date, percent })
            .collect();
        targets.sort_unstable();
        targets.dedup();
        Self {
            campaign: facts.version.unwrap_or(self.campaign),
            organiser_counts: facts.organiser_counts.unwrap_or(self.organiser_counts),
            clinics_are_hospitals: facts.clinics_are_hospitals.unwrap_or(self.clinics_are_hospitals),
            nurseries_in_scope: facts.nurseries_in_scope.unwrap_or(self.nurseries_in_scope),
            grace_months: facts.grace_months.unwrap_or(self.grace_months).min(1200),
            deadline_months: facts.deadline_months.unwrap_or(self.deadline_months).min(1200),
            womens_committee_from: facts.womens_committee_from.unwrap_or(self.womens_committee_from),
            targets: if targets.is_empty() {
                self.targets.clone()
            } else {
                targets
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_document_leaves_out_keeps_its_default() {
        let settings = Settings::default().with(&CampaignFacts {
            version: Some(3),
            organiser_counts: Some(true),
            ..CampaignFacts::default()
        });
        assert!(settings.organiser_counts && !settings.clinics_are_hospitals);
        assert_eq!(settings.campaign, 3);
        let targets: Vec<_> = settings
            .targets
            .iter()
            .map(|t| (t.date.to_string(), t.percent))
            .collect();
        assert_eq!(
            targets,
            [("2023-12-31".to_owned(), 60), ("2024-12-31".to_owned(), 85)]
        );
    }
}
