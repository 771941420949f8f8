ALTER TABLE incidents DROP COLUMN witnesses;
DROP TABLE end_confirmations;
