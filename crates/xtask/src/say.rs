//! What automation tells people: answers on standard output, progress on standard error.
//! Owns the only two places that print; leaves what is said to the tasks.

use std::fmt;

use serde::Serialize;

/// One line of an answer, on standard output.
#[expect(
    clippy::print_stdout,
    reason = "the answer of a task belongs on standard output"
)]
pub(crate) fn line(text: impl fmt::Display) {
    println!("{text}");
}

/// One line about the work, on standard error.
#[expect(clippy::print_stderr, reason = "progress and faults belong on standard error")]
pub(crate) fn note(text: impl fmt::Display) {
    eprintln!("{text}");
}

/// One JSON document on standard output.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table with aligned columns: the first to the left, the others to the right. Wide characters take two places.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = head.iter().map(|cell| width(cell)).collect();
    for row in rows {
        for (wide, cell) in widths.iter_mut().zip(row) {
            *wide = (*wide).max(width(cell));
        }
    }
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let cells = row.iter().zip(&widths).enumerate().map(|(index, (cell, wide))| {
            let gap = " ".repeat(wide - width(cell));
            if index == 0 {
                format!("{cell}{gap}")
            } else {
                format!("{gap}{cell}")
            }
        });
        line(format!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end()));
    }
}

/// Places a text takes in a terminal.
fn width(text: &str) -> usize {
    text.chars()
        .map(|character| {
            if ('\u{2e80}'..='\u{ffe6}').contains(&character) {
                2
            } else {
                1
            }
        })
        .sum()
}

/// A whole number with a space between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_threes_and_chinese_takes_two_places() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!((width("rate"), width("浙江省 1")), (4, 8));
    }
}
