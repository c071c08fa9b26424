//! TLS as both ends set it up: version 1.3 only, `ring`, our own authority and no other, nothing resumed
//! (a resumed session would skip the check of the client certificate).

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{AlertDescription, CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::authority::KeyAndCertificate;
use crate::error::RpcError;
use crate::signing::sha256;

const ALPN: &[u8] = b"h2";

/// The server's end. Its certificate can be replaced while connections are open.
#[derive(Clone)]
pub struct ServerTls {
    current: Arc<RwLock<Arc<rustls::ServerConfig>>>,
}

impl ServerTls {
    /// With this certificate, for clients of this authority (or of none: they reach enrolment only).
    pub fn new(server: &KeyAndCertificate, authority_pem: &str) -> Result<Self, RpcError> {
        Ok(Self {
            current: Arc::new(RwLock::new(server_config(server, authority_pem)?)),
        })
    }

    /// Connections accepted from now on get this certificate.
    pub fn renew(&self, server: &KeyAndCertificate, authority_pem: &str) -> Result<(), RpcError> {
        let fresh = server_config(server, authority_pem)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<rustls::ServerConfig> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn server_config(
    server: &KeyAndCertificate,
    authority_pem: &str,
) -> Result<Arc<rustls::ServerConfig>, RpcError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authority_pem)?), provider())
        .allow_unauthenticated()
        .build()?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            certificates(&server.certificate_pem)?,
            private_key(&server.key_pem)?,
        )?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

/// A node with its certificate, trusting this authority alone.
pub(crate) fn client_config(
    authority_pem: &str,
    certificate_pem: &str,
    key_pem: &str,
) -> Result<rustls::ClientConfig, RpcError> {
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots(authority_pem)?)
        .with_client_auth_cert(certificates(certificate_pem)?, private_key(key_pem)?)?;
    Ok(finish(config))
}

/// A node without certificate, trusting whatever chain ends in a root of this fingerprint.
///
/// The token carries a fingerprint and no certificate, so the root arrives in the handshake itself and rustls
/// has to be given a verifier, which it only takes through `dangerous()`. The verifier accepts nothing by
/// itself: it finds the root that has the fingerprint and leaves chain, name and time to webpki.
pub(crate) fn pinned_config(fingerprint: [u8; 32]) -> Result<rustls::ClientConfig, RpcError> {
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedRoot {
            fingerprint,
            provider: provider(),
        }))
        .with_no_client_auth();
    Ok(finish(config))
}

fn finish(mut config: rustls::ClientConfig) -> rustls::ClientConfig {
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

#[derive(Debug)]
struct PinnedRoot {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedRoot {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let root = intermediates
            .iter()
            .find(|root| sha256(&[root]) == self.fingerprint)
            .ok_or_else(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|_| unknown())?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What a failed handshake means to a client.
pub(crate) fn handshake_error(error: std::io::Error) -> RpcError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => RpcError::CaMismatch,
        Some(rustls::Error::AlertReceived(alert)) if is_about_certificate(*alert) => {
            RpcError::CertificateRefused(*alert)
        }
        _ => RpcError::Handshake(error),
    }
}

/// Whether this alert means that our certificate is not accepted.
pub(crate) fn is_about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
    )
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, RpcError> {
    let unreadable = |_| RpcError::KeyFormat { what: "certificate" };
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(unreadable)
}

pub(crate) fn first_certificate(pem: &str) -> Result<CertificateDer<'static>, RpcError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| RpcError::KeyFormat { what: "certificate" })
}

/// SHA-256 of the first certificate (DER) in a PEM text.
pub fn fingerprint(pem: &str) -> Result<[u8; 32], RpcError> {
    Ok(sha256(&[&first_certificate(pem)?]))
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, RpcError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| RpcError::KeyFormat { what: "TLS key" })
}

fn roots(pem: &str) -> Result<RootCertStore, RpcError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(pem)? {
        roots.add(root)?;
    }
    Ok(roots)
}
