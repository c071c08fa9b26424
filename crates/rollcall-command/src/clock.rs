//! The one place where the programs read the clock and ask for randomness; below them both are arguments.

use rollcall_core::date::Day;

/// Now, Unix milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the processes read the clock here and nowhere else"
)]
pub fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Today in China Standard Time.
pub fn today() -> Day {
    Day::of_unix_ms(now_ms())
}

/// A moment as text, UTC, seconds: `2025-01-03T02:11:09Z`.
pub fn time_text(unix_ms: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1000))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (moment.date(), moment.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

/// Random bytes from the system.
///
/// # Panics
/// Where the system has none to give: nothing can be signed or named then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// A duration such as `72h`, `30m`, `90s`, `7d`, in milliseconds.
///
/// # Errors
/// A sentence with an example, where it is none.
pub fn parse_duration_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a duration such as 72h, 30m, 90s or 7d");
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(wrong)?;
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(unit_ms)
        .filter(|duration| *duration >= 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, expected) in [
            ("72h", Ok(259_200_000)),
            ("90s", Ok(90_000)),
            ("0s", Ok(0)),
            ("7d", Ok(604_800_000)),
            ("5", Err(())),
            ("", Err(())),
            ("-1h", Err(())),
            ("五h", Err(())),
        ] {
            assert_eq!(parse_duration_ms(text).map_err(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn moments_are_written_in_utc_to_the_second() {
        assert_eq!(time_text(1_735_870_269_999), "2025-01-03T02:11:09Z");
    }
}
