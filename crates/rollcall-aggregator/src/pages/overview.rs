//! `/` and `/areas/{code}`: the headline against the targets, the table of the area's parts with completeness, stages,
//! subsidies by kind. The nation, a province, a prefecture and a county are the same page.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use rollcall_command::clock::today;
use rollcall_core::date::Day;
use rollcall_core::division::Divisions;
use rollcall_core::figure::{
    BoundedRate, Dimension, FiguresAnswer, Rebuilding, SubsidiesAnswer, SubsidyDimension, SubsidyFigures,
};
use rollcall_core::id::FederationId;
use rollcall_core::ratio::Ratio;
use rollcall_core::term::{Level, SubsidyKind};
use rollcall_replica::Replica;
use rollcall_replica::projection::Projection;
use rollcall_stats::{Cube, FiguresQuery, SubsidiesQuery};
use rollcall_web::figure::Known;
use rollcall_web::form::CheckedQuery;
use rollcall_web::login::SignedIn;
use rollcall_web::page::overview::{AreaOrder, AreaRow, Overview};
use rollcall_web::{Error, Page};
use serde::Deserialize;

mod shown;

use shown::{
    area_row, funds, headline, lines, notes, shown_targets, stage_rows, standing_target, subsidy_row, trend,
    verdict,
};

use crate::app::App;
use crate::unknown_peer::unknown_peers;

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
    /// Rate of those in group A.
    group_a: Ratio,
    /// The headline at month ends.
    months: BTreeMap<Day, BoundedRate>,
    subsidies: SubsidiesAnswer,
    known: Known,
    /// A position was asked for that lies before the present one.
    is_past: bool,
    rebuilding: Option<Rebuilding>,
    /// Peers with whose certificate two nodes work.
    fenced: u64,
    /// Documents with a change that is kept apart.
    kept_apart: u64,
    /// Another aggregator has taken the place of this one.
    replaced: bool,
    /// Peers that were refused since a restore because they are not on record.
    unknown: u64,
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
            app.ask(move |replica, projection| {
                let position = projection.position();
                answers(replica, projection.cube(), &asked, by, as_of, period, position)
            })
            .await?
        }
        Some(position) => {
            // The past is computed apart, so that nobody who asks about the present waits for it.
            let replica = app.replica.clone();
            let work = move || {
                let cube = Projection::build_at(&replica, position)?;
                let mut answers = answers(&replica, &cube, &asked, by, as_of, period, position)?;
                answers.is_past = position < replica.position()?;
                Ok::<_, rollcall_replica::Error>(answers)
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
            ..area_row(code, name, &row.figures, percent, answers.is_past)
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
        total: area_row(
            None,
            frame.text("overview.total"),
            total,
            percent,
            answers.is_past,
        ),
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
    position: u64,
) -> Result<Answers, rollcall_replica::Error> {
    let heard = replica.heard(today())?;
    let name = cube.directory().name_at(area, as_of);
    let area = Some(area.clone()).filter(|area| *area != FederationId::national());
    // First: most days of the targets are among these, and are not counted again for the answers below.
    let months = FiguresQuery {
        area: area.clone(),
        series: Some((as_of.plus_months(-TREND_MONTHS).next(), as_of)),
        ..FiguresQuery::at(as_of)
    };
    let months = cube.headlines(&months, &heard)?;
    let group_a = FiguresQuery {
        area: area.clone(),
        filters: vec![(Dimension::Group, "A".to_owned())],
        ..FiguresQuery::at(as_of)
    };
    let group_a = cube.headlines(&group_a, &heard)?.remove(&as_of);
    let by_each = FiguresQuery {
        by: vec![by, Dimension::Stage],
        area: area.clone(),
        ..FiguresQuery::at(as_of)
    };
    let by_each: Result<[FiguresAnswer; 2], _> = cube.figures_by_each(&by_each, &heard)?.try_into();
    let [parts, stages] = by_each.expect("an answer for each of two dimensions");
    let subsidies = SubsidiesQuery {
        from: Some(period.0),
        to: Some(period.1),
        by: Some(SubsidyDimension::Kind),
        area: area.clone(),
    };
    let (committed_ms, fenced, kept_apart, replaced, unknown) = replica.store().read(|reader| {
        Ok((
            reader.time_of(position)?,
            reader.fenced_count()?,
            reader.documents_quarantined()?.len() as u64,
            reader.replaced_by()?.is_some(),
            // Without a restore everybody who was enrolled is on record.
            if reader.last_recovery()?.is_some() {
                unknown_peers(reader)?.len() as u64
            } else {
                0
            },
        ))
    })?;
    Ok(Answers {
        name,
        parts,
        stages,
        group_a: group_a.map(|rate| rate.rate.ratio).unwrap_or_default(),
        months,
        subsidies: cube.subsidies(&subsidies)?,
        known: Known {
            position,
            unix_ms: committed_ms,
            unsent: 0,
        },
        is_past: false,
        rebuilding: replica.rebuilding()?,
        fenced,
        kept_apart,
        replaced,
        unknown,
    })
}
