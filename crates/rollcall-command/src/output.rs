//! How a command ends: one JSON document or plain lines on standard output, a code and a sentence on standard error.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

/// A refusal with a stable code (`cli.md`: exit status 1, code and plain sentence).
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
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

/// Turns the end of a command into an exit status; says why on standard error.
pub fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let line = match error.downcast_ref::<Refused>() {
                Some(refused) => refused.to_string(),
                None => format!("FAILED: failed to {error:#}"),
            };
            let _ = writeln!(std::io::stderr(), "{line}");
            ExitCode::from(1)
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
