-- For a key that was ended by hand: when nobody accepted it any more, and who confirmed that.
CREATE TABLE end_confirmations (
    key_id text COLLATE "C" NOT NULL PRIMARY KEY,
    confirmed_at timestamptz NOT NULL,
    waited_ms bigint NOT NULL,
    -- A JSON array of {id, name, confirmed_at}; confirmed_at is null for a verifier whose lease expired.
    witnesses text NOT NULL
);

-- The same array for the end of an incident.
ALTER TABLE incidents ADD COLUMN witnesses text;
