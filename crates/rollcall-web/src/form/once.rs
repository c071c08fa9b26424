//! Which forms were carried out, so that a second sending shows the first one's result (`ALREADY_DONE`).
//! Owns a bounded table in memory; a restart forgets it, and refuses the old forms by their token instead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

/// Forms remembered; the oldest leave first.
pub(crate) const FORMS_MAX: usize = 4096;

/// The result of one form: the address it led to.
pub(crate) type Outcome = Arc<OnceCell<String>>;

/// The forms that were sent, by visitor and key.
#[derive(Default)]
pub(crate) struct OnceTable(Mutex<HashMap<[u8; 32], (i64, Outcome)>>);

impl OnceTable {
    /// The place for the result of the visitor's form with this key.
    pub(crate) fn cell(&self, cookie: &[u8; 32], key: &str, now_unix_ms: i64) -> Outcome {
        let name = Sha256::new()
            .chain_update(cookie)
            .chain_update(key)
            .finalize()
            .into();
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, outcome)) = forms.get(&name) {
            return Arc::clone(outcome);
        }
        if forms.len() >= FORMS_MAX {
            let oldest = forms
                .iter()
                .min_by_key(|(_, (sent, _))| *sent)
                .map(|(name, _)| *name);
            oldest.and_then(|name| forms.remove(&name));
        }
        let outcome = Outcome::default();
        forms.insert(name, (now_unix_ms, Arc::clone(&outcome)));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn result_is_kept_per_visitor_and_key_until_the_table_is_full() {
        let table = OnceTable::default();
        table.cell(&[1; 32], "a", 0).set("/x".to_owned()).unwrap();
        assert_eq!(table.cell(&[1; 32], "a", 1).get().map(String::as_str), Some("/x"));
        assert_eq!(table.cell(&[2; 32], "a", 1).get(), None);
        for number in 0..FORMS_MAX {
            table.cell(&[3; 32], &number.to_string(), 2);
        }
        assert_eq!(table.0.lock().unwrap().len(), FORMS_MAX);
        assert_eq!(table.cell(&[1; 32], "a", 3).get(), None, "the oldest left first");
    }
}
