//! A line with a long way: carries TCP connections to an address and lets every byte arrive later, in either direction,
//! however many there are. Owns the delay alone; it loses nothing, reorders nothing and limits no rate.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Bytes read at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces on their way in one direction; more than the windows of a connection let anybody send.
const PIECES_MAX: usize = 1024;

/// A line; it is gone when this is dropped.
pub(crate) struct SlowLine {
    address: SocketAddr,
    _runtime: Runtime,
}

impl SlowLine {
    /// A line to `host:port` on which a way there and back takes so long.
    pub(crate) fn open(target: &str, round_trip: Duration) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("start the runtime")?;
        let target = target.to_owned();
        let address = runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let address = listener.local_addr()?;
            tokio::spawn(accept(listener, target, round_trip));
            anyhow::Ok(address)
        });
        Ok(Self {
            address: address.context("open the slow line")?,
            _runtime: runtime,
        })
    }

    /// Where it begins, `host:port`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }
}

async fn accept(listener: TcpListener, target: String, round_trip: Duration) {
    while let Ok((near, _)) = listener.accept().await {
        // Over a long way a connection is made only after a round trip; here the kernel made it at once. What is said
        // before that time counts as said then.
        let made = Instant::now() + round_trip;
        let target = target.clone();
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect(&target).await else {
                return;
            };
            if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
                return;
            }
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::join!(
                carry(near_read, far_write, made, round_trip / 2),
                carry(far_read, near_write, made, round_trip / 2),
            );
        });
    }
}

/// Carries one direction to its end.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, made: Instant, way: Duration) {
    let (pieces, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let read = async move {
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let Ok(count @ 1..) = from.read(&mut piece).await else {
                break;
            };
            piece.truncate(count);
            let said = Instant::now().max(made);
            if pieces.send((said + way, piece)).await.is_err() {
                break;
            }
        }
    };
    let write = async move {
        while let Some((at, piece)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        // The other end hears of the end like of everything else; one that is gone already needs no word.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_question_on_a_new_connection_takes_two_round_trips_and_the_next_one_takes_one() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let target = listener.local_addr().expect("an address").to_string();
        let echo = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut piece = [0; 5];
            while stream.read_exact(&mut piece).is_ok() {
                stream.write_all(&piece).expect("written");
            }
        });
        let round_trip = Duration::from_millis(60);
        let line = SlowLine::open(&target, round_trip).expect("a line");
        let mut stream = std::net::TcpStream::connect(line.address()).expect("a connection");
        for trips in [2, 1] {
            let begun = Instant::now();
            stream.write_all(b"hello").expect("written");
            let mut piece = [0; 5];
            stream.read_exact(&mut piece).expect("an answer");
            assert_eq!(&piece, b"hello");
            let took = begun.elapsed();
            assert!(took >= round_trip * trips, "{took:?} for {trips} round trips");
        }
        drop(stream);
        echo.join().expect("the end is heard, too");
    }
}
