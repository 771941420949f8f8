//! `keyward login [URL]`: creates a session and stores it; creates the first user of a new server.

use clap::Subcommand;
use keyward_sdk::types::ErrorCode;
use keyward_sdk::{Client, CreateFirstUser, SecretString, UserRef};

use super::{login_token, logout};
use crate::App;
use crate::config::{self, SESSION_TOKEN};
use crate::error::{Context, Error};
use crate::exit::Exit;
use crate::prompt;
use crate::server_url::ServerUrl;

/// The environment variable for the setup code, which a new server requires from other machines.
const SETUP_CODE: &str = "KEYWARD_SETUP_CODE";

/// Log in to a server and store its URL and the session
///
/// On a new server, this creates the first user as an owner. From another machine, it needs the
/// setup code that the server printed when it started: enter it at the prompt or set
/// KEYWARD_SETUP_CODE.
#[derive(Debug, clap::Args)]
#[command(
    subcommand_precedence_over_arg = true,
    after_help = "Examples:
  keyward login https://keyward.example.com
  keyward login --username ada --password-stdin < password
  keyward login https://keyward.example.com --token-stdin < token"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Server URL; defaults to the configured server
    #[arg(value_name = "URL")]
    server: Option<ServerUrl>,

    /// Username or e-mail address
    #[arg(long)]
    username: Option<String>,

    /// Read the password from stdin, as one line
    #[arg(long)]
    password_stdin: bool,

    /// Read a token or session from stdin, as one line, and store it without logging in
    #[arg(long, conflicts_with_all = ["username", "password_stdin", "first_user"])]
    token_stdin: bool,

    #[command(flatten)]
    first: FirstUser,
}

#[derive(Debug, Subcommand)]
enum Command {
    Token(login_token::Args),
}

/// The first user of a new server. If the first user already exists, the same flags log in, so that
/// a script can run again.
#[derive(Debug, clap::Args)]
#[group(id = "first_user", multiple = true)]
#[command(next_help_heading = "First user of a new server")]
struct FirstUser {
    /// Username of the first user
    #[arg(long, value_name = "USERNAME")]
    first_user_username: Option<String>,

    /// E-mail address of the first user
    #[arg(long, value_name = "EMAIL")]
    first_user_email: Option<String>,

    /// Display name of the first user
    #[arg(long, value_name = "NAME")]
    first_user_name: Option<String>,

    /// Read the password of the first user from stdin, as one line
    #[arg(long, conflicts_with = "password_stdin")]
    first_user_password_stdin: bool,
}

/// The user who logged in, and the session or token.
struct SignedIn {
    username: String,
    token: SecretString,
    /// Whether this run created the user.
    is_new: bool,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    if let Some(Command::Token(token)) = &args.command {
        // The parser's own setting for this would also refuse the global flags.
        if args.has_login_arguments() {
            return Err(Error::usage("`keyward login token` only prints a token; it takes no login arguments"));
        }
        return login_token::run(token, app);
    }
    let url = match &args.server {
        Some(url) => url.clone(),
        None => app.config.known_url()?.ok_or_else(|| {
            Error::new(Exit::NotAllowed, "no server is configured")
                .hint("pass its URL, as in `keyward login https://keyward.example.com`")
        })?,
    };
    // Check this first: a session that cannot be stored would stay live and unused.
    let store = app.config.store()?;
    store.prepare()?;

    let login = Login { args: &args, app, url: &url, client: app.config.client(&url, None)? };
    let signed_in = login.sign_in().await?;
    let replaced = store.load()?;
    store.save(&url, &signed_in.token)?;
    if let (Some(session), Some(of)) = (replaced.session, replaced.url)
        && of == url
        && session.expose() != signed_in.token.expose()
    {
        end_replaced(&url, &session, &signed_in.token, app).await;
    }
    let username = &signed_in.username;
    if signed_in.is_new {
        app.out.line(&format!("User {username} has been created as an owner."))?;
    }
    app.out.line(&format!("Logged in to {url} as {username}."))?;
    if app.config.variable_is_set() {
        app.out.warn(&format!("{SESSION_TOKEN} overrides the stored session; unset it to use the session"));
    }
    Ok(())
}

/// Ends the session that this login replaces, if it is of the same user: nothing would use it any more. The
/// login has succeeded, so an error is only a warning.
async fn end_replaced(url: &ServerUrl, session: &SecretString, new: &SecretString, app: &App<'_>) {
    let user = async |token: &SecretString| app.config.client(url, Some(token))?.user(&UserRef::Me).await.context("");
    let same = match (user(session).await, user(new).await) {
        (Ok(before), Ok(now)) => before.id == now.id,
        // A session that no longer works needs no end.
        (Err(_), _) | (_, Err(_)) => false,
    };
    if same && let Err(error) = logout::end(url, session, app).await {
        app.out.warn(&format!("the replaced session is still live: {}", error.one_line()));
    }
}

struct Login<'a> {
    args: &'a Args,
    app: &'a App<'a>,
    url: &'a ServerUrl,
    /// Sends no credential.
    client: Client,
}

impl Login<'_> {
    async fn sign_in(&self) -> Result<SignedIn, Error> {
        if self.args.token_stdin {
            return self.with_token().await;
        }
        let what = format!("cannot log in to {}", self.url);
        if self.client.has_first_user().await.context(what)? {
            self.with_password().await
        } else {
            self.as_first_user().await
        }
    }

    /// Checks the token with the server, so that a token that does not work is never stored.
    async fn with_token(&self) -> Result<SignedIn, Error> {
        let token = prompt::secret_from_stdin(self.app.out, "Token: ", "--token-stdin needs the token")?;
        let token = SecretString::from(token.expose().trim());
        let client = self.app.config.client(self.url, Some(&token))?;
        let user = client.user(&UserRef::Me).await.context(format!("cannot log in to {} with the token", self.url))?;
        Ok(SignedIn { username: user.username, token, is_new: false })
    }

    async fn with_password(&self) -> Result<SignedIn, Error> {
        let Args { username, password_stdin, first, .. } = self.args;
        if first.is_requested() {
            self.app.out.note("The first user already exists; logging in.");
        }
        let username = username.as_ref().or(first.first_user_username.as_ref());
        let password_stdin = *password_stdin || first.first_user_password_stdin;
        if !prompt::is_interactive() {
            let missing = missing(&[(username.is_none(), "--username"), (!password_stdin, "--password-stdin")]);
            if !missing.is_empty() {
                return Err(prompt::no_terminal("login needs a username and a password", &missing)
                    .hint("or pass --token-stdin with a token on stdin"));
            }
        }
        let username = self.value_or_prompt(username, "Username or e-mail address: ")?;
        let password = if password_stdin {
            prompt::secret_from_stdin(self.app.out, "Password: ", "--password-stdin needs the password")?
        } else {
            prompt::secret(self.app.out, "Password: ")?
        };
        self.log_in(username, &password).await
    }

    async fn as_first_user(&self) -> Result<SignedIn, Error> {
        let first = &self.args.first;
        if !prompt::is_interactive() {
            let missing = missing(&[
                (first.first_user_username.is_none(), "--first-user-username"),
                (first.first_user_email.is_none(), "--first-user-email"),
                (!first.first_user_password_stdin, "--first-user-password-stdin"),
            ]);
            if !missing.is_empty() {
                return Err(prompt::no_terminal("the new server needs a first user", &missing));
            }
        }
        self.app.out.note(&format!("{} has no users yet; creating the first user, an owner.", self.url));
        let username = self.value_or_prompt(first.first_user_username.as_ref(), "Username: ")?;
        let email = self.value_or_prompt(first.first_user_email.as_ref(), "E-mail address: ")?;
        let password = prompt::read_new_password(self.app.out, first.first_user_password_stdin)?;
        let mut request = CreateFirstUser::new(email, username.clone(), password.clone());
        if let Some(name) = &first.first_user_name {
            request = request.name(name.clone());
        }
        if let Some(code) = config::variable(SETUP_CODE)? {
            request = request.setup_code(code);
        }
        self.create(request).await?;
        match self.log_in(username, &password).await {
            Ok(signed_in) => Ok(SignedIn { is_new: true, ..signed_in }),
            Err(error) => Err(error.why("the first user has been created, but the login failed")),
        }
    }

    /// Creates the first user. Prompts for the setup code if the server requires it.
    async fn create(&self, request: CreateFirstUser) -> Result<(), Error> {
        const WHAT: &str = "cannot create the first user";
        let refused = match self.client.create_first_user(&request).await.context(WHAT) {
            Ok(_) => return Ok(()),
            Err(error) if error.has_code(ErrorCode::SetupCodeRequired.as_str()) => error,
            Err(error) => return Err(error),
        };
        if !prompt::is_interactive() {
            return Err(
                refused.hint(format!("set {SETUP_CODE} to the setup code that the server printed when it started"))
            );
        }
        let code = prompt::secret(self.app.out, "Setup code (the server printed it when it started): ")?;
        self.client.create_first_user(&request.setup_code(code)).await.context(WHAT)?;
        Ok(())
    }

    async fn log_in(&self, username: String, password: &SecretString) -> Result<SignedIn, Error> {
        let token = self.client.login(&username, password).await.context(format!("cannot log in to {}", self.url))?;
        Ok(SignedIn { username, token, is_new: false })
    }

    fn value_or_prompt(&self, given: Option<&String>, question: &str) -> Result<String, Error> {
        match given {
            Some(given) => Ok(given.clone()),
            None => prompt::line(self.app.out, question),
        }
    }
}

impl Args {
    /// Whether the command line has any argument for logging in.
    fn has_login_arguments(&self) -> bool {
        self.server.is_some()
            || self.username.is_some()
            || self.password_stdin
            || self.token_stdin
            || self.first.is_requested()
            || self.first.first_user_name.is_some()
    }
}

impl FirstUser {
    fn is_requested(&self) -> bool {
        self.first_user_username.is_some() || self.first_user_email.is_some() || self.first_user_password_stdin
    }
}

/// The names of the missing flags.
fn missing(flags: &[(bool, &'static str)]) -> Vec<&'static str> {
    flags.iter().filter(|(is_missing, _)| *is_missing).map(|(_, flag)| *flag).collect()
}
