//! Verification of presented keys: Keyward's own endpoints, the OAuth standards, and `/authz` for
//! reverse proxies.

pub(crate) mod authz;
pub(crate) mod embedded;
pub(crate) mod keys;
pub(crate) mod oauth;
mod rate;

pub(crate) use rate::RateLimit;

use keyward_api::ErrorCode;
use keyward_domain::Catalogue;
use keyward_domain::allow_list::Resource;
use keyward_service::Checked;
use keyward_verdict::Need;

use crate::http::Problem;

/// The code of a verdict, for the metrics.
fn outcome(checked: &Checked) -> &'static str {
    match checked {
        Checked::Invalid => ErrorCode::InvalidKey.as_str(),
        Checked::Known { verdict, .. } => verdict.code(),
    }
}

/// Parses the scopes and resources that a use of a key needs. An unknown scope is the caller's mistake,
/// so it is an error and not a verdict.
fn need<'a>(
    catalogue: &Catalogue,
    scopes: impl Iterator<Item = &'a str>,
    resources: impl Iterator<Item = &'a str>,
) -> Result<Need, Problem> {
    let scopes =
        scopes.map(|text| catalogue.parse_scope(text)).collect::<Result<_, _>>().map_err(Problem::unknown_scope)?;
    let resources = resources.map(|text| resource(catalogue, text)).collect::<Result<_, _>>()?;
    Ok(Need::new(scopes, resources))
}

fn resource(catalogue: &Catalogue, text: &str) -> Result<Resource, Problem> {
    let invalid = |detail: String| {
        Problem::new(keyward_api::ErrorCode::ValidationFailed, detail.clone()).validation("resource", detail)
    };
    let resource: Resource =
        text.parse().map_err(|_malformed| invalid(format!("invalid resource \"{text}\": want <type>:<id>")))?;
    if catalogue.has_resource(resource.kind()) {
        Ok(resource)
    } else {
        Err(invalid(format!("unknown resource type \"{}\"", resource.kind())))
    }
}
