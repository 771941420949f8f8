//! `/users…`

mod create;
mod delete;
mod first;
mod list;
mod login;
mod password;
mod races;
mod roles;
mod service_accounts;
mod sessions;
mod status;
mod view;
