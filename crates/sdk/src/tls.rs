//! TLS configuration: trusts the system's root certificates and those given to the builder.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, InvalidInput};

/// The system's root certificates. Missing ones are no error here: a handshake that needs one fails
/// with its own error, and `http://` needs none.
pub(crate) fn system_roots() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// TLS 1.2 and 1.3. Trusts the valid certificates in `system` and all in `pems`.
pub(crate) fn config(system: Vec<CertificateDer<'static>>, pems: &[Vec<u8>]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    // Some systems keep certificates that no longer parse. The others remain usable.
    let (_added, _unreadable) = roots.add_parsable_certificates(system);
    for pem in pems {
        add_pem(&mut roots, pem)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup(Box::new(error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// Adds a certificate that the caller gave explicitly, so an invalid one is an error.
fn add_pem(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), InvalidInput> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| InvalidInput::RootCertificates(error.to_string()))?;
        roots.add(certificate).map_err(|error| InvalidInput::RootCertificates(error.to_string()))?;
        found = true;
    }
    if !found {
        return Err(InvalidInput::RootCertificates("the text contains no certificate".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_certificate_at_all_is_no_fault() {
        assert!(config(Vec::new(), &[]).is_ok());
    }

    #[test]
    fn given_certificates_that_cannot_be_used_are_an_error() {
        for pem in ["", "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = config(Vec::new(), &[pem.as_bytes().to_vec()]).unwrap_err();
            assert!(matches!(error, Error::InvalidInput(InvalidInput::RootCertificates(_))), "{error}");
        }
    }
}
