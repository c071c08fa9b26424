//! Which forms were carried out, so that a second sending shows the first one's result (`ALREADY_DONE`).
//! Owns a bounded table in memory; a restart forgets it, and refuses the old forms by their token instead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

/// Forms remembered; the oldest leave first.
pub(crate) const FORMS_MAX: usize = 4096;

/// What a form came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The address to go to.
    pub address: String,
    /// The heads of the record that it changed, as forms carry them, so that the same form can go on from there.
    pub heads: Option<String>,
}

impl From<String> for Outcome {
    fn from(address: String) -> Self {
        Self { address, heads: None }
    }
}

/// A form that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// What it came to.
    pub(crate) outcome: Outcome,
    /// SHA-256 of what was in it.
    pub(crate) content: [u8; 32],
}

/// The place for the result of one form.
pub(crate) type Place = Arc<OnceCell<Sent>>;

/// The forms that were sent, by visitor and key.
#[derive(Default)]
pub(crate) struct OnceTable(Mutex<HashMap<[u8; 32], (i64, Place)>>);

impl OnceTable {
    /// The place for the result of the visitor's form with this key.
    pub(crate) fn cell(&self, cookie: &[u8; 32], key: &str, now_unix_ms: i64) -> Place {
        let name = name(cookie, key);
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, place)) = forms.get(&name) {
            return Arc::clone(place);
        }
        if forms.len() >= FORMS_MAX {
            let oldest = forms
                .iter()
                .min_by_key(|(_, (sent, _))| *sent)
                .map(|(name, _)| *name);
            oldest.and_then(|name| forms.remove(&name));
        }
        let place = Place::default();
        forms.insert(name, (now_unix_ms, Arc::clone(&place)));
        place
    }

    /// What the visitor's form with this key came to, where it was carried out.
    pub(crate) fn find(&self, cookie: &[u8; 32], key: &str) -> Option<Sent> {
        let forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forms.get(&name(cookie, key))?.1.get().cloned()
    }
}

fn name(cookie: &[u8; 32], key: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(cookie)
        .chain_update(key)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn result_is_kept_per_visitor_and_key_until_the_table_is_full() {
        let table = OnceTable::default();
        let sent = Sent {
            outcome: "/x".to_owned().into(),
            content: [9; 32],
        };
        table.cell(&[1; 32], "a", 0).set(sent.clone()).unwrap();
        assert_eq!(table.cell(&[1; 32], "a", 1).get(), Some(&sent));
        assert_eq!(table.find(&[1; 32], "a"), Some(sent));
        assert_eq!(table.cell(&[2; 32], "a", 1).get(), None);
        assert_eq!(table.find(&[2; 32], "a"), None);
        for number in 0..FORMS_MAX {
            table.cell(&[3; 32], &number.to_string(), 2);
        }
        assert_eq!(table.0.lock().unwrap().len(), FORMS_MAX);
        assert_eq!(table.cell(&[1; 32], "a", 3).get(), None, "the oldest left first");
    }
}
