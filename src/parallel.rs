//! Work shared among threads.

use std::sync::{Mutex, PoisonError};

/// The results of `work` on each item, with its index, in the order of the items; computed by several threads.
pub fn parallel<S: Send, T: Send>(
    items: Vec<S>,
    threads: usize,
    work: impl Fn(usize, S) -> T + Sync,
) -> Vec<T> {
    let threads = threads.clamp(1, items.len().max(1));
    let (queue, done) = (
        Mutex::new(items.into_iter().enumerate()),
        Mutex::new(Vec::new()),
    );
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let item = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((index, item)) = item else { break };
                    let result = work(index, item);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
