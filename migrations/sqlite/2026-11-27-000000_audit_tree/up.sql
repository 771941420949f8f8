-- Random bytes that are hashed with the entry. Null for entries from before this migration.
ALTER TABLE audit_logs ADD COLUMN salt BLOB;

-- Entries that are not in the tree yet, in the order in which they were written. Each row is written with
-- its entry.
CREATE TABLE audit_unsealed (
    position INTEGER NOT NULL PRIMARY KEY,
    entry_id TEXT NOT NULL
) STRICT;
INSERT INTO audit_unsealed (entry_id) SELECT id FROM audit_logs ORDER BY time, id;

-- The leaves of the tree, in order. A leaf stays when retention removes its entry.
CREATE TABLE audit_leaves (
    leaf_index INTEGER NOT NULL PRIMARY KEY,
    entry_id TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL
) STRICT;

-- The complete subtrees of two leaves and more, by their place in an in-order walk of the tree.
CREATE TABLE audit_nodes (
    node INTEGER NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;

-- One row: the id of this instance of Keyward, the number of leaves, and the newest signed checkpoint.
CREATE TABLE audit_tree (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    instance_id TEXT NOT NULL,
    size INTEGER NOT NULL,
    checkpoint TEXT
) STRICT;
INSERT INTO audit_tree (id, instance_id, size) VALUES (1, lower(
    hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
    || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))
), 0);

-- The public keys with which servers have signed checkpoints.
CREATE TABLE audit_signing_keys (
    verifier_key TEXT NOT NULL PRIMARY KEY,
    added_at TEXT NOT NULL
) STRICT;

-- The leaves whose entries retention has removed, as a JSON array of [first, last].
ALTER TABLE audit_retention ADD COLUMN retired TEXT NOT NULL DEFAULT '[]';

CREATE TRIGGER audit_leaves_are_not_changed BEFORE UPDATE ON audit_leaves
BEGIN
    SELECT RAISE(ABORT, 'leaves of the audit tree are never changed');
END;

CREATE TRIGGER audit_leaves_are_not_deleted BEFORE DELETE ON audit_leaves
BEGIN
    SELECT RAISE(ABORT, 'leaves of the audit tree are never deleted');
END;

-- INSERT OR REPLACE fires no DELETE trigger, so these triggers refuse it.
CREATE TRIGGER audit_leaves_are_not_overwritten BEFORE INSERT ON audit_leaves
WHEN EXISTS (SELECT 1 FROM audit_leaves WHERE leaf_index = new.leaf_index)
    OR EXISTS (SELECT 1 FROM audit_leaves WHERE entry_id = new.entry_id)
BEGIN
    SELECT RAISE(ABORT, 'there is a leaf of the audit tree with this index or entry already');
END;

CREATE TRIGGER audit_nodes_are_not_changed BEFORE UPDATE ON audit_nodes
BEGIN
    SELECT RAISE(ABORT, 'nodes of the audit tree are never changed');
END;

CREATE TRIGGER audit_nodes_are_not_deleted BEFORE DELETE ON audit_nodes
BEGIN
    SELECT RAISE(ABORT, 'nodes of the audit tree are never deleted');
END;

CREATE TRIGGER audit_nodes_are_not_overwritten BEFORE INSERT ON audit_nodes
WHEN EXISTS (SELECT 1 FROM audit_nodes WHERE node = new.node)
BEGIN
    SELECT RAISE(ABORT, 'there is a node of the audit tree with this place already');
END;
