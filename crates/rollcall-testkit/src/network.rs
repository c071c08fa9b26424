//! The network of a simulation: sessions as two queues of frames, and calls that wait for an answer.
//! Owns what a link is; what happens to a frame on its way is decided by the world.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_replica::runner::link::Link;
use rollcall_sync::message::{
    Batch, ClientFrame, DigestAnswer, DigestRequest, ResolveAnswer, ResolveRequest, ServerFrame,
};
use tokio::sync::{mpsc, oneshot};

use crate::task::Task;

/// Why a frame or an answer never came.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: the simulated link failed")]
pub(crate) struct Cut {
    pub(crate) code: String,
}

/// A question of a node with its answer's way back.
pub(crate) enum Call {
    Digest(DigestRequest, oneshot::Sender<DigestAnswer>),
    Resolve(ResolveRequest, oneshot::Sender<ResolveAnswer>),
}

/// A stream that a node has opened.
pub(crate) struct Opened {
    pub(crate) office: usize,
    pub(crate) up: mpsc::Receiver<ClientFrame>,
    pub(crate) down: mpsc::Sender<Result<ServerFrame, Cut>>,
}

/// What links have asked for and the world has not seen yet.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) opened: Vec<Opened>,
    pub(crate) calls: VecDeque<(usize, Call)>,
}

/// A node's connection.
pub(crate) struct SimulatedLink {
    pub(crate) office: usize,
    pub(crate) asked: Arc<Mutex<Asked>>,
    /// Frames that may wait in each direction before the sender has to.
    pub(crate) frames_max: usize,
}

impl SimulatedLink {
    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost() -> Cut {
        Cut {
            code: "UNAVAILABLE".to_owned(),
        }
    }
}

impl Link for SimulatedLink {
    type Error = Cut;

    fn open(
        &mut self,
    ) -> (
        mpsc::Sender<ClientFrame>,
        mpsc::Receiver<Result<ServerFrame, Cut>>,
    ) {
        let (to_network, up) = mpsc::channel(self.frames_max);
        let (down, from_network) = mpsc::channel(self.frames_max);
        self.asked().opened.push(Opened {
            office: self.office,
            up,
            down,
        });
        (to_network, from_network)
    }

    async fn digest(&self, request: &DigestRequest) -> Result<DigestAnswer, Cut> {
        let (answer, wait) = oneshot::channel();
        self.asked()
            .calls
            .push_back((self.office, Call::Digest(request.clone(), answer)));
        wait.await.map_err(|_| Self::lost())
    }

    async fn resolve(&self, request: &ResolveRequest) -> Result<ResolveAnswer, Cut> {
        let (answer, wait) = oneshot::channel();
        self.asked()
            .calls
            .push_back((self.office, Call::Resolve(request.clone(), answer)));
        wait.await.map_err(|_| Self::lost())
    }

    fn code(error: &Cut) -> String {
        error.code.clone()
    }
}

/// One direction of a session.
pub(crate) struct Way<F, D> {
    /// Out of the sender; none once it has closed.
    from: Option<mpsc::Receiver<F>>,
    /// Sent, not yet arrived.
    pub(crate) on_way: VecDeque<F>,
    /// Into the receiver; none once it is closed for it.
    to: Option<mpsc::Sender<Result<D, Cut>>>,
}

impl<F: Into<D>, D> Way<F, D> {
    pub(crate) fn new(from: mpsc::Receiver<F>, to: mpsc::Sender<Result<D, Cut>>) -> Self {
        Self {
            from: Some(from),
            on_way: VecDeque::new(),
            to: Some(to),
        }
    }

    /// Takes what the sender has sent; each frame once.
    pub(crate) fn take_sent(&mut self) -> Vec<F> {
        let mut sent = Vec::new();
        while let Some(from) = &mut self.from {
            match from.try_recv() {
                Ok(frame) => sent.push(frame),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => self.from = None,
            }
        }
        sent
    }

    /// Whether something can arrive: a frame, or the news that no more will come.
    pub(crate) fn can_deliver(&self) -> bool {
        let Some(to) = &self.to else { return false };
        if self.on_way.is_empty() {
            self.from.is_none()
        } else {
            to.capacity() > 0 || to.is_closed()
        }
    }

    /// Lets the next frame arrive, or the end; what arrived.
    pub(crate) fn deliver(&mut self) -> Option<F>
    where
        F: Clone,
    {
        let Some(frame) = self.on_way.pop_front() else {
            self.to = None;
            return None;
        };
        if let Some(to) = &self.to
            && to.try_send(Ok(frame.clone().into())).is_err()
        {
            // The receiver is gone; so is the frame.
            self.to = None;
        }
        Some(frame)
    }

    /// Ends the direction; frames on the way are lost. The receiver is told why, if there is a reason.
    pub(crate) fn cut(&mut self, code: Option<&str>) {
        self.from = None;
        self.on_way.clear();
        if let (Some(code), Some(to)) = (code, &self.to) {
            // A receiver that has no room or is gone hears of the end all the same.
            drop(to.try_send(Err(Cut {
                code: code.to_owned(),
            })));
        }
        self.to = None;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.to.is_none()
    }
}

/// A session on its way between a node and the aggregator.
pub(crate) struct Session {
    pub(crate) number: usize,
    pub(crate) office: usize,
    pub(crate) up: Way<ClientFrame, ClientFrame>,
    pub(crate) down: Way<ServerFrame, ServerFrame>,
    pub(crate) server: Option<Task<Result<(), rollcall_replica::Error>>>,
    /// Batches that reached the aggregator and are not answered, oldest first.
    pub(crate) unanswered: VecDeque<Batch>,
}

impl Session {
    pub(crate) fn is_over(&self) -> bool {
        self.server.is_none() && self.up.is_over() && self.down.is_over()
    }
}
