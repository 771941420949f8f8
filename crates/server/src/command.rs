//! The command line of the server: it serves, shows its configuration, or makes an owner.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, FromArgMatches as _};
use keyward_domain::SystemClock;
use keyward_service::users::parse_new_user;
use keyward_service::{DatabaseUrl, Service};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::config::{Config, Flags, show};
use crate::run::{Running, start};
use crate::{VERSION, logging};

/// The server of Keyward: issues, scopes, expires and audits API keys
///
/// Without a command it serves. Each flag is also a variable KEYWARD_<FLAG> and a key of the file
/// that --config names; a flag wins over the variable, the variable over the file.
#[derive(Debug, clap::Parser)]
#[command(name = "keyward-server", version = VERSION)]
struct Args {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the effective configuration and where each value comes from; passwords are hidden
    Config,
    /// Make a user who is an owner, while the server is down; the password is read from stdin
    CreateAdminUser {
        /// Their username
        #[arg(long)]
        username: String,
        /// Their e-mail address
        #[arg(long)]
        email: String,
        /// What people call them
        #[arg(long)]
        name: Option<String>,
    },
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the program and tells how it ended: 0 done, 1 failed, 2 wrong flags or configuration.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = Args::command().try_get_matches_from(args).and_then(|matches| {
        let args = Args::from_arg_matches(&matches)?;
        Ok((args, matches))
    });
    let (args, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are no errors, and go to stdout. Nobody is left to tell if that fails.
            let _printed = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let config = match Config::load(args.flags, &matches) {
        Ok(config) => config,
        Err(error) => return fail(2, &error),
    };
    let done = match args.command {
        Some(Command::Config) => print_config(&config),
        Some(Command::CreateAdminUser { username, email, name }) => {
            run(create_admin_user(&config, &username, &email, name))
        }
        None => match (config.catalogue(), config.env_filter()) {
            (Err(error), _) | (_, Err(error)) => return fail(2, &error),
            (Ok(catalogue), Ok(filter)) => {
                logging::start(config.log_format.value, filter);
                run(serve(&config, catalogue))
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

/// Says what failed and why, one line each.
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

fn print_config(config: &Config) -> Result<(), Failure> {
    Ok(io::stdout().write_all(show(config).as_bytes())?)
}

async fn serve(config: &Config, catalogue: keyward_domain::Catalogue) -> Result<(), Failure> {
    // Before anything else, so that a signal during the start is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listen = config.listen.value;
    if !listen.ip().is_loopback() {
        tracing::warn!(%listen, "not a loopback address, and this server speaks no TLS: put a proxy that does before it");
    }
    let service = open(config, catalogue).await?;
    let new = !service.has_first_user().await?;
    let running = start(service, listen, config.trusted_proxies.value.clone()).await?;
    announce(config, &running, new)?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("told to stop (SIGTERM)"),
        _ = interrupt.recv() => tracing::info!("told to stop (SIGINT)"),
    }
    Ok(running.stop().await?)
}

/// One line in a fixed form, and then what a person wants to know.
fn announce(config: &Config, running: &Running, new: bool) -> io::Result<()> {
    let url = format!("http://{}", running.address());
    let mut text = format!("listening on {url}\ndata in {}\n", config.database_url.value);
    if new {
        text.push_str(&format!("there is no user yet; create the first one with: keyward login {url}\n"));
        text.push_str(&format!("from another machine that needs the setup code: {}\n", running.app().setup_code));
    } else {
        text.push_str(&format!("log in with: keyward login {url}\n"));
    }
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

async fn create_admin_user(config: &Config, username: &str, email: &str, name: Option<String>) -> Result<(), Failure> {
    let mut password = Zeroizing::new(String::new());
    io::stdin().read_to_string(&mut password)?;
    let password = Zeroizing::new(password.trim_end_matches(['\r', '\n']).to_owned());
    let new = parse_new_user(email, username, name, Some(password), None, &[])?;
    let service = open(config, config.catalogue()?).await?;
    let user = service.create_admin_user(new).await?;
    Ok(writeln!(io::stdout(), "created user {} ({}), an owner", user.username, user.id)?)
}

async fn open(config: &Config, catalogue: keyward_domain::Catalogue) -> Result<Service, Failure> {
    make_private(&config.data_dir.value)?;
    if let DatabaseUrl::Sqlite(path) = &config.database_url.value
        && let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty())
    {
        make_private(parent)?;
    }
    let clock = Arc::new(SystemClock::default());
    Ok(Service::open(&config.database_url.value, clock, catalogue, config.settings()).await?)
}

/// Makes a directory that only its owner can enter. One that is there already stays as it is.
fn make_private(path: &Path) -> Result<(), Failure> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| format!("cannot make the directory {}: {error}", path.display()).into())
}
