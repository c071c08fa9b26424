//! The order in which an answer has its rows: by the values of the dimensions asked for, one after the other.
//! Rows come in order of their place part and then of their profile part, both of which are numbered in the order of their
//! values; where a question names its dimensions otherwise, rows are dealt out once for each run of its dimensions.

use std::ops::Range;

use rollcall_core::figure::Dimension;

/// Which of some rows, given by their two parts in ascending order, comes when. Parts are given by their values in the
/// dimensions of their sort that are asked for.
pub(crate) fn order(
    by: &[Dimension],
    places: &[Vec<u32>],
    profiles: &[Vec<u32>],
    rows: &[(u32, u32)],
) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    let runs: Vec<&[Dimension]> = by
        .chunk_by(|one, other| one.is_place() == other.is_place())
        .collect();
    // Rows are in this order from the start.
    let settled = match runs.as_slice() {
        [] | [_] => true,
        [first, _] => first[0].is_place(),
        _ => false,
    };
    if settled {
        return order;
    }
    let count = |is_place| by.iter().filter(|of| of.is_place() == is_place).count();
    let (mut place_end, mut profile_end) = (count(true), count(false));
    for run in runs.iter().rev() {
        if run[0].is_place() {
            let start = place_end - run.len();
            let (ranks, distinct) = ranks(places, start..place_end);
            order = deal(&order, distinct, |row| ranks[rows[row as usize].0 as usize]);
            place_end = start;
        } else {
            let start = profile_end - run.len();
            let (ranks, distinct) = ranks(profiles, start..profile_end);
            order = deal(&order, distinct, |row| ranks[rows[row as usize].1 as usize]);
            profile_end = start;
        }
    }
    order
}

/// The rank of each part by its values in a run of dimensions, and how many ranks there are.
fn ranks(parts: &[Vec<u32>], run: Range<usize>) -> (Vec<u32>, usize) {
    let of = |part: &usize| &parts[*part][run.clone()];
    let mut sorted: Vec<usize> = (0..parts.len()).collect();
    sorted.sort_by(|one, other| of(one).cmp(of(other)));
    let mut ranks = vec![0; parts.len()];
    let mut distinct = 0;
    for same in sorted.chunk_by(|one, other| of(one) == of(other)) {
        for part in same {
            ranks[*part] = distinct;
        }
        distinct += 1;
    }
    (ranks, distinct as usize)
}

/// Puts rows in order of a rank; those of one rank keep their order.
fn deal(order: &[u32], ranks: usize, rank: impl Fn(u32) -> u32) -> Vec<u32> {
    let mut next = vec![0_u32; ranks + 1];
    for row in order {
        next[rank(*row) as usize + 1] += 1;
    }
    for index in 1..next.len() {
        next[index] += next[index - 1];
    }
    let mut dealt = vec![0; order.len()];
    for row in order {
        let place = &mut next[rank(*row) as usize];
        dealt[*place as usize] = *row;
        *place += 1;
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_order_of_their_values_however_the_dimensions_are_asked_for() {
        use Dimension::{Category, County, Province, Stage};
        let places = [[0, 5], [0, 7], [1, 2], [u32::MAX, 3]].map(Vec::from);
        let profiles = [[0, 1], [0, 4], [2, 1], [3, 0]].map(Vec::from);
        let rows: Vec<(u32, u32)> = (0..4)
            .flat_map(|place| (0..4).map(move |profile| (place, profile)))
            .filter(|(place, profile)| (place + profile) % 3 > 0)
            .collect();
        for by in [
            [Province, County, Category, Stage],
            [Category, Stage, Province, County],
            [Category, Province, Stage, County],
            [Province, Category, County, Stage],
        ] {
            let values = |row: u32| {
                let (place, profile) = rows[row as usize];
                let (mut place, mut profile) =
                    (places[place as usize].iter(), profiles[profile as usize].iter());
                by.map(|of| {
                    if of.is_place() {
                        place.next()
                    } else {
                        profile.next()
                    }
                })
            };
            let order = order(&by, &places, &profiles, &rows);
            assert_eq!(order.len(), rows.len());
            assert!(order.is_sorted_by_key(|row| values(*row)), "{by:?}");
        }
    }
}
