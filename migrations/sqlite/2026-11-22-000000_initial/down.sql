DROP TABLE audit_retention;
DROP TABLE audit_logs;
DROP TABLE api_keys;
DROP TABLE users;
