//! The program from outside: streams, exit codes, messages and files, against a real server on both
//! databases where one is needed. The modules follow the commands.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails loudly")]

mod alone;
mod audit;
mod audit_proofs;
mod locks;
mod login;
mod logout;
mod receipts;
mod refusals;
mod scopes;
mod shell;
mod snapshot;
mod terminal;
mod tokens;
mod users;
mod whoami;
mod words;
