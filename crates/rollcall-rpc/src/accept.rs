//! The accept loop: TCP, TLS with a time limit, and how many connections anybody may hold.
//! tonic's own loop has no limit on any of these (`reliability.md` 5.2). What is said on a connection is
//! `server`'s.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::peer_identity::PeerIdentity;
use crate::tls::ServerTls;

/// How long a peer that was refused may take to close its end.
const PARTING: Duration = Duration::from_secs(1);
/// What it may still send meanwhile.
const PARTING_BYTES_MAX: u64 = 64 * 1024;

/// How many connections there may be, and how long a handshake may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub total: usize,
    /// From one address without a certificate, handshakes under way included.
    pub per_address: usize,
    /// With one certificate.
    pub per_certificate: usize,
    /// Time for the TLS handshake.
    pub handshake: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            total: 4096,
            per_address: 64,
            per_certificate: 2,
            handshake: Duration::from_secs(5),
        }
    }
}

/// A connection past its handshake; it counts until it is dropped.
pub(crate) struct Accepted {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) peer: Option<PeerIdentity>,
    pub(crate) remote: SocketAddr,
    _permit: OwnedSemaphorePermit,
    _place: Box<dyn Send + Sync>,
}

/// Accepts until `shutdown`; each connection is handled in a task of `tasks`.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    tls: ServerTls,
    limits: ConnectionLimits,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
    handle: impl Fn(Accepted) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send,
{
    let total = Arc::new(Semaphore::new(limits.total));
    let addresses = Arc::new(Counter::new(limits.per_address));
    let certificates = Arc::new(Counter::new(limits.per_certificate));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            // Too many open files, or a connection reset before it was taken: the loop must live on.
            Err(error) => {
                tracing::warn!("accept failed: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&total).try_acquire_owned() else {
            tracing::warn!(peer.address = %remote, "connection refused: {} are open", limits.total);
            continue;
        };
        let Some(place) = addresses.take(remote.ip().to_canonical()) else {
            tracing::warn!(peer.address = %remote, "connection refused: too many from this address");
            continue;
        };
        let acceptor = TlsAcceptor::from(tls.current());
        let (certificates, handle) = (Arc::clone(&certificates), handle.clone());
        tasks.spawn(async move {
            let Some((stream, peer)) = shake_hands(acceptor, stream, remote, limits.handshake).await else {
                return;
            };
            // The address counts only until we know who it is.
            let place: Box<dyn Send + Sync> = match &peer {
                None => Box::new(place),
                Some(peer) => {
                    drop(place);
                    let Some(place) = certificates.take(peer.fingerprint) else {
                        tracing::warn!(
                            peer.id = peer.name,
                            "connection refused: too many with this certificate"
                        );
                        return;
                    };
                    Box::new(place)
                }
            };
            handle(Accepted {
                stream,
                peer,
                remote,
                _permit: permit,
                _place: place,
            })
            .await;
        });
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    remote: SocketAddr,
    limit: Duration,
) -> Option<(TlsStream<TcpStream>, Option<PeerIdentity>)> {
    let handshake = async {
        if let Err(error) = stream.set_nodelay(true) {
            return Err((error, stream));
        }
        acceptor.accept(stream).into_fallible().await
    };
    let stream = match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err((error, stream))) => {
            tracing::info!(peer.address = %remote, "connection refused: {error}");
            part(stream).await;
            return None;
        }
        Err(_) => {
            tracing::info!(peer.address = %remote, "connection refused: no TLS handshake in time");
            return None;
        }
    };
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first());
    match certificate
        .map(|certificate| PeerIdentity::read(certificate, remote))
        .transpose()
    {
        Ok(peer) => Some((stream, peer)),
        Err(error) => {
            tracing::info!(peer.address = %remote, "connection refused: {error}");
            None
        }
    }
}

/// Lets the peer read why it was refused: closed with something unread, the connection would be reset, and the alert lost.
async fn part(mut stream: TcpStream) {
    let read_out = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(PARTING_BYTES_MAX), &mut tokio::io::sink()).await
    };
    // Whoever stays longer or is gone already hears no more.
    drop(tokio::time::timeout(PARTING, read_out).await);
}

/// Counts who holds how many, up to a limit.
struct Counter<K: Hash + Eq> {
    held: Mutex<HashMap<K, usize>>,
    limit: usize,
}

impl<K: Hash + Eq + Clone> Counter<K> {
    fn new(limit: usize) -> Self {
        Self {
            held: Mutex::new(HashMap::new()),
            limit,
        }
    }

    fn take(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(key.clone()).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place {
            counter: Arc::clone(self),
            key,
        })
    }
}

/// One of those places, given back on drop.
struct Place<K: Hash + Eq> {
    counter: Arc<Counter<K>>,
    key: K,
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.counter.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back_and_forgotten() {
        let counter = Arc::new(Counter::new(2));
        let (first, second) = (counter.take(1), counter.take(1));
        assert!(first.is_some() && second.is_some() && counter.take(1).is_none());
        assert!(counter.take(2).is_some(), "another key has places of its own");
        drop(first);
        assert!(counter.take(1).is_some());
        drop(second);
        assert!(counter.held.lock().expect("not poisoned").is_empty());
    }
}
