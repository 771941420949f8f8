//! An embedded verifier in a process of its own, which judges keys over TCP: a key a line in, a
//! judgement a line out.

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

/// The name of the verifier that a process is to be. Where it is not set, the process is no judge.
const NAME: &str = "KEYWARD_JUDGE";

/// What a judge answers for a key that it accepts.
pub(crate) const ACCEPTED: &str = "ok";

/// What a judge's answer begins with if it could not tell: the server had to be asked and was not there.
pub(crate) const UNAVAILABLE: &str = "unavailable";

/// Stands before the address in a judge's first words.
const AT: &str = "judging at ";

/// A process with an embedded verifier. Killed when dropped.
#[derive(Debug)]
pub struct Judge {
    child: Child,
    address: SocketAddr,
    /// Whatever else it says has somewhere to go: the harness of tests ends when it has not.
    _words: io::BufReader<ChildStdout>,
}

impl Judge {
    /// Starts this very program with these arguments, which must lead it to [`judge_if_asked`]: a
    /// program of another package could not be found, let alone be known to be built. The verifier
    /// asks the server at `url` with the key `token`.
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
            .expect("this program once more");
        let mut words = io::BufReader::new(child.stdout.take().expect("its output"));
        // A test's process says more before.
        let address = words
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once(AT).map(|(_, address)| address.to_owned()))
            .expect("the line that says where it judges");
        Self { child, address: address.parse().expect("an address"), _words: words }
    }

    /// Where it takes connections.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it (`SIGSTOP`), and waits until it stands still.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let stopped = waitpid(Some(self.pid()), WaitOptions::UNTRACED).expect("our own child");
        assert!(stopped.is_some_and(|(_, status)| status.stopped()), "it ended");
    }

    /// Lets it go on (`SIGCONT`).
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

impl Drop for Judge {
    fn drop(&mut self) {
        // It may be gone already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Makes a judge of this process if it was started as one, until whoever started it is gone. Else
/// returns at once.
pub fn judge_if_asked() {
    let Ok(name) = env::var(NAME) else { return };
    let setting = |name: &str| env::var(name).expect("a setting of the judge");
    let client = Client::builder(setting("KEYWARD_URL")).token(setting("KEYWARD_TOKEN")).build().expect("a client");
    // More than one thread, as a service has: what judges and what is told of changes run at once.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let verifier = Verifier::start(&client, &name);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        // Straight to the pipe: the harness of tests keeps what is printed.
        writeln!(io::stdout(), "{AT}{address}").expect("whoever started it");
        std::thread::spawn(|| {
            let _parting_words = io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(judge(stream, verifier.clone()));
        }
    });
}

/// Judges key after key, until the connection ends.
async fn judge(mut stream: TcpStream, verifier: Verifier) -> io::Result<()> {
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
