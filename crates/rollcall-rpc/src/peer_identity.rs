//! Who is at the other end of a connection, as its certificate says.
//! What that peer may do is looked up by its serial, per call, elsewhere.

use std::net::SocketAddr;

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::RpcError;
use crate::signing::sha256;

/// A verified client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate (DER).
    pub fingerprint: [u8; 32],
    /// Common name of the subject: the node's name at enrolment.
    pub name: String,
    /// End of validity, Unix milliseconds.
    pub not_after_ms: i64,
    /// Where the connection comes from.
    pub remote: SocketAddr,
}

impl PeerIdentity {
    pub(crate) fn read(certificate: &CertificateDer<'_>, remote: SocketAddr) -> Result<Self, RpcError> {
        let facts = CertificateFacts::read(certificate)?;
        Ok(Self {
            serial: facts.serial,
            fingerprint: facts.fingerprint,
            name: facts.name,
            not_after_ms: facts.not_after_ms,
            remote,
        })
    }
}

/// What a certificate says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate (DER).
    pub fingerprint: [u8; 32],
    /// Common name of the subject.
    pub name: String,
    /// Start of validity, Unix milliseconds.
    pub not_before_ms: i64,
    /// End of validity, Unix milliseconds.
    pub not_after_ms: i64,
    /// Its public key (DER, SubjectPublicKeyInfo).
    pub public_key: Vec<u8>,
    /// Whether its owner may serve others, too.
    pub serves: bool,
}

impl CertificateFacts {
    /// Reads a certificate without checking who made it.
    pub fn read(der: &[u8]) -> Result<Self, RpcError> {
        let unreadable = RpcError::KeyFormat { what: "certificate" };
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return Err(unreadable);
        };
        let name = certificate
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok());
        let serial = certificate.raw_serial();
        // A leading zero only says that the number is positive.
        let serial = serial
            .strip_prefix(&[0])
            .filter(|rest| !rest.is_empty())
            .unwrap_or(serial);
        let validity = certificate.validity();
        let usage = certificate.extended_key_usage().ok().flatten();
        Ok(Self {
            serial: serial.iter().map(|byte| format!("{byte:02x}")).collect(),
            fingerprint: sha256(&[der]),
            name: name.unwrap_or_default().to_owned(),
            not_before_ms: validity.not_before.timestamp().saturating_mul(1000),
            not_after_ms: validity.not_after.timestamp().saturating_mul(1000),
            public_key: certificate.public_key().raw.to_vec(),
            serves: usage.is_some_and(|usage| usage.value.server_auth),
        })
    }

    /// The same of the first certificate in a PEM text.
    pub fn read_pem(pem: &str) -> Result<Self, RpcError> {
        Self::read(&crate::tls::first_certificate(pem)?)
    }
}
