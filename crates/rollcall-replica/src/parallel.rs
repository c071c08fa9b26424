//! The same work on every item, spread over the processor's cores; results in the items' order.

use std::num::NonZeroUsize;

/// Applies `work` to every item.
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    map_shares(items, |share| share.into_iter().map(&work).collect())
}

/// Applies `work` to shares of the items, one a core, so that a share can use one snapshot; a result for each item.
pub(crate) fn map_shares<T: Send, R: Send>(items: Vec<T>, work: impl Fn(Vec<T>) -> Vec<R> + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(items.len());
    if threads < 2 || items.len() < SHARED_FROM {
        return work(items);
    }
    let size = items.len().div_ceil(threads);
    let mut shares = Vec::with_capacity(threads);
    let mut rest = items.into_iter();
    loop {
        let share: Vec<T> = rest.by_ref().take(size).collect();
        if share.is_empty() {
            break;
        }
        shares.push(share);
    }
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || work(share))).collect();
        running
            .into_iter()
            .flat_map(|thread| match thread.join() {
                Ok(results) => results,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

/// Fewer items are not worth a thread.
const SHARED_FROM: usize = 8;

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_the_order_of_the_items() {
        for count in [0, 1, 7, 8, 9, 100] {
            let items: Vec<u32> = (0..count).collect();
            let expected: Vec<u32> = items.iter().map(|item| item * 2).collect();
            assert_eq!(super::map(items, |item| item * 2), expected);
        }
    }
}
