//! The names of events.

use super::Cause;
use crate::access::ResourceKind;
use crate::audit::Action;
use crate::word::{UnknownWord, words};

/// The name of an [`Event`](super::Event), without its contents.
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
    /// [`Event::KeyCreated`](super::Event::KeyCreated).
    #[strum(serialize = "key.created")]
    KeyCreated,
    /// [`Event::LoggedIn`](super::Event::LoggedIn).
    #[strum(serialize = "user.logged_in")]
    LoggedIn,
    /// [`Event::KeyExpired`](super::Event::KeyExpired).
    #[strum(serialize = "key.expired")]
    KeyExpired,
    /// [`Event::KeyIdentified`](super::Event::KeyIdentified).
    #[strum(serialize = "key.identified")]
    KeyIdentified,
    /// [`Event::IncidentBegan`](super::Event::IncidentBegan).
    #[strum(serialize = "incident.began")]
    IncidentBegan,
    /// [`Event::IncidentEnded`](super::Event::IncidentEnded).
    #[strum(serialize = "incident.ended")]
    IncidentEnded,
    /// [`Event::LockAdded`](super::Event::LockAdded).
    #[strum(serialize = "lock.added")]
    LockAdded,
    /// [`Event::LockRemoved`](super::Event::LockRemoved).
    #[strum(serialize = "lock.removed")]
    LockRemoved,
    /// [`Event::KeyDeleted`](super::Event::KeyDeleted).
    #[strum(serialize = "key.deleted")]
    KeyDeleted,
    /// [`Event::KeysRetired`](super::Event::KeysRetired).
    #[strum(serialize = "key.retired")]
    KeysRetired,
    /// [`Event::UserCreated`](super::Event::UserCreated).
    #[strum(serialize = "user.created")]
    UserCreated,
    /// [`Event::UserChanged`](super::Event::UserChanged) with [`UserChange::Suspended`](super::UserChange::Suspended).
    #[strum(serialize = "user.suspended")]
    UserSuspended,
    /// [`Event::UserChanged`](super::Event::UserChanged) with [`UserChange::Activated`](super::UserChange::Activated).
    #[strum(serialize = "user.activated")]
    UserActivated,
    /// [`Event::UserChanged`](super::Event::UserChanged) with [`UserChange::Roles`](super::UserChange::Roles).
    #[strum(serialize = "user.roles_changed")]
    RolesChanged,
    /// [`Event::UserChanged`](super::Event::UserChanged) with [`UserChange::Password`](super::UserChange::Password).
    #[strum(serialize = "user.password_changed")]
    PasswordChanged,
    /// [`Event::UserDeleted`](super::Event::UserDeleted).
    #[strum(serialize = "user.deleted")]
    UserDeleted,
    /// [`Event::LoginFailed`](super::Event::LoginFailed).
    #[strum(serialize = "user.login_failed")]
    LoginFailed,
    /// [`Event::LoginThrottled`](super::Event::LoginThrottled).
    #[strum(serialize = "user.login_throttled")]
    LoginThrottled,
    /// [`Event::EntriesRetired`](super::Event::EntriesRetired).
    #[strum(serialize = "audit_log.retired")]
    EntriesRetired,
    /// [`Event::SigningKeyAdded`](super::Event::SigningKeyAdded).
    #[strum(serialize = "audit_log.signing_key_added")]
    SigningKeyAdded,
    /// [`Event::RetentionConfirmed`](super::Event::RetentionConfirmed).
    #[strum(serialize = "key.retention_confirmed")]
    RetentionConfirmed,
    /// [`Event::ClockAdopted`](super::Event::ClockAdopted).
    #[strum(serialize = "clock.adopted")]
    ClockAdopted,
    /// [`Event::ClockAccepted`](super::Event::ClockAccepted).
    #[strum(serialize = "clock.accepted")]
    ClockAccepted,
}

words!(EventKind, "event");

impl EventKind {
    /// The type of resource that the event is about.
    #[must_use]
    pub fn resource(self) -> ResourceKind {
        match self {
            Self::KeyCreated
            | Self::LoggedIn
            | Self::KeyExpired
            | Self::KeyIdentified
            | Self::IncidentBegan
            | Self::IncidentEnded
            | Self::LockAdded
            | Self::LockRemoved
            | Self::KeyDeleted
            | Self::KeysRetired
            | Self::RetentionConfirmed => ResourceKind::ApiKey,
            Self::UserCreated
            | Self::UserSuspended
            | Self::UserActivated
            | Self::RolesChanged
            | Self::PasswordChanged
            | Self::UserDeleted
            | Self::LoginFailed
            | Self::LoginThrottled => ResourceKind::User,
            Self::EntriesRetired | Self::SigningKeyAdded => ResourceKind::AuditLog,
            Self::ClockAdopted | Self::ClockAccepted => ResourceKind::Clock,
        }
    }

    /// The action under which the audit log lists the event.
    #[must_use]
    pub fn action(self, cause: Option<Cause>) -> Action {
        match self {
            Self::KeyCreated | Self::UserCreated | Self::LockAdded | Self::SigningKeyAdded => Action::Create,
            Self::LoggedIn | Self::LoginFailed | Self::LoginThrottled => Action::Login,
            Self::KeyExpired if cause == Some(Cause::Logout) => Action::Logout,
            Self::KeyExpired
            | Self::KeyIdentified
            | Self::IncidentBegan
            | Self::IncidentEnded
            | Self::UserSuspended
            | Self::UserActivated
            | Self::RolesChanged
            | Self::PasswordChanged
            | Self::RetentionConfirmed
            | Self::ClockAdopted
            | Self::ClockAccepted => Action::Write,
            Self::LockRemoved | Self::KeyDeleted | Self::KeysRetired | Self::UserDeleted | Self::EntriesRetired => {
                Action::Delete
            }
        }
    }
}
