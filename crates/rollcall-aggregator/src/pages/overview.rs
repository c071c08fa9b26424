//! `/`: the headline against the targets, the table by province with completeness, stages, subsidies by kind.

use axum::extract::State;
use rollcall_command::clock::today;
use rollcall_core::date::Day;
use rollcall_core::figure::{
    Completeness as Answered, Dimension, Figures, FiguresAnswer, SubsidiesAnswer, SubsidyDimension, SubsidyFigures,
    TargetVerdict,
};
use rollcall_core::ratio::Ratio;
use rollcall_core::term::{Stage, SubsidyKind};
use rollcall_stats::{FiguresQuery, SubsidiesQuery};
use rollcall_web::figure::{Bounds, Completeness, Figure, FigureLine, Known, Share, Target};
use rollcall_web::form::CheckedQuery;
use rollcall_web::login::SignedIn;
use rollcall_web::page::overview::{AreaRow, FundSums, Overview, StageRow, SubsidyRow};
use rollcall_web::{Error, Page};
use serde::Deserialize;

use crate::app::App;

/// What the form asks for.
#[derive(Debug, Deserialize)]
pub struct Question {
    #[serde(default, deserialize_with = "rollcall_web::form::empty_is_none")]
    as_of: Option<Day>,
    #[serde(default, deserialize_with = "rollcall_web::form::empty_is_none")]
    known_at: Option<u64>,
}

struct Answers {
    national: FiguresAnswer,
    stages: FiguresAnswer,
    groups: FiguresAnswer,
    subsidies: SubsidiesAnswer,
    known: Known,
}

/// Shows the page.
pub async fn show(
    State(app): State<App>,
    signed_in: SignedIn,
    CheckedQuery(question): CheckedQuery<Question>,
) -> Result<Page<Overview>, Error> {
    let as_of = question.as_of.unwrap_or_else(today);
    let answers = app
        .ask(move |replica, cube| {
            let heard = replica.heard()?;
            let by = |dimension| FiguresQuery { by: vec![dimension], ..FiguresQuery::at(as_of) };
            let (year, _, _) = as_of.ymd();
            let subsidies = SubsidiesQuery {
                from: Day::from_ymd(year, 1, 1),
                to: Day::from_ymd(year, 12, 31),
                by: Some(SubsidyDimension::Kind),
                area: None,
            };
            let known_at = replica.known_at(None)?;
            Ok(Answers {
                national: cube.figures(&by(Dimension::Province), &heard)?,
                stages: cube.figures(&by(Dimension::Stage), &heard)?,
                groups: cube.figures(&by(Dimension::Group), &heard)?,
                subsidies: cube.subsidies(&subsidies)?,
                known: Known { position: known_at.position, unix_ms: None, unsent: known_at.unsent },
            })
        })
        .await?;
    let frame = signed_in.frame("nav.overview").computed_from(as_of, Some(answers.known.position));
    let total = &answers.national.total.figures;
    let percent = standing_target(&answers.national.targets, as_of);
    let (year, _, _) = as_of.ymd();
    let period = (Day::from_ymd(year, 1, 1).unwrap_or(as_of), Day::from_ymd(year, 12, 31).unwrap_or(as_of));
    Ok(Page(Overview {
        area: frame.text("area.national").to_owned(),
        headline: headline(total, &answers, as_of),
        lines: lines(&answers),
        targets: answers.national.targets.iter().map(|target| verdict(target, total)).collect(),
        as_of,
        known_at: question.known_at,
        notes: Vec::new(),
        areas: answers
            .national
            .rows
            .iter()
            .map(|row| area_row(row.key.value(Dimension::Province), &row.name, &row.figures, percent))
            .collect(),
        total: area_row(None, frame.text("area.national"), total, percent),
        stages: stage_rows(&answers.stages),
        subsidies: SubsidyKind::ALL
            .iter()
            .map(|kind| {
                let row = answers.subsidies.rows.iter().find(|row| {
                    row.key.as_ref().is_some_and(|(_, value)| value.as_deref() == Some(kind.name()))
                });
                subsidy_row(kind.name(), row.map(|row| &row.figures).unwrap_or(&SubsidyFigures::default()))
            })
            .collect(),
        subsidy_total: subsidy_row("", &answers.subsidies.total),
        funds: funds(&answers.subsidies.total),
        period,
        frame,
    }))
}

fn share(ratio: Ratio) -> Share {
    Share::new(ratio.numerator, ratio.denominator)
}

fn completeness(answered: &Answered) -> Completeness {
    Completeness {
        scopes_expected: answered.scopes_expected,
        scopes_heard: answered.scopes_heard,
        scopes_without_node: answered.scopes_without_node,
        organisations_unheard: answered.organisations_unheard,
        oldest_heard_unix_ms: answered.oldest_heard,
    }
}

fn headline(total: &Figures, answers: &Answers, as_of: Day) -> Figure {
    let rate = &total.establishment_rate;
    let bounds = (rate.low != rate.high).then(|| Bounds { low: share(rate.low), high: share(rate.high) });
    let due = answers.national.targets.iter().rfind(|target| target.date <= as_of);
    Figure {
        name_key: "figure.establishment_rate",
        share: share(rate.rate.ratio),
        as_of,
        known: answers.known,
        completeness: completeness(&total.completeness),
        bounds,
        target: due.or(answers.national.targets.first()).map(|target| verdict(target, total)),
        href: None,
    }
}

fn lines(answers: &Answers) -> Vec<FigureLine> {
    let total = &answers.national.total.figures;
    let group = |name: &str| {
        let row = answers.groups.rows.iter().find(|row| row.key.value(Dimension::Group) == Some(name));
        row.map(|row| share(row.figures.establishment_rate.rate.ratio)).unwrap_or_default()
    };
    let line = |name_key, share| FigureLine { name_key, share, note: None, href: None };
    vec![
        line("figure.identified_rate", share(total.identified_rate.rate.ratio)),
        line("figure.strict_rate", share(total.strict_rate.rate.ratio)),
        line("figure.group_a", group("A")),
        line("figure.group_b", share(answers.national.total.group_b_all.ratio)),
        line("figure.membership_rate", share(total.membership_rate.rate.ratio)),
    ]
}

/// The percent that holds on a day: of the latest target due by then, else of the first one.
fn standing_target(targets: &[TargetVerdict], as_of: Day) -> Option<u32> {
    targets.iter().rfind(|target| target.date <= as_of).or(targets.first()).map(|target| target.percent)
}

fn verdict(target: &TargetVerdict, total: &Figures) -> Target {
    let now = total.establishment_rate.rate.ratio;
    let numerator = target.numerator.unwrap_or(now.numerator);
    let denominator = target.denominator.unwrap_or(now.denominator);
    let wanted = (u128::from(target.percent) * u128::from(denominator)).div_ceil(100);
    let missing = u64::try_from(wanted.saturating_sub(u128::from(numerator))).unwrap_or(u64::MAX);
    let near = u128::from(numerator) * 100 >= u128::from(target.percent.saturating_sub(2)) * u128::from(denominator);
    Target {
        date: target.date,
        percent: u64::from(target.percent),
        share: Share::new(numerator, denominator),
        met: target.met,
        near: near && denominator > 0,
        missing,
    }
}

fn area_row(code: Option<&str>, name: &str, figures: &Figures, percent: Option<u32>) -> AreaRow {
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
        completeness: completeness(&figures.completeness),
    }
}

fn stage_rows(answer: &FiguresAnswer) -> Vec<StageRow> {
    Stage::ALL
        .iter()
        .map(|stage| {
            let row = answer.rows.iter().find(|row| row.key.value(Dimension::Stage) == Some(stage.name()));
            StageRow {
                stage: stage.name(),
                organisations: row.map_or(0, |row| row.figures.in_scope),
                href: String::new(),
            }
        })
        .collect()
}

fn subsidy_row(kind: &'static str, figures: &SubsidyFigures) -> SubsidyRow {
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

fn funds(total: &SubsidyFigures) -> FundSums {
    FundSums {
        set_aside_fen: total.set_aside_fen.0,
        passed_down_fen: total.passed_down_fen.0,
        received_fen: total.received_fen.0,
        in_transit_fen: total.in_transit_fen.0,
    }
}
