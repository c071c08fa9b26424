//! How a command ends: one JSON document or plain lines on standard output, a code and a sentence on standard error.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

/// A refusal with a stable code (`cli.md`: exit status 1, code and plain sentence).
#[derive(Debug, thiserror::Error)]
#[error("{code}: {}", sentence(message))]
pub struct Refused {
    /// Stable code of `reliability.md` 4.
    pub code: String,
    /// Plain sentence with the remedy.
    pub message: String,
}

impl Refused {
    /// A refusal.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// What a library says becomes a sentence: it begins with a capital and ends with a stop. What begins with a name of a
/// file keeps it.
fn sentence(message: &str) -> String {
    let message = message.trim();
    let ends = message.ends_with(['.', '!', '?', '。', ')', ':']);
    let word = message.split_whitespace().next().unwrap_or_default();
    if !word
        .chars()
        .all(|letter| letter.is_ascii_lowercase() || matches!(letter, '-' | ',' | ':'))
    {
        return if ends {
            message.to_owned()
        } else {
            format!("{message}.")
        };
    }
    let mut letters = message.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}{}", letters.as_str(), if ends { "" } else { "." })
}

/// The reason of an edit as it is kept.
///
/// # Errors
/// `REASON_MISSING` where it says nothing.
pub fn reason(text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        let message = "Say why with --reason; it is kept with the edit.";
        return Err(Refused::new("REASON_MISSING", message));
    }
    Ok(text.to_owned())
}

/// Prints one JSON document on standard output.
///
/// # Errors
/// Where standard output is closed.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Prints one line on standard output.
///
/// # Errors
/// Where standard output is closed.
pub fn print_line(line: impl fmt::Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// Says something about an answer on standard error, with a code: the answer stands alone on standard output.
pub fn warn(code: &str, message: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(std::io::stderr(), "{}", Refused::new(code, message));
}

/// Turns the end of a command into an exit status; says why on standard error.
pub fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let line = match error.downcast_ref::<Refused>() {
                Some(refused) => refused.to_string(),
                None => Refused::new("FAILED", format!("failed to {error:#}")).to_string(),
            };
            let _ = writeln!(std::io::stderr(), "{line}");
            ExitCode::from(1)
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        // JSON keeps the error of the pipe to itself.
        let json = cause
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn refusal_reads_as_a_sentence_whoever_worded_it() {
        for (message, said) in [
            (
                "there is no field x in this document",
                "X: There is no field x in this document.",
            ),
            ("Ask for a token.", "X: Ask for a token."),
            ("found: 名称, 地址 (名称)", "X: Found: 名称, 地址 (名称)"),
            (
                "keys/signing.pk8 can be read by others",
                "X: keys/signing.pk8 can be read by others.",
            ),
            ("\"x\" is no date", "X: \"x\" is no date."),
        ] {
            assert_eq!(Refused::new("X", message).to_string(), said);
        }
    }

    #[test]
    fn reason_of_blanks_is_none() {
        assert_eq!(reason("  ").expect_err("refused").code, "REASON_MISSING");
        assert_eq!(reason(" moved ").expect("a reason"), "moved");
    }

    #[test]
    fn reader_that_has_gone_away_is_no_failure() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Err(ErrorKind::BrokenPipe.into())
            }
        }
        let json = serde_json::to_writer(Closed, "x").expect_err("closed");
        assert!(is_closed_pipe(&json.into()));
        let plain = writeln!(Closed, "x").expect_err("closed");
        assert!(is_closed_pipe(&plain.into()));
        assert!(!is_closed_pipe(&anyhow::anyhow!("another")));
    }
}
