//! What the drill came to: one line for each planted bug, the share that was found.

use serde::Serialize;

use super::sabotage::Sabotage;
use super::suite::Verdict;
use crate::say;

/// Of so many planted bugs
const OF: usize = 20;
/// so many must be found (`reliability.md` T25).
const ENOUGH: usize = 19;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// By the detectors.
    pub(super) rows: Vec<Row>,
    /// Draws those below.
    seed: u64,
    /// By the whole suite.
    pub(super) whole: Vec<WholeRow>,
}

/// One planted bug and its detector.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) id: &'static str,
    lesson: Option<u8>,
    breaks: &'static str,
    file: &'static str,
    package: &'static str,
    test: &'static str,
    verdict: Verdict,
    /// Building and running.
    seconds: f64,
}

/// One planted bug and the whole suite.
#[derive(Debug, Serialize)]
pub(super) struct WholeRow {
    pub(super) id: &'static str,
    pub(super) verdict: Verdict,
    pub(super) seconds: f64,
    /// Tests that failed.
    pub(super) failed: Vec<String>,
}

impl Row {
    pub(super) fn of(sabotage: &Sabotage, verdict: Verdict, seconds: f64) -> Self {
        Self {
            id: sabotage.id,
            lesson: sabotage.lesson,
            breaks: sabotage.breaks,
            file: sabotage.file,
            package: sabotage.detector.package,
            test: sabotage.detector.test,
            verdict,
            seconds,
        }
    }
}

fn caught<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> (usize, usize) {
    verdicts.fold((0, 0), |(caught, all), verdict| {
        (caught + usize::from(*verdict == Verdict::Caught), all + 1)
    })
}

impl Report {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rows: Vec::new(),
            seed,
            whole: Vec::new(),
        }
    }

    /// Whether nineteen of twenty were found, and everything that the whole suite was run for.
    pub(super) fn is_enough(&self) -> bool {
        let (found, all) = caught(self.rows.iter().map(|row| &row.verdict));
        let (whole_found, whole_all) = caught(self.whole.iter().map(|row| &row.verdict));
        found * OF >= all * ENOUGH && whole_found == whole_all
    }

    /// As tables on standard output.
    pub(super) fn tell(&self) {
        let lesson =
            |number: Option<u8>| number.map_or_else(|| "–".to_owned(), |number| format!("L{number}"));
        let detector = |row: &Row| format!("{}: {}", row.package, row.test);
        let widest = self
            .rows
            .iter()
            .map(|row| detector(row).len())
            .max()
            .unwrap_or_default();
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                vec![
                    row.id.to_owned(),
                    lesson(row.lesson),
                    row.verdict.said().to_owned(),
                    format!("{:.0}", row.seconds),
                    format!("{:<widest$}", detector(row)),
                ]
            })
            .collect();
        let head = format!("{:<widest$}", "detector");
        say::table(&["planted", "lesson", "verdict", "s", &head], &rows);
        for row in self.rows.iter().filter(|row| row.verdict != Verdict::Caught) {
            say::line(format!("  {}: {} ({})", row.id, row.breaks, row.file));
        }
        let (found, all) = caught(self.rows.iter().map(|row| &row.verdict));
        say::line(format!("caught {found} of {all} by their detectors"));
        for row in &self.whole {
            say::line(format!(
                "  {}: {} by the whole suite in {:.0} s, {} tests failed",
                row.id,
                row.verdict.said(),
                row.seconds,
                row.failed.len()
            ));
            for test in &row.failed {
                say::line(format!("    {test}"));
            }
        }
        if self.whole.is_empty() {
            return;
        }
        let (found, all) = caught(self.whole.iter().map(|row| &row.verdict));
        say::line(format!(
            "caught {found} of {all} drawn with seed {} by the whole suite",
            self.seed
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nineteen_of_twenty_are_enough_and_the_whole_suite_misses_none() {
        let report = |missed: usize, whole: Verdict| {
            let rows = super::super::sabotage::all();
            let mut report = Report::new(1);
            for (number, sabotage) in rows.iter().take(20).enumerate() {
                let verdict = if number < missed {
                    Verdict::Missed
                } else {
                    Verdict::Caught
                };
                report.rows.push(Row::of(sabotage, verdict, 1.0));
            }
            report.whole.push(WholeRow {
                id: rows[0].id,
                verdict: whole,
                seconds: 1.0,
                failed: Vec::new(),
            });
            report.is_enough()
        };
        assert!(report(0, Verdict::Caught) && report(1, Verdict::Caught));
        assert!(!report(2, Verdict::Caught));
        assert!(!report(0, Verdict::Missed) && !report(0, Verdict::DoesNotEnd));
    }
}
