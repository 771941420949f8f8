//! Events: what happened, as a value. An audit entry is made from an event.
//!
//! **Invariant:** an event knows nothing of HTTP or the wire. The code that displays it chooses the
//! words and the status.

mod kind;

pub use kind::EventKind;

use std::net::IpAddr;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::confirmation::Confirmation;
use crate::key::{ApiKey, EndNote, EndReason, KeyId};
use crate::user::{Email, User, UserId, Username};
use crate::word::{UnknownWord, words};

/// The request that caused an event.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// The request's id, which the response contains too.
    pub id: Uuid,
    /// The client's address, if known.
    pub ip: Option<IpAddr>,
    /// The client's `User-Agent`; may be empty.
    pub user_agent: String,
}

/// The user who caused an event, with their name and address at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user's id.
    pub id: UserId,
    /// The username at the time.
    pub username: Username,
    /// The e-mail address at the time.
    pub email: Email,
}

impl From<&User> for Actor {
    fn from(user: &User) -> Self {
        Self { id: user.id, username: user.username.clone(), email: user.email.clone() }
    }
}

/// The key that caused an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActingKey {
    /// The key's id.
    pub id: KeyId,
    /// The key that created it, the key that created that one, and so on.
    pub minted_by: Vec<KeyId>,
}

/// When an event happened, and which request, user and key caused it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Time of the event.
    pub time: Timestamp,
    /// The request that caused the event; none if the server itself caused it.
    pub request: Option<RequestInfo>,
    /// The user who caused the event; none for the server itself or an unknown user.
    pub actor: Option<Actor>,
    /// The key that caused the event; none if no key was used, as in a login.
    pub key: Option<ActingKey>,
}

impl Origin {
    /// The origin of an event that the server itself caused.
    #[must_use]
    pub fn system(time: Timestamp) -> Self {
        Self { time, request: None, actor: None, key: None }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A key was created by request.
    KeyCreated {
        /// The key.
        key: ApiKey,
    },
    /// A user logged in, which created a session.
    LoggedIn {
        /// The session.
        key: ApiKey,
    },
    /// A live key was ended by hand.
    KeyExpired {
        /// The key before the change.
        before: Box<ApiKey>,
        /// The key after the change.
        after: Box<ApiKey>,
        /// What led to it.
        cause: Cause,
        /// The request that ends many keys, if this is part of one.
        incident: Option<Uuid>,
    },
    /// Someone asked whose key a text is.
    KeyIdentified {
        /// The key with the id in the text, if there is one.
        key: Option<ApiKey>,
        /// Whether the secret in the text is the key's.
        exact: bool,
    },
    /// A request that ends many keys began.
    IncidentBegan {
        /// Its id.
        id: Uuid,
        /// How many keys it selected.
        matched: usize,
        /// The SHA-256 digest of their ids.
        digest: String,
        /// Why it ends them.
        reason: EndReason,
        /// A note on why.
        note: Option<EndNote>,
    },
    /// A request that ends many keys has ended: nobody accepts any of them.
    IncidentEnded {
        /// Its id.
        id: Uuid,
        /// How many keys it has expired.
        expired: i64,
        /// Who confirmed that the keys are dead.
        confirmation: Confirmation,
    },
    /// A lock was made.
    LockAdded {
        /// Its id.
        id: Uuid,
        /// The lock, by field.
        state: Map<String, Value>,
    },
    /// A lock was removed, or has ended.
    LockRemoved {
        /// Its id.
        id: Uuid,
        /// The lock, by field.
        state: Map<String, Value>,
    },
    /// A key's record was deleted.
    KeyDeleted {
        /// The key before deletion.
        key: ApiKey,
    },
    /// Retention removed records of keys that had expired before the cutoff.
    KeysRetired {
        /// The number of removed records.
        count: usize,
        /// The cutoff.
        cutoff: Timestamp,
    },
    /// A user was created.
    UserCreated {
        /// The user.
        user: User,
    },
    /// Something about a user was changed.
    UserChanged {
        /// The user before the change.
        before: User,
        /// The user after the change.
        after: User,
        /// What was changed.
        change: UserChange,
    },
    /// A user was deleted.
    UserDeleted {
        /// The user before deletion.
        user: User,
    },
    /// Logins with one name from one address failed.
    LoginFailed {
        /// The user with that name, if there is one.
        user: Option<User>,
        /// The number of failed logins since the last such event.
        count: u64,
        /// Why the last one failed.
        reason: LoginFailure,
    },
    /// Logins from one address are refused after too many wrong passwords.
    LoginThrottled {
        /// The user who was named last, if there is one.
        user: Option<User>,
        /// Until when they are refused.
        until: Timestamp,
    },
    /// Retention removed audit entries from before the cutoff.
    EntriesRetired {
        /// The number of removed records.
        count: usize,
        /// The cutoff.
        cutoff: Timestamp,
        /// The leaves of the audit tree whose entries retention has removed until now, as ranges of
        /// their first and last index.
        leaves: Vec<(u64, u64)>,
    },
    /// A server signs checkpoints of the audit log with a key that this log has not named yet.
    SigningKeyAdded {
        /// The public key, as a verifier key of C2SP `signed-note`.
        verifier_key: String,
    },
    /// An operator confirmed that retention may remove more than half of all keys.
    RetentionConfirmed {
        /// The number of keys that retention would have removed when it asked.
        count: i64,
        /// The latest cutoff that is confirmed.
        cutoff: Timestamp,
    },
    /// A server adopted a step of its wall clock.
    ClockAdopted {
        /// The server's time before the step.
        before: Timestamp,
        /// The server's time after the step.
        after: Timestamp,
    },
    /// An operator accepted the present time although an audit entry has a later one.
    ClockAccepted {
        /// The time of the newest audit entry.
        newest: Timestamp,
        /// The accepted time.
        now: Timestamp,
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
    /// A request by a user who may expire the key.
    Requested,
    /// The key's owner logged out.
    Logout,
    /// A holder of the secret revoked the key.
    RevokedByHolder,
    /// The owner's password was changed.
    PasswordChanged,
    /// The owner was deleted.
    UserDeleted,
    /// The key that created this one was ended.
    MinterEnded,
    /// A request that ends many keys.
    Incident,
}

words!(Cause, "cause");

/// What was changed about a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// The status changed to suspended.
    Suspended,
    /// The status changed to active.
    Activated,
    /// The roles changed.
    Roles,
    /// The password changed.
    Password,
}

/// Why a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum LoginFailure {
    /// The name or the password is wrong.
    #[strum(serialize = "incorrect e-mail or password")]
    Credentials,
    /// The password is right, but the user is suspended.
    #[strum(serialize = "the user is suspended")]
    Suspended,
}

impl Event {
    /// The event's name.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::KeyCreated { .. } => EventKind::KeyCreated,
            Self::LoggedIn { .. } => EventKind::LoggedIn,
            Self::KeyExpired { .. } => EventKind::KeyExpired,
            Self::KeyIdentified { .. } => EventKind::KeyIdentified,
            Self::IncidentBegan { .. } => EventKind::IncidentBegan,
            Self::IncidentEnded { .. } => EventKind::IncidentEnded,
            Self::LockAdded { .. } => EventKind::LockAdded,
            Self::LockRemoved { .. } => EventKind::LockRemoved,
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
            Self::LoginThrottled { .. } => EventKind::LoginThrottled,
            Self::EntriesRetired { .. } => EventKind::EntriesRetired,
            Self::SigningKeyAdded { .. } => EventKind::SigningKeyAdded,
            Self::RetentionConfirmed { .. } => EventKind::RetentionConfirmed,
            Self::ClockAdopted { .. } => EventKind::ClockAdopted,
            Self::ClockAccepted { .. } => EventKind::ClockAccepted,
        }
    }

    /// The request that ends many keys, if the event is part of one.
    #[must_use]
    pub fn incident(&self) -> Option<Uuid> {
        match self {
            Self::KeyExpired { incident, .. } => *incident,
            Self::IncidentBegan { id, .. } | Self::IncidentEnded { id, .. } => Some(*id),
            Self::KeyCreated { .. }
            | Self::LoggedIn { .. }
            | Self::KeyIdentified { .. }
            | Self::LockAdded { .. }
            | Self::LockRemoved { .. }
            | Self::KeyDeleted { .. }
            | Self::KeysRetired { .. }
            | Self::UserCreated { .. }
            | Self::UserChanged { .. }
            | Self::UserDeleted { .. }
            | Self::LoginFailed { .. }
            | Self::LoginThrottled { .. }
            | Self::EntriesRetired { .. }
            | Self::SigningKeyAdded { .. }
            | Self::RetentionConfirmed { .. }
            | Self::ClockAdopted { .. }
            | Self::ClockAccepted { .. } => None,
        }
    }

    /// Why a key was ended; none for an event that ends no key.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::KeyExpired { cause, .. } => Some(*cause),
            Self::KeyCreated { .. }
            | Self::LoggedIn { .. }
            | Self::KeyIdentified { .. }
            | Self::IncidentBegan { .. }
            | Self::IncidentEnded { .. }
            | Self::LockAdded { .. }
            | Self::LockRemoved { .. }
            | Self::KeyDeleted { .. }
            | Self::KeysRetired { .. }
            | Self::UserCreated { .. }
            | Self::UserChanged { .. }
            | Self::UserDeleted { .. }
            | Self::LoginFailed { .. }
            | Self::LoginThrottled { .. }
            | Self::EntriesRetired { .. }
            | Self::SigningKeyAdded { .. }
            | Self::RetentionConfirmed { .. }
            | Self::ClockAdopted { .. }
            | Self::ClockAccepted { .. } => None,
        }
    }
}
