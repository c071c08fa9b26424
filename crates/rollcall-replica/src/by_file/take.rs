//! A node's file at the aggregator: looked through once, so that nothing is taken of a log that does not fit, then taken
//! batch by batch, each durable by itself. Taking a file again, or an older one, finds everything held.

use rollcall_store::batch_file::BatchFileRow;
use rollcall_sync::batch_file::{UpHead, UpPart};
use rollcall_sync::keys::Verify;
use rollcall_sync::limits::{FILES_REMEMBERED_MAX, PENDING_MS_MAX, PROTOCOL_VERSION};
use rollcall_sync::message::{Batch, Cursor, Outcome};

use super::FileRefused;
use crate::error::Error;
use crate::peer::PeerContext;
use crate::replica::{PROGRAM, Replica};
use crate::take_down::Taken;
use crate::take_up::UpRefused;

/// How the log in a file lies against the one that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fits {
    /// It continues it.
    Continues,
    /// It ends before: an older file, or a node that was put back. Nothing in it is new.
    Behind,
    /// It begins after its end: what lies between was lost here, and the node is asked for it.
    Gap,
    /// It has another chain: the node was put back from a copy and has written since. The node is told.
    Parted,
}

/// A file on its way in.
pub struct Taking {
    peer: PeerContext,
    from: Cursor,
    held: Cursor,
    verified: Cursor,
    fits: Fits,
    pushed: Taken,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileTaken {
    /// What of it was new here, and how many documents of it are kept apart.
    pub pushed: Taken,
    /// How its log lay against the one that was held.
    pub fits: Fits,
    /// When the same file was taken before, Unix milliseconds.
    pub before_ms: Option<i64>,
}

impl Replica {
    /// Begins with a file of this peer. A store that takes the place of a lost one is noted, once.
    ///
    /// # Errors
    /// `Sender` where the file comes from another store than the one enrolled, `Protocol`; the store's.
    pub fn begin_file(&self, mut peer: PeerContext, head: &UpHead) -> Result<Taking, FileRefused> {
        let hello = &head.hello;
        if hello.protocol != PROTOCOL_VERSION {
            return Err(FileRefused::Protocol);
        }
        if hello.store_id != peer.store_id {
            let is_new = self.read(|reader| Ok(reader.peer_cursors_of(hello.store_id)?.is_empty()))?;
            if !hello.takes_place || !is_new {
                return Err(FileRefused::Sender);
            }
            self.replace_store(&peer.peer_id, hello.store_id)?;
            peer.former_stores.push(peer.store_id);
            peer.store_id = hello.store_id;
        }
        peer.log_epoch = hello.log_epoch;
        let held = self.peer_cursor(&peer)?;
        let fits = if head.from.position > held.position {
            Fits::Gap
        } else if head.from.position == held.position && head.from.chain != held.chain {
            Fits::Parted
        } else if hello.origin_end.position < held.position {
            Fits::Behind
        } else {
            Fits::Continues
        };
        Ok(Taking {
            peer,
            from: head.from,
            held,
            verified: head.from,
            fits,
            pushed: Taken::default(),
        })
    }

    /// Remembers a file that was taken to its end, and that its node was heard; `newest` where no later one came before.
    ///
    /// # Errors
    /// The store's.
    pub fn finish_file(
        &self,
        taking: Taking,
        head: &UpHead,
        head_bytes: Vec<u8>,
        newest: bool,
        now_ms: i64,
    ) -> Result<FileTaken, Error> {
        let Taking {
            peer, pushed, fits, ..
        } = taking;
        let (peer_id, file_id) = (peer.peer_id.clone(), head.file_id);
        let before = self.read(|reader| Ok(reader.batch_file(&peer_id, &file_id)?))?;
        let identity = self.store().identity();
        let hello = &head.hello;
        if newest && hello.known_peer == Some((identity.store_id, identity.log_epoch)) {
            self.note_alive(&peer, hello.down_position, now_ms)?;
        }
        let row = BatchFileRow {
            peer_id,
            file_id,
            taken_ms: now_ms,
            head: head_bytes,
        };
        let (version, position) = (hello.version.clone(), hello.down_position);
        let work = move |writer: &mut rollcall_store::Writer| {
            if newest {
                writer.save_peer_heard(peer.store_id, peer.log_epoch, now_ms, &version, &peer.peer_id)?;
                writer.save_enrolment_heard(&peer.peer_id, now_ms, &version, position)?;
            }
            writer.expire_pending(now_ms - PENDING_MS_MAX, PROGRAM, now_ms)?;
            writer.save_batch_file(&row, newest, FILES_REMEMBERED_MAX)
        };
        self.store().write("note file", work).wait()?;
        Ok(FileTaken {
            pushed,
            fits,
            before_ms: before.map(|row| row.taken_ms),
        })
    }
}

impl Taking {
    /// Looks at a part behind the head; every part must have been looked at before the first is taken.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&mut self, part: &UpPart, keys: &dyn Verify) -> Result<(), FileRefused> {
        match part {
            UpPart::Head(_) => Err(FileRefused::Order),
            UpPart::Batch(batch) if batch.to == 0 => Ok(()),
            UpPart::Batch(batch) => match self.follow(batch, keys) {
                Err(UpRefused::Chain) => {
                    self.fits = Fits::Parted;
                    Ok(())
                }
                other => Ok(other?),
            },
        }
    }

    /// Goes back to the beginning, to take what was looked at.
    pub fn rewind(&mut self) {
        self.verified = self.from;
    }

    /// Takes a part behind the head; durable on return.
    ///
    /// # Errors
    /// What is wrong with it. What was taken before stays.
    pub fn take(
        &mut self,
        replica: &Replica,
        part: &UpPart,
        keys: &dyn Verify,
        now_ms: i64,
    ) -> Result<(), FileRefused> {
        let UpPart::Batch(batch) = part else {
            return Err(FileRefused::Order);
        };
        let loose = batch.to == 0;
        if !loose {
            self.follow(batch, keys)?;
            if self.fits != Fits::Continues || batch.to <= self.held.position {
                return Ok(());
            }
        }
        let ack = replica.take_up(&self.peer, batch, now_ms)?;
        for (document, outcome) in batch.documents.iter().zip(&ack.outcomes) {
            match outcome.outcome {
                Outcome::Duplicate => continue,
                Outcome::Applied | Outcome::Pending => {}
                Outcome::Forked | Outcome::Quarantined(_) | Outcome::Rejected(_) => {
                    self.pushed.quarantined += 1;
                }
            }
            let new = document.changes.iter();
            let new = new.filter(|change| loose || change.position > self.held.position);
            self.pushed.changes += new.count() as u64;
            self.pushed.documents += 1;
        }
        Ok(())
    }

    /// Follows the chain over a batch of the log, as far as the log fits at all.
    fn follow(&mut self, batch: &Batch, keys: &dyn Verify) -> Result<(), UpRefused> {
        if self.fits == Fits::Continues {
            Replica::check_batch(&self.peer, batch, &self.verified, &self.held, keys)?;
            self.verified = Cursor {
                position: batch.to,
                chain: batch.end_chain,
            };
        }
        Ok(())
    }
}
