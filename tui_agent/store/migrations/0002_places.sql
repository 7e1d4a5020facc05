-- `place` numbers all events ever written, so that a search index knows what it has seen. As a table without row ids
-- `events` needed half as much room again: what is longer than a quarter of a page takes whole pages there.
ALTER TABLE sessions ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

CREATE TABLE placed (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL REFERENCES sessions (id),
    seq INTEGER NOT NULL,
    time REAL NOT NULL,
    payload BLOB NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (session, seq)
);
INSERT INTO placed (session, seq, time, payload, hash)
    SELECT session, seq, time, payload, hash FROM events ORDER BY session, seq;
DROP TABLE events;
ALTER TABLE placed RENAME TO events;

UPDATE sessions SET bytes = (SELECT COALESCE(SUM(LENGTH(payload)), 0) FROM events WHERE session = sessions.id);
