//! A run: processes, network and scheduler of one scenario; first with its faults, then healed and checked.
//! Owns what a step does and which move comes next; what must hold is `invariant`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_core::id::FederationId;
use rollcall_core::record::Record;
use rollcall_replica::edit::Editing;
use rollcall_replica::peer::PeerContext;
use rollcall_replica::runner::client::sync_once;
use rollcall_replica::runner::link::NodeKeys;
use rollcall_replica::runner::report::SyncReport;
use rollcall_replica::runner::server::{AggregatorKeys, serve_session};
use rollcall_replica::runner::standing::{Standing, Told};
use rollcall_store::cursor::Grant;
use rollcall_store::enrolment::{EnrolmentRow, Jurisdiction};
use rollcall_sync::message::{ClientFrame, Cursor, ServerFrame};
use rollcall_sync::session::client::SessionEnd;
use rollcall_sync::session::server::{CLONED, REPLACED};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::chance::Chance;
use crate::country::Country;
use crate::frame::{corrupt_down, corrupt_up, describe_down, describe_up, poison, short};
use crate::keys::{Key, Seals};
use crate::network::{Asked, Call, Opened, Session, SimulatedLink, Way};
use crate::office::{NewOffice, Office};
use crate::scenario::{Mishap, Scenario, Step, Turn};
use crate::task::{Task, clock, set_clock};

/// First of January 2025, China Standard Time, Unix milliseconds.
const BEGIN_MS: i64 = 1_735_660_800_000;
/// Sessions after the faults within which everything must be equal.
const HEALING_ROUNDS: usize = 3;
/// How often an operator restores an aggregator that nodes refuse, as the runbook says.
const RESTORES_MAX: usize = 2;
/// Moves after which a session after the faults counts as one that never ends.
const MOVES_MAX: usize = 20_000;

/// Something that must not be, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Short and the same for every run with this fault: which invariant.
    pub rule: &'static str,
    /// What was found.
    pub detail: String,
}

impl Failure {
    pub(crate) fn new(rule: &'static str, detail: impl Into<String>) -> Self {
        Self {
            rule,
            detail: detail.into(),
        }
    }

    pub(crate) fn store(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new("the store works", error.to_string())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not so: {}: {}", self.rule, self.detail)
    }
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Run {
    /// What was wrong, if anything.
    pub failure: Option<Failure>,
    /// Hash over every line of the log.
    pub log_hash: [u8; 32],
    /// The log, if it was asked for.
    pub lines: Vec<String>,
    /// What happened how often.
    pub counts: BTreeMap<&'static str, u64>,
}

/// Runs a scenario to its end; with a log of every move if `trace`.
pub fn run(scenario: &Scenario, trace: bool) -> Run {
    // Sessions set timers, which this clock never lets end: silence is the scheduler's to give.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without threads can be made");
    let _entered = runtime.enter();
    let shared_memory = std::path::Path::new("/dev/shm");
    let folder = if shared_memory.is_dir() {
        tempfile::TempDir::with_prefix_in("rollcall-soak-", shared_memory)
    } else {
        tempfile::TempDir::with_prefix("rollcall-soak-")
    }
    .expect("a temporary folder");
    let mut log = Log {
        hasher: Sha256::new(),
        lines: trace.then(Vec::new),
        counts: BTreeMap::new(),
    };
    let failure = World::new(scenario, folder.path(), &mut log)
        .and_then(|mut world| world.live(scenario))
        .err();
    log.line(|| {
        failure
            .as_ref()
            .map_or_else(|| "well".to_owned(), Failure::to_string)
    });
    Run {
        failure,
        log_hash: log.hasher.finalize().into(),
        lines: log.lines.unwrap_or_default(),
        counts: log.counts,
    }
}

/// Every move, as a hash and perhaps as text.
pub(crate) struct Log {
    hasher: Sha256,
    lines: Option<Vec<String>>,
    counts: BTreeMap<&'static str, u64>,
}

impl Log {
    pub(crate) fn line(&mut self, line: impl FnOnce() -> String) {
        let line = line();
        self.hasher.update(line.as_bytes());
        self.hasher.update(b"\n");
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }
}

/// What the scheduler can do next.
#[derive(Debug, Clone, Copy)]
enum Move {
    PollClient(usize),
    PollServer(usize),
    Up(usize),
    Down(usize),
    Commit(usize),
    Answer,
}

/// Everything there is in a run.
pub(crate) struct World<'l> {
    pub(crate) country: Country,
    /// The aggregator, then the nodes, then their clones.
    pub(crate) offices: Vec<Office>,
    pub(crate) log: &'l mut Log,
    clients: BTreeMap<usize, Task<Result<SyncReport, rollcall_replica::Error>>>,
    ends: BTreeMap<usize, SessionEnd>,
    sessions: Vec<Session>,
    asked: Arc<Mutex<Asked>>,
    mishaps: BTreeMap<(usize, bool), Mishap>,
    dialled: usize,
    /// Something happened after which one actor may have written twice under one number: a machine copied with its
    /// memory, or a node that signs poison.
    pub(crate) may_fork: bool,
    /// A poisoned change was sent; one that is sound says what nobody entered, of places too.
    pub(crate) is_poisoned: bool,
    /// The aggregator was restored: documents of its own that were written since come from nowhere else.
    pub(crate) is_restored: bool,
    now_ms: i64,
    seed: u64,
    frames_max: usize,
    bends: bool,
}

impl<'l> World<'l> {
    fn new(scenario: &Scenario, folder: &std::path::Path, log: &'l mut Log) -> Result<Self, Failure> {
        let mut chance = Chance::new(scenario.seed, "world", 0);
        set_clock(BEGIN_MS);
        let country = Country::draw(&mut chance, scenario.nodes_max);
        let batch_documents_max = *chance.pick(&[1, 2, 3, 500]);
        let mut offices = Vec::new();
        for number in 0..=country.enrolments.len() {
            let enrolment = number.checked_sub(1);
            let grants = enrolment.map(|enrolment| Grant {
                scope: country.enrolments[enrolment].federation.clone(),
                write: true,
            });
            let new = NewOffice {
                name: if number == 0 {
                    "centre".to_owned()
                } else {
                    format!("node-{number}")
                },
                enrolment,
                folder,
                seed: scenario.seed,
                batch_documents_max,
                grants: grants.into_iter().collect(),
            };
            offices.push(Office::create(new).map_err(|error| Failure::store(&error))?);
        }
        for office in &offices[1..] {
            let row = enrolment(&country, office);
            let work = move |writer: &mut rollcall_store::Writer| writer.save_enrolment(&row);
            if let Some(centre) = offices[0].replica() {
                centre
                    .store()
                    .write("enrol", work)
                    .wait()
                    .map_err(|error| Failure::store(&error))?;
            }
        }
        log.line(|| format!("{country:?}, {batch_documents_max} documents a batch"));
        Ok(Self {
            country,
            offices,
            log,
            clients: BTreeMap::new(),
            ends: BTreeMap::new(),
            sessions: Vec::new(),
            asked: Arc::default(),
            mishaps: BTreeMap::new(),
            dialled: 0,
            may_fork: false,
            is_poisoned: false,
            is_restored: false,
            now_ms: BEGIN_MS,
            seed: scenario.seed,
            frames_max: *chance.pick(&[2, 8, 64]),
            bends: scenario.bends,
        })
    }

    fn live(&mut self, scenario: &Scenario) -> Result<(), Failure> {
        for turn in &scenario.turns {
            let mut chance = Chance::new(self.seed, "turn", turn.number);
            self.now_ms += 1_000 + chance.below(3 * 86_400_000) as i64;
            self.take(turn, &mut chance)?;
            for _ in 0..turn.moves {
                if !self.go_on(&mut chance)? {
                    self.fall_silent();
                    break;
                }
            }
            self.check_always()?;
        }
        self.heal()
    }

    /// The node that a step means.
    fn node(&self, process: usize) -> usize {
        1 + process.saturating_sub(1) % (self.offices.len() - 1)
    }

    fn any(&self, process: usize) -> usize {
        process % self.offices.len()
    }

    fn one(&self, process: usize) -> usize {
        if process == 0 { 0 } else { self.node(process) }
    }

    fn take(&mut self, turn: &Turn, chance: &mut Chance) -> Result<(), Failure> {
        let step = &turn.step;
        self.log.line(|| format!("# {} {step:?}", turn.number));
        let broken = |error: rollcall_store::Error| Failure::store(&error);
        match *step {
            Step::Edit {
                process,
                subject,
                number,
                stale,
            } => {
                self.edit(
                    self.node(process),
                    subject % self.country.subjects(),
                    number,
                    stale,
                )?;
            }
            Step::Own { number } => self.write_own(number)?,
            Step::Sync { process } => self.dial(self.node(process)),
            Step::Mishap { process, up, what } => {
                self.mishaps.insert((self.node(process), up), what);
            }
            Step::Kill { process } => {
                let process = self.any(process);
                self.stop(process);
                self.offices[process].kill();
            }
            Step::Start { process } => self.start(self.any(process))?,
            Step::Copy { process, marked } => {
                let process = self.one(process);
                self.offices[process].take_copy(marked).map_err(broken)?;
            }
            Step::Restore { process, which } => {
                let process = self.one(process);
                self.stop(process);
                self.start(process)?;
                set_clock(self.now_ms + self.offices[process].skew_ms);
                let restored = self.offices[process].restore(which).map_err(broken)?;
                match restored {
                    Some(marked) if process == 0 => {
                        self.log.count("aggregator restored");
                        self.is_restored = true;
                        if !marked {
                            self.log.count("aggregator put back by hand");
                        }
                    }
                    Some(_) => self.log.count("node restored"),
                    None => {}
                }
            }
            Step::Clone { process } => {
                let process = self.node(process);
                let name = format!("{}-twin-{}", self.offices[process].name, self.offices.len());
                let live = self.offices[process].replica().is_some() && chance.percent(50);
                if self.offices.len() < 9 {
                    set_clock(self.now_ms);
                    let twin = self.offices[process].clone_as(name, live).map_err(broken)?;
                    self.offices.push(twin);
                    self.log.count("cloned");
                    self.may_fork |= live;
                }
            }
            Step::CutOff { process, off } => {
                let process = self.node(process);
                self.offices[process].is_cut_off = off;
                if off {
                    self.cut(process, None);
                }
            }
            Step::Skew { process, ms } => {
                let process = self.any(process);
                self.offices[process].skew_ms = ms;
            }
            Step::Full { process, full } => {
                let process = self.any(process);
                self.offices[process].fill_disk(full).map_err(broken)?;
            }
            Step::Revoke { process, revoked } => {
                let enrolment = self.offices[self.node(process)].enrolment;
                for index in 1..self.offices.len() {
                    if self.offices[index].enrolment == enrolment {
                        self.offices[index].is_revoked = revoked;
                        if revoked {
                            self.cut(index, Some("KEY_REVOKED"));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn edit(&mut self, process: usize, subject: usize, number: usize, stale: bool) -> Result<(), Failure> {
        set_clock(self.now_ms + self.offices[process].skew_ms);
        let office = &mut self.offices[process];
        let (Some(replica), Some(enrolment)) = (office.replica(), office.enrolment) else {
            return Ok(());
        };
        let replica = replica.clone();
        let record = |new| self.country.record(enrolment, subject, new, number);
        let id = record(true).document_id().expect("every subject has a key");
        let before = replica.document(id).ok().map(|document| document.heads());
        // Now and then somebody claims what is not theirs, which the aggregator refuses.
        if before.is_none() && !self.country.may_claim(enrolment, subject) && !number.is_multiple_of(10) {
            return Ok(());
        }
        let record = record(before.is_none());
        let by = Editing {
            author: format!("{}/{}", self.country.enrolments[enrolment].federation, number % 2),
            reason: String::new(),
            now_ms: clock(),
            heads: if stale {
                office.forms.get(&id).cloned()
            } else {
                None
            },
        };
        if let Some(heads) = before {
            office.forms.insert(id, heads);
        }
        let saved = replica.edit_or_create(id, record.kind(), &by, |document| document.plan(&record));
        match saved {
            Ok(Some(hash)) => {
                office.promised.insert((id, hash));
                self.log.count("edited");
                self.log
                    .line(|| format!("saved {} {}", short(id.as_bytes()), short(&hash)));
            }
            Ok(None) => self.log.line(|| "nothing to save".to_owned()),
            Err(error) => {
                let code = error.code();
                self.log.line(|| format!("not saved: {code}"));
                let expected = matches!(
                    error,
                    rollcall_replica::Error::Foreign(_)
                        | rollcall_replica::Error::Busy(_)
                        | rollcall_replica::Error::Problems(_)
                        | rollcall_replica::Error::Store(rollcall_store::Error::DiskFull)
                );
                if !expected {
                    return Err(Failure::new(
                        "an edit is saved or refused with a reason",
                        error.to_string(),
                    ));
                }
            }
        }
        Ok(())
    }

    fn write_own(&mut self, number: usize) -> Result<(), Failure> {
        set_clock(self.now_ms + self.offices[0].skew_ms);
        let office = &mut self.offices[0];
        let Some(replica) = office.replica() else {
            return Ok(());
        };
        let value = json!({"type": "campaign", "id": "campaign", "grace_months": number % 12});
        let record: Record = serde_json::from_value(value).expect("a record");
        let id = record.document_id().expect("it has a key");
        match replica.own_records([record], "100000/1", clock()) {
            Ok(_) => {
                let hashes = replica
                    .store()
                    .read(|reader| reader.change_hashes(id))
                    .map_err(|error| Failure::store(&error))?;
                office.promised.extend(hashes.into_iter().map(|hash| (id, hash)));
                Ok(())
            }
            Err(rollcall_replica::Error::Store(rollcall_store::Error::DiskFull)) => Ok(()),
            Err(error) => Err(Failure::new(
                "an edit is saved or refused with a reason",
                error.to_string(),
            )),
        }
    }

    fn start(&mut self, process: usize) -> Result<(), Failure> {
        self.offices[process]
            .start()
            .map_err(|error| Failure::store(&error))?;
        Ok(())
    }

    /// Ends what a process was doing; its frames and calls are lost.
    fn stop(&mut self, process: usize) {
        if process == 0 {
            self.sessions.clear();
            self.asked
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .calls
                .clear();
        } else {
            self.clients.remove(&process);
            self.cut(process, None);
        }
    }

    /// Ends the sessions of a node; both ends are told why, if there is a reason.
    fn cut(&mut self, process: usize, code: Option<&str>) {
        for session in self
            .sessions
            .iter_mut()
            .filter(|session| session.office == process)
        {
            session.up.cut(code);
            session.down.cut(code);
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.calls.retain(|(office, _)| *office != process);
    }

    /// Nothing can happen but time: whoever waits for a frame hangs up.
    fn fall_silent(&mut self) {
        let waiting: Vec<usize> = self.clients.keys().copied().collect();
        for process in waiting {
            self.log.count("fell silent");
            self.cut(process, None);
        }
    }

    fn dial(&mut self, process: usize) {
        let office = &self.offices[process];
        let Some(replica) = office.replica().cloned() else {
            return;
        };
        if self.clients.contains_key(&process) {
            return;
        }
        let keys = NodeKeys {
            sign: Arc::new(office.key.clone()),
            verify: Arc::new(Seals),
            receipt_key: self.offices[0].key.0.to_vec(),
        };
        let mut link = SimulatedLink {
            office: process,
            asked: Arc::clone(&self.asked),
            frames_max: self.frames_max,
        };
        self.log.count("dialled");
        let session = async move { sync_once(&replica, &mut link, &keys, "simulated", clock).await };
        self.clients.insert(process, Task::new(session));
    }

    /// The peer as the aggregator's enrolment knows it.
    pub(crate) fn peer(&self, process: usize) -> PeerContext {
        let office = &self.offices[process];
        let enrolment = office.enrolment.unwrap_or_default();
        PeerContext {
            peer_id: office.peer_id.clone(),
            store_id: office.store_id,
            log_epoch: rollcall_core::id::LogEpoch::default(),
            signing_key: office.key.0.to_vec(),
            access: self.country.access(enrolment),
            former_stores: office.former_stores.clone(),
        }
    }

    fn is_reachable(&self, process: usize) -> bool {
        let office = &self.offices[process];
        !office.is_cut_off && !office.is_revoked && self.offices[0].replica().is_some()
    }

    /// Connects what links have opened.
    fn connect(&mut self) {
        let opened = std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner).opened);
        for Opened { office, up, down } in opened {
            if let Some(replica) = self.offices[0].replica().cloned()
                && self.is_reachable(office)
            {
                self.dialled += 1;
                let (to_server, inbound) = mpsc::channel(self.frames_max);
                let (outbound, from_server) = mpsc::channel(self.frames_max);
                let key: Key = self.offices[0].key.clone();
                let keys = AggregatorKeys {
                    receipt_key: key.0.to_vec(),
                    sign: Arc::new(key),
                    verify: Arc::new(Seals),
                };
                let peer = self.peer(office);
                let standing = Standing {
                    told: tokio::sync::watch::channel(Told::default()).1,
                    turn: None,
                };
                let serve = async move {
                    serve_session(&replica, peer, standing, &keys, inbound, outbound, clock).await
                };
                self.sessions.push(Session {
                    number: self.dialled,
                    office,
                    up: Way::new(up, to_server),
                    down: Way::new(from_server, down),
                    server: Some(Task::new(serve)),
                    unanswered: std::collections::VecDeque::new(),
                });
            } else {
                let code = if self.offices[office].is_revoked {
                    "KEY_REVOKED"
                } else {
                    "UNAVAILABLE"
                };
                drop(down.try_send(Err(crate::network::Cut {
                    code: code.to_owned(),
                })));
            }
        }
    }

    /// Takes what was sent off the processes' hands; what is said there must be durable by now.
    fn collect(&mut self) -> Result<(), Failure> {
        self.connect();
        for index in 0..self.sessions.len() {
            let number = self.sessions[index].number;
            for frame in self.sessions[index].up.take_sent() {
                self.log.line(|| format!("s{number} > {}", describe_up(&frame)));
                self.check_up(self.sessions[index].office, &frame)?;
                self.sessions[index].up.on_way.push_back(frame);
            }
            for frame in self.sessions[index].down.take_sent() {
                self.log.line(|| format!("s{number} < {}", describe_down(&frame)));
                self.check_down(index, &frame)?;
                self.sessions[index].down.on_way.push_back(frame);
            }
        }
        self.sessions.retain(|session| !session.is_over());
        Ok(())
    }

    /// Session by its place: answers an ack with the batch it belongs to.
    pub(crate) fn answered(
        &mut self,
        session: usize,
        ack: &rollcall_sync::message::Ack,
    ) -> Option<rollcall_sync::message::Batch> {
        let unanswered = &mut self.sessions[session].unanswered;
        while let Some(batch) = unanswered.pop_front() {
            let at_end =
                batch.to == 0 || (ack.cursor.position, ack.cursor.chain) == (batch.to, batch.end_chain);
            let fits = at_end
                && batch.documents.len() == ack.outcomes.len()
                && batch.documents.iter().zip(&ack.outcomes).all(|(sent, outcome)| {
                    sent.document_id == outcome.document_id && sent.changes.len() == outcome.positions.len()
                });
            if fits {
                return Some(batch);
            }
        }
        None
    }

    pub(crate) fn office_of(&self, session: usize) -> usize {
        self.sessions[session].office
    }

    /// One move of the scheduler; whether there was one to make.
    fn go_on(&mut self, chance: &mut Chance) -> Result<bool, Failure> {
        self.collect()?;
        let mut moves = Vec::new();
        moves.extend(
            self.clients
                .iter()
                .filter(|(_, task)| task.is_woken())
                .map(|(office, _)| Move::PollClient(*office)),
        );
        for (index, session) in self.sessions.iter().enumerate() {
            if session.server.as_ref().is_some_and(Task::is_woken) {
                moves.push(Move::PollServer(index));
            }
            if session.up.can_deliver() {
                moves.push(Move::Up(index));
            }
            if session.down.can_deliver() {
                moves.push(Move::Down(index));
            }
        }
        for (index, office) in self.offices.iter().enumerate() {
            if office
                .replica()
                .is_some_and(|replica| replica.store().steps_waiting() > 0)
            {
                moves.push(Move::Commit(index));
            }
        }
        if !self
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .calls
            .is_empty()
        {
            moves.push(Move::Answer);
        }
        if moves.is_empty() {
            return Ok(false);
        }
        self.now_ms += chance.below(400) as i64;
        let next = *chance.pick(&moves);
        match next {
            Move::PollClient(office) => self.poll_client(office)?,
            Move::PollServer(index) => self.poll_server(index)?,
            Move::Up(index) => self.deliver_up(index, chance)?,
            Move::Down(index) => self.deliver_down(index, chance),
            Move::Commit(index) => {
                let limit = chance.between(1, 4);
                if let Some(replica) = self.offices[index].replica() {
                    let count = replica.store().step(limit);
                    self.log
                        .line(|| format!("{} commits {count}", self.offices[index].name));
                }
            }
            Move::Answer => self.answer()?,
        }
        Ok(true)
    }

    fn poll_client(&mut self, office: usize) -> Result<(), Failure> {
        set_clock(self.now_ms + self.offices[office].skew_ms);
        let Some(task) = self.clients.get_mut(&office) else {
            return Ok(());
        };
        let Some(result) = task.poll() else { return Ok(()) };
        self.clients.remove(&office);
        // Frames that were said before the end still go out.
        self.collect()?;
        let name = self.offices[office].name.clone();
        match result {
            Err(panic) => Err(Failure::new(
                "no input makes a process panic",
                format!("{name}: {panic}"),
            )),
            Ok(Err(error)) => {
                self.log.line(|| format!("{name} ends its session: {error}"));
                self.log.count("sessions that met an error");
                self.ends.remove(&office);
                check_error(&name, &error)
            }
            Ok(Ok(report)) => {
                self.log
                    .line(|| format!("{name} ends its session: {:?}", report.end));
                if let Some(end) = report.end {
                    self.log.count(end_name(&end));
                    self.ends.insert(office, end);
                }
                Ok(())
            }
        }
    }

    fn poll_server(&mut self, index: usize) -> Result<(), Failure> {
        set_clock(self.now_ms + self.offices[0].skew_ms);
        let Some(task) = &mut self.sessions[index].server else {
            return Ok(());
        };
        let Some(result) = task.poll() else { return Ok(()) };
        self.sessions[index].server = None;
        let number = self.sessions[index].number;
        match result {
            Err(panic) => Err(Failure::new(
                "no input makes a process panic",
                format!("centre: {panic}"),
            )),
            Ok(Err(error)) => {
                self.log
                    .line(|| format!("s{number} fails at the centre: {error}"));
                // The service answers a status; the stream is over.
                self.collect()?;
                if let Some(session) = self.sessions.iter_mut().find(|session| session.number == number) {
                    session.up.cut(None);
                    session.down.cut(Some("INTERNAL"));
                }
                check_error("centre", &error)
            }
            Ok(Ok(())) => {
                self.log.line(|| format!("s{number} is over at the centre"));
                self.collect()?;
                if let Some(session) = self.sessions.iter_mut().find(|session| session.number == number) {
                    session.up.cut(None);
                }
                Ok(())
            }
        }
    }

    fn deliver_up(&mut self, index: usize, chance: &mut Chance) -> Result<(), Failure> {
        let office = self.sessions[index].office;
        let mishap = match self.sessions[index].up.on_way.front() {
            None => None,
            Some(frame) => {
                let wanted = self.mishaps.get(&(office, true));
                let waits = matches!(wanted, Some(Mishap::Poison)) && !matches!(frame, ClientFrame::Batch(_));
                if waits {
                    None
                } else {
                    self.mishaps.remove(&(office, true))
                }
            }
        };
        if let Some(mishap) = mishap {
            self.log.line(|| format!("mishap up of {office}: {mishap:?}"));
            self.log.count("mishaps");
            let before = self.sessions[index].unanswered.back().map(|batch| Cursor {
                position: batch.to,
                chain: batch.end_chain,
            });
            let session = &mut self.sessions[index];
            let more = session.up.on_way.len() > 1;
            let frame = &mut session.up.on_way[0];
            match mishap {
                Mishap::Drop => {
                    session.up.on_way.pop_front();
                    return Ok(());
                }
                Mishap::Duplicate => {
                    let twice = frame.clone();
                    session.up.on_way.push_front(twice);
                }
                Mishap::Reorder if more => session.up.on_way.swap(0, 1),
                Mishap::Reorder => {}
                Mishap::Corrupt => corrupt_up(frame, chance),
                Mishap::Cut => {
                    self.cut(office, None);
                    return Ok(());
                }
                Mishap::Poison => {
                    if let ClientFrame::Batch(batch) = frame
                        && let Some(replica) = self.offices[office].replica()
                    {
                        let before = match before {
                            Some(before) if before.position > 0 => before,
                            Some(_) | None => replica
                                .store()
                                .read(|reader| {
                                    Ok(Cursor {
                                        position: batch.from,
                                        chain: reader.origin_chain_at(batch.from)?.unwrap_or_default(),
                                    })
                                })
                                .map_err(|error| Failure::store(&error))?,
                        };
                        let epoch = replica.store().identity().log_epoch.0;
                        if poison(batch, before, &self.offices[office], epoch, (self.bends, chance)) {
                            self.log.count("poisoned");
                            self.is_poisoned = true;
                            self.may_fork = true;
                        }
                    }
                }
            }
        }
        let session = &mut self.sessions[index];
        match session.up.deliver() {
            Some(ClientFrame::Batch(batch)) => session.unanswered.push_back(*batch),
            Some(
                ClientFrame::Hello(_)
                | ClientFrame::Applied { .. }
                | ClientFrame::WantReceipt { .. }
                | ClientFrame::Compare
                | ClientFrame::Proof(_),
            )
            | None => {}
        }
        Ok(())
    }

    fn deliver_down(&mut self, index: usize, chance: &mut Chance) {
        let office = self.sessions[index].office;
        let mishap = if self.sessions[index].down.on_way.is_empty() {
            None
        } else {
            self.mishaps.remove(&(office, false))
        };
        if let Some(mishap) = mishap {
            self.log.line(|| format!("mishap down to {office}: {mishap:?}"));
            self.log.count("mishaps");
            let on_way = &mut self.sessions[index].down.on_way;
            match mishap {
                Mishap::Drop => {
                    on_way.pop_front();
                    return;
                }
                Mishap::Duplicate => {
                    let twice = on_way[0].clone();
                    on_way.push_front(twice);
                }
                Mishap::Reorder if on_way.len() > 1 => on_way.swap(0, 1),
                Mishap::Reorder | Mishap::Poison => {}
                Mishap::Corrupt => corrupt_down(&mut on_way[0], chance),
                Mishap::Cut => {
                    self.cut(office, None);
                    return;
                }
            }
        }
        let frame: Option<ServerFrame> = self.sessions[index].down.deliver();
        drop(frame);
    }

    /// Answers the first call that waits.
    fn answer(&mut self) -> Result<(), Failure> {
        let call = self
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .calls
            .pop_front();
        let Some((office, call)) = call else { return Ok(()) };
        let mishap = self.mishaps.remove(&(office, false));
        let lost = matches!(mishap, Some(Mishap::Cut | Mishap::Drop));
        let Some(replica) = self.offices[0]
            .replica()
            .filter(|_| self.is_reachable(office) && !lost)
        else {
            return Ok(());
        };
        set_clock(self.now_ms + self.offices[0].skew_ms);
        let mut peer = self.peer(office);
        if let Some(node) = self.offices[office].replica() {
            peer.log_epoch = node.store().identity().log_epoch;
        }
        self.log.count("repairs asked for");
        let failed = |error: rollcall_replica::Error| Failure::store(&error);
        match call {
            Call::Digest(request, reply) => {
                let answer = replica.digest_answer(&peer, &request).map_err(failed)?;
                self.log
                    .line(|| format!("digest of {office}: {} entries", answer.entries.len()));
                // A node that has gone hears no answer.
                drop(reply.send(answer));
            }
            Call::Resolve(request, reply) => {
                let answer = replica.resolve_answer(&peer, &request).map_err(failed)?;
                self.log.line(|| {
                    format!(
                        "resolve of {office}: {} sent, {} wanted",
                        answer.changes.len(),
                        answer.wanted.len()
                    )
                });
                drop(reply.send(answer));
            }
        }
        Ok(())
    }

    /// Ends the faults, lets every node sync three times, and checks that everything is equal and nothing is lost.
    fn heal(&mut self) -> Result<(), Failure> {
        self.log.line(|| "## healing".to_owned());
        let mut chance = Chance::new(self.seed, "heal", 0);
        self.mishaps.clear();
        for process in 0..self.offices.len() {
            self.offices[process].is_cut_off = false;
            self.offices[process].is_revoked = false;
            self.start(process)?;
            self.offices[process]
                .fill_disk(false)
                .map_err(|error| Failure::store(&error))?;
        }
        self.fall_silent();
        self.settle(&mut chance)?;
        let wanted = self.wanted()?;
        let together = chance.percent(50);
        self.heal_in_rounds(&mut chance, together)?;
        for _ in 0..RESTORES_MAX {
            if !self.restore_replaced()? {
                break;
            }
            self.heal_in_rounds(&mut chance, together)?;
        }
        // A copy that is found out in the last of its sessions hears of it in the next.
        for _ in 1..self.offices.len() {
            if !self.enrol_copies_anew()? {
                break;
            }
            self.heal_in_rounds(&mut chance, together)?;
        }
        for process in 1..self.offices.len() {
            match self.ends.get(&process) {
                Some(SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_)) => {}
                other => {
                    let detail = format!("{}: {other:?}", self.offices[process].name);
                    let why = self
                        .check_end(&wanted)
                        .err()
                        .map_or_else(String::new, |why| format!(" ({why})"));
                    return Err(Failure::new("three sessions are enough", detail + &why));
                }
            }
        }
        self.check_end(&wanted)
    }

    /// Where nodes refuse the aggregator because one came after it, and there is no other: its operator restores it as it
    /// is, so that it is the one that counts. Whether that was so.
    fn restore_replaced(&mut self) -> Result<bool, Failure> {
        let told = |end: &SessionEnd| matches!(end, SessionEnd::Refused { code, .. } if code == REPLACED);
        if !self.ends.values().any(told) {
            return Ok(false);
        }
        self.log.line(|| "the centre is restored as it is".to_owned());
        self.log.count("replaced aggregator restored");
        self.stop(0);
        set_clock(self.now_ms + self.offices[0].skew_ms);
        self.offices[0]
            .restore_as_it_is()
            .map_err(|error| Failure::store(&error))?;
        Ok(true)
    }

    /// Those who were told that they are copies: all but one of each enrol anew, as their operators are told to. Whether
    /// there were any.
    fn enrol_copies_anew(&mut self) -> Result<bool, Failure> {
        let told = |end: &SessionEnd| matches!(end, SessionEnd::Refused { code, .. } if code == CLONED);
        let fenced: BTreeSet<String> = self
            .ends
            .iter()
            .filter(|(_, end)| told(end))
            .map(|(process, _)| self.offices[*process].peer_id.clone())
            .collect();
        for peer_id in &fenced {
            let copies: Vec<usize> = (1..self.offices.len())
                .filter(|process| self.offices[*process].peer_id == *peer_id)
                .collect();
            // A store that was put back by hand may be taken for a copy: then it is the one that enrols anew.
            let anew = if copies.len() > 1 {
                &copies[1..]
            } else {
                &copies[..]
            };
            for process in anew.iter().copied() {
                let name = format!("{peer_id}-{process}");
                self.log
                    .line(|| format!("{} enrols anew", self.offices[process].name));
                self.log.count("enrolled anew");
                let failed = |error: rollcall_store::Error| Failure::store(&error);
                self.offices[process].enrol_anew(name).map_err(failed)?;
                let row = enrolment(&self.country, &self.offices[process]);
                let (former, alone, now_ms) = (peer_id.clone(), copies.len() == 1, self.now_ms);
                let work = move |writer: &mut rollcall_store::Writer| {
                    writer.end_fence(&row.signing_key)?;
                    if alone {
                        writer.revoke_enrolment(&former, "nobody works with it any more", now_ms)?;
                    }
                    writer.save_enrolment(&row)
                };
                if let Some(centre) = self.offices[0].replica() {
                    centre.store().write("enrol", work).wait().map_err(failed)?;
                }
            }
        }
        Ok(!fenced.is_empty())
    }

    /// Lets every node sync three times, in any order.
    fn heal_in_rounds(&mut self, chance: &mut Chance, together: bool) -> Result<(), Failure> {
        for round in 1..=HEALING_ROUNDS {
            self.log.line(|| format!("## round {round}"));
            let mut order: Vec<usize> = (1..self.offices.len()).collect();
            while !order.is_empty() {
                let process = order.swap_remove(chance.below(order.len()));
                self.now_ms += 60_000;
                self.dial(process);
                if !together {
                    self.settle(chance)?;
                }
            }
            self.settle(chance)?;
        }
        Ok(())
    }

    /// Moves on until nothing is left to do.
    fn settle(&mut self, chance: &mut Chance) -> Result<(), Failure> {
        for _ in 0..MOVES_MAX {
            if !self.go_on(chance)? {
                if self.clients.is_empty() {
                    return Ok(());
                }
                let silent: BTreeSet<String> = self
                    .clients
                    .keys()
                    .map(|process| self.offices[*process].name.clone())
                    .collect();
                return Err(Failure::new("no session falls silent", format!("{silent:?}")));
            }
        }
        Err(Failure::new(
            "every session ends",
            format!("after {MOVES_MAX} moves"),
        ))
    }

    /// Scopes that a node holds, as its enrolment says.
    pub(crate) fn reads(&self, process: usize, scope: &FederationId) -> bool {
        let enrolment = self.offices[process].enrolment.unwrap_or_default();
        self.country.access(enrolment).may_read(scope)
    }
}

/// The aggregator's record of an office.
fn enrolment(country: &Country, office: &Office) -> EnrolmentRow {
    let number = office.enrolment.unwrap_or_default();
    let enrolled = &country.enrolments[number];
    EnrolmentRow {
        peer_id: office.peer_id.clone(),
        jurisdiction: Jurisdiction {
            federation: enrolled.federation.clone(),
            also: Vec::new(),
            replicas: enrolled.replicas.clone(),
            node_name: String::new(),
        },
        store_id: office.store_id,
        certificate_serial: office.peer_id.clone(),
        certificate_pem: String::new(),
        signing_key: office.key.0.to_vec(),
        enrolled_ms: BEGIN_MS,
        not_after_ms: i64::MAX,
        revoked: None,
        last_heard_ms: 0,
        version: String::new(),
        position: 0,
        fenced_ms: None,
    }
}

/// Errors that a session may end with: a full disk, and a cursor that another session of the same store has moved.
fn check_error(name: &str, error: &rollcall_replica::Error) -> Result<(), Failure> {
    match error {
        rollcall_replica::Error::Store(
            rollcall_store::Error::DiskFull
            | rollcall_store::Error::CursorMoved { .. }
            | rollcall_store::Error::ChainMismatch { .. }
            | rollcall_store::Error::Closed,
        ) => Ok(()),
        other => Err(Failure::new(
            "a session meets no error of its own making",
            format!("{name}: {other}"),
        )),
    }
}

fn end_name(end: &SessionEnd) -> &'static str {
    match end {
        SessionEnd::InSync => "in sync",
        SessionEnd::CaughtUp => "caught up",
        SessionEnd::Repaired(_) => "repaired",
        SessionEnd::Restart(_) => "restarted too often",
        SessionEnd::Busy { .. } => "busy",
        SessionEnd::Closed => "closed",
        SessionEnd::GoneAway { .. } => "sent away",
        SessionEnd::Refused { .. } => "refused",
        SessionEnd::Diverged => "diverged",
        SessionEnd::LinkLost => "link lost",
    }
}

#[cfg(test)]
mod tests;
