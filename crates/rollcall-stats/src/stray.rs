//! Organisations that count outside the row part at hand: another federation was responsible for them before, or no
//! column is wide enough for them. Owns how they are put together.

use crate::tally::{Cell, Found};

/// An organisation found outside the row part at hand.
pub(crate) struct Stray {
    /// Row part of the place, and target.
    pub(crate) key: (u32, u32),
    /// Dates, by their indices.
    pub(crate) span: (usize, usize),
    /// First date at which its federation counts as not heard.
    pub(crate) unheard_from: usize,
    /// What it adds.
    pub(crate) cell: Cell,
}

/// Strays by key, counted.
pub(crate) fn found_of(mut strays: Vec<Stray>, width: usize) -> Found {
    strays.sort_unstable_by_key(|stray| stray.key);
    let mut found = Found::default();
    for same in strays.chunk_by(|one, other| one.key == other.key) {
        let mut cells = vec![Cell::default(); width];
        for stray in same {
            Cell::add_span(&mut cells, stray.cell, stray.span, stray.unheard_from);
        }
        Cell::sum_along(&mut cells);
        found.push(same[0].key, &cells);
    }
    found
}
