//! Rounds of a request: loaders collect keys until no resolver can go on without them, then all of them load at once. So how
//! many statements a request takes follows from its document alone, however busy the machine is; a window of time would split
//! batches now and then. What must not live here: what is loaded.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

/// How many loads of a round run at once: each takes one connection, and other requests want some too. A load is of all keys of one
/// kind, so a document with a hundred lists of a kind takes one, and no document takes more than this.
const AT_ONCE: usize = 4;

type Load = BoxFuture<'static, ()>;
type Begin = Box<dyn FnOnce() -> Load + Send>;

/// The loads that wait for the next round. Clones share them.
#[derive(Clone, Default)]
pub struct Rounds(Arc<Mutex<Vec<Begin>>>);

impl Rounds {
    /// Lets a load wait for the next round. `begin` is called when that begins: what is asked for later isn't part of it.
    pub fn add(&self, begin: impl FnOnce() -> Load + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(begin));
    }

    fn begin(&self) -> Vec<Load> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().map(|begin| begin()).collect()
    }

    /// Drives a request's resolvers, and the loads that they wait for, to the end.
    pub async fn run<F: Future>(self, resolvers: F) -> F::Output {
        let mut resolvers = pin!(resolvers);
        let mut waiting: Vec<Load> = Vec::new();
        let mut running = FuturesUnordered::new();
        poll_fn(|context| {
            loop {
                let woken = Arc::new(Woken { at_once: AtomicBool::new(false), waker: context.waker().clone() });
                let waker = Waker::from(Arc::clone(&woken));
                if let Poll::Ready(output) = resolvers.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Poll::Ready(output);
                }
                if woken.at_once.load(Ordering::Acquire) {
                    // They only let others go first. They aren't done with asking.
                    return Poll::Pending;
                }
                if waiting.is_empty() && running.is_empty() {
                    waiting = self.begin();
                }
                if waiting.is_empty() && running.is_empty() {
                    // They wait for something of their own.
                    return Poll::Pending;
                }
                // The next round begins when this one has ended. Until then resolvers go on, because they may hold a
                // connection that a load waits for.
                while !(waiting.is_empty() && running.is_empty()) {
                    while running.len() < AT_ONCE
                        && let Some(load) = waiting.pop()
                    {
                        running.push(load);
                    }
                    if running.poll_next_unpin(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        })
        .await
    }
}

/// Passes a wake on, and remembers it.
struct Woken {
    at_once: AtomicBool,
    waker: Waker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.at_once.store(true, Ordering::Release);
        self.waker.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_channel::oneshot;
    use futures_util::future::join_all;

    use super::*;

    async fn let_others_go_first() {
        let mut waited = false;
        poll_fn(|context| {
            if waited {
                return Poll::Ready(());
            }
            waited = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Resolvers that ask for two things each, of which some are slow to ask, in a batch as loaders make it.
    #[tokio::test]
    async fn a_round_waits_for_all_that_ask_and_ends_as_a_whole() {
        let rounds = Rounds::default();
        let asked: Arc<Mutex<Vec<oneshot::Sender<usize>>>> = Arc::default();
        let batches = Arc::new(AtomicUsize::new(0));
        let ask = async |rounds: &Rounds| {
            let (answer, answered) = oneshot::channel();
            let first = {
                let mut asked = asked.lock().unwrap();
                asked.push(answer);
                asked.len() == 1
            };
            if first {
                let (asked, batches) = (Arc::clone(&asked), Arc::clone(&batches));
                rounds.add(move || {
                    let batch = std::mem::take(&mut *asked.lock().unwrap());
                    batches.fetch_add(1, Ordering::SeqCst);
                    Box::pin(async move {
                        // Each answer comes at another time, as from several loaders.
                        for answer in batch {
                            let_others_go_first().await;
                            answer.send(1).unwrap();
                        }
                    })
                });
            }
            answered.await.unwrap()
        };
        let resolver = async |number: usize| {
            for _ in 0..number % 5 {
                let_others_go_first().await;
            }
            let first = ask(&rounds).await;
            let second = ask(&rounds).await;
            first + second
        };
        let all = rounds.clone().run(join_all((0..500).map(resolver))).await;
        assert_eq!(all, [2; 500]);
        assert_eq!(batches.load(Ordering::SeqCst), 2);
    }

    /// However much a document asks for, it takes only so many connections.
    #[tokio::test]
    async fn only_so_many_loads_run_at_once() {
        let rounds = Rounds::default();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let resolver = async |_| {
            let (answer, answered) = oneshot::channel();
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            rounds.add(move || {
                Box::pin(async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let_others_go_first().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    answer.send(()).unwrap();
                })
            });
            answered.await.unwrap();
        };
        rounds.clone().run(join_all((0..100).map(resolver))).await;
        assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
    }

    #[tokio::test]
    async fn without_loads_it_is_as_if_it_were_not_there() {
        let slow = async {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            7
        };
        assert_eq!(Rounds::default().run(slow).await, 7);
    }
}
