//! Sealed files that a relay carries: one goes up piece by piece, and the one that lies there for its bringer comes back
//! the same way. Nobody who carries one can read it; who it is from, and whether it is whole, its reader finds out.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

use crate::convert::PIECE_BYTES;
use crate::error::{FileError, RpcError};
use crate::pb::sync as pb;
use crate::peer_identity::PeerIdentity;
use crate::server::SyncService;
use crate::session::receive_error;
use crate::status::Refusal;

/// Pieces under way in one direction.
const PIECES_WAITING_MAX: usize = 4;
/// Time for the next piece to come.
const PIECE_MAX: Duration = Duration::from_secs(60);
/// Time for a file to be taken and its answer made.
pub(crate) const CARRY_MAX: Duration = Duration::from_secs(600);

pub(crate) type Answer = ReceiverStream<Result<pb::Piece, Status>>;

/// Hands a file that is being brought to the service, and what it answers back, within [`CARRY_MAX`].
pub(crate) fn open<S: SyncService>(
    service: std::sync::Arc<S>,
    peer: PeerIdentity,
    inbound: Streaming<pb::Piece>,
    tasks: &TaskTracker,
    abort: CancellationToken,
) -> Answer {
    let (to_bringer, answer) = mpsc::channel(PIECES_WAITING_MAX);
    let (to_service, pieces) = mpsc::channel(PIECES_WAITING_MAX);
    tasks.spawn(async move {
        let answered = async {
            let answered = match service.carry(peer, pieces).await {
                Ok(Some(file)) => send(tokio::fs::File::from_std(file), &to_bringer).await,
                Ok(None) => Ok(()),
                Err(refusal) => Err(refusal),
            };
            if let Err(refusal) = answered {
                // Where nobody listens any more there is nobody to tell.
                let _ = to_bringer.send(Err(refusal.into_status())).await;
            }
        };
        let carried = async {
            // What comes is read for as long as the service wants it; its answer ends the call.
            tokio::pin!(answered);
            tokio::select! {
                () = &mut answered => return,
                () = bring(inbound, to_service) => {}
            }
            answered.await;
        };
        tokio::select! {
            ended = tokio::time::timeout(CARRY_MAX, carried) => {
                if ended.is_err() {
                    tracing::info!("a file was cut: it took too long");
                }
            }
            () = abort.cancelled() => {}
        }
    });
    ReceiverStream::new(answer)
}

async fn bring(mut inbound: Streaming<pb::Piece>, to_service: mpsc::Sender<Result<Vec<u8>, RpcError>>) {
    loop {
        let piece = match tokio::time::timeout(PIECE_MAX, inbound.message()).await {
            Ok(Ok(Some(piece))) => Ok(piece.part),
            Ok(Ok(None)) => return,
            Ok(Err(status)) => Err(receive_error(status)),
            Err(_) => Err(RpcError::Timeout {
                waiting_for: "next piece of a file",
                after: PIECE_MAX,
            }),
        };
        let last = piece.is_err();
        if to_service.send(piece).await.is_err() || last {
            return;
        }
    }
}

async fn send(
    mut file: tokio::fs::File,
    to_bringer: &mpsc::Sender<Result<pb::Piece, Status>>,
) -> Result<(), Refusal> {
    loop {
        let mut part = vec![0; PIECE_BYTES];
        let read = file.read(&mut part).await;
        let length = read.map_err(|source| {
            let path = std::path::PathBuf::from("answer");
            Refusal::from(&RpcError::File { path, source })
        })?;
        part.truncate(length);
        if length == 0 || to_bringer.send(Ok(pb::Piece { part })).await.is_err() {
            return Ok(());
        }
    }
}

/// The bringer's end: the pieces of a file, if there is one.
pub(crate) fn pieces(
    file: Option<tokio::fs::File>,
) -> (
    impl Future<Output = Result<(), FileError>>,
    ReceiverStream<pb::Piece>,
) {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING_MAX);
    let feed = async move {
        let Some(mut file) = file else { return Ok(()) };
        loop {
            let mut part = vec![0; PIECE_BYTES];
            let length = file.read(&mut part).await?;
            part.truncate(length);
            if length == 0 || sender.send(pb::Piece { part }).await.is_err() {
                return Ok(());
            }
        }
    };
    (feed, ReceiverStream::new(receiver))
}

/// Writes a file that comes in pieces to a path, up to a limit; how many bytes that were. What was written stays there
/// whatever becomes of it.
///
/// # Errors
/// `TooBig`; the connection's and the file's.
pub async fn receive(
    pieces: &mut mpsc::Receiver<Result<Vec<u8>, RpcError>>,
    path: &Path,
    bytes_max: u64,
) -> Result<u64, FileError> {
    let mut to = tokio::fs::File::create(path).await?;
    let mut bytes = 0;
    while let Some(piece) = pieces.recv().await {
        let piece = piece?;
        bytes += piece.len() as u64;
        if bytes > bytes_max {
            return Err(FileError::TooBig { bytes });
        }
        to.write_all(&piece).await?;
    }
    to.flush().await?;
    Ok(bytes)
}
