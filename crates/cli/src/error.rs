//! Errors as the user sees them: what failed, the causes, the next steps, the request ID and the
//! exit code.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use keyward_sdk::types::ErrorCode;

use crate::exit::Exit;

/// The reason that a command failed.
#[derive(Debug)]
pub(crate) struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    exit: Exit,
    what: String,
    why: Vec<String>,
    hints: Vec<String>,
    request_id: Option<String>,
    code: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error that says `what` failed, with the exit code of the run.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            exit,
            what: what.into(),
            why: Vec::new(),
            hints: Vec::new(),
            request_id: None,
            code: None,
            source: None,
        }))
    }

    /// The command line is invalid.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// The command failed on this machine.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    /// Ends the run without a message: it has been printed already, or nobody reads the output.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// Converts an error of the SDK into one that starts with `what`, such as "cannot list tokens".
    pub(crate) fn of_sdk(what: impl Into<String>, error: keyward_sdk::Error) -> Self {
        from_sdk(what.into(), error)
    }

    /// Adds a cause.
    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.0.why.push(why.into());
        self
    }

    /// Adds a next step.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Keeps the underlying error, which `--verbose` prints.
    pub(crate) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// The exit code of the run.
    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    /// Whether there is no message to print.
    pub(crate) fn is_silent(&self) -> bool {
        self.0.what.is_empty()
    }

    /// Whether the server refused the credential itself.
    pub(crate) fn is_bad_credential(&self) -> bool {
        matches!(self.0.code.as_deref(), Some("unauthenticated" | "invalid_key" | "key_expired"))
    }

    /// Whether the server responded with this error code.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.0.code.as_deref() == Some(code)
    }

    /// What failed and why, on one line, for use inside another message.
    pub(crate) fn one_line(&self) -> String {
        let why = self.0.why.iter().map(|why| format!(": {why}"));
        std::iter::once(self.0.what.clone()).chain(why).collect()
    }

    /// The lines after the first, each with its label: the causes, the hints and the request ID;
    /// with `verbose` the error chain as well.
    pub(crate) fn details(&self, verbose: bool) -> Vec<(&'static str, String)> {
        let mut lines: Vec<_> = self.0.why.iter().map(|why| ("cause", why.clone())).collect();
        if verbose {
            let mut source = self.0.source.as_deref().map(|source| source as &dyn StdError);
            while let Some(error) = source {
                let text = error.to_string();
                if !text.is_empty() && !lines.iter().any(|(_, said)| *said == text) {
                    lines.push(("caused by", text));
                }
                source = error.source();
            }
        }
        lines.extend(self.0.hints.iter().map(|hint| ("hint", hint.clone())));
        lines.extend(self.0.request_id.iter().map(|id| ("request id", id.clone())));
        lines
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Adds to an error what failed.
pub(crate) trait Context<T> {
    /// Converts the error into one for the user that starts with `what`, such as "cannot list tokens".
    fn context(self, what: impl Into<String>) -> Result<T, Error>;
}

impl<T> Context<T> for Result<T, io::Error> {
    fn context(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|error| Error::failed(what).why(error.to_string()).caused_by(error))
    }
}

impl<T> Context<T> for Result<T, keyward_sdk::Error> {
    fn context(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|error| Error::of_sdk(what, error))
    }
}

fn from_sdk(what: String, error: keyward_sdk::Error) -> Error {
    use keyward_sdk::Error as Sdk;

    match error {
        Sdk::Api(answer) => from_answer(what, answer),
        Sdk::Transport(fault) => Error::new(Exit::Unreachable, what)
            .why(fault.to_string())
            .hint("check that the server is running and that the URL is correct")
            .caused_by(fault),
        Sdk::Decode { ref request_id, .. } => {
            let request_id = Some(request_id.clone()).filter(|id| !id.is_empty());
            let mut told = Error::failed(what)
                .why(error.to_string())
                .hint("check that the URL points to a Keyward server")
                .caused_by(error);
            told.0.request_id = request_id;
            told
        }
        Sdk::InvalidInput(input) => Error::usage(what).why(input.to_string()).caused_by(input),
        other => Error::failed(what).why(other.to_string()).caused_by(other),
    }
}

/// Converts an error response, in the order of reading: message, detail, fields, hint.
fn from_answer(what: String, answer: keyward_sdk::ApiError) -> Error {
    // A missing route means a wrong server or an old one, not a missing resource.
    let route_is_missing = answer.code == ErrorCode::RouteNotFound.as_str();
    let exit = if route_is_missing { Exit::Failed } else { Exit::of_status(answer.status) };
    let mut error = Error::new(exit, what).why(answer.message);
    // The server often repeats the same text in the message, the detail and the fields.
    if let Some(detail) = answer.detail.filter(|detail| !error.0.why.contains(detail)) {
        error = error.why(detail);
    }
    for wrong in answer.validations {
        if !error.0.why.contains(&wrong.detail) {
            error = error.why(format!("{}: {}", wrong.field, wrong.detail));
        }
    }
    if let Some(hint) = answer.hint {
        error = error.hint(hint);
    }
    if route_is_missing {
        error = error.hint("check that the URL points to a Keyward server and that its version is recent");
    }
    error.0.request_id = Some(answer.request_id).filter(|id| !id.is_empty());
    error.0.code = Some(answer.code).filter(|code| !code.is_empty());
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_in_reading_order() {
        let root = io::Error::other("the root");
        let mut error = Error::failed("cannot do it").hint("do that").why("because").caused_by(root);
        error.0.request_id = Some("r-1".to_owned());
        assert_eq!(error.to_string(), "cannot do it");
        let said = |verbose| error.details(verbose).into_iter().map(|(label, _)| label).collect::<Vec<_>>();
        assert_eq!(said(false), ["cause", "hint", "request id"]);
        assert_eq!(said(true), ["cause", "caused by", "hint", "request id"]);
    }

    #[test]
    fn the_chain_repeats_no_line() {
        let error: Result<(), _> = Err(io::Error::other("disk full"));
        let error = error.context("cannot write").unwrap_err();
        assert_eq!(error.details(true), [("cause", "disk full".to_owned())]);
    }
}
