//! What the common steps cost, printed and not asserted: `cargo test -p rollcall-doc speed -- --nocapture`.

use std::collections::HashSet;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use rollcall_core::id::DocumentKind;

use crate::content::Content;
use crate::document::Document;
use crate::samples::{by, record, sample};
use crate::{gate, genesis};

fn print<T>(name: &str, mut step: impl FnMut() -> T) {
    // The best of several rounds, so that other work on the machine does not show.
    let mut best = u128::MAX;
    for _ in 0..40 {
        let started = Instant::now();
        (0..20).for_each(|_| drop(black_box(step())));
        best = best.min(started.elapsed().as_nanos() / 20);
    }
    writeln!(
        std::io::stdout(),
        "{name}: {}.{} µs",
        best / 1000,
        best / 100 % 10
    )
    .expect("standard output is open");
}

#[test]
fn speed_of_the_common_steps() {
    let (document, change) = sample(DocumentKind::Organisation);
    let record = record(DocumentKind::Organisation);
    let (kind, id) = (document.kind(), document.id());
    let empty = Document::create(kind, id);
    let none = HashSet::new();
    let plan = empty.plan(&record).expect("a record");
    writeln!(
        std::io::stdout(),
        "a change of {} operations, {} bytes",
        plan.len(),
        change.bytes.len()
    )
    .expect("open");
    print("genesis bytes", || genesis::bytes(kind, id));
    print("create", || Document::create(kind, id));
    print("plan", || empty.plan(&record));
    print("create, apply edits", || {
        Document::create(kind, id).apply_edits(&plan, &by(3))
    });
    print("load", || {
        Document::load(kind, id, [change.bytes.as_slice()]).expect("loads")
    });
    print("frame and walk", || {
        let frame = gate::frame::open(&change.bytes).expect("framed");
        gate::walker::walk(frame.body).expect("walked").operations.len()
    });
    print("create, admit with trial", || {
        gate::admit(&Document::create(kind, id), &none, &[&change.bytes])
    });
    print("clone", || document.clone());
    print("save", || document.automerge().save_nocompress());
    let saved = document.automerge().save_nocompress();
    print("load saved", || {
        automerge::Automerge::load(&saved).expect("loads")
    });
    print("content", || Content::read(kind, id, document.automerge()));
    print("facts", || document.facts());
    print("record", || document.record());
    print("conflicts", || document.conflicts());
    print("history", || document.history());
}
