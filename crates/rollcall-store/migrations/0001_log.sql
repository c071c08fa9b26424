-- Version 1: what a store is, its documents and changes, scopes, logs, cursors, facts and lists.
-- Ids, hashes and chains are blobs of fixed length; positions and counts are integers; scopes are federation codes.
-- Tables whose key is a blob or a text are WITHOUT ROWID, except where rows are large.

-- One row per property of the store. Written by create, migration, restore and epoch rotation.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY, -- 'store_id', 'log_epoch', 'role', 'name', 'restored_from', 'rotated_from'. Never changes.
    value BLOB NOT NULL              -- Changes for all but 'store_id' and 'role'.
) STRICT, WITHOUT ROWID;

-- Sequences. Written by every transaction that takes a number, as its last statement.
CREATE TABLE counter (
    name  TEXT    NOT NULL PRIMARY KEY, -- 'position', 'committed_at_ms', 'fact_revision'.
    value INTEGER NOT NULL              -- Only grows.
) STRICT, WITHOUT ROWID;

-- One row per document. Written by commit_document.
CREATE TABLE document (
    document_id   BLOB    NOT NULL PRIMARY KEY CHECK (length(document_id) = 16), -- Never changes.
    kind          INTEGER NOT NULL, -- DocumentKind::number. Never changes.
    heads         BLOB    NOT NULL, -- Sorted change hashes, 32 bytes each. Changes with every commit.
    digest        BLOB    NOT NULL CHECK (length(digest) = 32), -- SHA-256("rc1", id, n, heads); compared before every commit.
    changes_count INTEGER NOT NULL, -- Rows in change. Only grows.
    bytes_total   INTEGER NOT NULL, -- Their bytes. Only grows.
    state         INTEGER NOT NULL DEFAULT 0 -- DocumentState. Written by set_document_state, may change.
) STRICT, WITHOUT ROWID;

-- Every change for ever. Written by commit_document, in dependency order within a document.
CREATE TABLE change (
    change_id       INTEGER PRIMARY KEY, -- Order of arrival here. Never changes.
    document_id     BLOB    NOT NULL CHECK (length(document_id) = 16), -- Never changes.
    ordinal         INTEGER NOT NULL, -- 0, 1, 2 ... within the document: the order to load in. Never changes.
    hash            BLOB    NOT NULL CHECK (length(hash) = 32), -- Of the chunk. Never changes.
    actor           BLOB    NOT NULL CHECK (length(actor) = 16), -- Who wrote it, as the document counts. Never changes.
    seq             INTEGER NOT NULL, -- The actor's number in this document. Never changes.
    position        INTEGER NOT NULL, -- The aggregator's; 0 = none yet. At a node set by acknowledge; else never changes.
    committed_at_ms INTEGER NOT NULL, -- Commit time of that position; 0 while it has none. Changes with it.
    origin_store    BLOB    NOT NULL CHECK (length(origin_store) = 16), -- Store that sent it first. Never changes.
    origin_epoch    BLOB    NOT NULL CHECK (length(origin_epoch) = 8),  -- Its spell then. Changes when this store rotates its own.
    origin_position INTEGER NOT NULL, -- Place in that store's log; 0 = unknown. Changes when this store renumbers its own.
    bytes           BLOB    NOT NULL, -- Plain change chunk. Never changes.
    UNIQUE (document_id, hash)
) STRICT;
CREATE INDEX change_by_position ON change (position, committed_at_ms);

-- The aggregator's log: one position is one document in one accepted batch. Written by commit_document, never changed.
CREATE TABLE log (
    position        INTEGER PRIMARY KEY,
    document_id     BLOB    NOT NULL CHECK (length(document_id) = 16),
    origin_store    BLOB    NOT NULL CHECK (length(origin_store) = 16), -- Who sent the batch.
    committed_at_ms INTEGER NOT NULL -- Never less than the row before.
) STRICT;

-- Which store an actor belongs to: the first accepted change binds it. Written by commit_document, never changed.
CREATE TABLE actor (
    actor        BLOB NOT NULL PRIMARY KEY CHECK (length(actor) = 16),
    origin_store BLOB NOT NULL CHECK (length(origin_store) = 16)
) STRICT, WITHOUT ROWID;

-- Documents that a document names. Written by commit_document, only grows.
CREATE TABLE name (
    document_id BLOB NOT NULL CHECK (length(document_id) = 16), -- Who names.
    named_id    BLOB NOT NULL CHECK (length(named_id) = 16),    -- Whom: a document id or an alias.
    PRIMARY KEY (document_id, named_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX name_by_named_id ON name (named_id);

-- Further ids under which a document may be named; its own id is not repeated here. Written by commit_document, only grows.
CREATE TABLE alias (
    alias_id    BLOB NOT NULL CHECK (length(alias_id) = 16),
    document_id BLOB NOT NULL CHECK (length(document_id) = 16),
    PRIMARY KEY (alias_id, document_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_by_document_id ON alias (document_id);

-- One row per scope that has had a document. Written by commit_document.
CREATE TABLE scope (
    scope           TEXT    NOT NULL PRIMARY KEY, -- Never changes.
    documents_count INTEGER NOT NULL, -- Rows in scope_document. Only grows.
    digest_sum      BLOB    NOT NULL CHECK (length(digest_sum) = 32), -- Sum of their digests mod 2^256, little-endian.
    chain           BLOB    NOT NULL CHECK (length(chain) = 32), -- Of the last row in scope_log; zero at a node.
    last_position   INTEGER NOT NULL -- Of the last row in scope_log; 0 at a node.
) STRICT, WITHOUT ROWID;

-- Which documents are in a scope. Written by commit_document and acknowledge, only grows.
CREATE TABLE scope_document (
    document_id BLOB    NOT NULL CHECK (length(document_id) = 16),
    scope       TEXT    NOT NULL,
    home        INTEGER NOT NULL, -- 1: at home there, 0: a visitor. May become 1.
    PRIMARY KEY (document_id, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX scope_document_by_scope ON scope_document (scope, document_id);

-- The aggregator's log as one scope sees it. Written by commit_document, never changed.
CREATE TABLE scope_log (
    scope       TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    document_id BLOB    NOT NULL CHECK (length(document_id) = 16),
    whole       INTEGER NOT NULL, -- 1: the document joined here, all of it is news to the scope.
    chain       BLOB    NOT NULL CHECK (length(chain) = 32), -- SHA-256(chain before, position, document, new change hashes).
    PRIMARY KEY (scope, position, document_id)
) STRICT, WITHOUT ROWID;

-- A node's own log: its own changes. Written by commit_document; rewritten as a whole when the log epoch rotates.
CREATE TABLE origin (
    origin_position INTEGER PRIMARY KEY,
    document_id     BLOB    NOT NULL CHECK (length(document_id) = 16),
    hash            BLOB    NOT NULL CHECK (length(hash) = 32),
    recorded_at_ms  INTEGER NOT NULL, -- The node's clock when it was saved.
    chain           BLOB    NOT NULL CHECK (length(chain) = 32) -- SHA-256(chain before, document, hash).
) STRICT;

-- What documents state, for figures. Derived: may be dropped and rebuilt. Written by commit_document, acknowledge, save_facts.
CREATE TABLE fact (
    revision    INTEGER PRIMARY KEY, -- From the counter; a rewritten row takes a new one, so that others can follow.
    document_id BLOB    NOT NULL CHECK (length(document_id) = 16),
    position    INTEGER NOT NULL, -- From which position this holds; 2^63 - 1 for a node's edits that have none.
    kind        INTEGER NOT NULL, -- As in document.
    current     INTEGER NOT NULL, -- 1: greatest position of its document. Changes when a later one arrives.
    facts       BLOB    NOT NULL, -- The caller's encoding.
    UNIQUE (document_id, position)
) STRICT;

-- What lists and search show. Derived: may be dropped and rebuilt. Written by commit_document and save_listing, may change.
CREATE TABLE listing (
    document_id   BLOB    NOT NULL PRIMARY KEY CHECK (length(document_id) = 16),
    kind          INTEGER NOT NULL,
    code          TEXT,              -- Valid credit code.
    name          TEXT    NOT NULL,  -- As shown and sorted by.
    search        TEXT    NOT NULL,  -- Everything it may be found by, folded by the caller.
    home          TEXT,              -- Responsible federation.
    conflicts     INTEGER NOT NULL,  -- Open conflicts.
    updated_at_ms INTEGER NOT NULL,  -- Of the last change.
    position      INTEGER NOT NULL,  -- Of the last change; 2^63 - 1 while it has none.
    columns       TEXT    NOT NULL   -- JSON: what else a row of the list shows.
) STRICT;
CREATE INDEX listing_by_code ON listing (code) WHERE code IS NOT NULL;
CREATE INDEX listing_by_name ON listing (kind, name);
CREATE INDEX listing_by_home ON listing (home, kind);
CREATE INDEX listing_by_conflicts ON listing (kind, conflicts) WHERE conflicts > 0;

-- How far the aggregator has received a store's log. Written by advance_cursor and save_peer_heard.
CREATE TABLE peer_cursor (
    origin_store  BLOB    NOT NULL CHECK (length(origin_store) = 16), -- Never changes.
    log_epoch     BLOB    NOT NULL CHECK (length(log_epoch) = 8),     -- Never changes.
    position      INTEGER NOT NULL, -- Only grows.
    chain         BLOB    NOT NULL CHECK (length(chain) = 32), -- At that position.
    last_heard_ms INTEGER NOT NULL, -- May change.
    version       TEXT    NOT NULL, -- Program version it said last. May change.
    peer          TEXT    NOT NULL, -- Its name in the enrolment. May change.
    PRIMARY KEY (origin_store, log_epoch)
) STRICT, WITHOUT ROWID;

-- What a node knows of its aggregator: one row. Written by save_upstream, advance_down and acknowledge, may change.
CREATE TABLE upstream (
    upstream_id     INTEGER PRIMARY KEY CHECK (upstream_id = 1),
    store_id        BLOB    NOT NULL CHECK (length(store_id) = 16),
    log_epoch       BLOB    NOT NULL CHECK (length(log_epoch) = 8),
    down_position   INTEGER NOT NULL, -- Everything up to here is held.
    scopes_hash     BLOB    NOT NULL CHECK (length(scopes_hash) = 32),
    acked_position  INTEGER NOT NULL, -- The node's own log is held there up to here.
    acked_chain     BLOB    NOT NULL CHECK (length(acked_chain) = 32),
    receipt_hash    BLOB    NOT NULL CHECK (length(receipt_hash) = 32), -- Last verified receipt; zero if none.
    last_heard_ms   INTEGER NOT NULL
) STRICT;

-- Scopes a node is enrolled for. Written by save_grants as a whole.
CREATE TABLE scope_grant (
    scope TEXT    NOT NULL PRIMARY KEY,
    write INTEGER NOT NULL -- 1: may write it, 0: a read-only replica.
) STRICT, WITHOUT ROWID;
