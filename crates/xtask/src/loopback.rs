//! An aggregator and nodes as processes on loopback, driven through their command lines as people would.
//! Owns enrolment, addresses and data directories; leaves what is done with them to the demo and the benches.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{Programs, Server, json, output};

/// Until it has run once.
const ANY_PORT: &str = "127.0.0.1:0";
/// What an aggregator says whose port is taken.
const PORT_TAKEN: &str = "PORT_IN_USE";
/// How often, and how far apart, one that ran before is started again on that account.
const STARTS_AGAIN: usize = 20;
const START_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The first account that `init` printed.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl Account {
    fn read(made: &Value) -> Result<Self> {
        let text = |key: &str| {
            made[key]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("find {key} of init"))
        };
        Ok(Self {
            name: text("account")?,
            password: text("password")?,
        })
    }
}

/// The aggregator: its data directory, and its process while it runs.
#[derive(Debug)]
pub(crate) struct Centre {
    programs: Programs,
    pub(crate) data: PathBuf,
    pub(crate) account: Account,
    server: Option<Server>,
    /// Where nodes reach it; kept over a restart.
    sync_addr: String,
    web_addr: String,
}

impl Centre {
    /// Makes one in a folder; it does not run yet.
    pub(crate) fn make(programs: &Programs, folder: &Path) -> Result<Self> {
        let data = folder.join("aggregator");
        let made = json(&programs.aggregator, &words(&["init", "--json", "--data"], &data))?;
        Ok(Self {
            programs: programs.clone(),
            data,
            account: Account::read(&made)?,
            server: None,
            sync_addr: ANY_PORT.to_owned(),
            web_addr: ANY_PORT.to_owned(),
        })
    }

    /// Starts it; at the same addresses as before if it ran before.
    pub(crate) fn start(&mut self) -> Result<()> {
        let mut arguments = words(
            &[
                "serve",
                "--sync-addr",
                &self.sync_addr,
                "--web-addr",
                &self.web_addr,
            ],
            "--data",
        );
        arguments.push(self.data.clone().into());
        let log = self.data.with_extension("log");
        let start = || Server::start(&self.programs.aggregator, &arguments, 2, &log);
        let mut server = start();
        // Its port is one of those that the system gives to whoever calls: while nobody listens there, a node that calls
        // may be given the very port to call from, and keeps it until it notices that it speaks with itself.
        for _ in 0..STARTS_AGAIN {
            match &server {
                Err(error) if self.sync_addr != ANY_PORT && format!("{error:#}").contains(PORT_TAKEN) => {}
                _ => break,
            }
            std::thread::sleep(START_AGAIN_AFTER);
            server = start();
        }
        let server = server?;
        self.sync_addr = server.address("sync https://")?;
        self.web_addr = server.address("web http://")?;
        self.server = Some(server);
        Ok(())
    }

    /// Stops it as an administrator would.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.server.take().map_or(Ok(()), Server::stop)
    }

    /// Its process, while it runs.
    pub(crate) fn process(&self) -> Result<u32> {
        self.server
            .as_ref()
            .map(Server::id)
            .context("the aggregator does not run")
    }

    /// Its console.
    pub(crate) fn web(&self) -> String {
        format!("http://{}", self.web_addr)
    }

    /// Asks one of its commands for JSON.
    pub(crate) fn ask(&self, command: &[&str]) -> Result<Value> {
        json(
            &self.programs.aggregator,
            &words(command, "--json")
                .into_iter()
                .chain(self.data())
                .collect::<Vec<_>>(),
        )
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        drop(self.server.take());
    }

    /// Where nodes reach it, `host:port`.
    pub(crate) fn sync_addr(&self) -> &str {
        &self.sync_addr
    }

    /// Makes a one-time token. `further` are flags of `token`.
    pub(crate) fn token(&self, federation: &str, further: &[&str]) -> Result<String> {
        let mut arguments = words(&["token", "--federation", federation], "--data");
        arguments.push(self.data.clone().into());
        arguments.extend(further.iter().map(OsString::from));
        Ok(output(&self.programs.aggregator, &arguments)?.trim().to_owned())
    }

    /// Enrols a new node with a one-time token. `further` are flags of `token`.
    pub(crate) fn enrol(
        &self,
        folder: &Path,
        name: &str,
        federation: &str,
        further: &[&str],
    ) -> Result<Node> {
        let token = self.token(federation, &[&["--name", name], further].concat())?;
        let data = folder.join(name);
        let url = format!("https://{}", self.sync_addr);
        let made = json(
            &self.programs.node,
            &words(
                &[
                    "init",
                    "--json",
                    "--token",
                    &token,
                    "--aggregator",
                    &url,
                    "--data",
                ],
                &data,
            ),
        )?;
        Ok(Node {
            program: self.programs.node.clone(),
            federation: federation.to_owned(),
            data,
            account: Account::read(&made)?,
        })
    }

    fn data(&self) -> [OsString; 2] {
        ["--data".into(), self.data.clone().into()]
    }
}

/// A node: its data directory.
#[derive(Debug)]
pub(crate) struct Node {
    program: PathBuf,
    pub(crate) federation: String,
    pub(crate) data: PathBuf,
    pub(crate) account: Account,
}

impl Node {
    /// Makes one in a folder, without an aggregator.
    pub(crate) fn offline(programs: &Programs, folder: &Path, federation: &str) -> Result<Self> {
        let data = folder.join(federation);
        let arguments = [
            "init",
            "--json",
            "--offline",
            "--federation",
            federation,
            "--data",
        ];
        let made = json(&programs.node, &words(&arguments, &data))?;
        Ok(Self {
            program: programs.node.clone(),
            federation: federation.to_owned(),
            data,
            account: Account::read(&made)?,
        })
    }

    /// Calls the aggregator at another `host:port` from now on.
    pub(crate) fn call_at(&self, address: &str) -> Result<()> {
        let path = self.data.join("node.toml");
        let text = std::fs::read_to_string(&path).context("read the node's settings")?;
        let lines = text.lines().map(|line| {
            if line.starts_with("aggregator = ") {
                format!("aggregator = \"https://{address}\"\n")
            } else {
                format!("{line}\n")
            }
        });
        std::fs::write(&path, lines.collect::<String>()).context("write the node's settings")
    }

    /// Asks one of its commands for JSON.
    pub(crate) fn ask(&self, command: &[&str]) -> Result<Value> {
        let mut arguments = words(command, "--json");
        arguments.extend([OsString::from("--data"), self.data.clone().into()]);
        json(&self.program, &arguments)
    }

    /// Takes in a file; `further` are flags of `import`.
    pub(crate) fn import(&self, file: &Path, further: &[&str]) -> Result<Value> {
        let mut arguments = words(&["import", "--json", "--data"], &self.data);
        arguments.push(file.into());
        arguments.extend(further.iter().map(OsString::from));
        json(&self.program, &arguments)
    }

    /// One session.
    pub(crate) fn sync(&self) -> Result<Value> {
        self.ask(&["sync"])
    }

    /// Starts its workspace, which also syncs in the background.
    pub(crate) fn serve(&self) -> Result<Server> {
        let arguments = words(&["serve", "--web-addr", "127.0.0.1:0", "--data"], &self.data);
        Server::start(&self.program, &arguments, 1, &self.data.with_extension("log"))
    }
}

/// A whole number of an answer.
pub(crate) fn number(answer: &Value, pointer: &str) -> u64 {
    answer
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

/// A text of an answer.
pub(crate) fn text<'a>(answer: &'a Value, pointer: &str) -> &'a str {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or("–")
}

fn words(first: &[&str], last: impl Into<OsString>) -> Vec<OsString> {
    first.iter().map(OsString::from).chain([last.into()]).collect()
}
