//! Public information about the server.

use keyward_api::system::{BuildInfo, ListScopes, ScopeCatalogue, ViewBuildInfo};

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

impl Client {
    /// The scopes that a token can have.
    ///
    /// # Errors
    /// [`Error::Transport`] if the server cannot be reached.
    pub async fn scopes(&self) -> Result<ScopeCatalogue, Error> {
        Ok(self.call(Call::<ListScopes>::new(&[])?).await?.value)
    }

    /// The server's version.
    ///
    /// # Errors
    /// [`Error::Transport`] if the server cannot be reached.
    pub async fn build_info(&self) -> Result<BuildInfo, Error> {
        Ok(self.call(Call::<ViewBuildInfo>::new(&[])?).await?.value)
    }
}
