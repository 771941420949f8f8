//! `keyward tokens …`

mod create;
mod expire;
mod filter;
mod identify;
mod list;
mod remove;
mod view;
