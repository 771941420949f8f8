//! What happened, as a value. The audit entry is one view of an event.
//!
//! **Invariant:** an event knows nothing of HTTP and of the wire. Who shows it decides in which
//! words and with which status.

use std::net::IpAddr;

use uuid::Uuid;

use crate::access::ResourceKind;
use crate::audit::Action;
use crate::clock::Timestamp;
use crate::key::ApiKey;
use crate::user::{Email, User, UserId, Username};
use crate::word::{UnknownWord, words};

/// The request that caused an event.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// The request's id, which the client was told too.
    pub id: Uuid,
    /// The client's address, if it is known.
    pub ip: Option<IpAddr>,
    /// The client's `User-Agent`; may be empty.
    pub user_agent: String,
}

/// The user who caused an event, as they were called at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Their id.
    pub id: UserId,
    /// Their name then.
    pub username: Username,
    /// Their e-mail address then.
    pub email: Email,
}

impl From<&User> for Actor {
    fn from(user: &User) -> Self {
        Self { id: user.id, username: user.username.clone(), email: user.email.clone() }
    }
}

/// When an event happened, by which request and by whom.
#[derive(Clone, Debug)]
pub struct Origin {
    /// When.
    pub time: Timestamp,
    /// The request; none if the server itself caused the event.
    pub request: Option<RequestInfo>,
    /// The user; none for the server itself, and for somebody unknown.
    pub actor: Option<Actor>,
}

impl Origin {
    /// The server itself, at this time.
    #[must_use]
    pub fn system(time: Timestamp) -> Self {
        Self { time, request: None, actor: None }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A key was made on request.
    KeyCreated {
        /// The key.
        key: ApiKey,
    },
    /// A user logged in, which made a session.
    LoggedIn {
        /// The session.
        key: ApiKey,
    },
    /// A live key was ended by hand.
    KeyExpired {
        /// The key as it was.
        before: ApiKey,
        /// The key as it is.
        after: ApiKey,
        /// Why.
        cause: Cause,
    },
    /// A key's record was deleted.
    KeyDeleted {
        /// The key as it was.
        key: ApiKey,
    },
    /// Retention removed records of keys that had expired before the cutoff.
    KeysRetired {
        /// How many.
        count: usize,
        /// The cutoff.
        cutoff: Timestamp,
    },
    /// A user was made.
    UserCreated {
        /// The user.
        user: User,
    },
    /// Something about a user was changed.
    UserChanged {
        /// The user as they were.
        before: User,
        /// The user as they are.
        after: User,
        /// What was changed.
        change: UserChange,
    },
    /// A user was deleted.
    UserDeleted {
        /// The user as they were.
        user: User,
    },
    /// Logins failed, with one name and from one address.
    LoginFailed {
        /// The user whose name it was, if there is one.
        user: Option<User>,
        /// How many failed since the last such event.
        count: u64,
        /// Why the last one failed.
        reason: LoginFailure,
    },
    /// Retention removed audit entries from before the cutoff.
    EntriesRetired {
        /// How many.
        count: usize,
        /// The cutoff.
        cutoff: Timestamp,
    },
}

/// Why a key was ended by hand.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownWord, parse_err_fn = Self::unknown)]
pub enum Cause {
    /// Somebody who may end it asked for it.
    Requested,
    /// Its user logged out.
    Logout,
    /// Somebody who holds its secret revoked it.
    RevokedByHolder,
    /// Its user's password was changed.
    PasswordChanged,
    /// Its user was deleted.
    UserDeleted,
}

words!(Cause, "cause");

/// What of a user was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// The status, to suspended.
    Suspended,
    /// The status, to active.
    Activated,
    /// The roles.
    Roles,
    /// The password.
    Password,
}

/// Why a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum LoginFailure {
    /// The name or the password is wrong.
    #[strum(serialize = "incorrect e-mail or password")]
    Credentials,
    /// The password is right, and the user is suspended.
    #[strum(serialize = "the user is suspended")]
    Suspended,
}

/// The name of what happened: an [`Event`] without its contents.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(parse_err_ty = UnknownWord, parse_err_fn = Self::unknown)]
pub enum EventKind {
    /// [`Event::KeyCreated`].
    #[strum(serialize = "key.created")]
    KeyCreated,
    /// [`Event::LoggedIn`].
    #[strum(serialize = "user.logged_in")]
    LoggedIn,
    /// [`Event::KeyExpired`].
    #[strum(serialize = "key.expired")]
    KeyExpired,
    /// [`Event::KeyDeleted`].
    #[strum(serialize = "key.deleted")]
    KeyDeleted,
    /// [`Event::KeysRetired`].
    #[strum(serialize = "key.retired")]
    KeysRetired,
    /// [`Event::UserCreated`].
    #[strum(serialize = "user.created")]
    UserCreated,
    /// [`Event::UserChanged`], to suspended.
    #[strum(serialize = "user.suspended")]
    UserSuspended,
    /// [`Event::UserChanged`], to active.
    #[strum(serialize = "user.activated")]
    UserActivated,
    /// [`Event::UserChanged`], the roles.
    #[strum(serialize = "user.roles_changed")]
    RolesChanged,
    /// [`Event::UserChanged`], the password.
    #[strum(serialize = "user.password_changed")]
    PasswordChanged,
    /// [`Event::UserDeleted`].
    #[strum(serialize = "user.deleted")]
    UserDeleted,
    /// [`Event::LoginFailed`].
    #[strum(serialize = "user.login_failed")]
    LoginFailed,
    /// [`Event::EntriesRetired`].
    #[strum(serialize = "audit_log.retired")]
    EntriesRetired,
}

words!(EventKind, "event");

impl Event {
    /// Its name.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::KeyCreated { .. } => EventKind::KeyCreated,
            Self::LoggedIn { .. } => EventKind::LoggedIn,
            Self::KeyExpired { .. } => EventKind::KeyExpired,
            Self::KeyDeleted { .. } => EventKind::KeyDeleted,
            Self::KeysRetired { .. } => EventKind::KeysRetired,
            Self::UserCreated { .. } => EventKind::UserCreated,
            Self::UserChanged { change, .. } => match change {
                UserChange::Suspended => EventKind::UserSuspended,
                UserChange::Activated => EventKind::UserActivated,
                UserChange::Roles => EventKind::RolesChanged,
                UserChange::Password => EventKind::PasswordChanged,
            },
            Self::UserDeleted { .. } => EventKind::UserDeleted,
            Self::LoginFailed { .. } => EventKind::LoginFailed,
            Self::EntriesRetired { .. } => EventKind::EntriesRetired,
        }
    }

    /// Why the key was ended; none for an event that ends no key.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::KeyExpired { cause, .. } => Some(*cause),
            Self::KeyCreated { .. }
            | Self::LoggedIn { .. }
            | Self::KeyDeleted { .. }
            | Self::KeysRetired { .. }
            | Self::UserCreated { .. }
            | Self::UserChanged { .. }
            | Self::UserDeleted { .. }
            | Self::LoginFailed { .. }
            | Self::EntriesRetired { .. } => None,
        }
    }
}

impl EventKind {
    /// The kind of thing that the event is about.
    #[must_use]
    pub fn resource(self) -> ResourceKind {
        match self {
            Self::KeyCreated | Self::LoggedIn | Self::KeyExpired | Self::KeyDeleted | Self::KeysRetired => {
                ResourceKind::ApiKey
            }
            Self::UserCreated
            | Self::UserSuspended
            | Self::UserActivated
            | Self::RolesChanged
            | Self::PasswordChanged
            | Self::UserDeleted
            | Self::LoginFailed => ResourceKind::User,
            Self::EntriesRetired => ResourceKind::AuditLog,
        }
    }

    /// The action that the audit log files it under.
    #[must_use]
    pub fn action(self, cause: Option<Cause>) -> Action {
        match self {
            Self::KeyCreated | Self::UserCreated => Action::Create,
            Self::LoggedIn | Self::LoginFailed => Action::Login,
            Self::KeyExpired if cause == Some(Cause::Logout) => Action::Logout,
            Self::KeyExpired
            | Self::UserSuspended
            | Self::UserActivated
            | Self::RolesChanged
            | Self::PasswordChanged => Action::Write,
            Self::KeyDeleted | Self::KeysRetired | Self::UserDeleted | Self::EntriesRetired => Action::Delete,
        }
    }
}
