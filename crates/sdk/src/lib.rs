//! The Rust client of Keyward: issues, lists and expires API keys.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use keyward_sdk::{Client, CreateToken, TokensFilter, UserRef};
//!
//! # async fn example(secret: keyward_sdk::SecretString) -> Result<(), keyward_sdk::Error> {
//! let client = Client::builder("http://127.0.0.1:7080").token(secret).build()?;
//! let wanted = CreateToken::new().name("ci").lifetime(Duration::from_secs(3600)).scope("workspace:read");
//! let created = client.create_token(&UserRef::Me, &wanted).await?;
//! println!("{}", created.key.expose()); // the secret is only available here
//! client.expire_api_key(&UserRef::Me, created.id()).await?;
//! let filter = TokensFilter { include_expired: true, ..TokensFilter::default() };
//! let all = client.tokens(&UserRef::Me, &filter).await?;
//! # assert!(!all.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # What a call does
//!
//! * It needs a tokio runtime with time and I/O enabled. Every future is `Send`.
//! * It follows no redirects, and it calls `http://` servers without a proxy, so that only the
//!   configured server gets the credential. For `https://` it uses the proxy in `HTTPS_PROXY` and
//!   `NO_PROXY`, which sees only ciphertext.
//! * It retries `GET`, `PUT` and `DELETE`, [twice by default](ClientBuilder::retries), if the
//!   connection failed, no response arrived, or the server answered 429 or 503. It waits as long as
//!   `Retry-After` asks, up to 10 s. It never retries a create. It also retries
//!   [`expire_keys`](Client::expire_keys) with an `incident_id`.
//! * If the response to a change was lost and the retry fails, it returns the first error: the change
//!   may have been applied, and a later "not found" must not hide that.
//!
//! # Errors
//!
//! ```no_run
//! # async fn example(client: keyward_sdk::Client) -> Result<(), keyward_sdk::Error> {
//! use keyward_sdk::{Error, UserRef};
//!
//! match client.api_key_by_name(&UserRef::Me, "ci").await {
//!     Ok(token) => println!("{} expires at {}", token.id, token.expires_at),
//!     Err(error) if error.is_not_found() => println!("there is no such token"),
//!     Err(Error::Api(refused)) => println!("{}; {}", refused.message, refused.hint.unwrap_or_default()),
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Invariant:** no error, no `Debug` output and no log line of this crate contains a credential.

#![expect(
    clippy::result_large_err,
    reason = "`Error::Api` has public fields; callers can match on them without a box, which is worth the size"
)]

mod answer;
mod audit;
pub mod audit_export;
mod base_url;
mod builder;
mod call;
mod client;
mod create_token;
mod error;
mod incidents;
mod keys;
mod keys_filter;
mod locks;
mod page;
mod path;
pub mod receipts;
mod retry;
mod secret;
mod sessions;
mod system;
mod tls;
mod transport;
mod user_ref;
mod users;
pub mod verify;

pub use keyward_api as api;
pub use keyward_api::keys::KeySelector;
pub use keyward_domain::{KeyId, KeyKind, Lifetime, Timestamp, text};
pub use keyward_transparency as transparency;

pub use audit::AuditFilter;
pub use builder::ClientBuilder;
pub use client::Client;
pub use create_token::{CreateToken, CreatedToken};
pub use error::{ApiError, Error, InvalidInput};
pub use keys::ExpireOutcome;
pub use keys_filter::{KeySort, KeysFilter, SortOrder, TokensFilter};
pub use page::{Page, Paged};
pub use secret::SecretString;
pub use sessions::CreateFirstUser;
pub use transport::TransportError;
pub use user_ref::UserRef;
pub use users::{CreateUser, UsersFilter};

/// Types that the server returns or takes.
pub mod types {
    pub use keyward_api::audit::{AuditActor, AuditLeaf, AuditLeaves, AuditLog, AuditLogs, AuditTree, DiffField};
    pub use keyward_api::incidents::{
        ExpireKeysRequest, ExpirePreview, ExpiredKeys, Incident, IncidentActor, IncidentBarrier, OwnerCount,
    };
    pub use keyward_api::keys::{
        AcceptedUses, ApiKey, ApiKeyWithOwner, ExpireKeyRequest, Identified, KeyActivity, KeyKind, KeyStatus,
        LoginType, RefusedUses, TokenConfig,
    };
    pub use keyward_api::locks::{AddLockRequest, Lock, LockMaker, LockSelector};
    pub use keyward_api::receipts::{
        DeadKey, ProvenEntry, Receipt, ReceiptActor, ReceiptConfirmation, ReceiptSignature, ReceiptVerifier,
        SignedReceipt,
    };
    pub use keyward_api::system::{BuildInfo, ScopeCatalogue, ScopeInfo};
    pub use keyward_api::users::{User, UserRole};
    pub use keyward_api::verifiers::VerifierInfo;
    pub use keyward_api::verify::VerifyResponse;
    pub use keyward_api::{ErrorCode, Validation};
    pub use uuid::Uuid;
}

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
