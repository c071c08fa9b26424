//! Numbers, money, shares, dates and times as a reader sees them. Integers only.
//! Owns the one place where a share becomes a percentage; leaves the comparison with a target to exact integers.

use rollcall_core::date::{Day, PartialDate};

use crate::locale::Locale;

/// A value as a template hands it on: itself or behind references, of which templates add some.
pub trait Given<T> {
    /// The value.
    fn given(&self) -> T;
}

/// A whole number of any width, itself or behind references.
pub trait Whole {
    /// The number.
    fn whole(&self) -> i128;
}

macro_rules! given {
    ($($kind:ty),+) => {
        $(
            impl Given<$kind> for $kind {
                fn given(&self) -> $kind {
                    *self
                }
            }

            impl<G: Given<$kind> + ?Sized> Given<$kind> for &G {
                fn given(&self) -> $kind {
                    (**self).given()
                }
            }
        )+
    };
}

macro_rules! whole {
    ($($kind:ty),+) => {
        $(
            impl Whole for $kind {
                fn whole(&self) -> i128 {
                    i128::from(*self)
                }
            }
        )+
    };
}

given!(u64, i64, Day, Locale);
whole!(u8, u16, u32, u64, i32, i64, i128);

impl Whole for usize {
    fn whole(&self) -> i128 {
        // A length in memory is far below the bound.
        i128::try_from(*self).unwrap_or(i128::MAX)
    }
}

impl<G: Whole + ?Sized> Whole for &G {
    fn whole(&self) -> i128 {
        (**self).whole()
    }
}

/// 1,234,567.
pub fn number(value: i128) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value < 0 {
        format!("\u{2212}{grouped}")
    } else {
        grouped
    }
}

/// Two decimals, half up, without a sign: `85.71`. `None` where there is nothing to divide by.
pub fn percent_half_up(numerator: u64, denominator: u64) -> Option<String> {
    if denominator == 0 {
        return None;
    }
    let (numerator, denominator) = (u128::from(numerator), u128::from(denominator));
    let hundredths = (numerator * 20_000 + denominator) / (denominator * 2);
    Some(format!("{}.{:02}", hundredths / 100, hundredths % 100))
}

impl Locale {
    /// 1,234,567 in both languages.
    pub fn number(self, value: impl Whole) -> String {
        number(value.whole())
    }

    /// Fen as yuan with two decimals, without the unit: `1,234.50`. For columns whose head names the unit.
    pub fn yuan(self, amount_fen: impl Whole) -> String {
        let amount_fen = amount_fen.whole();
        let sign = if amount_fen < 0 { "\u{2212}" } else { "" };
        let (yuan, fen) = (amount_fen.unsigned_abs() / 100, amount_fen.unsigned_abs() % 100);
        format!("{sign}{}.{fen:02}", number(yuan.cast_signed()))
    }

    /// Fen as yuan with the unit: `1,234.50 元`.
    pub fn money(self, amount_fen: impl Whole) -> String {
        format!("{}\u{a0}{}", self.yuan(amount_fen), self.text("unit.yuan"))
    }

    /// `85.71%`, or the words for "no data" where the denominator is 0.
    pub fn percent(self, numerator: u64, denominator: u64) -> String {
        percent_half_up(numerator, denominator).map_or_else(
            || self.text("figure.no_data").to_owned(),
            |percent| format!("{percent}%"),
        )
    }

    /// A date in words: `2024年12月31日`, `31 Dec 2024`.
    pub fn day(self, day: impl Given<Day>) -> String {
        let (year, month, day) = day.given().ymd();
        match self {
            Self::Chinese => format!("{year}年{month}月{day}日"),
            Self::English => format!("{day} {} {year}", short_month(month)),
        }
    }

    /// A date as precise as it is known.
    pub fn partial_date(self, date: PartialDate) -> String {
        match (self, date) {
            (_, PartialDate::Day(day)) => self.day(day),
            (Self::Chinese, PartialDate::Month { year, month }) => format!("{year}年{month}月"),
            (Self::Chinese, PartialDate::Year(year)) => format!("{year}年"),
            (Self::English, PartialDate::Month { year, month }) => format!("{} {year}", short_month(month)),
            (Self::English, PartialDate::Year(year)) => year.to_string(),
        }
    }

    /// A moment in China Standard Time, to the minute.
    pub fn moment(self, unix_ms: impl Given<i64>) -> String {
        let unix_ms = unix_ms.given();
        let minutes = unix_ms
            .saturating_add(8 * 3_600_000)
            .div_euclid(60_000)
            .rem_euclid(1440);
        format!(
            "{} {:02}:{:02}",
            self.day(Day::of_unix_ms(unix_ms)),
            minutes / 60,
            minutes % 60
        )
    }

    /// The day of a moment in China Standard Time, where the minute does not matter.
    pub fn day_of(self, unix_ms: impl Given<i64>) -> String {
        self.day(Day::of_unix_ms(unix_ms.given()))
    }

    /// A stretch of time in its largest whole unit: `3 days`, `5 小时`.
    pub fn span(self, duration_ms: i64) -> String {
        let minutes = duration_ms.max(0) / 60_000;
        let (key, count) = match minutes {
            0..60 => ("span.minutes", minutes),
            60..1440 => ("span.hours", minutes / 60),
            _ => ("span.days", minutes / 1440),
        };
        self.fill(key, &[&number(count.into())])
    }

    /// A size in bytes with a binary unit, rounded up, so that nothing stored shows as 0.
    pub fn size(self, size_bytes: impl Given<u64>) -> String {
        let size_bytes = size_bytes.given();
        match size_bytes {
            0..1024 => format!("{} B", number(size_bytes.into())),
            1024..1_048_576 => format!("{} KiB", number(size_bytes.div_ceil(1024).into())),
            _ => format!("{} MiB", number(size_bytes.div_ceil(1_048_576).into())),
        }
    }
}

fn short_month(month: u8) -> &'static str {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    MONTHS[usize::from(month - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (-12_345, "\u{2212}12,345"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(i128::MIN).len(), "\u{2212}".len() + 39 + 12);
    }

    #[test]
    fn percent_is_rounded_half_up_once() {
        let cases = [
            (6, 7, Some("85.71")),
            (4, 7, Some("57.14")),
            (0, 12, Some("0.00")),
            (0, 0, None),
            (1, 1, Some("100.00")),
            (84_996, 100_000, Some("85.00")),
            (1, 20_000, Some("0.01")),
            (u64::MAX, u64::MAX, Some("100.00")),
            (3, 2, Some("150.00")),
        ];
        for (numerator, denominator, text) in cases {
            assert_eq!(
                percent_half_up(numerator, denominator).as_deref(),
                text,
                "{numerator}/{denominator}"
            );
        }
        assert_eq!(Locale::English.percent(0, 0), "no data");
    }

    #[test]
    fn money_is_yuan_with_two_decimals() {
        let cases = [
            (1234, "12.34\u{a0}元", "12.34\u{a0}yuan"),
            (-5, "\u{2212}0.05\u{a0}元", "\u{2212}0.05\u{a0}yuan"),
            (20_000_000, "200,000.00\u{a0}元", "200,000.00\u{a0}yuan"),
        ];
        for (fen, chinese, english) in cases {
            assert_eq!(Locale::Chinese.money(fen), chinese);
            assert_eq!(Locale::English.money(fen), english);
        }
    }

    #[test]
    fn dates_and_moments_are_in_china_standard_time() {
        let last = Day::from_ymd(2024, 12, 31).unwrap();
        assert_eq!(Locale::Chinese.day(last), "2024年12月31日");
        assert_eq!(Locale::English.day(last), "31 Dec 2024");
        assert_eq!(
            Locale::English.partial_date(PartialDate::Month { year: 2015, month: 3 }),
            "Mar 2015"
        );
        assert_eq!(Locale::Chinese.partial_date(PartialDate::Year(2015)), "2015年");
        // 2025-01-03T02:11:09Z, and a minute before midnight of the first day of the era.
        assert_eq!(Locale::Chinese.moment(1_735_870_269_000), "2025年1月3日 10:11");
        assert_eq!(Locale::English.moment(-8 * 3_600_000 - 1), "31 Dec 1969 23:59");
    }

    #[test]
    fn spans_and_sizes_use_one_unit() {
        let cases = [
            (59_000, "0 minutes"),
            (3_599_999, "59 minutes"),
            (3_600_000, "1 hour"),
            (172_800_000, "2 days"),
        ];
        for (duration_ms, text) in cases {
            assert_eq!(Locale::English.span(duration_ms), text);
        }
        let sizes = [(0, "0 B"), (1024, "1 KiB"), (1025, "2 KiB"), (20 << 20, "20 MiB")];
        for (size, text) in sizes {
            assert_eq!(Locale::Chinese.size(size), text);
        }
    }
}
