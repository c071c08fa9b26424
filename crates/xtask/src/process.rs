//! Running cargo and the shipped binaries: ports picked by the system, children stopped when dropped.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::{live, say};

/// Runs cargo in the workspace and fails with it.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    cargo_with(root, arguments, &[])
}

/// The same with environment variables.
pub(crate) fn cargo_with(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    say::note(format!("+ cargo {}", arguments.join(" ")));
    let mut child = live::spawn(&mut cargo_command(root, arguments, environment))?;
    let status = child
        .wait()
        .with_context(|| format!("run cargo {}", arguments.join(" ")));
    live::forget(child.id());
    let status = status?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}

/// Cargo in a folder, not started.
pub(crate) fn cargo_command(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root);
    // What cargo told this program about itself is not for those that it builds: build scripts that look at it would
    // run again, and all that stands on them would be built again.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_")
            || name.to_string_lossy().starts_with("CARGO_MANIFEST_")
        {
            command.env_remove(name);
        }
    }
    command
}

/// Whether this program was built as the two are delivered (`cargo run --release`): what it builds and measures then is, too.
pub(crate) fn is_release() -> bool {
    std::env::current_exe()
        .is_ok_and(|own| own.parent().and_then(Path::file_name) == Some(OsStr::new("release")))
}

/// The two programs, built once by this program's own profile.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) node: PathBuf,
    pub(crate) aggregator: PathBuf,
}

impl Programs {
    /// Builds both and names where they lie: beside this very program.
    pub(crate) fn build(root: &Path) -> Result<Self> {
        // The same choice as the tests', so that no library is built twice with other features.
        let mut build = vec!["build", "--locked", "--workspace", "--bins"];
        build.extend(is_release().then_some("--release"));
        cargo(root, &build)?;
        Self::built()
    }

    /// Names them as they were built last.
    pub(crate) fn built() -> Result<Self> {
        let own = std::env::current_exe().context("find this program")?;
        let folder = own.parent().context("find the build folder")?;
        // Tests lie a folder further down.
        let folder = folder
            .ancestors()
            .find(|folder| folder.join("rollcall-node").is_file())
            .context("find the two programs: run cargo build --workspace --bins first")?;
        Ok(Self {
            node: folder.join("rollcall-node"),
            aggregator: folder.join("rollcall-aggregator"),
        })
    }
}

/// Runs a program to its end; standard output as text. Standard error is shown where it fails.
pub(crate) fn output<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<String> {
    let name = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let shown: Vec<_> = arguments
        .iter()
        .map(|argument| argument.as_ref().to_string_lossy())
        .collect();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = live::spawn(&mut command)?;
    let process = child.id();
    let output = child.wait_with_output().with_context(|| format!("run {name}"));
    live::forget(process);
    let output = output?;
    if !output.status.success() {
        bail!(
            "{name} {} ended with {}: {}",
            shown.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("read what {name} printed"))
}

/// The same, read as one JSON document.
pub(crate) fn json<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<serde_json::Value> {
    let text = output(program, arguments)?;
    serde_json::from_str(&text).with_context(|| format!("read JSON from {text:?}"))
}

/// A server process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Lines it printed when it was ready, such as `sync https://127.0.0.1:41234`.
    pub(crate) lines: Vec<String>,
}

impl Server {
    /// Starts it and waits until it has printed `ready` lines.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: &[S],
        ready: usize,
        log_path: &Path,
    ) -> Result<Self> {
        let log =
            std::fs::File::create(log_path).with_context(|| format!("create {}", log_path.display()))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = live::spawn(&mut command)?;
        let stdout = child.stdout.take().context("take its output")?;
        let (sender, receiver) = mpsc::sync_channel(16);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                if sender.send(line.trim().to_owned()).is_err() {
                    break;
                }
                line.clear();
            }
            // Keeps the pipe open and empty for as long as the server writes.
            let _ = std::io::copy(&mut reader.by_ref(), &mut std::io::sink());
        });
        let mut server = Self {
            child,
            lines: Vec::new(),
        };
        while server.lines.len() < ready {
            match receiver.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => server.lines.push(line),
                Err(_) => {
                    let ended = server.child.try_wait().ok().flatten();
                    let ended = ended.map_or("it still runs".to_owned(), |status| status.to_string());
                    let said = std::fs::read_to_string(log_path).unwrap_or_default();
                    let said = said.lines().last().unwrap_or("nothing");
                    bail!(
                        "{} did not say that it is ready ({ended}); the last it said: {said}",
                        program.display()
                    )
                }
            }
        }
        Ok(server)
    }

    /// The address behind a name among the ready lines.
    pub(crate) fn address(&self, name: &str) -> Result<String> {
        self.lines
            .iter()
            .find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned()))
            .with_context(|| format!("find the {name} address in {:?}", self.lines))
    }

    /// Process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end (SIGTERM) and waits.
    pub(crate) fn stop(mut self) -> Result<()> {
        live::signal(self.child.id(), "-TERM");
        for _ in 0..200 {
            if self.child.try_wait().context("wait for the server")?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the server did not end within 10 s of being asked")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        live::forget(self.child.id());
    }
}

/// Peak resident memory of a running process, kilobytes.
pub(crate) fn peak_rss_kb(process: u32) -> Option<u64> {
    status_kb(&process.to_string(), "VmHWM:")
}

/// Resident memory of this process, kilobytes.
pub(crate) fn own_rss_kb() -> Option<u64> {
    status_kb("self", "VmRSS:")
}

/// Begins the peak of a process anew, so that it is the peak of one step.
pub(crate) fn reset_peak(process: u32) {
    // Where the kernel does not allow it, the peak since the start is shown, which is never less.
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// CPU time a process has used, its threads together.
pub(crate) fn cpu_seconds(process: u32) -> Option<f64> {
    cpu_fields(&process.to_string(), 11)
}

/// CPU time that the programs this one has run to their ends have used.
pub(crate) fn finished_cpu_seconds() -> Option<f64> {
    cpu_fields("self", 13)
}

/// The sum of two fields of a process's `stat`: ticks in user and in kernel mode.
fn cpu_fields(process: &str, behind_name: usize) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split_whitespace().skip(behind_name);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    // A hundred ticks a second on every Linux that Rust runs on.
    Some(ticks as f64 / 100.0)
}

/// Lets this program and those it starts from now on hold so many files and connections open, as far as the system allows;
/// how many that are.
pub(crate) fn allow_open_files(wanted: u64) -> Result<u64> {
    let limits = || -> Result<(u64, u64)> {
        let text = std::fs::read_to_string("/proc/self/limits").context("read the limits of this program")?;
        let line = text.lines().find(|line| line.starts_with("Max open files"));
        let mut numbers = line.unwrap_or_default().split_whitespace().skip(3);
        let mut number = || match numbers.next() {
            Some("unlimited") => Some(u64::MAX),
            number => number?.parse().ok(),
        };
        Ok((
            number().context("find the limit of open files")?,
            number().context("find the limit of open files")?,
        ))
    };
    let (now, most) = limits()?;
    if now < wanted {
        let (own, both) = (std::process::id().to_string(), wanted.min(most).to_string());
        let raised = Command::new("prlimit")
            .args(["--pid", &own, &format!("--nofile={both}:")])
            .status();
        ensure!(
            raised.as_ref().is_ok_and(std::process::ExitStatus::success),
            "raise the limit of open files to {both} first: ulimit -n {both}"
        );
    }
    Ok(limits()?.0)
}

fn status_kb(process: &str, key: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
