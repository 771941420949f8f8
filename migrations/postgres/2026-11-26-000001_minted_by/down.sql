DROP INDEX audit_logs_by_key;
ALTER TABLE audit_logs DROP COLUMN incident_id;
ALTER TABLE audit_logs DROP COLUMN key_id;
DROP TRIGGER api_keys_minter_is_fixed ON api_keys;
DROP FUNCTION keyward_minter_is_fixed();
DROP INDEX api_keys_by_minter;
ALTER TABLE api_keys DROP COLUMN minted_by;
