-- Commands, and the SSH logins that they run with. Times are microseconds since
-- 1970-01-01T00:00:00Z.

ALTER TABLE device ADD COLUMN is_active BOOLEAN NOT NULL DEFAULT TRUE;

-- The one key that secrets are sealed with: what recognizes it, not the key.
CREATE TABLE secret_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint TEXT NOT NULL
);

CREATE TABLE credential (
    id BLOB PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    username TEXT NOT NULL,
    port INTEGER NOT NULL,
    -- password or private_key: what the secret holds.
    kind TEXT NOT NULL,
    -- Sealed.
    secret BLOB NOT NULL,
    old_algorithms BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    UNIQUE (organization_id, name)
);
CREATE INDEX credential_created ON credential (created);

CREATE TABLE connection (
    id BLOB PRIMARY KEY,
    device_id BLOB NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    credential_id BLOB NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    is_enabled BOOLEAN NOT NULL,
    -- The device's host key as it was at its first use, in OpenSSH's one line.
    host_key TEXT,
    -- How the last attempt went; NULL before the first.
    is_working BOOLEAN,
    failure_reason TEXT NOT NULL,
    last_attempt BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    UNIQUE (device_id, credential_id)
);
CREATE INDEX connection_credential ON connection (credential_id);

CREATE TABLE command (
    id BLOB PRIMARY KEY,
    device_id BLOB NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    -- The one asked for, or else the one that was used, once it is known.
    connection_id BLOB REFERENCES connection (id) ON DELETE SET NULL,
    -- The connection was asked for: no other one will do.
    connection_asked BOOLEAN NOT NULL,
    -- The type's name, and its display name at that time.
    type TEXT NOT NULL,
    label TEXT NOT NULL,
    -- JSON, secrets masked.
    input TEXT NOT NULL,
    -- The plain input where something in it is masked: sealed, and gone when the command ends.
    secret_input BLOB,
    -- queued, running, success or failed.
    status TEXT NOT NULL,
    exit_code INTEGER,
    created_by BLOB REFERENCES users (id) ON DELETE SET NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    -- When it is too late to begin.
    expires BIGINT NOT NULL,
    -- The node that runs it, and until when others believe so, by the database's clock.
    claimed_by BLOB,
    claimed_until BIGINT,
    -- Handed to the device: from here on nobody may run it again.
    is_sent BOOLEAN NOT NULL,
    -- Who asked for its end.
    cancelled_by TEXT,
    -- Updates of the row so far: orders its states.
    version BIGINT NOT NULL,
    -- As of location; 0 before the first update, of which alone others are told.
    change BIGINT NOT NULL
);
CREATE UNIQUE INDEX command_running ON command (device_id) WHERE status = 'running';
CREATE INDEX command_open ON command (device_id, created, id) WHERE status IN ('queued', 'running');
CREATE INDEX command_queue ON command (created, id) WHERE status = 'queued';
CREATE INDEX command_created ON command (device_id, created);
CREATE INDEX command_modified ON command (device_id, modified, id);
CREATE INDEX command_change ON command (change);
CREATE INDEX command_ended ON command (modified) WHERE status IN ('success', 'failed');
CREATE INDEX command_claimed ON command (claimed_until) WHERE status = 'running';
CREATE INDEX command_connection ON command (connection_id);
CREATE INDEX command_created_by ON command (created_by) WHERE created_by IS NOT NULL;

-- What a command has printed, a piece a save: appended to, never rewritten.
CREATE TABLE command_output (
    command_id BLOB NOT NULL REFERENCES command (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (command_id, number)
) WITHOUT ROWID;

-- Who did what. Names are kept as they were: the rows outlive what they are about.
CREATE TABLE audit (
    id BLOB PRIMARY KEY,
    moment BIGINT NOT NULL,
    actor TEXT NOT NULL,
    user_id BLOB,
    action TEXT NOT NULL,
    model TEXT NOT NULL,
    object_id BLOB NOT NULL,
    object TEXT NOT NULL
);
CREATE INDEX audit_moment ON audit (moment);
