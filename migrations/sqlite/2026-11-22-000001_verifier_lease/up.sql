-- One row: the longest lease granted so far, in milliseconds; null if none was granted. A server that
-- starts does not know the leases of its predecessor, so it waits this long before its first success.
CREATE TABLE verifier_lease (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    longest_ms INTEGER
) STRICT;
INSERT INTO verifier_lease (id, longest_ms) VALUES (1, NULL);
