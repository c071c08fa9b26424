//! Calls as tonic brings them to the services' words and back.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::carry;
use crate::convert::{Wire, into_pieces, sized};
use crate::enrolment::EnrolRequest;
use crate::gate::Caller;
use crate::pb::enrol as enrol_pb;
use crate::pb::enrol::enrol_server::Enrol;
use crate::pb::sync as pb;
use crate::pb::sync::sync_server::Sync as SyncCalls;
use crate::peer_identity::PeerIdentity;
use crate::server::{Closing, EnrolService, SyncService};
use crate::session::{self, Answers, SessionLimits, Surroundings};
use crate::status::Refusal;

/// Answers the calls of known peers.
pub(crate) struct SyncHandler<S> {
    pub(crate) service: Arc<S>,
    pub(crate) limits: SessionLimits,
    pub(crate) tasks: TaskTracker,
    pub(crate) abort: CancellationToken,
    pub(crate) closing: Closing,
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let refusal = || Refusal::certificate_required().into_status();
    request.extensions().get::<Caller>().cloned().ok_or_else(refusal)
}

fn known<T>(request: &Request<T>) -> Result<PeerIdentity, Status> {
    caller(request)?
        .peer
        .ok_or_else(|| Refusal::certificate_required().into_status())
}

fn read<W: Wire>(wire: W::Pb) -> Result<W, Status> {
    W::from_wire(wire).map_err(|error| Refusal::from(&error).into_status())
}

fn answer<W: Wire<Pb: prost::Message>>(result: Result<W, Refusal>) -> Result<Response<W::Pb>, Status> {
    let wire = result.and_then(|answer| {
        answer
            .to_wire()
            .and_then(sized)
            .map_err(|error| Refusal::from(&error))
    });
    wire.map(Response::new).map_err(Refusal::into_status)
}

type PieceStream = tokio_stream::Iter<std::vec::IntoIter<Result<pb::Piece, Status>>>;

fn answer_in_pieces<W: Wire<Pb: prost::Message>>(
    result: Result<W, Refusal>,
) -> Result<Response<PieceStream>, Status> {
    let wire = result.and_then(|answer| answer.to_wire().map_err(|error| Refusal::from(&error)));
    let pieces = into_pieces(&wire.map_err(Refusal::into_status)?);
    Ok(Response::new(tokio_stream::iter(
        pieces.into_iter().map(Ok).collect::<Vec<_>>(),
    )))
}

#[tonic::async_trait]
impl<S: SyncService> SyncCalls for SyncHandler<S> {
    type ExchangeStream = Answers;
    type DigestStream = PieceStream;
    type ResolveStream = PieceStream;
    type CarryStream = carry::Answer;

    async fn hello(&self, request: Request<pb::Hello>) -> Result<Response<pb::HelloAck>, Status> {
        let peer = known(&request)?;
        answer(self.service.hello(peer, read(request.into_inner())?).await)
    }

    async fn exchange(
        &self,
        request: Request<Streaming<pb::ClientFrame>>,
    ) -> Result<Response<Answers>, Status> {
        let peer = known(&request)?;
        let surroundings = Surroundings {
            limits: self.limits,
            tasks: &self.tasks,
            abort: self.abort.clone(),
            closing: self.closing.clone(),
        };
        let answers = session::open(
            Arc::clone(&self.service),
            peer,
            request.into_inner(),
            surroundings,
        );
        Ok(Response::new(answers))
    }

    async fn digest(&self, request: Request<pb::DigestRequest>) -> Result<Response<PieceStream>, Status> {
        let peer = known(&request)?;
        answer_in_pieces(self.service.digest(peer, read(request.into_inner())?).await)
    }

    async fn resolve(&self, request: Request<pb::ResolveRequest>) -> Result<Response<PieceStream>, Status> {
        let peer = known(&request)?;
        answer_in_pieces(self.service.resolve(peer, read(request.into_inner())?).await)
    }

    async fn carry(&self, request: Request<Streaming<pb::Piece>>) -> Result<Response<carry::Answer>, Status> {
        let peer = known(&request)?;
        Ok(Response::new(carry::open(
            Arc::clone(&self.service),
            peer,
            request.into_inner(),
            &self.tasks,
            self.abort.clone(),
        )))
    }
}

/// Answers enrolments.
pub(crate) struct EnrolHandler<E> {
    pub(crate) service: Arc<E>,
}

#[tonic::async_trait]
impl<E: EnrolService> Enrol for EnrolHandler<E> {
    async fn enrol(
        &self,
        request: Request<enrol_pb::EnrolRequest>,
    ) -> Result<Response<enrol_pb::EnrolAnswer>, Status> {
        let Caller { peer, remote } = caller(&request)?;
        let request = EnrolRequest::from_wire(request.into_inner(), remote, peer)
            .map_err(|error| Refusal::from(&error).into_status())?;
        let answer = self.service.enrol(request).await;
        answer
            .map(|answer| Response::new(answer.into_wire()))
            .map_err(|error| Refusal::from(&error).into_status())
    }
}
