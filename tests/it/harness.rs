//! The shipped programs as processes: an aggregator and nodes in folders of their own, on ports the system picks.
//! Owns starting, asking, stopping and cleaning up; what is asked and what must come out is the tests'.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a program may take to listen or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program of the product, built beside this test.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("target/<profile>/deps/<test>");
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is missing: run `cargo build --workspace --bins` first.",
        program.display()
    );
    program
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the checkout")
        .to_owned()
}

/// A file of `tests/fixtures`.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// Whether the long version was asked for.
pub(crate) fn full() -> bool {
    std::env::var("ROLLCALL_TEST_SCALE").is_ok_and(|scale| scale == "full")
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    /// Standard output as one JSON document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}{}", self.out, self.err))
    }

    /// The stable code on standard error.
    pub(crate) fn code(&self) -> &str {
        assert_eq!(
            self.status,
            Some(1),
            "a refusal has exit status 1: {}{}",
            self.out,
            self.err
        );
        let last = self.err.lines().last().unwrap_or_default();
        last.split_once(':').map_or(last, |(code, _)| code)
    }
}

/// Runs a program to its end.
pub(crate) fn run(name: &str, args: &[&str]) -> Said {
    Said::from(command(name, args).output().expect("the program starts"))
}

fn command(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program(name));
    command.args(args).stdin(Stdio::null());
    for name in ["ROLLCALL_DATA", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// A process that serves, and the addresses it printed.
struct Serving {
    child: Child,
    lines: Vec<String>,
}

impl Serving {
    /// Starts and waits until every address has been printed.
    fn start(name: &str, args: &[&str], log: &Path, addresses: usize) -> Self {
        let log = std::fs::File::create(log).expect("a log file");
        let mut child = command(name, args)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut serving = Self {
            child,
            lines: Vec::new(),
        };
        while serving.lines.len() < addresses {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => serving.lines.push(line),
                Err(_) => return serving,
            }
        }
        serving
    }

    fn address(&self, kind: &str) -> Option<String> {
        self.lines
            .iter()
            .find_map(|line| line.strip_prefix(kind).map(|rest| rest.trim().to_owned()))
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn stop(&mut self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill runs");
        assert!(sent.success(), "the process is there to be stopped");
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                assert!(status.success(), "stopping is no failure: {status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the process did not stop within {} s", PATIENCE.as_secs());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An office: a folder with a store, and maybe a process that serves it.
struct Office {
    program: &'static str,
    folder: TempDir,
    serving: Option<Serving>,
}

impl Office {
    fn new(program: &'static str) -> Self {
        let folder = TempDir::with_prefix("rollcall-it-").expect("a temporary folder");
        Self {
            program,
            folder,
            serving: None,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn said(&self, args: &[&str]) -> Said {
        let data = self.data();
        let mut all = args.to_vec();
        all.extend(["--data", data.to_str().expect("a temporary path is text")]);
        run(self.program, &all)
    }

    fn serve(&mut self, args: &[&str], addresses: usize) {
        assert!(self.serving.is_none(), "it serves already");
        let (data, log) = (self.data(), self.folder.path().join("serve.log"));
        let mut all = vec![
            "serve",
            "--data",
            data.to_str().expect("a temporary path is text"),
        ];
        all.extend(args);
        let serving = Serving::start(self.program, &all, &log, addresses);
        assert!(
            serving.lines.len() == addresses,
            "{} did not start: {}",
            self.program,
            std::fs::read_to_string(&log).unwrap_or_default()
        );
        self.serving = Some(serving);
    }
}

macro_rules! office {
    ($name:ident) => {
        impl $name {
            /// Runs a command on this store.
            pub(crate) fn said(&self, args: &[&str]) -> Said {
                self.office.said(args)
            }

            /// Runs a command that must succeed; its standard output.
            pub(crate) fn ok(&self, args: &[&str]) -> String {
                let said = self.said(args);
                assert_eq!(
                    said.status,
                    Some(0),
                    "{} {args:?}: {}{}",
                    self.office.program,
                    said.out,
                    said.err
                );
                said.out
            }

            /// Runs a command that must succeed, with `--json`.
            pub(crate) fn json(&self, args: &[&str]) -> Value {
                let args = [args, &["--json"]].concat();
                let said = self.said(&args);
                assert_eq!(
                    said.status,
                    Some(0),
                    "{} {args:?}: {}{}",
                    self.office.program,
                    said.out,
                    said.err
                );
                said.json()
            }

            /// The data directory.
            pub(crate) fn data(&self) -> PathBuf {
                self.office.data()
            }

            /// The database.
            pub(crate) fn store(&self) -> PathBuf {
                self.data().join("store.db")
            }

            /// A path beside the data directory, removed with everything.
            pub(crate) fn beside(&self, name: &str) -> PathBuf {
                self.office.folder.path().join(name)
            }

            /// SIGTERM, and waits for the end.
            pub(crate) fn stop(&mut self) {
                self.office.serving.take().expect("it serves").stop();
            }
        }
    };
}

/// An aggregator.
pub(crate) struct Aggregator {
    office: Office,
    sync: String,
}

office!(Aggregator);

impl Aggregator {
    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.office.serving.take().expect("it serves").kill();
    }

    /// Resident memory of the serving process, KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let pid = self.office.serving.as_ref().expect("it serves").child.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        number.expect("a number of kilobytes")
    }

    /// Where the console listens.
    pub(crate) fn web(&self) -> String {
        let serving = self.office.serving.as_ref().expect("it serves");
        serving
            .address("web http://")
            .expect("the console's address is printed")
    }

    /// Makes one and serves it.
    pub(crate) fn start() -> Self {
        let mut aggregator = Self {
            office: Office::new("rollcall-aggregator"),
            sync: "127.0.0.1:0".to_owned(),
        };
        aggregator.ok(&["init"]);
        aggregator.serve();
        aggregator
    }

    /// Serves again after `stop` or `kill`, at the address the nodes know.
    pub(crate) fn serve(&mut self) {
        let sync = self.sync.clone();
        self.office
            .serve(&["--sync-addr", &sync, "--web-addr", "127.0.0.1:0"], 2);
        let serving = self.office.serving.as_ref().expect("started");
        let url = serving
            .address("sync https://")
            .expect("the sync server's address is printed");
        assert!(
            serving.address("web http://").is_some(),
            "the console's address is printed"
        );
        self.sync = url;
    }

    /// A copy of its whole data directory on another machine, which will serve at the same address.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self {
            office: Office::new("rollcall-aggregator"),
            sync: self.sync.clone(),
        };
        copy_folder(&self.data(), &copy.data());
        copy
    }

    /// Memory of the serving process, bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let pid = self.office.serving.as_ref().expect("it serves").child.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the system tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        1024 * kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a number")
    }

    /// Where nodes reach it.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.sync)
    }

    /// A new token: federation, then further flags.
    pub(crate) fn token(&self, federation: &str, flags: &[&str]) -> String {
        let token = self.ok(&[&["token", "--federation", federation], flags].concat());
        assert_eq!(token.lines().count(), 1, "a token is one line");
        token.trim().to_owned()
    }

    /// What a node is told that wants to be enrolled, in a folder of this name beside the data directory.
    pub(crate) fn init(&self, token: &str, name: &str) -> Said {
        let data = self.beside(name);
        let data = data.to_str().expect("a temporary path is text");
        let url = self.url();
        let args = ["init", "--data", data, "--token", token, "--aggregator", &url];
        run("rollcall-node", &args)
    }

    /// An enrolled node.
    pub(crate) fn node(&self, federation: &str, flags: &[&str]) -> Node {
        let node = Node {
            office: Office::new("rollcall-node"),
        };
        node.ok(&[
            "init",
            "--token",
            &self.token(federation, flags),
            "--aggregator",
            &self.url(),
        ]);
        node
    }
}

/// A node.
pub(crate) struct Node {
    office: Office,
}

office!(Node);

impl Node {
    /// A node that has never heard of an aggregator.
    pub(crate) fn offline(federation: &str) -> Self {
        let node = Self {
            office: Office::new("rollcall-node"),
        };
        node.ok(&["init", "--offline", "--federation", federation]);
        node
    }

    /// Serves the workspace, without syncing by itself; its address.
    pub(crate) fn serve(&mut self) -> String {
        self.office.serve(&["--web-addr", "127.0.0.1:0", "--no-sync"], 1);
        let serving = self.office.serving.as_ref().expect("started");
        serving
            .address("web http://")
            .expect("the workspace's address is printed")
    }

    /// Serves as a relay, without syncing by itself; its address.
    pub(crate) fn serve_relay(&mut self) -> String {
        let args = [
            "--web-addr",
            "127.0.0.1:0",
            "--no-sync",
            "--relay-addr",
            "127.0.0.1:0",
        ];
        self.office.serve(&args, 2);
        let serving = self.office.serving.as_ref().expect("started");
        serving.address("relay ").expect("the relay's address is printed")
    }

    /// A copy of its whole data directory, as of a disk: keys, settings and store.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self {
            office: Office::new("rollcall-node"),
        };
        copy_folder(&self.data(), &copy.data());
        copy
    }

    /// Serves the workspace and syncs by itself.
    pub(crate) fn serve_syncing(&mut self) {
        self.office.serve(&["--web-addr", "127.0.0.1:0"], 1);
    }

    /// What the serving process has logged.
    pub(crate) fn serve_log(&self) -> String {
        std::fs::read_to_string(self.beside("serve.log")).unwrap_or_default()
    }

    /// Starts a command without waiting for it; its output goes to files.
    pub(crate) fn spawn_into(&self, args: &[&str], out: &Path, err: &Path) -> Child {
        let data = self.data();
        let mut all = args.to_vec();
        all.extend(["--data", data.to_str().expect("a temporary path is text")]);
        let file = |path: &Path| std::fs::File::create(path).expect("a file");
        command("rollcall-node", &all)
            .stdout(file(out))
            .stderr(file(err))
            .spawn()
            .expect("the program starts")
    }

    /// Imports records; every row must be taken.
    pub(crate) fn import(&self, file: &Path) -> Value {
        let file = file.to_str().expect("a path is text");
        let summary = self.json(&["import", file, "--as", "records"]);
        assert_eq!(summary["refused"], 0, "{summary}");
        summary
    }

    /// Writes records to a file beside the data directory and imports them.
    pub(crate) fn enter(&self, records: &[Value]) -> Value {
        let file = self.beside("entered.jsonl");
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        std::fs::write(&file, lines.join("\n")).expect("the file can be written");
        self.import(&file)
    }

    /// Sets a field of an organisation.
    pub(crate) fn set(&self, code: &str, field: &str, value: &str) {
        let field = format!("{field}={value}");
        self.ok(&["organisation", "set", code, &field, "--reason", "核实"]);
    }

    /// The address of an organisation.
    pub(crate) fn address(&self, code: &str) -> Value {
        self.json(&["organisation", "show", code])["record"]["address"].clone()
    }

    /// One sync session.
    pub(crate) fn sync(&self) -> Value {
        self.json(&["sync"])
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// Syncs all of them, round after round, until a whole round finds nothing to do; the rounds it took.
pub(crate) fn sync_all(nodes: &[&Node]) -> usize {
    for round in 1..=6 {
        let outcomes: Vec<Value> = nodes.iter().map(|node| node.sync()).collect();
        if outcomes.iter().all(|outcome| outcome["outcome"] == "in_sync") {
            for outcome in &outcomes {
                assert_eq!(outcome["receipt"]["verified"], true, "{outcome}");
            }
            return round;
        }
    }
    panic!("no agreement after six rounds");
}

/// Opens a store's file beside the program.
pub(crate) fn database(path: &Path) -> rusqlite::Connection {
    let database = rusqlite::Connection::open(path).expect("the store opens");
    database
        .busy_timeout(Duration::from_secs(5))
        .expect("a timeout can be set");
    database
}

/// A count out of a store.
pub(crate) fn count(database: &rusqlite::Connection, sql: &str) -> u64 {
    let count: i64 = database
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    u64::try_from(count).expect("counts are not negative")
}

/// Hash, position and commit time of every change, sorted by hash.
pub(crate) fn placements(store: &Path) -> Vec<(Vec<u8>, i64, i64)> {
    let database = database(store);
    let mut rows = database
        .prepare("SELECT hash, position, committed_at_ms FROM change ORDER BY hash")
        .expect("a query");
    let rows = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}
