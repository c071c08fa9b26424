//! A whole number of persons as lists write it (`reliability.md` 4, rows 54 to 57 and 59).
//! Owns separators of thousands and what is no count; blank is not zero.

/// Why a cell is no count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountFault {
    /// Below zero.
    Negative,
    /// Points and commas that may mean either.
    Format,
    /// No whole number.
    Invalid,
    /// More than there are people.
    Range,
}

impl CountFault {
    /// Code of `reliability.md` 4.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Negative => "COUNT_IMPLAUSIBLE",
            Self::Format => "AMOUNT_FORMAT",
            Self::Invalid => "AMOUNT_INVALID",
            Self::Range => "AMOUNT_RANGE",
        }
    }

    /// What is wrong with it, to follow the text of the cell.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Negative => "is below zero",
            Self::Format => "has points or commas that may mean either; write plain digits",
            Self::Invalid => "is no whole number",
            Self::Range => "is larger than any organisation",
        }
    }
}

const COUNT_MAX: u64 = 10_000_000;

/// Reads a count from a clean cell.
pub(crate) fn parse_count(text: &str) -> Result<u32, CountFault> {
    let text = text.trim_end_matches(['人', '名', '个']).trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let plain: String = match digits.find([',', ' ', '，']) {
        None => digits.strip_suffix(".0").unwrap_or(digits).to_owned(),
        Some(_) => {
            let groups: Vec<&str> = digits.split([',', ' ', '，']).collect();
            let grouped = (1..=3).contains(&groups[0].len())
                && groups[1..].iter().all(|group| group.len() == 3)
                && groups
                    .iter()
                    .all(|group| group.bytes().all(|byte| byte.is_ascii_digit()));
            if !grouped {
                return Err(CountFault::Format);
            }
            groups.concat()
        }
    };
    if plain.matches('.').count() == 1 && plain.split('.').nth(1).is_some_and(|part| part.len() == 3) {
        return Err(CountFault::Format);
    }
    if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(
            if plain.contains(['E', 'e']) && plain.starts_with(|c: char| c.is_ascii_digit()) {
                CountFault::Range
            } else {
                CountFault::Invalid
            },
        );
    }
    if negative {
        return Err(if plain.bytes().all(|byte| byte == b'0') {
            CountFault::Invalid
        } else {
            CountFault::Negative
        });
    }
    match plain.parse::<u64>() {
        Ok(count @ ..=COUNT_MAX) => Ok(count as u32),
        _ => Err(CountFault::Range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_or_refused_with_the_reason() {
        for (text, expected) in [
            ("19", Ok(19)),
            ("0", Ok(0)),
            ("19人", Ok(19)),
            ("1,234", Ok(1234)),
            ("12 345", Ok(12_345)),
            ("-3", Err(CountFault::Negative)),
            ("-0", Err(CountFault::Invalid)),
            ("1,23", Err(CountFault::Format)),
            ("1.234", Err(CountFault::Format)),
            ("1.234,56", Err(CountFault::Format)),
            ("12.5", Err(CountFault::Invalid)),
            ("NaN", Err(CountFault::Invalid)),
            ("inf", Err(CountFault::Invalid)),
            ("0x10", Err(CountFault::Invalid)),
            ("1e309", Err(CountFault::Range)),
            ("99999999999999999999", Err(CountFault::Range)),
            ("", Err(CountFault::Invalid)),
        ] {
            assert_eq!(parse_count(text), expected, "{text}");
        }
    }
}
