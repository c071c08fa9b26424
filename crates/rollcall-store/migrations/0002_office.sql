-- Version 2: receipts and evidence, what is kept apart, imports, accounts, audit, enrolment, leases.

-- Signed statements of what the aggregator holds. Written by save_receipt; only verified may change.
CREATE TABLE receipt (
    hash            BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32), -- The protocol's name of it.
    origin_store    BLOB    NOT NULL CHECK (length(origin_store) = 16), -- The node it is about.
    position        INTEGER NOT NULL, -- The aggregator's.
    time_ms         INTEGER NOT NULL,
    documents_count INTEGER NOT NULL, -- Of the set sum it was computed from.
    digest_sum      BLOB    NOT NULL CHECK (length(digest_sum) = 32), -- The same.
    bytes           BLOB    NOT NULL, -- The caller's encoding, with signature.
    checksum        BLOB    NOT NULL CHECK (length(checksum) = 32), -- SHA-256 of bytes.
    verified        INTEGER NOT NULL  -- 1: signature and content checked here.
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_by_origin_store ON receipt (origin_store, time_ms);

-- Signatures of origins over their chains, kept as evidence. Written by save_evidence, never changed.
CREATE TABLE batch_evidence (
    origin_store   BLOB    NOT NULL CHECK (length(origin_store) = 16),
    log_epoch      BLOB    NOT NULL CHECK (length(log_epoch) = 8),
    to_position    INTEGER NOT NULL,
    end_chain      BLOB    NOT NULL CHECK (length(end_chain) = 32),
    signature      BLOB    NOT NULL,
    signing_key    BLOB    NOT NULL, -- Public key that verified it.
    received_at_ms INTEGER NOT NULL,
    PRIMARY KEY (origin_store, log_epoch, to_position)
) STRICT, WITHOUT ROWID;

-- Changes that wait for a dependency. Written by save_pending, removed by remove_pending.
CREATE TABLE pending_change (
    pending_id    INTEGER PRIMARY KEY,
    document_id   BLOB    NOT NULL CHECK (length(document_id) = 16),
    kind          INTEGER NOT NULL,
    hash          BLOB    NOT NULL CHECK (length(hash) = 32),
    missing       BLOB    NOT NULL, -- Hashes it waits for, 32 bytes each.
    origin_store  BLOB    NOT NULL CHECK (length(origin_store) = 16),
    origin_epoch  BLOB    NOT NULL CHECK (length(origin_epoch) = 8),
    position      INTEGER NOT NULL, -- The aggregator's, where it came from there; else 0.
    committed_at_ms INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    bytes         BLOB    NOT NULL,
    UNIQUE (document_id, hash)
) STRICT;

-- Changes kept apart: refused by the gate, foreign, forked. Never deleted. Written by save_quarantine, release_quarantine.
CREATE TABLE quarantine (
    quarantine_id INTEGER PRIMARY KEY,
    document_id   BLOB    NOT NULL CHECK (length(document_id) = 16),
    content_hash  BLOB    NOT NULL CHECK (length(content_hash) = 32), -- SHA-256 of bytes.
    hash          BLOB, -- Change hash where the frame was sound.
    kind          INTEGER NOT NULL,
    code          TEXT    NOT NULL, -- Of reliability.md 4. May change on a further attempt.
    message       TEXT    NOT NULL, -- Plain sentence. May change with it.
    origin_store  BLOB    NOT NULL CHECK (length(origin_store) = 16),
    attempts      INTEGER NOT NULL, -- Only grows.
    first_seen_ms INTEGER NOT NULL,
    program       TEXT    NOT NULL, -- Version that tried last: retried once per version.
    released_ms   INTEGER, -- When it was taken after all or set aside for good.
    bytes         BLOB    NOT NULL,
    UNIQUE (document_id, content_hash)
) STRICT;
CREATE INDEX quarantine_open ON quarantine (document_id) WHERE released_ms IS NULL;

-- Imports of lists. Written by save_import; undone_ms by mark_import_undone.
CREATE TABLE import (
    import_id   TEXT    NOT NULL PRIMARY KEY,
    file_sha256 BLOB    NOT NULL CHECK (length(file_sha256) = 32),
    file_name   TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    at_ms       INTEGER NOT NULL,
    summary     TEXT    NOT NULL, -- JSON as `import --json` printed it.
    undo        BLOB    NOT NULL, -- The caller's encoding of what takes it back.
    undone_ms   INTEGER
) STRICT;
CREATE INDEX import_by_file ON import (file_sha256);

-- Who may sign in here. Written by save_account; rows stay, disabled ones too.
CREATE TABLE account (
    account_id    TEXT    NOT NULL PRIMARY KEY, -- Random, the one that documents carry. Never changes.
    name          TEXT    NOT NULL UNIQUE, -- Sign-in name; stays in this table.
    password_hash TEXT    NOT NULL, -- Argon2id, PHC text.
    role          TEXT    NOT NULL,
    must_change   INTEGER NOT NULL, -- 1: one-time password.
    disabled      INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL  -- Never changes.
) STRICT, WITHOUT ROWID;

-- Who did what. Written by append_audit, never changed.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY, -- 1, 2, 3 ... without gaps.
    at_ms   INTEGER NOT NULL,
    account TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    chain   BLOB    NOT NULL CHECK (length(chain) = 32) -- SHA-256(chain before, this row).
) STRICT;

-- One-time enrolment tokens. Written by save_token; used_ms by enrol.
CREATE TABLE token (
    token_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32), -- SHA-256 of the secret.
    federation TEXT    NOT NULL,
    also       TEXT    NOT NULL, -- JSON list of further scopes it writes.
    replicas   TEXT    NOT NULL, -- JSON list of federations it reads with all below.
    node_name  TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms    INTEGER -- Set once.
) STRICT, WITHOUT ROWID;

-- Peers and their certificates. Written by enrol, save_enrolment, revoke_enrolment, save_enrolment_heard.
CREATE TABLE enrolment (
    peer_id            TEXT    NOT NULL PRIMARY KEY, -- Never changes.
    federation         TEXT    NOT NULL,
    also               TEXT    NOT NULL, -- JSON list.
    replicas           TEXT    NOT NULL, -- JSON list.
    node_name          TEXT    NOT NULL,
    store_id           BLOB    NOT NULL CHECK (length(store_id) = 16),
    certificate_serial TEXT    NOT NULL, -- Changes on renewal.
    certificate_pem    TEXT    NOT NULL, -- Changes on renewal.
    signing_key        BLOB    NOT NULL, -- Ed25519 public key.
    enrolled_ms        INTEGER NOT NULL,
    not_after_ms       INTEGER NOT NULL, -- Changes on renewal.
    revoked_ms         INTEGER, -- Set once.
    revoked_reason     TEXT    NOT NULL,
    last_heard_ms      INTEGER NOT NULL,
    version            TEXT    NOT NULL,
    position           INTEGER NOT NULL -- The aggregator's position it holds everything up to.
) STRICT, WITHOUT ROWID;
CREATE INDEX enrolment_by_serial ON enrolment (certificate_serial);

-- Who may do what only one process may do at a time. Written by acquire_lease and release_lease.
CREATE TABLE lease (
    name     TEXT    NOT NULL PRIMARY KEY,
    holder   TEXT    NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
