//! TLS for what speaks no HTTP: which authorities are believed, and that servers always prove their name.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// A client that believes the authorities in a PEM file, or those of the machine. The error is a sentence for a person.
///
/// The provider is chosen here; the process's default is neither read nor set.
pub fn client(authorities: Option<&[u8]>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let Some(pem) = authorities else {
        let builder = builder.with_platform_verifier().map_err(|error| error.to_string())?;
        return Ok(Arc::new(builder.with_no_client_auth()));
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("a certificate cannot be read: {error}"))?;
        roots.add(certificate).map_err(|error| format!("a certificate is none of an authority: {error}"))?;
    }
    if roots.is_empty() {
        return Err("holds no certificate in PEM".to_owned());
    }
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_authorities() {
        let good = include_bytes!("../../../tests/support/tls/authority.pem");
        assert!(client(Some(good)).is_ok());
        assert!(client(None).is_ok());
        for bad in [
            &b""[..],
            b"no certificate",
            &good[..good.len() / 2],
            include_bytes!("../../../tests/support/tls/server.key"),
        ] {
            assert!(client(Some(bad)).is_err());
        }
    }
}
