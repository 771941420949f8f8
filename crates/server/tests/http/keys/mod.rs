//! `/users/{user}/keys…`

mod allow_list;
mod create;
mod delete;
mod expire;
mod list;
mod tokenconfig;
mod usage;
mod view;

pub use create::checksum;
