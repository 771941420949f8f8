//! The top-level parser: the global flags and the output formats that commands share.

use std::fs;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use keyward_sdk::Lifetime;
use keyward_sdk::transparency::VerifierKey;

use crate::commands::Command;
use crate::error::{Context as _, Error};
use crate::server_url::ServerUrl;

const EXAMPLES: &str = "\
The stored session is used unless KEYWARD_SESSION_TOKEN holds a session or a token.

Examples:
  keyward login https://keyward.example.com
  keyward tokens create --name ci --lifetime 30d --scope workspace:read
  keyward tokens list
  keyward tokens remove ci

Exit codes:
  0  success
  1  failure, or the server refused the request
  2  invalid command line
  3  not found
  4  not logged in, or not allowed
  5  conflict, such as a name that is already taken
  6  the server cannot be reached, or cannot answer for now";

/// Create, list and expire API keys on a Keyward server
#[derive(Debug, Parser)]
#[command(name = "keyward", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The flags that every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Server URL; overrides the stored one [env: KEYWARD_URL]
    ///
    /// The stored session is sent only to the stored server. For another server, set
    /// KEYWARD_SESSION_TOKEN. No flag takes a token, because the process list would show it.
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) url: Option<ServerUrl>,

    /// Directory that stores the server URL and the session [env: KEYWARD_CONFIG_DIR]
    ///
    /// The default is `keyward` in the platform's configuration directory.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) config_dir: Option<PathBuf>,

    /// Maximum time of a request with its retries, such as 10s [default: 30s]
    #[arg(long, value_name = "DURATION", global = true)]
    pub(crate) timeout: Option<Lifetime>,

    /// Print without colour [env: NO_COLOR]
    #[arg(long, global = true)]
    pub(crate) no_color: bool,

    /// Print the full error chain
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// Output formats of a list that can be a spreadsheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table for people.
    Table,
    /// JSON, as the server sent it.
    Json,
    /// CSV with a header row.
    Csv,
}

/// Output formats of a command that shows data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViewFormat {
    /// A table for people.
    Table,
    /// JSON, as the server sent it.
    Json,
}

/// Output formats of a command that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextFormat {
    /// One line of text.
    Text,
    /// JSON, as the server sent it.
    Json,
}

/// The public keys that checkpoints and receipts are verified with.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// Trusted public key, as `keyward-server audit-key` prints it; repeatable
    #[arg(long = "key", value_name = "VERIFIER_KEY")]
    keys: Vec<VerifierKey>,

    /// File of trusted public keys, one a line; repeatable
    #[arg(long = "key-file", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl KeyArgs {
    /// The keys, also those of the files.
    pub(crate) fn read(&self) -> Result<Vec<VerifierKey>, Error> {
        let mut keys = self.keys.clone();
        for path in &self.files {
            let text = fs::read_to_string(path).context(format!("cannot read {}", path.display()))?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let parsed = lines.map(str::parse).collect::<Result<Vec<VerifierKey>, _>>();
            let parsed = parsed.map_err(|error| {
                Error::failed(format!("{} has no list of public keys", path.display())).why(error.to_string())
            })?;
            if parsed.is_empty() {
                return Err(Error::failed(format!("{} has no public key", path.display())));
            }
            keys.extend(parsed);
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use clap::{ArgAction, CommandFactory};

    use super::*;

    #[test]
    fn the_argument_definitions_are_valid() {
        Cli::command().debug_assert();
    }

    /// The words of an example from the program's name on, without pipes, redirections and quotes.
    fn words(example: &str) -> Vec<String> {
        let line = &example[example.find("keyward ").unwrap_or_else(|| panic!("{example}"))..];
        let end = [" | ", " > ", " < ", ")"].iter().filter_map(|mark| line.find(mark)).min();
        let (mut words, mut is_quoted) = (vec![String::new()], false);
        for symbol in line[..end.unwrap_or(line.len())].chars() {
            match symbol {
                '\'' => is_quoted = !is_quoted,
                ' ' if !is_quoted => words.push(String::new()),
                symbol => words.last_mut().unwrap().push(symbol),
            }
        }
        words
    }

    #[test]
    fn every_help_has_examples_that_are_valid() {
        fn check(command: &mut clap::Command, path: &str) {
            let help = command.render_long_help().to_string();
            let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{path} has no examples"));
            let examples: Vec<_> = examples.lines().take_while(|line| line.starts_with("  ")).collect();
            assert!(!examples.is_empty(), "{path} has no examples");
            for example in examples {
                let words = words(example);
                assert!(Cli::try_parse_from(&words).is_ok(), "{path}: {words:?}");
            }
            // The parser generates `help` itself.
            for subcommand in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
                let path = format!("{path} {}", subcommand.get_name());
                check(subcommand, &path);
            }
        }
        check(&mut Cli::command(), "keyward");
    }

    #[test]
    fn no_secret_is_the_value_of_a_flag() {
        fn check(command: &clap::Command) {
            for flag in command.get_arguments().filter(|argument| !argument.is_positional()) {
                let name = flag.get_id().as_str();
                if ["token", "password", "secret", "session", "code"].iter().any(|word| name.contains(word)) {
                    assert!(matches!(flag.get_action(), ArgAction::SetTrue), "{} --{name}", command.get_name());
                }
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn aliases_of_list_and_remove_are_accepted() {
        for line in [
            "keyward token ls",
            "keyward tokens rm x",
            "keyward tokens delete x",
            "keyward tokens expire x y -",
            "keyward tokens revoke x --timeout 5s",
            "keyward tokens view -",
            "keyward users ls",
            "keyward audit ls",
            "keyward tokens list -c id,name --column expires_at --url http://h -v",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }
}
