//! Verifies keys in your own process. The first use of a key asks the server; later uses are decided
//! locally, without the network.
//!
//! A [`Verifier`] caches facts about the keys it has seen and judges each use by them and the clock. It
//! may do so only while it holds a **lease**. It polls the server for changes all the time, and the
//! lease is valid if the last answered poll was *sent* less than the lease duration ago. The server
//! delays the success response of an expire until every verifier has confirmed the change or its lease
//! has run out. So once an expire has succeeded, no verifier accepts the key. A verifier that is frozen
//! or cut off delays the expire by at most one lease duration, and then asks the server about each key
//! until it has a lease again.
//! ```no_run
//! use keyward_sdk::verify::{Need, Verifier};
//!
//! # async fn example(client: keyward_sdk::Client, presented: &str) {
//! let verifier = Verifier::start(&client, "orders");
//! match verifier.verify(presented, &Need::scope("workspace:read").on("workspace:w1")).await {
//!     Ok(verified) => println!("welcome, {}", verified.username()),
//!     Err(denied) => println!("denied: {denied}"),
//! }
//! # }
//! ```
//!
//! # In a web service
//!
//! The feature `actix` adds a middleware and an extractor for actix-web (module `actix`). The feature
//! `tower` adds a layer for tower and axum (module `tower`). Both answer as RFC 6750 requires.
//!
//! # In a test
//!
//! Enable the feature `mock`, let your code take a [`VerifierHandle`] and give it a
//! `VerifierHandle::mock`. The mock needs no server and judges the keys you add with the same code.

#[cfg(feature = "actix")]
pub mod actix;
mod ask;
mod denied;
mod facts;
mod handle;
mod interned;
mod lease;
mod memory;
#[cfg(feature = "mock")]
mod mock;
#[cfg(feature = "tower")]
pub mod tower;
mod uses;
mod verified;
mod verifier;
#[cfg(any(feature = "actix", feature = "tower"))]
mod web;

pub use denied::Denied;
pub use handle::VerifierHandle;
pub use keyward_verdict::Need;
#[cfg(feature = "mock")]
pub use mock::{InvalidMockKey, MockKey, MockVerifier};
pub use verified::Verified;
pub use verifier::{Verifier, VerifierBuilder};
#[cfg(any(feature = "actix", feature = "tower"))]
pub use web::Refusal;
