//! Ends that do not keep to the rules (`reliability.md` 3.4): refused with the right code, and the server lives on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use prost::Message;
use rollcall_core::id::FederationId;
use rollcall_sync::message::{ClientFrame, DigestRequest, SetSum};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::{Code, Status};

use super::loopback::{Aggregator, now_ms};
use crate::accept::ConnectionLimits;
use crate::authority::Authority;
use crate::client::{Client, Timeouts};
use crate::connection::Connection;
use crate::convert::Wire;
use crate::convert::samples::{hello, hello_ack};
use crate::error::RpcError;
use crate::server::ServerConfig;
use crate::session::FRAMES_WAITING_MAX;
use crate::status::Refusal;
use crate::tls;

const HELLO: &str = "/rollcall.sync.v1.Sync/Hello";
const DIGEST: &str = "/rollcall.sync.v1.Sync/Digest";
const EXCHANGE: &str = "/rollcall.sync.v1.Sync/Exchange";
const ENROL: &str = "/rollcall.enrol.v1.Enrol/Enrol";

/// Any bytes as a request; the status that comes back.
async fn say(connection: &mut Connection, path: &str, body: &[u8]) -> Status {
    let uri = format!("{}{path}", connection.origin.to_string().trim_end_matches('/'));
    let body = Body::new(Full::new(Bytes::copy_from_slice(body)));
    let request = http::Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let request = request.body(body).expect("a request");
    let response = tower_service::Service::call(&mut connection.link, request)
        .await
        .expect("a response");
    if let Some(status) = Status::from_header_map(response.headers()) {
        return status;
    }
    let body = response.into_body().collect().await.expect("a body");
    Status::from_header_map(body.trailers().expect("trailers")).expect("a status")
}

fn frame(declared: u32, content: &[u8]) -> Vec<u8> {
    [&[0], declared.to_be_bytes().as_slice(), content].concat()
}

async fn known(aggregator: &Aggregator) -> Connection {
    let config = aggregator.node(now_ms());
    let tls =
        tls::client_config(&config.authority_pem, &config.certificate_pem, &config.key_pem).expect("fits");
    Connection::open(&config.url, tls, None, Timeouts::default())
        .await
        .expect("connects")
}

async fn anonymous(aggregator: &Aggregator) -> Connection {
    let tls = tls::pinned_config(aggregator.desk.authority.fingerprint()).expect("fits");
    Connection::open(&aggregator.url(), tls, None, Timeouts::default())
        .await
        .expect("connects")
}

async fn is_alive(aggregator: &Aggregator) {
    assert_eq!(
        aggregator.connect().await.hello(&hello()).await.expect("answers"),
        hello_ack()
    );
}

#[tokio::test]
async fn without_a_certificate_only_enrolment_answers() {
    let aggregator = Aggregator::start().await;
    let mut connection = anonymous(&aggregator).await;
    let others = [
        "/rollcall.sync.v1.Sync/Digest",
        "/rollcall.sync.v1.Sync/Resolve",
        "/",
        "/x/y",
    ];
    let tricks = [
        "/rollcall.enrol.v1.Enrolment/Enrol",
        "/rollcall.enrol.v1.Enrol",
        "//rollcall.enrol.v1.Enrol/Enrol",
    ];
    for path in [HELLO, EXCHANGE].into_iter().chain(others).chain(tricks) {
        let status = say(&mut connection, path, &frame(0, b"")).await;
        assert_eq!(status.code(), Code::Unauthenticated, "{path}");
    }
    assert_eq!(aggregator.sync.calls.load(Ordering::SeqCst), 0);
    let status = say(&mut connection, ENROL, &frame(0, b"")).await;
    assert_eq!(
        status.code(),
        Code::InvalidArgument,
        "enrolment reads it and finds it empty"
    );
}

#[tokio::test]
async fn certificates_that_do_not_hold_are_refused() {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let aggregator = Aggregator::start().await;
    let foreign = Authority::create("Test authority", now_ms()).expect("creates");
    let server = aggregator
        .desk
        .authority
        .issue_server(&[], now_ms())
        .expect("issues");
    let mut server_as_client = aggregator.node(now_ms());
    server_as_client.certificate_pem = server.certificate_pem;
    server_as_client.key_pem = server.key_pem;
    let table = [
        ("foreign authority", aggregator.node_of(&foreign, now_ms())),
        ("expired", aggregator.node(now_ms() - 181 * DAY_MS)),
        ("not yet valid", aggregator.node(now_ms() + DAY_MS)),
        ("server certificate", server_as_client),
    ];
    for (name, config) in table {
        let client = Client::connect(&config)
            .await
            .expect("TLS 1.3 tells the client later");
        let error = client.hello(&hello()).await.expect_err("refused");
        assert!(
            matches!(error, RpcError::CertificateRefused(_)) && !error.is_transient(),
            "{name}: {error:?}"
        );
    }
    assert_eq!(aggregator.sync.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let (ours, theirs) = (Aggregator::start().await, Aggregator::start().await);
    let mut config = ours.node(now_ms());
    config.url = theirs.url();
    assert!(matches!(
        Client::connect(&config).await,
        Err(RpcError::CaMismatch)
    ));
}

#[tokio::test]
async fn garbage_gets_a_code_and_the_server_lives() {
    let aggregator = Aggregator::start().await;
    let mut connection = known(&aggregator).await;
    let table: [(&str, Vec<u8>, Code, &str); 7] = [
        (
            "no protobuf",
            frame(4, &[0xff; 4]),
            Code::InvalidArgument,
            "ENVELOPE_FORMAT",
        ),
        (
            "an empty frame",
            frame(0, b""),
            Code::InvalidArgument,
            "ENVELOPE_FORMAT",
        ),
        (
            "a hello without ids",
            frame(4, &[0x0a, 0x02, 0x08, 0x01]),
            Code::InvalidArgument,
            "ENVELOPE_FORMAT",
        ),
        (
            "a cut frame",
            frame(400, &[0; 20]),
            Code::InvalidArgument,
            "ENVELOPE_FORMAT",
        ),
        (
            "compression nobody agreed on",
            vec![1, 0, 0, 0, 1, 0],
            Code::InvalidArgument,
            "ENVELOPE_FORMAT",
        ),
        (
            "a megabyte and one",
            frame(1024 * 1024 + 1, &[0; 100]),
            Code::ResourceExhausted,
            "ENVELOPE_TOO_BIG",
        ),
        (
            "two gigabytes announced",
            frame(0x8000_0000, &[0; 100]),
            Code::ResourceExhausted,
            "ENVELOPE_TOO_BIG",
        ),
    ];
    for path in [EXCHANGE, HELLO] {
        for (name, body, code, stable) in &table {
            let status = say(&mut connection, path, body).await;
            let refusal = Refusal::from_status(&status);
            assert_eq!(
                (status.code(), refusal.code.as_str()),
                (*code, *stable),
                "{path}: {name}"
            );
            assert!(!status.details().is_empty(), "{path}: {name}");
        }
    }
    let status = say(&mut connection, "/rollcall.sync.v1.Sync/Unheard", &frame(0, b"")).await;
    assert_eq!(Refusal::from_status(&status).code, "CALL_UNKNOWN");
    let status = say(
        &mut connection,
        HELLO,
        &frame(2 * 1024 * 1024, &vec![0; 2 * 1024 * 1024]),
    )
    .await;
    assert_eq!(
        status.code(),
        Code::ResourceExhausted,
        "two megabytes really sent"
    );
    is_alive(&aggregator).await;
}

#[tokio::test]
async fn a_peer_that_sends_without_end_is_cut_off() {
    let aggregator = Aggregator::start().await;
    let client = aggregator.connect().await;
    let (to_server, mut from_server) = client.exchange();
    let mut first = hello();
    first.version = "deaf".into();
    to_server
        .send(ClientFrame::Hello(Box::new(first)))
        .await
        .expect("open");
    from_server.recv().await.expect("a frame").expect("no error");
    for position in 0..2 * FRAMES_WAITING_MAX as u64 {
        if to_server
            .send(ClientFrame::Applied {
                position,
                set: SetSum::default(),
            })
            .await
            .is_err()
        {
            break;
        }
    }
    let error = tokio::time::timeout(Duration::from_secs(5), from_server.recv())
        .await
        .expect("in time");
    assert_eq!(
        error.expect("an item").expect_err("cut off").code(),
        "TOO_MANY_PENDING"
    );
    is_alive(&aggregator).await;
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed() {
    let config = ServerConfig {
        connections: ConnectionLimits {
            handshake: Duration::from_millis(600),
            ..ConnectionLimits::default()
        },
        connection_idle: Duration::from_millis(300),
        ..ServerConfig::default()
    };
    let aggregator = Aggregator::start_with(config).await;
    let mut silent = TcpStream::connect(aggregator.address).await.expect("connects");
    silent.write_all(&[0x16, 0x03, 0x01]).await.expect("writes");
    let gone = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut [0; 1]))
        .await
        .expect("in time");
    assert!(matches!(gone, Ok(0) | Err(_)), "closed during the handshake");

    let idle = aggregator.connect().await;
    idle.hello(&hello()).await.expect("answers");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!idle.is_open(), "closed without a call");

    // Past the handshake, but no HTTP/2 either.
    let tls = tls::pinned_config(aggregator.desk.authority.fingerprint()).expect("fits");
    let stream = TcpStream::connect(aggregator.address).await.expect("connects");
    let name = "localhost".try_into().expect("a name");
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
    let mut mute = connector.connect(name, stream).await.expect("shakes hands");
    let mut rest = Vec::new();
    let gone = tokio::time::timeout(Duration::from_secs(5), mute.read_to_end(&mut rest)).await;
    assert!(gone.is_ok(), "closed without a preface");
    is_alive(&aggregator).await;
}

#[tokio::test]
async fn an_answer_that_is_not_taken_ends_the_connection() {
    let config = ServerConfig {
        call: Duration::from_millis(400),
        connection_idle: Duration::from_millis(400),
        ..ServerConfig::default()
    };
    let aggregator = Aggregator::start_with(config).await;
    let mut connection = known(&aggregator).await;
    // Six megabytes, of which the client's window takes one.
    let request = DigestRequest {
        scopes: (0..3)
            .map(|_| (FederationId::national(), vec![[1; 8]; 2048]))
            .collect(),
        short: false,
    };
    let wire = request.to_wire().expect("fits").encode_to_vec();
    let uri = format!("{}{DIGEST}", connection.origin.to_string().trim_end_matches('/'));
    let body = Body::new(Full::new(Bytes::from(frame(wire.len() as u32, &wire))));
    let request = http::Request::post(uri).header("content-type", "application/grpc");
    let request = request.body(body).expect("a request");
    let response = tower_service::Service::call(&mut connection.link, request)
        .await
        .expect("a response");
    assert_eq!(response.status(), 200);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!connection.link.is_open(), "cut while the answer lies there");
    drop(response);
    is_alive(&aggregator).await;
}

#[tokio::test]
async fn nobody_holds_more_connections_than_allowed() {
    let connections = ConnectionLimits {
        per_address: 3,
        ..ConnectionLimits::default()
    };
    let aggregator = Aggregator::start_with(ServerConfig {
        connections,
        ..ServerConfig::default()
    })
    .await;
    let node = aggregator.node(now_ms());
    let (first, second) = (
        Client::connect(&node).await.expect("one"),
        Client::connect(&node).await.expect("two"),
    );
    first.hello(&hello()).await.expect("answers");
    second.hello(&hello()).await.expect("answers");
    let third = Client::connect(&node)
        .await
        .expect("the handshake is done before the server knows");
    assert!(third.hello(&hello()).await.is_err(), "two with one certificate");
    first.close().await;
    let fourth = Client::connect(&node).await.expect("a place is free again");
    fourth.hello(&hello()).await.expect("answers");

    let mut strangers = Vec::new();
    for _ in 0..3 {
        strangers.push(anonymous(&aggregator).await);
    }
    let tls = tls::pinned_config(aggregator.desk.authority.fingerprint()).expect("fits");
    assert!(
        Connection::open(&aggregator.url(), tls, None, Timeouts::default())
            .await
            .is_err(),
        "three strangers"
    );
    drop(strangers);
    tokio::time::sleep(Duration::from_millis(200)).await;
    is_alive(&aggregator).await;
}
