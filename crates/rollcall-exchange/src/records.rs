//! The record format (`cli.md` Records): JSON Lines in and out, one record at a time.
//! Owns the limits of a line and the refusals of `reliability.md` 4 row 73; what a record holds is
//! `rollcall_core::record`.

use std::collections::HashSet;
use std::fmt;
use std::io::{BufRead, Read, Write};

use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use crate::error::Error;
use crate::limit::{RECORD_BYTES_MAX, RECORD_DEPTH_MAX};

/// A line number from 1, and the record of the line or why it holds none.
pub type RecordLine = (u64, Result<Record, Problem>);

/// Reads records line by line; blank lines are passed over.
#[derive(Debug)]
pub struct RecordReader<R> {
    reader: R,
    line: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> RecordReader<R> {
    /// Reads from here.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            line: 0,
            buffer: Vec::new(),
        }
    }

    /// The next record with its line, or why that line holds none; `None` at the end.
    ///
    /// # Errors
    /// The reader below fails.
    pub fn next_record(&mut self) -> Result<Option<RecordLine>, Error> {
        loop {
            self.buffer.clear();
            let length = (&mut self.reader)
                .take(RECORD_BYTES_MAX as u64 + 1)
                .read_until(b'\n', &mut self.buffer)?;
            if length == 0 {
                return Ok(None);
            }
            self.line += 1;
            if length > RECORD_BYTES_MAX {
                self.skip_line()?;
                let message = format!("The line is longer than {RECORD_BYTES_MAX} bytes.");
                return Ok(Some((
                    self.line,
                    Err(Problem::error("ROW_TOO_LONG", "", message)),
                )));
            }
            let bytes = self
                .buffer
                .strip_prefix("\u{feff}".as_bytes())
                .filter(|_| self.line == 1)
                .unwrap_or(&self.buffer);
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some((self.line, read_record(bytes))));
            }
        }
    }

    fn skip_line(&mut self) -> Result<(), Error> {
        while self.buffer.last() != Some(&b'\n') {
            self.buffer.clear();
            if (&mut self.reader)
                .take(RECORD_BYTES_MAX as u64)
                .read_until(b'\n', &mut self.buffer)?
                == 0
            {
                break;
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for RecordReader<R> {
    type Item = Result<RecordLine, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

/// Reads one line.
fn read_record(bytes: &[u8]) -> Result<Record, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Problem::error(
            "ENCODING_LOSSY",
            "",
            "The line is not UTF-8; records are always UTF-8.",
        )
    })?;
    if depth(text) > RECORD_DEPTH_MAX {
        let message = format!("Objects and lists are nested deeper than {RECORD_DEPTH_MAX}.");
        return Err(Problem::error("JSON_DEPTH", "", message));
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let checked = Keys.deserialize(&mut parser).and_then(|()| parser.end());
    checked.map_err(|error| problem_of(&error.to_string()))?;
    serde_json::from_str(text).map_err(|error| problem_of(&error.to_string()))
}

fn problem_of(error: &str) -> Problem {
    let quoted = error.split('`').nth(1).unwrap_or_default();
    let (code, message) = if error.starts_with(DUPLICATE_KEY) {
        (
            "JSON_DUPLICATE_KEY",
            format!("The key {quoted:?} occurs twice in one object."),
        )
    } else if error.starts_with("unknown field") {
        ("FIELD_UNKNOWN", format!("There is no field {quoted:?}."))
    } else if error.starts_with("unknown variant") {
        (
            "VALUE_UNKNOWN",
            format!("{quoted:?} is none of the values that stand there."),
        )
    } else if error.starts_with("number out of range") {
        ("NUMBER_RANGE", "A number is out of range.".to_owned())
    } else if error.starts_with("missing field") {
        ("MISSING_VALUE", format!("The field {quoted:?} is missing."))
    } else {
        ("RECORD_INVALID", format!("The line is no record: {error}."))
    };
    Problem::error(code, quoted, message)
}

/// How deep objects and lists are nested, strings left out.
fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now += 1;
                most = most.max(now);
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

const DUPLICATE_KEY: &str = "duplicate key";

/// Walks a value and refuses an object that has a key twice; serde would keep the last without a word.
struct Keys;

impl<'de> DeserializeSeed<'de> for Keys {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Keys)?;
            if let Some(key) = seen.replace(key) {
                return Err(A::Error::custom(format!("{DUPLICATE_KEY} `{key}`")));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Keys)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Writes records, one a line.
#[derive(Debug)]
pub struct RecordWriter<W> {
    out: W,
}

impl<W: Write> RecordWriter<W> {
    /// Writes to here.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The writer below fails.
    pub fn write(&mut self, record: &Record) -> Result<(), Error> {
        serde_json::to_writer(&mut self.out, record)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Ends the file and gives back what it was written to.
    ///
    /// # Errors
    /// The writer below fails.
    pub fn finish(mut self) -> Result<W, Error> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u64, Result<Record, String>)> {
        RecordReader::new(text.as_bytes())
            .map(|line| line.expect("memory does not fail"))
            .map(|(line, result)| (line, result.map_err(|problem| problem.code)))
            .collect()
    }

    #[test]
    fn a_line_that_is_no_record_says_why() {
        let deep = format!(r#"{{"type":"fund","x":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        for (line, code) in [
            (
                r#"{"type":"organisation","code":null,"code":null}"#,
                "JSON_DUPLICATE_KEY",
            ),
            (
                r#"{"type":"organisation","exclusions":[{"id":"a","id":"b"}]}"#,
                "JSON_DUPLICATE_KEY",
            ),
            (r#"{"type":"organisation","colour":"red"}"#, "FIELD_UNKNOWN"),
            (r#"{"type":"organisation","status_on":1e400}"#, "NUMBER_RANGE"),
            (r#"{"type":"organisation","kind":"club"}"#, "VALUE_UNKNOWN"),
            (r#"{"type":"spaceship"}"#, "VALUE_UNKNOWN"),
            (r#"{"type":"fund","federation":"140829"}"#, "MISSING_VALUE"),
            (r#"{"type":"fund""#, "RECORD_INVALID"),
            (r#"{"type":"same_as","a":"x","b":"y"} {}"#, "RECORD_INVALID"),
            (deep.as_str(), "JSON_DEPTH"),
        ] {
            assert_eq!(read(line), [(1, Err(code.to_owned()))], "{line}");
        }
    }

    #[test]
    fn lines_are_counted_and_one_bad_line_does_not_stop_the_others() {
        let long = "x".repeat(RECORD_BYTES_MAX + 10);
        let text = format!(
            "\u{feff}{{\"type\":\"same_as\",\"a\":\"x\",\"b\":\"y\"}}\n\n{long}\n{{\"type\":\"same_as\",\"a\":\"p\",\"b\":\"q\"}}"
        );
        let lines: Vec<(u64, bool)> = read(&text)
            .iter()
            .map(|(line, result)| (*line, result.is_ok()))
            .collect();
        assert_eq!(lines, [(1, true), (3, false), (4, true)]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let line = concat!(
            r#"{"type":"organisation","code":"52140829MJ1938921G","name":"平陆县供销社常乐双语学校","registered_on":"2009-08-12","#,
            r#""counts":[{"on":"2023-12-31","source":"check","workers":19}],"responsible":[{"value":"140829","from":"2020-01"}]}"#
        );
        let record = read(line).remove(0).1.expect("a record");
        let mut writer = RecordWriter::new(Vec::new());
        writer.write(&record).expect("memory does not fail");
        let text = String::from_utf8(writer.finish().expect("memory does not fail")).expect("JSON is UTF-8");
        assert_eq!(read(&text), [(1, Ok(record))]);
    }
}
