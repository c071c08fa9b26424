//! The commands `figures` and `subsidies` (`cli.md` Figures): the same flags and numbers on node and aggregator.

use clap::Args;
use rollcall_core::date::Day;
use rollcall_core::figure::{Dimension, FiguresAnswer, KnownAt, SubsidiesAnswer, SubsidyDimension};
use rollcall_core::id::FederationId;
use rollcall_replica::Replica;
use rollcall_replica::figures::Knowledge;
use rollcall_replica::projection::Projection;
use rollcall_stats::{Cube, FiguresQuery, SubsidiesQuery};
use rollcall_store::Role;

mod print;

use print::{print_figures, print_subsidies};

use crate::clock::today;
use crate::federation;
use crate::output::{Refused, print_json};

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

fn invalid(text: &str, wanted: &str) -> Refused {
    Refused::new("PARAM_INVALID", format!("{text:?} is not {wanted}."))
}

pub(crate) fn day(text: Option<&String>) -> Result<Option<Day>, Refused> {
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
    let (mut answer, known_at) = with_cube(replica, position, |cube| cube.figures(query, &heard))?;
    answer.known_at = Some(known_at);
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
    let (mut answer, known_at) = with_cube(replica, position, |cube| cube.subsidies(query))?;
    answer.known_at = Some(known_at);
    Ok(answer)
}

/// The position behind a knowledge date; the aggregator knows that its log ends.
fn position_of(replica: &Replica, known: Knowledge) -> anyhow::Result<Option<u64>> {
    let position = replica.position_of(known)?;
    if let (Some(asked), Role::Aggregator) = (position, replica.store().identity().role) {
        let last = replica.position()?;
        if asked > last {
            let message = format!("The log has not come to position {asked}; it ends at {last}.");
            return Err(Refused::new("PARAM_INVALID", message).into());
        }
    }
    Ok(position)
}

/// The answer, and what the cube knew that gave it.
fn with_cube<T>(
    replica: &Replica,
    position: Option<u64>,
    ask: impl FnOnce(&Cube) -> Result<T, rollcall_stats::Error>,
) -> anyhow::Result<(T, KnownAt)> {
    let (asked, known_at) = match position {
        None => {
            let projection = Projection::build(replica)?;
            let known_at = replica.known_at(projection.position(), true)?;
            (ask(projection.cube()), known_at)
        }
        Some(position) => (
            ask(&Projection::build_at(replica, position)?),
            replica.known_at(position, false)?,
        ),
    };
    let answer = asked.map_err(|error| Refused::new("PARAM_INVALID", error.to_string()))?;
    Ok((answer, known_at))
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
