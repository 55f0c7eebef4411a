-- Whose rights have changed, in the order of the commits: so that a node asks about those who hold a
-- socket open only when there is news of them. Kept by the database itself: the command line and nodes of
-- other versions write to it too.
CREATE TABLE rights_change (
    change INTEGER PRIMARY KEY AUTOINCREMENT,
    created BIGINT NOT NULL DEFAULT (unixepoch() * 1000000),
    -- Of what: one of these, or none of them, which means that it may be anybody's.
    user_id BLOB,
    device_id BLOB,
    location_id BLOB
);
CREATE INDEX rights_change_created ON rights_change (created);

CREATE TRIGGER users_rights
AFTER UPDATE OF is_active, is_staff, is_superuser, expires, password_version ON users
WHEN (OLD.is_active, OLD.is_staff, OLD.is_superuser, OLD.expires, OLD.password_version)
    IS NOT (NEW.is_active, NEW.is_staff, NEW.is_superuser, NEW.expires, NEW.password_version)
BEGIN INSERT INTO rights_change (user_id) VALUES (NEW.id); END;
CREATE TRIGGER users_gone AFTER DELETE ON users
BEGIN INSERT INTO rights_change (user_id) VALUES (OLD.id); END;

-- What ends by its time is known beforehand.
CREATE TRIGGER session_shortened AFTER UPDATE OF expires ON session
WHEN NEW.expires < OLD.expires
BEGIN INSERT INTO rights_change (user_id) VALUES (NEW.user_id); END;
CREATE TRIGGER session_gone AFTER DELETE ON session
BEGIN INSERT INTO rights_change (user_id) VALUES (OLD.user_id); END;
CREATE TRIGGER token_gone AFTER DELETE ON token
BEGIN INSERT INTO rights_change (user_id) VALUES (OLD.user_id); END;

CREATE TRIGGER user_permission_given AFTER INSERT ON user_permission
BEGIN INSERT INTO rights_change (user_id) VALUES (NEW.user_id); END;
CREATE TRIGGER user_permission_taken AFTER DELETE ON user_permission
BEGIN INSERT INTO rights_change (user_id) VALUES (OLD.user_id); END;
CREATE TRIGGER group_user_joined AFTER INSERT ON group_user
BEGIN INSERT INTO rights_change (user_id) VALUES (NEW.user_id); END;
CREATE TRIGGER group_user_left AFTER DELETE ON group_user
BEGIN INSERT INTO rights_change (user_id) VALUES (OLD.user_id); END;
CREATE TRIGGER organization_user_joined AFTER INSERT ON organization_user
BEGIN INSERT INTO rights_change (user_id) VALUES (NEW.user_id); END;
CREATE TRIGGER organization_user_altered AFTER UPDATE ON organization_user
BEGIN INSERT INTO rights_change (user_id) VALUES (OLD.user_id), (NEW.user_id); END;
CREATE TRIGGER organization_user_left AFTER DELETE ON organization_user
BEGIN INSERT INTO rights_change (user_id) VALUES (OLD.user_id); END;

CREATE TRIGGER group_permission_given AFTER INSERT ON group_permission
BEGIN INSERT INTO rights_change (user_id) VALUES (NULL); END;
CREATE TRIGGER group_permission_taken AFTER DELETE ON group_permission
BEGIN INSERT INTO rights_change (user_id) VALUES (NULL); END;
CREATE TRIGGER organization_activity AFTER UPDATE OF is_active ON organization
WHEN NEW.is_active <> OLD.is_active
BEGIN INSERT INTO rights_change (user_id) VALUES (NULL); END;

CREATE TRIGGER device_owner AFTER UPDATE OF organization_id ON device
WHEN NEW.organization_id <> OLD.organization_id
BEGIN INSERT INTO rights_change (device_id) VALUES (NEW.id); END;
CREATE TRIGGER device_gone AFTER DELETE ON device
BEGIN INSERT INTO rights_change (device_id) VALUES (OLD.id); END;
CREATE TRIGGER location_owner AFTER UPDATE OF organization_id ON location
WHEN NEW.organization_id <> OLD.organization_id
BEGIN INSERT INTO rights_change (location_id) VALUES (NEW.id); END;
CREATE TRIGGER location_gone AFTER DELETE ON location
BEGIN INSERT INTO rights_change (location_id) VALUES (OLD.id); END;
