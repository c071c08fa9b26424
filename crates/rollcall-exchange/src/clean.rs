//! A cell of text made clean (`domain.md` 14; `reliability.md` 4, rows 21, 23 to 25, 28, 59, 67).
//! Owns blanks and placeholders, widths, composed characters and the characters that are refused; what a cell means
//! is for the readers of dates, numbers and codes.

use rollcall_core::credit_code::CreditCode;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Why a text is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFault {
    /// Control, zero-width or direction-changing character.
    NotAllowed(char),
    /// A code point that means something else on every machine.
    Private(char),
    /// The sign of a character lost before.
    Lost,
}

impl TextFault {
    /// Code of `reliability.md` 4.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::NotAllowed(_) => "CHAR_NOT_ALLOWED",
            Self::Private(_) => "CHAR_PRIVATE",
            Self::Lost => "ENCODING_LOSSY",
        }
    }

    /// A sentence for the clerk.
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::NotAllowed(c) => format!(
                "The cell holds the invisible character U+{:04X}; type the text anew.",
                u32::from(c)
            ),
            Self::Private(c) => format!(
                "The cell holds U+{:04X}, which has no agreed meaning; enter the right character.",
                u32::from(c)
            ),
            Self::Lost => {
                "The cell holds the sign of a lost character (U+FFFD); enter the right one.".to_owned()
            }
        }
    }
}

const PLACEHOLDERS: &[&str] = &[
    "n/a", "#n/a", "无", "暂无", "-", "--", "—", "——", "/", "nil", "none",
];

/// The text without surrounding blanks, in composed form, with half-width letters and digits; `None` where the cell
/// is blank or says so (`N/A`, `无`, `-`).
pub(crate) fn clean_text(raw: &str) -> Result<Option<String>, TextFault> {
    let mut text = String::with_capacity(raw.len());
    let mut blank = false;
    for c in raw.chars() {
        if c.is_whitespace() {
            blank = !text.is_empty();
            continue;
        }
        refuse(c)?;
        if blank {
            text.push(' ');
            blank = false;
        }
        text.push(half_width(c));
    }
    if is_nfc_quick(text.chars()) != IsNormalized::Yes {
        text = text.nfc().collect();
    }
    if let Some(bare) = text.strip_prefix('\'')
        && is_formula_like(bare)
    {
        // The guard that an export puts before what a spreadsheet would compute.
        text = bare.to_owned();
    }
    let missing = text.is_empty() || PLACEHOLDERS.contains(&text.to_lowercase().as_str());
    Ok((!missing).then_some(text))
}

fn refuse(c: char) -> Result<(), TextFault> {
    match c {
        '\u{fffd}' => Err(TextFault::Lost),
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => Err(TextFault::Private(c)),
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{00ad}'
        | '\u{061c}'
        | '\u{180e}'
        | '\u{fff9}'..='\u{fffb}' => Err(TextFault::NotAllowed(c)),
        c if c.is_control() => Err(TextFault::NotAllowed(c)),
        _ => Ok(()),
    }
}

/// Letters and digits only: full-width brackets and commas are good Chinese.
fn half_width(c: char) -> char {
    match c {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// Whether a spreadsheet might compute it: `=`, `+`, `-`, `@` and their full-width forms, tab, carriage return.
pub(crate) fn is_formula_like(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// What two texts have in common when they mean the same: width, case, blanks and brackets do not count.
pub(crate) fn normalise(text: &str) -> String {
    text.nfkc()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// A number of a person in free text (V37).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PersonalNumber {
    Identity,
    /// Fifteen digits: the form of before 1999, no check digit.
    PerhapsIdentity,
    Mobile,
    BankCard,
}

/// Whether a text holds an identity number, a mobile number or a bank card (V37, `domain.md` 12); fifteen digits alone
/// are not enough.
pub fn holds_personal_number(text: &str) -> bool {
    matches!(
        personal_number(text),
        Some(PersonalNumber::Identity | PersonalNumber::Mobile | PersonalNumber::BankCard)
    )
}

/// The first whole run of digits in the text that is a person's number. Valid credit codes are none.
pub(crate) fn personal_number(text: &str) -> Option<PersonalNumber> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut perhaps = None;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        // A run after letters is part of a longer number, such as a credit code.
        if start > 0 && bytes[start - 1].is_ascii_alphabetic() {
            continue;
        }
        let check_letter = at - start == 17 && matches!(bytes.get(at), Some(b'X' | b'x'));
        let run = &text[start..at + usize::from(check_letter)];
        match run.len() {
            18 if CreditCode::parse(run).is_ok() => {}
            18 if is_identity(run) => return Some(PersonalNumber::Identity),
            11 if run.starts_with('1') && run.as_bytes()[1] >= b'3' => return Some(PersonalNumber::Mobile),
            16..=19 if !check_letter && is_luhn(run) => return Some(PersonalNumber::BankCard),
            15 if has_birth_date(&format!("19{}", &run[6..12])) => {
                perhaps = Some(PersonalNumber::PerhapsIdentity)
            }
            _ => {}
        }
    }
    perhaps
}

fn is_identity(run: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = run
        .bytes()
        .zip(WEIGHTS)
        .map(|(byte, weight)| u32::from(byte - b'0') * weight)
        .sum();
    let check = b"10X98765432"[(sum % 11) as usize];
    has_birth_date(&run[6..14]) && run.as_bytes()[17].to_ascii_uppercase() == check
}

fn has_birth_date(digits: &str) -> bool {
    let number = |from: usize, to: usize| digits[from..to].parse::<u32>().unwrap_or(0);
    (1900..2100).contains(&number(0, 4))
        && (1..=12).contains(&number(4, 6))
        && (1..=31).contains(&number(6, 8))
}

fn is_luhn(run: &str) -> bool {
    let sum: u32 = run
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte - b'0');
            if index % 2 == 0 {
                digit
            } else {
                digit * 2 / 10 + digit * 2 % 10
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cleaned_and_names_that_look_like_values_stay() {
        for (raw, expected) in [
            (" ９５１００部队　幼儿园\n", Some("95100部队 幼儿园")),
            ("Ａ医院（Ｂ医院）", Some("A医院（B医院）")),
            ("A医院(B医院)", Some("A医院(B医院)")),
            ("N/A", None),
            ("无", None),
            (" - ", None),
            ("", None),
            ("nil", None),
            ("null", Some("null")),
            ("true", Some("true")),
            ("NaN", Some("NaN")),
            ("0", Some("0")),
            ("😀", Some("😀")),
            ("e\u{301}cole", Some("école")),
            ("𠮷野家幼儿园", Some("𠮷野家幼儿园")),
            ("阿卜杜拉·买买提", Some("阿卜杜拉·买买提")),
            ("'=1+1", Some("=1+1")),
            ("<script>x</script>", Some("<script>x</script>")),
        ] {
            assert_eq!(clean_text(raw).expect(raw).as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn characters_that_deceive_or_mean_nothing_are_refused() {
        for (raw, code) in [
            ("幼儿\u{202e}园", "CHAR_NOT_ALLOWED"),
            ("幼儿\u{200b}园", "CHAR_NOT_ALLOWED"),
            ("幼儿\u{7}园", "CHAR_NOT_ALLOWED"),
            ("幼儿\u{e5e5}园", "CHAR_PRIVATE"),
            ("幼儿\u{fffd}园", "ENCODING_LOSSY"),
        ] {
            assert_eq!(clean_text(raw).expect_err(raw).code(), code);
        }
    }

    #[test]
    fn only_whole_numbers_of_persons_are_noticed() {
        for (text, expected) in [
            ("电话13812345678", Some(PersonalNumber::Mobile)),
            ("身份证11010119900307123X号", None),
            ("身份证 110101199003070134", Some(PersonalNumber::Identity)),
            ("110101900307123", Some(PersonalNumber::PerhapsIdentity)),
            ("卡6222020000000000008", None),
            ("卡4111111111111111", Some(PersonalNumber::BankCard)),
            ("523607325918361088", None),
            ("81530400560076062A", None),
            ("电话020-87654321", None),
            ("三好街30号", None),
            ("991381234567899", None),
        ] {
            assert_eq!(personal_number(text), expected, "{text}");
        }
    }
}
