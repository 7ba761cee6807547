//! Work shared among threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The results of `work` on each item, with its index, in the order of the items; computed by several threads.
pub fn parallel<S: Send, T: Send>(
    items: Vec<S>,
    threads: usize,
    work: impl Fn(usize, S) -> T + Sync,
) -> Vec<T> {
    let threads = threads.clamp(1, items.len().max(1));
    let queue = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let item = locked(&queue).next();
                    let Some((index, item)) = item else { break };
                    let result = work(index, item);
                    locked(&done).push((index, result));
                }
            });
        }
    });
    let mut done = std::mem::take(&mut *locked(&done));
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What a mutex holds, even if a thread has panicked that held it.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
