//! A cube that follows a store of which something cannot be read.

use rollcall_store::UNSENT;
use serde_json::json;

use super::country::{Country, OWN};
use crate::error::Error;
use crate::projection::SharedProjection;

#[test]
fn facts_that_cannot_be_read_are_asked_for_until_they_can() {
    let (country, shared) = (Country::new(1), SharedProjection::default());
    let node = country.node(0);
    let held = || shared.ask(node, |projection| projection.cube().len());
    assert!(matches!(held(), Ok(0)));
    let document = country.edit(
        0,
        json!({"type": "union", "id": "u1", "name": "here", "higher_union": OWN}),
    );
    let facts = node
        .store()
        .read(|reader| reader.facts_of(document))
        .expect("read");
    let save = |facts: Vec<(u64, Vec<u8>)>| {
        let saved = node
            .store()
            .write("save facts", move |writer| writer.save_facts(document, &facts));
        saved.wait().expect("saved");
    };
    save(vec![(UNSENT, vec![0xff])]);
    for _ in 0..2 {
        assert!(matches!(held(), Err(Error::Facts(id)) if id == document));
    }
    save(facts);
    assert!(matches!(held(), Ok(1)));
}
