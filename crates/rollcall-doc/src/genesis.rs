//! The first change of every document, the same bytes wherever it is made (`protocol.md` 1.11).
//! It creates the containers, so that two nodes that start one document apart meet in the same maps.
//! Frozen for ever: the golden bytes in the tests may never change. It is never sent and never stored.

use std::sync::LazyLock;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, Change, ObjId, ObjType, ROOT};
use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use sha2::{Digest, Sha256};

use crate::{actor, schema};

/// What the hash of a change covers begins here: type, length, body.
const HASHED_FROM: usize = 8;
/// The length begins here, after magic, checksum and type.
const LENGTH_AT: usize = 9;

/// The change of one kind, with an actor of zeros.
static TEMPLATES: LazyLock<[Vec<u8>; DocumentKind::ALL.len()]> =
    LazyLock::new(|| DocumentKind::ALL.map(|kind| make(kind, ActorId([0; 16]))));

/// The actor of a document's genesis change; no other change may use it.
pub(crate) fn actor(id: DocumentId) -> ActorId {
    let mut hasher = Sha256::new();
    hasher.update(b"genesis");
    hasher.update(id.0);
    let digest = hasher.finalize();
    let mut actor = [0; 16];
    actor.copy_from_slice(&digest[..16]);
    ActorId(actor)
}

/// A document and the change that it begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Genesis {
    /// What the document is about.
    pub(crate) kind: DocumentKind,
    /// The document's name.
    pub(crate) id: DocumentId,
    /// The change's actor.
    pub(crate) actor: ActorId,
    /// The change's name.
    pub(crate) hash: [u8; 32],
}

impl Genesis {
    /// Of a document.
    pub(crate) fn of(kind: DocumentKind, id: DocumentId) -> Self {
        let actor = actor(id);
        let hash = framed(kind, actor).1;
        Self {
            kind,
            id,
            actor,
            hash,
        }
    }

    /// Last operation of the change: there is one for each container.
    pub(crate) fn max_op(&self) -> u64 {
        schema::of(self.kind).containers.len() as u64
    }
}

/// The genesis change of a document, as raw bytes.
pub(crate) fn bytes(kind: DocumentKind, id: DocumentId) -> Vec<u8> {
    framed(kind, actor(id)).0
}

/// The genesis change by this actor, as raw bytes, and its name.
fn framed(kind: DocumentKind, actor: ActorId) -> (Vec<u8>, [u8; 32]) {
    let mut bytes = TEMPLATES[usize::from(kind.number()) - 1].clone();
    // Up to the actor: the length (7 bits a byte), no dependencies, the length of the actor.
    let length_size = 1 + bytes[LENGTH_AT..]
        .iter()
        .take_while(|byte| **byte >= 0x80)
        .count();
    let actor_at = LENGTH_AT + length_size + 2;
    assert_eq!(
        bytes[actor_at - 2..actor_at],
        [0, 16],
        "the actor stands where the format has it"
    );
    bytes[actor_at..actor_at + 16].copy_from_slice(&actor.0);
    let hash: [u8; 32] = Sha256::digest(&bytes[HASHED_FROM..]).into();
    bytes[4..8].copy_from_slice(&hash[..4]);
    (bytes, hash)
}

/// The genesis change of a document.
pub(crate) fn change(kind: DocumentKind, id: DocumentId) -> Change {
    Change::from_bytes(bytes(kind, id)).expect("the template is a change")
}

/// The container at this position of the schema.
pub(crate) fn container(id: DocumentId, position: usize) -> ObjId {
    ObjId::Id(position as u64 + 1, actor::to_automerge(actor(id)), 0)
}

fn make(kind: DocumentKind, actor: ActorId) -> Vec<u8> {
    let mut document = Automerge::new().with_actor(actor::to_automerge(actor));
    let mut tx = document.transaction();
    for container in schema::of(kind).containers {
        tx.put_object(ROOT, container.name, ObjType::Map)
            .expect("a map can be put at the root");
    }
    tx.commit_with(CommitOptions::default().with_time(0));
    document
        .get_last_local_change()
        .expect("the transaction made containers")
        .raw_bytes()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of each kind's genesis change for the document of key "x", frozen for ever.
    const GOLDEN: [(DocumentKind, &str); 7] = [
        (
            DocumentKind::Organisation,
            "94be6c6f305324701a84466e8d1a37d0950ce3ea9eecd4e2cb08d46aebcb5e85",
        ),
        (
            DocumentKind::Union,
            "e1374f80366abcfb16d1477feb5444d2871cb975d49e5f175302c7d5b0d90a5c",
        ),
        (
            DocumentKind::Fund,
            "b0eb2fc42c10c7508d8c4c056d6ebc916a5bf715403e4f18d4350d58094ab14f",
        ),
        (
            DocumentKind::Subsidy,
            "cf800e551ab3348faad5d81330ee43875165b413c21dd9e9e449bb9da00a7d9e",
        ),
        (
            DocumentKind::SameAs,
            "31838ab0c9180de4d8039c47123b83c3966eab71ddeadab662d78d6d4f75a867",
        ),
        (
            DocumentKind::Federation,
            "7eebd45ac69e82c07fcf3bb9b577101bbb224a017593cb275ca7ea26aa032184",
        ),
        (
            DocumentKind::Campaign,
            "9dfd77fb6339c499c661d38736942ef3e149d3c46a9295327d036029ec9e4b30",
        ),
    ];

    #[test]
    fn genesis_bytes_never_change() {
        let digest = |kind| -> String {
            let digest = Sha256::digest(bytes(kind, DocumentId::derive(kind, "x")));
            digest.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let made = DocumentKind::ALL.map(|kind| (kind, digest(kind)));
        assert_eq!(made, GOLDEN.map(|(kind, golden)| (kind, golden.to_owned())));
    }

    #[test]
    fn the_patched_template_is_what_automerge_makes() {
        for kind in DocumentKind::ALL {
            let id = DocumentId::derive(kind, "another");
            assert_eq!(bytes(kind, id), make(kind, actor(id)), "{kind:?}");
        }
    }
}
