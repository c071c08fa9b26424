//! A cell of the column of credit codes: a code, nothing, an older number, or something damaged
//! (`domain.md` 9; `reliability.md` 4, rows 42 to 45). Owns the distinction; never repairs a code, only proposes.

use rollcall_core::credit_code::{CreditCode, CreditCodeError, normalise};
use rollcall_core::problem::Problem;

/// What the cell holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CodeCell {
    Valid(CreditCode),
    Missing,
    /// A registration number of before 2015.
    Legacy(String),
    /// A number of which the spreadsheet has lost the last digits.
    Damaged(String),
    /// Neither 18 characters nor an older number.
    Length(String),
    /// Eighteen characters that are no code.
    Wrong {
        text: String,
        error: CreditCodeError,
        proposal: Option<CreditCode>,
    },
}

/// Reads a clean cell.
pub(crate) fn read_code(cell: Option<&str>) -> CodeCell {
    let Some(cell) = cell else {
        return CodeCell::Missing;
    };
    let text = normalise(cell);
    match CreditCode::parse(&text) {
        Ok(_) if is_masked(cell) => CodeCell::Wrong {
            text: cell.to_owned(),
            error: CreditCodeError::Form,
            proposal: None,
        },
        Ok(code) => CodeCell::Valid(code),
        _ if is_scientific(cell.trim()) => CodeCell::Damaged(cell.to_owned()),
        Err(error) if text.chars().count() == 18 && text.is_ascii() => {
            let proposal = CreditCode::parse(&text.replace('O', "0").replace('I', "1")).ok();
            CodeCell::Wrong {
                text,
                error,
                proposal,
            }
        }
        _ if is_legacy(&text) => CodeCell::Legacy(cell.to_owned()),
        _ => CodeCell::Length(cell.to_owned()),
    }
}

impl CodeCell {
    /// Why a row with this cell is refused; `None` where it is not.
    pub(crate) fn problem(&self, column: &str) -> Option<Problem> {
        let (code, message) = match self {
            Self::Valid(_) => return None,
            Self::Missing => (
                "V01",
                "The code is missing; enter the unified social credit code.".to_owned(),
            ),
            Self::Legacy(number) => (
                "V01",
                format!(
                    "{number:?} is a registration number of before 2015, no unified social credit code; look the code up."
                ),
            ),
            Self::Damaged(number) => (
                "ID_DAMAGED",
                format!(
                    "{number:?}: the spreadsheet has already lost the last digits; format the column as text and paste again."
                ),
            ),
            Self::Length(text) => (
                "ID_LENGTH",
                format!(
                    "{text:?} has {} characters; a credit code has 18.",
                    text.chars().count()
                ),
            ),
            Self::Wrong {
                text,
                error,
                proposal,
            } => {
                let code = if *error == CreditCodeError::Form {
                    "V01"
                } else {
                    "ID_CHECK"
                };
                let hint = proposal.map_or_else(String::new, |proposal| format!(" Perhaps {proposal}?"));
                (code, format!("{text:?} is no valid credit code ({error}).{hint}"))
            }
        };
        Some(Problem::error(code, column, message))
    }
}

/// `91140500MA0H6R8xxU`: small x among capitals stand for characters that somebody did not know. That this one passes
/// both checks once it is in capitals is chance. A single x is only a small letter.
fn is_masked(text: &str) -> bool {
    text.contains("xx") && text.contains(|c: char| c.is_ascii_uppercase())
}

/// `1.10101E+17`.
fn is_scientific(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    whole.len() == 1
        && digits(whole)
        && digits(part)
        && exponent.len() <= 4
        && digits(exponent.trim_start_matches('+'))
}

/// Fifteen or thirteen digits, an organisation code with its check character, or a text such as `企合苏…字第0014号`.
fn is_legacy(text: &str) -> bool {
    let alphanumeric = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    !text.is_ascii() || (alphanumeric && matches!(text.len(), 9 | 13 | 15) && digits + 4 >= text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_cell_is_told_apart() {
        for (cell, code) in [
            (Some("52140829MJ1938921G"), None),
            (Some(" ５２140829mj1938921g"), None),
            (None, Some("V01")),
            (Some("320722NA000624X"), Some("V01")),
            (Some("510132000055145"), Some("V01")),
            (Some("企合苏镇分字第0010"), Some("V01")),
            (Some("13830295-X"), Some("V01")),
            (Some("91140500MA0H6R8xxU"), Some("V01")),
            (Some("91210102117781381k"), None),
            (Some("5110000O500002862F"), Some("V01")),
            (Some("53100000500020462H"), Some("ID_CHECK")),
            (Some("52100000500000784G"), Some("ID_CHECK")),
            (Some("1.10101E+17"), Some("ID_DAMAGED")),
            (Some("1.1010119900307123E17"), Some("ID_DAMAGED")),
            (Some("2140829MJ1938921G"), Some("ID_LENGTH")),
            (Some("123"), Some("ID_LENGTH")),
        ] {
            let problem = read_code(cell).problem("信用代码");
            assert_eq!(
                problem.as_ref().map(|problem| problem.code.as_str()),
                code,
                "{cell:?}"
            );
        }
    }

    #[test]
    fn a_letter_for_a_digit_is_proposed_and_not_replaced() {
        let cell = read_code(Some("5110000O500002862F"));
        assert!(!matches!(cell, CodeCell::Valid(_)));
        assert!(
            cell.problem("")
                .expect("wrong")
                .message
                .contains("51100000500002862F")
        );
    }
}
