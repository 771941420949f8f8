-- Locks: each refuses or limits the keys that it selects, also those that are created later.
CREATE TABLE locks (
    id TEXT NOT NULL PRIMARY KEY,
    created_at TEXT NOT NULL,
    -- The user who made it, with the username at the time.
    actor_id TEXT NOT NULL,
    actor_username TEXT NOT NULL,
    -- What it selects. All that are set must hold; if none is, it selects every key.
    user_id TEXT,
    -- A JSON array.
    key_ids TEXT,
    scope TEXT,
    -- In lower case.
    name_prefix TEXT,
    -- What it spares: one key, the keys of all owners but its maker, and the sessions of one user.
    spared_key TEXT NOT NULL,
    spares_owners BOOLEAN NOT NULL,
    spared_sessions TEXT,
    -- The scopes that are left, as a JSON array; null to refuse the keys.
    scopes TEXT,
    message TEXT NOT NULL,
    reason TEXT,
    ends_at TEXT
);
