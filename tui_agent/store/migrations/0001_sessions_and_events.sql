-- `events` is the log; `sessions` is its table of contents, kept in the same transaction.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    working_directory TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    title TEXT NOT NULL DEFAULT '',
    turns INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0,
    started REAL NOT NULL,
    updated REAL NOT NULL
);
CREATE INDEX sessions_by_directory ON sessions (working_directory, updated);

CREATE TABLE events (
    session TEXT NOT NULL REFERENCES sessions (id),
    seq INTEGER NOT NULL,
    time REAL NOT NULL,
    payload BLOB NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (session, seq)
) WITHOUT ROWID;
