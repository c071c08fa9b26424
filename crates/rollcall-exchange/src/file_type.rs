//! Whether a file is a workbook or text, by size, first bytes and name (`reliability.md` 4, rows 14 to 22).

use rollcall_core::problem::Problem;

use crate::limit::FILE_BYTES_MAX;

/// What is read in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileType {
    /// A zip archive; whether it is a workbook is for `archive` to say.
    Archive,
    /// Text.
    Text,
}

/// Looks at size, first bytes and the ending of the name.
pub(crate) fn file_type(bytes: &[u8], file_name: &str) -> Result<FileType, Problem> {
    if bytes.is_empty() {
        return Err(Problem::error("FILE_EMPTY", "", "The file has no content."));
    }
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Problem::error(
            "FILE_TOO_BIG",
            "",
            format!(
                "The file has {} bytes; at most {FILE_BYTES_MAX} are read at once. Split it by rows.",
                bytes.len()
            ),
        ));
    }
    let ending = file_name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase())
        .unwrap_or_default();
    let text_ending = matches!(ending.as_str(), "csv" | "txt" | "tsv");
    let mismatch = |what: &str| {
        Err(Problem::error(
            "TYPE_MISMATCH",
            "",
            format!(
                "The name ends in .{ending}, but the content is {what}. Save it again in the right form."
            ),
        ))
    };
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return if text_ending {
            mismatch("a zip archive or a workbook")
        } else {
            Ok(FileType::Archive)
        };
    }
    if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]) {
        let encrypted: Vec<u8> = "EncryptedPackage"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        if bytes.windows(encrypted.len()).any(|window| window == encrypted) {
            return Err(encrypted_file());
        }
        return Err(unsupported("an old Excel file (.xls)"));
    }
    if bytes.len() > 3 && bytes[0] == 0x09 && matches!(bytes[1], 0 | 2 | 4 | 8) && bytes[3] == 0 {
        return Err(unsupported("a very old Excel file"));
    }
    for (magic, what) in [
        (&b"%PDF"[..], "a PDF document"),
        (&[0x1f, 0x8b], "a gzip archive"),
        (b"Rar!", "a RAR archive"),
        (b"7z\xbc\xaf", "a 7z archive"),
        (b"\x89PNG", "a picture"),
        (&[0xff, 0xd8, 0xff], "a picture"),
        (b"SQLite format 3", "a database"),
    ] {
        if bytes.starts_with(magic) {
            return mismatch(what);
        }
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]).to_ascii_lowercase();
    let head = head.trim_start_matches(['\u{feff}', ' ', '\r', '\n', '\t']);
    if ["<!doctype", "<html", "<?xml", "<table", "{\\rtf"]
        .iter()
        .any(|start| head.starts_with(start))
    {
        return mismatch("a web page or a document");
    }
    if matches!(ending.as_str(), "xlsx" | "xlsm" | "xls" | "xlsb" | "ods" | "zip") {
        return mismatch("text");
    }
    Ok(FileType::Text)
}

pub(crate) fn encrypted_file() -> Problem {
    Problem::error(
        "FILE_ENCRYPTED",
        "",
        "The file is protected by a password. Save it without one.",
    )
}

pub(crate) fn unsupported(what: &str) -> Problem {
    Problem::error(
        "TYPE_UNSUPPORTED",
        "",
        format!("This is {what}. Save as .xlsx or .csv."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_something_else_are_refused() {
        let old_excel = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
        let package: Vec<u8> = "EncryptedPackage"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let encrypted = [&old_excel[..], &package].concat();
        for (bytes, name, code) in [
            (&b""[..], "a.csv", "FILE_EMPTY"),
            (b"PK\x03\x04rest", "a.csv", "TYPE_MISMATCH"),
            (b"<html><table>", "a.xlsx", "TYPE_MISMATCH"),
            (b"<html><table>", "a.csv", "TYPE_MISMATCH"),
            (b"name,address\n", "a.xlsx", "TYPE_MISMATCH"),
            (b"%PDF-1.7", "a.csv", "TYPE_MISMATCH"),
            (&old_excel, "a.xls", "TYPE_UNSUPPORTED"),
            (&encrypted, "a.xlsx", "FILE_ENCRYPTED"),
            (&vec![b'a'; FILE_BYTES_MAX + 1], "a.csv", "FILE_TOO_BIG"),
        ] {
            assert_eq!(file_type(bytes, name).expect_err(code).code, code, "{name}");
        }
        assert_eq!(file_type(b"name\n", "a.csv").ok(), Some(FileType::Text));
        assert_eq!(file_type(b"PK\x03\x04", "").ok(), Some(FileType::Archive));
    }
}
