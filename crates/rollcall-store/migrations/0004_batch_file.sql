-- Version 4: sync by file.

-- Files that came from a peer's node and were taken to their end. Written by save_batch_file; of each peer the newest and some
-- before it are kept.
CREATE TABLE batch_file (
    peer_id  TEXT    NOT NULL,
    file_id  BLOB    NOT NULL CHECK (length(file_id) = 16), -- Given by the node, random.
    taken_ms INTEGER NOT NULL, -- When it was first taken to its end.
    head     BLOB    NOT NULL, -- Where the node stood when it wrote the file, in the caller's encoding.
    newest   INTEGER NOT NULL, -- 1 for the file that the next answer is for.
    PRIMARY KEY (peer_id, file_id)
) STRICT, WITHOUT ROWID;
