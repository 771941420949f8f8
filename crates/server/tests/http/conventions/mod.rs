//! Rules for all endpoints.

mod body;
mod credentials;
mod failures;
mod headers;
mod not_found;
mod order;
mod routes;
mod size;
mod system;
