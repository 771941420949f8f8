DROP TABLE audit_nodes;
DROP TABLE audit_leaves;
ALTER TABLE audit_retention DROP COLUMN retired;
DROP TABLE audit_signing_keys;
DROP TABLE audit_tree;
DROP TABLE audit_unsealed;
ALTER TABLE audit_logs DROP COLUMN salt;
