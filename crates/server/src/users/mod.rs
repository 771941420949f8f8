//! The endpoints of users and of logging in.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod first;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod parse;
pub(crate) mod show;
pub(crate) mod view;
