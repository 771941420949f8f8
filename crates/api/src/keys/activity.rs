//! How a key was used and refused.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoQuery};

/// How a key was used and refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyActivity {
    /// Refused uses with the right secret, the last first. Each counts one code and address in an hour.
    pub refused: Vec<RefusedUses>,
    /// Accepted uses, the last first. Each counts one way, asking user and address.
    pub used: Vec<AcceptedUses>,
}

/// Refused uses that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedUses {
    /// The code of the refusal.
    pub code: String,
    /// The client's address, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// How often.
    pub count: i64,
    /// When first.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub first_at: Timestamp,
    /// When last.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_at: Timestamp,
}

/// Accepted uses that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AcceptedUses {
    /// `api`, `verify`, `authz` or `embedded`.
    pub via: String,
    /// The username of the user who asked about the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The client's address, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// How often.
    pub count: i64,
    /// When first.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub first_at: Timestamp,
    /// When last.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_at: Timestamp,
}

endpoint! {
    /// Shows how a key was used and refused last: up to 100 rows of each.
    ViewKeyActivity = Get "/api/v2/users/{user}/keys/{keyid}/activity",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 KeyActivity,
}
