//! `GET /audit`

mod append_only;
mod clock;
mod failed_logins;
mod pages;
mod proofs;
mod retention;
mod search;
mod shape;
mod tampering;
