//! Ends that speak TLS and HTTP/2 by hand against the real aggregator (`reliability.md` 3.4, H1, H6, H9 to H11): floods,
//! stalls and bombs are cut off or bounded, memory stays where it was, and a node beside them is served.

use std::io::Read;
use std::net::TcpStream as PlainStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollcall_rpc::authority::{Authority, CertificateRequest};
use rollcall_rpc::{Client, ClientConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{Aggregator, full};
use crate::peer::{Hostile, runtime};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a frame is short")
        .to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// One header as HPACK writes it without tables.
fn header(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("below 127");
    [
        &[0, length(name)],
        name.as_bytes(),
        &[length(value)],
        value.as_bytes(),
    ]
    .concat()
}

/// The headers of a call.
fn call(path: &str) -> Vec<u8> {
    [
        header(":method", "POST"),
        header(":scheme", "https"),
        header(":authority", "localhost"),
        header(":path", path),
        header("content-type", "application/grpc"),
        header("te", "trailers"),
    ]
    .concat()
}

const EXCHANGE: &str = "/rollcall.sync.v1.Sync/Exchange";

/// TLS 1.3 as the node of these keys.
async fn open(config: &ClientConfig) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(config.authority_pem.as_bytes()) {
        roots.add(root.expect("a certificate")).expect("a root");
    }
    let chain = CertificateDer::pem_slice_iter(config.certificate_pem.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("a chain");
    let key = PrivateKeyDer::from_pem_slice(config.key_pem.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .expect("a certificate and its key");
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let address = config.url.strip_prefix("https://").expect("an address");
    let stream = TcpStream::connect(address).await.expect("a connection");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connector = TlsConnector::from(Arc::new(tls));
    connector.connect(name, stream).await.expect("a handshake")
}

/// Writes as long as it is taken, in pieces; whether the other end has closed.
async fn pour(stream: &mut TlsStream<TcpStream>, bytes: &[u8], times: usize) -> bool {
    let piece = bytes.repeat((32 * 1024 / bytes.len()).max(1));
    let pieces = times.div_ceil((32 * 1024 / bytes.len()).max(1));
    for _ in 0..pieces {
        let wrote = tokio::time::timeout(Duration::from_secs(2), stream.write_all(&piece)).await;
        match wrote {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return true,
            // It takes no more: whoever does not read our answers to its flood has to wait.
            Err(_) => return false,
        }
    }
    let mut rest = vec![0; 64 * 1024];
    loop {
        match tokio::time::timeout(Duration::from_millis(300), stream.read(&mut rest)).await {
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) => {}
            Err(_) => return false,
        }
    }
}

/// Many frames of one sort.
struct Flood {
    name: &'static str,
    /// Whether the other end has to close.
    cut: bool,
    /// What is said before.
    before: Vec<u8>,
    bytes: Vec<u8>,
    times: usize,
}

/// H9: each flood with many frames; most have to be cut off.
#[test]
fn floods_of_frames_are_cut_off_or_bounded_and_others_are_served() {
    let aggregator = Aggregator::start();
    let (node, neighbour) = (aggregator.node("330106", &[]), aggregator.node("330105", &[]));
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let many = if full() { 200_000 } else { 20_000 };
    let resets: Vec<u8> = (0..many.min(20_000))
        .flat_map(|number| {
            let stream = 2 * u32::try_from(number).expect("few") + 1;
            [
                frame(HEADERS, END_HEADERS, stream, &call(EXCHANGE)),
                frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
            ]
            .concat()
        })
        .collect();
    // A table entry of 4,000 bytes, named again by a single byte each.
    let mut bomb = call(EXCHANGE);
    bomb.extend([0x40, 1, b'x', 127, 0xa1, 0x1e]);
    bomb.extend([b'a'; 4_000]);
    bomb.extend(vec![0xbe; 12_000]);
    let opened = frame(HEADERS, END_HEADERS, 1, &call(EXCHANGE));
    let begun = frame(HEADERS, 0, 1, &call(EXCHANGE));
    let no_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let flood = |name, cut, before: &[u8], bytes, times| Flood {
        name,
        cut,
        before: before.to_vec(),
        bytes,
        times,
    };
    let floods = [
        flood("streams reset as soon as they are open", true, &[], resets, 1),
        flood(
            "headers without end",
            true,
            &begun,
            frame(CONTINUATION, 0, 1, &vec![0x82; 16_000]),
            many / 20,
        ),
        flood("empty data", true, &opened, frame(DATA, 0, 1, &[]), many),
        flood(
            "settings",
            false,
            &[],
            frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]),
            many,
        ),
        flood("pings", false, &[], frame(PING, 0, 0, &[7; 8]), many),
        flood(
            "headers that unpack to megabytes",
            false,
            &[],
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb),
            1,
        ),
        flood("no window for any answer", false, &no_window, opened.clone(), 1),
    ];
    let calm = Instant::now();
    assert_eq!(neighbour.sync()["outcome"], "in_sync");
    let calm = calm.elapsed();
    for Flood {
        name,
        cut,
        before,
        bytes,
        times,
    } in floods
    {
        let resident = aggregator.resident_kib();
        let closed = runtime().block_on(async {
            let mut stream = open(&hostile.config).await;
            let greeting = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &before].concat();
            stream.write_all(&greeting).await.expect("a greeting");
            let closed = pour(&mut stream, &bytes, times).await;
            // While it is still there, the neighbour is served.
            let begun = Instant::now();
            let outcome = neighbour.sync();
            assert_eq!(outcome["outcome"], "in_sync", "{name}: {outcome}");
            assert!(
                begun.elapsed() < 2 * calm + Duration::from_secs(2),
                "{name}: the neighbour waits {:?}",
                begun.elapsed()
            );
            closed
        });
        assert!(closed || !cut, "{name}: goes on for ever");
        let grown = aggregator.resident_kib().saturating_sub(resident);
        assert!(grown < 50 * 1024, "{name}: the aggregator grew by {grown} KiB");
    }
    assert_eq!(
        node.sync()["outcome"],
        "in_sync",
        "even the node that did all this"
    );
}

/// H6: lengths and compressions that are lies.
#[test]
fn messages_that_lie_about_their_length_cost_nothing() {
    let aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let resident = aggregator.resident_kib();
    let lies: [(&str, Vec<u8>); 4] = [
        (
            "four megabytes and one",
            [&[0][..], &(4 * 1024 * 1024 + 1_u32).to_be_bytes(), &[0; 60]].concat(),
        ),
        (
            "two gigabytes",
            [&[0][..], &0x8000_0000_u32.to_be_bytes(), &[0; 60]].concat(),
        ),
        ("compression nobody knows", vec![1, 0, 0, 0, 4, 1, 2, 3, 4]),
        ("half a frame", vec![0, 0, 0, 9, 9, 1]),
    ];
    for (name, body) in lies {
        let answer = runtime().block_on(async {
            let mut stream = open(&hostile.config).await;
            let request = [
                PREFACE,
                &frame(SETTINGS, 0, 0, &[]),
                &frame(HEADERS, END_HEADERS, 1, &call(EXCHANGE)),
                &frame(DATA, END_STREAM, 1, &body),
            ];
            stream.write_all(&request.concat()).await.expect("sent");
            let mut heard = Vec::new();
            let mut piece = [0; 4096];
            // The answer is complete with a frame of headers that ends the stream.
            while !ends_stream(&heard) {
                let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut piece)).await;
                match read.expect("an answer in time") {
                    Ok(0) | Err(_) => break,
                    Ok(count) => heard.extend(&piece[..count]),
                }
            }
            heard
        });
        assert!(ends_stream(&answer), "{name}: no status");
    }
    let grown = aggregator.resident_kib().saturating_sub(resident);
    assert!(grown < 8 * 1024, "the aggregator grew by {grown} KiB");
    assert_eq!(node.sync()["outcome"], "in_sync");
}

/// Whether these bytes hold the last frame of the first stream.
fn ends_stream(mut bytes: &[u8]) -> bool {
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let ours = head[5..9] == 1_u32.to_be_bytes();
        if ours && (head[4] & END_STREAM != 0 && head[3] <= HEADERS || head[3] == RST_STREAM) {
            return true;
        }
        match rest.split_at_checked(length) {
            Some((_, next)) => bytes = next,
            None => return false,
        }
    }
    false
}

/// H1: certificates that do not hold, made by the aggregator's own authority where that is what it takes.
#[test]
fn certificates_that_do_not_hold_reach_no_call() {
    const DAY_MS: i64 = 86_400_000;
    let aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let now_ms = std::fs::metadata(aggregator.store())
        .and_then(|file| file.modified())
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map(|since| i64::try_from(since.as_millis()).expect("a time"))
        .expect("the store has a date");
    let keys = aggregator.data().join("keys");
    let read = |name: &str| {
        rollcall_rpc::authority::read_private(&keys.join(name))
            .or_else(|_| std::fs::read(keys.join(name)))
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
    };
    let own = own_authority(&read);
    let foreign = Authority::create("Another authority", now_ms).expect("an authority");
    let issue = |authority: &Authority, issued_ms: i64| {
        let request = CertificateRequest::generate().expect("a request");
        ClientConfig {
            certificate_pem: authority
                .issue_client(&request.csr_der, "node", issued_ms)
                .expect("a certificate"),
            key_pem: request.key_pem,
            ..hostile.config.clone()
        }
    };
    let server = own.issue_server(&[], now_ms).expect("a certificate");
    let table = [
        ("another authority", issue(&foreign, now_ms)),
        ("expired", issue(&own, now_ms - 200 * DAY_MS)),
        ("not yet valid", issue(&own, now_ms + 2 * DAY_MS)),
        (
            "a server's certificate",
            ClientConfig {
                certificate_pem: server.certificate_pem,
                key_pem: server.key_pem,
                ..hostile.config.clone()
            },
        ),
        ("of our authority, but enrolled nowhere", issue(&own, now_ms)),
    ];
    for (name, config) in table {
        let error = runtime().block_on(async {
            let client = Client::connect(&config).await.expect("TLS 1.3 tells later");
            let batch = hostile.batch(Vec::new());
            client.hello(&hostile.hello(&batch)).await.expect_err("refused")
        });
        let code = error.code().to_owned();
        // The alert may be overtaken by the end of the connection.
        let expected: &[&str] = if name.contains("enrolled nowhere") {
            &["PEER_UNKNOWN"]
        } else {
            &["CERTIFICATE_REFUSED", "CONNECTION_CLOSED"]
        };
        assert!(expected.contains(&code.as_str()), "{name}: {code}");
    }
    assert_eq!(node.sync()["outcome"], "in_sync");
}

/// The authority of an aggregator, out of its folder.
fn own_authority(read: &dyn Fn(&str) -> Option<String>) -> Authority {
    let (certificate, key) = (
        read("authority.pem").expect("a certificate"),
        read("authority-key.pem").expect("a key"),
    );
    Authority::from_pem(&certificate, &key).expect("an authority")
}

/// H10 and H11: connections that never speak, and more of them than anybody may have.
#[test]
fn silent_connections_are_closed_and_counted() {
    let aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let address = hostile
        .config
        .url
        .strip_prefix("https://")
        .expect("an address")
        .to_owned();
    let many = if full() { 2_000 } else { 150 };
    let begun = Instant::now();
    let held: Vec<PlainStream> = (0..many)
        .filter_map(|_| PlainStream::connect(&address).ok())
        .collect();
    // Sixty-four of one address may wait for their handshake; the others are closed at once.
    std::thread::sleep(Duration::from_millis(300));
    let waiting = held.iter().filter(|stream| is_open(stream)).count();
    assert!(waiting <= 64, "{waiting} of {many} connections are still open");
    // Those of a node with a certificate count apart: it gets in as soon as one of the others is gone.
    drop(held);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(node.sync()["outcome"], "in_sync");

    let served = runtime().block_on(async {
        let mut connections = Vec::new();
        for _ in 0..6 {
            let mut stream = open(&hostile.config).await;
            let greeting = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
            if stream.write_all(&greeting).await.is_ok() {
                connections.push(stream);
            }
        }
        let mut served = 0;
        for stream in &mut connections {
            let mut piece = [0; 256];
            let first = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut piece)).await;
            served += usize::from(matches!(first, Ok(Ok(1..))));
        }
        served
    });
    assert_eq!(served, 2, "two connections with one certificate");

    // A handshake that is never finished ends after five seconds.
    let mut silent = PlainStream::connect(&address).expect("a connection");
    std::io::Write::write_all(&mut silent, &[0x16, 0x03, 0x01]).expect("sent");
    silent
        .set_read_timeout(Some(Duration::from_secs(8)))
        .expect("set");
    let waited = Instant::now();
    let end = silent.read(&mut [0; 16]);
    assert!(matches!(end, Ok(0) | Err(_)) && waited.elapsed() < Duration::from_secs(7));
    if full() {
        // So does the first line of a request to the console, after ten.
        let web = aggregator.web();
        let mut slow = PlainStream::connect(web.trim_end_matches('/')).expect("a connection");
        std::io::Write::write_all(&mut slow, b"GET / HTTP/1.1\r\nHost: lo").expect("sent");
        slow.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let waited = Instant::now();
        let mut rest = Vec::new();
        let end = slow.read_to_end(&mut rest);
        assert!(
            end.is_ok() && waited.elapsed() < Duration::from_secs(15),
            "{end:?}"
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(60));
}

fn is_open(stream: &PlainStream) -> bool {
    stream.set_nonblocking(true).expect("set");
    let mut peeked = [0; 1];
    match stream.peek(&mut peeked) {
        Ok(0) => false,
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}
