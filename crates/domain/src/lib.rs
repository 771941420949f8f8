//! The rules of Keyward: what an API key is, when it is dead, what it may do, who may do what to it.
//!
//! Everything here is a pure function of its arguments. Time comes in as a [`Timestamp`]; the
//! only things taken from outside are the operating system's randomness, for new secrets, and its
//! clocks, for whoever asks.
//!
//! **Invariant:** nothing in this crate does I/O or knows of HTTP, SQL or an async runtime.

pub mod access;
pub mod allow_list;
pub mod audit;
mod boottime;
pub mod clock;
pub mod event;
pub mod key;
pub mod lifetime;
pub mod scope;
pub mod user;
mod word;

pub use allow_list::AllowList;
pub use boottime::Moment;
pub use clock::{Clock, SystemClock, Timestamp};
pub use key::{ApiKey, KeyId, KeyKind, LoginType, PlainKey, TokenName};
pub use lifetime::Lifetime;
#[cfg(feature = "catalogue")]
pub use scope::Catalogue;
pub use scope::{Scope, Scopes};
pub use user::{Role, Roles, User, UserId};
pub use word::UnknownWord;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
