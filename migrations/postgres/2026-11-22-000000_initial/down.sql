DROP TABLE audit_retention;
DROP TABLE audit_logs;
DROP TABLE api_keys;
DROP TABLE users;
DROP FUNCTION keyward_keep_api_key();
DROP FUNCTION keyward_keep_audit_log();
