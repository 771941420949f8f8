//! An embedded verifier in a process of its own, which verifies keys over TCP: it reads one key per line
//! and writes one verdict per line.

use std::env;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use keyward_sdk::Client;
use keyward_sdk::verify::{Denied, Need, Verifier};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

/// The name of the verifier. If it is not set, this is no verifier process.
const NAME: &str = "KEYWARD_VERIFIER_NAME";

/// A verifier process's answer if it accepts the key.
pub(crate) const ACCEPTED: &str = "ok";

/// Prefix of a verifier's answer if it had to ask the server and could not reach it.
pub(crate) const UNAVAILABLE: &str = "unavailable";

/// Precedes the address in the line that the process prints at startup.
const ADDRESS_PREFIX: &str = "verifier at ";

/// A process with an embedded verifier. Killed when dropped.
#[derive(Debug)]
pub struct VerifierProcess {
    child: Child,
    address: SocketAddr,
    /// Keeps the pipe open: the test harness exits if it cannot write its output.
    _output: io::BufReader<ChildStdout>,
}

impl VerifierProcess {
    /// Starts this same program with these arguments, which must make it call [`run_as_verifier_if_asked`]. It
    /// cannot be a program of another package: its path is unknown and it may not be built. The
    /// verifier asks the server at `url` with the key `token`.
    #[must_use]
    pub fn start(arguments: &[&str], name: &str, url: &str, token: &str) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program's path"))
            .args(arguments)
            .env(NAME, name)
            .env("KEYWARD_URL", url)
            .env("KEYWARD_TOKEN", token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a new process of this program");
        let mut output = io::BufReader::new(child.stdout.take().expect("its output"));
        // The test harness prints other lines first.
        let address = output
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once(ADDRESS_PREFIX).map(|(_, address)| address.to_owned()))
            .expect("the line with the address");
        Self { child, address: address.parse().expect("an address"), _output: output }
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it with `SIGSTOP` and waits until it has stopped.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let stopped = waitpid(Some(self.pid()), WaitOptions::UNTRACED).expect("our own child");
        assert!(stopped.is_some_and(|(_, status)| status.stopped()), "the verifier process has ended");
    }

    /// Continues it with `SIGCONT`.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a signal");
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for VerifierProcess {
    fn drop(&mut self) {
        // The process may have ended already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// If this process was started as a verifier, verifies keys until the parent process ends. Otherwise returns
/// at once.
pub fn run_as_verifier_if_asked() {
    let Ok(name) = env::var(NAME) else { return };
    let setting = |name: &str| env::var(name).expect("a setting of the verifier process");
    let client = Client::builder(setting("KEYWARD_URL")).token(setting("KEYWARD_TOKEN")).build().expect("a client");
    // Several threads, as in a service, so that keys are judged while changes are applied.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let verifier = Verifier::start(&client, &name);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        // Written to stdout directly, because the test harness captures `println!`.
        writeln!(io::stdout(), "{ADDRESS_PREFIX}{address}").expect("the parent process");
        std::thread::spawn(|| {
            let _input = io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve(stream, verifier.clone()));
        }
    });
}

/// Verifies one key after another until the connection ends.
async fn serve(mut stream: TcpStream, verifier: Verifier) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (keys, mut answers) = stream.split();
    let mut keys = BufReader::new(keys).lines();
    while let Some(key) = keys.next_line().await? {
        let answer = match verifier.verify(&key, &Need::nothing()).await {
            Ok(_) => format!("{ACCEPTED}\n"),
            Err(error @ Denied::Unavailable(_)) => format!("{UNAVAILABLE} {error}\n"),
            Err(denied) => format!("denied {denied}\n"),
        };
        answers.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}
