//! One planned edit: a value for a place, with what stood there, so that a preview can show it.
//! Made by `record_edit` and `field_edit`, written by `Document::apply_edits`.

use serde_json::Value;

use crate::content::Content;
use crate::place::Place;
use crate::scalar::Scalar;

/// One value to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Name of the place, such as `address`, `name/2023-01-01|registry`, `coverage/c1/until`.
    pub field: String,
    /// What stands there now; `None`: nothing yet.
    pub old: Option<Value>,
    /// What will stand there; `None`: nothing any more.
    pub new: Option<Value>,
    pub(crate) place: Place,
    pub(crate) value: Scalar,
}

impl Edit {
    /// An edit of a place against the present content.
    pub(crate) fn new(content: &Content, place: Place, value: Scalar) -> Self {
        let opens = place.container.is_some();
        let show = |scalar: &Scalar| {
            let value = if opens {
                scalar.as_ref().open()
            } else {
                scalar.as_ref().to_json()
            };
            Some(value).filter(|value| !value.is_null())
        };
        Self {
            field: place.field(content.kind),
            old: content.at(&place).and_then(|cell| show(&cell.winner.value)),
            new: show(&value),
            place,
            value,
        }
    }

    /// How many bytes it adds to a change, about.
    pub(crate) fn size_bytes(&self) -> usize {
        self.place.key.len() + self.value.as_text().map_or(10, str::len) + 8
    }
}
