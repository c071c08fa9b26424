//! `/` and `/areas/{code}`: the headline against the targets, the table of the area's parts with completeness, stages,
//! subsidies by kind. The nation, a province, a prefecture and a county are the same page.

use axum::extract::{Path, State};
use rollcall_command::clock::today;
use rollcall_core::date::Day;
use rollcall_core::division::Divisions;
use rollcall_core::figure::{
    Completeness as Answered, Dimension, Figures, FiguresAnswer, MembershipRate, Rebuilding, SubsidiesAnswer,
    SubsidyDimension, SubsidyFigures, TargetVerdict,
};
use rollcall_core::id::FederationId;
use rollcall_core::ratio::Ratio;
use rollcall_core::term::{Level, Stage, SubsidyKind};
use rollcall_replica::Replica;
use rollcall_replica::projection::Projection;
use rollcall_stats::{Cube, FiguresQuery, SubsidiesQuery};
use rollcall_web::figure::{Bounds, Completeness, Figure, FigureLine, Known, Share, Target};
use rollcall_web::form::CheckedQuery;
use rollcall_web::layout::{Frame, Tone};
use rollcall_web::login::SignedIn;
use rollcall_web::page::overview::{
    AreaOrder, AreaRow, FundSums, Overview, OverviewNote, StageRow, SubsidyRow,
};
use rollcall_web::trend::{Trend, TrendPoint};
use rollcall_web::{Error, Page};
use serde::Deserialize;

use crate::app::App;

/// Months that the trend goes back.
const TREND_MONTHS: i32 = 24;

/// What the form asks for.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Question {
    #[serde(default, deserialize_with = "rollcall_web::form::empty_is_none")]
    as_of: Option<Day>,
    #[serde(default, deserialize_with = "rollcall_web::form::empty_is_none")]
    known_at: Option<u64>,
    #[serde(default)]
    order: AreaOrder,
}

impl Question {
    /// The page of an area that asks this.
    fn address(self, path: &str) -> String {
        let as_of = self.as_of.map(|as_of| format!("as_of={as_of}"));
        let known_at = self.known_at.map(|position| format!("known_at={position}"));
        let order = (self.order == AreaOrder::Rate).then(|| "order=rate".to_owned());
        let pairs: Vec<String> = as_of.into_iter().chain(known_at).chain(order).collect();
        if pairs.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", pairs.join("&"))
        }
    }
}

struct Answers {
    name: String,
    parts: FiguresAnswer,
    stages: FiguresAnswer,
    groups: FiguresAnswer,
    months: FiguresAnswer,
    subsidies: SubsidiesAnswer,
    known: Known,
    rebuilding: Option<Rebuilding>,
    /// Peers with whose certificate two nodes work.
    fenced: u64,
    /// Documents with a change that is kept apart.
    kept_apart: u64,
    /// Another aggregator has taken the place of this one.
    replaced: bool,
}

/// The nation.
///
/// # Errors
/// `PARAM_INVALID`, the store's.
pub async fn show(
    State(app): State<App>,
    signed_in: SignedIn,
    CheckedQuery(question): CheckedQuery<Question>,
) -> Result<Page<Overview>, Error> {
    page(&app, &signed_in, FederationId::national(), question).await
}

/// One of its parts.
///
/// # Errors
/// `NOT_FOUND` for what never was a division, `PARAM_INVALID`, the store's.
pub async fn show_area(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(code): Path<String>,
    CheckedQuery(question): CheckedQuery<Question>,
) -> Result<Page<Overview>, Error> {
    let known = |code: &String| {
        code.parse()
            .ok()
            .and_then(|code| Divisions::get().find(code))
            .is_some()
    };
    let area = Some(code)
        .filter(known)
        .and_then(|code| code.parse().ok())
        .ok_or(Error::NotFound)?;
    page(&app, &signed_in, area, question).await
}

/// What the parts of an area are called.
fn parts_of(area: &FederationId) -> Dimension {
    let divisions = Divisions::get();
    let code = area.division();
    match divisions.level(code) {
        _ if *area == FederationId::national() => Dimension::Province,
        Some(Level::National | Level::Province) => {
            let below = |level| {
                divisions.in_use().any(|part| {
                    divisions.parent(part.code) == Some(code) && divisions.level(part.code) == Some(level)
                })
            };
            if below(Level::Prefecture) {
                Dimension::Prefecture
            } else {
                Dimension::County
            }
        }
        Some(Level::Prefecture) => Dimension::County,
        Some(Level::County) | None => Dimension::Federation,
    }
}

async fn page(
    app: &App,
    signed_in: &SignedIn,
    area: FederationId,
    question: Question,
) -> Result<Page<Overview>, Error> {
    let as_of = question.as_of.unwrap_or_else(today);
    let (year, _, _) = as_of.ymd();
    let period = (
        Day::from_ymd(year, 1, 1).unwrap_or(as_of),
        Day::from_ymd(year, 12, 31).unwrap_or(as_of),
    );
    let (asked, by) = (area.clone(), parts_of(&area));
    let answers = match question.known_at {
        None => {
            app.ask(move |replica, cube| answers(replica, cube, &asked, by, as_of, period, None))
                .await?
        }
        Some(position) => {
            // The past is computed apart, so that nobody who asks about the present waits for it.
            let replica = app.replica.clone();
            let work = move || {
                let cube = Projection::build_at(&replica, position)?;
                answers(&replica, &cube, &asked, by, as_of, period, Some(position))
            };
            tokio::task::spawn_blocking(work)
                .await
                .map_err(Error::internal)?
                .map_err(|error| Error::refused(error.code(), error.to_string()))?
        }
    };
    let frame = signed_in
        .frame("nav.overview")
        .computed_from(as_of, Some(answers.known.position));
    let own_path = if area == FederationId::national() {
        "/".to_owned()
    } else {
        format!("/areas/{area}")
    };
    let total = &answers.parts.total.figures;
    let percent = standing_target(&answers.parts.targets, as_of);
    let remainder = match by {
        Dimension::Province => frame.text("overview.direct_national"),
        Dimension::Prefecture => frame.text("overview.direct_province"),
        Dimension::County if Divisions::get().level(area.division()) == Some(Level::Prefecture) => {
            frame.text("overview.direct_prefecture")
        }
        _ => frame.text("overview.direct_province"),
    };
    let parts = answers.parts.rows.iter().map(|row| {
        let code = row.key.value(by);
        let href = code
            .filter(|code| by != Dimension::Federation && *code != area.as_str())
            .map(|code| question.address(&format!("/areas/{code}")));
        let name = if code.is_none() { remainder } else { &row.name };
        AreaRow {
            href,
            ..area_row(code, name, &row.figures, percent)
        }
    });
    let mut areas: Vec<AreaRow> = parts.collect();
    question.order.sort(&mut areas);
    let in_order = |order| Question { order, ..question }.address(&own_path);
    Ok(Page(Overview {
        headline: headline(total, &answers, as_of),
        lines: lines(&answers, &frame),
        targets: shown_targets(&answers.parts.targets)
            .map(|target| verdict(target, total))
            .collect(),
        as_of,
        known_at: question.known_at,
        notes: notes(&answers, &frame),
        trend: trend(&answers, as_of, |date| {
            let as_of = Some(date);
            Question { as_of, ..question }.address(&own_path)
        }),
        order: question.order,
        order_hrefs: (in_order(AreaOrder::Area), in_order(AreaOrder::Rate)),
        areas,
        total: area_row(None, frame.text("overview.total"), total, percent),
        stages: stage_rows(&answers.stages),
        subsidies: SubsidyKind::ALL
            .iter()
            .map(|kind| {
                let row = answers.subsidies.rows.iter().find(|row| {
                    row.key
                        .as_ref()
                        .is_some_and(|(_, value)| value.as_deref() == Some(kind.name()))
                });
                subsidy_row(
                    kind.name(),
                    row.map(|row| &row.figures).unwrap_or(&SubsidyFigures::default()),
                )
            })
            .collect(),
        subsidy_total: subsidy_row("", &answers.subsidies.total),
        funds: funds(&answers.subsidies.total),
        period,
        area: if area == FederationId::national() {
            frame.text("overview.nation").to_owned()
        } else {
            answers.name.clone()
        },
        frame,
    }))
}

fn answers(
    replica: &Replica,
    cube: &Cube,
    area: &FederationId,
    by: Dimension,
    as_of: Day,
    period: (Day, Day),
    position: Option<u64>,
) -> Result<Answers, rollcall_replica::Error> {
    let heard = replica.heard(today())?;
    let name = cube.directory().name_at(area, as_of);
    let area = Some(area.clone()).filter(|area| *area != FederationId::national());
    let figures = |dimension| {
        let query = FiguresQuery {
            by: vec![dimension],
            area: area.clone(),
            ..FiguresQuery::at(as_of)
        };
        cube.figures(&query, &heard)
    };
    let months = FiguresQuery {
        area: area.clone(),
        series: Some((as_of.plus_months(-TREND_MONTHS).next(), as_of)),
        ..FiguresQuery::at(as_of)
    };
    let subsidies = SubsidiesQuery {
        from: Some(period.0),
        to: Some(period.1),
        by: Some(SubsidyDimension::Kind),
        area: area.clone(),
    };
    let known_at = replica.known_at(position)?;
    let (committed_ms, fenced, kept_apart, replaced) = replica.store().read(|reader| {
        let peers = reader.enrolments()?;
        Ok((
            reader.time_of(known_at.position)?,
            peers.iter().filter(|peer| peer.fenced_ms.is_some()).count() as u64,
            reader.documents_quarantined()?.len() as u64,
            reader.replaced_by()?.is_some(),
        ))
    })?;
    Ok(Answers {
        name,
        parts: figures(by)?,
        stages: figures(Dimension::Stage)?,
        groups: figures(Dimension::Group)?,
        months: cube.figures(&months, &heard)?,
        subsidies: cube.subsidies(&subsidies)?,
        known: Known {
            position: known_at.position,
            unix_ms: committed_ms,
            unsent: known_at.unsent,
        },
        rebuilding: replica.rebuilding()?,
        fenced,
        kept_apart,
        replaced,
    })
}

/// What touches every figure of the page: a restore, copied nodes, changes kept apart.
fn notes(answers: &Answers, frame: &Frame) -> Vec<OverviewNote> {
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
    // "Nothing touches it" may be said only where nobody is silent either.
    let touched = rate.low != rate.high || total.completeness.organisations_unheard > 0;
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
        completeness: completeness(&total.completeness),
        bounds,
        target: due
            .or(answers.parts.targets.first())
            .map(|target| verdict(target, total)),
        href: None,
    }
}

/// The headline at the month ends before, and on the day itself.
fn trend(answers: &Answers, as_of: Day, href: impl Fn(Day) -> String) -> Trend {
    let point = |date: Day, figures: &Figures| {
        let rate = &figures.establishment_rate;
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
    let ends = answers
        .months
        .rows
        .iter()
        .filter_map(|row| Some(point(row.as_of?, &row.figures)));
    let mut points: Vec<TrendPoint> = ends.collect();
    if points.last().is_none_or(|last| last.date != as_of) {
        points.push(point(as_of, &answers.parts.total.figures));
    }
    Trend { points }
}

fn lines(answers: &Answers, frame: &Frame) -> Vec<FigureLine> {
    let total = &answers.parts.total.figures;
    let group = |name: &str| {
        let row = answers
            .groups
            .rows
            .iter()
            .find(|row| row.key.value(Dimension::Group) == Some(name));
        row.map(|row| share(row.figures.establishment_rate.rate.ratio))
            .unwrap_or_default()
    };
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
        line("figure.group_a_rate", group("A")),
        line(
            "figure.group_b_rate",
            share(answers.parts.total.group_b_all.ratio),
        ),
        members("figure.membership_rate", &total.membership_rate),
        members("figure.membership_rate_all", &total.membership_rate_all),
    ]
}

/// Of a line that is held at one month end after the other, the first and the last; the trend has those between.
fn shown_targets(targets: &[TargetVerdict]) -> impl Iterator<Item = &TargetVerdict> {
    let runs = targets.chunk_by(|one, next| one.percent == next.percent);
    runs.flat_map(|run| {
        run.first()
            .into_iter()
            .chain(run.last().filter(|_| run.len() > 1))
    })
}

/// The percent that holds on a day: of the latest target due by then, else of the first one.
fn standing_target(targets: &[TargetVerdict], as_of: Day) -> Option<u32> {
    targets
        .iter()
        .rfind(|target| target.date <= as_of)
        .or(targets.first())
        .map(|target| target.percent)
}

fn verdict(target: &TargetVerdict, total: &Figures) -> Target {
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
