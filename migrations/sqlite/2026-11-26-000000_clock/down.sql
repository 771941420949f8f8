DROP TABLE key_retention;
DROP TABLE clock_epochs;
ALTER TABLE audit_logs DROP COLUMN clock_epoch;
