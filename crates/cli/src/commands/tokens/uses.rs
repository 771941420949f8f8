//! The last uses of a key, accepted and refused.

use keyward_sdk::types::{AcceptedUses, RefusedUses};
use keyward_sdk::{Client, Error, UserRef};

use crate::output::Output;

/// The maximum number of rows of each kind that are shown.
const MAX_ROWS: usize = 5;

/// The last accepted uses, then the last refused ones, one line each. There are none if the server is older
/// than this list or does not let the caller read it.
pub(super) async fn of(client: &Client, user: &UserRef, id: &str, out: &Output) -> Result<Vec<String>, Error> {
    let activity = match client.activity(user, id).await {
        Err(Error::Api(refused)) if matches!(refused.status, 403 | 404) => return Ok(Vec::new()),
        activity => activity?,
    };
    let used = activity.used.iter().take(MAX_ROWS).map(|uses| accepted(uses, &out.time(uses.last_at)));
    let refused = activity.refused.iter().take(MAX_ROWS).map(|uses| rejected(uses, &out.time(uses.last_at)));
    Ok(used.chain(refused).collect())
}

fn accepted(uses: &AcceptedUses, last: &str) -> String {
    let by = uses.by.iter().map(|by| format!(" by {by}"));
    let from = uses.ip.iter().map(|ip| format!(" from {ip}"));
    let who: String = by.chain(from).collect();
    format!("  {}{who}, {}, last {last}", uses.via, times(uses.count))
}

fn rejected(uses: &RefusedUses, last: &str) -> String {
    let from: String = uses.ip.iter().map(|ip| format!(" from {ip}")).collect();
    format!("  REFUSED {}{from}, {}, last {last}", uses.code, times(uses.count))
}

fn times(count: i64) -> String {
    if count == 1 { "1 time".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_who_from_where_how_often_and_when() {
        let at = "2026-11-08T12:00:00Z".parse().unwrap();
        let uses = |by: Option<&str>, ip: Option<&str>, count| AcceptedUses {
            via: "embedded".to_owned(),
            by: by.map(str::to_owned),
            ip: ip.map(str::to_owned),
            count,
            first_at: at,
            last_at: at,
        };
        let said = |uses: &AcceptedUses| accepted(uses, "then");
        assert_eq!(said(&uses(Some("svc-shop"), None, 12)), "  embedded by svc-shop, 12 times, last then");
        assert_eq!(said(&uses(None, Some("192.0.2.7"), 1)), "  embedded from 192.0.2.7, 1 time, last then");
        assert_eq!(said(&uses(None, None, 2)), "  embedded, 2 times, last then");
        let mut refused = RefusedUses {
            code: "key_expired".to_owned(),
            ip: Some("192.0.2.7".to_owned()),
            count: 3,
            first_at: at,
            last_at: at,
        };
        assert_eq!(rejected(&refused, "then"), "  REFUSED key_expired from 192.0.2.7, 3 times, last then");
        refused.ip = None;
        assert_eq!(rejected(&refused, "then"), "  REFUSED key_expired, 3 times, last then");
    }
}
