-- The change log: what servers and their embedded verifiers must evict, whether a server or a person
-- with psql changed it. Several servers may use this database, and each notifies its own verifiers.
-- SQLite has only one server and needs no change log.
--
-- A transaction id determines in which snapshots its rows are visible, so a reader that keeps its last
-- snapshot finds exactly what was committed since. A reader of a sequence would miss rows that commit
-- out of order.
CREATE TABLE verifier_changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- One key, or all keys of one user. If both are null, anything may have changed.
    key_id text,
    user_id uuid
);
CREATE INDEX verifier_changes_by_xid ON verifier_changes (xid);

-- Entries of older transactions have been removed; a reader with an older snapshot has missed changes.
ALTER TABLE verifier_lease ADD COLUMN trimmed_before xid8 NOT NULL DEFAULT '0';

-- The servers that may have granted leases. A server increments its beat while it grants leases; if
-- its beat stops, it grants none.
CREATE TABLE verifier_servers (
    id uuid NOT NULL PRIMARY KEY,
    beat bigint NOT NULL
);

-- The functions run with the rights and the search path of their creator, so that a role that may change
-- keys needs no right on the change log and no search path to it.
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

-- Not logged: a slide, which only extends a session, and uses, which do not affect verification.
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
