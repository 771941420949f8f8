//! Why a use case was refused or failed.

use keyward_domain::allow_list::InvalidAllowList;
use keyward_domain::audit::InvalidTerm;
use keyward_domain::key::{ExceedsCaller, InvalidTokenName};
use keyward_domain::scope::UnknownScope;
use keyward_domain::{Lifetime, Timestamp};
use keyward_storage::StoreError;

/// A field of a request whose value is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// Its name on the wire.
    pub field: &'static str,
    /// What is wrong with it.
    pub detail: String,
    /// What to do about it, if that is not plain.
    pub hint: Option<String>,
}

impl InvalidField {
    /// Says of a field what is wrong with it.
    pub fn new(field: &'static str, detail: impl ToString) -> Self {
        Self { field, detail: detail.to_string(), hint: None }
    }
}

/// Why a use case was refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing, or it is not to be seen.
    #[error("not found")]
    NotFound,
    /// The thing may be seen, and this may not be done to it.
    #[error("not allowed: {0}")]
    Forbidden(&'static str),
    /// The calling key was ended while the request was under way: when, unless its record is gone.
    #[error("the calling key was ended meanwhile")]
    CallerEnded(Option<Timestamp>),
    /// The calling key lacks this scope.
    #[error("the key lacks the scope \"{0}\"")]
    InsufficientScope(&'static str),
    /// The calling key's allow list does not cover this.
    #[error("the key's allow list does not cover \"{0}\"")]
    ResourceNotAllowed(String),
    /// The new key would go beyond the calling one.
    #[error(transparent)]
    ExceedsCaller(#[from] ExceedsCaller),
    /// A scope that is not in the catalogue.
    #[error(transparent)]
    UnknownScope(#[from] UnknownScope),
    /// A name that no token may have.
    #[error(transparent)]
    InvalidTokenName(#[from] InvalidTokenName),
    /// An allow list that is none.
    #[error(transparent)]
    InvalidAllowList(#[from] InvalidAllowList),
    /// A lifetime that no token may have.
    #[error("{detail}")]
    InvalidLifetime {
        /// What is wrong with it.
        detail: String,
        /// Which flag sets the limit, and who may have longer ones.
        hint: String,
    },
    /// A field of a user or a login is not allowed.
    #[error("{}: {}", .0.field, .0.detail)]
    InvalidField(InvalidField),
    /// The search cannot be understood.
    #[error("the search cannot be understood")]
    InvalidSearch(Vec<InvalidTerm>),
    /// The user has a live token of that name.
    #[error("a token named \"{0}\" exists")]
    TokenNameTaken(String),
    /// The username or e-mail address is taken.
    #[error("the username or e-mail address is taken")]
    UserTaken(&'static str),
    /// The first user has been created before.
    #[error("the first user has been created")]
    FirstUserExists,
    /// What nobody may do to themselves.
    #[error("{0}")]
    OnOneself(&'static str),
    /// It would leave no active owner.
    #[error("the last active owner cannot be demoted, suspended or deleted")]
    LastOwner,
    /// E-mail or password is wrong.
    #[error("incorrect e-mail or password")]
    IncorrectCredentials,
    /// The user is suspended.
    #[error("the user is suspended")]
    Suspended,
    /// Too much of this is under way.
    #[error("too many passwords are being checked")]
    PasswordsBusy,
    /// The clock is far behind what is recorded.
    #[error(
        "the clock says {now}, and the newest audit entry is of {newest}: set the clock; started now, expired keys would live again"
    )]
    ClockBehind {
        /// What the clock says.
        now: Timestamp,
        /// The newest entry's time.
        newest: Timestamp,
    },
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system has no randomness to give.
    #[error("the operating system gave no randomness")]
    Random(#[from] getrandom::Error),
    /// A password could not be hashed.
    #[error("a password could not be hashed: {0}")]
    Hash(String),
}

impl Error {
    /// A field of a user or a login is not allowed.
    pub(crate) fn field(field: &'static str, detail: impl ToString) -> Self {
        Self::InvalidField(InvalidField::new(field, detail))
    }

    /// The lifetime is longer than `max`, which `flag` sets.
    pub(crate) fn lifetime_too_long(max: Lifetime, flag: &str, owner: bool) -> Self {
        let others = if owner { "; a service account may have tokens that live longer" } else { "" };
        Self::InvalidLifetime {
            detail: format!("lifetime must be less than or equal to {max}"),
            hint: format!("The server's flag {flag} sets this limit{others}."),
        }
    }
}
