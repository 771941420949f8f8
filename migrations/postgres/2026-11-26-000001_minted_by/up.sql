-- The key that created this one; null for a session from a login, and for keys from before this column.
ALTER TABLE api_keys ADD COLUMN minted_by text COLLATE "C";
CREATE INDEX api_keys_by_minter ON api_keys (minted_by) WHERE minted_by IS NOT NULL;

CREATE FUNCTION keyward_minter_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the key that created a key never changes';
END
$$;

CREATE TRIGGER api_keys_minter_is_fixed BEFORE UPDATE ON api_keys
FOR EACH ROW WHEN (new.minted_by IS DISTINCT FROM old.minted_by) EXECUTE FUNCTION keyward_minter_is_fixed();

-- The key that acted. The incident is null until keys are ended as part of one.
ALTER TABLE audit_logs ADD COLUMN key_id text COLLATE "C";
ALTER TABLE audit_logs ADD COLUMN incident_id uuid;
CREATE INDEX audit_logs_by_key ON audit_logs (key_id, time, id);
