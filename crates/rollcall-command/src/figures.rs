//! The commands `figures`, `subsidies` and `findings` (`cli.md` Figures): the same flags and numbers on node and aggregator.

use clap::Args;
use rollcall_core::amount::Fen;
use rollcall_core::date::Day;
use rollcall_core::figure::{
    BoundedRate, Dimension, FiguresAnswer, SubsidiesAnswer, SubsidyDimension, TargetVerdict,
};
use rollcall_core::id::FederationId;
use rollcall_replica::Replica;
use rollcall_replica::figures::Knowledge;
use rollcall_replica::projection::Projection;
use rollcall_stats::{Cube, FiguresQuery, SubsidiesQuery};
use rollcall_store::Role;
use serde::Serialize;

use crate::clock::{now_ms, today};
use crate::federation;
use crate::output::{Refused, print_json, print_line};

/// Flags of `figures`.
#[derive(Debug, Clone, Default, Args)]
pub struct FiguresArgs {
    /// The day to describe; today in China Standard Time unless given.
    #[arg(long)]
    pub as_of: Option<String>,
    /// Position, time or date of what was known.
    #[arg(long)]
    pub known_at: Option<String>,
    /// Only this federation and those below it.
    #[arg(long)]
    pub area: Option<String>,
    /// Dimensions of the rows, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub by: Vec<String>,
    /// First day of a series.
    #[arg(long, requires = "to")]
    pub from: Option<String>,
    /// Last day of a series.
    #[arg(long, requires = "from")]
    pub to: Option<String>,
    /// Step of a series.
    #[arg(long, value_parser = ["month"], requires = "from")]
    pub every: Option<String>,
    /// `DIM=VALUE`; may be repeated.
    #[arg(long = "where")]
    pub filters: Vec<String>,
    /// The day whose hierarchy is used.
    #[arg(long)]
    pub boundaries: Option<String>,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `subsidies`.
#[derive(Debug, Clone, Default, Args)]
pub struct SubsidiesArgs {
    /// One calendar year.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub year: Option<i32>,
    /// First day.
    #[arg(long)]
    pub from: Option<String>,
    /// Last day.
    #[arg(long)]
    pub to: Option<String>,
    /// Dimension of the rows.
    #[arg(long)]
    pub by: Option<String>,
    /// Only this federation and those below it.
    #[arg(long)]
    pub area: Option<String>,
    /// Position, time or date of what was known.
    #[arg(long)]
    pub known_at: Option<String>,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `findings`.
#[derive(Debug, Clone, Default, Args)]
pub struct FindingsArgs {
    /// The day to describe; today unless given.
    #[arg(long)]
    pub as_of: Option<String>,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// One alert as printed.
#[derive(Debug, Serialize)]
struct ShownFinding {
    rule: String,
    document: String,
    code: Option<String>,
    name: String,
    other: Option<String>,
    other_code: Option<String>,
    other_name: Option<String>,
    message: String,
}

fn invalid(text: &str, wanted: &str) -> Refused {
    Refused::new("PARAM_INVALID", format!("{text:?} is not {wanted}."))
}

fn day(text: Option<&String>) -> Result<Option<Day>, Refused> {
    text.map(|text| {
        text.parse()
            .map_err(|_| invalid(text, "a date such as 2024-12-31"))
    })
    .transpose()
}

fn area(text: Option<&String>) -> Result<Option<FederationId>, Refused> {
    text.map(|code| federation::named(code)).transpose()
}

fn knowledge(text: Option<&String>) -> Result<Knowledge, Refused> {
    let Some(text) = text else {
        return Ok(Knowledge::Now);
    };
    if let Ok(position) = text.parse() {
        return Ok(Knowledge::Position(position));
    }
    if let Ok(day) = text.parse() {
        return Ok(Knowledge::Day(day));
    }
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Iso8601::DEFAULT)
        .map(|moment| Knowledge::Time((moment.unix_timestamp_nanos() / 1_000_000) as i64))
        .map_err(|_| invalid(text, "a position, a time such as 2025-01-03T02:11:09Z, or a date"))
}

fn dimension(name: &str) -> Result<Dimension, Refused> {
    let known: Vec<_> = Dimension::ALL.iter().map(|dimension| dimension.name()).collect();
    Dimension::from_name(name).ok_or_else(|| invalid(name, &format!("one of {}", known.join(", "))))
}

impl FiguresArgs {
    /// The question they ask.
    ///
    /// # Errors
    /// `PARAM_INVALID`, with what would be valid.
    pub fn query(&self) -> Result<FiguresQuery, Refused> {
        let mut filters = Vec::new();
        for filter in &self.filters {
            let (name, value) = filter
                .split_once('=')
                .ok_or_else(|| invalid(filter, "DIM=VALUE"))?;
            filters.push((dimension(name)?, value.to_owned()));
        }
        let series = match (day(self.from.as_ref())?, day(self.to.as_ref())?) {
            (Some(from), Some(to)) if from <= to => Some((from, to)),
            (Some(from), Some(_)) => return Err(invalid(&from.to_string(), "before the end of the series")),
            _ => None,
        };
        Ok(FiguresQuery {
            as_of: day(self.as_of.as_ref())?.unwrap_or_else(today),
            by: self
                .by
                .iter()
                .map(|name| dimension(name))
                .collect::<Result<_, _>>()?,
            area: area(self.area.as_ref())?,
            filters,
            series,
            boundaries: day(self.boundaries.as_ref())?,
        })
    }
}

impl SubsidiesArgs {
    /// The question they ask.
    ///
    /// # Errors
    /// `PARAM_INVALID`, with what would be valid.
    pub fn query(&self) -> Result<SubsidiesQuery, Refused> {
        let known: Vec<_> = SubsidyDimension::ALL
            .iter()
            .map(|dimension| dimension.name())
            .collect();
        let by = match &self.by {
            None => None,
            Some(name) => Some(
                SubsidyDimension::from_name(name)
                    .ok_or_else(|| invalid(name, &format!("one of {}", known.join(", "))))?,
            ),
        };
        let (from, to) = match self.year {
            Some(year) => {
                let wrong = || invalid(&year.to_string(), "a calendar year");
                let first = Day::from_ymd(year, 1, 1).ok_or_else(wrong)?;
                (Some(first), Some(Day::from_ymd(year, 12, 31).ok_or_else(wrong)?))
            }
            None => (day(self.from.as_ref())?, day(self.to.as_ref())?),
        };
        Ok(SubsidiesQuery {
            from,
            to,
            by,
            area: area(self.area.as_ref())?,
        })
    }
}

/// Runs `figures`.
///
/// # Errors
/// `PARAM_INVALID`, or the store's.
pub fn run_figures(replica: &Replica, args: &FiguresArgs) -> anyhow::Result<()> {
    let query = args.query()?;
    let answer = answer_figures(replica, &query, knowledge(args.known_at.as_ref())?)?;
    if args.json {
        print_json(&answer)
    } else {
        print_figures(&answer)
    }
}

/// Answers a question of establishment at a knowledge date.
///
/// # Errors
/// The store's, or a question that makes no sense.
pub fn answer_figures(
    replica: &Replica,
    query: &FiguresQuery,
    known: Knowledge,
) -> anyhow::Result<FiguresAnswer> {
    let position = position_of(replica, known)?;
    let heard = replica.heard(today())?;
    let mut answer = with_cube(replica, position, |cube| cube.figures(query, &heard))?;
    answer.known_at = Some(replica.known_at(position)?);
    answer.rebuilding = replica.rebuilding()?;
    Ok(answer)
}

/// Answers a question of subsidies at a knowledge date.
///
/// # Errors
/// The store's, or a question that makes no sense.
pub fn answer_subsidies(
    replica: &Replica,
    query: &SubsidiesQuery,
    known: Knowledge,
) -> anyhow::Result<SubsidiesAnswer> {
    let position = position_of(replica, known)?;
    let mut answer = with_cube(replica, position, |cube| cube.subsidies(query))?;
    answer.known_at = Some(replica.known_at(position)?);
    Ok(answer)
}

/// The position behind a knowledge date; the aggregator knows that its log ends.
fn position_of(replica: &Replica, known: Knowledge) -> anyhow::Result<Option<u64>> {
    let position = replica.position_of(known)?;
    if let (Some(asked), Role::Aggregator) = (position, replica.store().identity().role) {
        let last = replica.known_at(None)?.position;
        if asked > last {
            let message = format!("The log has not come to position {asked}; it ends at {last}.");
            return Err(Refused::new("PARAM_INVALID", message).into());
        }
    }
    Ok(position)
}

fn with_cube<T>(
    replica: &Replica,
    position: Option<u64>,
    ask: impl FnOnce(&Cube) -> Result<T, rollcall_stats::Error>,
) -> anyhow::Result<T> {
    let asked = match position {
        None => ask(Projection::build(replica)?.cube()),
        Some(position) => ask(&Projection::build_at(replica, position)?),
    };
    asked.map_err(|error| Refused::new("PARAM_INVALID", error.to_string()).into())
}

/// Runs `subsidies`.
///
/// # Errors
/// `PARAM_INVALID`, or the store's.
pub fn run_subsidies(replica: &Replica, args: &SubsidiesArgs) -> anyhow::Result<()> {
    let answer = answer_subsidies(replica, &args.query()?, knowledge(args.known_at.as_ref())?)?;
    if args.json {
        print_json(&answer)
    } else {
        print_subsidies(&answer)
    }
}

/// Runs `findings`.
///
/// # Errors
/// `PARAM_INVALID`, or the store's.
pub fn run_findings(replica: &Replica, args: &FindingsArgs) -> anyhow::Result<()> {
    let as_of = day(args.as_of.as_ref())?.unwrap_or_else(today);
    let projection = Projection::build(replica)?;
    let mut shown = Vec::new();
    for finding in projection.cube().findings(as_of) {
        let (listed, other) = replica.store().read(|reader| {
            let other = match finding.other {
                Some(other) => reader.listing(other)?,
                None => None,
            };
            Ok((reader.listing(finding.document)?, other))
        })?;
        shown.push(ShownFinding {
            rule: finding.rule.to_string(),
            document: finding.document.to_string(),
            code: listed.as_ref().and_then(|row| row.listing.code.clone()),
            name: listed.map(|row| row.listing.name).unwrap_or_default(),
            other: finding.other.map(|other| other.to_string()),
            other_code: other.as_ref().and_then(|row| row.listing.code.clone()),
            other_name: other.map(|row| row.listing.name),
            message: finding.message.clone(),
        });
    }
    shown.extend(apart(replica)?);
    if args.json {
        return print_json(&shown);
    }
    for finding in shown {
        let code = finding.code.unwrap_or(finding.document);
        let other = match (finding.other_code.or(finding.other), finding.other_name) {
            (Some(code), Some(name)) => format!(" / {code} {name}"),
            (Some(code), None) => format!(" / {code}"),
            (None, _) => String::new(),
        };
        print_line(format_args!(
            "{} {code} {}{other}: {}",
            finding.rule, finding.name, finding.message
        ))?;
    }
    Ok(())
}

/// What is kept apart, and what was written again because its number was taken: somebody should look at both edits.
fn apart(replica: &Replica) -> anyhow::Result<Vec<ShownFinding>> {
    let rows = replica.store().read(|reader| {
        let mut rows = Vec::new();
        for row in reader.quarantine_all(APART_MAX)? {
            let rescued = row.outcome == "rescued" && row.refused.code == "FORKED";
            if row.released_ms.is_none() || rescued {
                let listed = reader.listing(row.refused.document_id)?;
                rows.push((row, listed));
            }
        }
        Ok(rows)
    })?;
    Ok(rows
        .into_iter()
        .map(|(row, listed)| ShownFinding {
            rule: row.refused.code.clone(),
            document: row.refused.document_id.to_string(),
            code: listed.as_ref().and_then(|row| row.listing.code.clone()),
            name: listed.map(|row| row.listing.name).unwrap_or_default(),
            other: None,
            other_code: None,
            other_name: None,
            message: match row.note.as_str() {
                "" => row.refused.message,
                note => format!("{} {}: {note}", row.refused.message, row.outcome),
            },
        })
        .collect())
}

/// Changes kept apart that findings list at most.
const APART_MAX: usize = 1_000;

fn rate(rate: &BoundedRate) -> String {
    let percent = rate
        .rate
        .percent()
        .map_or_else(|| "no data".to_owned(), |percent| format!("{percent}%"));
    let ratio = rate.rate.ratio;
    let bounds = if rate.low == rate.high {
        String::new()
    } else {
        format!(
            " (low {}/{}, high {}/{})",
            rate.low.numerator, rate.low.denominator, rate.high.numerator, rate.high.denominator
        )
    };
    format!("{}/{} = {percent}{bounds}", ratio.numerator, ratio.denominator)
}

/// Prints an answer for people.
///
/// # Errors
/// Where standard output is closed.
pub fn print_figures(answer: &FiguresAnswer) -> anyhow::Result<()> {
    let total = &answer.total.figures;
    let known = answer.known_at.as_ref().map_or(0, |known| known.position);
    print_line(format_args!(
        "as of {}, known at position {known}, {}",
        answer.as_of,
        now_text()
    ))?;
    if let Some(rebuilding) = &answer.rebuilding {
        print_line(format_args!(
            "rebuilding: restored to {}, {} peers not heard since; figures may miss what they hold",
            rebuilding.since.as_deref().unwrap_or("the beginning"),
            rebuilding.missing
        ))?;
    }
    print_line(format_args!(
        "establishment rate  {}",
        rate(&total.establishment_rate)
    ))?;
    print_line(format_args!(
        "on identified       {}",
        rate(&total.identified_rate)
    ))?;
    print_line(format_args!("strict              {}", rate(&total.strict_rate)))?;
    print_line(format_args!(
        "heard {} of {} scopes, {} without a node; open conflicts {}",
        total.completeness.scopes_heard,
        total.completeness.scopes_expected,
        total.completeness.scopes_without_node,
        total.open_conflicts
    ))?;
    for run in answer
        .targets
        .chunk_by(|one, next| one.percent == next.percent && next.date <= answer.as_of)
    {
        print_targets(run, answer.as_of)?;
    }
    for row in &answer.rows {
        let key: Vec<_> = row
            .key
            .0
            .iter()
            .map(|(_, value)| value.as_deref().unwrap_or("–"))
            .collect();
        let date = row.as_of.map(|day| format!("{day} ")).unwrap_or_default();
        print_line(format_args!(
            "{date}{:<20} {:<24} {}",
            key.join(" "),
            row.name,
            rate(&row.figures.establishment_rate)
        ))?;
    }
    Ok(())
}

/// A line held at one month end after the other: the first and the last of them, and how many between were met.
fn print_targets(run: &[TargetVerdict], as_of: Day) -> anyhow::Result<()> {
    let (first, between, last) = match run {
        [] => return Ok(()),
        [only] => (only, &[][..], None),
        [first, between @ .., last] => (first, between, Some(last)),
    };
    let line = |target: &TargetVerdict| {
        let verdict = match target.met {
            Some(true) => "met",
            Some(false) => "not met",
            None if target.date > as_of => "not yet",
            None => "no data",
        };
        let pair = match (target.numerator, target.denominator) {
            (Some(numerator), Some(denominator)) => format!(" ({numerator}/{denominator})"),
            _ => String::new(),
        };
        format!("target {}% at {}: {verdict}{pair}", target.percent, target.date)
    };
    print_line(line(first))?;
    if !between.is_empty() {
        let met = between.iter().filter(|target| target.met == Some(true)).count();
        print_line(format_args!(
            "target {}% at the month ends after it: met at {met} of {}",
            first.percent,
            between.len()
        ))?;
    }
    last.map_or(Ok(()), |last| print_line(line(last)))
}

fn now_text() -> String {
    format!("computed {}", crate::clock::time_text(now_ms()))
}

fn print_subsidies(answer: &SubsidiesAnswer) -> anyhow::Result<()> {
    let lines = answer.rows.iter().map(|row| (row.name.as_str(), &row.figures));
    for (name, figures) in lines.chain([("total", &answer.total)]) {
        print_line(format_args!(
            "{name:<24} approved {} disbursed {} recovered {} net {} outstanding {} (yuan), cases {}",
            yuan(figures.approved_fen),
            yuan(figures.disbursed_fen),
            yuan(figures.recovered_fen),
            yuan(figures.net_fen),
            yuan(figures.outstanding_fen),
            figures.cases
        ))?;
    }
    Ok(())
}

fn yuan(amount: Fen) -> String {
    let sign = if amount.0 < 0 { "-" } else { "" };
    let fen = amount.0.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}
