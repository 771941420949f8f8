-- One row: the longest lease that a verifier was ever given, in milliseconds; null if none was. A server that starts
-- does not know who holds a lease of its predecessor's, and waits this long before its first success.
CREATE TABLE verifier_lease (
    id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    longest_ms BIGINT
);
INSERT INTO verifier_lease (id, longest_ms) VALUES (1, NULL);
