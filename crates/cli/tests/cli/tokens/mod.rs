//! `keyward tokens …`

mod create;
mod list;
mod remove;
mod view;
