-- Locks: each refuses or limits the keys that it selects, also those that are created later.
CREATE TABLE locks (
    id uuid NOT NULL PRIMARY KEY,
    created_at timestamptz NOT NULL,
    -- The user who made it, with the username at the time.
    actor_id uuid NOT NULL,
    actor_username text NOT NULL,
    -- What it selects. All that are set must hold; if none is, it selects every key.
    user_id uuid,
    -- A JSON array.
    key_ids text,
    scope text,
    -- In lower case.
    name_prefix text,
    -- What it spares: one key, the keys of all owners but its maker, and the sessions of one user.
    spared_key text NOT NULL,
    spares_owners boolean NOT NULL,
    spared_sessions uuid,
    -- The scopes that are left, as a JSON array; null to refuse the keys.
    scopes text,
    message text NOT NULL,
    reason text,
    ends_at timestamptz
);

-- A lock may change how any key is judged.
CREATE TRIGGER locks_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON locks
FOR EACH STATEMENT EXECUTE FUNCTION keyward_note_unnamed_change();
