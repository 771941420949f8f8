//! A running server: binds its address, serves, and shuts down in order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{AppConfig, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::rt::net::{TcpSocket, TcpStream};
use actix_web::{App as ActixApp, web};
use ipnet::IpNet;
use keyward_service::{Error, Service};

use crate::app::App;
use crate::audit::sealing::Sealing;
use crate::background::Background;
use crate::http::{Connection, middleware};
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

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// How long a connection that is to be closed may take for it.
const LINGER: Duration = Duration::from_secs(1);

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
    sealing: Sealing,
) -> Result<Running, StartError> {
    let setup_code = service.draw_setup_code().await?;
    let app = web::Data::from(Arc::new(App {
        service,
        trusted_proxies,
        setup_code,
        revocations: RateLimit::default(),
        metrics: Metrics::default(),
        request_log,
        sealing,
    }));
    app.metrics.observe(&app.service);
    let data = app.clone();
    let builder = Server::build().shutdown_timeout(FINISH_SECS).disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let bind = || {
        let listener = bind(listen)?;
        let address = listener.local_addr()?;
        let server = builder.listen("http", listener, move || connections(data.clone(), stopping.clone()))?;
        Ok((address, server.run()))
    };
    let (address, server) = bind().map_err(|source| StartError::Bind { listen, source })?;
    let handle = server.handle();
    let background = Background::start(&app);
    let serving = tokio::task::spawn_local(server);
    Ok(Running { address, app, handle, serving, background })
}

/// Listens on an address. A server that starts again need not wait for connections of the one before.
fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Serves the connections of one worker.
fn connections(
    app: web::Data<App>,
    stopping: GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let routes = ActixApp::new()
        .app_data(app.clone())
        .app_data(Counters::new(app))
        .wrap(from_fn(middleware))
        .configure(routes::configure)
        .into_factory()
        .map_err(|error: actix_web::Error| error.error_response());
    let http = HttpService::build()
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        })
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_ARRIVAL)
        .client_disconnect_timeout(LINGER)
        .on_connect_ext(|connection: &Connection, data| {
            data.insert(connection.busy());
        })
        .h1(map_config(routes, |()| AppConfig::default()));
    fn_service(|stream: TcpStream| async {
        let peer = stream.peer_addr().ok();
        Ok((Connection::new(stream), peer))
    })
    .and_then(http)
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
        self.background.stop(&self.app).await;
        self.app.request_log.flush();
        served
    }
}
