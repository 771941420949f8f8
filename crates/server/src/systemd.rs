//! Tells systemd when the server is ready, stops, and still answers (`sd_notify(3)`). Without systemd it does
//! nothing.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// The server accepts requests.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The server stops.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Feeds the watchdog, if the unit has one (`WatchdogSec=`), as long as the server answers `/healthz` on this
/// address. systemd restarts a server that does not.
pub(crate) fn feed_watchdog(address: SocketAddr) -> Option<JoinHandle<()>> {
    let within = sd_notify::watchdog_enabled()?;
    Some(tokio::spawn(async move {
        let mut ticks = interval(within / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match answers(address, within / 3).await {
                Ok(()) => notify(&[NotifyState::Watchdog]),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the server does not answer /healthz; systemd may restart it"
                ),
            }
        }
    }))
}

/// Asks for `/healthz` as any client does, so that a server whose workers are stuck is found.
async fn answers(address: SocketAddr, within: Duration) -> io::Result<()> {
    let ask = async {
        let mut stream = TcpStream::connect(local(address)).await?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        if status == *b"HTTP/1.1 200" {
            return Ok(());
        }
        Err(io::Error::other(format!("the answer began with {:?}", String::from_utf8_lossy(&status))))
    };
    timeout(within, ask).await.map_err(io::Error::other)?
}

/// The address to connect to: a server that listens on all addresses is reached on loopback.
fn local(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(error = &error as &dyn std::error::Error, "systemd was not notified");
    }
}
