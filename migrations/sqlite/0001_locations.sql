-- The first tables. Times are microseconds since 1970-01-01T00:00:00Z; lists of text are JSON.

CREATE TABLE organization (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    slug TEXT NOT NULL UNIQUE,
    is_active BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);

-- "user" is a reserved word, hence the plural here alone.
CREATE TABLE users (
    id BLOB PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    -- Argon2id in PHC form; empty for a user who cannot log in with a password.
    password_hash TEXT NOT NULL,
    -- Counts the changes of the password; a session is valid for one of them.
    password_version BIGINT NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_staff BOOLEAN NOT NULL,
    is_superuser BOOLEAN NOT NULL,
    expires BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);

CREATE TABLE user_permission (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (user_id, permission)
);

-- "group" is a reserved word as well.
CREATE TABLE groups (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE group_permission (
    group_id BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (group_id, permission)
);

CREATE TABLE group_user (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_id BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_id)
);
CREATE INDEX group_user_group ON group_user (group_id);

CREATE TABLE organization_user (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id BLOB NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    -- A manager, or else a plain member.
    manages BOOLEAN NOT NULL,
    PRIMARY KEY (user_id, organization_id)
);
CREATE INDEX organization_user_organization ON organization_user (organization_id);

CREATE TABLE session (
    id BLOB PRIMARY KEY,
    -- SHA-256 of the cookie's value.
    digest BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    password_version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX session_of_user ON session (user_id);

CREATE TABLE token (
    id BLOB PRIMARY KEY,
    -- SHA-256 of the token.
    digest BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    description TEXT NOT NULL,
    -- Made by a log in over REST: ends with the password that it was made with.
    by_login BOOLEAN NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX token_of_user ON token (user_id);

CREATE TABLE device (
    id BLOB PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    mac_address TEXT,
    key TEXT NOT NULL UNIQUE,
    last_ip TEXT,
    management_ip TEXT,
    notes TEXT NOT NULL,
    addresses TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    UNIQUE (organization_id, name),
    UNIQUE (organization_id, mac_address)
);
CREATE INDEX device_created ON device (created);

CREATE TABLE location (
    id BLOB PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    type TEXT NOT NULL,
    is_mobile BOOLEAN NOT NULL,
    -- WGS 84 degrees; both or neither.
    longitude REAL,
    latitude REAL,
    -- The latest time that a device gave with a report.
    reported BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    -- Updates of the row so far: orders its states.
    version BIGINT NOT NULL,
    -- The number of the write transaction that updated the row last: commit order, with one writer.
    change BIGINT NOT NULL,
    -- The row's version and the time at the last update of its geometry; 0 before the first.
    moved_version BIGINT NOT NULL,
    moved BIGINT NOT NULL,
    -- The same of the last one that counts for the organization-wide feeds: of a location that was
    -- mobile before or after it.
    fleet_version BIGINT NOT NULL,
    fleet_moved BIGINT NOT NULL
);
CREATE INDEX location_organization ON location (organization_id);
CREATE INDEX location_created ON location (created);
CREATE INDEX location_change ON location (change);
CREATE INDEX location_fleet_moved ON location (fleet_moved, id);

CREATE TABLE device_location (
    device_id BLOB PRIMARY KEY REFERENCES device (id) ON DELETE CASCADE,
    location_id BLOB NOT NULL REFERENCES location (id) ON DELETE CASCADE
);
CREATE INDEX device_location_location ON device_location (location_id);

CREATE TABLE change_sequence (
    value BIGINT NOT NULL
);
INSERT INTO change_sequence (value) VALUES (0);
