//! A place in a document where one value stands: a key of the root or of a container.
//! Owns its name for people and interfaces, such as `address`, `name/2023-01-01|registry`, `coverage/c1/until`.

use rollcall_core::id::{ActorId, DocumentKind};

use crate::gate::walker::{Operation, PlainChange};
use crate::schema::{self, Form};

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place<K = String> {
    /// Position of the container in the schema; `None` is the root.
    pub(crate) container: Option<usize>,
    /// Key within.
    pub(crate) key: K,
}

impl<K: AsRef<str>> Place<K> {
    /// Its name. Amendments bear the name of what they amend.
    pub(crate) fn field(&self, kind: DocumentKind) -> String {
        let key = self.key.as_ref();
        match self
            .container
            .map(|position| &schema::of(kind).containers[position])
        {
            None => key.to_owned(),
            Some(container) if matches!(container.form, Form::Amendments) => key.to_owned(),
            Some(container) => format!("{}/{key}", container.name),
        }
    }
}

/// Where an operation of a decoded change writes; `None` where there is no such container.
pub(crate) fn of_operation<'a>(
    kind: DocumentKind,
    genesis: ActorId,
    change: &PlainChange<'_>,
    operation: &Operation<'a>,
) -> Option<Place<&'a str>> {
    let container = match operation.object {
        None => None,
        Some((actor, counter)) => {
            let position = usize::try_from(counter.checked_sub(1)?).ok()?;
            let known = change.actor_at(actor) == genesis.0 && position < schema::of(kind).containers.len();
            Some(known.then_some(position)?)
        }
    };
    Some(Place {
        container,
        key: operation.key,
    })
}
