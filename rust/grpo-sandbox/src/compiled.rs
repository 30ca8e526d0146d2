//! What compilers have made, so that a source is compiled once for all its tests and all its copies.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{program::CaseResult, wire::Bytes};

/// Of all that is kept together.
const MAX_BYTES: usize = 256 << 20;
/// Of an entry beside its texts and files.
const ENTRY_BYTES: usize = 1 << 10;
/// Between looks at whether those who wait were cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// What became of a source.
#[derive(Debug)]
pub(crate) enum Build {
    /// The files that its runs begin with.
    Made(Vec<(String, Bytes)>),
    /// Every test's result.
    Failed(Box<CaseResult>),
}

impl Build {
    fn bytes(&self) -> usize {
        match self {
            Self::Made(files) => files.iter().map(|(name, file)| name.len() + file.0.len()).sum(),
            Self::Failed(result) => {
                result.stderr.len() + result.stdout.len() + result.message.len()
            }
        }
    }
}

/// The language's name and the whole source: a hash of it could be made to collide, and give one
/// program the verdict of another.
type Key = (String, Arc<str>);

/// What was compiled lately, shared by the workers of a pool.
#[derive(Default)]
pub(crate) struct Compiled {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// By when they were last used.
    order: BTreeMap<u64, Key>,
    clock: u64,
    bytes: usize,
}

enum Entry {
    /// A worker is at it.
    Underway,
    Done {
        build: Arc<Build>,
        used: u64,
        bytes: usize,
    },
}

impl Compiled {
    /// What became of a source; `compile` finds out, unless that is known or another worker is at it.
    /// It also says whether its answer is worth keeping. `None`: cancelled while waiting.
    pub(crate) fn get<E>(
        &self,
        language: &str,
        source: &Arc<str>,
        cancelled: &dyn Fn() -> bool,
        compile: impl FnOnce() -> Result<(Build, bool), E>,
    ) -> Result<Option<Arc<Build>>, E> {
        let key = (language.to_owned(), Arc::clone(source));
        let mut state = self.lock();
        loop {
            match state.entries.get(&key) {
                Some(Entry::Done { .. }) => return Ok(state.touch(&key)),
                Some(Entry::Underway) if cancelled() => return Ok(None),
                Some(Entry::Underway) => {
                    let woken = self.done.wait_timeout(state, LOOK);
                    state = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => break,
            }
        }
        state.entries.insert(key.clone(), Entry::Underway);
        drop(state);
        let underway = Underway { compiled: self, key };
        let (build, keep) = compile()?;
        let build = Arc::new(build);
        if keep {
            let mut state = self.lock();
            state.insert(&underway.key, &build);
        }
        Ok(Some(build))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets another worker try when this one has not come to an end.
struct Underway<'a> {
    compiled: &'a Compiled,
    key: Key,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        let mut state = self.compiled.lock();
        if matches!(state.entries.get(&self.key), Some(Entry::Underway)) {
            state.entries.remove(&self.key);
        }
        drop(state);
        self.compiled.done.notify_all();
    }
}

impl State {
    fn touch(&mut self, key: &Key) -> Option<Arc<Build>> {
        let Some(Entry::Done { build, used, .. }) = self.entries.get_mut(key) else { return None };
        self.order.remove(used);
        self.clock += 1;
        *used = self.clock;
        self.order.insert(self.clock, key.clone());
        Some(Arc::clone(build))
    }

    fn insert(&mut self, key: &Key, build: &Arc<Build>) {
        let bytes = build.bytes() + key.1.len() + ENTRY_BYTES;
        self.clock += 1;
        self.bytes += bytes;
        let entry = Entry::Done { build: Arc::clone(build), used: self.clock, bytes };
        self.entries.insert(key.clone(), entry);
        self.order.insert(self.clock, key.clone());
        while self.bytes > MAX_BYTES
            && let Some((_, oldest)) = self.order.pop_first()
        {
            if let Some(Entry::Done { bytes, .. }) = self.entries.remove(&oldest) {
                self.bytes -= bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::*;

    fn made(size: usize) -> (Build, bool) {
        (Build::Made(vec![("program".into(), Bytes(vec![0; size]))]), true)
    }

    fn get(compiled: &Compiled, source: &str, size: usize, count: &AtomicUsize) {
        let answer = compiled.get("c", &Arc::from(source), &|| false, || {
            count.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(20));
            Ok::<_, ()>(made(size))
        });
        assert!(matches!(answer, Ok(Some(_))));
    }

    #[test]
    fn a_source_is_compiled_once_by_whoever_is_first() {
        let (compiled, count) = (Compiled::default(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for index in 0..8 {
                let (compiled, count) = (&compiled, &count);
                scope
                    .spawn(move || get(compiled, if index % 2 == 0 { "a" } else { "b" }, 1, count));
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let (compiled, count) = (Compiled::default(), AtomicUsize::new(0));
        let third = MAX_BYTES / 3 - 2 * ENTRY_BYTES;
        for source in ["a", "b", "c", "a", "d"] {
            get(&compiled, source, third, &count);
        }
        assert_eq!(count.load(Ordering::Relaxed), 4);
        get(&compiled, "a", third, &count);
        assert_eq!(count.load(Ordering::Relaxed), 4, "it was used after b");
        get(&compiled, "b", third, &count);
        assert_eq!(count.load(Ordering::Relaxed), 5);
        let state = compiled.lock();
        assert!(state.bytes <= MAX_BYTES);
        assert_eq!(state.order.len(), state.entries.len());
    }

    #[test]
    fn a_failure_of_ours_is_not_kept() {
        let compiled = Compiled::default();
        let source = Arc::from("a");
        assert_eq!(compiled.get("c", &source, &|| false, || Err("lost")).err(), Some("lost"));
        let count = AtomicUsize::new(0);
        get(&compiled, "a", 1, &count);
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_waits_can_be_cancelled() {
        let compiled = Compiled::default();
        compiled.lock().entries.insert(("c".into(), Arc::from("a")), Entry::Underway);
        let answer = compiled.get("c", &Arc::from("a"), &|| true, || Ok::<_, ()>(made(1)));
        assert!(matches!(answer, Ok(None)));
    }
}
