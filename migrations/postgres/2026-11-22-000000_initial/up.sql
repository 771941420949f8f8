-- The same tables as in ../sqlite, with PostgreSQL's own types. Sorted text columns compare by bytes
-- (COLLATE "C") as in SQLite, so that pages have the same order on both databases.

CREATE TABLE users (
    id uuid NOT NULL PRIMARY KEY,
    username text NOT NULL,
    -- The username and the e-mail address in lower case, for comparison and uniqueness.
    username_key text COLLATE "C" NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    email_key text COLLATE "C" NOT NULL,
    -- How the user logs in: password or none. No CHECK, so that a new login type needs no table rebuild.
    login_type text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'suspended')),
    -- A JSON array of role names.
    roles text NOT NULL,
    password_hash text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_seen_at timestamptz,
    -- Set when the user is deleted. The row stays, but the name and the address become free.
    deleted_at timestamptz
);

CREATE UNIQUE INDEX users_live_username ON users (username_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX users_live_email ON users (email_key) WHERE deleted_at IS NULL;

CREATE TABLE api_keys (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    -- Empty for a session.
    token_name text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('token', 'session')),
    -- How the key was created: token or a login type. No CHECK, so that a new one needs no table rebuild.
    login_type text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    digest_version smallint NOT NULL,
    -- JSON arrays.
    scopes text NOT NULL,
    allow_list text NOT NULL,
    lifetime_seconds bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_used timestamptz,
    last_used_ip text,
    expires_at timestamptz NOT NULL,
    -- Set when the key was ended by hand. Such a key is dead at every time.
    ended_at timestamptz,
    -- The latest expiry of a sliding session, besides the server's own limit.
    slides_until timestamptz,
    -- The time of the last slide.
    slid_at timestamptz
);

-- Each list's filter, order and cursor come from one index; see docs/design.md.
CREATE INDEX api_keys_by_user_and_kind ON api_keys (user_id, kind, expires_at, id);
CREATE INDEX api_keys_by_user ON api_keys (user_id, expires_at, id);
-- One index per kind: with one index on both kinds, the generic plan of PostgreSQL would search all
-- users' keys for the keys of one user.
CREATE INDEX api_keys_tokens ON api_keys (expires_at, id) WHERE kind = 'token';
CREATE INDEX api_keys_sessions ON api_keys (expires_at, id) WHERE kind = 'session';
CREATE INDEX api_keys_by_name ON api_keys (user_id, token_name, expires_at, id) WHERE kind = 'token';

-- A dead key stays dead. The trigger enforces this without a clock and for every writer.
CREATE FUNCTION keyward_keep_api_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.id IS DISTINCT FROM old.id OR new.digest IS DISTINCT FROM old.digest
        OR new.digest_version IS DISTINCT FROM old.digest_version
        OR new.kind IS DISTINCT FROM old.kind OR new.login_type IS DISTINCT FROM old.login_type
    THEN
        RAISE EXCEPTION 'the id, digest, kind and login type of a key never change';
    END IF;
    IF old.ended_at IS NOT NULL
        AND (new.expires_at IS DISTINCT FROM old.expires_at OR new.ended_at IS DISTINCT FROM old.ended_at)
    THEN
        RAISE EXCEPTION 'the key was ended; its end never changes';
    END IF;
    IF old.kind = 'token' AND new.expires_at > old.expires_at THEN
        RAISE EXCEPTION 'the end of a token never moves later';
    END IF;
    IF old.kind = 'session' AND new.expires_at > old.expires_at
        AND (new.slid_at IS NULL OR new.slid_at IS NOT DISTINCT FROM old.slid_at OR old.expires_at <= new.slid_at
            OR new.slid_at < coalesce(old.slid_at, old.created_at))
    THEN
        RAISE EXCEPTION 'only a session that has not expired slides';
    END IF;
    RETURN new;
END
$$;

CREATE TRIGGER api_keys_keep BEFORE UPDATE ON api_keys
FOR EACH ROW EXECUTE FUNCTION keyward_keep_api_key();

CREATE TABLE audit_logs (
    id uuid NOT NULL PRIMARY KEY,
    time timestamptz NOT NULL,
    request_id uuid,
    ip text,
    user_agent text NOT NULL,
    -- The actor, with their name and address at the time; null for the server itself.
    actor_id uuid,
    actor_username text,
    actor_email text,
    -- The name of the event, such as key.expired, and the cause if a key was ended by hand.
    event text NOT NULL,
    cause text,
    action text NOT NULL,
    resource_type text NOT NULL,
    resource_id text NOT NULL,
    resource_target text NOT NULL,
    description text NOT NULL,
    -- JSON.
    old text NOT NULL,
    new text NOT NULL,
    diff text NOT NULL,
    additional_fields text NOT NULL
);

CREATE INDEX audit_logs_by_time ON audit_logs (time, id);
CREATE INDEX audit_logs_by_resource ON audit_logs (resource_id, time, id);
CREATE INDEX audit_logs_by_actor ON audit_logs (lower(actor_username), time, id);

-- One row. Retention may delete entries from before the cutoff; it sets and clears the cutoff in its own
-- transaction.
CREATE TABLE audit_retention (
    id smallint NOT NULL PRIMARY KEY CHECK (id = 1),
    cutoff timestamptz
);
INSERT INTO audit_retention (id, cutoff) VALUES (1, NULL);

CREATE FUNCTION keyward_keep_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM audit_retention WHERE old.time < cutoff) THEN
            RETURN old;
        END IF;
        RAISE EXCEPTION 'audit entries are never deleted but by retention';
    END IF;
    RAISE EXCEPTION 'audit entries are never changed';
END
$$;

CREATE TRIGGER audit_logs_keep BEFORE UPDATE OR DELETE ON audit_logs
FOR EACH ROW EXECUTE FUNCTION keyward_keep_audit_log();

CREATE TRIGGER audit_logs_keep_all BEFORE TRUNCATE ON audit_logs
FOR EACH STATEMENT EXECUTE FUNCTION keyward_keep_audit_log();
