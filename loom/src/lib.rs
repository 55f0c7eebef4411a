//! Every order in which the threads around a shard's queues can take their steps (loom).
//!
//! `src/hub/bell.rs` is compiled here with loom's atomics in place of the standard library's.

#![cfg(test)]

#[path = "../../src/hub/bell.rs"]
mod bell;

/// What `bell` is made of.
mod atomic {
    pub use loom::sync::atomic::{AtomicBool, Ordering};
}

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use bell::Bell;

/// The queues of a shard, the bell, and the kernel's counter on which it sleeps.
struct Shard {
    orders: Mutex<Vec<u8>>,
    post: Mutex<Vec<u8>>,
    bell: Bell,
    rung: Mutex<bool>,
    wakes: Condvar,
}

impl Shard {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            orders: Mutex::new(Vec::new()),
            post: Mutex::new(Vec::new()),
            bell: Bell::default(),
            rung: Mutex::new(false),
            wakes: Condvar::new(),
        })
    }

    fn put(&self, queue: &Mutex<Vec<u8>>, what: u8) {
        queue.lock().unwrap().push(what);
        if self.bell.rings() {
            *self.rung.lock().unwrap() = true;
            self.wakes.notify_one();
        }
    }

    fn take(&self) -> Vec<u8> {
        // The post first, as a shard does.
        let mut taken = std::mem::take(&mut *self.post.lock().unwrap());
        taken.append(&mut self.orders.lock().unwrap());
        taken
    }

    fn is_waiting(&self) -> bool {
        !self.orders.lock().unwrap().is_empty() || !self.post.lock().unwrap().is_empty()
    }

    /// Takes until it has `all`. A lost wake is a thread that never ends, which loom tells.
    fn run_until(&self, all: usize) -> Vec<u8> {
        let mut had = Vec::new();
        while had.len() < all {
            let mut taken = self.take();
            if !taken.is_empty() {
                had.append(&mut taken);
                continue;
            }
            self.bell.may_sleep();
            if self.is_waiting() {
                self.bell.stays_awake();
                continue;
            }
            let mut rung = self.rung.lock().unwrap();
            while !*rung {
                rung = self.wakes.wait(rung).unwrap();
            }
            *rung = false;
        }
        had
    }
}

/// With so many preemptions as a mistake ever took (Musuvathi and Qadeer, 2007), or all orders take hours.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

#[test]
fn nobody_sleeps_over_what_was_put_in() {
    model(|| {
        let shard = Shard::new();
        let (publisher, handshake) = (Arc::clone(&shard), Arc::clone(&shard));
        let publisher = thread::spawn(move || publisher.put(&publisher.orders, 1));
        let handshake = thread::spawn(move || handshake.put(&handshake.post, 2));
        let mut had = shard.run_until(2);
        had.sort_unstable();
        assert_eq!(had, [1, 2]);
        publisher.join().unwrap();
        handshake.join().unwrap();
    });
}

#[test]
fn what_one_puts_in_comes_out_in_its_order() {
    model(|| {
        let shard = Shard::new();
        let publisher = Arc::clone(&shard);
        let publisher = thread::spawn(move || {
            publisher.put(&publisher.orders, 1);
            publisher.put(&publisher.orders, 2);
        });
        assert_eq!(shard.run_until(2), [1, 2]);
        publisher.join().unwrap();
    });
}
