//! Zip archives and workbooks byte by byte, to be able to make broken ones.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// One part of an archive, and what may be wrong about it.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) attributes: u32,
    /// Size stated instead of the real one.
    pub(crate) declared: Option<u32>,
}

impl Part {
    pub(crate) fn new(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            content: content.into(),
            flags: 0,
            attributes: 0,
            declared: None,
        }
    }
}

/// The archive of these parts, deflated.
pub(crate) fn archive(parts: &[Part]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for part in parts {
        let offset = body.len() as u32;
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&part.content).expect("memory does not fail");
        let packed = encoder.finish().expect("memory does not fail");
        let mut crc = Crc::new();
        crc.update(&part.content);
        let mut common = Vec::new();
        common.extend(20_u16.to_le_bytes());
        common.extend(part.flags.to_le_bytes());
        common.extend(8_u16.to_le_bytes());
        common.extend([0; 4]);
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend(part.declared.unwrap_or(part.content.len() as u32).to_le_bytes());
        common.extend((part.name.len() as u16).to_le_bytes());
        common.extend([0; 2]);
        body.extend(b"PK\x03\x04");
        body.extend(&common);
        body.extend(part.name.as_bytes());
        body.extend(packed);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend(part.attributes.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(part.name.as_bytes());
    }
    let offset = body.len() as u32;
    body.extend(&directory);
    body.extend(b"PK\x05\x06\0\0\0\0");
    body.extend((parts.len() as u16).to_le_bytes());
    body.extend((parts.len() as u16).to_le_bytes());
    body.extend((directory.len() as u32).to_le_bytes());
    body.extend(offset.to_le_bytes());
    body.extend([0; 2]);
    body
}

/// The parts of a workbook with one sheet; `after` follows the rows (merged cells).
pub(crate) fn workbook_parts(rows: &str, after: &str, properties: &str) -> Vec<Part> {
    sheets_parts(
        &[(
            "Sheet1",
            "visible",
            &format!("<sheetData>{rows}</sheetData>{after}"),
        )],
        properties,
    )
}

/// The parts of a workbook: name, state and body of each sheet.
pub(crate) fn sheets_parts(sheets: &[(&str, &str, &str)], properties: &str) -> Vec<Part> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let (mut list, mut relations) = (String::new(), String::new());
    let mut parts = Vec::new();
    for (index, (name, state, body)) in sheets.iter().enumerate() {
        let id = index + 1;
        list += &format!(r#"<sheet name="{name}" sheetId="{id}" state="{state}" r:id="rId{id}"/>"#);
        relations += &format!(
            r#"<Relationship Id="rId{id}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{id}.xml"/>"#
        );
        parts.push(Part::new(
            &format!("xl/worksheets/sheet{id}.xml"),
            format!(r#"<?xml version="1.0"?><worksheet xmlns="{MAIN}">{body}</worksheet>"#),
        ));
    }
    let styles = format!(
        r#"<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#
    );
    parts.push(Part::new("xl/styles.xml", styles));
    parts.push(Part::new("[Content_Types].xml", "<Types/>"));
    parts.push(Part::new(
        "xl/workbook.xml",
        format!(r#"<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><workbookPr {properties}/><sheets>{list}</sheets></workbook>"#),
    ));
    parts.push(Part::new(
        "xl/_rels/workbook.xml.rels",
        format!(r#"<Relationships xmlns="{PACKAGE}">{relations}</Relationships>"#),
    ));
    parts.push(Part::new(
        "_rels/.rels",
        format!(r#"<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#),
    ));
    parts
}

/// A row of text cells.
pub(crate) fn text_row(row: u32, cells: &[&str]) -> String {
    let cells: String = cells
        .iter()
        .zip('A'..='Z')
        .map(|(cell, column)| format!(r#"<c r="{column}{row}" t="inlineStr"><is><t>{cell}</t></is></c>"#))
        .collect();
    format!(r#"<row r="{row}">{cells}</row>"#)
}
