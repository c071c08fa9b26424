//! The same work on every item, spread over the processor's cores; results in the items' order.
//! Batches are judged by threads of their own: a page's question to the cube does not stand behind them in one queue.

use std::sync::LazyLock;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Fewer items are not worth another thread.
const SHARED_FROM: usize = 4;

/// How far the threads that judge stand back behind all others, which somebody waits for: weight a ninth, on Linux.
#[cfg(target_os = "linux")]
const JUDGES_NICE: i32 = 10;

/// The threads that judge batches, one for each core.
static JUDGES: LazyLock<ThreadPool> = LazyLock::new(|| {
    ThreadPoolBuilder::new()
        .thread_name(|number| format!("judge-{number}"))
        .start_handler(|_| stand_back())
        .build()
        .expect("threads can be started")
});

/// Lets this thread stand back; elsewhere than on Linux, where priorities are those of processes, it does not.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, JUDGES_NICE) {
        tracing::debug!("a thread that judges does not stand back: {error}");
    }
}

/// Applies `work` to every item.
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
    items
        .into_par_iter()
        .with_min_len(SHARED_FROM)
        .map(work)
        .collect()
}

/// Applies `work` to shares of a batch's items, a few a core, so that a share can use one snapshot; a result for each
/// item.
pub(crate) fn map_shares<T: Send, R: Send>(
    mut items: Vec<T>,
    work: impl Fn(Vec<T>) -> Vec<R> + Sync + Send,
) -> Vec<R> {
    let size = items
        .len()
        .div_ceil(2 * JUDGES.current_num_threads())
        .max(SHARED_FROM);
    let mut shares = Vec::new();
    while items.len() > size {
        let rest = items.split_off(size);
        shares.push(std::mem::replace(&mut items, rest));
    }
    shares.push(items);
    JUDGES.install(|| shares.into_par_iter().flat_map_iter(work).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_the_order_of_the_items() {
        for count in [0, 1, 7, 8, 9, 100] {
            let items: Vec<u32> = (0..count).collect();
            let expected: Vec<u32> = items.iter().map(|item| item * 2).collect();
            assert_eq!(super::map(items.clone(), |item| item * 2), expected);
            let shares = super::map_shares(items, |share| share.into_iter().map(|item| item * 2).collect());
            assert_eq!(shares, expected);
        }
    }
}
