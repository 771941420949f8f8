-- At most one row, while there is no user: the SHA-256 digest of the setup code that the last started
-- server has printed.
CREATE TABLE setup_code (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    digest BLOB NOT NULL
) STRICT;
