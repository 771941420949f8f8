DROP TABLE incidents;
DROP INDEX audit_logs_by_incident;
DROP INDEX api_keys_by_end_reason;
DROP INDEX api_keys_by_use;
DROP INDEX api_keys_by_creation;
ALTER TABLE api_keys DROP COLUMN end_note;
ALTER TABLE api_keys DROP COLUMN end_reason;
