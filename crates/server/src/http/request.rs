//! The context of a request: its id, the client's address and user agent, and the matched route.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::SystemTime;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};
use keyward_domain::event::RequestInfo;
use keyward_service::Holder;
use uuid::Uuid;

use crate::app::App;

/// Maximum length of a recorded user agent, in bytes.
const LONGEST_AGENT: usize = 256;

/// How many random bytes a request id takes.
const PART: usize = 10;

/// Headers that proxies add. Any of them means that the peer is not the client.
static PROXY_HEADERS: [HeaderName; 7] = [
    HeaderName::from_static("x-forwarded-for"),
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-port"),
];

tokio::task_local! {
    /// The context of the current request, available in everything that its handler awaits.
    static CURRENT: RequestContext;
}

/// The context of a request. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: Uuid,
    ip: Option<IpAddr>,
    user_agent: String,
    route: Cell<Option<&'static str>>,
    holder: RefCell<Option<Holder>>,
}

impl RequestContext {
    pub fn of(request: &HttpRequest, app: &App) -> Self {
        let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
        let agent = request.headers().get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let inner = Inner {
            id: random_id(),
            ip: peer.map(|peer| client_of(request, app, peer)),
            user_agent: agent.map(|agent| cut(&agent)).unwrap_or_default(),
            route: Cell::new(None),
            holder: RefCell::default(),
        };
        Self { inner: Rc::new(inner) }
    }

    /// Makes this the current context while `answering` runs.
    pub fn scope<F: Future>(&self, answering: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self.clone(), answering)
    }

    /// The context of the current request; `None` outside [`RequestContext::scope`].
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// The request's id.
    pub fn id(&self) -> Uuid {
        self.inner.id
    }

    /// The client's address: the peer's, or the one that trusted proxies report.
    pub fn ip(&self) -> Option<IpAddr> {
        self.inner.ip
    }

    /// The pattern of the matched route, once it is known.
    pub fn route(&self) -> Option<&'static str> {
        self.inner.route.get()
    }

    /// Records the matched route.
    pub fn set_route(&self, route: &'static str) {
        self.inner.route.set(Some(route));
    }

    /// Records the key of the request, once its secret is known to be right.
    pub fn set_holder(&self, holder: Holder) {
        self.inner.holder.replace(Some(holder));
    }

    /// The key of the request, if its secret is right.
    pub fn holder(&self) -> std::cell::Ref<'_, Option<Holder>> {
        self.inner.holder.borrow()
    }

    /// The request data that the audit log keeps.
    pub fn info(&self) -> RequestInfo {
        RequestInfo { id: self.inner.id, ip: self.inner.ip, user_agent: self.inner.user_agent.clone() }
    }
}

/// Whether the peer is this machine, without a proxy in between.
pub(super) fn is_local(request: &HttpRequest) -> bool {
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    peer.is_some_and(|peer| peer.is_loopback())
        && !PROXY_HEADERS.iter().any(|name| request.headers().contains_key(name))
}

/// A UUID of version 7 (RFC 9562). It must be unique but not secret, so one call to the operating
/// system gets the random bytes of 256 ids.
fn random_id() -> Uuid {
    thread_local! {
        static RANDOM: RefCell<(Vec<u8>, usize)> = const { RefCell::new((Vec::new(), 0)) };
    }
    let random = RANDOM.with_borrow_mut(|(bytes, used)| {
        if *used + PART > bytes.len() {
            bytes.resize(PART * 256, 0);
            *used = 0;
            if getrandom::fill(bytes).is_err() {
                bytes.clear();
                return None;
            }
        }
        let part = bytes.get(*used..*used + PART)?.try_into().ok();
        *used += PART;
        part
    });
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    // Without random bytes the id still contains the time, and the request can go on.
    uuid::Builder::from_unix_timestamp_millis(millis, &random.unwrap_or_default()).into_uuid()
}

/// Reads `X-Forwarded-For` from its last entry backwards, as long as each sender is a trusted proxy.
fn client_of(request: &HttpRequest, app: &App, peer: IpAddr) -> IpAddr {
    if !app.trusts(peer) {
        return peer;
    }
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
