//! What is known of a request before anything in it is believed.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header;
use keyward_domain::audit::RequestInfo;
use uuid::Uuid;

use crate::app::App;

/// The longest user agent that is kept, in bytes.
const LONGEST_AGENT: usize = 256;

/// Headers that proxies add. Any of them means that the peer is not the client.
const SIGNS_OF_A_PROXY: [&str; 7] =
    ["x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"];

/// A request's id and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub id: Uuid,
    /// The client's address: the peer's, or what proxies that we trust say.
    pub ip: Option<IpAddr>,
    /// The peer is this machine, and nobody stands between.
    pub local: bool,
    pub user_agent: String,
}

impl RequestContext {
    pub fn of(request: &HttpRequest, app: &App) -> Self {
        let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
        let forwarded = SIGNS_OF_A_PROXY.iter().any(|name| request.headers().contains_key(*name));
        let agent = request.headers().get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        Self {
            id: Uuid::now_v7(),
            ip: peer.map(|peer| client_of(request, app, peer)),
            local: peer.is_some_and(|peer| peer.is_loopback()) && !forwarded,
            user_agent: cut(&agent.unwrap_or_default()),
        }
    }

    /// What the audit log keeps of it.
    pub fn info(&self) -> RequestInfo {
        RequestInfo { id: self.id, ip: self.ip, user_agent: self.user_agent.clone() }
    }
}

/// Goes back through `X-Forwarded-For`, last first, as long as those who wrote it are trusted.
fn client_of(request: &HttpRequest, app: &App, peer: IpAddr) -> IpAddr {
    let values: Vec<&str> = request
        .headers()
        .get_all(header::X_FORWARDED_FOR)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut client = peer;
    for value in values.into_iter().rev() {
        if !app.trusts(client) {
            break;
        }
        match value.trim().parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

fn cut(text: &str) -> String {
    let end = (0..=LONGEST_AGENT.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}
