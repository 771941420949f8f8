//! The server's command line: it serves, prints the configuration, or helps an operator.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use keyward_api::users::CreateUserRequest;
use keyward_domain::{Catalogue, SystemClock};
use keyward_service::{Accepted, DatabaseUrl, HeldKeys, Servers, Service, backup};
use keyward_transparency::SigningKey;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::audit::sealing::{Sealing, SealingError};
use crate::config::{self, Config, Sources, Unusable};
use crate::request_log::RequestLog;
use crate::run::{Running, start};
use crate::users::parse;
use crate::{VERSION, logging, systemd};

/// Keyward's server: issues, scopes, expires and audits API keys
///
/// Without a command, it runs the server. Each flag can also be set as a variable KEYWARD_<FLAG> or as
/// a key of the --config file. A flag overrides the variable; the variable overrides the file.
#[derive(Debug, clap::Parser)]
#[command(name = "keyward-server", version = VERSION)]
pub(crate) struct Args {
    /// Configuration file: TOML, its keys are the names of these flags
    #[arg(long, env = "KEYWARD_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Config,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the effective configuration and the source of each value; passwords are hidden
    Config,
    /// Create an owner while the server is down; reads the password from stdin
    CreateAdminUser {
        /// Username of the owner
        #[arg(long)]
        username: String,
        /// E-mail address of the owner
        #[arg(long)]
        email: String,
        /// Display name of the owner
        #[arg(long)]
        name: Option<String>,
    },
    /// Accept the present time although the audit log has entries from later, after a clock that was ahead
    AcceptClock,
    /// Copy the SQLite database into a new file while servers use it
    Backup {
        /// File to write; it must not exist
        file: PathBuf,
    },
    /// Print the public key with which this server signs checkpoints of the audit log
    AuditKey,
    /// Show what retention waits for, because it would remove more than half of all keys
    Retention {
        /// Let retention remove them; a running server does so within a minute
        #[arg(long)]
        confirm: bool,
    },
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the program and returns its exit code: 0 success, 1 failure, 2 wrong flags or configuration.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = config::read(Args::command(), args).and_then(|sources| {
        let args = Args::from_arg_matches(&sources.matches)?;
        Ok((args, sources))
    });
    let (args, sources) = match parsed {
        Ok(parsed) => parsed,
        Err(Unusable::Arguments(error)) => {
            // Help and version go to stdout. If printing fails, there is nowhere left to report it.
            let _printed = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
        Err(Unusable::Config(error)) => return fail(2, &error),
    };
    let config = args.settings;
    let (url, filter) = match (config.database.url(), config.log.filter()) {
        (Ok(url), Ok(filter)) => (url, filter),
        (Err(error), _) | (_, Err(error)) => return fail(2, &error),
    };
    let done = match args.command {
        Some(Command::Config) => print_config(&sources),
        Some(Command::CreateAdminUser { username, email, name }) => {
            run(create_admin_user(&config, &url, username, email, name))
        }
        Some(Command::AcceptClock) => run(accept_clock(&config, &url)),
        Some(Command::Backup { file }) => back_up(&url, &file),
        Some(Command::AuditKey) => run(audit_key(&config, &url)),
        Some(Command::Retention { confirm }) => run(retention(&config, &url, confirm)),
        None => match config.catalogue.load() {
            Err(error) => return fail(2, &error),
            Ok(catalogue) => {
                logging::start(config.log.log_format, filter);
                run(serve(&config, &url, catalogue))
            }
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, error.as_ref()),
    }
}

fn run(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    actix_web::rt::System::new().block_on(work)
}

/// Prints the error, and each of its causes on a line of its own.
fn fail(code: u8, error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let mut text = format!("keyward-server: {error}\n");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!("  because: {cause}\n"));
        source = cause.source();
    }
    let _written = io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}

fn print_config(sources: &Sources) -> Result<(), Failure> {
    Ok(io::stdout().write_all(sources.show().as_bytes())?)
}

async fn serve(config: &Config, url: &DatabaseUrl, catalogue: Catalogue) -> Result<(), Failure> {
    // Set up before anything else, so that a signal during the start is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listen = config.listen.listen;
    if !listen.ip().is_loopback() {
        tracing::warn!(%listen, "listening beyond loopback without TLS: put a TLS proxy in front of the server");
    }
    let service = open(config, url, catalogue).await?;
    let running = start(
        service,
        listen,
        config.listen.trusted_proxies.0.clone(),
        RequestLog::start(config.log.log_format),
        Sealing::Background(config.audit.files(&config.database.data_dir)),
    )
    .await?;
    announce(url, &running)?;
    systemd::ready();
    let watchdog = systemd::feed_watchdog(running.address());
    tokio::select! {
        _ = terminate.recv() => tracing::info!("received SIGTERM, stopping"),
        _ = interrupt.recv() => tracing::info!("received SIGINT, stopping"),
    }
    end_within(STOP_WITHIN);
    systemd::stopping();
    watchdog.iter().for_each(JoinHandle::abort);
    running.stop().await?;
    end_within(CLOSE_WITHIN);
    Ok(())
}

/// How long the server may take to stop; 10 s are promised.
const STOP_WITHIN: Duration = Duration::from_secs(9);

/// How long it may then take to close its connections to the database. SQLite copies its log into the file
/// when the last connection closes.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Ends the process after this time, if it has not ended by then. A thread that waits for a database that
/// hangs cannot be stopped, and the runtime would wait for it. What it has not committed is rolled back.
fn end_within(time: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        tracing::warn!("the database did not answer in time; the server ends without waiting for it");
        std::process::exit(0);
    });
}

/// Prints the `listening on` line, whose form is fixed, and then instructions for people.
fn announce(database: &DatabaseUrl, running: &Running) -> io::Result<()> {
    let url = format!("http://{}", running.address());
    let mut text = format!("listening on {url}\ndatabase: {database}\n");
    if let Some(code) = &running.app().setup_code {
        text.push_str(&format!("no user exists yet; create the first user with: keyward login {url}\n"));
        text.push_str(&format!("a request from another machine needs the setup code: {}\n", code.expose()));
    } else {
        text.push_str(&format!("log in with: keyward login {url}\n"));
    }
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

async fn create_admin_user(
    config: &Config,
    url: &DatabaseUrl,
    username: String,
    email: String,
    name: Option<String>,
) -> Result<(), Failure> {
    let mut password = Zeroizing::new(String::new());
    io::stdin().read_to_string(&mut password)?;
    let password = Some(password.trim_end_matches(['\r', '\n']).to_owned());
    let new = parse::new_user(CreateUserRequest { email, username, name, password, ..CreateUserRequest::default() })?;
    let service = open_existing(config, url, Servers::Excluded).await?;
    service.check_clock().await?;
    let user = service.create_admin_user(new).await?;
    Ok(writeln!(io::stdout(), "created user {} ({}), an owner", user.username, user.id)?)
}

async fn accept_clock(config: &Config, url: &DatabaseUrl) -> Result<(), Failure> {
    let service = open_existing(config, url, Servers::Allowed).await?;
    let text = match service.accept_clock().await? {
        Accepted::Accepted { now, newest } => {
            format!("accepted the time {now}; audit entries up to {newest} no longer stop a server from starting")
        }
        Accepted::NotNeeded => "no audit entry is later than the present time; nothing to accept".to_owned(),
    };
    Ok(writeln!(io::stdout(), "{text}")?)
}

fn back_up(url: &DatabaseUrl, file: &Path) -> Result<(), Failure> {
    backup(url, file)?;
    Ok(writeln!(io::stdout(), "copied the database to {}", file.display())?)
}

/// Prints the verifier key of the signing key: what clients check checkpoints with.
async fn audit_key(config: &Config, url: &DatabaseUrl) -> Result<(), Failure> {
    let files = config.audit.files(&config.database.data_dir);
    let service = open_existing(config, url, Servers::Allowed).await?;
    let (origin, pem) = (service.audit_origin().await?, files.signing_key()?);
    let key =
        SigningKey::from_pem(&origin, &pem).map_err(|source| SealingError::Key { path: files.key.clone(), source })?;
    Ok(writeln!(io::stdout(), "{}", key.verifier())?)
}

async fn retention(config: &Config, url: &DatabaseUrl, confirm: bool) -> Result<(), Failure> {
    let service = open_existing(config, url, Servers::Allowed).await?;
    let held = if confirm { service.confirm_retention().await? } else { service.held_retention().await? };
    let text = match held {
        None => "retention waits for nothing".to_owned(),
        Some(HeldKeys { cutoff, count }) if confirm => {
            format!("confirmed: retention will remove {count} keys that expired before {cutoff}")
        }
        Some(HeldKeys { cutoff, count }) => format!(
            "retention waits: it would remove {count} keys that expired before {cutoff}, more than half of all keys\n\
             check the clock; if the time is right, run keyward-server retention --confirm"
        ),
    };
    Ok(writeln!(io::stdout(), "{text}")?)
}

async fn open_existing(config: &Config, url: &DatabaseUrl, servers: Servers) -> Result<Service, Failure> {
    let clock = Arc::new(SystemClock::default());
    Ok(Service::open_existing(url, servers, clock, config.catalogue.load()?, config.settings.clone()).await?)
}

async fn open(config: &Config, url: &DatabaseUrl, catalogue: Catalogue) -> Result<Service, Failure> {
    make_private(&config.database.data_dir)?;
    if let DatabaseUrl::Sqlite(path) = url
        && let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty())
    {
        make_private(parent)?;
    }
    Ok(Service::open(url, Arc::new(SystemClock::default()), catalogue, config.settings.clone()).await?)
}

/// Creates a directory with mode 0700. An existing directory stays as it is.
fn make_private(path: &Path) -> Result<(), Failure> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| format!("cannot create the directory {}: {error}", path.display()).into())
}
