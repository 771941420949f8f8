-- How keys were used: one row for each way, asking user and address of a key.
CREATE TABLE key_uses (
    key_id text COLLATE "C" NOT NULL,
    -- api, verify, authz or embedded.
    via text NOT NULL,
    -- The user who asked about the key, and the address of its client; empty if unknown.
    asked_by text NOT NULL,
    ip text NOT NULL,
    uses bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, via, asked_by, ip)
);
CREATE INDEX key_uses_by_key ON key_uses (key_id, last_at);

-- Uses that were refused although the secret was right: one row for each code and address of a key in an
-- hour.
CREATE TABLE key_refusals (
    key_id text COLLATE "C" NOT NULL,
    code text NOT NULL,
    ip text NOT NULL,
    hour timestamptz NOT NULL,
    refusals bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, code, ip, hour)
);
CREATE INDEX key_refusals_by_key ON key_refusals (key_id, last_at);
