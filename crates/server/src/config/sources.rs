//! Where values come from: the command line, the environment, the configuration file, the defaults.
//!
//! clap knows the first two and the defaults. What the file sets, and nothing before it does, is put
//! before the arguments as if it had been typed there, and so is a default that depends on another
//! value; then all of it is parsed by the same parsers.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::{ConfigError, audit, database, log};

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Origin {
    /// The command line.
    Flag,
    /// A variable of the environment.
    Environment,
    /// The configuration file.
    File,
    /// Nothing sets it.
    Default,
}

/// A command line that was parsed, and where each value comes from.
#[derive(Debug)]
pub struct Sources {
    command: Command,
    /// What was parsed.
    pub matches: ArgMatches,
    from_file: BTreeSet<String>,
    computed: BTreeSet<&'static str>,
}

/// Why a command line cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// clap says so, or was asked for help.
    Arguments(clap::Error),
    /// The configuration file or a default cannot be used.
    Config(ConfigError),
}

impl From<clap::Error> for Unusable {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}

impl From<ConfigError> for Unusable {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Parses a command line, with what the file sets that `--config` names.
///
/// # Errors
/// [`Unusable`] says which part of it is wrong.
pub fn read(command: Command, args: impl IntoIterator<Item = OsString>) -> Result<Sources, Unusable> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let mut matches = command.clone().try_get_matches_from(&args)?;
    let mut from_file = BTreeSet::new();
    if let Some(path) = matches.get_one::<PathBuf>("config").cloned() {
        for (key, value) in read_file(&command, &path)? {
            if matches!(source(&matches, &id(&key)), None | Some(ValueSource::DefaultValue)) {
                insert(&mut args, &key, &value.into());
                from_file.insert(id(&key));
            }
        }
        matches = command.clone().try_get_matches_from(&args)?;
    }
    let mut computed = BTreeSet::new();
    let mut default = |args: &mut Vec<OsString>, id: &'static str, value: OsString| {
        insert(args, &id.replace('_', "-"), &value);
        computed.insert(id);
    };
    if source(&matches, "data_dir").is_none() {
        default(&mut args, "data_dir", database::default_data_dir()?.into());
        matches = command.clone().try_get_matches_from(&args)?;
    }
    if let Some(dir) = matches.get_one::<PathBuf>("data_dir") {
        let in_data_dir: [(&'static str, OsString); 3] = [
            ("database_url", database::default_url(dir).into()),
            ("audit_signing_key", audit::default_key(dir).into()),
            ("audit_checkpoints", audit::default_checkpoints(dir).into()),
        ];
        for (id, value) in in_data_dir {
            if source(&matches, id).is_none() {
                default(&mut args, id, value);
            }
        }
    }
    if source(&matches, "log_format").is_none() {
        default(&mut args, "log_format", log::default_format().into());
    }
    let matches = command.clone().try_get_matches_from(&args)?;
    Ok(Sources { command, matches, from_file, computed })
}

/// The id of the argument that a key of the file sets.
fn id(key: &str) -> String {
    key.replace('-', "_")
}

fn source(matches: &ArgMatches, id: &str) -> Option<ValueSource> {
    matches.value_source(id)
}

/// Puts a flag before the other arguments, behind the program's name.
fn insert(args: &mut Vec<OsString>, key: &str, value: &OsString) {
    let mut arg = OsString::from(format!("--{key}="));
    arg.push(value);
    args.insert(1.min(args.len()), arg);
}

/// The settings among a command's arguments: all that hold for its subcommands too, but `--config`.
fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.is_global_set() && arg.get_id() != "config")
}

/// The keys of a file and their values, as they would be typed.
fn read_file(command: &Command, path: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(command, &text).map_err(|reason| ConfigError::Invalid { path: path.to_owned(), reason })
}

fn parse(command: &Command, text: &str) -> Result<Vec<(String, String)>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    table
        .into_iter()
        .map(|(key, value)| {
            // The URL of a database may hold a password.
            let shown = if key == "database-url" { "[hidden]".to_owned() } else { value.to_string() };
            match check(command, &key, &value) {
                Ok(typed) => Ok((key, typed)),
                Err(reason) => Err(format!("{key} = {shown}: {reason}")),
            }
        })
        .collect()
}

/// The value as it would be typed, if its argument can be parsed from it.
fn check(command: &Command, key: &str, value: &toml::Value) -> Result<String, String> {
    if !settings(command).any(|arg| arg.get_long() == Some(key)) {
        return Err("there is no such setting; `keyward-server --help` lists them".to_owned());
    }
    let typed = typed(value)?;
    let alone = command.clone().mut_args(|arg| arg.env(Resettable::Reset)).no_binary_name(true);
    match alone.try_get_matches_from([format!("--{key}={typed}")]) {
        Ok(_) => Ok(typed),
        Err(error) => Err(match error.source() {
            Some(source) => source.to_string(),
            // Such as a word that is none of those there are: clap lists them.
            None => error.to_string().trim_start_matches("error: ").replace('\n', " ").trim().to_owned(),
        }),
    }
}

fn typed(value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Boolean(value) => Ok(value.to_string()),
        toml::Value::Integer(value) => Ok(value.to_string()),
        toml::Value::Array(list) => Ok(list.iter().map(typed).collect::<Result<Vec<_>, _>>()?.join(",")),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
            Err("use a text in quotes".to_owned())
        }
    }
}

impl Sources {
    /// The effective configuration as TOML that the server would read back, each line with where its
    /// value comes from. Passwords are hidden.
    #[must_use]
    pub fn show(&self) -> String {
        settings(&self.command).map(|arg| self.line(arg)).collect()
    }

    fn line(&self, arg: &Arg) -> String {
        let (id, name) = (arg.get_id().as_str(), arg.get_long().unwrap_or_default());
        let Some(raw) = self.matches.get_raw(id).and_then(|mut values| values.next()) else {
            return format!("# {name} is not set\n");
        };
        let raw = raw.to_string_lossy();
        let value = match raw.parse::<bool>() {
            Ok(value) => value.to_string(),
            Err(_) if id == "database_url" => quoted(&hide_password(&raw)),
            Err(_) => quoted(&raw),
        };
        format!("{name} = {value} # {}\n", self.origin(id))
    }

    fn origin(&self, id: &str) -> Origin {
        if self.computed.contains(id) {
            return Origin::Default;
        }
        match source(&self.matches, id) {
            Some(ValueSource::EnvVariable) => Origin::Environment,
            Some(ValueSource::CommandLine) if self.from_file.contains(id) => Origin::File,
            Some(ValueSource::CommandLine) => Origin::Flag,
            // clap may add further sources.
            Some(_) | None => Origin::Default,
        }
    }
}

/// A URL as [`DatabaseUrl`](keyward_service::DatabaseUrl) shows it; nothing of one that cannot be
/// parsed.
fn hide_password(url: &str) -> String {
    url.parse().map_or_else(|_unusable| "[hidden]".to_owned(), |url: keyward_service::DatabaseUrl| url.to_string())
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::command::Args;
    use crate::config::Config;

    fn command() -> Command {
        Args::command().mut_args(|arg| arg.env(Resettable::Reset))
    }

    /// Reads a command line with a file of this text; the variables of the environment are those of
    /// whoever runs the test, so settings that are asked about are set before them.
    fn read_with(file: &str, args: &[&str]) -> Sources {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyward.toml");
        std::fs::write(&path, file).unwrap();
        let config = format!("--config={}", path.display());
        let args = [&["keyward-server", &config], args].concat().into_iter().map(OsString::from);
        read(Args::command(), args).unwrap()
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let file = "max-token-lifetime = \"30d\"\nsession-duration = \"2h\"\naudit-logs-retention = 0\n\
                    trusted-proxies = [\"10.0.0.0/8\", \"::1\"]\ndisable-session-expiry-refresh = true\n\
                    database-url = \"postgres://me:secret@db/keyward\"";
        let sources = read_with(file, &["--session-duration", "3h", "--data-dir", "/somewhere", "config"]);
        let config = Config::from_arg_matches(&sources.matches).unwrap();
        assert_eq!(config.settings.tokens.max_token_lifetime.to_string(), "30d");
        assert_eq!(config.settings.sessions.session_duration.to_string(), "3h");
        assert_eq!(config.listen.trusted_proxies.0.len(), 2);
        assert!(config.settings.sessions.disable_session_expiry_refresh);
        let shown = sources.show();
        for line in [
            "max-token-lifetime = \"30d\" # file",
            "session-duration = \"3h\" # flag",
            "data-dir = \"/somewhere\" # flag",
            "trusted-proxies = \"10.0.0.0/8,::1\" # file",
            "disable-session-expiry-refresh = true # file",
            "audit-logs-retention = \"0\" # file",
            "session-max-lifetime = \"30d\" # default",
            "# scopes is not set",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
        }
        assert!(!shown.contains("secret"), "{shown}");
        // What is shown can be read back.
        assert!(parse(&command(), &shown).is_ok(), "{shown}");
    }

    #[test]
    fn what_depends_on_another_value_is_told_as_a_default() {
        let shown = read_with("data-dir = \"/there\"", &["config"]).show();
        assert!(shown.contains("data-dir = \"/there\" # file\n"), "{shown}");
        assert!(shown.contains("database-url = \"sqlite:///there/keyward.db\" # default\n"), "{shown}");
        assert!(shown.contains("log-format = \"json\" # default\n"), "{shown}");
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        for (text, words) in [
            ("colour = 1", "colour = 1: there is no such setting"),
            ("config = \"other.toml\"", "there is no such setting"),
            ("max-token-lifetime = \"7\"", "max-token-lifetime = \"7\": \"7\" is not a duration"),
            ("max-token-lifetime = 7", "max-token-lifetime = 7: \"7\" is not a duration"),
            ("max-token-lifetime = 7.5", "use a text in quotes"),
            ("log-format = \"xml\"", "log-format = \"xml\": invalid value 'xml'"),
            ("trusted-proxies = \"nowhere\"", "\"nowhere\" is not an IP address"),
            ("listen", "TOML"),
        ] {
            let error = parse(&command(), text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
