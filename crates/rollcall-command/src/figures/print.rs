//! Answers printed for people.

use rollcall_core::amount::Fen;
use rollcall_core::date::Day;
use rollcall_core::figure::{BoundedRate, FiguresAnswer, SubsidiesAnswer, TargetVerdict};

use crate::clock::now_ms;
use crate::output::print_line;

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
pub(super) fn print_figures(answer: &FiguresAnswer) -> anyhow::Result<()> {
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

pub(super) fn print_subsidies(answer: &SubsidiesAnswer) -> anyhow::Result<()> {
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
