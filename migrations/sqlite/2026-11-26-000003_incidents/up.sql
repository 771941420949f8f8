-- Why a key was ended by hand, as far as the request said so.
ALTER TABLE api_keys ADD COLUMN end_reason text;
ALTER TABLE api_keys ADD COLUMN end_note text;

-- Lists in the order of creation and of use. A key that was never used sorts as used in 1970.
CREATE INDEX api_keys_by_creation ON api_keys (created_at, id);
CREATE INDEX api_keys_by_use ON api_keys (coalesce(last_used, '1970-01-01T00:00:00.000000Z'), id);
CREATE INDEX api_keys_by_end_reason ON api_keys (end_reason, expires_at, id) WHERE end_reason IS NOT NULL;
CREATE INDEX audit_logs_by_incident ON audit_logs (incident_id, time, id) WHERE incident_id IS NOT NULL;

-- A request that ends many keys. The keys are fixed at its start, so that it can go on after a stop.
CREATE TABLE incidents (
    id TEXT NOT NULL PRIMARY KEY,
    -- The user and the key that began it.
    actor_id TEXT NOT NULL,
    actor_username TEXT NOT NULL,
    key_id TEXT NOT NULL,
    -- The selector as JSON, as it was sent.
    selector TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT,
    cascades BOOLEAN NOT NULL,
    includes_caller BOOLEAN NOT NULL,
    -- The SHA-256 digest of the ids, and the ids as a JSON array in order.
    digest TEXT NOT NULL,
    key_ids TEXT NOT NULL,
    matched BIGINT NOT NULL,
    -- How many of the ids are done, and how many of them this request has expired.
    done BIGINT NOT NULL,
    expired BIGINT NOT NULL,
    started_at TEXT NOT NULL,
    -- The time of the last batch.
    active_at TEXT NOT NULL,
    ended_at TEXT,
    -- The result of the wait for verifiers: how many confirmed, how many leases ran out, and how long it
    -- took.
    confirmed BIGINT,
    lapsed BIGINT,
    waited_ms BIGINT
);
CREATE INDEX incidents_by_start ON incidents (started_at, id);
