//! A figure as pages show it: never a bare percentage.
//! Owns the view structs of figures; the numbers and verdicts come from `rollcall-stats` through the programs.

use rollcall_core::date::Day;

use crate::format::percent_half_up;
use crate::layout::{Badge, Tone};
use crate::locale::Locale;

/// Numerator and denominator, kept apart until they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// What counts.
    pub numerator: u64,
    /// What it is counted among.
    pub denominator: u64,
}

impl Share {
    /// A pair.
    pub const fn new(numerator: u64, denominator: u64) -> Self {
        Self {
            numerator,
            denominator,
        }
    }

    /// `85.71%`, or the words for "no data".
    pub fn percent(&self, locale: &Locale) -> String {
        locale.percent(self.numerator, self.denominator)
    }

    /// Length of a bar in percent of its track, for a drawing; 0 where there is no data and never above 100.
    pub fn bar(&self) -> String {
        let numerator = self.numerator.min(self.denominator);
        percent_half_up(numerator, self.denominator).unwrap_or_else(|| "0".to_owned())
    }

    /// Band 0 to 5 for shaded tiles: no data, then below 40, 60, 75, 85 percent and from 85 on.
    pub fn band(&self) -> u8 {
        if self.denominator == 0 {
            return 0;
        }
        let reaches =
            |percent: u128| u128::from(self.numerator) * 100 >= percent * u128::from(self.denominator);
        1 + [40, 60, 75, 85]
            .into_iter()
            .filter(|percent| reaches(*percent))
            .count() as u8
    }
}

/// Whose answers a figure rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Completeness {
    /// Scopes that should answer.
    pub scopes_expected: u64,
    /// Of them, heard within the set number of days.
    pub scopes_heard: u64,
    /// Of them, kept by a federation above because they have no node.
    pub scopes_without_node: u64,
    /// Organisations in scopes not heard.
    pub organisations_unheard: u64,
    /// When the one heard longest ago was heard, Unix milliseconds.
    pub oldest_heard_unix_ms: Option<i64>,
}

impl Completeness {
    /// Everyone was heard.
    pub fn is_complete(&self) -> bool {
        self.scopes_heard >= self.scopes_expected
    }

    /// The share of scopes heard.
    pub fn share(&self) -> Share {
        Share::new(self.scopes_heard, self.scopes_expected)
    }
}

/// What had been recorded when the figure was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// The aggregator's log position.
    pub position: u64,
    /// When it was committed, Unix milliseconds.
    pub unix_ms: Option<i64>,
    /// The node's own edits in the figure that have no receipt yet.
    pub unsent: u64,
}

/// What conflicts and silence could make of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least it can be.
    pub low: Share,
    /// The most it can be.
    pub high: Share,
}

/// A figure against a target, as `rollcall-stats` judged it on exact integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The day it is due.
    pub date: Day,
    /// Whole percent to reach.
    pub percent: u64,
    /// The figure on that day; on a later target the figure of today.
    pub share: Share,
    /// The verdict; `None` while the day has not come, and without data.
    pub met: Option<bool>,
    /// Below the target but within the margin that still says "about".
    pub near: bool,
    /// Covered organisations that are still missing; 0 when met.
    pub missing: u64,
}

impl Target {
    /// The verdict in words.
    pub fn badge(&self, locale: &Locale) -> Badge {
        match (self.met, self.near) {
            (Some(true), _) => Badge::new(Tone::Good, locale.text("target.met")),
            (Some(false), true) => Badge::new(Tone::Waiting, locale.text("target.near")),
            (Some(false), false) => Badge::new(Tone::Attention, locale.text("target.not_met")),
            (None, _) if self.share.denominator == 0 => {
                Badge::new(Tone::Plain, locale.text("figure.no_data"))
            }
            (None, _) => Badge::new(Tone::Plain, locale.text("target.not_due")),
        }
    }
}

/// A headline figure with everything it must not be shown without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Key of its name, such as `figure.establishment_rate`.
    pub name_key: &'static str,
    /// The pair.
    pub share: Share,
    /// The day it describes.
    pub as_of: Day,
    /// What had been recorded.
    pub known: Known,
    /// Whose answers it holds; `None` as of a position that is past, since only the last word of each scope is kept.
    pub completeness: Option<Completeness>,
    /// What could still change it; `None` where low and high equal the figure.
    pub bounds: Option<Bounds>,
    /// The target it is held against.
    pub target: Option<Target>,
    /// Where it is taken apart.
    pub href: Option<String>,
}

/// A second line below the headline: a pair with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureLine {
    /// Key of its name.
    pub name_key: &'static str,
    /// The pair.
    pub share: Share,
    /// What is left out of it, such as units whose members are unknown; already in words.
    pub note: Option<String>,
    /// Where it is taken apart.
    pub href: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_stays_within_its_track_and_band_is_exact() {
        let cases = [
            (Share::new(6, 7), "85.71", 5),
            (Share::new(0, 0), "0", 0),
            (Share::new(0, 9), "0.00", 1),
            (Share::new(9, 7), "100.00", 5),
            // Shown as 85.00 and yet not reached.
            (Share::new(84_996, 100_000), "85.00", 4),
            (Share::new(85, 100), "85.00", 5),
            (Share::new(2, 5), "40.00", 2),
        ];
        for (share, bar, band) in cases {
            assert_eq!((share.bar().as_str(), share.band()), (bar, band), "{share:?}");
        }
    }

    #[test]
    fn verdict_has_four_forms() {
        let target = Target {
            date: Day::from_ymd(2024, 12, 31).unwrap(),
            percent: 85,
            share: Share::new(84, 100),
            met: Some(false),
            near: true,
            missing: 1,
        };
        let tones = [
            (Some(true), false),
            (Some(false), true),
            (Some(false), false),
            (None, false),
        ]
        .map(|(met, near)| Target { met, near, ..target }.badge(&Locale::English).tone);
        assert_eq!(tones, [Tone::Good, Tone::Waiting, Tone::Attention, Tone::Plain]);
    }
}
