//! Why a use case was refused or failed.

use keyward_domain::allow_list::InvalidAllowList;
use keyward_domain::key::{ExceedsCaller, InvalidTokenName};
use keyward_domain::user::InvalidPassword;
use keyward_domain::{Lifetime, Timestamp};
use keyward_storage::StoreError;

/// Why a use case was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource does not exist, or the caller may not see it.
    #[error("not found")]
    NotFound,
    /// The caller may see the resource but not do this to it.
    #[error("the caller's roles do not allow it")]
    Forbidden,
    /// Only an owner may make owners.
    #[error("only an owner may make owners")]
    OwnersOnly,
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
    /// A name that no token may have.
    #[error(transparent)]
    InvalidTokenName(#[from] InvalidTokenName),
    /// An allow list that is none.
    #[error(transparent)]
    InvalidAllowList(#[from] InvalidAllowList),
    /// A lifetime below zero.
    #[error("the lifetime is not positive")]
    LifetimeNotPositive,
    /// A lifetime below one second.
    #[error("the lifetime of {} ns is too short", .0.as_nanos())]
    LifetimeTooShort(Lifetime),
    /// A lifetime above the maximum for the user's tokens.
    #[error("the lifetime is longer than {max}")]
    LifetimeTooLong {
        /// The maximum.
        max: Lifetime,
        /// Whether it is the maximum for owners. Other users' tokens may live longer.
        of_an_owner: bool,
    },
    /// No random name of a token is free.
    #[error("no random name is free")]
    NoRandomName,
    /// A new password of the wrong length.
    #[error(transparent)]
    InvalidPassword(#[from] InvalidPassword),
    /// A user who logs in with a password was to be made without one.
    #[error("a user who logs in needs a password")]
    PasswordMissing,
    /// The user is a service account, which has no password.
    #[error("a service account has no password")]
    NoPasswordToSet,
    /// To change one's own password the old one is needed.
    #[error("the old password is missing")]
    OldPasswordMissing,
    /// The old password is wrong.
    #[error("the old password is incorrect")]
    OldPasswordIncorrect,
    /// The user has a live token of that name.
    #[error("a token named \"{0}\" exists")]
    TokenNameTaken(String),
    /// The username is taken.
    #[error("the username is taken")]
    UsernameTaken,
    /// The e-mail address is taken.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The first user has been created before.
    #[error("the first user has been created")]
    FirstUserExists,
    /// Nobody changes their own roles.
    #[error("nobody changes their own roles")]
    OwnRoles,
    /// Nobody suspends or activates themselves.
    #[error("nobody suspends or activates themselves")]
    OwnStatus,
    /// Nobody deletes themselves.
    #[error("nobody deletes themselves")]
    OwnDeletion,
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
