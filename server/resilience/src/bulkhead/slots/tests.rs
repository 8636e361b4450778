#[cfg(not(loom))]
mod model {
    use proptest::prelude::*;

    use crate::bulkhead::queue::{Priority, Ticket};
    use crate::bulkhead::slots::{Admission, Slots};

    #[derive(Clone, Debug)]
    enum Call {
        TryTake,
        Queue(usize),
        Release,
        Withdraw(usize),
        SetLimit(u32),
    }

    fn call() -> impl Strategy<Value = Call> {
        prop_oneof![
            Just(Call::TryTake),
            (0..4_usize).prop_map(Call::Queue),
            Just(Call::Release),
            (0..8_usize).prop_map(Call::Withdraw),
            (1..5_u32).prop_map(Call::SetLimit),
        ]
    }

    /// The same rules, on plain vectors: `(priority, number)` in the order of arrival.
    #[derive(Default)]
    struct Model {
        in_flight: u32,
        limit: u32,
        waiting: Vec<(usize, u32)>,
        turn: u32,
    }

    impl Model {
        const CAPACITY: usize = 4;

        fn next(&mut self) -> Option<u32> {
            let urgent = self.waiting.iter().map(|(priority, _)| *priority).max()?;
            self.turn += 1;
            let fair = self.turn.is_multiple_of(4);
            let at = self.waiting.iter().position(|(priority, _)| fair || *priority == urgent)?;
            Some(self.waiting.remove(at).1)
        }

        fn queue(&mut self, priority: usize, number: u32) -> (&'static str, Option<u32>) {
            if self.in_flight < self.limit {
                self.in_flight += 1;
                return ("taken", None);
            }
            let mut shed = None;
            if self.waiting.len() == Self::CAPACITY {
                let least = self.waiting.iter().map(|(priority, _)| *priority).min().unwrap();
                if least >= priority {
                    return ("full", None);
                }
                let at = self.waiting.iter().rposition(|(priority, _)| *priority == least).unwrap();
                shed = Some(self.waiting.remove(at).1);
            }
            self.waiting.push((priority, number));
            ("queued", shed)
        }
    }

    proptest! {
        #[test]
        fn places_and_queue_behave_as_plain_vectors_would(calls in prop::collection::vec(call(), 1..200)) {
            let slots = Slots::new(2, 4, 3, 1);
            let mut model = Model { limit: 2, ..Model::default() };
            let mut tickets: Vec<(u32, Ticket)> = Vec::new();
            for (number, call) in (0_u32..).zip(calls) {
                match call {
                    Call::TryTake => {
                        let free = model.waiting.is_empty() && model.in_flight < model.limit;
                        model.in_flight += u32::from(free);
                        prop_assert_eq!(slots.try_take(), free);
                    }
                    Call::Queue(priority) => {
                        let expected = model.queue(priority, number);
                        let seen = match slots.take_or_queue(Priority::ALL[priority], |_| number) {
                            Admission::Taken => ("taken", None),
                            Admission::Full => ("full", None),
                            Admission::Queued { ticket, shed } => {
                                tickets.push((number, ticket));
                                ("queued", shed)
                            }
                        };
                        prop_assert_eq!(seen, expected);
                    }
                    Call::Release if model.in_flight > 0 => {
                        let expected = if model.in_flight <= model.limit { model.next() } else { None };
                        model.in_flight -= u32::from(expected.is_none());
                        prop_assert_eq!(slots.release(), expected);
                    }
                    Call::Release => {}
                    Call::Withdraw(at) => {
                        let Some((number, ticket)) = tickets.get(at).copied() else { continue };
                        let expected = model.waiting.iter().position(|(_, waiting)| *waiting == number);
                        let expected = expected.map(|at| model.waiting.remove(at).1);
                        prop_assert_eq!(slots.withdraw(ticket), expected);
                    }
                    Call::SetLimit(limit) => {
                        slots.set_limit(limit);
                        model.limit = limit;
                        while model.in_flight < limit && !model.waiting.is_empty() {
                            model.in_flight += 1;
                            prop_assert_eq!(slots.admit(), model.next());
                        }
                        prop_assert_eq!(slots.admit(), None);
                    }
                }
                let word = slots.load();
                prop_assert_eq!((word.in_flight, word.limit), (model.in_flight, model.limit));
                prop_assert_eq!(word.waiting as usize, model.waiting.len());
                prop_assert_eq!(slots.waiting().iter().sum::<usize>(), model.waiting.len());
            }
        }
    }
}

/// All interleavings of a few threads: `RUSTFLAGS="--cfg loom" cargo test -p rad-resilience --lib --release loom`.
#[cfg(loom)]
mod loom {
    use ::loom::sync::Arc;
    use ::loom::sync::atomic::{AtomicU32, Ordering};
    use ::loom::thread;

    use crate::bulkhead::queue::Priority;
    use crate::bulkhead::slots::{Admission, Slots};

    #[derive(Debug)]
    struct World {
        slots: Slots<u32>,
        in_flight: AtomicU32,
        served: AtomicU32,
    }

    fn world(limit: u32) -> Arc<World> {
        let slots = Slots::new(limit, 4, 3, 1);
        Arc::new(World { slots, in_flight: AtomicU32::new(0), served: AtomicU32::new(0) })
    }

    impl World {
        /// Uses a place, then gives it to whoever waits; that one uses it too, and so on.
        fn run(&self, limit: u32) {
            let mut holds = true;
            while holds {
                assert!(self.in_flight.fetch_add(1, Ordering::SeqCst) < limit, "more than the limit");
                self.in_flight.fetch_sub(1, Ordering::SeqCst);
                self.served.fetch_add(1, Ordering::SeqCst);
                holds = self.slots.release().is_some();
            }
        }

        fn at_rest(&self, served: u32) {
            let word = self.slots.load();
            assert_eq!((word.in_flight, word.waiting), (0, 0), "a place or a waiter was lost");
            assert_eq!(self.served.load(Ordering::SeqCst), served);
        }
    }

    #[test]
    fn loom_whoever_lines_up_while_a_place_is_given_back_is_served() {
        ::loom::model(|| {
            let world = world(1);
            let threads = [0, 1].map(|number| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    if let Admission::Taken = world.slots.take_or_queue(Priority::Normal, |_| number) {
                        world.run(1);
                    }
                })
            });
            if world.slots.try_take() {
                world.run(1);
            } else {
                world.served.fetch_add(1, Ordering::SeqCst);
            }
            for thread in threads {
                thread.join().unwrap();
            }
            world.at_rest(3);
        });
    }

    #[test]
    fn loom_whoever_leaves_in_the_moment_of_being_served_loses_no_place() {
        ::loom::model(|| {
            let world = world(1);
            assert!(world.slots.try_take());
            let Admission::Queued { ticket, .. } = world.slots.take_or_queue(Priority::Normal, |_| 7) else {
                panic!("the place is taken")
            };
            let other = {
                let world = Arc::clone(&world);
                thread::spawn(move || world.run(1))
            };
            let left = world.slots.withdraw(ticket).is_some();
            other.join().unwrap();
            world.at_rest(if left { 1 } else { 2 });
        });
    }

    #[test]
    fn loom_a_limit_that_rises_lets_in_whoever_lines_up_meanwhile() {
        ::loom::model(|| {
            let world = world(1);
            assert!(world.slots.try_take());
            let other = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    if let Admission::Taken = world.slots.take_or_queue(Priority::Normal, |_| 7) {
                        world.run(2);
                    }
                })
            };
            world.slots.set_limit(2);
            while world.slots.admit().is_some() {
                world.run(2);
            }
            other.join().unwrap();
            // Served though the first place was never given back.
            assert_eq!(world.served.load(Ordering::SeqCst), 1);
            world.run(2);
            world.at_rest(2);
        });
    }
}
