-- Which migration a program has to know to work on this database. Migrations that only add something leave
-- it alone, so that the version before goes on; one that takes something away raises it.
CREATE TABLE schema_floor (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    migration BIGINT NOT NULL
);
INSERT INTO schema_floor (id, migration) VALUES (1, 11);
