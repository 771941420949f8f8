//! Whom an `https://` client trusts: the system's root certificates and those it was given.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, InvalidInput};

/// The root certificates of the system. Few or none is no fault here: a handshake that needs one
/// fails with its own error, and an `http://` server needs none.
pub(crate) fn system_roots() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// TLS 1.2 and 1.3, trusting `system` as far as it can be read and all of `pems`.
pub(crate) fn config(system: Vec<CertificateDer<'static>>, pems: &[Vec<u8>]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    // Systems keep a certificate or two that no longer parse; the others are as good as before.
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

/// A certificate that was asked for by name and cannot be used is an error.
fn add_pem(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), InvalidInput> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| InvalidInput::RootCertificates(error.to_string()))?;
        roots.add(certificate).map_err(|error| InvalidInput::RootCertificates(error.to_string()))?;
        found = true;
    }
    if !found {
        return Err(InvalidInput::RootCertificates("there is none in the text".to_owned()));
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
