//! The setting of which scopes there are.

use std::path::PathBuf;

use keyward_domain::Catalogue;

use super::ConfigError;

/// The setting of which scopes there are.
#[derive(Clone, Debug, clap::Args)]
pub struct CatalogueSettings {
    /// Scope catalogue (TOML); replaces the built-in catalogue
    #[arg(long, env = "KEYWARD_SCOPES", value_name = "FILE", global = true)]
    pub scopes: Option<PathBuf>,
}

impl CatalogueSettings {
    /// The catalogue.
    ///
    /// # Errors
    /// When the file cannot be read, or is no catalogue.
    pub fn load(&self) -> Result<Catalogue, ConfigError> {
        let Some(path) = &self.scopes else { return Ok(Catalogue::built_in()) };
        let failed = |reason: String| ConfigError::Scopes { path: path.clone(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Catalogue::from_toml(&text).map_err(|error| failed(error.to_string()))
    }
}
