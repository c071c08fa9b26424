//! A workbook as a zip archive, looked through before anything reads it (`reliability.md` 4, rows 31 to 35).
//! Owns the directory of the archive and a pass that unpacks every part to nowhere, counting real bytes and looking
//! at the XML for what makes readers slow or big; leaves the cells to `workbook`.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::DeflateDecoder;
use rollcall_core::problem::Problem;

use crate::file_type::{encrypted_file, unsupported};
use crate::limit::{
    PARTS_MAX, STRINGS_BYTES_MAX, UNPACKED_BYTES_MAX, UNPACKED_RATIO_FREE_BYTES, UNPACKED_RATIO_MAX,
    XML_ATTRIBUTES_MAX, XML_DEPTH_MAX,
};

/// What the pass found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inspection {
    /// Whether any sheet has merged cells.
    pub(crate) has_merged_cells: bool,
}

struct Part {
    name: String,
    packed: u64,
    declared: u64,
    method: u16,
    header_at: usize,
}

/// Refuses what is no workbook or not safe to read.
pub(crate) fn inspect(bytes: &[u8]) -> Result<Inspection, Problem> {
    let parts = read_directory(bytes)?;
    let has = |name: &str| parts.iter().any(|part| part.name.eq_ignore_ascii_case(name));
    if !has("xl/workbook.xml") {
        if has("xl/workbook.bin") {
            return Err(unsupported("a binary Excel file (.xlsb)"));
        }
        if has("content.xml") {
            return Err(unsupported("an OpenDocument file (.ods)"));
        }
        return Err(Problem::error(
            "TYPE_MISMATCH",
            "",
            "The file is a zip archive, but no workbook. Unpack it first.",
        ));
    }
    let mut total = 0;
    let mut has_merged_cells = false;
    for part in &parts {
        let mut scan = XmlScan::default();
        let real = unpack(bytes, part, total, &mut scan)?;
        if real != part.declared {
            return Err(damaged(&part.name, "it unpacks to another size than stated"));
        }
        if part.name.to_ascii_lowercase().ends_with("sharedstrings.xml") && real > STRINGS_BYTES_MAX {
            return Err(too_big());
        }
        total += real;
        has_merged_cells |= scan.has_merged_cells && part.name.starts_with("xl/worksheets/");
    }
    if total > UNPACKED_RATIO_FREE_BYTES && total > bytes.len() as u64 * UNPACKED_RATIO_MAX {
        return Err(too_big());
    }
    Ok(Inspection { has_merged_cells })
}

fn damaged(part: &str, why: &str) -> Problem {
    let part = part
        .chars()
        .filter(|c| !c.is_control())
        .take(80)
        .collect::<String>();
    Problem::error(
        "FILE_DAMAGED",
        "",
        format!("The workbook cannot be read: {part}: {why}. Open it and save it again."),
    )
}

fn too_big() -> Problem {
    Problem::error(
        "FILE_UNPACKS_TOO_BIG",
        "",
        format!(
            "The workbook unpacks to more than {} MB or to more than {UNPACKED_RATIO_MAX} times its size. Save the rows as .csv.",
            UNPACKED_BYTES_MAX / 1024 / 1024
        ),
    )
}

/// Little-endian numbers of the archive's records.
struct Record<'b>(&'b [u8]);

impl Record<'_> {
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        let bytes = self.0.get(at..at + length)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    }
}

/// Where the directory lies: offset, size, number of parts. Its end must be the end of the file, so that every reader
/// finds the same one.
fn find_directory(bytes: &[u8]) -> Option<(usize, usize, usize)> {
    let from = bytes.len().saturating_sub(22 + 65_535);
    let end_at = (from..=bytes.len().checked_sub(22)?)
        .rev()
        .find(|at| bytes[*at..].starts_with(b"PK\x05\x06"))?;
    let end = Record(&bytes[end_at..]);
    if end_at + 22 + end.number(20, 2)? as usize != bytes.len() {
        return None;
    }
    let (mut count, mut size, mut offset) = (end.number(10, 2)?, end.number(12, 4)?, end.number(16, 4)?);
    let mut directory_end = end_at;
    if let Some(locator_at) = end_at.checked_sub(20)
        && bytes[locator_at..].starts_with(b"PK\x06\x07")
    {
        directory_end = usize::try_from(Record(&bytes[locator_at..]).number(8, 8)?).ok()?;
        let wide = bytes.get(directory_end..locator_at)?;
        if !wide.starts_with(b"PK\x06\x06") || wide.len() != 56 {
            return None;
        }
        let wide = Record(wide);
        (count, size, offset) = (wide.number(32, 8)?, wide.number(40, 8)?, wide.number(48, 8)?);
    }
    let (offset, size) = (usize::try_from(offset).ok()?, usize::try_from(size).ok()?);
    (offset.checked_add(size)? == directory_end).then_some((offset, size, usize::try_from(count).ok()?))
}

fn read_directory(bytes: &[u8]) -> Result<Vec<Part>, Problem> {
    let (offset, size, count) =
        find_directory(bytes).ok_or_else(|| damaged("archive", "its directory is missing or broken"))?;
    if count > PARTS_MAX {
        return Err(too_big());
    }
    let mut parts = Vec::with_capacity(count);
    let mut names = BTreeSet::new();
    let mut rest = bytes.get(offset..offset + size).unwrap_or_default();
    for _ in 0..count {
        let (part, length) = read_part(rest)?;
        rest = &rest[length..];
        let name = part.name.to_ascii_lowercase();
        if name.split(['/', '\\']).any(|step| step == "..") || name.starts_with('/') || name.contains('\\') {
            return Err(damaged(&part.name, "its path leads out of the archive"));
        }
        if [".zip", ".xlsx", ".xlsm", ".xls", ".7z", ".rar", ".gz"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            return Err(damaged(&part.name, "it is an archive inside the archive"));
        }
        if !names.insert(name) {
            return Err(damaged(&part.name, "the name occurs twice"));
        }
        parts.push(part);
    }
    if rest.is_empty() {
        Ok(parts)
    } else {
        Err(damaged("archive", "its directory is longer than stated"))
    }
}

fn read_part(rest: &[u8]) -> Result<(Part, usize), Problem> {
    let broken = || damaged("archive", "its directory is broken");
    if !rest.starts_with(b"PK\x01\x02") {
        return Err(broken());
    }
    let record = Record(rest);
    let number = |at, length| record.number(at, length).ok_or_else(broken);
    let (name_length, extra_length, comment_length) = (
        number(28, 2)? as usize,
        number(30, 2)? as usize,
        number(32, 2)? as usize,
    );
    let length = 46 + name_length + extra_length + comment_length;
    let name = rest.get(46..46 + name_length).ok_or_else(broken)?;
    let extra = rest
        .get(46 + name_length..46 + name_length + extra_length)
        .ok_or_else(broken)?;
    if rest.len() < length {
        return Err(broken());
    }
    let name = String::from_utf8_lossy(name).into_owned();
    if number(8, 2)? & 1 != 0 {
        return Err(encrypted_file());
    }
    if number(38, 4)? >> 16 & 0o170_000 == 0o120_000 {
        return Err(damaged(&name, "it is a link"));
    }
    let mut wide = wide_numbers(extra);
    let mut resolve = |value: u64| {
        if value == 0xffff_ffff {
            wide.next().ok_or_else(broken)
        } else {
            Ok(value)
        }
    };
    let declared = resolve(number(24, 4)?)?;
    let packed = resolve(number(20, 4)?)?;
    let header_at = usize::try_from(resolve(number(42, 4)?)?).map_err(|_| broken())?;
    Ok((
        Part {
            name,
            packed,
            declared,
            method: number(10, 2)? as u16,
            header_at,
        },
        length,
    ))
}

/// Numbers of the extra field for sizes that need more than four bytes.
fn wide_numbers(extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut found: &[u8] = &[];
    let mut rest = extra;
    while let (Some(id), Some(length)) = (Record(rest).number(0, 2), Record(rest).number(2, 2)) {
        let Some(body) = rest.get(4..4 + length as usize) else {
            break;
        };
        if id == 1 {
            found = body;
        }
        rest = &rest[4 + length as usize..];
    }
    found
        .chunks_exact(8)
        .filter_map(|chunk| Record(chunk).number(0, 8))
}

/// Unpacks a part to nowhere. Stops as soon as the limit is passed.
fn unpack(bytes: &[u8], part: &Part, before: u64, scan: &mut XmlScan) -> Result<u64, Problem> {
    let broken = || damaged(&part.name, "its content is missing or broken");
    let header = bytes
        .get(part.header_at..)
        .filter(|rest| rest.starts_with(b"PK\x03\x04"))
        .ok_or_else(broken)?;
    let skip = 30
        + Record(header).number(26, 2).ok_or_else(broken)? as usize
        + Record(header).number(28, 2).ok_or_else(broken)? as usize;
    let packed = usize::try_from(part.packed).map_err(|_| broken())?;
    let content = header
        .get(skip..)
        .and_then(|rest| rest.get(..packed))
        .ok_or_else(broken)?;
    let mut reader: Box<dyn Read> = match part.method {
        0 => Box::new(content),
        8 => Box::new(DeflateDecoder::new(content)),
        _ => {
            return Err(damaged(
                &part.name,
                "it is packed in a way that workbooks do not use",
            ));
        }
    };
    let name = part.name.to_ascii_lowercase();
    let is_xml = [".xml", ".rels", ".vml"]
        .iter()
        .any(|ending| name.ends_with(ending));
    let mut buffer = vec![0; 64 * 1024];
    let mut real = 0;
    loop {
        let length = reader.read(&mut buffer).map_err(|_| broken())?;
        let chunk = &buffer[..length];
        if length == 0 {
            return Ok(real);
        }
        if real == 0 && (chunk.starts_with(b"PK\x03\x04") || is_xml && matches!(chunk[0], 0xfe | 0xff)) {
            return Err(damaged(&part.name, "its content is not what its name says"));
        }
        real += length as u64;
        if before + real > UNPACKED_BYTES_MAX {
            return Err(too_big());
        }
        if is_xml {
            scan.feed(chunk).map_err(|why| damaged(&part.name, why))?;
        }
    }
}

/// Counts elements and attributes without reading XML as such.
#[derive(Default)]
struct XmlScan {
    state: XmlState,
    depth: usize,
    attributes: usize,
    name: Vec<u8>,
    last: u8,
    before_last: u8,
    has_merged_cells: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum XmlState {
    #[default]
    Text,
    /// After `<`.
    Opened,
    Name,
    Attributes,
    Quoted(u8),
    End,
    Instruction,
    /// After `<!`.
    Declared,
    Comment,
    Cdata,
}

impl XmlScan {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            if self.state == XmlState::Text {
                match rest.iter().position(|byte| *byte == b'<') {
                    None => return Ok(()),
                    Some(at) => rest = &rest[at + 1..],
                }
                self.state = XmlState::Opened;
                continue;
            }
            rest = after;
            self.step(*byte)?;
            (self.before_last, self.last) = (self.last, *byte);
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
        match (self.state, byte) {
            (XmlState::Opened, b'/') => self.state = XmlState::End,
            (XmlState::Opened, b'?') => self.state = XmlState::Instruction,
            (XmlState::Opened, b'!') => self.state = XmlState::Declared,
            (XmlState::Opened, _) => {
                self.state = XmlState::Name;
                self.attributes = 0;
                self.name.clear();
                self.name.push(byte);
                self.depth += 1;
                if self.depth > XML_DEPTH_MAX {
                    return Err("its elements are nested too deep");
                }
            }
            (XmlState::Name, b'>') | (XmlState::Attributes, b'>') => {
                self.has_merged_cells |= self.name.ends_with(b"mergeCell");
                if self.last == b'/' {
                    self.depth = self.depth.saturating_sub(1);
                }
                self.state = XmlState::Text;
            }
            (XmlState::Name, b' ' | b'\t' | b'\r' | b'\n') => self.state = XmlState::Attributes,
            (XmlState::Name, b'/') => {}
            (XmlState::Name, _) if self.name.len() < 64 => self.name.push(byte),
            (XmlState::Attributes, b'"' | b'\'') => self.state = XmlState::Quoted(byte),
            (XmlState::Attributes, b'=') => {
                self.attributes += 1;
                if self.attributes > XML_ATTRIBUTES_MAX {
                    return Err("an element has too many attributes");
                }
            }
            (XmlState::Quoted(quote), _) if byte == quote => self.state = XmlState::Attributes,
            (XmlState::End, b'>') => {
                self.depth = self.depth.saturating_sub(1);
                self.state = XmlState::Text;
            }
            (XmlState::Declared, b'-') => self.state = XmlState::Comment,
            (XmlState::Declared, b'[') => self.state = XmlState::Cdata,
            (XmlState::Declared, _) => return Err("it declares a document type or entities"),
            (XmlState::Instruction, b'>') if self.last == b'?' => self.state = XmlState::Text,
            (XmlState::Comment, b'>') if self.last == b'-' && self.before_last == b'-' => {
                self.state = XmlState::Text
            }
            (XmlState::Cdata, b'>') if self.last == b']' && self.before_last == b']' => {
                self.state = XmlState::Text
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scan_refuses_what_makes_readers_slow() {
        let many = format!("<a {}/>", "x='1' ".repeat(XML_ATTRIBUTES_MAX + 1));
        for (xml, fits) in [
            (
                "<?xml version='1.0'?><a b='>'><!-- <x> --><c/><![CDATA[<d>]]></a>".to_owned(),
                true,
            ),
            ("<a><b/></a>".repeat(100), true),
            ("<a>".repeat(XML_DEPTH_MAX + 1), false),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>".to_owned(), false),
            (many, false),
        ] {
            let mut scan = XmlScan::default();
            // In pieces, as it comes out of the unpacking.
            let result = xml.as_bytes().chunks(7).try_for_each(|chunk| scan.feed(chunk));
            assert_eq!(result.is_ok(), fits, "{}", &xml[..30.min(xml.len())]);
        }
    }

    #[test]
    fn merged_cells_are_noticed() {
        let mut scan = XmlScan::default();
        scan.feed(b"<mergeCells count='1'><mergeCell ref='A1:C1'/></mergeCells>")
            .expect("fits");
        assert!(scan.has_merged_cells);
    }
}
