DROP TABLE verifier_lease;
