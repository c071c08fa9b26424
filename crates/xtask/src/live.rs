//! What an interrupt must not leave behind: processes that were started and still run, and temporary folders.
//! Owns the list of both and how they are ended; leaves what the processes do to `process`.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal as listen};

use crate::say;

struct Live {
    processes: BTreeSet<u32>,
    /// Those of them that lead a group: whatever they started ends with them.
    leaders: BTreeSet<u32>,
    folders: BTreeSet<PathBuf>,
    /// The work is done and only an interrupt ends the program.
    staying: bool,
    closing: bool,
}

static LIVE: Mutex<Live> = Mutex::new(Live {
    processes: BTreeSet::new(),
    leaders: BTreeSet::new(),
    folders: BTreeSet::new(),
    staying: false,
    closing: false,
});

/// A folder that goes with this value, or with an interrupt.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes a temporary one.
    pub(crate) fn new(purpose: &str) -> Result<Self> {
        let prefix = format!("rollcall-{purpose}-");
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir()
            .context("make a temporary folder")?;
        Ok(Self::keep(folder.keep()))
    }

    /// Makes one of this name; what lay there is removed.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        if path.exists() {
            std::fs::remove_dir_all(path).with_context(|| format!("remove {}", path.display()))?;
        }
        std::fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self::keep(path.to_owned()))
    }

    fn keep(path: PathBuf) -> Self {
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .folders
            .insert(path.clone());
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .folders
            .remove(&self.0);
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            say::note(format!("{} could not be removed: {error}", self.0.display()));
        }
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

/// The same as the leader of a group, to which everything belongs that it starts: see [`signal_group`].
pub(crate) fn spawn_group(command: &mut Command) -> Result<Child> {
    let child = spawn(command.process_group(0))?;
    LIVE.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .leaders
        .insert(child.id());
    Ok(child)
}

/// A process has ended and was waited for.
pub(crate) fn forget(process: u32) {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.processes.remove(&process);
    live.leaders.remove(&process);
}

/// Starts nothing more, asks every process to end, and makes those end that do not.
fn end_all() {
    let (processes, leaders) = {
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.closing = true;
        (
            std::mem::take(&mut live.processes),
            std::mem::take(&mut live.leaders),
        )
    };
    for leader in &leaders {
        signal_group(*leader, "-TERM");
    }
    for process in processes.difference(&leaders) {
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

/// Sends a signal to a process that was started with [`spawn_group`] and to everything that it started.
pub(crate) fn signal_group(leader: u32, name: &str) {
    let _ = Command::new("kill")
        .args([name, "--", &format!("-{leader}")])
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
    use std::io::{BufRead, BufReader};

    use super::*;

    #[test]
    fn a_process_runs_until_it_is_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        assert!(runs(child.id()));
        signal(child.id(), "-KILL");
        child.wait().expect("it ends");
        assert!(!runs(child.id()));
    }

    #[test]
    fn a_group_ends_with_its_leader() {
        let mut shell = Command::new("sh");
        let shell = shell
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(Stdio::piped());
        let mut leader = spawn_group(shell).expect("the shell starts");
        let mut line = String::new();
        let mut output = BufReader::new(leader.stdout.take().expect("its output"));
        output.read_line(&mut line).expect("a line");
        let started: u32 = line.trim().parse().expect("the id of the sleeper");
        assert!(runs(started));
        signal_group(leader.id(), "-KILL");
        leader.wait().expect("it ends");
        forget(leader.id());
        // The sleeper is its parent's to collect, and then that of whoever took it over.
        let ended = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            !runs(started)
        });
        assert!(ended);
    }
}
