//! The course of a rate over month ends, as a drawing and as the rows of the table below it.
//! The drawing is plain SVG in the page: lengths in percent along, pixels upwards, so that it fills any width without a
//! script and its letters keep their size. Owns the places on the paper; the rates come from the programs.

use rollcall_core::date::Day;

use crate::figure::{Bounds, Share};
use crate::locale::Locale;

/// Where 100 percent is drawn, pixels from the top.
const TOP: u64 = 12;
/// Pixels from 100 percent down to 0.
const HEIGHT: u64 = 180;
/// Room left of the first and right of the last point, hundredths of a percent of the width.
const MARGIN: usize = 200;
/// One month in so many is named below the drawing.
const NAMED_EVERY: usize = 6;
/// On a wide page one in so many.
const NAMED_EVERY_WIDE: usize = 3;

/// A rate over month ends, the earliest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trend {
    /// Its points.
    pub points: Vec<TrendPoint>,
}

/// A rate on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrendPoint {
    /// The day.
    pub date: Day,
    /// The pair.
    pub share: Share,
    /// What open conflicts could make of it; `None` where they change nothing.
    pub bounds: Option<Bounds>,
    /// The percent wanted on that day, and whether it is reached; the latter `None` without data.
    pub target: Option<(u64, Option<bool>)>,
    /// The same page on that day.
    pub href: String,
}

/// A stroke from one place to another: along in percent, upwards in pixels from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stroke {
    /// Begin, along.
    pub x1: String,
    /// Begin, from the top.
    pub y1: String,
    /// End, along.
    pub x2: String,
    /// End, from the top.
    pub y2: String,
}

/// A place of a point with what is said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Along.
    pub x: String,
    /// From the top.
    pub y: String,
    /// The point.
    pub point: &'a TrendPoint,
}

/// A month named below the drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthName {
    /// Along.
    pub x: String,
    /// Such as `2024-12`.
    pub text: String,
    /// Named on a wide page only.
    pub wide: bool,
}

impl Trend {
    /// Whether there is a course to draw: at least two points with data.
    pub fn is_drawn(&self) -> bool {
        self.points
            .iter()
            .filter(|point| point.share.denominator > 0)
            .take(2)
            .count()
            == 2
    }

    /// Height of the drawing without the names below it, pixels.
    pub fn height(&self) -> u64 {
        TOP + HEIGHT
    }

    /// The lines across, each with the percent it stands for.
    pub fn grid(&self) -> [(u64, String); 5] {
        [0, 25, 50, 75, 100].map(|percent| (percent, height_of(percent, 100)))
    }

    /// The rate from point to point; nothing beside a point without data.
    pub fn line(&self) -> Vec<Stroke> {
        self.strokes(|point| (point.share.denominator > 0).then(|| height(point.share)))
    }

    /// The target from point to point, in steps.
    pub fn target_line(&self) -> Vec<Stroke> {
        let wanted = |point: &TrendPoint| point.target.map(|(percent, _)| height_of(percent, 100));
        let mut strokes = Vec::new();
        for stroke in self.strokes(wanted) {
            // It holds until the day on which another one is due.
            strokes.push(Stroke {
                y2: stroke.y1.clone(),
                ..stroke.clone()
            });
            if stroke.y1 != stroke.y2 {
                strokes.push(Stroke {
                    x1: stroke.x2.clone(),
                    ..stroke
                });
            }
        }
        strokes
    }

    /// The points with data.
    pub fn marks(&self) -> impl Iterator<Item = Mark<'_>> {
        let drawn = self.points.iter().enumerate();
        drawn
            .filter(|(_, point)| point.share.denominator > 0)
            .map(|(index, point)| Mark {
                x: self.along(index),
                y: height(point.share),
                point,
            })
    }

    /// From the least to the most that a point could be, where they differ.
    pub fn spans(&self) -> impl Iterator<Item = Stroke> + use<'_> {
        let points = self.points.iter().enumerate();
        points.filter_map(|(index, point)| {
            let bounds = point.bounds?;
            Some(Stroke {
                x1: self.along(index),
                y1: height(bounds.low),
                x2: self.along(index),
                y2: height(bounds.high),
            })
        })
    }

    /// Months named below, counted from the last one, which is always named.
    pub fn names(&self) -> Vec<MonthName> {
        let last = self.points.len().saturating_sub(1);
        let points = self.points.iter().enumerate();
        let named = points.filter(|(index, _)| (last - index).is_multiple_of(NAMED_EVERY_WIDE));
        named
            .map(|(index, point)| {
                let (year, month, _) = point.date.ymd();
                MonthName {
                    x: self.along(index),
                    text: format!("{year}-{month:02}"),
                    wide: !(last - index).is_multiple_of(NAMED_EVERY),
                }
            })
            .collect()
    }

    fn strokes(&self, place: impl Fn(&TrendPoint) -> Option<String>) -> Vec<Stroke> {
        let pairs = self.points.windows(2).enumerate();
        pairs
            .filter_map(|(index, pair)| {
                Some(Stroke {
                    x1: self.along(index),
                    y1: place(&pair[0])?,
                    x2: self.along(index + 1),
                    y2: place(&pair[1])?,
                })
            })
            .collect()
    }

    fn along(&self, index: usize) -> String {
        let steps = self.points.len().saturating_sub(1).max(1);
        let hundredths = MARGIN + (10_000 - 2 * MARGIN) * index / steps;
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

impl TrendPoint {
    /// `2024-12-31: 6 / 7 = 85.71%`, for the pointer that rests on it.
    pub fn told(&self, locale: &Locale) -> String {
        let count = |count: u64| locale.number(count);
        format!(
            "{}: {} / {} = {}",
            locale.day(self.date),
            count(self.share.numerator),
            count(self.share.denominator),
            self.share.percent(locale)
        )
    }
}

/// How far from the top a pair is drawn, pixels; never outside.
fn height(share: Share) -> String {
    height_of(share.numerator.min(share.denominator), share.denominator)
}

fn height_of(numerator: u64, denominator: u64) -> String {
    let missing = denominator.saturating_sub(numerator);
    // A tenth of a pixel is finer than any screen.
    let tenths = u128::from(missing) * u128::from(HEIGHT) * 10 / u128::from(denominator.max(1));
    let tenths = tenths + u128::from(TOP) * 10;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(pairs: &[(u64, u64)]) -> Trend {
        let first = Day::from_ymd(2023, 12, 31).expect("a day");
        let days = std::iter::successors(Some(first), |day| Some(day.next().month_end()));
        let points = pairs.iter().zip(days).map(|((numerator, denominator), date)| {
            let share = Share::new(*numerator, *denominator);
            TrendPoint {
                date,
                share,
                bounds: None,
                target: Some((if date == first { 60 } else { 85 }, None)),
                href: format!("/?as_of={date}"),
            }
        });
        Trend {
            points: points.collect(),
        }
    }

    #[test]
    fn line_has_a_gap_where_there_is_no_data() {
        let trend = trend(&[(0, 0), (1, 4), (1, 2), (0, 0), (2, 2), (2, 2)]);
        let line = trend.line();
        assert_eq!(line.len(), 2, "{line:?}");
        let stroke = &line[0];
        // A quarter is drawn three quarters down, a half in the middle.
        assert_eq!((stroke.y1.as_str(), stroke.y2.as_str()), ("147.0", "102.0"));
        assert_eq!((stroke.x1.as_str(), stroke.x2.as_str()), ("21.20", "40.40"));
        assert_eq!(trend.marks().count(), 4);
        assert!(trend.is_drawn());
        for few in [&[][..], &[(1, 1)], &[(0, 0), (1, 1), (0, 0)]] {
            assert!(!self::trend(few).is_drawn(), "{few:?}");
        }
    }

    #[test]
    fn target_changes_on_its_day_and_not_on_the_way() {
        let lines = trend(&[(1, 2), (1, 2), (1, 2)]).target_line();
        let told: Vec<_> = lines
            .iter()
            .map(|stroke| [&stroke.x1, &stroke.y1, &stroke.x2, &stroke.y2].map(String::as_str))
            .collect();
        assert_eq!(
            told,
            [
                ["2.00", "84.0", "50.00", "84.0"],
                ["50.00", "84.0", "50.00", "39.0"],
                ["50.00", "39.0", "98.00", "39.0"],
            ]
        );
    }

    #[test]
    fn drawing_stays_on_its_paper_and_names_the_last_month() {
        let trend = trend(&[
            (9, 7),
            (0, 7),
            (u64::MAX, u64::MAX),
            (1, 1),
            (1, 1),
            (1, 1),
            (1, 1),
            (1, 1),
        ]);
        let heights: Vec<_> = trend.marks().map(|mark| mark.y).collect();
        assert_eq!(heights[..3], ["12.0", "192.0", "12.0"]);
        assert_eq!(trend.height(), 192);
        let names: Vec<_> = trend
            .names()
            .into_iter()
            .map(|name| (name.text, name.wide))
            .collect();
        let expected = [("2024-01", false), ("2024-04", true), ("2024-07", false)];
        assert_eq!(names, expected.map(|(text, wide)| (text.to_owned(), wide)));
    }
}
