//! The names of events.

use super::Cause;
use crate::access::ResourceKind;
use crate::audit::Action;
use crate::word::{UnknownWord, words};

/// The name of an [`Event`], without its contents.
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
    /// [`Event::KeyIdentified`].
    #[strum(serialize = "key.identified")]
    KeyIdentified,
    /// [`Event::IncidentBegan`].
    #[strum(serialize = "incident.began")]
    IncidentBegan,
    /// [`Event::LockAdded`].
    #[strum(serialize = "lock.added")]
    LockAdded,
    /// [`Event::LockRemoved`].
    #[strum(serialize = "lock.removed")]
    LockRemoved,
    /// [`Event::KeyDeleted`].
    #[strum(serialize = "key.deleted")]
    KeyDeleted,
    /// [`Event::KeysRetired`].
    #[strum(serialize = "key.retired")]
    KeysRetired,
    /// [`Event::UserCreated`].
    #[strum(serialize = "user.created")]
    UserCreated,
    /// [`Event::UserChanged`] with [`UserChange::Suspended`].
    #[strum(serialize = "user.suspended")]
    UserSuspended,
    /// [`Event::UserChanged`] with [`UserChange::Activated`].
    #[strum(serialize = "user.activated")]
    UserActivated,
    /// [`Event::UserChanged`] with [`UserChange::Roles`].
    #[strum(serialize = "user.roles_changed")]
    RolesChanged,
    /// [`Event::UserChanged`] with [`UserChange::Password`].
    #[strum(serialize = "user.password_changed")]
    PasswordChanged,
    /// [`Event::UserDeleted`].
    #[strum(serialize = "user.deleted")]
    UserDeleted,
    /// [`Event::LoginFailed`].
    #[strum(serialize = "user.login_failed")]
    LoginFailed,
    /// [`Event::LoginThrottled`].
    #[strum(serialize = "user.login_throttled")]
    LoginThrottled,
    /// [`Event::EntriesRetired`].
    #[strum(serialize = "audit_log.retired")]
    EntriesRetired,
    /// [`Event::RetentionConfirmed`].
    #[strum(serialize = "key.retention_confirmed")]
    RetentionConfirmed,
    /// [`Event::ClockAdopted`].
    #[strum(serialize = "clock.adopted")]
    ClockAdopted,
    /// [`Event::ClockAccepted`].
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
            Self::EntriesRetired => ResourceKind::AuditLog,
            Self::ClockAdopted | Self::ClockAccepted => ResourceKind::Clock,
        }
    }

    /// The action under which the audit log lists the event.
    #[must_use]
    pub fn action(self, cause: Option<Cause>) -> Action {
        match self {
            Self::KeyCreated | Self::UserCreated | Self::LockAdded => Action::Create,
            Self::LoggedIn | Self::LoginFailed | Self::LoginThrottled => Action::Login,
            Self::KeyExpired if cause == Some(Cause::Logout) => Action::Logout,
            Self::KeyExpired
            | Self::KeyIdentified
            | Self::IncidentBegan
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
