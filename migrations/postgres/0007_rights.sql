-- Whose rights have changed: so that a node asks about those who hold a socket open only when there
-- is news of them. Kept by the database itself: the command line and nodes of other versions write
-- to it too.
CREATE TABLE rights_change (
    -- The transaction that changed them (pg_current_xact_id).
    change BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    created BIGINT NOT NULL DEFAULT (extract(epoch FROM now()) * 1000000)::bigint,
    -- Of what: one of these, or none of them, which means that it may be anybody's.
    user_id UUID,
    device_id UUID,
    location_id UUID
);
CREATE INDEX rights_change_change ON rights_change (change);
CREATE INDEX rights_change_created ON rights_change (created);

-- Its arguments: a column of rights_change, and the column of the changed row that holds its value.
CREATE FUNCTION rights_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_NARGS = 0 THEN
        EXECUTE format('INSERT INTO %I.rights_change DEFAULT VALUES', TG_TABLE_SCHEMA);
    ELSE
        EXECUTE format('INSERT INTO %I.rights_change (%I) VALUES ($1)', TG_TABLE_SCHEMA, TG_ARGV[0])
            USING (to_jsonb(COALESCE(NEW, OLD)) ->> TG_ARGV[1])::uuid;
    END IF;
    RETURN NULL;
END $$;

-- The same of all rows that one statement removed: an organization may have many.
CREATE FUNCTION rights_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.rights_change (%I) SELECT id FROM gone', TG_TABLE_SCHEMA, TG_ARGV[0]);
    RETURN NULL;
END $$;

CREATE TRIGGER users_rights
AFTER UPDATE OF is_active, is_staff, is_superuser, expires, password_version ON users FOR EACH ROW
WHEN ((OLD.is_active, OLD.is_staff, OLD.is_superuser, OLD.expires, OLD.password_version)
    IS DISTINCT FROM
    (NEW.is_active, NEW.is_staff, NEW.is_superuser, NEW.expires, NEW.password_version))
EXECUTE FUNCTION rights_changed('user_id', 'id');
CREATE TRIGGER users_gone AFTER DELETE ON users FOR EACH ROW
EXECUTE FUNCTION rights_changed('user_id', 'id');

-- What ends by its time is known beforehand.
CREATE TRIGGER session_shortened AFTER UPDATE OF expires ON session FOR EACH ROW
WHEN (NEW.expires < OLD.expires)
EXECUTE FUNCTION rights_changed('user_id', 'user_id');
CREATE TRIGGER session_gone AFTER DELETE ON session FOR EACH ROW
EXECUTE FUNCTION rights_changed('user_id', 'user_id');
CREATE TRIGGER token_gone AFTER DELETE ON token FOR EACH ROW
EXECUTE FUNCTION rights_changed('user_id', 'user_id');

CREATE TRIGGER user_permission_rights AFTER INSERT OR DELETE ON user_permission FOR EACH ROW
EXECUTE FUNCTION rights_changed('user_id', 'user_id');
CREATE TRIGGER group_user_rights AFTER INSERT OR DELETE ON group_user FOR EACH ROW
EXECUTE FUNCTION rights_changed('user_id', 'user_id');
CREATE TRIGGER organization_user_rights
AFTER INSERT OR UPDATE OR DELETE ON organization_user FOR EACH ROW
EXECUTE FUNCTION rights_changed('user_id', 'user_id');

CREATE TRIGGER group_permission_rights AFTER INSERT OR DELETE ON group_permission
FOR EACH STATEMENT EXECUTE FUNCTION rights_changed();
CREATE TRIGGER organization_activity AFTER UPDATE OF is_active ON organization FOR EACH ROW
WHEN (NEW.is_active <> OLD.is_active)
EXECUTE FUNCTION rights_changed();

CREATE TRIGGER device_owner AFTER UPDATE OF organization_id ON device FOR EACH ROW
WHEN (NEW.organization_id <> OLD.organization_id)
EXECUTE FUNCTION rights_changed('device_id', 'id');
CREATE TRIGGER device_gone AFTER DELETE ON device REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION rights_gone('device_id');
CREATE TRIGGER location_owner AFTER UPDATE OF organization_id ON location FOR EACH ROW
WHEN (NEW.organization_id <> OLD.organization_id)
EXECUTE FUNCTION rights_changed('location_id', 'id');
CREATE TRIGGER location_gone AFTER DELETE ON location REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION rights_gone('location_id');
