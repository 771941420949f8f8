-- Each time that a server's time goes back on purpose, a new clock epoch begins. An entry has the epoch in
-- which it was written: entries of earlier epochs may have later times, and say nothing about the clock.
ALTER TABLE audit_logs ADD COLUMN clock_epoch INTEGER NOT NULL DEFAULT 0;

-- One row: the current epoch.
CREATE TABLE clock_epochs (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
) STRICT;
INSERT INTO clock_epochs (id, epoch) VALUES (1, 0);

-- One row: the cutoff that would remove more than half of all keys, so that retention waits for an
-- operator, the number of keys before it, and the latest cutoff that an operator has confirmed.
CREATE TABLE key_retention (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    held_cutoff TEXT,
    held_keys INTEGER,
    confirmed_cutoff TEXT
) STRICT;
INSERT INTO key_retention (id) VALUES (1);
