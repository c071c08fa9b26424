//! The aggregator's own certificate authority, and key files that only their owner may read.
//! Names come from the caller (the token), never from a certificate request; the time is an argument.

use std::fs;
use std::io::Write;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber, SubjectPublicKeyInfo,
};
use time::{Duration, OffsetDateTime};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use crate::error::RpcError;
use crate::peer_identity::CertificateFacts;

/// Days a client certificate holds (`protocol.md` 1.19).
pub const CLIENT_DAYS: i64 = 180;
/// Days a server certificate holds.
pub const SERVER_DAYS: i64 = 90;
/// Name that every relay serves under: which of them it is does not matter to those who seal what they hand it.
pub const RELAY_NAME: &str = "relay.rollcall";
const ROOT_DAYS: i64 = 20 * 365;
/// Clocks of nodes are allowed to be behind by this much.
const BACKDATED: Duration = Duration::hours(1);
const RSA_BITS_MIN: usize = 3072;

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct KeyAndCertificate {
    /// The certificate, with the root behind it.
    pub certificate_pem: String,
    /// PKCS#8. It is a secret.
    pub key_pem: String,
}

/// A node's new TLS key and the request for its certificate.
#[derive(Clone)]
pub struct CertificateRequest {
    /// PKCS#8. It is a secret and stays on the node.
    pub key_pem: String,
    /// PKCS#10, for `EnrolRequest`.
    pub csr_der: Vec<u8>,
}

impl CertificateRequest {
    /// A new P-256 key. The request names nobody: names are given by whoever issues.
    pub fn generate() -> Result<Self, RpcError> {
        let key = KeyPair::generate()?;
        Self::of(&key)
    }

    /// A request for the key a node has already, to renew.
    pub fn renew(key_pem: &str) -> Result<Self, RpcError> {
        let key = KeyPair::from_pem(key_pem).map_err(|_| RpcError::KeyFormat { what: "TLS key" })?;
        Self::of(&key)
    }

    fn of(key: &KeyPair) -> Result<Self, RpcError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Ok(Self {
            key_pem: key.serialize_pem(),
            csr_der: params.serialize_request(key)?.der().to_vec(),
        })
    }
}

/// The root key with its certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    certificate_der: Vec<u8>,
}

impl Authority {
    /// A new authority.
    pub fn create(name: &str, now_ms: i64) -> Result<Self, RpcError> {
        let mut params = validity(now_ms, ROOT_DAYS)?;
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Self::from_pem(&certificate.pem(), &key.serialize_pem())
    }

    /// A stored authority.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, RpcError> {
        let key = KeyPair::from_pem(key_pem).map_err(|_| RpcError::KeyFormat {
            what: "authority key",
        })?;
        let certificate_der = crate::tls::first_certificate(certificate_pem)?.to_vec();
        if CertificateFacts::read(&certificate_der)?.public_key != key.subject_public_key_info() {
            return Err(RpcError::KeyFormat {
                what: "authority: its key belongs to another certificate, it",
            });
        }
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key)?;
        Ok(Self {
            issuer,
            certificate_pem: certificate_pem.to_owned(),
            certificate_der,
        })
    }

    /// Root certificate, PEM: public.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Root key, PKCS#8 PEM: a secret.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// SHA-256 of the root certificate (DER), as tokens carry it.
    pub fn fingerprint(&self) -> [u8; 32] {
        crate::signing::sha256(&[&self.certificate_der])
    }

    /// A key and a certificate for the server itself: loopback and these host names or addresses.
    pub fn issue_server(&self, names: &[String], now_ms: i64) -> Result<KeyAndCertificate, RpcError> {
        let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        for name in names {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
        let mut params = validity(now_ms, SERVER_DAYS)?;
        params.subject_alt_names = CertificateParams::new(all)?.subject_alt_names;
        params.distinguished_name = common_name("rollcall-aggregator");
        leaf(&mut params, ExtendedKeyUsagePurpose::ServerAuth)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let certificate_pem = format!("{}{}", certificate.pem(), self.certificate_pem);
        Ok(KeyAndCertificate {
            certificate_pem,
            key_pem: key.serialize_pem(),
        })
    }

    /// A client certificate (PEM) for the key of this request, made out to `name` whatever the request says.
    pub fn issue_client(&self, csr_der: &[u8], name: &str, now_ms: i64) -> Result<String, RpcError> {
        self.issue_peer(csr_der, name, false, now_ms)
    }

    /// The same for a node that carries the files of others: it also serves under [`RELAY_NAME`], and under no host's name,
    /// so that it can stand for no aggregator.
    pub fn issue_relay(&self, csr_der: &[u8], name: &str, now_ms: i64) -> Result<String, RpcError> {
        self.issue_peer(csr_der, name, true, now_ms)
    }

    fn issue_peer(&self, csr_der: &[u8], name: &str, relays: bool, now_ms: i64) -> Result<String, RpcError> {
        let public_key = check_request(csr_der, name)?;
        let mut params = validity(now_ms, CLIENT_DAYS)?;
        params.distinguished_name = common_name(name);
        leaf(&mut params, ExtendedKeyUsagePurpose::ClientAuth)?;
        if relays {
            let serving = CertificateParams::new(vec![RELAY_NAME.to_owned()])?;
            params.subject_alt_names = serving.subject_alt_names;
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        Ok(params.signed_by(&public_key, &self.issuer)?.pem())
    }
}

fn validity(now_ms: i64, days: i64) -> Result<CertificateParams, RpcError> {
    let now = OffsetDateTime::from_unix_timestamp(now_ms.div_euclid(1000)).map_err(|_| rcgen::Error::Time)?;
    let mut params = CertificateParams::default();
    params.not_before = now.checked_sub(BACKDATED).ok_or(rcgen::Error::Time)?;
    params.not_after = now.checked_add(Duration::days(days)).ok_or(rcgen::Error::Time)?;
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn leaf(params: &mut CertificateParams, usage: ExtendedKeyUsagePurpose) -> Result<(), RpcError> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| RpcError::Random)?;
    // Positive and of full length, so that its text is the same wherever it is read.
    serial[0] = serial[0] & 0x3f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    Ok(())
}

/// The key of a request that is signed by that very key, strong enough, and asks for nothing beyond `name`.
fn check_request(csr_der: &[u8], name: &str) -> Result<SubjectPublicKeyInfo, RpcError> {
    let (rest, csr) = X509CertificationRequest::from_der(csr_der).map_err(|_| RpcError::CsrInvalid)?;
    let info = &csr.certification_request_info;
    let key = info.subject_pki.parsed().map_err(|_| RpcError::CsrInvalid)?;
    let strong = match key {
        PublicKey::RSA(rsa) => rsa.key_size() >= RSA_BITS_MIN,
        PublicKey::EC(point) => point.key_size() >= 256,
        PublicKey::Unknown(_) => true,
        _ => false,
    };
    if !strong {
        return Err(RpcError::KeyWeak);
    }
    if !rest.is_empty() || csr.verify_signature().is_err() {
        return Err(RpcError::CsrInvalid);
    }
    let names_fit = info.subject.iter_attributes().all(|attribute| {
        *attribute.attr_type() == x509_parser::oid_registry::OID_X509_COMMON_NAME
            && attribute.as_str().is_ok_and(|text| text == name)
    });
    let rights_fit = csr
        .requested_extensions()
        .into_iter()
        .flatten()
        .all(|extension| match extension {
            ParsedExtension::BasicConstraints(constraints) => !constraints.ca,
            ParsedExtension::SubjectAlternativeName(_) => false,
            // Usages and the like are ignored: the issued certificate has its own.
            _ => true,
        });
    if !names_fit || info.subject.iter_attributes().count() > 1 || !rights_fit {
        return Err(RpcError::CsrExtra);
    }
    // Kinds of keys that the authority cannot certify fail here.
    SubjectPublicKeyInfo::from_der(info.subject_pki.raw).map_err(|_| RpcError::KeyWeak)
}

/// The public key (DER, SubjectPublicKeyInfo) that a request is for.
pub(crate) fn request_key(csr_der: &[u8]) -> Result<Vec<u8>, RpcError> {
    let (_, csr) = X509CertificationRequest::from_der(csr_der).map_err(|_| RpcError::CsrInvalid)?;
    Ok(csr.certification_request_info.subject_pki.raw.to_vec())
}

/// Writes a secret that its owner alone may read; an existing file is replaced as a whole.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), RpcError> {
    let file_error = |source| RpcError::File {
        path: path.to_owned(),
        source,
    };
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file_error(error)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh).map_err(file_error)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(file_error)?;
    fs::rename(&fresh, path).map_err(file_error)
}

/// Reads a secret; refuses one that others on this machine may read.
pub fn read_private(path: &Path) -> Result<Vec<u8>, RpcError> {
    let file_error = |source| RpcError::File {
        path: path.to_owned(),
        source,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(file_error)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(RpcError::KeyMode {
                path: path.to_owned(),
                mode,
            });
        }
    }
    fs::read(path).map_err(file_error)
}

#[cfg(test)]
mod tests;
