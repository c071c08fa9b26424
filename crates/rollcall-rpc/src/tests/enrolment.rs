//! Enrolment: from a token to a certificate that is accepted, and everything that must not lead there.

use std::sync::atomic::Ordering;

use rollcall_core::id::StoreId;

use super::loopback::{Aggregator, now_ms};
use crate::authority::{Authority, CertificateRequest};
use crate::client::{Client, ClientConfig, Timeouts};
use crate::convert::samples::hello;
use crate::enrolment::{EnrolAnswer, Enrolment};
use crate::error::RpcError;
use crate::signing::SigningKey;
use crate::token::EnrolmentToken;

async fn enrol(url: &str, token: &EnrolmentToken, csr_der: &[u8]) -> Result<EnrolAnswer, RpcError> {
    let signing_key = SigningKey::generate().expect("random");
    let enrolment = Enrolment {
        token,
        csr_der,
        signing_key: &signing_key,
        store_id: StoreId([1; 16]),
        node_name: None,
    };
    Client::enrol(url, &enrolment, None, Timeouts::default()).await
}

#[tokio::test]
async fn a_token_leads_to_a_certificate_that_is_accepted() {
    let aggregator = Aggregator::start().await;
    let request = CertificateRequest::generate().expect("request");
    // As the administrator handed it over: on paper.
    let token = aggregator.desk.token.to_string().parse().expect("reads");
    let answer = enrol(&aggregator.url(), &token, &request.csr_der)
        .await
        .expect("enrols");
    assert_eq!(answer.name, "node-330106");
    assert_eq!(answer.batch_key, Some(crate::seal_key::Recipient([8; 32])));
    let config = ClientConfig {
        url: aggregator.url(),
        authority_pem: answer.authority_pem,
        certificate_pem: answer.certificate_pem,
        key_pem: request.key_pem,
        server_name: None,
        timeouts: Timeouts::default(),
    };
    let client = Client::connect(&config).await.expect("connects");
    client.hello(&hello()).await.expect("answers");
}

#[tokio::test]
async fn another_authority_is_refused_before_anything_is_said() {
    let aggregator = Aggregator::start().await;
    let request = CertificateRequest::generate().expect("request");
    let mut token = aggregator.desk.token.clone();
    token.ca_fingerprint[31] ^= 1;
    let error = enrol(&aggregator.url(), &token, &request.csr_der)
        .await
        .expect_err("refused");
    assert!(
        matches!(error, RpcError::CaMismatch) && error.code() == "CA_MISMATCH",
        "{error:?}"
    );
    assert_eq!(aggregator.desk.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_merely_shows_the_right_root_is_refused() {
    let real = Authority::create("Test authority", now_ms()).expect("creates");
    let impostor = Authority::create("Test authority", now_ms()).expect("creates");
    let mut server = impostor.issue_server(&[], now_ms()).expect("issues");
    server.certificate_pem = server
        .certificate_pem
        .replace(impostor.certificate_pem(), real.certificate_pem());
    let aggregator = Aggregator::start().await;
    aggregator
        .tls
        .renew(&server, real.certificate_pem())
        .expect("fits");
    let token = EnrolmentToken::generate(real.fingerprint()).expect("random");
    let request = CertificateRequest::generate().expect("request");
    let error = enrol(&aggregator.url(), &token, &request.csr_der)
        .await
        .expect_err("refused");
    assert!(matches!(error, RpcError::CaMismatch), "{error:?}");
    assert_eq!(aggregator.desk.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn tokens_and_requests_that_are_not_in_order_get_their_code() {
    let aggregator = Aggregator::start().await;
    let good = CertificateRequest::generate().expect("request").csr_der;
    let weak = include_bytes!("../authority/rsa2048.csr").to_vec();
    let cut = good[..good.len() - 1].to_vec();
    let mut unknown = aggregator.desk.token.clone();
    unknown.secret[0] ^= 1;
    let table = [
        (&unknown, &good, "TOKEN_UNKNOWN"),
        (&aggregator.desk.token, &weak, "KEY_WEAK"),
        (&aggregator.desk.token, &cut, "CSR_INVALID"),
    ];
    for (token, csr, code) in table {
        let error = enrol(&aggregator.url(), token, csr).await.expect_err("refused");
        assert_eq!(error.code(), code);
    }
}

#[tokio::test]
async fn a_signing_key_that_is_not_at_hand_is_refused() {
    let aggregator = Aggregator::start().await;
    let csr = CertificateRequest::generate().expect("request").csr_der;
    let (mine, other) = (
        SigningKey::generate().expect("random"),
        SigningKey::generate().expect("random"),
    );
    let token = &aggregator.desk.token;
    let enrolment = Enrolment {
        token,
        csr_der: &csr,
        signing_key: &mine,
        store_id: StoreId([1; 16]),
        node_name: None,
    };
    let mut wire = enrolment.to_wire();
    wire.signing_key = other.verifying_key().0.to_vec();
    let remote = aggregator.address;
    let result = crate::enrolment::EnrolRequest::from_wire(wire, remote, None);
    assert!(matches!(result, Err(RpcError::SignatureBad)));
    assert!(crate::enrolment::EnrolRequest::from_wire(enrolment.to_wire(), remote, None).is_ok());
}
