-- What people and organizations are described by, and what their lists are ordered and looked up by.

ALTER TABLE organization ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE organization ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE organization ADD COLUMN url TEXT NOT NULL DEFAULT '';
CREATE INDEX organization_created ON organization (created);

ALTER TABLE users ADD COLUMN first_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN last_name TEXT NOT NULL DEFAULT '';
CREATE INDEX users_created ON users (created);
CREATE INDEX users_email ON users (email);
