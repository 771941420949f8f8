-- What embedded verifiers must forget, whoever changed it: any server, or somebody at work with psql. Several servers
-- may run on this database, and each tells its own verifiers. SQLite has one server, which needs no such log.
--
-- A transaction's number says in which snapshots its rows are to be seen, so a reader that keeps its last snapshot
-- finds exactly what was committed since; a plain sequence would lose what commits out of its order.
CREATE TABLE verifier_changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- One key, or all keys of one user; both null: anything may have changed.
    key_id text,
    user_id uuid
);
CREATE INDEX verifier_changes_by_xid ON verifier_changes (xid);

-- What is older has been removed; a reader whose snapshot reaches further back has missed something.
ALTER TABLE verifier_lease ADD COLUMN trimmed_before xid8 NOT NULL DEFAULT '0';

-- The servers that may have given leases. Each raises its beat while it does; one whose beat stands still gives none.
CREATE TABLE verifier_servers (
    id uuid NOT NULL PRIMARY KEY,
    beat bigint NOT NULL
);

-- With the rights and the search path of whoever made them: who may change a key by hand need not be able to write to
-- the log, nor know where it is.
CREATE FUNCTION keyward_note_key_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO verifier_changes (key_id) VALUES (old.id);
    RETURN NULL;
END
$$;

CREATE FUNCTION keyward_note_user_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO verifier_changes (user_id) VALUES (old.id);
    RETURN NULL;
END
$$;

CREATE FUNCTION keyward_note_unnamed_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO verifier_changes DEFAULT VALUES;
    RETURN NULL;
END
$$;

-- A session that slides gains time and takes none from anyone; a use changes nothing that is judged.
CREATE TRIGGER api_keys_note_update AFTER UPDATE ON api_keys
FOR EACH ROW WHEN (
    new.expires_at < old.expires_at OR new.ended_at IS DISTINCT FROM old.ended_at
    OR new.scopes <> old.scopes OR new.allow_list <> old.allow_list OR new.user_id <> old.user_id
) EXECUTE FUNCTION keyward_note_key_change();

CREATE TRIGGER api_keys_note_delete AFTER DELETE ON api_keys
FOR EACH ROW EXECUTE FUNCTION keyward_note_key_change();

CREATE TRIGGER api_keys_note_truncate AFTER TRUNCATE ON api_keys
FOR EACH STATEMENT EXECUTE FUNCTION keyward_note_unnamed_change();

CREATE TRIGGER users_note_update AFTER UPDATE ON users
FOR EACH ROW WHEN (
    new.status <> old.status OR new.roles <> old.roles OR new.username <> old.username
    OR new.deleted_at IS DISTINCT FROM old.deleted_at
) EXECUTE FUNCTION keyward_note_user_change();
