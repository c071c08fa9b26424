//! Dates and counts as people type them into forms: what a cell of a list may say, a form may say too (`domain.md` 14).

use rollcall_core::date::PartialDate;
use rollcall_core::problem::Problem;

use crate::clean::clean_text;
use crate::count_cell::{CountFault, parse_count};
use crate::date_cell::{DateFault, parse_date};

/// Reads a date with the precision in which it was typed: `2024-12-31`, `2024/12/31`, `2024年12月`, `２０２４`.
///
/// # Errors
/// `DATE_INVALID`, `DATE_AMBIGUOUS`, `DATE_YEAR`; the place is empty.
pub fn read_date(text: &str) -> Result<PartialDate, Problem> {
    let wrong = |fault: DateFault| Problem::error(fault.code(), "", sentence(text, fault.sentence()));
    match clean_text(text) {
        Ok(Some(clean)) => parse_date(&clean, None, false).map_err(wrong),
        Ok(None) | Err(_) => Err(wrong(DateFault::Invalid)),
    }
}

/// Reads a whole number of persons: `1234`, `1,234`, `１２３４`, `12人`.
///
/// # Errors
/// `NUMBER_INVALID`, `AMOUNT_FORMAT`, `AMOUNT_RANGE`, `COUNT_IMPLAUSIBLE`; the place is empty.
pub fn read_count(text: &str) -> Result<u32, Problem> {
    let wrong = |fault: CountFault| {
        let code = match fault {
            CountFault::Invalid => "NUMBER_INVALID",
            CountFault::Negative | CountFault::Format | CountFault::Range => fault.code(),
        };
        Problem::error(code, "", sentence(text, fault.sentence()))
    };
    match clean_text(text) {
        Ok(Some(clean)) => parse_count(&clean).map_err(wrong),
        Ok(None) | Err(_) => Err(wrong(CountFault::Invalid)),
    }
}

fn sentence(text: &str, fault: &str) -> String {
    format!("{:?} {fault}.", text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lists_may_say_may_be_typed() {
        for (text, date) in [
            ("2026/11/5", "2026-11-05"),
            ("2026年11月4日", "2026-11-04"),
            ("２０２６－１１－０４", "2026-11-04"),
            (" 2026.11 ", "2026-11"),
            ("2026", "2026"),
        ] {
            assert_eq!(
                read_date(text).map(|date| date.to_string()),
                Ok(date.to_owned()),
                "{text}"
            );
        }
        for (text, count) in [
            ("１２３４", 1234),
            ("1,234", 1234),
            ("1，234", 1234),
            ("19人", 19),
        ] {
            assert_eq!(read_count(text), Ok(count), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_code_of_its_own() {
        for (text, code) in [
            ("2026-02-30", "DATE_INVALID"),
            ("", "DATE_INVALID"),
            ("03/04/2026", "DATE_AMBIGUOUS"),
            ("24/5/23", "DATE_YEAR"),
        ] {
            assert_eq!(
                read_date(text).map_err(|problem| problem.code),
                Err(code.to_owned()),
                "{text}"
            );
        }
        for (text, code) in [
            ("十九", "NUMBER_INVALID"),
            ("1.234", "AMOUNT_FORMAT"),
            ("1e9", "AMOUNT_RANGE"),
            ("-3", "COUNT_IMPLAUSIBLE"),
        ] {
            assert_eq!(
                read_count(text).map_err(|problem| problem.code),
                Err(code.to_owned()),
                "{text}"
            );
        }
    }
}
