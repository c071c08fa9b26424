//! In which encoding a text is, by its content (`reliability.md` 4, rows 14 to 22, 30 to 32). Owns the order mark, strict UTF-8, strict GB18030; nothing is ever decoded with replacement.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, Encoding, GB18030, GBK, UTF_8, UTF_16BE, UTF_16LE};
use rollcall_core::problem::Problem;

/// Decodes the text, strictly. Gives the text and the name of its encoding.
///
/// `asked` is the encoding somebody chose; an order mark still comes first.
pub(crate) fn decode<'b>(
    bytes: &'b [u8],
    asked: Option<&str>,
) -> Result<(Cow<'b, str>, &'static str), Problem> {
    let asked = asked.map(encoding_by_name).transpose()?;
    let (encoding, body) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (Some(encoding), &bytes[length..]),
        None => (asked, bytes),
    };
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::error("FILE_EMPTY", "", "The file has no content."));
    }
    if let Some(encoding) = encoding {
        let text = decode_as(body, encoding)?;
        refuse_binary(&text)?;
        return Ok((text, display_name(encoding)));
    }
    if body.contains(&0) {
        return Err(match utf_16_guess(body) {
            Some(encoding) => Problem::error(
                "ENCODING_UNSURE",
                "",
                format!(
                    "The file looks like {} without an order mark. Choose the encoding. It would begin: {}",
                    encoding.name(),
                    sample_rows(&encoding.decode_without_bom_handling(body).0)
                ),
            ),
            None => binary(),
        });
    }
    match std::str::from_utf8(body) {
        Ok(text) => {
            if is_double_encoded(text) {
                return Err(Problem::error(
                    "ENCODING_SUSPECT",
                    "",
                    format!(
                        "The text looks as if it had been decoded wrongly before it was saved. If it is right, choose UTF-8. It begins: {}",
                        sample_rows(text)
                    ),
                ));
            }
            Ok((Cow::Borrowed(text), "UTF-8"))
        }
        Err(error) => match decode_strictly(body, GB18030) {
            // A cut sequence at the very end of what is UTF-8 otherwise.
            _ if error.error_len().is_none() && looks_like_utf_8(body) => Err(cut("UTF-8")),
            result => {
                if let Some(row) = first_odd_row(body) {
                    return Err(Problem::error(
                        "ENCODING_MIXED",
                        format!("row {row}"),
                        format!("Some rows are UTF-8 and some GB18030; row {row} is the first that differs."),
                    ));
                }
                match result {
                    Ok(text) if is_plausible_gb18030(body) => Ok((Cow::Owned(text), "GB18030")),
                    Err(Fault::Cut) if is_plausible_gb18030(body) => Err(cut("GB18030")),
                    _ => Err(Problem::error(
                        "ENCODING_UNSURE",
                        format!("row {}", row_of(body, error.valid_up_to())),
                        format!(
                            "Row {} is neither UTF-8 nor GB18030. Choose the encoding. The file begins: {}",
                            row_of(body, error.valid_up_to()),
                            sample_rows(&String::from_utf8_lossy(&body[..body.len().min(4096)]))
                        ),
                    )),
                }
            }
        },
    }
}

fn encoding_by_name(name: &str) -> Result<&'static Encoding, Problem> {
    let found = Encoding::for_label(name.trim().as_bytes()).ok_or_else(|| {
        Problem::error(
            "ENCODING_UNSURE",
            "",
            format!("{name:?} is no known encoding; use UTF-8, GB18030 or UTF-16LE."),
        )
    })?;
    Ok(if found == GBK { GB18030 } else { found })
}

fn display_name(encoding: &'static Encoding) -> &'static str {
    if encoding == GB18030 {
        "GB18030"
    } else {
        encoding.name()
    }
}

enum Fault {
    /// The last character is not whole.
    Cut,
    /// Bytes before this one do not fit.
    At(usize),
}

fn decode_as<'b>(body: &'b [u8], encoding: &'static Encoding) -> Result<Cow<'b, str>, Problem> {
    if encoding == UTF_8
        && let Ok(text) = std::str::from_utf8(body)
    {
        return Ok(Cow::Borrowed(text));
    }
    decode_strictly(body, encoding)
        .map(Cow::Owned)
        .map_err(|fault| match fault {
            Fault::Cut => cut(display_name(encoding)),
            Fault::At(at) => Problem::error(
                "ENCODING_LOSSY",
                format!("row {}", row_of(body, at)),
                format!(
                    "Row {} is not {}; nothing is read with characters lost.",
                    row_of(body, at),
                    display_name(encoding)
                ),
            ),
        })
}

fn decode_strictly(body: &[u8], encoding: &'static Encoding) -> Result<String, Fault> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder
        .max_utf8_buffer_length_without_replacement(body.len())
        .unwrap_or(body.len());
    let mut text = String::with_capacity(room.min(body.len() * 2));
    let mut at = 0;
    // Fed in two steps: what fails only when told that this was all is a cut, not a fault.
    for last in [false, true] {
        loop {
            let (result, read) = decoder.decode_to_string_without_replacement(&body[at..], &mut text, last);
            at += read;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => text.reserve((body.len() - at).max(64) * 2),
                DecoderResult::Malformed(..) if last => return Err(Fault::Cut),
                DecoderResult::Malformed(..) => return Err(Fault::At(at.saturating_sub(1))),
            }
        }
    }
    Ok(text)
}

fn cut(encoding: &str) -> Problem {
    Problem::error(
        "FILE_CUT",
        "",
        format!("The file ({encoding}) ends in the middle of a character; get it again whole."),
    )
}

fn binary() -> Problem {
    Problem::error(
        "BINARY_IN_TEXT",
        "",
        "The text holds NUL bytes, so it is no plain text. Save it again as .csv or .xlsx.",
    )
}

fn refuse_binary(text: &str) -> Result<(), Problem> {
    if text.contains('\0') {
        Err(binary())
    } else {
        Ok(())
    }
}

/// UTF-16 where the zero bytes lie all on one side of the pairs.
fn utf_16_guess(body: &[u8]) -> Option<&'static Encoding> {
    let zeros = |odd: usize| {
        body.iter()
            .skip(odd)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    match (zeros(0), zeros(1)) {
        _ if body.len() % 2 == 1 => None,
        (0, low) if low > 1 => Some(UTF_16LE),
        (high, 0) if high > 1 => Some(UTF_16BE),
        _ => None,
    }
}

fn sample_rows(text: &str) -> String {
    let rows = text.lines().filter(|line| !line.trim().is_empty()).take(5);
    rows.map(|line| line.chars().take(40).collect::<String>())
        .collect::<Vec<_>>()
        .join(" / ")
}

/// Rows from 1, by line feeds or, where there are none, by carriage returns.
fn row_of(body: &[u8], at: usize) -> usize {
    let end = if body.contains(&b'\n') { b'\n' } else { b'\r' };
    body[..at].iter().filter(|byte| **byte == end).count() + 1
}

fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Three hanzi in UTF-8 are hardly ever valid by chance in GB18030.
fn is_surely_utf_8(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|text| {
        text.chars()
            .filter(|c| ('\u{3000}'..='\u{9fff}').contains(c))
            .count()
            >= 3
    })
}

fn looks_like_utf_8(body: &[u8]) -> bool {
    let cut_line = lines(body).last().unwrap_or_default();
    let before = &body[..body.len() - cut_line.len()];
    let whole = std::str::from_utf8(before).is_ok();
    let cut_at = std::str::from_utf8(cut_line).map_or_else(|error| error.valid_up_to(), str::len);
    whole && (lines(before).any(is_surely_utf_8) || is_surely_utf_8(&cut_line[..cut_at]))
}

/// The first row that is not in the encoding of most rows, where both occur.
fn first_odd_row(body: &[u8]) -> Option<usize> {
    let (mut utf_8, mut other) = ((0, None), (0, None));
    let end = if body.contains(&b'\n') { b'\n' } else { b'\r' };
    for (index, line) in body.split(|byte| *byte == end).enumerate() {
        let slot = match std::str::from_utf8(line) {
            Ok(_) if is_surely_utf_8(line) => &mut utf_8,
            Err(_) => &mut other,
            Ok(_) => continue,
        };
        slot.0 += 1;
        slot.1.get_or_insert(index + 1);
    }
    match (utf_8, other) {
        ((0, _), _) | (_, (0, _)) => None,
        ((utf_8, first), (other, _)) if utf_8 < other => first,
        (_, (_, first)) => first,
    }
}

/// Western text may decode as GB18030 by chance; its second bytes are then plain letters. Chinese text is mostly in
/// the part of the table where both bytes are high.
fn is_plausible_gb18030(body: &[u8]) -> bool {
    let (mut high, mut all, mut at) = (0_usize, 0_usize, 0);
    while at + 1 < body.len() {
        if body[at] < 0x80 {
            at += 1;
            continue;
        }
        all += 1;
        match body[at + 1] {
            0x30..=0x39 => at += 4,
            second => {
                high += usize::from(second >= 0xa1);
                at += 2;
            }
        }
    }
    high * 2 >= all
}

/// UTF-8 that was read as GBK or Latin-1 and saved as UTF-8 again (`浣犲ソ`).
fn is_double_encoded(text: &str) -> bool {
    let (mut odd, mut all) = (0_usize, 0_usize);
    let mut length = 0;
    for line in text.lines() {
        length += line.len();
        if length > 64 * 1024 {
            break;
        }
        if line.chars().filter(|c| !c.is_ascii()).count() < 3 {
            continue;
        }
        all += 1;
        let gb18030 = GB18030.encode(line).0;
        let latin: Option<Vec<u8>> = line.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        odd +=
            usize::from(is_mostly_chinese(&gb18030) || latin.is_some_and(|bytes| is_mostly_chinese(&bytes)));
    }
    odd * 2 > all
}

fn is_mostly_chinese(bytes: &[u8]) -> bool {
    // Some characters are usually lost on the way.
    let text = String::from_utf8_lossy(bytes);
    let chinese = text
        .chars()
        .filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c))
        .count();
    chinese >= 2 && chinese * 3 >= text.chars().filter(|c| !c.is_ascii()).count() * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "名称,地址\n爱华幼儿园,广州市海珠区\n安安幼儿园,新华镇松园大道\n";

    fn gb18030(text: &str) -> Vec<u8> {
        GB18030.encode(text).0.into_owned()
    }

    fn utf_16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    }

    #[test]
    fn readable_encodings_are_told_apart() {
        let with_mark = |mark: &[u8], body: Vec<u8>| [mark, &body].concat();
        for (bytes, name) in [
            (TEXT.as_bytes().to_vec(), "UTF-8"),
            (with_mark(b"\xef\xbb\xbf", TEXT.as_bytes().to_vec()), "UTF-8"),
            (with_mark(b"\xff\xfe", utf_16(TEXT, false)), "UTF-16LE"),
            (with_mark(b"\xfe\xff", utf_16(TEXT, true)), "UTF-16BE"),
            (gb18030(TEXT), "GB18030"),
        ] {
            let (text, encoding) = decode(&bytes, None).expect(name);
            assert_eq!((text.as_ref(), encoding), (TEXT, name));
        }
        let bytes = utf_16(TEXT, false);
        let (text, _) = decode(&bytes, Some("utf-16le")).expect("as asked");
        assert_eq!(text, TEXT);
    }

    #[test]
    fn what_cannot_be_read_for_certain_is_refused() {
        let utf_8 = TEXT.as_bytes();
        let mixed = [utf_8, &gb18030("甲乙丙幼儿园,海珠\n")].concat();
        let mixed_other_way = [
            &gb18030(TEXT)[..],
            &gb18030(TEXT),
            "甲乙丙幼儿园,海珠\n".as_bytes(),
        ]
        .concat();
        let double = GB18030.decode_without_bom_handling(utf_8).0.into_owned();
        let latin: String = utf_8.iter().map(|byte| char::from(*byte)).collect();
        for (bytes, code, place) in [
            (utf_16(TEXT, false), "ENCODING_UNSURE", ""),
            (utf_16(TEXT, true), "ENCODING_UNSURE", ""),
            (b"a,b\nc\0d,e\n".to_vec(), "BINARY_IN_TEXT", ""),
            (mixed, "ENCODING_MIXED", "row 4"),
            (mixed_other_way, "ENCODING_MIXED", "row 7"),
            (utf_8[..utf_8.len() - 2].to_vec(), "FILE_CUT", ""),
            (
                gb18030(TEXT.trim_end())[..gb18030(TEXT.trim_end()).len() - 1].to_vec(),
                "FILE_CUT",
                "",
            ),
            (
                b"name\nCaf\xe9s and cr\xe8che,x\n\xff\n".to_vec(),
                "ENCODING_UNSURE",
                "row 2",
            ),
            (b"name\nCaf\xe9s cr\xe8mes\n".to_vec(), "ENCODING_UNSURE", "row 2"),
            (double.into_bytes(), "ENCODING_SUSPECT", ""),
            (latin.into_bytes(), "ENCODING_SUSPECT", ""),
            (b" \r\n".to_vec(), "FILE_EMPTY", ""),
        ] {
            let problem = decode(&bytes, None).expect_err(code);
            assert_eq!(
                (problem.code.as_str(), problem.place.as_str()),
                (code, place),
                "{}",
                problem.message
            );
        }
        assert_eq!(
            decode(&gb18030(TEXT), Some("utf-8")).expect_err("strict").code,
            "ENCODING_LOSSY"
        );
        assert_eq!(
            decode(utf_8, Some("klingon")).expect_err("unknown").code,
            "ENCODING_UNSURE"
        );
    }
}
