//! Access rules as data: the scope that an act needs, and what each role may do to whom.

use crate::user::{Role, Roles, User, UserId};
use crate::word::{UnknownWord, words};

/// An action of a request that needs permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// List and view keys, and view the token limits.
    ReadKeys,
    /// Create a token or a session key.
    CreateKey,
    /// Expire a key.
    ExpireKey,
    /// Delete a key and its record.
    DeleteKey,
    /// List and view users and their roles.
    ReadUsers,
    /// Create a user.
    CreateUser,
    /// Change a user's roles.
    EditRoles,
    /// Suspend or activate a user.
    SetStatus,
    /// Set a user's password.
    SetPassword,
    /// Delete a user.
    DeleteUser,
    /// Read the audit log.
    ReadAudit,
    /// Verify presented keys.
    VerifyKeys,
}

/// The resource type of an [`Act`] or an event. Allow lists use the same names.
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
pub enum ResourceKind {
    /// A key: `api_key:<id>`.
    ApiKey,
    /// A user: `user:<uuid>`.
    User,
    /// The audit log, as a whole.
    AuditLog,
    /// A server's clock. No act is about it, only events.
    Clock,
}

words!(ResourceKind, "resource type");

impl Act {
    /// Every act.
    pub const ALL: [Self; 12] = [
        Self::ReadKeys,
        Self::CreateKey,
        Self::ExpireKey,
        Self::DeleteKey,
        Self::ReadUsers,
        Self::CreateUser,
        Self::EditRoles,
        Self::SetStatus,
        Self::SetPassword,
        Self::DeleteUser,
        Self::ReadAudit,
        Self::VerifyKeys,
    ];

    /// The scope that a key needs for this act, whatever its owner's role.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::ReadKeys => "api_key:read",
            Self::CreateKey => "api_key:create",
            Self::ExpireKey => "api_key:update",
            Self::DeleteKey => "api_key:delete",
            Self::ReadUsers => "user:read",
            Self::CreateUser => "user:create",
            Self::EditRoles | Self::SetStatus | Self::SetPassword => "user:update",
            Self::DeleteUser => "user:delete",
            Self::ReadAudit => "audit_log:read",
            Self::VerifyKeys => "api_key:verify",
        }
    }

    /// The resource type of this act.
    #[must_use]
    pub fn resource(self) -> ResourceKind {
        match self {
            Self::ReadKeys | Self::CreateKey | Self::ExpireKey | Self::DeleteKey | Self::VerifyKeys => {
                ResourceKind::ApiKey
            }
            Self::ReadUsers
            | Self::CreateUser
            | Self::EditRoles
            | Self::SetStatus
            | Self::SetPassword
            | Self::DeleteUser => ResourceKind::User,
            Self::ReadAudit => ResourceKind::AuditLog,
        }
    }
}

/// The relation of a resource's owner to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The owner is the caller.
    Own,
    /// The owner is another user without the role owner.
    Other,
    /// The owner is another user with the role owner.
    Owner,
}

impl Relation {
    /// The relation of `target` to the user `caller`.
    #[must_use]
    pub fn of(caller: UserId, target: &User) -> Self {
        if caller == target.id {
            Self::Own
        } else if target.is_owner() {
            Self::Owner
        } else {
            Self::Other
        }
    }
}

/// Whether an act is permitted. The variants are ordered: with several roles, the highest decision
/// applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// The caller may not see the resource: the response is the same as if it did not exist.
    Hidden,
    /// The caller may see the resource but not do this to it.
    Denied,
    /// The act is permitted.
    Allowed,
}

/// A line of the table: an act with its decisions for [`Relation::Own`], `Other` and `Owner`.
type Line = (Act, [Decision; 3]);

const NO: Decision = Decision::Denied;
const YES: Decision = Decision::Allowed;
const HID: Decision = Decision::Hidden;

/// What every user may do.
const MEMBER: &[Line] = &[
    (Act::ReadKeys, [YES, HID, HID]),
    (Act::CreateKey, [YES, HID, HID]),
    (Act::ExpireKey, [YES, HID, HID]),
    (Act::DeleteKey, [YES, HID, HID]),
    (Act::ReadUsers, [YES, HID, HID]),
    (Act::CreateUser, [NO, NO, NO]),
    (Act::EditRoles, [NO, HID, HID]),
    (Act::SetStatus, [NO, HID, HID]),
    (Act::SetPassword, [YES, HID, HID]),
    (Act::DeleteUser, [NO, HID, HID]),
    (Act::ReadAudit, [NO, NO, NO]),
    (Act::VerifyKeys, [NO, NO, NO]),
];

/// What an auditor may do as well: read. Other acts are denied instead of hidden, because the auditor
/// may see the resources.
const AUDITOR: &[Line] = &[
    (Act::ReadKeys, [YES, YES, YES]),
    (Act::CreateKey, [YES, NO, NO]),
    (Act::ExpireKey, [YES, NO, NO]),
    (Act::DeleteKey, [YES, NO, NO]),
    (Act::ReadUsers, [YES, YES, YES]),
    (Act::EditRoles, [NO, NO, NO]),
    (Act::SetStatus, [NO, NO, NO]),
    (Act::SetPassword, [YES, NO, NO]),
    (Act::DeleteUser, [NO, NO, NO]),
    (Act::ReadAudit, [YES, YES, YES]),
];

/// What a user-admin may do as well. Some acts on their own account are refused later, with status 400.
const USER_ADMIN: &[Line] = &[
    (Act::ReadKeys, [YES, YES, HID]),
    (Act::CreateKey, [YES, NO, HID]),
    (Act::ExpireKey, [YES, YES, HID]),
    (Act::DeleteKey, [YES, YES, HID]),
    (Act::ReadUsers, [YES, YES, YES]),
    (Act::CreateUser, [YES, YES, NO]),
    (Act::EditRoles, [YES, YES, NO]),
    (Act::SetStatus, [YES, YES, NO]),
    (Act::SetPassword, [YES, YES, NO]),
    (Act::DeleteUser, [YES, YES, NO]),
];

/// What a verifier may do as well.
const VERIFIER: &[Line] = &[(Act::VerifyKeys, [YES, YES, YES])];

fn lines(role: Role) -> &'static [Line] {
    match role {
        // An owner may do everything; see `decide`.
        Role::Owner => &[],
        Role::UserAdmin => USER_ADMIN,
        Role::Auditor => AUDITOR,
        Role::Verifier => VERIFIER,
    }
}

/// Decides whether a user with these roles may do `act` to a resource whose owner has this relation
/// to them.
#[must_use]
pub fn decide(roles: &Roles, act: Act, relation: Relation) -> Decision {
    if roles.contains(Role::Owner) {
        return Decision::Allowed;
    }
    std::iter::once(MEMBER)
        .chain(roles.iter().map(lines))
        .flatten()
        .filter(|(listed, _)| *listed == act)
        .map(|(_, [own, other, owner])| match relation {
            Relation::Own => *own,
            Relation::Other => *other,
            Relation::Owner => *owner,
        })
        .max()
        .unwrap_or(Decision::Hidden)
}

/// Whether a user with these roles may do `act` to the resources of every user, owners included.
#[must_use]
pub fn everywhere(roles: &Roles, act: Act) -> bool {
    decide(roles, act, Relation::Owner) == Decision::Allowed && decide(roles, act, Relation::Other) == Decision::Allowed
}

/// Whether a user with these roles may assign or remove the roles in `change`. Only owners may assign
/// or remove the role owner.
#[must_use]
pub fn may_give(roles: &Roles, change: &Roles) -> bool {
    roles.contains(Role::Owner) || !change.contains(Role::Owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide_for(roles: &[Role], act: Act) -> [Decision; 3] {
        let roles: Roles = roles.iter().copied().collect();
        [Relation::Own, Relation::Other, Relation::Owner].map(|relation| decide(&roles, act, relation))
    }

    #[test]
    fn a_member_sees_nothing_of_others() {
        for act in [Act::ReadKeys, Act::CreateKey, Act::ExpireKey, Act::DeleteKey, Act::ReadUsers, Act::SetPassword] {
            assert_eq!(decide_for(&[], act), [YES, HID, HID], "{act:?}");
        }
    }

    #[test]
    fn an_auditor_may_read_and_is_denied_changes() {
        assert_eq!(decide_for(&[Role::Auditor], Act::ReadKeys), [YES, YES, YES]);
        assert_eq!(decide_for(&[Role::Auditor], Act::ExpireKey), [YES, NO, NO]);
    }

    #[test]
    fn a_user_admin_stops_short_of_owners() {
        assert_eq!(decide_for(&[Role::UserAdmin], Act::ExpireKey), [YES, YES, HID]);
        assert_eq!(decide_for(&[Role::UserAdmin], Act::CreateKey), [YES, NO, HID]);
        assert_eq!(decide_for(&[Role::UserAdmin], Act::EditRoles), [YES, YES, NO]);
        assert_eq!(decide_for(&[Role::UserAdmin], Act::ReadAudit), [NO, NO, NO]);
    }

    #[test]
    fn roles_add_up() {
        assert_eq!(decide_for(&[Role::UserAdmin, Role::Auditor], Act::ExpireKey), [YES, YES, NO]);
    }

    #[test]
    fn an_owner_may_do_everything() {
        for act in Act::ALL {
            assert_eq!(decide_for(&[Role::Owner], act), [YES, YES, YES], "{act:?}");
        }
    }

    #[cfg(feature = "catalogue")]
    #[test]
    fn every_act_needs_a_scope_of_the_catalogue() {
        let catalogue = crate::Catalogue::built_in();
        for act in Act::ALL {
            assert!(catalogue.parse_scope(act.scope()).is_ok(), "{act:?}");
            assert!(catalogue.has_resource(act.resource().as_str()), "{act:?}");
        }
    }
}
