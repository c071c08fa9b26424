//! Rows, lines and charts of the overview, made from the answers.

use rollcall_core::date::Day;
use rollcall_core::figure::{
    BoundedRate, Completeness as Answered, Dimension, Figures, FiguresAnswer, MembershipRate, SubsidyFigures,
    TargetVerdict,
};
use rollcall_core::ratio::Ratio;
use rollcall_core::term::Stage;
use rollcall_web::figure::{Bounds, Completeness, Figure, FigureLine, Share, Target};
use rollcall_web::layout::{Frame, Tone};
use rollcall_web::page::overview::{AreaRow, FundSums, OverviewNote, StageRow, SubsidyRow};
use rollcall_web::trend::{Trend, TrendPoint};

use super::Answers;

/// What touches every figure of the page: a restore, copied nodes, changes kept apart.
pub(super) fn notes(answers: &Answers, frame: &Frame) -> Vec<OverviewNote> {
    let note = |tone, text| OverviewNote {
        tone,
        text,
        href: "#areas".to_owned(),
    };
    let mut notes = Vec::new();
    if answers.replaced {
        notes.push(note(Tone::Attention, frame.fill("overview.replaced", &[])));
    }
    if let Some(rebuilding) = &answers.rebuilding {
        let since = rebuilding.since.as_deref().unwrap_or("–");
        let missing = frame.number(rebuilding.missing);
        let text = frame.fill("overview.rebuilding", &[since, &missing]);
        notes.push(note(Tone::Attention, text));
    }
    for (key, count) in [
        ("overview.fenced", answers.fenced),
        ("overview.unknown", answers.unknown),
        ("overview.kept_apart", answers.kept_apart),
    ] {
        if count > 0 {
            notes.push(note(Tone::Waiting, frame.fill(key, &[&frame.number(count)])));
        }
    }
    notes
}

fn share(ratio: Ratio) -> Share {
    Share::new(ratio.numerator, ratio.denominator)
}

/// Whose answers a figure holds. Of each scope only the last word is kept, which says nothing of a position before it.
fn completeness(answered: &Answered, is_past: bool) -> Option<Completeness> {
    let answered = Some(answered).filter(|_| !is_past)?;
    Some(Completeness {
        scopes_expected: answered.scopes_expected,
        scopes_heard: answered.scopes_heard,
        scopes_without_node: answered.scopes_without_node,
        organisations_unheard: answered.organisations_unheard,
        oldest_heard_unix_ms: answered.oldest_heard,
    })
}

pub(super) fn headline(total: &Figures, answers: &Answers, as_of: Day) -> Figure {
    let rate = &total.establishment_rate;
    // "Nothing touches it" may be said only where nobody is silent either.
    let silent = answers.is_past || total.completeness.organisations_unheard > 0;
    let touched = rate.low != rate.high || silent;
    let bounds = touched.then(|| Bounds {
        low: share(rate.low),
        high: share(rate.high),
    });
    let due = answers.parts.targets.iter().rfind(|target| target.date <= as_of);
    Figure {
        name_key: "figure.establishment_rate",
        share: share(rate.rate.ratio),
        as_of,
        known: answers.known,
        completeness: completeness(&total.completeness, answers.is_past),
        bounds,
        target: due
            .or(answers.parts.targets.first())
            .map(|target| verdict(target, total)),
        href: None,
    }
}

/// The headline at the month ends before, and on the day itself.
pub(super) fn trend(answers: &Answers, as_of: Day, href: impl Fn(Day) -> String) -> Trend {
    let point = |date: Day, rate: &BoundedRate| {
        let percent = standing_target(&answers.parts.targets, date);
        TrendPoint {
            date,
            share: share(rate.rate.ratio),
            bounds: (rate.low != rate.high).then(|| Bounds {
                low: share(rate.low),
                high: share(rate.high),
            }),
            target: percent.map(|percent| (u64::from(percent), rate.rate.ratio.reaches(percent))),
            href: href(date),
        }
    };
    let ends = answers.months.iter().map(|(date, rate)| point(*date, rate));
    let mut points: Vec<TrendPoint> = ends.collect();
    if points.last().is_none_or(|last| last.date != as_of) {
        points.push(point(as_of, &answers.parts.total.figures.establishment_rate));
    }
    Trend { points }
}

pub(super) fn lines(answers: &Answers, frame: &Frame) -> Vec<FigureLine> {
    let total = &answers.parts.total.figures;
    let line = |name_key, share| FigureLine {
        name_key,
        share,
        note: None,
        href: None,
    };
    let members = |name_key, rate: &MembershipRate| {
        let unknown = Some(rate.units_unknown).filter(|units| *units > 0);
        let note = unknown.map(|units| frame.fill("figure.units_unknown", &[&frame.number(units)]));
        FigureLine {
            note,
            ..line(name_key, share(rate.rate.ratio))
        }
    };
    vec![
        line("figure.identified_rate", share(total.identified_rate.rate.ratio)),
        line("figure.strict_rate", share(total.strict_rate.rate.ratio)),
        line("figure.group_a_rate", share(answers.group_a)),
        line(
            "figure.group_b_rate",
            share(answers.parts.total.group_b_all.ratio),
        ),
        members("figure.membership_rate", &total.membership_rate),
        members("figure.membership_rate_all", &total.membership_rate_all),
    ]
}

/// Of a line that is held at one month end after the other, the first and the last; the trend has those between.
pub(super) fn shown_targets(targets: &[TargetVerdict]) -> impl Iterator<Item = &TargetVerdict> {
    let runs = targets.chunk_by(|one, next| one.percent == next.percent);
    runs.flat_map(|run| {
        run.first()
            .into_iter()
            .chain(run.last().filter(|_| run.len() > 1))
    })
}

/// The percent that holds on a day: of the latest target due by then, else of the first one.
pub(super) fn standing_target(targets: &[TargetVerdict], as_of: Day) -> Option<u32> {
    targets
        .iter()
        .rfind(|target| target.date <= as_of)
        .or(targets.first())
        .map(|target| target.percent)
}

pub(super) fn verdict(target: &TargetVerdict, total: &Figures) -> Target {
    let now = total.establishment_rate.rate.ratio;
    let numerator = target.numerator.unwrap_or(now.numerator);
    let denominator = target.denominator.unwrap_or(now.denominator);
    let wanted = (u128::from(target.percent) * u128::from(denominator)).div_ceil(100);
    let missing = u64::try_from(wanted.saturating_sub(u128::from(numerator))).unwrap_or(u64::MAX);
    let near =
        u128::from(numerator) * 100 >= u128::from(target.percent.saturating_sub(2)) * u128::from(denominator);
    Target {
        date: target.date,
        percent: u64::from(target.percent),
        share: Share::new(numerator, denominator),
        met: target.met,
        near: near && denominator > 0,
        missing,
    }
}

pub(super) fn area_row(
    code: Option<&str>,
    name: &str,
    figures: &Figures,
    percent: Option<u32>,
    is_past: bool,
) -> AreaRow {
    let ratio = figures.establishment_rate.rate.ratio;
    let met = percent.filter(|_| ratio.denominator > 0).map(|percent| {
        u128::from(ratio.numerator) * 100 >= u128::from(percent) * u128::from(ratio.denominator)
    });
    AreaRow {
        code: code.map(str::to_owned),
        name: name.to_owned(),
        href: None,
        in_scope: figures.in_scope,
        rate: share(ratio),
        met,
        open_conflicts: figures.open_conflicts,
        completeness: completeness(&figures.completeness, is_past),
    }
}

pub(super) fn stage_rows(answer: &FiguresAnswer) -> Vec<StageRow> {
    Stage::ALL
        .iter()
        .map(|stage| {
            let row = answer
                .rows
                .iter()
                .find(|row| row.key.value(Dimension::Stage) == Some(stage.name()));
            StageRow {
                stage: stage.name(),
                organisations: row.map_or(0, |row| row.figures.in_scope),
                href: None,
            }
        })
        .collect()
}

pub(super) fn subsidy_row(kind: &'static str, figures: &SubsidyFigures) -> SubsidyRow {
    SubsidyRow {
        kind,
        cases: figures.cases,
        payees: figures.payees,
        approved_fen: figures.approved_fen.0,
        disbursed_fen: figures.disbursed_fen.0,
        recovered_fen: figures.recovered_fen.0,
        duplicate_fen: figures.duplicate_fen.0,
        net_fen: figures.net_fen.0,
        outstanding_fen: figures.outstanding_fen.0,
    }
}

pub(super) fn funds(total: &SubsidyFigures) -> FundSums {
    FundSums {
        set_aside_fen: total.set_aside_fen.0,
        passed_down_fen: total.passed_down_fen.0,
        received_fen: total.received_fen.0,
        in_transit_fen: total.in_transit_fen.0,
    }
}
