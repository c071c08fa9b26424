//! Facts as the store keeps them: a version byte and postcard. Derived data, so an old form is rebuilt, not migrated.

use rollcall_core::fact::Facts;
use rollcall_core::id::DocumentId;

use crate::error::Error;

/// Counts up whenever the shape of facts changes.
const VERSION: u8 = 1;
/// Room for the facts of most organisations.
const USUAL_BYTES: usize = 512;

/// Facts to bytes.
pub(crate) fn encode(facts: &Facts) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    bytes.push(VERSION);
    postcard::to_extend(facts, bytes).expect("facts hold nothing that cannot be written")
}

/// Bytes to facts.
pub(crate) fn decode(id: DocumentId, bytes: &[u8]) -> Result<Facts, Error> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| Error::Facts(id)),
        _ => Err(Error::Facts(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_core::fact::OrganisationFacts;

    #[test]
    fn facts_come_back_as_they_went_and_other_versions_are_refused() {
        let facts = Facts::Organisation(Box::new(OrganisationFacts {
            code: "51330000XXXX00019Q".parse().ok(),
            registered_on: vec!["2015-01".parse().expect("a month")],
            ..OrganisationFacts::default()
        }));
        let id = DocumentId([1; 16]);
        let mut bytes = encode(&facts);
        assert_eq!(decode(id, &bytes).expect("facts"), facts);
        bytes[0] ^= 1;
        assert!(matches!(decode(id, &bytes), Err(Error::Facts(_))));
    }
}
