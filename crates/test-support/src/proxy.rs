//! A TCP proxy between a client and a server. Tests can make it reset connections, and hold back, lose
//! or delay data.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Forwards connections on a free port of 127.0.0.1. When dropped, it ends with all its connections.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    target: SocketAddr,
    mode: Mode,
    /// How long data of either direction waits in the proxy.
    delay: Duration,
    /// If a client sends this, the proxy forwards it, and then resets the client's connection.
    reset_after: Option<&'static [u8]>,
    pairs: Vec<Weak<Pair>>,
}

/// What the proxy does with data and new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    Refusing,
    Swallowing,
    Losing,
    Ended,
}

/// An accepted connection and the connection to the target.
#[derive(Debug)]
struct Pair {
    sides: [TcpStream; 2],
    cut: AtomicBool,
    /// Whether data was lost, after which nothing is forwarded any more.
    lost: AtomicBool,
}

impl TcpProxy {
    /// Starts forwarding to `target`.
    #[must_use]
    pub fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state =
            Mutex::new(State { target, mode: Mode::Open, delay: Duration::ZERO, reset_after: None, pairs: Vec::new() });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let own = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accept(&listener, &own));
        Self { address, shared, accepting: Some(accepting) }
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards new connections to another target. Existing ones keep theirs.
    pub fn forward_to(&self, target: SocketAddr) {
        self.shared.state().target = target;
    }

    /// Resets all connections. New ones are forwarded.
    pub fn cut(&self) {
        self.shared.state().cut();
        self.shared.changed.notify_all();
    }

    /// Resets all connections, and all new ones until [`heal`](Self::heal).
    pub fn refuse(&self) {
        self.set_mode(Mode::Refusing);
        self.cut();
    }

    /// Forwards no data and no new connections until [`heal`](Self::heal). Connections stay open; data
    /// waits.
    pub fn swallow(&self) {
        self.set_mode(Mode::Swallowing);
    }

    /// Loses all data, also that of new connections, until [`heal`](Self::heal). Connections stay open,
    /// and those that lost data stay mute for ever.
    pub fn lose(&self) {
        self.set_mode(Mode::Losing);
    }

    /// Delays the data of each direction by this time.
    pub fn delay(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// After a client has sent this, and the server has received it, resets the client's connection.
    pub fn reset_after(&self, text: &'static [u8]) {
        self.shared.state().reset_after = Some(text);
    }

    /// Forwards normally again, including the data held back by [`swallow`](Self::swallow).
    pub fn heal(&self) {
        self.set_mode(Mode::Open);
    }

    fn set_mode(&self, mode: Mode) {
        self.shared.state().mode = mode;
        self.shared.changed.notify_all();
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.set_mode(Mode::Ended);
        self.cut();
        // Wakes the accepting thread. An error means that it has already ended.
        let _woken = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the mode is not `Swallowing`, or `or` returns true. Returns the locked state.
    fn wait_while_swallowing(&self, or: impl Fn() -> bool) -> MutexGuard<'_, State> {
        let waits = |state: &mut State| state.mode == Mode::Swallowing && !or();
        self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn cut(&mut self) {
        for pair in self.pairs.drain(..).filter_map(|pair| pair.upgrade()) {
            pair.cut.store(true, Ordering::SeqCst);
            for side in &pair.sides {
                reset_on_close(side);
                // Wakes the thread that reads from it and sends nothing to the peer. The socket may be
                // closed already.
                let _woken = side.shutdown(Shutdown::Read);
            }
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        let (mode, target) = {
            let state = shared.wait_while_swallowing(|| false);
            (state.mode, state.target)
        };
        let server = match mode {
            Mode::Ended => return,
            Mode::Refusing => None,
            // If the target is gone, the proxy resets the client's connection.
            Mode::Open | Mode::Swallowing | Mode::Losing => TcpStream::connect(target).ok(),
        };
        let Some(server) = server else {
            reset_on_close(&client);
            continue;
        };
        for side in [&client, &server] {
            side.set_nodelay(true).expect("an option of TCP");
        }
        let pair =
            Arc::new(Pair { sides: [client, server], cut: AtomicBool::new(false), lost: AtomicBool::new(false) });
        let mut state = shared.state();
        state.pairs.retain(|pair| pair.strong_count() > 0);
        state.pairs.push(Arc::downgrade(&pair));
        if matches!(state.mode, Mode::Refusing | Mode::Ended) {
            // The mode changed while connecting.
            state.cut();
        }
        drop(state);
        for from in [0, 1] {
            let (pair, shared) = (Arc::clone(&pair), Arc::clone(shared));
            std::thread::spawn(move || forward(&pair, from, &shared));
        }
    }
}

/// Forwards data in one direction until the source ends, then ends the sink.
fn forward(pair: &Pair, from: usize, shared: &Shared) {
    let (mut source, mut sink) = (&pair.sides[from], &pair.sides[1 - from]);
    let is_cut = || pair.cut.load(Ordering::SeqCst);
    let mut buffer = [0; 16 * 1_024];
    loop {
        // An error counts as an end: the peer has reset the connection.
        let read = source.read(&mut buffer).unwrap_or(0);
        let state = shared.wait_while_swallowing(is_cut);
        let (mode, delay, reset_after) = (state.mode, state.delay, state.reset_after);
        drop(state);
        if is_cut() {
            return;
        }
        if mode == Mode::Losing {
            pair.lost.store(true, Ordering::SeqCst);
        }
        if read > 0 && pair.lost.load(Ordering::SeqCst) {
            continue;
        }
        std::thread::sleep(delay);
        if read == 0 || sink.write_all(&buffer[..read]).is_err() {
            // The socket may be closed already.
            let _told = sink.shutdown(Shutdown::Write);
            return;
        }
        let sent = buffer.get(..read).unwrap_or_default();
        if from == 0 && reset_after.is_some_and(|text| sent.windows(text.len()).any(|window| window == text)) {
            shared.state().reset_after = None;
            // The answer is lost on the way back.
            pair.lost.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(200));
            reset_on_close(source);
            let _woken = source.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// Makes closing the connection send a reset (RST).
pub(crate) fn reset_on_close(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).expect("an option of sockets");
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    /// A server that sends `word` on each connection and echoes what it receives.
    fn echo(word: &'static [u8; 4]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    stream.write_all(word).unwrap();
                    std::io::copy(&mut stream.try_clone().unwrap(), &mut stream)
                });
            }
        });
        address
    }

    fn connect(proxy: &TcpProxy) -> TcpStream {
        TcpStream::connect(proxy.address()).unwrap()
    }

    fn read(stream: &mut TcpStream) -> std::io::Result<[u8; 4]> {
        let mut word = [0; 4];
        stream.read_exact(&mut word).map(|()| word)
    }

    #[test]
    fn it_forwards_and_to_another_target_when_it_is_told() {
        let proxy = TcpProxy::start(echo(b"one!"));
        let mut first = connect(&proxy);
        assert_eq!(read(&mut first).unwrap(), *b"one!");
        proxy.forward_to(echo(b"two!"));
        assert_eq!(read(&mut connect(&proxy)).unwrap(), *b"two!");
        first.write_all(b"ping").unwrap();
        assert_eq!(read(&mut first).unwrap(), *b"ping");
        first.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read(&mut first).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_cut_resets_what_there_is_and_lets_new_connections_through() {
        let proxy = TcpProxy::start(echo(b"one!"));
        let mut stream = connect(&proxy);
        read(&mut stream).unwrap();
        proxy.cut();
        assert_eq!(read(&mut stream).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(read(&mut connect(&proxy)).unwrap(), *b"one!");
    }

    #[test]
    fn who_is_refused_is_reset_until_it_is_healed() {
        let proxy = TcpProxy::start(echo(b"one!"));
        proxy.refuse();
        assert_eq!(read(&mut connect(&proxy)).unwrap_err().kind(), ErrorKind::ConnectionReset);
        proxy.heal();
        assert_eq!(read(&mut connect(&proxy)).unwrap(), *b"one!");
    }

    #[test]
    fn what_is_swallowed_arrives_once_it_is_healed() {
        let proxy = TcpProxy::start(echo(b"one!"));
        let mut stream = connect(&proxy);
        read(&mut stream).unwrap();
        proxy.swallow();
        stream.write_all(b"ping").unwrap();
        let mut new = connect(&proxy);
        // Long enough for an answer that is not held back.
        for stream in [&mut stream, &mut new] {
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            assert_eq!(read(stream).unwrap_err().kind(), ErrorKind::WouldBlock);
            stream.set_read_timeout(None).unwrap();
        }
        proxy.heal();
        assert_eq!(read(&mut stream).unwrap(), *b"ping");
        assert_eq!(read(&mut new).unwrap(), *b"one!");
    }

    #[test]
    fn its_end_is_the_end_of_its_connections() {
        let proxy = TcpProxy::start(echo(b"one!"));
        let mut stream = connect(&proxy);
        read(&mut stream).unwrap();
        proxy.swallow();
        let address = proxy.address();
        drop(proxy);
        assert_eq!(read(&mut stream).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
