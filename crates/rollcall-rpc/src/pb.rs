//! Protobuf as compiled from `proto/`; nobody outside this crate sees it.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::wildcard_imports
)]

pub(crate) mod sync {
    tonic::include_proto!("rollcall.sync.v1");
}

pub(crate) mod enrol {
    tonic::include_proto!("rollcall.enrol.v1");
}
