//! `cargo xtask drill`: planted bugs, and whether the tests find them (`reliability.md` T25).
//! Each bug of the list is planted in a copy of the tree, built, and shown to the test that is named for it, which must
//! fail. For some of them, drawn by a seed, the whole suite is run as well. The tree itself is never touched.

mod report;
mod sabotage;
mod suite;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use self::report::{Report, Row};
use self::sabotage::{Detector, Sabotage};
use self::tree::Tree;
use crate::say;

/// Which planted bugs the whole suite is run for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    /// Draws them.
    pub(crate) seed: u64,
    /// How many.
    pub(crate) whole: usize,
}

/// Plants every bug, or those named in `only`, one after the other.
///
/// Fails where a detector, or the suite, fails without any bug: then it says nothing with one.
pub(crate) fn run(root: &Path, only: &[String], draw: Draw) -> Result<Report> {
    let chosen = choose(only)?;
    let tree = Tree::copy(root)?;
    pass_without(&tree, &chosen)?;
    let mut report = Report::new(draw.seed);
    for sabotage in in_order_of_building(&chosen) {
        let (verdict, seconds) = planted(&tree, sabotage, || suite::detector(&tree, &sabotage.detector))?;
        say::note(format!("drill: {}: {}", sabotage.id, verdict.said()));
        report.rows.push(Row::of(sabotage, verdict, seconds));
    }
    report.rows.sort_by_key(|row| {
        let place = chosen.iter().position(|sabotage| sabotage.id == row.id);
        place.unwrap_or_default()
    });
    if draw.whole > 0 {
        say::note("drill: the whole suite without a bug");
        suite::whole_passes(&tree)?;
    }
    let mut chance = ChaCha8Rng::seed_from_u64(draw.seed);
    let count = draw.whole.min(chosen.len());
    for index in rand::seq::index::sample(&mut chance, chosen.len(), count) {
        let sabotage = &chosen[index];
        say::note(format!("drill: the whole suite against {}", sabotage.id));
        let (whole, seconds) = planted(&tree, sabotage, || suite::whole(&tree))?;
        say::note(format!("drill: the whole suite: {}", whole.verdict.said()));
        report.add_whole(sabotage, whole, seconds);
    }
    Ok(report)
}

fn choose(only: &[String]) -> Result<Vec<Sabotage>> {
    let all = sabotage::all();
    if only.is_empty() {
        return Ok(all);
    }
    if let Some(unknown) = only
        .iter()
        .find(|id| all.iter().all(|known| known.id != id.as_str()))
    {
        let known: Vec<&str> = all.iter().map(|sabotage| sabotage.id).collect();
        bail!(
            "no planted bug is named {unknown}; there are {}",
            known.join(", ")
        );
    }
    let wanted = |sabotage: &Sabotage| only.iter().any(|id| id == sabotage.id);
    Ok(all.into_iter().filter(wanted).collect())
}

/// What one bug is built for is built again for the next one in the same package, and nothing else is.
fn in_order_of_building(chosen: &[Sabotage]) -> Vec<&Sabotage> {
    let mut ordered: Vec<&Sabotage> = chosen.iter().collect();
    ordered.sort_by_key(|sabotage| (sabotage.detector.package, sabotage.file));
    ordered
}

/// Every detector passes while nothing is planted.
fn pass_without(tree: &Tree, chosen: &[Sabotage]) -> Result<()> {
    let mut by_package: BTreeMap<&str, Vec<Detector>> = BTreeMap::new();
    for Sabotage { detector, .. } in chosen {
        let detectors = by_package.entry(detector.package).or_default();
        if !detectors.contains(detector) {
            detectors.push(*detector);
        }
    }
    for (package, detectors) in by_package {
        say::note(format!(
            "drill: {} detectors of {package} without a bug",
            detectors.len()
        ));
        suite::all_pass(tree, package, &detectors)?;
    }
    Ok(())
}

/// Does something while a bug is planted; what came of it, and how many seconds that took with building.
fn planted<T>(tree: &Tree, sabotage: &Sabotage, work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let begun = Instant::now();
    let before = tree.plant(sabotage)?;
    let done = work();
    tree.put_back(sabotage, &before)?;
    Ok((done?, begun.elapsed().as_secs_f64()))
}

impl Report {
    fn add_whole(&mut self, sabotage: &Sabotage, whole: suite::Whole, seconds: f64) {
        self.whole.push(report::WholeRow {
            id: sabotage.id,
            verdict: whole.verdict,
            seconds,
            failed: whole.failed,
        });
    }

    /// Prints, and fails where fewer than 19 of 20 were found.
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        if json {
            say::json(self)?;
        } else {
            self.tell();
        }
        ensure!(self.is_enough(), "the tests found too few of the planted bugs");
        Ok(())
    }
}
