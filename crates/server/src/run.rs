//! A running server: binds its address, serves, and shuts down in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App as ActixApp, HttpServer, web};
use ipnet::IpNet;
use keyward_service::{Error, Service};

use crate::app::App;
use crate::background::Background;
use crate::http::middleware;
use crate::metrics::{Counters, Metrics};
use crate::request_log::RequestLog;
use crate::routes;
use crate::verify::RateLimit;

/// How long the head of a request may take to arrive.
const HEAD_ARRIVAL: Duration = Duration::from_secs(10);

/// How long requests in progress may take to finish after SIGTERM. The final writes come after that,
/// and the process must end within 10 s.
const FINISH_SECS: u64 = 7;

/// How long an idle connection stays open. This is longer than clients keep theirs, so a request
/// rarely arrives on a connection that the server is closing.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A server that accepts connections.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    app: web::Data<App>,
    handle: ServerHandle,
    serving: tokio::task::JoinHandle<io::Result<()>>,
    background: Background,
}

/// Binds the address and serves. Must be called within an actix runtime.
///
/// # Errors
/// If the database does not answer, or the address cannot be bound.
pub async fn start(
    service: Service,
    listen: SocketAddr,
    trusted_proxies: Vec<IpNet>,
    request_log: RequestLog,
) -> Result<Running, StartError> {
    let setup_code = service.draw_setup_code().await?;
    let app = web::Data::from(Arc::new(App {
        service,
        trusted_proxies,
        setup_code,
        revocations: RateLimit::default(),
        metrics: Metrics::default(),
        request_log,
    }));
    app.metrics.observe(&app.service);
    let data = app.clone();
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(data.clone())
            .app_data(Counters::new(data.clone()))
            .wrap(from_fn(middleware))
            .configure(routes::configure)
    })
    .client_request_timeout(HEAD_ARRIVAL)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(FINISH_SECS)
    .disable_signals()
    .bind(listen)
    .map_err(|source| StartError::Bind { listen, source })?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    let server = server.run();
    let handle = server.handle();
    let background = Background::start(&app);
    let serving = tokio::task::spawn_local(server);
    Ok(Running { address, app, handle, serving, background })
}

/// The server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The service returned an error.
    #[error(transparent)]
    Service(#[from] Error),
    /// The address cannot be bound.
    #[error("cannot listen on {listen}; choose another address with --listen")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// The I/O error.
        #[source]
        source: io::Error,
    },
}

impl Running {
    /// The address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The state that all requests share.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Stops accepting, lets requests in progress finish, and writes pending data.
    ///
    /// # Errors
    /// If serving had already failed.
    pub async fn stop(self) -> io::Result<()> {
        self.app.service.release_verifiers();
        self.handle.stop(true).await;
        let served = self.serving.await.map_err(io::Error::other)?;
        self.background.stop(&self.app.service).await;
        self.app.request_log.flush();
        served
    }
}
