//! Actors and authors: who wrote a change, as bytes (`protocol.md` 1.10).
//! Owns the passage to and from Automerge's ids, and what an author may look like.

use rollcall_core::id::ActorId;

/// Longest author, bytes.
const AUTHOR_BYTES_MAX: usize = 64;

/// The actor as Automerge has it.
pub(crate) fn to_automerge(actor: ActorId) -> automerge::ActorId {
    automerge::ActorId::from(actor.0)
}

/// The actor of 16 bytes; `None` for a foreign one.
pub(crate) fn from_automerge(actor: &automerge::ActorId) -> Option<ActorId> {
    ActorId::from_slice(actor.to_bytes())
}

/// Whether these bytes may stand for an author: an account such as `330106/7`, visible ASCII.
pub(crate) fn is_author(bytes: &[u8]) -> bool {
    (1..=AUTHOR_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_is_short_and_visible() {
        assert!(is_author(b"330106/7"));
        assert!(is_author("a".repeat(64).as_bytes()));
        for bytes in [
            &b""[..],
            b"330106 7",
            b"\n",
            "张三".as_bytes(),
            "a".repeat(65).as_bytes(),
        ] {
            assert!(!is_author(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn actors_pass_through_unchanged() {
        let actor = ActorId([7; 16]);
        assert_eq!(from_automerge(&to_automerge(actor)), Some(actor));
        assert_eq!(from_automerge(&automerge::ActorId::from(&[1_u8; 21][..])), None);
    }
}
