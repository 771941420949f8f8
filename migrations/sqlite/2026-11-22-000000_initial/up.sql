-- Times are fixed-width text, 2026-01-31T12:00:00.123456Z, so that text order is time order. Ids of
-- users and audit entries are UUIDs in their 36-character form.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    -- The username and the e-mail address in lower case, for comparison and uniqueness.
    username_key TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    -- How the user logs in: password or none. No CHECK, so that a new login type needs no table rebuild.
    login_type TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
    -- A JSON array of role names.
    roles TEXT NOT NULL,
    password_hash TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_seen_at TEXT,
    -- Set when the user is deleted. The row stays, but the name and the address become free.
    deleted_at TEXT
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX users_live_username ON users (username_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX users_live_email ON users (email_key) WHERE deleted_at IS NULL;

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    -- Empty for a session.
    token_name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('token', 'session')),
    -- How the key was created: token or a login type. No CHECK, so that a new one needs no table rebuild.
    login_type TEXT NOT NULL,
    digest BLOB NOT NULL,
    digest_version INTEGER NOT NULL,
    -- JSON arrays.
    scopes TEXT NOT NULL,
    allow_list TEXT NOT NULL,
    lifetime_seconds INTEGER NOT NULL,
    created_at TEXT NOT NULL CONSTRAINT created_at_is_an_instant CHECK (created_at GLOB '????-??-??T??:??:??.??????Z'),
    updated_at TEXT NOT NULL CONSTRAINT updated_at_is_an_instant CHECK (updated_at GLOB '????-??-??T??:??:??.??????Z'),
    last_used TEXT CONSTRAINT last_used_is_an_instant CHECK (last_used GLOB '????-??-??T??:??:??.??????Z'),
    last_used_ip TEXT,
    -- The triggers below convert other forms, which people write by hand, to the fixed-width form.
    expires_at TEXT NOT NULL,
    -- Set when the key was ended by hand. Such a key is dead at every time.
    ended_at TEXT CONSTRAINT ended_at_is_an_instant CHECK (ended_at GLOB '????-??-??T??:??:??.??????Z'),
    -- The latest expiry of a sliding session, besides the server's own limit.
    slides_until TEXT CONSTRAINT slides_until_is_an_instant CHECK (slides_until GLOB '????-??-??T??:??:??.??????Z'),
    -- The time of the last slide.
    slid_at TEXT CONSTRAINT slid_at_is_an_instant CHECK (slid_at GLOB '????-??-??T??:??:??.??????Z')
) STRICT, WITHOUT ROWID;

-- Each list's filter, order and cursor come from one index; see docs/design.md.
CREATE INDEX api_keys_by_user_and_kind ON api_keys (user_id, kind, expires_at, id);
CREATE INDEX api_keys_by_user ON api_keys (user_id, expires_at, id);
-- One index per kind: with one index on both kinds, the generic plan of PostgreSQL would search all
-- users' keys for the keys of one user. SQLite has the same indexes.
CREATE INDEX api_keys_tokens ON api_keys (expires_at, id) WHERE kind = 'token';
CREATE INDEX api_keys_sessions ON api_keys (expires_at, id) WHERE kind = 'session';
CREATE INDEX api_keys_by_name ON api_keys (user_id, token_name, expires_at, id) WHERE kind = 'token';

-- A dead key stays dead. These triggers enforce this without a clock and for every writer.
CREATE TRIGGER api_keys_identity_is_fixed BEFORE UPDATE ON api_keys
WHEN new.id IS NOT old.id OR new.digest IS NOT old.digest OR new.digest_version IS NOT old.digest_version
    OR new.kind IS NOT old.kind OR new.login_type IS NOT old.login_type
BEGIN
    SELECT RAISE(ABORT, 'the id, digest, kind and login type of a key never change');
END;

CREATE TRIGGER api_keys_ended_stays_ended BEFORE UPDATE ON api_keys
WHEN old.ended_at IS NOT NULL AND (new.expires_at IS NOT old.expires_at OR new.ended_at IS NOT old.ended_at)
BEGIN
    SELECT RAISE(ABORT, 'the key was ended; its end never changes');
END;

-- An expiry set by hand may have one of SQLite's time formats, such as datetime('now'). The triggers
-- compare it as a time and then convert it to the fixed-width form.
CREATE TRIGGER api_keys_tokens_never_live_longer BEFORE UPDATE ON api_keys
WHEN old.kind = 'token'
    AND CASE WHEN new.expires_at GLOB '????-??-??T??:??:??.??????Z' THEN new.expires_at ELSE strftime('%Y-%m-%dT%H:%M:%f', new.expires_at) || '000Z' END
    > CASE WHEN old.expires_at GLOB '????-??-??T??:??:??.??????Z' THEN old.expires_at ELSE strftime('%Y-%m-%dT%H:%M:%f', old.expires_at) || '000Z' END
BEGIN
    SELECT RAISE(ABORT, 'the end of a token never moves later');
END;

CREATE TRIGGER api_keys_only_live_sessions_slide BEFORE UPDATE ON api_keys
WHEN old.kind = 'session'
    AND CASE WHEN new.expires_at GLOB '????-??-??T??:??:??.??????Z' THEN new.expires_at ELSE strftime('%Y-%m-%dT%H:%M:%f', new.expires_at) || '000Z' END
    > CASE WHEN old.expires_at GLOB '????-??-??T??:??:??.??????Z' THEN old.expires_at ELSE strftime('%Y-%m-%dT%H:%M:%f', old.expires_at) || '000Z' END
    AND (new.slid_at IS NULL OR new.slid_at IS old.slid_at OR old.expires_at <= new.slid_at
        OR new.slid_at < coalesce(old.slid_at, old.created_at))
BEGIN
    SELECT RAISE(ABORT, 'only a session that has not expired slides');
END;

CREATE TRIGGER api_keys_ends_are_instants BEFORE UPDATE ON api_keys
WHEN CASE WHEN new.expires_at GLOB '????-??-??T??:??:??.??????Z' THEN new.expires_at ELSE strftime('%Y-%m-%dT%H:%M:%f', new.expires_at) || '000Z' END IS NULL
BEGIN
    SELECT RAISE(ABORT, 'expires_at is not a time; write it as 2026-01-31T12:00:00.000000Z');
END;

CREATE TRIGGER api_keys_new_ends_are_instants BEFORE INSERT ON api_keys
WHEN CASE WHEN new.expires_at GLOB '????-??-??T??:??:??.??????Z' THEN new.expires_at ELSE strftime('%Y-%m-%dT%H:%M:%f', new.expires_at) || '000Z' END IS NULL
BEGIN
    SELECT RAISE(ABORT, 'expires_at is not a time; write it as 2026-01-31T12:00:00.000000Z');
END;

CREATE TRIGGER api_keys_ends_have_one_form AFTER UPDATE ON api_keys
WHEN new.expires_at NOT GLOB '????-??-??T??:??:??.??????Z'
BEGIN
    UPDATE api_keys SET expires_at = strftime('%Y-%m-%dT%H:%M:%f', expires_at) || '000Z' WHERE id = new.id;
END;

CREATE TRIGGER api_keys_new_ends_have_one_form AFTER INSERT ON api_keys
WHEN new.expires_at NOT GLOB '????-??-??T??:??:??.??????Z'
BEGIN
    UPDATE api_keys SET expires_at = strftime('%Y-%m-%dT%H:%M:%f', expires_at) || '000Z' WHERE id = new.id;
END;

-- INSERT OR REPLACE fires no DELETE trigger, so this trigger refuses it.
CREATE TRIGGER api_keys_are_not_overwritten BEFORE INSERT ON api_keys
WHEN EXISTS (SELECT 1 FROM api_keys WHERE id = new.id)
BEGIN
    SELECT RAISE(ABORT, 'there is a key with this id already');
END;

CREATE TABLE audit_logs (
    id TEXT NOT NULL PRIMARY KEY,
    time TEXT NOT NULL,
    request_id TEXT,
    ip TEXT,
    user_agent TEXT NOT NULL,
    -- The actor, with their name and address at the time; null for the server itself.
    actor_id TEXT,
    actor_username TEXT,
    actor_email TEXT,
    -- The name of the event, such as key.expired, and the cause if a key was ended by hand.
    event TEXT NOT NULL,
    cause TEXT,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    resource_target TEXT NOT NULL,
    description TEXT NOT NULL,
    -- JSON.
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    diff TEXT NOT NULL,
    additional_fields TEXT NOT NULL
) STRICT;

CREATE INDEX audit_logs_by_time ON audit_logs (time, id);
CREATE INDEX audit_logs_by_resource ON audit_logs (resource_id, time, id);
CREATE INDEX audit_logs_by_actor ON audit_logs (lower(actor_username), time, id);

-- One row. Retention may delete entries from before the cutoff; it sets and clears the cutoff in its own
-- transaction.
CREATE TABLE audit_retention (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    cutoff TEXT
) STRICT;
INSERT INTO audit_retention (id, cutoff) VALUES (1, NULL);

CREATE TRIGGER audit_logs_are_not_changed BEFORE UPDATE ON audit_logs
BEGIN
    SELECT RAISE(ABORT, 'audit entries are never changed');
END;

CREATE TRIGGER audit_logs_are_not_deleted BEFORE DELETE ON audit_logs
WHEN NOT EXISTS (SELECT 1 FROM audit_retention WHERE old.time < cutoff)
BEGIN
    SELECT RAISE(ABORT, 'audit entries are never deleted but by retention');
END;

-- INSERT OR REPLACE replaces rows with the same id or the same rowid and fires no DELETE trigger. In a
-- BEFORE INSERT trigger the rowid is -1 if the statement does not set it; no row has this rowid.
CREATE TRIGGER audit_logs_are_not_overwritten BEFORE INSERT ON audit_logs
WHEN EXISTS (SELECT 1 FROM audit_logs WHERE id = new.id)
    OR EXISTS (SELECT 1 FROM audit_logs WHERE rowid = new.rowid)
BEGIN
    SELECT RAISE(ABORT, 'there is an audit entry with this id already');
END;
