-- The nodes of this database, and what is asked of all of them. Times are microseconds since
-- 1970-01-01T00:00:00Z, by the database's clock.

CREATE TABLE node (
    id UUID PRIMARY KEY,
    -- What people call it: its host and port.
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    started BIGINT NOT NULL,
    -- When it last said that it runs.
    seen BIGINT NOT NULL,
    -- What it had by then.
    sockets BIGINT NOT NULL,
    commands BIGINT NOT NULL
);

-- Answered by each node, then removed by who asked. What is left here is removed later.
CREATE TABLE inquiry (
    id UUID PRIMARY KEY,
    -- JSON.
    inquiry TEXT NOT NULL,
    asked BIGINT NOT NULL
);
CREATE TABLE inquiry_reply (
    inquiry_id UUID NOT NULL REFERENCES inquiry (id) ON DELETE CASCADE,
    node_id UUID NOT NULL,
    -- JSON.
    reply TEXT NOT NULL,
    PRIMARY KEY (inquiry_id, node_id)
);
