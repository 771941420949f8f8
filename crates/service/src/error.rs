//! Errors of use cases.

use keyward_domain::allow_list::InvalidAllowList;
use keyward_domain::key::{ExceedsCaller, InvalidTokenName};
use keyward_domain::user::InvalidPassword;
use keyward_domain::{Lifetime, Timestamp};
use keyward_storage::StoreError;

use crate::incidents::Preview;

impl Error {
    /// The error for a selector whose user was not found.
    pub(crate) fn of_selected_user(error: Self) -> Self {
        match error {
            Self::NotFound => Self::UnknownUser,
            other => other,
        }
    }
}

/// Why there is no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReceipt {
    /// The key is live, or has expired without anyone ending it.
    #[error("the key was not ended by hand; only the end of a key by hand has a receipt")]
    NotEnded,
    /// The key had expired before anyone ended it, which leaves no entry, or retention has removed the entry.
    #[error("the audit log has no entry of the key's end: it had expired before, or retention has removed the entry")]
    NoEntry,
    /// The incident has not ended.
    #[error("the incident has not ended")]
    Running,
}

/// Why a use case was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource does not exist, or the caller may not see it.
    #[error("not found")]
    NotFound,
    /// The caller may see the resource but not do this to it.
    #[error("the caller's roles do not allow it")]
    Forbidden,
    /// Only an owner may assign or remove the role owner.
    #[error("only an owner may assign or remove the role owner")]
    OwnersOnly,
    /// The calling key was ended during the request: its expiry, or none if its record was deleted.
    #[error("the calling key was ended during the request")]
    CallerEnded(Option<Timestamp>),
    /// The calling key lacks this scope.
    #[error("the key lacks the scope \"{0}\"")]
    InsufficientScope(&'static str),
    /// The calling key's allow list does not cover this resource.
    #[error("the key's allow list does not cover \"{0}\"")]
    ResourceNotAllowed(String),
    /// The new key would exceed the calling key.
    #[error(transparent)]
    ExceedsCaller(#[from] ExceedsCaller),
    /// The token name is invalid.
    #[error(transparent)]
    InvalidTokenName(#[from] InvalidTokenName),
    /// The allow list is invalid.
    #[error(transparent)]
    InvalidAllowList(#[from] InvalidAllowList),
    /// The lifetime is negative.
    #[error("the lifetime is not positive")]
    LifetimeNotPositive,
    /// The lifetime is shorter than 1 s.
    #[error("the lifetime of {} ns is too short", .0.as_nanos())]
    LifetimeTooShort(Lifetime),
    /// The lifetime exceeds the maximum for the user's tokens.
    #[error("the lifetime is longer than {max}")]
    LifetimeTooLong {
        /// The maximum.
        max: Lifetime,
        /// Whether it is the maximum for owners. Other users' tokens may live longer.
        of_an_owner: bool,
    },
    /// No free random token name was found.
    #[error("no random name is free")]
    NoRandomName,
    /// The new password has the wrong length.
    #[error(transparent)]
    InvalidPassword(#[from] InvalidPassword),
    /// The new user logs in with a password, but none was given.
    #[error("a user who logs in needs a password")]
    PasswordMissing,
    /// The user is a service account, which cannot have a password.
    #[error("a service account has no password")]
    NoPasswordToSet,
    /// The caller must give the old password to change their own.
    #[error("the old password is missing")]
    OldPasswordMissing,
    /// The old password is wrong.
    #[error("the old password is incorrect")]
    OldPasswordIncorrect,
    /// The user has a live token of this name.
    #[error("a token named \"{0}\" exists")]
    TokenNameTaken(String),
    /// The username is taken.
    #[error("the username is taken")]
    UsernameTaken,
    /// The e-mail address is taken.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The first user was already created.
    #[error("the first user was already created")]
    FirstUserExists,
    /// Users cannot change their own roles.
    #[error("users cannot change their own roles")]
    OwnRoles,
    /// Users cannot suspend or activate themselves.
    #[error("users cannot suspend or activate themselves")]
    OwnStatus,
    /// Users cannot delete themselves.
    #[error("users cannot delete themselves")]
    OwnDeletion,
    /// The change would leave no active owner.
    #[error("the last active owner cannot be demoted, suspended or deleted")]
    LastOwner,
    /// The e-mail address or the password is wrong.
    #[error("incorrect e-mail or password")]
    IncorrectCredentials,
    /// The user is suspended.
    #[error("the user is suspended")]
    Suspended,
    /// Too many wrong passwords came from the client's address; how long it must wait.
    #[error("too many wrong passwords; try again in {0}")]
    TooManyAttempts(Lifetime),
    /// The queue for hashing passwords is full.
    #[error("too many passwords are being checked; try again")]
    PasswordsBusy,
    /// The clock is far behind the newest audit entry, so expired keys would be live again.
    #[error(
        "the clock says {now}, but the newest audit entry is from {newest}; expired keys would be live again: set the clock, or, if the clock is right, run keyward-server accept-clock"
    )]
    ClockBehind {
        /// The time of the clock.
        now: Timestamp,
        /// The time of the newest entry.
        newest: Timestamp,
    },
    /// The audit entry is not in the audit tree yet, or there is no checkpoint yet.
    #[error("the audit entry is not sealed yet")]
    NotSealed,
    /// There is nothing to write a receipt about.
    #[error(transparent)]
    NoReceipt(#[from] NoReceipt),
    /// A selector names a user who is missing or hidden.
    #[error("there is no such user")]
    UnknownUser,
    /// The selector matches other keys than those of the preview.
    #[error("the selector matches other keys than those of the preview")]
    SelectionChanged(Box<Preview>),
    /// The incident with this id has other keys.
    #[error("an incident with this id has other keys")]
    IncidentDiffers,
    /// Another request did the batch of an incident.
    #[error("another request goes on with this incident")]
    IncidentMovedOn,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system returned no random bytes.
    #[error("cannot get random bytes from the operating system")]
    Random(#[from] getrandom::Error),
    /// A password could not be hashed or checked.
    #[error("cannot hash or check a password: {0}")]
    Hash(String),
}
