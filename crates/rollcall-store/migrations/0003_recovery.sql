-- Version 3: recovery: what became of what was kept apart, copied stores, aggregators that were restored, whole evidence.

-- How a row ended: '' while open, 'taken', 'rescued' (written again by its author's node), 'discarded'. Written with released_ms.
ALTER TABLE quarantine ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
-- Why it was discarded, or what it was written again as.
ALTER TABLE quarantine ADD COLUMN note TEXT NOT NULL DEFAULT '';
UPDATE quarantine SET outcome = 'taken' WHERE released_ms IS NOT NULL;

-- Every store that sent a row of quarantine: copies of a store hold the same change, and the row names the last of them only.
-- Written by save_quarantine, only grows.
CREATE TABLE quarantine_sender (
    quarantine_id INTEGER NOT NULL,
    origin_store  BLOB    NOT NULL CHECK (length(origin_store) = 16),
    PRIMARY KEY (origin_store, quarantine_id)
) STRICT, WITHOUT ROWID;
INSERT INTO quarantine_sender SELECT quarantine_id, origin_store FROM quarantine;

-- When two stores were found to work with this peer's certificate; NULL while there is one.
ALTER TABLE enrolment ADD COLUMN fenced_ms INTEGER;

-- The changes that a batch was signed over: document (16 bytes) and change hash (32 bytes) of each, in order of the origin's log.
ALTER TABLE batch_evidence ADD COLUMN links BLOB NOT NULL DEFAULT x'';

-- Spells of a store's log in the order in which they were heard to be alive. Written by note_turn, removed by end_fence.
CREATE TABLE turn (
    origin_store BLOB    NOT NULL CHECK (length(origin_store) = 16),
    number       INTEGER NOT NULL, -- 1, 2, 3 ... within the store.
    log_epoch    BLOB    NOT NULL CHECK (length(log_epoch) = 8),
    position     INTEGER NOT NULL, -- The aggregator's when it was heard: a later turn must know of a later one.
    PRIMARY KEY (origin_store, number)
) STRICT, WITHOUT ROWID;

-- Spells after a restore of the aggregator in which not everybody has been heard yet. Written by begin_recovery and end_recovery.
CREATE TABLE recovery (
    recovery_id INTEGER PRIMARY KEY,
    position    INTEGER NOT NULL, -- Last position in the backup.
    reaches_ms  INTEGER NOT NULL, -- Its commit time.
    ended_ms    INTEGER, -- Set once.
    ended_by    TEXT    NOT NULL -- Account and reason where somebody signed it off; '' where all were heard.
) STRICT;

-- Who was enrolled when a recovery began. heard_ms is written by note_recovered.
CREATE TABLE recovery_peer (
    recovery_id INTEGER NOT NULL,
    peer_id     TEXT    NOT NULL,
    heard_ms    INTEGER, -- When everything it has was taken.
    PRIMARY KEY (recovery_id, peer_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX document_not_clean ON document (document_id) WHERE state <> 0;
