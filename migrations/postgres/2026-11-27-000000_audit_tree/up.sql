-- Random bytes that are hashed with the entry. Null for entries from before this migration.
ALTER TABLE audit_logs ADD COLUMN salt bytea;

-- Entries that are not in the tree yet, in the order in which they were written. Each row is written with
-- its entry.
CREATE TABLE audit_unsealed (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id uuid NOT NULL
);
INSERT INTO audit_unsealed (entry_id) SELECT id FROM audit_logs ORDER BY time, id;

-- The leaves of the tree, in order. A leaf stays when retention removes its entry.
CREATE TABLE audit_leaves (
    leaf_index bigint NOT NULL PRIMARY KEY,
    entry_id uuid NOT NULL UNIQUE,
    hash bytea NOT NULL
);

-- The complete subtrees of two leaves and more, by their place in an in-order walk of the tree.
CREATE TABLE audit_nodes (
    node bigint NOT NULL PRIMARY KEY,
    hash bytea NOT NULL
);

-- One row: the id of this instance of Keyward, the number of leaves, and the newest signed checkpoint.
CREATE TABLE audit_tree (
    id integer NOT NULL PRIMARY KEY CHECK (id = 1),
    instance_id uuid NOT NULL,
    size bigint NOT NULL,
    checkpoint text
);
INSERT INTO audit_tree (id, instance_id, size) VALUES (1, gen_random_uuid(), 0);

-- The public keys with which servers have signed checkpoints.
CREATE TABLE audit_signing_keys (
    verifier_key text NOT NULL PRIMARY KEY,
    added_at timestamptz NOT NULL
);

-- The leaves whose entries retention has removed, as a JSON array of [first, last].
ALTER TABLE audit_retention ADD COLUMN retired text NOT NULL DEFAULT '[]';

CREATE FUNCTION keyward_keep_audit_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'leaves and nodes of the audit tree are never changed or deleted';
END
$$;

CREATE TRIGGER audit_leaves_keep BEFORE UPDATE OR DELETE ON audit_leaves
FOR EACH ROW EXECUTE FUNCTION keyward_keep_audit_tree();

CREATE TRIGGER audit_leaves_keep_all BEFORE TRUNCATE ON audit_leaves
FOR EACH STATEMENT EXECUTE FUNCTION keyward_keep_audit_tree();

CREATE TRIGGER audit_nodes_keep BEFORE UPDATE OR DELETE ON audit_nodes
FOR EACH ROW EXECUTE FUNCTION keyward_keep_audit_tree();

CREATE TRIGGER audit_nodes_keep_all BEFORE TRUNCATE ON audit_nodes
FOR EACH STATEMENT EXECUTE FUNCTION keyward_keep_audit_tree();
