//! Settings of the proofs of the audit log.

use std::path::{Path, PathBuf};

use crate::audit::sealing::SealingFiles;

/// The name of the signing key in the data directory.
const KEY: &str = "audit-signing-key.pem";

/// The name of the file of checkpoints in the data directory.
const CHECKPOINTS: &str = "audit-checkpoints";

/// Settings of the proofs of the audit log.
#[derive(Clone, Debug, clap::Args)]
pub struct AuditSettings {
    /// Ed25519 private key (PEM) that signs checkpoints of the audit log [default: audit-signing-key.pem in the
    /// data directory, created if missing]
    #[arg(long, env = "KEYWARD_AUDIT_SIGNING_KEY", value_name = "FILE", required = false, global = true)]
    pub audit_signing_key: PathBuf,

    /// File to which checkpoints of the audit log are appended [default: audit-checkpoints in the data
    /// directory]
    #[arg(long, env = "KEYWARD_AUDIT_CHECKPOINTS", value_name = "FILE", required = false, global = true)]
    pub audit_checkpoints: PathBuf,
}

impl AuditSettings {
    /// The files with which the server seals the log. A key that an operator names is not created: a wrong path
    /// would start a server that signs with a key that nobody knows.
    pub(crate) fn files(&self, data_dir: &Path) -> SealingFiles {
        SealingFiles {
            key: self.audit_signing_key.clone(),
            may_create_key: self.audit_signing_key == default_key(data_dir),
            checkpoints: self.audit_checkpoints.clone(),
        }
    }
}

/// The path of the signing key, unless one is set.
pub(super) fn default_key(data_dir: &Path) -> PathBuf {
    data_dir.join(KEY)
}

/// The path of the file of checkpoints, unless one is set.
pub(super) fn default_checkpoints(data_dir: &Path) -> PathBuf {
    data_dir.join(CHECKPOINTS)
}
