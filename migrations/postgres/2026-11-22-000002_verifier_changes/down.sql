DROP TRIGGER users_note_update ON users;
DROP TRIGGER api_keys_note_truncate ON api_keys;
DROP TRIGGER api_keys_note_delete ON api_keys;
DROP TRIGGER api_keys_note_update ON api_keys;
DROP FUNCTION keyward_note_change_of_many();
DROP FUNCTION keyward_note_key_change();
DROP TABLE verifier_servers;
ALTER TABLE verifier_lease DROP COLUMN trimmed_before;
DROP TABLE verifier_changes;
