//! TLS for the way to the broker: whom we believe, and who we are. Certificates and keys come in as PEM, already read from their files;
//! there is no way to switch a check off.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Whom we believe to be the broker, and how we prove who we are.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

/// Our own certificate and its key, both PEM.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The certificate, and those that lead from it to one that the broker believes.
    pub certificate: &'a [u8],
    /// Its private key.
    pub key: &'a [u8],
}

/// Why there is no TLS with these certificates.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of authorities holds none.
    #[error("the CA file: expected certificates in PEM (-----BEGIN CERTIFICATE-----), found {0}")]
    Ca(String),
    /// No authority was named, and the machine knows none.
    #[error("no CA file is named, and this machine has no certificates of its own ({0}); name the CA of your broker")]
    System(String),
    /// The certificate of our own is none.
    #[error("the client certificate: expected one in PEM (-----BEGIN CERTIFICATE-----), found {0}")]
    Certificate(String),
    /// The key is none.
    #[error("the client key: expected a private key in PEM (-----BEGIN PRIVATE KEY-----, not encrypted), found {0}")]
    Key(String),
    /// The two do not belong together, or can't be used.
    #[error("client certificate and key: {0}; do they belong together?")]
    Pair(String),
}

impl Tls {
    /// TLS with a broker that one of these authorities (PEM) vouches for; the machine's own authorities where `ca` is `None`. With an
    /// identity we also prove who we are.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(ca: Option<&[u8]>, identity: Option<Identity<'_>>) -> Result<Tls, TlsError> {
        let roots = match ca {
            Some(pem) => named(pem)?,
            None => of_the_machine()?,
        };
        // The provider is named, so that another one in the same program changes nothing.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::System(error.to_string()))?
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = certificates(certificate).map_err(TlsError::Certificate)?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| TlsError::Pair(error.to_string()))?
            }
        };
        Ok(Tls(Arc::new(config)))
    }

    /// Whether we prove who we are.
    pub(super) fn has_identity(&self) -> bool {
        self.0.client_auth_cert_resolver.has_certs()
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

impl PartialEq for Tls {
    /// Whether it is the same one, and not just alike.
    fn eq(&self, other: &Tls) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}

impl std::fmt::Debug for Tls {
    /// Nothing of the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

fn named(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).map_err(TlsError::Ca)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::Ca(error.to_string()))?;
    }
    Ok(roots)
}

fn of_the_machine() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found
            .errors
            .first()
            .map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(TlsError::System(why));
    }
    Ok(roots)
}

/// At least one certificate.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("none".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}
