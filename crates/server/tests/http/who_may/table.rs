//! The permissions by role and scope, as the API contract has them. They are written independently of
//! the rules in the domain.

/// The status of a call. For refusals by role, the status determines the code; see [`code`].
pub enum Outcome {
    /// The same for everyone; the key is not checked.
    Public(u16),
    /// The same for every signed-in caller, whatever the key's scopes.
    SignedIn(u16),
    /// By the caller's role: member, auditor, user-admin, owner, verifier.
    ByRole(&'static str, [u16; 5]),
    /// By the caller's role (rows) and the target's owner (columns): the caller, another member, an
    /// owner, nobody. A verifier counts as a member.
    ByOwner(&'static str, [[u16; 4]; 4]),
}

use Outcome::{ByOwner, ByRole, Public, SignedIn};

/// Every endpoint: method, path and the outcome of a valid call.
pub const TABLE: &[(&str, &str, Outcome)] = &[
    ("GET", "/api/v2/buildinfo", Public(200)),
    ("GET", "/api/v2/auth/scopes", Public(200)),
    ("GET", "/api/v2/openapi.json", Public(200)),
    ("GET", "/api/v2/users/first", Public(200)),
    ("POST", "/api/v2/users/first", Public(409)),
    ("POST", "/api/v2/users/login", Public(201)),
    ("POST", "/api/v2/users/logout", SignedIn(200)),
    ("GET", "/api/v2/users", ByRole("user:read", [200, 200, 200, 200, 200])),
    ("POST", "/api/v2/users", ByRole("user:create", [403, 403, 201, 201, 403])),
    ("GET", "/api/v2/users/{user}", ByOwner("user:read", SEE_USER)),
    ("GET", "/api/v2/users/{user}/roles", ByOwner("user:read", SEE_USER)),
    ("PUT", "/api/v2/users/{user}/roles", ByOwner("user:update", CHANGE_USER)),
    ("PUT", "/api/v2/users/{user}/status/suspend", ByOwner("user:update", CHANGE_USER)),
    ("PUT", "/api/v2/users/{user}/status/activate", ByOwner("user:update", CHANGE_USER)),
    ("DELETE", "/api/v2/users/{user}", ByOwner("user:delete", CHANGE_USER)),
    ("PUT", "/api/v2/users/{user}/password", ByOwner("user:update", SET_PASSWORD)),
    ("GET", "/api/v2/users/{user}/keys", ByOwner("api_key:read", SEE_KEY)),
    ("GET", "/api/v2/users/{user}/keys/tokens", ByOwner("api_key:read", SEE_KEY)),
    ("GET", "/api/v2/users/{user}/keys/tokens/tokenconfig", ByOwner("api_key:read", SEE_KEY)),
    ("GET", "/api/v2/users/{user}/keys/tokens/{keyname}", ByOwner("api_key:read", SEE_KEY)),
    ("GET", "/api/v2/users/{user}/keys/{keyid}", ByOwner("api_key:read", SEE_KEY)),
    ("GET", "/api/v2/users/{user}/keys/{keyid}/activity", ByOwner("api_key:read", SEE_KEY)),
    ("GET", "/api/v2/users/{user}/keys/{keyid}/receipt", ByOwner("api_key:read", RECEIPT)),
    ("POST", "/api/v2/users/{user}/keys", ByOwner("api_key:create", MAKE_KEY)),
    ("POST", "/api/v2/users/{user}/keys/tokens", ByOwner("api_key:create", MAKE_KEY)),
    ("PUT", "/api/v2/users/{user}/keys/{keyid}/expire", ByOwner("api_key:update", END_KEY)),
    ("DELETE", "/api/v2/users/{user}/keys/{keyid}", ByOwner("api_key:delete", END_KEY)),
    ("POST", "/api/v2/keys/identify", ByRole("api_key:read", [200, 200, 200, 200, 200])),
    ("POST", "/api/v2/keys/expire", ByRole("api_key:update", [200, 200, 200, 200, 200])),
    ("GET", "/api/v2/incidents", ByRole("api_key:read", [200, 200, 200, 200, 200])),
    ("GET", "/api/v2/incidents/{id}", ByRole("api_key:read", [404, 404, 404, 404, 404])),
    ("GET", "/api/v2/incidents/{id}/receipt", ByRole("api_key:read", [404, 404, 404, 404, 404])),
    ("POST", "/api/v2/locks", ByRole("api_key:update", [201, 201, 201, 201, 201])),
    ("GET", "/api/v2/locks", ByRole("api_key:read", [200, 200, 200, 200, 200])),
    ("DELETE", "/api/v2/locks/{id}", ByRole("api_key:update", [404, 404, 404, 404, 404])),
    ("POST", "/api/v2/keys/verify", ByRole("api_key:verify", [403, 403, 403, 200, 200])),
    ("POST", "/api/v2/keys/verify/batch", ByRole("api_key:verify", [403, 403, 403, 200, 200])),
    ("POST", "/api/v2/verifiers/poll", ByRole("api_key:verify", [403, 403, 403, 200, 200])),
    ("POST", "/api/v2/verifiers/look-up", ByRole("api_key:verify", [403, 403, 403, 200, 200])),
    ("GET", "/api/v2/verifiers", ByRole("api_key:verify", [403, 403, 403, 200, 200])),
    ("POST", "/oauth2/introspect", ByRole("api_key:verify", [403, 403, 403, 200, 200])),
    ("POST", "/oauth2/revoke", Public(200)),
    ("GET", "/api/v2/audit", ByRole("audit_log:read", [403, 200, 403, 200, 403])),
    ("GET", "/api/v2/audit/checkpoint", ByRole("audit_log:read", [403, 200, 403, 200, 403])),
    ("GET", "/api/v2/audit/tree", ByRole("audit_log:read", [403, 200, 403, 200, 403])),
    ("GET", "/api/v2/audit/leaves", ByRole("audit_log:read", [403, 200, 403, 200, 403])),
    ("GET", "/api/v2/audit/unsealed", ByRole("audit_log:read", [403, 200, 403, 200, 403])),
    ("GET", "/api/v2/audit/{id}/proof", ByRole("audit_log:read", [403, 404, 403, 404, 403])),
];

// Rows: member, auditor, user-admin, owner.

const SEE_KEY: [[u16; 4]; 4] = [[200, 404, 404, 404], [200, 200, 200, 404], [200, 200, 404, 404], [200, 200, 200, 404]];

/// The targets are live keys, which have no receipt.
const RECEIPT: [[u16; 4]; 4] = [[409, 404, 404, 404], [409, 409, 409, 404], [409, 409, 404, 404], [409, 409, 409, 404]];

const MAKE_KEY: [[u16; 4]; 4] =
    [[201, 404, 404, 404], [201, 403, 403, 404], [201, 403, 404, 404], [201, 201, 201, 404]];

const END_KEY: [[u16; 4]; 4] = [[204, 404, 404, 404], [204, 403, 403, 404], [204, 204, 404, 404], [204, 204, 204, 404]];

const SEE_USER: [[u16; 4]; 4] =
    [[200, 404, 404, 404], [200, 200, 200, 404], [200, 200, 200, 404], [200, 200, 200, 404]];

/// Nobody may do this to themselves: it is forbidden (403) to those who may do it to nobody, and
/// invalid (400) for the others.
const CHANGE_USER: [[u16; 4]; 4] =
    [[403, 404, 404, 404], [403, 403, 403, 404], [400, 200, 403, 404], [400, 200, 200, 404]];

const SET_PASSWORD: [[u16; 4]; 4] =
    [[204, 404, 404, 404], [204, 403, 403, 404], [204, 204, 403, 404], [204, 204, 204, 404]];

/// The owner of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Own,
    Member,
    Owner,
    Nobody,
}

/// The kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    WithoutKey,
    WithGarbage,
    WithExpiredToken,
    WithSuspendedToken,
    Member,
    Auditor,
    UserAdmin,
    Owner,
    Verifier,
    /// An owner's token with the three read-only scopes.
    WithReadingToken,
    /// An owner's token with a scope that no endpoint needs.
    WithUselessToken,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::WithoutKey,
        Self::WithGarbage,
        Self::WithExpiredToken,
        Self::WithSuspendedToken,
        Self::Member,
        Self::Auditor,
        Self::UserAdmin,
        Self::Owner,
        Self::Verifier,
        Self::WithReadingToken,
        Self::WithUselessToken,
    ];
}

pub const READING: [&str; 3] = ["api_key:read", "user:read", "audit_log:read"];

/// The expected status and code. The code of a success is empty.
pub fn expected(path: &str, outcome: &Outcome, kind: Kind, whose: Whose) -> (u16, &'static str) {
    let role = match kind {
        _ if matches!(outcome, Public(_)) => 0,
        Kind::WithoutKey => return (401, "unauthenticated"),
        Kind::WithGarbage => return (401, "invalid_key"),
        Kind::WithExpiredToken => return (401, "key_expired"),
        Kind::WithSuspendedToken => return (401, "user_suspended"),
        Kind::Member => 0,
        Kind::Auditor => 1,
        Kind::UserAdmin => 2,
        Kind::Owner | Kind::WithReadingToken | Kind::WithUselessToken => 3,
        Kind::Verifier => 4,
    };
    let status = match outcome {
        Public(status) | SignedIn(status) => *status,
        ByRole(scope, _) | ByOwner(scope, _) if !has_scope(path, scope, kind, whose) => {
            return (403, "insufficient_scope");
        }
        ByRole(_, roles) => roles[role],
        ByOwner(_, roles) => roles[if kind == Kind::Verifier { 0 } else { role }][whose as usize],
    };
    (status, code(path, status))
}

fn has_scope(path: &str, scope: &str, kind: Kind, whose: Whose) -> bool {
    // Viewing yourself needs no scope.
    let oneself = path == "/api/v2/users/{user}" && whose == Whose::Own && scope == "user:read";
    match kind {
        Kind::WithReadingToken => READING.contains(&scope) || oneself,
        Kind::WithUselessToken => oneself,
        _ => true,
    }
}

fn code(path: &str, status: u16) -> &'static str {
    match status {
        409 if path.ends_with("/receipt") => "no_receipt",
        400 => "validation_failed",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        _ => "",
    }
}
