-- What was imported from another installation, as it was there then: so that a repeated import brings
-- what has changed there since, and leaves alone what was changed here.
CREATE TABLE imported (
    -- Of the thing, here as there.
    id BLOB PRIMARY KEY,
    -- Which installation it comes from.
    source BLOB NOT NULL,
    model TEXT NOT NULL,
    -- JSON.
    fields TEXT NOT NULL,
    -- What is secret of it: sealed.
    secret BLOB
);
CREATE INDEX imported_source ON imported (source);
