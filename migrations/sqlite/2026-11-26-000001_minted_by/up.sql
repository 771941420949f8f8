-- The key that created this one; null for a session from a login, and for keys from before this column.
ALTER TABLE api_keys ADD COLUMN minted_by text;
CREATE INDEX api_keys_by_minter ON api_keys (minted_by) WHERE minted_by IS NOT NULL;

CREATE TRIGGER api_keys_minter_is_fixed BEFORE UPDATE ON api_keys
WHEN new.minted_by IS NOT old.minted_by
BEGIN
    SELECT RAISE(ABORT, 'the key that created a key never changes');
END;

-- The key that acted. The incident is null until keys are ended as part of one.
ALTER TABLE audit_logs ADD COLUMN key_id text;
ALTER TABLE audit_logs ADD COLUMN incident_id text;
CREATE INDEX audit_logs_by_key ON audit_logs (key_id, time, id);
