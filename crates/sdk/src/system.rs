//! What the server tells anyone about itself.

use keyward_api::system::{BuildInfo, ListScopes, ScopeCatalogue, ViewBuildInfo};

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

impl Client {
    /// The scopes that a token may be given.
    ///
    /// # Errors
    /// [`Error::Transport`] when the server is out of reach.
    pub async fn scopes(&self) -> Result<ScopeCatalogue, Error> {
        Ok(self.call(Call::<ListScopes>::new(&[])?).await?.value)
    }

    /// Which version of the server it is.
    ///
    /// # Errors
    /// [`Error::Transport`] when the server is out of reach.
    pub async fn build_info(&self) -> Result<BuildInfo, Error> {
        Ok(self.call(Call::<ViewBuildInfo>::new(&[])?).await?.value)
    }
}
