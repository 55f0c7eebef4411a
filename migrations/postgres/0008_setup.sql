-- How the first superuser is made over REST: with a token that a server printed in its log. Once a user has
-- been made, in whatever way, that is over for good.
CREATE TABLE setup_token (
    -- Whose log it stands in; a later start of the node prints another one.
    node_id UUID PRIMARY KEY,
    digest BYTEA NOT NULL,
    created BIGINT NOT NULL
);
-- One row, when it is over.
CREATE TABLE setup_end (
    id INTEGER PRIMARY KEY CHECK (id = 1)
);
INSERT INTO setup_end (id) SELECT 1 WHERE EXISTS (SELECT 1 FROM users);

CREATE FUNCTION setup_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO %I.setup_end (id) VALUES (1) ON CONFLICT DO NOTHING', TG_TABLE_SCHEMA);
    EXECUTE format('DELETE FROM %I.setup_token', TG_TABLE_SCHEMA);
    RETURN NULL;
END $$;

CREATE TRIGGER users_first AFTER INSERT ON users FOR EACH STATEMENT
EXECUTE FUNCTION setup_ends();
