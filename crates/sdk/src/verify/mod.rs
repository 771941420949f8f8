//! Judging keys in your own process: after the first use of a key a local decision, without the
//! network, and none that outlives the key.
//!
//! A [`Verifier`] remembers facts of the keys it has seen, and judges each use by them and by the
//! clock. It may do so only while it holds a **lease**: it asks the server all the time what has
//! changed, and the last request that was answered must have been *sent* less than a lease ago.
//! The server, for its part, holds back the success of an expire until every verifier has said that
//! it knows, or its lease has run out. So when an expire has answered, no verifier accepts the key;
//! one that is frozen or cut off delays that by a lease at most, and asks the server for each key
//! until it has a lease again.
//!
//! ```no_run
//! use keyward_sdk::verify::{Need, Verifier};
//!
//! # async fn example(client: keyward_sdk::Client, presented: &str) {
//! let verifier = Verifier::start(&client, "orders");
//! match verifier.verify(presented, &Need::scope("workspace:read").on("workspace:w1")).await {
//!     Ok(verified) => println!("welcome, {}", verified.username()),
//!     Err(denied) => println!("no: {denied}"),
//! }
//! # }
//! ```
//!
//! # In a web service
//!
//! With the feature `actix` there is a middleware and an extractor for actix-web (module `actix`),
//! with `tower` a layer for tower and axum (module `tower`). They answer as RFC 6750 says.
//!
//! # In a test
//!
//! Have your code take a [`VerifierHandle`], and give it a [`VerifierHandle::mock`]: it needs no
//! server, and judges the keys you put in by the same code.

#[cfg(feature = "actix")]
pub mod actix;
mod ask;
mod denied;
mod facts;
mod handle;
mod interned;
mod lease;
mod memory;
mod mock;
#[cfg(feature = "tower")]
pub mod tower;
mod verified;
mod verifier;
#[cfg(any(feature = "actix", feature = "tower"))]
mod web;

pub use denied::Denied;
pub use handle::VerifierHandle;
pub use keyward_verdict::Need;
pub use mock::{InvalidMockKey, MockKey, MockVerifier};
pub use verified::Verified;
pub use verifier::{Verifier, VerifierBuilder};
#[cfg(any(feature = "actix", feature = "tower"))]
pub use web::Refusal;
