//! The commands: one file each, named for the verb.

mod audit;
mod completion;
mod login;
mod login_token;
mod logout;
mod man;
mod scopes;
mod tokens;
mod users;
mod verifiers;
mod whoami;

use clap::Subcommand;

use crate::App;
use crate::args::Global;
use crate::config::Config;
use crate::error::Error;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Login(login::Args),
    Logout(logout::Args),
    Whoami(whoami::Args),
    /// Issue, list and end tokens
    #[command(subcommand, visible_alias = "token")]
    Tokens(tokens::Command),
    /// Manage users
    #[command(subcommand, visible_alias = "user")]
    Users(users::Command),
    /// Read the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// See what tokens can be allowed to do
    #[command(subcommand)]
    Scopes(scopes::Command),
    /// See which services judge keys in their own processes
    #[command(subcommand)]
    Verifiers(verifiers::Command),
    Completion(completion::Args),
    Man(man::Args),
}

/// Runs a command.
pub(crate) async fn run(command: Command, global: &Global, out: &Output) -> Result<(), Error> {
    // These two need no server, and must work where nothing is set up yet.
    let command = match command {
        Command::Completion(args) => return completion::run(&args, out),
        Command::Man(args) => return man::run(&args, out),
        command => command,
    };
    let app = App { out, config: Config::new(global)?, verbose: global.verbose };
    let done = match command {
        // Logging in is the remedy, and uses no credential that is there already.
        Command::Login(args) => return login::run(args, &app).await,
        Command::Logout(args) => logout::run(&args, &app).await,
        Command::Whoami(args) => whoami::run(&args, &app).await,
        Command::Tokens(command) => tokens::run(command, &app).await,
        Command::Users(command) => users::run(command, &app).await,
        Command::Audit(command) => audit::run(command, &app).await,
        Command::Scopes(command) => scopes::run(command, &app).await,
        Command::Verifiers(command) => verifiers::run(command, &app).await,
        Command::Completion(_) | Command::Man(_) => Ok(()),
    };
    done.map_err(|error| explain_credential(error, &app))
}

/// A credential that the server refuses: says where it came from, and what to do about it.
fn explain_credential(error: Error, app: &App<'_>) -> Error {
    if !error.is_bad_credential() {
        return error;
    }
    match app.config.credential() {
        Ok(credential) => {
            error.why(format!("the credential came from {}", credential.source)).hint(credential.source.remedy())
        }
        // Why there is none is another matter than the one at hand.
        Err(_) => error.hint("run `keyward login`"),
    }
}
