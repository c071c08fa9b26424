//! What lies at a relay: files of nodes on their way up, answers and refusals on their way down, by the certificate that
//! brought them. Owns names, order and limits on disk; what is in the files is sealed.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rollcall_command::output::Refused;
use rollcall_sync::limits::{RELAY_BYTES_MAX, RELAY_FILES_MAX};

/// The folder of a relay. Clones would each have a lock of their own, so it is shared.
pub struct Spool {
    folder: PathBuf,
    lock: Mutex<()>,
}

/// What lies there for a node.
pub enum Lying {
    /// The answer to a file.
    Answer(File),
    /// The aggregator refused a file: code and sentence.
    Refusal(String, String),
}

/// A file on its way up.
pub struct Waiting {
    owner: PathBuf,
    path: PathBuf,
}

impl Waiting {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

const UP: &str = "up";
const ANSWER: &str = "answer";
const REFUSAL: &str = "refusal";

impl Spool {
    /// Opens the folder, and drops what was not complete when the program last ended.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(folder: PathBuf) -> std::io::Result<Self> {
        let parts = folder.join("parts");
        if parts.exists() {
            fs::remove_dir_all(&parts)?;
        }
        fs::create_dir_all(&parts)?;
        Ok(Self {
            folder,
            lock: Mutex::new(()),
        })
    }

    /// A place for a file that is being written.
    pub fn part(&self, name: &str) -> PathBuf {
        self.folder.join("parts").join(name)
    }

    /// Keeps a file that a node brought.
    ///
    /// # Errors
    /// `RELAY_FULL` where as much lies there as may; `FILE`.
    pub fn keep(&self, certificate: &[u8; 32], part: &Path) -> Result<(), Refused> {
        let _locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = self.folder.join(hex(certificate));
        let full = |what: &str| {
            let message = format!("{what}; what lies there already goes first. Try again later.");
            Refused::new("RELAY_FULL", message)
        };
        let kept = (|| {
            fs::create_dir_all(&owner)?;
            if numbered(&owner, UP)?.len() >= RELAY_FILES_MAX {
                return Ok(Err(full("The relay keeps no more files of this node")));
            }
            if bytes_in(&self.folder)? + part.metadata()?.len() > RELAY_BYTES_MAX {
                return Ok(Err(full("The relay is full")));
            }
            File::open(part)?.sync_all()?;
            fs::rename(part, next(&owner, UP)?).map(Ok)
        })();
        kept.unwrap_or_else(|error| Err(failed(&error)))
    }

    /// The oldest answer or refusal that lies there for a node; it is taken out.
    ///
    /// # Errors
    /// `FILE`.
    pub fn fetch(&self, certificate: &[u8; 32]) -> Result<Option<Lying>, Refused> {
        let _locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = self.folder.join(hex(certificate));
        let fetched = (|| {
            if let Some(path) = numbered(&owner, ANSWER)?.into_iter().next() {
                let file = File::open(&path)?;
                fs::remove_file(path)?;
                return Ok(Some(Lying::Answer(file)));
            }
            let Some(path) = numbered(&owner, REFUSAL)?.into_iter().next() else {
                return Ok(None);
            };
            let text = fs::read_to_string(&path)?;
            fs::remove_file(path)?;
            let (code, message) = text.split_once('\n').unwrap_or((text.as_str(), ""));
            Ok(Some(Lying::Refusal(code.to_owned(), message.to_owned())))
        })();
        fetched.map_err(|error: std::io::Error| failed(&error))
    }

    /// Files on their way up: of every node the oldest.
    ///
    /// # Errors
    /// `FILE`.
    pub fn waiting(&self) -> Result<Vec<Waiting>, Refused> {
        let _locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let found = (|| {
            let mut found = Vec::new();
            for entry in fs::read_dir(&self.folder)? {
                let owner = entry?.path();
                if owner.is_dir()
                    && let Some(path) = numbered(&owner, UP)?.into_iter().next()
                {
                    found.push(Waiting { owner, path });
                }
            }
            Ok(found)
        })();
        found.map_err(|error: std::io::Error| failed(&error))
    }

    /// Puts the answer in the place of the file. Of answers that nobody fetches the oldest go: each can be made again.
    ///
    /// # Errors
    /// `FILE`.
    pub fn answered(&self, file: &Waiting, answer: &Path) -> Result<(), Refused> {
        self.replace(file, ANSWER, |place| fs::rename(answer, place))
    }

    /// Puts the aggregator's refusal in the place of the file.
    ///
    /// # Errors
    /// `FILE`.
    pub fn refused(&self, file: &Waiting, code: &str, message: &str) -> Result<(), Refused> {
        self.replace(file, REFUSAL, |place| {
            fs::write(place, format!("{code}\n{message}"))
        })
    }

    fn replace(
        &self,
        file: &Waiting,
        kind: &str,
        put: impl FnOnce(PathBuf) -> std::io::Result<()>,
    ) -> Result<(), Refused> {
        let _locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let put = (|| {
            put(next(&file.owner, kind)?)?;
            fs::remove_file(&file.path)?;
            let lying = numbered(&file.owner, kind)?;
            for old in &lying[..lying.len().saturating_sub(RELAY_FILES_MAX)] {
                fs::remove_file(old)?;
            }
            Ok(())
        })();
        put.map_err(|error: std::io::Error| failed(&error))
    }
}

fn failed(error: &std::io::Error) -> Refused {
    Refused::new("FILE", format!("The relay cannot keep or read a file: {error}."))
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Files of a kind, oldest first; none where the node has no folder yet.
fn numbered(owner: &Path, kind: &str) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(owner) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == kind) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A name behind all others of its kind.
fn next(owner: &Path, kind: &str) -> std::io::Result<PathBuf> {
    let last = numbered(owner, kind)?.into_iter().next_back();
    let number = last
        .as_deref()
        .and_then(Path::file_stem)
        .and_then(|stem| stem.to_str()?.parse::<u64>().ok())
        .map_or(1, |last| last + 1);
    Ok(owner.join(format!("{number:020}.{kind}")))
}

fn bytes_in(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            bytes_in(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn bring(spool: &Spool, node: u8, content: &[u8]) -> Result<(), Refused> {
        let part = spool.part("part");
        fs::write(&part, content).expect("written");
        spool.keep(&[node; 32], &part)
    }

    fn read(lying: Option<Lying>) -> Vec<u8> {
        match lying {
            Some(Lying::Answer(mut file)) => {
                let mut content = Vec::new();
                file.read_to_end(&mut content).expect("read");
                content
            }
            Some(Lying::Refusal(code, message)) => format!("{code}: {message}").into_bytes(),
            None => Vec::new(),
        }
    }

    #[test]
    fn files_go_up_in_order_and_answers_come_back_to_who_brought_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(folder.path().join("relay")).expect("opens");
        for (node, content) in [(1, "a"), (2, "b"), (1, "c")] {
            bring(&spool, node, content.as_bytes()).expect("kept");
        }
        let waiting = spool.waiting().expect("looked");
        assert_eq!(waiting.len(), 2, "one of each node");
        for file in &waiting {
            let mut answer = fs::read(file.path()).expect("there");
            answer.push(b'!');
            fs::write(spool.part("answer"), answer).expect("written");
            spool.answered(file, &spool.part("answer")).expect("kept");
        }
        // Another start finds the same.
        let spool = Spool::open(folder.path().join("relay")).expect("opens");
        assert_eq!(read(spool.fetch(&[1; 32]).expect("looked")), b"a!");
        assert_eq!(read(spool.fetch(&[2; 32]).expect("looked")), b"b!");
        assert!(spool.fetch(&[2; 32]).expect("looked").is_none());
        let waiting = spool.waiting().expect("looked");
        assert_eq!(waiting.len(), 1);
        spool.refused(&waiting[0], "KEY_REVOKED", "Gone.").expect("kept");
        assert_eq!(
            read(spool.fetch(&[1; 32]).expect("looked")),
            b"KEY_REVOKED: Gone."
        );
        assert!(spool.waiting().expect("looked").is_empty());
    }

    #[test]
    fn a_node_that_brings_too_much_is_told_so_and_answers_nobody_fetches_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(folder.path().join("relay")).expect("opens");
        for _ in 0..RELAY_FILES_MAX {
            bring(&spool, 1, b"x").expect("kept");
        }
        assert_eq!(bring(&spool, 1, b"x").expect_err("full").code, "RELAY_FULL");
        bring(&spool, 2, b"x").expect("others are not hindered");
        for number in 0..=RELAY_FILES_MAX {
            let file = spool
                .waiting()
                .expect("looked")
                .into_iter()
                .next()
                .expect("waits");
            fs::write(spool.part("answer"), [number as u8]).expect("written");
            spool.answered(&file, &spool.part("answer")).expect("kept");
            bring(&spool, 1, b"x")
                .or_else(|_| bring(&spool, 2, b"x"))
                .expect("room again");
        }
        let heavy = File::create(spool.part("heavy")).expect("made");
        heavy.set_len(RELAY_BYTES_MAX).expect("grows without content");
        let error = spool.keep(&[3; 32], &spool.part("heavy")).expect_err("full");
        assert_eq!(error.code, "RELAY_FULL");
    }
}
