//! A process of the simulation: its file, its replica while it runs, its copies, and what it has promised to keep.
//! Killing it loses what was not committed, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollcall_core::id::{DocumentId, LogEpoch, StoreId};
use rollcall_replica::Replica;
use rollcall_replica::replica::Settings;
use rollcall_store::backup::restore;
use rollcall_store::cursor::Grant;
use rollcall_store::owner::Place;
use rollcall_store::{CreateOptions, Hash, Role, Store};

use crate::chance::{Chance, Seeded};
use crate::keys::Key;
use crate::task::clock;

/// Changes by document and hash.
pub(crate) type Changes = BTreeSet<(DocumentId, Hash)>;

/// A copy of a process's file, and what stood in it.
struct Copy {
    path: PathBuf,
    promised: Changes,
    /// Made with `backup`, so that a store that begins with it knows that it is a copy.
    is_marked: bool,
}

/// What a process is and how it is doing.
pub(crate) struct Office {
    pub(crate) name: String,
    /// Which enrolment it works under; none for the aggregator.
    pub(crate) enrolment: Option<usize>,
    /// Its name in the aggregator's list of peers.
    pub(crate) peer_id: String,
    /// Stores that it was before it enrolled anew.
    pub(crate) former_stores: Vec<StoreId>,
    pub(crate) store_id: StoreId,
    pub(crate) key: Key,
    /// Changes that somebody was told are kept here: saved by a clerk, or acknowledged to a node.
    pub(crate) promised: Changes,
    /// Heads that forms were opened at.
    pub(crate) forms: BTreeMap<DocumentId, Vec<Hash>>,
    /// How far its clock is off, milliseconds.
    pub(crate) skew_ms: i64,
    /// The disk it writes to is full.
    pub(crate) is_full: bool,
    /// The network does not reach it.
    pub(crate) is_cut_off: bool,
    /// Its certificate was revoked.
    pub(crate) is_revoked: bool,
    /// Greatest position seen of it; of the aggregator's own, or of the aggregator as the node has followed it.
    pub(crate) position_seen: u64,
    replica: Option<Replica>,
    copies: Vec<Copy>,
    folder: PathBuf,
    files: u32,
    boots: u64,
    seed: u64,
    batch_documents_max: usize,
}

/// What a new process is to be.
pub(crate) struct NewOffice<'a> {
    pub(crate) name: String,
    pub(crate) enrolment: Option<usize>,
    pub(crate) folder: &'a Path,
    pub(crate) seed: u64,
    pub(crate) batch_documents_max: usize,
    pub(crate) grants: Vec<Grant>,
}

impl Office {
    /// Makes its store and starts it.
    pub(crate) fn create(new: NewOffice<'_>) -> Result<Self, rollcall_store::Error> {
        let mut chance = Chance::new(new.seed, &new.name, 0);
        let role = if new.enrolment.is_some() {
            Role::Node
        } else {
            Role::Aggregator
        };
        let mut office = Self {
            enrolment: new.enrolment,
            peer_id: format!("peer-{}", new.enrolment.unwrap_or_default()),
            former_stores: Vec::new(),
            store_id: StoreId(chance.bytes()),
            key: Key(chance.bytes()),
            promised: Changes::new(),
            forms: BTreeMap::new(),
            skew_ms: 0,
            is_full: false,
            is_cut_off: false,
            is_revoked: false,
            position_seen: 0,
            replica: None,
            copies: Vec::new(),
            folder: new.folder.to_owned(),
            files: 0,
            boots: 0,
            seed: new.seed,
            batch_documents_max: new.batch_documents_max,
            name: new.name,
        };
        let options = CreateOptions {
            role,
            store_id: office.store_id,
            log_epoch: LogEpoch(chance.bytes()),
            name: office.name.clone(),
        };
        Store::create(&office.file(), &options)?.close();
        office.start()?;
        if let Some(replica) = &office.replica {
            let work = move |writer: &mut rollcall_store::Writer| writer.save_grants(&new.grants);
            replica.store().write("grants", work).wait()?;
        }
        Ok(office)
    }

    /// A second process over a copy of this one's file: the same certificate, the same store. A `live` one is a copy of
    /// the machine with its memory: the random bytes it draws next are those that this one drew since it was started.
    pub(crate) fn clone_as(&self, name: String, live: bool) -> Result<Self, rollcall_store::Error> {
        let mut twin = Self {
            name,
            enrolment: self.enrolment,
            peer_id: self.peer_id.clone(),
            former_stores: self.former_stores.clone(),
            store_id: self.store_id,
            key: self.key.clone(),
            promised: self.promised.clone(),
            forms: BTreeMap::new(),
            skew_ms: 0,
            is_full: false,
            is_cut_off: false,
            is_revoked: false,
            position_seen: self.position_seen,
            replica: None,
            copies: Vec::new(),
            folder: self.folder.clone(),
            files: 0,
            boots: 0,
            seed: self.seed,
            batch_documents_max: self.batch_documents_max,
        };
        copy_store(&self.file(), &twin.file());
        let chance = if live {
            Chance::new(self.seed, &self.name, self.boots)
        } else {
            twin.chance()
        };
        twin.start_with(chance)?;
        Ok(twin)
    }

    /// The replica, while the process runs.
    pub(crate) fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// Starts the process, if it does not run.
    pub(crate) fn start(&mut self) -> Result<(), rollcall_store::Error> {
        if self.replica.is_some() {
            return Ok(());
        }
        self.boots += 1;
        self.start_with(self.chance())
    }

    /// The chance of this process since its last start.
    fn chance(&self) -> Chance {
        Chance::new(self.seed, &self.name, self.boots)
    }

    fn start_with(&mut self, mut chance: Chance) -> Result<(), rollcall_store::Error> {
        let store = Store::open_stepped(&self.file(), LogEpoch(chance.bytes()))?;
        self.replica = Some(Replica::with(
            store,
            Settings {
                random: Arc::new(Seeded::new(chance)),
                batch_documents_max: self.batch_documents_max,
            },
        ));
        if self.is_full {
            self.fill_disk(true)?;
        }
        Ok(())
    }

    /// Kills the process: what waits to be committed is lost, the file stays as it is at this moment.
    pub(crate) fn kill(&mut self) {
        if self.replica.is_none() {
            return;
        }
        let before = self.file();
        self.files += 1;
        copy_store(&before, &self.file());
        self.replica = None;
        self.forms.clear();
        remove_store(&before);
    }

    /// Lets the disk be full, or gives it room again.
    pub(crate) fn fill_disk(&mut self, full: bool) -> Result<(), rollcall_store::Error> {
        self.is_full = full;
        let Some(replica) = &self.replica else {
            return Ok(());
        };
        let pages = full.then_some(1);
        replica
            .store()
            .write("limit", move |writer| writer.limit_pages(pages))
            .wait()
    }

    /// Copies the file: with `rollcall backup` (`marked`), or as somebody copies a file.
    pub(crate) fn take_copy(&mut self, marked: bool) -> Result<(), rollcall_store::Error> {
        let path = self
            .folder
            .join(format!("{}.copy-{}", self.name, self.copies.len()));
        let is_marked = marked && self.replica.is_some();
        match &self.replica {
            Some(replica) if marked => replica.store().backup(&path)?,
            _ => copy_store(&self.file(), &path),
        }
        self.copies.push(Copy {
            path,
            promised: self.promised.clone(),
            is_marked,
        });
        Ok(())
    }

    /// Puts a copy in the place of the file and starts again; the promises are those of that time. One made with `backup`
    /// is put there with `restore`, another one by hand. Whether it was marked as a copy; none where there is no copy.
    pub(crate) fn restore(&mut self, which: usize) -> Result<Option<bool>, rollcall_store::Error> {
        if self.copies.is_empty() {
            return Ok(None);
        }
        self.kill();
        let copy = &self.copies[which % self.copies.len()];
        let (path, is_marked) = (copy.path.clone(), copy.is_marked);
        self.promised = copy.promised.clone();
        self.position_seen = 0;
        if is_marked {
            self.put_back(&path)?;
        } else {
            remove_store(&self.file());
            self.files += 1;
            copy_store(&path, &self.file());
        }
        self.start()?;
        Ok(Some(is_marked))
    }

    /// What an operator does with an aggregator that takes nothing any more, where there is no other one: a backup of it as
    /// it is, restored in its place (`deploy/runbooks/restore-aggregator.md`).
    pub(crate) fn restore_as_it_is(&mut self) -> Result<(), rollcall_store::Error> {
        let Some(replica) = &self.replica else {
            return Ok(());
        };
        let backup = self.folder.join(format!("{}.as-it-is-{}", self.name, self.files));
        replica.store().backup(&backup)?;
        self.kill();
        self.put_back(&backup)?;
        self.start()
    }

    /// Restores a backup over the file, as the command does; also one from before the office enrolled anew.
    fn put_back(&self, backup: &Path) -> Result<(), rollcall_store::Error> {
        let place = Place {
            role: match self.enrolment {
                Some(_) => Role::Node,
                None => Role::Aggregator,
            },
            takes_over: true,
            ..Place::default()
        };
        if let Some(replaced) = restore(backup, &self.file(), &place, clock())? {
            remove_store(&replaced);
        }
        Ok(())
    }

    /// What an operator does with one of two copies: it enrols anew, as a store of its own.
    pub(crate) fn enrol_anew(&mut self, peer_id: String) -> Result<(), rollcall_store::Error> {
        let mut chance = Chance::new(self.seed, &peer_id, 0);
        let (store_id, epoch) = (StoreId(chance.bytes()), LogEpoch(chance.bytes()));
        self.former_stores.push(self.store_id);
        self.store_id = store_id;
        self.peer_id = peer_id;
        match &self.replica {
            Some(replica) => replica
                .store()
                .write("enrol anew", move |writer| writer.become_store(store_id, epoch))
                .wait(),
            None => Ok(()),
        }
    }

    /// Promised changes that are not in the store, nor kept apart there.
    pub(crate) fn lost(&self) -> Result<Vec<(DocumentId, Hash)>, rollcall_store::Error> {
        let Some(replica) = &self.replica else {
            return Ok(Vec::new());
        };
        replica.store().read(|reader| {
            let mut lost = Vec::new();
            for (id, hash) in &self.promised {
                if reader.change_position(*id, hash)?.is_none() && reader.kept_change(*id, hash)?.is_none() {
                    lost.push((*id, *hash));
                }
            }
            Ok(lost)
        })
    }

    fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.{}", self.name, self.files))
    }
}

/// Copies a store's file with its write-ahead log.
fn copy_store(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let source = with_suffix(from, suffix);
        if source.exists() {
            std::fs::copy(&source, with_suffix(to, suffix)).expect("the simulation's folder can be written");
        }
    }
}

fn remove_store(path: &Path) {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let file = with_suffix(path, suffix);
        if file.exists() {
            std::fs::remove_file(file).expect("the simulation's folder can be written");
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
