//! What the authority issues, and what it refuses to.

use super::*;

const NOW_MS: i64 = 1_795_000_000_000;
const DAY_MS: i64 = 24 * 3600 * 1000;

fn authority() -> Authority {
    Authority::create("Test authority", NOW_MS).expect("creates")
}

fn request(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    change(&mut params);
    params
        .serialize_request(&KeyPair::generate().expect("key"))
        .expect("request")
        .der()
        .to_vec()
}

#[test]
fn a_client_certificate_carries_the_name_of_the_token_and_180_days() {
    let request = CertificateRequest::generate().expect("request");
    let pem = authority()
        .issue_client(&request.csr_der, "node-330106", NOW_MS)
        .expect("issues");
    let facts = CertificateFacts::read_pem(&pem).expect("reads");
    assert_eq!(facts.name, "node-330106");
    assert_eq!(facts.not_after_ms, NOW_MS + CLIENT_DAYS * DAY_MS);
    assert!(facts.not_before_ms < NOW_MS);
    assert_eq!(facts.serial.len(), 32);
}

#[test]
fn a_renewal_keeps_the_key() {
    let first = CertificateRequest::generate().expect("request");
    let again = CertificateRequest::renew(&first.key_pem).expect("request");
    let authority = authority();
    let key = |csr: &[u8]| {
        let pem = authority.issue_client(csr, "n", NOW_MS).expect("issues");
        CertificateFacts::read_pem(&pem).expect("reads").public_key
    };
    assert_eq!(key(&first.csr_der), key(&again.csr_der));
}

#[test]
fn a_stored_authority_is_the_same_authority() {
    let authority = authority();
    let again = Authority::from_pem(authority.certificate_pem(), &authority.key_pem()).expect("reads");
    assert_eq!(again.fingerprint(), authority.fingerprint());
    let other = Authority::create("Test authority", NOW_MS).expect("creates");
    assert_ne!(other.fingerprint(), authority.fingerprint());
    assert!(Authority::from_pem(authority.certificate_pem(), &other.key_pem()).is_err());
}

#[test]
fn requests_that_are_not_in_order_get_their_code() {
    let good = request(|_| ());
    let mut flipped = good.clone();
    *flipped.last_mut().expect("not empty") ^= 1;
    let trailing = [good.as_slice(), &[0]].concat();
    let named = |names: &'static [&'static str]| {
        request(move |params| {
            for name in names {
                params.distinguished_name.push(DnType::CommonName, *name);
            }
        })
    };
    let table: [(&str, Vec<u8>, Option<&str>); 11] = [
        ("no names", good.clone(), None),
        ("the very name", named(&["node"]), None),
        (
            "usage, ignored",
            request(|p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
            None,
        ),
        ("another name", named(&["other"]), Some("CSR_EXTRA")),
        (
            "an organisation",
            request(|p| p.distinguished_name.push(DnType::OrganizationName, "node")),
            Some("CSR_EXTRA"),
        ),
        (
            "an authority",
            request(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            Some("CSR_EXTRA"),
        ),
        (
            "a host name",
            request(|p| {
                p.subject_alt_names = vec![rcgen::SanType::DnsName("x.example".try_into().expect("name"))]
            }),
            Some("CSR_EXTRA"),
        ),
        ("signature flipped", flipped, Some("CSR_INVALID")),
        ("trailing byte", trailing, Some("CSR_INVALID")),
        ("cut", good[..good.len() - 1].to_vec(), Some("CSR_INVALID")),
        (
            "RSA of 2048 bits",
            include_bytes!("rsa2048.csr").to_vec(),
            Some("KEY_WEAK"),
        ),
    ];
    let authority = authority();
    for (name, csr, code) in table {
        let result = authority.issue_client(&csr, "node", NOW_MS);
        assert_eq!(
            result.err().map(|error| error.code().to_owned()).as_deref(),
            code,
            "{name}"
        );
    }
}

#[test]
fn rsa_of_3072_bits_is_taken() {
    let csr = include_bytes!("rsa3072.csr");
    authority().issue_client(csr, "node", NOW_MS).expect("issues");
}

#[cfg(unix)]
#[test]
fn key_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("authority.key");
    write_private(&path, b"one").expect("writes");
    write_private(&path, b"two").expect("replaces");
    assert_eq!(
        fs::metadata(&path).expect("there").permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(read_private(&path).expect("reads"), b"two");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opens up");
    assert!(matches!(
        read_private(&path),
        Err(RpcError::KeyMode { mode: 0o644, .. })
    ));
}
