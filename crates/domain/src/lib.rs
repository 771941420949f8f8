//! The rules of Keyward: what an API key is, when it is dead, what it may do, and who may manage it.
//!
//! The rules are pure functions of their arguments; callers pass time in as a [`Timestamp`]. Only
//! key generation and the clock types call the operating system, for random bytes and the time.
//!
//! **Invariant:** nothing in this crate does I/O or knows of HTTP, SQL or an async runtime.

pub mod access;
pub mod allow_list;
pub mod audit;
pub mod clock;
pub mod confirmation;
pub mod event;
pub mod key;
pub mod lifetime;
#[cfg(feature = "catalogue")]
pub mod lock;
pub mod scope;
pub mod text;
pub mod user;
mod word;

pub use allow_list::AllowList;
pub use clock::{Clock, ClockChange, ClockState, Moment, SystemClock, Timestamp};
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
