//! `/users/{user}/keys…`

mod activity;
mod allow_list;
mod create;
mod delete;
mod expire;
mod filter;
mod identify;
mod incidents;
mod list;
mod locks;
mod receipts;
mod tokenconfig;
mod usage;
mod view;

pub use create::checksum;
