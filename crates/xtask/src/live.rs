//! What an interrupt must not leave behind: processes that were started and still run, and temporary folders.
//! Owns the list of both and how they are ended; leaves what the processes do to `process`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal as listen};

use crate::say;

struct Live {
    processes: BTreeSet<u32>,
    folders: BTreeSet<PathBuf>,
    /// The work is done and only an interrupt ends the program.
    staying: bool,
    closing: bool,
}

static LIVE: Mutex<Live> = Mutex::new(Live {
    processes: BTreeSet::new(),
    folders: BTreeSet::new(),
    staying: false,
    closing: false,
});

/// A temporary folder that goes with this value, or with an interrupt.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// Makes it.
    pub(crate) fn new(purpose: &str) -> Result<Self> {
        let prefix = format!("rollcall-{purpose}-");
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir()
            .context("make a temporary folder")?;
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .folders
            .insert(folder.path().to_owned());
        Ok(Self(folder))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .folders
            .remove(self.0.path());
    }
}

/// Runs a task to its end or to SIGINT or SIGTERM, whichever comes first; leaves nothing behind either way.
pub(crate) fn guard(task: impl FnOnce() -> Result<()> + Send + 'static) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let mut interrupt = listen(SignalKind::interrupt()).context("listen for SIGINT")?;
        let mut terminate = listen(SignalKind::terminate()).context("listen for SIGTERM")?;
        let (sender, done) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || sender.send(task()));
        tokio::select! {
            ended = done => {
                ended.context("finish the task")??;
                Ok(ExitCode::SUCCESS)
            }
            _ = interrupt.recv() => Ok(interrupted()),
            _ = terminate.recv() => Ok(interrupted()),
        }
    })
}

/// Waits for an interrupt, which is then a good end.
pub(crate) fn stay() -> ! {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner).staying = true;
    loop {
        std::thread::park();
    }
}

fn interrupted() -> ExitCode {
    end_all();
    let (folders, staying) = {
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut live.folders), live.staying)
    };
    for folder in folders {
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            say::note(format!("{} could not be removed: {error}", folder.display()));
        }
    }
    if staying {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(130)
    }
}

/// Starts a process and keeps its id until [`forget`] is told of its end.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    // Under the lock, so that none can start behind the back of `end_all`.
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    if live.closing {
        bail!("this program is ending");
    }
    let child = command
        .spawn()
        .with_context(|| format!("start {}", command.get_program().to_string_lossy()))?;
    live.processes.insert(child.id());
    Ok(child)
}

/// A process has ended and was waited for.
pub(crate) fn forget(process: u32) {
    LIVE.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .processes
        .remove(&process);
}

/// Starts nothing more, asks every process to end, and makes those end that do not.
fn end_all() {
    let processes = {
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.closing = true;
        std::mem::take(&mut live.processes)
    };
    for process in &processes {
        signal(*process, "-TERM");
    }
    for _ in 0..40 {
        if !processes.iter().any(|process| runs(*process)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    for process in processes.iter().filter(|process| runs(**process)) {
        signal(*process, "-KILL");
    }
}

/// Sends a signal; one that has ended already is no fault.
pub(crate) fn signal(process: u32, name: &str) {
    let _ = Command::new("kill")
        .args([name, &process.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// Whether it runs: there, and no zombie that waits to be collected.
fn runs(process: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{process}/stat")) else {
        return false;
    };
    text.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_until_it_is_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        assert!(runs(child.id()));
        signal(child.id(), "-KILL");
        child.wait().expect("it ends");
        assert!(!runs(child.id()));
    }
}
