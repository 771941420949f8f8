DROP TABLE key_refusals;
DROP TABLE key_uses;
